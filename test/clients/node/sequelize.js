// Sequelize: an ORM.
//
//     npm install sequelize pg pgvector
//
// For migrations: npm install umzug
//
// registerTypes() adds VECTOR, HALFVEC and SPARSEVEC to the types of columns. Sequelize asks for
// the server's types when it connects first: the extension must exist by then, or vectors come
// back as text.
import assert from "node:assert/strict";
import { SparseVector } from "pgvector";
import pgvector from "pgvector/sequelize";
import { DataTypes, Op, Sequelize } from "sequelize";
import { SequelizeStorage, Umzug } from "umzug";

pgvector.registerTypes(Sequelize);
const {
  cosineDistance, hammingDistance, jaccardDistance, l1Distance, l2Distance, maxInnerProduct,
} = pgvector;

const connect = () => new Sequelize(process.env.DATABASE_URL, { logging: false });
const first = connect();
await first.query("CREATE EXTENSION IF NOT EXISTS vector");
await first.close();
const sequelize = connect();

const Item = sequelize.define("Item", {
  id: { type: DataTypes.INTEGER, primaryKey: true, autoIncrement: true },
  name: DataTypes.STRING,
  embedding: DataTypes.VECTOR(3),
  half: DataTypes.HALFVEC(3),
  sparse: DataTypes.SPARSEVEC(3),
  bits: "BIT(6)",
}, {
  tableName: "items",
  timestamps: false,
  indexes: [
    { name: "items_bits", using: "hnsw", fields: [{ name: "bits", operator: "bit_hamming_ops" }] },
  ],
});

// Migrations; more often each is a file. The indexes of a model can't have options, so they are
// SQL where they need some.
const umzug = new Umzug({
  migrations: [
    {
      name: "1_items",
      async up({ context: queryInterface }) {
        await queryInterface.createTable("items", Item.getAttributes());
      },
      async down({ context: queryInterface }) {
        await queryInterface.dropTable("items");
      },
    },
    {
      name: "2_indexes",
      async up({ context: queryInterface }) {
        await queryInterface.sequelize.query(`CREATE INDEX items_hnsw ON items
          USING hnsw (embedding vector_l2_ops) WITH (m = 8, ef_construction = 32)`);
        await queryInterface.sequelize.query(`CREATE INDEX items_ivfflat ON items
          USING ivfflat (half halfvec_cosine_ops) WITH (lists = 1)`);
      },
      async down({ context: queryInterface }) {
        await queryInterface.removeIndex("items", "items_hnsw");
        await queryInterface.removeIndex("items", "items_ivfflat");
      },
    },
  ],
  context: sequelize.getQueryInterface(),
  storage: new SequelizeStorage({ sequelize }),
});
await umzug.up();
await umzug.down({ to: 0 });
assert.equal(await sequelize.getQueryInterface().tableExists("items"), false);
await umzug.up({ to: "1_items" });
assert.equal(await sequelize.getQueryInterface().tableExists("items"), true);

// Insert one
const vectors = (vector) =>
  ({ embedding: vector, half: vector, sparse: new SparseVector(vector) });
const created = await Item.create({ name: "a", ...vectors([1, 0, 0]), bits: "111111" });
await created.reload();
assert.deepEqual(created.embedding, [1, 0, 0]);
assert.deepEqual(created.half, [1, 0, 0]);
assert.deepEqual(created.sparse.toArray(), [1, 0, 0]);
assert.equal(created.bits, "111111");

// Several with one statement
await Item.bulkCreate([
  { name: "b", ...vectors([6, 2, 0]), bits: "100000" },
  { name: "c", ...vectors([2, 1, 1.5]), bits: "110000" },
]);

// The rest of the migrations, now that ivfflat can learn its lists from rows, and the indexes of
// the model
await umzug.up();
await Item.sync();

// Nearest by each distance
const query = [2, 1, 0];
const ids = async (options) => (await Item.findAll(options)).map((item) => item.id);
const nearest = (distance) => ids({ order: distance, limit: 5 });
for (const [column, value] of [
  ["embedding", query],
  ["half", query],
  ["sparse", new SparseVector(query)],
]) {
  assert.deepEqual(await nearest(l2Distance(column, value, sequelize)), [1, 3, 2]);
  assert.deepEqual(await nearest(maxInnerProduct(column, value, sequelize)), [2, 3, 1]);
  assert.deepEqual(await nearest(cosineDistance(column, value, sequelize)), [2, 1, 3]);
  assert.deepEqual(await nearest(l1Distance(column, value, sequelize)), [3, 1, 2]);
}
assert.deepEqual(await nearest(hammingDistance("bits", "111000", sequelize)), [3, 2, 1]);
assert.deepEqual(await nearest(jaccardDistance("bits", "111000", sequelize)), [3, 1, 2]);

// The distance in the select list; filters
const distance = l2Distance("embedding", query, sequelize);
assert.deepEqual(
  await Item.findAll({
    attributes: ["id", [distance, "distance"]],
    where: { name: { [Op.ne]: "a" } },
    order: distance,
    raw: true,
  }),
  [{ id: 3, distance: 1.5 }, { id: 2, distance: Math.sqrt(17) }],
);
assert.deepEqual(
  await ids({ where: sequelize.where(distance, Op.lt, 2), order: ["id"] }), [1, 3]);

// Update, upsert
await Item.update({ embedding: [12, 4, 0] }, { where: { id: 2 } });
assert.deepEqual((await Item.findByPk(2)).embedding, [12, 4, 0]);
await Item.upsert({ id: 2, embedding: [6, 2, 0] });
const upserted = await Item.findByPk(2);
assert.deepEqual([upserted.name, upserted.embedding], ["b", [6, 2, 0]]);

// Aggregates
const aggregate = (name) => [sequelize.fn(name, sequelize.col("embedding")), name];
assert.deepEqual(
  await Item.findOne({ attributes: [aggregate("avg"), aggregate("sum")], raw: true }),
  { avg: [3, 1, 0.5], sum: [9, 3, 1.5] },
);

// The indexes, and settings for one transaction
await sequelize.transaction(async (transaction) => {
  await sequelize.query("SET LOCAL enable_seqscan = off", { transaction });
  await sequelize.query("SET LOCAL hnsw.ef_search = 100", { transaction });
  await sequelize.query("SET LOCAL ivfflat.probes = 1", { transaction });
  for (const [index, order, expected] of [
    ["items_hnsw", distance, [1, 3, 2]],
    ["items_ivfflat", cosineDistance("half", query, sequelize), [2, 1, 3]],
    ["items_bits", hammingDistance("bits", "111000", sequelize), [3, 2, 1]],
  ]) {
    const options = { order, limit: 5, transaction };
    let logged;
    assert.deepEqual(await ids({ ...options, logging: (line) => { logged = line; } }), expected);
    const [plan] = await sequelize.query(logged.replace(/^.*?: /, "EXPLAIN "), { transaction });
    assert.match(plan.map((row) => row["QUERY PLAN"]).join("\n"), new RegExp(index));
  }
});

await sequelize.close();
