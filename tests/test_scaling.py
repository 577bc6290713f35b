"""Scaling: what "auto" means, equality with scikit-learn, the way back, precision, bounded memory."""

from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from isthmus import DenseAutoencoder
from isthmus.errors import DataError, IsthmusError
from isthmus.scaling import learn_scaling
from isthmus.sources import ArrayRows, arrays

RANDOM = np.random.RandomState(0)
TABLE = RANDOM.randn(60, 5) * [1, 10, 0.1, 3, 1000] + [0, 5, -3, 100, 1e4]
SHAPES = [(20, 4), (20, 6, 5), (20, 6, 5, 3)]
HOWS = ["auto", "none", "minmax", "standard"]


def learned(X, how="auto", rows=None):
    return learn_scaling(ArrayRows(X), np.arange(len(X)) if rows is None else rows, how)


def scaled(X, how="auto", rows=None):
    return learned(X, how, rows).apply(torch.from_numpy(np.array(X))).numpy()


def undone(X, how="auto"):
    way = learned(X, how)
    flat = way.apply(torch.from_numpy(np.array(X))).reshape(len(X), -1)
    return way.undo(flat).numpy().reshape(X.shape)


def numbers(low, high, shape, dtype, seed=0):
    return np.random.RandomState(seed).randint(low, high, shape).astype(dtype)


# ---------------------------------------------------------------- auto


@pytest.mark.parametrize("shape", SHAPES)
def test_uint8_is_divided_by_255(shape):
    X = numbers(0, 200, shape, np.uint8)
    np.testing.assert_allclose(scaled(X), X / np.float32(255), rtol=1e-6)


@pytest.mark.parametrize("shape", SHAPES[1:])
def test_uint16_images_are_divided_by_65535(shape):
    X = numbers(0, 60_000, shape, np.uint16)
    np.testing.assert_allclose(scaled(X), X / np.float32(65_535), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64, np.uint32, np.uint64])
@pytest.mark.parametrize("shape", SHAPES[1:])
def test_other_integer_images_are_brought_to_0_and_1_by_one_range(shape, dtype):
    X = numbers(3, 90, shape, dtype)
    low, high = X.min(), X.max()
    np.testing.assert_allclose(scaled(X), (X - low) / (high - low), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_floats_within_0_and_1_stay_as_they_are(shape, dtype):
    X = np.random.RandomState(0).rand(*shape).astype(dtype)
    np.testing.assert_array_equal(scaled(X), X.astype(np.float32))


def test_tiny_numbers_are_standardised():
    X = 1e-30 * np.random.RandomState(0).rand(20, 3)
    np.testing.assert_allclose(scaled(X), StandardScaler().fit_transform(X), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_truth_values_stay_as_they_are(shape):
    X = np.random.RandomState(0).rand(*shape) > 0.5
    np.testing.assert_array_equal(scaled(X), X.astype(np.float32))


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.float32, np.float64])
def test_other_tables_are_standardised_by_column(dtype):
    X = numbers(0, 100, (30, 4), dtype)
    np.testing.assert_allclose(scaled(X), StandardScaler().fit_transform(X.astype(float)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES[1:])
def test_other_images_are_standardised_by_one_number(shape):
    X = np.random.RandomState(0).randn(*shape) * 7 + 3
    np.testing.assert_allclose(scaled(X), (X - X.mean()) / X.std(), rtol=1e-5, atol=1e-6)
    assert learned(X).offset.numel() == learned(X).scale.numel() == 1


@pytest.mark.parametrize("edge", [-1e-6, 1 + 1e-6])
def test_one_float_beyond_0_and_1_is_enough_to_standardise(edge):
    X = np.random.RandomState(0).rand(20, 3)
    X[3, 1] = edge
    np.testing.assert_allclose(scaled(X), StandardScaler().fit_transform(X), rtol=1e-5, atol=1e-6)


# ---------------------------------------------------------------- against scikit-learn


@pytest.mark.parametrize(
    ("how", "reference"), [("standard", StandardScaler()), ("minmax", MinMaxScaler())], ids=["standard", "minmax"]
)
def test_a_table_is_scaled_as_scikit_learn_does(how, reference):
    expected = reference.fit_transform(TABLE)
    np.testing.assert_allclose(scaled(TABLE, how), expected, rtol=1e-6, atol=1e-6)


@settings(deadline=None)
@given(hnp.arrays(np.float64, st.tuples(st.integers(2, 9), st.integers(1, 5)), elements=st.floats(-1e3, 1e3, width=32)))
def test_any_table_is_brought_to_0_and_1_as_scikit_learn_does(X):
    spread = np.ptp(X, axis=0)
    assume(((spread == 0) | (spread > 1e-3)).all())
    np.testing.assert_allclose(scaled(X, "minmax"), MinMaxScaler().fit_transform(X), rtol=1e-5, atol=1e-5)


@settings(deadline=None)
@given(hnp.arrays(np.float64, st.tuples(st.integers(2, 9), st.integers(1, 5)), elements=st.floats(-1e3, 1e3, width=32)))
def test_any_table_is_standardised_as_scikit_learn_does(X):
    spread = np.ptp(X, axis=0)
    assume(((spread == 0) | (spread > 1e-3)).all())
    np.testing.assert_allclose(scaled(X, "standard"), StandardScaler().fit_transform(X), rtol=1e-4, atol=1e-5)


def test_none_leaves_the_numbers_as_they_are():
    np.testing.assert_array_equal(scaled(TABLE, "none"), TABLE.astype(np.float32))


@pytest.mark.parametrize("X", [TABLE, StandardScaler().fit_transform(TABLE)], ids=["raw", "already standardised"])
def test_whole_divides_all_columns_by_one_number(X):
    centred = X - X.mean(axis=0)
    number = np.sqrt(np.square(centred).mean())
    np.testing.assert_allclose(learned(X, "whole").scale.numpy(), [number], rtol=1e-9)
    np.testing.assert_allclose(scaled(X, "whole"), centred / number, rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------- constant columns


@pytest.mark.parametrize("how", ["auto", "minmax", "standard"])
@pytest.mark.parametrize("value", [0.0, 3.3, -7e5, 1e-30])
def test_a_constant_column_becomes_zero_and_comes_back(how, value):
    X = np.column_stack([TABLE[:, 0], np.full(60, value)])
    np.testing.assert_allclose(scaled(X, how)[:, 1], 0, atol=1e-14 * max(1, abs(value)))
    np.testing.assert_allclose(undone(X, how)[:, 1], value, rtol=1e-6)


@pytest.mark.parametrize("how", HOWS)
def test_one_constant_image_is_taken(how):
    X = np.full((4, 3, 3), 7, np.int32)
    assert np.isfinite(scaled(X, how)).all()
    np.testing.assert_array_equal(undone(X, how), X)


@pytest.mark.parametrize("how", ["auto", "minmax", "standard", "whole"])
@pytest.mark.parametrize("value", [3.3, 1e5 / 3, -7.0])
def test_rows_that_do_not_vary_at_all_become_zero(how, value):
    X = np.full((60, 2), value)
    np.testing.assert_allclose(scaled(X, how), 0, atol=1e-9 * abs(value))
    np.testing.assert_allclose(undone(X, how), X, rtol=1e-6)


def test_one_row_is_taken():
    np.testing.assert_array_equal(scaled(TABLE[:1]), 0)


# ---------------------------------------------------------------- and back


@settings(deadline=None, max_examples=200)
@given(
    data=st.data(),
    dtype=st.sampled_from([np.uint8, np.int8, np.int16, np.uint16, np.int32, np.int64, np.float32, np.float64]),
    how=st.sampled_from(HOWS),
)
def test_what_is_scaled_comes_back(data, dtype, how):
    shape = data.draw(hnp.array_shapes(min_dims=2, max_dims=4, max_side=4))
    integer = np.issubdtype(dtype, np.integer)
    elements = st.integers(max(0, np.iinfo(dtype).min), 100) if integer else st.floats(-1e4, 1e4, width=16)
    X = data.draw(hnp.arrays(dtype, shape, elements=elements))
    tolerance = 1e-5 * max(1.0, float(np.abs(X).max()))
    np.testing.assert_allclose(undone(X, how), X, rtol=1e-5, atol=tolerance)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_range_of_the_scaled_training_rows_is_known(shape, how):
    X = np.random.RandomState(0).randn(*shape) * 9 + 2
    way = learned(X, how)
    values = way.apply(torch.from_numpy(X))
    assert way.low == pytest.approx(values.min().item(), rel=1e-5, abs=1e-6)
    assert way.high == pytest.approx(values.max().item(), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("how", HOWS)
def test_rows_are_float32_afterwards_and_left_alone(how):
    rows = torch.from_numpy(TABLE.copy())
    way = learned(TABLE, how)
    assert way.apply(rows).dtype == torch.float32
    assert way.undo(way.apply(rows)).dtype == torch.float32
    np.testing.assert_array_equal(rows.numpy(), TABLE)


def test_rows_that_are_float32_already_are_not_scaled_in_place():
    rows = torch.from_numpy(TABLE.astype(np.float32))
    before = rows.clone()
    learned(TABLE, "standard").apply(rows)
    assert torch.equal(rows, before)


# ---------------------------------------------------------------- large numbers


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("size", [1e30, -1e30])
def test_numbers_of_1e30_work(how, size):
    X = np.random.RandomState(0).rand(50, 4) * size
    np.testing.assert_allclose(undone(X, how), X, rtol=1e-5, atol=1e24)


def test_a_table_of_1e30_is_learned_as_the_same_table_in_other_units():
    X = np.random.RandomState(0).randn(50, 4)
    model, large = (DenseAutoencoder(2, max_epochs=3, random_state=0).fit(X * unit) for unit in (1, 1e30))
    np.testing.assert_allclose(large.transform(X * 1e30), model.transform(X), rtol=1e-3, atol=1e-4)
    assert large.score(X * 1e30) == pytest.approx(model.score(X), rel=1e-3)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("how", ["auto", "standard"])
def test_numbers_beyond_float32_are_refused_in_one_sentence(shape, how):
    X = np.random.RandomState(0).randn(*shape) * 1e300
    with pytest.raises(DataError) as caught:
        learned(X, how)
    message = str(caught.value)
    assert message.startswith("X reaches from ")
    assert "e+300" in message
    assert "divide it first" in message
    assert "\n" not in message


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("size", [1e60, 1e300, 1e308])
def test_numbers_beyond_float32_are_refused_or_rebuilt_but_never_become_infinite(how, size):
    X = np.random.RandomState(0).uniform(-1, 1, (50, 4)) * size
    model = DenseAutoencoder(2, scaling=how, max_epochs=1)
    with suppress(IsthmusError):
        assert np.isfinite(model.fit(X).reconstruct(X)).all()


@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.int32, np.uint32, np.uint64])
@pytest.mark.parametrize("how", ["auto", "minmax", "standard"])
def test_a_small_spread_on_a_large_offset_keeps_its_precision(how, dtype):
    small = np.random.RandomState(0).randint(0, 50, (40, 3))
    large = (small + 2_000_000_000).astype(dtype)
    np.testing.assert_allclose(scaled(large, how), scaled(small.astype(np.int64), how), rtol=1e-5, atol=1e-5)


def test_float64_keeps_a_spread_of_a_millionth_of_a_millionth():
    spread = np.random.RandomState(0).randn(40, 3)
    expected = StandardScaler().fit_transform(spread)
    np.testing.assert_allclose(scaled(spread * 1e-3 + 1e9, "standard"), expected, rtol=1e-3, atol=1e-3)


# ---------------------------------------------------------------- only the given rows


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("shape", [(60, 5), (60, 4, 4)])
def test_only_the_given_rows_are_learned_from(how, shape):
    X = np.random.RandomState(0).randn(*shape)
    X[30:] *= 1e6
    rows = np.random.RandomState(1).permutation(30)
    ours, theirs = learned(X, how, rows), learned(X[:30].copy(), how)
    torch.testing.assert_close(ours.offset, theirs.offset, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(ours.scale, theirs.scale)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))


def test_held_out_rows_do_not_choose_the_scaling():
    X = np.random.RandomState(0).randn(50, 3)
    model = DenseAutoencoder(2, max_epochs=1, validation_fraction=0.3, random_state=0).fit(X)
    training = np.setdiff1d(np.arange(50), model.held_out_)
    np.testing.assert_allclose(model.scaling_.offset, X[training].mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(model.scaling_.scale, X[training].std(axis=0), rtol=1e-9)


# ---------------------------------------------------------------- blocks


@pytest.mark.parametrize("how", [*HOWS, "whole"])
@pytest.mark.parametrize("shape", [(60, 5), (60, 4, 3), (60, 4, 3, 2)])
def test_small_blocks_give_the_same_scaling(monkeypatch, how, shape):
    X = np.random.RandomState(0).randn(*shape) * 5 + 100
    whole = learned(X, how)
    monkeypatch.setattr(arrays, "BLOCK_BYTES", 500)
    in_blocks = learned(X, how)
    torch.testing.assert_close(in_blocks.offset, whole.offset)
    torch.testing.assert_close(in_blocks.scale, whole.scale)


@given(st.integers(1, 50), st.integers(1, 9), st.integers(1, 400))
def test_blocks_are_the_rows_in_order_and_small(n, multiple, block_bytes):
    X = np.arange(60 * 3, dtype=np.float64).reshape(60, 3)
    order = np.random.RandomState(n).permutation(60)[:n]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrays, "BLOCK_BYTES", block_bytes)
        found = list(ArrayRows(X).read(order, multiple))
    np.testing.assert_array_equal(np.concatenate(found), X[order])
    assert all(len(block) % multiple == 0 for block in found[:-1])
    assert all(block.nbytes <= max(block_bytes, multiple * 24) for block in found)


def test_a_memory_map_is_learned_from_and_not_modified(tmp_path):
    X = np.lib.format.open_memmap(tmp_path / "X.npy", mode="w+", dtype=np.float64, shape=TABLE.shape)
    X[:] = TABLE
    X.flush()
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    model = DenseAutoencoder(2, max_epochs=2, random_state=0).fit(X)
    in_memory = DenseAutoencoder(2, max_epochs=2, random_state=0).fit(TABLE)
    np.testing.assert_array_equal(model.transform(X), in_memory.transform(TABLE))
    assert isinstance(X, np.memmap)
    np.testing.assert_array_equal(np.load(tmp_path / "X.npy"), TABLE)


@pytest.mark.parametrize(
    ("dtype", "order"),
    [(">f4", "C"), (">f8", "C"), (">u2", "C"), (np.longdouble, "C"), (np.float32, "F"), (np.float16, "C")],
)
def test_any_byte_order_and_memory_order_gives_the_same_codes(dtype, order):
    X = np.random.RandomState(0).randint(0, 100, (40, 4))
    expected = DenseAutoencoder(2, max_epochs=1, random_state=0).fit(X.astype(np.float64)).transform(X.astype(float))
    ours = np.asarray(X, dtype=dtype, order=order)
    found = DenseAutoencoder(2, max_epochs=1, random_state=0).fit(ours).transform(ours)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
