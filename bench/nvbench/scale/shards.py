"""One table on several servers, beside the same rows on one."""

import os
import subprocess

from . import common, watch
from .. import measures, stats


def arguments(p):
    p.add_argument("--rows", type=int, default=100000)
    p.add_argument("--dims", type=int, default=128)
    p.add_argument("--shards", type=int, default=3)
    p.add_argument("--engines", default="nanovec")
    p.add_argument("--rounds", type=int, default=3)


class Shards:
    """Servers of their own, started and removed."""

    def __init__(self, server, count):
        control = server.control
        self.prefix = control[:control.index("-D") - 1]
        self.server = server
        self.places = [os.path.join(server.host, f"shard_{n}") for n in range(1, count + 1)]

    def command(self, *words):
        subprocess.run([*self.prefix, *words], check=True, stdout=subprocess.DEVNULL, cwd=self.server.host)

    def sql(self, place, statements):
        return subprocess.run([f"{self.server.bin}/psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", place, "-U",
                               self.server.user, "-d", "postgres"], input=statements, text=True, check=True,
                              capture_output=True).stdout

    def __enter__(self):
        for place in self.places:
            self.command(f"{self.server.bin}/initdb", "-D", place, "-U", self.server.user, "-A", "trust", "-N",
                         "-E", "UTF8", "--locale=C.UTF-8")
            with open(os.path.join(place, "postgresql.conf"), "a") as f:
                f.write(f"listen_addresses = ''\nunix_socket_directories = '{place}'\nfsync = off\n"
                        "shared_buffers = 1GB\nmax_wal_size = 8GB\nautovacuum = off\njit = off\n")
            self.command(f"{self.server.bin}/pg_ctl", "-D", place, "-l", f"{place}.log", "-w", "-s", "start")
        return self

    def __exit__(self, *_):
        for place in self.places:
            self.command(f"{self.server.bin}/pg_ctl", "-D", place, "-m", "fast", "-w", "-s", "stop")


def make(server, shards, c):
    """The table on the shards, filled from the one that is here."""
    count = len(shards.places)
    for place in shards.places:
        shards.sql(place, f"""CREATE EXTENSION nanovec;
            CREATE TABLE items (id int, bucket int, embedding vector({c.dims}));""")
    server.sql("nanovec", f"""CREATE EXTENSION nanovec_shards CASCADE;
        CREATE TABLE items (id int, bucket int, embedding vector({c.dims})) PARTITION BY HASH (id);""" + "".join(
            f"SELECT nanovec_add_shard('items', 's{n}', host => '{place}', dbname => 'postgres', "
            f"modulus => {count}, remainder => {n});\n" for n, place in enumerate(shards.places)))
    seconds = server.timed("nanovec", f"INSERT INTO items SELECT * FROM {c.table}")
    for place in shards.places:
        shards.sql(place, """SET maintenance_work_mem = '1GB'; SET client_min_messages = error;
            CREATE INDEX ON items USING hnsw (embedding vector_l2_ops); VACUUM ANALYZE items""")
    server.sql("nanovec", "ANALYZE items")
    return seconds


def statements(c, count):
    each = " UNION ALL ".join(f"(SELECT id, embedding <-> $1 AS d FROM items_s{n} "
                              f"ORDER BY embedding <-> $1 LIMIT 10)" for n in range(count))
    return {
        "one server": c.statement(),
        "shards, in turn": "SELECT id FROM items ORDER BY embedding <-> $1 LIMIT 10",
        "shards, at once": f"SELECT id FROM ({each}) AS s ORDER BY d + 0 LIMIT 10",
        "nanovec_ask_shards()": "SELECT id FROM nanovec_ask_shards(NULL::items, 'embedding', '<->', $1::vector, 10)",
    }


def ask(server, shards, bench, statement, clients, passes=3):
    """Median latency, queries/s, recall, and microseconds of all servers' processors a query."""
    places = [common.data_directory(server), *shards.places]
    before = watch.processor_seconds(*places)
    latency, seconds, ids = server.run_client(
        "nanovec", statement, bench.query_file, clients=clients, warm=1, passes=passes,
        setup=("jit = off", "plan_cache_mode = force_generic_plan"))
    processor = watch.processor_seconds(*places) - before
    return (stats.percentile(latency, 0.5), len(latency) / seconds,
            stats.recall(ids.tolist(), bench.truth.tolist(), 10),
            processor * 1e6 / (len(latency) * (passes + 1) / passes))


def run(server, args, record):
    bench, copy_file = common.make_run(server, args.rows, args.dims)
    c = common.contender(bench, "nanovec", "hnsw")
    measures.load(bench, c, copy_file)
    measures.build(bench, c, 2, 2 * 2**20)
    results = []
    with Shards(server, args.shards) as shards:
        filled = make(server, shards, c)
        ways = statements(c, args.shards)
        seen = {}
        for _ in range(args.rounds):
            for clients in (1, 2, 4):
                for name in ways:
                    seen.setdefault((name, clients), []).append(ask(server, shards, bench, ways[name], clients))
        for (name, clients), rounds in seen.items():
            middle = [stats.median_and_spread([r[i] for r in rounds])[0] for i in range(4)]
            results.append({"way": name, "clients": clients, "p50_us": middle[0], "queries_per_s": middle[1],
                            "recall": middle[2], "cpu_us": middle[3]})
        alone = next(r["p50_us"] for r in results if r["way"] == "one server" and r["clients"] == 1)
        for r in results:
            r["to one server"] = r["p50_us"] / alone if r["clients"] == 1 else ""
        record(results, f"{args.rows:,} x {args.dims}, {args.shards} shards; filled through the coordinator "
                        f"in {filled:.1f} s\n\n" + common.table(results))
        server.sql("nanovec", "DROP TABLE items")
