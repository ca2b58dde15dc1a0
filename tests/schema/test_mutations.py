"""Mutations: what each answers and leaves behind, who may make it, and that whoever reads next reads it."""

import asyncio
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import orjson
import pytest
from graphql import GraphQLInputObjectType, get_named_type

from core.viewer import EVERYONE, Viewer
from resolvers.mutation import MAY_NOT_WRITE
from resolvers.rules import shown
from resolvers.writable import WRITABLES
from schema.build import build_schema
from schema.limits import Limits
from tests.crm import NOON, Crm
from tests.schema.conftest import EXECUTABLE, Asker
from tests.schema.walk import everything_below, questions
from tests.viewers import manager, reader, rep

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Sales: TypeAlias = dict[str, str]

TYPES = build_schema()._schema
assert TYPES.mutation_type is not None
MUTATIONS = TYPES.mutation_type.fields
WIDE = Limits(tokens=100_000, depth=100, aliases=10_000, selections=100_000, repeats=10_000)
UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
TIME = "2026-03-04T12:00:00+00:00"
ERRORS = """errors { __typename message ... on ValidationError { field } ... on NotFound { id }
  ... on Conflict { current { id ... on Deal { name version } } } }"""
NODE = "__typename id " + " ".join(
    f"... on {kind} {{ version owner {{ id }} }}" for kind in ("Company", "Contact", "Deal", "Activity")
)
# Whatever ends in Id names a row of the fixture ``sales``.
NEW: dict[str, dict[str, Any]] = {
    "company": {
        "name": "Acme", "domain": "acme.example", "website": "https://acme.example", "industry": "Tools",
        "size": "11-50", "revenue": 999999999999.99, "location": "Berlin", "ownerId": "ada",
    },
    "contact": {
        "firstName": "Bea", "lastName": "Ruiz", "email": "bea@acme.example", "phone": "+49 30 1", "title": "CEO",
        "role": "Decision maker", "companyId": "company", "ownerId": "ada",
    },
    "deal": {
        "name": "Renewal", "value": 1250.5, "stageId": "Offer", "probability": 0.25, "expectedCloseDate": "2026-05-01",
        "companyId": "company", "contactId": "contact", "ownerId": "ada",
    },
    "activity": {
        "type": "TASK", "subject": "Call back", "body": "At noon.", "occurredAt": TIME, "dueAt": TIME,
        "companyId": "company", "dealId": "deal", "contactId": "contact", "ownerId": "ada",
    },
}  # fmt: skip
# A call of each mutation that goes through. Tests walk over the schema's mutations, so that a new one is missed here.
CALLS: dict[str, dict[str, Any]] = {
    **{f"create{noun.title()}": {"input": values} for noun, values in NEW.items()},
    **{f"delete{noun.title()}": {"id": noun} for noun in NEW},
    "updateCompany": {"id": "company", "input": {"name": "Other", "revenue": None}},
    "updateContact": {"id": "contact", "input": {"firstName": None, "lastName": "Other"}},
    "updateDeal": {"id": "deal", "input": {"name": "Other", "value": 7}},
    "updateActivity": {"id": "activity", "input": {"subject": "Other"}},
    "moveDeal": {"id": "deal", "stageId": "Won"},
    "completeTask": {"id": "activity"},
    "reopenTask": {"id": "done"},
    "reassign": {"id": "contact", "ownerId": "bob"},
    "restore": {"id": "gone"},
    "bulkUpdateDeals": {"operation": "DELETE", "dealIds": ["deal"]},
}
WITH_ID = [name for name, field in MUTATIONS.items() if "id" in field.args]
WITH_VERSION = [name for name, field in MUTATIONS.items() if "expectedVersion" in field.args]

# The places where a row shows and is counted. Its id is in the variables alone, so that finding it in the answer is finding it.
EVERYWHERE = """query ($id: ID!) {
  node(id: $id) { id } company(id: $id) { id } contact(id: $id) { id } deal(id: $id) { id } activity(id: $id) { id }
  companies { totalCount edges { node { id contactCount dealCount dealsValue deals { id } contacts { id } activities { id }
    dealsConnection { totalCount } contactsConnection { totalCount } activitiesConnection { totalCount }
    analytics { activeDeals totalValue activityCount30d lastActivityAt dealsByStage { count value } } } } }
  contacts { totalCount edges { node { id company { id } activities { id } } } }
  deals { totalCount edges { node { id company { id } contact { id } activities { id } } } }
  activities { totalCount edges { node { id company { id } deal { id } contact { id } } } }
  inCompanies: companies(search: "zebra") { totalCount edges { node { id } } }
  inContacts: contacts(search: "zebra") { totalCount edges { node { id } } }
  inDeals: deals(search: "zebra") { totalCount edges { node { id } } }
  inActivities: activities(search: "zebra") { totalCount edges { node { id } } }
  pipelineStats { total pipelineValue stages { count value } } contactStats { total withCompany companies }
  dashboard { overview { deals { total } activities { today thisWeek } companies { total withDeals } }
    pipeline { count value } recent { activities { id } tasks { id } } } }"""
COUNTS = ("companies", "contacts", "deals", "activities")


def filled(values: Any, sales: Sales, key: str = "") -> Any:
    """The values with the ids of the rows that they name."""
    if isinstance(values, dict):
        return {name: filled(value, sales, name) for name, value in values.items()}
    if isinstance(values, list):
        return [filled(value, sales, key) for value in values]
    return sales.get(values, values) if key.endswith(("id", "Id", "Ids")) else values


def selection(values: dict[str, Any]) -> str:
    """The fields that show these input fields."""
    return " ".join(f"{name[:-2]} {{ id }}" if name.endswith("Id") else name for name in values)


def answered(values: dict[str, Any], sales: Sales) -> dict[str, Any]:
    """What ``selection`` answers where the input fields were taken as they are."""
    return {
        name.removesuffix("Id"): {"id": sales[value]} if name.endswith("Id") else value for name, value in values.items()
    }


async def mutate(ask: Asker, name: str, row: str = "", viewer: Viewer = EVERYONE, **arguments: Any) -> dict[str, Any]:
    """The payload of one mutation: its errors, and of its row what is selected."""
    declared = ", ".join(f"${each}: {MUTATIONS[name].args[each].type}" for each in arguments)
    given = ", ".join(f"{each}: ${each}" for each in arguments)
    data = await ask(f"mutation ({declared}) {{ {name}({given}) {{ {row} {ERRORS} clientMutationId }} }}", viewer, **arguments)
    payload: dict[str, Any] = data[name]
    return payload


async def rows(sql: Sql) -> dict[str, dict[str, Any]]:
    """Every row by its id as the audit tells of it."""
    found = {}
    for noun in NEW:
        for row in await sql.fetch(f"select id, (to_jsonb({noun}) - '{{search,full_name}}'::text[])::text as all from {noun}"):
            found[str(row["id"])] = orjson.loads(row["all"])
    return found


async def audits(sql: Sql) -> int:
    """How many changes there have been: all are told by triggers, whoever makes them."""
    count: int = await sql.fetchval("select count(*) from audit")
    return count


@pytest.fixture
async def sales(ask: Asker, crm: Crm) -> Sales:
    """Ids by name: what Ada has of each noun, all of it called zebra, a task that is done and a deal that is deleted; Bob."""
    ask.now = lambda: NOON
    ada, bob, stages = await crm.user("Ada"), await crm.user("Bob"), await crm.stages()
    company = await crm.company(ada, "Zebra", revenue=5)
    contact = await crm.contact(ada, "Zebra", company_id=company)
    deal = await crm.deal(ada, stages["Lead"], "Zebra", value=100, company_id=company, contact_id=contact)
    gone = await crm.deal(ada, stages["Lead"], "Gone", company_id=company, deleted_at=datetime.now(NOON.tzinfo))
    concerns = {"company_id": company, "deal_id": deal, "contact_id": contact, "occurred_at": NOON}
    activity = await crm.activity(ada, "TASK", "Zebra", due_at=NOON, **concerns)
    done = await crm.activity(ada, "TASK", "Done", completed_at=NOON, **concerns)
    made = {"ada": ada, "bob": bob, "company": company, "contact": contact, "deal": deal, "gone": gone,
            "activity": activity, "done": done, **stages}  # fmt: skip
    return {name: str(row_id) for name, row_id in made.items()}


@pytest.mark.parametrize("noun", NEW)
async def test_a_new_row_is_answered_with_all_that_was_given(ask: Asker, sales: Sales, noun: str) -> None:
    name = f"create{noun.title()}"
    declared = get_named_type(MUTATIONS[name].args["input"].type)
    assert isinstance(declared, GraphQLInputObjectType)
    assert set(declared.fields) == set(NEW[noun]), "a field of the input is given no value here"
    fields = selection(NEW[noun])
    payload = await mutate(ask, name, f"{noun} {{ id version {fields} }}", **filled(CALLS[name], sales))
    row_id = payload[noun].pop("id")
    assert payload == {noun: {"version": 1, **answered(NEW[noun], sales)}, "errors": [], "clientMutationId": None}
    read = await ask(f"query ($id: ID!) {{ row: {noun}(id: $id) {{ version {fields} }} }}", id=row_id)
    assert read["row"] == payload[noun]


@pytest.mark.parametrize(
    ("noun", "given", "usual"),
    [
        ("company", {"name": "A", "ownerId": "ada"}, {}),
        ("contact", {"email": "a@b.example", "ownerId": "ada"}, {}),
        ("deal", {"name": "A", "companyId": "company", "ownerId": "ada"}, {"probability": 0.1, "stageId": "Lead"}),
        ("activity", {"type": "NOTE", "subject": "A", "ownerId": "ada"}, {"occurredAt": TIME}),
    ],
)
async def test_what_is_not_given_of_a_new_row_is_null_or_as_usual(
    ask: Asker, sales: Sales, noun: str, given: dict[str, Any], usual: dict[str, Any]
) -> None:
    row = f"{noun} {{ {selection(NEW[noun])} }}"
    payload = await mutate(ask, f"create{noun.title()}", row, input=filled(given, sales))
    rest = {name.removesuffix("Id"): None for name in NEW[noun]}
    assert payload[noun] == rest | answered({**usual, **given}, sales)


@pytest.mark.parametrize("noun", NEW)
async def test_an_update_changes_what_is_given_and_null_takes_away(ask: Asker, sales: Sales, noun: str) -> None:
    update, row = f"update{noun.title()}", f"{noun} {{ version {selection(NEW[noun])} }}"
    values = {name: value for name, value in NEW[noun].items() if name != "type"}
    whole = answered(NEW[noun], sales)
    payload = await mutate(ask, update, row, id=sales[noun], input=filled(values, sales))
    assert payload[noun] == {"version": 2, **whole}
    optional = {shown(column) for column, field in WRITABLES[noun].fields.items() if not field.is_required} & set(values)
    for changes, name in enumerate(sorted(optional)):
        payload = await mutate(ask, update, row, id=sales[noun], input={name: None})
        taken = {name.removesuffix("Id"): 0.5 if name == "probability" else None}  # without its own, the stage's
        assert payload[noun] == {"version": 3 + 2 * changes, **whole, **taken}, name
        payload = await mutate(ask, update, row, id=sales[noun], input=filled({name: values[name]}, sales))
        assert payload[noun] == {"version": 4 + 2 * changes, **whole}, name


async def test_an_update_keeps_what_another_writes_at_the_same_time(ask: Asker, sql: Sql, sales: Sales) -> None:
    async with asyncio.timeout(10), sql.transaction():
        await sql.execute("update deal set value = 7, stage_id = $1 where id = $2", sales["Offer"], sales["deal"])
        update = asyncio.create_task(
            mutate(ask, "updateDeal", "deal { name value stage { id } version }", id=sales["deal"], input={"name": "Mine"})
        )
        while not await sql.fetchval("select exists (select from pg_locks where not granted)"):
            await asyncio.sleep(0.01)
    assert (await update)["deal"] == {"name": "Mine", "value": 7, "stage": {"id": sales["Offer"]}, "version": 3}


@pytest.mark.parametrize(("noun", "counted"), list(zip(NEW, COUNTS, strict=True)))
async def test_what_is_deleted_is_nowhere_until_it_is_restored(
    ask: Asker, sales: Sales, noun: str, counted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EXECUTABLE, "limits", WIDE)
    asked = list(questions(TYPES, defaultdict(list, ID=list(sales.values())), depth=2))

    async def showing() -> list[str]:
        answers = [(each.text, await ask.anything(each.text, **each.variables)) for each in asked]
        return [text for text, answer in answers if sales[noun] in str(answer)]

    assert len(await showing()) > 10
    before = await ask(EVERYWHERE, id=sales[noun])
    assert str(before).count(sales[noun]) > 3
    payload = await mutate(ask, f"delete{noun.title()}", f"{noun} {{ id version }}", id=sales[noun])
    assert payload[noun] == {"id": sales[noun], "version": 2}
    after = await ask(EVERYWHERE, id=sales[noun])
    assert sales[noun] not in str(after)
    assert await showing() == []
    assert after[counted]["totalCount"] == before[counted]["totalCount"] - 1
    found = f"in{counted.title()}"
    assert (before[found]["totalCount"], after[found]["totalCount"]) == (1, 0)
    if noun in ("company", "deal", "activity"):
        assert after["dashboard"]["overview"] != before["dashboard"]["overview"]
    for _ in range(2):  # what is there already stays as it is
        payload = await mutate(ask, "restore", f"node {{ {NODE} }}", id=sales[noun])
        owner = {"id": sales["ada"]}
        assert payload["node"] == {"__typename": noun.title(), "id": sales[noun], "version": 3, "owner": owner}
    assert await ask(EVERYWHERE, id=sales[noun]) == before


@pytest.mark.parametrize("noun", NEW)
async def test_what_was_deleted_is_answered_with_all_that_hangs_on_it(
    ask: Asker, sales: Sales, noun: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EXECUTABLE, "limits", WIDE)
    delete, field = f"delete{noun.title()}", TYPES.query_type.fields[noun]  # type: ignore[union-attr]
    whole = everything_below(TYPES, field, 2)
    read = (await ask(f"query ($id: ID!) {{ row: {noun}(id: $id) {whole} }}", id=sales[noun]))["row"]
    payload = await mutate(ask, delete, f"{noun} {whole}", id=sales[noun], clientMutationId="mine")
    told = payload[noun]
    counted = {name for name, value in read.items() if name == "analytics" or not isinstance(value, (dict, list))}
    assert {name for name in counted if told[name] != read[name]} == {"version", "updatedAt"}
    assert await mutate(ask, delete, f"{noun} {whole}", id=sales[noun], clientMutationId="mine") == payload


@pytest.mark.parametrize("noun", NEW)
@pytest.mark.parametrize(("days", "expected"), [(29, []), (31, ["NotFound"])])
async def test_what_was_deleted_can_be_restored_for_thirty_days(
    ask: Asker, sql: Sql, sales: Sales, noun: str, days: int, expected: list[str]
) -> None:
    await sql.execute(f"update {noun} set deleted_at = now() - make_interval(days => $1) where id = $2", days, sales[noun])
    payload = await mutate(ask, "restore", "node { id }", id=sales[noun])
    assert [error["__typename"] for error in payload["errors"]] == expected
    assert ((await ask("query ($id: ID!) { node(id: $id) { id } }", id=sales[noun]))["node"] is None) == bool(expected)


@pytest.mark.parametrize("noun", NEW)
async def test_anything_can_be_given_to_another_owner(ask: Asker, sales: Sales, noun: str) -> None:
    payload = await mutate(ask, "reassign", f"node {{ {NODE} }}", id=sales[noun], ownerId=sales["bob"])
    owner = {"id": sales["bob"]}
    assert payload["node"] == {"__typename": noun.title(), "id": sales[noun], "version": 2, "owner": owner}


async def test_a_new_deal_stands_in_the_first_stage_that_is_open(ask: Asker, crm: Crm, sales: Sales) -> None:
    await crm.stage("Won at once", 0, 1.0, is_won=True)
    given = filled({"name": "A", "companyId": "company", "ownerId": "ada"}, sales)
    for stage, expected in (({}, "Lead"), ({"stageId": sales["Won"]}, "Won")):
        payload = await mutate(ask, "createDeal", "deal { stage { name } closedAt createdAt }", input={**given, **stage})
        assert payload["deal"]["stage"]["name"] == expected
        assert payload["deal"]["closedAt"] == (payload["deal"]["createdAt"] if expected == "Won" else None)


async def test_a_move_is_told_with_who_and_when_and_closes_the_deal_or_opens_it(ask: Asker, sales: Sales) -> None:
    viewer = manager("bob@example.com", sales["bob"])
    row = """deal { status closedAt updatedAt version
      stageHistory { fromStage { name } toStage { name } changedBy { name } changedAt } }"""
    moves: list[tuple[str | None, ...]] = [(None, "Lead", None)]
    for before, after, status in (
        ("Lead", "Offer", "OPEN"), ("Offer", "Won", "WON"), ("Won", "Lost", "LOST"), ("Lost", "Lead", "OPEN"),
    ):  # fmt: skip
        deal = (await mutate(ask, "moveDeal", row, viewer, id=sales["deal"], stageId=sales[after]))["deal"]
        moves.append((before, after, "Bob"))
        told = [(each["fromStage"] and each["fromStage"]["name"], each["toStage"]["name"],
                 each["changedBy"] and each["changedBy"]["name"]) for each in deal["stageHistory"]]  # fmt: skip
        assert told == moves
        assert deal["stageHistory"][-1]["changedAt"] == deal["updatedAt"]
        assert (deal["status"], deal["closedAt"]) == (status, None if status == "OPEN" else deal["updatedAt"])


async def test_a_deal_that_is_moved_where_it_stands_stays_closed_since_when_it_was(ask: Asker, sales: Sales) -> None:
    row = "deal { closedAt stageHistory { id } }"
    first = await mutate(ask, "moveDeal", row, id=sales["deal"], stageId=sales["Won"])
    assert first["deal"]["closedAt"] is not None
    assert await mutate(ask, "moveDeal", row, id=sales["deal"], stageId=sales["Won"]) == first


async def test_a_task_is_done_once_and_opened_once(ask: Asker, sql: Sql, sales: Sales) -> None:
    row = "activity { status completedAt version }"
    changes = await audits(sql)
    for name, expected in (
        ("completeTask", {"status": "COMPLETED", "completedAt": TIME, "version": 2}),
        ("reopenTask", {"status": "OPEN", "completedAt": None, "version": 3}),
    ):
        for _ in range(2):
            assert (await mutate(ask, name, row, id=sales["activity"]))["activity"] == expected
        changes += 1
        assert await audits(sql) == changes
    stale = await mutate(ask, "reopenTask", row, id=sales["activity"], expectedVersion=2)
    assert [error["__typename"] for error in stale["errors"]] == ["Conflict"]


async def test_a_task_that_is_completed_again_stays_done_since_when_it_was(ask: Asker, sales: Sales) -> None:
    ask.now = lambda: NOON + timedelta(hours=1)
    payload = await mutate(ask, "completeTask", "activity { completedAt version }", id=sales["done"])
    assert payload["activity"] == {"completedAt": TIME, "version": 1}


async def test_what_is_no_task_is_never_done(ask: Asker, crm: Crm, sales: Sales) -> None:
    for kind in ("CALL", "EMAIL", "MEETING", "NOTE"):
        other = await crm.activity(UUID(sales["ada"]), kind)
        for name in ("completeTask", "reopenTask"):
            payload = await mutate(ask, name, "activity { id }", id=str(other))
            assert payload["activity"] is None
            assert [(error["__typename"], error["field"]) for error in payload["errors"]] == [("ValidationError", "id")]


async def test_of_two_who_change_the_same_version_one_is_told_what_the_other_wrote(ask: Asker, sales: Sales) -> None:
    payloads = await asyncio.gather(*(
        mutate(ask, "updateDeal", "deal { name version }", id=sales["deal"], input={"name": name}, expectedVersion=1)
        for name in ("first", "second")
    ))  # fmt: skip
    (won,), (lost,) = ([each for each in payloads if bool(each["errors"]) is is_lost] for is_lost in (False, True))
    assert (won["deal"]["version"], lost["deal"]) == (2, None)
    (error,) = lost["errors"]
    assert (error["__typename"], error["current"]) == ("Conflict", {"id": sales["deal"], **won["deal"]})


async def test_another_version_than_expected_is_a_conflict(ask: Asker, sql: Sql, sales: Sales) -> None:
    changes = await audits(sql)
    for name in WITH_VERSION:
        arguments = filled(CALLS[name], sales)
        for version in (0, 2, -1, 2**31 - 1):
            (error,) = (await mutate(ask, name, **arguments, expectedVersion=version))["errors"]
            assert (error["__typename"], error["current"]["id"]) == ("Conflict", arguments["id"]), name
    assert await audits(sql) == changes


@pytest.mark.parametrize("name", WITH_ID)
async def test_what_is_not_there_or_anothers_is_not_found_in_the_same_words(
    ask: Asker, sql: Sql, sales: Sales, name: str
) -> None:
    arguments, changes = filled(CALLS[name], sales), await audits(sql)
    bob = rep(sales["bob"], "bob@example.com")
    words = {}
    for why, viewer, row_id in (
        ("unknown", bob, UNKNOWN), ("another's", bob, arguments["id"]), ("a user", bob, sales["ada"]),
        ("a stage", EVERYONE, sales["Lead"]), ("unknown to all", EVERYONE, UNKNOWN),
    ):  # fmt: skip
        (error,) = (await mutate(ask, name, "", viewer, **(arguments | {"id": row_id})))["errors"]
        assert (error["__typename"], error.get("id")) == ("NotFound", row_id), why
        words[why] = error["message"]
    assert await audits(sql) == changes
    # Other words for what is another's would tell that it is there.
    assert len(set(words.values())) == 1, words


@pytest.mark.parametrize("noun", NEW)
async def test_whatever_else_is_wrong_another_reps_row_is_told_like_none(
    ask: Asker, crm: Crm, sql: Sql, sales: Sales, noun: str
) -> None:
    bob, owner = rep(sales["bob"], "bob"), UUID(sales["ada"])
    used = await mutate(ask, "createCompany", "", bob, input={"name": "Mine", "ownerId": sales["bob"]}, clientMutationId="used")
    assert used["errors"] == []
    await sql.execute(f"update {noun} set deleted_at = now() where id = $1 and $2", sales[noun], noun != "deal")
    new: dict[str, dict[str, Any]] = {
        "company": {"name": "A"}, "contact": {"last_name": "A"}, "deal": {"name": "A", "stage_id": UUID(sales["Lead"])},
        "activity": {"type": "NOTE", "subject": "A"},
    }  # fmt: skip
    there = await crm.add(noun, owner_id=owner, **new[noun])
    changes = await audits(sql)
    for key, code in ((None, "NotFound"), ("used", "ValidationError"), ("", "ValidationError")):
        for name, arguments in (
            ("restore", {}), ("reassign", {"ownerId": sales["ada"]}), ("reassign", {"ownerId": sales["bob"], "expectedVersion": 9}),
            ("reassign", {"ownerId": "x"}),
        ):  # fmt: skip
            told = {}
            for row_id in (UNKNOWN, str(there), sales[noun], sales["Lead"], sales["ada"]):
                payload = await mutate(ask, name, "", bob, **arguments, id=row_id, clientMutationId=key)
                told[row_id] = str(payload).replace(row_id, "it")
                assert [error["__typename"] for error in payload["errors"]] == [code], (key, name, arguments, row_id)
            assert len(set(told.values())) == 1, (key, name, arguments, told)
    assert await audits(sql) == changes


async def test_what_is_deleted_cannot_be_changed(ask: Asker, sql: Sql, sales: Sales) -> None:
    for noun in NEW:
        await sql.execute(f"update {noun} set deleted_at = now()")
    changes = await audits(sql)
    for name in set(WITH_ID) - {"restore"}:
        arguments = filled(CALLS[name], sales)
        (error,) = (await mutate(ask, name, **arguments))["errors"]
        assert (error["__typename"], error["id"]) == ("NotFound", arguments["id"]), name
    assert await audits(sql) == changes


async def test_each_mutation_of_a_request_reads_what_those_before_it_wrote(ask: Asker, sales: Sales) -> None:
    read = "company { dealCount dealsValue contactCount dealsConnection { totalCount } }"
    data = await ask(
        "mutation ($c: ID!, $d: ID!, $g: ID!, $o: ID!, $won: ID!) {"
        f"  a: createDeal(input: {{name: \"A\", companyId: $c, ownerId: $o, value: 50}}) {{ deal {{ {read} }} }}"
        f"  b: updateDeal(id: $d, input: {{value: 1.5}}) {{ deal {{ {read} }} }}"
        f"  c: createContact(input: {{lastName: \"B\", companyId: $c, ownerId: $o}}) {{ contact {{ {read} }} }}"
        f"  d: deleteDeal(id: $d) {{ deal {{ {read} }} }}"
        f"  e: restore(id: $g) {{ node {{ ... on Deal {{ {read} }} }} }}"
        f"  f: updateCompany(id: $c, input: {{name: \"New\"}}) {{ company {{ name }} }}"
        f"  g: moveDeal(id: $g, stageId: $won) {{ deal {{ status stageHistory {{ id }} company {{ name dealCount }} }} }} }}",
        c=sales["company"], d=sales["deal"], g=sales["gone"], o=sales["ada"], won=sales["Won"],
    )  # fmt: skip
    seen = [payload.popitem()[1]["company"] for payload in (data[name] for name in "abcde")]
    assert [(each["dealCount"], each["dealsValue"], each["contactCount"]) for each in seen] == [
        (2, 150, 1), (2, 51.5, 1), (2, 51.5, 2), (1, 50, 2), (2, 50, 2),
    ]  # fmt: skip
    assert [each["dealsConnection"]["totalCount"] for each in seen] == [2, 2, 2, 1, 2]
    moved = data["g"]["deal"]
    assert (moved["status"], len(moved["stageHistory"]), moved["company"]) == ("WON", 2, {"name": "New", "dealCount": 2})


@pytest.mark.parametrize("name", MUTATIONS)
async def test_what_a_rep_changes_of_theirs_is_told_by_the_audit_in_the_same_transaction(
    ask: Asker, sql: Sql, sales: Sales, name: str
) -> None:
    before, ada = await rows(sql), UUID(sales["ada"])
    # Nothing that a rep may give away is somebody else's then.
    viewer = manager("ada@example.com", ada) if name == "reassign" else rep(ada, "ada@example.com")
    version = {"expectedVersion": 1} if name in WITH_VERSION else {}
    payload = await mutate(ask, name, "", viewer, **filled(CALLS[name], sales), **version, clientMutationId="mine")
    assert payload == {"errors": [], "clientMutationId": "mine"}
    after = await rows(sql)
    (told,) = await sql.fetch("select *, xmin::text from audit where actor = $1", viewer.subject)
    row_id = str(told["row_id"])
    assert {each for each in after if before.get(each) != after[each]} == {row_id}
    verb = "delete" if name == "bulkUpdateDeals" else name
    assert told["action"] == next((word for word in ("CREATE", "DELETE", "RESTORE") if verb.upper().startswith(word)), "UPDATE")
    old, new = before.get(row_id), after[row_id]
    if old is not None:
        differing = {column for column in new if old[column] != new[column]} - {"updated_at"}
        old, new = ({column: row[column] for column in differing} for row in (old, new))
    assert (orjson.loads(told["before"] or "null"), orjson.loads(told["after"])) == (old, new)
    written = await sql.fetchrow(f"select updated_at, xmin::text from {told['kind']} where id = $1", told["row_id"])
    assert written is not None
    assert (told["at"], told["xmin"]) == (written["updated_at"], written["xmin"])


@pytest.mark.parametrize("is_there", [True, False], ids=["what is there", "what is not there"])
async def test_one_who_may_only_read_is_forbidden_every_mutation(ask: Asker, sql: Sql, sales: Sales, is_there: bool) -> None:
    changes, known, told = await audits(sql), sales if is_there else dict.fromkeys(sales, UNKNOWN), {}
    for name in MUTATIONS:
        payload = await mutate(ask, name, "", reader(), **filled(CALLS[name], known))
        told[name] = [error["__typename"] for error in payload["errors"]]
    assert await audits(sql) == changes
    assert told == {name: ["Forbidden"] for name in MUTATIONS}


async def test_one_who_may_only_read_is_told_that_before_anything_else_that_is_wrong(ask: Asker, sales: Sales) -> None:
    for name in WITH_ID:
        wrong = {**filled(CALLS[name], sales), "id": "no id", "clientMutationId": ""}
        payload = await mutate(ask, name, "", reader(), **wrong)
        forbidden = {"__typename": "Forbidden", "message": MAY_NOT_WRITE.message}
        assert payload == {"errors": [forbidden], "clientMutationId": ""}, name
        assert not ask.ran, name


async def test_a_rep_makes_nothing_anothers(ask: Asker, sql: Sql, sales: Sales) -> None:
    changes, ada = await audits(sql), UUID(sales["ada"])
    calls: list[tuple[str, dict[str, Any]]] = [
        *((f"create{noun.title()}", {"input": {**NEW[noun], "ownerId": "bob"}}) for noun in NEW),
        *((f"update{noun.title()}", {"id": noun, "input": {"ownerId": "bob"}}) for noun in NEW),
        *(("reassign", {"id": noun, "ownerId": "bob"}) for noun in NEW),
        ("bulkUpdateDeals", {"operation": "ASSIGN_OWNER", "dealIds": ["deal"], "updates": {"ownerId": "bob"}}),
    ]
    for name, arguments in calls:
        payload = await mutate(ask, name, "", rep(ada, "ada@example.com"), **filled(arguments, sales))
        assert [error["__typename"] for error in payload["errors"]] == ["Forbidden"], (name, arguments)
    assert await audits(sql) == changes


async def test_a_rep_changes_no_deals_of_others_in_bulk_and_learns_nothing_of_them(ask: Asker, sql: Sql, sales: Sales) -> None:
    changes, bob = await audits(sql), UUID(sales["bob"])
    for operation, updates in (
        ("UPDATE_STAGE", {"stageId": sales["Won"]}), ("ASSIGN_OWNER", {"ownerId": sales["bob"]}),
        ("UPDATE_VALUE", {"value": 1}), ("DELETE", {}), ("RESTORE", {}),
    ):  # fmt: skip
        payload = await mutate(
            ask, "bulkUpdateDeals", "results { status version message deal { id } }", rep(bob, "bob"),
            operation=operation, dealIds=[sales["deal"], sales["gone"], UNKNOWN], updates=updates, errorPolicy="SKIP_FAILED",
        )  # fmt: skip
        theirs, deleted, unknown = payload["results"]
        assert theirs == deleted == unknown, operation
        assert (unknown["status"], unknown["version"], unknown["deal"]) == ("FAILED", None, None), operation
    assert await audits(sql) == changes
