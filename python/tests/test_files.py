"""Imports and exports: every format there and back, damaged files, breaks."""

import json
import os
import random
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import nanovec
from nanovec import archive, transfer
from nanovec.files import ReadOptions

RNG = np.random.default_rng(2)
FORMATS = [".npy", ".fvecs", ".bvecs", ".jsonl", ".csv", ".parquet", ".hdf5", ".nvec"]


@pytest.fixture
def tmp(directory):
    directory.mkdir()
    return directory


def fill(client, name="c", rows=700, **options):
    c = client.create_collection(name, 12, **options)
    vectors = RNG.integers(0, 256, size=(rows, 12)).astype(np.float32)
    documents = [
        None if i % 5 == 0 else f'row {i}, "quoted"\n\u00e9 \U0001f600' for i in range(rows)
    ]
    metadatas = [
        None
        if i % 7 == 0
        else {"n": i, "f": i / 3, "b": i % 2 == 0, "s": "a,b'\"\n", "l": [1, "x"], "o": {"k": None}}
        for i in range(rows)
    ]
    c.add([f"id {i} \u00fc" for i in range(rows)], vectors, documents, metadatas)
    return c


def all_of(c):
    got = c.get(include=["documents", "metadatas", "embeddings"])
    return got.ids, got.documents, got.metadatas, got.embeddings.tolist()


@pytest.mark.parametrize("suffix", FORMATS)
def test_there_and_back(client, tmp, suffix):
    c = fill(client, metric="l2", index={"type": "ivf", "n_clusters": 5, "n_probe": 5})
    path = tmp / f"c{suffix}"
    assert transfer.export_file(client, c, path) == 700
    if suffix == ".nvec":
        d = transfer.collection_of_archive(client, path, "d")
        assert d.info.index == c.info.index and d.info.metric == "l2"
        mapped = archive.map_vectors(path)
        assert mapped.shape == (700, 12) and not mapped.flags.writeable
    else:
        d = client.create_collection("d", metric="l2", index=c.info.index)
    result = transfer.import_file(client, d, path, bad_rows=tmp / "bad")
    assert (result.read, result.written, result.bad) == (700, 700, 0)
    assert all_of(d) == all_of(c)
    queries = RNG.integers(0, 256, size=(20, 12)).astype(np.float32)
    for a, b in zip(c.query(queries).distances, d.query(queries).distances, strict=True):
        assert (a == b).all()
    assert d.info.batches == 0 and d.info.vector_index is not None
    # once more: all are there
    assert transfer.import_file(client, d, path).written == 0
    assert transfer.import_file(client, d, path, mode="upsert").written == 700
    assert not list(tmp.glob("*.partial")) and not (tmp / "bad").exists()


def test_halfvec_and_empty_archives(local, tmp):
    c = fill(
        local,
        type="halfvec",
        normalized=True,
        schema={"n": "int"},
        promote=["n"],
        text_search="german",
        metadata={"x": 1},
    )
    transfer.export_file(local, c, tmp / "c.nvec")
    d = transfer.collection_of_archive(local, tmp / "c.nvec", "d")
    transfer.import_file(local, d, tmp / "c.nvec")
    assert all_of(d)[:3] == all_of(c)[:3]
    np.testing.assert_allclose(all_of(d)[3], all_of(c)[3], atol=2e-3)
    kept = {
        "metric",
        "type",
        "normalized",
        "index",
        "metadata_schema",
        "promoted",
        "text_search",
        "metadata",
    }
    assert c.info.model_dump(include=kept) == d.info.model_dump(include=kept)
    e = local.create_collection("e")
    assert transfer.export_file(local, e, tmp / "e.nvec") == 0
    f = transfer.collection_of_archive(local, tmp / "e.nvec", "f")
    assert transfer.import_file(local, f, tmp / "e.nvec").read == 0


def test_foreign_files(local, tmp):
    """As others write them: without ids, other types, other names."""
    np.save(tmp / "d.npy", RNG.normal(size=(10, 3)))
    np.save(tmp / "h.npy", np.asfortranarray(RNG.normal(size=(10, 3)).astype(np.float16)))
    (tmp / "a.jsonl").write_text(
        '{"vector": [1,2,3], "tag": "x"}\n\n{"id": 7, "embedding": [1,2,4], "metadata": {"y": 1}}\n'
    )
    (tmp / "a.csv").write_text(
        'id,embedding,document,year,ok,name\r\na,"[1,2,3]",text,2001,true,00x\r\n'
    )
    import h5py
    import pyarrow as pa
    import pyarrow.parquet as pq

    with h5py.File(tmp / "a.hdf5", "w") as file:
        file["train"] = RNG.normal(size=(10, 3))
        file["test"] = RNG.normal(size=(5, 3))
    pq.write_table(
        pa.table({"embedding": [[1.0, 2.0, 3.0]] * 3, "year": [1, None, 3]}), tmp / "a.parquet"
    )
    for name, rows in (
        ("d.npy", 10),
        ("h.npy", 10),
        ("a.jsonl", 2),
        ("a.csv", 1),
        ("a.hdf5", 10),
        ("a.parquet", 3),
    ):
        c = local.create_collection(name)
        result = transfer.import_file(local, c, tmp / name, options=ReadOptions(id_prefix="p"))
        assert (result.written, result.bad) == (rows, 0), name
    assert local.get_collection("a.csv").get().metadatas == [
        {"year": 2001, "ok": True, "name": "00x"}
    ]
    assert local.get_collection("a.jsonl").get().ids == ["7", "p1"]
    assert local.get_collection("d.npy").get().ids[0] == "p1"
    c = local.create_collection("test")
    transfer.import_file(local, c, tmp / "a.hdf5", options=ReadOptions(dataset="test"))
    assert c.count() == 5


def test_bad_rows_are_kept_and_said(local, tmp):
    lines = ['{"id": "a", "embedding": [1,2,3]}', "{", '{"id": "b"}', '{"id": "c", "embedding": [1,2]}',
             '{"id": "d", "embedding": [1,2,"x"]}', '{"id": "", "embedding": [1,2,3]}', "[1]",
             '{"id": "e", "embedding": [1,2,1e60]}', '{"id": "f", "embedding": [1,2,3], "metadata": {"n": "x"}}',
             '{"id": "g", "embedding": [1,2,3], "document": 3}', '{"id": "a", "embedding": [9,9,9]}',
             '{"id": "h", "embedding": [1,2,3], "metadata": {"n": 3}}', '{"id": "i\\u0000", "embedding": [1,2,3]}',
             '{"id": "j", "embedding": [[1,2,3]]}', '{"id": "k", "embedding": [1,2,3], "metadata": "{"}',
             '{"id": {"x": 1}, "embedding": [1,2,3]}']  # fmt: skip
    (tmp / "x.jsonl").write_text("\n".join(lines))
    c = local.create_collection("c", 3, schema={"n": "int"})
    result = transfer.import_file(local, c, tmp / "x.jsonl", bad_rows=tmp / "bad.jsonl")
    assert c.get().ids == ["a", "h"] and c.get(
        ["a"], include=["embeddings"]
    ).embeddings.tolist() == [[1, 2, 3]]
    bad = [json.loads(line) for line in (tmp / "bad.jsonl").read_text().splitlines()]
    assert sorted(b["row"] for b in bad) == [2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16]
    assert result.bad == 13 and all(b["reason"] for b in bad)
    assert "type int" in next(b["reason"] for b in bad if b["row"] == 9)
    (tmp / "x.csv").write_text('id,embedding\na,"[1,2,3]"\nb,"[1,2,3]",more\nc,nonsense\nd,\n')
    result = transfer.import_file(local, local.create_collection("d"), tmp / "x.csv")
    assert (result.written, result.bad) == (1, 3)


def test_damaged_files(local, tmp):
    """Every format with bytes changed, cut off or added: an error or rows, never anything else."""
    source = fill(local, rows=60)
    r = random.Random(1)
    outcomes = {"error": 0, "rows": 0}
    for suffix in FORMATS:
        whole = tmp / f"whole{suffix}"
        transfer.export_file(local, source, whole)
        data = whole.read_bytes()
        for n in range(8):
            damaged = bytearray(data)
            kind = n % 4
            if kind == 0:
                del damaged[r.randrange(len(damaged)) :]
            elif kind == 1:
                for _ in range(4):
                    damaged[r.randrange(len(damaged))] = r.randrange(256)
            elif kind == 2:
                place = r.randrange(min(128, len(damaged)))
                damaged[place : place + 8] = r.choice(
                    [b"\xff" * 8, b"\0" * 8, b"\x7f" + b"\xff" * 7]
                )
            else:
                damaged += os.urandom(20)
            path = tmp / f"damaged{n}{suffix}"
            path.write_bytes(damaged)
            target = f"t{suffix}{n}"
            try:
                if suffix == ".nvec":
                    c = transfer.collection_of_archive(local, path, target)
                else:
                    c = local.create_collection(target)
                transfer.import_file(local, c, path)
                outcomes["rows"] += 1
            except nanovec.InvalidArgumentError:
                outcomes["error"] += 1
            if suffix == ".nvec" and target in [i.name for i in local.list_collections()]:
                # an archive that was changed where nothing is, or one of which nothing was used
                assert c.count() == 0 or all_of(c) == all_of(source)
    assert outcomes["error"] > 20


def test_hostile_files(local, tmp):
    import pickle

    class Evil:
        def __reduce__(self):
            return (os.system, (f"touch {tmp}/evil",))

    np.save(tmp / "pickled.npy", np.array([Evil()], dtype=object), allow_pickle=True)
    (tmp / "plain.npy").write_bytes(pickle.dumps(Evil()))
    (tmp / "huge.npy").write_bytes(
        b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99999), }".ljust(
            128
        )
    )
    (tmp / "eval.npy").write_bytes(
        b"\x93NUMPY\x01\x00v\x00__import__('os').system('touch x')".ljust(128)
    )
    (tmp / "neg.fvecs").write_bytes(struct.pack("<i", -5) + b"x" * 100)
    (tmp / "big.fvecs").write_bytes(struct.pack("<i", 2**31 - 1) + b"x" * 100)
    (tmp / "uneven.fvecs").write_bytes(struct.pack("<iff", 2, 1, 2) + struct.pack("<iff", 1, 1, 2))
    (tmp / "empty.fvecs").write_bytes(b"")
    (tmp / "nothing.csv").write_text("")
    (tmp / "latin.csv").write_bytes(b"id,embedding\n\xe9,[1]\n")
    (tmp / "deep.jsonl").write_text('{"embedding": ' + "[" * 100000 + "]" * 100000 + "}")
    (tmp / "zip.hdf5").write_bytes(b"PK\x03\x04")
    (tmp / "x.nvec").write_bytes(
        b"NANOVEC\0" + struct.pack("<IIQQ", 1, 0, 2**63, 2**63) + b"x" * 32
    )
    for path in sorted(tmp.iterdir()):
        if path.suffix == ".jsonl":
            assert transfer.import_file(local, local.create_collection("deep"), path).bad == 1
            continue
        with pytest.raises(nanovec.InvalidFileError):
            c = (
                local.create_collection(path.name)
                if path.suffix != ".nvec"
                else transfer.collection_of_archive(local, path, "n")
            )
            transfer.import_file(local, c, path)
    assert not (tmp / "evil").exists() and not Path("x").exists()
    with pytest.raises(nanovec.InvalidArgumentError, match="must end in"):
        transfer.suffix_of(Path("x.xlsx"), transfer.READERS)


def test_archives_that_lie(local, tmp):
    """A manifest whose sum is right but which does not fit the file."""
    import hashlib

    c = fill(local, rows=20)
    transfer.export_file(local, c, tmp / "c.nvec")
    data = (tmp / "c.nvec").read_bytes()
    head = struct.Struct("<8sIIQQ32s")
    magic, version, zero, offset, length, _ = head.unpack_from(data)
    manifest = json.loads(data[offset : offset + length])
    for change in ({"rows": 10**12}, {"rows": -1}, {"dimension": 99999}, {"element": "float64"},
                   {"vectors": manifest["vectors"] | {"offset": 2**62}}, {"texts": manifest["texts"] | {"length": 2**62}},
                   {"collection": {}}, {"collection": manifest["collection"] | {"metric": "'; DROP"}}):  # fmt: skip
        lie = json.dumps(manifest | change).encode()
        new = head.pack(magic, version, zero, offset, len(lie), hashlib.sha256(lie).digest())
        (tmp / "lie.nvec").write_bytes(new + data[head.size : offset] + lie)
        with pytest.raises(nanovec.InvalidArgumentError):
            d = transfer.collection_of_archive(local, tmp / "lie.nvec", "d")
            transfer.import_file(local, d, tmp / "lie.nvec")


def test_a_failed_export_leaves_nothing(local, tmp):
    c = local.create_collection("c", 2)
    c.add(["a"], [[1.5, 2]])
    with pytest.raises(nanovec.InvalidFileError, match="0 to 255"):
        transfer.export_file(local, c, tmp / "c.bvecs")
    assert list(tmp.iterdir()) == []
    with pytest.raises(nanovec.NanovecError):
        transfer.export_file(local, c, tmp / "nowhere" / "c.npy")


def run_import(data, path, *more):
    return subprocess.Popen(
        [sys.executable, "-m", "nanovec.cli", "--path", str(data), "import", str(path), "c", *more],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/",
    )  # fmt: skip


def wait_for_rows(dsn, least):
    import psycopg

    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            with psycopg.connect(dsn) as conn:
                row = conn.execute("SELECT rows_read FROM nanovec.imports").fetchone()
                if row and row[0] >= least:
                    return row[0]
        except psycopg.Error:
            pass
        time.sleep(0.02)
    pytest.fail("the import did not come so far")


@pytest.mark.parametrize("victim", ["client", "server"])
def test_imports_go_on_after_a_break(directory, victim):
    """kill -9 of the client or of PostgreSQL: what was acknowledged is there, and the rest comes."""
    from nanovec import _watch

    rows = 60_000
    path = directory.parent / "x.jsonl"
    with path.open("w") as file:
        for i in range(rows):
            file.write(f'{{"id": "r{i}", "embedding": [{i % 97}, {i % 89}, {i}, 1]}}\n')
    with nanovec.open(directory, keep_running=victim == "client") as db:
        db.create_collection("c", 4, index={"type": "ivf"})
        process = run_import(directory, path)
        acknowledged = wait_for_rows(db.dsn, 20_000)
        if victim == "client":
            process.kill()
        else:
            os.kill(_watch.server_pid(str(directory)), signal.SIGKILL)
        output, _ = process.communicate(timeout=60)
        assert process.returncode != 0, output
        assert "Traceback" not in output
    with nanovec.open(directory) as db:
        count = db.get_collection("c").count()
        assert acknowledged <= count < rows
        assert db.get_collection("c").info.batches == 1
    process = run_import(directory, path)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0 and "went on after row" in output, output
    with nanovec.open(directory) as db:
        c = db.get_collection("c")
        assert c.count() == rows and c.info.batches == 0 and c.info.vector_index is not None
        with db.connection() as conn:
            assert conn.execute("SELECT count(*) FROM nanovec.imports").fetchone() == (0,)
            assert (
                conn.execute(
                    "SELECT * FROM nanovec_index_check(%s::text::regclass)", [c.info.vector_index]
                ).fetchall()
                == []
            )
    from nanovec import embedded

    embedded.stop(directory)


def test_memory_is_bounded(local, tmp):
    """A file of 300 MB needs no 300 MB."""
    array = np.lib.format.open_memmap(
        tmp / "big.npy", mode="w+", dtype=np.float32, shape=(200_000, 384)
    )
    array[:] = 1
    array[:, 0] = np.arange(200_000)
    array.flush()
    del array
    code = (
        "import itertools\nfrom pathlib import Path\nfrom nanovec import transfer\nfrom nanovec.files import ReadOptions\n"
        f"for b in transfer.READERS['.npy'](Path({str(tmp / 'big.npy')!r}), ReadOptions(), 0): n = b.end\n"
        "import re\nprint(n, int(re.search(r'RssAnon:\\s+(\\d+)', Path('/proc/self/status').read_text())[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/"
    )
    rows, anonymous = done.stdout.split()
    assert rows == "200000" and int(anonymous) < 250_000
