"""Data sets: base vectors, queries, and the exact answers, computed once and kept."""

import hashlib
import os
import pathlib
import re

import numpy as np
from tqdm import tqdm

TRUTH_K = 100


class Dataset:
    """base: n x d float32, queries: q x d float32, truth: q x 100 row numbers."""

    def __init__(self, name, base, queries, metric="l2", truth=None):
        self.name = name
        self.base = np.ascontiguousarray(base, dtype=np.float32)
        self.queries = np.ascontiguousarray(queries, dtype=np.float32)
        self.metric = metric
        self.truth = truth

    @property
    def dims(self):
        return self.base.shape[1]

    def with_truth(self, cache):
        """Fill in the exact answers, from the cache directory if they are there."""
        if self.truth is None:
            digest = hashlib.sha256()
            digest.update(repr((self.base.shape, self.metric)).encode())
            digest.update(self.queries.tobytes())
            digest.update(self.base[:: max(1, len(self.base) // 1000)].tobytes())
            file = pathlib.Path(cache) / f"truth-{digest.hexdigest()[:20]}.npy"
            if file.exists():
                self.truth = np.load(file)
            else:
                self.truth = exact_nearest(self.base, self.queries, self.metric)
                file.parent.mkdir(parents=True, exist_ok=True)
                np.save(file, self.truth)
        return self


def exact_nearest(base, queries, metric, mask=None, k=TRUTH_K):
    """Row numbers of the k nearest of each query; mask leaves only some rows."""
    rows = np.arange(len(base)) if mask is None else np.flatnonzero(mask)
    kept = base[rows]
    k = min(k, len(kept))
    squares = (kept.astype(np.float64) ** 2).sum(1)
    out = np.empty((len(queries), k), dtype=np.int32)
    for start in tqdm(range(0, len(queries), 100), desc="exact answers", leave=False,
                      disable=len(queries) * len(kept) < 10**8):
        block = queries[start:start + 100]
        dots = block @ kept.T
        if metric == "l2":
            distance = squares[None] - 2.0 * dots
        elif metric == "ip":
            distance = -dots
        else:
            distance = -dots / np.sqrt(squares)[None]
        part = np.argpartition(distance, k - 1, axis=1)[:, :k]
        order = np.take_along_axis(distance, part, 1).argsort(1, kind="stable")
        out[start:start + 100] = rows[np.take_along_axis(part, order, 1)]
    return out


def clusters_of(dataset, queries, n, seed=5):
    """Numbers of clusters, of the rows and of some queries: whichever of n rows is nearest."""
    centres = dataset.base[np.random.default_rng(seed).choice(len(dataset.base), n, replace=False)]
    return tuple(exact_nearest(centres, x, dataset.metric, k=1)[:, 0] for x in (dataset.base, queries))


def generate(n, dims, latent=None, queries=1000, seed=7):
    """Clustered vectors of low intrinsic dimension whose norms differ.

    Cluster centres in a latent space, bent by tanh and mapped to dims
    dimensions with a little noise; norms are log-normal.
    """
    latent = latent or min(32, dims // 4)
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(8, n // 500), latent))
    bend = rng.normal(size=(latent, 2 * latent)) / np.sqrt(latent)
    spread = rng.normal(size=(2 * latent, dims)) / np.sqrt(2 * latent)

    def draw(count):
        z = centres[rng.integers(0, len(centres), count)] + 0.6 * rng.normal(size=(count, latent))
        x = np.tanh(z @ bend) @ spread + 0.05 * rng.normal(size=(count, dims))
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        return (x * rng.lognormal(0, 0.1, size=(count, 1))).astype(np.float32)

    blocks = [draw(min(20000, n - i)) for i in range(0, n, 20000)]
    return Dataset(f"gen-{n}x{dims}", np.concatenate(blocks), draw(queries))


def more_like(base, n, seed=11):
    """n new vectors of the same kind: each a row, moved a tenth of the way to another."""
    rng = np.random.default_rng(seed)
    pairs = base[rng.integers(0, len(base), (n, 2))]
    return 0.9 * pairs[:, 0] + 0.1 * pairs[:, 1]


def read_fvecs(file):
    """The .fvecs layout: for each vector an int32 dims, then float32[dims]."""
    raw = np.fromfile(file, dtype=np.int32)
    dims = raw[0]
    return raw.reshape(-1, dims + 1)[:, 1:].view(np.float32)


def from_files(name, base, queries=None):
    """A user's .fvecs, .npy or ann-benchmarks .hdf5; without queries, rows are held out."""
    if base.endswith((".hdf5", ".h5")):
        import h5py
        with h5py.File(base) as f:
            metric = "cosine" if f.attrs.get("distance") == "angular" else "l2"
            return Dataset(name, f["train"][:], f["test"][:1000], metric, f["neighbors"][:1000])
    load = read_fvecs if base.endswith(".fvecs") else np.load
    vectors = load(base).astype(np.float32)
    if queries:
        load = read_fvecs if queries.endswith(".fvecs") else np.load
        return Dataset(name, vectors, load(queries)[:1000])
    held_out = np.random.default_rng(1).permutation(len(vectors))
    return Dataset(name, vectors[held_out[1000:]], vectors[held_out[:1000]])


def open_dataset(spec, shared):
    """A data set by name.

    text384[:N]         real text embeddings, from the shared directory
    gen:N:DIMS[:LATENT] generated
    FILE[,QUERIES]      .fvecs, .npy or .hdf5
    headline-ivf        10,000 x 128, generated
    headline-exact      10,000 x 384, generated; headline-exact-large: 500,000 x 384
    """
    named = {"headline-ivf": "gen:10000:128", "headline-exact": "gen:10000:384",
             "headline-exact-large": "gen:500000:384"}
    spec = named.get(spec, spec)
    if spec.startswith("text384"):
        folder = pathlib.Path(shared) / "data" / "text384"
        base = np.load(folder / "base.f16.npy").astype(np.float32)
        data = Dataset("text384", base, np.load(folder / "query.npy"), "l2",
                       np.load(folder / "gt.npy"))
        if ":" in spec:
            n = int(spec.split(":")[1])
            data = Dataset(f"text384-{n}", base[:n], data.queries)
        return data
    if re.match(r"gen:\d+:\d+", spec):
        return generate(*map(int, spec.split(":")[1:]))
    base, _, queries = spec.partition(",")
    return from_files(os.path.splitext(os.path.basename(base))[0], base, queries or None)
