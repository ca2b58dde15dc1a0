"""A client that goes away in the middle of a mutation leaves no half change, and no connection that cannot be used."""

import asyncio
import random
from contextlib import AsyncExitStack
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import httpx2
import pytest

from cache.embedded import EmbeddedValkey
from server import create_app
from tests.crm import Crm
from tests.faults.conftest import connected, until
from tests.faults.creating import Pipeline, check_each_is_there_once, created, post, refusal
from tests.faults.line import Line
from tests.web.conftest import serving, settings_for
from tests.web.serving import serving as serving_app
from web.wire.protocol import bounded_protocol

POOL = 4
CLIENTS = 150
QUIET = """select count(*) = 0 from pg_stat_activity
           where datname = current_database() and application_name = 'dealgraph' and state <> 'idle'"""
CREATE_COMPANY = """mutation ($input: CreateCompanyInput!) {
  createCompany(input: $input) { company { id } errors { message } }
}"""

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def test_clients_that_leave_at_any_moment_leave_whole_changes_and_usable_connections(
    database_url: str, valkey: EmbeddedValkey, sql: Sql
) -> None:
    pipeline = await Pipeline.put(database_url)
    deals = {f"key {number}": pipeline.deal(f"Deal {number}") for number in range(CLIENTS)}
    async with serving(settings_for(database_url, valkey, pool_size=POOL)) as client:

        async def leave(key: str) -> None:
            asked = asyncio.create_task(post(client, deals[key], key))
            await asyncio.wait([asked], timeout=random.random() / 20)
            asked.cancel()
            await asyncio.wait([asked])

        for start in range(0, CLIENTS, 2 * POOL):
            await asyncio.gather(*map(leave, list(deals)[start : start + 2 * POOL]))
        await until(sql, QUIET)
        made = {record["name"]: str(record["id"]) for record in await sql.fetch("select id, name from deal")}
        assert len(made) < CLIENTS
        await check_each_is_there_once(database_url, made)
        answers = await asyncio.gather(*(post(client, given, key) for key, given in deals.items()))
        acknowledged = dict(zip((given["name"] for given in deals.values()), map(created, answers), strict=True))
        assert made.items() <= acknowledged.items()
        await check_each_is_there_once(database_url, acknowledged)


@pytest.mark.parametrize("statement", ["BEGIN;", "COMMIT;"])
@pytest.mark.parametrize("is_gone", [True, False], ids=["client_gone", "deadline"])
async def test_what_is_acknowledged_after_a_change_that_was_cut_off_is_kept(
    database_url: str, valkey: EmbeddedValkey, crm: Crm, sql: Sql, statement: str, is_gone: bool
) -> None:
    owner = str(await crm.user())
    settings: dict[str, Any] = {"pool_size": 1, "request_deadline_s": 60 if is_gone else 2}
    async with Line(database_url).open() as line, serving(settings_for(line.url, valkey, **settings)) as client:
        line.hold(statement)
        cut_off = asyncio.create_task(_create_company(client, owner, "Cut off"))
        await line.reached.wait()
        if is_gone:
            cut_off.cancel()
            await asyncio.wait([cut_off])
            await asyncio.sleep(0.2)  # until the server has noticed
        else:
            assert refusal(await cut_off)[0] in {503, 504}
        line.go_on.set()
        kept = [(await _create_company(client, owner, name)).json() for name in ("One", "Two")]
        ids = [body["data"]["createCompany"]["company"]["id"] for body in kept]
        rows = await sql.fetch("select id from company where name <> 'Cut off' order by name")
        assert [str(row["id"]) for row in rows] == ids
        await until(sql, QUIET)


@pytest.mark.parametrize("way", ["one request", "array", "REST"])
async def test_a_server_that_stops_behind_a_change_does_not_say_that_there_was_none(
    database_url: str, valkey: EmbeddedValkey, sql: Sql, crm: Crm, way: str
) -> None:
    owner, stage = await crm.user(), await crm.stage()
    free, locked = [str(await crm.deal(owner, stage, value=1)) for _ in range(2)]
    price = "updateDeal(id: \"%s\", input: {value: 2}) { errors { message } }"
    asked: Any = {"query": f"mutation {{ a: {price % free} b: {price % locked} }}"}
    if way == "array":
        asked = [{"query": f"mutation {{ {price % each} }}"} for each in (free, locked)]
    elif way == "REST":
        bulk = {"operation": "UPDATE_VALUE", "updates": {"value": 2}}
        asked = [{"id": each, "method": "POST", "path": "/api/deals/bulk", "body": bulk | {"dealIds": [each]}} for each in (free, locked)]
    settings = settings_for(database_url, valkey, batch_most=2)
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(serving_app(create_app(settings), bounded_protocol(settings), 1))
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client, sql.transaction():
            await sql.execute("select 1 from deal where id = $1 for update", UUID(locked))
            telling = asyncio.create_task(client.post("/api/batch" if way == "REST" else "/graphql", json=asked))
            async with connected(database_url) as watching:
                await until(watching, "select exists (select from pg_stat_activity where wait_event_type = 'Lock')")
            await stack.aclose()
            told = refusal(await telling)
    assert told == (503, "OUTCOME_UNKNOWN")
    assert {each["id"]: each["value"] for each in await sql.fetch("select id::text, value from deal")} == {free: 2, locked: 1}


async def _create_company(client: httpx2.AsyncClient, owner_id: str, name: str) -> httpx2.Response:
    variables = {"input": {"name": name, "ownerId": owner_id}}
    return await client.post("/graphql", json={"query": CREATE_COMPANY, "variables": variables})
