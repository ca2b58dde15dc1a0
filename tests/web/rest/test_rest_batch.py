"""``POST /api/batch``: in order, each for itself, five at a time, and with what they load in common."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from cache.embedded import EmbeddedValkey
from db.embedded import EmbeddedPostgres
from tests.web.conftest import serving, settings_for
from tests.web.shop import Shop, open_shop


@pytest.fixture(scope="module")
async def shop(postgres: EmbeddedPostgres, valkey: EmbeddedValkey, migrated: str) -> AsyncIterator[Shop]:
    """A server for the module, with a connection for each of eight requests, which stops nothing because it takes long."""
    patient = {"pool_size": 8, "statement_timeout_s": 60, "request_deadline_s": 60}
    async with open_shop(postgres, valkey, migrated, "rest_batch", **patient) as shop:
        yield shop


async def batch(shop: Shop, items: Any, **headers: str) -> list[dict[str, Any]]:
    """The answers."""
    response = await shop.client.post("/api/batch", json=items, headers=headers)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()
    return found


async def calls(shop: Shop, statement: str) -> int:
    """How often a statement has run."""
    told = (await shop.client.get("/api/performance/stats")).json()["data"]["statements"]
    return int(told.get(statement, {"count": 0})["count"])


def code(answer: dict[str, Any]) -> str:
    """The code of its one error."""
    (error,) = answer["body"]["errors"]
    return str(error["extensions"]["code"])


async def test_requests_are_answered_in_their_order_as_they_are_alone_and_each_for_itself(shop: Shop) -> None:
    deal = f"/api/deals/{shop.deals[0]}"
    answers = await batch(
        shop,
        [
            {"id": "stages", "path": "/api/stages"},
            {"id": 2, "method": "GET", "path": "/api/deals?sort=-value", "query": {"limit": 2, "status": ["OPEN", "WON"]}},
            {"id": "gone", "path": f"/api/deals/{uuid4()}"},
            {"id": "wrong", "path": "/api/deals", "query": {"limit": "x"}},
            {"id": "post", "method": "POST", "path": "/api/deals"},
            {"id": "head", "method": "HEAD", "path": deal},
            {"id": "nested", "method": "POST", "path": "/api/batch", "body": [{"id": 1, "path": "/api/stages"}]},
            {"id": "encoded", "path": "/api/%64eals/../batch"},
            {"id": "health", "path": "/api/health"},
            {"id": "elsewhere", "path": "https://example.org/api/stages"},
            {"id": "graphql", "path": "/graphql"},
            {"id": "more", "path": "/api/stages", "headers": {}},
            {"id": "none"},
            {"id": "query", "path": "/api/stages", "query": {"count": {"a": 1}}},
            {"id": "last", "path": deal},
        ],
    )
    assert [each["id"] for each in answers] == [
        "stages", 2, "gone", "wrong", "post", "head", "nested", "encoded", "health", "elsewhere", "graphql", "more", "none",
        "query", "last",
    ]  # fmt: skip
    assert [each["status"] for each in answers] == [200, 200, 404, 400, 405, 200, 400, 404, 400, 404, 404, 400, 400, 400, 200]
    assert [code(each) for each in (*answers[2:5], *answers[6:14])] == [
        "NOT_FOUND", "BAD_USER_INPUT", "METHOD_NOT_ALLOWED", "NOT_IN_BATCH", "NOT_FOUND", "NOT_IN_BATCH", "NOT_FOUND",
        "NOT_FOUND", "BAD_REQUEST", "BAD_REQUEST", "BAD_REQUEST",
    ]  # fmt: skip
    assert answers[4]["headers"]["allow"] == "GET, HEAD"
    assert answers[5]["body"] is None
    alone = await shop.client.get("/api/deals?sort=-value&limit=2&status=OPEN&status=WON")
    assert answers[1]["body"]["data"] == alone.json()["data"]
    assert answers[1]["headers"]["x-cache-key"] == alone.headers["x-cache-key"]
    assert answers[1]["headers"]["etag"] == alone.headers["etag"]
    assert (alone.headers["x-cache"], answers[14]["body"]["data"]["name"]) == ("HIT", "Deal 0")


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([], "BAD_REQUEST"),
        ({"id": 1, "path": "/api/stages"}, "BAD_REQUEST"),
        ([{"path": "/api/stages"}], "BAD_REQUEST"),
        ([{"id": True, "path": "/api/stages"}], "BAD_REQUEST"),
        ([{"id": "a" * 101, "path": "/api/stages"}], "BAD_REQUEST"),
        (["/api/stages"], "BAD_REQUEST"),
        ([{"id": 1, "path": "/api/stages"}, {"id": 1, "path": "/api/deals"}], "BAD_REQUEST"),
        ([{"id": 1, "path": "/api/stages"}, {"id": "1", "path": "/api/deals"}], "BAD_REQUEST"),
        ([{"id": place, "path": "/api/stages"} for place in range(21)], "BATCH_LIMIT_EXCEEDED"),
    ],
)
async def test_what_cannot_be_answered_one_by_one_is_refused_as_a_whole(shop: Shop, items: Any, expected: str) -> None:
    response = await shop.client.post("/api/batch", json=items)
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (400, expected)


async def test_a_request_has_no_more_parameters_than_it_may_have_alone(shop: Shop) -> None:
    queries: list[dict[str, Any]] = [{str(number): 1 for number in range(201)}, {"status": ["OPEN"] * 201}, {"status": ["OPEN"] * 100}]
    answers = await batch(shop, [{"id": at, "path": "/api/deals", "query": query} for at, query in enumerate(queries)])
    assert [answer["status"] for answer in answers] == [400, 400, 200]
    assert [code(answer) for answer in answers[:2]] == ["BAD_REQUEST"] * 2


async def test_a_change_is_made_after_what_stands_before_it_and_seen_by_what_stands_behind(shop: Shop) -> None:
    path, deal = f"/api/deals/{shop.deals[5]}", str(shop.deals[5])
    change = {"operation": "UPDATE_VALUE", "dealIds": [deal]}
    items = [
        {"id": "before", "path": path},
        {"id": "change", "method": "POST", "path": "/api/deals/bulk", "body": {**change, "updates": {"value": 1}}},
        {"id": "between", "path": path},
        {"id": "again", "method": "POST", "path": "/api/deals/bulk", "body": {**change, "updates": {"value": 2}}},
        {"id": "after", "path": path},
    ]
    answers = await batch(shop, items, **{"idempotency-key": f"{uuid4()}".ljust(255, "-")})
    assert [each["status"] for each in answers] == [200] * 5
    assert [answers[place]["body"]["data"]["value"] for place in (0, 2, 4)] == [500, 1, 2]
    found = await shop.client.get(path)
    assert (found.json()["data"]["value"], found.headers["x-cache"]) == (2, "HIT")


async def test_reads_share_what_they_load_and_their_answers_are_kept(shop: Shop) -> None:
    items = [{"id": place, "path": f"/api/companies/{company}"} for place, company in enumerate(shop.companies)]
    before = await calls(shop, "company.by_ids")
    answers = await batch(shop, items)
    assert [each["body"]["data"]["name"] for each in answers] == ["Acme", "Bolt", "Crane"]
    assert await calls(shop, "company.by_ids") < before + 3  # one, unless Redis answered at different times
    assert [each["headers"]["x-cache"] for each in answers] == ["MISS"] * 3
    assert [each["headers"]["x-cache"] for each in await batch(shop, items)] == ["HIT"] * 3
    await shop.sql.execute("update company set name = 'Bolts' where id = $1", shop.companies[1])
    while (await batch(shop, items))[1]["body"]["data"]["name"] != "Bolts":  # until psql's write was heard of
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("stays", [True, False])
async def test_who_waits_for_what_a_batch_has_begun_has_it_though_the_batch_has_gone(shop: Shop, stays: bool) -> None:
    path = f"/api/deals/{shop.deals[1 + stays]}"
    waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    watch = await asyncpg.connect(shop.url)
    async with shop.sql.transaction():
        await shop.sql.execute("lock table deal in access exclusive mode")
        leaving = asyncio.create_task(batch(shop, [{"id": 1, "path": path}]))
        async with asyncio.timeout(5):
            while await watch.fetchval(waiting) == 0:
                await asyncio.sleep(0.01)
        staying = asyncio.create_task(shop.client.get(path))
        await asyncio.sleep(0.1)  # it waits for the same
        leaving.cancel()
        await asyncio.sleep(0.1)  # and the batch has gone
        assert await watch.fetchval(waiting) > 0
        if not stays:
            staying.cancel()
            async with asyncio.timeout(5):
                while await watch.fetchval(waiting) > 0:
                    await asyncio.sleep(0.01)
    if stays:
        answer = await staying
        assert (answer.status_code, answer.json()["data"]["name"]) == (200, "Deal 2")
    await watch.close()


async def test_five_are_at_work_at_once(shop: Shop) -> None:
    sorts = [f"{sign}{name}" for name in ("name", "createdAt", "value", "expectedCloseDate") for sign in ("", "-")]
    items = [{"id": sort, "path": "/api/deals", "query": {"sort": sort, "limit": 6}} for sort in sorts]
    waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    watch = await asyncpg.connect(shop.url)
    async with shop.sql.transaction():
        await shop.sql.execute("lock table deal in access exclusive mode")
        asked = asyncio.create_task(batch(shop, items))
        while await watch.fetchval(waiting) < 5:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        assert await watch.fetchval(waiting) == 5
    assert [(each["id"], each["status"]) for each in await asked] == [(sort, 200) for sort in sorts]
    await watch.close()


async def test_each_request_is_charged_by_itself_and_by_the_class_of_its_path(shop: Shop, valkey: EmbeddedValkey) -> None:
    limits = {"limits": "on", "limit_overall": "30/h", "limit_api": "20/min", "limit_statistics": "2/min", "limit_bulk": "1/min"}
    settings = settings_for(shop.url, valkey, **limits, trusted_proxies="127.0.0.0/8", cache_bytes=0, cache_shared=False)
    async with serving(settings) as client:
        me = {"x-forwarded-for": f"198.51.100.{os.getpid() % 250}"}
        change = {"operation": "DELETE", "dealIds": [str(shop.deals[0])], "dryRun": True}
        items: list[dict[str, Any]] = [{"id": place, "path": "/api/contacts/stats"} for place in range(3)]
        items += [{"id": 3, "path": "/api/deals?limit=x"}, {"id": 4, "path": "/api/nothing"}, {"id": 5, "path": "/api/stages"}]
        items += [{"id": place, "method": "POST", "path": "/api/deals/bulk", "body": change} for place in (6, 7)]
        answers = (await client.post("/api/batch", json=items, headers=me)).json()
        assert [each["status"] for each in answers] == [200, 200, 429, 400, 404, 200, 200, 429]
        limited = answers[2]["body"]["errors"][0]["extensions"]
        assert (limited["code"], limited["limit"]) == ("RATE_LIMITED", "statistics")
        assert answers[2]["headers"]["retry-after"] == str(limited["retryAfter"])
        alone = await client.get("/api/deals/pipeline-stats", headers=me)
        assert (alone.status_code, alone.json()["errors"][0]["extensions"]["limit"]) == (429, "statistics")
        assert int(alone.headers["retry-after"]) > 0
        left = await client.get("/api/stages", headers=me)
        assert (left.status_code, left.headers["x-ratelimit-remaining"]) == (200, "15")
        assert 'overall";r=23;' in left.headers["ratelimit"]


async def test_twenty_may_be_asked_for_and_nobody_on_the_way_keeps_what_is_answered(shop: Shop) -> None:
    items = [{"id": place, "path": "/api/stages", "query": {"refresh": None}} for place in range(20)]
    response = await shop.client.post("/api/batch", json=items)
    assert [each["status"] for each in response.json()] == [200] * 20
    assert response.headers["cache-control"] == "no-store"
    anew = await batch(shop, items[:1], **{"cache-control": "no-cache"})
    assert anew[0]["headers"]["x-cache"] == "MISS"


async def test_a_body_that_is_none_counts_as_a_request_too(shop: Shop, valkey: EmbeddedValkey) -> None:
    settings = settings_for(shop.url, valkey, limits="on", limit_overall="30/h", trusted_proxies="127.0.0.0/8")
    async with serving(settings) as client:
        me = {"x-forwarded-for": f"198.51.101.{os.getpid() % 250}"}
        items = [{"id": place, "method": "POST", "path": "/api/deals/bulk", "body": []} for place in range(5)]
        told = await client.post("/api/batch", json=items, headers=me)
        assert [each["status"] for each in told.json()] == [400] * 5
        assert 'overall";r=25;' in told.headers["ratelimit"]
