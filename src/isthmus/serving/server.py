"""A process that serves a model until it is told to end."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from isthmus.errors import ParameterError, require
from isthmus.estimator import BaseAutoencoder
from isthmus.serving.application import application
from isthmus.serving.limits import Limits
from isthmus.serving.measures import EXTRA

_BACKLOG = 2_048


def listening(host: str, port: int) -> socket.socket:
    """Open a socket that listens; port 0 takes a free one.

    Raises
    ------
    ParameterError
        If the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((host, port))
        opened.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        opened.close()
        raise ParameterError(f"cannot listen on host {host}, port {port} ({error}); choose others") from error
    return opened


def serve(model: BaseAutoencoder, listener: socket.socket, limits: Limits | None = None) -> None:
    """Serve a model until the process gets SIGTERM or SIGINT; requests that have come are answered first.

    Parameters
    ----------
    model : estimator
        A fitted autoencoder.
    listener : socket
        Where to listen, from `listening`.
    limits : Limits, default=None
        What the server takes. None: the defaults.
    """
    limits = limits or Limits()
    uvicorn = require("uvicorn", EXTRA)
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
