"""The OpenAPI 3.1 description of a server."""

from __future__ import annotations

import math
from typing import Any

from isthmus import __version__
from isthmus.serving.bodies import ARROW, BYTES, JSON, NPY
from isthmus.serving.limits import Limits
from isthmus.serving.served import CODES, OPERATIONS, Served

_WORDS = {
    "encode": "Give the codes of rows.",
    "decode": "Give the rows that codes stand for.",
    "reconstruct": "Give rows as the model rebuilds them.",
}
_REFUSALS = {
    400: "The body is not readable, or its numbers are not rows or codes of this model.",
    406: "Accept allows none of the types that the server speaks.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    415: "Content-Type is none that the server reads.",
    500: "A fault of the server.",
    503: "The server is busy; try again later.",
    504: "The answer was not ready in time.",
}


def schema_of(served: Served, limits: Limits) -> dict[str, Any]:
    """Describe the operations of a server for one model."""
    paths = {f"/{name}": {"post": _operation(name, served, limits)} for name in OPERATIONS}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"isthmus: {type(served.model).__name__}",
            "version": __version__,
            "description": f"Rows of shape {served.row_shape}, codes of {served.code_size} numbers.",
        },
        "paths": paths | {path: {"get": _get(path, *words)} for path, words in _PLAIN.items()},
        "components": {"schemas": {"Refusal": _REFUSAL, "Health": _HEALTH}},
    }


_REFUSAL = {
    "type": "object",
    "properties": {"error": {"type": "string", "description": "One sentence."}},
    "required": ["error"],
    "additionalProperties": False,
}
_HEALTH = {
    "type": "object",
    "properties": {
        "status": {"const": "ok"},
        "model": {"type": "string"},
        "row_shape": {"type": "array", "items": {"type": "integer"}},
        "code_size": {"type": "integer"},
    },
    "required": ["status", "model", "row_shape", "code_size"],
}
_PLAIN = {
    "/health": ("Tell that the server answers.", JSON, {"$ref": "#/components/schemas/Health"}),
    "/metrics": ("Give counters for Prometheus.", "text/plain", {"type": "string"}),
    "/openapi.json": ("Give this description.", JSON, {"type": "object"}),
}


def _get(path: str, words: str, media_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": path.strip("/").partition(".")[0],
        "summary": words,
        "responses": {"200": {"description": "The answer.", "content": {media_type: {"schema": schema}}}},
    }


def _operation(name: str, served: Served, limits: Limits) -> dict[str, Any]:
    given, wanted = OPERATIONS[name]
    refusal = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
    refusals = {str(status): {"description": words, "content": refusal} for status, words in _REFUSALS.items()}
    body = _content(given, served, missing=given != CODES)
    return {
        "operationId": name,
        "summary": _WORDS[name],
        "description": f"The answer comes in the type of the body, or in one that Accept asks for. A body has at most "
        f"{limits.body_bytes:,} bytes.",
        "requestBody": {"required": True, "content": {**body, BYTES: body[NPY]}},
        "responses": {"200": {"description": "The answer.", "content": _content(wanted, served)}} | refusals,
    }


def _content(name: str, served: Served, *, missing: bool = False) -> dict[str, Any]:
    """Describe rows or codes in each of the types."""
    shape = (served.code_size,) if name == CODES else served.row_shape
    cell: dict[str, Any] = {"type": ["number", "boolean", *(["null"] if missing else [])]}
    for size in reversed(shape):
        cell = {"type": "array", "items": cell, "minItems": size, "maxItems": size}
    json = {
        "type": "object",
        "properties": {name: {"type": "array", "items": cell, "minItems": 1}},
        "required": [name],
        "additionalProperties": False,
    }
    words = ", ".join(map(str, ("n", *shape)))
    return {
        JSON: {"schema": json},
        NPY: {"schema": {"description": f"A .npy file of shape ({words})."}},
        ARROW: {"schema": {"description": f"An Arrow stream of n rows and {math.prod(shape)} columns."}},
    }
