"""What tests of the HTTP server share."""

import time

import numpy as np

RNG = np.random.default_rng(5)


def call(api, method, path, status=200, **arguments):
    """The content of an answer, whose status must be this."""
    response = api.request(method, path, **arguments)
    assert response.status_code == status, response.text
    if status == 204:
        return None
    content = response.json()
    if status >= 400:
        assert set(content) == {"error", "message"} and content["message"]
        return content["message"]
    return content


def make(api, name="books", rows=0, dimension=4, **more):
    call(api, "POST", "/v1/collections", 201, json={"name": name, "dimension": dimension, **more})
    vectors = RNG.normal(size=(rows, dimension)).astype(np.float32)
    for begin in range(0, rows, 2000):
        part = range(begin, min(begin + 2000, rows))
        call(
            api, "POST", f"/v1/collections/{name}/add",
            json={
                "ids": [f"r{n:05}" for n in part], "embeddings": vectors[part].tolist(),
                "documents": [f"row {n}" for n in part], "metadatas": [{"n": n} for n in part],
            },
        )  # fmt: skip
    return vectors


def eventually(is_so, seconds=30.0):
    """Wait until something is so, and see that it is."""
    end = time.monotonic() + seconds
    while not is_so() and time.monotonic() < end:
        time.sleep(0.05)
    assert is_so()
