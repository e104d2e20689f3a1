"""Libraries without a database, in this process, as a yardstick."""

import time

import numpy as np

from . import engines, stats


def run_hnswlib(dataset, queries, truth, threads=2):
    """hnswlib: [(ef, recall, qps), ...], and seconds to build."""
    import hnswlib
    space = {"l2": "l2", "ip": "ip", "cosine": "cosine"}[dataset.metric]
    index = hnswlib.Index(space=space, dim=dataset.dims)
    index.init_index(max_elements=len(dataset.base), M=16, ef_construction=64, random_seed=1)
    start = time.monotonic()
    index.add_items(dataset.base, num_threads=threads)
    seconds = time.monotonic() - start

    points = []
    for ef in engines.HNSW_SWEEP:
        index.set_ef(ef)
        index.knn_query(queries, k=10, num_threads=1)
        start = time.monotonic()
        ids, _ = index.knn_query(queries, k=10, num_threads=1)
        elapsed = time.monotonic() - start
        points.append({"value": ef, "recall": stats.recall(ids.tolist(), truth.tolist(), 10),
                       "qps": len(queries) / elapsed})
    return points, seconds


def run_faiss(dataset, queries, truth):
    """faiss IVF with full vectors: the same."""
    import faiss
    faiss.omp_set_num_threads(2)
    lists = max(10, len(dataset.base) // 1000)
    metric = faiss.METRIC_L2 if dataset.metric == "l2" else faiss.METRIC_INNER_PRODUCT
    start = time.monotonic()
    index = faiss.index_factory(dataset.dims, f"IVF{lists},Flat", metric)
    base = dataset.base
    if dataset.metric == "cosine":
        base = base / np.linalg.norm(base, axis=1, keepdims=True)
    index.train(base)
    index.add(base)
    seconds = time.monotonic() - start

    faiss.omp_set_num_threads(1)
    points = []
    for probes in engines.PROBES_SWEEP:
        index.nprobe = min(probes, lists)
        index.search(queries, 10)
        start = time.monotonic()
        _, ids = index.search(queries, 10)
        elapsed = time.monotonic() - start
        points.append({"value": probes, "recall": stats.recall(ids.tolist(), truth.tolist(), 10),
                       "qps": len(queries) / elapsed})
    return points, seconds
