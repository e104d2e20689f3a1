"""The measurements.  Each returns rows of results, plain dicts for the JSON file."""

import os

import numpy as np

from . import datasets, server as servers, stats

SELECTIVITIES = (1.0, 0.5, 0.1, 0.01, 0.001)

# For conditions that have to do with where a vector is
CLUSTERS = 100
FILTERED_QUERIES = 200


class Run:
    """What all measurements need: the server, the data and where files are."""

    def __init__(self, server, dataset, work, max_queries, exact_queries):
        self.server = server
        self.dataset = dataset
        self.work = work
        self.queries = dataset.queries[:max_queries]
        self.truth = dataset.truth[:max_queries]
        self.query_file = servers.write_queries(os.path.join(work, "queries.bin"), self.queries)
        self.exact_file = servers.write_queries(os.path.join(work, "exact-queries.bin"),
                                                self.queries[:exact_queries])
        self.exact_queries = min(exact_queries, len(self.queries))

    def ask(self, contender, settings=(), k=10, clients=1, warm=1, passes=1, truth=None):
        """Run all queries; latency figures, queries per second, recall."""
        few = not contender.indexed
        latency, seconds, ids = self.server.run_client(
            contender.engine, contender.statement(k),
            self.exact_file if few else self.query_file, k=k, clients=clients,
            setup=contender.session() + tuple(settings), warm=warm, passes=passes)
        truth = self.truth if truth is None else truth
        return figures(latency, seconds, ids.tolist(), truth[:len(ids)].tolist(), k)

    def ask_by_groups(self, contender, settings, groups, k=10):
        """The same for groups of queries, [(condition, queries, truth), ...], of which each
        has a condition of its own."""
        latency, seconds, ids, truth = [], 0.0, [], []
        file = os.path.join(self.work, "group.bin")
        for where, queries, nearest in groups:
            part = self.server.run_client(
                contender.engine, contender.statement(k, where, contender.filtered_table),
                servers.write_queries(file, queries), k=k,
                setup=contender.filter_session() + tuple(settings))
            latency += part[0].tolist()
            seconds += part[1]
            ids += part[2].tolist()
            truth += nearest.tolist()
        return figures(latency, seconds, ids, truth, k)


def figures(latency, seconds, ids, truth, k):
    """What is told of some queries, by their answers and the right ones."""
    answers = [[i for i in row if i >= 0] for row in ids]
    return {
        "recall": stats.recall(answers, truth, k),
        "rows": sum(map(len, answers)) / len(answers),
        "qps": len(latency) / seconds,
        "p50": stats.percentile(latency, 0.5),
        "p95": stats.percentile(latency, 0.95),
        "p99": stats.percentile(latency, 0.99),
    }


def load(run, contender, copy_file):
    """Create and fill the contender's table, without an index."""
    storage = "external" if contender.kind == "toasted" else "plain"
    run.server.sql(contender.engine, f"""
        DROP TABLE IF EXISTS {contender.table};
        CREATE TABLE {contender.table} (id int, bucket int, embedding vector({contender.dims}));
        ALTER TABLE {contender.table} ALTER embedding SET STORAGE {storage};
        COPY {contender.table} FROM '{copy_file}' (FORMAT binary);
        VACUUM (FREEZE, ANALYZE) {contender.table};""")


def build(run, contender, processes, memory):
    """Build the index anew; seconds and bytes."""
    run.server.sql(contender.engine, f"DROP INDEX IF EXISTS {contender.table}_index; CHECKPOINT")
    seconds = run.server.timed(
        contender.engine, contender.index_sql(),
        (f"max_parallel_maintenance_workers = {processes - 1}",
         f"maintenance_work_mem = '{memory}kB'", "min_parallel_table_scan_size = 0",
         "client_min_messages = error"))
    size = int(run.server.sql(contender.engine,
                              f"SELECT pg_relation_size('{contender.table}_index')"))
    return {"seconds": seconds, "bytes": size}


def insert(run, contender, copy_file, rows):
    """Add rows one by one and in bulk, with the index in place; then remove them."""
    engine, table = contender.engine, contender.table
    wal = "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"
    run.server.sql(engine, f"""
        DROP TABLE IF EXISTS more;
        CREATE TABLE more (LIKE {table} INCLUDING STORAGE);
        COPY more FROM '{copy_file}' (FORMAT binary);
        CHECKPOINT;""")
    result = {}
    for how, condition, statement in (
            ("single", f"id % 2 = 0", f"""
                DO $$ DECLARE r more; BEGIN
                    FOR r IN SELECT * FROM more WHERE id % 2 = 0 LOOP
                        INSERT INTO {table} VALUES (r.id, r.bucket, r.embedding);
                    END LOOP;
                END $$"""),
            ("bulk", f"id % 2 = 1", f"INSERT INTO {table} SELECT * FROM more WHERE id % 2 = 1")):
        before = int(run.server.sql(engine, wal))
        seconds = run.server.timed(engine, statement)
        written = int(run.server.sql(engine, wal)) - before
        result[f"{how}_rows_per_second"] = rows / 2 / seconds
        result[f"{how}_wal_per_row"] = written / (rows / 2)
    run.server.sql(engine, f"DELETE FROM {table} WHERE id >= {contender.rows}; "
                           f"DROP TABLE more; VACUUM {table}")
    return result


def vacuum(run, contender, settings):
    """Delete a tenth, update a twentieth, vacuum, and ask again."""
    engine, table = contender.engine, contender.table
    run.server.sql(engine, f"DELETE FROM {table} WHERE bucket < 100; CHECKPOINT")
    updating = run.server.timed(
        engine, f"UPDATE {table} SET bucket = bucket WHERE bucket BETWEEN 100 AND 149")
    seconds = run.server.timed(engine, f"VACUUM {table}")
    alive = servers.bucket_of(np.arange(contender.rows)) >= 100
    truth = datasets.exact_nearest(run.dataset.base, run.queries, run.dataset.metric, alive)
    after = run.ask(contender, settings, truth=truth)
    return {"updated_rows_per_second": contender.rows / 20 / updating, "vacuum_seconds": seconds,
            "recall": after["recall"], "p50": after["p50"]}


def load_filtered(run, contender, clusters, memory):
    """A table with what conditions are on, and its indexes."""
    table = contender.filtered_table
    numbers = os.path.join(run.work, "clusters.copy")
    with open(numbers, "w") as f:
        f.writelines(f"{i}\t{cluster}\n" for i, cluster in enumerate(clusters))
    run.server.sql(contender.engine, f"""
        SET client_min_messages = error;
        SET maintenance_work_mem = '{memory}kB';
        DROP TABLE IF EXISTS clusters, {table};
        CREATE TABLE clusters (id int PRIMARY KEY, cluster int);
        COPY clusters FROM '{numbers}';
        CREATE TABLE {table} (LIKE {contender.table} INCLUDING STORAGE);
        ALTER TABLE {table} ADD cluster int;
        INSERT INTO {table} SELECT i.*, cluster FROM {contender.table} AS i
            JOIN clusters USING (id) WHERE id < {contender.rows} ORDER BY id;
        {";".join(contender.filtered_index_sql())};
        VACUUM (FREEZE, ANALYZE) {table};
        DROP TABLE clusters""")


def filter_cases(dataset, queries, clusters, query_clusters):
    """[(name, share of the rows, groups), ...], groups as for Run.ask_by_groups()."""
    def group(where, mask, which):
        return (where, queries[which],
                datasets.exact_nearest(dataset.base, queries[which], dataset.metric, mask, k=10))

    buckets = servers.bucket_of(np.arange(len(dataset.base)))
    cases = []
    for share in SELECTIVITIES:
        limit = int(1000 * share)
        cases.append(("all rows" if share == 1 else f"{share:.1%}, random", share,
                      [group("" if share == 1 else f"bucket < {limit}", buckets < limit,
                             np.arange(len(queries)))]))
    for name, wanted in (("its own cluster", query_clusters),
                         ("another cluster", (query_clusters + CLUSTERS // 3) % CLUSTERS)):
        groups = [group(f"cluster = {c}", clusters == c, np.flatnonzero(wanted == c))
                  for c in np.unique(wanted) if (clusters == c).any()]
        cases.append((name, 1 / CLUSTERS, groups))
    return cases


def filtered(run, contender, settings, memory):
    """Conditions that leave a share of the rows, at random, or those of a cluster: rows
    returned, recall, latency."""
    dataset = run.dataset
    clusters, query_clusters = datasets.clusters_of(dataset, run.queries, CLUSTERS)
    count = FILTERED_QUERIES if contender.indexed else 30
    load_filtered(run, contender, clusters, memory)
    return [{"case": name, "selectivity": share, **run.ask_by_groups(contender, settings, groups)}
            for name, share, groups in filter_cases(dataset, run.queries[:count], clusters,
                                                    query_clusters[:count])]


def cold(run, contender, settings, count=20):
    """Pages read per query just after a restart."""
    dropped = run.server.restart(cold=True)
    reads = []
    for query in run.queries[:count]:
        literal = "[" + ",".join(map(repr, query.tolist())) + "]"
        statement = contender.statement().replace("$1", f"'{literal}'")
        plan = run.server.sql(contender.engine, f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) {statement}",
                              contender.session() + tuple(settings))
        shared = next(line for line in plan.splitlines() if "Buffers: shared" in line)
        words = dict(part.split("=") for part in shared.split() if "=" in part)
        reads.append(int(words.get("read", 0)))
    return {"first_query_reads": reads[0], "reads_per_query": float(np.median(reads)),
            "os_cache_dropped": dropped}
