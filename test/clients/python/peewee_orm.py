"""Peewee: a small ORM.

    pip install peewee psycopg2-binary pgvector

A distance is a method of a field: l2_distance, max_inner_product (<#>), cosine_distance,
l1_distance; of bit strings hamming_distance and jaccard_distance.
"""
import math
import os

import numpy as np
from peewee import SQL, AutoField, DataError, Model, PostgresqlDatabase, TextField, fn
from pgvector import SparseVector
from pgvector.peewee import FixedBitField, HalfVectorField, SparseVectorField, VectorField
from playhouse.migrate import PostgresqlMigrator, migrate

database = PostgresqlDatabase(os.environ["DATABASE_URL"])


class Item(Model):
    id = AutoField()
    color = TextField(null=True)
    embedding = VectorField(dimensions=3, null=True)
    half = HalfVectorField(dimensions=3, null=True)
    sparse = SparseVectorField(dimensions=5, null=True)
    bits = FixedBitField(max_length=8, null=True)

    class Meta:
        database = database
        table_name = "items"


# an index with options is written in SQL
Item.add_index("half halfvec_cosine_ops", name="items_half", using="hnsw")
Item.add_index(SQL("""
    CREATE INDEX items_l2 ON items USING hnsw (embedding vector_l2_ops)
    WITH (m = 16, ef_construction = 64)
"""))

database.connect()
database.execute_sql("CREATE EXTENSION IF NOT EXISTS vector")
database.create_tables([Item])

# insert one, and some
Item.create(color="red", embedding=[2, 1, 0], half=[2, 1, 0],
            sparse=SparseVector([2, 1, 0, 0, 0]), bits="11111111")
Item.insert_many([
    {"color": "red", "embedding": [1, 5, 0], "half": [1, 5, 0],
     "sparse": SparseVector([1, 5, 0, 0, 0]), "bits": "00000001"},
    {"color": "blue", "embedding": np.array([3, 4, 1]), "half": np.array([3, 4, 1]),
     "sparse": SparseVector({0: 3, 1: 4, 4: 1}, 5), "bits": "11000000"}]).execute()
item = Item.get_by_id(3)
assert (item.embedding, item.half, item.bits) == ([3, 4, 1], [3, 4, 1], "11000000")
assert item.sparse == SparseVector([3, 4, 0, 0, 1])


def nearest(distance, limit=3):
    return [item.id for item in Item.select(Item.id).order_by(distance).limit(limit)]


# the nearest by each distance, of each type
near = [1, 1, 0]
for field, vector in [(Item.embedding, near), (Item.half, near),
                      (Item.sparse, SparseVector([1, 1, 0, 0, 0]))]:
    assert nearest(field.l2_distance(vector)) == [1, 3, 2]
    assert nearest(field.max_inner_product(vector)) == [3, 2, 1]
    assert nearest(field.cosine_distance(vector)) == [3, 1, 2]
    assert nearest(field.l1_distance(vector)) == [1, 2, 3]
assert nearest(Item.bits.hamming_distance("11000000")) == [3, 2, 1]
assert nearest(Item.bits.jaccard_distance("11000000")) == [3, 1, 2]

# the distance itself; neighbours of a row; filters
distance = Item.embedding.l2_distance(near)
rows = Item.select(Item.id, distance.alias("distance")).order_by(SQL("distance"))
assert list(rows.tuples()) == [(1, 1.0), (3, math.sqrt(14)), (2, 4.0)]
red = Item.get_by_id(1)
neighbours = Item.select().where(Item.id != red.id).order_by(
    Item.embedding.l2_distance(red.embedding))
assert [item.id for item in neighbours] == [3, 2]
assert [item.id for item in Item.select().where(distance < 3.9).order_by(Item.id)] == [1, 3]
reds = Item.select().where(Item.color == "red").order_by(Item.embedding.cosine_distance(near))
assert [item.id for item in reds] == [1, 2]

# aggregates
average = fn.avg(Item.embedding).coerce()
assert Item.select(average).where(Item.id != 2).scalar() == [2.5, 2.5, 0.5]
total = fn.sum(Item.half).coerce()
assert Item.select(total).where(Item.id != 2).scalar() == [5, 5, 1]

# update, upsert
red.embedding = [0, 0, 1]
red.save()
assert Item.get_by_id(1).embedding == [0, 0, 1]
Item.insert(id=1, embedding=[2, 1, 0]).on_conflict(
    conflict_target=[Item.id], preserve=[Item.embedding]).execute()
assert (Item.get_by_id(1).color, Item.get_by_id(1).embedding) == ("red", [2, 1, 0])

# many rows, then an IVFFlat index
with database.atomic():
    Item.insert_many([
        {"id": i, "embedding": np.array([i, 10, i % 10])} for i in range(100, 1100)]).execute()
assert Item.select().count() == 1003
database.execute_sql("""
    CREATE INDEX items_lists ON items USING ivfflat (embedding vector_ip_ops) WITH (lists = 10)
""")

# settings of one transaction
with database.atomic():
    database.execute_sql("SET LOCAL enable_seqscan = off")
    database.execute_sql("SET LOCAL hnsw.ef_search = 100")
    database.execute_sql("SET LOCAL ivfflat.probes = 10")
    for index, distance, expected in [
            ("items_l2", Item.embedding.l2_distance([505, 10, 4.9]), [505, 504, 506]),
            ("items_lists", Item.embedding.max_inner_product([505, 10, 4.9]), [1099, 1098, 1097]),
            ("items_half", Item.half.cosine_distance(near), [3, 1, 2])]:
        sql, parameters = Item.select(Item.id).order_by(distance).limit(3).sql()
        assert index in str(database.execute_sql("EXPLAIN " + sql, parameters).fetchall())
        assert nearest(distance) == expected

# migrations: a column more, and one of another type
migrator = PostgresqlMigrator(database)
migrate(migrator.add_column("items", "second", VectorField(dimensions=2, null=True)),
        migrator.drop_index("items", "items_half"),
        migrator.alter_column_type("items", "half", VectorField(dimensions=3)))
assert "second" in [column.name for column in database.get_columns("items")]
row = database.execute_sql("SELECT pg_typeof(half)::text, half::text FROM items WHERE id = 1")
assert row.fetchone() == ("vector", "[2,1,0]")

try:
    Item.create(embedding=[1, 2])
    raise AssertionError("a vector of 2 dimensions went into vector(3)")
except DataError as error:
    assert "expected 3 dimensions, not 2" in str(error)
