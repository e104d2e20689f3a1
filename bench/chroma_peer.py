#!/usr/bin/env python3
"""nanovec's embedded client beside Chroma's PersistentClient, and COPY + CREATE INDEX.

    bench/chroma_peer.py [--rows 100000] [--dimensions 384] [--queries 300]

Needs the packages nanovec and chromadb.  Prints medians; what runs beside it counts.
"""

import argparse
import tempfile
import time
from pathlib import Path

import nanovec
import numpy as np
from nanovec import transfer
from nanovec._wire import copy_rows


def timed(action):
    began = time.perf_counter()
    result = action()
    return time.perf_counter() - began, result


def percentile(times, p):
    return float(np.percentile(np.array(times) * 1000, p))


def data(rows, dimensions, queries):
    """Points around centers that lie near a few directions, as embeddings do."""
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(200, dimensions)) @ rng.normal(size=(dimensions, dimensions)) / dimensions
    points = centers[rng.integers(0, 200, rows + queries)] + rng.normal(size=(rows + queries, dimensions)) * 0.5
    points = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    return points[:rows], points[rows:]


def exact(base, queries, k, allowed):
    similarity = queries @ base.T
    similarity[:, ~allowed] = -np.inf
    return [set(np.argpartition(-row, k)[:k]) for row in similarity]


def measure(name, ask, queries, truth):
    for query in queries[:20]:
        ask(query)
    times, found = [], 0
    for query, nearest in zip(queries, truth, strict=True):
        seconds, ids = timed(lambda q=query: ask(q))
        times.append(seconds)
        found += len({int(i) for i in ids} & nearest)
    print(f"{name}: p50 {percentile(times, 50):.3f} ms, p95 {percentile(times, 95):.3f} ms, "
          f"recall@10 {found / 10 / len(queries):.3f}")


def run_nanovec(work, base, queries, metadatas, truths, ef_search):
    seconds, db = timed(lambda: nanovec.open(work / "nanovec"))
    print(f"nanovec.open, empty directory: {seconds:.2f} s")
    db.close()
    seconds, db = timed(lambda: nanovec.open(work / "nanovec"))
    print(f"nanovec.open, existing: {seconds:.2f} s")
    with db:
        np.save(work / "x.npy", base)
        c = db.create_collection("x", index={"type": "hnsw"})
        seconds, _ = timed(lambda: transfer.import_file(db, c, work / "x.npy"))
        print(f"nanovec import of .npy, index included: {seconds:.1f} s")
        with db.connection() as conn:
            conn.execute(f"CREATE TABLE plain (id text PRIMARY KEY, embedding vector({base.shape[1]}), document text, metadata jsonb)")

            def plain():
                with conn.cursor() as cur, cur.copy("COPY plain FROM STDIN (FORMAT binary)") as copy:
                    for piece in copy_rows([str(i) for i in range(len(base))], base, None, None):
                        copy.write(piece)
                conn.execute("CREATE INDEX ON plain USING hnsw (embedding vector_cosine_ops)")

            print(f"COPY + CREATE INDEX: {timed(plain)[0]:.1f} s")
        d = db.create_collection("y", schema={"n": "int"}, promote=["n"])
        with d.batch():
            d.add([str(i) for i in range(len(base))], base, metadatas=metadatas)
        with db.connection() as conn:
            conn.execute("ANALYZE y")
        options = {"ef_search": ef_search} if ef_search else None
        measure("nanovec query", lambda q: d.query(q, k=10, include=[], options=options).ids[0], queries, truths[0])
        measure("nanovec query, 1 % filter", lambda q: d.query(q, k=10, where={"n": 7}, include=[]).ids[0], queries, truths[1])


def run_chroma(work, base, queries, metadatas, truths):
    import chromadb
    from chromadb.config import Settings

    client = chromadb.PersistentClient(str(work / "chroma"), settings=Settings(anonymized_telemetry=False))
    c = client.create_collection("points", metadata={"hnsw:space": "cosine"}, embedding_function=None)
    step = client.get_max_batch_size()

    def load():
        for n in range(0, len(base), step):
            c.add(ids=[str(i) for i in range(n, min(n + step, len(base)))], embeddings=base[n : n + step], metadatas=metadatas[n : n + step])

    print(f"Chroma {chromadb.__version__} add, batches of {step}: {timed(load)[0]:.1f} s")
    measure("Chroma query", lambda q: c.query(query_embeddings=[q], n_results=10, include=[])["ids"][0], queries, truths[0])
    measure("Chroma query, 1 % filter", lambda q: c.query(query_embeddings=[q], n_results=10, where={"n": 7}, include=[])["ids"][0], queries[:50], truths[1][:50])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--ef-search", type=int)
    options = parser.parse_args()
    base, queries = data(options.rows, options.dimensions, options.queries)
    groups = np.random.default_rng(1).integers(0, 100, options.rows)
    metadatas = [{"n": int(g)} for g in groups]
    truths = [exact(base, queries, 10, np.ones(options.rows, bool)), exact(base, queries, 10, groups == 7)]
    with tempfile.TemporaryDirectory(prefix="nanovec-bench.") as work:
        Path(work).chmod(0o755)
        run_nanovec(Path(work), base, queries, metadatas, truths, options.ef_search)
        run_chroma(Path(work), base, queries, metadatas, truths)


if __name__ == "__main__":
    main()
