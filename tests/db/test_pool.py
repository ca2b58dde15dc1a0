"""The pool: each statement prepared once, first come first served, bounded waits, and it outlives what it is connected to."""

import asyncio
import os
import signal
import time
import traceback
from pathlib import Path
from typing import NamedTuple

import asyncpg
import pytest

from core.errors import BadInput, DeadlineExceeded, OutcomeUnknown, Overloaded, Unavailable
from core.viewer import EVERYONE
from db.database import ConstraintViolated, Database, PooledDatabase, _Inside
from db.embedded import EmbeddedPostgres
from db.migrate import migrate
from db.pool import Connection
from db.rows import CompanyRow, DealRow, StageRow
from db.statements import REGISTRY, Statement, statement
from schema.company import CompanyFilter
from tests.conftest import open_pool
from tests.faults.line import Line


class PingRow(NamedTuple):
    """That PostgreSQL answers."""

    answers: bool


PING = Statement("ping", PingRow, "/* ping */ select true as answers")
STAGES = statement("stage.all", StageRow)
DEALS = statement("deal.by_ids", DealRow)
ADD_STAGE = Statement("add stage", PingRow, "insert into stage (name, position, probability) values ('Lead', 1, 0.1) returning true")
# Which sessions are those of the pool, and what ends them.
OURS = "application_name = 'dealgraph' and datname = current_database()"
CUT = f"select pg_terminate_backend(pid) from pg_stat_activity where {OURS}"


async def test_a_statement_is_prepared_once_on_each_connection_that_runs_it(db: PooledDatabase) -> None:
    async with db.pool.connection() as held:
        for _ in range(3):
            await held.run(PING, ())
        prepared = await held.raw.fetch("select statement, generic_plans from pg_prepared_statements where statement like '/* %'")
        assert [tuple(row) for row in prepared] == [(PING.text, 3)]


async def test_an_idle_connection_does_not_run_into_the_statement_timeout(database_url: str) -> None:
    pool = open_pool(database_url, size=1, statement_timeout_s=0.3)
    db = PooledDatabase(pool, slow_s=10)
    with pytest.raises(BadInput):  # prepared, and never sent
        await db.fetch(Statement("sought", PingRow, "select $1::uuid is null"), "not a uuid")
    (held,) = pool._idle
    await asyncio.sleep(0.6)
    assert await db.fetch(PING) == [PingRow(True)]
    assert list(pool._idle) == [held]
    await pool.close()


async def test_connections_are_handed_out_first_come_first_served(database_url: str) -> None:
    pool = open_pool(database_url, size=1)
    order: list[int] = []

    async def use(number: int) -> None:
        async with pool.connection():
            order.append(number)
            await asyncio.sleep(0)

    async with pool.connection():
        users = []
        for number in range(20):
            users.append(asyncio.create_task(use(number)))
            await asyncio.sleep(0)
        assert pool.waiting == 20
    await asyncio.gather(*users)
    assert order == list(range(20))
    await pool.close()


async def test_whoever_gives_up_waiting_is_told_and_holds_up_nobody(database_url: str) -> None:
    pool = open_pool(database_url, size=1, wait_s=0.05)
    async with pool.connection():
        with pytest.raises(Overloaded, match="came free in time"):
            async with pool.connection():
                pass
        impatient = asyncio.create_task(pool.take())
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.gather(impatient, return_exceptions=True)
        assert pool.waiting == 0
    async with pool.connection():
        pass
    assert (pool.opened, pool.idle) == (1, 1)
    await pool.close()


async def test_whoever_waits_after_another_gave_up_gives_up_as_well(database_url: str) -> None:
    pool = open_pool(database_url, size=1, wait_s=0.05)
    async with pool.connection(), asyncio.timeout(5):
        for _ in range(2):
            with pytest.raises(Overloaded):
                await pool.take()
    await pool.close()


async def test_whoever_goes_away_just_before_their_time_is_up_holds_up_nobody_behind_them(database_url: str) -> None:
    pool = open_pool(database_url, size=1, wait_s=0.01)
    async with pool.connection(), asyncio.timeout(5):
        gone, next_in_line = asyncio.create_task(pool.take()), asyncio.create_task(pool.take())
        await asyncio.sleep(0)
        time.sleep(0.02)  # noqa: ASYNC251  # the loop has no turn: the timer is due in the one that comes
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(Overloaded):
            await next_in_line
        with pytest.raises(asyncio.CancelledError):
            await gone
    await pool.close()


async def test_whoever_goes_away_just_after_their_time_is_up_has_gone_away(database_url: str) -> None:
    pool = open_pool(database_url, size=1, wait_s=0.01)
    async with pool.connection(), asyncio.timeout(5):
        gone = asyncio.create_task(pool.take())
        await asyncio.sleep(0)
        time.sleep(0.02)  # noqa: ASYNC251
        for _ in range(2):
            await asyncio.sleep(0)
        assert pool.waiting == 0
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
    assert (pool.opened, pool.idle) == (1, 1)
    await pool.close()


async def test_who_began_to_wait_later_gives_up_as_well(database_url: str) -> None:
    pool = open_pool(database_url, size=1, wait_s=0.2)
    async with pool.connection():
        first = asyncio.create_task(pool.take())
        await asyncio.sleep(0.1)
        second = asyncio.create_task(pool.take())
        async with asyncio.timeout(5):
            for each in (first, second):
                with pytest.raises(Overloaded):
                    await each
    await pool.close()


@pytest.mark.parametrize("is_broken", [False, True], ids=["a connection", "a place for one"])
async def test_a_waiter_cancelled_in_the_moment_of_the_handover_loses_nothing(database_url: str, is_broken: bool) -> None:
    pool = open_pool(database_url, size=1)
    first = await pool.take()
    waiter = asyncio.create_task(pool.take())
    await asyncio.sleep(0)
    if is_broken:
        pool.discard(first)
    pool.give_back(first)
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    assert pool.opened == (0 if is_broken else 1)
    async with pool.connection() as held:
        assert (held is first) is not is_broken
    await pool.close()


async def test_a_waiter_cancelled_just_before_the_handover_is_passed_over(database_url: str) -> None:
    pool = open_pool(database_url, size=1)
    first = await pool.take()
    gone, next_in_line = asyncio.create_task(pool.take()), asyncio.create_task(pool.take())
    await asyncio.sleep(0)
    gone.cancel()
    pool.give_back(first)
    assert await next_in_line is first
    pool.give_back(first)
    await asyncio.gather(gone, return_exceptions=True)
    await pool.close()


async def test_the_queue_is_bounded(database_url: str) -> None:
    pool = open_pool(database_url, size=1, queue=2)
    async with pool.connection():
        waiting = [asyncio.create_task(pool.take()) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="too many requests"):
            await pool.take()
    for each in waiting:
        pool.give_back(await each)
    await pool.close()


async def test_a_connection_that_dies_is_replaced(db: PooledDatabase, sql: "asyncpg.Connection[asyncpg.Record]") -> None:
    assert await db.fetch(STAGES) == []
    await sql.execute(CUT)
    for _ in range(5):
        assert await db.fetch(STAGES) == []
    assert db.pool.opened <= db.pool.size


async def test_a_connection_that_dies_while_nobody_uses_it_gives_up_its_place(
    database_url: str, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    pool = open_pool(database_url, size=1, wait_s=1)
    db = PooledDatabase(pool, slow_s=10)
    for _ in range(2):
        async with pool.connection() as held:
            pass
        await sql.execute(CUT)
        async with asyncio.timeout(5):
            while not held.raw.is_closed():
                await asyncio.sleep(0.01)
        assert await db.fetch(PING) == [PingRow(True)]
    assert (pool.opened, pool.idle) == (1, 1)
    await pool.close()


async def test_a_connection_that_cannot_be_made_ready_is_not_left_open(
    database_url: str, sql: "asyncpg.Connection[asyncpg.Record]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.pool.ARRAYS", "select nothing from nowhere")
    pool = open_pool(database_url, size=1)
    for _ in range(2):
        with pytest.raises(asyncpg.UndefinedTableError):
            await pool.take()
        assert pool.opened == 0
    async with asyncio.timeout(5):
        while await sql.fetchval("select count(*) from pg_stat_activity where " + OURS):
            await asyncio.sleep(0.01)


async def test_a_pool_that_is_warm_has_all_its_connections_and_keeps_those_that_could_be_opened(
    database_url: str, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    pool = open_pool(database_url, size=3)
    await pool.warm()
    assert (pool.opened, pool.idle) == (3, 3)
    await pool.close()
    await sql.execute("drop role if exists single; create role single login connection limit 1")
    pool = open_pool(database_url.replace("postgres@", "single@"), size=2)
    pool.give_back(await pool.take())  # of two at once PostgreSQL may refuse both
    with pytest.raises(Unavailable):
        await pool.warm()
    assert (pool.opened, pool.idle) == (1, 1)
    await pool.close()


async def test_a_connection_that_settles_while_the_pool_closes_is_closed_as_well(database_url: str) -> None:
    pool = open_pool(database_url, size=1)
    held = await pool.take()
    running = asyncio.create_task(held.run(PING, ()))
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    pool.give_back(held)
    assert pool.idle == 0, "it settles"
    await pool.close()
    assert held.raw.is_closed()
    assert (pool.opened, pool._tasks) == (0, set()), "there is nothing left to wait for"


async def test_connections_run_no_compiled_and_no_custom_plans_and_stop_at_the_time_limit(database_url: str) -> None:
    pool = open_pool(database_url, statement_timeout_s=1.5)
    async with pool.connection() as held:
        names = ("application_name", "jit", "plan_cache_mode", "statement_timeout")
        found = [await held.raw.fetchval(f"show {name}") for name in names]
    assert found == ["dealgraph", "off", "force_generic_plan", "1500ms"]
    await pool.close()


async def test_what_comes_back_after_the_pool_was_closed_is_closed_as_well_and_can_be_waited_for(database_url: str) -> None:
    pool = open_pool(database_url, size=1)
    held = await pool.take()
    await pool.close()
    with pytest.raises(Unavailable, match="going down"):
        await pool.take()
    pool.give_back(held)
    await pool.close()
    assert held.raw.is_closed()
    assert pool.opened == 0


async def test_a_read_is_tried_three_times(db: PooledDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    take, tried = db.pool.take, 0

    async def take_the_third_time() -> Connection:
        nonlocal tried
        tried += 1
        if tried < 3:
            raise Unavailable("away")
        return await take()

    monkeypatch.setattr(db.pool, "take", take_the_third_time)
    assert await db.fetch(PING) == [PingRow(True)]


async def test_a_statement_whose_connection_is_cut_is_run_again(
    db: PooledDatabase, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await db.pool.warm()
    async with sql.transaction():
        await sql.execute("lock table stage in access exclusive mode")
        reading = asyncio.create_task(db.fetch(STAGES))
        while not await sql.fetchval(
            "select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        ):
            await asyncio.sleep(0.01)
    assert await reading == []
    assert db.stats["stage.all"].failed == 1


@pytest.mark.parametrize("is_prepared", [True, False], ids=["while it runs", "while it is prepared"])
async def test_a_cancelled_reader_stops_its_statement_and_leaves_the_connection_usable(
    is_prepared: bool, database_url: str, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    pool = open_pool(database_url, size=1)
    db = PooledDatabase(pool, slow_s=10)
    if is_prepared:
        await db.fetch(STAGES)
    await db.fetch(PING)
    (held,) = pool._idle
    ping = held.prepared["ping"]
    # Not from pg_stat_activity, which shows a transaction the same all the time.
    waiting = "select count(*) from pg_locks where not granted and relation = 'stage'::regclass"
    async with sql.transaction():
        await sql.execute("lock table stage in access exclusive mode")
        reading = asyncio.create_task(db.fetch(STAGES))
        while not await sql.fetchval(waiting):
            await asyncio.sleep(0.01)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        async with asyncio.timeout(5):
            while await sql.fetchval(waiting):
                await asyncio.sleep(0.01)
            assert await db.fetch(PING) == [PingRow(True)]
    assert await db.fetch(STAGES) == []
    assert (pool.opened, list(pool._idle)) == (1, [held])
    assert held.prepared["ping"] is ping
    await pool.close()


async def test_the_statement_timeout_is_a_deadline_exceeded(
    database_url: str, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    pool = open_pool(database_url, statement_timeout_s=0.5)
    await pool.warm()
    async with sql.transaction():
        await sql.execute("lock table stage in access exclusive mode")
        with pytest.raises(DeadlineExceeded):
            await PooledDatabase(pool, slow_s=10).fetch(STAGES)
    await pool.close()


async def test_who_meets_a_change_of_tables_head_on_reads_again(
    db: PooledDatabase, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    text = "select (select count(*) from deal) + (select count(*) from company) >= 0 as answers"
    both: Statement[PingRow] = Statement("both", PingRow, text)
    waiting = "select count(*) from pg_locks where not granted and relation = 'company'::regclass"
    async with sql.transaction(), asyncio.timeout(10):
        await sql.execute("lock table company in access exclusive mode")
        reading = asyncio.create_task(db.fetch(both))
        while not await sql.fetchval(waiting):
            await asyncio.sleep(0.01)
        await sql.execute("lock table deal in access exclusive mode")  # the reader has that, and has waited longer
    assert await reading == [PingRow(True)]
    assert db.stats["both"].failed == 1


async def add_stage(inside: Database) -> bool:
    """Makes a change."""
    ((is_made,),) = await inside.fetch(ADD_STAGE)
    return is_made


async def raise_in_commits(sql: "asyncpg.Connection[asyncpg.Record]", error: str, *, most: int = 1_000) -> None:
    """From now on the commits of new stages raise this, so many of them."""
    await sql.execute(
        f"""create sequence commits;
            create function fail() returns trigger language plpgsql as $$
            begin
                if nextval('commits') <= {most} then raise {error}; end if;
                return null;
            end $$;
            create constraint trigger fails after insert on stage deferrable initially deferred
                for each row execute function fail();"""
    )


async def test_a_change_that_met_another_one_in_its_commit_is_made_again(
    db: PooledDatabase, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await raise_in_commits(sql, "serialization_failure", most=1)
    assert await db.write(EVERYONE, add_stage, is_repeatable=False)
    assert await sql.fetchval("select last_value from commits") == 2
    assert len(await db.fetch(STAGES)) == 1


async def test_a_change_that_meets_others_every_time_is_overloaded_after_six_tries(
    db: PooledDatabase, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await raise_in_commits(sql, "serialization_failure")
    with pytest.raises(Overloaded, match="same rows"):
        await db.write(EVERYONE, add_stage, is_repeatable=False)
    assert await sql.fetchval("select last_value from commits") == 6
    assert await db.fetch(STAGES) == []


async def test_a_commit_that_is_stopped_at_its_time_limit_is_an_unknown_outcome(
    db: PooledDatabase, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await raise_in_commits(sql, "query_canceled")
    with pytest.raises(OutcomeUnknown):
        await db.write(EVERYONE, add_stage, is_repeatable=False)
    assert await sql.fetchval("select last_value from commits") == 1
    assert db.pool.opened == 0


async def test_a_change_that_can_be_repeated_is_an_unknown_outcome_after_six_lost_commits(database_url: str) -> None:
    async with Line(database_url).open() as line:
        pool = open_pool(line.url, size=1)
        db, tries = PooledDatabase(pool, slow_s=10), 0

        async def work(inside: Database) -> bool:
            nonlocal tries
            tries += 1
            line.cut_after("COMMIT;")
            return await add_stage(inside)

        with pytest.raises(OutcomeUnknown):
            await db.write(EVERYONE, work, is_repeatable=True)
        assert tries == 6
        await pool.close()


async def test_a_change_that_is_cancelled_in_its_commit_is_not_made_again_though_it_could_be(database_url: str) -> None:
    async with Line(database_url).open() as line:
        pool = open_pool(line.url, size=1)
        db, tries = PooledDatabase(pool, slow_s=10), 0

        async def work(inside: Database) -> bool:
            nonlocal tries
            tries += 1
            return await add_stage(inside)

        line.hold("COMMIT;")
        writing = asyncio.create_task(db.write(EVERYONE, work, is_repeatable=True))
        await line.reached.wait()
        writing.cancel()
        with pytest.raises(OutcomeUnknown):
            await writing
        assert tries == 1
        line.go_on.set()
        await pool.close()


async def test_a_change_whose_connection_is_cut_before_it_begins_is_made_by_another(
    database_url: str, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async with Line(database_url).open() as line:
        pool = open_pool(line.url, size=1)
        line.cut_after("BEGIN;")
        assert await PooledDatabase(pool, slow_s=10).write(EVERYONE, add_stage, is_repeatable=False)
        assert await sql.fetchval("select count(*) from stage") == 1
        await pool.close()


async def test_a_change_whose_connection_dies_between_its_statements_is_made_by_another(
    db: PooledDatabase, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    tries = 0

    async def work(inside: Database) -> bool:
        nonlocal tries
        tries += 1
        assert isinstance(inside, _Inside)
        if tries == 1:
            await sql.execute(CUT)
            async with asyncio.timeout(5):
                while not inside.held.raw.is_closed():
                    await asyncio.sleep(0.01)
        return await add_stage(inside)

    assert await db.write(EVERYONE, work, is_repeatable=False)
    assert (tries, db.pool.opened) == (2, 1)


async def test_who_is_cancelled_while_a_change_that_failed_is_rolled_back_is_cancelled(database_url: str) -> None:
    async with Line(database_url).open() as line:
        pool = open_pool(line.url, size=1)

        async def work(inside: Database) -> None:
            raise ValueError("a mistake")

        line.hold("ROLLBACK;")
        writing = asyncio.create_task(PooledDatabase(pool, slow_s=10).write(EVERYONE, work, is_repeatable=False))
        await line.reached.wait()
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert pool.opened == 0
        line.go_on.set()
        await pool.close()


class Told:
    """Whoever has to hear of a write."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []

    def expect(self, xid: int) -> None:
        self.calls.append(("expect", xid))

    def forget(self, xid: int) -> None:
        self.calls.append(("forget", xid))

    async def echo(self, xid: int) -> None:
        self.calls.append(("echo", xid))


async def test_whoever_has_to_hear_of_a_write_is_told_before_the_commit_and_of_one_that_failed(
    db: PooledDatabase, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    told = Told()
    db = PooledDatabase(db.pool, slow_s=10, echoes=told)
    await db.write(EVERYONE, add_stage, is_repeatable=False)
    xid = await sql.fetchval("select xmin::text::bigint from stage")
    assert told.calls == [("expect", xid), ("echo", xid)]
    told.calls.clear()
    await raise_in_commits(sql, "query_canceled")
    with pytest.raises(OutcomeUnknown):
        await db.write(EVERYONE, add_stage, is_repeatable=False)
    ((expected, xid), forgotten) = told.calls
    assert (expected, forgotten) == ("expect", ("forget", xid))


@pytest.mark.parametrize("is_write", [False, True], ids=["a read", "a change"])
async def test_what_finds_the_database_away_is_tried_three_times(
    db: PooledDatabase, monkeypatch: pytest.MonkeyPatch, is_write: bool
) -> None:
    tried = 0

    async def take() -> Connection:
        nonlocal tried
        tried += 1
        raise Unavailable("away")

    monkeypatch.setattr(db.pool, "take", take)
    with pytest.raises(Unavailable):
        await (db.write(EVERYONE, add_stage, is_repeatable=True) if is_write else db.fetch(PING))
    assert tried == 3


async def test_a_rule_without_a_name_that_refuses_a_row_comes_out_as_it_is(db: PooledDatabase) -> None:
    nameless = Statement("nameless", PingRow, "insert into stage (name) values (null) returning true")
    with pytest.raises(asyncpg.NotNullViolationError):
        await db.fetch(nameless)


async def test_who_tidies_up_is_told_of_a_change_that_was_committed(db: PooledDatabase) -> None:
    await db.fetch(STAGES)
    assert not db.written.is_set()
    await db.write(EVERYONE, add_stage, is_repeatable=False)
    assert db.written.is_set()


@pytest.mark.parametrize("code", ["disk_full", "out_of_memory", "cannot_connect_now", "admin_shutdown", "crash_shutdown"])
async def test_a_database_without_room_or_on_its_way_up_or_down_is_unavailable(
    db: PooledDatabase, sql: "asyncpg.Connection[asyncpg.Record]", code: str
) -> None:
    raising = f"begin raise exception 'not now' using errcode = '{code}'; end"
    await sql.execute(f"create function not_now() returns bool language plpgsql as $$ {raising} $$")
    with pytest.raises(Unavailable):
        await db.fetch(Statement("not now", PingRow, "select not_now() as answers"))


async def test_a_database_that_lets_nobody_in_any_more_is_unavailable(
    database_url: str, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await sql.execute("drop role if exists guest; create role guest nologin")
    pool = open_pool(database_url.replace("postgres@", "guest@"))
    with pytest.raises(Unavailable):
        await PooledDatabase(pool, slow_s=10).fetch(PING)
    assert pool.opened == 0
    await pool.close()


@pytest.mark.parametrize("why", ["no such database", "no right to connect"])
async def test_a_database_that_is_not_there_or_not_ours_is_unavailable(
    database_url: str, sql: "asyncpg.Connection[asyncpg.Record]", why: str
) -> None:
    name = await sql.fetchval("select current_database()")
    if why == "no such database":
        url = database_url.replace(name, "not_there")
    else:
        await sql.execute("drop role if exists visitor; create role visitor login")
        await sql.execute(f'revoke connect on database "{name}" from public')
        url = database_url.replace("postgres@", "visitor@")
    pool = open_pool(url)
    with pytest.raises(Unavailable):
        await pool.take()
    assert pool.opened == 0
    await pool.close()


async def test_a_connection_that_is_not_ready_within_the_statement_timeout_is_unavailable(
    database_url: str, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    pool = open_pool(database_url, statement_timeout_s=0.3)
    async with sql.transaction():
        await sql.execute("lock table pg_type in access exclusive mode")
        with pytest.raises(Unavailable):
            await PooledDatabase(pool, slow_s=10).fetch(PING)
    await pool.close()


async def test_a_primary_that_has_become_a_standby_is_unavailable_to_who_writes(
    db: PooledDatabase, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    name = await sql.fetchval("select current_database()")
    await sql.execute(f'alter database "{name}" set default_transaction_read_only = on')

    async def add_stage(inside: Database) -> object:
        return await inside.fetch(ADD_STAGE)

    with pytest.raises(Unavailable):
        await db.write(EVERYONE, add_stage, is_repeatable=False)
    await sql.execute(f'alter database "{name}" reset default_transaction_read_only')
    assert await db.write(EVERYONE, add_stage, is_repeatable=False)


@pytest.mark.parametrize(("position", "probability"), [(None, 0.5), (1, 7.0)])
async def test_what_is_told_of_a_row_that_is_refused_does_not_quote_it(
    db: PooledDatabase, position: int | None, probability: float
) -> None:
    text = "insert into stage (name, position, probability) values ($1::text, $2::int, $3::float8) returning true"
    add, name = Statement("add", PingRow, text), "Wolpertinger"

    async def work(inside: Database) -> object:
        return await inside.fetch(add, name, position, probability)

    with pytest.raises((asyncpg.NotNullViolationError, ConstraintViolated)) as refused:
        await db.write(EVERYONE, work, is_repeatable=False)
    assert name not in "".join(traceback.format_exception(refused.value))


async def test_a_value_that_postgres_cannot_hold_is_bad_input(db: PooledDatabase) -> None:
    search = statement("company.count_of_search", REGISTRY["company.count_of_search"].row)
    with pytest.raises(BadInput):
        await db.fetch(search, None, *[[None]] * 6, *CompanyFilter().values(), "NUL \0 inside")
    with pytest.raises(BadInput):
        await db.fetch(DEALS, None, ["not a uuid"])


@pytest.mark.parametrize("what", ["disk_full", "out_of_memory"])
async def test_a_session_that_a_statement_was_too_large_for_is_kept(
    db: PooledDatabase, sql: "asyncpg.Connection[asyncpg.Record]", what: str
) -> None:
    await sql.execute(
        f"create function fill() returns bool language plpgsql as $$ begin raise 'no room' using errcode = '{what}'; end $$"
    )
    await db.fetch(PING)
    before = db.pool.opened, list(db.pool._idle)
    with pytest.raises(Unavailable):
        await db.fetch(Statement("fill", PingRow, "select fill()"))
    assert (db.pool.opened, list(db.pool._idle)) == before
    assert await db.fetch(PING) == [PingRow(True)]


async def test_a_statement_that_is_given_too_few_parameters_is_no_outage(db: PooledDatabase) -> None:
    await db.fetch(STAGES)
    before = db.pool.opened
    with pytest.raises(asyncpg.InterfaceError, match="expects 2 arguments"):
        await db.fetch(DEALS, None)
    assert (db.stats[DEALS.name].failed, db.pool.opened) == (1, before)


async def test_ddl_while_connected_prepares_anew(db: PooledDatabase, sql: "asyncpg.Connection[asyncpg.Record]") -> None:
    await sql.execute("insert into stage (name, position, probability) values ('Lead', 1, 0.1)")
    assert [row.position for row in await db.fetch(STAGES)] == [1]
    await sql.execute("alter table stage alter column position type bigint")
    assert [row.position for row in await db.fetch(STAGES)] == [1]
    await sql.execute("alter table stage add column extra text")
    assert len(await db.fetch(STAGES)) == 1


async def test_statements_are_counted_and_timed(db: PooledDatabase, sql: "asyncpg.Connection[asyncpg.Record]") -> None:
    await sql.execute("insert into stage (name, position, probability) values ('Lead', 1, 0.1), ('Won', 2, 1)")
    db._slow_s = 0
    for _ in range(3):
        await db.fetch(STAGES)
    stats = db.stats["stage.all"]
    assert (stats.calls, stats.rows, stats.slow, stats.failed) == (3, 6, 3, 0)
    assert 0 < stats.longest_s <= stats.seconds
    slept = Statement("slept", PingRow, "select pg_sleep($1) is not null as answers")
    for seconds in (0.02, 0.0):
        await db.fetch(slept, seconds)
    assert db.stats["slept"].longest_s >= 0.02, "not that of the last"


async def test_columns_that_a_statement_does_not_select_have_their_defaults(
    db: PooledDatabase, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    owner = await sql.fetchval("insert into app_user (name) values ('Ada') returning id")
    company = await sql.fetchval("insert into company (name, owner_id) values ('Acme', $1) returning id", owner)
    (row,) = await db.fetch(statement("company.by_ids", CompanyRow), None, [company])
    assert (row.name, row.sort_key, row.place) == ("Acme", "", 0)


async def test_the_pool_outlives_a_restart_of_postgres(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    server.start()
    await migrate(server.url)
    pool = open_pool(server.url, size=3, wait_s=1)
    db = PooledDatabase(pool, slow_s=10)
    await pool.warm()
    for kill in (signal.SIGINT, signal.SIGKILL):
        assert server.pid is not None
        os.kill(server.pid, kill)
        server.stop()
        answers = await asyncio.gather(*(db.fetch(PING) for _ in range(20)), return_exceptions=True)
        assert {type(answer) for answer in answers} == {Unavailable}
        server.start()
        answers = await asyncio.gather(*(db.fetch(PING) for _ in range(20)))
        assert answers == [[PingRow(True)]] * 20
        assert pool.opened <= 3
    await pool.close()
    server.stop()


async def test_who_holds_a_table_does_not_keep_connections_from_opening(
    database_url: str, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    pool = open_pool(database_url)
    async with sql.transaction():
        await sql.execute("lock table stage in access exclusive mode")
        await pool.warm()
        assert await PooledDatabase(pool, slow_s=10).fetch(PING) == [PingRow(True)]
    await pool.close()


async def test_a_statement_that_does_not_fit_the_database_is_not_hidden_and_keeps_nobody(db: PooledDatabase) -> None:
    broken: Statement[PingRow] = Statement("broken", PingRow, "select nothing from nowhere")
    for _ in range(2):
        with pytest.raises(asyncpg.UndefinedTableError):
            await db.fetch(broken)
    assert await db.fetch(PING) == [PingRow(True)]
    assert db.pool.opened == 1
