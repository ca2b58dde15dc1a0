"""A client that goes away in the middle of a mutation leaves no half change, and no connection that cannot be used."""

import asyncio
import random
from typing import Any, TypeAlias

import asyncpg
import httpx2
import pytest

from cache.embedded import EmbeddedValkey
from tests.crm import Crm
from tests.faults.conftest import until
from tests.faults.creating import Pipeline, check_each_is_there_once, created, post, refusal
from tests.faults.line import Line
from tests.web.conftest import serving, settings_for

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


async def _create_company(client: httpx2.AsyncClient, owner_id: str, name: str) -> httpx2.Response:
    variables = {"input": {"name": name, "ownerId": owner_id}}
    return await client.post("/graphql", json={"query": CREATE_COMPANY, "variables": variables})
