"""Data sets that need no download, and the IDX format in which MNIST is stored.

An IDX file is two zero bytes, a byte for the type, a byte for the number of dimensions, one big-endian
32-bit length for each dimension, and then the values, big-endian and row by row.
"""

import gzip
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import DataError, ParameterError

DATA = Path(__file__).parent / "data"
MNIST_PREFIXES = {"train": "train", "test": "t10k"}

IDX_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
IDX_MOST_DIMENSIONS = 32
GZIP_MAGIC = b"\x1f\x8b"
MOST_EXPANSION = 1024  # about what deflate can do
ALWAYS_ALLOWED = 1 << 28
GZIP_ERRORS = (EOFError, zlib.error)
CHUNK_BYTES = 1 << 20


def load_mnist(split: str = "train") -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Load the MNIST images of handwritten digits that come with the package; nothing is downloaded.

    Parameters
    ----------
    split : {"train", "test"}, default="train"
        The 60000 training images or the 10000 test images.

    Returns
    -------
    X : ndarray of shape (n_images, 28, 28), dtype uint8
        Intensities from 0 (black, the background) to 255 (white).
    y : ndarray of shape (n_images,), dtype uint8
        The digits, 0 to 9.

    Raises
    ------
    ParameterError
        If `split` is neither "train" nor "test".

    Examples
    --------
    >>> from isthmus.datasets import load_mnist
    >>> X, y = load_mnist("test")
    >>> X.shape, y[:3].tolist()
    ((10000, 28, 28), [7, 2, 1])
    """
    if split not in tuple(MNIST_PREFIXES):
        raise ParameterError(f"split must be 'train' or 'test', but {split!r} came")
    prefix = MNIST_PREFIXES[split]
    return read_idx(DATA / f"{prefix}-images-idx3-ubyte.gz"), read_idx(DATA / f"{prefix}-labels-idx1-ubyte.gz")


def load_digits() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Load the small images of handwritten digits that come with scikit-learn.

    Their intensities, 0 to 16, are stretched to 0 to 255 and rounded, so that white is 255 as in MNIST.

    Returns
    -------
    X : ndarray of shape (1797, 8, 8), dtype uint8
        Intensities from 0 (black, the background) to 255 (white).
    y : ndarray of shape (1797,), dtype uint8
        The digits, 0 to 9.

    Examples
    --------
    >>> from isthmus.datasets import load_digits
    >>> X, y = load_digits()
    >>> X.shape, int(X.max())
    ((1797, 8, 8), 255)
    """
    from sklearn import datasets

    digits = datasets.load_digits()
    return np.rint(digits.images * (255 / 16)).astype(np.uint8), digits.target.astype(np.uint8)


@contextmanager
def readable(path: Path, *errors: type[Exception], rule: str = "") -> Iterator[None]:
    """Turn the errors that a library raises for a damaged file into a `DataError` that names the file.

    Parameters
    ----------
    path : Path
        The file that is being read.
    *errors : exception classes
        What the library raises; `OSError` and `ValueError` are always among them.
    rule : str, default=""
        What a legal file holds, added to the message.

    Raises
    ------
    DataError
        If one of `errors` is raised inside the context.
    """
    damage: tuple[type[Exception], ...] = (OSError, ValueError, *errors)
    try:
        yield
    except DataError:
        raise
    except damage as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        sentence = f"{path} cannot be read: {reason.splitlines()[0].rstrip('.')}"
        raise DataError(f"{sentence} ({rule})" if rule else sentence) from error


def check_size(path: Path, n_bytes: int) -> None:
    """Refuse what a small file would take in memory: more than 256 MB, and 1,024 times its own size.

    Parameters
    ----------
    path : Path
        The file.
    n_bytes : int
        What it says that it holds.

    Raises
    ------
    DataError
        If that is too much.
    """
    size = path.stat().st_size
    if n_bytes > max(ALWAYS_ALLOWED, MOST_EXPANSION * size):
        raise DataError(
            f"{path} declares {n_bytes:,} bytes of rows, which do not fit a file of {size:,} bytes: it is damaged, or "
            "a decompression bomb"
        )


def is_idx(path: Path) -> bool:
    """Tell by its first four bytes whether a file, gzipped or not, is IDX.

    Parameters
    ----------
    path : Path
        An existing file.

    Returns
    -------
    bool
        Whether the file starts as an IDX file does.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    with readable(path, *GZIP_ERRORS), _open(path) as file:
        return _is_idx_magic(file.read(4))


def read_idx(path: Path) -> NDArray[Any]:
    """Read an IDX file, gzipped or not, of any of the six IDX types.

    Memory is taken as the values arrive, and never for more of them than the header declares.

    Parameters
    ----------
    path : Path
        An existing file.

    Returns
    -------
    ndarray
        The values in the shape that the header declares, in the byte order of this machine.

    Raises
    ------
    DataError
        If the file is damaged, or holds more or fewer bytes than its header declares.
    """
    with readable(path, *GZIP_ERRORS), _open(path) as file:
        dtype, shape = _read_idx_header(file, path)
        n_bytes = math.prod(shape) * dtype.itemsize
        if not _is_gzip(path) and n_bytes > path.stat().st_size:
            raise DataError(f"{path} is truncated: its header declares {n_bytes} bytes, which do not fit")
        check_size(path, n_bytes)
        payload = _read_exactly(file, n_bytes, path)
    return np.frombuffer(payload, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == GZIP_MAGIC


def _open(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb")) if _is_gzip(path) else path.open("rb")


def _is_idx_magic(magic: bytes) -> bool:
    return len(magic) == 4 and magic[:2] == b"\0\0" and magic[2] in IDX_DTYPES and 1 <= magic[3] <= IDX_MOST_DIMENSIONS


def _read_idx_header(file: BinaryIO, path: Path) -> tuple[np.dtype[Any], tuple[int, ...]]:
    magic = file.read(4)
    if not _is_idx_magic(magic):
        raise DataError(f"{path} is not an IDX file: it starts with the bytes {magic.hex(' ')}")
    n_dimensions = magic[3]
    lengths = file.read(4 * n_dimensions)
    if len(lengths) < 4 * n_dimensions:
        raise DataError(f"{path} is truncated: it ends within its IDX header")
    shape = struct.unpack(f">{n_dimensions}I", lengths)
    if 0 in shape:
        raise DataError(f"{path} holds no values: its shape is {shape}")
    return np.dtype(IDX_DTYPES[magic[2]]), shape


def _read_exactly(file: BinaryIO, n_bytes: int, path: Path) -> bytearray:
    payload = bytearray()
    while chunk := file.read(min(CHUNK_BYTES, n_bytes - len(payload))):
        payload += chunk
    if len(payload) < n_bytes:
        raise DataError(f"{path} is truncated: its header declares {n_bytes} bytes, it holds {len(payload)}")
    if file.read(1):
        raise DataError(f"{path} is damaged: it holds more than the {n_bytes} bytes that its header declares")
    return payload
