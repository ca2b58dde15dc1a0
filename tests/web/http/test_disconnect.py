"""Work that nobody waits for any more stops, in PostgreSQL too, and the server goes on as if nothing had been."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import httpx2
import pytest
from asyncpg.transaction import Transaction

from cache.embedded import EmbeddedValkey
from tests.web.conftest import JSON, serving, settings_for

POOL = 2
STUCK = {"query": "{ deals { totalCount } }"}
NO_DEALS = {"deals": {"totalCount": 0}}
STAGES = {"query": "{ stages { id } }"}
PATIENT = {"pool_size": POOL, "statement_timeout_s": 60, "request_deadline_s": 60, "pool_wait_s": 60}
ACTIVE = """select count(*) from pg_stat_activity
            where datname = current_database() and application_name = 'dealgraph' and state = 'active'"""


class Bench:
    """Starts servers on the test's database, keeps them from reading deals, and counts what they run."""

    def __init__(self, database_url: str, valkey: EmbeddedValkey, sql: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._database_url, self._valkey, self._sql = database_url, valkey, sql

    @asynccontextmanager
    async def stuck(self, **settings: float) -> AsyncIterator[tuple[httpx2.AsyncClient, Transaction]]:
        """A client of a server, and the transaction that holds the lock which deals wait for."""
        async with serving(settings_for(self._database_url, self._valkey, **PATIENT | settings)) as client:
            lock = self._sql.transaction()
            await lock.start()
            await self._sql.execute("lock table deal in access exclusive mode")
            yield client, lock

    async def until_running(self, wanted: int) -> None:
        """Waits until the server runs that many statements, asked outside the transaction that holds the lock."""
        connection = await asyncpg.connect(self._database_url)
        async with asyncio.timeout(20):
            while await connection.fetchval(ACTIVE) != wanted:
                await asyncio.sleep(0.02)
        await connection.close()


@pytest.fixture
def bench(database_url: str, valkey: EmbeddedValkey, sql: "asyncpg.Connection[asyncpg.Record]") -> Bench:
    """Where requests get stuck."""
    return Bench(database_url, valkey, sql)


async def test_a_client_that_goes_away_takes_its_statement_with_it(bench: Bench) -> None:
    async with bench.stuck() as (client, lock):
        leaving = asyncio.create_task(_post(client, STUCK))
        staying = asyncio.create_task(_post(client, STUCK))
        await bench.until_running(2)
        leaving.cancel()
        await bench.until_running(1)
        assert (await _post(client, STAGES)).json()["data"] == {"stages": []}
        assert not staying.done()
        await lock.rollback()
        assert (await staying).json()["data"] == NO_DEALS


async def test_a_client_of_a_rest_path_or_a_batch_that_goes_away_takes_its_statement_with_it(bench: Bench) -> None:
    async with bench.stuck() as (client, lock):
        item = {"id": 1, "path": "/api/deals"}
        for asked in (client.get("/api/deals"), client.post("/api/batch", json=[item])):
            leaving = asyncio.create_task(asked)
            await bench.until_running(1)
            leaving.cancel()
            await bench.until_running(0)
        await lock.rollback()


async def test_a_crowd_that_goes_away_leaves_every_connection_usable(bench: Bench) -> None:
    async with bench.stuck() as (client, lock):
        crowd = [asyncio.create_task(_post(client, STUCK)) for _ in range(10 * POOL)]
        await bench.until_running(POOL)
        for leaving in crowd:
            leaving.cancel()
        await bench.until_running(0)
        await lock.rollback()
        answers = await asyncio.gather(*(_post(client, STUCK) for _ in range(5 * POOL)))
        assert [each.json()["data"] for each in answers] == [NO_DEALS] * (5 * POOL)


@pytest.mark.parametrize("limit", ["request_deadline_s", "statement_timeout_s"])
async def test_a_request_past_its_time_gets_an_error_and_its_statement_ends(bench: Bench, limit: str) -> None:
    async with bench.stuck(**{limit: 0.3}) as (client, lock):
        assert await _refused(client, STUCK) == (504, "DEADLINE_EXCEEDED")
        await bench.until_running(0)
        await lock.rollback()
        assert (await _post(client, STUCK)).json()["data"] == NO_DEALS


async def test_who_waits_too_long_for_a_connection_is_told_that_the_server_is_busy(bench: Bench) -> None:
    async with bench.stuck(pool_wait_s=0.2) as (client, lock):
        stuck = [asyncio.create_task(_post(client, STUCK)) for _ in range(POOL)]
        await bench.until_running(POOL)
        assert await _refused(client, STAGES) == (503, "OVERLOADED")
        await lock.rollback()
        assert [(await each).json()["data"] for each in stuck] == [NO_DEALS] * POOL


async def test_a_client_that_goes_away_in_the_middle_of_its_body_is_no_error_of_ours(
    client: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    _, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    head = f"POST /graphql HTTP/1.1\r\nhost: here\r\ncontent-type: {JSON}\r\ncontent-length: 100\r\n\r\n"
    writer.write(head.encode() + b'{"query": "{ sta')
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await _post(client, STAGES)).status_code == 200
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def _post(client: httpx2.AsyncClient, body: object) -> httpx2.Response:
    # Asked anew: those who ask for the same at once are otherwise answered by one execution.
    return await client.post("/graphql", json=body, headers={"cache-control": "no-cache"})


async def _refused(client: httpx2.AsyncClient, body: object) -> tuple[int, str]:
    response = await _post(client, body)
    (error,) = response.json()["errors"]
    return response.status_code, error["extensions"]["code"]
