"""The archive .nvec: one file that holds a collection whole.

    0    8  "NANOVEC" and a zero byte
    8    4  version of the format, 1
    12   4  zero
    16   8  where the manifest begins
    24   8  how long it is
    32  32  SHA-256 of the manifest
    4096    the vectors: rows x dimension float32 (float16 of a halfvec collection),
            row after row, so that they can be mapped into memory
    ...     the texts: for each row the length of the id and its bytes, the length
            of the document (0xFFFFFFFF: none) and its bytes, the length of the
            metadata and its bytes, which are JSON
    ...     the manifest, JSON: rows, dimension, element, what the collection is, and
            offset, length and SHA-256 of "vectors" and "texts"

Numbers are little-endian, lengths of texts uint32, all text is UTF-8.  A reader
checks every length against the file and all three sums before it uses anything.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import orjson
from pydantic import BaseModel, Field, ValidationError

from ._version import __version__
from ._wire import dump_json
from .errors import InvalidFileError
from .files import BadRow, Batch, ReadOptions, Row, Rows, Writer, rows_of_a_batch
from .models import CollectionInfo

_MAGIC = b"NANOVEC\0"
_VERSION = 1
_HEAD = struct.Struct("<8sIIQQ32s")
_ALIGNED = 4096
_LENGTH = struct.Struct("<I")
_NONE = 0xFFFFFFFF
_LONGEST_MANIFEST = 16 << 20
_LONGEST_TEXT = 1 << 30
_CHUNK = 1 << 22


class Section(BaseModel):
    """A part of the file."""

    offset: int = Field(ge=0)
    length: int = Field(ge=0)
    sha256: str


class Manifest(BaseModel):
    """What an archive says of itself."""

    rows: int = Field(ge=0)
    dimension: int = Field(ge=0, le=16000)
    element: Literal["float32", "float16"]
    nanovec: str
    collection: dict[str, Any]
    vectors: Section
    texts: Section


_KEPT = ("name", "metric", "type", "normalized", "index", "metadata_schema", "promoted",
         "text_search", "metadata")  # fmt: skip


class NvecWriter(Writer):
    """Writes an archive."""

    info: CollectionInfo

    def open(self) -> None:
        self._element = "<f2" if self.info.type == "halfvec" else "<f4"
        self._texts_path = self.path.with_name(self.path.name + ".texts.partial")
        self._file: BinaryIO = self.partial.open("wb")
        self._texts: BinaryIO = self._texts_path.open("w+b")
        self._file.write(b"\0" * _ALIGNED)
        self._sums = hashlib.sha256(), hashlib.sha256()
        self._written = 0

    def write(self, rows: list[Row]) -> None:
        vectors = np.stack([row.vector for row in rows]).astype(self._element).tobytes()
        self._file.write(vectors)
        self._sums[0].update(vectors)
        pieces = []
        for row in rows:
            for text in (row.id.encode(), row.document, dump_json(row.metadata)):
                if text is None:
                    pieces.append(_LENGTH.pack(_NONE))
                    continue
                data = text.encode() if isinstance(text, str) else text
                pieces += (_LENGTH.pack(len(data)), data)
        texts = b"".join(pieces)
        self._texts.write(texts)
        self._sums[1].update(texts)
        self._written += len(rows)

    def finish(self) -> None:
        vectors = Section(
            offset=_ALIGNED, length=self._file.tell() - _ALIGNED, sha256=self._sums[0].hexdigest()
        )
        texts = Section(
            offset=self._file.tell(), length=self._texts.tell(), sha256=self._sums[1].hexdigest()
        )
        self._texts.seek(0)
        while chunk := self._texts.read(_CHUNK):
            self._file.write(chunk)
        info = self.info.model_dump(mode="json")
        manifest = Manifest(
            rows=self._written,
            dimension=self.dimension,
            element="float16" if self._element == "<f2" else "float32",
            nanovec=__version__,
            collection={key: info[key] for key in _KEPT},
            vectors=vectors,
            texts=texts,
        )
        data = dump_json(manifest.model_dump())
        offset = self._file.tell()
        self._file.write(data)
        self._file.seek(0)
        sum_ = hashlib.sha256(data).digest()
        self._file.write(_HEAD.pack(_MAGIC, _VERSION, 0, offset, len(data), sum_))
        self._file.close()
        self._texts.close()
        self._texts_path.unlink()

    def abandon(self) -> None:
        self._texts_path.unlink(missing_ok=True)
        super().abandon()


def read_manifest(path: Path) -> Manifest:
    """What an archive holds; raises InvalidFileError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size or not head.startswith(_MAGIC):
            raise InvalidFileError(f"{path} is no archive of nanovec's")
        _, version, _, offset, length, sum_ = _HEAD.unpack(head)
        if version != _VERSION:
            raise InvalidFileError(
                f"{path} has version {version} of the format, known is {_VERSION}"
            )
        if length > _LONGEST_MANIFEST or offset + length > size:
            raise InvalidFileError(f"{path} is damaged or was cut off: it has no manifest")
        file.seek(offset)
        data = file.read(length)
    if hashlib.sha256(data).digest() != sum_:
        raise InvalidFileError(f"{path} is damaged: the sum of its manifest is wrong")
    try:
        manifest = Manifest.model_validate(orjson.loads(data))
    except (orjson.JSONDecodeError, ValidationError) as error:
        raise InvalidFileError(f"{path} has a manifest that is not one: {error}") from error
    wide = 2 if manifest.element == "float16" else 4
    if manifest.vectors.length != manifest.rows * manifest.dimension * wide or any(
        s.offset < _ALIGNED or s.offset + s.length > size
        for s in (manifest.vectors, manifest.texts)
    ):
        raise InvalidFileError(f"{path} has a manifest that does not fit it")
    return manifest


def verify(path: Path, manifest: Manifest) -> None:
    """Compare the sums of all that is in an archive; raises InvalidFileError."""
    with path.open("rb") as file:
        for name, section in (("vectors", manifest.vectors), ("texts", manifest.texts)):
            sum_, left = hashlib.sha256(), section.length
            file.seek(section.offset)
            while left and (chunk := file.read(min(left, _CHUNK))):
                sum_.update(chunk)
                left -= len(chunk)
            if sum_.hexdigest() != section.sha256:
                raise InvalidFileError(f"{path} is damaged: the sum of its {name} is wrong")


def map_vectors(path: str | os.PathLike[str]) -> np.ndarray:
    """The vectors of an archive, mapped into memory."""
    manifest = read_manifest(Path(path))
    shape = (manifest.rows, manifest.dimension)
    element = "<f2" if manifest.element == "float16" else "<f4"
    if manifest.rows == 0:
        return np.empty(shape, dtype=element)
    return np.memmap(path, dtype=element, mode="r", offset=manifest.vectors.offset, shape=shape)


def _texts(path: Path, manifest: Manifest) -> Iterator[tuple[str, str | None, Any]]:
    """Ids, documents and metadata; raises InvalidFileError."""
    with path.open("rb") as file:
        file.seek(manifest.texts.offset)
        left = manifest.texts.length

        def text() -> bytes | None:
            nonlocal left
            head = file.read(_LENGTH.size)
            length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else _NONE - 1
            left -= _LENGTH.size
            if length == _NONE:
                return None
            if length > min(left, _LONGEST_TEXT):
                raise InvalidFileError(f"{path} has a text that is longer than the file")
            left -= length
            return file.read(length)

        for _ in range(manifest.rows):
            id_, document, metadata = text(), text(), text()
            try:
                yield (
                    (id_ or b"").decode(),
                    None if document is None else document.decode(),
                    orjson.loads(metadata or b"{}"),
                )
            except (UnicodeDecodeError, orjson.JSONDecodeError) as error:
                raise InvalidFileError(f"{path} has a text that is not one: {error}") from error


def read_nvec(path: Path, options: ReadOptions, start: int) -> Iterator[Batch]:
    """The rows of an archive, whose sums are compared before the first is read."""
    manifest = read_manifest(path)
    verify(path, manifest)
    vectors = map_vectors(path)
    texts = _texts(path, manifest)
    for _ in range(start):
        next(texts, None)
    step = rows_of_a_batch(manifest.dimension)
    for begin in range(start, manifest.rows, step):
        end = min(begin + step, manifest.rows)
        batch = Batch(Rows(), [], end)
        rows = batch.rows
        assert isinstance(rows.vectors, list)
        for n, vector in enumerate(np.asarray(vectors[begin:end], dtype=np.float32), begin + 1):
            id_, document, metadata = next(texts)
            if not isinstance(metadata, dict) or not id_ or not np.isfinite(vector).all():
                batch.bad.append(BadRow(n, "its id, metadata or vector is none", id_))
                continue
            rows.numbers.append(n)
            rows.ids.append(id_)
            rows.vectors.append(vector)
            rows.documents.append(document)
            rows.metadatas.append(metadata or None)
        yield batch
