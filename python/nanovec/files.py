"""Files of vectors: what is read for an import, and what an export writes.

A reader yields batches, of bounded size however large the file is, and goes on
at any row.  What is wrong with a row is said with it; what is wrong with the
file as a whole is an InvalidFileError.

Formats of bare vectors (.npy, .fvecs, .bvecs) have ids, documents and metadata
in a file beside them, with .jsonl at the end of the name, if they have any.
"""

from __future__ import annotations

import csv
import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson

from ._wire import dump_json
from .errors import InvalidFileError
from .models import Metadata

# a batch has about this many bytes of vectors, and no more rows than this
_BATCH_BYTES = 16 << 20
_BATCH_ROWS = 20_000
_LONGEST_LINE = 64 << 20
_MOST_DIMENSIONS = 16_000


@dataclass
class BadRow:
    """A row that cannot be imported."""

    number: int
    reason: str
    row: str = ""


@dataclass
class Rows:
    """Some rows; number are their places in the file, from 1."""

    numbers: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    vectors: list[np.ndarray] | np.ndarray = field(default_factory=list)
    documents: list[str | None] = field(default_factory=list)
    metadatas: list[Metadata | None] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    def part(self, some: slice) -> Rows:
        """Some of these."""
        return Rows(
            self.numbers[some],
            self.ids[some],
            self.vectors[some],
            self.documents[some],
            self.metadatas[some],
        )


@dataclass
class Batch:
    """Rows that were read, those that are bad, and how many of the file that makes."""

    rows: Rows
    bad: list[BadRow]
    end: int


@dataclass(frozen=True)
class ReadOptions:
    """How a file is read."""

    id_prefix: str = ""
    #: the dataset of an HDF5 file
    dataset: str | None = None


Reader = Callable[[Path, ReadOptions, int], Iterator[Batch]]


def rows_of_a_batch(dimension: int) -> int:
    """How many rows are read at a time."""
    return max(1, min(_BATCH_ROWS, _BATCH_BYTES // (4 * max(dimension, 1))))


# -- rows as records


def vector_of(value: Any) -> np.ndarray:
    """A vector of what stands in a file; raises ValueError."""
    if isinstance(value, (str, bytes)):
        value = orjson.loads(value)
    try:
        vector = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError("the embedding is not a list of numbers") from error
    if vector.ndim != 1 or not 0 < len(vector) <= _MOST_DIMENSIONS:
        raise ValueError("the embedding is not a list of 1 to 16000 numbers")
    if not np.isfinite(vector).all():
        raise ValueError("the embedding has numbers that are not finite")
    return vector


def add_record(rows: Rows, number: int, record: Any, options: ReadOptions) -> None:
    """Take a row given as names and values; raises ValueError."""
    if not isinstance(record, dict):
        raise ValueError("it is not an object")
    record = dict(record)
    embedding = record.pop("embedding", None)
    if embedding is None:
        embedding = record.pop("vector", None)
    if embedding is None:
        raise ValueError("it has no embedding")
    vector = vector_of(embedding)
    id_, document, metadata = take_texts(record, number, options)
    rows.numbers.append(number)
    rows.ids.append(id_)
    assert isinstance(rows.vectors, list)
    rows.vectors.append(vector)
    rows.documents.append(document)
    rows.metadatas.append(metadata)


def take_texts(
    record: dict[str, Any], number: int, options: ReadOptions
) -> tuple[str, str | None, Metadata | None]:
    """Id, document and metadata of a record; other fields are metadata, too."""
    id_ = record.pop("id", None)
    if id_ is None:
        id_ = f"{options.id_prefix}{number}"
    elif isinstance(id_, (bool, float, list, dict)):
        raise ValueError("the id is neither a text nor an integer")
    document = record.pop("document", None)
    metadata = record.pop("metadata", None)
    if isinstance(metadata, str):
        metadata = orjson.loads(metadata) if metadata else None
    if metadata is not None and not isinstance(metadata, dict):
        raise ValueError("the metadata is not an object")
    if document is not None and not isinstance(document, str):
        raise ValueError("the document is not a text")
    id_ = str(id_)
    if not id_ or "\0" in id_ or "\0" in (document or ""):
        raise ValueError("an empty id, or a NUL in a text")
    rest = {key: value for key, value in record.items() if value is not None}
    return id_, document, (rest | (metadata or {})) or None


def _record_batches(
    records: Iterator[tuple[int, Any, str]], options: ReadOptions
) -> Iterator[Batch]:
    """Batches of (number, record or ValueError, raw text)."""
    rows, bad, size, end = Rows(), [], 0, 0
    for number, record, raw in records:
        try:
            if isinstance(record, ValueError):
                raise record
            add_record(rows, number, record, options)
            size += 4 * len(rows.vectors[-1]) + len(raw)
        except ValueError as error:
            bad.append(BadRow(number, str(error), raw[:10_000]))
        end = number
        if size >= _BATCH_BYTES or len(rows) >= _BATCH_ROWS or len(bad) >= _BATCH_ROWS:
            yield Batch(rows, bad, end)
            rows, bad, size = Rows(), [], 0
    if len(rows) or bad:
        yield Batch(rows, bad, end)


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, none of which may be endless."""
    with path.open("rb") as file:
        while line := file.readline(_LONGEST_LINE):
            if len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
                raise InvalidFileError(f"{path}: a line is longer than {_LONGEST_LINE >> 20} MB")
            yield line


def read_jsonl(path: Path, options: ReadOptions, start: int) -> Iterator[Batch]:
    """One JSON object a line."""

    def records() -> Iterator[tuple[int, Any, str]]:
        for number, line in enumerate(_lines(path), 1):
            if number <= start or not line.strip():
                continue
            raw = line.decode(errors="replace").rstrip("\n")
            try:
                yield number, orjson.loads(line), raw
            except orjson.JSONDecodeError as error:
                yield number, ValueError(f"it is not JSON: {error}"), raw

    return _record_batches(records(), options)


def _csv_value(text: str | None) -> Any:
    """Numbers and truth values as what they are, all else as text."""
    if text is None or text == "":
        return None
    if text in ("true", "false"):
        return text == "true"
    if text[0] in "-0123456789":
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
        return value if isinstance(value, (int, float)) else text
    return text


def read_csv(path: Path, options: ReadOptions, start: int) -> Iterator[Batch]:
    """A header with the names, then a row a line; embeddings are JSON arrays."""

    def records() -> Iterator[tuple[int, Any, str]]:
        csv.field_size_limit(_LONGEST_LINE)
        with path.open(newline="", encoding="utf-8-sig", errors="strict") as file:
            reader = csv.reader(file, strict=True)
            names = next(reader, [])
            if "embedding" not in names and "vector" not in names:
                raise InvalidFileError(f"{path}: the first line names no column embedding")
            for number, row in enumerate(reader, 1):
                if number <= start:
                    continue
                raw = ",".join(row)
                if len(row) != len(names):
                    error = ValueError(f"it has {len(row)} values, the first line {len(names)}")
                    yield number, error, raw
                    continue
                record: dict[str, Any] = {}
                for name, text in zip(names, row, strict=True):
                    plain = name in ("id", "document", "embedding", "vector", "metadata")
                    record[name] = (text or None) if plain else _csv_value(text)
                yield number, record, raw

    def guarded() -> Iterator[tuple[int, Any, str]]:
        try:
            yield from records()
        except (csv.Error, UnicodeDecodeError) as error:
            raise InvalidFileError(f"{path} is not CSV in UTF-8: {error}") from error

    return _record_batches(guarded(), options)


def read_parquet(path: Path, options: ReadOptions, start: int) -> Iterator[Batch]:
    """A column embedding of lists of numbers; id, document, metadata, and others."""

    import pyarrow as pa
    import pyarrow.parquet as pq

    def records() -> Iterator[tuple[int, Any, str]]:
        try:
            with pq.ParquetFile(path) as file:
                if not {"embedding", "vector"} & set(file.schema_arrow.names):
                    raise InvalidFileError(f"{path} has no column embedding")
                number = 0
                for batch in file.iter_batches(batch_size=2000):
                    if number + batch.num_rows <= start:
                        number += batch.num_rows
                        continue
                    for record in batch.to_pylist():
                        number += 1
                        if number > start:
                            yield number, record, ""
        except (pa.ArrowException, OSError) as error:
            raise InvalidFileError(f"{path} is not a sound Parquet file: {error}") from error

    return _record_batches(records(), options)


# -- bare vectors


class _Sidecar:
    """Ids, documents and metadata of a file of bare vectors, line by line."""

    def __init__(self, path: Path, options: ReadOptions, start: int) -> None:
        self._options = options
        self._path = path.with_name(path.name + ".jsonl")
        self._lines: Iterator[bytes] | None = None
        if self._path.exists():
            self._lines = itertools.islice(_lines(self._path), start, None)

    def take(self, rows: Rows, bad: list[BadRow], number: int, vector: np.ndarray) -> None:
        """Take a row."""
        record: dict[str, Any] = {}
        try:
            if not np.isfinite(vector).all():
                raise ValueError("the embedding has numbers that are not finite")
            if self._lines is not None:
                line = next(self._lines, None)
                if line is None:
                    raise ValueError(f"{self._path.name} has no line for it")
                record = orjson.loads(line)
                if not isinstance(record, dict):
                    raise ValueError(f"its line in {self._path.name} is not an object")
            texts = take_texts(record, number, self._options)
        except ValueError as error:
            bad.append(BadRow(number, str(error)))
            return
        rows.numbers.append(number)
        assert isinstance(rows.vectors, list)
        rows.vectors.append(vector)
        for values, value in zip((rows.ids, rows.documents, rows.metadatas), texts, strict=True):
            values.append(value)  # pyright: ignore[reportArgumentType]


def matrix_batches(
    path: Path, options: ReadOptions, start: int, rows: int, dimension: int, read: Callable
) -> Iterator[Batch]:
    """Batches of a file whose rows read(begin, end) returns as a matrix."""
    if not 0 < dimension <= _MOST_DIMENSIONS:
        raise InvalidFileError(f"{path} has vectors of {dimension} dimensions; 1 to 16000 can be")
    sidecar = _Sidecar(path, options, start)
    step = rows_of_a_batch(dimension)
    for begin in range(start, rows, step):
        end = min(begin + step, rows)
        batch = Batch(Rows(), [], end)
        matrix = np.asarray(read(begin, end), dtype=np.float32)
        if sidecar._lines is None and np.isfinite(matrix).all():
            numbers = list(range(begin + 1, end + 1))
            ids = [f"{options.id_prefix}{n}" for n in numbers]
            nothing = [None] * len(ids)
            batch.rows = Rows(numbers, ids, matrix, list(nothing), list(nothing))
        else:
            for n, vector in enumerate(matrix, begin + 1):
                sidecar.take(batch.rows, batch.bad, n, vector)
        yield batch


def read_npy(path: Path, options: ReadOptions, start: int) -> Iterator[Batch]:
    """A matrix of numpy's."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError, TypeError, SyntaxError) as error:
        raise InvalidFileError(f"{path} is not a sound .npy file: {error}") from error
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind not in "fiub":
        raise InvalidFileError(f"{path} is not a matrix of numbers")
    rows, dimension = array.shape
    return matrix_batches(path, options, start, rows, dimension, lambda b, e: array[b:e])


def _read_vecs(path: Path, options: ReadOptions, start: int, element: str) -> Iterator[Batch]:
    """Each vector is its number of dimensions, as int32, and its elements."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(4)
    dimension = int(np.frombuffer(head, "<i4")[0]) if len(head) == 4 else 0
    if not 0 < dimension <= _MOST_DIMENSIONS:
        raise InvalidFileError(f"{path} begins with a vector of {dimension} dimensions")
    row = np.dtype([("dimension", "<i4"), ("vector", element, dimension)])
    if size % row.itemsize != 0:
        raise InvalidFileError(f"{path} ends within a vector, or its vectors are of unequal length")
    array = np.memmap(path, dtype=row, mode="r")

    def read(begin: int, end: int) -> np.ndarray:
        part = array[begin:end]
        if (part["dimension"] != dimension).any():
            bad = begin + int(np.argmax(part["dimension"] != dimension)) + 1
            raise InvalidFileError(f"{path}: vector {bad} has other dimensions than the first")
        return part["vector"]

    return matrix_batches(path, options, start, len(array), dimension, read)


def read_fvecs(path: Path, options: ReadOptions, start: int) -> Iterator[Batch]:
    """Vectors of float32, as in the TEXMEX collections."""
    return _read_vecs(path, options, start, "<f4")


def read_bvecs(path: Path, options: ReadOptions, start: int) -> Iterator[Batch]:
    """Vectors of bytes, likewise."""
    return _read_vecs(path, options, start, "u1")


_HDF5_NAMES = ("embeddings", "train", "vectors")


def read_hdf5(path: Path, options: ReadOptions, start: int) -> Iterator[Batch]:
    """A dataset embeddings, train or vectors, or the one named; ids, documents, metadatas."""
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise InvalidFileError(f"{path} is not a sound HDF5 file: {error}") from error
    with file:
        name = options.dataset or next((n for n in _HDF5_NAMES if n in file), None)
        data = file.get(name) if name else None
        if (
            not isinstance(data, h5py.Dataset)
            or len(data.shape) != 2
            or data.dtype.kind not in "fiu"
        ):
            raise InvalidFileError(
                f"{path} has no matrix {' or '.join(_HDF5_NAMES)}; choose a dataset"
            )
        texts = {n: file[n] for n in ("ids", "documents", "metadatas") if n in file}
        if any(
            not isinstance(t, h5py.Dataset) or t.shape != data.shape[:1] for t in texts.values()
        ):
            raise InvalidFileError(
                f"{path}: ids, documents and metadatas must be as many as vectors"
            )
        step = rows_of_a_batch(data.shape[1])
        for begin in range(start, data.shape[0], step):
            yield _hdf5_batch(data, texts, begin, min(begin + step, data.shape[0]), options)


def _hdf5_batch(
    data: Any, texts: dict[str, Any], begin: int, end: int, options: ReadOptions
) -> Batch:
    batch = Batch(Rows(), [], end)
    columns = {n: t.asstr()[begin:end] for n, t in texts.items()}
    for n, vector in enumerate(data[begin:end]):
        record: dict[str, Any] = {"embedding": vector}
        for name, key in (("ids", "id"), ("documents", "document"), ("metadatas", "metadata")):
            if name in columns and columns[name][n] != "":
                record[key] = str(columns[name][n])
        try:
            add_record(batch.rows, begin + n + 1, record, options)
        except ValueError as error:
            batch.bad.append(BadRow(begin + n + 1, str(error)))
    return batch


# -- writing


@dataclass
class Row:
    """A row of an export."""

    id: str
    vector: np.ndarray
    document: str | None
    metadata: Metadata

    def texts(self) -> dict[str, Any]:
        """What is not the vector."""
        return {"id": self.id, "document": self.document, "metadata": self.metadata}


class Writer:
    """Writes a file whole, or leaves nothing of it."""

    def __init__(self, path: Path, rows: int, dimension: int) -> None:
        self.path = path
        self.rows = rows
        self.dimension = dimension
        self.partial = path.with_name(path.name + ".partial")
        self._buffer: list[Row] = []

    def open(self) -> None:
        """Begin the file."""

    def write(self, rows: list[Row]) -> None:
        """Write some rows."""
        raise NotImplementedError

    def finish(self) -> None:
        """End the file."""

    def abandon(self) -> None:
        """Forget what was written."""
        self.partial.unlink(missing_ok=True)

    def publish(self) -> None:
        """Give the file its name."""
        with self.partial.open("rb") as file:
            os.fsync(file.fileno())
        self.partial.replace(self.path)


class _BinaryWriter(Writer):
    """Bare vectors, and the rest in a file beside them."""

    def open(self) -> None:
        self._sidecar = self.path.with_name(self.path.name + ".jsonl.partial")
        self._file: BinaryIO = self.partial.open("wb")
        self._texts: BinaryIO = self._sidecar.open("wb")
        self.head()

    def head(self) -> None:
        """What stands before the vectors."""

    def vectors(self, matrix: np.ndarray) -> bytes:
        """How they stand in the file."""
        raise NotImplementedError

    def write(self, rows: list[Row]) -> None:
        self._file.write(self.vectors(np.stack([row.vector for row in rows])))
        self._texts.write(b"".join(dump_json(row.texts()) + b"\n" for row in rows))

    def finish(self) -> None:
        self._file.close()
        self._texts.close()
        self._sidecar.replace(self.path.with_name(self.path.name + ".jsonl"))

    def abandon(self) -> None:
        self._sidecar.unlink(missing_ok=True)
        super().abandon()


class NpyWriter(_BinaryWriter):
    """A matrix of numpy's."""

    def head(self) -> None:
        shape = (self.rows, self.dimension)
        np.lib.format.write_array_header_2_0(
            self._file, {"descr": "<f4", "fortran_order": False, "shape": shape}
        )

    def vectors(self, matrix: np.ndarray) -> bytes:
        return matrix.astype("<f4").tobytes()


class FvecsWriter(_BinaryWriter):
    """Vectors of float32, each with its number of dimensions."""

    element = "<f4"

    def vectors(self, matrix: np.ndarray) -> bytes:
        rows = np.empty(
            len(matrix), dtype=[("dimension", "<i4"), ("vector", self.element, matrix.shape[1])]
        )
        rows["dimension"] = matrix.shape[1]
        rows["vector"] = matrix
        return rows.tobytes()


class BvecsWriter(FvecsWriter):
    """Vectors of bytes, likewise."""

    element = "u1"

    def vectors(self, matrix: np.ndarray) -> bytes:
        if ((matrix < 0) | (matrix > 255) | (matrix != np.floor(matrix))).any():
            raise InvalidFileError(
                "vectors with numbers other than 0 to 255 do not fit into .bvecs"
            )
        return super().vectors(matrix)


class JsonlWriter(Writer):
    """One JSON object a line."""

    def open(self) -> None:
        self._file = self.partial.open("wb")

    def write(self, rows: list[Row]) -> None:
        for row in rows:
            self._file.write(dump_json(row.texts() | {"embedding": row.vector}) + b"\n")

    def finish(self) -> None:
        self._file.close()


class CsvWriter(Writer):
    """Columns id, embedding, document, metadata."""

    def open(self) -> None:
        self._file = self.partial.open("w", newline="", encoding="utf-8")
        self._csv = csv.writer(self._file)
        self._csv.writerow(["id", "embedding", "document", "metadata"])

    def write(self, rows: list[Row]) -> None:
        for row in rows:
            self._csv.writerow(
                [
                    row.id,
                    dump_json(row.vector).decode(),
                    row.document,
                    dump_json(row.metadata).decode(),
                ]
            )

    def finish(self) -> None:
        self._file.close()


class ParquetWriter(Writer):
    """Columns id, embedding, document, and metadata as JSON."""

    def open(self) -> None:
        # these take long to load, and most commands do not need them
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._pa = pa
        self._schema = pa.schema(
            [
                ("id", pa.string()),
                ("embedding", pa.list_(pa.float32(), self.dimension)),
                ("document", pa.string()),
                ("metadata", pa.string()),
            ]
        )
        self._file = pq.ParquetWriter(self.partial, self._schema)

    def write(self, rows: list[Row]) -> None:
        pa = self._pa
        flat = pa.array(np.concatenate([row.vector for row in rows]).astype(np.float32))
        columns = [
            pa.array([row.id for row in rows], pa.string()),
            pa.FixedSizeListArray.from_arrays(flat, self.dimension),
            pa.array([row.document for row in rows], pa.string()),
            pa.array([dump_json(row.metadata).decode() for row in rows], pa.string()),
        ]
        self._file.write_table(pa.Table.from_arrays(columns, schema=self._schema))

    def finish(self) -> None:
        self._file.close()


class Hdf5Writer(Writer):
    """Datasets embeddings, ids, documents, metadatas."""

    def open(self) -> None:
        import h5py

        self._file = h5py.File(self.partial, "w")
        text = h5py.string_dtype()
        shape = (self.rows, self.dimension)
        self._file.create_dataset("embeddings", shape, "<f4")
        for name in ("ids", "documents", "metadatas"):
            self._file.create_dataset(name, (self.rows,), text)
        self._done = 0

    def write(self, rows: list[Row]) -> None:
        part = slice(self._done, self._done + len(rows))
        self._done += len(rows)
        columns = {
            "embeddings": np.stack([row.vector for row in rows]),
            "ids": [row.id for row in rows],
            "documents": [row.document or "" for row in rows],
            "metadatas": [dump_json(row.metadata).decode() for row in rows],
        }
        for name, values in columns.items():
            dataset: Any = self._file[name]
            dataset[part] = values

    def finish(self) -> None:
        self._file.close()
