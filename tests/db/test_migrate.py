"""Migrations: each once, in order, whole or not at all, and by one process at a time."""

import asyncio

import asyncpg
import pytest

from db.embedded import EmbeddedPostgres
from db.migrate import Migration, MigrationError, _apply, migrate, migrations

ONE = Migration("0001_one", "create table one (id int)")
TWO = Migration("0002_two", "create table two (id int); insert into two values (1)")
BROKEN = Migration("0003_broken", "create table three (id int); select broken")


@pytest.fixture
async def empty_url(postgres: EmbeddedPostgres) -> str:
    """A database without anything in it."""
    connection = await asyncpg.connect(postgres.url)
    await connection.execute("drop database if exists unmigrated with (force)")
    await connection.execute("create database unmigrated")
    await connection.close()
    return postgres.database_url("unmigrated")


async def test_each_migration_is_applied_once_and_in_order(empty_url: str) -> None:
    assert await migrate(empty_url, [ONE]) == ["0001_one"]
    assert await migrate(empty_url, [ONE, TWO]) == ["0002_two"]
    assert await migrate(empty_url, [ONE, TWO]) == []


async def test_a_failed_migration_leaves_nothing_behind_and_keeps_those_before(empty_url: str) -> None:
    with pytest.raises(MigrationError, match="0003_broken"):
        await migrate(empty_url, [ONE, TWO, BROKEN])
    connection = await asyncpg.connect(empty_url)
    assert await connection.fetchval("select to_regclass('two') is not null and to_regclass('three') is null")
    await connection.close()
    assert await migrate(empty_url, [ONE, TWO]) == []


async def test_a_changed_or_unknown_migration_is_refused(empty_url: str) -> None:
    await migrate(empty_url, [ONE])
    with pytest.raises(MigrationError, match="was made with another"):
        await migrate(empty_url, [Migration("0001_one", "select 1")])
    with pytest.raises(MigrationError, match="it is newer"):
        await migrate(empty_url, [])


async def test_a_user_without_rights_hears_that_they_are_missing(empty_url: str) -> None:
    connection = await asyncpg.connect(empty_url)
    await connection.execute("drop role if exists guest; create role guest login")
    await connection.close()
    with pytest.raises(MigrationError, match=r"does not let itself be migrated: .*schema"):
        await migrate(empty_url.replace("postgres@", "guest@", 1), [ONE])


async def test_processes_that_start_together_migrate_once(empty_url: str) -> None:
    done = await asyncio.gather(*(migrate(empty_url, [ONE, TWO]) for _ in range(5)))
    assert sorted(name for names in done for name in names) == ["0001_one", "0002_two"]


async def test_no_lock_stays_with_the_session_which_a_pooler_may_keep(empty_url: str) -> None:
    connection = await asyncpg.connect(empty_url)
    await _apply(connection, [ONE, TWO])
    assert await connection.fetchval("select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()") == 0
    await connection.close()


async def test_a_database_that_does_not_hold_every_text_is_refused(postgres: EmbeddedPostgres) -> None:
    connection = await asyncpg.connect(postgres.url)
    await connection.execute("drop database if exists ascii with (force)")
    await connection.execute("create database ascii encoding 'SQL_ASCII' locale_provider libc locale 'C' template template0")
    await connection.close()
    with pytest.raises(MigrationError, match="is SQL_ASCII: make one with `encoding 'UTF8'"):
        await migrate(postgres.database_url("ascii"), [ONE])


def test_our_migrations_are_numbered_without_gaps() -> None:
    numbers = [int(each.name[:4]) for each in migrations()]
    assert numbers == list(range(1, len(numbers) + 1))
