"""Colours of numbers are those of matplotlib's viridis; labels can be told apart on both grounds."""

import matplotlib
import numpy as np
import pytest

from isthmus.colours import TEN, TEN_ON_DARK, colours_of


def test_numbers_are_coloured_as_by_viridis():
    values = np.linspace(-3, 5, 200)
    expected = 255 * matplotlib.colormaps["viridis"]((values + 3) / 8)[:, :3]
    assert np.abs(colours_of(values) - expected).max() < 6


def test_what_is_missing_is_gray():
    assert colours_of([np.nan, 1.0, 1.0]).tolist() == [[128, 128, 128], [68, 1, 84], [68, 1, 84]]
    assert colours_of([np.nan]).tolist() == [[128, 128, 128]]


def luminance(colour):
    """Relative luminance of WCAG 2."""
    parts = np.array(list(bytes.fromhex(colour[1:]))) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722)


@pytest.mark.parametrize("colour", TEN_ON_DARK)
def test_labels_stand_out_from_a_dark_ground(colour):
    assert (luminance(colour) + 0.05) / (luminance("#22262d") + 0.05) > 3


def test_a_label_keeps_its_place_on_both_grounds():
    assert len(set(TEN)) == len(set(TEN_ON_DARK)) == 10
    assert sum(a != b for a, b in zip(TEN, TEN_ON_DARK, strict=True)) == 3
