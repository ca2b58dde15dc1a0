"""Each condition of each filter looks at what it is called after, and each order has every row: also those that know nothing."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, get_named_type

from tests.crm import Crm
from tests.schema.conftest import EXECUTABLE, Asker

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

SCHEMA = EXECUTABLE._schema._schema
LISTS = {"companies": "company", "contacts": "contact", "deals": "deal", "activities": "activity", "users": "app_user"}
START = datetime(2026, 1, 1, tzinfo=UTC)
# How a condition compares, by the end of its name; and the column it is about, where its name does not say so.
BOUNDS = {"Min": ">=", "From": ">=", "Max": "<=", "Before": "<", "Until": "<="}
COLUMNS = {
    "closes": "expected_close_date", "created": "created_at", "due": "due_at", "occurred": "occurred_at", "stage_ids": "stage_id",
}  # fmt: skip
OF_NO_COLUMN = {"status", "hasEmail"}
WRITTEN_BY_TRIGGERS = ("id", "source", "external_id", "deleted_at", "completed_at", "version", "updated_at")


def argument(roots: str, name: str) -> GraphQLInputObjectType:
    """The type of an argument of a list."""
    assert SCHEMA.query_type is not None
    kind = get_named_type(SCHEMA.query_type.fields[roots].args[name].type)
    assert isinstance(kind, GraphQLInputObjectType)
    return kind


def orders(roots: str) -> Iterator[tuple[str, str]]:
    """What a list can be sorted by, and both ways."""
    keys = get_named_type(argument(roots, "sort").fields["by"].type)
    assert isinstance(keys, GraphQLEnumType)
    yield from product(keys.values, ("ASC", "DESC"))


def meaning(name: str) -> tuple[str, str]:
    """The column that a condition is about, and how it is compared."""
    found = re.fullmatch(r"(\w+?)(Min|From|Max|Before|Until)?", name)
    assert found is not None
    stem = re.sub(r"[A-Z]", lambda each: "_" + each[0].lower(), found[1])
    return COLUMNS.get(stem, stem), BOUNDS.get(found[2], "=")


@pytest.fixture
async def all_different(sql: Sql, crm: Crm) -> None:
    """Three rows of each noun with another value in each column, and one that has nothing but what it must have."""
    users = [await crm.user(f"User {n}", email=f"u{n}@x", created_at=START + timedelta(n)) for n in range(3)]
    made = {"owner": users, "stage": [await crm.stage(f"Stage {n}", n + 1) for n in range(3)]}
    for table in ("company", "contact", "deal", "activity"):
        columns = await sql.fetch(
            """select column_name, data_type from information_schema.columns where table_schema = 'public' and table_name = $1
               and is_generated = 'NEVER' and column_name <> all($2)""",
            table, WRITTEN_BY_TRIGGERS,
        )  # fmt: skip
        made[table] = [
            await crm.add(table, **{name: value(name, kind, at, n, made) for at, (name, kind) in enumerate(columns)} | special(table, n))
            for n in range(3)
        ]
    await crm.company(users[0])
    await crm.contact(users[0])
    await crm.deal(users[0], made["stage"][0])
    await crm.activity(users[0])


def value(name: str, kind: str, at: int, n: int, made: dict[str, list[UUID]]) -> Any:
    """What stands in that column, the one in place ``at``, of row ``n``."""
    moment = START + timedelta(days=10 * at + n)
    if kind == "uuid":
        return made[name.removesuffix("_id")][n]
    given = {"numeric": 100 * at + n, "text": f"{name} {n}", "date": moment.date(), "double precision": n / 10}
    return given.get(kind, moment)


def special(table: str, n: int) -> dict[str, Any]:
    """What may not be anything."""
    if table != "activity":
        return {}
    return {"type": ("TASK", "CALL", "NOTE")[n]} | ({} if n == 0 else {"due_at": None})


@pytest.mark.usefixtures("all_different")
@pytest.mark.parametrize("roots", LISTS)
async def test_each_condition_looks_at_what_it_is_called_after(ask: Asker, sql: Sql, roots: str) -> None:
    table, kind = LISTS[roots], argument(roots, "filter")
    for name in kind.fields.keys() - OF_NO_COLUMN:
        column, compared = meaning(name)
        known = [row[0] for row in await sql.fetch(f"select distinct {column} from {table} where {column} is not null")]
        assert known, name
        for one in known:
            expected = {str(row[0]) for row in await sql.fetch(f"select id from {table} where {column} {compared} $1", one)}
            given = one.isoformat() if hasattr(one, "isoformat") else str(one) if compared == "=" else float(one)
            condition = {name: [given] if "[" in str(kind.fields[name].type) else given}
            for by, way in orders(roots):
                sort = f"sort: {{by: {by}, direction: {way}}}"
                text = f"query ($filter: {kind}) {{ {roots}(filter: $filter, {sort}) {{ totalCount edges {{ node {{ id }} }} }} }}"
                found = (await ask(text, filter=condition))[roots]
                assert [found["totalCount"], *sorted(edge["node"]["id"] for edge in found["edges"])] == [
                    len(expected), *sorted(expected),
                ], (name, by)  # fmt: skip


@pytest.mark.usefixtures("all_different")
@pytest.mark.parametrize("roots", LISTS.keys() - {"users"})
async def test_what_a_filter_looks_up_is_still_only_of_the_owner_who_is_asked_for(ask: Asker, sql: Sql, roots: str) -> None:
    table, kind = LISTS[roots], argument(roots, "filter")
    owners = [row[0] for row in await sql.fetch(f"select distinct owner_id from {table}")]
    text = f"query ($filter: {kind}, $ownerId: ID) {{ {roots}(filter: $filter, ownerId: $ownerId) {{ totalCount edges {{ node {{ id }} }} }} }}"
    for name in kind.fields.keys() & {"companyId", "dealId", "contactId", "email", "domain"}:
        column, _ = meaning(name)
        for row in await sql.fetch(f"select id, owner_id, {column} as value from {table} where {column} is not null"):
            for owner in owners:
                found = (await ask(text, filter={name: str(row["value"])}, ownerId=str(owner)))[roots]
                expected = [{"node": {"id": str(row["id"])}}] if owner == row["owner_id"] else []
                assert found == {"totalCount": len(expected), "edges": expected}, name


@pytest.mark.usefixtures("all_different")
async def test_the_totals_of_a_company_that_is_looked_up_come_along(ask: Asker, sql: Sql) -> None:
    (domain, people), *_ = await sql.fetch(
        "select domain, count(*) from company join contact on contact.company_id = company.id where domain is not null group by domain"
    )
    text = "query ($domain: String!) { companies(filter: {domain: $domain}) { edges { node { domain contactCount } } } }"
    found = await ask(text, domain=domain.upper())
    assert found["companies"]["edges"] == [{"node": {"domain": domain, "contactCount": people}}]


@pytest.mark.usefixtures("all_different")
@pytest.mark.parametrize("roots", LISTS)
async def test_every_row_has_its_place_in_every_order(ask: Asker, sql: Sql, roots: str) -> None:
    there = {str(row[0]) for row in await sql.fetch(f"select id from {LISTS[roots]}")}
    for by in {by for by, _ in orders(roots)}:
        up, down = [
            (await ask(f"{{ {roots}(sort: {{by: {by}, direction: {way}}}) {{ edges {{ node {{ id }} }} }} }}"))[roots]["edges"]
            for way in ("ASC", "DESC")
        ]
        assert {edge["node"]["id"] for edge in up} == there, by
        assert up == down[::-1], by
