"""A process that serves a model until it is told to end."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from isthmus.errors import require
from isthmus.estimator import BaseAutoencoder
from isthmus.serving.application import application
from isthmus.serving.limits import Limits
from isthmus.serving.measures import EXTRA


def serve(model: BaseAutoencoder, listener: socket.socket, limits: Limits | None = None) -> None:
    """Serve a model until the process gets SIGTERM or SIGINT; requests that have come are answered first.

    Parameters
    ----------
    model : estimator
        A fitted autoencoder.
    listener : socket
        Where to listen, from `isthmus.ports.listening`.
    limits : Limits, default=None
        What the server takes. None: the defaults.
    """
    limits, uvicorn = limits or Limits(), require("uvicorn", EXTRA)
    config = uvicorn.Config(
        application(model, limits),
        log_config=None,
        access_log=False,
        lifespan="on",
        ws="none",
        timeout_graceful_shutdown=round(2 * limits.seconds) + 1,
    )
    with _ends_well():
        uvicorn.Server(config).run(sockets=[listener])


@contextmanager
def _ends_well() -> Iterator[None]:
    """Let the signals that end a server pass: the server has heard them, and repeats them when it is done."""
    signals = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda *_: None) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
