"""Pixels are what images hold; the files are read by Pillow."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from isthmus.pictures import Shades, png, sheet, shrunk, size_of, tiled


def read(content):
    with Image.open(BytesIO(content)) as image:
        return np.asarray(image)


@given(st.sampled_from([(), (3,), (4,)]), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_pillow_reads_what_was_written(channels, height, width, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, *channels), dtype=np.uint8)
    np.testing.assert_array_equal(read(png(pixels)), pixels)


def test_a_png_takes_the_filter_that_makes_it_smaller():
    steps = np.arange(256, dtype=np.uint8)[:, None] + np.random.default_rng(0).integers(0, 256, 64, dtype=np.uint8)
    assert len(png(steps)) < 1000
    np.testing.assert_array_equal(read(png(steps)), steps)


def test_shades_of_bytes_are_the_bytes():
    images = np.random.default_rng(0).integers(0, 200, (3, 4, 5, 1), dtype=np.uint8)
    np.testing.assert_array_equal(Shades.of(images)(images), images[..., 0])


def test_shades_of_numbers_span_their_range():
    images = np.array([-1.0, 0.0, 1.0, np.nan]).reshape(1, 2, 2, 1)
    assert Shades.of(images)(images).ravel().tolist() == [0, 128, 255, 0]


def test_colours_keep_their_range_and_are_cut_off_beyond():
    images = np.array([0.2, 0.4, 0.6], dtype=np.float32).reshape(1, 1, 1, 3)
    assert Shades.of(images)(images).ravel().tolist() == [51, 102, 153]
    assert Shades.of(images)(images + 0.5).ravel().tolist() == [178, 230, 255]


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_maps_lie_beside_each_other(channels):
    maps = np.random.default_rng(0).random((2, 3, 4, channels))
    grid = tiled(maps)
    assert np.isfinite(grid).sum() == maps.size
    np.testing.assert_array_equal(grid[:, :3, :4], maps[..., 0])


def test_a_sheet_holds_the_pictures_in_rows():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 2, 3), dtype=np.uint8)
    whole = sheet(pixels, 2)
    assert whole.shape == (6, 6)
    np.testing.assert_array_equal(whole[2:4, 3:6], pixels[3])
    assert (whole[4:, 3:] == 0).all()


@pytest.mark.parametrize("shape", [(2, 8, 8), (2, 9, 4, 3), (2, 1, 30)])
def test_shrinking_averages_squares(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    small = shrunk(pixels, 4)
    assert max(small.shape[1:3]) <= 4
    assert small.shape[3:] == shape[3:]
    by = -(-max(shape[1:3]) // 4)
    assert abs(float(small[0, 0, 0].mean()) - float(pixels[0, :by, :by].mean())) <= 0.5
    assert shrunk(pixels, 30) is pixels


def test_the_size_of_gray_images_has_no_channels():
    assert (size_of((28, 28, 1)), size_of((28, 28, 3))) == ("28 x 28", "28 x 28 x 3")
