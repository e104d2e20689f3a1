"""Figures for Prometheus."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from .._version import __version__
from ..models import CollectionSize

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
_COLLECTION = ["tenant", "database", "collection"]


class Metrics:
    """The figures of one server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()

        def gauge(name: str, help_: str, labels: Sequence[str] = ()) -> Gauge:
            return Gauge(f"nanovec_{name}", help_, labels, registry=self._registry)

        self._requests = Counter(
            "nanovec_requests", "Requests", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "nanovec_request_seconds", "Time of requests", ["method", "route"],
            registry=self._registry, buckets=_SECONDS,
        )  # fmt: skip
        self._restarts = Counter(
            "nanovec_database_restarts", "Times that the embedded PostgreSQL was started again",
            registry=self._registry,
        )  # fmt: skip
        self.in_progress = gauge("requests_in_progress", "Requests that are not yet answered")
        self._up = gauge("database_up", "1 if the database answers, else 0")
        self._pool_size = gauge("pool_connections", "Connections to the database")
        self._pool_free = gauge("pool_free_connections", "Connections that nobody uses now")
        self._pool_waiting = gauge("pool_waiting_requests", "Requests that wait for a connection")
        self._rows = gauge("collection_rows", "Rows, as of the last ANALYZE", _COLLECTION)
        self._table = gauge("collection_table_bytes", "Size of the table", _COLLECTION)
        self._index = gauge("collection_index_bytes", "Size of its indexes", _COLLECTION)
        gauge("build_info", "The version", ["version"]).labels(__version__).set(1)

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        counter, histogram = self._series(method, route, status)
        counter.inc()
        histogram.observe(seconds)

    @functools.lru_cache(maxsize=4096)  # noqa: B019 - there is one of this, as long as the process
    def _series(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        """The figures of such requests: to find them takes longer than to count."""
        return (
            self._requests.labels(method, route, str(status)),
            self._seconds.labels(method, route),
        )

    def count_restart(self) -> None:
        """Count a restart of the embedded server."""
        self._restarts.inc()

    def text(self, pool: dict[str, int], sizes: list[CollectionSize] | None) -> bytes:
        """All figures; sizes are None if the database does not answer."""
        self._up.set(sizes is not None)
        self._pool_size.set(pool.get("pool_size", 0))
        self._pool_free.set(pool.get("pool_available", 0))
        self._pool_waiting.set(pool.get("requests_waiting", 0))
        for gauge in (self._rows, self._table, self._index):
            gauge.clear()
        for size in sizes or ():
            labels = (size.tenant, size.database, size.name)
            self._rows.labels(*labels).set(size.rows)
            self._table.labels(*labels).set(size.table_bytes)
            self._index.labels(*labels).set(size.index_bytes)
        return generate_latest(self._registry)
