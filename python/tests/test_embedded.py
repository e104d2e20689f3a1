"""Embedded servers: who starts and stops them, and what crashes leave."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psycopg
import pytest

import nanovec
from nanovec import _watch, embedded


def pid_of(directory):
    return _watch.server_pid(str(directory))


def gone(directory, seconds=20.0):
    end = time.monotonic() + seconds
    while pid_of(directory) is not None and time.monotonic() < end:
        time.sleep(0.05)
    return pid_of(directory) is None


def start(directory, code):
    """Another process that opens the directory; says "ready" when it has."""
    program = f"import nanovec, time, sys\ndb = nanovec.open({str(directory)!r})\n{code}\n"
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


WAIT = "print('ready', flush=True)\nsys.stdin.read()"


def test_environment_of_other_servers(directory, monkeypatch):
    for name, value in {
        "PGPORT": "1",
        "PGHOST": "nowhere.invalid",
        "PGHOSTADDR": "192.0.2.1",
        "PGUSER": "nobody",
        "PGDATABASE": "none",
        "PGOPTIONS": "-c no_such_setting=1",
        "PGTARGETSESSIONATTRS": "standby",
    }.items():
        monkeypatch.setenv(name, value)
    with nanovec.open(directory) as db:
        assert db.list_collections() == []
    assert gone(directory)


def test_open_close_and_again(directory):
    began = time.monotonic()
    with nanovec.open(directory) as db:
        first = time.monotonic() - began
        db.create_collection("c", 2).add(["a"], [[1, 2]])
        owner = Path(directory, "pgdata").stat().st_uid
        # never as root, and for nobody else
        assert owner != 0 and (Path(directory, "pgdata").stat().st_mode & 0o077) == 0
        assert (Path(directory).stat().st_mode & 0o077) == 0
        with db.connection() as conn:
            assert conn.execute("SHOW listen_addresses").fetchone() == ("",)
    assert gone(directory)
    began = time.monotonic()
    with nanovec.open(directory) as db:
        again = time.monotonic() - began
        assert db.get_collection("c").query([1, 2]).ids == [["a"]]
    print(f"first {first:.2f} s, again {again:.2f} s")
    assert first < 30 and again < 10


def test_several_processes_and_threads_of_one(directory):
    with nanovec.open(directory) as db:
        pid = pid_of(directory)
        db.create_collection("c", 2)
        others = [
            start(directory, f"db.get_collection('c').add(['p{n}'], [[1, {n}]])\n{WAIT}")
            for n in range(3)
        ]
        with nanovec.open(directory) as second:
            assert second.get_collection("c").count() == 3
        assert pid_of(directory) == pid
        assert others[0].stdin is not None
        others[0].stdin.close()
        others[0].wait()
        assert db.get_collection("c").count() == 3
    # this one has closed it; two others have not
    assert pid_of(directory) == pid
    others[1].kill()
    others[1].wait()
    time.sleep(0.3)
    assert pid_of(directory) == pid
    # the last one does not even say goodbye
    others[2].kill()
    others[2].wait()
    assert gone(directory)
    for other in others:
        other.communicate() if not other.stdin.closed else other.stdout.close()


def test_the_last_one_waits_for_the_end(directory, monkeypatch):
    """Who closes it last stops the server before going on, whoever looks at that moment."""
    db = nanovec.open(directory)
    stop_if_unused = _watch.stop_if_unused

    def stop_late(*arguments):
        # as on a machine that has much to do
        time.sleep(0.1)
        return stop_if_unused(*arguments)

    monkeypatch.setattr(_watch, "stop_if_unused", stop_late)
    users = os.open(directory / "users", os.O_RDWR)

    def look():
        # as the process that watches does, but slowly
        fcntl.flock(users, fcntl.LOCK_EX)
        time.sleep(0.3)
        fcntl.flock(users, fcntl.LOCK_UN)

    watcher = threading.Thread(target=look)
    watcher.start()
    time.sleep(0.1)
    db.close()
    assert pid_of(directory) is None
    watcher.join()
    os.close(users)


def test_two_start_at_once(directory):
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                f"import nanovec\nwith nanovec.open({str(directory)!r}) as d: d.list_collections()",
            ],
            stderr=subprocess.PIPE,
            cwd="/",
        )
        for _ in range(4)
    ]
    for process in processes:
        _, error = process.communicate(timeout=120)
        assert process.returncode == 0, error.decode()
    assert gone(directory)


def test_it_stays_if_asked(directory):
    with nanovec.open(directory, keep_running=True):
        pass
    try:
        time.sleep(0.5)
        assert pid_of(directory) is not None
        with nanovec.open(directory) as db:
            assert db.list_collections() == []
        assert pid_of(directory) is not None
    finally:
        assert embedded.stop(directory) is True
    assert gone(directory)
    assert embedded.stop(directory) is False


def test_nothing_acknowledged_is_lost(directory):
    """kill -9 of PostgreSQL while rows are added: all that were acknowledged are there."""
    db = nanovec.open(directory)
    c = db.create_collection("c", 8)
    rows = np.random.default_rng(1).normal(size=(4000, 8)).astype(np.float32)
    acknowledged = 0
    kill_at = time.monotonic() + 1.0
    with pytest.raises(nanovec.ServerError):
        for n in range(4000):
            if time.monotonic() > kill_at:
                os.kill(pid_of(directory), signal.SIGKILL)
                kill_at = float("inf")
            c.add([str(n)], rows[n : n + 1])
            acknowledged += 1
        pytest.fail("the server was not killed")
    db.close()
    assert acknowledged > 10
    with nanovec.open(directory) as db:
        c = db.get_collection("c")
        assert c.count() in (acknowledged, acknowledged + 1)
        assert c.query(rows[3], k=1).ids == [["3"]]
        with db.connection() as conn:
            assert (
                conn.execute(
                    "SELECT * FROM nanovec_index_check('c_embedding_metadata_idx')"
                ).fetchall()
                == []
            )
    assert gone(directory)


def test_a_client_survives_its_server(directory):
    with nanovec.open(directory) as db:
        c = db.create_collection("c", 2)
        c.add(["a"], [[1, 2]])
        os.kill(pid_of(directory), signal.SIGKILL)
        time.sleep(0.5)
        with nanovec.open(directory) as other:
            assert other.get_collection("c").count() == 1
            # broken connections of the pool are replaced, at the latest for the call after
            for _ in range(12):
                try:
                    assert c.count() == 1
                    break
                except nanovec.ServerError:
                    continue
            else:
                pytest.fail("the pool has only broken connections")
    assert gone(directory)


def test_a_stale_pid_file(directory):
    with nanovec.open(directory):
        pass
    assert gone(directory)
    # what a container that was killed leaves: the number is another process's by now
    file = Path(directory, "pgdata", "postmaster.pid")
    file.write_text(f"{os.getpid()}\n{directory}/pgdata\n0\n5432\n\n\n")
    with nanovec.open(directory) as db:
        assert db.list_collections() == []
    assert gone(directory)


def test_a_stale_pid_file_is_not_signalled(directory):
    with nanovec.open(directory):
        pass
    assert gone(directory)
    with subprocess.Popen(["sleep", "60"]) as other:
        file = Path(directory, "pgdata", "postmaster.pid")
        file.write_text(f"{other.pid}\n{directory}/pgdata\n0\n5432\n\n\n")
        _watch.stop(str(directory), timeout=1)
        assert other.poll() is None
        other.kill()


def test_an_interrupted_start(directory):
    # initdb was killed half way
    directory.mkdir()
    (directory / "lock").touch()
    (directory / "pgdata.half").mkdir()
    (directory / "pgdata.half" / "base").touch()
    with nanovec.open(directory):
        assert not (directory / "pgdata.half").exists()


def test_versions(directory):
    with nanovec.open(directory):
        pass
    file = Path(directory, "nanovec.json")
    found = json.loads(file.read_text())

    def with_version(**changes):
        file.write_text(json.dumps(found | changes))
        with pytest.raises(nanovec.VersionError) as error:
            nanovec.open(directory)
        return str(error.value)

    assert "99.0.0" in with_version(nanovec="99.0.0")
    assert "PostgreSQL 17" in with_version(postgres=17)
    assert with_version(format=2)
    file.write_text("{")
    with pytest.raises(nanovec.VersionError, match="damaged"):
        nanovec.open(directory)
    file.write_text(json.dumps(found | {"nanovec": "0.0.1"}))
    with nanovec.open(directory, keep_running=True):
        assert json.loads(file.read_text()) == found
        # one that an older version runs
        file.write_text(json.dumps(found | {"nanovec": "0.0.1"}))
        with pytest.raises(nanovec.VersionError, match="Close the programs"):
            nanovec.open(directory)
        file.write_text(json.dumps(found))
    embedded.stop(directory)
    assert gone(directory)


def test_directories_that_cannot_be(directory):
    directory.mkdir()
    (directory / "precious.txt").touch()
    with pytest.raises(nanovec.ServerError, match="other files"):
        nanovec.open(directory)
    assert [f.name for f in directory.iterdir()] == ["precious.txt"]
    with pytest.raises(nanovec.ServerError):
        nanovec.open(directory / "precious.txt")
    with pytest.raises(nanovec.NanovecError):
        embedded.stop(directory)


@pytest.mark.parametrize(
    "name", ["with space", "quo'te", 'quo"te', "dollar$HOME`x`", "päth", "x" * 120, "back\\slash"]
)
def test_any_name(directory, name):
    with nanovec.open(directory.parent / name) as db:
        db.create_collection("c", 2).add(["a"], [[1, 2]])
        with psycopg.connect(db.dsn) as conn:
            assert conn.execute("SELECT count(*) FROM c").fetchone() == (1,)
    assert gone(directory.parent / name)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can run it as somebody else")
def test_as_root(directory):
    with nanovec.open(directory) as db, db.connection() as conn:
        pid = conn.info.backend_pid
        assert Path(f"/proc/{pid}").stat().st_uid != 0
    closed = directory.parent / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(nanovec.ServerError, match="cannot reach"):
        nanovec.open(closed / "data")


def open_as(user, directory):
    """What happens when another user opens a directory."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        # not by a program of its own: Python may be where this user cannot go
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
        try:
            nanovec.open(directory).close()
            said = "opened"
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(theirs, said.encode())
        os._exit(0)
    os.close(theirs)
    os.waitpid(pid, 0)
    with os.fdopen(ours) as file:
        return file.read()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be several users")
def test_other_users(directory):
    """A directory is its owner's: root works as that user, and others are told whose it is."""
    directory.mkdir()
    os.chown(directory, 65534, 65534)
    with nanovec.open(directory) as db, db.connection() as conn:
        assert Path(f"/proc/{conn.info.backend_pid}").stat().st_uid == 65534
        assert open_as(65534, directory) == "opened"
        for user in (1, 12345):
            said = open_as(user, directory)
            assert said.startswith("ServerError") and str(directory) in said
    assert gone(directory)
    os.chown(directory, 12345, 12345)
    with pytest.raises(nanovec.ServerError, match="12345"):
        nanovec.open(directory)


async def test_open_async(directory):
    async with await nanovec.open_async(directory) as db:
        c = await db.create_collection("c", 2)
        await c.add(["a"], [[1, 2]])
        assert (await c.query([1, 2])).ids == [["a"]]
    assert gone(directory)
