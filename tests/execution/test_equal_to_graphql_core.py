"""The plan answers what graphql-core answers: the same bytes, and the same errors in the same order.

Where fields wait for each other graphql-core reports the failure that came first, which is anybody's guess (specification,
section 6.4.4). Then its data is the measure, and for the errors its answer in the twin of that world in which nothing waits:
in the order of the document there is one list only. ``FUZZ=N`` tries N times as many documents (``make fuzz``).
"""

import gc
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from random import Random
from typing import Any

import pytest
from graphql import OperationDefinitionNode, parse

from execution import Plan, Unplannable, compiler, composites, faults, fields, plan
from tests.execution.comparing import Answer, by_graphql_core, by_plan, smallest
from tests.execution.documents import Case, Generator
from tests.execution.toy import Toy, toy

FUZZ = int(os.environ.get("FUZZ", "1"))
FITTING, WRONG = 7, 1  # requests for each document, by whether their variables fit


async def both(world: Toy, case: Case, seed: int, plans: dict[Any, Plan] | None = None) -> tuple[Answer, Answer]:
    """What graphql-core and the plan answer in the world of a seed; for a world that waits, see above."""
    core, ours = world.context(seed), world.context(seed)
    try:
        wanted = await by_graphql_core(world.schema, case, core)
        found = await by_plan(world.schema, case, ours, plans)
    finally:
        for each in (core, ours):
            await each.loaders.stop()
    assert core.log == ours.log, f"mutations in another order: {case}"
    if world.waits:
        twin = await by_graphql_core(toy(waits=False).schema, case, toy(waits=False).context(seed))
        assert twin.data == wanted.data, f"the worlds are no twins: {case}"
        wanted = Answer(wanted.data, twin.errors)
    return wanted, found


async def compare(world: Toy, documents: range) -> Counter[str]:
    """Executes random documents, each some times; what was seen. Fails with the smallest document that is not answered alike."""
    seen: Counter[str] = Counter()
    for number in documents:
        # The fields of the twin that does not wait are described otherwise: '' and null.
        generator = Generator(world.schema._schema, Random(number), meta=0 if world.waits else 5)
        document = generator.document()
        plans: dict[Any, Plan] = {}
        for at in range(FITTING + WRONG):
            case, seed = generator.case(document, wrong=at >= FITTING), number * 10 + at
            try:
                wanted, found = await both(world, case, seed, plans)
            except Unplannable as reason:
                seen[str(reason)] += 1
                continue
            seen["cases"] += 1
            seen["with errors"] += bool(wanted.errors)
            seen["without data"] += wanted.data == b"null"
            if wanted != found:
                await tell(world, case, seed)
    return seen


async def tell(world: Toy, case: Case, seed: int) -> None:
    """Fails with the smallest document that is answered differently in the world of that seed."""

    async def differs(each: Case) -> bool:
        try:
            wanted, found = await both(world, each, seed)
        except Unplannable:
            return False
        return wanted != found

    case = await smallest(world.schema, case, differs)
    wanted, found = await both(world, case, seed)
    pytest.fail(f"seed {seed}:\n{case}\n\ngraphql-core answers\n{wanted}\n\nthe plan\n{found}")


async def test_a_schema_in_which_nothing_waits_is_answered_word_for_word() -> None:
    seen = await compare(toy(waits=False), range(250 * FUZZ))
    # They are worth something: many meet what is wrong in that world, few end as nothing, hardly any is refused.
    assert 0.3 < seen["with errors"] / seen["cases"] < 0.8
    assert seen["without data"] < 0.5 * seen["cases"]
    assert seen["a condition that is null"] < 0.1 * seen["cases"]
    assert set(seen) == {"cases", "with errors", "without data", "a condition that is null"}


# graphql-core leaves coroutines and futures behind where a sibling fails.
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_schema_that_waits_is_answered_with_the_same_data_and_its_errors_in_the_order_of_the_document() -> None:
    seen = await compare(toy(waits=True), range(100 * FUZZ))
    gc.collect()  # whose complaints are of this test, and not of the next
    assert 0.3 < seen["with errors"] / seen["cases"] < 0.8


async def test_a_plan_that_is_used_again_gives_resolvers_the_same_arguments_in_the_same_order() -> None:
    document = parse("query Q($f: Int = 3) { deltaAll { asked(color: GREEN, factor: $f) } }")
    (operation,) = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    world, plans = toy(waits=False), dict[Any, Plan]()
    for variables in ({"f": 2}, {}, {"f": 5}, {"f": None}, {"f": 7}):
        wanted, found = await both(world, Case(document, operation, variables), 31803, plans)
        assert found == wanted
        assert (b"factor" in found.data) != bool(found.errors)


@contextmanager
def changed(place: Any, name: str, other: Any) -> Iterator[None]:
    """The executor with one thing in it replaced."""
    before = getattr(place, name)
    setattr(place, name, other)
    try:
        yield
    finally:
        setattr(place, name, before)


def _key_is_name(self: compiler.Compiler, kind: Any, key: str, order: int, nodes: Any, above: Any) -> Any:
    return COMPILED_FIELD(self, kind, nodes[0].name.value, order, nodes, above)


def _first_only(self: compiler.Compiler, kind: Any, key: str, order: int, nodes: Any, above: Any) -> Any:
    return COMPILED_FIELD(self, kind, key, order, nodes[:1], above)


def _without_the_first(data: Any, found: Any) -> Any:
    settled, errors = SETTLED(data, found)
    return settled, errors[1:] if len(found) > 1 else errors


COMPILED_FIELD, SETTLED = compiler.Compiler._field, faults.settle
MUTANTS: dict[str, Callable[[], Any]] = {
    "what failed does not end what is above it": lambda: changed(faults, "_with_null", lambda data, path: data),
    "errors are told as they come": lambda: changed(plan, "settle", _as_they_come),
    "an error is forgotten": lambda: changed(plan, "settle", _without_the_first),
    "the name of a type is always the same": lambda: changed(
        fields.Typename,
        "answer",
        lambda self, run, objects, read, origin, rows: self.fill(run, ["Alpha"] * len(objects), origin, rows),
    ),
    "aliases are not looked at": lambda: changed(compiler.Compiler, "_field", _key_is_name),
    "skip and include are not looked at": lambda: changed(compiler.Compiler, "_is_included", lambda self, node: True),
    "fragments are on everything": lambda: changed(compiler.Compiler, "_applies", lambda self, name, kind: kind.name != name),
    "fields are not merged": lambda: changed(compiler.Compiler, "_field", _first_only),
    "all items of lists stand at the start": lambda: changed(
        faults.Items, "places", lambda self, index: iter([next(iter(self.above.places(0))).below(0, 0, is_nullable=True)])
    ),
    "any row is of every type": lambda: changed(
        composites.ObjectOf, "_those", lambda self, run, field, column, origin, told: self.selection.run(run, column, origin)
    ),
}


def _as_they_come(data: Any, found: Any) -> Any:
    settled, errors = SETTLED(data, found)
    return settled, sorted(errors, key=lambda each: each.message)


@pytest.mark.parametrize("mutant", MUTANTS)
async def test_a_wrong_executor_is_noticed(mutant: str) -> None:
    world = toy(waits=False)
    with MUTANTS[mutant]():
        for number in range(200):
            generator = Generator(world.schema._schema, Random(number))
            case = generator.case(generator.document())
            with suppress(Exception):  # a mutant that crashes is noticed anyway: what counts is a wrong answer
                wanted, found = await both(world, case, number * 10)
                if wanted != found:
                    return
    pytest.fail("200 documents were answered as by graphql-core")
