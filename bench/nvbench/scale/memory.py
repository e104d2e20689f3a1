"""Queries of a table and an index that memory does not hold."""

import os

from . import common, watch
from .. import measures, server as servers, stats

CONTENDERS = (("nanovec", "hnsw"), ("nanovec", "ivf"), ("pgvector", "hnsw"))


def arguments(p):
    p.add_argument("--rows", type=int, default=100000)
    p.add_argument("--dims", type=int, default=384)
    p.add_argument("--engines", default="nanovec,pgvector")
    p.add_argument("--queries", type=int, default=1000)


def pages_read(server, database):
    """Pages read so far by sessions that have ended."""
    return int(server.sql(database, "SELECT blks_read FROM pg_stat_database "
                                    "WHERE datname = current_database()"))


def answers(run, c, settings):
    """Latency and pages read a query, over one pass."""
    before = pages_read(run.server, c.engine)
    answer = run.ask(c, settings, warm=0)
    return answer["p50"], (pages_read(run.server, c.engine) - before) / len(run.queries)


def under_limit(run, c, chosen, buffers, limit, few):
    """Cold, warm and steady query times of one index under a limit; it is the only one read."""
    server = run.server
    data = common.data_directory(server)
    server.sql("postgres", f"ALTER SYSTEM SET shared_buffers = '{buffers // 2**20}MB'")
    server.restart()
    group = watch.Limit(limit)
    try:
        watch.drop_cache(data)
        group.take(watch.postmaster(data))
        cold, cold_read = answers(few, c, chosen["settings"])
        warm, warm_read = answers(run, c, chosen["settings"])
        steady = [answers(run, c, chosen["settings"]) for _ in range(3)]
        return {"cold_us": cold, "cold_pages": cold_read, "warm_us": warm, "warm_pages": warm_read,
                "steady_us": stats.median_and_spread([s[0] for s in steady])[0],
                "steady_pages": stats.median_and_spread([s[1] for s in steady])[0],
                "refused": group.read("memory.failcnt")}
    finally:
        server.sql("postgres", "ALTER SYSTEM SET shared_buffers = '1GB'")
        server.restart()
        group.close()


def run(server, args, record):
    bench, copy_file = common.make_run(server, args.rows, args.dims, queries=args.queries)
    few = measures.Run(server, bench.dataset, bench.work, 50, 50)
    # both have written theirs to the same file
    bench.query_file = servers.write_queries(os.path.join(bench.work, "all-queries.bin"), bench.queries)
    contenders = [common.contender(bench, engine, kind)
                  for engine, kind in CONTENDERS if engine in args.available]
    results = []
    for c in contenders:
        measures.load(bench, c, copy_file)
        measures.build(bench, c, 2, 4 * 2**20)
    sizes = {c.name: sum(common.sizes_of(server, c)) for c in contenders}
    limit, buffers = min(sizes.values()) // 2, min(sizes.values()) // 4
    for c in contenders:
        chosen = common.at_recall(bench, c)
        results.append({"contender": c.name, "recall": chosen["recall"], "setting": chosen["setting"],
                        "total_mb": common.megabytes(sizes[c.name]), "buffers_mb": common.megabytes(buffers),
                        "limit_mb": common.megabytes(limit), "memory_us": chosen["p50"],
                        **under_limit(bench, c, chosen, buffers, limit, few)})
        record(results, common.table(results))
