"""Chroma's API, version 2, for its own clients.

What Chroma knows and collections do not have a column for stands in their metadata,
under keys that begin with "chroma:" and that its clients do not see: URIs of records,
and of collections the description of an embedding function, which clients keep there.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID, uuid5

import numpy as np
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from .._operations import Space
from .._version import __version__
from ..client import AsyncCollection
from ..errors import InvalidArgumentError, NotFoundError
from ..models import CollectionInfo, Include, Metadata
from .backend import Backend
from .faults import Refused
from .requests import (
    Count,
    Route,
    Vectors,
    answer,
    backend_of,
    check_batch,
    database_version,
    get_limited,
    loads_of,
    options_of,
    query_limited,
    vectors_of,
)

router = APIRouter(prefix="/api/v2", route_class=Route, include_in_schema=False)

_URI = "chroma:uri"
_FUNCTION = "chroma:embedding_function"
_RESERVED = (_URI, _FUNCTION)
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{1,510}[a-zA-Z0-9]\Z")
_DATABASES = UUID("6f8c1a52-7d8e-4f0b-9c58-2f7a9e0b4d11")
_SPACES = ("l2", "ip", "cosine")
# what an index of ours takes of Chroma's options, and within which bounds
_OPTIONS = {
    "max_neighbors": ("m", 2, 100),
    "ef_construction": ("ef_construction", 4, 1000),
    "ef_search": ("ef_search", 1, 1000),
}
_OLD_OPTIONS = {
    "hnsw:M": "max_neighbors",
    "hnsw:construction_ef": "ef_construction",
    "hnsw:search_ef": "ef_search",
}
_DEFAULTS = {"max_neighbors": 16, "ef_construction": 64, "ef_search": 40}


class NewName(BaseModel):
    """A tenant or database to make."""

    name: str


class NewCollection(BaseModel):
    """A collection to make."""

    name: str
    metadata: Metadata | None = None
    configuration: dict[str, Any] | None = None
    schema_: dict[str, Any] | None = Field(None, alias="schema")
    get_or_create: bool = False


class ChangedCollection(BaseModel):
    """What to change of a collection."""

    new_name: str | None = None
    new_metadata: Metadata | None = None
    new_configuration: dict[str, Any] | None = None


class Records(BaseModel):
    """Records to write."""

    ids: list[str]
    embeddings: Vectors = None
    metadatas: list[Metadata | None] | None = None
    documents: list[str | None] | None = None
    uris: list[str | None] | None = None


class _Filtered(BaseModel):
    ids: list[str] | None = None
    where: Metadata | None = None
    where_document: Metadata | None = None


class GetBody(_Filtered):
    """Records to get."""

    limit: Count | None = None
    offset: Count | None = None
    include: list[str] = ["metadatas", "documents"]


class DeleteBody(_Filtered):
    """Records to delete."""

    limit: Count | None = None


class QueryBody(_Filtered):
    """What to search for."""

    query_embeddings: Vectors
    n_results: Count | None = None
    include: list[str] = ["metadatas", "documents", "distances"]


async def _space(tenant: str, database: str) -> Space:
    return Space(tenant, database)


SpaceOf = Annotated[Space, Depends(_space)]
BackendOf = Annotated[Backend, Depends(backend_of)]


def _check_name(name: str) -> None:
    if not _NAME.match(name):
        raise InvalidArgumentError(
            "Expected a name containing 3-512 characters from [a-zA-Z0-9._-], starting and "
            f"ending with a character in [a-zA-Z0-9]. Got: {name[:600]}"
        )


def _collection_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise InvalidArgumentError("Collection ID is not a valid UUIDv4") from error


async def _write_to(collection_id: str, space: SpaceOf, backend: BackendOf) -> AsyncCollection:
    return await backend.collection(space, _collection_id(collection_id))


async def _read_from(collection_id: str, space: SpaceOf, backend: BackendOf) -> AsyncCollection:
    return await backend.known(space, _collection_id(collection_id))


Written = Annotated[AsyncCollection, Depends(_write_to)]
Read = Annotated[AsyncCollection, Depends(_read_from)]


# -- the server


@router.get("")
@router.get("/heartbeat")
async def heartbeat() -> Response:
    """The time, which says that the server is there."""
    return answer({"nanosecond heartbeat": time.time_ns()})


@router.get("/version")
async def version() -> Response:
    """A version of Chroma's API."""
    return answer("1.0.0")


@router.get("/healthcheck")
async def healthcheck(backend: BackendOf) -> Response:
    """Whether the database answers."""
    await database_version(backend)
    return answer({"is_executor_ready": True, "is_log_client_ready": True})


@router.get("/pre-flight-checks")
async def pre_flight_checks(request: Request) -> Response:
    """How clients are to send records."""
    return answer(
        {"max_batch_size": options_of(request).max_batch, "supports_base64_encoding": True}
    )


@router.get("/auth/identity")
async def identity() -> Response:
    """Who asks: there is one user."""
    return answer({"user_id": "", "tenant": "default_tenant", "databases": ["default_database"]})


@router.post("/reset")
async def reset(request: Request, backend: BackendOf) -> Response:
    """Drop all collections of the default tenant."""
    if not options_of(request).allow_reset:
        raise Refused(
            403, "ChromaError", "Reset is disabled by config: nanovec serve --allow-reset"
        )
    client = backend.client
    for database in await client.list_databases():
        inside = client.at("default_tenant", database)
        for info in await inside.list_collections():
            await inside.drop_collection(info.name)
    backend.forget()
    return answer(True)


# -- tenants and databases


@router.post("/tenants")
async def create_tenant(body: NewName, backend: BackendOf) -> Response:
    """Make a tenant, whose tables belong to the server's role."""
    await backend.client.create_tenant(body.name)
    return answer({})


@router.get("/tenants/{tenant}")
async def get_tenant(tenant: str, backend: BackendOf) -> Response:
    """A tenant, if there is one of this name."""
    await backend.at(Space(tenant)).list_databases()
    return answer({"name": tenant})


def _database(tenant: str, name: str) -> dict[str, str]:
    # databases have no id of their own here
    return {"id": str(uuid5(_DATABASES, f"{tenant}/{name}")), "name": name, "tenant": tenant}


@router.get("/tenants/{tenant}/databases")
async def list_databases(
    tenant: str,
    backend: BackendOf,
    limit: Annotated[int | None, Query(ge=0)] = None,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """The databases of a tenant."""
    names = await backend.at(Space(tenant)).list_databases()
    end = None if limit is None else offset + limit
    return answer([_database(tenant, name) for name in names[offset:end]])


@router.post("/tenants/{tenant}/databases")
async def create_database(tenant: str, body: NewName, backend: BackendOf) -> Response:
    """Make a database."""
    _check_name(body.name)
    await backend.at(Space(tenant)).create_database(body.name)
    return answer({})


@router.get("/tenants/{tenant}/databases/{database}")
async def get_database(tenant: str, database: str, backend: BackendOf) -> Response:
    """A database, if there is one of this name."""
    if database not in await backend.at(Space(tenant)).list_databases():
        raise NotFoundError(f"Database [{database}] not found. Are you sure it exists?")
    return answer(_database(tenant, database))


@router.delete("/tenants/{tenant}/databases/{database}")
async def delete_database(tenant: str, database: str, backend: BackendOf) -> Response:
    """Drop a database with its collections."""
    await backend.at(Space(tenant)).drop_database(database, cascade=True)
    backend.forget()
    return answer({})


# -- collections

_COLLECTIONS = "/tenants/{tenant}/databases/{database}/collections"
COLLECTION = _COLLECTIONS + "/{collection_id}"


def _visible(metadata: Metadata | None) -> Metadata | None:
    """Metadata without what is kept there for ourselves; Chroma has none where it is empty."""
    if not metadata:
        return None
    if any(key in metadata for key in _RESERVED):
        metadata = {k: v for k, v in metadata.items() if k not in _RESERVED}
    return metadata or None


def _schema(space: str, hnsw: dict[str, Any]) -> dict[str, Any]:
    """The part of Chroma's schema of a collection that is about vectors."""
    config = {"space": space, "hnsw": hnsw}
    embedding = {"enabled": True, "config": config | {"source_key": "#document"}}
    return {
        "defaults": {"float_list": {"vector_index": {"enabled": False, "config": config}}},
        "keys": {"#embedding": {"float_list": {"vector_index": embedding}}},
    }


def _answer_of(info: CollectionInfo) -> dict[str, Any]:
    # the last two mean nothing here, but clients expect them
    hnsw = {
        **{name: info.index.get(ours, _DEFAULTS[name]) for name, (ours, _, _) in _OPTIONS.items()},
        "resize_factor": 1.2,
        "sync_threshold": 1000,
    }
    return {
        "id": str(info.id),
        "name": info.name,
        "configuration_json": {
            "hnsw": {"space": info.metric, **hnsw},
            "spann": None,
            "embedding_function": info.metadata.get(_FUNCTION),
        },
        "schema": _schema(info.metric, hnsw),
        "metadata": _visible(info.metadata),
        "dimension": info.dimension,
        "tenant": info.tenant,
        "database": info.database,
        "version": 0,
        "log_position": 0,
    }


def _object(value: Any, *keys: str) -> dict[str, Any]:
    """An object within objects, empty where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _index_options(given: dict[str, Any]) -> dict[str, int]:
    """Chroma's options of an index as ours, within the bounds of ours."""
    options = {}
    for name, (ours, least, most) in _OPTIONS.items():
        value = given.get(name)
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise InvalidArgumentError(f"{name} must be a positive integer, not {value!r}")
        options[ours] = min(max(value, least), most)
    if "m" in options or "ef_construction" in options:
        least = 2 * options.get("m", _DEFAULTS["max_neighbors"])
        default = _DEFAULTS["ef_construction"]
        options["ef_construction"] = max(options.get("ef_construction", default), least)
    return options


def _definition(body: NewCollection) -> dict[str, Any]:
    """What a new collection is to be, from the three places where clients may say it."""
    metadata = dict(body.metadata or {})
    old = {new: metadata[name] for name, new in _OLD_OPTIONS.items() if name in metadata}
    vectors = ("float_list", "vector_index", "config")
    schema = _object(body.schema_, "defaults", *vectors) | _object(
        body.schema_, "keys", "#embedding", *vectors
    )
    configured = _object(body.configuration, "spann") | _object(body.configuration, "hnsw")
    said = [configured, schema, {"space": metadata.get("hnsw:space")}]
    metric = next((s["space"] for s in said if s.get("space") is not None), "l2")
    if metric not in _SPACES:
        raise InvalidArgumentError(f"there is no space {metric!r}: choose l2, ip or cosine")
    function = _object(body.configuration, "embedding_function") or _object(
        schema, "embedding_function"
    )
    if function:
        metadata[_FUNCTION] = function
    options = _index_options(old | _object(schema, "hnsw") | configured)
    return {"metric": metric, "index": {"type": "hnsw"} | options, "metadata": metadata}


def _check_visible(metadata: Metadata | None) -> None:
    if metadata and any(key in metadata for key in _RESERVED):
        raise InvalidArgumentError(f"metadata keys {', '.join(_RESERVED)} are reserved")


@router.get(_COLLECTIONS)
async def list_collections(
    space: SpaceOf,
    backend: BackendOf,
    limit: Annotated[int | None, Query(ge=0)] = None,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """The collections of a database, in order of name."""
    found = await backend.at(space).list_collections(limit, offset)
    return answer([_answer_of(info) for info in found])


@router.get("/tenants/{tenant}/databases/{database}/collections_count")
async def count_collections(space: SpaceOf, backend: BackendOf) -> Response:
    """How many collections a database has."""
    return answer(await backend.at(space).count_collections())


@router.post(_COLLECTIONS)
async def create_collection(body: NewCollection, space: SpaceOf, backend: BackendOf) -> Response:
    """Make a collection."""
    _check_name(body.name)
    _check_visible(body.metadata)
    made = await backend.at(space).create_collection(
        body.name, get_or_create=body.get_or_create, **_definition(body)
    )
    return answer(_answer_of(made.info))


@router.get(_COLLECTIONS + "/by-id/{collection_id}")
async def get_collection_by_id(collection: Written) -> Response:
    """The collection with an id."""
    return answer(_answer_of(collection.info))


@router.get(_COLLECTIONS + "/{name}")
async def get_collection(name: str, space: SpaceOf, backend: BackendOf) -> Response:
    """The collection of a name."""
    return answer(_answer_of((await backend.collection(space, name)).info))


@router.delete(_COLLECTIONS + "/{name}")
async def delete_collection(name: str, space: SpaceOf, backend: BackendOf) -> Response:
    """Drop a collection."""
    await backend.at(space).drop_collection(name)
    backend.forget()
    return answer({})


@router.put(COLLECTION)
async def modify_collection(
    body: ChangedCollection, collection: Written, backend: BackendOf
) -> Response:
    """Change name, metadata, or how a collection is searched."""
    if body.new_name is not None:
        _check_name(body.new_name)
    _check_visible(body.new_metadata)
    configured = _object(body.new_configuration, "spann") | _object(body.new_configuration, "hnsw")
    options = _index_options({"ef_search": configured.get("ef_search")})
    function = _object(body.new_configuration, "embedding_function")
    old = collection.info.metadata
    metadata = dict(body.new_metadata if body.new_metadata is not None else old)
    if function or _FUNCTION in old:
        metadata[_FUNCTION] = function or old[_FUNCTION]
    try:
        if options:
            await collection.set_search_options(options)
        if metadata != old:
            await collection.set_metadata(metadata)
        if body.new_name is not None and body.new_name != collection.name:
            await collection.rename(body.new_name)
    finally:
        backend.forget()
    return answer({})


# -- records


def _with_uris(body: Records) -> Sequence[Metadata | None] | None:
    """Metadata of records, with their URIs."""
    for metadata in body.metadatas or ():
        _check_visible(metadata)
    if body.uris is None:
        return body.metadatas
    if len(body.uris) != len(body.ids):
        raise InvalidArgumentError(f"{len(body.ids)} ids, but {len(body.uris)} uris")
    metadatas = body.metadatas or [None] * len(body.ids)
    if len(metadatas) != len(body.ids):
        raise InvalidArgumentError(f"{len(body.ids)} ids, but {len(metadatas)} metadatas")
    return [
        metadata if uri is None else {**(metadata or {}), _URI: uri}
        for metadata, uri in zip(metadatas, body.uris, strict=True)
    ]


@router.post(COLLECTION + "/add")
async def add(body: Records, request: Request, collection: Written) -> Response:
    """Add records; those whose ids are there stay as they are."""
    check_batch(request, body.ids)
    vectors, metadatas = vectors_of(body.embeddings), _with_uris(body)
    async with loads_of(request).writing(collection, len(body.ids)):
        await collection.add(body.ids, vectors, body.documents, metadatas)
    return answer({}, 201)


@router.post(COLLECTION + "/upsert")
async def upsert(body: Records, request: Request, collection: Written) -> Response:
    """Add records, or update those whose ids are there."""
    check_batch(request, body.ids)
    vectors, metadatas = vectors_of(body.embeddings), _with_uris(body)
    async with loads_of(request).writing(collection, len(body.ids)):
        await collection.upsert(body.ids, vectors, body.documents, metadatas)
    return answer({})


@router.post(COLLECTION + "/update")
async def update(body: Records, request: Request, collection: Written) -> Response:
    """Update records; ids that are not there are ignored."""
    check_batch(request, body.ids)
    await collection.update(body.ids, vectors_of(body.embeddings), body.documents, _with_uris(body))
    return answer({})


@router.post(COLLECTION + "/delete")
async def delete(body: DeleteBody, request: Request, collection: Written) -> Response:
    """Delete records by ids and filters."""
    ids, where, where_document = body.ids, body.where, body.where_document
    if body.limit is not None:
        found = await get_limited(
            request, collection, ids=ids, where=where, where_document=where_document,
            limit=body.limit, include=[],
        )  # fmt: skip
        ids = found.ids
    deleted = await collection.delete(ids, where=where, where_document=where_document)
    return answer({"deleted": deleted})


@router.get(COLLECTION + "/count")
async def count(collection: Read) -> Response:
    """How many records there are."""
    return answer(await collection.count())


@router.get(COLLECTION + "/indexing_status")
async def indexing_status(collection: Read) -> Response:
    """All records are in the index as soon as they are there, but for those of a first load."""
    rows = await collection.count()
    indexed = 0 if collection.info.loading else rows
    return answer(
        {
            "num_indexed_ops": indexed,
            "num_unindexed_ops": rows - indexed,
            "total_ops": rows,
            "op_indexing_progress": indexed / rows if rows else 1.0,
        }
    )


def _included(include: Sequence[str]) -> list[Include]:
    """What to ask the collection for."""
    known = {"documents", "metadatas", "embeddings", "distances", "uris"}
    wrong = set(include) - known
    if wrong:
        raise InvalidArgumentError(f"{min(wrong)!r} cannot be included")
    wanted = {"metadatas" if item == "uris" else item for item in include} - {"distances"}
    return sorted(wanted)  # pyright: ignore[reportReturnType]


def _columns(
    include: Sequence[str], documents: Any, metadatas: Any, embeddings: Any
) -> dict[str, Any]:
    """What is included of a list of records, as Chroma says it."""
    wanted = "uris" in include
    return {
        "documents": documents,
        "metadatas": [_visible(m) for m in metadatas] if "metadatas" in include else None,
        "embeddings": embeddings,
        "uris": [m.get(_URI) for m in metadatas] if wanted else None,
    }


@router.post(COLLECTION + "/get")
async def get(body: GetBody, request: Request, collection: Read) -> Response:
    """Records by ids and filters."""
    found = await get_limited(
        request, collection, ids=body.ids, where=body.where, where_document=body.where_document,
        limit=body.limit, offset=body.offset or 0, include=_included(body.include),
    )  # fmt: skip
    columns = _columns(body.include, found.documents, found.metadatas, found.embeddings)
    return answer({"ids": found.ids, **columns, "include": body.include})


@router.post(COLLECTION + "/query")
async def query(body: QueryBody, request: Request, collection: Read) -> Response:
    """The nearest records to each query."""
    vectors = vectors_of(body.query_embeddings)
    n_results = 10 if body.n_results is None else body.n_results
    found = await query_limited(
        request, collection, vectors, n_results, _included(body.include),
        where=body.where, where_document=body.where_document, ids=body.ids,
    )  # fmt: skip
    nothing = [None] * len(found.ids)
    columns = [
        _columns(body.include, *one)
        for one in zip(
            found.documents or nothing, found.metadatas or nothing, found.embeddings or nothing,
            strict=True,
        )
    ]  # fmt: skip
    wanted = {"documents", "metadatas", "embeddings", "uris"}
    # as exact as vectors are, so that a distance of 2 is not 2.0000000000000004
    distances = [d.astype(np.float32) for d in found.distances]
    return answer(
        {
            "ids": found.ids,
            "distances": distances if "distances" in body.include else None,
            **{k: [c[k] for c in columns] if k in body.include else None for k in sorted(wanted)},
            "include": body.include,
        }
    )


# -- what only Chroma's own service does


@router.post(COLLECTION + "/fork")
@router.post(COLLECTION + "/search")
@router.post(COLLECTION + "/functions/attach")
@router.get(COLLECTION + "/functions/{name}")
@router.post(COLLECTION + "/attached_functions/{name}/detach")
async def not_there(request: Request) -> Response:
    """Say so."""
    what = request.url.path.rpartition("/")[2]
    message = f"nanovec {__version__} has no {what}; local Chroma has none either"
    raise Refused(501, "ChromaError", message)


@router.get(COLLECTION + "/fork_count")
async def fork_count(collection: Read) -> Response:
    """There are no forks."""
    return answer({"count": 0})


#: routes that express.py serves, too: what they do, with which body, whether they write
FREQUENT = [
    (add, Records, True),
    (upsert, Records, True),
    (update, Records, True),
    (get, GetBody, False),
    (query, QueryBody, False),
]
