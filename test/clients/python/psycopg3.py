"""psycopg 3: the driver that most new Python code uses.

    pip install "psycopg[binary]" pgvector
"""
import os

import numpy as np
import psycopg
from pgvector.psycopg import register_vector

connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
register_vector(connection)

connection.execute("CREATE TABLE items (id bigserial PRIMARY KEY, embedding vector(3))")
connection.execute("INSERT INTO items (embedding) VALUES (%s), (%s)", (np.array([1, 2, 3]), np.array([4, 5, 6])))
rows = connection.execute("SELECT id FROM items ORDER BY embedding <-> %s LIMIT 5", (np.array([4, 5, 5]),)).fetchall()
assert rows == [(2,), (1,)]
