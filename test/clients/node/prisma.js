// Prisma: an ORM with a schema language and a client generated from it.
//
//     npm install @prisma/client @prisma/adapter-pg pgvector
//     npm install --save-dev prisma
//
// Vectors are Unsupported(...) in the schema: tables can have them, and raw queries use them. The
// client and the command line work with the driver node-postgres here, without an engine that
// would have to be downloaded. Where Prisma's schema engine is installed use "prisma migrate dev"
// and "migrate deploy"; without it they fail on PostgreSQL's own types (Prisma's issue 27403).
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { PrismaPg } from "@prisma/adapter-pg";
import { SparseVector, fromSql, toSql } from "pgvector";

// The files of the project
writeFileSync("schema.prisma", `
  generator client {
    provider        = "prisma-client-js"
    engineType      = "client"
    previewFeatures = ["postgresqlExtensions"]
    output          = "./client"
  }

  datasource db {
    provider   = "postgresql"
    url        = env("DATABASE_URL")
    extensions = [vector]
  }

  model Item {
    id        Int                        @id @default(autoincrement())
    name      String?
    embedding Unsupported("vector(3)")?
    half      Unsupported("halfvec(3)")?
    sparse    Unsupported("sparsevec(3)")?
    bits      String?                    @db.Bit(6)

    @@map("items")
  }
`);
writeFileSync("prisma.config.js", `
  import { PrismaPg } from "@prisma/adapter-pg";
  import { defineConfig } from "prisma/config";

  export default defineConfig({
    schema: "schema.prisma",
    engine: "js",
    experimental: { adapter: true },
    adapter: async () => new PrismaPg({ connectionString: process.env.DATABASE_URL }),
  });
`);

// Migration: what Prisma makes of the schema, and the indexes, which it does not know
const cli = (...args) => execFileSync("npx", ["prisma", ...args], { stdio: "pipe" });
const file = "migration.sql";
cli("migrate", "diff", "--from-empty", "--to-schema-datamodel=schema.prisma", "--script",
  `--output=${file}`);
assert.match(readFileSync(file, "utf8"), /CREATE EXTENSION IF NOT EXISTS "vector"/);
appendFileSync(file, `
  CREATE INDEX items_hnsw ON items
    USING hnsw (embedding vector_l2_ops) WITH (m = 8, ef_construction = 32);
  CREATE INDEX items_ivfflat ON items USING ivfflat (half halfvec_cosine_ops) WITH (lists = 1);
  CREATE INDEX items_bits ON items USING hnsw (bits bit_hamming_ops);
`);
cli("db", "execute", "--schema=schema.prisma", `--file=${file}`);
cli("generate");

const { Prisma, PrismaClient } = await import("./client/index.js");
const prisma = new PrismaClient({
  adapter: new PrismaPg({ connectionString: process.env.DATABASE_URL }),
});
const ids = (rows) => rows.map((row) => row.id);

// Insert one
await prisma.$executeRaw`
  INSERT INTO items (name, embedding, half, sparse, bits)
  VALUES ('a', ${toSql([1, 0, 0])}::vector, ${toSql([1, 0, 0])}::halfvec,
    ${toSql(new SparseVector([1, 0, 0]))}::sparsevec, ${"111111"}::bit(6))`;
const [inserted] = await prisma.$queryRaw`
  SELECT embedding::text, half::text, sparse::text FROM items`;
assert.deepEqual(fromSql(inserted.embedding), [1, 0, 0]);
assert.deepEqual(fromSql(inserted.half), [1, 0, 0]);
assert.deepEqual(fromSql(inserted.sparse).toArray(), [1, 0, 0]);
// models leave out what is Unsupported
assert.deepEqual(await prisma.item.findFirst(), { id: 1, name: "a", bits: "111111" });

// Several with one statement
const row = (name, vector, bits) => Prisma.sql`(${name}, ${toSql(vector)}::vector,
  ${toSql(vector)}::halfvec, ${toSql(new SparseVector(vector))}::sparsevec, ${bits}::bit(6))`;
const count = await prisma.$executeRaw`
  INSERT INTO items (name, embedding, half, sparse, bits)
  VALUES ${Prisma.join([row("b", [6, 2, 0], "100000"), row("c", [2, 1, 1.5], "110000")])}`;
assert.equal(count, 2);

// Nearest by each distance: L2, negative inner product, cosine, L1
const query = Prisma.sql`${toSql([2, 1, 0])}::vector`;
const halfQuery = Prisma.sql`${toSql([2, 1, 0])}::halfvec`;
const sparseQuery = Prisma.sql`${toSql(new SparseVector([2, 1, 0]))}::sparsevec`;
for (const [operator, expected] of [
  ["<->", [1, 3, 2]],
  ["<#>", [2, 3, 1]],
  ["<=>", [2, 1, 3]],
  ["<+>", [3, 1, 2]],
]) {
  for (const [column, value] of [
    ["embedding", query], ["half", halfQuery], ["sparse", sparseQuery],
  ]) {
    const order = Prisma.sql`${Prisma.raw(column)} ${Prisma.raw(operator)} ${value}`;
    const rows = await prisma.$queryRaw`SELECT id FROM items ORDER BY ${order} LIMIT 5`;
    assert.deepEqual(ids(rows), expected);
  }
}
// Hamming and Jaccard, of bits
const bits = Prisma.sql`${"111000"}::bit(6)`;
const hamming = await prisma.$queryRaw`SELECT id FROM items ORDER BY bits <~> ${bits} LIMIT 5`;
assert.deepEqual(ids(hamming), [3, 2, 1]);
const jaccard = await prisma.$queryRaw`SELECT id FROM items ORDER BY bits <%> ${bits} LIMIT 5`;
assert.deepEqual(ids(jaccard), [3, 1, 2]);

// The distance in the select list; filters
assert.deepEqual(
  await prisma.$queryRaw`SELECT id, embedding <-> ${query} AS distance
    FROM items WHERE name <> ${"a"} ORDER BY distance`,
  [{ id: 3, distance: 1.5 }, { id: 2, distance: Math.sqrt(17) }],
);
const near = await prisma.$queryRaw`
  SELECT id FROM items WHERE embedding <-> ${query} < ${2} ORDER BY id`;
assert.deepEqual(ids(near), [1, 3]);

// Update, upsert
const [updated] = await prisma.$queryRaw`UPDATE items SET embedding = ${"[12,4,0]"}::vector
  WHERE id = 2 RETURNING embedding::text`;
assert.deepEqual(updated, { embedding: "[12,4,0]" });
const [upserted] = await prisma.$queryRaw`
  INSERT INTO items (id, embedding) VALUES (2, ${"[6,2,0]"}::vector)
  ON CONFLICT (id) DO UPDATE SET embedding = excluded.embedding
  RETURNING name, embedding::text`;
assert.deepEqual(upserted, { name: "b", embedding: "[6,2,0]" });

// Aggregates
assert.deepEqual(
  await prisma.$queryRaw`SELECT avg(embedding)::text, sum(embedding)::text FROM items`,
  [{ avg: "[3,1,0.5]", sum: "[9,3,1.5]" }],
);

// The indexes, and settings for one transaction
await prisma.$transaction(async (tx) => {
  await tx.$executeRaw`SET LOCAL enable_seqscan = off`;
  await tx.$executeRaw`SET LOCAL hnsw.ef_search = 100`;
  await tx.$executeRaw`SET LOCAL ivfflat.probes = 1`;
  for (const [index, order, expected] of [
    ["items_hnsw", Prisma.sql`embedding <-> ${query}`, [1, 3, 2]],
    ["items_ivfflat", Prisma.sql`half <=> ${halfQuery}`, [2, 1, 3]],
    ["items_bits", Prisma.sql`bits <~> ${bits}`, [3, 2, 1]],
  ]) {
    const search = Prisma.sql`SELECT id FROM items ORDER BY ${order} LIMIT 5`;
    const plan = await tx.$queryRaw`EXPLAIN ${search}`;
    assert.match(plan.map((row) => row["QUERY PLAN"]).join("\n"), new RegExp(index));
    assert.deepEqual(ids(await tx.$queryRaw(search)), expected);
  }
});

await prisma.$disconnect();
