"""The explorer on a port of this machine: a page, its data, and a model that answers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from isthmus.errors import DataError
from isthmus.explorer.atlas import Atlas
from isthmus.explorer.guard import Guard
from isthmus.explorer.site import PAGE, index, styles
from isthmus.sources.protocol import check_finite

if TYPE_CHECKING:
    from starlette.requests import Request

_THREADS = 2


def application(atlas: Atlas, host: str = "127.0.0.1") -> Starlette:
    """Make the web application of an atlas.

    ``POST decode`` takes codes and gives rows, ``POST encode`` takes rows and gives codes: little-endian float32, one
    behind the other, at most ``atlas.batch`` of them.

    Parameters
    ----------
    atlas : Atlas
        What it shows.
    host : str, default="127.0.0.1"
        The name it is reached by, beside localhost and addresses of numbers.

    Returns
    -------
    Starlette
        An ASGI application.
    """
    threads, known = ThreadPoolExecutor(_THREADS, "isthmus-explorer"), frozenset(atlas.file_names())

    async def run(function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(threads, function, *arguments)

    async def data(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in known:
            raise HTTPException(404)
        return Response(await run(atlas.file, name), media_type=_media_type(name))

    async def decode(request: Request) -> Response:
        codes = await _numbers(request, atlas.size, atlas.batch, "codes")
        return Response(await run(_joined, atlas.codec.decoded, codes), media_type=_BINARY)

    async def encode(request: Request) -> Response:
        rows = await _numbers(request, atlas.columns, atlas.batch, "rows")
        shaped = rows.reshape(len(rows), *atlas.rows.shape[1:])
        return Response(await run(_joined, atlas.codec.encoded, [shaped]), media_type=_BINARY)

    routes = [
        Route("/", lambda _: Response(index("server"), media_type="text/html")),
        Route("/theme.css", lambda _: Response(styles(), media_type="text/css")),
        Route("/data/{name:path}", data),
        Route("/decode", decode, methods=["POST"]),
        Route("/encode", encode, methods=["POST"]),
        Mount("/page", StaticFiles(directory=PAGE)),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, host=host)],
        exception_handlers={DataError: _refused},
    )


_BINARY = "application/octet-stream"


def _joined(function: Callable[..., Any], argument: Any) -> bytes:
    return np.concatenate(list(function(argument))).astype("<f4").tobytes()


async def _refused(_: Request, error: Exception) -> Response:
    return PlainTextResponse(str(error), 400)


async def _numbers(request: Request, width: int, most: int, name: str) -> NDArray:
    """Read a body of float32 numbers, ``width`` in each of at most ``most`` rows."""
    body, limit = bytearray(), 4 * width * most
    if int(request.headers.get("content-length", 0)) > limit:
        raise HTTPException(413, f"at most {most} {name} of {width} numbers can be sent at once")
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise HTTPException(413, f"at most {most} {name} of {width} numbers can be sent at once")
    if not body or len(body) % (4 * width):
        raise DataError(f"{name} must be float32 numbers, {width} in each; got {len(body)} bytes")
    numbers = np.frombuffer(body, "<f4").astype(np.float32).reshape(-1, width)
    if check_finite(numbers, name=name) and name == "codes":
        raise DataError("codes contain a missing number (NaN)")
    return numbers


def _media_type(name: str) -> str:
    return "application/json" if name.endswith(".json") else _BINARY


def serve(atlas: Atlas, taken: socket.socket, host: str) -> None:
    """Answer until Ctrl-C. One row is too little work to be shared among the threads of torch."""
    import torch
    import uvicorn

    config = uvicorn.Config(application(atlas, host), log_level="warning", access_log=False, lifespan="off")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        uvicorn.Server(config).run(sockets=[taken])
    finally:
        torch.set_num_threads(before)
