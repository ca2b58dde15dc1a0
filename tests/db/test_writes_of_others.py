"""The statements that write keep to what their $1 may see and to what is there, whatever has been looked at before."""

from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import orjson
import pytest

from core.retention import RESTORABLE
from db.statements import TEXTS
from tests.crm import Crm

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
NOUNS = ("company", "contact", "deal", "activity")
BULK: dict[str, Any] = {"move_many": "stage", "assign_many": "ada", "price_many": 7, "delete_many": None}


@pytest.fixture
async def rows(crm: Crm) -> dict[str, UUID]:
    """Ada, and a row of each noun of Bob's."""
    ada, bob, stage = await crm.user("Ada"), await crm.user("Bob"), await crm.stage("Next", 2)
    return {
        "ada": ada, "bob": bob, "stage": stage, "company": await crm.company(bob), "contact": await crm.contact(bob),
        "deal": await crm.deal(bob, await crm.stage()), "activity": await crm.activity(bob),
    }  # fmt: skip


async def written(sql: Sql, rows: dict[str, UUID], noun: str, whose: UUID | None) -> dict[str, int]:
    """How many rows each statement that writes one row answers, to one who sees those of that owner."""
    row_id, found = rows[noun], {}
    whole = await sql.fetchval(f"select to_jsonb({noun}) from {noun} where id = $1", row_id)
    patch = orjson.dumps({"owner_id": str(rows["ada"])}).decode()
    calls: dict[str, tuple[Any, ...]] = {
        "create": (whole,), "locked": (row_id,), "update": (row_id, patch, None), "delete": (row_id, None),
        "restore": (row_id, RESTORABLE),
    }  # fmt: skip
    calls |= {name: ([row_id], rows.get(str(given), given)) for name, given in BULK.items() if noun == "deal"}
    if noun == "deal":
        calls |= {"versions": ([row_id],), "restore_many": ([row_id], RESTORABLE)}
    for name, arguments in calls.items():
        undone = sql.transaction()
        await undone.start()
        found[name] = len(await sql.fetch(TEXTS[f"{noun}.{name}"][1], whose, *arguments))
        await undone.rollback()
    return found


@pytest.mark.parametrize("noun", NOUNS)
async def test_a_statement_writes_nothing_that_another_owns_and_nothing_that_is_deleted(
    sql: Sql, rows: dict[str, UUID], noun: str
) -> None:
    restoring = {"restore": 0, **({"restore_many": 0} if noun == "deal" else {})}
    for whose in (None, rows["bob"]):
        found = await written(sql, rows, noun, whose)
        assert found == dict.fromkeys(found, 1) | restoring, whose
    assert set((await written(sql, rows, noun, rows["ada"])).values()) == {0}
    await sql.execute(f"update {noun} set deleted_at = now() where id = $1", rows[noun])
    for whose in (None, rows["bob"]):
        found = await written(sql, rows, noun, whose)
        assert found == dict.fromkeys(found, 0) | dict.fromkeys(restoring, 1) | {"create": 1}, whose
    assert set((await written(sql, rows, noun, rows["ada"])).values()) == {0}


@pytest.mark.parametrize("noun", NOUNS)
async def test_what_a_key_remembers_is_answered_to_who_may_see_it(sql: Sql, rows: dict[str, UUID], noun: str) -> None:
    for name in ("claim", "remember"):
        for whose, expected in ((rows["ada"], False), (rows["bob"], True), (None, True)):
            await sql.execute("delete from idempotency_key")
            await sql.fetch(TEXTS["idempotency.claim"][1], "subject", "key", b"")
            remembering = whose if name == "remember" else None
            await sql.fetch(TEXTS[f"{noun}.remember"][1], remembering, "subject", "key", rows[noun])
            kept = await sql.fetchval("select answer is not null from idempotency_key")
            assert kept == (expected or name == "claim")
            recalled = await sql.fetch(TEXTS[f"{noun}.remembered"][1], whose, "subject", "key")
            assert [row["id"] for row in recalled] == [rows[noun]] * expected
