// Postgres.js: a driver whose queries are tagged templates.
//
//     npm install postgres pgvector
//
// toSql() makes the text of a vector for a parameter. The names of types are not known to the
// driver, so a vector comes back as text; fromSql() makes an array of it.
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import pgvector from "pgvector";
import postgres from "postgres";

const sql = postgres(process.env.DATABASE_URL);
const { toSql, fromSql, SparseVector } = pgvector;

const ids = (rows) => rows.map((row) => row.id);

// Extension and table
await sql`CREATE EXTENSION IF NOT EXISTS vector`;
await sql`CREATE TABLE items (id integer PRIMARY KEY, name text, embedding vector(3),
  half halfvec(3), sparse sparsevec(3), bits bit(6))`;

// Insert one
const [inserted] = await sql`
  INSERT INTO items (id, name, embedding, half, sparse, bits)
  VALUES (1, 'a', ${toSql([1, 0, 0])}, ${toSql([1, 0, 0])},
    ${toSql(new SparseVector([1, 0, 0]))}, ${"111111"})
  RETURNING embedding, half, sparse, bits`;
assert.deepEqual(fromSql(inserted.embedding), [1, 0, 0]);
assert.deepEqual(fromSql(inserted.half), [1, 0, 0]);
assert.deepEqual(fromSql(inserted.sparse).toArray(), [1, 0, 0]);
assert.equal(inserted.bits, "111111");

// Several with one statement
const item = (id, name, vector, bits) => ({
  id, name, embedding: toSql(vector), half: toSql(vector), sparse: toSql(new SparseVector(vector)),
  bits,
});
await sql`INSERT INTO items ${sql([
  item(2, "b", [6, 2, 0], "100000"),
  item(3, "c", [2, 1, 1.5], "110000"),
])}`;

// Many with COPY
await sql`CREATE TABLE copied (LIKE items)`;
await pipeline(
  Readable.from([
    "4\td\t[1,2,3]\t[1,2,3]\t{3:3}/3\t101010\n",
    "5\te\t[4,5,6]\t[4,5,6]\t{}/3\t010101\n",
  ]),
  await sql`COPY copied FROM STDIN`.writable(),
);
const copied = await sql`SELECT embedding, sparse FROM copied ORDER BY id`.values();
assert.deepEqual([...copied], [["[1,2,3]", "{3:3}/3"], ["[4,5,6]", "{}/3"]]);

// Nearest by each distance: L2, negative inner product, cosine, L1.  An operator is no
// parameter, so it is a fragment of its own.
const nearest = [
  [sql`<->`, [1, 3, 2]],
  [sql`<#>`, [2, 3, 1]],
  [sql`<=>`, [2, 1, 3]],
  [sql`<+>`, [3, 1, 2]],
];
const query = toSql([2, 1, 0]);
for (const [operator, expected] of nearest) {
  for (const [vectors, value] of [
    ["embedding", query],
    ["half", query],
    ["sparse", toSql(new SparseVector([2, 1, 0]))],
  ]) {
    const rows = await sql`
      SELECT id FROM items ORDER BY ${sql(vectors)} ${operator} ${value} LIMIT 5`;
    assert.deepEqual(ids(rows), expected);
  }
}
// Hamming and Jaccard, of bits
assert.deepEqual(
  ids(await sql`SELECT id FROM items ORDER BY bits <~> ${"111000"}::bit(6) LIMIT 5`), [3, 2, 1]);
assert.deepEqual(
  ids(await sql`SELECT id FROM items ORDER BY bits <%> ${"111000"}::bit(6) LIMIT 5`), [3, 1, 2]);

// The distance in the select list; filters
const distances = await sql`
  SELECT id, embedding <-> ${query} AS distance FROM items WHERE name <> ${"a"} ORDER BY distance`;
assert.deepEqual([...distances],
  [{ id: 3, distance: 1.5 }, { id: 2, distance: Math.sqrt(17) }]);
assert.deepEqual(
  ids(await sql`SELECT id FROM items WHERE embedding <-> ${query} < 2 ORDER BY id`), [1, 3]);

// Update, upsert
const [updated] = await sql`
  UPDATE items SET embedding = embedding * ${toSql([2, 2, 2])} WHERE id = 2 RETURNING embedding`;
assert.deepEqual(fromSql(updated.embedding), [12, 4, 0]);
const [upserted] = await sql`
  INSERT INTO items ${sql({ id: 2, embedding: toSql([6, 2, 0]) })}
  ON CONFLICT (id) DO UPDATE SET embedding = excluded.embedding
  RETURNING name, embedding`;
assert.deepEqual(upserted, { name: "b", embedding: "[6,2,0]" });

// Aggregates
const [sums] = await sql`SELECT avg(embedding), sum(embedding), avg(half) AS half FROM items`;
assert.deepEqual(sums, { avg: "[3,1,0.5]", sum: "[9,3,1.5]", half: "[3,1,0.5]" });

// Indexes, and settings for one transaction
await sql`CREATE INDEX items_hnsw ON items
  USING hnsw (embedding vector_l2_ops) WITH (m = 8, ef_construction = 32)`;
await sql`CREATE INDEX items_ivfflat ON items
  USING ivfflat (half halfvec_cosine_ops) WITH (lists = 1)`;
await sql.begin(async (sql) => {
  await sql`SET LOCAL enable_seqscan = off`;
  await sql`SET LOCAL hnsw.ef_search = 100`;
  await sql`SET LOCAL ivfflat.probes = 1`;
  for (const [index, vectors, operator, expected] of [
    ["items_hnsw", "embedding", sql`<->`, [1, 3, 2]],
    ["items_ivfflat", "half", sql`<=>`, [2, 1, 3]],
  ]) {
    const search = sql`SELECT id FROM items ORDER BY ${sql(vectors)} ${operator} ${query} LIMIT 5`;
    const plan = await sql`EXPLAIN ${search}`;
    assert.match(plan.map((row) => row["QUERY PLAN"]).join("\n"), new RegExp(index));
    assert.deepEqual(ids(await search), expected);
  }
});
const [setting] = await sql`SHOW hnsw.ef_search`;
assert.deepEqual(setting, { "hnsw.ef_search": "40" });

await sql.end();
