#!/usr/bin/env python3
"""What the quality grid does without a server, on values with known answers.  Prints TAP."""

from __future__ import annotations

import pathlib
import struct
import sys
import tempfile

from nvquality import figures, kinds, runner, stage
from nvquality.courses import Course, plans_for
from nvquality.figures import Figure
from nvquality.grid import peer_cell, subjects
from nvquality.server import Server

results: list[bool] = []


def check(name: str, got: object, wanted: object) -> None:
    """One test."""
    results.append(got == wanted)
    print(f"{'ok' if results[-1] else 'not ok'} {len(results)} - {name}")
    if not results[-1]:
        print(f"# got {got!r}, wanted {wanted!r}")


def passes(measure: str, value: float, peer: float, way: str = "built",
           **more: float) -> list[bool]:
    """Verdicts of one cell."""
    cell = f"hnsw vector l2 offset 64 {way}"
    values = {(cell, measure): value, **{(cell, m): v for m, v in more.items()}}
    judged = figures.judge(values, {(cell, measure): Figure((peer,), "", "")})
    return [v.passed for v in judged if v.measure == measure]


check("a hundredth less is enough", passes("recall10", 0.90, 0.91), [True])
check("less is not", passes("recall10", 0.899, 0.91), [False])
check("more is no fault", passes("recall20", 1.0, 0.5), [True])
check("a built index may be a tenth larger", passes("bytes", 110.0, 100.0), [True])
check("not more", passes("bytes", 111.0, 100.0), [False])
check("one made on an empty table may be larger",
      passes("bytes", 134.0, 100.0, "inserted"), [True])
check("also with another m", passes("bytes", 134.0, 100.0, "inserted_m8"), [True])
check("to its own bar", passes("bytes", 136.0, 100.0, "inserted_m8"), [False])
check("a vacuumed graph is as good as a fresh one",
      passes("fresh", 0.95, 0.0, "vacuumed", aged=0.945), [True])
check("or else it falls short", passes("fresh", 0.95, 0.0, "vacuumed", aged=0.944), [False])
check("as many rows are reached as pgvector reaches", passes("reach", 0.989, 1.0), [False])
check("twelve times the time for ten times the rows", passes("deep_time", 12.5, 30.0), [False])
check("no figure, no verdict",
      figures.judge({("hnsw vector l2 new 3 built", "recall10"): 0.0}, {}), [])
check("the figure is the median", Figure((0.5, 0.9, 0.8), "", "").median, 0.8)
check("values of another version go",
      Figure((0.5,), "old", "").with_value(0.9, "new", "").values, (0.9,))

CELL = "ivf sq8vec l2 offset 64 built"
check("words match parts of a name", runner.matches(CELL, ["64", "offset"]), True)
check("and not pieces of them", runner.matches(CELL, ["off"]), False)
check("patterns and choices", runner.matches(CELL, ["cosine,l2", "sq*"]), True)
check("no words match all", runner.matches(CELL, []), True)
check("what an ivf of sq8vec is compared with",
      peer_cell(CELL), "ivfflat vector l2 offset 64 built")

check("and an emptied index",
      peer_cell("hnsw bit hamming randombits 64 emptied"), "hnsw bit hamming randombits 64 moved")

names = [s.cell("built") + str(s.sizes_only) for s in subjects()]
check("no cell stands twice", len(names), len(set(names)))
check("every kind is tried", {s.data.kind for s in subjects()}, set(kinds.KINDS))
stored = figures.read_figures(figures.FILE)
check("pgvector's figures are there for what make check runs",
      [cell for s in subjects() if s.quick for plan in plans_for(s) for way in plan.ways
       if (peer_cell(cell := s.cell(way)), "recall10") not in stored], [])
for name, its_kind in kinds.KINDS.items():
    if kinds.available(name):
        wants = [kinds.Draw(name, 384, part, 3) for part in kinds.PARTS]
        drawn = [list(its_kind.draw(w)) for w in wants]
        again = [list(its_kind.draw(w)) for w in wants]
        check(f"{name}: as many rows as wanted, the same each time",
              ([len(rows) for rows in drawn], drawn), ([3] * len(wants), again))

again = [[list(kinds.KINDS["clusters"].draw(kinds.Draw("clusters", 8, "first", 40, number)))[i]
          for i in (0, 39)] for number in (0, 1, 1)]
check("another draw has other rows, in other clusters, the same each time",
      (again[1] == again[2], [a != b for a, b in zip(again[0], again[1])]), (True, [True, True]))



class HeldServer(Server):
    """A table whose dead rows others still see for two vacuums, and what is said of them."""

    def __init__(self) -> None:
        super().__init__("", "", "", "")
        self.held = 2
        self.dead = 10
        self.untold = 10
        self.said = 0

    def _ask(self, text: str) -> str:
        for statement in text.splitlines():
            if statement.startswith("VACUUM"):
                self.dead = self.dead if self.held > 0 else 0
                self.held -= 1
            elif statement.startswith("ANALYZE"):
                # what the session deleted is taken off, since it will be told of later
                self.said = max(0, self.dead - self.untold)
            elif "pg_stat_force_next_flush" in statement:
                self.said += self.untold
                self.untold = 0
        return str(self.said)


held = HeldServer()
subject = subjects()[0]
Course(held, stage.Stage(held, subject.data), subject).vacuum()
check("a vacuum is repeated while others see dead rows", (held.dead, held.held), (0, -1))

with tempfile.TemporaryDirectory() as directory:
    path = pathlib.Path(directory) / "file"
    HEADER = b"{'descr': '<f2', 'fortran_order': False, 'shape': (2, 2), }\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(HEADER)) + HEADER
                     + struct.pack("<4e", 1, 2, 3, 4))
    check("rows of a .npy file", list(kinds.npy_rows(path, 1, 1)), [(3.0, 4.0)])
    check("vectors are copied in binary", stage.write_copy(path, [[1.0, 2.0]]), True)
    check("as PostgreSQL has them", path.read_bytes()[19:],
          struct.pack(">hiiihhffh", 2, 4, 0, 12, 2, 0, 1.0, 2.0, -1))
    written = {("a b", "recall10"): Figure((0.5, 0.25), "vector 1", "2020-01-01")}
    figures.write_figures(written, path)
    check("figures come back as they were stored", figures.read_figures(path), written)

print(f"1..{len(results)}")
sys.exit(0 if all(results) else 1)
