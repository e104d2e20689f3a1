"""The grid: which kinds of data are tried with which types, distances and methods."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

OPERATORS = {"l2": "<->", "ip": "<#>", "cosine": "<=>", "l1": "<+>",
             "hamming": "<~>", "jaccard": "<%>"}


@dataclass(frozen=True)
class Data:
    """A set of rows; and how often it is drawn anew, of which values are the mean."""

    kind: str
    dims: int
    rows: int = 5000
    draws: int = 1

    @property
    def name(self) -> str:
        """For tables and messages."""
        return f"{self.kind}_{self.dims}"


@dataclass(frozen=True)
class Subject:
    """An index on such rows: what is tried in all ways."""

    method: str
    type: str
    metric: str
    data: Data
    quick: bool = False
    sizes_only: bool = False

    def cell(self, way: str) -> str:
        """The name of a cell."""
        return f"{self.method} {self.type} {self.metric} {self.data.kind} {self.data.dims} {way}"

    @property
    def operator(self) -> str:
        """The operator by which rows are ordered."""
        return OPERATORS[self.metric]

    @property
    def opclass(self) -> str:
        """The operator class of the index."""
        return f"{self.type}_{self.metric}_ops"


# KIND DIMS [ROWS] [xDRAWS], metrics; those with a * are tried with every check
HNSW_VECTOR = """
    uniform 3           l2 ip* cosine l1
    uniform 16          l2 ip* cosine l1
    uniform 64          ip cosine
    uniform 64 x8       l2
    uniform 128 10000   l2
    products 3          l2 ip*
    products 16         l2 ip cosine
    normal 48           l2 ip cosine
    normal 384          l2* ip
    offset 16           l2 l1
    offset 48           ip
    offset 64           l2* ip cosine l1
    offset 384          l2
    towns 2 x8          l2 l1
    towns 16 x8         l2 ip cosine
    clusters 64         l2* ip* cosine*
    clusters 128        l1
    clusters 128 x8     l2
    specks 16           l2 cosine
    specks 64           l2 ip cosine
    spheres 32          l2
    city 2              l2 l1
    cities 2            l2* l1
    grid 2 4900         l2 l1
    windows 16          l2
    windows 64          l2 ip cosine l1
    lowrank 128         l2 ip cosine
    lowrank 768         l2 cosine
    norms 16            l2* ip cosine
    norms 64            ip
    norms 64 x8         l2
    copies 16           l2 ip* cosine l1
    copies 64           l2
    halfequal 48        l2 ip cosine
    zeros 64            l2 ip cosine
    zeros 384           l2
    onehot 64           l2 ip cosine l1
    topics 384          l2 ip cosine
    topics 768          cosine
    text 384 10000      l2 ip cosine
"""
HNSW_HALFVEC = """
    uniform 16          l2 ip cosine l1
    offset 64           l2
    clusters 64         l2 cosine
    city 2              l2
    lowrank 128         ip cosine
    norms 16            ip
    copies 16           l2
    topics 384          l2 cosine
"""
HNSW_SQ8VEC = """
    uniform 64          ip cosine
    uniform 64 x8       l2
    clusters 64         l2 cosine
    lowrank 128         l2 ip cosine
    zeros 64            l2
    topics 384          l2 ip cosine
"""
HNSW_BIT = """
    randombits 64       hamming* jaccard
    randombits 128      hamming jaccard*
    clusteredbits 256   hamming jaccard
    clusteredbits 768   hamming
"""
HNSW_SPARSEVEC = """
    sparse 1000         l2 ip cosine l1
    words 30000         ip cosine
"""
IVF_VECTOR = """
    uniform 16          l2 ip
    normal 48           ip*
    normal 48 x16       cosine
    offset 64           l2*
    clusters 64 x16     l2 cosine
    specks 64           l2
    city 2              l2
    lowrank 128 x16     l2 cosine
    norms 16            ip
    copies 16 x16       l2
    zeros 64 x16        l2 cosine
    topics 384          l2 ip cosine
    text 384 10000      l2 ip cosine
"""
IVF_HALFVEC = """
    clusters 64 x16     l2
    topics 384          l2 ip cosine
"""
IVF_SQ8VEC = """
    clusters 64 x16     l2
    topics 384          l2 ip cosine
"""
IVF_BIT = """
    randombits 128      hamming
    clusteredbits 256   hamming*
"""
TABLES = (
    ("hnsw", "vector", HNSW_VECTOR), ("hnsw", "halfvec", HNSW_HALFVEC),
    ("hnsw", "sq8vec", HNSW_SQ8VEC), ("hnsw", "bit", HNSW_BIT),
    ("hnsw", "sparsevec", HNSW_SPARSEVEC),
    ("ivf", "vector", IVF_VECTOR), ("ivf", "halfvec", IVF_HALFVEC),
    ("ivf", "sq8vec", IVF_SQ8VEC), ("ivf", "bit", IVF_BIT),
    ("ivfflat", "vector", IVF_VECTOR), ("ivfflat", "halfvec", IVF_HALFVEC),
    ("ivfflat", "bit", IVF_BIT),
)

# how large indexes are, by dimensions and m; enough rows that single pages do not count
SIZE_VECTOR = """
    normal 2 4000       l2
    normal 3 4000       l2
    normal 16 4000      l2
    normal 50 4000      l2
    normal 64 2000      l2
    normal 128 2000     l2
    normal 384 1000     l2
    normal 768 1000     l2
    normal 1536 1000    l2
"""
SIZE_BIT = """
    randombits 64 4000   hamming
    randombits 128 4000  hamming
    randombits 768 2000  hamming
    randombits 1536 2000 hamming
"""
SIZE_SPARSEVEC = """
    sparse 1000 2000    l2
    words 30000 1000    ip
"""
SIZE_TABLES = (
    ("hnsw", "vector", SIZE_VECTOR), ("hnsw", "halfvec", SIZE_VECTOR),
    ("hnsw", "sq8vec", SIZE_VECTOR), ("hnsw", "bit", SIZE_BIT),
    ("hnsw", "sparsevec", SIZE_SPARSEVEC),
)


def read_table(method: str, type_name: str, table: str, sizes_only: bool) -> Iterator[Subject]:
    """The subjects of a table's lines."""
    for line in table.strip().splitlines():
        words = line.split()
        numbers = [int(w) for w in words if w.isdigit()]
        draws = [int(w[1:]) for w in words if re.fullmatch("x[0-9]+", w)]
        data = Data(words[0], *numbers, **{"draws": n for n in draws})
        for metric in words[1 + len(numbers) + len(draws):]:
            quick = metric.endswith("*")
            yield Subject(method, type_name, metric.rstrip("*"), data, quick, sizes_only)


def subjects() -> list[Subject]:
    """All of the grid."""
    return [*(s for table in TABLES for s in read_table(*table, sizes_only=False)),
            *(s for table in SIZE_TABLES for s in read_table(*table, sizes_only=True))]


def peer_cell(cell: str) -> str:
    """The cell of pgvector's that a cell is compared with.

    pgvector has neither ivf nor sq8vec: those are compared with its ivfflat, and
    with its vectors.  It keeps nothing of rows that are gone, so that an emptied
    index is like one that other rows have left.
    """
    others = {"ivf": "ivfflat", "sq8vec": "vector", "emptied": "moved"}
    return " ".join(others.get(part, part) for part in cell.split())
