// Hybrid search with node-postgres: text and vectors, one ranking.
//
//     npm install pg pgvector
//
// The text half is a tsvector with BM25 scores; its statistics are a value that is made again
// from time to time. nanovec_fuse() takes the keys of each half, the best first.
import assert from "node:assert/strict";
import pg from "pg";
import pgvector from "pgvector/pg";

const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
await client.connect();

await client.query("CREATE EXTENSION IF NOT EXISTS vector");
await client.query(`CREATE TABLE notes (id integer PRIMARY KEY, body text, embedding vector(3),
  tsv tsvector GENERATED ALWAYS AS (to_tsvector('english', body)) STORED)`);
await client.query("CREATE INDEX ON notes USING gin (tsv)");
await client.query("CREATE INDEX ON notes USING hnsw (embedding vector_cosine_ops)");
for (const [id, body, embedding] of [
  [1, "The tide comes in at noon", [1, 0, 0]],
  [2, "High tide, low tide, and the moon", [0.9, 0.1, 0]],
  [3, "Bread rises slowly", [0, 0.1, 0.9]],
  [4, "Sailing with the tides", [0.2, 0.9, 0]],
]) {
  await client.query("INSERT INTO notes VALUES ($1, $2, $3)",
    [id, body, pgvector.toSql(embedding)]);
}
await client.query("CREATE TABLE notes_stats AS SELECT nanovec_bm25_stats('notes', 'tsv') AS stats");

// After many changes
await client.query("UPDATE notes_stats SET stats = nanovec_bm25_stats('notes', 'tsv')");

// What a person typed, and its embedding: texts with any of the words
async function search(text, embedding, limit = 10) {
  const { rows } = await client.query(
    `WITH question AS (
       SELECT replace(plainto_tsquery('english', $1)::text, '&', '|')::tsquery AS words)
     SELECT id, body, ranks
     FROM nanovec_fuse(
       ARRAY(SELECT id FROM notes ORDER BY embedding <=> $2 LIMIT 100),
       ARRAY(SELECT id FROM notes, notes_stats, question WHERE tsv @@ words
         ORDER BY nanovec_bm25(tsv, words, stats) DESC, id LIMIT 100)
     ) AS found JOIN notes USING (id) ORDER BY place LIMIT $3`,
    [text, pgvector.toSql(embedding), limit]);
  return rows;
}

const found = await search("sailing on the tide", [0.9, 0.2, 0]);
assert.deepEqual(found.map((row) => row.id), [2, 4, 1, 3]);
// The place in each half: the last one is in no text that matches
assert.deepEqual(found.map((row) => row.ranks), [[1, 2], [3, 1], [2, 3], [4, null]]);
// Words that nobody has leave the vectors' order
assert.deepEqual((await search("xyzzy", [0.9, 0.2, 0], 2)).map((row) => row.id), [2, 1]);

// Words weigh three times as much
const { rows } = await client.query(
  "SELECT id FROM nanovec_fuse($1::int[], $2::int[], weights => $3) ORDER BY place",
  [[1, 2, 3], [3, 2], [1, 3]]);
assert.deepEqual(rows.map((row) => row.id), [3, 2, 1]);

await client.end();
