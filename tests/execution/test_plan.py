"""What a plan promises beside its answers: levels load at once, waiting is shared, the loop breathes, nothing is left behind."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from itertools import count, cycle, islice, pairwise, product
from typing import Any

import pytest
import strawberry
from graphql import OperationDefinitionNode, execute_sync, get_introspection_query, parse
from strawberry.schema.config import StrawberryConfig

from execution import BATCHED, Batched, Plan, Unplannable, compile_plan, read_along
from execution.batched import ANYTHING
from execution.plan import MOST_LEVELS, MOST_VARIANTS
from execution.run import BREATH
from tests.execution.toy import toy

loads: list[tuple[str, list[int]]] = []
calls: list[int] = []
known: list[frozenset[str]] = []
begun: list[str] = []
read: list[frozenset[str]] = []


def _batched(name: str, along: str | None = None) -> Any:
    async def later(meet: Any, keys: Sequence[int]) -> Sequence[int]:
        await meet(name)
        return [key * 10 for key in keys]

    def load(context: Any, keys: Sequence[int]) -> Any:
        loads.append((name, list(keys)))
        return [key * 10 for key in keys] if context is None else asyncio.ensure_future(later(context, keys))

    return strawberry.field(resolver=lambda root: 0, graphql_type=int | None, metadata={BATCHED: Batched("parity", load, along=along)})


@strawberry.type
class Row:
    number: int
    left = _batched("left")
    right = _batched("right", along="halves")

    @strawberry.field
    def slow(self) -> int:
        calls.append(self.number)
        return self.number + 1

    @property
    def parity(self) -> int:
        return self.number % 2


@cache
def many() -> list[Row]:
    """Rows that are there already: making them holds the loop, and is no business of the plan."""
    return [Row(number=number) for number in range(100_000)]


def _ahead(context: Any, keys: Sequence[int], wanted: frozenset[str]) -> Any:
    read.append(wanted)
    return [Row(number=key) for key in keys]


@strawberry.type
class Shelf:
    rows: list[Row]
    number: int = 1
    first = strawberry.field(
        resolver=lambda root: Row(number=1), graphql_type=Row, metadata={BATCHED: Batched("number", _ahead, looks_ahead=True)}
    )

    @strawberry.field
    def more(self, info: strawberry.Info) -> list[Row]:
        known.append(read_along(info))
        return self.rows


def _names(context: Any, keys: Sequence[int], **given: Any) -> list[str]:
    return [" ".join(given)] * len(keys)


def _named(root: Any, first: int | None = strawberry.UNSET, second: int = 1) -> str:
    return ""


@strawberry.type
class Query:
    number = 1
    named = strawberry.field(resolver=_named, graphql_type=str, metadata={BATCHED: Batched("__class__", _names)})

    @strawberry.field
    def taken(self, some: list[int], more: int = 0) -> list[int]:
        return [more, *(some.pop() for _ in range(len(some)))]

    @strawberry.field
    def rows(self, count: int) -> list[Row]:
        return [Row(number=number) for number in range(count)]

    @strawberry.field
    def shelf(self, info: strawberry.Info) -> "Shelf":
        known.append(read_along(info))
        return Shelf(rows=[Row(number=1)])

    @strawberry.field
    async def fetched(self, name: str) -> "Shelf":
        begun.append(name)
        return Shelf(rows=[Row(number=1)])

    @strawberry.field
    def ready(self) -> int:
        begun.append("ready")
        return 1

    @strawberry.field
    def most(self) -> list[Row | None]:
        return [*(Row(number=number) for number in range(BREATH + 2)), Row(number="none")]  # type: ignore[arg-type]

    @strawberry.field
    def many(self) -> list[Row]:
        return many()


SCHEMA = strawberry.Schema(Query)


def planned(text: str, schema: strawberry.Schema = SCHEMA) -> Plan:
    document = parse(text)
    operation, *_ = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    return compile_plan(schema, document, operation)


@pytest.fixture(autouse=True)
def _no_loads() -> None:
    loads.clear()
    known.clear()
    begun.clear()
    read.clear()


async def test_a_level_is_one_load_of_its_distinct_keys() -> None:
    result = await planned("{ rows(count: 5) { left } }").execute(None, None)
    assert loads == [("left", [0, 1])]
    assert result.data == {"rows": [{"left": 0}, {"left": 10}, {"left": 0}, {"left": 10}, {"left": 0}]}


async def test_branches_that_wait_run_at_the_same_time() -> None:
    met = asyncio.Barrier(2)
    async with asyncio.timeout(5):  # it would wait for ever if one came after the other
        result = await planned("{ rows(count: 2) { left right } }").execute(lambda name: met.wait(), None)
    assert result.errors is None
    assert len(loads) == 2


async def test_a_cancelled_operation_leaves_no_task_behind() -> None:
    entered, before = asyncio.Event(), asyncio.all_tasks()

    async def for_ever(name: str) -> None:
        entered.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(planned("{ rows(count: 2) { left right } }").execute(for_ever, None))
    await entered.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


@strawberry.type
class Two:
    @strawberry.field
    async def second(self) -> int:
        calls.append(2)
        return 2


async def given(info: strawberry.Info) -> Any:
    return await info.context


@strawberry.type
class One:
    first = strawberry.field(resolver=given, graphql_type=Two)


async def test_who_is_cancelled_in_the_turn_in_which_the_last_value_comes_is_cancelled() -> None:
    """A deadline that passes while the loop is busy is met together with what it was to end."""
    calls.clear()
    document = parse("{ first { second } }")
    (operation,) = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    coming = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(compile_plan(strawberry.Schema(One), document, operation).execute(coming, None))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    coming.set_result(Two())
    await asyncio.sleep(0)  # the resolver has ended, and who waits for it does not know yet
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert calls == []


async def test_who_is_cancelled_before_all_fields_of_the_root_have_begun_leaves_no_task_behind() -> None:
    before = asyncio.all_tasks()
    coming = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(planned("{ first { second } __typename }", strawberry.Schema(One)).execute(coming, None))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def turns() -> tuple[list[int], float]:
    """Executes: how many objects were resolved at each turn of the others, and for which part of the time they had none."""
    resolved: list[int] = []
    longest, started = 0.0, time.process_time()

    async def tick() -> None:
        nonlocal longest
        while True:
            resolved.append(len(calls))
            before = time.process_time()
            await asyncio.sleep(0)
            longest = max(longest, time.process_time() - before)

    calls.clear()
    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    result = await planned("{ many { number slow left } }").execute(None, None)
    ticking.cancel()
    assert result.data is not None
    assert result.data["many"][-1] == {"number": 99_999, "slow": 100_000, "left": 10}
    return resolved, longest / (time.process_time() - started)


async def test_the_loop_breathes_during_a_long_level() -> None:
    many()
    found = [await turns() for _ in range(3)]
    for resolved, _ in found:
        assert max(after - before for before, after in pairwise(resolved)) == BREATH
        assert len(set(resolved)) >= 100_000 // BREATH
    assert min(longest for _, longest in found) < 0.25, found


class Noted:
    """A value that notes in which turn of the others it is written."""

    now = 0

    def __init__(self) -> None:
        self.written_in: set[int] = set()

    @staticmethod
    def written(value: "Noted") -> str:
        value.written_in.add(Noted.now)
        return ""


FIRST, SECOND = Noted(), Noted()


def _coming(value: Noted) -> Any:
    async def come(coming: "asyncio.Future[None]", keys: Sequence[int]) -> Sequence[Noted]:
        await coming
        return [value] * len(keys)

    def load(context: Any, keys: Sequence[int]) -> Any:
        return asyncio.ensure_future(come(context, keys))

    return strawberry.field(resolver=lambda root: None, graphql_type=Noted, metadata={BATCHED: Batched("number", load)})


@strawberry.type
class Long:
    number: int
    first = _coming(FIRST)
    second = _coming(SECOND)


@strawberry.type
class Longs:
    @strawberry.field
    def all(self) -> list[Long]:
        return [Long(number=number) for number in range(BREATH)]


async def test_the_loop_breathes_between_long_columns_that_come_at_the_same_time() -> None:
    coming = asyncio.get_running_loop().create_future()

    async def tick() -> None:
        while True:
            Noted.now += 1
            await asyncio.sleep(0)

    config = StrawberryConfig(scalar_map={Noted: strawberry.scalar(name="Noted", serialize=Noted.written)})
    running = asyncio.create_task(planned("{ all { first second } }", strawberry.Schema(Longs, config=config)).execute(coming, None))
    await asyncio.sleep(0.01)
    ticking = asyncio.create_task(tick())
    coming.set_result(None)
    result = await running
    ticking.cancel()
    assert result.errors is None
    assert FIRST.written_in and SECOND.written_in
    assert FIRST.written_in.isdisjoint(SECOND.written_in)


async def test_an_error_far_behind_in_a_long_level_stands_in_its_own_place() -> None:
    result = await planned("{ most { number } }").execute(None, None)
    assert [each.path for each in result.errors or ()] == [["most", BREATH + 2, "number"]]
    assert result.data is not None
    assert result.data["most"][BREATH + 1 :] == [{"number": BREATH + 1}, None]


async def test_a_plan_is_good_for_any_variables() -> None:
    plan = planned("query ($count: Int!, $left: Boolean = false) { rows(count: $count) { number left @include(if: $left) } }")
    for left in (True, False, True):
        result = await plan.execute(None, {"count": 1, "left": left})
        assert result.data == {"rows": [{"number": 0, "left": 0} if left else {"number": 0}]}
    assert (await plan.execute(None, {"count": "many"})).errors
    with pytest.raises(Unplannable):
        await plan.execute(None, {"count": 1, "left": None})


async def test_what_a_resolver_does_to_a_list_that_it_gets_is_nothing_to_the_next_request() -> None:
    for text in ("{ taken(some: [1, 2]) }", "query ($more: Int) { taken(some: [1, 2], more: $more) }"):
        plan = planned(text)
        for _ in range(3):
            assert (await plan.execute(None, {"more": 0})).data == {"taken": [0, 2, 1]}


async def test_arguments_keep_their_order_also_where_the_first_request_left_one_out() -> None:
    plan = planned("query ($first: Int) { named(first: $first, second: 2) }")
    for variables, names in (({}, "second"), ({"first": 1}, "first second"), ({}, "second"), ({"first": 2}, "first second")):
        assert (await plan.execute(None, variables)).data == {"named": names}


async def test_of_too_many_combinations_of_conditions_the_last_are_kept() -> None:
    names = ("a", "b", "c")
    declared, selected = (" ".join(each.format(name) for name in names) for each in ("${}: Boolean!", "{0}: ready @skip(if: ${0})"))
    plan = planned(f"query ({declared}) {{ {selected} d: ready }}")
    for _ in range(2):
        for skipped in product((True, False), repeat=3):
            result = await plan.execute(None, dict(zip(names, skipped, strict=True)))
            assert list(result.data or ()) == [name for name, is_skipped in zip(names, skipped, strict=True) if not is_skipped] + ["d"]
            assert len(plan._variants) <= MOST_VARIANTS


async def test_introspection_is_planned_as_well_also_beside_other_fields() -> None:
    result = await planned('{ rows(count: 1) { __typename } __type(name: "Row") { kind name } }').execute(None, None)
    assert result.data == {"rows": [{"__typename": "Row"}], "__type": {"kind": "OBJECT", "name": "Row"}}
    usual = get_introspection_query()
    wanted = execute_sync(SCHEMA._schema, parse(usual))
    assert (await planned(usual).execute(None, None)).formatted == wanted.formatted


@pytest.mark.parametrize(
    ("text", "reason"),
    [("subscription { ticks }", "a subscription"), ("{ rows(count: 1) { number @upper } }", "@upper")],
)
async def test_what_only_graphql_core_can_do_is_refused_as_a_whole(text: str, reason: str) -> None:
    with pytest.raises(Unplannable, match=reason):
        planned(text)


async def test_loads_under_way_end_with_the_request_that_was_cancelled() -> None:
    held, before, stopped = toy(waits=True), asyncio.all_tasks(), 0
    document = parse("{ gammaMust { rows { id } } alphaAll { rows { id } } }")
    (operation,) = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    for turn in range(200):  # worlds, and moments of each
        context = held.context(turn // 10)
        running = asyncio.create_task(compile_plan(held.schema, document, operation).execute(context, None))
        for _ in range(turn % 10):
            await asyncio.sleep(0)
        loads = asyncio.all_tasks() - before - {running}
        stopped += bool(loads) and not running.done()
        running.cancel()
        await asyncio.wait([running])
        await context.loaders.stop()
        assert asyncio.all_tasks() == before
    assert stopped > 10


@pytest.mark.parametrize(
    ("selection", "told"),
    [
        ("rows { number }", [set()]),
        ("rows { number left }", [set()]),
        ("rows { number right }", [{"halves"}]),
        ("... on Shelf { rows { ... on Row { right } } }", [{"halves"}]),
        ("rows { number } rows { twice: right }", [{"halves"}]),
        ("rows { right @include(if: false) }", [set()]),
        ("more { right }", [set(), {"halves"}]),
        ("first { right }", [set()]),
    ],
)
async def test_a_resolver_is_told_what_could_be_read_along_with_its_objects(selection: str, told: list[set[str]]) -> None:
    text = f"{{ shelf {{ {selection} }} }}"
    await planned(text).execute(None, None)
    assert known == told
    known.clear()
    execute_sync(SCHEMA._schema, parse(text))
    assert known == [frozenset()] * len(told), "graphql-core knows nothing of it"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("number", {"number"}),
        ("number left __typename", {"number", "parity"}),
        ("number slow", {"number", ANYTHING}),
        ("... on Row { slow @skip(if: true) } number", {"number"}),
    ],
)
async def test_who_looks_ahead_is_told_all_that_is_read_and_that_a_resolver_may_read_anything(asked: str, told: set[str]) -> None:
    result = await planned(f"{{ shelf {{ first {{ {asked} }} }} }}").execute(None, None)
    assert result.errors is None
    assert read == [told]


async def test_what_has_most_below_it_comes_first_and_stands_where_the_document_has_it() -> None:
    calls.clear()
    result = await planned("{ rows(count: 1) { slow } shelf { rows { slow } } }").execute(None, None)
    assert calls == [1, 0]
    assert list(result.data or ()) == ["rows", "shelf"]


async def test_what_has_most_below_it_is_on_its_way_before_the_other_fields_of_the_root_begin() -> None:
    """All of its name with it: one batch may load for them all."""
    text = '{ ready a: fetched(name: "a") { rows { number } } __typename b: fetched(name: "b") { rows { number } } }'
    result = await planned(text).execute(None, None)
    assert begun == ["a", "b", "ready"]
    assert result.errors is None
    assert list(result.data or ()) == ["ready", "a", "__typename", "b"]


@strawberry.type
class Made:
    @strawberry.field
    async def later(self) -> int:
        await asyncio.sleep(60)
        return 1


@strawberry.type
class Making:
    @strawberry.field
    async def made(self) -> Made:
        with suppress(asyncio.CancelledError):  # as what waits for a commit does
            await asyncio.sleep(60)
        return Made()


async def test_when_time_is_up_what_ends_by_itself_is_taken_and_nothing_else_is_waited_for() -> None:
    document = parse("{ made { later } }")
    (operation,) = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    plan = compile_plan(strawberry.Schema(Making), document, operation)
    async with asyncio.timeout(10):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await plan.execute(None, {})


@strawberry.type
class Deep:
    @strawberry.field
    def me(self) -> "Deep":
        return Deep()


async def test_what_can_be_compiled_can_be_executed_however_deep_it_is() -> None:
    schema = strawberry.Schema(Deep)
    for depth in count(10, step=5):
        fragments = "".join(f"fragment f{at} on Deep {{ me {{ ...f{at + 1} }} }}" for at in range(depth))
        try:
            plan = planned(f"{{ ...f0 }} {fragments} fragment f{depth} on Deep {{ __typename }}", schema)
        except Unplannable:
            break
        result = await plan.execute(None, None)
        assert result.errors is None, depth
    assert depth > 45


@strawberry.interface
class Being:
    @strawberry.field
    def me(self) -> "Being":
        return Deepest()


@strawberry.type
class Deepest(Being):
    number: int = 7


@pytest.mark.parametrize("ways", [["me {"], ["... on Being {"], ["me {", "... on Deepest {"]])
async def test_what_is_compiled_when_a_type_is_met_is_not_too_deep_for_that(ways: list[str]) -> None:
    schema = strawberry.Schema(Deepest, types=[Deepest])

    def nested(levels: int) -> str:
        opened = "{" + " ".join(islice(cycle(ways), levels - 1))
        return f"{opened} __typename {'}' * levels}"

    found = await planned(nested(MOST_LEVELS), schema).execute(None, None)
    assert found.errors is None
    with pytest.raises(Unplannable):
        planned(nested(MOST_LEVELS + 1), schema)
