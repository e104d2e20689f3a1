#!/usr/bin/env python3
"""Measure nanovec against its peers, in one run on one server.

bench/run.sh prepares the machine and calls this; see bench/README.md.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import signal
import subprocess
import sys

from tqdm import tqdm

from nvbench import datasets, engines, measures, report, server as servers, yardstick

HERE = pathlib.Path(__file__).resolve().parent
ALL = ("search", "k100", "clients", "build", "insert", "filtered", "cold", "vacuum", "yardstick")
EXTENSIONS = {"nanovec": "nanovec", "pgvector": "vector"}


def arguments():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--dataset", help="see bench/README.md (default: text384 if there, else generated)")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--build-rounds", type=int, help="of index builds (default: as --rounds)")
    p.add_argument("--queries", type=int, default=1000, help="at most this many")
    p.add_argument("--exact-queries", type=int, default=30, help="for exact search")
    p.add_argument("--measures", default=",".join(ALL), help="of " + ",".join(ALL))
    p.add_argument("--engines", default="nanovec,pgvector")
    p.add_argument("--memory", default="2GB", help="maintenance_work_mem of ordinary builds")
    p.add_argument("--shared", default=os.environ.get("NVBENCH_SHARED", str(HERE / "../../shared")))
    p.add_argument("--results", default=str(HERE / "results"))
    p.add_argument("--quick", action="store_true", help="a small set and few rounds, in 5 minutes")
    args = p.parse_args()
    unknown = set(args.measures.split(",")) - set(ALL)
    if unknown:
        p.error(f"unknown measures: {', '.join(sorted(unknown))}")
    text = os.path.exists(os.path.join(args.shared, "data", "text384", "base.f16.npy"))
    args.dataset = args.dataset or ("text384" if text else "gen:100000:384")
    if args.quick:
        args.dataset = "text384:10000" if text else "gen:10000:128"
        args.rounds, args.queries, args.exact_queries = 3, 100, 20
        args.measures = "search,insert,filtered,yardstick"
    return args


@contextlib.contextmanager
def awake():
    """A spinner of idle priority per core, so that cores do not fall asleep."""
    spinners = [subprocess.Popen(["chrt", "-i", "0", sys.executable, "-c", "while True: pass"])
                for _ in range(os.cpu_count())]
    try:
        yield
    finally:
        for s in spinners:
            s.terminate()
            s.wait()


def environment(server, available):
    """What one must know to read the figures."""
    with open("/proc/cpuinfo") as f:
        cpu = dict(line.split(":", 1) for line in f.read().split("\n\n")[0].replace("\t", "").splitlines())
    flags = [f for f in ("avx2", "avx512f", "avx512_vnni", "avx512_vpopcntdq", "asimd")
             if f in cpu.get("flags", cpu.get("Features", "")).split()]
    facts = {
        "date": datetime.date.today().isoformat(),
        "machine": f"{cpu.get('model name', platform.machine()).strip()}, {os.cpu_count()} cores, "
                   f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "CPU features": " ".join(flags),
        "PostgreSQL": server.sql("postgres", "SHOW server_version"),
    }
    for engine in available:
        facts[engine] = server.sql(
            engine, f"SELECT extversion FROM pg_extension WHERE extname = '{EXTENSIONS[engine]}'")
    facts["nanovec commit"] = subprocess.run(
        ["git", "-C", str(HERE), "describe", "--always", "--dirty"], capture_output=True,
        text=True).stdout.strip() or "unknown"
    facts["settings"] = ", ".join(
        f"{name} = {server.sql('postgres', 'SHOW ' + name)}"
        for name in ("shared_buffers", "fsync", "full_page_writes", "max_wal_size"))
    return facts


def install(server, wanted):
    """A database per engine; those whose extension is not there are left out, and said."""
    available = []
    for engine in wanted:
        server.sql("postgres", f'DROP DATABASE IF EXISTS "{engine}"')
        server.sql("postgres", f'CREATE DATABASE "{engine}"')
        try:
            server.sql(engine, f"CREATE EXTENSION {EXTENSIONS[engine]}")
            available.append(engine)
        except RuntimeError as e:
            print(f"# without {engine}: {str(e).splitlines()[0]}")
    return available


class Bench:
    """One run: the contenders, and the rows of results so far."""

    def __init__(self, args, server, run, available):
        self.args = args
        self.server = server
        self.run = run
        self.results = []
        self.contenders = [c for engine in available
                           for c in engines.contenders(server, engine, run.dataset)]

    def indexed(self):
        return [c for c in self.contenders if c.indexed]

    def record(self, contender, measure, round_=0, **values):
        name = contender if isinstance(contender, str) else contender.name
        self.results.append({"contender": name, "measure": measure, "round": round_, **values})

    def best_setting(self, contender, target=0.95):
        """The quickest setting measured whose recall reaches the target, else the last."""
        rows = [r for r in self.results if r["measure"] == "search" and r["k"] == 10 and
                r["contender"] == contender.name and r["recall"] >= target]
        value = min((r["value"] for r in rows), default=contender.sweep()[-1][0])
        return dict(contender.sweep())[value]

    def load(self, copy_file):
        for c in tqdm(self.contenders, desc="load tables"):
            measures.load(self.run, c, copy_file)

    def build(self):
        """Builds at one and two processes; the last one, with enough memory, stays."""
        cases = [(0, 2)]
        if "build" in self.args.measures.split(","):
            cases = [(r, processes) for r in range(self.args.build_rounds or self.args.rounds)
                     for processes in (1, 2)]
        memory = parse_memory(self.args.memory)
        for round_, processes in tqdm(cases, desc="build indexes"):
            for c in self.indexed():
                b = measures.build(self.run, c, processes, memory)
                self.record(c, "build", round_, case=f"processes: {processes}",
                            seconds=b["seconds"], megabytes=b["bytes"] / 2**20)

    def build_in_little_memory(self):
        for c in tqdm(self.indexed(), desc="build in little memory"):
            size = next(r["megabytes"] for r in self.results
                        if r["measure"] == "build" and r["contender"] == c.name)
            memory = max(1024, int(size * 1024 / 10))
            try:
                b = measures.build(self.run, c, 2, memory)
                self.record(c, "build", case="processes: 2, memory a tenth of the index",
                            seconds=b["seconds"], megabytes=b["bytes"] / 2**20)
            except RuntimeError as e:
                print(f"# {c.name} in {memory} kB: {str(e).splitlines()[0]}")
            measures.build(self.run, c, 2, parse_memory(self.args.memory))

    def search(self, k):
        steps = [(round_, value_index) for round_ in range(self.args.rounds)
                 for value_index in range(max(len(c.sweep()) for c in self.contenders))]
        for round_, i in tqdm(steps, desc=f"search, k = {k}"):
            for c in self.contenders:
                if i < len(c.sweep()):
                    value, settings = c.sweep()[i]
                    self.record(c, "search", round_, k=k, value=value,
                                **self.run.ask(c, settings, k=k))

    def clients(self):
        for round_ in tqdm(range(self.args.rounds), desc="concurrent clients"):
            for clients in (1, 2, 4, 8):
                # exact scans take long, and one round tells enough
                for c in [c for c in self.contenders
                          if c.indexed or (c.kind == "exact" and round_ == 0)]:
                    answer = self.run.ask(c, self.best_setting(c), clients=clients)
                    self.record(c, "clients", round_, case=f"{clients} clients", **answer)

    def insert(self):
        rows = min(2000, len(self.run.dataset.base) // 10)
        extra = datasets.more_like(self.run.dataset.base, rows)
        file = servers.write_copy(os.path.join(servers.WORK, "more.copy"), extra,
                                  first_id=len(self.run.dataset.base))
        for round_ in tqdm(range(self.args.rounds), desc="insert"):
            for c in [c for c in self.contenders if c.indexed or c.kind == "exact"]:
                self.record(c, "insert", round_, **measures.insert(self.run, c, file, rows))

    def filtered(self):
        for c in tqdm([c for c in self.contenders if c.kind != "parallel"], desc="filtered queries"):
            for row in measures.filtered(self.run, c, self.best_setting(c),
                                         parse_memory(self.args.memory)):
                self.record(c, "filtered", **row)

    def cold(self):
        for c in tqdm(self.indexed(), desc="cold cache"):
            self.record(c, "cold", **measures.cold(self.run, c, self.best_setting(c)))

    def vacuum(self):
        for c in tqdm(self.indexed(), desc="delete and vacuum"):
            self.record(c, "vacuum", **measures.vacuum(self.run, c, self.best_setting(c)))

    def yardsticks(self):
        for name, kind, measure in (("hnswlib", "hnsw", yardstick.run_hnswlib),
                                    ("faiss", "ivfflat", yardstick.run_faiss)):
            try:
                points, seconds = measure(self.run.dataset, self.run.queries, self.run.truth)
            except ImportError as e:
                print(f"# without {name}: {e}")
                continue
            self.record(f"{name} {kind}", "build", case="processes: 2", seconds=seconds, megabytes=0)
            for p in points:
                self.record(f"{name} {kind}", "search", k=10, **p)

    def measure_all(self):
        wanted = self.args.measures.split(",")
        self.build()
        self.search(10)
        for name in ("k100", "clients", "insert", "filtered", "yardstick", "build", "cold", "vacuum"):
            if name not in wanted:
                continue
            {"k100": lambda: self.search(100), "clients": self.clients, "insert": self.insert,
             "filtered": self.filtered, "yardstick": self.yardsticks, "cold": self.cold,
             "build": self.build_in_little_memory, "vacuum": self.vacuum}[name]()


def parse_memory(text):
    """kB of 64MB, 2GB and the like."""
    units = {"kB": 1, "MB": 1024, "GB": 1024**2}
    return int(text[:-2]) * units[text[-2:]]


def main():
    # who is told to stop stops what it started, too
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    args = arguments()
    server = servers.Server()
    dataset = datasets.open_dataset(args.dataset, args.shared)
    cache = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "nanovec-bench")
    dataset.with_truth(cache)
    print(f"# {dataset.name}: {len(dataset.base):,} x {dataset.dims}, {len(dataset.queries)} queries")

    available = install(server, args.engines.split(","))
    run = measures.Run(server, dataset, servers.WORK, args.queries, args.exact_queries)
    bench = Bench(args, server, run, available)
    with awake():
        facts = environment(server, available)
        bench.load(servers.write_copy(os.path.join(servers.WORK, "base.copy"), dataset.base))
        floors = [server.floor("postgres")]
        try:
            bench.measure_all()
        except (KeyboardInterrupt, RuntimeError) as e:
            print(f"# stopped, what was measured is reported: {e!r}")
        floors.append(server.floor("postgres"))
    facts["SELECT 1 floor"] = f"{floors[0]:.0f} us before, {floors[1]:.0f} us after"

    result = {"dataset": {"name": dataset.name, "rows": len(dataset.base), "dims": dataset.dims},
              "arguments": {k: v for k, v in vars(args).items() if k not in ("shared", "results")},
              "environment": facts, "results": bench.results}
    os.makedirs(args.results, exist_ok=True)
    stem = os.path.join(args.results, f"{facts['date']}-{dataset.name}")
    with open(f"{stem}.json", "w") as f:
        json.dump(result, f, indent=1)
    text = report.markdown(result)
    with open(f"{stem}.md", "w") as f:
        f.write(text)
    report.draw(result, stem)
    print(text)
    print(f"# written: {os.path.relpath(stem)}.json, .md, -recall.png, -build.png, -filtered.png and .svg")


if __name__ == "__main__":
    main()
