"""Schemathesis on the OpenAPI document and on the GraphQL schema: whatever is sent, nothing is our failure.

Deterministic: the same requests every time. ``FUZZ=20`` sends twenty times as many for each operation (``make fuzz``).
"""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis_graphql import nodes
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from cache.embedded import EmbeddedValkey
from db.embedded import EmbeddedPostgres
from tests.web.shop import Shop, open_shop

EXAMPLES = 4 * int(os.environ.get("FUZZ", "1"))
POSITIVE, NEGATIVE = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
CONFORMS: list[Any] = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
OURS = {"INTERNAL_SERVER_ERROR", "UNAVAILABLE", "OUTCOME_UNKNOWN", "OVERLOADED", "DEADLINE_EXCEEDED"}
BOUNDED = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
async def shop(postgres: EmbeddedPostgres, valkey: EmbeddedValkey, migrated: str) -> AsyncIterator[Shop]:
    """A server for the module, on data that may be changed."""
    async with open_shop(postgres, valkey, migrated, "fuzz", max_cost=100_000, max_depth=30) as shop:
        yield shop


def fails_no_field(_: Any, response: Any, case: Any) -> None:
    """A check: neither the request nor a field of it failed for a reason of ours."""
    codes = {error["extensions"]["code"] for error in response.json().get("errors", [])}
    assert response.status_code < 500 and not codes & OURS, (response.text, case.body)


def operations_of(schema: Any) -> list[Any]:
    """What can be asked. Raises AttributeError for what Schemathesis cannot read."""
    return [found.ok() for found in schema.get_all_operations()]


def fuzz(operation: Any, mode: Any, base_url: str, session: requests.Session, checks: list[Any]) -> set[int]:
    """Sends an operation what it may be sent, or what it may not; the statuses that came back."""
    statuses = set()

    @BOUNDED
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        response = case.call(base_url, session=session)
        statuses.add(response.status_code)
        case.validate_response(response, checks=checks)

    send()
    return statuses


async def test_no_request_to_the_paths_of_the_openapi_document_is_our_failure(shop: Shop) -> None:
    base_url = str(shop.client.base_url).rstrip("/")

    def work() -> tuple[dict[str, set[int]], dict[str, set[int]]]:
        schema = schemathesis.openapi.from_url(f"{base_url}/api/openapi.json")
        good, bad = {}, {}
        with requests.Session() as session:
            for operation in operations_of(schema):
                good[operation.label] = fuzz(operation, POSITIVE, base_url, session, CONFORMS)
                if operation.query or operation.path_parameters or operation.body:
                    bad[operation.label] = fuzz(operation, NEGATIVE, base_url, session, CONFORMS)
        return good, bad

    good, bad = await asyncio.to_thread(work)
    assert len(good) == 17
    # What may be sent is answered, and what may not is refused: neither is all turned away before it gets anywhere.
    assert {name for name, statuses in good.items() if 200 not in statuses} <= {
        "GET /api/companies/{id}", "GET /api/companies/{id}/analytics", "GET /api/companies/{id}/deals-summary",
        "GET /api/deals/{id}", "POST /api/deals/bulk", "POST /api/performance/clear-cache",
    }  # fmt: skip
    assert {name for name, statuses in bad.items() if not statuses & {400, 404, 405, 415}} <= {"GET /api/health"}


async def test_no_operation_of_the_graphql_schema_is_our_failure(shop: Shop) -> None:
    base_url = str(shop.client.base_url).rstrip("/")

    def work() -> list[set[int]]:
        amounts = st.decimals(allow_nan=False, allow_infinity=False).map(str)
        schemathesis.graphql.scalar("Money", amounts.map(nodes.String) | st.integers().map(nodes.Int))
        schema = schemathesis.graphql.from_url(f"{base_url}/graphql")
        operations = operations_of(schema)
        with requests.Session() as session:
            return [fuzz(each, POSITIVE, f"{base_url}/graphql", session, [fails_no_field]) for each in operations]

    answered = await asyncio.to_thread(work)
    assert len(answered) > 30
    assert all(200 in statuses for statuses in answered)


async def test_answers_are_as_the_openapi_document_says(shop: Shop) -> None:
    document = (await shop.client.get("/api/openapi.json")).json()
    schema = schemathesis.openapi.from_dict(document)
    schema.validate()
    for path, methods in document["paths"].items():
        if "get" in methods:
            noun = shop.deals if path.startswith("/api/deals") else shop.companies
            response = await shop.client.get(path.replace("{id}", str(noun[0])), params={"count": "true"} if path == "/api/deals" else {})
            assert response.status_code == 200, path
            schema[path]["GET"].validate_response(response)
    etag = (await shop.client.get("/api/openapi.json")).headers["etag"]
    assert (await shop.client.get("/api/openapi.json", headers={"if-none-match": etag})).status_code == 304
