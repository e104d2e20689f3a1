"""Time, memory, size and WAL against the number of rows."""

import os

import numpy as np

from . import common, watch
from .. import datasets, measures, report, server as servers

# what grows with rows
FIGURES = {"build_s": "build, s", "build_cpu_s": "build, processor s",
           "private_mb": "private memory of the build, MB", "shared_mb": "shared memory of the build, MB",
           "index_mb": "index, MB", "wal_mb": "WAL of the build, MB",
           "p50_us": "query, us", "query_cpu_us": "query, processor us",
           "insert_per_s": "inserts/s", "insert_wal_b": "WAL of an insert, bytes",
           "vacuum_s": "vacuum of a tenth, s",
           "vacuum_cpu_s": "vacuum, processor s"}
# what a power of the rows may be extended for; WAL of an insert, say, ends where it writes all pages anew
EXTRAPOLATED = ("build_cpu_s", "shared_mb", "index_mb", "wal_mb", "query_cpu_us", "vacuum_cpu_s")


def arguments(p):
    p.add_argument("--rows", default="10000,30000,100000,300000")
    p.add_argument("--dims", type=int, default=64)
    p.add_argument("--methods", default="hnsw,ivf")
    p.add_argument("--engines", default="nanovec")
    p.add_argument("--memory", default="4GB", help="maintenance_work_mem, or 'tenth': of the index")
    p.add_argument("--processes", type=int, default=2)


def build(server, c, memory, processes):
    """Seconds, peak memory, WAL and size of a build."""
    server.sql(c.engine, f"DROP INDEX IF EXISTS {c.table}_index; CHECKPOINT")
    before = common.wal_position(server, c.engine)
    data = common.data_directory(server)
    processor = watch.processor_seconds(data)
    with watch.Watcher(watch.postmaster(data)) as watcher:
        seconds = server.timed(c.engine, c.index_sql(), (
            f"max_parallel_maintenance_workers = {processes - 1}", f"maintenance_work_mem = '{memory}'",
            "min_parallel_table_scan_size = 0", "client_min_messages = error"))
    return {"build_s": seconds, "build_cpu_s": watch.processor_seconds(data) - processor,
            "private_mb": common.megabytes(watcher.private),
            "shared_mb": common.megabytes(watcher.shared),
            "wal_mb": common.megabytes(common.wal_position(server, c.engine) - before),
            "index_mb": common.megabytes(common.sizes_of(server, c)[1])}


def measure(run, c, copy_file, args):
    """A row of figures of one method at one size."""
    server = run.server
    measures.load(run, c, copy_file)
    memory = args.memory if args.memory != "tenth" else "4GB"
    figures = {"rows": c.rows, "contender": c.name, "memory": memory,
               **build(server, c, memory, args.processes)}
    if args.memory == "tenth":
        memory = f"{max(1024, int(figures['index_mb'] * 1024 / 10))}kB"
        again = build(server, c, memory, args.processes)
        figures |= {"memory": memory, "enough_s": figures["build_s"],
                    "enough_cpu_s": figures["build_cpu_s"], **again}
    data = common.data_directory(server)
    found = common.at_recall(run, c)
    figures |= {"p50_us": found["p50"], "recall": found["recall"], "setting": found["setting"]}
    before = watch.processor_seconds(data)
    run.ask(c, found["settings"], passes=9)
    figures["query_cpu_us"] = (watch.processor_seconds(data) - before) * 1e6 / (10 * len(run.queries))
    rows = min(2000, c.rows // 10)
    more = servers.write_copy(os.path.join(servers.WORK, "more.copy"),
                              datasets.more_like(run.dataset.base, rows), first_id=c.rows)
    inserted = measures.insert(run, c, more, rows)
    figures |= {"insert_per_s": inserted["single_rows_per_second"],
                "insert_wal_b": inserted["single_wal_per_row"]}
    server.sql(c.engine, f"DELETE FROM {c.table} WHERE bucket < 100; CHECKPOINT")
    before = watch.processor_seconds(data)
    figures["vacuum_s"] = server.timed(c.engine, f"VACUUM {c.table}")
    figures["vacuum_cpu_s"] = watch.processor_seconds(data) - before
    return figures


def fitted(results):
    """Slopes of each figure over a contender's three largest sizes: {contender: {figure: slope}}."""
    out = {}
    for name in dict.fromkeys(r["contender"] for r in results):
        mine = [r for r in results if r["contender"] == name][-3:]
        out[name] = {f: common.slope([r["rows"] for r in mine], [r[f] for r in mine])
                     for f in FIGURES if len(mine) > 1 and all(r[f] > 0 for r in mine)}
    return out


def markdown(results):
    slopes = fitted(results)
    text = ""
    for name in dict.fromkeys(r["contender"] for r in results):
        mine = [r for r in results if r["contender"] == name]
        head = [name] + [f"{r['rows']:,}" for r in mine] + ["slope of the last three"]
        if slopes[name]:
            head += ["1e8, extrapolated", "1e9, extrapolated"]
        lines = []
        for f, title in FIGURES.items():
            line = [title] + [report.number(r[f]) for r in mine]
            s = slopes[name].get(f)
            line.append("" if s is None else f"{s:.2f}")
            if slopes[name]:
                line += ["" if s is None or f not in EXTRAPOLATED else
                         report.number(mine[-1][f] * (n / mine[-1]["rows"]) ** s) for n in (1e8, 1e9)]
            lines.append(line)
        for f in ("recall", "setting", "memory", "enough_s", "enough_cpu_s"):
            if f in mine[0]:
                lines.append([f] + [report.number(r[f]) if isinstance(r[f], float) else str(r[f]) for r in mine]
                             + [""] * (len(head) - 1 - len(mine)))
        text += report.table(head, lines) + "\n"
    return text


def draw(results, stem):
    """Log-log plots, with the fitted lines."""
    plt = report.plt
    fig, axes = plt.subplots(3, 4, figsize=(16, 10))
    slopes = fitted(results)
    for axis, (f, title) in zip(axes.flat, FIGURES.items()):
        for name in slopes:
            mine = [r for r in results if r["contender"] == name and r[f] > 0]
            x, y = np.array([r["rows"] for r in mine]), np.array([r[f] for r in mine])
            points = axis.loglog(x, y, "o", label=f"{name}: {slopes[name].get(f, 0):.2f}")[0]
            if f in slopes[name]:
                line = np.polyfit(np.log(x[-3:]), np.log(y[-3:]), 1)
                axis.loglog(x, np.exp(np.polyval(line, np.log(x))), "-", color=points.get_color())
        axis.set_title(title)
        axis.grid(True, which="both", alpha=0.2)
        axis.legend(fontsize=8)
    fig.supxlabel("rows")
    fig.tight_layout()
    fig.savefig(f"{stem}.png", dpi=100)


def run(server, args, record):
    results = []
    for rows in map(int, args.rows.split(",")):
        bench, copy_file = common.make_run(server, rows, args.dims)
        for engine in args.available:
            for kind in args.methods.split(","):
                c = common.contender(bench, engine, kind)
                if engine == "pgvector" and kind == "ivf":
                    continue
                results.append(measure(bench, c, copy_file, args))
                print("# " + ", ".join(f"{k} {report.number(v) if isinstance(v, float) else v}"
                                       for k, v in results[-1].items()), flush=True)
                server.sql(c.engine, f"DROP TABLE {c.table}")
                record(results, markdown(results))
    draw(results, args.stem)
