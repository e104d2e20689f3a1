#!/usr/bin/env python3
"""`nanovec serve` beside `chroma run`: imports and queries over HTTP, with the same clients.

    bench/http_peer.py [--data DIR] [--rows 100000] [--rounds 5] [--seconds 3]

DIR has base.f16.npy, query.npy and gt.npy, the nearest rows to each query; without it vectors
are made.  Both servers run all the time, and are asked by turns, so that what else the machine
does meets both.  CPU seconds are those of a server with all processes that it started.  Needs
the packages nanovec[server] and chromadb.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np
import pyarrow as pa
from chroma_peer import K, add_arguments, load_data, percentile, timed

PROGRAMS = Path(sys.executable).parent
BATCH = 2000
CLIENTS = 8
STATUS = "/api/v2/tenants/default_tenant/databases/default_database/collections/{}/{}"


class Server:
    """A server in a process of its own."""

    def __init__(self, name, command, ready):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.name, self.ready = name, ready
        self.command = [PROGRAMS / command[0], *command[1:], f"--port={self.port}"]
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self):
        """Start it; returns after how many seconds it answered."""
        began = time.perf_counter()
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while True:
            with contextlib.suppress(httpx.HTTPError):
                httpx.get(self.url + self.ready).raise_for_status()
                return time.perf_counter() - began
            time.sleep(0.02)

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def cpu(self):
        """CPU seconds until now, of its children, too."""
        parents, ticks = {}, {}
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(fields[1])
                ticks[int(entry.name)] = sum(map(int, fields[11:15]))
        total = 0
        for pid in ticks:
            above = pid
            while above in parents and above != self.process.pid:
                above = parents[above]
            total += ticks[pid] * (above == self.process.pid)
        return total / os.sysconf("SC_CLK_TCK")

    def connect(self):
        import chromadb
        from chromadb.config import Settings

        return chromadb.HttpClient("127.0.0.1", self.port, settings=Settings(anonymized_telemetry=False))

    def points(self):
        return self.connect().get_collection("points", embedding_function=None)


# -- imports


def import_by_client(server, base, metadatas):
    client = server.connect()
    points = client.create_collection("points", metadata={"hnsw:space": "cosine"}, embedding_function=None)
    step = client.get_max_batch_size()

    def load():
        for n in range(0, len(base), step):
            ids = [str(i) for i in range(n, min(n + step, len(base)))]
            points.add(ids=ids, embeddings=base[n : n + step], metadatas=metadatas[n : n + step])

    def wait():
        while server.name == "nanovec":
            status = httpx.get(server.url + STATUS.format(points.id, "indexing_status"), timeout=60).json()
            if not status["num_unindexed_ops"]:
                return
            time.sleep(0.1)

    before = server.cpu()
    seconds, _ = timed(load)
    more, _ = timed(wait)
    print(f"{server.name} import through the client, batches of {step}: {seconds:.1f} s until all is there, "
          f"{seconds + more:.1f} s until it is indexed; {server.cpu() - before:.1f} s of CPU", flush=True)


def import_binary(server, base, metadatas):
    with httpx.Client(base_url=server.url, timeout=None) as http:

        def post(path, **arguments):
            http.post(f"/v1/collections{path}", **arguments).raise_for_status()

        def load():
            post("/binary/batch/begin")
            for n in range(0, len(base), BATCH):
                part = base[n : n + BATCH]
                table = pa.table({
                    "id": [str(i) for i in range(n, n + len(part))],
                    "embedding": pa.FixedSizeListArray.from_arrays(pa.array(part.ravel()), base.shape[1]),
                    "metadata": [json.dumps(m) for m in metadatas[n : n + BATCH]],
                })
                sink = pa.BufferOutputStream()
                with pa.ipc.new_stream(sink, table.schema) as writer:
                    writer.write_table(table)
                post("/binary/add/arrow", content=sink.getvalue().to_pybytes())
            post("/binary/batch/end")

        before = server.cpu()
        post("", json={"name": "binary", "dimension": base.shape[1]})
        print(f"nanovec import as Arrow in a batch, index included: {timed(load)[0]:.1f} s; "
              f"{server.cpu() - before:.1f} s of CPU", flush=True)
        http.delete("/v1/collections/binary").raise_for_status()


# -- queries


def ask_one(points, queries, truth, where, times):
    """Ask each query once; returns recall."""
    found = 0
    for query, nearest in zip(queries, truth, strict=True):
        seconds, answer = timed(lambda q=query: points.query(query_embeddings=[q], n_results=K, where=where, include=[]))
        times.append(seconds)
        found += len({int(i) for i in answer["ids"][0]} & nearest)
    return found / K / len(queries)


def ask_for_ever(servers, queries, commands, answers):
    """A client process: waits for (server, seconds), and says how many queries it asked."""
    points = [server.points() for server in servers]
    answers.put(None)
    n = os.getpid()
    while (command := commands.get()) is not None:
        which, seconds = command
        end, asked = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            n += 1
            points[which].query(query_embeddings=[queries[n % len(queries)]], n_results=K, include=[])
            asked += 1
        answers.put(asked)


async def ask_lean(server, id_, queries, seconds):
    """The same requests from a program that does next to nothing else."""
    path = STATUS.format(id_, "query")
    requests = []
    for query in queries:
        body = json.dumps({"query_embeddings": [query.tolist()], "n_results": K, "include": []}).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        requests.append(head.encode() + body)
    end, asked = time.monotonic() + seconds, 0

    async def one(n):
        nonlocal asked
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        while time.monotonic() < end:
            n += 1
            writer.write(requests[n % len(requests)])
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            assert b" 200 " in head.split(b"\r\n")[0]
            await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
            asked += 1
        writer.close()

    await asyncio.gather(*(one(n * 97) for n in range(CLIENTS)))
    return asked


def ask_by_turns(servers, queries, truths, rounds, seconds):
    commands, answers = multiprocessing.Queue(), multiprocessing.Queue()
    clients = [multiprocessing.Process(target=ask_for_ever, args=(servers, queries, commands, answers)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    for _ in clients:
        answers.get()
    points = [server.points() for server in servers]
    kinds = [("query", None, 100, truths[0]), ("1 % filter", {"n": 7}, 30, truths[1])]
    times = {(s.name, kind[0]): [] for s in servers for kind in kinds}
    cpu, rates, recalls = {}, {}, {}
    for server, collection in zip(servers, points, strict=True):
        for _, where, count, truth in kinds:
            ask_one(collection, queries[:count], truth[:count], where, [])
    for r in range(rounds):
        for which, (server, collection) in enumerate(zip(servers, points, strict=True)):
            for name, where, count, truth in kinds:
                part = slice(r * count % len(queries), r * count % len(queries) + count)
                recall = ask_one(collection, queries[part], truth[part], where, times[server.name, name])
                recalls.setdefault((server.name, name), []).append(recall)
            for name, ask in (
                ("8 clients", lambda w=which: ([commands.put((w, seconds)) for _ in clients], sum(answers.get() for _ in clients))[1]),
                ("8 lean clients", lambda s=server, c=collection: asyncio.run(ask_lean(s, c.id, queries, seconds))),
            ):
                before = server.cpu()
                asked = ask()
                rates.setdefault((server.name, name), []).append(asked / seconds)
                cpu.setdefault((server.name, name), []).append((server.cpu() - before) / asked * 1000)
    for _ in clients:
        commands.put(None)
    for key, values in times.items():
        print(f"{' '.join(key)}: p50 {percentile(values, 50):.2f} ms, p95 {percentile(values, 95):.2f} ms, recall@{K} {np.mean(recalls[key]):.3f}")
    for key, values in rates.items():
        print(f"{' '.join(key)}: {np.median(values):.0f} queries a second, {np.median(cpu[key]):.2f} ms of the server's CPU each")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser)
    parser.add_argument("--seconds", type=float, default=3)
    options = parser.parse_args()
    base, queries, metadatas, truths = load_data(options)
    work = Path(tempfile.mkdtemp(prefix="nanovec-bench."))
    work.chmod(0o755)
    servers = [
        Server("nanovec", ["nanovec", "--path", work / "nanovec", "serve"], "/health"),
        Server("Chroma", ["chroma", "run", "--path", work / "chroma"], "/api/v2/heartbeat"),
    ]
    try:
        for server in servers:
            print(f"{server.name} answers in an empty directory after {server.start():.2f} s")
        for server in servers:
            import_by_client(server, base, metadatas)
        import_binary(servers[0], base, metadatas)
        ask_by_turns(servers, queries, truths, options.rounds, options.seconds)
        for server in servers:
            starts = []
            for _ in range(3):
                server.stop()
                starts.append(server.start())
            print(f"{server.name} answers in an existing directory after {np.median(starts):.2f} s")
    finally:
        for server in servers:
            server.stop()
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
