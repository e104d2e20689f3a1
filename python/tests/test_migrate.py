"""Migrations: a real Chroma directory, and tables of pgvector's kind."""

import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import psycopg
import pytest

import nanovec
from nanovec import migrate

SPACES = ("l2", "cosine", "ip")
ROWS = np.random.default_rng(3).normal(size=(300, 16)).astype(np.float32)


@pytest.fixture
def chroma(directory):
    """A directory of Chroma's PersistentClient, made by another process."""
    code = """
import sys, chromadb, numpy as np
from chromadb.config import Settings
rows = np.random.default_rng(3).normal(size=(300, 16)).astype(np.float32)
client = chromadb.PersistentClient(sys.argv[1], settings=Settings(anonymized_telemetry=False))
for space in ("l2", "cosine", "ip"):
    c = client.create_collection("col-" + space, metadata={"hnsw:space": space, "of": "a test"}, embedding_function=None)
    c.add(ids=[f"i{n}" for n in range(300)], embeddings=rows,
          documents=[f"doc {n} \\u00fc" for n in range(300)],
          metadatas=[{"n": n, "f": n / 7, "b": n % 2 == 0, "s": "x'y"} for n in range(300)])
client.create_collection("empty", embedding_function=None)
"""
    directory.mkdir()
    subprocess.run([sys.executable, "-c", code, str(directory / "chroma")], check=True, cwd="/")
    return directory / "chroma"


def test_chroma(client, chroma):
    done = list(migrate.migrate_chroma(client, str(chroma)))
    assert [m.name for m in done] == ["col-cosine", "col-ip", "col-l2", "empty"]
    for m in done[:3]:
        assert (m.rows, m.rows_there, m.bad) == (300, 300, 0)
        assert m.agreement > 0.99
    theirs = migrate.open_chroma(str(chroma))
    for space in SPACES:
        ours = client.get_collection(f"col-{space}")
        assert ours.info.metric == space and ours.info.metadata["of"] == "a test"
        got = ours.get(["i7"])
        assert got.documents == ["doc 7 \u00fc"] and got.metadatas == [
            {"n": 7, "f": 1.0, "b": False, "s": "x'y"}
        ]
        # distances are Chroma's, and filters mean the same
        old = theirs.get_collection(f"col-{space}", embedding_function=None)
        for where in (
            None,
            {"n": {"$gte": 150}},
            {"$or": [{"b": True}, {"n": {"$in": [1, 3]}}]},
            {"n": {"$ne": 5}},
            {"x": {"$nin": [1]}},
        ):
            a = old.query(
                query_embeddings=[ROWS[0].tolist()],
                n_results=10,
                where=where,
                include=["distances"],
            )
            b = ours.query(ROWS[0], k=10, where=where)
            assert a["ids"] == b.ids, (space, where)
            np.testing.assert_allclose(a["distances"][0], b.distances[0], atol=1e-4)
    # again: nothing is there twice
    assert [
        m.rows_there for m in migrate.migrate_chroma(client, str(chroma), names=["col-l2"])
    ] == [300]
    with pytest.raises(nanovec.InvalidArgumentError, match="no collection"):
        list(migrate.migrate_chroma(client, str(chroma), names=["x"]))
    with pytest.raises(nanovec.InvalidArgumentError, match="no directory"):
        list(migrate.migrate_chroma(client, str(chroma.parent)))


def test_chroma_server(local, chroma):
    """A server of Chroma's, and one that speaks its API: the client is the same."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).parent / "chroma"
    server = subprocess.Popen(
        [program, "run", "--path", chroma, f"--port={port}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=chroma.parent,
    )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(600):
            try:
                httpx.get(f"{url}/api/v2/heartbeat").raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        done = list(migrate.migrate_chroma(local, url, names=["col-l2", "empty"]))
        assert [(m.rows, m.rows_there, m.bad) for m in done] == [(300, 300, 0), (0, 0, 0)]
        assert done[0].agreement > 0.99
        got = local.get_collection("col-l2").get(["i7"])
        assert got.documents == ["doc 7 \u00fc"] and got.metadatas[0]["s"] == "x'y"
    finally:
        server.terminate()
        server.wait()
    with pytest.raises(nanovec.ServerError, match="cannot be opened"):
        list(migrate.migrate_chroma(local, url))


def test_pgvector(client, dsn):
    with client.connection() as conn:
        conn.execute("""
            CREATE SCHEMA "old ones";
            CREATE TABLE "old ones"."my items" (id bigserial PRIMARY KEY, content text, embedding vector(16), year int, tags text[]);
            CREATE INDEX ON "old ones"."my items" USING hnsw (embedding vector_l2_ops);
            CREATE TABLE two (a int, b text, x vector(3), y vector(2), PRIMARY KEY (a, b));
            INSERT INTO two VALUES (1, 'x', '[1,2,3]', '[1,2]'), (2, 'y', NULL, '[2,3]');
            CREATE TABLE nokey (v vector);
            INSERT INTO nokey VALUES ('[1,2]'), ('[1,2,3]')""")
        for n, row in enumerate(ROWS):
            conn.execute('INSERT INTO "old ones"."my items" (content, embedding, year, tags) VALUES (%s, %s::real[]::vector, %s, %s)',
                         [f"text {n}" if n % 2 else None, row.tolist(), n, ["a", "b"]])  # fmt: skip
    name = dsn.split("dbname=")[1].split()[0] + "_new"
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}")
    try:
        with nanovec.connect(psycopg.conninfo.make_conninfo(dsn, dbname=name)) as new:
            done = {m.name: m for m in migrate.migrate_pgvector(new, dsn, index={"type": "ivf"})}
            items = new.get_collection("my items")
            assert items.info.metric == "l2" and items.info.index == {"type": "ivf"}
            assert done["my items"].rows_there == 300 and done["my items"].agreement > 0.9
            assert items.get(["2"]).documents == ["text 1"]
            assert items.get(["2"]).metadatas == [{"year": 1, "tags": ["a", "b"]}]
            assert new.get_collection("two.y").get().ids == ["1:x", "2:y"]
            assert done["two.x"].rows == 1
            # of a column without dimensions, those as long as the first
            assert done["nokey"].bad == 1
            with pytest.raises(nanovec.InvalidArgumentError):
                list(migrate.migrate_pgvector(new, dsn, names=["nothing"]))
    finally:
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute(f"DROP DATABASE {name} WITH (FORCE)")
