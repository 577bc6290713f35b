"""Every kind of source gives the same rows, to every method."""

import h5py
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import torch
import zarr
from PIL import Image
from scipy import sparse
from sklearn.base import clone

from isthmus import ConvolutionalAutoencoder, DenseAutoencoder
from isthmus.errors import DataError
from isthmus.sources import (
    ArrayRows,
    Part,
    SlicedRows,
    SparseRows,
    arrays,
    drawn,
    opened,
    opening,
    parquet,
    protocol,
    whole,
)
from isthmus.sources.images import ImageRows
from isthmus.sources.parquet import ParquetRows
from isthmus.validation import checked_source

NAMES = [f"x{column}" for column in range(5)]
TABLE = np.random.RandomState(0).rand(400, 5).astype(np.float32)
TABLE[TABLE < 0.3] = 0
MODEL = DenseAutoencoder(2, hidden=(8,), max_epochs=2, random_state=0)


class Batches:
    """An iterable that starts anew each time."""

    def __init__(self, X, size=70):
        self.parts = [X[start : start + size] for start in range(0, len(X), size)]

    def __iter__(self):
        return iter(self.parts)


def memory_map(X, folder):
    np.save(folder / "X.npy", X)
    return np.load(folder / "X.npy", mmap_mode="r")


def hdf5(X, folder):
    return h5py.File(folder / "X.h5", "w").create_dataset("X", data=X, chunks=(30, 5))


def zarr_array(X, folder):
    array = zarr.create_array(str(folder / "X.zarr"), shape=X.shape, chunks=(30, 5), dtype=X.dtype)
    array[:] = X
    return array


def parquet_file(X, folder):
    pq.write_table(pa.table(dict(zip(NAMES, X.T, strict=True))), folder / "X.parquet", row_group_size=90)
    return folder / "X.parquet"


def parquet_folder(X, folder):
    (folder / "parts").mkdir()
    for place, part in enumerate(np.array_split(X, 3)):
        pq.write_table(pa.table(dict(zip(NAMES, part.T, strict=True))), folder / "parts" / f"{place}.parquet")
    return folder / "parts"


KINDS = {
    "tensor": lambda X, folder: torch.from_numpy(X),
    "memory map": memory_map,
    "csr matrix": lambda X, folder: sparse.csr_matrix(X),
    "csc array": lambda X, folder: sparse.csc_array(X),
    "pandas": lambda X, folder: pd.DataFrame(X, columns=NAMES),
    "polars": lambda X, folder: pl.DataFrame(X, schema=NAMES),
    "pyarrow": lambda X, folder: pa.table(dict(zip(NAMES, X.T, strict=True))),
    "hdf5": hdf5,
    "zarr": zarr_array,
    "parquet file": parquet_file,
    "parquet folder": parquet_folder,
    "pattern": lambda X, folder: str(parquet_folder(X, folder) / "*.parquet"),
    "pyarrow data set": lambda X, folder: ds.dataset(parquet_folder(X, folder)),
    "path of .npy": lambda X, folder: memory_map(X, folder).filename,
    "batches": lambda X, folder: Batches(X),
    "data loader": lambda X, folder: torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(torch.from_numpy(X)), batch_size=64
    ),
}


@pytest.fixture(params=["small", "large"])
def size(request, monkeypatch):
    """Data that are read at once, and data that are left outside memory."""
    if request.param == "large":
        for module in (arrays, opening):
            monkeypatch.setattr(module, "RESIDENT_BYTES", 0)
        monkeypatch.setattr(arrays, "PIECE_BYTES", 1_000)
        monkeypatch.setattr(parquet, "_PIECE_BYTES", 1_000)
    return request.param


def table_for(model):
    return pd.DataFrame(TABLE, columns=NAMES) if hasattr(model, "feature_names_in_") else TABLE


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_the_same_rows_to_every_method(kind, size, tmp_path):
    X = KINDS[kind](TABLE, tmp_path)
    model = clone(MODEL).fit(X)
    table = table_for(model)
    assert model.n_features_in_ == 5
    np.testing.assert_array_equal(whole(checked_source(model, X, reset=False)), TABLE)
    np.testing.assert_allclose(model.transform(X), model.transform(table), atol=1e-6)
    np.testing.assert_allclose(model.reconstruct(X), model.reconstruct(table), atol=1e-6)
    np.testing.assert_allclose(model.reconstruction_error(X), model.reconstruction_error(table), atol=1e-6)
    assert model.score(X) == pytest.approx(before := model.score(table), abs=1e-6)
    for _ in range(5):
        model.partial_fit(X)
    assert model.score(table) > before


@pytest.mark.parametrize("kind", KINDS)
def test_drawn_rows_are_rows_of_the_source(kind, size, tmp_path):
    X = checked_source(clone(MODEL), KINDS[kind](TABLE, tmp_path), reset=True)
    rows, numbers = drawn(X, 100, np.random.RandomState(0))
    np.testing.assert_array_equal(rows, TABLE[numbers])
    assert (np.diff(numbers) > 0).all()
    assert 90 <= len(rows) <= 164
    assert numbers.max() > 300


@pytest.mark.parametrize("kind", KINDS)
def test_the_scaling_is_that_of_the_rows_that_are_not_held_out(kind, size, tmp_path):
    model = clone(MODEL).set_params(scaling="standard").fit(KINDS[kind](TABLE, tmp_path))
    rows = np.delete(TABLE, model.held_out_, axis=0).astype(float)
    assert 300 <= len(rows) < 400
    np.testing.assert_allclose(model.scaling_.offset, rows.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(model.scaling_.scale, rows.std(axis=0), rtol=1e-6)


@pytest.mark.parametrize("kind", ["memory map", "hdf5", "parquet file", "batches"])
def test_an_infinite_cell_is_found_with_its_row(kind, size, tmp_path):
    X = TABLE.copy()
    X[333, 2] = np.inf
    with pytest.raises(DataError, match="row 333, column 2"):
        clone(MODEL).fit(KINDS[kind](X, tmp_path))


# ---------------------------------------------------------------- sparse


def test_a_sparse_matrix_is_never_dense_as_a_whole(monkeypatch):
    matrix = sparse.random_array((20_000, 500), density=0.01, rng=0, format="csr", dtype=np.float32)
    largest = []
    made = sparse.csr_array.toarray
    monkeypatch.setattr(sparse.csr_array, "toarray", lambda self: largest.append(self.shape[0]) or made(self))
    monkeypatch.setattr(arrays, "_SPARSE_BLOCK_BYTES", 64 * 500 * 4)
    DenseAutoencoder(2, hidden=(), max_epochs=1, random_state=0).fit(matrix).score(matrix)
    assert max(largest) <= 8_192, "the first look takes as many"
    assert sorted(largest)[-4] <= 64
    assert isinstance(checked_source(clone(MODEL), matrix, reset=True), SparseRows)


# ---------------------------------------------------------------- slices


@pytest.mark.parametrize("view", [lambda X: X, lambda X: X[3:-5], lambda X: X[::2], lambda X: X[:, ::-1]])
def test_slices_of_a_memory_map_are_its_rows(view, tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "PIECE_BYTES", 700)
    X = view(memory_map(TABLE, tmp_path))
    source = SlicedRows(X)
    assert source.pieces.count > 5
    np.testing.assert_array_equal(whole(source), view(TABLE))
    order = np.random.RandomState(0).permutation(source.pieces.count)
    places = np.concatenate([np.arange(*between) for between in source.pieces.ranges(order)])
    np.testing.assert_array_equal(np.concatenate(list(source.read(order))), view(TABLE)[places])


def test_changes_of_a_private_map_are_not_lost(tmp_path):
    np.save(tmp_path / "X.npy", TABLE)
    X = np.load(tmp_path / "X.npy", mmap_mode="c")
    X[:] = 7
    assert (whole(SlicedRows(X)) == 7).all()
    assert (whole(SlicedRows(X)) == 7).all()


def test_a_large_map_is_left_on_disk_and_a_small_one_is_an_array(tmp_path, monkeypatch):
    X = memory_map(TABLE, tmp_path)
    assert isinstance(checked_source(clone(MODEL), X, reset=True), ArrayRows)
    monkeypatch.setattr(arrays, "RESIDENT_BYTES", 100)
    assert isinstance(checked_source(clone(MODEL), X, reset=True), SlicedRows)
    assert isinstance(checked_source(clone(MODEL), TABLE, reset=True), ArrayRows)


# ---------------------------------------------------------------- Parquet


def slices_of(path, monkeypatch, piece_bytes=400):
    monkeypatch.setattr(parquet, "_PIECE_BYTES", piece_bytes)
    return ParquetRows(ds.dataset(path))


def test_row_groups_are_read_in_any_order(tmp_path, monkeypatch):
    source = slices_of(parquet_file(TABLE, tmp_path), monkeypatch)
    assert source.pieces.count == 22
    assert np.bincount(source.pieces.groups).tolist() == [5, 5, 5, 5, 2]
    order = np.random.RandomState(0).permutation(source.pieces.count)
    places = np.concatenate([np.arange(*between) for between in source.pieces.ranges(order)])
    np.testing.assert_array_equal(np.concatenate(list(source.read(order))), TABLE[places])


def test_a_row_group_is_opened_once_in_an_epoch(tmp_path, monkeypatch):
    source = slices_of(parquet_file(TABLE, tmp_path), monkeypatch)
    opened_groups, read = [], pq.ParquetFile.iter_batches

    def counting(self, *arguments, row_groups, **options):
        opened_groups.extend(row_groups)
        return read(self, *arguments, row_groups=row_groups, **options)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", counting)
    monkeypatch.setattr(opening, "RESIDENT_BYTES", 0)
    model = clone(MODEL).set_params(max_epochs=3, validation_fraction=0.0).fit(source)
    scaling, first_look, epochs, reference = 5, 5, 3 * 5, 5
    assert model.n_iter_ == 3
    assert len(opened_groups) == scaling + first_look + epochs + reference


def test_keys_in_the_names_of_folders_are_columns(tmp_path):
    for year in (2023, 2024):
        (tmp_path / f"year={year}").mkdir()
        pq.write_table(pa.table({"a": [1.0, 2.0], "b": [3.0, 4.0]}), tmp_path / f"year={year}" / "part.parquet")
    source = opened(tmp_path)
    assert source.names == ("a", "b", "year")
    np.testing.assert_array_equal(whole(source)[:, 2], [2023, 2023, 2024, 2024])


def test_missing_cells_of_parquet_are_nan(tmp_path):
    pq.write_table(
        pa.table({"a": pa.array([1, None], "uint8"), "b": pa.array([3, 4], "uint8")}), tmp_path / "X.parquet"
    )
    np.testing.assert_array_equal(whole(opened(tmp_path / "X.parquet")), [[1, 3], [np.nan, 4]])
    pq.write_table(pa.table({"a": pa.array([1, 2], "uint8")}), tmp_path / "Y.parquet")
    assert opened(tmp_path / "Y.parquet").dtype == np.uint8


def test_a_column_that_is_no_number_is_named(tmp_path):
    pq.write_table(pa.table({"a": [1.0], "when": pa.array([0], pa.timestamp("s"))}), tmp_path / "X.parquet")
    with pytest.raises(DataError, match=r"'when'.*timestamp"):
        clone(MODEL).fit(tmp_path / "X.parquet")


# ---------------------------------------------------------------- images


@pytest.fixture
def pictures(tmp_path):
    pixels = np.random.RandomState(0).randint(0, 256, (60, 6, 5), np.uint8)
    for place, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / f"{place:03}.png")
    return tmp_path, pixels


def test_a_folder_of_images_is_decoded_as_it_is_read(pictures, size):
    folder, pixels = pictures
    source = opened(folder)
    assert isinstance(source, ImageRows if size == "large" else ArrayRows)
    np.testing.assert_array_equal(whole(source), pixels)
    model = ConvolutionalAutoencoder(2, max_epochs=1, random_state=0)
    np.testing.assert_array_equal(model.fit(folder).transform(folder), clone(model).fit(pixels).transform(pixels))


def test_images_come_in_the_order_that_is_asked_for_and_threads_end(pictures, monkeypatch):
    folder, pixels = pictures
    monkeypatch.setattr(opening, "RESIDENT_BYTES", 0)
    source, order = opened(folder), np.random.RandomState(0).permutation(60)
    monkeypatch.setattr("isthmus.sources.images._AHEAD_BYTES", 200)
    blocks = list(source.read(order))
    assert len(blocks) > 10
    np.testing.assert_array_equal(np.concatenate(blocks), pixels[order])
    half = source.read(order)
    next(half)
    half.close()


def test_an_image_unlike_the_others_is_named(pictures, size):
    folder, _ = pictures
    Image.new("L", (9, 9)).save(folder / "odd.png")
    with pytest.raises(DataError, match=r"odd.png is \(9, 9\)"):
        clone(MODEL).fit(folder)


# ---------------------------------------------------------------- iterables


def generator(X):
    yield from Batches(X)


def test_a_generator_is_encoded_and_learned_from_in_one_go():
    model = clone(MODEL).partial_fit(generator(TABLE))
    assert len(model.history_) == 1
    np.testing.assert_allclose(model.transform(generator(TABLE)), model.transform(TABLE), atol=1e-6)
    assert model.score(generator(TABLE)) == pytest.approx(model.score(TABLE))


def test_fit_refuses_what_can_be_read_only_once():
    with pytest.raises(DataError, match=r"generator, which can be read only once.*partial_fit"):
        clone(MODEL).fit(generator(TABLE))


def test_rows_that_change_cannot_be_held_out():
    data = torch.utils.data.TensorDataset(torch.from_numpy(TABLE))
    loader = torch.utils.data.DataLoader(data, batch_size=64, shuffle=True, generator=torch.Generator().manual_seed(0))
    with pytest.raises(DataError, match="shuffling off, or set validation_fraction=0"):
        clone(MODEL).fit(loader)
    assert clone(MODEL).set_params(validation_fraction=0.0, max_epochs=20).fit(loader).score(TABLE) > 0.1


def test_labels_beside_the_rows_are_left_out():
    data = torch.utils.data.TensorDataset(torch.from_numpy(TABLE), torch.zeros(400))
    model = clone(MODEL).fit(torch.utils.data.DataLoader(data, batch_size=64))
    assert model.n_features_in_ == 5


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (Batches(TABLE[:0]), "no batches"),
        (type("Odd", (), {"__iter__": lambda self: iter([TABLE, TABLE[:, :3]])})(), "3 features"),
        (type("Odd", (), {"__iter__": lambda self: iter([1.0, 2.0])})(), "Expected 2D"),
    ],
)
def test_batches_that_cannot_be_learned_from_are_refused(X, words):
    with pytest.raises(ValueError, match=words):
        clone(MODEL).fit(X)


def test_batches_of_another_width_are_refused_after_fit():
    model = clone(MODEL).fit(TABLE)
    with pytest.raises(ValueError, match="3 features"):
        model.transform(Batches(TABLE[:, :3]))


# ---------------------------------------------------------------- paths


@pytest.mark.parametrize("name", ["nothing.npy", "nothing/*.parquet", "empty"])
def test_a_path_without_rows_is_one_sentence(name, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError) as refused:
        clone(MODEL).fit(tmp_path / name)
    assert name.partition("/")[0] in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_damaged_parquet_file_is_named(tmp_path):
    path = parquet_file(TABLE, tmp_path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"X\.parquet"):
        clone(MODEL).fit(path)


def test_a_part_is_a_source(tmp_path, monkeypatch):
    source = slices_of(parquet_file(TABLE, tmp_path), monkeypatch)
    part = Part(source, np.array([1, 4, 7]))
    assert len(part) == part.pieces.sizes.sum() == len(whole(part))
    np.testing.assert_array_equal(
        np.concatenate(list(part.read(np.array([2, 0])))), np.concatenate(list(source.read(np.array([7, 1]))))
    )


def test_a_fingerprint_tells_rows_apart(size, tmp_path):
    X = memory_map(TABLE, tmp_path)
    one = protocol.fingerprint(checked_source(clone(MODEL), X, reset=True))
    other = protocol.fingerprint(checked_source(clone(MODEL), 1 - TABLE, reset=True))
    assert one[:2] == other[:2]
    assert one[2] != other[2]
