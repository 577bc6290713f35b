"""How a model was made: from which rows, with which seed, by which versions, on which machine."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import safetensors
import sklearn
import torch
from numpy.typing import NDArray

from isthmus import __version__
from isthmus.ranks import Ranks
from isthmus.records import Provenance
from isthmus.sources import Source


class Digest:
    """A checksum of rows that come in blocks: the same rows in the same order and type give the same, however cut.

    SHA-256, for which processors have instructions, over the type and the shape of a row and then the bytes of the
    rows. Of a sparse matrix the rows are those of the dense one.

    Parameters
    ----------
    source : Source
        Where the rows come from; its own type and shape of a row count.
    """

    def __init__(self, source: Source) -> None:
        head = f"{source.dtype.str} {source.row_shape}"
        self._state = hashlib.sha256(head.encode())
        self._dtype = source.dtype
        self.rows = 0

    def add(self, block: NDArray) -> None:
        """Take the next rows in."""
        self._state.update(np.ascontiguousarray(block, dtype=self._dtype).reshape(-1).view(np.uint8).data)
        self.rows += len(block)

    def join(self, ranks: Ranks) -> None:
        """Take in what the other ranks have seen of the rows."""
        if ranks.count > 1:
            digests, rows = zip(*ranks.gathered((str(self), self.rows)), strict=True)
            self._state, self.rows = hashlib.sha256(" ".join(digests).encode()), sum(rows)

    def __str__(self) -> str:
        return self._state.hexdigest()


def provenance_of(digest: Digest, seed: int | None, device: str, earlier: Provenance | None = None) -> Provenance:
    """Say how a model is being made; what was learned in an earlier call counts too."""
    found = Provenance(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=seed,
        rows=digest.rows,
        digest=str(digest),
        device=device,
        threads=torch.get_num_threads(),
        machine=f"{platform.system()} {platform.machine()}",
        versions=versions(),
    )
    if earlier is None:
        return found
    both = hashlib.sha256(f"{earlier.digest} {digest}".encode()).hexdigest()
    return replace(found, seed=earlier.seed, rows=earlier.rows + digest.rows, digest=both)


def versions() -> dict[str, str]:
    """Give the versions of what a result depends on."""
    return {
        "isthmus": __version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "safetensors": safetensors.__version__,
        "python": platform.python_version(),
    }


def drawn_random() -> np.random.RandomState:
    """Give a source of chance with a seed drawn from the system, which can be told afterwards."""
    return np.random.RandomState(int(np.random.SeedSequence().generate_state(1)[0]))


def seed_of(random: np.random.RandomState) -> int | None:
    """Give the seed with which a source of chance began, or None if it was used before or began otherwise.

    The first word of the state of numpy's generator is the seed until a number is drawn.
    """
    state: Any = random.get_state(legacy=False)
    if state["bit_generator"] != "MT19937":
        return None
    seed = int(state["state"]["key"][0])
    fresh: Any = np.random.RandomState(seed).get_state(legacy=False)
    same = state["state"]["pos"] == fresh["state"]["pos"] and not state["has_gauss"]
    return seed if same and np.array_equal(state["state"]["key"], fresh["state"]["key"]) else None


def described(provenance: Provenance) -> str:
    """Give the lines that tell people how a model was made."""
    seed = "drawn from a RandomState" if provenance.seed is None else f"random_state={provenance.seed}"
    lines = {
        "made": f"{provenance.date}, {seed}",
        "rows": f"{provenance.rows:,} learned from, digest {provenance.digest}",
        "on": f"{provenance.machine}, {provenance.device}, threads: {provenance.threads}",
        "by": ", ".join(f"{name} {version}" for name, version in provenance.versions.items()),
    }
    return "\n".join(f"{name:<6}{text}" for name, text in lines.items())
