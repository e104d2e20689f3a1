// MikroORM: an ORM with a unit of work, and migrations made of the entities.
//
//     npm install @mikro-orm/core @mikro-orm/postgresql @mikro-orm/migrations pgvector
//
// In TypeScript an entity may as well be a class with decorators.
import assert from "node:assert/strict";
import { EntitySchema, MikroORM, raw } from "@mikro-orm/postgresql";
import { Migration, Migrator } from "@mikro-orm/migrations";
import { SparseVector, toSql } from "pgvector";
import {
  BitType, HalfvecType, SparsevecType, VectorType,
  cosineDistance, hammingDistance, jaccardDistance, l1Distance, l2Distance, maxInnerProduct,
} from "pgvector/mikro-orm";

const Item = new EntitySchema({
  name: "Item",
  tableName: "items",
  properties: {
    id: { type: "integer", primary: true },
    name: { type: "text", nullable: true },
    embedding: { type: VectorType, dimensions: 3, nullable: true },
    half: { type: HalfvecType, dimensions: 3, nullable: true },
    sparse: { type: SparsevecType, dimensions: 3, nullable: true },
    bits: { type: BitType, length: 6, nullable: true },
  },
  indexes: [
    {
      name: "items_hnsw",
      expression: `CREATE INDEX items_hnsw ON items
        USING hnsw (embedding vector_l2_ops) WITH (m = 8, ef_construction = 32)`,
    },
    {
      name: "items_ivfflat",
      expression: `CREATE INDEX items_ivfflat ON items
        USING ivfflat (half halfvec_cosine_ops) WITH (lists = 1)`,
    },
    {
      name: "items_bits",
      expression: "CREATE INDEX items_bits ON items USING hnsw (bits bit_hamming_ops)",
    },
  ],
});

// Migrations: one written by hand for the extension ...
class Extension extends Migration {
  up() {
    this.addSql("CREATE EXTENSION IF NOT EXISTS vector");
  }
}
const config = {
  clientUrl: process.env.DATABASE_URL,
  entities: [Item],
  extensions: [Migrator],
};
const first = await MikroORM.init({
  ...config,
  migrations: { migrationsList: [{ name: "Extension", class: Extension }], snapshot: false },
});
await first.migrator.up();
await first.close();

// ... then what MikroORM makes of the entities
const orm = await MikroORM.init({ ...config, migrations: { path: "migrations", emit: "cjs" } });
const { code } = await orm.migrator.createMigration();
assert.match(code, /"embedding" vector\(3\)/);
await orm.migrator.up();
await orm.migrator.down();
await orm.migrator.up();
// what it finds in the database needs no change; only of vector(n) it finds the n, so that it
// would alter other types with dimensions
const update = await orm.schema.getUpdateSchemaSQL({ wrap: false });
assert.doesNotMatch(update, /"embedding"|index/);

// Insert one
const em = orm.em.fork();
const vectors = (vector) =>
  ({ embedding: vector, half: vector, sparse: new SparseVector(vector) });
em.create(Item, { name: "a", ...vectors([1, 0, 0]), bits: "111111" });
await em.flush();
em.clear();
const inserted = await em.findOne(Item, { name: "a" });
assert.deepEqual(inserted.embedding, [1, 0, 0]);
assert.deepEqual(inserted.half, [1, 0, 0]);
assert.deepEqual(inserted.sparse.toArray(), [1, 0, 0]);
assert.equal(inserted.bits, "111111");

// Several with one statement
const [b] = await em.insertMany(Item, [
  { name: "b", ...vectors([6, 2, 0]), bits: "100000" },
  { name: "c", ...vectors([2, 1, 1.5]), bits: "110000" },
]);
assert.equal(b, 2);

// Nearest by each distance
const query = [2, 1, 0];
const nearest = (distance, entities = em) =>
  entities.createQueryBuilder(Item).orderBy({ [distance]: "ASC" }).limit(5);
const ids = async (search) => (await search.getResult()).map((item) => item.id);
for (const [column, value] of [
  ["embedding", query],
  ["half", query],
  ["sparse", new SparseVector(query)],
]) {
  assert.deepEqual(await ids(nearest(l2Distance(column, value))), [1, 3, 2]);
  assert.deepEqual(await ids(nearest(maxInnerProduct(column, value))), [2, 3, 1]);
  assert.deepEqual(await ids(nearest(cosineDistance(column, value))), [2, 1, 3]);
  assert.deepEqual(await ids(nearest(l1Distance(column, value))), [3, 1, 2]);
}
assert.deepEqual(await ids(nearest(hammingDistance("bits", "111000"))), [3, 2, 1]);
assert.deepEqual(await ids(nearest(jaccardDistance("bits", "111000"))), [3, 1, 2]);

// The distance in the select list; filters
const distances = await em.createQueryBuilder(Item)
  .select(["id", raw("embedding <-> ? AS distance", [toSql(query)])])
  .where({ name: { $ne: "a" } })
  .orderBy({ [raw("distance")]: "ASC" })
  .execute();
assert.deepEqual(distances, [{ id: 3, distance: 1.5 }, { id: 2, distance: Math.sqrt(17) }]);
const near = await em.find(
  Item, { [l2Distance("embedding", query)]: { $lt: 2 } }, { orderBy: { id: "ASC" } });
assert.deepEqual(near.map((item) => item.id), [1, 3]);

// Update, upsert
const item = await em.findOne(Item, 2);
item.embedding = [12, 4, 0];
await em.flush();
await em.refresh(item);
assert.deepEqual(item.embedding, [12, 4, 0]);
await em.upsert(Item, { id: 2, embedding: [6, 2, 0] });
await em.refresh(item);
assert.deepEqual([item.name, item.embedding], ["b", [6, 2, 0]]);

// Aggregates
assert.deepEqual(
  await em.createQueryBuilder(Item).select([raw("avg(embedding)"), raw("sum(embedding)")])
    .execute("get"),
  { avg: "[3,1,0.5]", sum: "[9,3,1.5]" },
);

// The indexes, and settings for one transaction
await em.transactional(async (em) => {
  await em.execute("SET LOCAL enable_seqscan = off");
  await em.execute("SET LOCAL hnsw.ef_search = 100");
  await em.execute("SET LOCAL ivfflat.probes = 1");
  for (const [index, distance, expected] of [
    ["items_hnsw", () => l2Distance("embedding", query), [1, 3, 2]],
    ["items_ivfflat", () => cosineDistance("half", query), [2, 1, 3]],
    ["items_bits", () => hammingDistance("bits", "111000"), [3, 2, 1]],
  ]) {
    const plan = await em.execute(`EXPLAIN ${nearest(distance(), em).getFormattedQuery()}`);
    assert.match(plan.map((row) => row["QUERY PLAN"]).join("\n"), new RegExp(index));
    assert.deepEqual(await ids(nearest(distance(), em)), expected);
  }
});

await orm.close();
