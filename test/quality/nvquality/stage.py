"""Rows of a kind of data, loaded into the server, and exact answers for them."""

from __future__ import annotations

import pathlib
import struct
import sys
import tempfile
from array import array
from collections.abc import Iterable

from . import kinds
from .grid import Data, Subject
from .server import Server

NUM_QUERIES = 200
NUM_MANY_QUERIES = 1000
# the deepest LIMIT whose exact distance is known
TRUTH_DEPTH = 20

# no index is looked at for exact answers, nothing else for approximate ones
EXACT = ("enable_indexscan = off", "max_parallel_workers_per_gather = 0", "work_mem = '256MB'")


def write_copy(file: pathlib.Path, rows: Iterable[kinds.Vector | kinds.Literal]) -> bool:
    """Write rows numbered from 0 in a form that COPY reads; true if it is the binary one."""
    binary = False
    with open(file, "wb") as f:
        for number, row in enumerate(rows):
            if isinstance(row, str):
                f.write(f"{number}\t{row}\n".encode())
                continue
            if number == 0:
                binary = True
                f.write(b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0))
            elements = array("f", row)
            if sys.byteorder == "little":
                elements.byteswap()
            f.write(struct.pack(">hiiihh", 2, 4, number, 4 + 4 * len(row), len(row), 0))
            f.write(elements.tobytes())
        if binary:
            f.write(b"\xff\xff")
    return binary


class Stage:
    """The parts of a data set, each in a table, in the type that they are drawn in.

    Exact answers are kept by what the table held when they were asked for, since
    courses come by the same contents again and again.
    """

    def __init__(self, server: Server, data: Data, draw: int = 0) -> None:
        self.server = server
        self.data = data
        self.draw = draw
        self._truths: set[str] = set()

    def load(self) -> None:
        """Draw all parts and load them."""
        for part in kinds.PARTS:
            count = NUM_MANY_QUERIES if part.startswith("query") else self.data.rows
            drawn = kinds.KINDS[self.data.kind].draw(
                kinds.Draw(self.data.kind, self.data.dims, part, count, self.draw))
            with tempfile.NamedTemporaryFile(suffix=f".{part}") as file:
                binary = write_copy(pathlib.Path(file.name), drawn)
                self.server.run(f"CREATE TABLE part_{part} (id int, v {self.drawn_type(binary)})")
                self.server.copy_in(f"part_{part}", file.name, binary)
            self.server.run(f"ANALYZE part_{part}")

    def drawn_type(self, binary: bool) -> str:
        """The type of the loaded tables, without or with dimensions."""
        if binary:
            return f"vector({self.data.dims})"
        text = self.data.kind in ("sparse", "words")
        return f"{'sparsevec' if text else 'bit'}({self.data.dims})"

    def column_type(self, subject: Subject) -> str:
        """The type of the column that is indexed."""
        return f"{subject.type}({self.data.dims})"

    def make_table(self, subject: Subject, name: str) -> None:
        """An empty table that nothing but we vacuum."""
        self.server.run(
            f"DROP TABLE IF EXISTS {name}",
            f"CREATE TABLE {name} (id int, v {self.column_type(subject)})"
            " WITH (autovacuum_enabled = off)",
            f"ALTER TABLE {name} ALTER v SET STORAGE PLAIN")

    def insert(self, subject: Subject, part: str, first_id: int, where: str = "true") -> str:
        """The statement that inserts rows of a part, in the order in which they were drawn."""
        return (f"INSERT INTO items SELECT {first_id} + id, v::{self.column_type(subject)}"
                f" FROM part_{part} WHERE {where} ORDER BY id")

    def truth(self, subject: Subject, contents: str, queries: str, many: bool = False) -> str:
        """The table of queries with the exact distances of their nearest rows in items.

        contents names what items holds: the same name stands for the same rows.
        """
        count = NUM_MANY_QUERIES if many else NUM_QUERIES
        name = f"truth_{subject.type}_{subject.metric}_{contents}_{count}"
        if name not in self._truths:
            self.server.run(
                f"CREATE TABLE {name} AS SELECT q.id, q.v, (SELECT array_agg(d ORDER BY d) FROM"
                f" (SELECT i.v {subject.operator} q.v AS d FROM items i ORDER BY 1"
                f" LIMIT {TRUTH_DEPTH}) n) AS nearest"
                f" FROM (SELECT id, v::{self.column_type(subject)} AS v FROM part_{queries}"
                f" WHERE id < {count}) q",
                f"ANALYZE {name}", settings=EXACT)
            self._truths.add(name)
        return name
