"""One table of many partitions: planning, execution, memory."""

import json

from . import common
from .. import stats


def arguments(p):
    p.add_argument("--rows", type=int, default=100000)
    p.add_argument("--dims", type=int, default=64)
    p.add_argument("--counts", default="1,10,100,1000")
    p.add_argument("--methods", default="hnsw,ivf")
    p.add_argument("--engines", default="nanovec")


def make(server, count, dims, copy_file, method):
    """Partitions by bucket, of which there are 1000 and which is in the index, too; the seconds that it takes."""
    server.sql("nanovec", f"""
        DROP TABLE IF EXISTS items;
        CREATE TABLE items (id int, bucket int, embedding vector({dims})) PARTITION BY RANGE (bucket);
        SELECT format('CREATE TABLE items_%s PARTITION OF items FOR VALUES FROM (%s) TO (%s)',
            p, p * {1000 // count}, (p + 1) * {1000 // count}) FROM generate_series(0, {count - 1}) p \\gexec
        COPY items FROM '{copy_file}' (FORMAT binary);""")
    seconds = server.timed("nanovec", f"CREATE INDEX ON items USING {method} (embedding vector_l2_ops, bucket)",
                           ("maintenance_work_mem = '1GB'", "max_parallel_maintenance_workers = 1",
                            "client_min_messages = error"))
    server.sql("nanovec", "VACUUM ANALYZE items")
    return seconds


def explained(server, statement, settings):
    """Medians of planning and execution time in ms, of a plan each time, and kB of the session."""
    queries = "".join(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT json) {statement};\n" for _ in range(11))
    out = server.sql("nanovec", "LOAD 'nanovec';\n" + queries +
                     "SELECT round(sum(used_bytes) / 1024) FROM pg_backend_memory_contexts;", settings)
    plans, position, decoder = [], 0, json.JSONDecoder()
    while out[position] == "[":
        plan, position = decoder.raw_decode(out, position)
        plans.append(plan[0])
        position += len(out[position:]) - len(out[position:].lstrip())
    return (stats.percentile([p["Planning Time"] for p in plans[1:]], 0.5),
            stats.percentile([p["Execution Time"] for p in plans[1:]], 0.5), int(out[position:]))


def run(server, args, record):
    bench, copy_file = common.make_run(server, args.rows, args.dims)
    vector = "[" + ",".join(map(repr, bench.queries[0].tolist())) + "]"
    common.configure(server, max_locks_per_transaction=1024)
    settings = ("enable_seqscan = off", "jit = off", "max_parallel_workers_per_gather = 0")
    results = []
    for method in args.methods.split(","):
        for count in map(int, args.counts.split(",")):
            row = {"method": method, "partitions": count,
                   "build_s": make(server, count, args.dims, copy_file, method)}
            for what, where in (("one", "WHERE bucket = 500"), ("tenth", "WHERE bucket < 100"), ("all", "")):
                statement = f"SELECT id FROM items {where} ORDER BY embedding <-> '{vector}' LIMIT 10"
                row[f"{what}_plan_ms"], row[f"{what}_ms"], row[f"{what}_kb"] = explained(server, statement, settings)
            for what, where in (("prepared_one_us", "WHERE bucket = 500"), ("prepared_all_us", "")):
                latency, _, _ = server.run_client(
                    "nanovec", f"SELECT id FROM items {where} ORDER BY embedding <-> $1 LIMIT 10", bench.query_file,
                    setup=settings + ("plan_cache_mode = force_generic_plan",))
                row[what] = float(stats.percentile(latency, 0.5))
            results.append(row)
            record(results, common.table(results))
    server.sql("nanovec", "DROP TABLE items")
