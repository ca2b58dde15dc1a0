"""What the tables say of credentials: which are revoked and until when, and what is written down of keys."""

from datetime import datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg

from db.listener import CHANNEL
from db.statements import TEXTS
from tests.crm import NOON, Crm

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def run(sql: Sql, name: str, *arguments: Any) -> list[tuple[Any, ...]]:
    """The rows of a named statement."""
    return [tuple(row) for row in await sql.fetch(TEXTS[name][1], *arguments)]


async def key(crm: Crm, number: int = 1, **columns: Any) -> UUID:
    """A key."""
    return await crm.add("api_key", name=f"Key {number}", digest=bytes([number]) * 32, scopes=["crm:read"], **columns)


async def test_a_revocation_is_of_a_token_or_of_a_subject_and_of_what_was_issued_until_then(sql: Sql) -> None:
    ((_, at),) = await run(sql, "token.revoke", "subject", "ada")
    await run(sql, "token.revoke", "token", "the first")

    async def is_revoked(token: str | None, subject: str, issued: datetime = at) -> bool:
        ((told, _),) = await run(sql, "token.standing", token, subject, issued, None)
        return bool(told)

    assert await is_revoked(None, "ada")
    assert await is_revoked("the first", "eve", at + timedelta(days=1))
    assert not await is_revoked(None, "ada", at + timedelta(microseconds=1))
    assert not await is_revoked("ada", "the first")


async def test_who_is_revoked_again_is_told_again(sql: Sql) -> None:
    told: list[list[str]] = []
    await sql.add_listener(CHANNEL, lambda *each: told.append(str(each[-1]).split()[1:]))
    for _ in range(2):
        await run(sql, "token.revoke", "subject", "ada")
    await sql.fetchval("select 1")
    assert len(told) == 2
    assert told[0] == told[1]


async def test_that_a_key_was_used_is_written_once_in_a_time_and_is_told_to_nobody(sql: Sql, crm: Crm) -> None:
    never, lately, long_ago = await key(crm, 1), await key(crm, 2), await key(crm, 3)
    used = "update api_key set last_used_at = now() - $2::interval where id = $1"
    await sql.execute(used, lately, timedelta(seconds=30))
    await sql.execute(used, long_ago, timedelta(seconds=90))
    told: list[object] = []
    await sql.add_listener(CHANNEL, lambda *each: told.append(each))
    for expected in ({never, long_ago}, set()):
        noted = await run(sql, "api_key.note_used", [never, lately, long_ago], timedelta(minutes=1))
        assert {row_id for (row_id,) in noted} == expected
    await sql.fetchval("select 1")
    assert told == []


async def test_a_key_that_is_revoked_again_was_revoked_when_it_first_was(sql: Sql, crm: Crm) -> None:
    first, new = await key(crm, 1, revoked_at=NOON), await key(crm, 2)
    for row_id in (first, new):
        assert await run(sql, "api_key.revoke", row_id) == [(row_id,)]
    times = await sql.fetch("select revoked_at from api_key order by name")
    assert [row["revoked_at"] == NOON for row in times] == [True, False]
    assert await sql.fetchval("select count(*) from api_key where revoked_at is null") == 0


async def test_keys_are_listed_newest_first_and_an_owner_is_found_by_address_in_any_letters(sql: Sql, crm: Crm) -> None:
    ada = await crm.user("Ada", email="Ada@Example.com")
    made = [await key(crm, number) for number in (1, 2, 3)]
    assert [row[0] for row in await run(sql, "api_key.all")] == made[::-1]
    for given in ("aDA@example.com", str(ada).upper()):
        assert await run(sql, "api_key.owner", given) == [(ada, "Ada")]
    assert await run(sql, "api_key.owner", "ada") == []


async def test_whatever_is_changed_about_what_a_key_may_is_told_at_once(sql: Sql, crm: Crm) -> None:
    ada, row_id = await crm.user("Ada"), await key(crm)
    told: list[list[str]] = []
    await sql.add_listener(CHANNEL, lambda *each: told.append(str(each[-1]).split()[1:]))
    for column, value in (
        ("scopes", []), ("owner_id", ada), ("digest", bytes(32)), ("expires_at", NOON), ("revoked_at", NOON), ("name", "Other"),
    ):  # fmt: skip
        told.clear()
        await sql.execute(f"update api_key set {column} = $1", value)
        await sql.fetchval("select 1")
        assert told == ([] if column == "name" else [[f"api_key:{row_id}"]]), column
    await sql.execute("delete from app_user")  # and what is theirs
    await sql.fetchval("select 1")
    assert [f"api_key:{row_id}"] in told
