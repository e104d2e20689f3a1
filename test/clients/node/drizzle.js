// Drizzle: an ORM close to SQL, with the types and distances built in.
//
//     npm install drizzle-orm pg
//     npm install --save-dev drizzle-kit
//
// drizzle-kit reads the tables from this file too, so main() only runs when it is started itself.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import {
  asc, avg, cosineDistance, eq, hammingDistance, innerProduct, jaccardDistance, l1Distance,
  l2Distance, lt, ne, sql, sum,
} from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { migrate } from "drizzle-orm/node-postgres/migrator";
import {
  bit, halfvec, index, integer, pgTable, sparsevec, text, vector,
} from "drizzle-orm/pg-core";

export const items = pgTable("items", {
  id: integer("id").primaryKey().generatedByDefaultAsIdentity(),
  name: text("name"),
  embedding: vector("embedding", { dimensions: 3 }),
  half: halfvec("half", { dimensions: 3 }),
  sparse: sparsevec("sparse", { dimensions: 3 }),
  bits: bit("bits", { dimensions: 6 }),
}, (table) => [
  index("items_hnsw").using("hnsw", table.embedding.op("vector_l2_ops"))
    .with({ m: 8, ef_construction: 32 }),
  index("items_ivfflat").using("ivfflat", table.half.op("halfvec_cosine_ops")).with({ lists: 1 }),
  index("items_bits").using("hnsw", table.bits.op("bit_hamming_ops")),
]);

const kit = (...args) =>
  execFileSync("npx", ["drizzle-kit", ...args], { encoding: "utf8", stdio: "pipe" });

async function main() {
  const db = drizzle(process.env.DATABASE_URL);
  const ids = async (select) => (await select).map((row) => row.id);

  // Migrations: first a hand-written one for the extension, then what drizzle-kit makes of the
  // tables
  const options = ["--dialect=postgresql", "--schema=drizzle.js", "--out=drizzle"];
  kit("generate", ...options, "--custom", "--name=extension");
  writeFileSync("drizzle/0000_extension.sql", "CREATE EXTENSION IF NOT EXISTS vector;\n");
  kit("generate", ...options, "--name=items");
  assert.match(readFileSync("drizzle/0001_items.sql", "utf8"),
    /USING hnsw \("embedding" vector_l2_ops\) WITH \(m=8,ef_construction=32\)/);
  await migrate(db, { migrationsFolder: "drizzle" });
  // and back: what drizzle-kit finds in the database
  kit("pull", "--dialect=postgresql", "--out=pulled", `--url=${process.env.DATABASE_URL}`);
  const pulled = readFileSync("pulled/schema.ts", "utf8");
  assert.match(pulled, /vector\(\{ dimensions: 3 \}\)/);
  assert.match(pulled, /using\("hnsw", table.embedding.*op\("vector_l2_ops"\)/);

  // Insert one
  const [inserted] = await db.insert(items).values({
    name: "a", embedding: [1, 0, 0], half: [1, 0, 0], sparse: "{1:1}/3", bits: "111111",
  }).returning();
  assert.deepEqual(inserted, {
    id: 1, name: "a", embedding: [1, 0, 0], half: [1, 0, 0], sparse: "{1:1}/3", bits: "111111",
  });

  // Several with one statement
  await db.insert(items).values([
    { name: "b", embedding: [6, 2, 0], half: [6, 2, 0], sparse: "{1:6,2:2}/3", bits: "100000" },
    { name: "c", embedding: [2, 1, 1.5], half: [2, 1, 1.5], sparse: "{1:2,2:1,3:1.5}/3",
      bits: "110000" },
  ]);

  // Nearest by each distance
  const query = [2, 1, 0];
  const nearest = (distance) =>
    ids(db.select({ id: items.id }).from(items).orderBy(distance).limit(5));
  for (const [column, value] of [
    [items.embedding, query],
    [items.half, query],
    [items.sparse, "{1:2,2:1}/3"],
  ]) {
    assert.deepEqual(await nearest(l2Distance(column, value)), [1, 3, 2]);
    assert.deepEqual(await nearest(innerProduct(column, value)), [2, 3, 1]);
    assert.deepEqual(await nearest(cosineDistance(column, value)), [2, 1, 3]);
    assert.deepEqual(await nearest(l1Distance(column, value)), [3, 1, 2]);
  }
  assert.deepEqual(await nearest(hammingDistance(items.bits, sql`${"111000"}::bit(6)`)), [3, 2, 1]);
  assert.deepEqual(await nearest(jaccardDistance(items.bits, sql`${"111000"}::bit(6)`)), [3, 1, 2]);

  // The distance in the select list; filters
  const distance = l2Distance(items.embedding, query);
  assert.deepEqual(
    await db.select({ id: items.id, distance }).from(items).where(ne(items.name, "a"))
      .orderBy(distance),
    [{ id: 3, distance: 1.5 }, { id: 2, distance: Math.sqrt(17) }],
  );
  assert.deepEqual(
    await ids(db.select().from(items).where(lt(distance, 2)).orderBy(asc(items.id))), [1, 3]);

  // Update, upsert
  const [updated] = await db.update(items).set({ embedding: [12, 4, 0] }).where(eq(items.id, 2))
    .returning();
  assert.deepEqual(updated.embedding, [12, 4, 0]);
  const [upserted] = await db.insert(items).values({ id: 2, embedding: [6, 2, 0] })
    .onConflictDoUpdate({ target: items.id, set: { embedding: sql`excluded.embedding` } })
    .returning();
  assert.deepEqual([upserted.name, upserted.embedding], ["b", [6, 2, 0]]);

  // Aggregates
  const [sums] = await db.select({ avg: avg(items.embedding), sum: sum(items.embedding) })
    .from(items);
  assert.deepEqual(sums, { avg: "[3,1,0.5]", sum: "[9,3,1.5]" });

  // The indexes, and settings for one transaction
  await db.transaction(async (tx) => {
    await tx.execute(sql`SET LOCAL enable_seqscan = off`);
    await tx.execute(sql`SET LOCAL hnsw.ef_search = 100`);
    await tx.execute(sql`SET LOCAL ivfflat.probes = 1`);
    for (const [name, order, expected] of [
      ["items_hnsw", distance, [1, 3, 2]],
      ["items_ivfflat", cosineDistance(items.half, query), [2, 1, 3]],
      ["items_bits", hammingDistance(items.bits, sql`${"111000"}::bit(6)`), [3, 2, 1]],
    ]) {
      const search = tx.select({ id: items.id }).from(items).orderBy(order).limit(5);
      const plan = await tx.execute(sql`EXPLAIN ${search}`);
      assert.match(plan.rows.map((row) => row["QUERY PLAN"]).join("\n"), new RegExp(name));
      assert.deepEqual(await ids(search), expected);
    }
  });

  await db.$client.end();
}

if (basename(process.argv[1]) === "drizzle.js") {
  main();
}
