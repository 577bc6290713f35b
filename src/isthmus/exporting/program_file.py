"""Programs of torch, ``.pt2``: they run where torch is, without this package."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from numpy.typing import NDArray
from torch.export import Dim, ExportedProgram

from isthmus.errors import ExportError
from isthmus.exporting.graphs import Graph
from isthmus.exporting.parity import Answer
from isthmus.rows import tensor_of

ENTRIES = "isthmus.json"
_LOGGERS = ("torch.onnx", "torch.fx", "torch.export", "onnxscript", "onnx_ir")


def write(graph: Graph, entries: Mapping[str, str], path: Path) -> None:
    """Trace a graph and write it; what describes it is the extra file ``isthmus.json``."""
    program = traced(graph)
    with quiet():
        torch.export.save(program, path, extra_files={ENTRIES: json.dumps(dict(entries))})


def opened(path: Path) -> Answer:
    """Give a function that runs a file."""
    with quiet():
        module = torch.export.load(path).module()

    def answer(values: NDArray) -> list[NDArray]:
        with torch.inference_mode():
            return [output.numpy() for output in module(tensor_of(values))]

    return answer


def traced(graph: Graph) -> ExportedProgram:
    """Trace a graph for any number of rows."""
    example = graph.example()
    with quiet(), torch.no_grad():
        graph(example)
        try:
            return torch.export.export(graph.eval(), (example,), dynamic_shapes=({0: Dim("n")},), strict=False)
        except RuntimeError as error:
            reason = str(error).strip().split("\n")[0]
            raise ExportError(f"this network cannot be exported: torch.export could not trace it ({reason})") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Keep warnings and log lines of the exporters, which are about themselves, from users."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for logger in loggers:
                logger.setLevel(logging.CRITICAL)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
