"""The command line, as users type it."""

import json
import os
import sys

import numpy as np
import pytest

import nanovec
from nanovec import cli


@pytest.fixture
def run(directory, dsn, monkeypatch, capfd):
    """A function that runs a command in a directory of its own; returns what it printed."""
    directory.mkdir()
    monkeypatch.chdir(directory)
    for name in [n for n in os.environ if n.startswith("NANOVEC_") and n != "NANOVEC_TAP"]:
        monkeypatch.delenv(name)

    def run(*arguments, status=0, environment=None, settings=True):
        with monkeypatch.context() as patch:
            given = ({"NANOVEC_DSN": dsn} if settings else {}) | (environment or {})
            for name, value in given.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["nanovec", *map(str, arguments)])
            capfd.readouterr()
            with pytest.raises(SystemExit) as end:
                cli.main()
                sys.exit(0)
            sys.stdout.flush()
            printed = "".join(capfd.readouterr())
        assert (end.value.code or 0) == status, printed
        return printed

    run.directory = directory
    return run


def test_from_a_file_to_answers(run):
    rows = np.random.default_rng(1).normal(size=(300, 4)).astype(np.float32)
    np.save(run.directory / "x.npy", rows)
    assert "300 rows read, 300 written" in run("import", "x.npy", "--metric", "l2")
    assert "300 were there already" in run("import", "x.npy")
    assert "300 rows read, 300 written" in run("import", "x.npy", "--upsert")
    found = json.loads(run("query", "x", "--id", "5", "-k", 3, "--json"))
    assert found[0]["results"][0]["id"] == "5" and len(found[0]["results"]) == 3
    vector = json.dumps(rows[6].tolist())
    assert json.loads(run("query", "x", "--vector", vector, "--json"))[0]["results"][0]["id"] == "7"
    assert len(json.loads(run("query", "x", "--file", "x.npy", "-k", 1, "--json"))) == 300
    assert "distance" in run("query", "x", "--id", "5")
    assert [c["name"] for c in json.loads(run("collections", "--json"))] == ["x"]
    assert "l2" in run("collections")
    assert json.loads(run("stats", "x", "--json"))["rows"] == 300 and "300" in run("stats", "x")
    assert json.loads(run("recall", "x", "--json", "--queries", 5))["asked"] == 5
    assert "recall@10" in run("recall", "x", "--ef-search", 50)
    run("rebuild", "x", "--index", '{"type": "ivf"}')
    for suffix in ("nvec", "csv"):
        assert "300 rows" in run("export", "x", f"y.{suffix}")
    assert json.loads(run("inspect", "y.nvec"))["rows"] == 300
    assert "300 written" in run("import", "y.nvec", "z")
    assert json.loads(
        run("query", "z", "--id", "5", "--json", "--where", '{"a": {"$exists": false}}')
    )
    (run.directory / "bad.jsonl").write_text('{"embedding": [1,2]}\n{"embedding": 3}\n')
    assert "1 bad rows" in run("import", "bad.jsonl", status=3)
    assert '"row":2' in (run.directory / "bad.jsonl.bad.jsonl").read_text()


def test_what_is_wrong_is_said_in_a_line(run):
    np.save(run.directory / "x.npy", np.ones((3, 2)))
    cases = [
        (("query", "x", "--id", "1"), '"x" does not exist'),
        (("import", "nothing.npy"), "is no file"),
        (("import", "x.xlsx"), "must end in"),
        (("import", "x.npy", "--metric", "dot"), "dot"),
        (("export", "x", "x.npy"), "does not exist"),
        (("inspect", "x.npy"), "no archive"),
        (("--path", "x", "--dsn", "y", "collections"), "not both"),
        (("stop",), "embedded"),
        (("migrate", "chroma", "nowhere"), "chroma" if _has_chroma() else "pip install"),
        (("migrate", "pgvector", "host=/nowhere"), "nowhere"),
    ]
    for arguments, text in cases:
        assert text.lower() in run(*arguments, status=1).lower(), arguments
    run("import", "x.npy")
    for arguments in (("query", "x"), ("query", "x", "--vector", "["), ("query", "x", "--id", "99"), ("query", "x", "--vector", "[1,2,3]"),
                      ("query", "x", "--id", "1", "--where", '{"a": {"$x": 1}}')):  # fmt: skip
        assert run(*arguments, status=1).count("\n") <= 2


def _has_chroma():
    import importlib.util

    return importlib.util.find_spec("chromadb") is not None


def test_settings(run, dsn, directory):
    """Flags come before the environment, and that before the file."""
    (directory / "nanovec.toml").write_text('dsn = "host=/nowhere"\n')
    assert "nowhere" in run("collections", settings=False, status=1)
    run("collections")
    assert "elsewhere" in run("--dsn", "host=/elsewhere", "collections", status=1)
    (directory / "other.toml").write_text('tenant = "nobody"\nwrong = 1\n')
    assert "wrong" in run("collections", environment={"NANOVEC_CONFIG": "other.toml"}, status=1)
    (directory / "other.toml").write_text("x = [\n")
    assert "other.toml" in run(
        "collections", environment={"NANOVEC_CONFIG": "other.toml"}, status=1
    )
    np.save(directory / "x.npy", np.ones((3, 2)))
    assert "nobody" in run("import", "x.npy", environment={"NANOVEC_TENANT": "nobody"}, status=1)
    assert nanovec.__version__ in run("--version")


def test_doctor(run, dsn):
    found = {f["what"]: f for f in json.loads(run("doctor", "--json", status=_expected(dsn)))}
    assert found["extension nanovec"]["level"] == "ok" and found["PostgreSQL"]["level"] == "ok"
    np.save(run.directory / "x.npy", np.ones((3, 2)))
    run("import", "x.npy")
    with nanovec.connect(dsn) as client, client.connection() as conn:
        conn.execute("SELECT nanovec.batch_begin('x')")
    assert "batches are open" in run("doctor", "--json", status=1)
    run("rebuild", "x")
    assert "a sound index" in run("doctor", "--json", status=_expected(dsn))
    assert "extension nanovec" in run("doctor", status=_expected(dsn))


def _expected(dsn):
    # the servers of tests have fsync off, which it says is a problem
    with nanovec.connect(dsn) as client, client.connection() as conn:
        row = conn.execute("SHOW fsync").fetchone()
    return 1 if row == ("off",) else 0
