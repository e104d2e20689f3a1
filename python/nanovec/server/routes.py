"""This package's own API, which OpenAPI describes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from .._operations import Space
from .._version import __version__
from ..client import AsyncCollection
from ..errors import InvalidArgumentError
from ..models import CollectionInfo, Include, Metadata, Metric, Recall
from .arrow import arrow_rows
from .backend import Backend
from .faults import ErrorAnswer
from .requests import (
    MOST_FOUND,
    SLOW,
    Count,
    Route,
    Vectors,
    answer,
    backend_of,
    check_batch,
    database_version,
    get_limited,
    loads_of,
    matrix_of,
    query_limited,
    space_of,
    vectors_of,
)

_FAULTS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": what}
    for status, what in (
        (400, "Something in the request is wrong"),
        (401, "The token is missing or wrong"),
        (403, "Not allowed"),
        (404, "There is no such collection, tenant or database"),
        (408, "The body did not come in time"),
        (409, "There is one of that name"),
        (413, "The body or the batch is too large"),
        (415, "A compressed body"),
        (500, "An internal error"),
        (503, "Too much to do, or the database does not answer: try again"),
        (504, "It took too long"),
    )
}

router = APIRouter(route_class=Route, responses=_FAULTS)

SpaceOf = Annotated[Space, Depends(space_of)]
BackendOf = Annotated[Backend, Depends(backend_of)]
Name = Annotated[str, Path(min_length=1, max_length=512)]
Text = Annotated[str, Field(min_length=1, max_length=512)]
Ids = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewCollection(_Body):
    """A collection to make; see docs/collections.md."""

    name: Text
    dimension: Annotated[int, Field(ge=1, le=16000)] | None = None
    metric: Metric = "cosine"
    index: dict[str, Any] = {}
    metadata_schema: dict[str, Any] = {}
    promote: list[str] = []
    normalized: bool = False
    type: Literal["vector", "halfvec"] = "vector"
    text_search: str | None = None
    metadata: Metadata = {}
    get_or_create: bool = False


class ChangedCollection(_Body):
    """What to change of a collection; metadata is replaced as a whole."""

    name: Text | None = None
    metadata: Metadata | None = None
    search_options: dict[str, int] | None = None


class Rows(_Body):
    """Rows to add, or to add or update."""

    ids: Ids
    embeddings: Vectors
    documents: list[str | None] | None = None
    metadatas: list[Metadata | None] | None = None


class ChangedRows(_Body):
    """What to change of rows; metadata is merged."""

    ids: Ids
    embeddings: Vectors = None
    documents: list[str | None] | None = None
    metadatas: list[Metadata | None] | None = None


class Filters(_Body):
    """Which rows."""

    where: Metadata | None = None
    where_document: Metadata | None = None


class WhichRows(Filters):
    """Which rows, by ids, too."""

    ids: list[str] | None = None


class GetBody(WhichRows):
    """Which rows to get, and what of them."""

    limit: Count | None = None
    offset: Count = 0
    include: list[Include] = ["documents", "metadatas"]


class QueryBody(WhichRows):
    """What to search for."""

    embeddings: Vectors
    k: Annotated[int, Field(ge=1, le=MOST_FOUND)] = 10
    threshold: float | None = None
    include: list[Include] = ["documents", "metadatas"]
    options: dict[str, int] | None = None


class HybridBody(Filters):
    """What to search for by vector and text."""

    embedding: Annotated[list[float], Field(min_length=1)]
    text: str
    k: Annotated[int, Field(ge=1, le=MOST_FOUND)] = 10
    candidates: Annotated[int, Field(ge=1, le=MOST_FOUND)] = 100
    vector_weight: Annotated[float, Field(ge=0)] = 1.0
    text_weight: Annotated[float, Field(ge=0)] = 1.0
    include: list[Literal["documents", "metadatas"]] = ["documents", "metadatas"]


class NewIndex(_Body):
    """The index to build; none: the same again."""

    index: dict[str, Any] | None = None


class RecallBody(_Body):
    """How to measure recall."""

    queries: Annotated[int, Field(ge=1, le=1000)] = 100
    k: Annotated[int, Field(ge=1, le=1000)] = 10
    options: dict[str, int] | None = None


class Number(BaseModel):
    """How many rows."""

    rows: int


class Got(BaseModel):
    """Rows; what was not included is null."""

    ids: list[str]
    documents: list[str | None] | None
    metadatas: list[Metadata] | None
    embeddings: list[list[float]] | None


class Found(BaseModel):
    """The nearest rows to each query, nearest first; what was not included is null."""

    ids: list[list[str]]
    distances: list[list[float]]
    documents: list[list[str | None]] | None
    metadatas: list[list[Metadata]] | None
    embeddings: list[list[list[float]]] | None


class Fused(BaseModel):
    """The best rows by vector and text; a rank is null where a list has not the row."""

    ids: list[str]
    scores: list[float]
    vector_ranks: list[int | None]
    text_ranks: list[int | None]
    documents: list[str | None] | None
    metadatas: list[Metadata] | None


class Health(BaseModel):
    """That the server and the database answer."""

    status: Literal["ok"]
    nanovec: str
    postgresql: str


async def _write_to(name: Name, space: SpaceOf, backend: BackendOf) -> AsyncCollection:
    return await backend.collection(space, name)


async def _read_from(name: Name, space: SpaceOf, backend: BackendOf) -> AsyncCollection:
    return await backend.known(space, name)


async def _look_after(name: Name, space: SpaceOf, backend: BackendOf) -> AsyncCollection:
    return await backend.slow(space, name)


Written = Annotated[AsyncCollection, Depends(_write_to)]
Read = Annotated[AsyncCollection, Depends(_read_from)]
Slow = Annotated[AsyncCollection, Depends(_look_after)]


# -- the server


@router.get("/health", response_model=Health, tags=["server"])
async def health(backend: BackendOf) -> Response:
    """Whether the server and the database answer; needs no token."""
    found = await database_version(backend)
    return answer({"status": "ok", "nanovec": __version__, "postgresql": found})


# -- collections

_COLLECTIONS = "/v1/collections"
COLLECTION = _COLLECTIONS + "/{name}"


def _described(info: CollectionInfo, status: int = 200) -> Response:
    return answer(info.model_dump(mode="json"), status)


@router.get(_COLLECTIONS, response_model=list[CollectionInfo], tags=["collections"])
async def list_collections(
    space: SpaceOf,
    backend: BackendOf,
    limit: Annotated[int, Query(ge=0, le=10_000)] = 1000,
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> Response:
    """The collections of a database, in order of name."""
    found = await backend.at(space).list_collections(limit, offset)
    return answer([info.model_dump(mode="json") for info in found])


@router.post(_COLLECTIONS, response_model=CollectionInfo, status_code=201, tags=["collections"])
async def create_collection(body: NewCollection, space: SpaceOf, backend: BackendOf) -> Response:
    """Make a collection; with get_or_create, the one that is there will do."""
    wanted = body.model_dump(exclude={"metadata_schema"})
    client = backend.at(space)
    return _described(
        (await client.create_collection(schema=body.metadata_schema, **wanted)).info, 201
    )


@router.get(COLLECTION, response_model=CollectionInfo, tags=["collections"])
async def describe_collection(collection: Written) -> Response:
    """What a collection is."""
    return _described(collection.info)


@router.patch(COLLECTION, response_model=CollectionInfo, tags=["collections"])
async def change_collection(
    body: ChangedCollection, collection: Written, backend: BackendOf
) -> Response:
    """Change a collection's name, its own metadata, or how it is searched."""
    try:
        if body.search_options is not None:
            await collection.set_search_options(body.search_options)
        if body.metadata is not None:
            await collection.set_metadata(body.metadata)
        if body.name is not None and body.name != collection.name:
            await collection.rename(body.name)
    finally:
        backend.forget()
    return _described(collection.info)


@router.delete(COLLECTION, status_code=204, tags=["collections"])
async def drop_collection(name: Name, space: SpaceOf, backend: BackendOf) -> Response:
    """Drop a collection with all its rows."""
    await backend.at(space).drop_collection(name)
    backend.forget()
    return Response(status_code=204)


# -- rows


@router.post(COLLECTION + "/add", response_model=Number, tags=["rows"])
async def add(body: Rows, request: Request, collection: Written) -> Response:
    """Add rows; those whose ids are there stay as they are and are not counted."""
    check_batch(request, body.ids)
    vectors = vectors_of(body.embeddings)
    async with loads_of(request).writing(collection, len(body.ids)):
        rows = await collection.add(body.ids, vectors, body.documents, body.metadatas)
    return answer({"rows": rows})


@router.post(COLLECTION + "/upsert", response_model=Number, tags=["rows"])
async def upsert(body: Rows, request: Request, collection: Written) -> Response:
    """Add rows, or update those whose ids are there."""
    check_batch(request, body.ids)
    vectors = vectors_of(body.embeddings)
    async with loads_of(request).writing(collection, len(body.ids)):
        rows = await collection.upsert(body.ids, vectors, body.documents, body.metadatas)
    return answer({"rows": rows})


@router.post(COLLECTION + "/update", response_model=Number, tags=["rows"])
async def update(body: ChangedRows, request: Request, collection: Written) -> Response:
    """Change what is given of rows that are there; metadata is merged, null removes a field."""
    check_batch(request, body.ids)
    vectors = vectors_of(body.embeddings)
    rows = await collection.update(body.ids, vectors, body.documents, body.metadatas)
    return answer({"rows": rows})


@router.post(COLLECTION + "/delete", response_model=Number, tags=["rows"])
async def delete(body: WhichRows, collection: Written) -> Response:
    """Delete rows by ids, by filters, or ids that filters find."""
    rows = await collection.delete(body.ids, where=body.where, where_document=body.where_document)
    return answer({"rows": rows})


@router.post(COLLECTION + "/get", response_model=Got, tags=["rows"])
async def get(body: GetBody, request: Request, collection: Read) -> Response:
    """Rows by ids and filters, in order of id."""
    found = await get_limited(
        request, collection, ids=body.ids, where=body.where, where_document=body.where_document,
        limit=body.limit, offset=body.offset, include=body.include,
    )  # fmt: skip
    return answer(vars(found))


@router.post(COLLECTION + "/count", response_model=Number, tags=["rows"])
async def count(body: Filters, collection: Read) -> Response:
    """How many rows there are, or filters find."""
    rows = await collection.count(where=body.where, where_document=body.where_document)
    return answer({"rows": rows})


# -- searching


@router.post(COLLECTION + "/query", response_model=Found, tags=["search"])
async def query(body: QueryBody, request: Request, collection: Read) -> Response:
    """The k nearest rows to each vector, of those that filters find."""
    found = await query_limited(
        request, collection, vectors_of(body.embeddings), body.k, body.include,
        where=body.where, where_document=body.where_document, threshold=body.threshold,
        options=body.options, ids=body.ids,
    )  # fmt: skip
    return answer(vars(found))


@router.post(COLLECTION + "/hybrid", response_model=Fused, tags=["search"])
async def hybrid(body: HybridBody, collection: Read) -> Response:
    """The best rows by vector and text together; the collection needs text_search."""
    found = await collection.hybrid(
        body.embedding, body.text, body.k, where=body.where, where_document=body.where_document,
        candidates=body.candidates, weights=(body.vector_weight, body.text_weight),
        include=body.include,
    )  # fmt: skip
    return answer(vars(found))


# -- binary bodies

_ARROW = "application/vnd.apache.arrow.stream"
_BYTES = "application/octet-stream"


def _binary(media_type: str) -> dict[str, Any]:
    content = {media_type: {"schema": {"type": "string", "format": "binary"}}}
    return {"requestBody": {"required": True, "content": content}}


@router.post(
    COLLECTION + "/{how}/arrow", response_model=Number, tags=["rows"],
    openapi_extra=_binary(_ARROW),
)  # fmt: skip
async def write_arrow(
    how: Literal["add", "upsert"], request: Request, collection: Written
) -> Response:
    """Add or upsert the rows of an Arrow stream: id, embedding, document, metadata (JSON)."""
    ids, matrix, documents, metadatas = arrow_rows(await request.body())
    check_batch(request, ids)
    write = collection.add if how == "add" else collection.upsert
    async with loads_of(request).writing(collection, len(ids)):
        rows = await write(ids, matrix, documents, metadatas)
    return answer({"rows": rows})


_FILTER = TypeAdapter(Metadata)


def _filter(text: str | None, what: str) -> Metadata | None:
    if text is None:
        return None
    try:
        return _FILTER.validate_json(text)
    except ValidationError as error:
        raise InvalidArgumentError(f"{what} is no JSON object") from error


@router.post(
    COLLECTION + "/query/binary", response_model=Found, tags=["search"],
    openapi_extra=_binary(_BYTES),
)  # fmt: skip
async def query_binary(
    request: Request,
    collection: Read,
    k: Annotated[int, Query(ge=1, le=MOST_FOUND)] = 10,
    where: Annotated[str | None, Query(description="A filter, as JSON")] = None,
    where_document: Annotated[str | None, Query(description="A filter, as JSON")] = None,
    threshold: float | None = None,
    include: Annotated[list[Include], Query()] = [],  # noqa: B006
) -> Response:
    """The same for vectors that are float32, little-endian, one after another."""
    data = await request.body()
    dimension = collection.info.dimension
    matrix = matrix_of(data, (dimension or len(data) // 4) * 4)
    found = await query_limited(
        request, collection, matrix, k, include, where=_filter(where, "where"),
        where_document=_filter(where_document, "where_document"), threshold=threshold,
    )  # fmt: skip
    return answer(vars(found))


# -- looking after it


@router.get(COLLECTION + "/stats", response_model=dict[str, Any], tags=[SLOW])
async def stats(collection: Slow) -> Response:
    """Rows, sizes and index."""
    return answer(await collection.stats())


@router.post(COLLECTION + "/recall", response_model=Recall, tags=[SLOW])
async def recall(body: RecallBody, collection: Slow) -> Response:
    """What share of the nearest rows searches find."""
    found = await collection.recall(body.queries, body.k, body.options)
    return answer(found.model_dump())


@router.post(COLLECTION + "/rebuild", response_model=CollectionInfo, tags=[SLOW])
async def rebuild(body: NewIndex, collection: Slow, backend: BackendOf) -> Response:
    """Build the index anew, with other options where given."""
    await collection.rebuild(body.index)
    backend.forget()
    return _described(collection.info)


@router.post(COLLECTION + "/batch/begin", status_code=204, tags=[SLOW])
async def begin_batch(collection: Slow) -> Response:
    """Drop the index until the batch ends, to load many rows."""
    await collection.begin_batch()
    return Response(status_code=204)


@router.post(COLLECTION + "/batch/end", status_code=204, tags=[SLOW])
async def end_batch(
    collection: Slow,
    all_batches: Annotated[bool, Query(description="Those that were left open, too")] = False,
) -> Response:
    """Build the index, unless another batch is open."""
    await (collection.end_batches() if all_batches else collection.end_batch())
    return Response(status_code=204)


#: routes that express.py serves, too: what they do, with which body, whether they write
FREQUENT = [
    (add, Rows, True),
    (upsert, Rows, True),
    (update, ChangedRows, True),
    (get, GetBody, False),
    (query, QueryBody, False),
]
