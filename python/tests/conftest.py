"""What tests share: an embedded server, Debian's, and clients of both.

NANOVEC_TEST_DSN names a database of a server that has nanovec installed.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
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


class Served:
    """A server of `nanovec serve`, in a process of its own."""

    def __init__(self, where: list[str], flags=(), environment=None):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = Path(tempfile.mkstemp(prefix="nanovec-serve.")[1])
        self.command = [
            str(Path(sys.executable).parent / "nanovec"), *where, "serve", f"--port={self.port}", *flags,
        ]  # fmt: skip
        self.environment = os.environ | {"NANOVEC_CONFIG": os.devnull} | (environment or {})
        self.start()

    def start(self, seconds=20.0):
        """Start it, and return how long it took until it answered."""
        began = time.monotonic()
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                self.command, stdout=log, stderr=log, env=self.environment
            )
        while time.monotonic() - began < seconds:
            if self.process.poll() is not None:
                break
            try:
                if httpx.get(f"{self.url}/health", timeout=2).status_code == 200:
                    return time.monotonic() - began
            except httpx.TransportError:
                pass
            time.sleep(0.02)
        raise AssertionError(f"nanovec serve did not start:\n{self.log.read_text()}")

    def stop(self):
        """Stop it as a service manager does, and see that it ends by that."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(timeout=60) == -signal.SIGTERM, self.log.read_text()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def memory(self):
        """Bytes that the process has in memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def start_server():
    """Start servers that end with the test."""
    servers = []

    def start(*where, flags=(), environment=None):
        servers.append(Served(list(where), flags, environment))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
        server.log.unlink()


@pytest.fixture(scope="module")
def served(embedded):
    """A server for all tests of a module, in a database of its own."""
    name = "t" + os.urandom(6).hex()
    with psycopg.connect(embedded, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}")
        dsn = psycopg.conninfo.make_conninfo(embedded, dbname=name)
        server = Served(["--dsn", dsn], ["--allow-reset"])
        server.dsn = dsn
        yield server
        server.stop()
        assert "exception" not in server.log.read_text()
        server.log.unlink()
        conn.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def api(served):
    """A client of the server, which has no collections yet."""
    with httpx.Client(base_url=served.url, timeout=60) as client:
        assert client.post("/api/v2/reset").status_code == 200
        yield client


_results: list[str] = []


def pytest_runtest_logreport(report):
    """Write results as TAP, for test/lib/run.sh to count."""
    tap = os.environ.get("NANOVEC_TAP")
    if "PYTEST_XDIST_WORKER" in os.environ:
        # the process that workers report to writes it
        return
    if tap is None or (report.when != "call" and report.outcome == "passed"):
        return
    with Path(tap).open("a") as file:
        if report.outcome == "skipped":
            file.write(f"# NOT RUN: {report.nodeid}: {report.longrepr[-1]}\n")
            return
        _results.append(report.nodeid)
        sign = "ok" if report.outcome == "passed" else "not ok"
        file.write(f"{sign} {len(_results)} - {report.nodeid}\n")
