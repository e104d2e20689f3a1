// node-postgres: the driver that most Node.js code and most of its ORMs use.
//
//     npm install pg pgvector
//
// For COPY: npm install pg-copy-streams
//
// Vectors are arrays of numbers; toSql() makes the text of one for a parameter, and after
// registerTypes() they come back as arrays.
import assert from "node:assert/strict";
import { pipeline } from "node:stream/promises";
import pg from "pg";
import { from as copyFrom } from "pg-copy-streams";
import { SparseVector } from "pgvector";
import pgvector from "pgvector/pg";

const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
await client.connect();

async function rows(text, values) {
  return (await client.query({ text, values, rowMode: "array" })).rows;
}

// The first column, of which the tests want to know the order
async function column(text, values) {
  return (await rows(text, values)).map((row) => row[0]);
}

// Extension and table
await client.query("CREATE EXTENSION IF NOT EXISTS vector");
await pgvector.registerTypes(client);
await client.query(`CREATE TABLE items (id integer PRIMARY KEY, name text, embedding vector(3),
  half halfvec(3), sparse sparsevec(3), bits bit(6))`);

// Insert one
const [inserted] = await rows(
  "INSERT INTO items VALUES ($1, $2, $3, $4, $5, $6) RETURNING embedding, half, sparse, bits",
  [1, "a", pgvector.toSql([1, 0, 0]), pgvector.toSql([1, 0, 0]),
    pgvector.toSql(new SparseVector([1, 0, 0])), "111111"],
);
assert.deepEqual(inserted.slice(0, 2), [[1, 0, 0], [1, 0, 0]]);
assert.deepEqual(inserted[2].toArray(), [1, 0, 0]);
assert.equal(inserted[3], "111111");

// Many at once with COPY
const copy = client.query(copyFrom("COPY items FROM STDIN"));
await pipeline([
  "2\tb\t[6,2,0]\t[6,2,0]\t{1:6,2:2}/3\t100000\n",
  "3\tc\t[2,1,1.5]\t[2,1,1.5]\t{1:2,2:1,3:1.5}/3\t110000\n",
], copy);
assert.equal(copy.rowCount, 2);

// Nearest by each distance
const query = pgvector.toSql([2, 1, 0]);
const nearest = {
  "<->": [1, 3, 2], // L2
  "<#>": [2, 3, 1], // negative inner product
  "<=>": [2, 1, 3], // cosine
  "<+>": [3, 1, 2], // L1
};
for (const [operator, ids] of Object.entries(nearest)) {
  for (const [vectors, value] of [
    ["embedding", query],
    ["half", query],
    ["sparse", pgvector.toSql(new SparseVector([2, 1, 0]))],
  ]) {
    const sql = `SELECT id FROM items ORDER BY ${vectors} ${operator} $1 LIMIT 5`;
    assert.deepEqual(await column(sql, [value]), ids);
  }
}
// Hamming and Jaccard, of bits
const byBits = (operator) =>
  column(`SELECT id FROM items ORDER BY bits ${operator} $1::bit(6) LIMIT 5`, ["111000"]);
assert.deepEqual(await byBits("<~>"), [3, 2, 1]);
assert.deepEqual(await byBits("<%>"), [3, 1, 2]);

// The distance in the select list; filters
assert.deepEqual(
  await rows("SELECT id, embedding <-> $1 FROM items WHERE name <> 'a' ORDER BY 2", [query]),
  [[3, 1.5], [2, Math.sqrt(17)]],
);
assert.deepEqual(
  await column("SELECT id FROM items WHERE embedding <-> $1 < 2 ORDER BY id", [query]),
  [1, 3],
);

// Update, upsert
await client.query("UPDATE items SET embedding = embedding * $1 WHERE id = 2",
  [pgvector.toSql([2, 2, 2])]);
assert.deepEqual(await column("SELECT embedding FROM items WHERE id = 2"), [[12, 4, 0]]);
await client.query(`INSERT INTO items (id, embedding) VALUES (2, $1)
  ON CONFLICT (id) DO UPDATE SET embedding = excluded.embedding`, [pgvector.toSql([6, 2, 0])]);

// Aggregates
assert.deepEqual(
  await rows("SELECT avg(embedding), sum(embedding), avg(half), sum(half) FROM items"),
  [[[3, 1, 0.5], [9, 3, 1.5], [3, 1, 0.5], [9, 3, 1.5]]],
);

// Indexes, and settings for one transaction
await client.query(`CREATE INDEX items_hnsw ON items
  USING hnsw (embedding vector_l2_ops) WITH (m = 8, ef_construction = 32)`);
await client.query(`CREATE INDEX items_ivfflat ON items
  USING ivfflat (half halfvec_cosine_ops) WITH (lists = 1)`);
await client.query("CREATE INDEX items_bits ON items USING hnsw (bits bit_hamming_ops)");
await client.query("BEGIN");
await client.query("SET LOCAL enable_seqscan = off");
await client.query("SET LOCAL hnsw.ef_search = 100");
await client.query("SET LOCAL ivfflat.probes = 1");
for (const [index, order, value, ids] of [
  ["items_hnsw", "embedding <-> $1", query, [1, 3, 2]],
  ["items_ivfflat", "half <=> $1", query, [2, 1, 3]],
  ["items_bits", "bits <~> $1::bit(6)", "111000", [3, 2, 1]],
]) {
  const sql = `SELECT id FROM items ORDER BY ${order} LIMIT 5`;
  assert.match((await column(`EXPLAIN ${sql}`, [value])).join("\n"), new RegExp(index));
  assert.deepEqual(await column(sql, [value]), ids);
}
// The nearest of some rows: columns behind the vectors are to filter by
await client.query("CREATE INDEX items_named ON items USING hnsw (embedding vector_ip_ops, name)");
const named = "SELECT id FROM items WHERE name = $2 ORDER BY embedding <#> $1 LIMIT 5";
const plan = (await column(`EXPLAIN ${named}`, [query, "c"])).join("\n");
assert.match(plan, /items_named[^]*Index Cond: \(name = /);
assert.deepEqual(await column(named, [query, "c"]), [3]);
await client.query("COMMIT");
assert.deepEqual(await column("SHOW hnsw.ef_search"), ["40"]);

// What the server refuses
await assert.rejects(
  client.query("INSERT INTO items (id, embedding) VALUES (4, $1)", [pgvector.toSql([1, 2])]),
  { code: "22000", message: "expected 3 dimensions, not 2" },
);

await client.end();
