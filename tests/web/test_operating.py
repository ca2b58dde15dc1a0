"""What operators see and do: health in detail, figures, and a broom for kept answers that reaches every process."""

import asyncio
import os
from collections.abc import AsyncIterator

import httpx2
import pytest

from cache.embedded import EmbeddedValkey
from core.api_key import digest_of, new_key
from db.embedded import EmbeddedPostgres
from tests.crm import Crm
from tests.faults.line import Line
from tests.web.conftest import serving, settings_for
from tests.web.shop import Shop, open_shop


@pytest.fixture(scope="module")
async def shop(postgres: EmbeddedPostgres, valkey: EmbeddedValkey, migrated: str) -> AsyncIterator[Shop]:
    """A server for the module."""
    async with open_shop(postgres, valkey, migrated, "operating") as shop:
        yield shop


async def outcomes(client: httpx2.AsyncClient, *paths: str) -> list[str]:
    """What the cache had to do with the answer of each path."""
    return [(await client.get(path)).headers["x-cache"] for path in paths]


async def test_cleared_answers_are_gone_from_every_process_and_from_what_they_share(shop: Shop, valkey: EmbeddedValkey) -> None:
    paths = (f"/api/deals/{shop.deals[0]}", "/api/contacts/stats", "/api/stages")
    nothing = {"query": "query Nothing { __typename }"}
    async with serving(settings_for(shop.url, valkey)) as other:
        for body, expected in (
            ({"documents": ["Deal"]}, ["MISS", "HIT", "HIT"]),
            ({"tags": ["contacts"]}, ["HIT", "MISS", "HIT"]),
            ({"tags": [f"deal:{shop.deals[0]}"], "documents": ["Stages"]}, ["MISS", "HIT", "MISS"]),
            ({"all": True}, ["MISS", "MISS", "MISS"]),
        ):
            await outcomes(shop.client, *paths)
            while await outcomes(other, *paths) != ["HIT"] * 3:  # until both hear, and have kept it
                await asyncio.sleep(0.05)
            await other.post("/graphql", json=nothing)
            response = await shop.client.post("/api/performance/clear-cache", json=body)
            assert response.status_code == 200, response.text
            assert response.json()["data"]["cleared"] == expected.count("MISS")
            await asyncio.sleep(0.05)  # the other hears of it as of a write
            assert await outcomes(other, *paths) == expected
            assert await outcomes(shop.client, *paths) == ["HIT"] * 3  # what the other has made since
        assert (await other.post("/graphql", json=nothing)).headers["x-cache"] == "MISS"


async def test_what_is_to_be_cleared_must_be_said_and_be_there(shop: Shop) -> None:
    wrong: list[object] = [
        {}, [], {"all": False}, {"all": True, "tags": ["deals"]}, {"tags": []}, {"tags": ["deal"]}, {"tags": ["deals deals"]},
        {"tags": ["nouns"]}, {"documents": "Deal"}, {"documents": ["a b"]}, {"documents": ["D"] * 51}, {"tag": ["deals"]},
    ]  # fmt: skip
    for body in wrong:
        response = await shop.client.post("/api/performance/clear-cache", json=body)
        assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_REQUEST"), body


async def test_clearing_on_a_line_that_hangs_ends_at_the_deadline(shop: Shop, valkey: EmbeddedValkey) -> None:
    async with Line(shop.url).open() as line, serving(settings_for(line.url, valkey, request_deadline_s=0.5)) as client:
        line.hang_at(b"transaction.announce")
        response = await client.post("/api/performance/clear-cache", json={"all": True}, timeout=5)
        assert line.reached.is_set()
        assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (504, "DEADLINE_EXCEEDED")


async def test_every_kind_of_tag_can_be_cleared(shop: Shop) -> None:
    for tag in ("deals", f"deal:{shop.deals[0]}", f"deals-of-owner:{shop.ada}", f"deals-with-owner:{shop.ada}"):
        assert (await shop.client.post("/api/performance/clear-cache", json={"tags": [tag]})).status_code == 200, tag


async def test_figures_tell_what_the_process_has_done(shop: Shop) -> None:
    for _ in range(3):
        await shop.client.get("/api/activities?refresh=true")
    await shop.client.get("/api/activities")
    await shop.client.get("/api/nothing")
    before = (await shop.client.get("/api/performance/stats")).json()["data"]["requests"]
    await shop.client.post("/graphql", json={"query": "{ stages { id } }", "extensions": {"refresh": True}})  # by the short way
    after = (await shop.client.get("/api/performance/stats")).json()["data"]["requests"]
    assert after["count"] == before["count"] + 2  # that one, and the first question for the figures
    told = (await shop.client.get("/api/performance/stats")).json()["data"]
    document = told["documents"]["Activities"]
    assert (document["count"], document["failed"], document["kept"]["hits"]) == (3, 0, 1)
    assert 0 < document["p50Ms"] <= document["p90Ms"] <= document["p99Ms"] <= document["maxMs"]
    assert told["requests"]["count"] == sum(told["requests"]["statuses"].values())
    assert told["requests"]["statuses"]["4xx"] >= 1
    assert told["pool"] == {"size": 2, "open": 2, "idle": 2, "waiting": 0}
    assert next(iter(told["statements"].values()))["count"] > 0
    assert told["cache"]["hearing"] is True
    assert told["process"]["memory"]["peakBytes"] > 10_000_000
    assert (told["process"]["id"], 0 <= told["process"]["uptimeSeconds"] < 3_600) == (os.getpid(), True)


async def test_health_in_detail_tells_what_there_is(shop: Shop) -> None:
    told = (await shop.client.get("/api/health?detailed=true")).json()
    assert (told["status"], told["pool"]["size"], told["responses"]["hearing"]) == ("ok", 2, True)
    assert told["sizes"]["deal"]["bytes"] > 0
    assert {"company", "contact", "activity", "app_user", "stage"} < set(told["sizes"])


async def test_who_comes_through_a_proxy_is_no_operator(shop: Shop) -> None:
    through = {"x-forwarded-for": "127.0.0.1"}
    for method, path in (("GET", "/api/performance/stats"), ("POST", "/api/performance/clear-cache")):
        response = await shop.client.request(method, path, headers=through, json={"all": True})
        assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (403, "FORBIDDEN")
    assert (await shop.client.get("/api/health?detailed=true", headers=through)).json() == {"status": "ok"}


async def test_where_people_are_asked_who_they_are_operators_are_those_with_the_scope(shop: Shop, valkey: EmbeddedValkey) -> None:
    keys = {}
    for scope in ("crm:admin", "crm:write:all"):
        keys[scope] = new_key()
        await Crm(shop.sql).add("api_key", name="test", digest=digest_of(keys[scope].encode()), scopes=[scope])
    secret = "c2VjcmV0IG9mIHRoZSBvcGVyYXRpbmcgdGVzdHM="
    settings = settings_for(shop.url, valkey, auth="jwt", jwt_secret=secret, jwt_issuer="i", jwt_audience="a")
    async with serving(settings) as client:
        for key, expected in ((keys["crm:admin"], 200), (keys["crm:write:all"], 403), ("", 401)):
            own = {"x-api-key": key} if key else {}
            stats = await client.get("/api/performance/stats", headers=own)
            cleared = await client.post("/api/performance/clear-cache", json={"all": True}, headers=own)
            assert (stats.status_code, cleared.status_code) == (expected, expected)
            assert ("insufficient_scope" in stats.headers.get("www-authenticate", "")) == (expected == 403)
        far = {"x-forwarded-for": "192.0.2.7"}
        assert "pool" in (await client.get("/api/health?detailed=true", headers={**far, "x-api-key": keys["crm:admin"]})).json()
        # A page of a site that has given its name to this machine's address asks from here as well.
        for other in (far, {"host": "evil.example:8000", "origin": "http://evil.example:8000"}):
            assert (await client.get("/api/health?detailed=true", headers=other)).json() == {"status": "ok"}
        assert (await client.get("/api/deals", headers={"x-api-key": keys["crm:write:all"]})).json()["data"]["items"]
        nobody = await client.get("/api/deals", headers={"x-api-key": keys["crm:admin"]})
        assert (nobody.status_code, nobody.json()["data"]["items"]) == (200, [])
