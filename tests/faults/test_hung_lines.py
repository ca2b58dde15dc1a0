"""A line to PostgreSQL hangs: what is said on it does not arrive, and nothing is closed. The server gets over it by itself."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator

import asyncpg
import httpx2
import pytest
from structlog.testing import capture_logs

from cache.embedded import EmbeddedValkey
from cache.freshness import Freshness
from core.errors import Unavailable
from db import listener
from db.copy import copy_into
from db.database import PooledDatabase
from db.listener import listen
from db.pool import SETTLE_S
from jobs import upkeep
from tests.conftest import open_pool
from tests.crm import Crm
from tests.db.test_pool import PING, PingRow
from tests.faults.conftest import until
from tests.faults.creating import Pipeline, created, post, refusal
from tests.faults.line import Line
from tests.web.conftest import serving, settings_for
from web.health import ANSWER_S

DEADLINE_S = 0.5
# A machine with much to do at the same time.
SLACK_S = 1.5
FOLDED = "select not exists (select from owner_deals_delta)"
TOO_LATE = (504, "DEADLINE_EXCEEDED")


async def test_who_comes_after_a_statement_that_was_cut_off_on_a_line_that_hangs_gets_another_one(database_url: str) -> None:
    async with Line(database_url).open() as line:
        pool = open_pool(line.url, size=1)
        db = PooledDatabase(pool, slow_s=10)
        await db.fetch(PING)
        (hung,) = pool._idle
        line.hang()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await db.fetch(PING)
        assert pool.idle == 0, "nobody knows yet whether it is of use"
        began = time.monotonic()
        async with asyncio.timeout(SETTLE_S + SLACK_S):
            assert await db.fetch(PING) == [PingRow(True)]
        assert time.monotonic() - began > SETTLE_S / 2, "a PostgreSQL that is slow has a moment to answer"
        assert hung.raw.is_closed()
        assert (pool.opened, pool.idle) == (1, 1)
        await pool.close()


async def test_a_connection_that_cannot_be_opened_because_postgres_is_stopped_is_given_up(database_url: str) -> None:
    async with Line(database_url).open() as line:
        pool = open_pool(line.url, size=1, wait_s=1)
        line.stop()
        async with asyncio.timeout(30):  # asyncpg alone would wait for a minute
            with pytest.raises(Unavailable):
                await pool.take()
        assert pool.opened == 0


async def test_one_line_of_several_that_hangs_costs_one_request_its_answer(database_url: str, valkey: EmbeddedValkey) -> None:
    settings = {"pool_size": 4, "request_deadline_s": DEADLINE_S, "cache_bytes": 0, "cache_shared": False}
    async with Line(database_url).open() as line, serving(settings_for(line.url, valkey, **settings)) as client:

        async def ask() -> int:
            return (await client.post("/graphql", json={"query": "{ deals { totalCount } }"})).status_code

        line.hang(1)
        assert sorted(await asyncio.gather(*(ask() for _ in range(4)))) == [200, 200, 200, 504]
        for _ in range(8):
            assert await ask() == 200
        await asyncio.sleep(SETTLE_S)
        assert sorted(await asyncio.gather(*(ask() for _ in range(4)))) == [200] * 4


@pytest.mark.parametrize("statement", [b"BEGIN;", b"transaction.act_for", b"transaction.tell", b"COMMIT;"])
async def test_a_change_on_a_line_that_hangs_ends_and_the_next_one_is_made(
    database_url: str, valkey: EmbeddedValkey, sql: "asyncpg.Connection[asyncpg.Record]", statement: bytes
) -> None:
    pipeline = await Pipeline.put(database_url)
    settings = {"pool_size": 1, "request_deadline_s": DEADLINE_S, "pool_wait_s": 10}
    async with Line(database_url).open() as line, serving(settings_for(line.url, valkey, **settings)) as client:
        created(await post(client, pipeline.deal("Before"), None))
        line.hang_at(statement)
        began = time.monotonic()
        told = refusal(await post(client, pipeline.deal("Hung"), None))
        assert told == ((503, "OUTCOME_UNKNOWN") if statement == b"COMMIT;" else TOO_LATE)
        assert line.reached.is_set()
        assert time.monotonic() - began < DEADLINE_S + SETTLE_S + SLACK_S
        created(await post(client, pipeline.deal("After"), None))
    assert {each["name"] for each in await sql.fetch("select name from deal")} == {"Before", "After"}


async def test_requests_go_on_when_all_lines_of_the_pool_hang(database_url: str, valkey: EmbeddedValkey) -> None:
    settings = {"pool_size": 3, "request_deadline_s": DEADLINE_S, "cache_bytes": 0, "cache_shared": False}
    async with Line(database_url).open() as line, serving(settings_for(line.url, valkey, **settings)) as client:

        async def ask() -> httpx2.Response:
            return await client.post("/graphql", json={"query": "{ deals { totalCount } }"})

        assert (await ask()).status_code == 200
        line.hang()
        assert {refusal(each) for each in await asyncio.gather(*(ask() for _ in range(3)))} == {TOO_LATE}
        await asyncio.sleep(SETTLE_S + SLACK_S / 2)
        assert {each.status_code for each in await asyncio.gather(*(ask() for _ in range(6)))} == {200}


async def test_a_pool_closes_all_lines_that_hang_in_the_time_of_one(database_url: str) -> None:
    async with Line(database_url).open() as line:
        pool = open_pool(line.url, size=5)
        await pool.warm()
        hung = [each.raw for each in pool._idle]
        line.hang()
        began = time.monotonic()
        await pool.close()
        assert time.monotonic() - began < 1 + SLACK_S
        assert (pool.opened, [each.is_closed() for each in hung]) == (0, [True] * 5)


async def test_health_is_told_in_time_while_postgres_is_stopped_and_keeps_no_connection(
    database_url: str, valkey: EmbeddedValkey
) -> None:
    async with Line(database_url).open() as line, serving(settings_for(line.url, valkey, pool_size=2)) as client:

        async def ask(what: str) -> tuple[int, dict[str, object]]:
            began = time.monotonic()
            answer = await client.get(f"/api/health?{what}", headers={"host": "localhost"})
            assert time.monotonic() - began < ANSWER_S + SLACK_S
            return answer.status_code, answer.json()

        assert (await ask("ready"))[0] == 200
        assert (await ask("detailed=true"))[1]["sizes"]
        line.stop()
        (status, told), (_, detailed) = await asyncio.gather(ask("ready"), ask("detailed=true"))
        assert (status, told["status"], told["checks"]) == (503, "unavailable", {"database": "unavailable", "cache": "ok"})
        assert (detailed["status"], detailed["sizes"]) == ("unavailable", None)
        assert (await ask("ready"))[0] == 503
        line.resume()
        async with asyncio.timeout(SETTLE_S + SLACK_S):
            while (await ask("ready"))[0] != 200:
                await asyncio.sleep(0.1)


@pytest.mark.parametrize("said", [b"LISTEN", b"health.hello", b"transaction.snapshot", b"health.synchronise", b"health.triggers"])
async def test_who_listens_begins_again_when_the_line_hangs(
    database_url: str, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(listener, "BEAT_TIMEOUT_S", 0.5)
    async with Line(database_url).open() as line:
        line.hang_at(said, is_pooled=False)
        freshness = Freshness()
        task = asyncio.create_task(listen(line.url, freshness))
        await line.reached.wait()
        try:
            async with asyncio.timeout(5):
                while not freshness.is_hearing:
                    await asyncio.sleep(0.01)
        finally:
            task.cancel()


async def test_who_listens_through_a_pooler_that_passes_nothing_on_does_not_take_that_for_silence(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "HELLO_S", 0.2)
    async with Line(database_url, is_pooler=True).open() as line:
        freshness = Freshness()
        with capture_logs() as logged:
            task = asyncio.create_task(listen(line.url, freshness))
            async with asyncio.timeout(10):
                while not any("not to a pooler" in each.get("error", "") for each in logged):
                    assert not freshness.is_listening
                    await asyncio.sleep(0.01)
        line.is_pooler = False
        async with asyncio.timeout(10):
            while not freshness.is_hearing:
                await asyncio.sleep(0.01)
        task.cancel()


async def test_rollups_are_folded_again_when_the_line_of_upkeep_hangs(
    database_url: str, crm: Crm, sql: "asyncpg.Connection[asyncpg.Record]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "COMMAND_TIMEOUT_S", 0.5)
    monkeypatch.setattr(upkeep, "RECONNECT_S", 0.1)
    owner, stage, written = await crm.user(), await crm.stage(), asyncio.Event()
    async with Line(database_url).open() as line:
        task = asyncio.create_task(upkeep.keep_up(line.url, written))
        try:
            for _ in range(2):
                await crm.deal(owner, stage)
                written.set()
                await until(sql, FOLDED)
                line.hang(is_pooled=False)
        finally:
            task.cancel()


async def test_rows_that_are_copied_do_not_wait_for_a_connection_that_has_gone(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    backend = connection.get_server_pid()

    def rows() -> Iterator[tuple[str]]:
        yield ("the first",)
        os.kill(backend, signal.SIGSTOP)  # which takes no more, until there is no room on the line
        for _ in range(9_000):
            yield ("x" * 9_000,)

    copying = asyncio.create_task(copy_into(connection, "stage", records=rows(), columns=["name"]))
    await asyncio.sleep(0.5)
    os.kill(backend, signal.SIGTERM)
    os.kill(backend, signal.SIGCONT)
    with pytest.raises(asyncpg.PostgresError):
        await asyncio.wait_for(copying, 5)
