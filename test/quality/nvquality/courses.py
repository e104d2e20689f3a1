"""Ways in which rows come into an index and leave it.  A course passes several."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from . import measures
from .grid import Subject
from .kinds import KINDS
from .server import Server, ServerError
from .stage import Stage

# a scan gives these up front: LIMIT 20 is where the second half of ef_search = 40 shows
LIMITS = (10, 20)
# dead rows are waited for about a minute and the time that the statements take
VACUUM_TRIES = 600


@dataclass
class Course:
    """An index of a subject, on table items, and what was measured of it so far."""

    server: Server
    stage: Stage
    subject: Subject
    # is it pgvector that is measured?
    peer: bool = False
    results: dict[tuple[str, str], float] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows of a part."""
        return self.stage.data.rows

    def build(self, table: str = "items", options: str = "") -> None:
        """Make the index, with defaults unless options are given."""
        self.server.run(f"CREATE INDEX {table}_v_idx ON {table}"
                        f" USING {self.subject.method} (v {self.subject.opclass}) {options}")

    def load(self, part: str, first_id: int, where: str = "true") -> None:
        """Insert rows of a part."""
        self.server.run(self.stage.insert(self.subject, part, first_id, where), "ANALYZE items")

    def vacuum(self) -> None:
        """Vacuum, as often as it takes until no dead row is left.

        Statements of other sessions in the database, which may be other data sets of ours,
        keep those rows from being removed that they could still see.  A session tells of the
        rows that it deleted once a second only, and until then ANALYZE takes them off the
        dead ones that it counts: so they are told of first.
        """
        self.server.run("SELECT pg_stat_force_next_flush()")
        for _ in range(VACUUM_TRIES):
            self.server.run("VACUUM items", "ANALYZE items")
            if self.server.value("SELECT pg_stat_get_dead_tuples('items'::regclass)") == "0":
                return
            time.sleep(0.1)
        raise ServerError("dead rows stay: a transaction is open in the database for long")

    def measure(self, way: str, contents: str, away: bool = False) -> None:
        """Recall at this point of the course."""
        truth = self.stage.truth(self.subject, contents, "query_away" if away else "query")
        for limit in LIMITS:
            self.note(way, f"recall{limit}",
                      measures.recall(self.server, self.subject, truth, limit))
        if self.subject.method != "hnsw":
            return
        # the nearest by inner product is not oneself; zero vectors have no cosine
        if self.subject.metric != "ip":
            self.note(way, "self", measures.selves(self.server, self.subject))
        if self.subject.metric != "cosine":
            self.note(way, "reach", measures.reach(self.server, self.subject, truth))

    def note(self, way: str, measure: str, value: float) -> None:
        """Keep a value."""
        self.results[self.subject.cell(way), measure] = value


def built(course: Course) -> None:
    """The index is made on the rows; then half of them go, and others come."""
    server, subject, stage = course.server, course.subject, course.stage
    stage.make_table(subject, "items")
    course.load("first", 0)
    course.build()
    course.measure("built", "first")
    course.note("built", "bytes", measures.bytes_per_row(server))
    if subject.method != "hnsw":
        return
    if subject.metric != "cosine" and not course.peer:
        course.note("built", "deep_time", measures.deep_time(
            server, subject, stage.truth(subject, "first", "query")))

    server.run(f"DELETE FROM items WHERE {KINDS[stage.data.kind].doomed}")
    course.vacuum()
    course.measure("vacuumed", "kept")
    if not course.peer:
        compare_with_fresh(course)
    course.load("more", course.rows, f"id < {course.rows} - (SELECT count(*) FROM items)")
    course.measure("refilled", "refilled")


def compare_with_fresh(course: Course) -> None:
    """Recall of the index that a vacuum left, and of a new one on the same rows."""
    server, subject, stage = course.server, course.subject, course.stage
    # half a hundredth shows with many queries only
    truth = stage.truth(subject, "kept", "query", many=True)
    course.note("vacuumed", "aged", measures.recall(server, subject, truth, 10))
    stage.make_table(subject, "fresh")
    server.run("INSERT INTO fresh SELECT * FROM items ORDER BY id", "ANALYZE fresh")
    course.build("fresh")
    course.note("vacuumed", "fresh", measures.recall(server, subject, truth, 10, "fresh"))
    server.run("DROP TABLE fresh")


def inserted(course: Course) -> None:
    """The index is made on an empty table; then rows come, and are updated."""
    server, subject, stage = course.server, course.subject, course.stage
    stage.make_table(subject, "items")
    course.build()
    course.load("first", 0)
    course.measure("inserted", "first")
    course.note("inserted", "bytes", measures.bytes_per_row(server))
    if subject.method != "hnsw":
        return

    # a row moves to another cluster, but clusters stay as full as they were
    for step in range(4):
        server.run(
            f"UPDATE items i SET v = m.v::{stage.column_type(subject)} FROM part_more m"
            f" WHERE i.id % 4 = {step} AND m.id = (i.id + {step} * 628) % {course.rows}",
            # some rows change all the time
            "DO $$ BEGIN FOR turn IN 1..40 LOOP UPDATE items SET v = v WHERE id < 10; END LOOP;"
            " END $$")
        if step % 2 == 1:
            course.vacuum()
    course.measure("updated", "updated")


def moved(course: Course) -> None:
    """The index is made on the rows; rows of another place join them, then the first leave.

    In the end all leave, and those of the other place come again.
    """
    server, subject, stage = course.server, course.subject, course.stage
    stage.make_table(subject, "items")
    course.load("first", 0)
    course.build()
    course.load("away", course.rows)
    course.measure("joined", "joined", away=True)
    server.run(f"DELETE FROM items WHERE id < {course.rows}")
    course.vacuum()
    course.measure("moved", "away", away=True)
    if not course.peer:
        server.run("DELETE FROM items")
        course.vacuum()
        course.load("away", 2 * course.rows)
        course.measure("emptied", "away", away=True)


def sized(course: Course, m: int) -> None:
    """The size of an index that is made on the rows, and of one that is made before."""
    for way in (f"built_m{m}", f"inserted_m{m}"):
        course.stage.make_table(course.subject, "items")
        if way.startswith("built"):
            course.load("first", 0)
        course.build(options=f"WITH (m = {m})")
        if way.startswith("inserted"):
            course.load("first", 0)
        course.note(way, "bytes", measures.bytes_per_row(course.server))


@dataclass(frozen=True)
class Plan:
    """A course, and the ways that it passes."""

    go: Callable[[Course], None]
    ways: tuple[str, ...]


ALL_WAYS = (
    Plan(built, ("built", "vacuumed", "refilled")),
    Plan(inserted, ("inserted", "updated")),
    Plan(moved, ("joined", "moved", "emptied")),
)
LIST_WAYS = (Plan(built, ("built",)), Plan(inserted, ("inserted",)))
SIZES = tuple(Plan(partial(sized, m=m), (f"built_m{m}", f"inserted_m{m}")) for m in (8, 16, 32))


def plans_for(subject: Subject) -> tuple[Plan, ...]:
    """The courses for a subject."""
    if subject.sizes_only:
        return SIZES
    return ALL_WAYS if subject.method == "hnsw" else LIST_WAYS
