"""What stands between a browser and the explorer: who may ask, and what a page may do."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


class Guard:
    """Refuses requests that name another host or come from another page, and adds the headers of `HEADERS`.

    A page of a stranger can let its own name point to 127.0.0.1 ("DNS rebinding"); its requests then name that host.
    Addresses of numbers cannot be pointed elsewhere, so all of them are let in.

    Parameters
    ----------
    app : ASGI application
        What answers the requests that are let in.
    host : str
        The name that the server was told to listen on.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        self._names = {"localhost", host.lower(), socket.gethostname().lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        headers = Headers(scope=scope)
        app = self._app
        if not self._known(headers.get("host", "")):
            app = PlainTextResponse("this host name is not the explorer's; open the address that it printed", 403)
        elif headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            app = PlainTextResponse("this request comes from another page", 403)
        await app(scope, receive, send_with_headers)

    def _known(self, host: str) -> bool:
        """Whether a Host header has a name of this machine, or an address of numbers."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
            return name in self._names or bool(ip_address(name))
        except ValueError:
            return False
