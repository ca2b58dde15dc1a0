"""A role whose statements may take half a second, as behind PgBouncer, ends nothing that no client waits for."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pytest

from db.migrate import Migration, migrate, migrations
from jobs.demo import load_demo, remove_demo
from jobs.imports import run_import
from jobs.mapping_file import load_mapping
from jobs.recount import drift, recount
from jobs.upkeep import fold

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
EXPORT = Path(__file__).parent / "exports" / "canonical"
SLOW = Migration("9999_slow", "select pg_sleep(0.6)")
LIMITS = "alter database {} set statement_timeout = '0.5s'; alter database {} set transaction_timeout = '0.5s'"
# Each takes longer than that in the middle of what calls it.
HINDRANCES = """
    create function sleeps() returns trigger language plpgsql as 'begin perform pg_sleep(0.6); return null; end';
    create trigger sleeps after insert or delete on company for each statement execute function sleeps();
    create or replace function recount_words() returns void language sql as 'select pg_sleep(0.6)';
    create or replace function fold_rollups() returns bigint language plpgsql as 'begin perform pg_sleep(0.6); return 0; end';
    create or replace view rollup_drift as select 'all' as rollup, 'key' as key from pg_sleep(0.6);
"""


async def load_and_remove(url: str) -> None:
    """Demo data put in, and taken away."""
    await load_demo(url, companies=1)
    await remove_demo(url)


async def fold_once(url: str) -> None:
    """What upkeep does after a write."""
    connection = await asyncpg.connect(url)
    try:
        await fold(connection)
    finally:
        await connection.close()


async def import_all(url: str) -> None:
    """An import of every entity."""
    assert (await run_import(url, load_mapping("canonical"), EXPORT)).is_imported


@pytest.fixture
async def slow_url(database_url: str, sql: Sql) -> AsyncIterator[str]:
    """The URL of a database in which everything takes longer than it may."""
    await sql.execute(HINDRANCES)
    name = await sql.fetchval("select quote_ident(current_database())")
    await sql.execute(LIMITS.format(name, name))
    yield database_url


@pytest.mark.parametrize(
    "work",
    [load_and_remove, recount, drift, fold_once, import_all, lambda url: migrate(url, [*migrations(), SLOW])],
    ids=["demo", "recount", "recount --check", "fold", "import", "migrate"],
)
async def test_it_takes_as_long_as_it_takes(slow_url: str, work: Callable[[str], Awaitable[Any]]) -> None:
    await work(slow_url)


async def test_what_a_client_waits_for_is_ended(slow_url: str) -> None:
    connection = await asyncpg.connect(slow_url)
    with pytest.raises(asyncpg.PostgresError, match="timeout"):
        await connection.execute("table rollup_drift")
    await connection.close()
