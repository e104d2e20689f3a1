"""What tests share: an embedded server, Debian's, and clients of both.

NANOVEC_TEST_DSN names a database of a server that has nanovec installed.
"""

import os
import shutil
import tempfile
from pathlib import Path

import psycopg
import pytest

import nanovec

DEBIAN = os.environ.get("NANOVEC_TEST_DSN")


def make_directory() -> Path:
    # not pytest's: a server that root starts runs as another user, who must get there
    directory = Path(tempfile.mkdtemp(prefix="nanovec-test."))
    directory.chmod(0o755)
    return directory


@pytest.fixture
def directory():
    path = make_directory()
    yield path / "data"
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def embedded():
    """The DSN of an embedded server."""
    path = make_directory()
    with nanovec.open(path / "data") as client:
        with client.connection() as conn:
            # nobody pulls the plug here; what does is in tests with servers of their own
            conn.execute("ALTER SYSTEM SET fsync = off")
            conn.execute("SELECT pg_reload_conf()")
        yield client.dsn
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(params=["embedded", "debian"])
def dsn(request):
    """The DSN of a fresh database, on either server."""
    if request.param == "debian" and DEBIAN is None:
        pytest.skip("NANOVEC_TEST_DSN is not set")
    server = DEBIAN if request.param == "debian" else request.getfixturevalue("embedded")
    name = "t" + os.urandom(6).hex()
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}")
        yield psycopg.conninfo.make_conninfo(server, dbname=name)
        conn.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def client(dsn):
    with nanovec.connect(dsn) as client:
        yield client


@pytest.fixture
def local(embedded):
    """A client of the embedded server, in a database of its own."""
    name = "t" + os.urandom(6).hex()
    with psycopg.connect(embedded, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}")
        with nanovec.connect(psycopg.conninfo.make_conninfo(embedded, dbname=name)) as client:
            yield client
        conn.execute(f"DROP DATABASE {name} WITH (FORCE)")


_results: list[str] = []


def pytest_runtest_logreport(report):
    """Write results as TAP, for test/lib/run.sh to count."""
    tap = os.environ.get("NANOVEC_TAP")
    if tap is None or (report.when != "call" and report.outcome == "passed"):
        return
    with Path(tap).open("a") as file:
        if report.outcome == "skipped":
            file.write(f"# NOT RUN: {report.nodeid}: {report.longrepr[-1]}\n")
            return
        _results.append(report.nodeid)
        sign = "ok" if report.outcome == "passed" else "not ok"
        file.write(f"{sign} {len(_results)} - {report.nodeid}\n")
