"""Client and Collection, and the same for asyncio."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolTimeout, TooManyRequests

from . import _operations as ops
from ._operations import CopyIn, Definition, Fetch, Operation, Pipeline, Space, Step
from ._wire import as_sql, register, type_infos, type_query
from .embedded import EmbeddedServer
from .errors import BusyError, NanovecError, ServerError, translate
from .models import (
    CollectionInfo,
    CollectionSize,
    GetResult,
    HybridResult,
    Include,
    Metadata,
    Metric,
    QueryResult,
    Recall,
)

T = TypeVar("T")
_INCLUDED: tuple[Include, ...] = ("documents", "metadatas")
_ALL: tuple[Include, ...] = ("documents", "metadatas", "embeddings")
_CONNECTED = {"autocommit": True}
_TIMEOUT = 30.0
_NO_EXTENSION = (
    "the database has no extension nanovec_collections: "
    "CREATE EXTENSION nanovec_collections CASCADE, or connect(..., create_extension=True)"
)


def _rows(cursor: psycopg.RawCursor | psycopg.AsyncRawCursor) -> bool:
    # and not .description, which is made anew at each look, in a tenth of a search's time
    return cursor.rownumber is not None


def _set(settings: dict[str, str]) -> Fetch:
    names = ", ".join(f"set_config(${2 * n + 1}, ${2 * n + 2}, true)" for n in range(len(settings)))
    return Fetch(f"SELECT {names}", [text for pair in settings.items() for text in pair])


def _translated(error: psycopg.Error) -> NanovecError:
    if isinstance(error, (PoolTimeout, TooManyRequests)):
        return BusyError(f"no connection to the server: {error}")
    return translate(error)


# -- one that waits


def _configure(conn: psycopg.Connection) -> None:
    rows = conn.execute(type_query()).fetchall()
    if len(rows) != 2:
        raise ServerError(_NO_EXTENSION)
    register(conn, *type_infos(rows))


def _take(conn: psycopg.Connection, step: Step) -> Any:
    """Take one step of an operation."""
    if isinstance(step, Fetch):
        cursor = psycopg.RawCursor(conn)
        cursor.execute(as_sql(step.statement), step.parameters, prepare=step.prepare, binary=True)
        return cursor.fetchall() if _rows(cursor) else []
    if isinstance(step, Pipeline):
        steps = ([_set(step.settings)] if step.settings else []) + step.steps
        cursors = []
        with conn.transaction(), conn.pipeline():
            for one in steps:
                cursor = psycopg.RawCursor(conn)
                cursor.execute(
                    as_sql(one.statement), one.parameters, prepare=one.prepare, binary=True
                )
                cursors.append(cursor)
        return [cursor.fetchall() for cursor in cursors][len(steps) - len(step.steps) :]
    assert isinstance(step, CopyIn)
    with conn.transaction(), conn.cursor() as cursor, cursor.copy(as_sql(step.statement)) as copy:
        for piece in step.pieces:
            copy.write(piece)
    return None


class Collection:
    """A collection: rows with an id, a vector, a document and metadata.

    Where embeddings are taken, anything that numpy makes an array of float32
    does; where they are returned, they are such arrays.
    """

    def __init__(self, client: Client, info: CollectionInfo) -> None:
        self._client = client
        self._operations = ops.CollectionOperations(client.space, info)

    def __repr__(self) -> str:
        return f"<nanovec collection {self.name!r}>"

    @property
    def name(self) -> str:
        """The collection's name."""
        return self._operations.info.name

    @property
    def info(self) -> CollectionInfo:
        """What the collection is, as last looked up."""
        return self._operations.info

    def refresh(self) -> CollectionInfo:
        """Look up again what the collection is."""
        self._client._run(self._operations.refresh())
        return self.info

    def add(
        self,
        ids: Sequence[str],
        embeddings: Any,
        documents: Sequence[str | None] | None = None,
        metadatas: Sequence[Metadata | None] | None = None,
    ) -> int:
        """Add rows; those whose ids are there stay as they are.  Returns how many were added."""
        return self._client._run(self._operations.add(ids, embeddings, documents, metadatas))

    def upsert(
        self,
        ids: Sequence[str],
        embeddings: Any,
        documents: Sequence[str | None] | None = None,
        metadatas: Sequence[Metadata | None] | None = None,
    ) -> int:
        """Add rows, or update those whose ids are there."""
        return self._client._run(self._operations.upsert(ids, embeddings, documents, metadatas))

    def update(
        self,
        ids: Sequence[str],
        embeddings: Any = None,
        documents: Sequence[str | None] | None = None,
        metadatas: Sequence[Metadata | None] | None = None,
    ) -> int:
        """Change what is given of rows that are there; metadata is merged, None removes a field."""
        return self._client._run(self._operations.update(ids, embeddings, documents, metadatas))

    def delete(
        self,
        ids: Sequence[str] | None = None,
        *,
        where: Metadata | None = None,
        where_document: Metadata | None = None,
    ) -> int:
        """Delete rows by ids, by filters, or ids that filters find.  Returns how many."""
        return self._client._run(self._operations.delete(ids, where, where_document))

    def get(
        self,
        ids: Sequence[str] | None = None,
        *,
        where: Metadata | None = None,
        where_document: Metadata | None = None,
        limit: int | None = None,
        offset: int = 0,
        include: Sequence[Include] = _INCLUDED,
    ) -> GetResult:
        """Rows by ids and filters, in order of id."""
        return self._client._run(
            self._operations.get(ids, where, where_document, limit, offset, include)
        )

    def peek(self, limit: int = 10) -> GetResult:
        """Some rows, with all that belongs to them."""
        return self.get(limit=limit, include=_ALL)

    def count(
        self, *, where: Metadata | None = None, where_document: Metadata | None = None
    ) -> int:
        """How many rows there are, or filters find."""
        return self._client._run(self._operations.count(where, where_document))

    def query(
        self,
        embeddings: Any,
        k: int = 10,
        *,
        where: Metadata | None = None,
        where_document: Metadata | None = None,
        threshold: float | None = None,
        include: Sequence[Include] = _INCLUDED,
        options: dict[str, Any] | None = None,
        ids: Sequence[str] | None = None,
    ) -> QueryResult:
        """The k nearest rows to a vector, or to each of several, of those that filters find.

        threshold leaves out what is farther; options are ef_search or n_probe; ids are
        those to search among.
        """
        return self._client._run(
            self._operations.query(
                embeddings, k, where, where_document, threshold, include, options, ids
            )
        )

    def hybrid(
        self,
        embedding: Any,
        text: str,
        k: int = 10,
        *,
        where: Metadata | None = None,
        where_document: Metadata | None = None,
        candidates: int = 100,
        weights: tuple[float, float] = (1.0, 1.0),
        include: Sequence[Include] = _INCLUDED,
    ) -> HybridResult:
        """The best rows by vector and text together; the collection needs text_search."""
        return self._client._run(
            self._operations.hybrid(
                embedding, text, k, where, where_document, candidates, weights, include
            )
        )

    def rebuild(self, index: dict[str, Any] | None = None) -> None:
        """Build the index anew, with other options where given."""
        self._client._run(self._operations.rebuild(index))

    def set_search_options(self, options: dict[str, Any]) -> None:
        """Change the ef_search or n_probe that searches use unless a call says otherwise."""
        self._client._run(self._operations.set_search_options(options))

    @contextlib.contextmanager
    def batch(self) -> Iterator[Collection]:
        """Load many rows without an index, which is built when the block ends."""
        self._client._run(self._operations.batch_begin())
        try:
            yield self
        finally:
            self._client._run(self._operations.batch_end(False))

    def end_batches(self) -> None:
        """End batches that a crash left open."""
        self._client._run(self._operations.batch_end(True))

    def stats(self) -> dict[str, Any]:
        """Rows, sizes and index."""
        return self._client._run(self._operations.stats())

    def recall(
        self, queries: int = 100, k: int = 10, options: dict[str, Any] | None = None
    ) -> Recall:
        """What share of the k nearest rows searches find, for rows drawn at random."""
        return self._client._run(self._operations.recall(queries, k, options))

    def rename(self, name: str) -> None:
        """Give the collection another name; its table keeps its own."""
        self._client._run(self._operations.rename(name))

    def set_metadata(self, metadata: Metadata) -> None:
        """Replace the metadata of the collection itself."""
        self._client._run(self._operations.set_metadata(metadata))


class Client:
    """Collections of one tenant and database.  Close it, or use it in a with block."""

    def __init__(
        self,
        dsn: str,
        *,
        tenant: str = "default_tenant",
        database: str = "default_database",
        min_size: int = 1,
        max_size: int = 10,
        create_extension: bool = True,
        server: EmbeddedServer | None = None,
    ) -> None:
        self.dsn = dsn
        self.space = Space(tenant, database)
        self.server = server
        try:
            with psycopg.connect(dsn, autocommit=True) as conn:
                if create_extension:
                    _create_extension(conn)
                _configure(conn)
        except psycopg.Error as error:
            raise _translated(error) from error
        self._pool = ConnectionPool(
            dsn,
            kwargs=_CONNECTED,
            configure=_configure,
            min_size=min_size,
            max_size=max_size,
            timeout=_TIMEOUT,
            open=False,
        )
        try:
            # a request before the first connection is there would make a second one, and
            # they would take turns for ever
            self._pool.open(wait=True, timeout=_TIMEOUT)
        except psycopg.Error as error:
            self._pool.close()
            raise _translated(error) from error

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back connections; an embedded server stops if nobody else uses it."""
        self._pool.close()
        if self.server is not None:
            self.server.close()

    def _run(self, operation: Operation[T]) -> T:
        """Take an operation's steps on a connection of the pool."""
        try:
            with self._pool.connection() as conn:
                return self._steps(conn, operation)
        except PoolTimeout as error:
            raise _translated(error) from error

    @staticmethod
    def _steps(conn: psycopg.Connection, operation: Operation[T]) -> T:
        try:
            step = next(operation)
            while True:
                try:
                    result = _take(conn, step)
                except psycopg.Error as error:
                    step = operation.throw(_translated(error))
                else:
                    step = operation.send(result)
        except StopIteration as end:
            return end.value

    @contextlib.contextmanager
    def connection(self) -> Iterator[psycopg.Connection]:
        """A connection of the pool, which knows nanovec's types, for SQL of one's own."""
        with self._pool.connection() as conn:
            yield conn

    def create_collection(
        self,
        name: str,
        dimension: int | None = None,
        *,
        metric: Metric = "cosine",
        index: dict[str, Any] | None = None,
        schema: dict[str, Any] | None = None,
        promote: Sequence[str] = (),
        normalized: bool = False,
        type: str = "vector",
        text_search: str | None = None,
        metadata: Metadata | None = None,
        get_or_create: bool = False,
    ) -> Collection:
        """Make a collection; without a dimension, the first row says it."""
        wanted = Definition(
            dimension, metric, index, schema, promote, normalized, type, text_search, metadata
        )
        return Collection(self, self._run(ops.create(self.space, name, wanted, get_or_create)))

    def get_collection(self, name: str) -> Collection:
        """A collection that is there."""
        return Collection(self, self._run(ops.describe(self.space, name)))

    def get_collection_by_id(self, id_: UUID) -> Collection:
        """The collection that has an id."""
        return Collection(self, self._run(ops.describe_by_id(self.space, id_)))

    def list_collections(self, limit: int | None = None, offset: int = 0) -> list[CollectionInfo]:
        """The collections that one may read, in order of name."""
        return self._run(ops.list_collections(self.space, limit, offset))

    def count_collections(self) -> int:
        """How many collections one may read."""
        return self._run(ops.count_collections(self.space))

    def drop_collection(self, name: str) -> None:
        """Drop a collection with its table."""
        self._run(ops.call("drop_collection", name, self.space.tenant, self.space.database))

    def create_tenant(self, name: str, owner: str | None = None, schema: str | None = None) -> None:
        """Make a tenant, whose tables belong to a role."""
        self._run(ops.call("create_tenant", name, owner, schema))

    def create_database(self, name: str) -> None:
        """Make a database of this client's tenant."""
        self._run(ops.call("create_database", name, self.space.tenant))

    def list_databases(self) -> list[str]:
        """The databases of this client's tenant."""
        return self._run(ops.list_databases(self.space.tenant))

    def drop_database(self, name: str, *, cascade: bool = False) -> None:
        """Remove a database of this client's tenant, with its collections if asked to."""
        self._run(ops.drop_database(Space(self.space.tenant, name), cascade))


def _create_extension(conn: psycopg.Connection) -> None:
    there = "SELECT FROM pg_extension WHERE extname = 'nanovec_collections'"
    if conn.execute(there).rowcount == 0:
        conn.execute("CREATE EXTENSION IF NOT EXISTS nanovec_collections CASCADE")


# -- one that awaits


async def _configure_async(conn: psycopg.AsyncConnection) -> None:
    rows = await (await conn.execute(type_query())).fetchall()
    if len(rows) != 2:
        raise ServerError(_NO_EXTENSION)
    register(conn, *type_infos(rows))


async def _take_async(conn: psycopg.AsyncConnection, step: Step) -> Any:
    """Take one step of an operation."""
    if isinstance(step, Fetch):
        cursor = psycopg.AsyncRawCursor(conn)
        await cursor.execute(
            as_sql(step.statement), step.parameters, prepare=step.prepare, binary=True
        )
        return await cursor.fetchall() if _rows(cursor) else []
    if isinstance(step, Pipeline):
        steps = ([_set(step.settings)] if step.settings else []) + step.steps
        cursors = []
        async with conn.transaction(), conn.pipeline():
            for one in steps:
                cursor = psycopg.AsyncRawCursor(conn)
                await cursor.execute(
                    as_sql(one.statement), one.parameters, prepare=one.prepare, binary=True
                )
                cursors.append(cursor)
        found = [await cursor.fetchall() for cursor in cursors]
        return found[len(steps) - len(step.steps) :]
    assert isinstance(step, CopyIn)
    async with (
        conn.transaction(),
        conn.cursor() as cursor,
        cursor.copy(as_sql(step.statement)) as copy,
    ):
        for piece in step.pieces:
            await copy.write(piece)
    return None


class AsyncCollection:
    """What Collection is, for asyncio."""

    def __init__(self, client: AsyncClient, info: CollectionInfo) -> None:
        self._client = client
        self._operations = ops.CollectionOperations(client.space, info)

    def __repr__(self) -> str:
        return f"<nanovec collection {self.name!r}>"

    @property
    def name(self) -> str:
        """The collection's name."""
        return self._operations.info.name

    @property
    def info(self) -> CollectionInfo:
        """What the collection is, as last looked up."""
        return self._operations.info

    async def refresh(self) -> CollectionInfo:
        """Look up again what the collection is."""
        await self._client._run(self._operations.refresh())
        return self.info

    async def add(
        self,
        ids: Sequence[str],
        embeddings: Any,
        documents: Sequence[str | None] | None = None,
        metadatas: Sequence[Metadata | None] | None = None,
    ) -> int:
        """See Collection.add()."""
        return await self._client._run(self._operations.add(ids, embeddings, documents, metadatas))

    async def upsert(
        self,
        ids: Sequence[str],
        embeddings: Any,
        documents: Sequence[str | None] | None = None,
        metadatas: Sequence[Metadata | None] | None = None,
    ) -> int:
        """See Collection.upsert()."""
        return await self._client._run(
            self._operations.upsert(ids, embeddings, documents, metadatas)
        )

    async def update(
        self,
        ids: Sequence[str],
        embeddings: Any = None,
        documents: Sequence[str | None] | None = None,
        metadatas: Sequence[Metadata | None] | None = None,
    ) -> int:
        """See Collection.update()."""
        return await self._client._run(
            self._operations.update(ids, embeddings, documents, metadatas)
        )

    async def delete(
        self,
        ids: Sequence[str] | None = None,
        *,
        where: Metadata | None = None,
        where_document: Metadata | None = None,
    ) -> int:
        """See Collection.delete()."""
        return await self._client._run(self._operations.delete(ids, where, where_document))

    async def get(
        self,
        ids: Sequence[str] | None = None,
        *,
        where: Metadata | None = None,
        where_document: Metadata | None = None,
        limit: int | None = None,
        offset: int = 0,
        include: Sequence[Include] = _INCLUDED,
    ) -> GetResult:
        """See Collection.get()."""
        return await self._client._run(
            self._operations.get(ids, where, where_document, limit, offset, include)
        )

    async def peek(self, limit: int = 10) -> GetResult:
        """See Collection.peek()."""
        return await self.get(limit=limit, include=_ALL)

    async def count(
        self, *, where: Metadata | None = None, where_document: Metadata | None = None
    ) -> int:
        """See Collection.count()."""
        return await self._client._run(self._operations.count(where, where_document))

    async def query(
        self,
        embeddings: Any,
        k: int = 10,
        *,
        where: Metadata | None = None,
        where_document: Metadata | None = None,
        threshold: float | None = None,
        include: Sequence[Include] = _INCLUDED,
        options: dict[str, Any] | None = None,
        ids: Sequence[str] | None = None,
    ) -> QueryResult:
        """See Collection.query()."""
        return await self._client._run(
            self._operations.query(
                embeddings, k, where, where_document, threshold, include, options, ids
            )
        )

    async def hybrid(
        self,
        embedding: Any,
        text: str,
        k: int = 10,
        *,
        where: Metadata | None = None,
        where_document: Metadata | None = None,
        candidates: int = 100,
        weights: tuple[float, float] = (1.0, 1.0),
        include: Sequence[Include] = _INCLUDED,
    ) -> HybridResult:
        """See Collection.hybrid()."""
        return await self._client._run(
            self._operations.hybrid(
                embedding, text, k, where, where_document, candidates, weights, include
            )
        )

    async def rebuild(self, index: dict[str, Any] | None = None) -> None:
        """See Collection.rebuild()."""
        await self._client._run(self._operations.rebuild(index))

    async def set_search_options(self, options: dict[str, Any]) -> None:
        """See Collection.set_search_options()."""
        await self._client._run(self._operations.set_search_options(options))

    @contextlib.asynccontextmanager
    async def batch(self) -> AsyncIterator[AsyncCollection]:
        """See Collection.batch()."""
        await self.begin_batch()
        try:
            yield self
        finally:
            await self.end_batch()

    async def begin_batch(self) -> None:
        """Drop the index until end_batch(), for those who cannot use a with block."""
        await self._client._run(self._operations.batch_begin())

    async def end_batch(self) -> None:
        """Build the index after begin_batch(), if no other batch is open."""
        await self._client._run(self._operations.batch_end(False))

    async def end_batches(self) -> None:
        """See Collection.end_batches()."""
        await self._client._run(self._operations.batch_end(True))

    async def begin_load(self, rows: int) -> bool:
        """What the HTTP server does when so many rows come: see nanovec.load_begin() in SQL."""
        return await self._client._run(self._operations.load_begin(rows))

    async def end_load(self) -> None:
        """Build the index after begin_load()."""
        await self._client._run(self._operations.load_end())

    async def stats(self) -> dict[str, Any]:
        """See Collection.stats()."""
        return await self._client._run(self._operations.stats())

    async def recall(
        self, queries: int = 100, k: int = 10, options: dict[str, Any] | None = None
    ) -> Recall:
        """See Collection.recall()."""
        return await self._client._run(self._operations.recall(queries, k, options))

    async def rename(self, name: str) -> None:
        """See Collection.rename()."""
        await self._client._run(self._operations.rename(name))

    async def set_metadata(self, metadata: Metadata) -> None:
        """See Collection.set_metadata()."""
        await self._client._run(self._operations.set_metadata(metadata))


class AsyncClient:
    """What Client is, for asyncio: make it with connect_async() or open_async()."""

    def __init__(
        self, pool: AsyncConnectionPool, dsn: str, space: Space, server: EmbeddedServer | None
    ) -> None:
        self._pool = pool
        self.dsn = dsn
        self.space = space
        self.server = server

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Give back connections; an embedded server stops if nobody else uses it."""
        await self._pool.close()
        if self.server is not None:
            self.server.close()

    def at(self, tenant: str, database: str) -> AsyncClient:
        """A client of another tenant and database, with the same connections."""
        return AsyncClient(self._pool, self.dsn, Space(tenant, database), None)

    def pool_stats(self) -> dict[str, int]:
        """What psycopg_pool counts of connections and of those who wait for one."""
        return self._pool.get_stats()

    async def check_connections(self) -> None:
        """Replace connections that are broken, as after a restart of the server."""
        await self._pool.check()

    async def _run(self, operation: Operation[T]) -> T:
        try:
            async with self._pool.connection() as conn:
                return await self._steps(conn, operation)
        except (PoolTimeout, TooManyRequests) as error:
            raise _translated(error) from error

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[psycopg.AsyncConnection]:
        """See Client.connection()."""
        try:
            async with self._pool.connection() as conn:
                yield conn
        except psycopg.Error as error:
            raise _translated(error) from error

    @staticmethod
    async def _steps(conn: psycopg.AsyncConnection, operation: Operation[T]) -> T:
        try:
            step = next(operation)
            while True:
                try:
                    result = await _take_async(conn, step)
                except psycopg.Error as error:
                    step = operation.throw(_translated(error))
                else:
                    step = operation.send(result)
        except StopIteration as end:
            return end.value

    async def create_collection(
        self,
        name: str,
        dimension: int | None = None,
        *,
        metric: Metric = "cosine",
        index: dict[str, Any] | None = None,
        schema: dict[str, Any] | None = None,
        promote: Sequence[str] = (),
        normalized: bool = False,
        type: str = "vector",
        text_search: str | None = None,
        metadata: Metadata | None = None,
        get_or_create: bool = False,
    ) -> AsyncCollection:
        """See Client.create_collection()."""
        wanted = Definition(
            dimension, metric, index, schema, promote, normalized, type, text_search, metadata
        )
        info = await self._run(ops.create(self.space, name, wanted, get_or_create))
        return AsyncCollection(self, info)

    async def get_collection(self, name: str) -> AsyncCollection:
        """See Client.get_collection()."""
        return AsyncCollection(self, await self._run(ops.describe(self.space, name)))

    async def get_collection_by_id(self, id_: UUID) -> AsyncCollection:
        """See Client.get_collection_by_id()."""
        return AsyncCollection(self, await self._run(ops.describe_by_id(self.space, id_)))

    async def list_collections(
        self, limit: int | None = None, offset: int = 0
    ) -> list[CollectionInfo]:
        """See Client.list_collections()."""
        return await self._run(ops.list_collections(self.space, limit, offset))

    async def count_collections(self) -> int:
        """See Client.count_collections()."""
        return await self._run(ops.count_collections(self.space))

    async def drop_collection(self, name: str) -> None:
        """See Client.drop_collection()."""
        await self._run(ops.call("drop_collection", name, self.space.tenant, self.space.database))

    async def create_tenant(
        self, name: str, owner: str | None = None, schema: str | None = None
    ) -> None:
        """See Client.create_tenant()."""
        await self._run(ops.call("create_tenant", name, owner, schema))

    async def create_database(self, name: str) -> None:
        """See Client.create_database()."""
        await self._run(ops.call("create_database", name, self.space.tenant))

    async def list_databases(self) -> list[str]:
        """See Client.list_databases()."""
        return await self._run(ops.list_databases(self.space.tenant))

    async def drop_database(self, name: str, *, cascade: bool = False) -> None:
        """See Client.drop_database()."""
        await self._run(ops.drop_database(Space(self.space.tenant, name), cascade))

    async def list_loading(self) -> list[tuple[Space, UUID]]:
        """Where a load that begin_load() began is under way, or was left open."""
        return await self._run(ops.list_loading())

    async def collection_sizes(self) -> list[CollectionSize]:
        """Estimated rows and exact sizes of all collections, of any tenant, that one may read."""
        return await self._run(ops.collection_sizes())


# -- ways in


def connect(
    dsn: str,
    *,
    tenant: str = "default_tenant",
    database: str = "default_database",
    max_size: int = 10,
    create_extension: bool = True,
) -> Client:
    """A client of any PostgreSQL that has nanovec; dsn is a URL or libpq's key=value pairs."""
    return Client(
        dsn,
        tenant=tenant,
        database=database,
        max_size=max_size,
        create_extension=create_extension,
    )


def open_(
    path: str | os.PathLike[str] = "nanovec_data",
    *,
    keep_running: bool = False,
    tenant: str = "default_tenant",
    database: str = "default_database",
    max_size: int = 10,
) -> Client:
    """A client of the embedded PostgreSQL in a directory, which is made where it is missing.

    Several processes may open the same directory.  The server stops when the
    last of them closes it or ends, unless keep_running is set.
    """
    server = EmbeddedServer(path, keep_running=keep_running)
    try:
        return Client(
            server.dsn, tenant=tenant, database=database, max_size=max_size, server=server
        )
    except BaseException:
        server.close()
        raise


async def connect_async(
    dsn: str,
    *,
    tenant: str = "default_tenant",
    database: str = "default_database",
    max_size: int = 10,
    server: EmbeddedServer | None = None,
    create_extension: bool = True,
    timeout: float = _TIMEOUT,
    max_waiting: int = 0,
    settings: dict[str, str] | None = None,
) -> AsyncClient:
    """What connect() is, for asyncio.

    BusyError is raised when no connection is free within timeout seconds, or when
    max_waiting others (0: any number) wait for one.  Connections have these settings
    of PostgreSQL's.
    """
    try:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as conn:
            if create_extension:
                await conn.execute("CREATE EXTENSION IF NOT EXISTS nanovec_collections CASCADE")
            await _configure_async(conn)
    except psycopg.Error as error:
        raise _translated(error) from error

    async def configure(conn: psycopg.AsyncConnection) -> None:
        for name, value in (settings or {}).items():
            await conn.execute("SELECT set_config(%s, %s, false)", [name, value])
        await _configure_async(conn)

    pool: AsyncConnectionPool[psycopg.AsyncConnection] = AsyncConnectionPool(
        dsn,
        kwargs=_CONNECTED,
        configure=configure,
        min_size=1,
        max_size=max_size,
        timeout=timeout,
        max_waiting=max_waiting,
        open=False,
    )
    try:
        await pool.open(wait=True, timeout=_TIMEOUT)
    except psycopg.Error as error:
        await pool.close()
        raise _translated(error) from error
    return AsyncClient(pool, dsn, Space(tenant, database), server)


async def open_async(
    path: str | os.PathLike[str] = "nanovec_data",
    *,
    keep_running: bool = False,
    tenant: str = "default_tenant",
    database: str = "default_database",
    max_size: int = 10,
) -> AsyncClient:
    """What open() is, for asyncio."""
    server = EmbeddedServer(path, keep_running=keep_running)
    try:
        return await connect_async(
            server.dsn, tenant=tenant, database=database, max_size=max_size, server=server
        )
    except BaseException:
        server.close()
        raise
