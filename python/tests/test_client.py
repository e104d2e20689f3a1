"""Client and Collection, on the embedded server and on Debian's."""

import threading

import numpy as np
import psycopg
import pytest

import nanovec

RNG = np.random.default_rng(1)


def exact(rows, query, metric):
    if metric == "l2":
        return ((rows - query) ** 2).sum(axis=1)
    if metric == "ip":
        return 1 - rows @ query
    if metric == "l1":
        return np.abs(rows - query).sum(axis=1)
    return 1 - rows @ query / np.linalg.norm(rows, axis=1) / np.linalg.norm(query)


def test_rows_in_and_out(client):
    books = client.create_collection("books", metadata={"of": "a test"})
    assert books.info.dimension is None and books.info.metadata == {"of": "a test"}
    assert books.query([1, 2], k=3).ids == [[]]
    vectors = RNG.normal(size=(3, 4)).astype(np.float32)
    assert (
        books.add(["a", "b", "c"], vectors, ["one", None, "drei \U0001f600"], [{"n": 1}, None, {}])
        == 3
    )
    assert books.info.dimension == 4
    got = books.get(include=["documents", "metadatas", "embeddings"])
    assert got.ids == ["a", "b", "c"] and got.documents == ["one", None, "drei \U0001f600"]
    assert got.metadatas == [{"n": 1}, {}, {}]
    assert got.embeddings.dtype == np.float32 and (got.embeddings == vectors).all()
    # what is there stays; upsert and update change it
    assert books.add(["c", "d"], vectors[:2], ["x", "four"]) == 1
    assert books.get(["c"]).documents == ["drei \U0001f600"]
    assert books.upsert(["a", "e"], vectors[1:], [None, "five"], [{"m": 2.5}, {"n": None}]) == 2
    assert books.get(["a"]).metadatas == [{"n": 1, "m": 2.5}]
    assert books.get(["a"]).documents == ["one"]
    assert books.update(["a", "nobody"], metadatas=[{"n": None}, {"x": 1}]) == 1
    assert books.get(["a"]).metadatas == [{"m": 2.5}]
    assert books.count() == 5 and books.count(where={"m": {"$gt": 2}}) == 1
    assert [len(books.get(limit=2, offset=n)) for n in (0, 2, 4)] == [2, 2, 1]
    assert (
        books.delete(["a", "nobody"]) == 1
        and books.delete(where_document={"$contains": "fiv"}) == 1
    )
    assert sorted(books.peek().ids) == ["b", "c", "d"]
    books.rename("papers")
    books.set_metadata({"k": [1]})
    assert [c.name for c in client.list_collections()] == ["papers"]
    assert client.get_collection("papers").info.metadata == {"k": [1]}
    assert client.create_collection("papers", get_or_create=True).count() == 3
    client.drop_collection("papers")
    assert client.list_collections() == []


@pytest.mark.parametrize("metric", ["cosine", "l2", "ip", "l1"])
@pytest.mark.parametrize("kind", ["vector", "halfvec"])
def test_distances(client, metric, kind):
    rows = RNG.normal(size=(600, 8)).astype(np.float32)
    if kind == "halfvec":
        rows = rows.astype(np.float16).astype(np.float32)
    c = client.create_collection("c", 8, metric=metric, type=kind)
    assert c.add([f"r{i}" for i in range(600)], rows) == 600
    queries = rows[:3] + np.float32(0.25)
    result = c.query(queries, k=5, include=["embeddings"])
    for query, ids, distances, found in zip(
        queries, result.ids, result.distances, result.embeddings, strict=True
    ):
        truth = exact(rows.astype(float), query.astype(float), metric)
        assert ids == [f"r{i}" for i in np.argsort(truth)[:5]]
        tolerance = 0.01 if kind == "halfvec" else 1e-4
        np.testing.assert_allclose(distances, np.sort(truth)[:5], atol=tolerance, rtol=tolerance)
        assert (found == rows[[int(i[1:]) for i in ids]]).all()
    assert result.documents is None
    cut = float(result.distances[0][2])
    assert len(c.query(queries[0], k=5, threshold=cut).ids[0]) == 3


def test_filters_find_all_of_few(client):
    rows = RNG.normal(size=(5000, 8)).astype(np.float32)
    c = client.create_collection("c", 8, schema={"n": "int"}, promote=["n"])
    c.add(
        [str(i) for i in range(5000)],
        rows,
        metadatas=[{"n": i, "rare": i % 1000} for i in range(5000)],
    )
    for where in ({"rare": 7}, {"n": {"$in": [7, 1007, 2007, 3007, 4007]}}):
        for options in (None, {"ef_search": 20}):
            result = c.query(rows[0], k=10, where=where, options=options)
            assert sorted(result.ids[0]) == ["1007", "2007", "3007", "4007", "7"]
    assert len(c.query(rows[0], k=3000).ids[0]) == 3000
    # settings of a search are that search's
    with client.connection() as conn:
        assert conn.execute("SHOW enable_indexscan").fetchone() == ("on",)
        assert conn.execute("SHOW hnsw.ef_search").fetchone() == ("40",)


def test_index_and_batches(client):
    rows = RNG.normal(size=(2000, 16)).astype(np.float32)
    c = client.create_collection("c", 16, index={"type": "ivf", "n_clusters": 20, "n_probe": 20})
    with c.batch():
        assert client.get_collection("c").info.vector_index is None
        c.add([str(i) for i in range(2000)], rows)
    assert c.refresh().vector_index is not None
    assert c.recall(10).recall == 1.0
    c.rebuild({"type": "hnsw", "ef_search": 100})
    assert c.stats()["vector_index"]["info"]["rows"] == "2000"
    assert c.recall(20).recall > 0.9
    assert c.query(rows[5], k=1).ids == [["5"]]
    # one that somebody left open
    with client.connection() as conn:
        conn.execute("SELECT nanovec.batch_begin('c')")
    assert c.refresh().batches == 1
    c.end_batches()
    assert c.refresh().batches == 0 and c.info.vector_index is not None


def test_hybrid(client):
    c = client.create_collection("c", 2, text_search="english")
    c.add(["a", "b", "c"], [[1, 0], [0, 1], [1, 1]], ["running dogs", "a cat", None])
    result = c.hybrid([0, 1], "dog", k=2)
    assert (
        result.ids[0] == "a" and result.text_ranks[0] == 1 and result.documents[0] == "running dogs"
    )
    with pytest.raises(nanovec.InvalidArgumentError, match="text search"):
        client.create_collection("d", 2).hybrid([0, 1], "dog")


def test_what_is_wrong_is_said(client):
    c = client.create_collection("c", 2, schema={"n": {"type": "int", "required": True}})
    cases = [
        (lambda: client.get_collection("x"), nanovec.NotFoundError, '"x" does not exist'),
        (lambda: client.create_collection("c"), nanovec.AlreadyExistsError, "already exists"),
        (lambda: client.create_collection("d", metric="dot"), nanovec.InvalidArgumentError, "dot"),
        (
            lambda: client.create_collection("d", 2, text_search="klingon"),
            nanovec.NanovecError,
            "klingon",
        ),
        (lambda: c.add([], []), nanovec.InvalidArgumentError, "no ids"),
        (lambda: c.add("ab", [[1, 2], [1, 2]]), nanovec.InvalidArgumentError, "list of texts"),
        (lambda: c.add(["a", "a"], [[1, 2], [1, 2]]), nanovec.InvalidArgumentError, "twice"),
        (lambda: c.add(["a"], [[1, 2], [1, 2]]), nanovec.InvalidArgumentError, "1 ids, but 2"),
        (lambda: c.add(["a"], [[1, 2, 3]]), nanovec.InvalidArgumentError, "2 dimensions"),
        (lambda: c.add(["a"], [[1, float("nan")]]), nanovec.InvalidArgumentError, "not finite"),
        (lambda: c.add(["a"], [["x", "y"]]), nanovec.InvalidArgumentError, "embeddings"),
        (lambda: c.add(["a\0"], [[1, 2]]), nanovec.InvalidArgumentError, "NUL"),
        (lambda: c.add([3], [[1, 2]]), nanovec.InvalidArgumentError, "must be a text"),
        (lambda: c.add(["a"], [[1, 2]]), nanovec.InvalidArgumentError, '"n" is required'),
        (
            lambda: c.add(["a"], [[1, 2]], metadatas=[{"n": object()}]),
            nanovec.InvalidArgumentError,
            "JSON",
        ),
        (
            lambda: c.add(["a"], [[1, 2]], documents=["x", "y"]),
            nanovec.InvalidArgumentError,
            "documents",
        ),
        (lambda: c.query([1, 2, 3]), nanovec.InvalidArgumentError, "2 dimensions"),
        (lambda: c.query([1, 2], k=0), nanovec.InvalidArgumentError, "k must"),
        (lambda: c.query([1, 2], where={"a": {"$like": 1}}), nanovec.InvalidArgumentError, "like"),
        (
            lambda: c.query([1, 2], where_document={"$regex": "("}),
            nanovec.InvalidArgumentError,
            "regular",
        ),
        (lambda: c.query([1, 2], include=["x"]), nanovec.InvalidArgumentError, "include"),
        (lambda: c.query([1, 2], options={"x": 1}), nanovec.InvalidArgumentError, "options"),
        (c.delete, nanovec.InvalidArgumentError, "which rows"),
        (lambda: client.drop_collection("x"), nanovec.NotFoundError, "x"),
    ]
    for action, kind, text in cases:
        with pytest.raises(kind, match=text):
            action()
    assert c.count() == 0
    # all rows of a call, or none
    many = [{"n": i} for i in range(999)] + [{"n": "x"}]
    with pytest.raises(nanovec.InvalidArgumentError, match="type int"):
        c.add([str(i) for i in range(1000)], RNG.normal(size=(1000, 2)), metadatas=many)
    assert c.count() == 0
    assert (
        c.add(
            [str(i) for i in range(1000)],
            RNG.normal(size=(1000, 2)),
            metadatas=[{"n": i} for i in range(1000)],
        )
        == 1000
    )
    # large batches skip those that are there, as small ones do
    more = [{"n": i} for i in range(1500)]
    assert c.add([str(i) for i in range(1500)], RNG.normal(size=(1500, 2)), metadatas=more) == 500


def test_a_collection_that_changed(client):
    c = client.create_collection("c", 2)
    c.add(["a"], [[1, 2]])
    assert c.query([1, 2]).ids == [["a"]]
    client.drop_collection("c")
    with pytest.raises(nanovec.NotFoundError):
        c.query([1, 2])
    client.create_collection("c", 2, schema={"n": "int"}, promote=["n"])
    c.add(["b"], [[1, 2]], metadatas=[{"n": 1}])
    assert c.query([1, 2], where={"n": 1}).ids == [["b"]]
    with client.connection() as conn:
        conn.execute("ALTER TABLE c RENAME TO elsewhere")
    assert c.query([1, 2], where={"n": 1}).ids == [["b"]]


def test_many_threads(client):
    c = client.create_collection("c", 4)
    failures = []

    def work(t):
        try:
            for i in range(20):
                c.add([f"{t}-{i}"], RNG.normal(size=(1, 4)))
                c.query(np.ones(4), k=3)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(t,)) for t in range(12)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not failures and c.count() == 240


def test_one_connection_will_do(dsn):
    """Who asks one thing after another uses one process of PostgreSQL's."""
    with nanovec.connect(dsn) as client:
        c = client.create_collection("c", 2)
        for _ in range(5):
            c.query([1, 2])
        with client.connection() as conn:
            count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            assert conn.execute(count).fetchone() == (1,)


def test_tenants(dsn):
    with nanovec.connect(dsn) as admin, admin.connection() as conn:
        name = "role_" + dsn.split("dbname=")[1].split()[0]
        conn.execute(f"CREATE ROLE {name} LOGIN")
        conn.execute(f"CREATE SCHEMA s AUTHORIZATION {name}")
        admin.create_tenant("acme", name, "s")
        with nanovec.connect(dsn, tenant="acme") as acme:
            acme.create_collection("docs", 2).add(["a"], [[1, 2]])
            assert acme.get_collection("docs").info.owner == name
            acme.create_database("second")
        with nanovec.connect(dsn) as default, pytest.raises(nanovec.NotFoundError):
            default.get_collection("docs")
        other = name + "_other"
        conn.execute(f"CREATE ROLE {other} LOGIN")
        as_other = psycopg.conninfo.make_conninfo(dsn, user=other)
        with nanovec.connect(as_other, tenant="acme") as stranger:
            assert stranger.list_collections() == []
            with pytest.raises(nanovec.NotFoundError):
                stranger.get_collection("docs")
        as_acme = psycopg.conninfo.make_conninfo(dsn, user=name)
        with nanovec.connect(as_acme, tenant="acme") as acme:
            assert acme.get_collection("docs").query([1, 2]).ids == [["a"]]
            acme.drop_collection("docs")
        conn.execute(f"DROP OWNED BY {name}, {other}")
        conn.execute(
            f"UPDATE nanovec.tenants SET owner = current_user::regrole; DROP ROLE {name}, {other}"
        )


async def test_async(dsn):
    async with await nanovec.connect_async(dsn) as client:
        c = await client.create_collection("c")
        rows = RNG.normal(size=(800, 4)).astype(np.float32)
        async with c.batch():
            assert (
                await c.add(
                    [str(i) for i in range(800)], rows, metadatas=[{"n": i} for i in range(800)]
                )
                == 800
            )
        assert (await c.query(rows[:2], k=1)).ids == [["0"], ["1"]]
        assert (await c.query(rows[3], k=2, where={"n": 3}, options={"ef_search": 50})).ids == [
            ["3"]
        ]
        assert await c.upsert(["0"], rows[1:2]) == 1 and await c.update(["0"], documents=["x"]) == 1
        assert (await c.get(["0"])).documents == ["x"]
        assert (await c.peek(3)).embeddings.shape == (3, 4)
        assert await c.delete(["0"]) == 1 and await c.count() == 799
        await c.rebuild({"type": "ivf"})
        assert (await c.recall(5)).asked == 5 and (await c.stats())["rows"] == 799
        await c.rename("d")
        await c.set_metadata({"x": 1})
        assert [i.name for i in await client.list_collections()] == ["d"]
        with pytest.raises(nanovec.InvalidArgumentError):
            await c.hybrid(rows[0], "x")
        assert (await (await client.get_collection("d")).refresh()).metadata == {"x": 1}
        await client.drop_collection("d")


def test_a_server_that_is_not_there():
    with pytest.raises(nanovec.ServerError):
        nanovec.connect("host=/nonexistent dbname=x")
    with pytest.raises(nanovec.ServerError):
        nanovec.connect("this is no dsn")


def test_by_ids(client):
    books = client.create_collection("books", index={"type": "hnsw", "ef_search": 50})
    vectors = RNG.normal(size=(300, 4)).astype(np.float32)
    books.add([f"r{n}" for n in range(300)], vectors, metadatas=[{"n": n} for n in range(300)])
    among = [f"r{n}" for n in range(0, 300, 30)]
    order = np.argsort(exact(vectors[::30], vectors[7], "cosine"))
    found = books.query(vectors[7], k=20, ids=[*among, "nobody"])
    assert found.ids == [[among[n] for n in order]]
    few = books.query(vectors[:2], k=3, ids=among, where={"n": {"$lt": 31}})
    assert [sorted(ids) for ids in few.ids] == [["r0", "r30"]] * 2
    assert books.query(vectors[7], k=3, ids=[]).ids == [[]]
    books.set_search_options({"ef_search": 70})
    assert books.info.index == {"type": "hnsw", "ef_search": 70}
    for wrong in ({"m": 8}, {"n_probe": 3}, {"ef_search": "x"}):
        with pytest.raises(nanovec.InvalidArgumentError):
            books.set_search_options(wrong)
    for wrong in ([[1, 2], [1]], [["1", "2", "3", "4"]], [[1, 2, 3, 1e39]], "abcd", None, [[{}]]):
        with pytest.raises(nanovec.InvalidArgumentError):
            books.query(wrong)
        with pytest.raises(nanovec.InvalidArgumentError):
            books.add(["a"], wrong)


def test_places(client):
    client.create_database("other")
    assert client.list_databases() == ["default_database", "other"]
    there = nanovec.connect(client.dsn, database="other")
    made = [there.create_collection(f"c{n}") for n in range(3)]
    assert there.count_collections() == 3 and client.count_collections() == 0
    assert [c.name for c in there.list_collections(limit=1, offset=1)] == ["c1"]
    assert there.get_collection_by_id(made[2].info.id).name == "c2"
    with pytest.raises(nanovec.NotFoundError):
        client.get_collection_by_id(made[2].info.id)
    with pytest.raises(nanovec.InvalidArgumentError, match="has collections"):
        client.drop_database("other")
    client.create_tenant("acme")
    with nanovec.connect(client.dsn, tenant="acme") as acme:
        acme.create_collection("books")
    with (
        client.connection() as conn,
        pytest.raises(psycopg.errors.DependentObjectsStillExist, match="has collections"),
    ):
        conn.execute("SELECT nanovec.drop_tenant('acme')")
    client.drop_database("other", cascade=True)
    assert client.list_databases() == ["default_database"]
    there.close()
    with (
        nanovec.connect(client.dsn, tenant="nobody") as nobody,
        pytest.raises(nanovec.NotFoundError),
    ):
        nobody.list_databases()
