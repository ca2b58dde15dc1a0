"""Whatever a write changes in an answer, it announces under a tag that was read for it: no loader forgets one."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import TypeAlias
from uuid import UUID

import asyncpg
import pytest
from graphql import GraphQLField, GraphQLObjectType, get_named_type, is_leaf_type

from cache.freshness import Freshness
from db.listener import CHANNEL
from tests.crm import Crm
from tests.schema.conftest import EXECUTABLE, Asker
from tests.schema.test_walls import NOON, rows
from tests.schema.walk import Question, everything_below

__all__ = ["rows"]
Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

TABLES = ("company", "contact", "deal", "activity", "stage", "app_user", "stage_change")
# Where a row comes from never changes; what triggers write goes with the rest.
LEFT_ALONE = ("id", "source", "external_id", "updated_at", "version")
# Another value for a column of that type, and for one that takes not just any.
OTHER = {
    "text": "{} || 'x'", "numeric": "{} + 1", "timestamp with time zone": "{} + interval '1 minute'", "date": "{} + 1",
    "integer": "{} + 10", "boolean": "not {}", "double precision": "{} / 2", "real": "{} / 2",
}  # fmt: skip
SCHEMA = EXECUTABLE._schema._schema
NODE = SCHEMA.type_map["Node"]
KIND = "query ($id: ID!) { node(id: $id) { __typename } }"
SPECIAL = {
    "color": "'#123456'", "deleted_at": "now()", "completed_at": "now()", "is_lost": "not is_lost and not is_won",
    "type": "case type when 'NOTE' then 'CALL' else type end",
}  # fmt: skip
REFERS_TO = {"owner_id": "app_user", "changed_by": "app_user", "from_stage_id": "stage", "to_stage_id": "stage"}


async def writes(sql: Sql, rows: dict[str, UUID]) -> list[str]:
    """New rows; for each column of each table another value in all rows; what is deleted comes back before it goes on."""
    columns = await sql.fetch(
        """select table_name, column_name, data_type from information_schema.columns
        where table_schema = 'public' and is_generated = 'NEVER' and table_name = any($1) and column_name <> all($2)""",
        TABLES, LEFT_ALONE,
    )  # fmt: skip
    found = [
        f"insert into company (owner_id, name) values ('{rows['ada']}', 'New')",
        f"insert into contact (owner_id, first_name, company_id) values ('{rows['ada']}', 'New', '{rows['ada company']}')",
        f"insert into deal (owner_id, stage_id, name, value, company_id, contact_id) values "
        f"('{rows['ada']}', '{rows['stage']}', 'New', 9, '{rows['ada company']}', '{rows['ada contact']}')",
        f"insert into activity (owner_id, type, subject, company_id, deal_id, contact_id) values "
        f"('{rows['ada']}', 'CALL', 'New', '{rows['ada company']}', '{rows['ada deal']}', '{rows['ada contact']}')",
    ]
    for table, column, kind in columns:
        if kind == "uuid":
            other = REFERS_TO.get(column, column.removesuffix("_id"))
            value = f"(select id from {other} where id is distinct from {table}.{column} order by id limit 1)"
        else:
            value = SPECIAL.get(column) or OTHER[kind].format(column)
        only = "type = 'TASK'" if column in ("due_at", "completed_at") else "true"
        found.append(f"update {table} set {column} = {value} where {only}")
        if column == "deleted_at":
            found.append(f"update {table} set deleted_at = null")
    return found


@pytest.fixture
async def asked(ask: Asker, rows: dict[str, UUID]) -> list[Question]:
    """Each root, and each field of each row, a part at a time: what is read beside it has tags of its own."""
    ask.now = lambda: NOON
    query = SCHEMA.query_type
    assert query is not None
    found = [Question(f"{{ {name} {below} }}", {}) for name, root in query.fields.items() if "id" not in root.args for below in parts(root)]
    for row_id in map(str, rows.values()):
        name = (await ask(KIND, id=row_id))["node"]["__typename"]
        kind = SCHEMA.type_map[name]
        assert isinstance(kind, GraphQLObjectType)
        for field_name, field in kind.fields.items():
            for below in parts(field):
                text = f"query ($id: ID!) {{ {name.lower()}(id: $id) {{ {field_name} {below} }} }}"
                found.append(Question(text, {"id": row_id}))
        found.append(Question(KIND, {"id": row_id}))
    return found


def parts(field: GraphQLField) -> Iterator[str]:
    """Selections of what a field answers, each of one leaf, or of rows of all leaves and of the least there is."""
    kind = get_named_type(field.type)
    if is_leaf_type(kind):
        yield ""
    elif isinstance(kind, GraphQLObjectType) and NODE in kind.interfaces:
        yield from (everything_below(SCHEMA, field, 0), "{ id }")
    else:
        assert isinstance(kind, GraphQLObjectType)
        yield from (f"{{ {name} {below} }}" for name, each in kind.fields.items() for below in parts(each))


@pytest.fixture
async def heard(sql: Sql) -> AsyncIterator[Freshness]:
    """What is announced while the test runs."""
    freshness = Freshness()

    def notified(_: object, pid: int, channel: str, told: object) -> None:
        xid, *tags = str(told).split()
        freshness.hear(int(xid), tags)

    await sql.add_listener(CHANNEL, notified)
    yield freshness
    await sql.remove_listener(CHANNEL, notified)


async def test_no_write_changes_an_answer_without_one_of_its_tags(
    ask: Asker, crm: Crm, sql: Sql, rows: dict[str, UUID], asked: list[Question], heard: Freshness
) -> None:
    await crm.activity(rows["ada"], "TASK", "Write", due_at=NOON, contact_id=rows["ada contact"], deal_id=rows["ada deal"])

    async def answers() -> list[tuple[str, frozenset[str]]]:
        return [(json.dumps(await ask.anything(each.text, **each.variables), sort_keys=True), ask.read) for each in asked]

    forgotten: dict[str, list[str]] = {}
    without_effect = []
    before = await answers()
    for write in await writes(sql, rows):
        number = heard.number
        await sql.execute(write)
        after = await answers()
        if [answer for answer, _ in before] == [answer for answer, _ in after]:
            without_effect.append(write)
        for question, (one, tags), (other, _) in zip(asked, before, after, strict=True):
            if one != other and not heard.written_since(tags, number):
                forgotten.setdefault(write, []).append(question.text)
        before = after
    assert forgotten == {}
    assert [each.split(" = ")[0] for each in without_effect] == ["update stage set created_at"]  # which no field shows
