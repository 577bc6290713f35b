"""A served model under load: 1,000 requests at once, ten times over, as JSON and as ``.npy``.

``python -m benchmarks.serving`` prints how long answers took, how many were lost, and the memory of the server, and
writes the table into docs/shipping.md. All traffic stays on this machine.
"""

import asyncio
import io
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import isthmus
from benchmarks.machine import machine
from benchmarks.page import SHIPPING, put

AT_ONCE, ROUNDS = 1_000, 10
BODIES = {
    "JSON": ("application/json", lambda row: json.dumps({"rows": row.tolist()}).encode()),
    ".npy": ("application/x-npy", lambda row: _npy(row)),
}


def _npy(row: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, row)
    return stream.getvalue()


def decoded(kind: str, body: bytes) -> np.ndarray:
    """Give the codes of an answer."""
    if kind == "JSON":
        return np.array(json.loads(body)["codes"])
    return np.load(io.BytesIO(body), allow_pickle=False)


def right(kind: str, body: bytes, codes: np.ndarray) -> bool:
    """Whether an answer is there, and is the model's."""
    return body != b"" and np.allclose(decoded(kind, body), codes, rtol=1e-4, atol=1e-5)


@contextmanager
def served(path: Path) -> Iterator[tuple[int, int]]:
    """Serve a model in a process of its own; give the port and the number of the process."""
    command = [sys.executable, "-m", "isthmus", "serve", str(path), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield int(re.search(r":(\d+)/", process.stdout.readline())[1]), process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


async def asked(port: int, media_type: str, body: bytes) -> tuple[float, bytes]:
    """Send one request over a connection of its own; give the seconds it took, and the answer's body."""
    started = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /encode HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: {media_type}\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    answer = await reader.read()
    writer.close()
    head, _, content = answer.partition(b"\r\n\r\n")
    return time.perf_counter() - started, content if b" 200 " in head.split(b"\r\n")[0] else b""


async def all_at_once(port: int, media_type: str, bodies: list[bytes]) -> list[tuple[float, bytes]]:
    return await asyncio.gather(*(asked(port, media_type, body) for body in bodies))


def memory(process: int) -> float:
    """Give the resident memory of a process in MB."""
    text = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024


def measured(kind: str, path: Path, X: np.ndarray, codes: np.ndarray, rounds: int) -> dict[str, object]:
    """Load a new server with requests of one row each; each answer is compared with the model's."""
    media_type, body_of = BODIES[kind]
    bodies = [body_of(X[place : place + 1]) for place in range(len(X))]
    seconds, lost, memories = [], 0, []
    with served(path) as (port, process):
        asyncio.run(all_at_once(port, media_type, bodies))
        for _ in range(rounds):
            answers = asyncio.run(all_at_once(port, media_type, bodies))
            seconds += [took for took, _ in answers]
            lost += sum(not right(kind, body, codes[place]) for place, (_, body) in enumerate(answers))
            memories.append(memory(process))
    p50, p99 = np.percentile(seconds, [50, 99])
    return {
        "body": kind,
        "p50": p50,
        "p99": p99,
        "lost": lost,
        "first": memories[0],
        "last": memories[-1],
    }


def table(found: list[dict[str, object]], rounds: int) -> str:
    """Give the table of the page."""
    lines = [
        f"{machine()}; `python -m benchmarks.serving`: {AT_ONCE:,} requests of one MNIST image at once, each over a "
        f"connection of its own, {rounds} rounds; client and server share the cores.",
        "",
        "| body | median | 99th percentile | lost or wrong | memory after the first round | after the last |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['body']} | {row['p50']:.2f} s | {row['p99']:.2f} s | {row['lost']} of {AT_ONCE * rounds:,} | "
        f"{row['first']:.0f} MB | {row['last']:.0f} MB |"
        for row in found
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write the table between its marks."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    X, _ = isthmus.datasets.load_mnist()
    model = isthmus.DenseAutoencoder(32, max_epochs=1, random_state=0).fit(X[:6_000])
    X = X[:AT_ONCE]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "digits.safetensors"
        model.save(path)
        codes = model.transform(X)
        text = table([measured(kind, path, X, codes, rounds) for kind in BODIES], rounds)
    print(text)
    put(SHIPPING, "serving", text)


if __name__ == "__main__":
    main()
