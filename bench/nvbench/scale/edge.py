"""A small machine: little memory for all of PostgreSQL."""

import os

from . import common, sizes, watch
from .. import datasets, measures, report, server as servers

SETTINGS = {"shared_buffers": "16MB", "work_mem": "1MB", "maintenance_work_mem": "16MB", "max_connections": "10",
            "max_wal_size": "64MB", "wal_buffers": "1MB", "max_parallel_maintenance_workers": "0"}


def arguments(p):
    p.add_argument("--rows", type=int, default=100000)
    p.add_argument("--dims", type=int, default=128)
    p.add_argument("--methods", default="hnsw,ivf")
    p.add_argument("--limit", default="64MB", help="of the cgroup; none: without")
    p.add_argument("--engines", default="nanovec")


def measure(run, c, copy_file):
    server = run.server
    measures.load(run, c, copy_file)
    built = sizes.build(server, c, SETTINGS["maintenance_work_mem"], 1)
    found = common.at_recall(run, c)
    more = servers.write_copy(os.path.join(servers.WORK, "more.copy"), datasets.more_like(run.dataset.base, 1000),
                              first_id=c.rows)
    inserted = measures.insert(run, c, more, 1000)
    out = {"contender": c.name, "rows": c.rows, **built, "recall": found["recall"], "setting": found["setting"],
           "p50_us": found["p50"], "p99_us": found["p99"], "insert_per_s": inserted["single_rows_per_second"],
           "table_mb": common.megabytes(common.sizes_of(server, c)[0])}
    server.sql(c.engine, f"DROP TABLE {c.table}")
    return out


def measure_all(bench, copy_file, args, group, record):
    results = []
    for kind in args.methods.split(","):
        results.append(measure(bench, common.contender(bench, "nanovec", kind), copy_file))
        if group:
            results[-1] |= {"most_mb": common.megabytes(group.read("memory.max_usage_in_bytes")),
                            "refused": group.read("memory.failcnt"), "limit": args.limit}
        record(results, report.table(["", *(r["contender"] for r in results)],
                                     [[name] + [report.number(r[name]) if isinstance(r[name], float)
                                                else r[name] for r in results]
                                      for name in list(results[0])[1:]]))


def run(server, args, record):
    bench, copy_file = common.make_run(server, args.rows, args.dims)
    common.configure(server, **SETTINGS)
    group = None
    data = common.data_directory(server)
    if args.limit != "none":
        group = watch.Limit(int(args.limit[:-2]) * 2**20)
        watch.drop_cache(data)
        group.take(watch.postmaster(data))
    try:
        measure_all(bench, copy_file, args, group, record)
    finally:
        if group:
            server.restart()
            group.close()
