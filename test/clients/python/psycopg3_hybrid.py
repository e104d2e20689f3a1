"""Hybrid search with psycopg 3: text and vectors, one ranking.

    pip install "psycopg[binary]" pgvector

The text half is a tsvector with BM25 scores, the same as those of the package bm25s; its
statistics are a value that is made again from time to time. nanovec_fuse() takes the keys of
each half, the best first.
"""
import os
import textwrap

import bm25s
import numpy as np
import psycopg
from pgvector import SparseVector
from pgvector.psycopg import register_vector

connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
register_vector(connection)
connection.execute("""
    CREATE TABLE notes (
        id integer PRIMARY KEY,
        body text,
        tsv tsvector GENERATED ALWAYS AS (to_tsvector('english', body)) STORED,
        embedding vector(3),
        sparse sparsevec(8)
    )
""")
connection.execute("CREATE INDEX ON notes USING gin (tsv)")
connection.execute("CREATE INDEX ON notes USING hnsw (embedding vector_cosine_ops)")
with connection.cursor() as cursor:
    cursor.executemany("INSERT INTO notes (id, body, embedding, sparse) VALUES (%s, %s, %s, %s)", [
        (1, "The tide comes in at noon", np.array([1, 0, 0]), SparseVector({0: 2, 1: 1}, 8)),
        (2, "High tide, low tide, and the moon", np.array([0.9, 0.1, 0]), SparseVector({0: 3}, 8)),
        (3, "Bread rises slowly", np.array([0, 0.1, 0.9]), SparseVector({3: 1}, 8)),
        (4, "Sailing with the tides", np.array([0.2, 0.9, 0]), SparseVector({0: 1, 6: 2}, 8))])
connection.execute("CREATE TABLE notes_stats AS "
                   "SELECT nanovec_bm25_stats('notes', 'tsv') AS stats")

# after many changes
connection.execute("UPDATE notes_stats SET stats = nanovec_bm25_stats('notes', 'tsv')")


# what a person typed, and its embedding: texts with any of the words
def search(text, embedding, limit=10):
    return connection.execute("""
        WITH question AS (
            SELECT replace(plainto_tsquery('english', %(text)s)::text, '&', '|')::tsquery AS words)
        SELECT id, ranks
        FROM nanovec_fuse(
            ARRAY(SELECT id FROM notes ORDER BY embedding <=> %(embedding)s LIMIT 100),
            ARRAY(SELECT id FROM notes, notes_stats, question WHERE tsv @@ words
                ORDER BY nanovec_bm25(tsv, words, stats) DESC, id LIMIT 100))
        ORDER BY place LIMIT %(limit)s
    """, {"text": text, "embedding": embedding, "limit": limit}).fetchall()


# the place in each half: bread is in no text that matches
near = np.array([0.9, 0.2, 0])
assert search("sailing on the tide", near) == [
    (2, [1, 2]), (4, [3, 1]), (1, [2, 3]), (3, [4, None])]
# words that nobody has leave the vectors' order
assert [id for id, _ in search("xyzzy", near, 2)] == [2, 1]

# sparse vectors of a model, such as SPLADE, as the other half
rows = connection.execute("""
    SELECT id FROM nanovec_fuse(
        ARRAY(SELECT id FROM notes ORDER BY embedding <=> %s LIMIT 100),
        ARRAY(SELECT id FROM notes ORDER BY sparse <#> %s, id LIMIT 100), weights => '{1,3}')
    ORDER BY place LIMIT 2
""", (near, SparseVector({0: 1, 6: 1}, 8))).fetchall()
assert rows == [(2,), (4,)]

# BM25 scores are those of bm25s, here of the paragraphs of Python's own documentation
texts = [text for name in (textwrap, np, np.linalg, np.random, psycopg, os, str, dict, list)
         for member in vars(name).values()
         for text in (member.__doc__ or "").split("\n\n")
         if isinstance(text, str) and len(text.split()) > 5][:3000]
connection.execute("CREATE TABLE texts (id integer PRIMARY KEY, tsv tsvector)")
with connection.cursor() as cursor:
    cursor.executemany("INSERT INTO texts VALUES (%s, to_tsvector('simple', %s))",
                       list(enumerate(texts)))
words = [row[0] for row in connection.execute("""
    SELECT (SELECT array_agg(lexeme) FROM unnest(tsv) AS e, unnest(positions)) FROM texts ORDER BY id
""")]
peer = bm25s.BM25(method="lucene", k1=1.2, b=0.75, dtype="float64")
peer.index([row or [] for row in words], show_progress=False)
for question in (["array"], ["the", "shape", "of", "an", "array"], ["random", "seed"]):
    scores = np.array(connection.execute("""
        SELECT nanovec_bm25(tsv, %s::tsquery, (SELECT nanovec_bm25_stats(tsv) FROM texts))
        FROM texts ORDER BY id
    """, (" | ".join(question),)).fetchall())[:, 0]
    assert len(scores) == len(texts) > 500 and scores.max() > 0.1
    assert np.abs(scores - peer.get_scores(question)).max() < 1e-6
