"""What the measurements of bench/scale.py share."""

import os

import numpy as np

from .. import datasets, engines, measures, report, server as servers

QUERIES = 200


def make_run(server, rows, dims, queries=QUERIES, seed=7):
    """Clustered vectors of low intrinsic dimension, their exact neighbors, and a COPY file."""
    dataset = datasets.generate(rows, dims, queries=queries, seed=seed)
    dataset.with_truth(os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")),
                                    "nanovec-bench"))
    run = measures.Run(server, dataset, servers.WORK, queries, queries)
    return run, servers.write_copy(os.path.join(servers.WORK, "base.copy"), dataset.base)


def contender(run, engine, kind):
    return engines.Contender(engine, kind, run.dataset.metric, len(run.dataset.base), run.dataset.dims)


def at_recall(run, c, target=0.95, passes=3):
    """The least setting that reaches the target (else the last one): setting, recall, latency."""
    for value, settings in c.sweep():
        answer = run.ask(c, settings)
        if answer["recall"] >= target:
            break
    return {"setting": value, "settings": settings, **run.ask(c, settings, passes=passes)}


def wal_position(server, database):
    return int(server.sql(database, "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))


def sizes_of(server, c):
    """Bytes of the table, and of its index."""
    return tuple(map(int, server.sql(c.engine, f"SELECT pg_table_size('{c.table}'), "
                                               f"pg_relation_size('{c.table}_index')").split("|")))


def configure(server, **settings):
    """ALTER SYSTEM, and a restart."""
    for name, value in settings.items():
        server.sql("postgres", f"ALTER SYSTEM SET {name} = '{value}'")
    server.restart()


def data_directory(server):
    return server.control[server.control.index("-D") + 1]


def megabytes(n):
    return n / 2**20


def slope(x, y):
    """Of log y against log x, by least squares."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def table(results):
    """Of rows of results that have the same keys."""
    return report.table(list(results[0]), [[report.number(v) if isinstance(v, float) else v
                                            for v in r.values()] for r in results])
