"""SQLModel: models of Pydantic and SQLAlchemy in one.

    pip install sqlmodel "psycopg[binary]" pgvector

The columns' types and their distances are those of SQLAlchemy.
"""
import math
import os
from typing import Any

import numpy as np
from pgvector import SparseVector
from pgvector.sqlalchemy import BIT, HALFVEC, SPARSEVEC, VECTOR, avg, sum
from sqlalchemy import insert
from sqlalchemy.exc import DataError
from sqlmodel import Field, Index, Session, SQLModel, create_engine, func, select, text


class Item(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    color: str | None = None
    embedding: Any = Field(default=None, sa_type=VECTOR(3), nullable=True)
    half: Any = Field(default=None, sa_type=HALFVEC(3), nullable=True)
    sparse: Any = Field(default=None, sa_type=SPARSEVEC(5), nullable=True)
    bits: str | None = Field(default=None, sa_type=BIT(8), nullable=True)


Index("item_l2", Item.embedding, postgresql_using="hnsw",
      postgresql_with={"m": 16, "ef_construction": 64},
      postgresql_ops={"embedding": "vector_l2_ops"})
Index("item_half", Item.half, postgresql_using="hnsw",
      postgresql_ops={"half": "halfvec_cosine_ops"})

engine = create_engine(os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:"))
with engine.begin() as connection:
    connection.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
SQLModel.metadata.create_all(engine)

with Session(engine) as session:
    session.add(Item(color="red", embedding=[2, 1, 0], half=[2, 1, 0],
                     sparse=SparseVector([2, 1, 0, 0, 0]), bits="11111111"))
    session.commit()
    session.add(Item(color="red", embedding=[1, 5, 0], half=[1, 5, 0],
                     sparse=SparseVector([1, 5, 0, 0, 0]), bits="00000001"))
    session.commit()
    session.add(Item(color="blue", embedding=np.array([3, 4, 1]), half=np.array([3, 4, 1]),
                     sparse=SparseVector({0: 3, 1: 4, 4: 1}, 5), bits="11000000"))
    session.commit()
    item = session.exec(select(Item).where(Item.color == "blue")).one()
    assert (item.id, item.embedding, item.half) == (3, [3, 4, 1], [3, 4, 1])
    assert item.sparse == SparseVector([3, 4, 0, 0, 1]) and item.bits == "11000000"

    # the nearest by each distance, of each type
    def nearest(distance):
        return session.exec(select(Item.id).order_by(distance).limit(5)).all()

    near = [1, 1, 0]
    for column, vector in [(Item.embedding, near), (Item.half, near),
                           (Item.sparse, SparseVector([1, 1, 0, 0, 0]))]:
        assert nearest(column.l2_distance(vector)) == [1, 3, 2]
        assert nearest(column.max_inner_product(vector)) == [3, 2, 1]
        assert nearest(column.cosine_distance(vector)) == [3, 1, 2]
        assert nearest(column.l1_distance(vector)) == [1, 2, 3]
    assert nearest(Item.bits.hamming_distance("11000000")) == [3, 2, 1]
    assert nearest(Item.bits.jaccard_distance("11000000")) == [3, 1, 2]

    # the distance itself, and filters
    distance = Item.embedding.l2_distance(near)
    assert session.exec(select(Item.id, distance).order_by(distance)).all() == [
        (1, 1.0), (3, math.sqrt(14)), (2, 4.0)]
    assert session.exec(select(Item.id).where(distance < 3.9).order_by(Item.id)).all() == [1, 3]
    reds = select(Item.id).where(Item.color == "red")
    assert session.exec(reds.order_by(Item.embedding.cosine_distance(near))).all() == [1, 2]

    # aggregates, and an update
    assert session.exec(select(avg(Item.embedding)).where(Item.id != 2)).one() == [2.5, 2.5, 0.5]
    assert session.exec(select(sum(Item.half)).where(Item.id != 2)).one() == [5, 5, 1]
    item.embedding = [0, 0, 1]
    session.commit()
    session.refresh(item)
    assert item.embedding == [0, 0, 1]
    item.embedding = [3, 4, 1]
    session.commit()

    # many rows, then an IVFFlat index
    session.exec(insert(Item), params=[
        {"id": i, "embedding": np.array([i, 10, i % 10])} for i in range(100, 1100)])
    session.commit()
    assert session.exec(select(func.count()).select_from(Item)).one() == 1003
    Index("item_lists", Item.embedding, postgresql_using="ivfflat",
          postgresql_with={"lists": 10},
          postgresql_ops={"embedding": "vector_ip_ops"}).create(engine)

    # settings of one transaction
    session.exec(text("SET LOCAL enable_seqscan = off"))
    session.exec(text("SET LOCAL hnsw.ef_search = 100"))
    session.exec(text("SET LOCAL ivfflat.probes = 10"))
    assert nearest(Item.embedding.l2_distance([505, 10, 4.9]))[:3] == [505, 504, 506]
    assert nearest(Item.embedding.max_inner_product([505, 10, 4.9]))[:3] == [1099, 1098, 1097]
    assert nearest(Item.half.cosine_distance(near)) == [3, 1, 2]
    plan = session.exec(text("EXPLAIN SELECT id FROM item ORDER BY embedding <-> '[1,1,0]'"))
    assert "item_l2" in str(plan.all())
    session.commit()

    try:
        session.add(Item(embedding=[1, 2]))
        session.commit()
        raise AssertionError("a vector of 2 dimensions went into vector(3)")
    except DataError as error:
        assert "expected 3 dimensions, not 2" in str(error)
