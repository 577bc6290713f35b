"""Untrusted files: whatever is done to one, it is read or refused in one sentence, in bounded memory; nothing runs."""

import gzip
import io
import json
import random
import resource
import struct
import subprocess
import sys
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib import format as npy
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load

import isthmus
from isthmus.datasets import read
from isthmus.errors import CheckpointWarning, IsthmusError
from isthmus.provenance import described
from isthmus.tensorfiles import checksum
from isthmus.validation import checked_source

ROWS = np.random.default_rng(0).random((12, 5), np.float32)
GRAY = (ROWS * 255).astype(np.uint8)
IMAGES = {"png": "PNG", "gif": "GIF", "jpg": "JPEG", "bmp": "BMP", "tif": "TIFF", "webp": "WEBP", "ppm": "PPM"}
CI_FILES, SLOW_FILES = 2_000, 100_000
MOST_KILOBYTES = 800 * 2**10
HUGE = (0, 1, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
JUNK = (
    None, True, -1, 0, 1, 2**31, 2**63, 10**30, 10**400, 1e308, -1e-308, float("nan"), float("inf"), "", "x", "9" * 400,
    [], {}, [[]], [1] * 300, {"tuple": [1]}, {"tuple": [10**9] * 3}, {"part": "Dense"}, {"class": "int"},
    {"part": "Ramp", "parameters": {}}, "\x00", "../../etc/passwd", [None], {"": None},
)  # fmt: skip
POISON = (
    "pickle.find_class",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "subprocess.Popen",
    "socket.connect",
    "os.remove",
)


# What is mutated.


def bytes_of(write):
    stream = io.BytesIO()
    write(stream)
    return stream.getvalue()


def idx(array):
    codes = {"uint8": 8, "float32": 13}
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, codes[str(array.dtype)], array.ndim, *array.shape) + (
        array.astype(array.dtype.newbyteorder(">")).tobytes()
    )


def data_files():
    table = pa.table({"a": ROWS[:, 0], "b": pa.array([1, None, 3] * 4), "c": [True, False] * 6})
    files = {
        "rows.idx": idx(GRAY),
        "floats.idx": idx(ROWS),
        "rows.idx.gz": gzip.compress(idx(GRAY)),
        "rows.npy": bytes_of(lambda file: np.save(file, ROWS)),
        "images.npy": bytes_of(lambda file: np.save(file, GRAY.reshape(3, 4, 5))),
        "rows.npz": bytes_of(lambda file: np.savez(file, ROWS)),
        "several.npz": bytes_of(lambda file: np.savez_compressed(file, X=ROWS, y=GRAY)),
        "rows.csv": b"a,b,c\n" + b"\n".join(b",".join(b"%.3f" % cell for cell in row[:3]) for row in ROWS),
        "bare.csv": b"1,2\n3,\n5,nan\n",
        "plain.parquet": bytes_of(lambda file: pq.write_table(table, file, use_dictionary=False, compression=None)),
        "rows.parquet": bytes_of(lambda file: pq.write_table(table, file, row_group_size=5)),
        "zstd.parquet": bytes_of(lambda file: pq.write_table(table, file, compression="zstd", data_page_version="2.0")),
    }
    for suffix, kind in IMAGES.items():
        files[f"image.{suffix}"] = bytes_of(lambda file, kind=kind: Image.fromarray(GRAY).save(file, kind))
    files["deep.png"] = bytes_of(lambda file: Image.fromarray(GRAY.astype(np.uint16) * 257).save(file, "PNG"))
    files["palette.png"] = bytes_of(
        lambda file: Image.fromarray(GRAY).convert("P").save(file, "PNG", transparency=3, compress_level=0)
    )
    return files


DATA = data_files()


class Seeds(dict):
    """Contents by name, without a long text of them where a test fails."""

    def __repr__(self):
        return f"{len(self)} files"


@pytest.fixture(scope="session")
def seeds(folder, tmp_path_factory):
    """Contents of whole files by name: rows, models of all variants, checkpoints."""
    models = {path.name: path.read_bytes() for path in sorted(folder.glob("*Autoencoder.safetensors"))}
    run = tmp_path_factory.mktemp("run")
    CHECKPOINTED.set_params(checkpoint=run, resume=False).fit(ROWS)
    step = max(run.glob("step-*"))
    return Seeds({**DATA, **models, step.name: step.read_bytes()})


CHECKPOINTED = isthmus.DenseAutoencoder(2, hidden=(3,), max_epochs=1, random_state=0)


# How it is mutated.


def flipped(content, chance, others):
    """Flip some bits, most often of the first or last bytes, where headers and footers are."""
    found = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 8))):
        near = chance.randrange(min(len(found), chance.choice((32, 400, 10**9))))
        found[chance.choice((near, -1 - near))] ^= 1 << chance.randrange(8)
    return bytes(found)


def truncated(content, chance, others):
    return content[: chance.randrange(len(content))]


def spliced(content, chance, others):
    """Put a piece of a file somewhere into another, in place of as much or in between."""
    other = chance.choice(others)
    start, place = chance.randrange(len(other)), chance.randrange(len(content))
    piece = other[start : start + chance.choice((1, 4, 16, 1000))]
    return content[:place] + piece + content[place + chance.choice((0, len(piece))) :]


def with_another_length(content, chance, others):
    """Put a telling number where a length may be."""
    size = chance.choice((1, 2, 4, 8))
    number = (chance.choice(HUGE) % 2 ** (8 * size)).to_bytes(size, chance.choice(("big", "little")))
    near = chance.randrange(min(len(content), chance.choice((24, 200, 10**9))))
    place = chance.choice((near, max(0, len(content) - 8 - near)))
    return content[:place] + number + content[place + size :]


def within_gzip(content, chance, others):
    return gzip.compress(chance.choice(PLAIN)(gzip.decompress(content), chance, others), compresslevel=1)


def within_zip(content, chance, others):
    """Mutate, drop, double or rename members, or compress them in another way."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w") as new, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in old.namelist() * chance.choice((1, 1, 2)):
            member, way = old.read(name), chance.randrange(5)
            if way < 3:
                member = chance.choice((*PLAIN, within_text))(member, chance, others)
            name = chance.choice((name, name, "x.npy", "../x", "X", name * 50))
            new.writestr(name, member, chance.choice((0, 8, 12, 14)))
    return stream.getvalue()


def within_text(content, chance, others):
    """Put numbers and words in place of those in a header of NumPy."""
    head, rest = content[:128], content[128:]
    for old, new in chance.sample(TEXTS, 2):
        head = head.replace(old, new)
    return head.ljust(128, b" ")[: chance.choice((128, 400))] + rest


TEXTS = [
    (b"<f4", b"<f8"), (b"<f4", b"|O"), (b"<f4", b"<f999999999"), (b"<f4", b"V4"), (b"<f4", b"<M8[s]"), (b"<f4", b"|S0"),
    (b"(12, 5)", b"(12,)"), (b"(12, 5)", b"(-1, 5)"), (b"(12, 5)", b"(10**9, 5)"), (b"(12, 5)", b"(99999999999, 5)"),
    (b"(12, 5)", b"(4611686018427387904, 4)"), (b"(12, 5)", b"(0, 5)"), (b"(12, 5)", b"()"), (b"(12, 5)", b"'a'"),
    (b"(12, 5)", b"(True, 60)"), (b"(12, 5)", b"(" * 40), (b"False", b"True"), (b"False", b"None"),
    (b"descr", b"shape"), (b"False", b"__import__('os').getcwd()"), (b"'", b'"'), (b"{", b"[" * 30),
    (b"\x76\x00", b"\xff\xff"),
]  # fmt: skip


def within_png(content, chance, others):
    """Mutate a chunk and make its checksum right."""
    chunks, place = [], 8
    while place < len(content):
        (size,) = struct.unpack(">I", content[place : place + 4])
        chunks.append((content[place + 4 : place + 8], content[place + 8 : place + 8 + size]))
        place += 12 + size
    chosen = chance.randrange(len(chunks))
    kind, body = chunks[chosen]
    chunks[chosen] = kind, chance.choice(PLAIN)(body, chance, others) if body else body
    if chance.random() < 0.2:
        chunks.insert(chosen, chance.choice(chunks))
    return png_of(chunks)


def png_of(chunks):
    """Put chunks together, with the right checksums."""
    checked = [(kind + body, len(body)) for kind, body in chunks]
    parts = [struct.pack(">I", size) + both + struct.pack(">I", zlib.crc32(both)) for both, size in checked]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def somewhere(value, chance):
    """Choose a value within nested dictionaries and lists: give what holds it, and its key there."""
    while True:
        last = chance.choice(list(value) if isinstance(value, dict) else range(len(value)))
        if not (isinstance(value[last], dict | list) and value[last] and chance.random() < 0.8):
            return value, last
        value = value[last]


def within_json(content, chance, others):
    """Drop, double or replace values in the JSON of a safetensors file: its own, or the one of ours in it."""
    size = int.from_bytes(content[:8], "little")
    outer, rest = json.loads(content[8 : 8 + size]), content[8 + size :]
    key = min({"checkpoint", "isthmus"} & outer["__metadata__"].keys())
    inner = json.loads(outer["__metadata__"][key])
    edited = chance.choice((inner, inner, inner, outer))
    for _ in range(chance.choice((1, 1, 3))):
        holder, last = somewhere(edited, chance)
        if chance.random() < 0.25:
            holder.pop(last, None) if isinstance(holder, dict) else holder.pop(last)
        elif chance.random() < 0.1:
            holder[last] = json.loads("[" * 900 + "]" * 900)
        else:
            holder[last] = chance.choice((*JUNK, chance.choice(HUGE)))
    if isinstance(outer.get("__metadata__"), dict) and edited is inner:
        outer["__metadata__"][key] = json.dumps(inner)
    return with_checksum(len(head := json.dumps(outer).encode()).to_bytes(8, "little") + head + rest)


def with_checksum(content):
    """Make the checksum of a model or checkpoint right, so that what is behind it is tested too."""
    size = int.from_bytes(content[:8], "little")
    outer = json.loads(content[8 : 8 + size])
    key = next((key for key in ("checkpoint", "isthmus") if key in outer.get("__metadata__", {})), None)
    if key is not None:
        outer["__metadata__"]["checksum"] = checksum(outer["__metadata__"][key], load(content))
    head = json.dumps(outer).encode()
    return len(head).to_bytes(8, "little") + head + content[8 + size :]


UNFIT = (
    ValueError, LookupError, TypeError, AttributeError, struct.error, OSError, EOFError, zlib.error, zipfile.BadZipFile,
    RecursionError, SafetensorError, NotImplementedError, RuntimeError,
)  # fmt: skip
PLAIN = (flipped, truncated, spliced, with_another_length)
INNER = {".gz": within_gzip, ".npz": within_zip, ".png": within_png, ".safetensors": within_json, ".npy": within_text}


def mutated(name, content, chance, others):
    """Mutate a file once or twice."""
    for _ in range(chance.choice((1, 1, 2))):
        inner = INNER.get(Path(name).suffix)
        way = inner if inner is not None and chance.random() < 0.6 else chance.choice(PLAIN)
        try:
            content = way(content, chance, others)
        except UNFIT:
            content = chance.choice(PLAIN)(content or b"\0", chance, others)
        content = content or b"\0"
    return content


# What must hold.


def read_file(path):
    """Read a file in all the ways that there are for its kind."""
    if path.name.startswith("step-"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CheckpointWarning)
            CHECKPOINTED.set_params(checkpoint=path.parent, resume=True).fit(ROWS)
    elif path.suffix == ".safetensors":
        model = isthmus.load(path)
        X = np.full((2, *model.schema_.row_shape), 0.5, dtype=np.float32)
        vars(model).pop("feature_names_in_", None)
        assert model.reconstruct(X).shape == X.shape
        model.summary()
        described(model.provenance_)
    else:
        place = path.parent if path.suffix[1:] in IMAGES else path
        assert read(place).ndim >= 2
        source = checked_source(isthmus.DenseAutoencoder(), place, reset=True)
        assert sum(len(block) for block in source) == len(source)


def check(name, seed, seeds, folder):
    """Mutate a file as a seed says, and read it: it gives something, or the package's own error in one line."""
    chance = random.Random(f"{name} {seed}")
    path = folder / name
    path.write_bytes(mutated(name, seeds[name], chance, list(seeds.values())))
    message = "none"
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Reading `.npy`", UserWarning)  # of files that Python 2 wrote
            read_file(path)
    except IsthmusError as error:
        message = str(error)
    finally:
        for left in folder.iterdir():
            left.unlink()
    assert message
    assert "\n" not in message


@pytest.fixture(scope="module")
def room():
    """A folder in memory, if there is one: it is written to thousands of times."""
    import tempfile

    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def poison():
    """Names of what must not happen while files are read, as they happen."""
    seen, watching = [], [True]

    def hook(event, arguments):
        if watching and event in POISON and not str(arguments[:1]).startswith("('/dev/shm"):
            seen.append((event, str(arguments)[:200]))

    sys.addaudithook(hook)
    yield seen
    watching.clear()


@settings(max_examples=CI_FILES, deadline=None, derandomize=True, database=None)
@given(kind=st.integers(0, 10**6), seed=st.integers(0, 2**32))
def test_mutated_files_are_read_or_refused(seeds, room, poison, kind, seed):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    check(sorted(seeds)[kind % len(seeds)], seed, seeds, room)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_KILOBYTES
    assert poison == []


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_very_many_mutated_files_are_read_or_refused(seeds, room, poison, part):
    names = sorted(seeds)
    for seed in range(part * SLOW_FILES // 10, (part + 1) * SLOW_FILES // 10):
        name, before = names[seed % len(names)], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        check(name, seed, seeds, room)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_KILOBYTES, (name, seed)
    assert poison == []


# Files that are small and say that they are large.


def zeros(count):
    """Deflate zeros, a megabyte at a time."""
    packer = zlib.compressobj(9)
    block = bytes(2**20)
    parts = [packer.compress(block) for _ in range(count >> 20)] + [packer.compress(bytes(count % 2**20))]
    return b"".join([*parts, packer.flush()])


def png(width, height, bits, colour, held=1.0):
    """Make a black PNG of any size, with all of its pixels or a share of them."""
    row = 1 + -(-width * bits * (3 if colour == 2 else 1) // 8)
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return png_of([(b"IHDR", head), (b"IDAT", zeros(int(row * height * held))), (b"IEND", b"")])


def npz(header, content, how=zipfile.ZIP_DEFLATED, declared=None):
    """Make an archive with one array; its directory may declare another size."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", how) as archive:
        archive.writestr("x.npy", header + content)
        if declared is not None:
            archive.infolist()[0].file_size = declared
    return stream.getvalue()


def npy_header(*shape):
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    return bytes_of(lambda file: npy.write_array_header_1_0(file, header))


def parquet(column, **options):
    return bytes_of(lambda file: pq.write_table(pa.table({"a": column}), file, row_group_size=10**9, **options))


def gzipped_idx(rows, columns, held):
    """Make a gzipped IDX of zeros with a true or a false size."""
    packer, head = zlib.compressobj(9, wbits=31), struct.pack(">BBBBII", 0, 0, 8, 2, rows, columns)
    block = bytes(2**20)
    return b"".join([packer.compress(head), *(packer.compress(block) for _ in range(held >> 20)), packer.flush()])


def gif(width, height):
    frame = struct.pack("<BHHHHB", 0x2C, 0, 0, width, height, 0)
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0) + frame + b"\x02\x00;"


def bmp(width, height):
    return b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)


MANY = 4 * 10**7
BOMBS = {
    "declared.idx.gz": lambda: gzipped_idx(2**20, 2**20, 2**26),
    "allowed.idx.gz": lambda: gzipped_idx(2**13, 2**15, 2**28),
    "declared.npz": lambda: npz(npy_header(2**40, 1), bytes(100)),
    "directory.npz": lambda: npz(npy_header(2**40, 1), bytes(100), declared=2**44),
    "lzma.npz": lambda: npz(npy_header(2**24, 1), bytes(2**26), zipfile.ZIP_LZMA),
    "header.npz": lambda: npz(b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**28), bytes(2**28)),
    "wide.csv": lambda: b"\n".join([b",".join([b"1"] * 400_000)] * 2),
    "large.png": lambda: png(50_000, 50_000, 1, 0, held=0.1),
    "limit.png": lambda: png(9_000, 9_000, 8, 2, held=0.1),
    "allowed.png": lambda: png(5_000, 5_000, 8, 2),
    "large.gif": lambda: gif(65_535, 65_535),
    "large.ppm": lambda: b"P6 60000 60000 255\n",
    "large.bmp": lambda: bmp(60_000, 60_000),
    "runs.parquet": lambda: parquet(np.zeros(MANY, np.int8)),
    "nulls.parquet": lambda: parquet(pa.nulls(MANY)),
    "burst.parquet": lambda: parquet(
        np.zeros(MANY), use_dictionary=False, compression="zstd", data_page_size=2**31 - 1
    ),
    "text.parquet": lambda: parquet(pa.DictionaryArray.from_arrays(np.zeros(10**5, np.int32), ["x" * 10**6])),
    "header.safetensors": lambda: (2**40).to_bytes(8, "little") + b"{}",
}
READER = """if True:
    import json, resource, sys
    from pathlib import Path
    import isthmus, numpy, pyarrow.parquet, PIL.Image
    from isthmus.datasets import read
    from isthmus.errors import IsthmusError
    from isthmus.validation import checked_source

    def status(entry):
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(entry))

    def streamed(place):
        return sum(len(block) for block in checked_source(isthmus.DenseAutoencoder(), place, reset=True))

    isthmus.load, streamed(numpy.zeros((2, 2)))
    limit = (status("VmSize") << 10) + 3 * 2**30
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    found = {}
    for path in map(Path, sys.argv[2:]):
        ways = (isthmus.load,) if path.suffix == ".safetensors" else (read, streamed)
        place, said = path.parent if path.suffix[1:] in sys.argv[1] else path, []
        Path("/proc/self/clear_refs").write_text("5")
        before = status("VmHWM")
        for way in ways:
            try:
                way(place)
                said.append("read")
            except IsthmusError as error:
                said.append(str(error))
        found[path.name] = status("VmHWM") - before, said
    print(json.dumps(found))
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is measured as Linux does")
def test_small_files_take_bounded_memory(tmp_path):
    paths = [tmp_path / name / name for name in BOMBS]
    for path in paths:
        path.parent.mkdir()
        path.write_bytes(BOMBS[path.name]())
        assert path.stat().st_size < 2**21
    command = [sys.executable, "-c", READER, " ".join(IMAGES), *paths]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    assert found.keys() == BOMBS.keys()
    for name, (kilobytes, said) in found.items():
        assert kilobytes < MOST_KILOBYTES, name
        assert (said[0] == "read") == name.startswith("allowed"), (name, said)
