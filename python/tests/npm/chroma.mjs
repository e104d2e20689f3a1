// Chroma's client for JavaScript against our server: node chroma.mjs PORT
import assert from "node:assert/strict";
import { AdminClient, ChromaClient } from "chromadb";

const where = { host: "localhost", port: Number(process.argv[2]) };
const client = new ChromaClient(where);
const none = { embeddingFunction: null };

const made = await client.createCollection({
	name: "from-js", configuration: { hnsw: { space: "cosine" } }, metadata: { of: "a test" }, ...none,
});
assert.deepEqual(made.metadata, { of: "a test" });
await made.add({
	ids: ["a", "b", "ü"],
	embeddings: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
	documents: ["cats", "dogs", "'; DROP TABLE x; --"],
	metadatas: [{ n: 1 }, { n: 2, lang: "de" }, { n: 3 }],
});
assert.equal(await made.count(), 3);
assert.deepEqual((await made.get({ ids: ["ü"] })).documents, ["'; DROP TABLE x; --"]);

const found = await made.query({
	queryEmbeddings: [[1, 0.1, 0], [0, 1, 0]], nResults: 2, where: { n: { $lt: 3 } },
	include: ["distances", "metadatas", "documents", "embeddings"],
});
assert.deepEqual(found.ids, [["a", "b"], ["b", "a"]]);
assert.deepEqual(found.embeddings[1][0], [0, 1, 0]);
assert.ok(Math.abs(found.distances[0][1] - 0.9004963) < 1e-6);
assert.deepEqual((await made.get({ whereDocument: { $contains: "dog" } })).ids, ["b"]);

await made.update({ ids: ["a", "nobody"], metadatas: [{ m: "q" }, { m: "q" }] });
await made.upsert({ ids: ["a", "d"], embeddings: [[1, 1, 0], [1, 1, 1]] });
assert.deepEqual((await made.get({ where: { m: "q" } })).metadatas, [{ n: 1, m: "q" }]);
assert.deepEqual((await made.peek({ limit: 2 })).ids, ["a", "b"]);
await made.delete({ ids: ["d"] });
await made.modify({ name: "renamed", metadata: { k: 1 } });
assert.deepEqual((await client.getCollection({ name: "renamed", ...none })).metadata, { k: 1 });
assert.equal(await made.count(), 3);

const errors = {
	ChromaNotFoundError: () => client.getCollection({ name: "nope", ...none }),
	ChromaUniqueError: () => client.createCollection({ name: "renamed", ...none }),
	ChromaClientError: () => made.add({ ids: ["q"], embeddings: [[1]] }),
};
for (const [name, call] of Object.entries(errors))
	await assert.rejects(call, (error) => error.constructor.name === name);
await client.deleteCollection({ name: "renamed" });

const admin = new AdminClient(where);
await admin.createTenant({ name: "js-tenant" });
await admin.createDatabase({ name: "js-database", tenant: "js-tenant" });
const inside = new ChromaClient({ ...where, tenant: "js-tenant", database: "js-database" });
await inside.createCollection({ name: "inside", ...none });
assert.equal(await inside.countCollections(), 1);
await admin.deleteDatabase({ name: "js-database", tenant: "js-tenant" });
console.log("ok");
