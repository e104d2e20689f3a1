"""Many vectors a row with SQLAlchemy 2: MaxSim in the ORM.

    pip install sqlalchemy "psycopg[binary]" pgvector

A column is an ARRAY of VECTOR or HALFVEC; psycopg has to know the types, too, for arrays of them.
The operator @# is the negative MaxSim, so that what matches best comes first.
"""
import os

import numpy as np
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from pgvector.sqlalchemy import HALFVEC, VECTOR
from sqlalchemy import ARRAY, Float, Index, cast, create_engine, event, func, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    pass


VECTORS = ARRAY(VECTOR(3), dimensions=1)
HALVES = ARRAY(HALFVEC(3), dimensions=1)


class Document(Base):
    __tablename__ = "documents"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    embeddings: Mapped[list | None] = mapped_column(VECTORS)
    halves: Mapped[list | None] = mapped_column(HALVES)
    __table_args__ = (
        # the second column is to filter by
        Index("documents_embeddings", "embeddings", "title", postgresql_using="hnsw",
              postgresql_ops={"embeddings": "vector_maxsim_ops"}),
        Index("documents_halves", "halves", postgresql_using="hnsw",
              postgresql_ops={"halves": "halfvec_maxsim_ops"}))


engine = create_engine(os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:"))
with engine.begin() as connection:
    connection.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
engine.dispose()


@event.listens_for(engine, "connect")
def connect(connection, record):
    register_vector(connection)


def matching(column, query):
    """The negative MaxSim of a column and a query, to order by."""
    return column.op("@#", return_type=Float)(cast(query, column.type))


Base.metadata.create_all(engine)
with Session(engine) as session:
    session.add_all([
        Document(id=1, title="a", embeddings=[np.array([0.8, 0.6, 0]), np.array([0, 1, 0])]),
        Document(id=2, title="b", embeddings=[np.array([0, 0.6, 0.8]), np.array([1, 0, 0])]),
        Document(id=3, title="a", embeddings=[np.array([0, 0, 1])]),
        Document(id=4, title="a")])
    session.commit()
    embeddings = session.get(Document, 2).embeddings
    assert np.allclose(np.stack(embeddings), [[0, 0.6, 0.8], [1, 0, 0]])

    # the best first, with their scores; a row without vectors has none, and comes last
    query = [np.array([1, 0, 0]), np.array([0, 0.6, 0.8])]
    distance = matching(Document.embeddings, query)
    rows = session.execute(select(Document.id, distance).order_by(distance)).all()
    assert [row.id for row in rows] == [2, 1, 3, 4] and rows[3][1] is None
    assert np.allclose([row[1] for row in rows[:3]], [-2, -1.4, -0.8])
    score = func.maxsim(Document.embeddings, cast(query, VECTORS))
    assert np.isclose(session.scalar(select(score).where(Document.id == 2)), 2)

    # halves take half of the room
    for document in session.scalars(select(Document).where(Document.embeddings.is_not(None))):
        document.halves = [HalfVector(vector) for vector in document.embeddings]
    session.commit()

    # by the indexes; the first knows the titles
    session.execute(text("SET LOCAL enable_seqscan = off"))
    statement = select(Document).where(Document.title == "a").order_by(distance).limit(2)
    assert [document.id for document in session.scalars(statement)] == [1, 3]
    plan = session.execute(text("EXPLAIN SELECT id FROM documents WHERE title = 'a' "
                                "ORDER BY embeddings @# '{\"[1,0,0]\"}' LIMIT 2")).scalars().all()
    assert "documents_embeddings" in str(plan) and "Index Cond" in str(plan)
    halves = matching(Document.halves, [HalfVector(vector) for vector in query])
    assert session.scalars(select(Document.id).order_by(halves).limit(3)).all() == [2, 1, 3]
