"""How bodies are read, answers written, and both kept within limits."""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Annotated, Any

import anyio
import numpy as np
import orjson
from fastapi import Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import Field, WithJsonSchema

from .._operations import Space
from ..client import AsyncCollection
from ..errors import InvalidArgumentError, ServerError
from ..models import FloatArray, Include
from .backend import Backend
from .faults import Refused
from .loads import Loads
from .options import ServerOptions

#: routes with this tag may take the time of building an index
SLOW = "maintenance"
#: one search takes at most so many queries and finds at most so many rows for each
MOST_QUERIES = 1000
MOST_FOUND = 10_000

Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
#: vectors as lists of numbers, which are checked where they become an array
Vectors = Annotated[
    Any,
    WithJsonSchema(
        {
            "type": "array",
            "minItems": 1,
            "items": {"type": "array", "minItems": 1, "items": {"type": "number"}},
        }
    ),
]


@contextlib.contextmanager
def time_limit(seconds: float, options: ServerOptions) -> Iterator[None]:
    """Raise Refused when a request takes so long, not counting the wait for a connection."""
    try:
        with anyio.fail_after(seconds + options.wait_seconds):
            yield
    except TimeoutError:
        raise Refused(504, "InternalError", "the request took too long") from None


class _JsonRequest(Request):
    async def json(self) -> Any:
        # orjson: vectors are long
        if not hasattr(self, "_json"):
            self._json = orjson.loads(await self.body())
        return self._json


class Route(APIRoute):
    """A route whose bodies orjson reads, and that has so many seconds to answer."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's handler."""
        handler = super().get_route_handler()
        slow = SLOW in self.tags

        async def handle(request: Request) -> Response:
            options = options_of(request)
            with time_limit(options.build_timeout if slow else options.timeout, options):
                return await handler(_JsonRequest(request.scope, request.receive))

        return handle


# What routes depend on is async although it does not wait: FastAPI would call it in
# another thread, which takes longer than the rest.


async def backend_of(request: Request) -> Backend:
    """The database of a request."""
    return request.app.state.backend


def loads_of(request: Request) -> Loads:
    """The first loads that are under way."""
    return request.app.state.backend.loads


def options_of(request: Request) -> ServerOptions:
    """What was set of the server of a request."""
    return request.app.state.options


async def space_of(
    tenant: Annotated[str, Query(max_length=512)] = "default_tenant",
    database: Annotated[str, Query(max_length=512)] = "default_database",
) -> Space:
    """The tenant and database of a request to our own API."""
    return Space(tenant, database)


def answer(value: Any, status: int = 200) -> Response:
    """An answer in JSON; arrays of numpy's are arrays."""
    return Response(
        orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY),
        status_code=status,
        media_type="application/json",
    )


def vectors_of(embeddings: Any) -> Any:
    """Vectors as a request gives them: lists of numbers, or texts with base64 of float32."""
    if not isinstance(embeddings, list) or not any(isinstance(e, str) for e in embeddings):
        return embeddings
    try:
        pieces = [base64.b64decode(e, validate=True) for e in embeddings]
    except (binascii.Error, TypeError, ValueError) as error:
        raise InvalidArgumentError(f"an embedding is no base64: {error}") from error
    return matrix_of(b"".join(pieces), len(pieces[0]), {len(p) for p in pieces})


def matrix_of(data: bytes, row_bytes: int, sizes: set[int] | None = None) -> FloatArray:
    """Bytes as rows of float32, little-endian."""
    if row_bytes == 0 or row_bytes % 4 or len(data) % row_bytes or (sizes and len(sizes) > 1):
        raise InvalidArgumentError("embeddings must be float32, all of the same length")
    return np.frombuffer(data, dtype="<f4").reshape(-1, row_bytes // 4)


def check_batch(request: Request, ids: Sequence[str]) -> None:
    """Raise Refused unless a write has an allowed number of rows."""
    most = options_of(request).max_batch
    if len(ids) > most:
        message = f"a request may write {most} rows at most, not {len(ids)}"
        raise Refused(413, "BatchSizeExceededError", message)


def check_queries(embeddings: Any, k: int) -> None:
    """Raise InvalidArgumentError unless a search asks for an allowed number of rows."""
    if not hasattr(embeddings, "__len__") or len(embeddings) == 0:
        raise InvalidArgumentError("there is no vector to search for")
    if len(embeddings) > MOST_QUERIES:
        raise InvalidArgumentError(f"a request may have {MOST_QUERIES} queries at most")
    if k > MOST_FOUND:
        raise InvalidArgumentError(f"a query may ask for {MOST_FOUND} rows at most")


def most_rows(request: Request, collection: AsyncCollection, include: Sequence[Include]) -> int:
    """How many rows an answer may have."""
    options = options_of(request)
    if "embeddings" not in include:
        return options.max_rows
    return max(1, min(options.max_rows, options.max_numbers // (collection.info.dimension or 1)))


async def get_limited(
    request: Request,
    collection: AsyncCollection,
    *,
    limit: int | None,
    include: Sequence[Include],
    **arguments: Any,
) -> Any:
    """What collection.get() returns, unless that is too much for one answer."""
    most = most_rows(request, collection, include)
    wanted = most + 1 if limit is None else min(limit, most + 1)
    found = await collection.get(limit=wanted, include=include, **arguments)
    if len(found) > most:
        raise InvalidArgumentError(
            f"this has more than {most} rows, which are the most of one answer: "
            "give a limit, and an offset for what follows"
        )
    return found


async def query_limited(
    request: Request,
    collection: AsyncCollection,
    embeddings: Any,
    k: int,
    include: Sequence[Include],
    **arguments: Any,
) -> Any:
    """What collection.query() returns, unless that could be too much for one answer."""
    check_queries(embeddings, k)
    most = most_rows(request, collection, include)
    if len(embeddings) * k > most:
        raise InvalidArgumentError(
            f"{len(embeddings)} queries for {k} rows each could find more than {most} rows, "
            "which are the most of one answer"
        )
    return await collection.query(embeddings, k, include=include, **arguments)


async def database_version(backend: Backend) -> str:
    """PostgreSQL's version, which also says that the database answers."""
    async with backend.client.connection() as conn:
        row = await (await conn.execute("SHOW server_version")).fetchone()
    if row is None:
        raise ServerError("the database does not say its version")
    return row[0]
