"""Operations as they are executed: what figures call them, which have failed, and that either executor has all it needs."""

import asyncio
from datetime import UTC, datetime

import pytest
from graphql import OperationDefinitionNode

from core.cursor import CursorCodec
from core.viewer import EVERYONE
from db.database import PooledDatabase
from loaders import Loaders
from resolvers.context import Context
from schema.build import build_schema
from schema.operation import LONGEST_LABEL, Document, Executable, document_id, label_of
from tests.crm import Crm

LONG = "a" * (LONGEST_LABEL + 1)
DEEP = 60


@pytest.fixture
def executable() -> Executable:
    return Executable(build_schema())


@pytest.fixture
def context(db: PooledDatabase) -> Context:
    now = datetime.now(UTC)
    return Context(EVERYONE, Loaders(db, EVERYONE, now), CursorCodec([bytes(32)]), now, db, None)


def asked(executable: Executable, text: str, name: str | None = None) -> tuple[Document, OperationDefinitionNode]:
    """A document that is trusted, and its operation of that name."""
    document = executable.read(text, is_trusted=True)
    assert document.errors == ()
    operation = document.operation(name)
    assert operation is not None
    return document, operation


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("query Stages { stages { id } }", "Stages"),
        (f"query {LONG} {{ stages {{ id }} }}", LONG[:-1]),
        ("{ stages { id } }", document_id("{ stages { id } }")[: len("sha256:") + 12]),
    ],
)
def test_figures_call_an_operation_by_a_short_name_that_tells_it_from_others(executable: Executable, text: str, label: str) -> None:
    assert label_of(*asked(executable, text)) == label


async def test_an_operation_has_failed_where_its_answer_has_errors_or_there_is_none(executable: Executable, context: Context) -> None:
    for text in ("query Fine { __typename }", "query Wrong { company(id: 7) { id } }"):
        await executable.execute(*asked(executable, text), None, context)
    ended = asyncio.create_task(executable.execute(*asked(executable, "query Ended { stages { id } }"), None, context))
    await asyncio.sleep(0)
    ended.cancel()
    await asyncio.wait([ended])
    context.loaders.stop()
    told = {name: (each.count, each.failed) for name, each in executable.durations.items()}
    assert told == {"Fine": (1, 0), "Wrong": (1, 1), "Ended": (1, 1)}


async def test_what_is_nested_too_deeply_for_a_plan_is_executed_all_the_same_and_counted_once(
    executable: Executable, context: Context, crm: Crm
) -> None:
    acme = await crm.company(await crm.user(), "Acme")
    below = "deals { company { " * DEEP + "id" + " } }" * DEEP
    wanted = asked(executable, f"query Other {{ __typename }} query Wanted($id: ID!) {{ company(id: $id) {{ name {below} }} }}", "Wanted")
    for _ in range(2):
        result = await executable.execute(*wanted, {"id": str(acme)}, context)
        assert result.errors is None
        assert result.data == {"company": {"name": "Acme", "deals": []}}
    assert executable.fallbacks == {"fields nested too deeply": 1}


async def test_a_condition_that_is_null_is_told_as_graphql_core_tells_it_and_counted_each_time(
    executable: Executable, context: Context, crm: Crm
) -> None:
    acme = {"id": str(await crm.company(await crm.user(), "Acme"))}
    text = "query ($id: ID!, $is_wanted: Boolean = true) { company(id: $id) { name @include(if: $is_wanted) } }"
    wanted = asked(executable, text)
    for number in (1, 2):
        result = await executable.execute(*wanted, acme | {"is_wanted": None}, context)
        assert "provided to non-null type" in str(result.errors)
        assert executable.fallbacks == {"a condition that is null": number}
    assert (await executable.execute(*wanted, acme, context)).data == {"company": {"name": "Acme"}}


@pytest.mark.parametrize(
    ("text", "introspects", "is_personal"),
    [
        ("{ stages { id } }", False, False),
        ("{ viewer { subject } }", False, True),
        ("{ ...F } fragment F on Query { me: viewer { subject } }", False, True),
        ("{ a: __schema { types { name } } }", True, False),
        ('query A { stages { id } } query B { ... { ... on Query { a: __type(name: "Deal") { name } } } }', True, False),
        ("{ viewer { subject } __schema { types { name } } }", True, True),
    ],
)
def test_a_document_that_asks_for_the_schema_or_for_who_asks_is_known_however_that_is_written(
    executable: Executable, text: str, introspects: bool, is_personal: bool
) -> None:
    document = executable.document(text)
    assert (document.errors, document.introspects, document.is_personal) == ((), introspects, is_personal)


def test_fragments_that_hold_each_other_twice_are_looked_into_once(executable: Executable) -> None:
    fragments = "".join(f"fragment f{at} on Query {{ ...f{at + 1} ...f{at + 1} }} " for at in range(DEEP))
    document, operation = asked(executable, f"{{ ...f0 }} {fragments} fragment f{DEEP} on Query {{ stages {{ id }} }}")
    assert [each.name.value for each in document.root_fields(operation)] == ["stages"]


def test_of_too_many_documents_of_clients_the_last_are_remembered(executable: Executable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schema.operation.CACHED_DOCUMENTS", 2)
    texts = [f"query Number{number} {{ stages {{ id }} }}" for number in range(3)]
    found = [executable.document(text) for text in texts]
    assert [executable.document(text) is each for text, each in zip(texts[::-1], found[::-1], strict=True)] == [True, True, False]


async def test_each_operation_of_a_document_has_a_cost_and_a_plan_of_its_own_which_are_made_once(
    executable: Executable, context: Context
) -> None:
    text = "query Few { stages { id } } query Many { deals(first: 100) { edges { node { id } } } }"
    few, many = (asked(executable, text, name)[1] for name in ("Few", "Many"))
    document = executable.document(text)
    costs = [executable.cost_plan(document, each) for each in (few, many)]
    assert costs[0].estimate({}).requested < costs[1].estimate({}).requested
    assert [executable.cost_plan(document, each) is cost for each, cost in zip((few, many), costs, strict=True)] == [True, True]
    for each, data in ((few, {"stages": []}), (many, {"deals": {"edges": []}})):
        assert (await executable.execute(document, each, None, context)).data == data
    plans = dict(document.plans)
    assert plans.keys() == {"Few", "Many"} and None not in plans.values()
    await executable.execute(document, few, None, context)
    assert document.plans["Few"] is plans["Few"]


async def test_where_graphql_core_is_to_execute_nothing_is_planned(context: Context) -> None:
    executable = Executable(build_schema(), breadth_first=False)
    document, operation = asked(executable, "query Stages { stages { id } }")
    assert (await executable.execute(document, operation, None, context)).data == {"stages": []}
    assert (document.plans, executable.fallbacks) == ({}, {})


def test_a_selection_of_nothing_is_no_document(executable: Executable) -> None:
    assert executable.document("{ stages { } }").node is None


def test_what_is_over_a_limit_is_told_that_and_not_looked_at_any_further(executable: Executable) -> None:
    wide = " ".join(f"a{number}: nothing" for number in range(executable.limits.aliases + 1))
    errors = executable.document(f"{{ {wide} }}").errors
    assert not any("Cannot query field" in each.message for each in errors)
    assert errors
