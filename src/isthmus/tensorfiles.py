"""Tensors with a JSON header in one safetensors file, under a checksum of both."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import save_file
from torch import Tensor

from isthmus.errors import ModelFileError

_CHECKSUM = "checksum"


def write_tensors(path: Path, key: str, header: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Write tensors and a header under a key; what the disk refuses is an `OSError`."""
    plain = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }
    text = json.dumps(header)
    try:
        save_file(plain, path, metadata={key: text, _CHECKSUM: checksum(text, plain)})
    except safetensors.SafetensorError as error:
        raise OSError(f"{path.parent}: a file cannot be written there ({error})") from error


def read_tensors(path: Path, key: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read what `write_tensors` wrote under a key.

    Raises
    ------
    ModelFileError
        If the file is damaged or of another kind; the sentence leaves the file's name to the caller.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, ValueError, TypeError) as error:
        raise ModelFileError(f"damaged, or not a file of isthmus ({error})") from error
    if key not in metadata:
        raise ModelFileError("a safetensors file, but not one that isthmus wrote")
    if _CHECKSUM not in metadata:
        raise ModelFileError("it has no checksum, so a version before the first release wrote it; write it anew")
    if metadata[_CHECKSUM] != checksum(metadata[key], tensors):
        raise ModelFileError("damaged: its checksum is that of other contents")
    try:
        return dict(json.loads(metadata[key])), tensors
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelFileError(f"its header is damaged ({type(error).__name__}: {error})") from error


def checksum(text: str, tensors: dict[str, Tensor]) -> str:
    """Give the checksum of a file, BLAKE2b: a bit that flipped on the disk would not be seen in the weights."""
    state = hashlib.blake2b(text.encode(), digest_size=16)
    for name, tensor in sorted(tensors.items()):
        state.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        state.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return state.hexdigest()
