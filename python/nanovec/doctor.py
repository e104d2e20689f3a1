"""Looks whether all is well, and says what to do where it is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import psycopg

from ._version import __version__
from ._wire import as_sql
from .client import Client

Level = Literal["ok", "advice", "problem"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    what: str
    found: str
    advice: str = ""


def _one(conn: psycopg.Connection, query: str) -> Any:
    row = conn.execute(as_sql(query)).fetchone()
    return None if row is None else row[0]


def examine(client: Client) -> list[Finding]:
    """Look at server, extensions, settings and the indexes of all collections."""
    with client.connection() as conn:
        findings = [_server(conn), *_extensions(conn), *_settings(conn)]
        for info in client.list_collections():
            findings += _collection(conn, client, info.name)
    return findings


def _server(conn: psycopg.Connection) -> Finding:
    version = _one(conn, "SHOW server_version")
    if conn.info.server_version < 150000:
        return Finding("problem", "PostgreSQL", version, "nanovec is tested with 15 and later")
    return Finding("ok", "PostgreSQL", version)


def _extensions(conn: psycopg.Connection) -> list[Finding]:
    findings = []
    for name in ("nanovec", "nanovec_collections"):
        has = _one(conn, f"SELECT extversion FROM pg_extension WHERE extname = '{name}'")
        offered = _one(
            conn, f"SELECT default_version FROM pg_available_extensions WHERE name = '{name}'"
        )
        what = f"extension {name}"
        if has is None:
            findings.append(Finding("problem", what, "missing", f"CREATE EXTENSION {name}"))
        elif offered != has:
            findings.append(
                Finding(
                    "problem",
                    what,
                    f"{has}, the server has {offered}",
                    f"ALTER EXTENSION {name} UPDATE",
                )
            )
        elif has != __version__:
            findings.append(
                Finding(
                    "advice", what, f"{has}, this program is {__version__}", "use the same versions"
                )
            )
        else:
            findings.append(Finding("ok", what, has))
    variants = _one(
        conn,
        "SELECT string_agg(DISTINCT variant, ', ' ORDER BY variant) FROM "
        + _one(conn, "SELECT nanovec.vector_schema()")
        + ".nanovec_simd()",
    )
    level: Level = "advice" if variants == "scalar" else "ok"
    advice = (
        "this CPU has no instructions that nanovec knows: searches are slow"
        if level != "ok"
        else ""
    )
    return [*findings, Finding(level, "instructions", variants, advice)]


def _megabytes(conn: psycopg.Connection, name: str) -> int:
    query = f"SELECT pg_size_bytes(current_setting('{name}')) / 1048576"
    return int(_one(conn, query))


def _settings(conn: psycopg.Connection) -> list[Finding]:
    findings = []
    data = int(_one(conn, "SELECT pg_database_size(current_database()) / 1048576"))
    wanted = {"shared_buffers": min(data, 1024), "maintenance_work_mem": min(data, 512)}
    for name, least in wanted.items():
        has = _megabytes(conn, name)
        if has < least and has < 128:
            advice = f"the database has {data} MB: set {name} to {least}MB or more"
            findings.append(Finding("advice", name, f"{has} MB", advice))
        else:
            findings.append(Finding("ok", name, f"{has} MB"))
    for name in ("fsync", "full_page_writes"):
        if _one(conn, f"SHOW {name}") == "off":
            findings.append(
                Finding("problem", name, "off", "a crash can destroy the database: turn it on")
            )
    return findings


def _collection(conn: psycopg.Connection, client: Client, name: str) -> list[Finding]:
    collection = client.get_collection(name)
    info = collection.info
    what = f"collection {name}"
    findings: list[Finding] = []
    row = conn.execute(
        "SELECT count(*) FROM nanovec.imports WHERE collection = %s", [info.id]
    ).fetchone()
    if row and row[0]:
        findings.append(
            Finding(
                "advice", what, "an import was broken off", "run the same import again: it goes on"
            )
        )
    elif info.batches:
        findings.append(
            Finding(
                "problem", what, f"{info.batches} batches are open, so it has no index",
                "if nobody is loading it: nanovec rebuild " + name,
            )
        )  # fmt: skip
    elif info.loading:
        findings.append(
            Finding(
                "advice", what, "a first load is under way, after which it gets its index",
                "if no server is loading it: nanovec rebuild " + name,
            )
        )  # fmt: skip
    if info.vector_index is None:
        if (
            not info.batches
            and not info.loading
            and info.dimension
            and info.index["type"] != "none"
        ):
            findings.append(
                Finding("problem", what, "its index is missing", "nanovec rebuild " + name)
            )
        return findings or [Finding("ok", what, "no index")]
    try:
        check = f"{info.vector_schema}.nanovec_index_check(%s::text::regclass)"
        problems = conn.execute(
            as_sql(f"SELECT problem FROM {check} LIMIT 3"), [info.vector_index]
        ).fetchall()
    except psycopg.errors.InsufficientPrivilege:
        return [*findings, Finding("ok", what, "its index can be checked by its owner only")]
    if problems:
        text = "; ".join(p[0] for p in problems)
        return [*findings, Finding("problem", what, text, "nanovec rebuild " + name)]
    stats = collection.stats()
    advice = stats["vector_index"]["info"].get("advice")
    if advice and advice != "none":
        findings.append(
            Finding(
                "advice", what, "its index could be better", f"{advice}: nanovec rebuild {name}"
            )
        )
    return findings or [Finding("ok", what, f"{stats['rows']} rows, a sound index")]
