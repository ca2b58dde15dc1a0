"""Arrays of requests: answered in order, queries at once and with shared loaders, mutations one after the other."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import asyncpg
import httpx2
import pytest
from structlog.testing import capture_logs

from cache.embedded import EmbeddedValkey
from tests.crm import Crm
from tests.web.conftest import GRAPHQL, JSON, serving, settings_for
from tests.web.graphql.test_persisted_documents import STAGES_ID, code, post

MOST = 6
STAGES = {"query": "{ stages { id } }"}
NO_STAGES: dict[str, Any] = {
    "data": {"stages": []},
    "extensions": {"cost": {"requestedQueryCost": 10, "actualQueryCost": 0}},
}
UPDATE = "mutation ($id: ID!, $value: Money) { updateDeal(id: $id, input: {value: $value}) { deal { value version } errors { code } } }"
VALUE = "query ($id: ID!) { deal(id: $id) { value version } }"


@pytest.fixture(scope="module")
async def reading(url_without_a_row: str, valkey: EmbeddedValkey) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a server that takes arrays, on a database without a row."""
    async with serving(settings_for(url_without_a_row, valkey, batch_most=MOST)) as client:
        yield client


@pytest.fixture
async def batching(database_url: str, valkey: EmbeddedValkey) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a server that takes arrays."""
    async with serving(settings_for(database_url, valkey, batch_most=MOST)) as client:
        yield client


async def test_an_array_is_answered_by_an_array_in_the_same_order(reading: httpx2.AsyncClient) -> None:
    asked = [
        {"query": "{ a: stages { id } }"},
        {"query": "{ nothing }"},
        {"documentId": STAGES_ID},
        {"query": "{"},
        {"documentId": "no-such"},
        {"query": "{ b: __typename }"},
    ]
    for media_type in (JSON, GRAPHQL, f"{GRAPHQL},{JSON};q=0.9"):
        response = await post(reading, asked, accept=media_type)
        assert (response.status_code, response.headers["content-type"]) == (200, f"{JSON}; charset=utf-8")
        told = [each.get("data") or each["errors"][0]["extensions"]["code"] for each in response.json()]
        assert told == [
            {"a": []},
            "GRAPHQL_VALIDATION_FAILED",
            {"stages": []},
            "GRAPHQL_PARSE_FAILED",
            "PERSISTED_QUERY_NOT_IN_LIST",
            {"b": "Query"},
        ]


async def test_an_array_of_one_is_answered_by_an_array(reading: httpx2.AsyncClient) -> None:
    assert (await post(reading, [STAGES])).json() == [NO_STAGES]


async def test_an_array_is_not_answered_where_json_is_ruled_out(reading: httpx2.AsyncClient) -> None:
    for accept in (f"{GRAPHQL}, {JSON};q=0", f"{GRAPHQL}, */*;q=0"):
        response = await post(reading, [STAGES], accept=accept)
        assert (response.status_code, code(response)) == (406, "NOT_ACCEPTABLE")
        assert response.headers["content-type"] == f"{GRAPHQL}; charset=utf-8"
        assert (await post(reading, STAGES, accept=accept)).status_code == 200
    assert (await post(reading, [STAGES], accept=f"{GRAPHQL}, application/*;q=0, {JSON};q=0.1")).status_code == 200


async def test_an_array_has_200_if_anything_in_it_reached_graphql(reading: httpx2.AsyncClient) -> None:
    asked = [{"documentId": "zz"}, {"query": "{nope}"}]
    assert [(await post(reading, each)).status_code for each in asked] == [404, 200]
    assert (await post(reading, asked)).status_code == 200


async def test_an_array_of_failures_has_the_gravest_status(reading: httpx2.AsyncClient) -> None:
    for asked, status in (([{"documentId": "x"}], 404), ([{"documentId": "x"}, {"documentId": STAGES_ID, "query": "{ a }"}], 400)):
        assert (await post(reading, asked)).status_code == status
    assert (await post(reading, [{"documentId": "x"}, STAGES])).status_code == 200


@pytest.mark.parametrize(
    ("asked", "message", "expected"),
    [
        ([], "No operations found in request.", "BAD_REQUEST"),
        ([STAGES] * (MOST + 1), f"An array may have {MOST} operations at most.", "BATCH_LIMIT_EXCEEDED"),
        ([STAGES, 1], "The body must be a JSON object with a `query`.", "BAD_REQUEST"),
        ([STAGES, [STAGES]], "The body must be a JSON object with a `query`.", "BAD_REQUEST"),
        ([STAGES, {"query": 1}], "`query` must be a string.", "BAD_REQUEST"),
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_an_array_that_cannot_be_read_is_refused_as_a_whole(
    reading: httpx2.AsyncClient, asked: Any, message: str, expected: str
) -> None:
    response = await post(reading, asked)
    assert (response.status_code, code(response)) == (400, expected)
    assert response.json()["errors"][0]["message"] == message


async def test_operations_that_are_too_much_together_are_told_what_they_cost_and_may(
    url_without_a_row: str, valkey: EmbeddedValkey
) -> None:
    async with serving(settings_for(url_without_a_row, valkey, batch_most=MOST, max_cost=25)) as client:
        assert (await post(client, [STAGES, STAGES])).json() == [NO_STAGES, NO_STAGES]
        for accept in (JSON, GRAPHQL):
            response = await post(client, [STAGES] * 3, accept=accept)
            assert (response.status_code, response.headers["content-type"]) == (400, f"{JSON}; charset=utf-8")
            (error,) = response.json()["errors"]
            assert error["extensions"] == {"code": "COST_ESTIMATED_TOO_EXPENSIVE", "cost": 30, "limit": 25}


async def test_what_costs_as_much_as_it_may_runs_and_what_is_trusted_whatever_it_costs(
    url_without_a_row: str, valkey: EmbeddedValkey
) -> None:
    async with serving(settings_for(url_without_a_row, valkey, batch_most=MOST, max_cost=20)) as client:
        assert (await post(client, [STAGES, STAGES])).json() == [NO_STAGES, NO_STAGES]
        trusted = await post(client, [{"documentId": STAGES_ID}] * MOST)
        assert [each["data"] for each in trusted.json()] == [{"stages": []}] * MOST
    async with serving(settings_for(url_without_a_row, valkey, max_cost=10)) as client:
        assert (await post(client, STAGES)).json() == NO_STAGES


async def test_operations_that_are_too_much_together_count_as_requests_all_the_same(
    url_without_a_row: str, valkey: EmbeddedValkey
) -> None:
    limits = {"limits": "on", "limit_api": "1000/h", "limit_overall": "8/h", "trusted_proxies": "127.0.0.0/8"}
    async with serving(settings_for(url_without_a_row, valkey, batch_most=MOST, max_cost=25, **limits)) as client:
        answers = [await post(client, [STAGES] * 3, **{"x-forwarded-for": "203.0.113.71"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [400, 400, 429]
    assert int(answers[-1].headers["retry-after"]) > 0


async def test_an_array_says_how_long_to_wait_as_its_requests_would(url_without_a_row: str, valkey: EmbeddedValkey) -> None:
    limits = {"limits": "on", "limit_api": "2/h", "trusted_proxies": "127.0.0.0/8"}
    async with serving(settings_for(url_without_a_row, valkey, batch_most=MOST, **limits)) as client:
        some, others = [await post(client, [STAGES] * 2, **{"x-forwarded-for": "203.0.113.72"}) for _ in range(2)]
    assert (some.status_code, "retry-after" in some.headers) == (200, False)
    assert others.status_code == 429
    assert int(others.headers["retry-after"]) >= max(each["errors"][0]["extensions"]["retryAfter"] for each in others.json())


async def test_by_default_no_array_is_taken(empty: httpx2.AsyncClient) -> None:
    for asked in ([], [STAGES], [STAGES] * 1_000):
        response = await post(empty, asked)
        assert (response.status_code, code(response)) == (400, "BATCHING_NOT_ENABLED")
        assert response.json()["errors"][0]["message"] == "Operation batching disabled."


async def test_the_queries_of_an_array_share_their_loaders(database_url: str, valkey: EmbeddedValkey, crm: Crm) -> None:
    owner, stage = await crm.user(), await crm.stage()
    deals = [await crm.deal(owner, stage, f"Deal {number}") for number in range(MOST)]
    asked = [{"query": "query ($id: ID!) { deal(id: $id) { name } }", "variables": {"id": str(deal)}} for deal in deals]
    settings = settings_for(database_url, valkey, batch_most=MOST, slow_statement_s=1e-9)  # each statement is logged
    async with serving(settings) as client:
        with capture_logs() as logs:
            answers = (await post(client, asked)).json()
    assert [each["data"]["deal"]["name"] for each in answers] == [f"Deal {number}" for number in range(MOST)]
    assert [entry["statement"] for entry in logs if "statement" in entry] == ["deal.whole"]


async def test_mutations_run_in_order_and_a_query_sees_what_stands_before_it(batching: httpx2.AsyncClient, crm: Crm) -> None:
    deal = str(await crm.deal(await crm.user(), await crm.stage(), value=Decimal(1)))
    asked: list[dict[str, Any]] = [{"query": VALUE, "variables": {"id": deal}}]
    for amount in (10, 20):
        asked += [{"query": UPDATE, "variables": {"id": deal, "value": amount}}, {"query": VALUE, "variables": {"id": deal}}]
    answers = (await post(batching, asked)).json()
    found = [each["data"].get("deal") or each["data"]["updateDeal"]["deal"] for each in answers]
    assert [row["value"] for row in found] == [1, 10, 10, 20, 20]
    versions = [row["version"] for row in found]
    assert versions == sorted(versions)


async def test_each_mutation_of_an_array_has_a_key_of_its_own_from_the_one_that_was_sent(
    batching: httpx2.AsyncClient, crm: Crm, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    owner, stage = await crm.user(), await crm.stage()
    create = "mutation ($input: CreateDealInput!) { createDeal(input: $input) { deal { id } errors { code message } } }"
    given = {"companyId": str(await crm.company(owner)), "ownerId": str(owner), "stageId": str(stage)}
    asked = [{"query": create, "variables": {"input": {"name": name, **given}}} for name in ("One", "Two")]
    first = (await post(batching, asked, **{"idempotency-key": "k" * 255})).json()
    assert [each["data"]["createDeal"]["errors"] for each in first] == [[], []]
    assert (await post(batching, asked, **{"idempotency-key": "k" * 255})).json() == first
    assert await sql.fetchval("select count(*) from deal") == 2


async def test_a_whole_array_has_the_time_of_one_request(
    database_url: str, valkey: EmbeddedValkey, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    stuck = {"query": "{ deals { totalCount } }"}
    settings = settings_for(database_url, valkey, batch_most=MOST, request_deadline_s=0.5, statement_timeout_s=30)
    async with serving(settings) as client, sql.transaction():
        await sql.execute("lock table deal in access exclusive mode")
        response = await post(client, [stuck, STAGES, stuck])
        told = [each.get("data") or each["errors"][0]["extensions"]["code"] for each in response.json()]
        assert told == ["DEADLINE_EXCEEDED", {"stages": []}, "DEADLINE_EXCEEDED"]
        assert response.elapsed.total_seconds() < 1.5
