"""SQLAlchemy 2: the ORM and its SQL expressions.

    pip install sqlalchemy "psycopg[binary]" pgvector

A distance is a method of a column: l2_distance, max_inner_product (<#>), cosine_distance,
l1_distance; of bit strings hamming_distance and jaccard_distance.
"""
import asyncio
import math
import os

import numpy as np
from pgvector import SparseVector
from pgvector.sqlalchemy import BIT, HALFVEC, SPARSEVEC, VECTOR, avg, sum
from sqlalchemy import Index, cast, create_engine, func, insert, inspect, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DataError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.sql.expression import ClauseElement, Executable


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    color: Mapped[str | None]
    embedding: Mapped[list[float] | None] = mapped_column(VECTOR(3))
    half: Mapped[list[float] | None] = mapped_column(HALFVEC(3))
    sparse: Mapped[SparseVector | None] = mapped_column(SPARSEVEC(5))
    bits: Mapped[str | None] = mapped_column(BIT(8))
    __table_args__ = (
        Index("items_l2", embedding, postgresql_using="hnsw",
              postgresql_with={"m": 16, "ef_construction": 64},
              postgresql_ops={"embedding": "vector_l2_ops"}),
        Index("items_sparse", sparse, postgresql_using="hnsw",
              postgresql_ops={"sparse": "sparsevec_cosine_ops"}),
        Index("items_bits", bits, postgresql_using="hnsw",
              postgresql_ops={"bits": "bit_hamming_ops"}),
        # columns behind the vectors are to filter by
        Index("items_colored", "embedding", "color", postgresql_using="hnsw",
              postgresql_ops={"embedding": "vector_ip_ops"}))


class Explain(Executable, ClauseElement):
    inherit_cache = False

    def __init__(self, statement):
        self.statement = statement


@compiles(Explain)
def compile_explain(explain, compiler, **options):
    return "EXPLAIN " + compiler.process(explain.statement, **options)


url = os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:")
engine = create_engine(url)
with engine.begin() as connection:
    connection.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
Base.metadata.create_all(engine)

with Session(engine) as session:
    # insert one, some, and many
    session.add(Item(id=1, color="red", embedding=[2, 1, 0], half=[2, 1, 0],
                     sparse=SparseVector([2, 1, 0, 0, 0]), bits="11111111"))
    session.add_all([
        Item(id=2, color="red", embedding=[1, 5, 0], half=[1, 5, 0],
             sparse=SparseVector([1, 5, 0, 0, 0]), bits="00000001"),
        Item(id=3, color="blue", embedding=np.array([3, 4, 1]), half=np.array([3, 4, 1]),
             sparse=SparseVector({0: 3, 1: 4, 4: 1}, 5), bits="11000000")])
    session.commit()
    item = session.get(Item, 3)
    assert item.embedding == [3, 4, 1] and item.half == [3, 4, 1]
    assert item.sparse == SparseVector([3, 4, 0, 0, 1]) and item.bits == "11000000"

    # the nearest by each distance, of each type
    def nearest(distance):
        return session.scalars(select(Item.id).order_by(distance).limit(5)).all()

    near = [1, 1, 0]
    for column, vector in [(Item.embedding, near), (Item.half, near),
                           (Item.sparse, SparseVector([1, 1, 0, 0, 0]))]:
        assert nearest(column.l2_distance(vector)) == [1, 3, 2]
        assert nearest(column.max_inner_product(vector)) == [3, 2, 1]
        assert nearest(column.cosine_distance(vector)) == [3, 1, 2]
        assert nearest(column.l1_distance(vector)) == [1, 2, 3]
    assert nearest(Item.bits.hamming_distance("11000000")) == [3, 2, 1]
    assert nearest(Item.bits.jaccard_distance("11000000")) == [3, 1, 2]

    # the distance itself; neighbours of a row; filters
    distance = Item.embedding.l2_distance(near)
    rows = session.execute(select(Item.id, distance).order_by(distance)).all()
    assert rows == [(1, 1.0), (3, math.sqrt(14)), (2, 4.0)]
    red = session.get(Item, 1)
    others = select(Item).where(Item.id != 1).order_by(Item.embedding.l2_distance(red.embedding))
    assert [item.id for item in session.scalars(others)] == [3, 2]
    statement = select(Item.id).where(Item.color == "red").order_by(
        Item.embedding.cosine_distance(near))
    assert session.scalars(statement).all() == [1, 2]
    assert session.scalars(select(Item.id).where(distance < 3.9).order_by(Item.id)).all() == [1, 3]

    # aggregates
    assert session.scalars(select(avg(Item.embedding)).where(Item.id != 2)).one() == [2.5, 2.5, 0.5]
    assert session.scalars(select(sum(Item.half)).where(Item.id != 2)).one() == [5, 5, 1]

    # update, upsert
    red.embedding = [0, 0, 1]
    session.commit()
    assert session.scalars(select(Item.embedding).where(Item.id == 1)).one() == [0, 0, 1]
    upsert = postgresql.insert(Item).values(id=1, embedding=[2, 1, 0])
    upsert = upsert.on_conflict_do_update(index_elements=["id"],
                                          set_={"embedding": upsert.excluded.embedding})
    session.execute(upsert)
    session.commit()
    assert (red.color, red.embedding) == ("red", [2, 1, 0])

    # many rows, then an IVFFlat index, and one of an expression
    session.execute(insert(Item), [
        {"id": i, "embedding": np.array([i, 10, i % 10])} for i in range(100, 1100)])
    session.commit()
    assert session.scalar(select(func.count()).select_from(Item)) == 1003
    lists = Index("items_lists", Item.embedding, postgresql_using="ivfflat",
                  postgresql_with={"lists": 10},
                  postgresql_ops={"embedding": "vector_cosine_ops"})
    lists.create(engine)
    as_half = cast(Item.embedding, HALFVEC(3))
    Index("items_as_half", as_half.label("as_half"), postgresql_using="hnsw",
          postgresql_ops={"as_half": "halfvec_l1_ops"}).create(engine)

    # settings of one transaction
    session.execute(text("SET LOCAL enable_seqscan = off"))
    session.execute(text("SET LOCAL hnsw.ef_search = 100"))
    session.execute(text("SET LOCAL ivfflat.probes = 10"))
    for index, distance, expected in [
            ("items_l2", Item.embedding.l2_distance([505, 10, 4.9]), [505, 504, 506]),
            ("items_lists", Item.embedding.cosine_distance(near), [3, 1, 2]),
            ("items_as_half", as_half.l1_distance([505, 10, 4.8]), [505, 504, 506]),
            ("items_sparse", Item.sparse.cosine_distance(SparseVector({0: 1, 1: 1}, 5)),
             [3, 1, 2]),
            ("items_bits", Item.bits.hamming_distance("11000000"), [3, 2, 1])]:
        statement = select(Item.id).order_by(distance).limit(3)
        assert index in str(session.execute(Explain(statement)).all())
        assert session.scalars(statement).all() == expected
    # the nearest of those that are red; the index knows which are
    statement = select(Item.id).where(Item.color == "red").order_by(
        Item.embedding.max_inner_product(near)).limit(3)
    plan = str(session.execute(Explain(statement)).all())
    assert "items_colored" in plan and "Index Cond: ((color)::text = " in plan
    assert session.scalars(statement).all() == [2, 1]
    session.commit()
    assert session.scalar(text("SHOW hnsw.ef_search")) == "40"

# the types are known to reflection
types = {column["name"]: column["type"] for column in inspect(engine).get_columns("items")}
assert isinstance(types["embedding"], VECTOR) and types["embedding"].dim == 3
assert isinstance(types["half"], HALFVEC) and isinstance(types["sparse"], SPARSEVEC)

try:
    with Session(engine) as session:
        session.add(Item(embedding=[1, 2]))
        session.commit()
    raise AssertionError("a vector of 2 dimensions went into vector(3)")
except DataError as error:
    assert "expected 3 dimensions, not 2" in str(error)


# the same with asyncio; the driver may be asyncpg or psycopg
async def search_with_asyncio():
    engine = create_async_engine(url.replace("+psycopg", "+asyncpg"))
    async with AsyncSession(engine) as session:
        statement = select(Item).order_by(Item.embedding.l2_distance(near)).limit(1)
        item = (await session.scalars(statement)).one()
        assert (item.id, item.embedding, item.half) == (1, [2, 1, 0], [2, 1, 0])
    await engine.dispose()

asyncio.run(search_with_asyncio())
