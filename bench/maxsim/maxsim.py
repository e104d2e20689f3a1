#!/usr/bin/env python3
"""Late interaction: how well and how quickly does an index find what MaxSim ranks first?

    maxsim.py --host DIRECTORY --kept DIRECTORY HTML_DIRECTORY...

Needs a database (--dbname) with the extension.  Documents are passages of documentation, with
an embedding of each token; see passages.py.  Exact answers come from sequential scans.
"""

import argparse
import statistics
import struct
import time

import numpy as np
import psycopg

import passages

K = 10


def binary(vectors, oid, half):
    """An array of vectors as PostgreSQL sends it."""
    head = struct.pack("!hh", passages.DIMS, 0)
    elements = vectors.astype(">f2" if half else ">f4")
    parts = [struct.pack("!iiIii", 1, 0, oid, len(vectors), 1)]
    for element in elements:
        data = element.tobytes()
        parts += [struct.pack("!i", len(head) + len(data)), head, data]
    return b"".join(parts)


def copy_in(connection, documents, first, kind, oid):
    """Add documents, whose ids begin with first, by one COPY."""
    with connection.cursor() as cursor, cursor.copy("COPY documents FROM STDIN BINARY") as copy:
        copy.write(b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0))
        for i, vectors in enumerate(documents, first):
            array = binary(vectors, oid, kind == "halfvec")
            copy.write(struct.pack("!hiii", 2, 4, i, len(array)) + array)
        copy.write(struct.pack("!h", -1))


def load(connection, documents, kind, oid):
    """A table of arrays."""
    connection.execute("DROP TABLE IF EXISTS documents, tokens")
    connection.execute(f"CREATE TABLE documents (id int4 PRIMARY KEY, embeddings {kind}({passages.DIMS})[])")
    copy_in(connection, documents, 0, kind, oid)
    connection.execute("VACUUM ANALYZE documents")


def processor_time(connection):
    """Seconds that the connection's backend has worked, on a machine that this runs on."""
    with open(f"/proc/{connection.info.backend_pid}/schedstat") as file:
        return int(file.read().split()[0]) / 1e9


def insert_more(connection, documents, first, kind, oid, array_class):
    """Documents into a table that has its index: half of them one by one, half by COPY."""
    half = len(documents) // 2
    for how, some in ("one by one", documents[:half]), ("by COPY", documents[half:]):
        start, worked = time.perf_counter(), processor_time(connection)
        if how == "by COPY":
            copy_in(connection, some, first + half, kind, oid)
        else:
            for i, vectors in enumerate(some, first):
                connection.execute("INSERT INTO documents VALUES (%s, %b)",
                                   [i, array_class([vectors])], prepare=True)
        seconds, worked = time.perf_counter() - start, processor_time(connection) - worked
        n = sum(map(len, some))
        print(f"inserts {how}: {1000 * seconds / len(some):.1f} ms a document, of the server's "
              f"processor {1000 * worked / len(some):.1f}; {1000 * worked / n:.2f} a vector")


class Connection(psycopg.Connection):
    def timed(self, statement, *arguments):
        start = time.perf_counter()
        self.execute(statement, *arguments)
        return time.perf_counter() - start

    def size(self, relation):
        return self.execute("SELECT pg_relation_size(%s::regclass)", [relation]).fetchone()[0] / 1e6


def answer(connection, queries, kind):
    """The ids of the nearest documents of each query, and milliseconds."""
    ids, times = [], []
    for query in queries:
        start = time.perf_counter()
        rows = connection.execute(
            f"SELECT id FROM documents ORDER BY embeddings @# %b::{kind}[] LIMIT {K}",
            [query], prepare=True, binary=True).fetchall()
        times.append(1000 * (time.perf_counter() - start))
        ids.append({row[0] for row in rows})
    return ids, times


def dumper(oid, array_oid, kind):
    class Query(list):
        pass

    class Dumper(psycopg.adapt.Dumper):
        format = psycopg.pq.Format.BINARY

        def dump(self, query):
            return binary(query[0], oid, kind == "halfvec")
    Dumper.oid = array_oid
    return Query, Dumper


def report(name, connection, queries, exact, kind):
    connection.execute("DISCARD PLANS")
    ids, times = answer(connection, queries, kind)
    if exact is not None:
        recall = sum(len(a & b) for a, b in zip(ids, exact)) / (K * len(queries))
        print(f"{name:<30} recall@{K} {recall:.3f}  p50 {statistics.median(times):8.1f} ms")
    else:
        print(f"{name:<30} {'':<16} p50 {statistics.median(times):8.1f} ms")
    return ids, statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--host", required=True)
    parser.add_argument("--dbname", default="maxsim")
    parser.add_argument("--user", default="postgres")
    parser.add_argument("--kept", required=True, help="where embeddings are kept")
    parser.add_argument("--documents", type=int, default=30000)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--type", default="vector", choices=["vector", "halfvec"])
    parser.add_argument("--ef", type=int, nargs="*", default=[20, 40, 80])
    parser.add_argument("--inserts", type=int, default=0,
                        help="so many of the documents come after the index was made")
    parser.add_argument("--reuse", action="store_true", help="the table and index that are there")
    parser.add_argument("--plain", action="store_true", help="also an index of one vector a row")
    parser.add_argument("html", nargs="*")
    options = parser.parse_args()
    documents, questions = passages.kept(options.kept, options.html, options.documents, 200)
    questions = questions[:options.queries]
    connection = Connection.connect(host=options.host, dbname=options.dbname, user=options.user,
                                    autocommit=True)
    kind = options.type
    oid, array_oid = connection.execute(
        "SELECT oid, typarray FROM pg_type WHERE oid = %s::regtype", [kind]).fetchone()
    query_class, query_dumper = dumper(oid, array_oid, kind)
    connection.adapters.register_dumper(query_class, query_dumper)
    queries = [query_class([q]) for q in questions]
    ntokens = sum(map(len, documents))
    print(f"{len(documents)} documents, {ntokens} vectors; "
          f"queries of {np.mean([len(q) for q in questions]):.1f} vectors")
    connection.execute("SET maintenance_work_mem = '8GB'")
    if not options.reuse:
        first = len(documents) - options.inserts
        load(connection, documents[:first], kind, oid)
        seconds = connection.timed(f"CREATE INDEX documents_index ON documents USING hnsw (embeddings {kind}_maxsim_ops)")
        print(f"index: {seconds:.0f} s, {connection.size('documents_index'):.0f} MB")
        if options.inserts > 0:
            insert_more(connection, documents[first:], first, kind, oid, query_class)
    if options.plain:
        connection.execute("DROP TABLE IF EXISTS tokens")
        connection.execute("CREATE TABLE tokens AS SELECT id, t AS embedding FROM documents, unnest(embeddings) AS t")
        connection.execute(f"ALTER TABLE tokens ALTER embedding TYPE {kind}({passages.DIMS})")
        seconds = connection.timed(f"CREATE INDEX tokens_index ON tokens USING hnsw (embedding {kind}_ip_ops)")
        print(f"index of one vector a row: {seconds:.0f} s, {connection.size('tokens_index'):.0f} MB")
        connection.execute("DROP TABLE tokens")
    connection.execute("SET enable_indexscan = off; SET max_parallel_workers_per_gather = 0")
    exact, slow = report("sequential scan", connection, queries, None, kind)
    connection.execute("SET enable_indexscan = on; SET enable_seqscan = off")
    for ef in options.ef:
        connection.execute(f"SET hnsw.ef_search = {ef}")
        _, fast = report(f"index, ef_search {ef}", connection, queries, exact, kind)
        print(f"{'':<30} {slow / fast:.1f} times as fast")


if __name__ == "__main__":
    main()
