"""An embedded PostgreSQL: a real server that belongs to a directory.

    directory/
        nanovec.json   format, version of nanovec, major version of PostgreSQL
        pgdata/        PostgreSQL's own directory
        run/           its socket, unless the path is too long for one
        server.log
        lock           held by who starts or stops the server
        users          shared lock of all who use it, see _watch.py
        keep           there if the server is to stay when nobody uses it

The server listens on a Unix socket only, in a directory that only its user can
enter.  Whoever can open the directory is its superuser.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from . import _binaries, _watch
from ._version import ENGINE, __version__
from .errors import NanovecError, ServerError, VersionError, translate

FORMAT = 1
DATABASE = "postgres"
ROLE = "postgres"
# a Unix socket's address has 107 bytes, of which PostgreSQL's file name takes 15
_LONGEST_SOCKET_DIRECTORY = 90
PORT = 5432  # of the socket's name
_START_SECONDS = 600.0

# Servers and watchers that this process started.  They go on when it ends; those
# that end before it are to be waited for, or they stay in the list of processes.
_children: list[subprocess.Popen] = []


def _reap() -> None:
    _children[:] = [child for child in _children if child.poll() is None]


class Account:
    """Who runs the server: the caller, or an unprivileged user where that is root."""

    def __init__(self, directory: Path) -> None:
        self.uid, self.gid = os.geteuid(), os.getegid()
        self.changes = self.uid == 0
        if self.changes:
            entry = self._unprivileged(directory)
            self.uid, self.gid = entry.pw_uid, entry.pw_gid

    @staticmethod
    def _unprivileged(directory: Path) -> pwd.struct_passwd:
        owner = directory.stat().st_uid if directory.exists() else 0
        if owner != 0:
            try:
                return pwd.getpwuid(owner)
            except KeyError:
                raise ServerError(
                    f"{directory} belongs to user number {owner}, who has no name on this "
                    "machine, and PostgreSQL runs as nobody without a name: make such a user, "
                    "or give the directory to another one"
                ) from None
        for name in ("postgres", "nobody"):
            with contextlib.suppress(KeyError):
                return pwd.getpwnam(name)
        raise ServerError("run as root, nanovec needs a user postgres or nobody to run PostgreSQL")

    def run(self, command: list[str | Path], **options) -> subprocess.CompletedProcess[str]:
        """Run a command as this user, and return what it printed."""
        return subprocess.run(
            command,
            check=False,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **self.start_options(),
            **options,
        )

    def start_options(self) -> dict:
        """What makes subprocess run a program as this user, with none of libpq's settings."""
        environment = {
            k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_", "LANG"))
        }
        options: dict = {"env": environment | {"LC_ALL": "C"}, "cwd": "/"}
        if self.changes:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        return options

    def own(self, path: Path) -> None:
        """Give this user a file or directory that root made."""
        if self.changes:
            os.chown(path, self.uid, self.gid)


class EmbeddedServer:
    """The server of a directory, started if it does not run; it runs while this is open."""

    def __init__(self, path: str | os.PathLike[str], *, keep_running: bool = False) -> None:
        self.path = Path(path).expanduser().absolute()
        self._users: int | None = None
        self._prepare_directory()
        self.account = Account(self.path)
        self.account.own(self.path)
        with self._locked():
            self._users = self._open_file("users")
            try:
                self._enter(keep_running)
            except BaseException:
                fcntl.flock(self._users, fcntl.LOCK_UN)
                _watch.stop_if_unused(str(self.path), self._users)
                os.close(self._users)
                raise

    def _enter(self, keep_running: bool) -> None:
        """With the lock held: see that the server runs, and use it."""
        self._check_reachable()
        self._check_version()
        if _watch.server_pid(str(self.path)) is None or not self._answers():
            self._start()
        assert self._users is not None
        fcntl.flock(self._users, fcntl.LOCK_SH)
        if keep_running:
            self._write("keep", "")
        self._prepare_database()

    # -- what users need

    @property
    def dsn(self) -> str:
        """Where the server is, for psql and any other client."""
        # whatever PGPORT and the like say, which are about other servers
        return make_conninfo(
            host=str(self.socket_directory), hostaddr="", port=PORT, user=ROLE, dbname=DATABASE,
            options="", target_session_attrs="any",
        )  # fmt: skip

    @property
    def socket_directory(self) -> Path:
        """Where the server's socket is."""
        inside = self.path / "run"
        if len(os.fsencode(inside)) <= _LONGEST_SOCKET_DIRECTORY:
            return inside
        name = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:24]
        return Path(tempfile.gettempdir()) / f"nanovec-{name}"

    @property
    def log(self) -> Path:
        """What the server has to say."""
        return self.path / "server.log"

    def close(self) -> None:
        """Use the server no longer; it stops if nobody else does, unless it is to stay."""
        if self._users is None:
            return
        users, self._users = self._users, None
        with self._locked():
            fcntl.flock(users, fcntl.LOCK_UN)
            _watch.stop_if_unused(str(self.path), users)
        os.close(users)
        _reap()

    def revive(self) -> bool:
        """Start the server again if it is gone, as after a crash; False if it runs."""
        with self._locked():
            if self.runs:
                return False
            self._start()
            return True

    @property
    def runs(self) -> bool:
        """Is there a process of the server?"""
        return _watch.server_pid(str(self.path)) is not None

    def stop(self) -> None:
        """Stop the server, whoever uses it."""
        with self._locked():
            (self.path / "keep").unlink(missing_ok=True)
            _watch.stop(str(self.path))
        self.close()

    # -- the directory

    def _prepare_directory(self) -> None:
        try:
            self.path.mkdir(parents=True, mode=0o700, exist_ok=True)
            entries = {entry.name for entry in self.path.iterdir()}
        except OSError as error:
            raise ServerError(f"{self.path} cannot be used: {error.strerror}") from error
        ours = {"nanovec.json", "lock"}
        if entries and not entries & ours:
            raise ServerError(
                f"{self.path} has other files in it: choose an empty directory, "
                "or one that nanovec made"
            )

    def _open_file(self, name: str) -> int:
        path = self.path / name
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except PermissionError as error:
            owner = self.path.stat().st_uid
            raise ServerError(
                f"{self.path} belongs to another user (number {owner}): run this as that user"
            ) from error
        self.account.own(path)
        return descriptor

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Nobody else starts or stops this server meanwhile."""
        descriptor = self._open_file("lock")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _write(self, name: str, text: str) -> None:
        """Write a file whole or not at all."""
        new = self.path / f"{name}.new"
        with new.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        self.account.own(new)
        new.replace(self.path / name)

    def _check_version(self) -> None:
        file = self.path / "nanovec.json"
        if not file.exists():
            return
        try:
            found = json.loads(file.read_text())
            made = (int(found["format"]), int(found["postgres"]), str(found["nanovec"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise VersionError(f"{file} is damaged: {error}") from error
        if made[0] != FORMAT or made[1] != _binaries.MAJOR:
            raise VersionError(
                f"{self.path} was made by nanovec {made[2]} with PostgreSQL {made[1]}; this is "
                f"nanovec {__version__} with PostgreSQL {_binaries.MAJOR}. Export its collections "
                f"with that version (nanovec export), and import them into a new directory."
            )
        if _number(made[2]) > _number(__version__):
            raise VersionError(
                f"{self.path} is in use by nanovec {made[2]}, which is newer than this, "
                f"{__version__}. Install that version: pip install 'nanovec>={made[2]}'."
            )
        if _number(made[2]) < _number(__version__) and _watch.server_pid(str(self.path)):
            raise VersionError(
                f"nanovec {made[2]} runs the server of {self.path}, and this is {__version__}. "
                "Close the programs that use it, then try again."
            )

    # -- programs and rights

    def _check_reachable(self) -> None:
        """An unprivileged user must be able to enter the directory."""
        self._binaries = _binaries.find()
        self._engine = ENGINE
        if not (self._engine / "lib").exists():
            raise ServerError(
                "this installation has no extension for the embedded PostgreSQL: "
                "install the package with pip (pip install ./python)"
            )
        if not self.account.changes:
            return
        if self.account.run(["test", "-x", self.path]).returncode != 0:
            user = pwd.getpwuid(self.account.uid).pw_name
            raise ServerError(
                f"PostgreSQL does not run as root, and user {user} cannot reach {self.path}: "
                "choose a directory that others can enter, such as one in /var/lib"
            )
        programs = [self._binaries.program("postgres"), self._engine / "lib" / "nanovec.so"]
        if all(self.account.run(["test", "-r", p]).returncode == 0 for p in programs):
            return
        # the package is in a place like /root, which is closed to others
        copy = self.path / f"programs-{__version__}"
        if not copy.exists():
            new = Path(tempfile.mkdtemp(prefix="programs.", dir=self.path))
            shutil.copytree(self._binaries.root, new / "pginstall", symlinks=True)
            shutil.copytree(self._engine, new / "engine")
            new.chmod(0o755)
            new.replace(copy)
        self._binaries = _binaries.Binaries(copy / "pginstall")
        self._engine = copy / "engine"

    # -- starting

    def _start(self) -> None:
        _reap()
        data = self.path / "pgdata"
        if not data.exists():
            self._initdb(data)
        self._prepare_socket_directory()
        self._remove_stale_pid(data)
        self._configure(data)
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.account.own(self.log)
        try:
            began = os.fstat(log).st_size
            process = subprocess.Popen(
                [self._binaries.program("postgres"), "-D", data],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self.account.start_options(),
            )
        finally:
            os.close(log)
        end = time.monotonic() + _START_SECONDS
        while not self._answers():
            if process.poll() is not None or time.monotonic() > end:
                with self.log.open(errors="replace") as file:
                    file.seek(began)
                    tail = "".join(file.readlines()[-5:]).strip()
                raise ServerError(f"PostgreSQL did not start; {self.log} says:\n{tail}")
            time.sleep(0.01)
        _children.append(process)
        self._start_watcher()

    def _initdb(self, data: Path) -> None:
        """Make the database cluster aside, so that it is there whole or not at all."""
        for old in self.path.glob("pgdata.*"):
            shutil.rmtree(old, ignore_errors=True)
        new = Path(tempfile.mkdtemp(prefix="pgdata.", dir=self.path))
        self.account.own(new)
        done = self.account.run(
            [
                self._binaries.program("initdb"), "-D", new, "-U", ROLE, "-A", "trust",
                "-E", "UTF8", "--locale=C", "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8", "--sync-method=syncfs",
            ]
        )  # fmt: skip
        if done.returncode != 0:
            shutil.rmtree(new, ignore_errors=True)
            raise ServerError(f"initdb failed:\n{done.stdout.strip()}")
        with (new / "postgresql.conf").open("a") as file:
            file.write("include_if_exists = 'nanovec.conf'\n")
        new.replace(data)

    def _prepare_socket_directory(self) -> None:
        directory = self.socket_directory
        directory.mkdir(mode=0o700, exist_ok=True)
        if directory.parent != self.path:
            found = directory.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (0, self.account.uid):
                raise ServerError(f"{directory} is somebody else's")
        self.account.own(directory)
        directory.chmod(0o700)

    def _remove_stale_pid(self, data: Path) -> None:
        """Remove a lock file whose process is another one, as after a restart of a container."""
        path = str(self.path)
        if _watch.named_pid(path) is not None and _watch.server_pid(path) is None:
            (data / "postmaster.pid").unlink()

    def _configure(self, data: Path) -> None:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
        settings = {
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": _quoted(str(self.socket_directory), '"'),
            "unix_socket_permissions": "0700",
            "extension_control_path": f"$system:{self._engine}",
            "dynamic_library_path": f"$libdir:{self._engine / 'lib'}",
            "shared_buffers": f"{min(max(memory // 8, 32), 1024)}MB",
            "maintenance_work_mem": f"{min(max(memory // 8, 64), 2048)}MB",
            "work_mem": "16MB",
            "max_wal_size": "4GB",
            "jit": "off",
            "log_line_prefix": "%m [%p] ",
        }
        # a backslash escapes within the quotes of a configuration file
        lines = [
            f"{key} = {_quoted(value.replace(chr(92), chr(92) * 2), chr(39))}"
            for key, value in settings.items()
        ]
        conf = data / "nanovec.conf"
        conf.write_text("# written at each start of the server\n" + "\n".join(lines) + "\n")
        self.account.own(conf)

    def _start_watcher(self) -> None:
        # as whoever starts it: Python may be where the server's user cannot go
        _children.append(
            subprocess.Popen(
                [sys.executable, "-I", "-S", Path(_watch.__file__), self.path],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        )

    def _answers(self) -> bool:
        """Does the server take connections?"""
        # before that there is nobody to connect to, or one who says to try again
        if not (self.socket_directory / f".s.PGSQL.{PORT}").exists():
            return False
        try:
            with psycopg.connect(self.dsn, connect_timeout=10):
                return True
        except psycopg.Error:
            return False

    # -- the database

    def _prepare_database(self) -> None:
        file = self.path / "nanovec.json"
        current = {"format": FORMAT, "nanovec": __version__, "postgres": _binaries.MAJOR}
        if file.exists() and json.loads(file.read_text()) == current:
            return
        try:
            with psycopg.connect(self.dsn, autocommit=True) as conn:
                for name in ("nanovec", "nanovec_collections"):
                    conn.execute(f"CREATE EXTENSION IF NOT EXISTS {name}")
                    conn.execute(f"ALTER EXTENSION {name} UPDATE")
        except psycopg.Error as error:
            raise translate(error) from error
        self._write("nanovec.json", json.dumps(current) + "\n")


def _quoted(text: str, quote: str) -> str:
    """Text between quotes, with those in it doubled."""
    return quote + text.replace(quote, quote * 2) + quote


def _number(version: str) -> tuple[int, ...]:
    """A version that can be compared."""
    return tuple(
        int("".join(c for c in part if c.isdigit()) or 0) for part in version.split(".")[:3]
    )


def stop(path: str | os.PathLike[str]) -> bool:
    """Stop the server of a directory, whoever uses it; False if none ran."""
    directory = Path(path).expanduser().absolute()
    if not (directory / "nanovec.json").exists():
        raise NanovecError(f"{directory} is no directory of nanovec's")
    lock = os.open(directory / "lock", os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ran = _watch.server_pid(str(directory)) is not None
        (directory / "keep").unlink(missing_ok=True)
        _watch.stop(str(directory))
    finally:
        os.close(lock)
    return ran
