"""Many vectors a row with psycopg 3: one for each token of a text, or each patch of a page.

    pip install "psycopg[binary]" pgvector

Vectors of a row are an array, vector[], and so are those of a query: lists of numpy arrays here.
What matches best has the greatest MaxSim: for each vector of the query the greatest inner product
with one of the row's, all added up. The operator @# is its negative.
"""
import os

import numpy as np
import psycopg
from pgvector.psycopg import register_vector

connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
register_vector(connection)
connection.execute("""
    CREATE TABLE documents (
        id integer PRIMARY KEY,
        tenant_id integer,
        embeddings vector(16)[]
    )
""")


# instead of a model: a vector for each word, of unit length, always the same for a word
def embed(text):
    vectors = [np.random.default_rng(list(word.encode())).standard_normal(16)
               for word in text.lower().split()]
    return [vector / np.linalg.norm(vector) for vector in vectors]


def maxsim(row, query):
    return (np.stack(query) @ np.stack(row).T).max(axis=1).sum()


texts = ["The tide comes in at noon", "High tide and low tide", "Bread rises slowly",
         "Sailing with the tide", "The moon is high"]

# rows one by one; any number of vectors each
for id, text in enumerate(texts):
    connection.execute("INSERT INTO documents VALUES (%s, %s, %s)", (id, id % 2, embed(text)))
stored, = connection.execute("SELECT embeddings FROM documents WHERE id = 2").fetchone()
assert np.allclose([vector.to_numpy() for vector in stored], embed(texts[2]))

# many rows with COPY
random = np.random.default_rng(1)
words = sorted({word.lower() for text in texts for word in text.split()})
more = [" ".join(random.choice(words, random.integers(1, 8))) for _ in range(300)]
with connection.cursor() as cursor, cursor.copy(
        "COPY documents FROM STDIN WITH (FORMAT BINARY)") as copy:
    copy.set_types(["int4", "int4", "vector[]"])
    for id, text in enumerate(more, len(texts)):
        copy.write_row([id, id % 2, embed(text)])
texts += more

# the index when rows are there; the second column is to filter by
connection.execute("CREATE INDEX documents_embeddings ON documents "
                   "USING hnsw (embeddings vector_maxsim_ops, tenant_id)")


# the best matches, with their scores
def search(text, tenant, limit=5):
    return connection.execute("""
        SELECT id, -(embeddings @# %(query)s) AS score FROM documents
        WHERE tenant_id = %(tenant)s ORDER BY embeddings @# %(query)s LIMIT %(limit)s
    """, {"query": embed(text), "tenant": tenant, "limit": limit}).fetchall()


connection.execute("SET enable_seqscan = off")
plan = str(connection.execute("""
    EXPLAIN SELECT id FROM documents WHERE tenant_id = 1 ORDER BY embeddings @# %s LIMIT 5
""", (embed("low tide"),)).fetchall())
assert "documents_embeddings" in plan and "Index Cond: (tenant_id = 1)" in plan
for question in ("high tide", "sailing slowly with the moon", "bread"):
    for tenant in (0, 1):
        scores = {id: maxsim(embed(text), embed(question))
                  for id, text in enumerate(texts) if id % 2 == tenant}
        found = search(question, tenant)
        best = sorted(scores.values(), reverse=True)[:5]
        assert np.allclose([score for _, score in found], best, atol=1e-5)
        assert all(abs(scores[id] - score) < 1e-5 for id, score in found)

# the score of one row
score, = connection.execute("SELECT maxsim(embeddings, %s) FROM documents WHERE id = 1",
                            (embed("low tide"),)).fetchone()
assert abs(score - 2) < 1e-5

# an update makes all vectors of the row anew
connection.execute("UPDATE documents SET embeddings = %s WHERE id = 2", (embed("quince jam"),))
(id, score), = search("quince jam", 0, 1)
assert id == 2 and abs(score - 2) < 1e-5

# together with words: the ids of each half, the best first, make one ranking
rows = connection.execute("""
    SELECT id, ranks FROM nanovec_fuse(
        ARRAY(SELECT id FROM documents ORDER BY embeddings @# %s LIMIT 20),
        %s::integer[]) ORDER BY place LIMIT 1
""", (embed("quince jam"), [2, 1])).fetchall()
assert rows == [(2, [1, 1])]

# vectors of other dimensions
for statement in ("INSERT INTO documents (id, embeddings) VALUES (-1, %s)",
                  "SELECT id FROM documents ORDER BY embeddings @# %s LIMIT 1"):
    try:
        connection.execute(statement, ([np.array([1, 2, 3])],))
        raise AssertionError("vectors of 3 dimensions met vectors of 16")
    except psycopg.errors.DataException as error:
        assert "dimensions" in str(error) and "3" in str(error) and "16" in str(error)
