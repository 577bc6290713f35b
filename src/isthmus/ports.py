"""Ports of this machine."""

from __future__ import annotations

import socket

_BACKLOG, _LAST = 2_048, 65_535


def listening(host: str, port: int) -> socket.socket:
    """Take a port, or any free one for port 0.

    Raises
    ------
    OSError
        If the host is none of this machine, or the port is taken or none.
    """
    if not 0 <= port <= _LAST:
        raise OSError(f"a port must be an integer from 0 to {_LAST}; got {port}")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise OSError(f"there is no address of the host {host!r}: {error.strerror}") from error
    taken = socket.socket(family, kind, protocol)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
        taken.listen(_BACKLOG)
    except OSError as error:
        taken.close()
        raise OSError(f"port {port} of {host} cannot be taken: {error.strerror}") from error
    return taken


def address_of(taken: socket.socket) -> str:
    """Give the address under which a browser finds what listens there."""
    host, port = taken.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = socket.gethostname()
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
