"""What is measured of an index: recall, its size, and scans to the end of the table."""

from __future__ import annotations

import re
import statistics

from .grid import Subject
from .server import Server, ServerError

# whatever it costs by the planner's account, the index is what is measured
BY_INDEX = ("enable_seqscan = off", "enable_sort = off", "enable_bitmapscan = off",
            "max_parallel_workers_per_gather = 0")
# nothing but the table's end ends a scan
TO_THE_END = BY_INDEX + ("hnsw.iterative_scan = strict_order",
                         "hnsw.max_scan_tuples = 2147483647", "work_mem = '1GB'")
NUM_TIMINGS = 5
# how many rows look for themselves
NUM_SELVES = 100


def check_plan(server: Server, query: str, index: str, settings: tuple[str, ...] = ()) -> None:
    """Raise ServerError unless the query is answered by the index."""
    plan = server.value(f"EXPLAIN (COSTS off) {query}", settings=BY_INDEX + settings)
    if f"Index Scan using {index} on" not in plan:
        raise ServerError(f"{index} is not used: {query}\n{plan}")


def recall(server: Server, subject: Subject, truth: str, limit: int,
           table: str = "items") -> float:
    """Share of the nearest rows that a scan returns, over all queries.

    A row counts if it is no farther than the exact one that comes last: of equally
    distant rows any will do.  Each row counts once.
    """
    query = (
        f"SELECT coalesce(avg(share), 0) FROM (SELECT q.id, (SELECT count(DISTINCT n.id)"
        f" FILTER (WHERE n.d <= q.nearest[least({limit}, cardinality(q.nearest))])"
        f" FROM (SELECT i.id, i.v {subject.operator} q.v AS d FROM {table} i"
        f" ORDER BY i.v {subject.operator} q.v LIMIT {limit}) n)"
        f" / least({limit}, cardinality(q.nearest))::float8 AS share FROM {truth} q) s")
    check_plan(server, query, f"{table}_v_idx")
    return float(server.value(query, settings=BY_INDEX))


def selves(server: Server, subject: Subject) -> float:
    """Share of rows that find themselves, or an equal one."""
    query = (
        f"SELECT avg((coalesce((SELECT i.v {subject.operator} q.v FROM items i"
        f" ORDER BY i.v {subject.operator} q.v LIMIT 1)"
        f" <= q.v {subject.operator} q.v, false))::int)"
        f" FROM (SELECT id, v FROM items ORDER BY hashint4(id) LIMIT {NUM_SELVES}) q")
    check_plan(server, query, "items_v_idx")
    return float(server.value(query, settings=BY_INDEX))


def bytes_per_row(server: Server) -> float:
    """Size of the index, for each row of the table."""
    return float(server.value(
        "SELECT pg_relation_size('items_v_idx')::float8 / (SELECT count(*) FROM items)"))


def whole_scan(subject: Subject, truth: str, limit: str) -> str:
    """A query that counts the rows that come for one of the queries."""
    return (f"SELECT count(DISTINCT n.id) FROM (SELECT i.id FROM items i ORDER BY"
            f" i.v {subject.operator} (SELECT v FROM {truth} WHERE id = 0) LIMIT {limit}) n")


def reach(server: Server, subject: Subject, truth: str) -> float:
    """Share of all rows that a scan to the end returns."""
    query = whole_scan(subject, truth, "ALL")
    check_plan(server, query, "items_v_idx")
    found = int(server.value(query, settings=TO_THE_END))
    return found / int(server.value("SELECT count(*) FROM items"))


def deep_time(server: Server, subject: Subject, truth: str) -> float:
    """How many times as long a scan of all rows takes as one of a tenth."""
    rows = int(server.value("SELECT count(*) FROM items"))
    tenth = whole_scan(subject, truth, str(rows // 10))
    whole = whole_scan(subject, truth, str(rows))
    milliseconds(server, whole)
    ratios = []
    for _ in range(NUM_TIMINGS):
        before = milliseconds(server, tenth)
        ratios.append(milliseconds(server, whole) / before)
    return statistics.median(ratios)


def milliseconds(server: Server, query: str) -> float:
    """Processor time that a scan to the end takes: what else runs beside it does not count."""
    said = server.run("SET client_min_messages = log", "SET log_executor_stats = on", query,
                      "SET log_executor_stats = off", "SET client_min_messages = error",
                      settings=TO_THE_END)
    time = re.search(r"([0-9.]+) s user, ([0-9.]+) s system, [0-9.]+ s elapsed", said)
    assert time
    return 1000 * (float(time[1]) + float(time[2]))
