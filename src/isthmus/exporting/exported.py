"""What was written, and how far it is from the model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Exported:
    """A file that was compared with its model.

    Attributes
    ----------
    path : Path
        The file.
    size : int
        Its bytes.
    inputs, outputs : dict of str to str
        Their names, each with its type and shape; n is the number of rows.
    opset : int or None
        Version of the ONNX operators; None for a program of torch.
    rows : int
        Rows that were compared, at batch sizes 1, 7 and 1,000.
    difference : float
        Largest difference from the model's answers, as a share of their range.
    typical_difference : float
        Square root of the mean squared difference, as a share of the range.
    error, model_error : float or None
        Mean squared error of the rows that the file and that the model rebuild, in the units of X; None where no rows
        are rebuilt.
    """

    path: Path
    size: int
    inputs: dict[str, str]
    outputs: dict[str, str]
    opset: int | None
    rows: int
    difference: float
    typical_difference: float
    error: float | None = None
    model_error: float | None = None

    def __str__(self) -> str:
        lines = [f"{self.path}: {self.size:,} bytes" + (f", opset {self.opset}" if self.opset else "")]
        lines += [f"{'input':<10}{name}: {form}" for name, form in self.inputs.items()]
        lines += [f"{'output':<10}{name}: {form}" for name, form in self.outputs.items()]
        lines.append(
            f"{'compared':<10}{self.rows:,} rows: they differ by at most {self.difference:.1e} of the range of the "
            f"answers, typically by {self.typical_difference:.1e}"
        )
        if self.error is not None and self.model_error is not None:
            lines.append(f"{'error':<10}{self.error:.6g} of the rebuilt rows, the model's is {self.model_error:.6g}")
        return "\n".join(lines)
