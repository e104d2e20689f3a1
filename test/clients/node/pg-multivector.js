// Many vectors a row with node-postgres: one for each token of a text, or each patch of a page.
//
//     npm install pg pgvector
//
// Vectors of a row are an array, vector[], and so are those of a query: arrays of the texts that
// toSql() makes. What matches best has the greatest MaxSim: for each vector of the query the
// greatest inner product with one of the row's, all added up. The operator @# is its negative.
import assert from "node:assert/strict";
import pg from "pg";
import pgvector from "pgvector/pg";

const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
await client.connect();

await client.query("CREATE EXTENSION IF NOT EXISTS vector");
await client.query(`CREATE TABLE documents (id integer PRIMARY KEY, tenant_id integer,
  embeddings vector(3)[])`);

const toArray = (vectors) => vectors.map((vector) => pgvector.toSql(Array.from(vector)));
const fromArray = (texts) => texts.map((text) => JSON.parse(text));

// Insert; any number of vectors each
for (const [id, tenant, vectors] of [
  [1, 1, [[0.75, 0.5, 0], [0, 1, 0], [0.5, 0, 0.75]]],
  [2, 1, [[0, 0.5, 0.75], [1, 0, 0]]],
  [3, 2, [[0, 0, 1], new Float32Array([0.5, 0.75, 0])]],
  [4, 2, []],
]) {
  await client.query("INSERT INTO documents VALUES ($1, $2, $3)",
    [id, tenant, toArray(vectors)]);
}

// The index when rows are there; the second column is to filter by
await client.query(`CREATE INDEX documents_embeddings ON documents
  USING hnsw (embeddings vector_maxsim_ops, tenant_id)`);

// As text[] vectors come back one by one
const { rows: [stored] } = await client.query(
  "SELECT embeddings::text[] FROM documents WHERE id = 2");
assert.deepEqual(fromArray(stored.embeddings), [[0, 0.5, 0.75], [1, 0, 0]]);

// The best matches, with their scores
const query = toArray([[1, 0, 0], [0, 0.5, 1]]);
await client.query("SET enable_seqscan = off");
const { rows: all } = await client.query(`SELECT id, -(embeddings @# $1::vector[]) AS score
  FROM documents ORDER BY embeddings @# $1::vector[] LIMIT 10`, [query]);
// A row without vectors has no score, and is not in the index
assert.deepEqual(all.map((row) => [row.id, row.score]), [[2, 2], [1, 1.5], [3, 1.5]]);

// Those of one tenant
const search = `SELECT id FROM documents WHERE tenant_id = $2
  ORDER BY embeddings @# $1::vector[] LIMIT $3`;
const { rows: some } = await client.query(search, [query, 2, 5]);
assert.deepEqual(some.map((row) => row.id), [3]);
const { rows: plan } = await client.query(`EXPLAIN ${search}`, [query, 2, 5]);
assert.match(plan.map((row) => row["QUERY PLAN"]).join("\n"),
  /documents_embeddings[^]*Index Cond: \(tenant_id = /);

// The score of one row
const { rows: [one] } = await client.query(
  "SELECT maxsim(embeddings, $1::vector[]) FROM documents WHERE id = 3", [query]);
assert.equal(one.maxsim, 1.5);

// An update makes all vectors of the row anew
await client.query("UPDATE documents SET embeddings = $1 WHERE id = 1", [toArray([[2, 2, 2]])]);
const { rows: [best] } = await client.query(search, [query, 1, 1]);
assert.equal(best.id, 1);

// What the server refuses
await assert.rejects(client.query(search, [toArray([[1, 2]]), 1, 1]),
  { code: "22000", message: "different vector dimensions 2 and 3" });

await client.end();
