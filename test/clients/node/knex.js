// Knex: a query builder with migrations.
//
//     npm install knex pg pgvector
//
// "pgvector/knex" adds the column types and the distances to Knex. toSql() makes the text of a
// vector; vectors come back as text, of which fromSql() makes arrays.
import assert from "node:assert/strict";
import Knex from "knex";
import { SparseVector } from "pgvector";
import pgvector from "pgvector/knex";

const knex = Knex({ client: "pg", connection: process.env.DATABASE_URL });
const { toSql, fromSql } = pgvector;

// Migrations; more often each is a file in the directory "migrations"
const migrations = {
  async getMigrations() {
    return ["1_items", "2_indexes"];
  },
  getMigrationName: (name) => name,
  async getMigration(name) {
    return {
      "1_items": {
        async up(knex) {
          await knex.schema.createExtensionIfNotExists("vector");
          await knex.schema.createTable("items", (table) => {
            table.increments("id");
            table.string("name");
            table.vector("embedding", 3);
            table.halfvec("half", 3);
            table.sparsevec("sparse", 3);
            table.specificType("bits", "bit(6)");
          });
        },
        async down(knex) {
          await knex.schema.dropTable("items");
          await knex.schema.dropExtension("vector");
        },
      },
      "2_indexes": {
        async up(knex) {
          await knex.schema.alterTable("items", (table) => {
            table.index(knex.raw("bits bit_hamming_ops"), "items_bits", "hnsw");
          });
          // the builder has no place for the options of an index
          await knex.raw(`CREATE INDEX items_hnsw ON items
            USING hnsw (embedding vector_l2_ops) WITH (m = 8, ef_construction = 32)`);
          await knex.raw(`CREATE INDEX items_ivfflat ON items
            USING ivfflat (half halfvec_cosine_ops) WITH (lists = 1)`);
        },
        async down(knex) {
          for (const index of ["items_bits", "items_hnsw", "items_ivfflat"]) {
            await knex.raw("DROP INDEX ??", [index]);
          }
        },
      },
    }[name];
  },
};
const config = { migrationSource: migrations };
assert.deepEqual((await knex.migrate.latest(config))[1], ["1_items", "2_indexes"]);
await knex.migrate.rollback(config);
assert.equal(await knex.schema.hasTable("items"), false);
await knex.migrate.up({ ...config, name: "1_items" });
assert.equal((await knex("items").columnInfo()).embedding.type, "USER-DEFINED");

// Insert one
const item = (name, vector, bits) => ({
  name, embedding: toSql(vector), half: toSql(vector), sparse: toSql(new SparseVector(vector)),
  bits,
});
const [inserted] = await knex("items").insert(item("a", [1, 0, 0], "111111")).returning("*");
assert.deepEqual(fromSql(inserted.embedding), [1, 0, 0]);
assert.deepEqual(fromSql(inserted.half), [1, 0, 0]);
assert.deepEqual(fromSql(inserted.sparse).toArray(), [1, 0, 0]);
assert.equal(inserted.bits, "111111");

// Many, so many rows in each statement
await knex.batchInsert("items", [
  item("b", [6, 2, 0], "100000"),
  item("c", [2, 1, 1.5], "110000"),
], 1000);

// Now there is what ivfflat can learn its lists from
await knex.migrate.latest(config);

// Nearest by each distance
const query = [2, 1, 0];
const nearest = (distance) => knex("items").orderBy(distance).limit(5).pluck("id");
for (const [column, value] of [
  ["embedding", query],
  ["half", query],
  ["sparse", new SparseVector(query)],
]) {
  assert.deepEqual(await nearest(knex.l2Distance(column, value)), [1, 3, 2]);
  assert.deepEqual(await nearest(knex.maxInnerProduct(column, value)), [2, 3, 1]);
  assert.deepEqual(await nearest(knex.cosineDistance(column, value)), [2, 1, 3]);
  assert.deepEqual(await nearest(knex.l1Distance(column, value)), [3, 1, 2]);
}
assert.deepEqual(await nearest(knex.hammingDistance("bits", "111000")), [3, 2, 1]);
assert.deepEqual(await nearest(knex.jaccardDistance("bits", "111000")), [3, 1, 2]);

// The distance in the select list; filters
const distances = await knex("items")
  .select("id", knex.raw("embedding <-> ? AS distance", [toSql(query)]))
  .whereNot("name", "a")
  .orderBy("distance");
assert.deepEqual(distances, [{ id: 3, distance: 1.5 }, { id: 2, distance: Math.sqrt(17) }]);
const near = knex("items").where(knex.l2Distance("embedding", query), "<", 2).orderBy("id");
assert.deepEqual(await near.pluck("id"), [1, 3]);

// Update, upsert
await knex("items").where("id", 2).update({ embedding: toSql([12, 4, 0]) });
assert.deepEqual(await knex("items").where("id", 2).pluck("embedding"), ["[12,4,0]"]);
await knex("items").insert({ id: 2, embedding: toSql([6, 2, 0]) }).onConflict("id").merge();
assert.deepEqual(await knex("items").where("id", 2).pluck("embedding"), ["[6,2,0]"]);

// Aggregates
const sums = await knex("items").avg("embedding").sum("embedding").first();
assert.deepEqual(sums, { avg: "[3,1,0.5]", sum: "[9,3,1.5]" });

// The indexes, and settings for one transaction
await knex.transaction(async (trx) => {
  await trx.raw("SET LOCAL enable_seqscan = off");
  await trx.raw("SET LOCAL hnsw.ef_search = 100");
  await trx.raw("SET LOCAL ivfflat.probes = 1");
  for (const [index, distance, expected] of [
    ["items_hnsw", knex.l2Distance("embedding", query), [1, 3, 2]],
    ["items_ivfflat", knex.cosineDistance("half", query), [2, 1, 3]],
    ["items_bits", knex.hammingDistance("bits", "111000"), [3, 2, 1]],
  ]) {
    const search = trx("items").orderBy(distance).limit(5);
    const plan = await trx.raw("EXPLAIN ?", [search]);
    assert.match(plan.rows.map((row) => row["QUERY PLAN"]).join("\n"), new RegExp(index));
    assert.deepEqual(await search.pluck("id"), expected);
  }
});

await knex.destroy();
