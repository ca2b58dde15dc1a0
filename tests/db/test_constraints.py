"""What no table takes, whoever writes it: mutations look before they write, imports and psql do not."""

from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import pytest

from tests.crm import Crm

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
MOMENT = datetime(2026, 3, 4, tzinfo=UTC)
DIGEST = bytes(32)


@pytest.mark.parametrize(
    ("table", "columns", "constraint"),
    [
        ("stage", {"name": "Both", "position": 1, "probability": 1, "is_won": True, "is_lost": True}, "stage_won_or_lost"),
        ("stage", {"name": "Sure", "position": 1, "probability": 1.01}, "stage_probability_range"),
        ("stage", {"name": "Sure", "position": 1, "probability": -0.01}, "stage_probability_range"),
        ("deal", {"name": "Owed", "value": -1}, "deal_value_not_negative"),
        ("deal", {"name": "Sure", "probability": 1.01}, "deal_probability_range"),
        ("deal", {"name": "Sure", "probability": float("nan")}, "deal_probability_range"),
        ("company", {"name": "Acme", "revenue": -1}, "company_revenue_not_negative"),
        ("contact", {"phone": "1"}, "contact_has_name"),
        ("activity", {"type": "CALL", "subject": "Call", "due_at": MOMENT}, "activity_due_is_of_task"),
        ("activity", {"type": "CALL", "subject": "Call", "completed_at": MOMENT}, "activity_due_is_of_task"),
        ("activity", {"type": "FAX", "subject": "Fax"}, "activity_type_known"),
        ("app_user", {"id": UUID(int=0), "name": "Everyone"}, "app_user_is_somebody"),
        ("app_user", {"id": UUID(int=2**128 - 1), "name": "Nobody"}, "app_user_is_somebody"),
        ("api_key", {"name": "short", "digest": DIGEST[1:], "scopes": []}, "api_key_digest_is_sha256"),
        ("api_key", {"name": " ", "digest": DIGEST, "scopes": []}, "api_key_name_present"),
    ],
)
async def test_what_cannot_be_is_refused_by_the_table_itself(
    crm: Crm, table: str, columns: dict[str, Any], constraint: str
) -> None:
    if table in ("company", "contact", "deal", "activity"):
        columns = columns | {"owner_id": await crm.user()}
    if table == "deal":
        columns = columns | {"stage_id": await crm.stage()}
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await crm.add(table, **columns)
    assert refused.value.constraint_name == constraint


@pytest.mark.parametrize("column", ["from_stage_id", "to_stage_id"])
async def test_a_stage_that_a_deal_has_stood_in_is_not_removed(sql: Sql, crm: Crm, column: str) -> None:
    owner, stages = await crm.user(), await crm.stages()
    deal = await crm.deal(owner, stages["Offer"])
    await sql.execute(f"update stage_change set {column} = $1", stages["Lead"])
    with pytest.raises(asyncpg.ForeignKeyViolationError) as refused:
        await sql.execute("delete from stage where id = $1", stages["Lead"])
    assert refused.value.constraint_name == "stage_change_stages_exist"
    await sql.execute("delete from deal where id = $1", deal)  # and its history with it
    await sql.execute("delete from stage")
