"""`nanovec serve`: our own API, who may use it, limits, hostile input."""

import base64
import http.client
import json
import os
import socket
import subprocess
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import psycopg
import pyarrow as pa
import pytest
from api_calls import RNG, call, eventually, make

from nanovec.errors import InvalidArgumentError
from nanovec.server import ServerOptions

ARROW = {"Content-Type": "application/vnd.apache.arrow.stream"}
BYTES = {"Content-Type": "application/octet-stream"}
TOKEN = "a-token-of-some-length"


# -- the API


def test_collections(api):
    wanted = {
        "name": "papers", "dimension": 3, "metric": "l2", "index": {"type": "hnsw", "ef_search": 60},
        "metadata_schema": {"year": {"type": "int", "required": True}}, "promote": ["year"],
        "text_search": "english", "metadata": {"of": "a test"}, "type": "halfvec",
    }  # fmt: skip
    made = call(api, "POST", "/v1/collections", 201, json=wanted)
    for key in ("name", "dimension", "metric", "index", "metadata", "type"):
        assert made[key] == wanted[key]
    assert call(api, "GET", "/v1/collections/papers") == made
    assert "exists" in call(api, "POST", "/v1/collections", 409, json=wanted)
    again = call(api, "POST", "/v1/collections", 201, json=wanted | {"get_or_create": True})
    assert again["id"] == made["id"]
    call(api, "POST", "/v1/collections", 201, json={"name": "notes"})
    names = [c["name"] for c in call(api, "GET", "/v1/collections")]
    assert names == ["notes", "papers"]
    assert len(call(api, "GET", "/v1/collections?limit=1&offset=1")) == 1
    changes = {"name": "essays", "metadata": {"k": 1}, "search_options": {"ef_search": 80}}
    changed = call(api, "PATCH", "/v1/collections/papers", json=changes)
    assert (changed["name"], changed["metadata"]) == ("essays", {"k": 1})
    assert changed["index"]["ef_search"] == 80
    assert "required" in call(
        api,
        "POST",
        "/v1/collections/essays/add",
        400,
        json={"ids": ["a"], "embeddings": [[1, 2, 3]]},
    )
    call(api, "DELETE", "/v1/collections/essays", 204)
    assert "does not exist" in call(api, "DELETE", "/v1/collections/essays", 404)
    assert "tenant" in call(api, "POST", "/v1/collections?tenant=nobody", 404, json={"name": "x"})


def test_rows(api):
    vectors = make(api, rows=10)
    books = "/v1/collections/books"
    body = {"ids": ["r00001", "new"], "embeddings": [[0, 0, 0, 1]] * 2}
    assert call(api, "POST", f"{books}/add", json=body) == {"rows": 1}
    assert call(api, "POST", f"{books}/upsert", json=body | {"metadatas": [{"n": 50}, None]}) == {
        "rows": 2
    }
    packed = [base64.b64encode(v.astype("<f4").tobytes()).decode() for v in vectors[:2]]
    assert call(
        api, "POST", f"{books}/upsert", json={"ids": ["r00000", "r00001"], "embeddings": packed}
    ) == {"rows": 2}
    body = {"ids": ["new", "nobody"], "documents": ["x", "y"], "metadatas": [{"n": 60}, None]}
    assert call(api, "POST", f"{books}/update", json=body) == {"rows": 1}
    got = call(
        api,
        "POST",
        f"{books}/get",
        json={"ids": ["new", "r00001"], "include": ["embeddings", "metadatas", "documents"]},
    )
    assert got["ids"] == ["new", "r00001"] and got["metadatas"] == [{"n": 60}, {"n": 50}]
    np.testing.assert_array_equal(np.float32(got["embeddings"]), [[0, 0, 0, 1], vectors[1]])
    got = call(
        api, "POST", f"{books}/get", json={"where": {"n": {"$lt": 5}}, "limit": 2, "offset": 1}
    )
    assert got["ids"] == ["r00002", "r00003"] and got["embeddings"] is None
    assert call(api, "POST", f"{books}/count", json={"where_document": {"$contains": "row"}}) == {
        "rows": 10
    }
    assert call(api, "POST", f"{books}/delete", json={"ids": ["new"]}) == {"rows": 1}
    assert call(api, "POST", f"{books}/delete", json={"where": {"n": {"$gte": 5}}}) == {"rows": 6}
    call(api, "POST", f"{books}/delete", 400, json={})


def test_search(api):
    vectors = make(api, rows=500, text_search="english", metric="l2")
    books = "/v1/collections/books"
    query = RNG.normal(size=(2, 4)).astype("<f4")
    distances = ((vectors[None] - query[:, None]) ** 2).sum(axis=2)
    nearest = [[f"r{n:05}" for n in np.argsort(d)[:5]] for d in distances]
    body = {"embeddings": query.tolist(), "k": 5, "include": ["embeddings"]}
    found = call(api, "POST", f"{books}/query", json=body)
    assert found["ids"] == nearest and found["documents"] is None
    np.testing.assert_allclose(found["distances"], np.sort(distances)[:, :5], rtol=1e-4)
    assert np.shape(found["embeddings"]) == (2, 5, 4)
    assert (
        call(api, "POST", f"{books}/query/binary?k=5", content=query.tobytes(), headers=BYTES)[
            "ids"
        ]
        == nearest
    )
    where = json.dumps({"n": {"$lt": 3}})
    few = call(api, "POST", f"{books}/query/binary", content=query.tobytes(), headers=BYTES,
               params={"where": where, "include": ["metadatas"]})  # fmt: skip
    assert [sorted(ids) for ids in few["ids"]] == [["r00000", "r00001", "r00002"]] * 2
    assert {m["n"] for m in few["metadatas"][0]} == {0, 1, 2}
    some = call(
        api,
        "POST",
        f"{books}/query",
        json=body | {"ids": ["r00007"], "options": {"ef_search": 100}},
    )
    assert some["ids"] == [["r00007"]] * 2
    none = call(api, "POST", f"{books}/query", json=body | {"threshold": -1})
    assert none["ids"] == [[], []]
    fused = call(
        api, "POST", f"{books}/hybrid", json={"embedding": query[0].tolist(), "text": "77", "k": 3}
    )
    assert "r00077" in fused["ids"] and len(fused["scores"]) == 3
    assert call(api, "POST", f"{books}/recall", json={"queries": 10})["recall"] > 0.9


def test_arrow(api):
    make(api, "books", dimension=8)
    vectors = RNG.normal(size=(1500, 8)).astype(np.float32)
    ids = [f"r{n:05}" for n in range(1500)]
    table = pa.table(
        {
            "id": ids,
            "embedding": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), 8),
            "document": [None if n % 2 else f"row {n}" for n in range(1500)],
            "metadata": [None if n % 3 else json.dumps({"n": n}) for n in range(1500)],
        }
    )

    def stream(table, **options):
        sink = pa.BufferOutputStream()
        options = pa.ipc.IpcWriteOptions(**options)
        with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
            writer.write_table(table)
        return sink.getvalue().to_pybytes()

    books = "/v1/collections/books"
    data = stream(table)
    assert call(api, "POST", f"{books}/add/arrow", content=data, headers=ARROW) == {"rows": 1500}
    assert call(api, "POST", f"{books}/add/arrow", content=data, headers=ARROW) == {"rows": 0}
    assert call(api, "POST", f"{books}/upsert/arrow", content=data, headers=ARROW) == {"rows": 1500}
    got = call(
        api,
        "POST",
        f"{books}/get",
        json={"ids": ids[2:4], "include": ["embeddings", "documents", "metadatas"]},
    )
    np.testing.assert_array_equal(np.float32(got["embeddings"]), vectors[2:4])
    assert got["documents"] == ["row 2", None] and got["metadatas"] == [{}, {"n": 3}]
    wrong = [
        b"", b"x" * 100, data[:1000], data[:-2000],
        stream(table.drop_columns(["id"])), stream(table.drop_columns(["embedding"])),
        stream(table.set_column(1, "embedding", [ids])),
        stream(table.set_column(1, "embedding", [[[1.0]] * 1500])),
        stream(table, compression="zstd"),
        stream(table.set_column(2, "document", table.column("document").dictionary_encode())),
        stream(table.set_column(3, "metadata", [["{"] * 1500])),
        stream(table.set_column(3, "metadata", [["{}, {}"] * 1500])),
        stream(table.set_column(3, "metadata", [["1"] * 1500])),
        stream(table.set_column(0, "id", [[None] * 1500])),
    ]  # fmt: skip
    for content in wrong:
        call(api, "POST", f"{books}/add/arrow", 400, content=content, headers=ARROW)
    # bytes within a stream, one after another
    for n in range(0, len(data) // 4, 499):
        damaged = bytearray(data)
        damaged[n] ^= 0xFF
        status = api.post(f"{books}/add/arrow", content=bytes(damaged), headers=ARROW).status_code
        assert status in (200, 400, 413)


def test_index(api):
    make(api, rows=300)
    books = "/v1/collections/books"
    call(api, "POST", f"{books}/batch/begin", 204)
    assert call(api, "GET", f"{books}/stats")["vector_index"] is None
    call(api, "POST", f"{books}/batch/begin", 204)
    call(api, "POST", f"{books}/batch/end?all_batches=true", 204)
    assert "batch" in call(api, "POST", f"{books}/batch/end", 400)
    rebuilt = call(
        api, "POST", f"{books}/rebuild", json={"index": {"type": "ivf", "n_clusters": 5}}
    )
    assert rebuilt["index"]["type"] == "ivf"
    stats = call(api, "GET", f"{books}/stats")
    assert stats["rows"] == 300 and "ivf" in stats["vector_index"]["definition"]
    text = api.get("/metrics").text
    assert 'nanovec_collection_index_bytes{collection="books"' in text
    assert 'route="/v1/collections/{name}/rebuild",status="200"' in text
    assert "nanovec_database_up 1.0" in text and "nanovec_pool_connections" in text


def test_first_load(api, served):
    """A load gets its index afterwards, and is searched exactly until then; others do not."""
    books = "/v1/collections/books"

    def loading():
        return call(api, "GET", books)["loading"]

    def has_index():
        return call(api, "GET", f"{books}/stats")["vector_index"] is not None

    make(api, rows=100)
    assert not loading() and has_index()
    vectors = RNG.normal(size=(4000, 4)).astype(np.float32)

    def load(begin, rows, how="add"):
        part = range(begin, begin + rows)
        body = {"ids": [f"l{n}" for n in part], "embeddings": vectors[part].tolist()}
        assert call(api, "POST", f"{books}/{how}", json=body) == {"rows": rows}

    load(0, 1000)
    assert loading() and not has_index()
    load(1000, 1000, "upsert")
    body = {"embeddings": [vectors[1500].tolist()], "k": 1, "include": []}
    assert call(api, "POST", f"{books}/query", json=body)["ids"] == [["l1500"]]
    eventually(lambda: not loading())
    assert has_index()
    # too few rows beside those that are there: inserts take less time
    load(2000, 600)
    assert not loading() and has_index()
    # a batch of one's own is left alone, and so is a collection that needs no index
    call(api, "POST", f"{books}/batch/begin", 204)
    load(2600, 1400)
    assert not loading()
    call(api, "POST", f"{books}/batch/end", 204)
    make(api, "plain", index={"type": "none"})
    body = {"ids": [f"l{n}" for n in range(1000)], "embeddings": vectors[:1000].tolist()}
    call(api, "POST", "/v1/collections/plain/add", json=body)
    assert not call(api, "GET", "/v1/collections/plain")["loading"]
    # dropped while it is loaded
    make(api, "short")
    call(api, "POST", "/v1/collections/short/add", json=body)
    call(api, "DELETE", "/v1/collections/short", 204)
    time.sleep(2.5)
    assert "cannot be built" not in served.log.read_text()


def test_short_way(api, served):
    """What express.py passes on is answered in the same way: tenants, odd bodies and names."""
    call(api, "POST", "/api/v2/tenants", json={"name": f"acme{served.port}"})
    make(api, rows=3)
    books, where = "/v1/collections/books", f"?tenant=acme{served.port}"
    call(api, "POST", f"/v1/collections{where}", 201, json={"name": "books", "dimension": 4})
    rows = {"ids": ["acme"], "embeddings": [[1, 2, 3, 4]]}
    assert call(api, "POST", f"{books}/add{where}", json=rows) == {"rows": 1}
    query = {"embeddings": [[1, 2, 3, 4]]}
    assert call(api, "POST", f"{books}/query{where}", json=query)["ids"] == [["acme"]]
    assert len(call(api, "POST", f"{books}/query", json=query)["ids"][0]) == 3
    database = f"{where}&database=nothing"
    assert "does not exist" in call(api, "POST", f"{books}/query{database}", 404, json=query)
    for odd, status in (("?tenant=", 404), (f"?tenant={'x' * 600}", 400), ("?tenant=nobody", 404)):
        assert call(api, "POST", f"{books}/query{odd}", status, json=query)
    assert "embeddings" in call(api, "POST", f"{books}/query", 400, json={"embedding": []})
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        headers = {"Content-Type": kind}
        call(api, "POST", f"{books}/query", 400, content=json.dumps(query), headers=headers)
    headers = {"Content-Type": "application/json; charset=utf-8"}
    call(api, "POST", f"{books}/query", content=json.dumps(query), headers=headers)
    text = api.get("/metrics").text
    assert 'route="/v1/collections/{name}/query",status="200"' in text


def test_observed(api, served):
    response = api.get("/health", headers={"X-Request-ID": "my-id_1"})
    assert response.headers["x-request-id"] == "my-id_1"
    assert set(response.json()) == {"status", "nanovec", "postgresql"}
    for given in ("bad\tid", "x" * 100, "ü".encode("latin-1")):
        made = api.get("/health", headers={"X-Request-ID": given}).headers["x-request-id"]
        assert len(made) == 32
    call(api, "GET", "/v1/collections/secret-name", 404)

    def logged():
        return [json.loads(line) for line in served.log.read_text().splitlines()]

    # an answer is there before its line
    eventually(lambda: any(x.get("path", "").endswith("secret-name") for x in logged()))
    lines = logged()
    assert any(line.get("request_id") == "my-id_1" for line in lines)
    assert lines[0]["message"] == "serving" and lines[0]["url"] == served.url
    last = next(x for x in reversed(lines) if x.get("path", "").endswith("secret-name"))
    assert last["status"] == 404 and last["milliseconds"] > 0 and last["method"] == "GET"
    # paths that are not there are not a figure each
    for n in range(5):
        call(api, "GET", f"/nothing/{n}", 404)
    assert "/nothing/" not in api.get("/metrics").text
    assert call(api, "PUT", "/health", 405)


# -- hostile input


def test_wrong_bodies(api):
    make(api, rows=3)
    books = "/v1/collections/books"
    bodies = [
        "", "{", "[]", "null", "3", '"x"', "[" * 10_000, '{"a":' * 5_000, "\0", "{'ids': 1}",
        '{"ids": ["a"], "embeddings": [[NaN, 1, 1, 1]]}',
        '{"ids": ["a"], "embeddings": [[1e999, 1, 1, 1]]}',
        '{"ids": ["\\ud800"], "embeddings": [[1, 1, 1, 1]]}',
    ]  # fmt: skip
    for body in bodies:
        for path in ("add", "query", "get"):
            status = api.post(
                f"{books}/{path}", content=body, headers={"Content-Type": "application/json"}
            )
            assert 400 <= status.status_code < 500, (path, body[:50], status.text)
    rows = [
        {"ids": []}, {"ids": [1]}, {"ids": [None]}, {"ids": [""]}, {"ids": ["a", "a"]}, {"ids": ["a\0"]},
        {"embeddings": [[1, 2]]}, {"embeddings": []}, {"embeddings": [[]]}, {"embeddings": 3},
        {"embeddings": [[1, 2, 3, None]]}, {"embeddings": [["1", "2", "3", "4"]]}, {"embeddings": [{}]},
        {"embeddings": [[1, 2, 3, 1e39]]}, {"embeddings": [[[1, 2, 3, 4]]]}, {"embeddings": {"a": 1}},
        {"embeddings": ["!"]}, {"embeddings": ["AAAA"]}, {"embeddings": ["AAAAAA=="]}, {"embeddings": [[1, 2, 3, 4], "AA=="]},
        {"embeddings": [[1] * 20_000]}, {"documents": ["a", "b"]}, {"documents": [3]}, {"documents": ["\0"]},
        {"metadatas": [3]}, {"metadatas": {}}, {"metadatas": [{"a": "\0"}]}, {"metadatas": [{"\0": 1}]},
        {"unknown": 1}, {"ids": [os.urandom(4000).hex()]},
    ]  # fmt: skip
    for change in rows:
        body = {"ids": ["a"], "embeddings": [[1, 2, 3, 4]]} | change
        for path in ("add", "upsert"):
            call(api, "POST", f"{books}/{path}", 400, json=body)
    queries = [
        {"k": 0}, {"k": -1}, {"k": 10**9}, {"k": "x"}, {"embeddings": [[1]]}, {"embeddings": [[1, 2], [1]]}, {"embeddings": []}, {"embeddings": None},
        {"embeddings": [[1, 2, 3, 4]] * 1001}, {"include": ["x"]}, {"options": {"ef_search": "x"}},
        {"options": {"ef_search": -1}}, {"options": {"work_mem": 1}}, {"where": []}, {"where": {"$x": 1}},
        {"where": {"a": {"$gt": None}}}, {"where_document": {"$regex": "("}}, {"where_document": {"a": "b"}},
        {"where": {"a": "\0"}}, {"ids": ["\0"]}, {"threshold": "x"},
    ]  # fmt: skip
    for change in queries:
        call(api, "POST", f"{books}/query", 400, json={"embeddings": [[1, 2, 3, 4]]} | change)
    deep = 1
    for _ in range(300):
        deep = {"$not": deep}
    call(api, "POST", f"{books}/get", 400, json={"where": {"a": deep}})
    for name in ("", "\n", "x" * 513, "\0"):
        call(api, "POST", "/v1/collections", 400, json={"name": name})
    for path in ("%00", "%ff", "x" * 600, "..%2f..", "'; --"):
        assert api.get(f"/v1/collections/{path}").status_code in (400, 404)
    assert "does not exist" in call(api, "GET", "/v1/collections/a%27%3B%20--", 404)
    assert call(api, "POST", f"{books}/count", json={}) == {"rows": 3}
    for content in (b"", b"x", b"\xff" * 16, b"\0" * 15):
        call(api, "POST", f"{books}/query/binary", 400, content=content, headers=BYTES)
    call(api, "POST", f"{books}/query/binary?where=x", 400, content=b"\0" * 16, headers=BYTES)


def test_waits_end(embedded, start_server):
    """What takes too long is given up, and its connection is free again."""
    server = start_server("--dsn", embedded, flags=["--timeout=1", "--connections=2"])
    with (
        httpx.Client(base_url=server.url, timeout=30) as api,
        psycopg.connect(embedded, autocommit=True) as conn,
    ):
        conn.execute("SELECT nanovec.create_collection('held', 2)")
        try:
            with conn.transaction():
                conn.execute("LOCK TABLE held")
                began = time.monotonic()
                for _ in range(3):
                    assert "long" in call(api, "POST", "/v1/collections/held/count", 504, json={})
                assert 2 < time.monotonic() - began < 20
            assert call(api, "POST", "/v1/collections/held/count", json={}) == {"rows": 0}
        finally:
            conn.execute("SELECT nanovec.drop_collection('held')")


def test_busy(embedded, start_server):
    """Requests beyond connections and those that wait for one are told to come again."""
    server = start_server("--dsn", embedded, flags=["--timeout=20", "--connections=1"])
    with psycopg.connect(embedded, autocommit=True) as conn:
        conn.execute("SELECT nanovec.create_collection('held', 2)")
        try:
            with conn.transaction():
                conn.execute("LOCK TABLE held")
                answers = []

                def ask():
                    url = f"{server.url}/v1/collections/held/count"
                    answers.append(httpx.post(url, json={}, timeout=60))

                threads = [threading.Thread(target=ask) for _ in range(3)]
                for thread in threads:
                    thread.start()
                    time.sleep(0.1)
                for thread in threads[1:]:
                    thread.join()
                assert [a.status_code for a in answers] == [503, 503]
                assert all(a.headers["retry-after"] == "1" for a in answers)
            threads[0].join()
            assert answers[2].json() == {"rows": 0}
        finally:
            conn.execute("SELECT nanovec.drop_collection('held')")


def test_sizes(embedded, start_server):
    server = start_server("--dsn", embedded, flags=["--max-body=1", "--max-batch=10"])
    with httpx.Client(base_url=server.url, timeout=30) as api:
        json_type = {"Content-Type": "application/json"}
        assert "1,048,576" in call(
            api, "POST", "/v1/collections", 413, content=b"x" * (3 << 20), headers=json_type
        )
        pieces = (b"x" * 65536 for _ in range(30))
        call(api, "POST", "/v1/collections", 413, content=pieces, headers=json_type)
        call(
            api, "POST", "/v1/collections", 415, content=b"x", headers={"Content-Encoding": "gzip"}
        )
        # the server does not read on for ever: it closes, and the client may see only that
        try:
            status = api.post("/v1/collections", content=b"x" * (20 << 20)).status_code
        except httpx.TransportError:
            status = 413
        assert status == 413
        assert api.get("/health").status_code == 200
        assert server.memory() < 400 << 20


# -- who may


def test_options():
    for wrong in ({"host": "0.0.0.0"}, {"host": "::"}, {"host": "example.org"}, {"token": "short"},
                  {"token": "ü" * 20}, {"port": 70000}, {"max_batch": 0}):  # fmt: skip
        with pytest.raises(InvalidArgumentError):
            ServerOptions(**wrong)
    assert ServerOptions(host="0.0.0.0", token=TOKEN).token == TOKEN
    assert ServerOptions(host="::1").is_loopback and ServerOptions(host="127.8.8.8").is_loopback


def test_token(embedded, start_server):
    server = start_server(
        "--dsn", embedded, environment={"NANOVEC_TOKEN": TOKEN}, flags=["--host=0.0.0.0"]
    )
    with httpx.Client(base_url=server.url) as api:
        for wrong in (
            None,
            "x",
            TOKEN[:-1],
            TOKEN + "x",
            TOKEN.upper(),
            "Basic " + TOKEN,
            "ü" * 20,
        ):
            headers = (
                {} if wrong is None else {"Authorization": f"Bearer {wrong}".encode("latin-1")}
            )
            for path in ("/v1/collections", "/metrics", "/openapi.json", "/docs", "/nothing",
                         "/api/v2/version", "/api/v2/tenants/default_tenant"):  # fmt: skip
                response = api.get(path, headers=headers)
                assert (
                    response.status_code == 401 and response.headers["www-authenticate"] == "Bearer"
                )
        for headers in (
            {"Authorization": f"Bearer {TOKEN}"},
            {"X-Chroma-Token": TOKEN},
            {"Authorization": f"bearer {TOKEN}"},
        ):
            call(api, "GET", "/v1/collections", headers=headers)
        for path in ("/health", "/api/v2/heartbeat", "/api/v2/healthcheck"):
            assert api.get(path).status_code == 200
        call(api, "GET", f"/v1/collections/{TOKEN}x", 401)
    log = server.log.read_text()
    assert f"Bearer {TOKEN}" not in log


def test_browsers(api, served):
    """A page in a browser of this machine cannot use a server without a token."""
    body = {"name": "from_a_page"}
    for headers in ({"Origin": "https://example.org"}, {"Origin": "null"}, {"Host": "example.org"},
                    {"Host": f"rebound.example.org:{served.port}"}, {"Host": ""}):  # fmt: skip
        call(api, "POST", "/v1/collections", 403, json=body, headers=headers)
    # a simple request, which browsers send without asking before
    call(
        api,
        "POST",
        "/v1/collections",
        400,
        content=json.dumps(body),
        headers={"Content-Type": "text/plain"},
    )
    assert "access-control-allow-origin" not in api.get("/health").headers
    call(api, "POST", "/v1/collections", 201, json=body, headers={"Origin": served.url})


def test_cors(embedded, start_server):
    server = start_server("--dsn", embedded, flags=["--cors-origin=https://app.example.org"])
    good, bad = ({"Origin": f"https://{name}.example.org"} for name in ("app", "other"))
    ask = {"Access-Control-Request-Method": "POST"}
    assert httpx.options(f"{server.url}/v1/collections", headers=good | ask).status_code == 200
    allowed = httpx.get(f"{server.url}/v1/collections", headers=good)
    assert allowed.headers["access-control-allow-origin"] == "https://app.example.org"
    assert httpx.get(f"{server.url}/v1/collections", headers=bad).status_code == 403


# -- slow and broken clients


def connection(server):
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


def test_broken_requests(api, served):
    requests = [
        b"\0" * 100, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nHost\r\n\r\n",
        b"POST /v1/collections HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"POST /v1/collections HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{",
        b"POST /v1/collections HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 50_000,
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ]  # fmt: skip
    for request in requests:
        with connection(served) as conn:
            try:
                conn.sendall(request)
                conn.shutdown(socket.SHUT_WR)
                answer = conn.recv(100)
            except OSError:
                answer = b""
            assert not answer or int(answer.split()[1]) in (400, 404), answer
    assert api.get("/health").status_code == 200


def test_slow_requests(embedded, start_server, tmp_path):
    """Half-sent headers and bodies hold no connection to the database, and are given up."""
    program = tmp_path / "serve.py"
    program.write_text(
        "import sys\nfrom nanovec.server import ServerOptions, serve\n"
        "serve(None, sys.argv[1], ServerOptions(port=int(sys.argv[2]), header_timeout=1, "
        "body_timeout=1, connections=1))\n"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    import sys

    process = subprocess.Popen(
        [sys.executable, program, embedded, str(port)], stderr=subprocess.DEVNULL
    )
    try:
        url = f"http://127.0.0.1:{port}/health"
        for _ in range(300):
            try:
                httpx.get(url)
                break
            except httpx.TransportError:
                time.sleep(0.05)
        conns = []
        for request in (b"", b"GET /hea", b"GET /health HTTP/1.1\r\nHost: local",
                        b"POST /v1/collections HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{"):  # fmt: skip
            for _ in range(10):
                conn = socket.create_connection(("127.0.0.1", port), timeout=10)
                conn.sendall(request)
                conns.append(conn)
        assert httpx.get(url).status_code == 200
        for conn in conns:
            answer = conn.recv(1000)
            assert not answer or b" 408 " in answer
            conn.close()
        # one whole request, then half of the next
        conn = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        conn.request("GET", "/health")
        assert conn.getresponse().read()
        conn.sock.sendall(b"GET /health HT")
        assert conn.sock.recv(100) == b""
    finally:
        process.terminate()
        process.wait()


# -- the command


def test_command(directory, tmp_path):
    """Settings that cannot be are said in a line."""
    program = Path(os.sys.executable).parent / "nanovec"
    for flags, environment in (
        (["--host=0.0.0.0"], {}),
        ([], {"NANOVEC_TOKEN": "short"}),
        (["--port=99999"], {}),
    ):
        done = subprocess.run(
            [program, "--path", directory, "serve", *flags], capture_output=True, text=True,
            check=False, env=os.environ | environment, timeout=30,
        )  # fmt: skip
        assert done.returncode == 1 and done.stderr.startswith("nanovec: ")
        assert "Traceback" not in done.stderr
    assert not directory.exists()
    # a database that is not there is no reason for a traceback either
    done = subprocess.run(
        [program, "--dsn", "postgresql://127.0.0.1:1/x", "serve", "--port=0"], capture_output=True,
        text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1 and "nanovec: connection failed" in done.stderr
    assert "Traceback" not in done.stderr
