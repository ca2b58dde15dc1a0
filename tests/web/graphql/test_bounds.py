"""What an operation may take: its time, its turn, and how much of what went wrong is told."""

import asyncio
import time
from typing import Any

import asyncpg
import httpx2

from cache.embedded import EmbeddedValkey
from tests.crm import Crm
from tests.web.conftest import GRAPHQL, JSON, serving, settings_for

WAITING = """select count(*) from pg_stat_activity
             where application_name = 'dealgraph' and datname = current_database() and wait_event_type = 'Lock'"""
STAGES = "{ stages { id } }"


async def ask(client: httpx2.AsyncClient, query: str, **headers: str) -> httpx2.Response:
    return await client.post(
        "/graphql", json={"query": query}, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


async def test_ten_errors_are_told_and_how_many_more_there_are(empty: httpx2.AsyncClient) -> None:
    told: list[dict[str, Any]] = [
        (
            await ask(empty, "{ stages { " + " ".join(f"nothing{number}" for number in range(15)) + " } }", accept=GRAPHQL)
        ).json(),
        (await ask(empty, "{ " + " ".join(f"a{number}: company(id: 7) {{ id }}" for number in range(15)) + " }")).json(),
        (await ask(empty, "{ " + " ".join(f"a{number}: company(id: 7) {{ id }}" for number in range(10)) + " }")).json(),
    ]
    assert [len(each["errors"]) for each in told] == [10, 10, 10]
    assert [each.get("extensions", {}).get("errorsLeftOut") for each in told] == [5, 5, None]


async def test_a_client_may_wait_for_less_time_and_never_for_more(
    client: httpx2.AsyncClient, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    for wrong in ("soon", "0", "-1", "nan", "inf", "1e999", ""):
        answer = await ask(client, STAGES, x_request_timeout=wrong)
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_REQUEST")
    assert (await ask(client, STAGES, x_request_timeout="2.5", cache_control="no-cache")).status_code == 200
    async with sql.transaction():
        await sql.execute("lock table company")
        began = time.monotonic()
        # Who waits for the same answer with more patience is not cut off along with the impatient.
        patient = asyncio.create_task(ask(client, "{ companies { totalCount } }", x_request_timeout="1000000"))
        await asyncio.sleep(0.05)
        for query in ("{ companies { totalCount } }", "mutation { deleteCompany(id: 7) { company { id } } }"):
            answer = await ask(client, query, x_request_timeout="0.2")
            if "mutation" not in query:
                assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (504, "DEADLINE_EXCEEDED")
        assert time.monotonic() - began < 1.5
    assert (await patient).json()["data"] == {"companies": {"totalCount": 0}}


async def test_a_change_that_was_made_is_not_told_as_nothing_though_its_answer_was_cut_off(
    client: httpx2.AsyncClient, crm: Crm, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    owner = await crm.user()
    create = f'mutation {{ createCompany(input: {{name: "Late", ownerId: "{owner}"}}) {{ company {{ id activities {{ id }} }} }} }}'
    async with sql.transaction():
        await sql.execute("lock table activity")
        answer = await ask(client, create, x_request_timeout="0.5")
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (503, "OUTCOME_UNKNOWN")
    assert "data" not in answer.json()
    assert await sql.fetchval("select count(*) from company") == 1


async def test_a_change_that_was_made_is_told_though_the_next_one_took_the_answer_along(
    database_url: str, valkey: EmbeddedValkey, crm: Crm, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    owner = await crm.user()
    locked = await crm.company(owner)
    both = (
        f'mutation {{ a: createCompany(input: {{name: "Made", ownerId: "{owner}"}}) {{ company {{ id }} }} '
        f'b: updateCompany(id: "{locked}", input: {{name: "Not"}}) {{ company {{ id }} }} }}'
    )
    async with serving(settings_for(database_url, valkey, statement_timeout_s=0.5)) as client, sql.transaction():
        await sql.execute("select from company where id = $1 for update", locked)
        answer = (await ask(client, both)).json()
    assert answer["data"] is None
    assert [each["extensions"]["code"] for each in answer["errors"]] == ["OUTCOME_UNKNOWN", "DEADLINE_EXCEEDED"]
    assert await sql.fetchval("select count(*) from company where name = 'Made'") == 1


async def test_a_change_of_an_array_that_was_not_made_is_not_told_as_made_because_another_was(
    database_url: str, valkey: EmbeddedValkey, crm: Crm, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    owner = await crm.user()
    company = f'mutation {{ createCompany(input: {{name: "Made", ownerId: "{owner}"}}) {{ company {{ id }} }} }}'
    note = f'mutation {{ createActivity(input: {{type: NOTE, subject: "Not made", ownerId: "{owner}"}}) {{ activity {{ id }} }} }}'
    async with serving(settings_for(database_url, valkey, batch_most=2)) as client, sql.transaction():
        await sql.execute("lock table activity")
        asked = [{"query": company}, {"query": note}]
        made, other = (await client.post("/graphql", json=asked, headers={"x-request-timeout": "0.5"})).json()
    assert made["data"]["createCompany"]["company"]
    assert other["errors"][0]["extensions"]["code"] == "DEADLINE_EXCEEDED"
    assert await sql.fetchval("select count(*) from activity") == 0


async def test_too_many_at_once_wait_in_a_short_queue_and_then_come_back_later(
    database_url: str, valkey: EmbeddedValkey, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    bounds = {"concurrency": 2, "concurrency_queue": 1, "concurrency_wait_s": 1}
    async with serving(settings_for(database_url, valkey, **bounds)) as client:
        kept = "{ pipelineStats { total } }"
        async with asyncio.timeout(5):
            while (await ask(client, kept)).headers["x-cache"] != "HIT":
                await asyncio.sleep(0.01)
        async with sql.transaction():
            await sql.execute("lock table company")
            running = [asyncio.create_task(ask(client, f"{{ a{number}: companies {{ totalCount }} }}")) for number in range(2)]
            await asyncio.sleep(0.1)
            waiting = asyncio.create_task(ask(client, "{ a2: companies { totalCount } }"))
            await asyncio.sleep(0.05)
            began = time.monotonic()
            full = await ask(client, "{ a3: companies { totalCount } }", cache_control="no-cache")
            assert time.monotonic() - began < 0.5
            # What is kept needs no turn, and neither does what is no operation.
            assert (await ask(client, kept)).headers["x-cache"] == "HIT"
            assert (await client.get("/api/health")).status_code == 200
            assert "OVERLOADED" not in (await client.get("/graphql", headers={"accept": "text/html"})).text
            long = await ask(client, "{ a4: companies { totalCount } }" + " " * 20_000)
            by_get = await client.get("/graphql?query={stages{id}}", headers={"accept": GRAPHQL})
            assert by_get.headers["content-type"].startswith(GRAPHQL)
            assert by_get.headers["x-request-id"]
            late = await waiting
            for answer in (full, long, by_get, late):
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
                assert answer.json()["errors"][0]["extensions"]["code"] == "OVERLOADED"
            found = await client.post("/graphql", json={"query": kept, "more": 1})
            assert (found.status_code, found.headers["x-cache"]) == (200, "HIT")
        assert [answer.status_code for answer in await asyncio.gather(*running)] == [200, 200]


async def test_who_is_sent_away_is_counted_and_told_in_a_type_and_with_headers_that_can_be_read(
    database_url: str, valkey: EmbeddedValkey, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    app = "https://app.example.com"
    bounds = {"concurrency": 1, "concurrency_queue": 0, "cors_origins": app}
    async with serving(settings_for(database_url, valkey, **bounds)) as client, sql.transaction():
        await sql.execute("lock table company")
        running = asyncio.create_task(ask(client, "{ companies { totalCount } }"))
        async with asyncio.timeout(5):
            while not await sql.fetchval(WAITING):
                await asyncio.sleep(0.01)
        before = (await client.get("/api/performance/stats")).json()["data"]["requests"]["statuses"].get("5xx", 0)
        for accept in (JSON, GRAPHQL, "image/png"):
            away = await ask(client, STAGES, accept=accept, cache_control="no-cache")
            assert (away.status_code, away.headers["retry-after"], away.headers["vary"]) == (503, "1", "Accept")
            assert away.headers["content-type"] == f"{GRAPHQL if accept == GRAPHQL else JSON}; charset=utf-8"
        page = await ask(client, STAGES, origin=app, cache_control="no-cache")
        assert (page.status_code, page.headers["access-control-allow-origin"]) == (503, app)
        told = (await client.get("/api/performance/stats")).json()["data"]["requests"]
        assert told["statuses"]["5xx"] == before + 4
        running.cancel()


async def test_the_gate_is_free_again_after_everybody_has_gone(empty: httpx2.AsyncClient) -> None:
    answers = await asyncio.gather(*(ask(empty, f"{{ b{number}: stages {{ id }} }}") for number in range(200)))
    assert {answer.status_code for answer in answers} == {200}


async def test_one_operation_leaves_connections_for_others_whatever_it_asks_for(
    database_url: str, valkey: EmbeddedValkey, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    counts = " ".join(f"a{number}: activities(search: \"{number}\") {{ totalCount }}" for number in range(12))
    async with serving(settings_for(database_url, valkey, pool_size=4)) as client:
        async with sql.transaction():
            await sql.execute("lock table activity")
            greedy = asyncio.create_task(ask(client, f"{{ {counts} }}"))
            async with asyncio.timeout(5):
                while await sql.fetchval(WAITING) < 2:
                    await asyncio.sleep(0.01)
            answer = await ask(client, "{ deals(first: 1) { totalCount } }")
            assert answer.json()["data"] == {"deals": {"totalCount": 0}}
            assert await sql.fetchval(WAITING) == 2
        assert len((await greedy).json()["data"]) == 12
