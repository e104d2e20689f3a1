"""The server: a database per engine, statements, and the C client."""

import os
import shlex
import struct
import subprocess
import time

import numpy as np

WORK = os.environ.get("NVBENCH_WORK", "/tmp")


class Server:
    """What bench/run.sh started.  Databases are named after the engines."""

    def __init__(self):
        self.bin = os.environ["NVBENCH_BIN"]
        self.host = os.environ["NVBENCH_HOST"]
        self.user = "postgres"
        self.control = shlex.split(os.environ["NVBENCH_PG_CTL"])
        self.client = os.environ["NVBENCH_CLIENT"]

    def conninfo(self, database):
        return f"host={self.host} user={self.user} dbname={database}"

    def sql(self, database, statements, settings=()):
        """Run statements; returns what psql prints, unaligned."""
        text = "".join(f"SET {s};\n" for s in settings) + statements
        done = subprocess.run(
            [f"{self.bin}/psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", self.conninfo(database)],
            input=text, text=True, capture_output=True)
        if done.returncode != 0:
            raise RuntimeError(f"{database}: {done.stderr.strip()}\n{text[:500]}")
        return done.stdout.strip()

    def timed(self, database, statements, settings=()):
        """Seconds that the statements take, in a session of their own."""
        start = time.monotonic()
        self.sql(database, statements, settings)
        return time.monotonic() - start

    def restart(self, cold=False):
        """Stop and start; cold also drops the operating system's cache.  True if dropped."""
        subprocess.run([*self.control, "-m", "fast", "-w", "-s", "stop"], check=True)
        dropped = False
        if cold:
            subprocess.run(["sync"], check=True)
            try:
                with open("/proc/sys/vm/drop_caches", "w") as f:
                    f.write("3")
                dropped = True
            except OSError:
                pass
        subprocess.run([*self.control, "-w", "-s", "start"], check=True, stdout=subprocess.DEVNULL)
        return dropped

    def run_client(self, database, statement, queries=None, k=10, clients=1, setup=(),
                   warm=1, passes=1):
        """Latencies in microseconds, seconds in all, and ids per query."""
        out = os.path.join(WORK, "client.out")
        command = [self.client, "-s", statement, "-k", str(k), "-c", str(clients),
                   "-w", str(warm), "-n", str(passes), "-o", out]
        if queries is not None:
            command += ["-q", queries]
        for s in setup:
            command += ["-i", f"SET {s}"]
        done = subprocess.run(command + [self.conninfo(database)], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())
        return read_results(out)

    def floor(self, database):
        """Median microseconds of a prepared SELECT 1."""
        return float(np.median(self.run_client(database, "SELECT 1", warm=1, passes=3)[0]))


def read_results(name):
    """The -o file of bench_client: latencies, seconds, ids."""
    with open(name, "rb") as f:
        n, k = struct.unpack("ii", f.read(8))
        ids = np.frombuffer(f.read(8 * n * k), dtype=np.int64).reshape(n, k)
        count, seconds = struct.unpack("qd", f.read(16))
        latency = np.frombuffer(f.read(8 * count))
    return latency, seconds, ids


def write_queries(name, queries):
    """The -q file of bench_client."""
    with open(name, "wb") as f:
        f.write(struct.pack("ii", *queries.shape))
        f.write(np.ascontiguousarray(queries, dtype=np.float32).tobytes())
    return name


def write_copy(name, vectors, first_id=0):
    """Rows (id int, bucket int, embedding vector) in COPY's binary format."""
    n, dims = vectors.shape
    row = np.dtype([("fields", ">i2"), ("l1", ">i4"), ("id", ">i4"), ("l2", ">i4"),
                    ("bucket", ">i4"), ("l3", ">i4"), ("dim", ">i2"), ("unused", ">i2"),
                    ("x", ">f4", dims)])
    with open(name, "wb") as f:
        f.write(b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0))
        for start in range(0, n, 20000):
            block = vectors[start:start + 20000]
            rows = np.zeros(len(block), dtype=row)
            ids = first_id + start + np.arange(len(block))
            rows["fields"], rows["l1"], rows["l2"] = 3, 4, 4
            rows["l3"], rows["dim"] = 4 + 4 * dims, dims
            rows["id"] = ids
            rows["bucket"] = bucket_of(ids)
            rows["x"] = block
            f.write(rows.tobytes())
        f.write(b"\xff\xff")
    return name


def bucket_of(ids):
    """0..999, unrelated to the vectors: filters of any selectivity use it."""
    return (ids.astype(np.uint64) * 2654435761 >> 7) % 1000
