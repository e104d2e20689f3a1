"""Import and export of collections.

An import writes how far it has come in the same transaction as the rows, so
that it goes on exactly there after any break.  Into a collection that is empty,
or small beside the file, rows are loaded without an index, which is built at
the end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import psycopg

from . import archive, files
from ._wire import CopyReader, as_sql, dump_json
from .client import Client, Collection
from .errors import (
    AlreadyExistsError,
    InvalidArgumentError,
    InvalidFileError,
    NanovecError,
    NotFoundError,
    translate,
)
from .files import BadRow, Batch, ReadOptions, Row, Rows
from .models import CollectionInfo

READERS: dict[str, files.Reader] = {
    ".npy": files.read_npy,
    ".fvecs": files.read_fvecs,
    ".bvecs": files.read_bvecs,
    ".jsonl": files.read_jsonl,
    ".csv": files.read_csv,
    ".parquet": files.read_parquet,
    ".hdf5": files.read_hdf5,
    ".h5": files.read_hdf5,
    ".nvec": archive.read_nvec,
}
WRITERS: dict[str, type[files.Writer]] = {
    ".npy": files.NpyWriter,
    ".fvecs": files.FvecsWriter,
    ".bvecs": files.BvecsWriter,
    ".jsonl": files.JsonlWriter,
    ".csv": files.CsvWriter,
    ".parquet": files.ParquetWriter,
    ".hdf5": files.Hdf5Writer,
    ".h5": files.Hdf5Writer,
    ".nvec": archive.NvecWriter,
}
#: what a callback is told: rows read so far, and bad ones
Progress = Callable[[int, int], None]


def _nothing(read: int, bad: int) -> None:
    pass


@dataclass
class ImportResult:
    """What an import did."""

    read: int = 0
    written: int = 0
    bad: int = 0
    #: where it went on, if an earlier one was broken off
    resumed_at: int = 0


def suffix_of(path: Path, known: dict[str, Any]) -> str:
    """The kind of a file by its name; raises InvalidArgumentError."""
    suffix = path.suffix.lower()
    if suffix not in known:
        raise InvalidArgumentError(f"{path}: a name must end in {', '.join(known)}")
    return suffix


class Importer:
    """One import of rows into one collection."""

    def __init__(
        self,
        client: Client,
        collection: Collection,
        source: str,
        *,
        mode: str = "add",
        bad_rows: Path | None = None,
        progress: Progress = _nothing,
    ) -> None:
        self._client = client
        self._collection = collection
        self._source = source
        self._upsert = mode == "upsert"
        self._bad_rows = bad_rows
        self._progress = progress
        self.result = ImportResult()

    @property
    def _key(self) -> list[Any]:
        return [self._collection.info.id, self._source]

    def begin(self, restart: bool) -> int:
        """Where to begin; drops the index where that pays."""
        with self._client.connection() as conn, conn.transaction():
            found = conn.execute(
                "SELECT rows_read, rows_bad, in_batch FROM nanovec.imports "
                "WHERE collection = %s AND source = %s FOR UPDATE",
                self._key,
            ).fetchone()
            if found is not None:
                start, bad = (0, 0) if restart else (found[0], found[1])
                conn.execute(
                    "UPDATE nanovec.imports SET rows_read = %s, rows_bad = %s, changed_at = now() "
                    "WHERE collection = %s AND source = %s",
                    [start, bad, *self._key],
                )
                self.result.resumed_at = self.result.read = start
                self.result.bad = bad
                return start
            count = f"SELECT FROM {self._collection.info.relation} LIMIT 1"
            empty = conn.execute(as_sql(count)).rowcount == 0
            if empty:
                space = self._client.space
                conn.execute(
                    "SELECT nanovec.batch_begin(%s, %s, %s)",
                    [self._collection.name, space.tenant, space.database],
                )
            conn.execute(
                "INSERT INTO nanovec.imports (collection, source, in_batch) VALUES (%s, %s, %s)",
                [*self._key, empty],
            )
        return 0

    def run(self, batches: Iterator[Batch]) -> None:
        """Write all batches."""
        for batch in batches:
            # a row that a file has twice is the second time there already
            with self._client.connection() as conn, conn.transaction():
                self._write(conn, batch.rows, batch.bad)
                conn.execute(
                    "UPDATE nanovec.imports SET rows_read = %s, rows_bad = rows_bad + %s, "
                    "changed_at = now() WHERE collection = %s AND source = %s",
                    [batch.end, len(batch.bad), *self._key],
                )
                self._keep(batch.bad)
            self.result.read = batch.end
            self.result.bad += len(batch.bad)
            self._progress(self.result.read, self.result.bad)

    def end(self) -> None:
        """Build the index, and forget how far the import had come."""
        space = self._client.space
        with self._client.connection() as conn, conn.transaction():
            (in_batch,) = conn.execute(
                "DELETE FROM nanovec.imports WHERE collection = %s AND source = %s "
                "RETURNING in_batch",
                self._key,
            ).fetchone() or (False,)
            if in_batch and self._collection.refresh().batches > 0:
                conn.execute(
                    "SELECT nanovec.batch_end(%s, false, %s, %s)",
                    [self._collection.name, space.tenant, space.database],
                )
            relation = self._collection.info.relation
            conn.execute(as_sql(f"ANALYZE {relation}"))
        self._collection.refresh()

    def _keep(self, bad: list[BadRow]) -> None:
        if not bad or self._bad_rows is None:
            return
        with self._bad_rows.open("ab") as file:
            for row in bad:
                file.write(
                    dump_json({"row": row.number, "reason": row.reason, "text": row.row}) + b"\n"
                )

    def _write(self, conn: psycopg.Connection, rows: Rows, bad: list[BadRow]) -> None:
        """Write rows; where some are refused, all but those."""
        if len(rows) == 0:
            return
        rows = self._without_doubles(self._fitting(rows, bad))
        if len(rows) == 0:
            return
        try:
            self.result.written += self._write_all(conn, rows)
        except (InvalidFileError, NotFoundError):
            raise
        except InvalidArgumentError as error:
            if len(rows) == 1:
                bad.append(BadRow(rows.numbers[0], str(error), rows.ids[0]))
                return
            half = len(rows) // 2
            self._write(conn, rows.part(slice(0, half)), bad)
            self._write(conn, rows.part(slice(half, None)), bad)

    def _fitting(self, rows: Rows, bad: list[BadRow]) -> Rows:
        """Those that have as many dimensions as the collection, or as the first."""
        dimension = self._collection.info.dimension or len(rows.vectors[0])
        if isinstance(rows.vectors, np.ndarray):
            lengths = {rows.vectors.shape[1]}
        else:
            lengths = {len(v) for v in rows.vectors}
        if lengths == {dimension}:
            return rows
        kept = []
        for n, vector in enumerate(rows.vectors):
            if len(vector) == dimension:
                kept.append(n)
            else:
                reason = f"it has {len(vector)} dimensions, the collection {dimension}"
                bad.append(BadRow(rows.numbers[n], reason, rows.ids[n]))
        return _chosen(rows, kept)

    def _without_doubles(self, rows: Rows) -> Rows:
        """Of rows with the same id the first, or of an upsert the last."""
        if len(set(rows.ids)) == len(rows.ids):
            return rows
        order = range(len(rows)) if not self._upsert else range(len(rows) - 1, -1, -1)
        places: dict[str, int] = {}
        for n in order:
            places.setdefault(rows.ids[n], n)
        return _chosen(rows, sorted(places.values()))

    def _write_all(self, conn: psycopg.Connection, rows: Rows) -> int:
        operations = self._collection._operations
        matrix = np.asarray(rows.vectors, dtype=np.float32)
        arguments = (rows.ids, matrix, rows.documents, rows.metadatas)
        if not self._upsert:
            return Client._steps(conn, operations.add(*arguments))
        try:
            return Client._steps(conn, operations.copy(*arguments))
        except AlreadyExistsError:
            return Client._steps(conn, operations.upsert(*arguments))


def _chosen(rows: Rows, places: list[int]) -> Rows:
    return Rows(
        [rows.numbers[n] for n in places],
        [rows.ids[n] for n in places],
        [rows.vectors[n] for n in places],
        [rows.documents[n] for n in places],
        [rows.metadatas[n] for n in places],
    )


def _fingerprint(path: Path, options: ReadOptions) -> str:
    """What a file is told by, so that another one is not taken for its rest."""
    found = path.stat()
    text = f"{path.absolute()} {found.st_size} {found.st_mtime_ns} {options}"
    return f"{path.name} {hashlib.sha256(text.encode()).hexdigest()[:32]}"


def collection_of_archive(client: Client, path: Path, name: str | None) -> Collection:
    """The collection that an archive is to go into, made as it was where it is missing."""
    manifest = archive.read_manifest(path)
    what = manifest.collection
    name = name or str(what.get("name"))
    try:
        return client.get_collection(name)
    except NotFoundError:
        pass
    try:
        return client.create_collection(
            name,
            manifest.dimension or None,
            metric=what["metric"],
            index=what["index"],
            schema=what["metadata_schema"],
            promote=list(what["promoted"]),
            normalized=what["normalized"],
            type=what["type"],
            text_search=what["text_search"],
            metadata=what["metadata"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidFileError(f"{path} says of its collection what cannot be: {error}") from error


def read_batches(path: Path, options: ReadOptions, start: int) -> Iterator[Batch]:
    """The rows of a file; what the libraries raise for a damaged one is an InvalidFileError."""
    reader = READERS[suffix_of(path, READERS)]
    if not path.is_file():
        raise InvalidFileError(f"{path} is no file")
    try:
        yield from reader(path, options, start)
    except NanovecError:
        raise
    except Exception as error:
        raise InvalidFileError(f"{path} cannot be read: {error or type(error).__name__}") from error


def import_file(
    client: Client,
    collection: Collection,
    path: Path,
    *,
    options: ReadOptions | None = None,
    mode: str = "add",
    restart: bool = False,
    bad_rows: Path | None = None,
    progress: Progress = _nothing,
) -> ImportResult:
    """Import a file; after a break, the same call goes on where it was."""
    options = options or ReadOptions()
    suffix_of(path, READERS)
    if not path.is_file():
        raise InvalidFileError(f"{path} is no file")
    importer = Importer(
        client,
        collection,
        _fingerprint(path, options),
        mode=mode,
        bad_rows=bad_rows,
        progress=progress,
    )
    try:
        start = importer.begin(restart)
        if start == 0 and bad_rows is not None:
            bad_rows.unlink(missing_ok=True)
        importer.run(read_batches(path, options, start))
        importer.end()
    except psycopg.Error as error:
        raise translate(error) from error
    except OSError as error:
        raise NanovecError(f"{error.filename or path}: {error.strerror}") from error
    return importer.result


# -- export


def read_rows(conn: psycopg.Connection, info: CollectionInfo) -> Iterator[list[Row]]:
    """All rows of a collection, some at a time, by binary COPY."""
    reader = CopyReader(4)
    rows: list[Row] = []

    def take(values: list[bytes | None]) -> None:
        id_, vector, document, metadata = values
        assert id_ is not None and vector is not None and metadata is not None
        rows.append(
            Row(
                id_.decode(),
                np.frombuffer(vector, ">f4", offset=4).astype(np.float32),
                None if document is None else document.decode(),
                # the first byte is the version of jsonb's binary form
                orjson.loads(metadata[1:]),
            )
        )

    statement = (
        f"COPY (SELECT id, embedding::{info.vector_schema}.vector, document, metadata "
        f"FROM {info.relation} ORDER BY id) TO STDOUT (FORMAT binary)"
    )
    with conn.cursor() as cursor, cursor.copy(as_sql(statement)) as copy:
        for piece in copy:
            reader.feed(piece, take)
            if len(rows) >= 1000:
                yield rows
                rows.clear()
    if rows:
        yield rows


def export_file(
    client: Client, collection: Collection, path: Path, progress: Progress = _nothing
) -> int:
    """Export a collection as it is at this moment; returns how many rows."""
    writer_class = WRITERS[suffix_of(path, WRITERS)]
    info = collection.refresh()
    done = 0
    try:
        with client.connection() as conn, conn.transaction():
            conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            count = f"SELECT count(*) FROM {info.relation}"
            (rows,) = conn.execute(as_sql(count)).fetchone() or (0,)
            writer = writer_class(path, rows, info.dimension or 1)
            if isinstance(writer, archive.NvecWriter):
                writer.info = info
                writer.dimension = info.dimension or 0
            writer.open()
            try:
                for some in read_rows(conn, info):
                    writer.write(some)
                    done += len(some)
                    progress(done, 0)
                writer.finish()
                writer.publish()
            except BaseException:
                writer.abandon()
                raise
    except psycopg.Error as error:
        raise translate(error) from error
    except OSError as error:
        raise NanovecError(f"{error.filename or path}: {error.strerror}") from error
    return done
