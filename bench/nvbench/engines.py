"""Who competes: engines, and the indexes that each can build."""

OPERATORS = {"l2": "<->", "ip": "<#>", "cosine": "<=>"}
OPCLASSES = {"l2": "vector_l2_ops", "ip": "vector_ip_ops", "cosine": "vector_cosine_ops"}

HNSW_SWEEP = (10, 20, 40, 80, 120, 200, 400)
PROBES_SWEEP = (2, 4, 8, 16, 32, 48, 64, 128)
# nanovec's ivf has shorter lists, and more of them
IVF_SWEEP = PROBES_SWEEP + (256, 400)


class Contender:
    """One way to answer queries: a table of its own in its engine's database."""

    def __init__(self, engine, kind, metric, rows, dims):
        self.engine = engine
        self.kind = kind
        self.table = f"items_{kind}"
        self.metric = metric
        self.rows = rows
        self.dims = dims

    @property
    def name(self):
        return f"{self.engine} {self.kind}"

    @property
    def indexed(self):
        return self.kind in ("hnsw", "ivf", "ivfflat")

    @property
    def filtered_table(self):
        return f"{self.table}_filtered"

    def index_sql(self, table=None, attributes=()):
        table = table or self.table
        options = {
            "hnsw": "m = 16, ef_construction = 64",
            "ivfflat": f"lists = {max(10, self.rows // 1000)}",
            "ivf": "",
        }[self.kind]
        columns = ", ".join((f"embedding {OPCLASSES[self.metric]}",) + attributes)
        return (f"CREATE INDEX {table}_index ON {table} USING {self.kind} ({columns})" +
                (f" WITH ({options})" if options else ""))

    def filtered_index_sql(self):
        """With the columns of conditions, where an index can have them; else btree ones."""
        if not self.indexed:
            return [f"CREATE INDEX ON {self.filtered_table} ({column})"
                    for column in ("bucket", "cluster")]
        return [self.index_sql(self.filtered_table,
                               ("bucket", "cluster") if self.engine == "nanovec" else ())]

    def sweep(self):
        """[(value, settings), ...] from quick and rough to slow and good."""
        if self.kind == "hnsw":
            return [(ef, (f"hnsw.ef_search = {ef}",)) for ef in HNSW_SWEEP]
        if self.kind in ("ivf", "ivfflat"):
            sweep = IVF_SWEEP if self.kind == "ivf" else PROBES_SWEEP
            return [(p, (f"{self.kind}.probes = {p}",)) for p in sweep]
        return [(0, ())]

    def session(self):
        """Settings of every session that queries: the same for all engines."""
        common = ("plan_cache_mode = force_generic_plan", "jit = off")
        if self.indexed:
            return common + ("enable_seqscan = off", "max_parallel_workers_per_gather = 0")
        workers = 2 if self.kind == "parallel" else 0
        return common + (f"max_parallel_workers_per_gather = {workers}",)

    def filter_session(self):
        """The same where conditions are; pgvector goes on until there are enough rows."""
        if self.engine != "pgvector" or not self.indexed:
            return self.session()
        more = {"hnsw": ("hnsw.iterative_scan = strict_order", f"hnsw.max_scan_tuples = {self.rows}"),
                "ivfflat": ("ivfflat.iterative_scan = relaxed_order",)}[self.kind]
        return self.session() + ("work_mem = '256MB'",) + more

    def statement(self, k=10, where="", table=None):
        condition = f"WHERE {where} " if where else ""
        return (f"SELECT id FROM {table or self.table} {condition}"
                f"ORDER BY embedding {OPERATORS[self.metric]} $1 LIMIT {k}")


def contenders(server, engine, dataset):
    """What the engine installed in its database can do."""
    kinds = ["exact", "parallel"]
    if dataset.dims > 500:
        kinds.append("toasted")
    methods = server.sql(engine, "SELECT amname FROM pg_am WHERE amtype = 'i'").split()
    for method in ("hnsw", "ivf", "ivfflat"):
        if method not in methods:
            continue
        if engine == "pgvector" and dataset.dims > 2000:
            continue
        if engine == "nanovec" and method == "ivfflat":
            continue
        kinds.append(method)
    return [Contender(engine, kind, dataset.metric, len(dataset.base), dataset.dims)
            for kind in kinds]
