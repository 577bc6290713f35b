"""The bundled data sets, and every format that `read` takes, whole and damaged."""

import gzip
import io
import pickle
import struct
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from isthmus.datasets import load_digits, load_mnist, read
from isthmus.datasets.bundled import IDX_DTYPES, read_idx
from isthmus.datasets.files import read_named
from isthmus.errors import DataError, ParameterError

ROWS = np.arange(12, dtype=np.float32).reshape(4, 3)
SHAPES = hnp.array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=5)


def idx_bytes(values):
    code = next(code for code, dtype in IDX_DTYPES.items() if np.dtype(dtype) == values.dtype)
    header = bytes([0, 0, code, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    return header + values.tobytes()


def written(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def saved(path, mode, size=(4, 3), color=0, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, color).save(path, **options)
    return path


def refused(path, *words):
    with pytest.raises(DataError) as caught:
        read(path)
    message = str(caught.value)
    assert "\n" not in message
    for word in (*words, Path(path).name):
        assert str(word) in message


# ---------------------------------------------------------------- bundled data sets


def test_mnist_is_the_published_data():
    X, y = load_mnist()
    assert (X.shape, X.dtype, y.shape, y.dtype) == ((60000, 28, 28), np.uint8, (60000,), np.uint8)
    assert X.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert np.bincount(y).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert y[0] == 5
    np.testing.assert_array_equal(read("mnist"), X)


def test_mnist_test_split():
    X, y = load_mnist("test")
    assert (X.shape, y.shape, y[0]) == ((10000, 28, 28), (10000,), 7)
    np.testing.assert_array_equal(read("mnist-test"), X)


@pytest.mark.parametrize("split", ["validation", "", None, ["train"]])
def test_split_outside_its_values(split):
    with pytest.raises(ParameterError, match="split must be 'train' or 'test'"):
        load_mnist(split)


def test_digits_reach_255():
    X, y = load_digits()
    assert (X.shape, X.dtype, y.shape, y.dtype) == ((1797, 8, 8), np.uint8, (1797,), np.uint8)
    assert (X.min(), X.max(), len(np.unique(X))) == (0, 255, 17)
    np.testing.assert_array_equal(read("digits"), X)


def test_import_brings_no_heavy_library():
    program = "import sys, isthmus.datasets.files; print({'pyarrow', 'PIL', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# ---------------------------------------------------------------- round trips


@settings(max_examples=40, deadline=None)
@given(st.data(), st.sampled_from(sorted(IDX_DTYPES.values())), st.booleans())
def test_idx_round_trip(tmp_path_factory, data, dtype, zipped):
    values = data.draw(hnp.arrays(dtype, SHAPES))
    content = gzip.compress(idx_bytes(values), 1) if zipped else idx_bytes(values)
    path = written(tmp_path_factory.mktemp("idx") / "any-name", content)
    result = read(path)
    assert result.dtype == values.dtype.newbyteorder("=")
    np.testing.assert_array_equal(result, values)


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(hnp.floating_dtypes() | hnp.integer_dtypes() | hnp.boolean_dtypes(), SHAPES))
def test_npy_and_npz_round_trip(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("npy")
    np.save(folder / "a.npy", values)
    np.savez(folder / "a.npz", values)
    for name in ("a.npy", "a.npz"):
        result = read(folder / name)
        assert result.dtype == values.dtype
        np.testing.assert_array_equal(result, values)


def test_npy_stays_a_memory_map(tmp_path):
    np.save(tmp_path / "a.npy", ROWS)
    result = read(str(tmp_path / "a.npy"))
    assert isinstance(result, np.memmap)
    assert not result.flags.writeable


@pytest.mark.parametrize("name", ["X", "x", "data", "arr_0"])
def test_npz_with_several_arrays(tmp_path, name):
    np.savez_compressed(tmp_path / "a.npz", **{"y": np.arange(4), name: ROWS})
    np.testing.assert_array_equal(read(tmp_path / "a.npz"), ROWS)


def test_npz_without_a_known_name(tmp_path):
    np.savez(tmp_path / "a.npz", left=ROWS, right=ROWS)
    refused(tmp_path / "a.npz", "left, right")


def test_read_takes_labels_of_idx_as_one_dimension(tmp_path):
    path = written(tmp_path / "labels-idx1-ubyte", idx_bytes(np.arange(5, dtype=np.uint8)))
    refused(path, "reshape")
    assert read_idx(path).tolist() == [0, 1, 2, 3, 4]


# ---------------------------------------------------------------- CSV and Parquet


def test_csv_with_header(tmp_path):
    rows = read_named(written(tmp_path / "a.csv", "\ufeffheight,weight,is_new\n1,2.5,true\n3,,false\n"))
    assert rows.columns == ("height", "weight", "is_new")
    assert rows.values.dtype == np.float64
    np.testing.assert_array_equal(rows.values, [[1, 2.5, 1], [3, np.nan, 0]])


@pytest.mark.parametrize("first", ["1,2.5,-3e4", "1,,2", "NA,1,nan"])
def test_csv_without_header(tmp_path, first):
    rows = read_named(written(tmp_path / "a.CSV", f"{first}\n4,5,6\n"))
    assert (rows.columns, rows.values.shape) == (None, (2, 3))


def test_a_first_line_of_booleans_is_a_row(tmp_path):
    rows = read_named(written(tmp_path / "a.csv", "true,1\nfalse,2\n"))
    assert (rows.columns, rows.values.tolist()) == (None, [[1, 1], [0, 2]])


def test_csv_integers_that_turn_into_fractions_late(tmp_path):
    path = written(tmp_path / "a.csv", "a,b\n" + "1,2\n" * 300_000 + "0.5,\n")
    np.testing.assert_array_equal(read(path)[-1], [0.5, np.nan])


def test_a_column_without_any_value_is_kept(tmp_path):
    rows = read_named(written(tmp_path / "a.csv", "a,b\n1,\n2,\n"))
    assert rows.columns == ("a", "b")
    np.testing.assert_array_equal(rows.values, [[1, np.nan], [2, np.nan]])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,city\n1,Rome\n", ["column 2 ('city')", "string"]),
        ("1,2\n3,Rome\n", ["column 2 of", "string"]),
        ("a,day\n1,2024-01-01\n", ["'day'", "date"]),
        ("a,b\n", ["no rows"]),
        ("a,b\n1,2\n3\n", ["cannot be read"]),
        ("\n\n", ["cannot be read"]),
        (b"a,b\n\xff\xfe,1\n", ["cannot be read"]),
    ],
)
def test_csv_that_is_refused(tmp_path, content, words):
    refused(written(tmp_path / "a.csv", content), *words)


def test_parquet_keeps_names_and_uses_nan(tmp_path):
    table = pa.table({"n": [1, None], "ok": [True, None], "none": pa.nulls(2), "u": pa.array([1, 2], "uint8")})
    pq.write_table(table, tmp_path / "a.parquet")
    rows = read_named(tmp_path / "a.parquet")
    assert rows.columns == ("n", "ok", "none", "u")
    np.testing.assert_array_equal(rows.values, [[1, 1, np.nan, 1], [np.nan] * 3 + [2]])


@pytest.mark.parametrize(
    ("columns", "dtype"),
    [
        ([pa.array([1, 2], "float32"), pa.array([3, None], "float32")], np.float32),
        ([pa.array([1, 2], "uint8"), pa.array([3, 255], "uint8")], np.uint8),
        ([pa.array([1, 2], "uint8"), pa.array([3, None], "uint8")], np.float64),
        ([pa.array([1, 2], "uint8"), pa.array([3, 4], "float32")], np.float64),
        ([pa.array([1, 2**63], "uint64"), pa.array([3, 4], pa.decimal128(9, 2))], np.float64),
        ([pa.array(np.array([1, 2], np.float16)), pa.array([1, 2**60 + 1])], np.float64),
    ],
)
def test_dtype_of_columns(tmp_path, columns, dtype):
    pq.write_table(pa.table(columns, names=["a", "b"]), tmp_path / "a.parquet")
    values = read(tmp_path / "a.parquet")
    assert values.dtype == dtype
    np.testing.assert_allclose(values[0], [float(column[0].as_py()) for column in columns])


@pytest.mark.parametrize("column", [["x", "y"], [[1], [2]], [b"x", b"y"]])
def test_parquet_with_a_column_that_is_not_numeric(tmp_path, column):
    pq.write_table(pa.table({"a": [1, 2], "label": column}), tmp_path / "a.parquet")
    refused(tmp_path / "a.parquet", "column 2 ('label')")


@pytest.mark.parametrize("table", [pa.table({"a": pa.array([], "float64")}), pa.table({})])
def test_parquet_without_rows(tmp_path, table):
    pq.write_table(table, tmp_path / "a.parquet")
    refused(tmp_path / "a.parquet", "no rows or no columns")


# ---------------------------------------------------------------- images


@pytest.mark.parametrize(
    ("mode", "color", "shape", "dtype", "value"),
    [
        ("L", 7, (2, 3, 4), np.uint8, 7),
        ("1", 1, (2, 3, 4), np.uint8, 255),
        ("LA", (7, 255), (2, 3, 4), np.uint8, 7),
        ("LA", (7, 0), (2, 3, 4), np.uint8, 255),
        ("I;16", 700, (2, 3, 4), np.uint16, 700),
        ("RGB", (1, 2, 3), (2, 3, 4, 3), np.uint8, (1, 2, 3)),
        ("RGBA", (1, 2, 3, 255), (2, 3, 4, 3), np.uint8, (1, 2, 3)),
        ("RGBA", (1, 2, 3, 0), (2, 3, 4, 3), np.uint8, (255, 255, 255)),
        ("P", (1, 2, 3), (2, 3, 4, 3), np.uint8, (1, 2, 3)),
    ],
)
def test_image_modes(tmp_path, mode, color, shape, dtype, value):
    for name in ("a.png", "sub/b.PNG"):
        saved(tmp_path / name, mode, color=color)
    written(tmp_path / "notes.txt", "not an image")
    written(tmp_path / "._a.png", "not an image either")
    values = read(tmp_path)
    assert (values.shape, values.dtype) == (shape, dtype)
    assert (values == value).all()


def test_images_come_in_the_order_of_their_paths(tmp_path):
    for name, color in [("b.png", 2), ("a/z.bmp", 1), ("c.tiff", 3)]:
        saved(tmp_path / name, "L", color=color)
    assert read(tmp_path)[:, 0, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize(("mode", "size"), [("L", (5, 3)), ("RGB", (4, 3))])
def test_images_that_differ(tmp_path, mode, size):
    saved(tmp_path / "a.png", "L")
    saved(tmp_path / "b.png", mode, size)
    refused(tmp_path, "a.png", "b.png", "alike")


@pytest.mark.parametrize("pixels", [5, 9])
def test_a_decompression_bomb_is_an_error(tmp_path, monkeypatch, pixels):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pixels)
    saved(tmp_path / "a.png", "L")
    refused(tmp_path, "a.png", "bomb")


def test_a_folder_without_images(tmp_path):
    written(tmp_path / "notes.txt", "nothing")
    refused(tmp_path, "no images", ".png")


# ---------------------------------------------------------------- what is refused


def test_file_that_is_missing_empty_or_unknown(tmp_path):
    refused(tmp_path / "none.npy", "no file or folder", "mnist-test")
    refused(tmp_path / ("x" * 300))
    refused(written(tmp_path / "a.npy", b""), "empty")
    refused(written(tmp_path / "a.txt", "1 2 3"), "unknown format", ".npy, .npz, .csv, .parquet, IDX")
    refused(written(tmp_path / "a.gz", gzip.compress(b"hello")), "unknown format")
    refused("/dev/null", "neither")


class Bomb:
    def __reduce__(self):
        return Path.touch, (Path("unpickled"),)


def test_nothing_is_unpickled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    objects = np.array([[Bomb()]], dtype=object)
    np.save("a.npy", objects)
    np.savez("a.npz", objects)
    written(Path("b.npy"), pickle.dumps(Bomb()))
    written(Path("b.npz"), pickle.dumps(Bomb()))
    for name in ("a.npy", "a.npz", "b.npy", "b.npz"):
        refused(name)
    refused("a.npy", "Python objects", "unpickled")
    assert not Path("unpickled").exists()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.arange(3), ["reshape", "(3,)"]),
        (np.float64(3), ["reshape"]),
        (np.ones((2, 2), complex), ["complex128", "real"]),
        (np.array([["a"]]), ["real numbers"]),
        (np.ones((2, 2), [("a", "f4")]), ["real numbers"]),
        (np.ones((2, 2), "M8[s]"), ["real numbers"]),
        (np.empty((0, 3)), ["no rows"]),
        (np.empty((3, 0)), ["no rows or no columns"]),
    ],
)
def test_arrays_that_are_not_rows_of_numbers(tmp_path, values, words):
    np.save(tmp_path / "a.npy", values)
    np.savez(tmp_path / "a.npz", values)
    refused(tmp_path / "a.npy", *words)
    refused(tmp_path / "a.npz", *words)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(
    ("lengths", "payload", "words"),
    [
        ([2, 2], b"123", "truncated"),
        ([2, 2], b"12345", "damaged"),
        ([2**32 - 1] * 2, b"1234", "do not fit"),
        ([2**32 - 1] * 32, b"1234", "do not fit"),
        ([0, 2**32 - 1], b"", "no values"),
        ([2000, 2], b"123", "truncated"),
    ],
)
def test_idx_with_a_false_header(tmp_path, lengths, payload, words, zipped):
    content = bytes([0, 0, 8, len(lengths)]) + struct.pack(f">{len(lengths)}I", *lengths) + payload
    refused(written(tmp_path / "a-idx2-ubyte", gzip.compress(content) if zipped else content), *words.split())


@pytest.mark.parametrize("shape", [(10**15, 3), (2**62, 2**62), (2**70, 1), (-1, 3), (1.5, 2)])
def test_npy_with_a_false_header(tmp_path, shape):
    dictionary = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
    header = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(dictionary)) + dictionary.encode()
    refused(written(tmp_path / "a.npy", header + bytes(24)))
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("X.npy", header + bytes(24))
    refused(tmp_path / "a.npz")


def test_npz_whose_member_is_not_an_array(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("hello.txt", "hello")
    refused(tmp_path / "a.npz", "not an array")


def whole_files():
    rows = np.random.default_rng(0).random((8, 5), np.float32)
    streams = {name: io.BytesIO() for name in ("a.npy", "a.npz", "b.npz", "a.parquet", "a.png", "a.jpg", "a.tif")}
    np.save(streams["a.npy"], rows)
    np.savez(streams["a.npz"], rows)
    np.savez_compressed(streams["b.npz"], rows)
    pq.write_table(pa.table({"a": rows[:, 0], "b": rows[:, 1]}), streams["a.parquet"])
    for name, kind in [("a.png", "PNG"), ("a.jpg", "JPEG"), ("a.tif", "TIFF")]:
        Image.fromarray((rows * 255).astype(np.uint8)).save(streams[name], kind)
    contents = {name: stream.getvalue() for name, stream in streams.items()}
    idx = idx_bytes(rows.astype(">f4"))
    return {**contents, "idx2": idx, "idx2.gz": gzip.compress(idx)}


WHOLE = whole_files()
MAY_LACK_THEIR_END = {"a.png", "a.jpg"}  # the decoder stops after the last pixel


def place(folder, name, content):
    path = written(folder / name, content)
    return folder if name.endswith((".png", ".jpg", ".tif")) else path


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_a_truncated_file_is_a_data_error(tmp_path_factory, name, data):
    content = WHOLE[name]
    cut = content[: data.draw(st.integers(0, len(content) - 1))]
    try:
        values = read(place(tmp_path_factory.mktemp("cut"), name, cut))
    except DataError:
        return
    assert name in MAY_LACK_THEIR_END
    np.testing.assert_array_equal(values, read(place(tmp_path_factory.mktemp("whole"), name, content)))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_a_damaged_file_gives_rows_or_a_data_error(tmp_path_factory, name, data):
    content = bytearray(WHOLE[name])
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[position] = data.draw(st.integers(0, 255))
    with suppress(DataError):
        assert read(place(tmp_path_factory.mktemp("hurt"), name, bytes(content))).ndim >= 2
