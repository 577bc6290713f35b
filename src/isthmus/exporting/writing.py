"""Writing a model for another runtime; a file is kept once it agrees with the model."""

from __future__ import annotations

from pathlib import Path

from numpy.typing import NDArray

from isthmus.codec import Codec
from isthmus.errors import ExportError, ParameterError
from isthmus.exporting import onnx_file, program_file
from isthmus.exporting.exported import Exported
from isthmus.exporting.graphs import Description, Graph, plain
from isthmus.exporting.parity import LIMIT, compare
from isthmus.files import replaced

SUFFIXES = (".onnx", ".pt2")


def export(
    codec: Codec,
    description: Description,
    path: Path,
    X: NDArray | None = None,
    *,
    encoder: bool = True,
    decoder: bool = True,
    int8: bool = False,
    overwrite: bool = False,
) -> Exported:
    """Write encoder, decoder or both, compare the file with the model, and keep it if they agree.

    Parameters
    ----------
    codec : Codec
        The model.
    description : Description
        What the file says about it.
    path : Path
        The file, ``.onnx`` or ``.pt2``.
    X : ndarray of shape (n, ...), or None
        Rows of the user to compare on, besides random ones.
    encoder, decoder : bool, default=True
        Which halves to write.
    int8 : bool, default=False
        Whether to write the weights of dense layers and convolutions as 8-bit integers; differences are then measured
        and not refused.
    overwrite : bool, default=False
        Whether a file that exists may be replaced.

    Raises
    ------
    ParameterError
        If neither half is asked for, or the suffix is not known.
    ExportError
        If the network cannot be traced, or the file does not agree with the model.
    """
    _check(path, encoder=encoder, decoder=decoder, int8=int8)
    traced = plain(codec)
    graph = Graph(traced, encodes=encoder, decodes=decoder)
    entries = description.entries(graph)
    with replaced(path, overwrite=overwrite) as temporary:
        if path.suffix == ".onnx":
            onnx_file.write(graph, entries, temporary, int8=int8)
            answer = onnx_file.opened(temporary)
        else:
            program_file.write(graph, entries, temporary)
            answer = program_file.opened(temporary)
        parity = compare(graph, traced, answer, X)
        if not (int8 or parity.largest <= LIMIT):
            raise ExportError(
                f"{path} was not written: its answers differ from the model's by {parity.largest:.1e} of their range, "
                f"more than the {LIMIT:.0e} allowed; please report the model's parameters as a bug"
            )
        size = temporary.stat().st_size
    forms = {name: ", ".join(map(str, ("n", *shape))) for name, shape in graph.shapes.items()}
    return Exported(
        path=path,
        size=size,
        inputs={graph.input_name: f"{graph.dtype} ({forms[graph.input_name]})"},
        outputs={name: f"float32 ({forms[name]})" for name in graph.output_names},
        opset=onnx_file.OPSET if path.suffix == ".onnx" else None,
        rows=parity.rows,
        difference=parity.largest,
        typical_difference=parity.typical,
        error=parity.error,
        model_error=parity.model_error,
    )


def _check(path: Path, *, encoder: bool, decoder: bool, int8: bool) -> None:
    if path.suffix not in SUFFIXES:
        raise ParameterError(f"path must end in {' or '.join(SUFFIXES)}; got {path}")
    if not (encoder or decoder):
        raise ParameterError("encoder or decoder must be true, or both; got neither")
    if int8 and path.suffix != ".onnx":
        raise ParameterError(f"int8 weights are for .onnx files; got {path}")
