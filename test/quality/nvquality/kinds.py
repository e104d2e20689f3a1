"""Kinds of data.  All is drawn from seeds: every machine has the same rows.

A kind draws four parts.  "first" is what an index is made for, "more" is more
of the same, "away" is data of another place, a distance from the first, and
the queries come in two parts, one for each place.  Plain Python, since the part
of the grid that runs with every check may need no packages.
"""

from __future__ import annotations

import ast
import math
import os
import pathlib
import random
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

Vector = Sequence[float]
# what COPY reads in text form: bit strings and sparse vectors
Literal = str

PARTS = ("first", "more", "away", "query", "query_away")
# beside the project, or where NVBENCH_SHARED says
TOP = pathlib.Path(__file__).absolute().parent.parent.parent.parent
SHARED_DATA = pathlib.Path(os.environ.get("NVBENCH_SHARED") or TOP.parent / "shared") / "data"


@dataclass(frozen=True)
class Draw:
    """One part that is wanted of a kind, and which draw of it."""

    kind: str
    dims: int
    part: str
    count: int
    number: int = 0

    @property
    def away(self) -> bool:
        """Is it data of the other place?"""
        return self.part.endswith("away")

    @property
    def asks(self) -> bool:
        """Is it a part of queries?"""
        return self.part.startswith("query")

    def source(self) -> random.Random:
        """Randomness of this part alone."""
        return self._random(self.part)

    def shape(self) -> random.Random:
        """Randomness that all parts of a place share: where clusters are, and so on."""
        return self._random(str(self.away))

    def _random(self, of: str) -> random.Random:
        """Randomness of something, in this draw."""
        again = f" {self.number}" if self.number else ""
        return random.Random(f"{self.kind} {self.dims} {of}{again}")


Drawer = Callable[[Draw], Iterator[Vector] | Iterator[Literal]]
AnyDrawer = TypeVar("AnyDrawer", bound=Drawer)


@dataclass(frozen=True)
class Kind:
    """A kind of data: its rows, and which of them a half-emptied table loses."""

    draw: Drawer
    doomed: str = "id % 2 = 1"


KINDS: dict[str, Kind] = {}


def kind(name: str, doomed: str = "id % 2 = 1") -> Callable[[AnyDrawer], AnyDrawer]:
    """Register a function that draws a kind."""
    def register(draw: AnyDrawer) -> AnyDrawer:
        KINDS[name] = Kind(draw, doomed)
        return draw
    return register


@kind("uniform")
def uniform(want: Draw) -> Iterator[Vector]:
    """Each element random()."""
    rng, start = want.source(), 10.0 * want.away
    for _ in range(want.count):
        yield [start + rng.random() for _ in range(want.dims)]


@kind("products")
def products(want: Draw) -> Iterator[Vector]:
    """Each element random() * random()."""
    rng, start = want.source(), 5.0 * want.away
    for _ in range(want.count):
        yield [start + rng.random() * rng.random() for _ in range(want.dims)]


@kind("normal")
def normal(want: Draw) -> Iterator[Vector]:
    """Normally distributed elements."""
    rng, start = want.source(), 10.0 * want.away
    for _ in range(want.count):
        yield [rng.gauss(start, 1.0) for _ in range(want.dims)]


@kind("offset")
def offset(want: Draw) -> Iterator[Vector]:
    """Each element 100 + random(): far from the origin, beside which it is small."""
    rng, start = want.source(), 300.0 if want.away else 100.0
    for _ in range(want.count):
        yield [start + rng.random() for _ in range(want.dims)]


def clustered(want: Draw, centres: int, spread: float, side: float) -> Iterator[Vector]:
    """Rows around centres that are uniform in a cube, or in another one far from it."""
    rng, shape = want.source(), want.shape()
    start = 10.0 * side * want.away
    middle = [[start + side * shape.random() for _ in range(want.dims)] for _ in range(centres)]
    for i in range(want.count):
        # queries at random, rows in turn: clusters are equally large
        at = middle[rng.randrange(centres) if want.asks else i % centres]
        yield [x + spread * rng.gauss(0.0, 1.0) for x in at]


@kind("towns", doomed="id % 4 < 2")
def towns(want: Draw) -> Iterator[Vector]:
    """100 tight clusters of 50 places each."""
    return clustered(want, 100, 0.01, 100.0)


@kind("clusters", doomed="id % 40 < 20")
def clusters(want: Draw) -> Iterator[Vector]:
    """20 tight clusters of many rows."""
    return clustered(want, 20, 0.01, 1.0)


@kind("specks", doomed="id % 4000 < 2000")
def specks(want: Draw) -> Iterator[Vector]:
    """2,000 tight clusters of few rows."""
    return clustered(want, 2000, 0.01, 1.0)


def city(rng: random.Random, latitude: float, longitude: float) -> Vector:
    """A place in a city: degrees, about 20 km wide, as precise as a phone says."""
    return [round(latitude + rng.gauss(0.0, 0.05), 6), round(longitude + rng.gauss(0.0, 0.07), 6)]


@kind("spheres", doomed="id % 10 < 5")
def spheres(want: Draw) -> Iterator[Vector]:
    """Ten spheres around one point; the inner five may go, which are nearest to all others."""
    rng, start = want.source(), 100.0 * want.away
    for i in range(want.count):
        x = [rng.gauss(0.0, 1.0) for _ in range(want.dims)]
        radius = 1.0 + (rng.randrange(10) if want.asks else i % 10)
        scale = radius / math.hypot(*x)
        yield [start + scale * y for y in x]


@kind("city")
def one_city(want: Draw) -> Iterator[Vector]:
    """Coordinates in one city; the other place is another city."""
    rng = want.source()
    for _ in range(want.count):
        yield city(rng, 52.52, 13.405) if want.away else city(rng, 48.857, 2.352)


@kind("cities", doomed="id % 4 < 2")
def two_cities(want: Draw) -> Iterator[Vector]:
    """Coordinates in two cities far apart; the other place is two others."""
    rng = want.source()
    here = ((48.857, 2.352), (-33.869, 151.209))
    there = ((40.713, -74.006), (35.69, 139.692))
    for i in range(want.count):
        yield city(rng, *(there if want.away else here)[i % 2])


@kind("grid")
def grid(want: Draw) -> Iterator[Vector]:
    """A town of 4,900 places in a regular grid; more of it are the places between."""
    rng = want.source()
    latitude, longitude = (52.52, 13.405) if want.away else (48.85, 2.35)
    between = 0.0005 if want.part == "more" else 0.0
    for i in range(want.count):
        x, y = (70 * rng.random(), 70 * rng.random()) if want.asks else (i % 70, i // 70 % 70)
        yield [latitude + between + 0.001 * x, longitude + between + 0.001 * y]


@kind("windows")
def windows(want: Draw) -> Iterator[Vector]:
    """Windows of a series that stays near 101, a step apart."""
    rng, shape = want.source(), want.shape()
    level = 350.0 if want.away else 101.0
    length = 4 * max(want.count, 5000) + want.dims
    series, value = [], 0.0
    for i in range(length):
        value = 0.98 * value + 0.1 * shape.gauss(0.0, 1.0)
        series.append(level + value + 0.5 * math.sin(i / 11.0))
    for i in range(want.count):
        if want.asks:
            at = rng.randrange(length - want.dims)
            yield [x + 0.02 * rng.gauss(0.0, 1.0) for x in series[at:at + want.dims]]
        else:
            at = i + want.count * (want.part == "more")
            yield series[at:at + want.dims]


@kind("lowrank")
def lowrank(want: Draw) -> Iterator[Vector]:
    """Many dimensions, in which the rows fill 8 only."""
    rng, shape = want.source(), want.shape()
    start = 5.0 * want.away
    axes = [[shape.gauss(0.0, 1.0) for _ in range(8)] for _ in range(want.dims)]
    for _ in range(want.count):
        a, b, c, d, e, f, g, h = (rng.gauss(0.0, 1.0) for _ in range(8))
        yield [start + a * s + b * t + c * u + d * v + e * w + f * x + g * y + h * z
               for s, t, u, v, w, x, y, z in axes]


@kind("norms")
def norms(want: Draw) -> Iterator[Vector]:
    """Random directions, norms over six orders of magnitude."""
    rng, lean = want.source(), 1.0 * want.away
    for _ in range(want.count):
        x = [rng.gauss(lean, 1.0) for _ in range(want.dims)]
        scale = 10.0 ** (6.0 * rng.random() - 3.0) / math.hypot(*x)
        yield [scale * y for y in x]


@kind("copies")
def copies(want: Draw) -> Iterator[Vector]:
    """Every vector stands 20 times, in no order."""
    rng, shape = want.source(), want.shape()
    start = 10.0 * want.away
    distinct = [[start + shape.random() for _ in range(want.dims)] for _ in range(250)]
    for _ in range(want.count):
        if want.asks:
            yield [start + rng.random() for _ in range(want.dims)]
        else:
            yield distinct[rng.randrange(len(distinct))]


@kind("halfequal", doomed="id % 4 < 2")
def halfequal(want: Draw) -> Iterator[Vector]:
    """Half of the rows are one vector."""
    rng, start = want.source(), 10.0 * want.away
    for i in range(want.count):
        equal = i % 2 == 1 and not want.asks
        yield [start + (0.5 if equal else rng.random()) for _ in range(want.dims)]


@kind("topics")
def topics(want: Draw) -> Iterator[Vector]:
    """As embeddings are: unit length, clusters, each of which fills 6 dimensions, and noise."""
    rng, shape = want.source(), want.shape()
    axes = [[[shape.gauss(0.0, 1.0) for _ in range(7)] for _ in range(want.dims)]
            for _ in range(40)]
    for _ in range(want.count):
        a, b, c, d, e, f = (0.4 * rng.gauss(0.0, 1.0) for _ in range(6))
        row = [s + a * t + b * u + c * v + d * w + e * x + f * y + 0.3 * (rng.random() - 0.5)
               for s, t, u, v, w, x, y in axes[rng.randrange(40)]]
        length = math.hypot(*row)
        yield [x / length for x in row]


@kind("zeros", doomed="id % 10 = 0")
def zeros(want: Draw) -> Iterator[Vector]:
    """Embeddings, but every tenth is zero: what failed, and was stored all the same."""
    none: Vector = [0.0] * want.dims
    for i, row in enumerate(topics(want)):
        yield none if i % 10 == 0 and not want.asks else row


@kind("onehot")
def onehot(want: Draw) -> Iterator[Vector]:
    """A single element is 1, or 5 in the other place."""
    rng = want.source()
    for _ in range(want.count):
        row = [0.0] * want.dims
        row[rng.randrange(want.dims)] = 5.0 if want.away else 1.0
        yield row


def npy_rows(file: pathlib.Path, start: int, count: int) -> Iterator[Vector]:
    """Rows of a two-dimensional .npy file of float16 or float32."""
    with open(file, "rb") as f:
        f.seek(8)
        header = ast.literal_eval(f.read(struct.unpack("<H", f.read(2))[0]).decode())
        code, size = {"<f2": ("e", 2), "<f4": ("f", 4)}[header["descr"]]
        dims = header["shape"][1]
        f.seek(start * dims * size, 1)
        for _ in range(count):
            yield struct.unpack(f"<{dims}{code}", f.read(dims * size))


@kind("text")
def text(want: Draw) -> Iterator[Vector]:
    """Embeddings of real sentences; the other place is merely other sentences."""
    folder = SHARED_DATA / "text384"
    if want.asks:
        return npy_rows(folder / "query.npy", 0, want.count)
    order = PARTS.index(want.part)
    return npy_rows(folder / "base.f16.npy", order * want.count, want.count)


def available(name: str) -> bool:
    """Is what the kind needs there?"""
    return name != "text" or (SHARED_DATA / "text384" / "base.f16.npy").exists()


@kind("randombits")
def randombits(want: Draw) -> Iterator[Literal]:
    """Random bits; in the other place four of five are set."""
    rng = want.source()
    for _ in range(want.count):
        bits = rng.getrandbits(want.dims)
        if want.away:
            others = rng.getrandbits(want.dims) | rng.getrandbits(want.dims)
            bits |= rng.getrandbits(want.dims) & others
        yield f"{bits:0{want.dims}b}"


@kind("clusteredbits", doomed="id % 100 < 50")
def clusteredbits(want: Draw) -> Iterator[Literal]:
    """50 bit strings, of which one bit in 16 is turned."""
    rng, shape = want.source(), want.shape()
    centres = [shape.getrandbits(want.dims) for _ in range(50)]
    for i in range(want.count):
        bits = centres[rng.randrange(50) if want.asks else i % 50]
        turned = rng.getrandbits(want.dims)
        for _ in range(3):
            turned &= rng.getrandbits(want.dims)
        yield f"{bits ^ turned:0{want.dims}b}"


def sparse_literal(elements: dict[int, float], dims: int) -> Literal:
    """Text form of a sparsevec; elements are counted from 0 here."""
    listed = ",".join(f"{i + 1}:{x:.6g}" for i, x in sorted(elements.items()))
    return f"{{{listed}}}/{dims}"


@kind("sparse")
def sparse(want: Draw) -> Iterator[Literal]:
    """20 elements anywhere in one half of the dimensions."""
    rng, half = want.source(), want.dims // 2
    for _ in range(want.count):
        yield sparse_literal({half * want.away + rng.randrange(half): rng.random()
                              for _ in range(20)}, want.dims)


@kind("words")
def words(want: Draw) -> Iterator[Literal]:
    """As learned sparse embeddings are: topics, weights, frequent and rare words."""
    rng, shape = want.source(), want.shape()

    def word(source: random.Random) -> int:
        return int(want.dims ** source.random()) - 1

    about = [[word(shape) for _ in range(80)] for _ in range(60)]
    for _ in range(want.count):
        topic = about[rng.randrange(60)]
        chosen = {topic[rng.randrange(80)] for _ in range(40)} | {word(rng) for _ in range(30)}
        yield sparse_literal({w: 0.1 + 2.0 * rng.random() ** 3 for w in chosen}, want.dims)
