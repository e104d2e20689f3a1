#!/usr/bin/env python3
"""nanovec's embedded client beside Chroma's PersistentClient, and COPY + CREATE INDEX.

    bench/chroma_peer.py [--data DIR] [--rows 100000] [--rounds 5]

DIR has base.f16.npy, query.npy and gt.npy, the nearest rows to each query; without it vectors
are made.  Queries are asked by turns, so that what else the machine does meets both.  Needs the
packages nanovec and chromadb.
"""

import argparse
import tempfile
import time
from pathlib import Path

import nanovec
import numpy as np
from nanovec import transfer
from nanovec._wire import copy_rows

K = 10


def timed(action):
    began = time.perf_counter()
    result = action()
    return time.perf_counter() - began, result


def percentile(times, p):
    return float(np.percentile(np.array(times) * 1000, p))


def add_arguments(parser):
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)


def made_data(rows, dimensions, queries):
    """Points around centers that lie near a few directions, as embeddings do."""
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(200, dimensions)) @ rng.normal(size=(dimensions, dimensions)) / dimensions
    points = centers[rng.integers(0, 200, rows + queries)] + rng.normal(size=(rows + queries, dimensions)) * 0.5
    points = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    return points[:rows], points[rows:]


def exact(base, queries, allowed):
    found = []
    for query in queries:
        similarity = base @ query
        similarity[~allowed] = -np.inf
        found.append(set(np.argpartition(-similarity, K)[:K].tolist()))
    return found


def load_data(options):
    """Vectors, queries, metadata with a number of 100 for each row, and the nearest of all and of number 7."""
    if options.data:
        base = np.load(options.data / "base.f16.npy", mmap_mode="r")[: options.rows].astype(np.float32)
        queries = np.load(options.data / "query.npy").astype(np.float32)
    else:
        base, queries = made_data(options.rows, 384, 1000)
    groups = np.random.default_rng(1).integers(0, 100, len(base))
    every = np.ones(len(base), bool)
    return base, queries, [{"n": int(g)} for g in groups], [exact(base, queries, every), exact(base, queries, groups == 7)]


def import_nanovec(db, work, base, metadatas):
    np.save(work / "x.npy", base)
    with db.connection() as conn:

        def plain():
            conn.execute(f"CREATE TABLE plain (id text PRIMARY KEY, embedding vector({base.shape[1]}), document text, metadata jsonb)")
            with conn.cursor() as cur, cur.copy("COPY plain FROM STDIN (FORMAT binary)") as copy:
                for piece in copy_rows([str(i) for i in range(len(base))], base, None, None):
                    copy.write(piece)
            conn.execute("CREATE INDEX ON plain USING hnsw (embedding vector_cosine_ops)")

        times = {"plain": [], "import": []}
        for n in range(3):
            collection = db.create_collection(f"x{n}", index={"type": "hnsw"})
            times["import"].append(timed(lambda c=collection: transfer.import_file(db, c, work / "x.npy"))[0])
            db.drop_collection(f"x{n}")
            times["plain"].append(timed(plain)[0])
            conn.execute("DROP TABLE plain")
    print(f"nanovec import of .npy, index included: {np.median(times['import']):.1f} s; "
          f"COPY + CREATE INDEX: {np.median(times['plain']):.1f} s", flush=True)
    points = db.create_collection("points", schema={"n": "int"}, promote=["n"])
    with points.batch():
        points.add([str(i) for i in range(len(base))], base, metadatas=metadatas)
    with db.connection() as conn:
        conn.execute("ANALYZE points")
    return points


def import_chroma(work, base, metadatas):
    import chromadb
    from chromadb.config import Settings

    client = chromadb.PersistentClient(str(work / "chroma"), settings=Settings(anonymized_telemetry=False))
    points = client.create_collection("points", metadata={"hnsw:space": "cosine"}, embedding_function=None)
    step = client.get_max_batch_size()

    def load():
        for n in range(0, len(base), step):
            ids = [str(i) for i in range(n, min(n + step, len(base)))]
            points.add(ids=ids, embeddings=base[n : n + step], metadatas=metadatas[n : n + step])

    print(f"Chroma {chromadb.__version__} add, batches of {step}: {timed(load)[0]:.1f} s", flush=True)
    return points


def ask_by_turns(ours, theirs, queries, truths, rounds):
    askers = {
        "nanovec": lambda q, where: ours.query(q, k=K, where=where, include=[]).ids[0],
        "Chroma": lambda q, where: theirs.query(query_embeddings=[q], n_results=K, where=where, include=[])["ids"][0],
    }
    for kind, where, truth, count in (("query", None, truths[0], 100), ("query, 1 % filter", {"n": 7}, truths[1], 30)):
        times, found = {name: [] for name in askers}, dict.fromkeys(askers, 0)
        for r in range(rounds + 1):
            for name, ask in askers.items():
                for n in range(r * count, (r + 1) * count):
                    query, nearest = queries[n % len(queries)], truth[n % len(queries)]
                    seconds, ids = timed(lambda q=query, a=ask: a(q, where))
                    # the first round is for warming up
                    if r > 0:
                        times[name].append(seconds)
                        found[name] += len({int(i) for i in ids} & nearest)
        for name in askers:
            print(f"{name} {kind}: p50 {percentile(times[name], 50):.3f} ms, p95 {percentile(times[name], 95):.3f} ms, "
                  f"recall@{K} {found[name] / K / len(times[name]):.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser)
    options = parser.parse_args()
    base, queries, metadatas, truths = load_data(options)
    with tempfile.TemporaryDirectory(prefix="nanovec-bench.") as name:
        work = Path(name)
        work.chmod(0o755)
        print(f"nanovec.open, empty directory: {timed(lambda: nanovec.open(work / 'nanovec').close())[0]:.2f} s")
        again = [timed(lambda: nanovec.open(work / "nanovec"))]
        for _ in range(4):
            again[-1][1].close()
            again.append(timed(lambda: nanovec.open(work / "nanovec")))
        print(f"nanovec.open, existing: {np.median([seconds for seconds, _ in again]):.2f} s")
        with again[-1][1] as db:
            ours = import_nanovec(db, work, base, metadatas)
            theirs = import_chroma(work, base, metadatas)
            ask_by_turns(ours, theirs, queries, truths, options.rounds)


if __name__ == "__main__":
    main()
