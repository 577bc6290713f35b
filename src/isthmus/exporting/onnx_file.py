"""ONNX files: they run where onnxruntime is, without torch or this package."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from isthmus.errors import ExportError, require
from isthmus.exporting.graphs import CODES, REBUILT, ROWS, Graph
from isthmus.exporting.parity import Answer
from isthmus.exporting.program_file import quiet, traced

EXTRA = "onnx"
# All that onnxruntime released in the last two years reads it: 1.20 of November 2024 knows operators up to version 21.
OPSET = 20
_MEANINGS = {
    ROWS: "Rows in the shape and the units of the X that was fitted.",
    CODES: "The code of each row, flattened with the channels last.",
    REBUILT: "Rows rebuilt from their codes, in the shape and the units of the X that was fitted.",
}


def write(graph: Graph, entries: Mapping[str, str], path: Path, *, int8: bool) -> None:
    """Trace a graph, translate it to ONNX operators and write it, with what describes it as metadata."""
    onnx = require("onnx", EXTRA)
    require("onnxscript", EXTRA)
    _runtime()
    model = _translated(graph)
    del model.graph.value_info[:]
    _describe(model, entries)
    onnx.checker.check_model(model, full_check=True)
    if int8:
        _write_int8(model, path)
    else:
        onnx.save_model(model, path)


def opened(path: Path) -> Answer:
    """Give a function that runs a file on the CPU."""
    session = _runtime().InferenceSession(path, providers=["CPUExecutionProvider"])
    (name,) = [node.name for node in session.get_inputs()]

    def answer(values: NDArray) -> list[NDArray]:
        return list(session.run(None, {name: values}))

    return answer


def _runtime() -> Any:
    """Import onnxruntime. From 1.29 on it writes an identifier to disk and reports to its makers unless told not to."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    return require("onnxruntime", EXTRA)


def _translated(graph: Graph) -> Any:
    program = traced(graph)
    try:
        with quiet():
            translated = torch.onnx.export(
                program,
                dynamo=True,
                opset_version=OPSET,
                input_names=[graph.input_name],
                output_names=graph.output_names,
                verbose=False,
                external_data=False,
            )
    except RuntimeError as error:
        reason = str(error).strip().split("\n")[0]
        raise ExportError(f"this network cannot be exported: ONNX has no operators for it ({reason})") from error
    return translated.model_proto  # type: ignore[union-attr]


def _describe(model: Any, entries: Mapping[str, str]) -> None:
    """Name the number of rows, say what goes in and comes out, and add the metadata."""
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"
        value.doc_string = _MEANINGS[value.name]
    model.producer_name = "isthmus"
    model.doc_string = f"{entries['isthmus.part']} of {entries['isthmus.class']}, scaling included"
    del model.metadata_props[:]
    for key, value in entries.items():
        model.metadata_props.add(key=key, value=value)


def _write_int8(model: Any, path: Path) -> None:
    """Write weights as integers with a scale for each output; activations become integers as they come."""
    quantization = require("onnxruntime.quantization", EXTRA)
    # The note that silences a hint, which is logged, to run a step whose work is done already.
    model.metadata_props.add(key="onnx.quant.pre_process", value="onnxruntime.quant")
    with quiet(), tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "model.onnx"
        require("onnx", EXTRA).save_model(model, source)
        quantization.quantize_dynamic(source, path, per_channel=True, weight_type=quantization.QuantType.QUInt8)
