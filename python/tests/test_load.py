"""`nanovec serve` under load, and after crashes and stops."""

import asyncio
import json
import os
import signal
import threading
import time
from pathlib import Path

import httpx
import psycopg
from api_calls import RNG, call, eventually, make

import nanovec

# how long 200 clients ask
LOAD_SECONDS = float(os.environ.get("NANOVEC_LOAD_SECONDS", "60"))


def connections_of(dsn):
    with psycopg.connect(dsn, autocommit=True) as conn:
        return conn.execute(
            "SELECT count(*), count(*) FILTER (WHERE state <> 'idle') FROM pg_stat_activity "
            "WHERE application_name = 'nanovec serve' AND datname = current_database()"
        ).fetchone()


class LeanClient:
    """A client with one connection: httpx takes more time than the server does."""

    def __init__(self, port):
        self.port = port
        self.streams = None

    async def post(self, path, content):
        """The status of the answer to a request, and its headers."""
        if self.streams is None:
            self.streams = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self.streams
        body = json.dumps(content).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines if line)
        await reader.readexactly(int(headers["content-length"]))
        return int(status.split()[1]), headers

    def leave(self):
        """Go away, whatever is under way."""
        if self.streams is not None:
            self.streams[1].transport.abort()
            self.streams = None


async def test_many_clients(api, served):
    """200 clients, some of which go away at once: no error but 503, no connection is lost."""
    make(api, rows=2000, dimension=32)
    vectors = RNG.normal(size=(64, 32)).tolist()
    statuses = {}
    end = time.monotonic() + LOAD_SECONDS
    before = served.memory()

    async def one(n):
        client, i = LeanClient(served.port), 0
        while time.monotonic() < end:
            i += 1
            if n % 10 == 0:
                path, body = "upsert", {"ids": [f"c{n}-{i % 50}"], "embeddings": [vectors[i % 64]]}
            else:
                path, body = "query", {"embeddings": [vectors[i % 64]], "k": 10, "include": []}
            asked = client.post(f"/v1/collections/books/{path}", body)
            try:
                status, headers = await asyncio.wait_for(asked, 0.01 if n % 20 == 1 else 60)
            except asyncio.TimeoutError:
                client.leave()
                await asyncio.sleep(0.2)
                continue
            statuses[status] = statuses.get(status, 0) + 1
            if status == 503:
                assert headers["retry-after"] == "1"
                await asyncio.sleep(0.05)
        client.leave()

    await asyncio.gather(*(one(n) for n in range(200)))
    assert set(statuses) <= {200, 503} and statuses[200] > 500, statuses
    assert served.memory() < before + (100 << 20)
    eventually(lambda: connections_of(served.dsn)[1] == 0)
    assert connections_of(served.dsn)[0] <= 12
    for figure in ("nanovec_pool_waiting_requests 0.0", "nanovec_requests_in_progress 1.0"):
        eventually(lambda text=figure: text in api.get("/metrics").text)


class Writer(threading.Thread):
    """Writes rows one by one, and remembers which were acknowledged."""

    def __init__(self, url):
        super().__init__()
        self.url, self.acknowledged, self.failed, self.ended = url, [], 0, False

    def run(self):
        n = 0
        while not self.ended:
            n += 1
            body = {"ids": [f"{self.name}-{n}"], "embeddings": [[n % 7, n % 11, 1]]}
            try:
                response = httpx.post(
                    f"{self.url}/v1/collections/kept/upsert", json=body, timeout=20
                )
                ok = response.status_code == 200
                assert ok or response.status_code in (503, 504), response.text
            except httpx.TransportError:
                ok = False
            if ok:
                self.acknowledged.append(body["ids"][0])
            else:
                self.failed += 1
                time.sleep(0.02)


def test_crashes(directory, start_server):
    """kill -9 of a backend, of PostgreSQL and of the server, under load."""
    server = start_server("--path", str(directory))
    with httpx.Client(base_url=server.url, timeout=20) as api:
        make(api, "kept", dimension=3)
    writers = [Writer(server.url) for _ in range(4)]
    for writer in writers:
        writer.start()

    def progress():
        """Wait until each writer has written something more."""
        before = [len(w.acknowledged) for w in writers]
        for _ in range(600):
            if all(len(w.acknowledged) > b for w, b in zip(writers, before, strict=True)):
                return
            assert all(w.is_alive() for w in writers)
            time.sleep(0.05)
        raise AssertionError(f"nothing is written any more:\n{server.log.read_text()[-3000:]}")

    try:
        progress()
        postmaster = int((directory / "pgdata" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        backend = [c for c in children if b"[local]" in Path(f"/proc/{c}/cmdline").read_bytes()]
        os.kill(int(backend[0]), signal.SIGKILL)
        progress()
        os.kill(postmaster, signal.SIGKILL)
        progress()
        server.kill()
        took = server.start()
        assert took < 10
        progress()
    finally:
        for writer in writers:
            writer.ended = True
        for writer in writers:
            writer.join()
    with httpx.Client(base_url=server.url, timeout=20) as api:
        there = set(call(api, "POST", "/v1/collections/kept/get", json={"include": []})["ids"])
        assert "nanovec_database_restarts_total" in api.get("/metrics").text
    for writer in writers:
        assert writer.failed and set(writer.acknowledged) <= there


def test_graceful_stop(directory, start_server):
    """Requests that are under way are finished; the embedded server stops, too."""
    server = start_server("--path", str(directory))
    with httpx.Client(base_url=server.url, timeout=20) as api:
        make(api, rows=2000, dimension=64)
        answers = []
        ask = threading.Thread(
            target=lambda: answers.append(
                api.post("/v1/collections/books/recall", json={"queries": 300})
            )
        )
        ask.start()
        time.sleep(0.3)
        server.stop()
        ask.join()
        assert answers[0].status_code == 200
    assert not (directory / "pgdata" / "postmaster.pid").exists()
    assert server.start() < 5


def test_a_load_that_broke_off(directory, start_server):
    """The next start builds the index that a crash left out, a stop builds it at once."""
    server = start_server("--path", str(directory))
    with httpx.Client(base_url=server.url, timeout=30) as api:
        make(api, rows=2000)
        assert call(api, "GET", "/v1/collections/books")["loading"]
        server.kill()
        server.start()
        eventually(lambda: not call(api, "GET", "/v1/collections/books")["loading"])
        assert call(api, "GET", "/v1/collections/books/stats")["vector_index"] is not None
        make(api, "more", rows=2000)
    server.stop()
    with nanovec.open(directory) as db:
        assert not db.get_collection("more").info.loading
        assert db.get_collection("more").stats()["vector_index"] is not None
