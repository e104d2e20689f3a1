"""What a collection does, as steps that a connection takes.

Each operation is a generator: it yields steps, is sent what they return, and
returns its result.  Client and AsyncClient only differ in how they take steps,
so that all else is written once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import numpy as np
from psycopg.types.json import Jsonb

from ._wire import Vector, Vectors, as_matrix, copy_rows, dump_json
from .errors import AlreadyExistsError, InvalidArgumentError, NanovecError, NotFoundError
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


@dataclass
class Fetch:
    """Run a statement and return its rows."""

    statement: str
    parameters: Sequence[Any] = ()
    prepare: bool | None = None


@dataclass
class Pipeline:
    """Run statements in one exchange with the server, and return the rows of each."""

    steps: list[Fetch]
    #: set for these statements only
    settings: dict[str, str] = field(default_factory=dict)


@dataclass
class CopyIn:
    """COPY rows in, or leave all as it was."""

    statement: str
    pieces: Iterable[bytes]


Step = Fetch | Pipeline | CopyIn
Operation = Generator[Step, Any, T]

# rows of a call beyond which they are sent by COPY, and how many bytes a statement carries
_COPY_FROM = 500
_STATEMENT_BYTES = 32 << 20
_CACHED = 256
_INCLUDED: tuple[Include, ...] = ("documents", "metadatas")


@dataclass(frozen=True)
class Space:
    """Where collections are looked up."""

    tenant: str = "default_tenant"
    database: str = "default_database"


def _json(value: Any) -> Jsonb | None:
    return None if value is None else Jsonb(value)


def describe(space: Space, name: str) -> Operation[CollectionInfo]:
    """What a collection is."""
    rows = yield Fetch(
        "SELECT nanovec.describe_collection($1, $2, $3)", [name, space.tenant, space.database]
    )
    return CollectionInfo.model_validate(rows[0][0])


def describe_by_id(space: Space, id_: UUID) -> Operation[CollectionInfo]:
    """What the collection with an id is."""
    rows = yield Fetch(
        "SELECT nanovec.describe_collection(nanovec.collection_name($1, $2, $3), $2, $3)",
        [id_, space.tenant, space.database],
    )
    return CollectionInfo.model_validate(rows[0][0])


def list_collections(
    space: Space, limit: int | None = None, offset: int = 0
) -> Operation[list[CollectionInfo]]:
    """The collections that one may read, in order of name."""
    rows = yield Fetch(
        "SELECT nanovec.describe_collection(name, $1, $2) FROM (SELECT name FROM "
        "nanovec.list_collections($1, $2) LIMIT $3::bigint OFFSET $4::bigint) AS c",
        [space.tenant, space.database, limit, offset],
    )
    return [CollectionInfo.model_validate(row[0]) for row in rows]


def count_collections(space: Space) -> Operation[int]:
    """How many collections one may read."""
    rows = yield Fetch(
        "SELECT count(*) FROM nanovec.list_collections($1, $2)", [space.tenant, space.database]
    )
    return rows[0][0]


def collection_sizes() -> Operation[list[CollectionSize]]:
    """Estimated rows and exact sizes of all collections that one may read."""
    rows = yield Fetch(
        "SELECT c.tenant, c.database, c.name, greatest(r.reltuples, 0)::bigint, "
        "pg_table_size(r.oid), pg_indexes_size(r.oid) "
        "FROM nanovec.collections AS c JOIN pg_class AS r ON r.oid = c.relation"
    )
    return [CollectionSize(*row) for row in rows]


def list_loading() -> Operation[list[tuple[Space, UUID]]]:
    """Where first loads are under way, or were when a server crashed."""
    rows = yield Fetch("SELECT tenant, database, id FROM nanovec.collections WHERE loading")
    return [(Space(tenant, database), id_) for tenant, database, id_ in rows]


def list_databases(tenant: str) -> Operation[list[str]]:
    """The databases of a tenant, in order of name."""
    rows = yield Fetch(
        "SELECT d.name FROM nanovec.tenants AS t LEFT JOIN nanovec.databases AS d "
        'ON d.tenant = t.name WHERE t.name = $1 ORDER BY d.name COLLATE "C"',
        [tenant],
    )
    if not rows:
        raise NotFoundError(f"tenant {tenant!r} does not exist")
    return [row[0] for row in rows if row[0] is not None]


def drop_database(space: Space, cascade: bool) -> Operation[None]:
    """Remove a database, with its collections if asked to."""
    where = [space.tenant, space.database]
    steps = [Fetch("SELECT nanovec.drop_database($2, $1)", where)]
    if cascade:
        drop = "SELECT nanovec.drop_collection(name, $1, $2) FROM nanovec.list_collections($1, $2)"
        steps.insert(0, Fetch(drop, where))
    yield Pipeline(steps)


@dataclass(frozen=True)
class Definition:
    """What a new collection is to be; see Client.create_collection()."""

    dimension: int | None = None
    metric: Metric = "cosine"
    index: dict[str, Any] | None = None
    schema: dict[str, Any] | None = None
    promote: Sequence[str] = ()
    normalized: bool = False
    type: str = "vector"
    text_search: str | None = None
    metadata: Metadata | None = None


def create(
    space: Space, name: str, wanted: Definition, get_or_create: bool
) -> Operation[CollectionInfo]:
    """Make a collection, or take the one that is there."""
    parameters = [
        name, wanted.dimension, wanted.metric, Jsonb(wanted.index or {}),
        Jsonb(wanted.schema or {}), list(wanted.promote), wanted.normalized, wanted.type,
        wanted.text_search, Jsonb(wanted.metadata or {}), space.tenant, space.database,
    ]  # fmt: skip
    try:
        yield Fetch(
            "SELECT nanovec.create_collection($1, $2, $3, $4, $5, $6, $7, $8, $9::text::regconfig, "
            "$10, $11, $12)",
            parameters,
        )
    except AlreadyExistsError:
        if not get_or_create:
            raise
    return (yield from describe(space, name))


def call(function: str, *parameters: Any) -> Operation[Any]:
    """Call a function that returns one value."""
    places = ", ".join(f"${n}" for n in range(1, len(parameters) + 1))
    rows = yield Fetch(f"SELECT nanovec.{function}({places})", parameters)
    return rows[0][0]


class CollectionOperations:
    """The operations of one collection."""

    def __init__(self, space: Space, info: CollectionInfo) -> None:
        self.space = space
        self.info = info
        self._statements: OrderedDict[tuple[Any, ...], str] = OrderedDict()

    @property
    def _where(self) -> tuple[str, str]:
        return self.space.tenant, self.space.database

    def refresh(self) -> Operation[None]:
        """Look up again what the collection is."""
        self._statements.clear()
        self.info = yield from describe(self.space, self.info.name)

    # -- rows

    def _check_rows(
        self,
        ids: Sequence[str],
        documents: Sequence[str | None] | None,
        metadatas: Sequence[Metadata | None] | None,
    ) -> None:
        if isinstance(ids, str):
            raise InvalidArgumentError("ids must be a list of texts")
        for id_ in ids:
            if not isinstance(id_, str) or "\0" in id_:
                raise InvalidArgumentError(f"an id must be a text without NUL, not {id_!r}")
        for what, values in (("documents", documents), ("metadatas", metadatas)):
            if values is not None and len(values) != len(ids):
                raise InvalidArgumentError(f"{len(ids)} ids, but {len(values)} {what}")

    def _batches(self, ids: Sequence[str], dimensions: int) -> Generator[slice, None, None]:
        """Parts of the rows that fit into one statement."""
        size = max(1, _STATEMENT_BYTES // (dimensions * 4 + 256))
        for begin in range(0, len(ids), size):
            yield slice(begin, begin + size)

    def _write(
        self,
        function: str,
        ids: Sequence[str],
        matrix: np.ndarray | None,
        documents: Sequence[str | None] | None,
        metadatas: Sequence[Metadata | None] | None,
    ) -> Operation[int]:
        seen = set()
        for i in ids:
            if i in seen:
                raise InvalidArgumentError(f"id {i!r} was given twice")
            seen.add(i)
        steps = []
        for part in self._batches(ids, 1 if matrix is None else matrix.shape[1]):
            vectors = None if matrix is None else Vectors(matrix[part])
            steps.append(
                Fetch(
                    f"SELECT nanovec.{function}($1, $2::text[], $3, $4::text[], $5::jsonb[], "
                    "$6, $7)",
                    [
                        self.info.name, list(ids[part]), vectors,
                        None if documents is None else list(documents[part]),
                        None if metadatas is None else [_json(m) for m in metadatas[part]],
                        *self._where,
                    ],
                )
            )  # fmt: skip
        results = yield Pipeline(steps or [self._nothing(function)])
        if self.info.dimension is None:
            # the first rows say it
            yield from self.refresh()
        return sum(rows[0][0] for rows in results)

    def _nothing(self, function: str) -> Fetch:
        """A call without rows, for the database to say what is wrong with it."""
        return Fetch(
            f"SELECT nanovec.{function}($1, '{{}}'::text[], NULL, tenant => $2, database => $3)",
            [self.info.name, *self._where],
        )

    def copy(
        self,
        ids: Sequence[str],
        matrix: np.ndarray,
        documents: Sequence[str | None] | None,
        metadatas: Sequence[Metadata | None] | None,
    ) -> Operation[int]:
        """Add rows by COPY; raises AlreadyExistsError if one is there."""
        if self.info.dimension is None:
            yield from call("set_dimension", self.info.name, matrix.shape[1], *self._where)
            yield from self.refresh()
        if matrix.shape[1] != self.info.dimension:
            raise InvalidArgumentError(
                f"collection {self.info.name!r} has {self.info.dimension} dimensions, "
                f"the embeddings have {matrix.shape[1]}"
            )
        clean = (
            None
            if metadatas is None
            else [{k: v for k, v in m.items() if v is not None} if m else None for m in metadatas]
        )
        yield CopyIn(
            f"COPY {self.info.relation} (id, embedding, document, metadata) "
            "FROM STDIN (FORMAT binary)",
            copy_rows(ids, matrix, documents, clean, self.info.type),
        )
        return len(ids)

    def add(
        self,
        ids: Sequence[str],
        embeddings: Any,
        documents: Sequence[str | None] | None,
        metadatas: Sequence[Metadata | None] | None,
    ) -> Operation[int]:
        """Add rows; those whose ids are there stay as they are."""
        self._check_rows(ids, documents, metadatas)
        matrix = as_matrix(embeddings, len(ids)) if len(ids) else None
        if matrix is not None and len(ids) >= _COPY_FROM and "" not in ids:
            try:
                return (yield from self.copy(ids, matrix, documents, metadatas))
            except AlreadyExistsError:
                # some are there, or an id was given twice: the function knows what to do
                pass
        return (yield from self._write("add", ids, matrix, documents, metadatas))

    def upsert(
        self,
        ids: Sequence[str],
        embeddings: Any,
        documents: Sequence[str | None] | None,
        metadatas: Sequence[Metadata | None] | None,
    ) -> Operation[int]:
        """Add rows, or update those whose ids are there."""
        self._check_rows(ids, documents, metadatas)
        matrix = as_matrix(embeddings, len(ids)) if len(ids) else None
        return (yield from self._write("upsert", ids, matrix, documents, metadatas))

    def update(
        self,
        ids: Sequence[str],
        embeddings: Any,
        documents: Sequence[str | None] | None,
        metadatas: Sequence[Metadata | None] | None,
    ) -> Operation[int]:
        """Change what is given of rows that are there."""
        self._check_rows(ids, documents, metadatas)
        matrix = None if embeddings is None or not len(ids) else as_matrix(embeddings, len(ids))
        return (yield from self._write("update", ids, matrix, documents, metadatas))

    def delete(
        self, ids: Sequence[str] | None, where: Metadata | None, where_document: Metadata | None
    ) -> Operation[int]:
        """Delete rows by ids, filters or both."""
        return (
            yield from call(
                "delete", self.info.name, None if ids is None else list(ids), _json(where),
                _json(where_document), *self._where,
            )
        )  # fmt: skip

    def get(
        self,
        ids: Sequence[str] | None,
        where: Metadata | None,
        where_document: Metadata | None,
        limit: int | None,
        offset: int,
        include: Sequence[Include],
    ) -> Operation[GetResult]:
        """Rows in order of id."""
        rows = yield Fetch(
            "SELECT * FROM nanovec.get($1, $2::text[], $3, $4, $5, $6, $7::text[], $8, $9)",
            [
                self.info.name, None if ids is None else list(ids), _json(where),
                _json(where_document), limit, offset, list(include), *self._where,
            ],
        )  # fmt: skip
        return GetResult(
            [r[0] for r in rows],
            [r[1] for r in rows] if "documents" in include else None,
            [r[2] for r in rows] if "metadatas" in include else None,
            self._matrix([r[3] for r in rows]) if "embeddings" in include else None,
        )

    def _matrix(self, vectors: list[np.ndarray]) -> np.ndarray:
        if not vectors:
            return np.empty((0, self.info.dimension or 0), dtype=np.float32)
        return np.stack(vectors)

    def count(self, where: Metadata | None, where_document: Metadata | None) -> Operation[int]:
        """How many rows there are, or filters find."""
        return (
            yield from call(
                "count", self.info.name, _json(where), _json(where_document), *self._where
            )
        )

    # -- searching

    def _statement(
        self,
        where: Metadata | None,
        where_document: Metadata | None,
        include: Sequence[Include],
        k: int,
        by_ids: bool,
    ) -> Operation[str]:
        """The SQL of a search, which the server compiles once for each filter."""
        key = (dump_json([where, where_document]), tuple(include), k, by_ids)
        statement = self._statements.get(key)
        if statement is None:
            statement = yield from call(
                "search_statement", self.info.name, _json(where), _json(where_document),
                list(include), k, *self._where, by_ids,
            )  # fmt: skip
            self._statements[key] = statement
            if len(self._statements) > _CACHED:
                self._statements.popitem(last=False)
        else:
            self._statements.move_to_end(key)
        return statement

    def _settings(self, options: dict[str, Any] | None) -> dict[str, str]:
        wanted = self.info.index | (options or {})
        if options and set(options) - {"ef_search", "n_probe"}:
            raise InvalidArgumentError(
                "search options are ef_search, for hnsw, and n_probe, for ivf"
            )
        names = {"ef_search": "hnsw.ef_search", "n_probe": "ivf.probes"}
        return {names[key]: str(int(wanted[key])) for key in names if key in wanted}

    def query(
        self,
        embeddings: Any,
        k: int,
        where: Metadata | None,
        where_document: Metadata | None,
        threshold: float | None,
        include: Sequence[Include],
        options: dict[str, Any] | None,
        ids: Sequence[str] | None,
    ) -> Operation[QueryResult]:
        """The k nearest rows to each vector."""
        matrix = as_matrix(embeddings, or_one=True)
        if not isinstance(k, int) or isinstance(k, bool) or k < 1:
            raise InvalidArgumentError("k must be at least 1")
        if self.info.dimension is None:
            yield from self.refresh()
        if self.info.dimension is None:
            found: list[list[tuple]] = [[] for _ in matrix]
        elif matrix.shape[1] != self.info.dimension:
            raise InvalidArgumentError(
                f"collection {self.info.name!r} has {self.info.dimension} dimensions, "
                f"the query has {matrix.shape[1]}"
            )
        else:
            settings = self._settings(options)
            among = None if ids is None else list(ids)
            arguments = (matrix, k, where, where_document, include, settings, among)
            try:
                found = yield from self._search(*arguments)
            except NanovecError as error:
                # what was known of the table is no longer so: look again, once
                if error.sqlstate not in ("42P01", "42703", "0A000"):
                    raise
                yield from self.refresh()
                found = yield from self._search(*arguments)
        if threshold is not None:
            found = [[row for row in rows if row[1] <= threshold] for rows in found]
        return QueryResult(
            [[r[0] for r in rows] for rows in found],
            [np.array([r[1] for r in rows], dtype=np.float64) for rows in found],
            [[r[2] for r in rows] for rows in found] if "documents" in include else None,
            [[r[3] for r in rows] for rows in found] if "metadatas" in include else None,
            [self._matrix([r[4] for r in rows]) for rows in found]
            if "embeddings" in include
            else None,
        )

    def _search(
        self,
        matrix: np.ndarray,
        k: int,
        where: Metadata | None,
        where_document: Metadata | None,
        include: Sequence[Include],
        settings: dict[str, str],
        ids: list[str] | None,
    ) -> Operation[list[list[tuple]]]:
        statement = yield from self._statement(where, where_document, include, k, ids is not None)
        among = [] if ids is None else [ids]
        steps = [Fetch(statement, [Vector(row), *among], prepare=True) for row in matrix]
        if len(steps) == 1 and not settings:
            found = [(yield steps[0])]
        else:
            found = yield Pipeline(steps, settings)
        # A search by index may stop before there are k rows where a filter finds few:
        # then the filter's rows are sorted.
        short = [n for n, rows in enumerate(found) if len(rows) < k]
        if short and self.info.index.get("type") != "none":
            exact = yield Pipeline([steps[n] for n in short], {"enable_indexscan": "off"})
            for n, rows in zip(short, exact, strict=True):
                found[n] = rows
        return found

    def hybrid(
        self,
        embedding: Any,
        text: str,
        k: int,
        where: Metadata | None,
        where_document: Metadata | None,
        candidates: int,
        weights: tuple[float, float],
        include: Sequence[Include],
    ) -> Operation[HybridResult]:
        """The best rows by vector and text together."""
        vector = as_matrix(embedding, 1, or_one=True)[0]
        rows = yield Fetch(
            "SELECT * FROM nanovec.hybrid_query($1, $2, $3, $4::int, $5, $6, $7::int, $8::float8, "
            "$9::float8, $10::text[], tenant => $11, database => $12)",
            [
                self.info.name, Vector(vector), text, k, _json(where), _json(where_document),
                candidates, *weights, list(include), *self._where,
            ],
        )  # fmt: skip
        return HybridResult(
            [r[0] for r in rows],
            np.array([r[1] for r in rows], dtype=np.float64),
            [r[2] for r in rows],
            [r[3] for r in rows],
            [r[4] for r in rows] if "documents" in include else None,
            [r[5] for r in rows] if "metadatas" in include else None,
        )

    # -- the index

    def rebuild(self, index: dict[str, Any] | None) -> Operation[None]:
        """Build the index anew."""
        yield from call("rebuild", self.info.name, _json(index), *self._where)
        yield from self.refresh()

    def set_search_options(self, options: dict[str, Any]) -> Operation[None]:
        """Change what searches use unless a call says otherwise."""
        yield from call("set_search_options", self.info.name, Jsonb(options), *self._where)
        yield from self.refresh()

    def batch_begin(self) -> Operation[None]:
        """Drop the index until batch_end()."""
        yield from call("batch_begin", self.info.name, *self._where)

    def batch_end(self, all_batches: bool) -> Operation[None]:
        """Build the index after batch_begin()."""
        yield from call("batch_end", self.info.name, all_batches, *self._where)

    def load_begin(self, rows: int) -> Operation[bool]:
        """Drop the index until load_end(), if so many rows are worth it."""
        return (yield from call("load_begin", self.info.name, rows, *self._where))

    def load_end(self) -> Operation[None]:
        """Build the index after load_begin()."""
        yield from call("load_end", self.info.name, *self._where)

    def stats(self) -> Operation[dict[str, Any]]:
        """Rows, sizes and index."""
        return (yield from call("stats", self.info.name, *self._where))

    def recall(self, queries: int, k: int, options: dict[str, Any] | None) -> Operation[Recall]:
        """What share of the nearest rows searches find."""
        rows = yield Fetch(
            "SELECT * FROM nanovec.recall($1, $2::int, $3::int, $4, $5, $6)",
            [self.info.name, queries, k, Jsonb(options or {}), *self._where],
        )
        recall, worst, asked = rows[0]
        return Recall(recall=recall or 1.0, worst=worst or 0.0, asked=asked)

    def rename(self, name: str) -> Operation[None]:
        """Give the collection another name."""
        yield from call("rename_collection", self.info.name, name, *self._where)
        self._statements.clear()
        self.info = yield from describe(self.space, name)

    def set_metadata(self, metadata: Metadata) -> Operation[None]:
        """Replace the collection's own metadata."""
        yield from call("set_collection_metadata", self.info.name, Jsonb(metadata), *self._where)
        yield from self.refresh()
