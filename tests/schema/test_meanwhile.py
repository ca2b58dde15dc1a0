"""What becomes of a change whose rows others change while it waits for them, or between two of its statements."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from db.database import _Inside
from db.statements import TEXTS
from jobs import upkeep
from tests.crm import Crm
from tests.schema.conftest import Asker
from tests.schema.test_bulk import bulk
from tests.schema.test_mutations import Sales, Sql, mutate, sales

__all__ = ["sales"]  # the fixture, for pytest to find here
TO_OTHER_STAGE = "update deal set stage_id = (select id from stage where id <> stage_id limit 1) where id = $1"
NEW_STAGE = "insert into stage (name, position, probability) values ('Brand new', 9, 0.3) returning id"
REVIVED, REMOVED = "update deal set deleted_at = null where id = $1", "update deal set deleted_at = now() where id = $1"
REFER_TO: dict[str, tuple[str, ...]] = {
    "company": ("contact", "deal", "activity"), "contact": ("deal", "activity"), "deal": ("activity",), "activity": (),
}  # fmt: skip
# What is left of the 30 days in which a row can be restored.
BRINK = "now() - interval '30 days' + interval '1 second'"


@pytest.fixture
async def other(database_url: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    """A session whose transactions are waited for."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def until_waiting(sql: Sql, task: "asyncio.Task[Any]") -> None:
    """Returns when somebody waits for a row, or when the task is over without."""
    async with asyncio.timeout(10):
        while not task.done() and not await sql.fetchval("select exists (select from pg_locks where not granted)"):
            await asyncio.sleep(0.01)


def once_after(monkeypatch: pytest.MonkeyPatch, name: str, work: Callable[[], Awaitable[object]]) -> None:
    """Does ``work`` when a transaction has run the statement of that name for the first time."""
    fetch, to_do = _Inside.fetch, [work]

    async def watched(self: _Inside, statement: Any, *args: object) -> list[Any]:
        rows = await fetch(self, statement, *args)
        if statement.name == name and to_do:
            await to_do.pop()()
        return rows

    monkeypatch.setattr(_Inside, "fetch", watched)


async def test_a_deal_that_moves_is_still_there_for_who_waits(ask: Asker, crm: Crm, sql: Sql, sales: Sales, other: Sql) -> None:
    deal, bob = sales["deal"], str(await crm.user("Bob"))
    for name, row, arguments, errors in (
        ("updateDeal", "deal { id }", {"input": {"companyId": sales["company"]}}, []),
        ("reassign", "node { id }", {"ownerId": bob}, []),
        ("deleteDeal", "deal { id }", {"expectedVersion": 1}, ["Conflict"]),
    ):
        async with other.transaction():
            await other.execute(TO_OTHER_STAGE, UUID(deal))
            waiting = asyncio.create_task(mutate(ask, name, row, id=deal, **arguments))
            await until_waiting(sql, waiting)
        assert [error["__typename"] for error in (await waiting)["errors"]] == errors, name


@pytest.mark.parametrize("name", ["updateDeal", "reassign", "deleteDeal", "restore"])
async def test_a_deal_that_moves_to_a_stage_which_is_new_is_there_as_well(
    ask: Asker, sql: Sql, sales: Sales, other: Sql, name: str
) -> None:
    deal = sales["gone" if name == "restore" else "deal"]
    row = "node { id }" if name in ("restore", "reassign") else "deal { id }"
    of_name: dict[str, dict[str, Any]] = {
        "updateDeal": {"input": {"companyId": sales["company"]}}, "reassign": {"ownerId": sales["bob"]},
    }  # fmt: skip
    async with other.transaction():
        await other.execute("update deal set stage_id = $1 where id = $2", await other.fetchval(NEW_STAGE), UUID(deal))
        waiting = asyncio.create_task(mutate(ask, name, row, id=deal, **of_name.get(name, {})))
        await until_waiting(sql, waiting)
    assert (await waiting)["errors"] == []


async def test_who_began_first_and_moves_last_is_last_in_the_history(ask: Asker, sales: Sales, other: Sql) -> None:
    whole = "deal { updatedAt stageHistory { toStage { name } changedAt } }"
    async with other.transaction():
        await other.execute("select")  # which is when it begins
        await mutate(ask, "moveDeal", "deal { id }", id=sales["deal"], stageId=sales["Offer"])
        await other.execute("update deal set stage_id = $1 where id = $2", UUID(sales["Won"]), UUID(sales["deal"]))
    deal = (await mutate(ask, "updateDeal", whole, id=sales["deal"], input={}))["deal"]
    moves = deal["stageHistory"]
    assert [each["toStage"]["name"] for each in moves] == ["Lead", "Offer", "Won"]
    times = [datetime.fromisoformat(each["changedAt"]) for each in moves]
    assert times == sorted(set(times))
    assert moves[-1]["changedAt"] == deal["updatedAt"]


@pytest.mark.parametrize("is_bulk", [False, True])
async def test_a_deal_is_closed_when_it_moves(ask: Asker, sql: Sql, sales: Sales, other: Sql, *, is_bulk: bool) -> None:
    deal = sales["deal"]
    async with other.transaction():
        await other.execute("update deal set name = 'Held' where id = $1", UUID(deal))
        closing = bulk(ask, "UPDATE_STAGE", [deal], {"stageId": sales["Won"]}) if is_bulk else mutate(ask, "moveDeal", id=deal, stageId=sales["Won"])
        waiting = asyncio.create_task(closing)
        await until_waiting(sql, waiting)
    assert (await waiting)["errors"] == []
    assert await sql.fetchval("select closed_at = updated_at from deal where id = $1", UUID(deal))


@pytest.mark.parametrize("is_bulk", [False, True])
async def test_a_deal_that_changes_after_its_mover_has_begun_is_closed_when_it_moves(
    ask: Asker, sql: Sql, sales: Sales, monkeypatch: pytest.MonkeyPatch, *, is_bulk: bool
) -> None:
    deal, won = sales["deal"], sales["Won"]
    once_after(monkeypatch, "reference.found", lambda: sql.execute("update deal set name = 'Later' where id = $1", UUID(deal)))
    moving = bulk(ask, "UPDATE_STAGE", [deal], {"stageId": won}) if is_bulk else mutate(ask, "moveDeal", id=deal, stageId=won)
    assert (await moving)["errors"] == []
    row = await sql.fetchrow("select name, version, closed_at = updated_at as is_then from deal where id = $1", UUID(deal))
    assert tuple(row or ()) == ("Later", 3, True)


@pytest.mark.parametrize(
    ("operation", "updates", "before", "meanwhile"),
    [
        ("UPDATE_STAGE", {"stageId": "Offer"}, REMOVED, REVIVED),
        ("UPDATE_VALUE", {"value": 5}, "update deal set value = 5 where id = $1", "update deal set value = 6 where id = $1"),
        ("DELETE", None, REMOVED, REVIVED),
    ],
)
async def test_a_bulk_change_leaves_no_deal_as_it_was_not_asked(
    ask: Asker, crm: Crm, sql: Sql, sales: Sales, other: Sql, operation: str, updates: Any, before: str, meanwhile: str
) -> None:
    first = UUID(sales["deal"])
    second = await crm.deal(UUID(sales["ada"]), UUID(sales["Lead"]), "Second", company_id=UUID(sales["company"]))
    await sql.execute(before, second)
    updates = updates and {name: sales.get(value, value) for name, value in updates.items()}
    async with other.transaction():
        await other.execute("update deal set name = 'Held' where id = $1", first)
        await other.execute(meanwhile, second)
        waiting = asyncio.create_task(bulk(ask, operation, [str(first), str(second)], updates))
        await until_waiting(sql, waiting)
    assert [each["status"] for each in (await waiting)["results"]] == ["UPDATED", "UPDATED"]


async def test_a_deal_that_a_bulk_change_leaves_alone_stays_as_it_is_told_until_the_end(
    ask: Asker, sql: Sql, sales: Sales, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def changed_meanwhile() -> None:
        await sql.execute("set lock_timeout = '100ms'")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await sql.execute("update deal set value = 6 where id = $1", UUID(sales["deal"]))

    once_after(monkeypatch, "deal.versions", changed_meanwhile)
    (told,) = (await bulk(ask, "UPDATE_VALUE", [sales["deal"]], {"value": 100}))["results"]
    assert (told["status"], told["version"]) == ("UNCHANGED", 1)


async def test_a_stage_that_is_removed_before_the_deals_move_is_told(
    ask: Asker, crm: Crm, sql: Sql, sales: Sales, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = await crm.stage("Short-lived", 9)
    once_after(monkeypatch, "reference.found", lambda: sql.execute("delete from stage where id = $1", stage))
    (error,) = (await bulk(ask, "UPDATE_STAGE", [sales["deal"]], {"stageId": str(stage)}))["errors"]
    assert (error["__typename"], error["field"]) == ("ValidationError", "updates.stageId")


async def test_what_is_restored_while_it_is_looked_for_is_changed(
    ask: Asker, sql: Sql, sales: Sales, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal = UUID(sales["gone"])
    once_after(monkeypatch, "deal.update", lambda: sql.execute(REVIVED, deal))
    payload = await mutate(ask, "updateDeal", "deal { name }", id=sales["gone"], input={"name": "Other"})
    assert payload["deal"] == {"name": "Other"}
    assert await sql.fetchval("select name from deal where id = $1", deal) == "Other"


async def test_what_is_deleted_while_it_is_looked_for_is_restored(
    ask: Asker, sql: Sql, sales: Sales, monkeypatch: pytest.MonkeyPatch
) -> None:
    once_after(monkeypatch, "deal.restore", lambda: sql.execute(REMOVED, UUID(sales["deal"])))
    assert (await mutate(ask, "restore", "node { id }", id=sales["deal"]))["errors"] == []
    assert await sql.fetchval("select deleted_at is null from deal where id = $1", UUID(sales["deal"]))


@pytest.mark.parametrize("noun", ["deal", "company", "contact", "activity"])
async def test_what_is_restored_in_the_last_moment_is_not_purged(sql: Sql, sales: Sales, other: Sql, database_url: str, noun: str) -> None:
    row, purger = UUID(sales[noun]), await asyncpg.connect(database_url)
    await sql.execute(f"update {noun} set deleted_at = {BRINK} where id = $1", row)
    try:
        async with other.transaction():
            await other.execute(f"update {noun} set deleted_at = null where id = $1", row)
            await asyncio.sleep(1.1)
            purging = asyncio.create_task(upkeep.purge(purger))
            await until_waiting(sql, purging)
        await purging
    finally:
        await purger.close()
    assert await sql.fetchval(f"select count(*) from {noun} where id = $1 and deleted_at is null", row) == 1
    for child in REFER_TO[noun]:  # nor has it lost what refers to it
        assert await sql.fetchval(f"select count(*) from {child} where {noun}_id = $1", row) > 0, child


@pytest.mark.parametrize(("noun", "child"), [(noun, child) for noun, children in REFER_TO.items() for child in children])
async def test_what_is_written_just_now_keeps_what_it_refers_to_from_being_purged_and_the_purge_goes_on(
    sql: Sql, sales: Sales, other: Sql, noun: str, child: str
) -> None:
    await sql.execute(f"update {noun} set deleted_at = now() - interval '31 days' where id = $1", UUID(sales[noun]))
    async with other.transaction():
        await other.execute(f"update {child} set updated_at = now() where {noun}_id = $1", UUID(sales[noun]))
        async with asyncio.timeout(10):
            assert await upkeep.purge(sql) == 0
    assert await upkeep.purge(sql) == 1


async def test_a_key_whose_week_ends_while_it_is_used_is_free_again(
    ask: Asker, sql: Sql, sales: Sales, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments: dict[str, Any] = {"id": sales["deal"], "input": {"name": "Other"}, "clientMutationId": "once"}
    await mutate(ask, "updateDeal", "deal { id }", **arguments)
    await sql.execute("update idempotency_key set used_at = now() - interval '8 days'")
    once_after(monkeypatch, "idempotency.claim", lambda: upkeep.purge(sql))
    assert (await mutate(ask, "updateDeal", "deal { name }", **arguments))["deal"] == {"name": "Other"}
    assert await sql.fetchval("select key from idempotency_key") == "client:once", "and is used up anew"


async def test_a_subject_is_revoked_as_of_the_last_time(sql: Sql, other: Sql) -> None:
    _, revoke = TEXTS["token.revoke"]
    async with other.transaction():
        await other.execute("select")
        await sql.fetch(revoke, "subject", "ada")
        last = await sql.fetchval("select revoked_at from token_revocation")
        await other.fetch(revoke, "subject", "ada")
    assert await sql.fetchval("select revoked_at from token_revocation") == last
