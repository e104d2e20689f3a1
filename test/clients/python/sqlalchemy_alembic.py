"""Alembic: migrations of SQLAlchemy's tables.

    pip install alembic "psycopg[binary]" pgvector

Migrations with vectors are generated from the tables like others, when script.py.mako imports
pgvector.sqlalchemy for them. The first has to create the extension.
"""
import os
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.operations.ops import ExecuteSQLOp
from pgvector.sqlalchemy import HALFVEC, SPARSEVEC, VECTOR
from sqlalchemy import Column, Index, Integer, MetaData, Table, create_engine, inspect, text

ENV_PY = """
from alembic import context

with context.config.attributes["engine"].connect() as connection:
    context.configure(connection=connection,
                      target_metadata=context.config.attributes["metadata"])
    with context.begin_transaction():
        context.run_migrations()
"""


def create_extension(context, revision, directives):
    script = directives[0]
    script.upgrade_ops.ops.insert(0, ExecuteSQLOp("CREATE EXTENSION IF NOT EXISTS vector"))
    script.downgrade_ops.ops.append(ExecuteSQLOp("DROP EXTENSION vector"))


def column_types(engine):
    return {column["name"]: str(column["type"]) for column in inspect(engine).get_columns("items")}


def index_definition(connection, name):
    return connection.scalar(text("SELECT pg_get_indexdef(CAST(:name AS regclass))"),
                             {"name": name})


metadata = MetaData()
items = Table("items", metadata,
              Column("id", Integer, primary_key=True),
              Column("embedding", VECTOR(3)))
engine = create_engine(os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:"))

with tempfile.TemporaryDirectory() as directory:
    # alembic init, and the two changes to its files
    config = Config(Path(directory, "alembic.ini"))
    migrations = Path(directory, "migrations")
    command.init(config, str(migrations))
    config.set_main_option("script_location", str(migrations))
    config.attributes.update(engine=engine, metadata=metadata)
    Path(migrations, "env.py").write_text(ENV_PY)
    template = Path(migrations, "script.py.mako")
    template.write_text(template.read_text().replace(
        "import sqlalchemy as sa", "import pgvector.sqlalchemy\nimport sqlalchemy as sa"))

    # alembic revision --autogenerate, alembic upgrade head
    first = command.revision(config, "items", autogenerate=True,
                             process_revision_directives=create_extension)
    assert "VECTOR(dim=3)" in Path(first.path).read_text()
    command.upgrade(config, "head")
    assert column_types(engine) == {"id": "INTEGER", "embedding": "VECTOR(3)"}
    with engine.begin() as connection:
        connection.execute(items.insert(), [
            {"id": 1, "embedding": [2, 1, 0]}, {"id": 2, "embedding": [1, 5, 0]},
            {"id": 3, "embedding": [3, 4, 1]}])

    # another type, which converts what is stored, and a column more
    items.c.embedding.type = HALFVEC(3)
    items.append_column(Column("sparse", SPARSEVEC(5)))
    command.revision(config, "smaller embeddings, and sparse ones", autogenerate=True)
    command.upgrade(config, "head")
    assert column_types(engine) == {
        "id": "INTEGER", "embedding": "HALFVEC(3)", "sparse": "SPARSEVEC(5)"}

    # indexes
    Index("items_l2", items.c.embedding, postgresql_using="hnsw",
          postgresql_with={"m": 8, "ef_construction": 32},
          postgresql_ops={"embedding": "halfvec_l2_ops"})
    Index("items_cosine", items.c.embedding, postgresql_using="ivfflat",
          postgresql_with={"lists": 2}, postgresql_ops={"embedding": "halfvec_cosine_ops"})
    command.revision(config, "indexes", autogenerate=True)
    command.upgrade(config, "head")
    with engine.begin() as connection:
        assert index_definition(connection, "items_l2") == (
            "CREATE INDEX items_l2 ON public.items USING hnsw (embedding halfvec_l2_ops) "
            "WITH (m='8', ef_construction='32')")
        assert index_definition(connection, "items_cosine") == (
            "CREATE INDEX items_cosine ON public.items USING ivfflat "
            "(embedding halfvec_cosine_ops) WITH (lists='2')")
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        search = "SELECT id FROM items ORDER BY embedding <-> '[1,1,0]' LIMIT 3"
        assert "items_l2" in str(connection.scalars(text("EXPLAIN " + search)).all())
        assert connection.scalars(text(search)).all() == [1, 3, 2]

    # alembic check raises an error when tables and database differ; then all the way back
    command.check(config)
    command.downgrade(config, "-2")
    assert column_types(engine)["embedding"] == "VECTOR(3)"
    command.downgrade(config, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT to_regtype('vector')")) is None
