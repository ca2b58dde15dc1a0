"""A mutation that is sent again under its name is answered as the first time, and not made again."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, TypeAlias

import asyncpg
import pytest

from core.viewer import EVERYONE
from db.database import PooledDatabase
from schema.limits import Limits
from tests.conftest import open_pool
from tests.crm import Crm
from tests.schema.conftest import Asker
from tests.viewers import manager, reader, rep

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Sales: TypeAlias = dict[str, str]

ERRORS = "errors { __typename ... on ValidationError { field } }"
CREATE = f"""mutation ($name: String!, $owner: ID!, $key: String) {{
  made: createCompany(input: {{name: $name, ownerId: $owner}}, clientMutationId: $key) {{
    company {{ id name version createdAt updatedAt }} {ERRORS} clientMutationId }} }}"""
UPDATE = f"""mutation ($id: ID!, $name: String, $value: Money, $version: Int, $key: String) {{
  made: updateDeal(id: $id, input: {{name: $name, value: $value}}, expectedVersion: $version, clientMutationId: $key) {{
    deal {{ id name value status version updatedAt }} {ERRORS} clientMutationId }} }}"""
MOVE = f"""mutation ($id: ID!, $stage: ID!, $key: String) {{
  made: moveDeal(id: $id, stageId: $stage, clientMutationId: $key) {{
    deal {{ id name value status closedAt version updatedAt }} {ERRORS} clientMutationId }} }}"""
DELETE = f"""mutation ($id: ID!, $key: String) {{
  made: deleteDeal(id: $id, clientMutationId: $key) {{ deal {{ id name version updatedAt }} {ERRORS} clientMutationId }} }}"""
COMPLETE = f"""mutation ($id: ID!, $key: String) {{
  made: completeTask(id: $id, clientMutationId: $key) {{
    activity {{ id status completedAt version }} {ERRORS} clientMutationId }} }}"""
RESTORE = f"""mutation ($id: ID!, $key: String) {{
  made: restore(id: $id, clientMutationId: $key) {{ node {{ id ... on Deal {{ name value version }} }} {ERRORS} clientMutationId }} }}"""
REASSIGN = f"""mutation ($id: ID!, $owner: ID!, $key: String) {{
  made: reassign(id: $id, ownerId: $owner, clientMutationId: $key) {{
    node {{ id ... on Contact {{ fullName version owner {{ id }} }} }} {ERRORS} clientMutationId }} }}"""
BULK = f"""mutation ($ids: [ID!]!, $operation: BulkOperation!, $updates: BulkDealUpdates, $dry: Boolean!, $key: String) {{
  made: bulkUpdateDeals(dealIds: $ids, operation: $operation, updates: $updates, dryRun: $dry, errorPolicy: SKIP_FAILED,
                        clientMutationId: $key) {{
    results {{ id status version message }} updatedCount failedCount dryRun {ERRORS} clientMutationId }} }}"""
# One change of each kind: its document, and its variables with the names of rows for their ids.
CHANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "create": (CREATE, {"name": "Acme", "owner": "ada"}),
    "update": (UPDATE, {"id": "deal", "name": "Upsell", "value": 7.25, "version": 1}),
    "move": (MOVE, {"id": "deal", "stage": "Won"}),
    "delete": (DELETE, {"id": "deal"}),
    "complete": (COMPLETE, {"id": "task"}),
    "restore": (RESTORE, {"id": "gone"}),
    "reassign": (REASSIGN, {"id": "contact", "owner": "bob"}),
    "bulk": (BULK, {"ids": ["deal", "gone", "other"], "operation": "UPDATE_VALUE", "updates": {"value": 5}, "dry": False}),
}


def change(kind: str, sales: Sales) -> tuple[str, dict[str, Any]]:
    """The document and the variables of one change."""
    text, values = CHANGES[kind]
    ids = {name: [sales[each] for each in value] if name == "ids" else sales.get(str(value), value) for name, value in values.items()}
    return text, ids


def named(ask: Asker, key: str, by_header: bool) -> dict[str, Any]:
    """The variables that name a mutation; none where the header of its request does."""
    ask.idempotency_key = key if by_header else None
    return {} if by_header else {"key": key}


async def changes(sql: Sql) -> int:
    """How many changes there have been: all are told by triggers, whoever makes them."""
    count: int = await sql.fetchval("select count(*) from audit")
    return count


def refusals(data: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Type and field of each error of the one mutation of a document."""
    return [(error["__typename"], error.get("field")) for error in data["made"]["errors"]]


@pytest.fixture
async def sales(crm: Crm) -> Sales:
    """Ids by name."""
    ada, bob, stages = await crm.user("Ada"), await crm.user("Bob"), await crm.stages()
    made = {
        "ada": ada, "bob": bob, **stages, "deal": await crm.deal(ada, stages["Lead"], value=100),
        "other": await crm.deal(ada, stages["Lead"], "Other", value=5),
        "gone": await crm.deal(ada, stages["Lead"], "Gone", deleted_at=datetime.now(UTC)),
        "contact": await crm.contact(ada), "task": await crm.activity(ada, "TASK"),
    }  # fmt: skip
    return {name: str(row_id) for name, row_id in made.items()}


@pytest.fixture
async def crowd(database_url: str) -> AsyncIterator[Asker]:
    """Asks through five connections at once."""
    pool = open_pool(database_url, size=5)
    yield Asker(PooledDatabase(pool, slow_s=10))
    await pool.close()


@pytest.mark.parametrize("kind", CHANGES)
@pytest.mark.parametrize("by_header", [False, True], ids=["clientMutationId", "Idempotency-Key"])
async def test_what_is_sent_again_is_answered_as_the_first_time_whatever_happened_since(
    ask: Asker, sql: Sql, sales: Sales, kind: str, by_header: bool
) -> None:
    text, variables = change(kind, sales)
    variables |= named(ask, "mine", by_header)
    first = await ask(text, **variables)
    assert first["made"]["errors"] == []
    assert first["made"]["clientMutationId"] == (None if by_header else "mine")
    assert await ask(text, **variables) == first
    await sql.execute("update company set name = 'Changed'")
    await sql.execute("update deal set name = 'Changed', value = 1, stage_id = $1, deleted_at = null", sales["Lost"])
    await sql.execute("update deal set deleted_at = now() where id = $1", sales["deal"])
    await sql.execute("update contact set first_name = 'Changed', owner_id = $1", sales["ada"])
    await sql.execute("update activity set completed_at = null")
    before = await changes(sql)
    assert await ask(text, **variables) == first
    assert await changes(sql) == before


@pytest.mark.parametrize("by_header", [False, True], ids=["clientMutationId", "Idempotency-Key"])
async def test_a_key_is_of_one_mutation_and_one_input(ask: Asker, sql: Sql, sales: Sales, by_header: bool) -> None:
    text, variables = change("move", sales)
    key = named(ask, "mine", by_header)
    assert refusals(await ask(text, **variables, **key)) == []
    before = await changes(sql)
    field = "Idempotency-Key" if by_header else "clientMutationId"
    assert refusals(await ask(text, **(variables | {"stage": sales["Lost"]}), **key)) == [("ValidationError", field)]
    for kind in set(CHANGES) - {"move"}:
        other, values = change(kind, sales)
        assert refusals(await ask(other, **values, **key)) == [("ValidationError", field)], kind
    # The same id and nothing else: only the name of the mutation tells these apart.
    reopen = COMPLETE.replace("completeTask", "reopenTask")
    key = named(ask, "tasks", by_header)
    assert refusals(await ask(COMPLETE, id=sales["task"], **key)) == []
    assert refusals(await ask(reopen, id=sales["task"], **key)) == [("ValidationError", field)]
    assert await changes(sql) == before + 1


async def test_not_given_and_null_are_two_inputs(ask: Asker, sales: Sales) -> None:
    assert refusals(await ask(UPDATE, id=sales["deal"], name="Same", key="mine")) == []
    assert refusals(await ask(UPDATE, id=sales["deal"], name="Same", value=None, key="mine")) == [("ValidationError", "clientMutationId")]


async def test_two_mutations_under_the_key_of_one_request_are_two(ask: Asker, sql: Sql, sales: Sales) -> None:
    ask.idempotency_key = "mine"
    make = "createCompany(input: {name: \"Acme\", ownerId: $owner}) { company { id } errors { message } }"
    text = f"mutation ($owner: ID!) {{ a: {make} b: {make} }}"
    first = await ask(text, owner=sales["ada"])
    assert first["a"]["company"]["id"] != first["b"]["company"]["id"]
    assert await ask(text, owner=sales["ada"]) == first
    assert await sql.fetchval("select count(*) from company") == 2


async def test_a_name_of_the_client_goes_before_the_key_of_the_request(ask: Asker, sql: Sql, sales: Sales) -> None:
    text, variables = change("create", sales)
    for header, key in (("one", "mine"), ("two", "mine"), (None, "mine"), ("one", "other")):
        ask.idempotency_key = header
        assert refusals(await ask(text, **variables, key=key)) == []
    assert await sql.fetchval("select count(*) from company") == 2


async def test_a_name_of_the_client_is_never_the_key_of_a_request(ask: Asker, sql: Sql, sales: Sales) -> None:
    text, variables = change("create", sales)
    ask.idempotency_key = "mine"
    assert refusals(await ask(text, **variables)) == []
    (kept,) = await sql.fetch("select key from idempotency_key")
    assert refusals(await ask(text, **variables, key=kept["key"])) == []
    assert await sql.fetchval("select count(*) from company") == 2


@pytest.mark.parametrize("by_header", [False, True], ids=["clientMutationId", "Idempotency-Key"])
async def test_what_was_refused_leaves_its_key_free(ask: Asker, sql: Sql, sales: Sales, by_header: bool) -> None:
    key = named(ask, "mine", by_header)
    text, variables = change("update", sales)
    guest = reader(EVERYONE.subject)
    for viewer, wrong, expected in (
        (EVERYONE, {"name": ""}, "ValidationError"), (EVERYONE, {"version": 9}, "Conflict"), (guest, {}, "Forbidden"),
        (EVERYONE, {"id": sales["gone"]}, "NotFound"),
    ):  # fmt: skip
        ((kind, _),) = refusals(await ask(text, viewer, **(variables | wrong), **key))
        assert kind == expected
    constrained = "mutation ($id: ID!, $key: String) { made: updateContact(id: $id, input: {firstName: null}, clientMutationId: $key) {" + ERRORS + "} }"
    assert refusals(await ask(constrained, id=sales["contact"], **key)) == [("ValidationError", "lastName")]
    bulk, many = change("bulk", sales)
    assert refusals(await ask(bulk, **(many | {"dry": True}), **key)) == []
    assert await sql.fetchval("select count(*) from idempotency_key") == 0
    assert refusals(await ask(text, **variables, **key)) == []


async def test_keys_of_two_subjects_do_not_meet(ask: Asker, sql: Sql, sales: Sales) -> None:
    text, variables = change("create", sales)
    made = [(await ask(text, manager(subject), **variables, key="mine"))["made"]["company"]["id"] for subject in ("ada", "bob", "ada")]
    assert made[0] == made[2] != made[1]
    assert await sql.fetchval("select count(*) from company") == 2


async def test_what_another_did_under_the_same_key_is_neither_compared_nor_answered(
    ask: Asker, sql: Sql, sales: Sales
) -> None:
    text, variables = change("bulk", sales)
    for subject, value in (("bob", 5), ("ada", 6)):
        first = await ask(text, manager(subject), **{**variables, "updates": {"value": value}}, key="same")
        assert refusals(first) == []
    before = await changes(sql)
    assert await ask(text, manager("ada"), **{**variables, "updates": {"value": 6}}, key="same") == first
    assert await changes(sql) == before


async def test_what_may_not_be_seen_any_more_is_not_answered_again(ask: Asker, sql: Sql, sales: Sales) -> None:
    text, variables = change("create", sales)
    assert refusals(await ask(text, manager("bob"), **variables, key="mine")) == []
    before = await changes(sql)
    assert refusals(await ask(text, rep(sales["bob"], "bob"), **variables, key="mine")) == [("Forbidden", None)]
    assert await changes(sql) == before


async def test_what_was_done_to_many_is_not_told_to_one_who_may_not_see_them_any_more(ask: Asker, sql: Sql, sales: Sales) -> None:
    text, variables = change("bulk", sales)
    ada, bob, boss = rep(sales["ada"], "mine"), rep(sales["bob"], "mine"), manager("mine")
    first = await ask(text, ada, **variables, key="hers")
    assert first["made"]["updatedCount"] == 1
    of_all = await ask(text, boss, **variables, key="of all")
    given = {**variables, "operation": "ASSIGN_OWNER", "updates": {"ownerId": sales["bob"]}}
    assert (await ask(text, boss, **given, key="given"))["made"]["updatedCount"] == 2
    before = await changes(sql)
    for viewer, kept, key, expected in (
        (bob, variables, "hers", None), (bob, variables, "of all", None), (bob, given, "given", 2), (ada, given, "given", None),
        (ada, variables, "hers", first), (boss, variables, "hers", first), (ada, variables, "of all", of_all), (boss, given, "given", 2),
    ):  # fmt: skip
        again = await ask(text, viewer, **kept, key=key)
        if expected is None:
            assert (refusals(again), again["made"]["results"]) == ([("Forbidden", None)], []), key
        else:
            assert expected in (again, again["made"]["updatedCount"]), key
    # As it was kept when nobody's rows were told.
    await sql.execute("update idempotency_key set answer = answer -> 'results'")
    assert refusals(await ask(text, bob, **variables, key="hers")) == [("Forbidden", None)]
    assert await ask(text, boss, **variables, key="hers") == first
    assert await changes(sql) == before


@pytest.mark.parametrize("kind", ["create", "bulk", "reassign"])
async def test_ten_who_send_the_same_at_once_make_one_change(crowd: Asker, sql: Sql, sales: Sales, kind: str) -> None:
    text, variables = change(kind, sales)
    before = await changes(sql)
    first, *others = await asyncio.gather(*(crowd(text, **variables, key="mine") for _ in range(10)))
    assert first["made"]["errors"] == []
    assert others == [first] * 9
    assert await changes(sql) == before + 1
    assert await sql.fetchval("select count(*) from idempotency_key") == 1


async def test_who_waits_for_a_key_whose_change_is_refused_makes_the_change(crowd: Asker, sql: Sql, sales: Sales) -> None:
    text, variables = change("update", sales)
    asked = [variables | {"version": number} for number in (1, 2, 1, 2, 1)]
    answers = await asyncio.gather(*(crowd(text, **each, key="mine") for each in asked))
    assert [answer["made"]["deal"] for answer in answers if answer["made"]["deal"]] == [answers[0]["made"]["deal"]] * 3
    assert await sql.fetchval("select version from deal where id = $1", sales["deal"]) == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "\0", "a\0b"])
async def test_a_key_that_cannot_be_kept_is_refused(ask: Asker, sql: Sql, sales: Sales, key: str) -> None:
    before = await changes(sql)
    for kind in CHANGES:
        text, variables = change(kind, sales)
        ask.idempotency_key = None
        assert refusals(await ask(text, **variables, key=key)) == [("ValidationError", "clientMutationId")]
        ask.idempotency_key = key
        assert refusals(await ask(text, **variables)) == [("ValidationError", "Idempotency-Key")]
    assert await changes(sql) == before


@pytest.mark.parametrize("key", ["x" * 255, "\U00020000" * 255, " ", "' or true --"])
async def test_any_other_key_is_kept(ask: Asker, sql: Sql, sales: Sales, key: str) -> None:
    text, variables = change("create", sales)
    answers = [await ask(text, **variables, key=key) for _ in range(2)]
    ask.idempotency_key = key
    answers += [await ask(text, **variables) for _ in range(2)]
    assert [refusals(answer) for answer in answers] == [[]] * 4
    assert await sql.fetchval("select count(*) from company") == 2


async def test_the_key_of_a_request_is_kept_under_the_longest_alias(ask: Asker, sql: Sql, sales: Sales) -> None:
    text, variables = change("create", sales)
    alias = "a" * Limits().name
    ask.idempotency_key = "mine"
    first = await ask(text.replace("made:", f"{alias}:"), **variables)
    assert await ask(text.replace("made:", f"{alias}:"), **variables) == first
    assert await sql.fetchval("select count(*) from company") == 1
