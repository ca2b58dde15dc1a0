"""What an operation is charged by whatever way it comes, and what its answer and its headers say about that."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from urllib.parse import quote, urlsplit

import asyncpg
import httpx2
import pytest

from cache.embedded import EmbeddedValkey
from cache.redis import RedisCache
from db.embedded import EmbeddedPostgres
from tests.web.conftest import JSON, serving, settings_for

LIMITS = {"limits": "on", "limit_points": 500, "limit_points_per_s": 0.01, "trusted_proxies": "127.0.0.0/8"}
STAGES = "{ stages { id } }"
WAITING = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
HUNDRED = "{ deals(first: 100) { edges { node { id } } } }"
_addresses = count(1)


@pytest.fixture(scope="module")
async def limited(url_without_a_row: str, valkey: EmbeddedValkey) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a server that keeps answers and has few points for each."""
    async with serving(settings_for(url_without_a_row, valkey, **LIMITS)) as client:
        await until_kept(client)
        yield client


@pytest.fixture
def me() -> dict[str, str]:
    """The headers of a client that nobody has seen yet."""
    return {"x-forwarded-for": f"203.0.113.{next(_addresses)}"}


async def until_kept(client: httpx2.AsyncClient) -> None:
    """Waits until the server hears what is written, and keeps answers."""
    async with asyncio.timeout(5):
        while (await ask(client, STAGES, {"x-forwarded-for": "203.0.113.0"})).headers["x-cache"] != "HIT":
            await asyncio.sleep(0.01)


async def ask(client: httpx2.AsyncClient, query: str, headers: dict[str, str]) -> httpx2.Response:
    return await client.post("/graphql", json={"query": query}, headers=headers)


def code(answer: httpx2.Response) -> str:
    """The code of its one error."""
    (error,) = answer.json()["errors"]
    return str(error["extensions"]["code"])


async def points_left(client: httpx2.AsyncClient, me: dict[str, str]) -> int:
    """The points of a client, as an operation that costs next to nothing is told."""
    answer = await ask(client, f"{{ a{next(_addresses)}: __typename }}", me)
    return int(answer.json()["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"])


async def test_an_answer_to_a_get_is_the_same_for_all_and_what_it_did_not_cost_is_given_back(
    limited: httpx2.AsyncClient, me: dict[str, str]
) -> None:
    answer = await limited.get(f"/graphql?query={quote(HUNDRED)}", headers=me | {"content-type": JSON, "cache-control": "no-cache"})
    assert answer.json()["extensions"]["cost"].keys() == {"requestedQueryCost", "actualQueryCost"}
    assert answer.headers["etag"]
    assert '"points";r=' in answer.headers["ratelimit"]
    assert await points_left(limited, me) > 450


async def test_who_has_an_answer_that_was_made_for_another_is_given_back_all_it_might_have_cost(
    database_url: str, valkey: EmbeddedValkey, me: dict[str, str], sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async with serving(settings_for(database_url, valkey, **LIMITS)) as client:
        await until_kept(client)
        other = {"x-forwarded-for": f"203.0.113.{next(_addresses)}"}
        async with sql.transaction():
            await sql.execute("lock table deal in access exclusive mode")
            asked = [asyncio.create_task(ask(client, HUNDRED, who)) for who in (other, me)]
            await asyncio.sleep(0.1)  # both wait for the one that is made
        answers = await asyncio.gather(*asked)
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[1].json()["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"] == 500


async def test_what_had_no_turn_in_time_costs_nothing(
    database_url: str, valkey: EmbeddedValkey, me: dict[str, str], sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    bounds = {"concurrency": 1, "concurrency_queue": 1, "concurrency_wait_s": 0.05}
    async with serving(settings_for(database_url, valkey, **LIMITS, **bounds)) as client:
        async with sql.transaction():
            await sql.execute("lock table company in access exclusive mode")
            running = asyncio.create_task(ask(client, "{ companies { totalCount } }", {"x-forwarded-for": "203.0.113.0"}))
            async with asyncio.timeout(5):
                while not await sql.fetchval(WAITING):
                    await asyncio.sleep(0.01)
            assert code(await ask(client, HUNDRED, me)) == "OVERLOADED"
        await running
        assert await points_left(client, me) == 500


async def test_what_the_database_was_not_there_for_costs_nothing(
    postgres: EmbeddedPostgres, database_url: str, valkey: EmbeddedValkey, me: dict[str, str]
) -> None:
    admin = await asyncpg.connect(postgres.url)
    name = urlsplit(database_url).path.removeprefix("/")
    async with serving(settings_for(database_url, valkey, **LIMITS)) as client:
        await until_kept(client)
        await admin.execute(f"alter database {name} allow_connections false")
        pooled = "datname = $1 and application_name = 'dealgraph'"  # what is written can be heard all the while
        await admin.fetch(f"select pg_terminate_backend(pid, 5000) from pg_stat_activity where {pooled}", name)
        assert code(await ask(client, HUNDRED, me)) == "UNAVAILABLE"
        await admin.execute(f"alter database {name} allow_connections true")
        while (await client.get("/api/health?ready")).status_code != 200:
            await asyncio.sleep(0.01)
        assert await points_left(client, me) == 500
    await admin.close()


async def test_what_is_refused_for_its_variables_costs_what_was_estimated(
    limited: httpx2.AsyncClient, me: dict[str, str]
) -> None:
    unset = "query ($first: Int!) { deals(first: 100) { edges { node { id } } } a: deals(first: $first) { totalCount } }"
    assert code(await ask(limited, unset, me)) == "BAD_USER_INPUT"
    assert await points_left(limited, me) < 400


async def test_variables_that_do_not_fit_are_told_whole_however_many_there_are(
    limited: httpx2.AsyncClient, me: dict[str, str]
) -> None:
    declared = ", ".join(f"$v{number}: Int!" for number in range(15))
    used = " ".join(f"a{number}: deals(first: $v{number}) {{ totalCount }}" for number in range(15))
    answer = (await ask(limited, f"query ({declared}) {{ {used} }}", me)).json()
    assert (len(answer["errors"]), answer["extensions"]) == (10, {"errorsLeftOut": 5})


async def test_what_costs_as_much_as_is_heavy_is_heavy_and_each_path_has_its_class_behind_the_limit_of_all(
    url_without_a_row: str, valkey: EmbeddedValkey, limited: httpx2.AsyncClient, me: dict[str, str]
) -> None:
    cost = (await ask(limited, HUNDRED, me | {"cache-control": "no-cache"})).json()["extensions"]["cost"]["requestedQueryCost"]
    async with serving(settings_for(url_without_a_row, valkey, **LIMITS, limit_heavy_cost=cost)) as client:
        heavy = await ask(client, HUNDRED, me | {"cache-control": "no-cache"})
        lighter = await ask(client, HUNDRED.replace("100", "99"), me | {"cache-control": "no-cache"})
        of_deals = await client.get("/api/deals/pipeline-stats?refresh=true", headers=me)
        of_requests = await client.get("/api/performance/stats", headers=me)
    assert [classes(each) for each in (heavy, lighter, of_deals, of_requests)] == [
        ["overall", "api", "heavy", "points"],
        ["overall", "api", "points"],
        ["overall", "api", "statistics", "points"],
        ["overall", "statistics"],
    ]


def classes(answer: httpx2.Response) -> list[str]:
    """The limits that an answer counted towards, in their order."""
    return [each.strip().split(";")[0].strip('"') for each in answer.headers["ratelimit"].split(",")]


async def test_many_answers_from_the_cache_ask_redis_a_few_times(
    limited: httpx2.AsyncClient, me: dict[str, str], valkey: EmbeddedValkey
) -> None:
    cache = RedisCache(valkey.url, timeout_s=10)

    async def asked() -> int:
        told = await cache.client.info("commandstats")
        return int(told.get("cmdstat_evalsha", {"calls": 0})["calls"])

    before = await asked()
    for _ in range(60):
        assert (await ask(limited, STAGES, me)).headers["x-cache"] == "HIT"
    assert await asked() - before < 20
    await cache.close()
