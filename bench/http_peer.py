#!/usr/bin/env python3
"""`nanovec serve` beside `chroma run`, both through Chroma's Python client over HTTP.

    bench/http_peer.py [--rows 100000] [--dimensions 384] [--queries 300] [--seconds 5] [--vectors FILE.npy]

Without a file the vectors have next to no structure, which is hard for both.  Needs the packages nanovec[server] and chromadb.  Prints medians; what runs beside it
counts, the clients included.
"""

import argparse
import json
import multiprocessing
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
from chroma_peer import data, exact, measure, timed

PROGRAMS = Path(sys.executable).parent
BATCH = 2000


def connect(port):
    import chromadb
    from chromadb.config import Settings

    return chromadb.HttpClient("127.0.0.1", port, settings=Settings(anonymized_telemetry=False))


def start(command, path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([PROGRAMS / command[0], *command[1:], f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while True:
        try:
            httpx.get(f"http://127.0.0.1:{port}{path}").raise_for_status()
            return process, port
        except httpx.HTTPError:
            time.sleep(0.05)


def ask_for(seconds, port, queries, n, answers):
    points = connect(port).get_collection("points", embedding_function=None)
    rng, end, asked = np.random.default_rng(n), time.monotonic() + seconds, 0
    while time.monotonic() < end:
        points.query(query_embeddings=[queries[rng.integers(len(queries))]], n_results=10, include=[])
        asked += 1
    answers.put(asked)


def queries_a_second(port, queries, clients, seconds):
    answers = multiprocessing.Queue()
    processes = [multiprocessing.Process(target=ask_for, args=(seconds, port, queries, n, answers)) for n in range(clients)]
    for process in processes:
        process.start()
    total = sum(answers.get() for _ in processes)
    for process in processes:
        process.join()
    return total / seconds


def run(name, port, base, queries, metadatas, truths, seconds):
    client = connect(port)
    points = client.create_collection("points", metadata={"hnsw:space": "cosine"}, embedding_function=None)
    step = client.get_max_batch_size()

    def load():
        for n in range(0, len(base), step):
            ids = [str(i) for i in range(n, min(n + step, len(base)))]
            points.add(ids=ids, embeddings=base[n : n + step], metadatas=metadatas[n : n + step])

    print(f"{name} add, batches of {step}: {timed(load)[0]:.1f} s")
    measure(f"{name} query", lambda q: points.query(query_embeddings=[q], n_results=10, include=[])["ids"][0], queries, truths[0])
    measure(f"{name} query, 1 % filter", lambda q: points.query(query_embeddings=[q], n_results=10, where={"n": 7}, include=[])["ids"][0], queries[:50], truths[1][:50])
    for clients in (1, 8):
        print(f"{name}, {clients} clients: {queries_a_second(port, queries, clients, seconds):.0f} queries a second")


def run_arrow(port, base, metadatas):
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=None) as http:

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

        http.post("/v1/collections", json={"name": "binary", "dimension": base.shape[1]})
        print(f"nanovec add as Arrow in a batch, index included: {timed(load)[0]:.1f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--vectors", type=Path, help="rows, and after them queries, instead of made ones")
    options = parser.parse_args()
    if options.vectors:
        vectors = np.load(options.vectors, mmap_mode="r")[: options.rows + options.queries].astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        base, queries = vectors[: options.rows], vectors[options.rows :]
    else:
        base, queries = data(options.rows, options.dimensions, options.queries)
    groups = np.random.default_rng(1).integers(0, 100, options.rows)
    metadatas = [{"n": int(g)} for g in groups]
    truths = [exact(base, queries, 10, np.ones(options.rows, bool)), exact(base, queries, 10, groups == 7)]
    work = Path(tempfile.mkdtemp(prefix="nanovec-bench."))
    work.chmod(0o755)
    servers = {
        "nanovec": (["nanovec", "--path", work / "nanovec", "serve"], "/health"),
        "Chroma": (["chroma", "run", "--path", work / "chroma"], "/api/v2/heartbeat"),
    }
    for name, (command, path) in servers.items():
        process, port = start(command, path)
        try:
            run(name, port, base, queries, metadatas, truths, options.seconds)
            if name == "nanovec":
                run_arrow(port, base, metadatas)
        finally:
            process.terminate()
            process.wait()
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
