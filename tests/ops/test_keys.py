"""``python -m ops keys`` on a database of its own: who may have a key, until when, and how it is listed."""

import asyncio
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from ops import __main__ as ops
from ops import keys

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
READ = ("--scope", "crm:read")


@pytest.fixture
def database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The database that the commands work with."""
    monkeypatch.setattr(keys, "migrated_database", lambda: nullcontext(database_url))
    return database_url


async def run(*arguments: str) -> Result:
    """What a command of ours did."""
    return await asyncio.to_thread(CliRunner().invoke, ops.app, ["keys", *arguments])


@pytest.mark.usefixtures("database")
async def test_what_does_not_fit_on_a_line_is_no_name_and_what_names_nothing_or_two_revokes_nothing(sql: "Connection") -> None:
    for name in ("", " ", "x" * 256, "a\tb", "a\nb", "\x1b[31m"):
        assert (await run("create", name, *READ)).exit_code == 2, name
    two = ["--token", "a", "--subject", "b"]
    for which in ([], [""], ["x"], ["--token", ""], ["--token", "a\nb"], ["--token", "x" * 1021], two):
        assert (await run("revoke", *which)).exit_code == 2, which
    assert await sql.fetchval("select (select count(*) from api_key) + (select count(*) from token_revocation)") == 0


@pytest.mark.usefixtures("database")
async def test_an_address_that_two_users_have_is_no_owner(sql: "Connection") -> None:
    for name in ("Ann", "Bo"):
        await sql.execute("insert into app_user (name, email) values ($1, 'same@x.example')", name)
    refused = await run("create", "x", *READ, "--owner", "same@x.example")
    assert isinstance(refused.exception, keys.ApiKeyError)
    assert str(refused.exception) == "same@x.example: several users have this id or e-mail address"
    assert await sql.fetchval("select count(*) from api_key") == 0


@pytest.mark.usefixtures("database")
async def test_a_key_ends_after_hours_or_days_or_at_a_moment_of_any_zone(sql: "Connection") -> None:
    now = datetime.now(UTC)
    moments = {"12h": now + timedelta(hours=12), "90d": now + timedelta(days=90)}
    moments["2999-01-31"] = datetime(2999, 1, 31, tzinfo=UTC)
    moments["2999-01-31T01:00+02:00"] = datetime(2999, 1, 30, 23, tzinfo=UTC)
    for text in moments:
        assert (await run("create", text, *READ, "--expires", text)).exit_code == 0
    for text, moment in moments.items():
        ends = await sql.fetchval("select expires_at from api_key where name = $1", text)
        assert moment <= ends <= moment + (timedelta(minutes=5) if moment.year < 2999 else timedelta())
    for wrong in ("0h", "9999999d", "soon", "2000-01-01", "0001-01-01T00:00+14:00"):
        assert (await run("create", "x", *READ, "--expires", wrong)).exit_code == 2, wrong


@pytest.mark.usefixtures("database")
async def test_a_key_that_was_revoked_is_listed_as_revoked_also_when_it_is_over(sql: "Connection") -> None:
    for name in ("active", "expired", "revoked", "both"):
        assert (await run("create", name, *READ)).exit_code == 0
    (revoked,) = await sql.fetch("select id from api_key where name = 'revoked'")
    assert (await run("revoke", str(revoked["id"]))).exit_code == 0
    await sql.execute("update api_key set expires_at = '2026-01-02T03:04:05Z' where name in ('expired', 'both')")
    await sql.execute("update api_key set revoked_at = now() where name = 'both'")
    listed = [line.split("\t")[1:] for line in (await run("list")).stdout.splitlines()]
    over = "2026-01-02T03:04:05Z"
    assert sorted(listed) == [
        ["active", "active", "crm:read", "-", "-", "-"],
        ["expired", "expired", "crm:read", "-", over, "-"],
        ["revoked", "both", "crm:read", "-", over, "-"],
        ["revoked", "revoked", "crm:read", "-", "-", "-"],
    ]


@pytest.mark.usefixtures("database")
async def test_a_token_is_revoked_as_one_and_a_subject_as_all_of_its_tokens(sql: "Connection") -> None:
    assert (await run("revoke", "--token", "t-1")).exit_code == 0
    assert (await run("revoke", "--subject", "ada")).exit_code == 0
    found = await sql.fetch("select kind, value from token_revocation order by kind")
    assert [tuple(row) for row in found] == [("subject", "ada"), ("token", "t-1")]
