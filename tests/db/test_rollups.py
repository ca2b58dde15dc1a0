"""Rollups are kept without anybody waiting for anybody, lose nothing, and can be proved and mended; upkeep folds and purges."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import pytest

from core.settings import Settings
from jobs import recount, upkeep
from tests.crm import Crm

ROOT = Path(__file__).parents[2]
ROLLUPS = ("owner_deals", "company_deals", "company_contacts", "owner_activities")
Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@pytest.fixture
async def crm(sql: Sql) -> Crm:
    """Puts rows into the test's database."""
    return Crm(sql)


@asynccontextmanager
async def connections(url: str, number: int) -> AsyncIterator[list[Sql]]:
    """More connections to the test's database, whose statements wait for a lock for a second at most."""
    opened = [await asyncpg.connect(url, server_settings={"lock_timeout": "1s"}) for _ in range(number)]
    try:
        yield opened
    finally:
        for each in opened:
            each.terminate()


async def figures(sql: Sql) -> list[Any]:
    """Everything that the rollups say, folded or not."""
    totals = ("sum(deals), sum(value), sum(unpriced)", "sum(deals), sum(value), sum(unpriced)", "sum(contacts)", "sum(activities)")
    said = [await sql.fetchrow(f"select {what} from {rollup}") for rollup, what in zip(ROLLUPS, totals, strict=True)]
    return [*said, await sql.fetchrow("select sum(companies), sum(with_deals), sum(with_own_deals) from owner_companies")]


async def deltas(sql: Sql) -> dict[str, int]:
    """How many deltas wait to be folded, by rollup."""
    tables = {rollup: f"{rollup}_delta" for rollup in ROLLUPS} | {"company": "company_delta"}
    return {rollup: await sql.fetchval(f"select count(*) from {table}") for rollup, table in tables.items()}


async def is_right(sql: Sql) -> bool:
    """Whether every rollup is a count of its rows."""
    return await sql.fetch("table rollup_drift") == []


async def write_everything(crm: Crm, owner: UUID, stage: UUID, company: UUID) -> None:
    """A row of each kind, all of the same owner and company, and a change of each."""
    deal = await crm.deal(owner, stage, company_id=company, value=7)
    contact = await crm.contact(owner, company_id=company)
    activity = await crm.activity(owner, company_id=company, deal_id=deal, contact_id=contact)
    for table, row_id in (("deal", deal), ("contact", contact), ("activity", activity)):
        await crm._connection.execute(f"update {table} set deleted_at = now() where id = $1", row_id)
        await crm._connection.execute(f"update {table} set deleted_at = null where id = $1", row_id)
    await crm.company(owner)


async def test_writers_of_one_owner_and_company_do_not_wait_for_each_other(sql: Sql, crm: Crm, database_url: str) -> None:
    owner, stage = await crm.user(), await crm.stage()
    company = await crm.company(owner)
    async with connections(database_url, 4) as writers:
        transactions = [each.transaction() for each in writers]
        for transaction in transactions:
            await transaction.start()
        # One after the other, each with the others still open: whoever had to wait would run into the lock timeout.
        for each in writers:
            await write_everything(Crm(each), owner, stage, company)
        # And the other way round, where two that lock in different orders would meet head on.
        for each in reversed(writers):
            await write_everything(Crm(each), owner, stage, company)
        assert await sql.fetchval("select fold_rollups()") == 1  # the company's: nobody else's is committed
        for transaction in transactions:
            await transaction.commit()
    assert await sql.fetchval("select sum(deals) from owner_deals where owner_id = $1", owner) == 8
    assert await is_right(sql)


async def test_nobody_reads_what_is_not_committed_nor_what_is_rolled_back(sql: Sql, crm: Crm, database_url: str) -> None:
    owner, stage = await crm.user(), await crm.stage()
    company = await crm.company(owner)
    before = await figures(sql)
    async with connections(database_url, 1) as (writer,):
        for ending in ("rollback", "commit"):
            await writer.execute("begin")
            await write_everything(Crm(writer), owner, stage, company)
            assert await figures(sql) == before
            assert await is_right(sql)
            await sql.execute("select fold_rollups()")
            assert await figures(sql) == before
            assert await is_right(writer)  # who writes sees their own
            assert await figures(writer) != before
            await writer.execute(ending)
    assert await figures(sql) != before
    assert await is_right(sql)


async def test_folding_while_others_write_loses_nothing(sql: Sql, crm: Crm, database_url: str) -> None:
    owner, stage = await crm.user(), await crm.stage()
    company = await crm.company(owner)
    is_over = asyncio.Event()

    async def fold(connection: Sql) -> int:
        folded = 0
        while not is_over.is_set():
            folded += await connection.fetchval("select fold_rollups()")
        return folded

    async def write(connection: Sql) -> None:
        for _ in range(15):
            async with connection.transaction():
                await write_everything(Crm(connection), owner, stage, company)
                await asyncio.sleep(0)

    async def look(connection: Sql) -> None:
        while not is_over.is_set():
            assert await is_right(connection)

    async with connections(database_url, 6) as (*writers, one, two, reader):
        watching = asyncio.gather(fold(one), fold(two), look(reader))
        try:
            await asyncio.gather(*(write(each) for each in writers))
        finally:
            is_over.set()
            folded = sum((await watching)[:2])
    folded += await sql.fetchval("select fold_rollups()")
    # Of each write: a delta for every insert, deletion and restoring, two of them for a deal, and one for the company.
    assert folded == 1 + 15 * 3 * (3 * 2 + 3 + 3 + 1)
    assert await sql.fetchval("select array[sum(deals), sum(value)] from owner_deals_rollup where owner_id = $1", owner) == [45, 315]
    assert await sql.fetchval("select companies from owner_companies_rollup where owner_id = $1", owner) == 46
    assert await is_right(sql)


async def test_a_second_fold_finds_nothing_to_do_and_does_not_wait(sql: Sql, crm: Crm, database_url: str) -> None:
    owner, stage = await crm.user(), await crm.stage()
    await crm.deal(owner, stage)
    async with connections(database_url, 1) as (other,):
        async with sql.transaction():
            assert await sql.fetchval("select fold_rollups()") == 1
            assert await other.fetchval("select fold_rollups()") == 0
            await crm.deal(owner, stage)
        assert await other.fetchval("select fold_rollups()") == 1
    assert await sql.fetchval("select deals from owner_deals_rollup where owner_id = $1", owner) == 2


async def test_a_load_counts_its_activities_straight_into_the_rollup(sql: Sql, crm: Crm, database_url: str) -> None:
    owners = await crm.user("Ada"), await crm.user("Bob")
    await crm.activity(owners[0])
    await sql.execute("select fold_rollups()")
    rows = [(owner, "NOTE", "Note", datetime(2026, 1, 1, hour % 24, tzinfo=UTC)) for owner in owners for hour in range(240)]
    columns = ["owner_id", "type", "subject", "occurred_at"]
    async with connections(database_url, 1) as (other,):
        async with sql.transaction():
            await sql.execute("set local dealgraph.loading = 'on'")
            for _ in range(2):  # the second adds to what the first has put there
                await sql.copy_records_to_table("activity", records=rows, columns=columns)
            # Of the same owner and hour: who folded it now would wait for the load.
            await Crm(other).activity(owners[0], occurred_at=rows[0][-1])
            assert await other.fetchval("select fold_rollups()") == 0
        assert await other.fetchval("select fold_rollups()") == 1
        assert (await deltas(sql))["owner_activities"] == 0
        assert await sql.fetchval("select sum(activities) from owner_activities where owner_id = everyone()") == 2 + 2 * 480
        assert await is_right(sql)


async def test_a_statement_adds_deltas_for_the_groups_it_changes_and_not_for_each_row(sql: Sql, crm: Crm) -> None:
    ada, bob, stages = await crm.user("Ada"), await crm.user("Bob"), await crm.stages()
    company = await crm.company(ada)
    await sql.execute("select fold_rollups()")
    rows = [(owner, stages[stage], "Deal", 1, company) for owner in (ada, bob) for stage in ("Lead", "Won") for _ in range(250)]

    async def added(work: Awaitable[Any]) -> tuple[int, int]:
        await work
        found = await deltas(sql)
        assert await is_right(sql)
        await sql.execute("select fold_rollups()")
        assert sum(found.values()) == found["owner_deals"] + found["company_deals"]
        return found["owner_deals"], found["company_deals"]

    copied = sql.copy_records_to_table("deal", records=rows, columns=["owner_id", "stage_id", "name", "value", "company_id"])
    assert await added(copied) == (4, 2)  # two owners by two stages; two owners by one company
    assert await added(sql.execute("update deal set value = 2")) == (4, 2)
    assert await added(sql.execute("update deal set stage_id = $1", stages["Won"])) == (4, 0)  # from each, and to each
    assert await added(sql.execute("update deal set owner_id = $1", ada)) == (2, 2)
    assert await added(sql.execute("update deal set name = 'Other', expected_close_date = now()")) == (0, 0)
    assert await added(sql.execute("update deal set deleted_at = now()")) == (1, 1)
    assert await added(sql.execute("update deal set value = 3, stage_id = $1", stages["Lead"])) == (0, 0)  # of deleted ones
    assert await added(sql.execute("delete from deal")) == (0, 0)


async def test_each_figure_that_changes_alone_is_counted(sql: Sql, crm: Crm) -> None:
    owner, other, stage = await crm.user(), await crm.user("Bob"), await crm.stage()
    await crm.deal(owner, stage, value=0, company_id=await crm.company(owner))
    for changed in ("value = null", "value = 0", "value = 100", "probability = 0", "probability = 0.5"):
        await sql.execute(f"update deal set {changed}")
        assert await is_right(sql), changed
        assert await sql.fetchval("select sum(unpriced) from company_deals") == (changed == "value = null")
    await sql.execute("select fold_rollups()")
    await sql.execute("update company set owner_id = $1", other)
    assert await is_right(sql)
    assert await sql.fetchval("select sum(companies) from owner_companies where owner_id = $1", other) == 1


async def test_what_a_switched_off_trigger_left_wrong_is_found_and_put_right(sql: Sql, crm: Crm, database_url: str) -> None:
    owner, stage = await crm.user(), await crm.stage()
    company = await crm.company(owner)
    await write_everything(crm, owner, stage, company)
    assert await recount.drift(database_url) == []
    for table in ("company", "contact", "deal", "activity"):
        await sql.execute(f"alter table {table} disable trigger {table}_insert_counted")
    await write_everything(crm, owner, stage, company)
    everyone = await sql.fetchval("select everyone()")
    hour = await sql.fetchval("select hour_of(max(occurred_at)) from activity")
    drift = await recount.drift(database_url)
    keys = {(each.rollup, each.key) for each in drift}
    assert keys == {
        *(("deals by owner and stage", f"{whose} {stage}") for whose in (owner, everyone)),
        ("deals by company", f"{company} {owner}"),
        ("contacts by company", f"{company} {owner}"),
        *(("activities by owner and hour", f"{whose} {hour:%Y-%m-%d %H:%M:%S}+00") for whose in (owner, everyone)),
        *(("companies by owner", str(whose)) for whose in (owner, everyone)),
    }
    assert {each.found for each in drift} == {len(drift)}
    await sql.execute("select fold_rollups()")
    assert {(each.rollup, each.key) for each in await recount.drift(database_url)} == keys
    await recount.recount(database_url)
    assert await recount.drift(database_url) == []
    await recount.recount(database_url)
    assert await recount.drift(database_url) == []


async def test_a_recount_puts_right_what_a_truncated_table_left_and_keeps_nothing_of_it(sql: Sql, crm: Crm, database_url: str) -> None:
    owner, stage = await crm.user(), await crm.stage()
    await write_everything(crm, owner, stage, await crm.company(owner))
    await sql.execute("select fold_rollups(); truncate deal, contact, activity, company")
    assert len(await recount.drift(database_url)) == 9
    await recount.recount(database_url)
    assert await recount.drift(database_url) == []
    for table in (*ROLLUPS, "owner_companies", "company"):
        assert await sql.fetchval(f"select count(*) from {table}_rollup") == 0, table


async def test_a_recount_mends_the_words_of_deals_without_undoing_a_rename(sql: Sql, crm: Crm, database_url: str) -> None:
    owner, stage = await crm.user(), await crm.stage()
    wrong, missing = await crm.deal(owner, stage, "Renewal"), await crm.deal(owner, stage, "Upgrade")
    await sql.execute("update deal_words set title = 'nothing' where deal_id = $1", wrong)
    await sql.execute("delete from deal_words where deal_id = $1", missing)
    assert {(each.rollup, each.key) for each in await recount.drift(database_url)} == {
        ("words of deals", str(wrong)), ("words of deals", str(missing))
    }  # fmt: skip
    renaming = sql.transaction()
    await renaming.start()
    await sql.execute("update deal set name = 'Upgraded' where id = $1", missing)
    mending = asyncio.create_task(recount.recount(database_url))
    assert not (await asyncio.wait([mending], timeout=0.5))[0]  # it waits for the rename rather than decide without it
    await renaming.commit()
    await mending
    words = await sql.fetch("select title from deal_words order by title")
    assert [row["title"] for row in words] == ["renewal", "upgraded"]
    assert await recount.drift(database_url) == []


async def test_only_a_hundred_keys_are_told_and_how_many_there_are(sql: Sql, crm: Crm, database_url: str) -> None:
    stage = await crm.stage()
    await sql.execute("alter table deal disable trigger deal_insert_counted")
    for number in range(101):
        await crm.deal(await crm.user(f"User {number}"), stage)
    drift = await recount.drift(database_url)
    assert (len(drift), drift[0].found) == (100, 102)  # each owner's, and everyone's


async def test_a_company_that_loses_its_only_deal_after_a_recount_has_none(sql: Sql, crm: Crm) -> None:
    """The deal's delta is not folded yet when it is counted, and its removal makes up for it."""
    owner, stage = await crm.user(), await crm.stage()
    company = await crm.company(owner)
    await sql.execute("select fold_rollups()")
    deal = await crm.deal(owner, stage, company_id=company)
    await sql.execute("select recount_rollups()")
    await sql.execute("update deal set deleted_at = now() where id = $1", deal)
    assert await sql.fetchval("select sum(with_deals) from owner_companies where owner_id = $1", owner) == 0
    assert await is_right(sql)


async def test_a_recount_while_others_write_and_fold_keeps_every_figure_right(sql: Sql, crm: Crm, database_url: str) -> None:
    owner, stage = await crm.user(), await crm.stage()
    company = await crm.company(owner)
    is_over = asyncio.Event()

    async def repeat(connection: Sql, statement: str) -> None:
        while not is_over.is_set():
            await connection.execute(statement)

    async def write(connection: Sql) -> None:
        for _ in range(10):
            await write_everything(Crm(connection), owner, stage, company)

    async with connections(database_url, 4) as (one, two, folding, counting):
        await counting.execute("set lock_timeout = 0")  # a recount does wait for a fold
        watching = asyncio.gather(repeat(folding, "select fold_rollups()"), repeat(counting, "select recount_rollups()"))
        try:
            await asyncio.gather(write(one), write(two))
        finally:
            is_over.set()
            await watching
    assert await sql.fetchval("select sum(deals) from owner_deals where owner_id = $1", owner) == 20
    assert await is_right(sql)


async def _ops(url: str, data_dir: Path, *arguments: str) -> tuple[int | None, str]:
    """Exit status and what was said of a command."""
    ours = {name.upper() for name in Settings.model_fields}
    inherited = {name: value for name, value in os.environ.items() if name not in ours}
    # The cache is not asked for anything: the address is one at which nobody listens.
    given = {"DATABASE_URL": url, "REDIS_URL": "redis://127.0.0.1:1", "CURSOR_KEYS": "5e" * 32, "DATA_DIR": str(data_dir)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ops", *arguments,
        cwd=ROOT, env=inherited | given, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_the_command_proves_and_mends_and_its_exit_status_tells(
    sql: Sql, crm: Crm, database_url: str, tmp_path: Path
) -> None:
    owner, stage = await crm.user(), await crm.stage()
    await crm.deal(owner, stage)
    fine = (0, "every rollup equals a count of its rows, and search knows every deal\n")
    assert await _ops(database_url, tmp_path, "recount", "--check") == fine
    await sql.execute("alter table deal disable trigger deal_insert_counted")
    await crm.deal(owner, stage)
    status, said = await _ops(database_url, tmp_path, "recount", "--check")
    assert status == 1
    assert f"deals by owner and stage: {owner} {stage} is not what its rows say\n" in said
    assert said.endswith("2 of them are wrong; `python -m ops recount` puts them right\n")
    assert not await is_right(sql)  # it changed nothing
    assert await _ops(database_url, tmp_path, "recount") == fine
    assert await is_right(sql)


async def test_upkeep_sweeps_and_purges_and_goes_on_after_what_postgresql_refuses(
    sql: Sql, crm: Crm, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "AT_LEAST_EVERY_S", 0.05)
    monkeypatch.setattr(upkeep, "RECONNECT_S", 0.3)
    monkeypatch.setattr(upkeep, "SWEEP_AFTER", 1)
    monkeypatch.setattr(upkeep, "PURGE_EVERY_S", 0.05)
    await sql.execute("create function no_purge() returns trigger language plpgsql as $$ begin raise 'not now'; end $$")
    await sql.execute("create trigger no_purge before delete on activity for each statement execute function no_purge()")
    owner = await crm.user()
    await crm.deal(owner, await crm.stage())
    await crm.activity(owner, deleted_at=await sql.fetchval("select now() - interval '31 days'"))
    swept = "select sum(vacuum_count) > 0 from pg_stat_user_tables where relname like '%_delta'"
    async with kept_up(database_url, asyncio.Event()):
        await until(lambda: sql.fetchval(swept))
        await sql.execute("drop trigger no_purge on activity")
        await until(lambda: sql.fetchval("select not exists (select from activity)"))
        await crm.activity(owner, deleted_at=await sql.fetchval("select now() - interval '31 days'"))
        await until(lambda: sql.fetchval("select not exists (select from activity)"))


async def test_what_was_deleted_over_30_days_ago_goes_and_nothing_refers_to_it_any_more(sql: Sql, crm: Crm) -> None:
    owner, stages = await crm.user(), await crm.stages()
    kept: dict[str, list[UUID]] = {"company": [], "contact": [], "deal": [], "activity": []}
    for age in (None, timedelta(days=29, hours=23), timedelta(days=30, hours=1)):
        deleted: dict[str, Any] = {"deleted_at": await sql.fetchval("select now() - $1::interval", age)}
        company = await crm.company(owner, **deleted)
        contact = await crm.contact(owner, company_id=company, **deleted)
        deal = await crm.deal(owner, stages["Lead"], company_id=company, contact_id=contact, value=1, **deleted)
        await sql.execute("update deal set stage_id = $2 where id = $1", deal, stages["Won"])
        of_it: dict[str, Any] = {"company_id": company, "contact_id": contact, "deal_id": deal}
        await crm.activity(owner, **of_it, **deleted)
        kept["contact"].append(await crm.contact(owner, company_id=company))
        kept["deal"].append(await crm.deal(owner, stages["Lead"], company_id=company, contact_id=contact, value=1))
        kept["activity"].append(await crm.activity(owner, **of_it))
        if age is None or age < timedelta(days=30):
            for table, row_id in (("company", company), ("contact", contact), ("deal", deal)):
                kept[table].append(row_id)
    assert await upkeep.purge(sql) == 4
    counts = {table: await sql.fetchval(f"select count(*) from {table}") for table in kept}
    assert counts == {"company": 2, "contact": 5, "deal": 5, "activity": 5}
    for table, ids in kept.items():
        assert await sql.fetchval(f"select count(*) from {table} where id = any($1)", ids) == len(ids)
    references = {"contact": "company_id", "deal": "company_id, contact_id", "activity": "company_id, contact_id, deal_id"}
    for table, columns in references.items():
        left = [await sql.fetchval(f"select num_nulls({columns}) from {table} where id = $1", row_id) for row_id in kept[table]]
        number = len(columns.split())
        assert left == ([0, 0, number] if table == "activity" else [0, 0, 0, 0, number])
    # Of the two deals of each age that are there: one entry for the stage they began in, one for a move.
    assert await sql.fetchval("select count(*) from stage_change") == 2 * 2 + 3
    assert await sql.fetchval("select count(*) from stage_change left join deal on deal.id = deal_id where deal.id is null") == 0
    assert await is_right(sql)
    purged = await sql.fetch("select actor, kind from audit where action = 'PURGE' order by id")
    assert [tuple(each) for each in purged] == [("upkeep", kind) for kind in ("activity", "deal", "contact", "company")]
    assert await upkeep.purge(sql) == 0


async def test_idempotency_keys_are_kept_for_a_week(sql: Sql) -> None:
    used = "insert into idempotency_key (subject, key, digest, used_at) values ('ada', $1, '', now() - $2::interval)"
    for key, age in (("new", timedelta()), ("young", timedelta(days=6, hours=23)), ("old", timedelta(days=7, hours=1))):
        await sql.execute(used, key, age)
    assert await upkeep.purge(sql) == 1
    assert {row["key"] for row in await sql.fetch("select key from idempotency_key")} == {"new", "young"}


async def test_more_than_go_at_once_go_all_the_same(sql: Sql, crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "PURGE_AT_ONCE", 10)
    owner, stage = await crm.user(), await crm.stage()
    rows = [(owner, stage, "Old")] * 35
    await sql.copy_records_to_table("deal", records=rows, columns=["owner_id", "stage_id", "name"])
    await sql.execute("update deal set deleted_at = now() - interval '31 days'")
    assert await upkeep.purge(sql) == 35
    assert await sql.fetchval("select count(*) from deal") + await sql.fetchval("select count(*) from stage_change") == 0


async def test_figures_are_folded_between_the_portions_of_a_purge(sql: Sql, crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "PURGE_AT_ONCE", 10)
    owner, stage, folded = await crm.user(), await crm.stage(), [0]
    await sql.copy_records_to_table("deal", records=[(owner, stage, "Old")] * 35, columns=["owner_id", "stage_id", "name"])
    await sql.execute("update deal set deleted_at = now() - interval '31 days'")
    await upkeep.fold(sql)

    async def somebody_writes() -> None:
        await crm.deal(owner, stage)
        folded.append(await upkeep.fold(sql))

    await upkeep.purge(sql, somebody_writes)
    assert len(folded) >= 4 and all(folded[1:])


async def test_of_a_company_that_goes_any_number_of_rows_is_freed_a_portion_at_a_time(
    sql: Sql, crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "PURGE_AT_ONCE", 3)
    owner, stage = await crm.user(), await crm.stage()
    for _ in range(2):
        company = await crm.company(owner)
        for _ in range(7):
            contact = await crm.contact(owner, company_id=company)
            deal = await crm.deal(owner, stage, company_id=company, contact_id=contact, value=1)
            await crm.activity(owner, company_id=company, deal_id=deal, contact_id=contact)
    await sql.execute("update company set deleted_at = now() - interval '31 days'")
    assert await upkeep.purge(sql) == 2
    for table, number in (("contact", 14), ("deal", 14), ("activity", 14)):
        assert await sql.fetchval(f"select count(*) from {table} where company_id is null") == number
    assert await is_right(sql)


@asynccontextmanager
async def kept_up(url: str, written: asyncio.Event) -> AsyncIterator[None]:
    """Upkeep for the time of the block."""
    task = asyncio.create_task(upkeep.keep_up(url, written))
    try:
        yield
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(is_so: Callable[[], Awaitable[Any]]) -> None:
    """Waits until something is so."""
    async with asyncio.timeout(5):
        while not await is_so():
            await asyncio.sleep(0.02)


async def test_upkeep_folds_soon_after_a_write_and_outlives_its_connection(
    sql: Sql, crm: Crm, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "AT_LEAST_EVERY_S", 60.0)
    monkeypatch.setattr(upkeep, "RECONNECT_S", 0.1)
    owner, stage, written = await crm.user(), await crm.stage(), asyncio.Event()
    its = "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and state = 'idle'"

    async def folded() -> bool:
        return not written.is_set() and not any((await deltas(sql)).values())

    async with kept_up(database_url, written):
        for _ in range(3):
            # The first may still be folded as it connects; the second is, because it was told.
            for _ in range(2):
                await crm.deal(owner, stage)
                written.set()
                await until(folded)
            assert await sql.fetchval(f"select pg_terminate_backend(pid, 1000) from ({its})")
            written.set()  # it waits for something to do, and finds then that its connection is gone
            await until(lambda: sql.fetchval(its))
    assert await sql.fetchval("select deals from owner_deals_rollup where owner_id = $1", owner) == 6
    assert await is_right(sql)


async def test_upkeep_folds_now_and_then_what_nobody_told_it_of(
    sql: Sql, crm: Crm, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "AT_LEAST_EVERY_S", 0.05)
    owner, stage = await crm.user(), await crm.stage()
    async with kept_up(database_url, asyncio.Event()):
        for _ in range(2):
            await crm.deal(owner, stage)
            await until(lambda: sql.fetchval("select not exists (select from owner_deals_delta)"))
    assert await sql.fetchval("select deals from owner_deals_rollup where owner_id = $1", owner) == 2


@pytest.mark.parametrize("written", ["update deal set value = 'NaN'", "update company set revenue = 'NaN'"])
async def test_what_is_no_number_is_in_no_sum(crm: Crm, sql: "asyncpg.Connection[asyncpg.Record]", written: str) -> None:
    owner = await crm.user()
    await crm.deal(owner, await crm.stage(), value=1, company_id=await crm.company(owner, revenue=1))
    with pytest.raises(asyncpg.CheckViolationError, match="is_a_number"):
        await sql.execute(written)


@pytest.mark.parametrize("table", ["app_user", "stage", "company", "contact", "deal", "activity"])
async def test_the_id_by_which_a_row_is_counted_and_audited_does_not_change(
    crm: Crm, sql: "asyncpg.Connection[asyncpg.Record]", table: str
) -> None:
    owner = await crm.user()
    company = await crm.company(owner)
    await crm.deal(owner, await crm.stage(), company_id=company)
    await crm.contact(owner, company_id=company)
    await crm.activity(owner)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match=f"the id of a {table} does not change"):
        await sql.execute(f"update {table} set id = uuidv7()")
    await sql.execute(f"update {table} set id = id")


COMES = "update deal set company_id = $1 where name = 'Elsewhere'"
LEAVES = "update deal set company_id = null where company_id = $1"
IS_DELETED = "update deal set deleted_at = now() where company_id = $1"
IS_RESTORED = "update deal set deleted_at = null where company_id = $1 and name = 'Gone'"
IS_PURGED = "delete from deal where company_id = $1"


@pytest.mark.parametrize("written", [COMES, LEAVES, IS_DELETED, IS_RESTORED, IS_PURGED])
async def test_a_company_keeps_its_owner_until_who_tells_them_of_its_deals_has_committed(
    sql: Sql, crm: Crm, database_url: str, written: str
) -> None:
    ada, bob, stage = await crm.user("Ada"), await crm.user("Bob"), await crm.stage()
    company = await crm.company(ada)
    await crm.deal(ada, stage, company_id=company)
    await crm.deal(ada, stage, "Gone", company_id=company, deleted_at=datetime.now(UTC))
    await crm.deal(ada, stage, "Elsewhere")
    async with connections(database_url, 1) as (other,):
        async with sql.transaction():
            await sql.execute(written, company)
            await other.execute("update company set name = 'Renamed' where id = $1", company)
            with pytest.raises(asyncpg.LockNotAvailableError):
                await other.execute("update company set owner_id = $2 where id = $1", company, bob)
        await other.execute("update company set owner_id = $2 where id = $1", company, bob)


async def test_who_saw_a_company_with_another_owner_brings_it_no_deal(sql: Sql, crm: Crm, database_url: str) -> None:
    ada, bob, stage = await crm.user("Ada"), await crm.user("Bob"), await crm.stage()
    company = await crm.company(ada)
    async with connections(database_url, 1) as (other,):
        with pytest.raises(asyncpg.SerializationError):
            async with other.transaction(isolation="repeatable_read"):
                await other.fetchval("select owner_id from company")
                await sql.execute("update company set owner_id = $2 where id = $1", company, bob)
                await Crm(other).deal(ada, stage, company_id=company)
