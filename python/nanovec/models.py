"""What collections are and what they answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

Metric = Literal["cosine", "l2", "ip", "l1"]
Include = Literal["documents", "metadatas", "embeddings", "distances"]
Metadata = dict[str, Any]
FloatArray = npt.NDArray[np.float32]


class CollectionInfo(BaseModel):
    """What is known of a collection without reading its rows."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: UUID
    tenant: str
    database: str
    name: str
    #: the table, with its schema, quoted
    relation: str
    owner: str
    dimension: int | None
    type: Literal["vector", "halfvec"]
    metric: Metric
    normalized: bool
    index: dict[str, Any]
    metadata_schema: dict[str, Any]
    promoted: dict[str, str]
    text_search: str | None
    metadata: dict[str, Any]
    batches: int
    #: whether a first load by a server is under way, after which there will be an index
    loading: bool
    created_at: datetime
    #: the schema that nanovec is in, quoted
    vector_schema: str
    vector_index: str | None


@dataclass(frozen=True)
class CollectionSize:
    """How large a collection is, as far as can be said without reading its rows."""

    tenant: str
    database: str
    name: str
    #: as of the last VACUUM or ANALYZE
    rows: int
    table_bytes: int
    index_bytes: int


class Recall(BaseModel):
    """What share of the nearest rows searches find."""

    recall: float
    worst: float
    asked: int


@dataclass(frozen=True)
class QueryResult:
    """The nearest rows to each query, nearest first; what was not included is None."""

    ids: list[list[str]]
    distances: list[npt.NDArray[np.float64]]
    documents: list[list[str | None]] | None
    metadatas: list[list[Metadata]] | None
    embeddings: list[FloatArray] | None


@dataclass(frozen=True)
class GetResult:
    """Rows in order of id; what was not included is None."""

    ids: list[str]
    documents: list[str | None] | None
    metadatas: list[Metadata] | None
    embeddings: FloatArray | None

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids)


@dataclass(frozen=True)
class HybridResult:
    """The best rows by vector and text together; a rank is None where a list has not the row."""

    ids: list[str]
    scores: npt.NDArray[np.float64]
    vector_ranks: list[int | None]
    text_ranks: list[int | None]
    documents: list[str | None] | None
    metadatas: list[Metadata] | None
