"""What the server's processes take while something runs, and a limit for them."""

import contextlib
import os
import pathlib
import threading
import time

CGROUP_V1 = pathlib.Path("/sys/fs/cgroup/memory")


def postmaster(data):
    return int((pathlib.Path(data) / "postmaster.pid").read_text().split()[0])


def children(parent):
    """Processes whose parent is the given one."""
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        if int(text.rsplit(") ", 1)[1].split()[1]) == parent:
            found.append(int(stat.parent.name))
    return found


def processor_seconds(*servers):
    """Of the sessions and workers of servers (their data directories) that have ended so far."""
    # they end a moment after their client
    time.sleep(0.3)
    ticks = 0
    for data in servers:
        stat = pathlib.Path(f"/proc/{postmaster(data)}/stat").read_text()
        ticks += sum(map(int, stat.rsplit(") ", 1)[1].split()[13:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def kilobytes(pid, field):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    return 0


def shared_segments(pid):
    """Bytes in use of the segments for parallel workers that a process has mapped, by file."""
    found = {}
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        name = line.split()[-1]
        if name.startswith("/dev/shm/PostgreSQL."):
            with contextlib.suppress(OSError):
                found[name] = os.stat(name).st_blocks * 512
    return found


class Watcher:
    """Samples what builds take: private memory of their processes together, and shared.

    Processes are known by their titles.  with Watcher(pid of the postmaster) as w: ...;
    then w.private and w.shared are the largest sums seen, in bytes.
    """

    def __init__(self, parent, titles=("CREATE INDEX", "parallel worker")):
        self.parent = parent
        self.titles = titles
        self.private = self.shared = 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    def run(self):
        while not self.stop.wait(0.05):
            private, segments = 0, {}
            for pid in children(self.parent):
                with contextlib.suppress(OSError):
                    title = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
                    if any(t in title for t in self.titles):
                        private += kilobytes(pid, "RssAnon") * 1024
                        segments |= shared_segments(pid)
            self.private = max(self.private, private)
            self.shared = max(self.shared, sum(segments.values()))


class Limit:
    """A memory cgroup (version 1) below this process's own, for a server and its page cache."""

    def __init__(self, limit):
        own = next((line.split(":")[2] for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines()
                    if line.split(":")[1] == "memory"), None)
        if own is None or not CGROUP_V1.is_dir():
            raise RuntimeError("there is no memory cgroup of version 1 here")
        self.path = CGROUP_V1 / own.lstrip("/") / f"nanovec-bench-{os.getpid()}"
        self.path.mkdir()
        self.limit = limit
        self.write("memory.limit_in_bytes", limit)

    def write(self, name, value):
        (self.path / name).write_text(str(value))

    def read(self, name):
        return int((self.path / name).read_text())

    def take(self, parent):
        """A postmaster, and what it starts from now on."""
        self.write("cgroup.procs", parent)
        for pid in children(parent):
            with contextlib.suppress(OSError):
                self.write("cgroup.procs", pid)

    def close(self):
        """When the server has stopped: what it cached goes with the group."""
        for _ in range(50):
            with contextlib.suppress(OSError):
                self.path.rmdir()
                return
            time.sleep(0.1)


def drop_cache(data):
    """What the operating system keeps of the server's files, and of nobody else's."""
    for folder, _, names in os.walk(data):
        for name in names:
            with contextlib.suppress(OSError):
                file = os.open(os.path.join(folder, name), os.O_RDONLY)
                os.fsync(file)
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(file)
