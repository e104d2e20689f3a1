"""Collections of Chroma, and tables of pgvector, into collections of nanovec."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import psycopg
from psycopg import sql

from ._wire import CopyReader, as_sql
from .client import Client, Collection
from .errors import InvalidArgumentError, NanovecError, ServerError, translate
from .files import Batch, Rows, rows_of_a_batch
from .models import Metric
from .transfer import Importer, Progress, _nothing

_SAMPLE = 20
_NEAREST = 10


@dataclass
class Migrated:
    """A collection that was migrated, and what the comparison found."""

    source: str
    name: str
    rows: int
    rows_there: int
    bad: int
    #: of the sample's answers, the share that both have
    agreement: float


def _compare(
    collection: Collection, sample: np.ndarray, theirs: Callable[[np.ndarray, int], list[str]]
) -> float:
    """Ask both for the nearest to some vectors."""
    if len(sample) == 0:
        return 1.0
    k = max(1, min(_NEAREST, collection.count()))
    ours = collection.query(sample, k=k, include=[]).ids
    same = asked = 0
    for vector, ids in zip(sample, ours, strict=True):
        expected = set(theirs(vector, k))
        asked += len(expected)
        same += len(expected & set(ids))
    return same / asked if asked else 1.0


def _load(
    client: Client,
    collection: Collection,
    source: str,
    batches: Callable[[int], Iterator[Batch]],
    progress: Progress,
) -> Importer:
    importer = Importer(client, collection, source, progress=progress)
    importer.run(batches(importer.begin(False)))
    importer.end()
    return importer


# -- Chroma


def open_chroma(source: str) -> Any:
    """A client of a Chroma directory, or of a server's URL."""
    try:
        import chromadb  # pyright: ignore[reportMissingImports]
        from chromadb.config import Settings  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise NanovecError(
            "reading Chroma takes its package: pip install 'nanovec[chroma]'"
        ) from error
    quiet = Settings(anonymized_telemetry=False)
    try:
        if source.startswith(("http://", "https://")):
            from urllib.parse import urlsplit

            url = urlsplit(source)
            ssl = url.scheme == "https"
            port = url.port or (443 if ssl else 8000)
            return chromadb.HttpClient(url.hostname or "localhost", port, ssl=ssl, settings=quiet)
        from pathlib import Path

        if not (Path(source) / "chroma.sqlite3").exists():
            raise InvalidArgumentError(f"{source} is no directory of Chroma's")
        return chromadb.PersistentClient(source, settings=quiet)
    except NanovecError:
        raise
    except Exception as error:
        raise ServerError(f"Chroma at {source} cannot be opened: {error}") from error


def _chroma_metric(collection: Any) -> Metric:
    configured = getattr(collection, "configuration_json", None) or {}
    for part in ("hnsw", "spann"):
        space = (configured.get(part) or {}).get("space")
        if space in ("l2", "ip", "cosine"):
            return space
    space = (collection.metadata or {}).get("hnsw:space", "l2")
    return space if space in ("l2", "ip", "cosine") else "l2"


def _chroma_rows(collection: Any, start: int, total: int) -> Iterator[Batch]:
    step = 1000
    while start < total:
        found = collection.get(
            limit=step, offset=start, include=["embeddings", "documents", "metadatas"]
        )
        count = len(found["ids"])
        if count == 0:
            return
        if start == 0:
            step = min(rows_of_a_batch(len(found["embeddings"][0])), 5000)
        end = start + count
        yield Batch(
            Rows(
                list(range(start + 1, end + 1)),
                list(found["ids"]),
                np.asarray(found["embeddings"], dtype=np.float32),
                list(found["documents"] or [None] * count),
                [dict(m) if m else None for m in found["metadatas"] or [None] * count],
            ),
            [],
            end,
        )
        start = end


def migrate_chroma(
    client: Client,
    source: str,
    *,
    names: list[str] | None = None,
    index: dict[str, Any] | None = None,
    progress: Callable[[str, int], Progress] = lambda name, total: _nothing,
) -> Iterator[Migrated]:
    """Take over collections of Chroma, with their metric, metadata and distances."""
    chroma = open_chroma(source)
    # Chroma's metadata may be of any type in any row: no schema is made of it
    found = {c.name: c for c in chroma.list_collections()}
    missing = set(names or ()) - set(found)
    if missing:
        raise InvalidArgumentError(
            f"Chroma has no collection {sorted(missing)[0]!r}; it has {', '.join(sorted(found))}"
        )
    for name in names or sorted(found):
        theirs = found[name]
        total = theirs.count()
        ours = client.create_collection(
            name,
            metric=_chroma_metric(theirs),
            index=index,
            metadata=theirs.metadata,
            get_or_create=True,
        )
        done = _load(
            client, ours, f"chroma {source} {theirs.id}",
            lambda start, c=theirs, n=total: _chroma_rows(c, start, n), progress(name, total),
        )  # fmt: skip
        sample = theirs.get(limit=_SAMPLE, include=["embeddings"])["embeddings"]

        vectors = np.asarray(sample, dtype=np.float32).reshape(-1, ours.info.dimension or 1)

        def ask(vector: np.ndarray, k: int, c: Any = theirs) -> list[str]:
            return c.query(query_embeddings=[vector.tolist()], n_results=k, include=[])["ids"][0]

        yield Migrated(
            name, name, total, ours.count(), done.result.bad, _compare(ours, vectors, ask)
        )  # fmt: skip


# -- pgvector


@dataclass(frozen=True)
class VectorTable:
    """A table with a column of vectors, and what of it becomes what."""

    schema: str
    table: str
    column: str
    dimension: int
    #: the columns of the primary key
    key: tuple[str, ...]
    document: str | None
    metric: Metric
    type_schema: str

    @property
    def name(self) -> sql.Identifier:
        """The table, quoted."""
        return sql.Identifier(self.schema, self.table)


_TABLES = """
SELECT n.nspname, r.relname, a.attname, a.atttypmod, tn.nspname,
    (SELECT array_agg(k.attname ORDER BY array_position(i.indkey::int[], k.attnum::int))
        FROM pg_index AS i
        JOIN pg_attribute AS k ON k.attrelid = r.oid AND k.attnum = ANY (i.indkey)
        WHERE i.indrelid = r.oid AND i.indisprimary),
    (SELECT d.attname FROM pg_attribute AS d WHERE d.attrelid = r.oid AND d.atttypid IN (25, 1043)
        AND d.attname IN ('document', 'content', 'text', 'body', 'page_content')
        AND NOT d.attisdropped
        ORDER BY d.attnum LIMIT 1),
    (SELECT o.opcname FROM pg_index AS i JOIN pg_opclass AS o ON o.oid = i.indclass[0]
        JOIN pg_am AS m ON m.oid = o.opcmethod
        WHERE i.indrelid = r.oid AND i.indkey[0] = a.attnum
        AND m.amname IN ('hnsw', 'ivfflat', 'ivf')
        LIMIT 1)
FROM pg_attribute AS a JOIN pg_class AS r ON r.oid = a.attrelid
    JOIN pg_namespace AS n ON n.oid = r.relnamespace
    JOIN pg_type AS t ON t.oid = a.atttypid JOIN pg_namespace AS tn ON tn.oid = t.typnamespace
WHERE t.typname = 'vector' AND r.relkind IN ('r', 'p') AND NOT r.relispartition
    AND NOT a.attisdropped
    AND has_table_privilege(r.oid, 'SELECT')
    AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = r.oid AND d.deptype = 'e')
ORDER BY 1, 2, 3"""
_METRICS: dict[str, Metric] = {
    "vector_l2_ops": "l2",
    "vector_ip_ops": "ip",
    "vector_cosine_ops": "cosine",
    "vector_l1_ops": "l1",
}
_OPERATORS = {"l2": "<->", "ip": "<#>", "cosine": "<=>", "l1": "<+>"}


def vector_tables(conn: psycopg.Connection) -> list[VectorTable]:
    """The tables of a database that have vectors."""
    return [
        VectorTable(
            schema, table, column, dimension, tuple(key or ()), document,
            _METRICS.get(operators or "", "cosine"), type_schema,
        )
        for schema, table, column, dimension, type_schema, key, document, operators
        in conn.execute(_TABLES).fetchall()
    ]  # fmt: skip


def _id_of(table: VectorTable) -> sql.Composable:
    if not table.key:
        return sql.SQL("ctid::text")
    parts = [sql.SQL("{}::text").format(sql.Identifier(k)) for k in table.key]
    return sql.SQL(" || ':' || ").join(parts)


def _table_rows(conn: psycopg.Connection, table: VectorTable, start: int) -> Iterator[Batch]:
    """Rows in order of the key, those after the first so many."""
    order = [sql.Identifier(k) for k in table.key] or [sql.SQL("ctid")]
    left_out = [table.column, *table.key] + ([table.document] if table.document else [])
    query = sql.SQL(
        "COPY (SELECT {id}, {column}, {document}, to_jsonb(t) - {out}::text[] FROM {table} AS t "
        "WHERE {column} IS NOT NULL ORDER BY {order} OFFSET {start}) TO STDOUT (FORMAT binary)"
    ).format(
        id=_id_of(table),
        column=sql.Identifier(table.column),
        document=sql.Identifier(table.document) if table.document else sql.SQL("NULL::text"),
        out=sql.Literal(left_out),
        table=table.name,
        order=sql.SQL(", ").join(order),
        start=sql.Literal(start),
    )
    reader = CopyReader(4)
    rows = Rows()
    end = start

    def take(values: list[bytes | None]) -> None:
        nonlocal end
        end += 1
        id_, vector, document, metadata = values
        assert id_ is not None and vector is not None and metadata is not None
        assert isinstance(rows.vectors, list)
        rows.numbers.append(end)
        rows.ids.append(id_.decode())
        rows.vectors.append(np.frombuffer(vector, ">f4", offset=4).astype(np.float32))
        rows.documents.append(None if document is None else document.decode())
        fields = {k: v for k, v in orjson.loads(metadata[1:]).items() if v is not None}
        rows.metadatas.append(fields or None)

    with conn.cursor() as cursor, cursor.copy(query) as copy:
        for piece in copy:
            reader.feed(piece, take)
            if len(rows) >= rows_of_a_batch(max(table.dimension, 1)):
                yield Batch(rows, [], end)
                rows = Rows()
    if len(rows):
        yield Batch(rows, [], end)


def migrate_pgvector(
    client: Client,
    dsn: str,
    *,
    names: list[str] | None = None,
    index: dict[str, Any] | None = None,
    progress: Callable[[str, int], Progress] = lambda name, total: _nothing,
) -> Iterator[Migrated]:
    """Take over tables with a column of type vector: other columns become metadata."""
    try:
        with psycopg.connect(dsn, autocommit=True) as conn:
            tables = [
                t for t in vector_tables(conn)
                if not names or t.table in names or f"{t.schema}.{t.table}" in names
            ]  # fmt: skip
            if names and len({t.table for t in tables}) < len(set(names)):
                raise InvalidArgumentError("not all of these tables have a column of type vector")
            many = {t.table for t in tables if sum(o.table == t.table for o in tables) > 1}
            for table in tables:
                name = f"{table.table}.{table.column}" if table.table in many else table.table
                yield _migrate_table(client, conn, table, name, index, progress)
    except psycopg.Error as error:
        raise translate(error) from error


def _migrate_table(
    client: Client,
    conn: psycopg.Connection,
    table: VectorTable,
    name: str,
    index: dict[str, Any] | None,
    progress: Callable[[str, int], Progress],
) -> Migrated:
    column = sql.Identifier(table.column)
    count = sql.SQL("SELECT count(*) FROM {} WHERE {} IS NOT NULL").format(table.name, column)
    (total,) = conn.execute(count).fetchone() or (0,)
    ours = client.create_collection(
        name,
        table.dimension if table.dimension > 0 else None,
        metric=table.metric,
        index=index,
        get_or_create=True,
    )
    done = _load(
        client, ours, f"pgvector {conn.info.dbname} {table.schema}.{table.table}.{table.column}",
        lambda start: _table_rows(conn, table, start), progress(name, total),
    )  # fmt: skip
    # a column without dimensions may have vectors of several: those as long as the first
    fits = sql.SQL("{column} IS NOT NULL AND {schema}.vector_dims({column}) = {n}").format(
        column=column,
        schema=sql.Identifier(table.type_schema),
        n=sql.Literal(ours.info.dimension or 0),
    )
    pick = sql.SQL("SELECT {column}::real[] FROM {table} WHERE {fits} LIMIT {n}").format(
        column=column, table=table.name, fits=fits, n=sql.Literal(_SAMPLE)
    )
    sample = np.array([row[0] for row in conn.execute(pick).fetchall()], dtype=np.float32)
    ask = sql.SQL(
        "SELECT {id} FROM {table} WHERE {fits} ORDER BY {column} "
        "OPERATOR({schema}.{operator}) %s::{schema}.vector LIMIT {k}"
    )

    def theirs(vector: np.ndarray, k: int) -> list[str]:
        query = ask.format(
            id=_id_of(table), table=table.name, column=column, k=sql.Literal(k), fits=fits,
            schema=sql.Identifier(table.type_schema), operator=as_sql(_OPERATORS[table.metric]),
        )  # fmt: skip
        text = "[" + ",".join(str(x) for x in vector) + "]"
        return [row[0] for row in conn.execute(query, [text]).fetchall()]

    return Migrated(
        f"{table.schema}.{table.table}", name, total, ours.count(), done.result.bad,
        _compare(ours, sample, theirs),
    )  # fmt: skip
