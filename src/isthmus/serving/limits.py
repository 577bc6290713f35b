"""How much a server takes, and what it says to more."""

from __future__ import annotations

from dataclasses import dataclass


class RefusedError(Exception):
    """A request that is answered with a status and one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True)
class Limits:
    """What a server takes.

    Attributes
    ----------
    body_bytes : int
        Largest body of a request.
    waiting_bytes : int
        Bodies of all requests that are being answered, together.
    seconds : float
        Longest time for a body to arrive, and for its answer to be computed.
    batch_seconds : float
        How long a request waits for others that go through the network with it.
    """

    body_bytes: int = 2**25
    waiting_bytes: int = 2**29
    seconds: float = 30.0
    batch_seconds: float = 0.002
