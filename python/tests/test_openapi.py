"""What OpenAPI says of our API holds, whatever is sent: schemathesis, for a bounded time."""

import httpx
import hypothesis
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance,
    response_schema_conformance, unsupported_method,
]  # fmt: skip

schemathesis.serializer.alias("application/vnd.apache.arrow.stream", "application/octet-stream")


@pytest.fixture(scope="module")
def schema(served):
    # some collections that are there, for names that are tried
    for name in ("a", "0", "books"):
        body = {"name": name, "dimension": 2, "text_search": "english", "get_or_create": True}
        assert httpx.post(f"{served.url}/v1/collections", json=body).status_code == 201
        rows = {"ids": ["x", "y"], "embeddings": [[1, 2], [3, 4]], "documents": ["one", None]}
        assert httpx.post(f"{served.url}/v1/collections/{name}/add", json=rows).status_code == 200
    return schemathesis.openapi.from_url(f"{served.url}/openapi.json")


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_openapi(schema, served, mode):
    checks = [*CHECKS, negative_data_rejection] if mode.is_negative else CHECKS
    operations = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        operations += 1

        @hypothesis.settings(
            max_examples=15, deadline=None, derandomize=True, database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )  # fmt: skip
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        def one(case):
            if not mode.is_negative and case.method != "DELETE" and "name" in case.path_parameters:
                # mostly a collection that is there
                n = len(repr(case.body)) % 4
                if n:
                    case.path_parameters["name"] = ("a", "0", "books")[n - 1]
            case.call_and_validate(checks=checks, timeout=30)

        try:
            one()
        except hypothesis.errors.Unsatisfiable:
            # there is nothing that could be wrong with it
            assert mode.is_negative
    assert operations > 20
    described = httpx.get(f"{served.url}/openapi.json").json()
    assert not any(
        "422" in one["responses"] for path in described["paths"].values() for one in path.values()
    )
    assert not any(path.startswith("/api/v2") for path in described["paths"])
