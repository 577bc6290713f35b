"""The application: routes, limits, and what is said to requests that cannot be answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from isthmus.errors import require
from isthmus.estimator import BaseAutoencoder
from isthmus.serving.batching import Batcher
from isthmus.serving.bodies import kind_of_answer, kind_of_request
from isthmus.serving.limits import Limits, RefusedError
from isthmus.serving.measures import EXTRA, Measures
from isthmus.serving.schema import schema_of
from isthmus.serving.served import OPERATIONS, Served, check_answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

_QUICK_BYTES = 2**16


def application(model: BaseAutoencoder, limits: Limits | None = None) -> Starlette:
    """Make the ASGI application that serves a fitted model.

    ``POST /encode``, ``/decode`` and ``/reconstruct`` take and give JSON, ``.npy`` or Arrow; ``GET /openapi.json``
    describes them; ``GET /health`` and ``GET /metrics`` are for those who watch.

    Parameters
    ----------
    model : estimator
        A fitted autoencoder.
    limits : Limits, default=None
        What the server takes. None: the defaults.

    Returns
    -------
    Starlette
        To be run by `isthmus.serving.serve` or any ASGI server, or mounted in an application.

    Raises
    ------
    MissingExtraError
        If Starlette or prometheus-client is not installed: ``pip install 'isthmus[serve]'``.
    """
    starlette, routing = require("starlette.applications", EXTRA), require("starlette.routing", EXTRA)
    exceptions = require("starlette.exceptions", EXTRA)
    service = _Service(model, limits or Limits())
    routes = [routing.Route(f"/{name}", service.operation(name), methods=["POST"]) for name in OPERATIONS]
    routes += [
        routing.Route("/health", service.health),
        routing.Route("/metrics", service.metrics),
        routing.Route("/openapi.json", service.schema),
    ]

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        async with service.batcher.working():
            yield

    handlers = {exceptions.HTTPException: _refuse, Exception: _fault}
    made: Starlette = starlette.Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)
    return made


class _Service:
    """What the routes share."""

    def __init__(self, model: BaseAutoencoder, limits: Limits) -> None:
        self.limits, self.served, self.measures = limits, Served(model), Measures()
        self.batcher = Batcher(self._run, self.served.most_rows, limits.batch_seconds)
        self._waiting = 0

    def _run(self, operation: str, rows: NDArray) -> NDArray:
        self.measures.computed(operation, len(rows))
        return self.served.run(operation, rows)

    def operation(self, name: str) -> Any:
        """Make the endpoint of an operation."""

        async def answer(request: Request) -> Response:
            from starlette.requests import ClientDisconnect

            started = time.perf_counter()
            try:
                response = await self._answer(name, request)
            except RefusedError as refusal:
                response = _sentence(refusal.status, str(refusal))
            except ClientDisconnect:
                response = _sentence(400, "the client left before its body was read")
            self.measures.answered(name, response.status_code, time.perf_counter() - started)
            return response

        return answer

    async def _answer(self, name: str, request: Request) -> Response:
        from starlette.responses import Response

        given, wanted = OPERATIONS[name]
        kind = kind_of_request(request.headers.get("content-type", ""))
        answered_as = kind_of_answer(request.headers.get("accept", ""), kind)
        with self._taken() as take:
            async with _within(self.limits.seconds, 408, "the body did not arrive within {} s"):
                body = await self._body(request, take)
            async with _within(self.limits.seconds, 504, "the answer was not ready within {} s; send fewer rows"):
                with _said():
                    rows = await _aside(len(body), lambda: self.served.checked(name, kind.read(body, given)))
                answer = await self.batcher.submit(name, rows)
                with _said():
                    check_answer(answer)
                columns = self.served.columns(wanted)
                content = await _aside(answer.nbytes, lambda: answered_as.write(answer, wanted, columns))
        return Response(content, media_type=answered_as.media_type)

    @contextmanager
    def _taken(self) -> Iterator[Any]:
        """Give a function that counts bytes of a body; they are given back at the end."""
        own = 0

        def take(size: int) -> None:
            nonlocal own
            if own + size > self.limits.body_bytes:
                raise RefusedError(
                    413, f"a body may have at most {self.limits.body_bytes:,} bytes; send fewer rows at a time"
                )
            if self._waiting + size > self.limits.waiting_bytes:
                raise RefusedError(503, "the server is busy with as much as it takes; try again later")
            own += size
            self._waiting += size
            self.measures.waiting(size)

        try:
            yield take
        finally:
            self._waiting -= own
            self.measures.waiting(-own)

    async def _body(self, request: Request, take: Any) -> bytes:
        declared = request.headers.get("content-length", "0")
        if declared.isdecimal() and int(declared) > self.limits.body_bytes:
            take(int(declared))
        chunks = []
        async for chunk in request.stream():
            take(len(chunk))
            chunks.append(chunk)
        return b"".join(chunks)

    async def health(self, request: Request) -> Response:
        """Tell that the server answers, and for which model."""
        from starlette.responses import JSONResponse

        model, shape = type(self.served.model).__name__, list(self.served.row_shape)
        return JSONResponse({"status": "ok", "model": model, "row_shape": shape, "code_size": self.served.code_size})

    async def metrics(self, request: Request) -> Response:
        """Give the counters."""
        from starlette.responses import Response

        return Response(self.measures.text(), headers={"content-type": self.measures.media_type})

    async def schema(self, request: Request) -> Response:
        """Give the description of the operations."""
        from starlette.responses import JSONResponse

        return JSONResponse(schema_of(self.served, self.limits))


@asynccontextmanager
async def _within(seconds: float, status: int, sentence: str) -> AsyncIterator[None]:
    """Refuse what takes too long."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise RefusedError(status, sentence.format(f"{seconds:g}")) from error


@contextmanager
def _said() -> Iterator[None]:
    """Answer what the library refuses with its sentence."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise RefusedError(400, " ".join(str(error).split("\n\n")[0].split())[:500]) from error


async def _aside(size: int, work: Any) -> Any:
    """Do what is large in a thread, so that other requests are heard meanwhile."""
    return work() if size <= _QUICK_BYTES else await asyncio.to_thread(work)


def _sentence(status: int, sentence: str) -> Response:
    from starlette.responses import JSONResponse

    return JSONResponse({"error": sentence}, status, headers={"retry-after": "1"} if status == 503 else None)


async def _refuse(request: Request, error: Any) -> Response:
    """Say in a sentence what the router refuses: unknown paths and methods."""
    known = {404: f"there is no {request.url.path} here", 405: f"{request.url.path} does not take {request.method}"}
    response = _sentence(error.status_code, f"{known.get(error.status_code, error.detail)}; see /openapi.json")
    response.headers.update(error.headers or {})
    return response


async def _fault(request: Request, error: Exception) -> Response:
    return _sentence(500, "the server met a fault of its own, which its log tells; please report it")
