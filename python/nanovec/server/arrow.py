"""Rows that come as an Arrow stream.

A stream may have compressed buffers, which would be as large in memory as it says,
whatever the size of the body; pyarrow has no limit for that.  So messages are looked at
before they are read: their headers are flatbuffers, of which this reads one field.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from ..errors import InvalidArgumentError
from ..models import FloatArray, Metadata

# fields of the tables Message and RecordBatch in Arrow's format
_HEADER = 2
_COMPRESSION = 3
_METADATAS = TypeAdapter(list[Metadata | None])
# what pyarrow raises for a damaged stream
_DAMAGED = (pa.ArrowException, OSError, LookupError, TypeError, ValueError, struct.error)


def _field(data: bytes, table: int, number: int) -> int | None:
    """Where a field of a flatbuffer's table is, or None if it has its default."""
    offsets = table - struct.unpack_from("<i", data, table)[0]
    place = 4 + 2 * number
    if place >= struct.unpack_from("<H", data, offsets)[0]:
        return None
    offset = struct.unpack_from("<H", data, offsets + place)[0]
    return table + offset if offset else None


def _follow(data: bytes, place: int) -> int:
    return place + struct.unpack_from("<I", data, place)[0]


def _check_messages(data: bytes) -> None:
    """Raise InvalidArgumentError where reading would take more memory than the body."""
    for message in pa.ipc.MessageReader.open_stream(data):
        if message.type == "schema":
            continue
        if message.type != "record batch":
            raise InvalidArgumentError(f"an Arrow stream with a {message.type} is not taken")
        header = message.metadata.to_pybytes()
        batch = _field(header, _follow(header, 0), _HEADER)
        if batch is None or _field(header, _follow(header, batch), _COMPRESSION) is not None:
            raise InvalidArgumentError("the buffers of an Arrow stream must not be compressed")


def _texts(table: pa.Table, name: str) -> list[str | None] | None:
    if name not in table.column_names:
        return None
    return table.column(name).cast(pa.string()).to_pylist()


def _vectors(table: pa.Table) -> FloatArray:
    column = table.column("embedding").combine_chunks()
    if not pa.types.is_fixed_size_list(column.type) or column.type.list_size < 1:
        raise InvalidArgumentError("column embedding must be a fixed-size list of numbers")
    numbers = column.flatten().cast(pa.float32())
    if column.null_count or numbers.null_count:
        raise InvalidArgumentError("an embedding is missing")
    return np.asarray(numbers).reshape(len(table), column.type.list_size)


def arrow_rows(data: bytes) -> tuple[list[str], FloatArray, Any, Any]:
    """Ids, embeddings, documents and metadata of a stream with such columns.

    Columns are id, embedding, document and metadata, which is JSON; the last two may be
    missing.
    """
    try:
        _check_messages(data)
        table = pa.ipc.open_stream(data).read_all()
        table.validate(full=True)
        ids = _texts(table, "id")
        if ids is None or None in ids:
            raise InvalidArgumentError("column id is missing, or has nulls")
        matrix = _vectors(table)
        documents, metadatas = _texts(table, "document"), _texts(table, "metadata")
    except InvalidArgumentError:
        raise
    except _DAMAGED as error:
        raise InvalidArgumentError(f"the body is no Arrow stream of rows: {error}") from error
    if metadatas is None:
        return ids, matrix, documents, None  # pyright: ignore[reportReturnType]
    text = "[" + ",".join("null" if m is None else m for m in metadatas) + "]"
    try:
        objects = _METADATAS.validate_json(text)
    except ValidationError as error:
        message = f"column metadata has no JSON objects: {error.errors()[0]['msg']}"
        raise InvalidArgumentError(message) from error
    if len(objects) != len(ids):
        raise InvalidArgumentError("column metadata must have one JSON object in each row")
    return ids, matrix, documents, objects  # pyright: ignore[reportReturnType]
