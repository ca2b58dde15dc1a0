"""The audit tells of every column there is."""

from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import orjson
import pytest

from db.database import Database, PooledDatabase
from db.statements import Statement
from tests.conftest import open_pool
from tests.crm import Crm
from tests.viewers import manager


class IdRow(NamedTuple):
    """A row that was made."""

    id: UUID


class ActorRow(NamedTuple):
    """Who is written down for what is written."""

    subject: str
    user_id: UUID | None
    me: str


@pytest.mark.parametrize("table", ["company", "contact", "deal", "activity"])
async def test_a_column_that_is_added_is_told_by_the_audit_too(
    sql: "asyncpg.Connection[asyncpg.Record]", table: str
) -> None:
    """Fails for a migration that adds a column and does not make ``{table}_audited()`` anew."""
    columns = await sql.fetch(
        "select attname from pg_attribute"
        " where attrelid = $1::text::regclass and attnum > 0 and not attisdropped and attgenerated = ''",
        table,
    )
    told = await sql.fetchval("select prosrc from pg_proc where proname = $1 || '_audited'", table)
    for (column,) in columns:
        assert f"'{column}', row.{column}" in told, column
        assert column == "updated_at" or f"old_rows.{column} is distinct from new_rows.{column}" in told, column


@pytest.mark.parametrize("table", ["company", "contact", "deal", "activity"])
async def test_a_load_is_told_by_its_number_and_a_removal_by_the_whole_row(
    sql: "asyncpg.Connection[asyncpg.Record]", crm: Crm, table: str
) -> None:
    columns: dict[str, Any] = {"owner_id": await crm.user()} | {
        "company": {"name": "One"}, "contact": {"first_name": "One"}, "deal": {"name": "One"},
        "activity": {"type": "NOTE", "subject": "One"},
    }[table]  # fmt: skip
    if table == "deal":
        columns["stage_id"] = await crm.stage()
    names = ", ".join(columns)
    two = f"insert into {table} ({names}) select {names} from {table}"
    row_id = await crm.add(table, **columns)
    await sql.execute(two)
    whole = await sql.fetchval(f"select to_jsonb({table}) from {table} where id = $1", row_id)
    await sql.execute(f"delete from {table} where id = $1", row_id)
    async with sql.transaction():
        await sql.execute("set local dealgraph.loading = 'on'")
        for statement in (two, two, f"delete from {table} where false", f"delete from {table}"):
            await sql.execute(statement)
    columns_told = "actor, action, row_count, row_id, before, after"
    told = await sql.fetch(f"select {columns_told} from audit where kind = $1 order by id", table)
    me = await sql.fetchval("select session_user::text")
    assert [(each["actor"], each["action"], each["row_count"]) for each in told] == [
        (me, "CREATE", 1), (me, "CREATE", 1), (me, "PURGE", 1), (me, "LOAD", 1), (me, "LOAD", 2), (me, "UNLOAD", 4),
    ]  # fmt: skip
    assert [each["row_id"] for each in told[3:]] == [None] * 3
    assert (told[2]["row_id"], told[2]["after"]) == (row_id, None)
    assert orjson.loads(told[2]["before"]).items() <= orjson.loads(whole).items()
    assert orjson.loads(told[2]["before"]).keys() >= {"id", "version", "deleted_at", *columns}


async def test_who_a_transaction_wrote_for_is_not_who_its_connection_writes_for_next(database_url: str, crm: Crm) -> None:
    stage = await crm.stage()
    ada = await crm.user()
    values = f"'New', '{ada}', '{stage}'"
    made = Statement("deal", IdRow, f"insert into deal (name, owner_id, stage_id) values ({values}) returning id")
    told = Statement("told", ActorRow, "select acting_subject() as subject, acting_user() as user_id, session_user::text as me")
    pool = open_pool(database_url, size=1)
    db = PooledDatabase(pool, slow_s=10)

    async def work(inside: Database) -> list[ActorRow]:
        await inside.fetch(made)
        return await inside.fetch(told)

    assert [row[:2] for row in await db.write(manager("ada", ada), work, is_repeatable=False)] == [("ada", ada)]
    (after,) = await db.fetch(told)
    assert (after.subject, after.user_id) == (after.me, None)
    await pool.close()
