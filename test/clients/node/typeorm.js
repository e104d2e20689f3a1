// TypeORM: an ORM, with column types vector and halfvec of its own.
//
//     npm install typeorm pg pgvector
//
// Vectors are arrays of numbers; as parameters of a query they are text, which toSql() makes.
// sparsevec is no column type of TypeORM's: a migration makes such a column, and the entity says
// that it is text. In TypeScript an entity may as well be a class with decorators.
import assert from "node:assert/strict";
import pgvector from "pgvector";
import { DataSource, EntitySchema, Raw } from "typeorm";

const { toSql, fromSql, SparseVector } = pgvector;

const Item = new EntitySchema({
  name: "item",
  tableName: "items",
  columns: {
    id: { type: "int", primary: true, generated: true, primaryKeyConstraintName: "items_pkey" },
    name: { type: "text", nullable: true },
    embedding: { type: "vector", length: 3, nullable: true },
    half: { type: "halfvec", length: 3, nullable: true },
    bits: { type: "bit", length: 6, nullable: true },
  },
  uniques: [{ name: "items_name_key", columns: ["name"] }],
  // indexes that TypeORM leaves alone
  indices: ["items_hnsw", "items_ivfflat", "items_bits"].map(
    (name) => ({ name, synchronize: false })),
});
const SparseItem = new EntitySchema({
  name: "sparse_item",
  tableName: "sparse_items",
  synchronize: false,
  columns: {
    id: { type: "int", primary: true, generated: true },
    embedding: { type: "text" },
  },
});

// Migrations, as migration:create and migration:generate write them
class CreateItems1700000000001 {
  async up(queryRunner) {
    await queryRunner.query("CREATE EXTENSION IF NOT EXISTS vector");
    await queryRunner.query(`CREATE TABLE items (id serial PRIMARY KEY, name text UNIQUE,
      embedding vector(3), half halfvec(3), bits bit(6))`);
    await queryRunner.query(`CREATE TABLE sparse_items (id serial PRIMARY KEY,
      embedding sparsevec(3) NOT NULL)`);
  }

  async down(queryRunner) {
    await queryRunner.query("DROP TABLE items, sparse_items");
  }
}
class IndexItems1700000000002 {
  async up(queryRunner) {
    await queryRunner.query(`CREATE INDEX items_hnsw ON items
      USING hnsw (embedding vector_l2_ops) WITH (m = 8, ef_construction = 32)`);
    await queryRunner.query(`CREATE INDEX items_ivfflat ON items
      USING ivfflat (half halfvec_cosine_ops) WITH (lists = 1)`);
    await queryRunner.query("CREATE INDEX items_bits ON items USING hnsw (bits bit_hamming_ops)");
  }

  async down(queryRunner) {
    await queryRunner.query("DROP INDEX items_hnsw, items_ivfflat, items_bits");
  }
}

const dataSource = new DataSource({
  type: "postgres",
  url: process.env.DATABASE_URL,
  entities: [Item, SparseItem],
  migrations: [CreateItems1700000000001, IndexItems1700000000002],
});
await dataSource.initialize();
await dataSource.runMigrations();
await dataSource.undoLastMigration();
await dataSource.undoLastMigration();
await dataSource.runMigrations();
// the tables are as the entities want them
assert.deepEqual((await dataSource.driver.createSchemaBuilder().log()).upQueries, []);

// Insert one
const items = dataSource.getRepository(Item);
await items.save({ name: "a", embedding: [1, 0, 0], half: [1, 0, 0], bits: "111111" });
assert.deepEqual(
  await items.findOneBy({ name: "a" }),
  { id: 1, name: "a", embedding: [1, 0, 0], half: [1, 0, 0], bits: "111111" },
);

// Several with one statement
await items.insert([
  { name: "b", embedding: [6, 2, 0], half: [6, 2, 0], bits: "100000" },
  { name: "c", embedding: [2, 1, 1.5], half: [2, 1, 1.5], bits: "110000" },
]);
const sparseItems = dataSource.getRepository(SparseItem);
await sparseItems.insert([[1, 0, 0], [6, 2, 0], [2, 1, 1.5]].map(
  (vector) => ({ embedding: toSql(new SparseVector(vector)) })));
const sparse = await sparseItems.findOneBy({ id: 3 });
assert.deepEqual(fromSql(sparse.embedding).toArray(), [2, 1, 1.5]);

// Nearest by each distance: L2, negative inner product, cosine, L1
const query = toSql([2, 1, 0]);
const nearest = (repository, order, query) =>
  repository.createQueryBuilder().orderBy(order).setParameters({ query }).limit(5);
const ids = async (builder) => (await builder.getMany()).map((item) => item.id);
for (const [operator, expected] of [
  ["<->", [1, 3, 2]],
  ["<#>", [2, 3, 1]],
  ["<=>", [2, 1, 3]],
  ["<+>", [3, 1, 2]],
]) {
  assert.deepEqual(await ids(nearest(items, `embedding ${operator} :query`, query)), expected);
  assert.deepEqual(await ids(nearest(items, `half ${operator} :query`, query)), expected);
  assert.deepEqual(
    await ids(nearest(sparseItems, `embedding ${operator} :query`, "{1:2,2:1}/3")), expected);
}
// Hamming and Jaccard, of bits
const byBits = (operator) => nearest(items, `bits ${operator} CAST(:query AS bit(6))`, "111000");
assert.deepEqual(await ids(byBits("<~>")), [3, 2, 1]);
assert.deepEqual(await ids(byBits("<%>")), [3, 1, 2]);

// The distance in the select list; filters
assert.deepEqual(
  await items.createQueryBuilder()
    .select("id").addSelect("embedding <-> :query", "distance")
    .where("name <> :name", { name: "a" })
    .orderBy("distance")
    .setParameters({ query })
    .getRawMany(),
  [{ id: 3, distance: 1.5 }, { id: 2, distance: Math.sqrt(17) }],
);
const near = await items.find({
  where: { embedding: Raw((column) => `${column} <-> :query < 2`, { query }) },
  order: { id: "ASC" },
});
assert.deepEqual(near.map((item) => item.id), [1, 3]);

// Update, upsert
await items.update(2, { embedding: [12, 4, 0] });
assert.deepEqual((await items.findOneBy({ id: 2 })).embedding, [12, 4, 0]);
await items.upsert({ name: "b", embedding: [6, 2, 0] }, ["name"]);
const upserted = await items.findOneBy({ name: "b" });
assert.deepEqual([upserted.id, upserted.embedding], [2, [6, 2, 0]]);

// Aggregates
assert.deepEqual(
  await items.createQueryBuilder()
    .select("avg(embedding)", "avg").addSelect("sum(embedding)", "sum")
    .getRawOne(),
  { avg: "[3,1,0.5]", sum: "[9,3,1.5]" },
);

// The indexes, and settings for one transaction
await dataSource.transaction(async (manager) => {
  await manager.query("SET LOCAL enable_seqscan = off");
  await manager.query("SET LOCAL hnsw.ef_search = 100");
  await manager.query("SET LOCAL ivfflat.probes = 1");
  const items = manager.getRepository(Item);
  for (const [index, order, value, expected] of [
    ["items_hnsw", "embedding <-> :query", query, [1, 3, 2]],
    ["items_ivfflat", "half <=> :query", query, [2, 1, 3]],
    ["items_bits", "bits <~> CAST(:query AS bit(6))", "111000", [3, 2, 1]],
  ]) {
    const search = nearest(items, order, value);
    const [sql, parameters] = search.getQueryAndParameters();
    const plan = await manager.query(`EXPLAIN ${sql}`, parameters);
    assert.match(plan.map((row) => row["QUERY PLAN"]).join("\n"), new RegExp(index));
    assert.deepEqual(await ids(search), expected);
  }
});

await dataSource.destroy();
