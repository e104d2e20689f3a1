"""Vectors and rows in PostgreSQL's binary formats, from and to numpy.

A vector on the wire is its number of dimensions and a 0, as int16, and its
elements: float4 for `vector`, half floats for `halfvec`, all in network order.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import psycopg
from psycopg import pq, sql
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.types import TypeInfo
from psycopg.types.json import set_json_dumps, set_json_loads

from .errors import InvalidArgumentError
from .models import FloatArray, Metadata

_VECTOR_HEAD = struct.Struct(">hh")
_LENGTH = struct.Struct(">i")
_COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_COPY_END = struct.pack(">h", -1)
_NULL = struct.pack(">i", -1)
# rows are handed to the connection in pieces of about this size
_PIECE = 1 << 20


def dump_json(value: Any) -> bytes:
    """JSON of metadata and filters; numpy's numbers are numbers."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    except TypeError as error:
        raise InvalidArgumentError(f"this cannot be JSON: {error}") from error


class Vector:
    """A vector as a parameter: what is sent."""

    __slots__ = ("data",)

    def __init__(self, values: FloatArray) -> None:
        self.data = _VECTOR_HEAD.pack(len(values), 0) + values.astype(">f4").tobytes()


class Vectors:
    """Vectors as one parameter, an array."""

    __slots__ = ("matrix",)

    def __init__(self, matrix: FloatArray) -> None:
        self.matrix = matrix

    def data(self, oid: int) -> bytes:
        """The binary form of an array whose elements have this type."""
        rows, columns = self.matrix.shape
        head = _LENGTH.pack(4 + 4 * columns) + _VECTOR_HEAD.pack(columns, 0)
        values = self.matrix.astype(">f4")
        pieces = [struct.pack(">iiIii", 1, 0, oid, rows, 1)]
        for row in values:
            pieces += (head, row.tobytes())
        return b"".join(pieces)


class _VectorDumper(Dumper):
    format = pq.Format.BINARY

    def dump(self, obj: Vector) -> bytes:
        return obj.data


class _VectorsDumper(Dumper):
    format = pq.Format.BINARY
    element = 0

    def dump(self, obj: Vectors) -> bytes:
        return obj.data(self.element)


def _loader(element: str) -> type[Loader]:
    class VectorLoader(Loader):
        format = pq.Format.BINARY

        def load(self, data: Any) -> FloatArray:
            # copied, since the buffer is the connection's
            return np.frombuffer(data, dtype=element, offset=4).astype(np.float32)

    return VectorLoader


def register(context: AdaptContext, vector: TypeInfo, halfvec: TypeInfo) -> None:
    """Teach a connection what nanovec's types are."""
    adapters = context.adapters if context else psycopg.adapters
    vector.register(context)
    halfvec.register(context)
    one = type("VectorDumper", (_VectorDumper,), {"oid": vector.oid})
    many = {"oid": vector.array_oid, "element": vector.oid}
    adapters.register_dumper(Vector, one)
    adapters.register_dumper(Vectors, type("VectorsDumper", (_VectorsDumper,), many))
    adapters.register_loader(vector.oid, _loader(">f4"))
    adapters.register_loader(halfvec.oid, _loader(">f2"))
    set_json_loads(orjson.loads, context)
    set_json_dumps(dump_json, context)


def as_sql(statement: str) -> sql.SQL:
    """A statement of this package's own, or one that the server compiled and quoted."""
    return sql.SQL(statement)  # pyright: ignore[reportArgumentType]


def type_query() -> sql.SQL:
    """The OIDs of vector and halfvec, and of arrays of them."""
    return sql.SQL(
        "SELECT t.typname, t.oid, t.typarray FROM pg_type AS t JOIN pg_extension AS e "
        "ON e.extnamespace = t.typnamespace WHERE e.extname = 'nanovec' "
        "AND t.typname IN ('vector', 'halfvec') ORDER BY 1 DESC"
    )


def type_infos(rows: Sequence[tuple[str, int, int]]) -> list[TypeInfo]:
    """What type_query() found, for register()."""
    return [TypeInfo(name, oid, array_oid) for name, oid, array_oid in rows]


def as_matrix(embeddings: Any, rows: int | None = None, *, or_one: bool = False) -> FloatArray:
    """Vectors, or one if that will do, as an array of float32 with a row for each.

    Raises InvalidArgumentError.
    """
    try:
        array = np.asarray(embeddings)
        # numpy would read numbers from texts
        if array.dtype.kind in "US":
            raise ValueError("they are texts")
        with np.errstate(over="ignore"):
            array = array.astype(np.float32, copy=False)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidArgumentError(
            f"embeddings are not vectors of numbers, all of equal length: {error}"
        ) from error
    if array.ndim == 1 and or_one:
        array = array[np.newaxis]
    if array.ndim != 2 or array.shape[1] == 0:
        raise InvalidArgumentError(
            f"embeddings must be vectors, a row for each; their shape is {array.shape}"
        )
    if rows is not None and len(array) != rows:
        raise InvalidArgumentError(f"{rows} ids, but {len(array)} embeddings")
    if array.shape[1] > 16000:
        raise InvalidArgumentError(f"a vector has at most 16000 dimensions, not {array.shape[1]}")
    if not np.isfinite(array).all():
        bad = int(np.argmin(np.isfinite(array).all(axis=1)))
        raise InvalidArgumentError(f"embedding number {bad} has elements that are not finite")
    return np.ascontiguousarray(array)


def copy_rows(
    ids: Sequence[str],
    embeddings: npt.NDArray[Any],
    documents: Sequence[str | None] | None,
    metadatas: Sequence[Metadata | None] | None,
    kind: str = "vector",
) -> Iterator[bytes]:
    """Rows (id, embedding, document, metadata) for COPY FROM STDIN (FORMAT binary)."""
    element = ">f4" if kind == "vector" else ">f2"
    payload = memoryview(embeddings.astype(element).tobytes())
    size = embeddings.shape[1] * int(element[-1])
    vector_head = _LENGTH.pack(4 + size) + _VECTOR_HEAD.pack(embeddings.shape[1], 0)
    row_head = struct.pack(">h", 4)
    pieces: list[bytes | memoryview] = [_COPY_HEAD]
    length = 0
    for n, id_ in enumerate(ids):
        text = id_.encode()
        document = None if documents is None else documents[n]
        metadata = None if metadatas is None else metadatas[n]
        pieces += (row_head, _LENGTH.pack(len(text)), text, vector_head)
        pieces.append(payload[n * size : n * size + size])
        length += size + len(text) + 64
        if document is None:
            pieces.append(_NULL)
        else:
            data = document.encode()
            pieces += (_LENGTH.pack(len(data)), data)
            length += len(data)
        # the binary form of jsonb is a version number, 1, and its text
        data = b"\x01" + dump_json(metadata or {})
        pieces += (_LENGTH.pack(len(data)), data)
        length += len(data)
        if length > _PIECE:
            yield b"".join(pieces)
            pieces, length = [], 0
    pieces.append(_COPY_END)
    yield b"".join(pieces)


class CopyReader:
    """Rows of COPY TO STDOUT (FORMAT binary), whose pieces come as they come."""

    def __init__(self, fields: int) -> None:
        self._buffer = bytearray()
        self._fields = fields
        self._begun = False

    def feed(self, data: Buffer, row: Callable[[list[bytes | None]], None]) -> None:
        """Take a piece, and call row for each row that it completes."""
        self._buffer += data
        if not self._begun:
            if len(self._buffer) < len(_COPY_HEAD):
                return
            del self._buffer[: len(_COPY_HEAD)]
            self._begun = True
        position = 0
        while (end := self._row(position, row)) is not None:
            position = end
        del self._buffer[:position]

    def _row(self, position: int, row: Callable[[list[bytes | None]], None]) -> int | None:
        buffer = self._buffer
        if len(buffer) < position + 2 or struct.unpack_from(">h", buffer, position)[0] < 0:
            return None
        position += 2
        values: list[bytes | None] = []
        for _ in range(self._fields):
            if len(buffer) < position + 4:
                return None
            size = _LENGTH.unpack_from(buffer, position)[0]
            position += 4
            if size < 0:
                values.append(None)
                continue
            if len(buffer) < position + size:
                return None
            values.append(bytes(buffer[position : position + size]))
            position += size
        row(values)
        return position
