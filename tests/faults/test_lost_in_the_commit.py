"""The connection is lost, or time is up, in the middle of a commit: nobody is told what is not known."""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeAlias

import asyncpg
import pytest

from cache.embedded import EmbeddedValkey
from db.embedded import EmbeddedPostgres
from tests.faults.conftest import until
from tests.faults.creating import Pipeline, check_each_is_there_once, created, post, refusal
from tests.faults.line import Line
from tests.web.conftest import serving, settings_for

UNKNOWN = (503, "OUTCOME_UNKNOWN")
# A commit waits until the test gives up this lock.
LOCK = 4711
SLOW_COMMIT = f"""
    create function wait_for_the_test() returns trigger language plpgsql as $$
    begin
        perform pg_advisory_xact_lock_shared({LOCK});
        return null;
    end $$;
    create constraint trigger deal_waits after insert on deal deferrable initially deferred
        for each row execute function wait_for_the_test();
"""
COMMITTING = """select pid from pg_stat_activity
                where datname = current_database() and query = 'COMMIT;' and wait_event = 'advisory'"""
DEALS = "select count(*) from deal"

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@pytest.fixture
async def slow(sql: Sql) -> AsyncIterator[Sql]:
    """A connection that keeps all commits of new deals waiting until it unlocks them."""
    await sql.execute(SLOW_COMMIT)
    await sql.execute(f"select pg_advisory_lock({LOCK})")
    yield sql
    await sql.execute("select pg_advisory_unlock_all()")


@pytest.fixture
async def pipeline(database_url: str) -> Pipeline:
    """What the test's deals refer to."""
    return await Pipeline.put(database_url)


async def _terminate_the_commit(sql: Sql) -> None:
    await until(sql, COMMITTING)
    pid = await sql.fetchval(COMMITTING)
    await sql.execute("select pg_terminate_backend($1)", pid)
    await until(sql, "select not exists (select from pg_stat_activity where pid = $1)", pid)


async def test_without_a_key_a_commit_that_was_broken_off_is_an_unknown_outcome(
    database_url: str, valkey: EmbeddedValkey, slow: Sql, pipeline: Pipeline
) -> None:
    async with serving(settings_for(database_url, valkey)) as client:
        asked = asyncio.create_task(post(client, pipeline.deal("Renewal"), None))
        await _terminate_the_commit(slow)
        assert refusal(await asked) == UNKNOWN
        assert await slow.fetchval(DEALS) == 0
        await slow.execute("select pg_advisory_unlock_all()")
        again = created(await post(client, pipeline.deal("Renewal"), "mine"))
    await check_each_is_there_once(database_url, {"Renewal": again})


async def test_with_a_key_the_server_repeats_what_was_broken_off_in_its_commit(
    database_url: str, valkey: EmbeddedValkey, slow: Sql, pipeline: Pipeline
) -> None:
    async with serving(settings_for(database_url, valkey)) as client:
        asked = asyncio.create_task(post(client, pipeline.deal("Renewal"), "mine"))
        await _terminate_the_commit(slow)
        await _terminate_the_commit(slow)
        await slow.execute("select pg_advisory_unlock_all()")
        await check_each_is_there_once(database_url, {"Renewal": created(await asked)})


async def test_without_a_key_a_commit_whose_answer_was_lost_is_an_unknown_outcome(
    database_url: str, valkey: EmbeddedValkey, sql: Sql, pipeline: Pipeline
) -> None:
    async with Line(database_url).open() as line, serving(settings_for(line.url, valkey)) as client:
        line.cut_after("COMMIT;")
        assert refusal(await post(client, pipeline.deal("Renewal"), None)) == UNKNOWN
        assert await sql.fetchval(DEALS) == 1


async def test_with_a_key_a_commit_whose_answer_was_lost_is_answered_with_what_it_made(
    database_url: str, valkey: EmbeddedValkey, pipeline: Pipeline
) -> None:
    async with Line(database_url).open() as line, serving(settings_for(line.url, valkey)) as client:
        acknowledged = {}
        for number in range(10):
            line.cut_after("COMMIT;")
            given = pipeline.deal(f"Deal {number}")
            acknowledged[given["name"]] = created(await post(client, given, f"key {number}"))
    await check_each_is_there_once(database_url, acknowledged)


async def test_where_the_database_stays_away_what_it_was_lost_in_is_still_an_unknown_outcome(
    database_url: str, postgres: EmbeddedPostgres, valkey: EmbeddedValkey, sql: Sql, pipeline: Pipeline
) -> None:
    name, admin = await sql.fetchval("select current_database()"), await asyncpg.connect(postgres.url)
    given = pipeline.deal("Renewal")
    async with Line(database_url).open() as line, serving(settings_for(line.url, valkey, pool_size=1)) as client:
        created(await post(client, pipeline.deal("Before"), None))
        await admin.execute(f'alter database "{name}" allow_connections false')
        line.cut_after("COMMIT;")
        told = refusal(await post(client, given, "mine"))
        await admin.execute(f'alter database "{name}" allow_connections true')
        assert await sql.fetchval(DEALS) == 2
        again = created(await post(client, given, "mine"))
    await admin.close()
    assert told == UNKNOWN
    assert str(await sql.fetchval("select id from deal where name = 'Renewal'")) == again


async def test_a_deadline_that_ends_in_the_commit_does_not_say_that_the_change_was_stopped(
    database_url: str, valkey: EmbeddedValkey, slow: Sql, pipeline: Pipeline
) -> None:
    patient = {"statement_timeout_s": 60, "request_deadline_s": 2}
    async with serving(settings_for(database_url, valkey, **patient)) as client:
        asked = asyncio.create_task(post(client, pipeline.deal("Renewal"), None))
        await until(slow, COMMITTING)
        told = refusal(await asked)
        await slow.execute("select pg_advisory_unlock_all()")
        await until(slow, f"select not exists ({COMMITTING})")
    assert told == UNKNOWN or await slow.fetchval(DEALS) == 0, f"{told}, and the deal is there"
