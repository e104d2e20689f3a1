"""Chroma's own clients against our server: Python's, for asyncio, too, and JavaScript's."""

import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import chromadb
import httpx
import numpy as np
import pytest
from chromadb.config import Settings
from chromadb.errors import (
    AuthorizationError,
    ChromaError,
    InvalidArgumentError,
    NotFoundError,
    UniqueConstraintError,
)
from langchain_chroma import Chroma
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores import (
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
)
from llama_index.vector_stores.chroma import ChromaVectorStore

import nanovec

QUIET = {"anonymized_telemetry": False}
RNG = np.random.default_rng(3)
NONE = {"embedding_function": None}
NASTY = [
    "'; DROP TABLE x; --", '"', "\\", "%s", "$1", "{}", "ü\U0001f600", "a\nb\tc", "--", "/*",
    "$$", "\u202e", "E'\\\\'", "%(x)s", "x" * 1000,
]  # fmt: skip


def connect(server, **where):
    return chromadb.HttpClient("127.0.0.1", server.port, settings=Settings(**QUIET), **where)


def admin_of(server):
    return chromadb.AdminClient(
        Settings(
            chroma_api_impl="chromadb.api.fastapi.FastAPI",
            chroma_server_host="127.0.0.1",
            chroma_server_http_port=server.port,
            **QUIET,
        )
    )


@pytest.fixture
def chroma(served):
    client = connect(served)
    client.reset()
    return client


def test_collections(chroma):
    made = chroma.create_collection("books", metadata={"of": "a test", "n": 1}, **NONE)
    assert made.metadata == {"of": "a test", "n": 1} and isinstance(made.id, uuid.UUID)
    assert chroma.get_collection("books", **NONE).id == made.id
    again = chroma.get_or_create_collection("books", metadata={"other": 2}, **NONE)
    assert again.id == made.id and again.metadata == {"of": "a test", "n": 1}
    plain = chroma.create_collection("plain", **NONE)
    assert plain.metadata is None
    assert plain.configuration_json["hnsw"]["space"] == "l2"
    for n in range(5):
        chroma.create_collection(f"more{n}", **NONE)
    names = ["books", *(f"more{n}" for n in range(5)), "plain"]
    assert [c.name for c in chroma.list_collections()] == names
    assert [c.name for c in chroma.list_collections(limit=2, offset=3)] == names[3:5]
    assert chroma.count_collections() == 7
    made.modify(name="papers", metadata={"k": [1, 2]})
    assert chroma.get_collection("papers", **NONE).metadata == {"k": [1, 2]}
    assert made.name == "papers" and made.count() == 0
    with pytest.raises(UniqueConstraintError):
        made.modify(name="plain")
    made.modify(configuration={"hnsw": {"ef_search": 77}})
    assert chroma.get_collection("papers", **NONE).configuration_json["hnsw"]["ef_search"] == 77
    chroma.delete_collection("papers")
    with pytest.raises(NotFoundError):
        made.add(ids=["a"], embeddings=[[1, 2]])
    assert chroma.heartbeat() > 1e18 and chroma.get_version() == "1.0.0"
    assert chroma.get_max_batch_size() == 2000


def test_errors(chroma, served):
    books = chroma.create_collection("books", **NONE)
    books.add(ids=["a"], embeddings=[[1, 2, 3]])
    with pytest.raises(UniqueConstraintError, match="already exists"):
        chroma.create_collection("books", **NONE)
    for call in (chroma.get_collection, chroma.delete_collection):
        with pytest.raises(NotFoundError, match="nothing"):
            call("nothing")
    for name in ("a", "has space", "-begins", "ends_", "x" * 513, "ü" * 5):
        with pytest.raises(InvalidArgumentError):
            chroma.create_collection(name, **NONE)
    with pytest.raises(InvalidArgumentError, match="dimensions"):
        books.add(ids=["b"], embeddings=[[1, 2]])
    with pytest.raises(InvalidArgumentError, match="dimensions"):
        books.query(query_embeddings=[[1, 2]])
    with pytest.raises(ChromaError):
        books.fork("copy")
    for where in ({"tenant": "nobody"}, {"database": "nothing"}):
        with pytest.raises(NotFoundError):
            connect(served, **where)
    assert books.get()["ids"] == ["a"]


@pytest.mark.parametrize("how", ["configuration", "metadata"])
@pytest.mark.parametrize("space", ["l2", "ip", "cosine"])
def test_distances(chroma, space, how):
    if how == "configuration":
        where = {"configuration": {"hnsw": {"space": space, "ef_search": 50, "max_neighbors": 20}}}
    else:
        where = {"metadata": {"hnsw:space": space, "hnsw:M": 20, "hnsw:search_ef": 50}}
    books = chroma.create_collection("books", **where, **NONE)
    hnsw = books.configuration_json["hnsw"]
    assert (hnsw["space"], hnsw["max_neighbors"], hnsw["ef_search"]) == (space, 20, 50)
    rows = RNG.normal(size=(200, 16)).astype(np.float32)
    books.add(ids=[f"r{n}" for n in range(200)], embeddings=rows)
    query = RNG.normal(size=16)
    found = books.query(query_embeddings=[query], n_results=7)
    if space == "l2":
        expected = ((rows - query) ** 2).sum(axis=1)
    elif space == "ip":
        expected = 1 - rows @ query
    else:
        expected = 1 - rows @ query / np.linalg.norm(rows, axis=1) / np.linalg.norm(query)
    nearest = np.argsort(expected)[:7]
    assert found["ids"] == [[f"r{n}" for n in nearest]]
    np.testing.assert_allclose(found["distances"][0], expected[nearest], rtol=1e-4, atol=1e-5)
    assert found["documents"] == [[None] * 7] and found["metadatas"] == [[None] * 7]
    assert found["embeddings"] is None


def test_records(chroma):
    books = chroma.create_collection("books", **NONE)
    assert books.get()["ids"] == [] and books.count() == 0
    assert books.query(query_embeddings=[[1, 2, 3]])["ids"] == [[]]
    books.add(
        ids=["b", "a", "c"], embeddings=[[1, 0, 0], [0, 1, 0], [0, 0, 1.5]],
        metadatas=[{"x": 1, "s": "q"}, None, {"x": 2.5, "b": True}],
        documents=["the first", "the second", "drei \U0001f600"], uris=["u1", "u2", None],
    )  # fmt: skip
    # ids that are there stay as they are
    books.add(ids=["b", "d"], embeddings=[[9, 9, 9], [1, 1, 1]], documents=["changed", "four"])
    every = ["embeddings", "metadatas", "documents", "uris"]
    got = books.get(ids=["a", "b", "c"], include=every)
    assert got["ids"] == ["a", "b", "c"]
    assert got["metadatas"] == [None, {"x": 1, "s": "q"}, {"x": 2.5, "b": True}]
    assert got["documents"] == ["the second", "the first", "drei \U0001f600"]
    assert got["uris"] == ["u2", "u1", None]
    assert got["embeddings"].tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1.5]]
    only = books.get(ids="a", include=[])
    assert only["ids"] == ["a"]
    assert [only[key] for key in every] == [None] * 4
    # updates leave out ids that are not there; metadata is merged
    books.update(ids=["b", "nobody"], metadatas=[{"y": 1, "x": None}, {"k": 1}])
    assert books.get(ids=["b"])["metadatas"] == [{"y": 1, "s": "q"}]
    assert books.get(ids=["b"], include=["uris"])["uris"] == ["u1"]
    books.update(ids=["b"], embeddings=[[0, 2, 0]], documents=["again"])
    books.upsert(ids=["b", "e"], embeddings=[[1, 1, 1], [2, 2, 2]], metadatas=[{"y": 2}, {"z": 1}])
    got = books.get(ids=["b", "e"], include=every)
    assert got["metadatas"] == [{"y": 2, "s": "q"}, {"z": 1}]
    assert got["documents"] == ["again", None] and got["embeddings"][0].tolist() == [1, 1, 1]
    books.update(ids=["e"], metadatas=[{"z": None}])
    assert books.get(ids=["e"])["metadatas"] == [None]
    assert [books.get(limit=2, offset=n)["ids"] for n in (0, 2, 4)] == [
        ["a", "b"],
        ["c", "d"],
        ["e"],
    ]
    assert books.peek(2)["ids"] == ["a", "b"] and books.count() == 5
    assert books.delete(ids=["e", "nobody"])["deleted"] == 1
    assert books.delete(where={"y": 2})["deleted"] == 1
    assert books.delete(where_document={"$contains": "e"}, limit=1)["deleted"] == 1
    assert books.count() == 2


def test_filters(chroma):
    books = chroma.create_collection("books", **NONE)
    metadatas = [
        {"n": n, "half": n / 2, "even": n % 2 == 0, "word": f"w{n % 3}", "list": [f"l{n}", "all"]}
        for n in range(12)
    ]
    del metadatas[5]["word"]
    documents = [f"document {n} on {'cats' if n < 6 else 'dogs'}" for n in range(12)]
    books.add(
        ids=[f"r{n:02}" for n in range(12)], embeddings=RNG.normal(size=(12, 4)),
        metadatas=metadatas, documents=documents,
    )  # fmt: skip

    def found(where=None, where_document=None):
        got = books.get(where=where, where_document=where_document)["ids"]
        asked = books.query(
            query_embeddings=[[1, 2, 3, 4]],
            n_results=12,
            where=where,
            where_document=where_document,
        )["ids"][0]
        assert sorted(asked) == got
        return [int(i[1:]) for i in got]

    assert found({"n": 3}) == [3] and found({"n": {"$eq": 3.0}}) == [3]
    assert found({"half": {"$gte": 5}}) == [10, 11] and found({"n": {"$lt": 2}}) == [0, 1]
    assert found({"even": True}) == [0, 2, 4, 6, 8, 10]
    assert found({"word": {"$ne": "w0"}}) == [1, 2, 4, 5, 7, 8, 10, 11]
    assert found({"word": {"$in": ["w1", "none"]}}) == [1, 4, 7, 10]
    assert found({"word": {"$nin": ["w0", "w1"]}}) == [2, 5, 8, 11]
    assert found({"$and": [{"n": {"$gt": 3}}, {"$or": [{"even": True}, {"n": 7}]}]}) == [
        4,
        6,
        7,
        8,
        10,
    ]
    assert found({"list": {"$contains": "l3"}}) == [3]
    assert found(None, {"$contains": "cats"}) == list(range(6))
    assert found(None, {"$not_contains": "cats"}) == list(range(6, 12))
    assert found({"n": {"$gt": 3}}, {"$and": [{"$contains": "cats"}, {"$regex": "[4-9] "}]}) == [
        4,
        5,
    ]
    assert found(None, {"$not_regex": "document .. "}) == list(range(10))
    only = books.query(query_embeddings=[[1, 2, 3, 4]], ids=["r03", "nobody"], n_results=5)
    assert only["ids"] == [["r03"]]


def test_nasty_texts(chroma, served):
    """SQL's and other languages' marks are texts like others, wherever they stand."""
    books = chroma.create_collection("books", metadata={text: text for text in NASTY}, **NONE)
    assert chroma.get_collection("books", **NONE).metadata == {text: text for text in NASTY}
    books.add(
        ids=NASTY, embeddings=RNG.normal(size=(len(NASTY), 4)), documents=NASTY, uris=NASTY,
        metadatas=[{text: text} for text in NASTY],
    )  # fmt: skip
    for text in NASTY:
        got = books.get(ids=[text], include=["documents", "metadatas", "uris"])
        assert (got["ids"], got["documents"], got["uris"]) == ([text],) * 3
        assert got["metadatas"] == [{text: text}]
        assert books.get(where_document={"$contains": text})["ids"].count(text) == 1
        if not text.startswith("$"):
            assert books.get(where={text: text})["ids"] == [text]
    for text in NASTY[:-1]:
        with pytest.raises((ChromaError, ValueError)):
            chroma.create_collection(text, **NONE)
        with pytest.raises((ChromaError, ValueError)):
            connect(served, tenant=text)
    assert books.count() == len(NASTY)
    books.delete(ids=NASTY)
    assert books.count() == 0


def test_tenants(chroma, served):
    admin, name = admin_of(served), "t" + uuid.uuid4().hex
    admin.create_tenant(name)
    assert admin.get_tenant(name)["name"] == name
    with pytest.raises(UniqueConstraintError):
        admin.create_tenant(name)
    admin.create_database("numbers", tenant=name)
    with pytest.raises(UniqueConstraintError):
        admin.create_database("numbers", tenant=name)
    with pytest.raises(NotFoundError):
        admin.create_database("numbers", tenant="nobody")
    assert admin.get_database("numbers", tenant=name)["name"] == "numbers"
    names = [d["name"] for d in admin.list_databases(tenant=name)]
    assert names == ["default_database", "numbers"]
    assert [d["name"] for d in admin.list_databases(tenant=name, limit=1, offset=1)] == ["numbers"]
    inside = connect(served, tenant=name, database="numbers")
    books = inside.create_collection("books", **NONE)
    books.add(ids=["a"], embeddings=[[1, 2]])
    # the same name in another place is another collection
    outside = chroma.create_collection("books", **NONE)
    outside.add(ids=["b"], embeddings=[[1, 2, 3]])
    assert books.get()["ids"] == ["a"] and outside.get()["ids"] == ["b"]
    # nor does its id lead anywhere from there
    base = f"{served.url}/api/v2/tenants"
    foreign = f"{base}/default_tenant/databases/default_database/collections/{books.id}"
    assert httpx.get(f"{foreign}/count").status_code == 404
    admin.delete_database("numbers", tenant=name)
    with pytest.raises(NotFoundError):
        admin.get_database("numbers", tenant=name)
    with pytest.raises(NotFoundError):
        books.count()


def test_changed_elsewhere(chroma, served):
    """What others do to a collection is seen: a write never goes to another of its name."""
    books = chroma.create_collection("books", **NONE)
    books.add(ids=["a"], embeddings=[[1, 2]])
    assert books.query(query_embeddings=[[1, 2]])["ids"] == [["a"]]
    with nanovec.connect(served.dsn) as client:
        client.get_collection("books").rename("old")
        client.create_collection("books")
        books.add(ids=["b"], embeddings=[[2, 1]])
        assert client.get_collection("old").count() == 2
        assert client.get_collection("books").count() == 0
        client.drop_collection("old")
    with pytest.raises(NotFoundError):
        books.add(ids=["c"], embeddings=[[2, 1]])


def test_large_batches(chroma):
    """A batch of the largest size, and one row more."""
    books = chroma.create_collection("books", **NONE)
    most = chroma.get_max_batch_size()
    rows = RNG.normal(size=(most + 1, 64)).astype(np.float32)
    ids = [f"r{n:05}" for n in range(most + 1)]
    with pytest.raises(Exception, match="batch size"):
        books.add(ids=ids, embeddings=rows)
    books.add(ids=ids[:most], embeddings=rows[:most], documents=[f"d{i}" for i in ids[:most]])
    assert books.count() == most
    got = books.get(include=["embeddings"])
    assert got["ids"] == ids[:most] and (got["embeddings"].astype(np.float32) == rows[:most]).all()
    found = books.query(query_embeddings=rows[:20], n_results=1)
    assert [i[0] for i in found["ids"]] == ids[:20]


async def test_asyncio(chroma, served):
    client = await chromadb.AsyncHttpClient("127.0.0.1", served.port, settings=Settings(**QUIET))
    books = await client.create_collection("books", **NONE)
    await books.add(ids=["a", "b"], embeddings=[[1, 0], [0, 1]], documents=["x", "y"])
    await books.upsert(ids=["b"], embeddings=[[0, 2]], metadatas=[{"n": 1}])
    found = await books.query(query_embeddings=[[0, 1]], n_results=1, where={"n": 1})
    assert found["ids"] == [["b"]] and found["documents"] == [["y"]]
    assert (await books.get())["ids"] == ["a", "b"] and await books.count() == 2
    await books.delete(ids=["a"])
    assert await client.count_collections() == 1
    with pytest.raises(NotFoundError):
        await client.get_collection("nothing", **NONE)


def test_tokens(embedded, start_server):
    """Both headers that Chroma's clients can send."""
    token = "a-token-of-some-length"
    server = start_server("--dsn", embedded, environment={"NANOVEC_TOKEN": token})
    provider = "chromadb.auth.token_authn.TokenAuthClientProvider"
    for header in ("Authorization", "X-Chroma-Token"):
        settings = Settings(
            chroma_client_auth_provider=provider, chroma_client_auth_credentials=token,
            chroma_auth_token_transport_header=header, **QUIET,
        )  # fmt: skip
        client = chromadb.HttpClient("127.0.0.1", server.port, settings=settings)
        assert client.heartbeat() > 0 and client.count_collections() >= 0
    with pytest.raises(AuthorizationError):
        connect(server)
    assert token not in server.log.read_text()


def test_javascript(chroma, served):
    """Chroma's client for JavaScript; NANOVEC_NPM is where it is installed."""
    where = os.environ.get("NANOVEC_NPM")
    if where is None:
        pytest.skip("NANOVEC_NPM is not set")
    program = Path(where) / "chroma.mjs"
    shutil.copy(Path(__file__).parent / "npm" / "chroma.mjs", program)
    done = subprocess.run(
        ["node", program, str(served.port)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0 and done.stdout == "ok\n", done.stdout + done.stderr


class Letters(Embeddings):
    """Counts letters: no model is needed."""

    def embed_query(self, text):
        return [float(text.lower().count(letter)) for letter in "abcdefgh"]

    def embed_documents(self, texts):
        return [self.embed_query(text) for text in texts]


def test_langchain(chroma):
    """LangChain's store for Chroma."""
    store = Chroma("books", Letters(), client=chroma, collection_metadata={"hnsw:space": "cosine"})
    texts = ["abba", "cafe face", "high"]
    documents = [Document(page_content=t, metadata={"n": n}) for n, t in enumerate(texts)]
    store.add_documents(documents, ids=["1", "2", "3"])
    found = store.similarity_search_with_score("bab", k=2)
    assert [(d.id, d.page_content, d.metadata) for d, _ in found] == [
        ("1", "abba", {"n": 0}), ("2", "cafe face", {"n": 1}),
    ]  # fmt: skip
    assert store.similarity_search("abba", k=1, filter={"n": {"$gt": 0}})[0].id == "2"
    assert len(store.max_marginal_relevance_search("abc", k=2)) == 2
    store.update_document("3", Document(page_content="hedge", metadata={"n": 4}))
    assert store.get(where={"n": 4})["documents"] == ["hedge"]
    store.delete(["1"])
    assert store.as_retriever(search_kwargs={"k": 1}).invoke("face")[0].id == "2"
    store.delete_collection()
    assert chroma.count_collections() == 0


def test_llamaindex(chroma):
    """LlamaIndex's store for Chroma."""
    books = chroma.create_collection("books", metadata={"hnsw:space": "cosine"}, **NONE)
    store = ChromaVectorStore(chroma_collection=books)
    texts = ["About cats", "About dogs", "About fish"]
    vectors = np.eye(3)
    nodes = [
        TextNode(id_=f"n{n}", text=text, embedding=vectors[n].tolist(), metadata={"n": n})
        for n, text in enumerate(texts)
    ]
    assert store.add(nodes) == ["n0", "n1", "n2"]
    asked = {"query_embedding": [1.0, 0.1, 0.0], "similarity_top_k": 2}
    found = store.query(VectorStoreQuery(**asked))
    assert found.ids == ["n0", "n1"] and [n.text for n in found.nodes] == texts[:2]
    only = MetadataFilters(filters=[MetadataFilter(key="n", value=1, operator=FilterOperator.GTE)])
    assert store.query(VectorStoreQuery(**asked, filters=only)).ids == ["n1", "n2"]
    assert [n.text for n in store.get_nodes(["n2"])] == texts[2:]
    store.delete_nodes(["n0"])
    assert books.count() == 2


def test_thin_client(chroma, served):
    """The package chromadb-client, of the same name as chromadb: in a process of its own."""
    where = os.environ.get("NANOVEC_CHROMADB_CLIENT")
    if where is None:
        pytest.skip("NANOVEC_CHROMADB_CLIENT is not set")
    code = """
import asyncio, sys, chromadb
assert chromadb.is_thin_client
where = {"host": "127.0.0.1", "port": int(sys.argv[1])}
none = {"embedding_function": None}
books = chromadb.HttpClient(**where).create_collection("books", **none)
books.add(ids=["a", "b"], embeddings=[[1, 0], [0, 1]], documents=["x", "y"], metadatas=[{"n": 1}, {"n": 2}])
books.update(ids=["b"], metadatas=[{"k": 3}])
assert books.query(query_embeddings=[[1, 0]], n_results=1, where={"n": {"$gt": 1}})["metadatas"] == [[{"n": 2, "k": 3}]]
async def main():
    client = await chromadb.AsyncHttpClient(**where)
    books = await client.get_collection("books", **none)
    await books.delete(ids=["a"])
    assert (await books.get())["ids"] == ["b"]
    try:
        await client.get_collection("nothing", **none)
    except chromadb.errors.NotFoundError:
        print("ok")
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(served.port)], capture_output=True, text=True,
        check=False, timeout=60, env=os.environ | {"PYTHONPATH": where},
    )  # fmt: skip
    assert done.returncode == 0 and done.stdout == "ok\n", done.stdout + done.stderr
