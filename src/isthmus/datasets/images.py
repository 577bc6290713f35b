"""Read images that lie in a folder, all of one size."""

import struct
import warnings
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.datasets.bundled import check_size, readable
from isthmus.errors import DataError, require

_PIXEL = 4  # bytes in memory
IMAGE_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
IMAGE_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
IMAGE_ERRORS = (AssertionError, EOFError, SyntaxError, IndexError, TypeError, struct.error, zlib.error, UserWarning)
GRAY_MODES = frozenset({"1", "L", "LA"})
DEEP_GRAY_PREFIXES = ("I", "F")  # 16 and 32 bits a pixel, kept as they are


def image_paths(folder: Path) -> list[Path]:
    """List the images of a folder and its subfolders, sorted by path."""
    with readable(folder):
        paths = [path for path in sorted(folder.rglob("*")) if is_image(path)]
    if not paths:
        raise DataError(f"the folder {folder} holds no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
    return paths


def reader_of_images(paths: Sequence[Path]) -> Callable[[Path], NDArray[Any]]:
    """Make a reader of images that refuses one unlike the first."""
    first = _read_image(paths[0])

    def read(path: Path) -> NDArray[Any]:
        pixels = _read_image(path)
        if (pixels.shape, pixels.dtype) != (first.shape, first.dtype):
            ours, theirs = f"{pixels.shape} {pixels.dtype}", f"{first.shape} {first.dtype}"
            raise DataError(f"images must be alike, but {path} is {ours} and {paths[0]} is {theirs}")
        return pixels

    return read


def is_image(path: Path) -> bool:
    """Whether a file is an image by its name, and not a hidden one."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()


def _read_image(path: Path) -> NDArray[Any]:
    image_module = require("PIL.Image", "images")
    bombs = (image_module.DecompressionBombWarning, image_module.DecompressionBombError)
    with readable(path, *IMAGE_ERRORS, *bombs), warnings.catch_warnings():
        warnings.simplefilter("error", image_module.DecompressionBombWarning)
        with image_module.open(path, formats=IMAGE_FORMATS) as image:
            check_size(path, _PIXEL * image.width * image.height)
            return np.asarray(_gray_or_rgb(image))


def _gray_or_rgb(image: Any) -> Any:
    """Give a ``PIL.Image`` one channel or three, with what is transparent over white."""
    if image.mode.startswith(DEEP_GRAY_PREFIXES):
        return image
    mode = "L" if image.mode in GRAY_MODES else "RGB"
    if not image.has_transparency_data:
        return image.convert(mode)
    image = image.convert("RGBA")
    white = require("PIL.Image", "images").new("RGBA", image.size, "white")
    white.alpha_composite(image)
    return white.convert(mode)
