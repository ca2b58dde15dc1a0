"""Whatever cannot be written is told as a typed error at its field, and changes nothing."""

import asyncio
import re
from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import pytest
from graphql import GraphQLInputObjectType, get_named_type

from core.viewer import EVERYONE, READ_ALL, WRITE, Viewer
from resolvers.rules import Field, shown
from resolvers.writable import WRITABLES
from schema.build import build_schema
from tests.crm import Crm
from tests.schema.conftest import Asker
from tests.viewers import rep

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Sales: TypeAlias = dict[str, str]

TYPES = build_schema()._schema
assert TYPES.mutation_type is not None
MUTATIONS = TYPES.mutation_type.fields
UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
MALFORMED = ["", " ", "1", "null", "company", UNKNOWN.replace("-", ""), f"{{{UNKNOWN}}}", f"urn:uuid:{UNKNOWN}",
             f"{UNKNOWN}\n", UNKNOWN[:-1], f"{UNKNOWN}0", UNKNOWN.replace("0", "\u0660"), "\0", "' or true --"]  # fmt: skip
BLANK = ["", " ", "\n\t", "\u00a0", "\u2003\u3000", "\u2028", "\x1c", "\x85"]
# What a new row needs, and a contact two names, of which one may be wrong. What ends in Id is in the fixture ``sales``.
LEAST: dict[str, dict[str, Any]] = {
    "company": {"name": "Acme", "ownerId": "ada"},
    "contact": {"lastName": "Ruiz", "email": "ruiz@acme.example", "ownerId": "ada"},
    "deal": {"name": "Renewal", "companyId": "company", "ownerId": "ada"},
    "activity": {"type": "TASK", "subject": "Call", "ownerId": "ada"},
}
# No mutation writes these columns: rows of other systems come by imports alone.
BEYOND_MUTATIONS = {f"{noun}_external_id_{rule}" for noun in WRITABLES for rule in ("unique", "has_source")}


def longest(field: Field) -> int | None:
    """How many characters a field takes; None if it is not of text."""
    try:
        field.rule("x" * 1_000_000)
    except (ValueError, TypeError, AttributeError) as error:
        found = re.search(r"may have ([\d,]+) characters at most", str(error))
        return int(found[1].replace(",", "")) if found else None
    return None


FIELDS = [(noun, column, field) for noun, writable in WRITABLES.items() for column, field in writable.fields.items()]
TEXTS = [(noun, column, most) for noun, column, field in FIELDS if (most := longest(field))]
REFERENCES = [(noun, column, field.refers_to) for noun, column, field in FIELDS if field.refers_to]


async def faults(ask: Asker, name: str, arguments: dict[str, Any], viewer: Viewer = EVERYONE) -> list[tuple[str, str]]:
    """Type and field of each error that a mutation answers with."""
    declared = ", ".join(f"${each}: {MUTATIONS[name].args[each].type}" for each in arguments)
    given = ", ".join(f"{each}: ${each}" for each in arguments)
    data = await ask(
        f"mutation ({declared}) {{ {name}({given}) {{ errors {{ __typename message ... on ValidationError {{ field }} }} }} }}",
        viewer, **arguments,
    )  # fmt: skip
    assert all(error["message"] for error in data[name]["errors"])
    return [(error["__typename"], error.get("field")) for error in data[name]["errors"]]


def least(noun: str, sales: Sales, **given: Any) -> dict[str, Any]:
    """What makes a new row with these fields."""
    return {name: sales[value] if name.endswith("Id") else value for name, value in LEAST[noun].items()} | given


async def ways(
    ask: Asker, sales: Sales, noun: str, given: dict[str, Any], viewer: Viewer = EVERYONE
) -> list[list[tuple[str, str]]]:
    """The errors of an update and of a creation with these fields."""
    return [
        await faults(ask, f"update{noun.title()}", {"id": sales[noun], "input": given}, viewer),
        await faults(ask, f"create{noun.title()}", {"input": least(noun, sales, **given)}, viewer),
    ]


def wrong(*fields: str) -> list[tuple[str, str]]:
    """A validation error for each field."""
    return [("ValidationError", field) for field in fields]


async def changes(sql: Sql) -> int:
    """How many changes there have been: all are told by triggers, whoever makes them."""
    count: int = await sql.fetchval("select count(*) from audit")
    return count


@pytest.fixture
async def sales(crm: Crm) -> Sales:
    """Ids by name: a row of each noun of Ada's, Bob's company and contact, and a company, contact and deal that are deleted."""
    ada, bob, stage = await crm.user("Ada"), await crm.user("Bob"), await crm.stage()
    company, theirs = await crm.company(ada), await crm.company(bob)
    now = datetime.now(UTC)
    made = {
        "ada": ada, "user": ada, "bob": bob, "stage": stage, "company": company, "theirs": theirs,
        "contact": await crm.contact(ada, company_id=company), "stranger": await crm.contact(ada, company_id=theirs),
        "deal": await crm.deal(ada, stage, company_id=company), "activity": await crm.activity(ada, "TASK"),
        "call": await crm.activity(ada, "CALL"), "free": await crm.contact(ada),
        "deleted company": await crm.company(ada, deleted_at=now), "deleted contact": await crm.contact(ada, deleted_at=now),
        "deleted deal": await crm.deal(ada, stage, company_id=company, deleted_at=now),
        "company of bob": theirs, "contact of bob": await crm.contact(bob), "deal of bob": await crm.deal(bob, stage),
    }  # fmt: skip
    return {name: str(row_id) for name, row_id in made.items()}


async def test_every_text_is_kept_up_to_its_limit_and_no_further(ask: Asker, sql: Sql, sales: Sales) -> None:
    columns = await sql.fetch("""select table_name, column_name from information_schema.columns
        where table_schema = 'public' and data_type = 'text' and table_name = any($1) and is_generated = 'NEVER'
          and column_name <> all('{source,external_id,type}')""", list(WRITABLES))  # fmt: skip
    assert {(noun, column) for noun, column, _ in TEXTS} == {tuple(each) for each in columns}
    # Letters of four bytes: what is counted are characters, and an index takes the longest of them.
    for noun, column, most in TEXTS:
        assert await ways(ask, sales, noun, {shown(column): "\U00020000" * most}) == [[], []], column
        assert await sql.fetchval(f"select count(*) from {noun} where length({column}) = $1", most) == 2
    before = await changes(sql)
    for noun, column, most in TEXTS:
        assert await ways(ask, sales, noun, {shown(column): "x" * (most + 1)}) == [wrong(shown(column))] * 2
    assert await changes(sql) == before


async def test_no_text_is_blank_or_holds_nul(ask: Asker, sql: Sql, sales: Sales) -> None:
    before = await changes(sql)
    for noun, column, _ in TEXTS:
        for text in ["a\0b", "\0", *([] if column == "body" else BLANK)]:
            assert await ways(ask, sales, noun, {shown(column): text}) == [wrong(shown(column))] * 2, (column, text)
    assert await changes(sql) == before


async def test_the_body_of_an_activity_may_be_blank(ask: Asker, sql: Sql, sales: Sales) -> None:
    for text in BLANK:
        assert await ways(ask, sales, "activity", {"body": text}) == [[], []], repr(text)
        assert await sql.fetchval("select body from activity where id = $1", UUID(sales["activity"])) == text


@pytest.mark.parametrize("text", ["\u200b", "\u180e", "\ufeff", "\u2060", "\u202e", "\ud7ff", "\uffff", "\U0010ffff", "'; drop", "%s {}"])
async def test_odd_text_is_kept_as_it_is_or_refused_at_its_field(ask: Asker, sql: Sql, sales: Sales, text: str) -> None:
    assert await ways(ask, sales, "company", {"name": text}) in ([[], []], [wrong("name")] * 2)
    assert await sql.fetchval("select count(*) from company where name = $1", text) in (0, 2)


async def test_amounts_are_exact_or_refused(ask: Asker, sql: Sql, sales: Sales) -> None:
    fits = [999999999999.99, "999999999999.99", 0, "-0", "0.00", 0.01, "1e3", "1.50000", "0e-20000", "0e999999"]
    cannot = [
        9999999999999.99, "1000000000000", 12.345, "0.001", "1e-20000", "999999999999.990000000000000000000000001",
        -0.01, -1, "-999999999999.99", "1e12", "1e400", "1e999999",
    ]  # fmt: skip
    bulk = {"operation": "UPDATE_VALUE", "dealIds": [sales["deal"]]}
    for amount in fits:
        assert await ways(ask, sales, "company", {"revenue": amount}) == [[], []], amount
        assert await ways(ask, sales, "deal", {"value": amount}) == [[], []], amount
    assert await sql.fetchval("select count(*) from deal where value = 999999999999.99") == 2
    before = await changes(sql)
    for amount in cannot:
        assert await ways(ask, sales, "company", {"revenue": amount}) == [wrong("revenue")] * 2, amount
        assert await ways(ask, sales, "deal", {"value": amount}) == [wrong("value")] * 2, amount
        assert await faults(ask, "bulkUpdateDeals", bulk | {"updates": {"value": amount}}) == wrong("updates.value"), amount
    assert await changes(sql) == before


@pytest.mark.parametrize("amount", [999999999999.99, "1.50000", "0e-20000", "0e999999"])
async def test_an_amount_that_one_deal_takes_many_take(ask: Asker, sales: Sales, amount: Any) -> None:
    bulk = {"operation": "UPDATE_VALUE", "dealIds": [sales["deal"]]}
    assert await faults(ask, "bulkUpdateDeals", bulk | {"updates": {"value": amount}}) == []


async def test_dates_times_and_probabilities_are_such_as_somebody_meant(ask: Asker, sql: Sql, sales: Sales) -> None:
    times = (["1900-01-01T00:00:00+14:00", "2999-12-31T23:59:59-12:00", "2026-03-04T12:00:00"],
             ["0001-01-01T00:00:00+14:00", "1899-12-31T23:59:59Z", "9999-12-31T23:59:59.999999-12:00"])  # fmt: skip
    days = ["1900-01-01", "2999-12-31"], ["0001-01-01", "1899-12-31", "3000-01-01", "9999-12-31"]
    cases: list[tuple[str, str, list[Any], list[Any]]] = [
        ("deal", "expectedCloseDate", *days), ("activity", "occurredAt", *times), ("activity", "dueAt", *times),
        ("deal", "probability", [0, 1, 0.5, 5e-324, -0.0], [-0.01, 1.01, -1, 1e308]),
    ]  # fmt: skip
    for noun, field, fits, cannot in cases:
        for value in fits:
            assert await ways(ask, sales, noun, {field: value}) == [[], []], (field, value)
        before = await changes(sql)
        for value in cannot:
            assert await ways(ask, sales, noun, {field: value}) == [wrong(field)] * 2, (field, value)
        assert await changes(sql) == before


@pytest.mark.parametrize(("noun", "column", "kind"), REFERENCES, ids=[f"{noun}.{column}" for noun, column, _ in REFERENCES])
async def test_an_id_is_of_something_that_is_there(
    ask: Asker, sql: Sql, sales: Sales, noun: str, column: str, kind: str
) -> None:
    field, before = shown(column), await changes(sql)
    others = [sales[each] for each in ("user", "stage", "company", "contact", "deal", "activity") if each != kind]
    gone = [sales[f"deleted {kind}"]] if f"deleted {kind}" in sales else []
    for row_id in [*others, *gone, UNKNOWN, *MALFORMED]:
        assert await ways(ask, sales, noun, {field: row_id}) == [wrong(field)] * 2, row_id
    if f"{kind} of bob" in sales:
        ada = UUID(sales["ada"])
        theirs = await ways(ask, sales, noun, {field: sales[f"{kind} of bob"]}, rep(ada))
        assert theirs == [wrong(field)] * 2
    assert await changes(sql) == before


async def test_every_id_among_the_arguments_is_checked(ask: Asker, sql: Sql, sales: Sales) -> None:
    before = await changes(sql)
    for name, mutation in MUTATIONS.items():
        others = {"stageId": sales["stage"], "ownerId": sales["ada"], "input": {}}
        rest = {each: value for each, value in others.items() if each in mutation.args}
        for row_id in MALFORMED if "id" in mutation.args else []:
            assert await faults(ask, name, {"id": row_id, **rest}) == wrong("id"), (name, row_id)
    for row_id in [*MALFORMED, UNKNOWN, sales["company"]]:
        assert await faults(ask, "moveDeal", {"id": sales["deal"], "stageId": row_id}) == wrong("stageId")
        assert await faults(ask, "reassign", {"id": sales["deal"], "ownerId": row_id}) == wrong("ownerId")
    assert await changes(sql) == before


async def test_a_stage_that_was_removed_is_none(ask: Asker, crm: Crm, sql: Sql, sales: Sales) -> None:
    unused = str(await crm.stage("Unused", 9))
    await sql.execute("delete from stage where id = $1", unused)
    assert await ways(ask, sales, "deal", {"stageId": unused}) == [wrong("stageId")] * 2
    assert await faults(ask, "moveDeal", {"id": sales["deal"], "stageId": unused}) == wrong("stageId")


async def test_a_deal_needs_a_stage_that_is_open_unless_it_says_which(ask: Asker, sql: Sql, sales: Sales) -> None:
    await sql.execute("update stage set is_lost = true")
    assert await faults(ask, "createDeal", {"input": least("deal", sales)}) == wrong("stageId")


@pytest.mark.parametrize(
    ("before", "given"),
    [
        ({}, {"contactId": "stranger"}),
        ({}, {"contactId": "stranger", "companyId": "company"}),
        ({"contact_id": "contact"}, {"companyId": "theirs"}),
        ({"contact_id": "contact"}, {"contactId": "stranger"}),
        ({"contact_id": "contact"}, {"companyId": "theirs", "contactId": "contact"}),
    ],
    ids=["its contact", "both", "its company", "another contact", "both, and the contact is the same"],
)
async def test_the_contact_of_a_deal_is_none_of_another_company(
    ask: Asker, sql: Sql, sales: Sales, before: dict[str, str], given: dict[str, str]
) -> None:
    for column, value in before.items():
        await sql.execute(f"update deal set {column} = $1 where id = $2", sales[value], sales["deal"])
    changed, values = await changes(sql), {name: sales[value] for name, value in given.items()}
    updated, created = await ways(ask, sales, "deal", values)
    assert updated == wrong("contactId")
    if "contactId" in given:
        assert created == wrong("contactId")
        assert await changes(sql) == changed


async def test_a_deal_goes_to_another_company_with_a_contact_of_that_one_or_of_none(ask: Asker, sales: Sales) -> None:
    for contact, company in (("stranger", "theirs"), ("free", "theirs"), ("free", "company"), ("contact", "company")):
        assert await ways(ask, sales, "deal", {"contactId": sales[contact], "companyId": sales[company]}) == [[], []]


async def test_an_activity_concerns_a_company_and_a_contact_of_another(ask: Asker, sales: Sales) -> None:
    given = {"contactId": sales["stranger"], "companyId": sales["company"]}
    assert await ways(ask, sales, "activity", given) == [[], []]


async def test_one_who_sees_everything_refers_to_rows_of_others_in_their_own(ask: Asker, sales: Sales) -> None:
    lead = Viewer("lead", UUID(sales["ada"]), frozenset((READ_ALL, WRITE)))
    for noun, field in (("contact", "companyId"), ("deal", "companyId"), ("activity", "companyId"), ("activity", "dealId")):
        others = sales[f"{field.removesuffix('Id')} of bob"]
        assert await ways(ask, sales, noun, {field: others}, lead) == [[], []], (noun, field)


@pytest.mark.parametrize("why", ["deleted", "hidden"])
async def test_a_company_that_is_not_shown_forbids_no_contact_and_no_deal(ask: Asker, sql: Sql, sales: Sales, why: str) -> None:
    ada = rep(sales["ada"])
    viewer = EVERYONE if why == "deleted" else ada
    await sql.execute("update company set deleted_at = now() where id = $1 and $2", sales["theirs"], why == "deleted")
    shown = await ask("query ($c: ID!) { contact(id: $c) { company { id } } }", viewer, c=sales["stranger"])
    assert shown == {"contact": {"company": None}}
    for given in ({"contactId": sales["stranger"]}, {"contactId": sales["stranger"], "companyId": sales["company"]}):
        assert await ways(ask, sales, "deal", given, viewer) == [[], []]
    # Nor is a deal with it kept from a contact of the company that is shown.
    await sql.execute("update deal set company_id = $1, contact_id = null where id = $2", sales["theirs"], sales["deal"])
    assert await faults(ask, "updateDeal", {"id": sales["deal"], "input": {"contactId": sales["contact"]}}, viewer) == []
    # Who sees it is told; a company that is given must be there.
    await sql.execute("update company set deleted_at = null where id = $1", sales["theirs"])
    assert await ways(ask, sales, "deal", {"contactId": sales["stranger"], "companyId": sales["company"]}) == [wrong("contactId")] * 2
    assert await ways(ask, sales, "deal", {"companyId": sales["theirs"]}, ada) == [wrong("companyId")] * 2


async def test_a_deal_whose_contact_is_gone_can_go_to_another_company(ask: Asker, sql: Sql, sales: Sales) -> None:
    await sql.execute("update deal set contact_id = $1 where id = $2", sales["deleted contact"], sales["deal"])
    assert await faults(ask, "updateDeal", {"id": sales["deal"], "input": {"companyId": sales["theirs"]}}) == []
    assert str(await sql.fetchval("select company_id from deal where id = $1", sales["deal"])) == sales["theirs"]


async def test_null_is_refused_where_there_must_be_a_value(ask: Asker, sql: Sql, sales: Sales) -> None:
    before = await changes(sql)
    required = {(noun, column) for noun, column, field in FIELDS if field.is_required}
    not_null = await sql.fetch("""select table_name, column_name from information_schema.columns
        where table_schema = 'public' and is_nullable = 'NO' and table_name = any($1)""", list(WRITABLES))  # fmt: skip
    assert {tuple(each) for each in not_null} & {(noun, column) for noun, column, _ in FIELDS} <= required
    for noun, column in required - {("activity", "type")}:  # which an update does not take
        nothing = {shown(column): None}
        assert await faults(ask, f"update{noun.title()}", {"id": sales[noun], "input": nothing}) == wrong(shown(column))
    for noun, field in (("deal", "stageId"), ("activity", "occurredAt")):
        assert await faults(ask, f"create{noun.title()}", {"input": least(noun, sales, **{field: None})}) == wrong(field)
    assert await changes(sql) == before


async def test_only_a_task_is_due(ask: Asker, sql: Sql, sales: Sales) -> None:
    before, due = await changes(sql), "2026-03-04T12:00:00Z"
    for kind in ("CALL", "EMAIL", "MEETING", "NOTE"):
        given = least("activity", sales, type=kind, dueAt=due)
        assert await faults(ask, "createActivity", {"input": given}) == wrong("dueAt")
    # Python does not know what the row is, and the constraint fires in the database.
    assert await faults(ask, "updateActivity", {"id": sales["call"], "input": {"dueAt": due}}) == wrong("dueAt")
    assert await changes(sql) == before


async def test_a_contact_has_a_name(ask: Asker, sql: Sql, sales: Sales) -> None:
    before = await changes(sql)
    nameless: list[dict[str, str | None]] = [{}, {"phone": "1"}, {"firstName": None, "email": None}]
    for given in nameless:
        assert await faults(ask, "createContact", {"input": {"ownerId": sales["ada"], **given}}) == wrong("lastName")
    # Of the fixture's contact only the first name is known, which Python does not look up.
    assert await faults(ask, "updateContact", {"id": sales["contact"], "input": {"firstName": None}}) == wrong("lastName")
    assert await changes(sql) == before


async def test_a_contact_whose_only_name_is_too_long_is_not_told_that_none_was_given(ask: Asker, sales: Sales) -> None:
    told = {
        field: await faults(ask, "createContact", {"input": {"ownerId": sales["ada"], field: "x" * 251}})
        for field in ("firstName", "lastName", "email")
    }
    assert told == {field: wrong(field) for field in told}


async def test_all_that_is_wrong_is_told_at_once(ask: Asker, sql: Sql, sales: Sales) -> None:
    before = await changes(sql)
    hostile: dict[str, Any] = {"name": " ", "value": -1, "stageId": "x", "probability": 2, "expectedCloseDate": "0001-01-01",
               "companyId": "", "contactId": "1", "ownerId": "\0"}  # fmt: skip
    assert await ways(ask, sales, "deal", hostile) == [wrong(*hostile)] * 2
    missing = dict.fromkeys(("stageId", "companyId", "contactId", "ownerId"), UNKNOWN)
    assert await ways(ask, sales, "deal", missing) == [wrong(*missing)] * 2
    bulk = {"operation": "UPDATE_STAGE", "dealIds": [sales["deal"]], "updates": {"ownerId": "x", "value": 1}}
    assert await faults(ask, "bulkUpdateDeals", bulk) == wrong("updates.ownerId", "updates.value", "updates.stageId")
    assert await changes(sql) == before


async def test_what_is_wrong_between_fields_is_told_along_with_what_is_wrong_in_one(ask: Asker, sql: Sql, sales: Sales) -> None:
    before = await changes(sql)
    nameless = {"ownerId": sales["ada"], "phone": " "}
    assert await faults(ask, "createContact", {"input": nameless}) == wrong("phone", "lastName")
    call = least("activity", sales, type="CALL", subject=" ", dueAt="2026-03-04T12:00:00Z")
    assert await faults(ask, "createActivity", {"input": call}) == wrong("subject", "dueAt")
    assert await changes(sql) == before


async def test_every_constraint_blames_a_field_or_is_beyond_what_mutations_write(sql: Sql) -> None:
    unexplained = set()
    for noun, writable in WRITABLES.items():
        constraints = await sql.fetch(
            """select conname, array(select attname::text from unnest(conkey) as key
                   join pg_attribute on attrelid = conrelid and attnum = key order by attname) as columns
               from pg_constraint where conrelid = $1::text::regclass and contype in ('c', 'f', 'u')""", noun,
        )  # fmt: skip
        assert constraints
        for name, columns in constraints:
            blamed = writable.blames(name)
            if blamed is None:
                unexplained.add(name)
            else:
                assert blamed.field in map(shown, columns), name
    assert unexplained == BEYOND_MUTATIONS
    inputs = [get_named_type(mutation.args["input"].type) for mutation in MUTATIONS.values() if "input" in mutation.args]
    assert not {"source", "externalId"} & {name for each in inputs if isinstance(each, GraphQLInputObjectType) for name in each.fields}


@pytest.mark.parametrize(("noun", "table", "field"), [("deal", "stage", "stageId"), ("company", "app_user", "ownerId")])
@pytest.mark.parametrize("is_new", [True, False], ids=["created", "updated"])
async def test_what_is_removed_while_it_is_referred_to_is_told_as_missing(
    ask: Asker, crm: Crm, sql: Sql, sales: Sales, noun: str, table: str, field: str, is_new: bool
) -> None:
    removed, before = str(await (crm.stage() if table == "stage" else crm.user())), await changes(sql)
    given = {field: removed}
    arguments = {"input": least(noun, sales, **given)} if is_new else {"id": sales[noun], "input": given}
    # It is still there for whoever looks, and the foreign key waits to know whether it stays.
    async with asyncio.timeout(10), sql.transaction():
        await sql.execute(f"delete from {table} where id = $1", removed)
        writing = asyncio.create_task(faults(ask, f"{'create' if is_new else 'update'}{noun.title()}", arguments))
        while not await sql.fetchval("select exists (select from pg_locks where not granted)"):
            await asyncio.sleep(0.01)
    assert await writing == wrong(field)
    assert await changes(sql) == before
