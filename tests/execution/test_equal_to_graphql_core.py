"""The plan answers what graphql-core answers: the same bytes, and the same errors in the same order.

Where fields wait for each other the order of two failures is anybody's (specification, section 6.4.4): then the data is the
same, and there are errors in both answers or in none. ``FUZZ=N`` tries N times as many documents.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from execution import compile_plan, faults, plan, selection, values
from tests.execution.comparing import Said, by_graphql_core, by_plan, operation_of
from tests.execution.documents import Writer
from tests.execution.toy import Toy, toy

FUZZ = int(os.environ.get("FUZZ", "1"))
MUTATION_EVERY = 10


async def both(world: Toy, seed: int) -> tuple[Said, Said, str] | None:
    """What both say to the document of a seed, and its text; None if it is not valid."""
    schema = world.schema._schema
    written = Writer(schema, seed, "mutation" if seed % MUTATION_EVERY == 0 else "query").write()
    found = operation_of(schema, written.text)
    if found is None:
        return None
    document, operation = found
    contexts = world.context(seed), world.context(seed)
    try:
        core = await by_graphql_core(schema, document, written.variables, contexts[0])
        ours = await by_plan(compile_plan(world.schema, document, operation), written.variables, contexts[1])
    finally:
        for each in contexts:
            await each.loaders.stop()
    assert contexts[0].log == contexts[1].log, f"mutations in another order: {written.text}"
    return core, ours, written.text


async def test_a_schema_in_which_nothing_waits_is_answered_word_for_word() -> None:
    seen: Counter[str] = Counter()
    for seed in range(1_000 * FUZZ):
        found = await both(toy(waits=False), seed)
        if found is None:
            seen["invalid"] += 1
            continue
        core, ours, text = found
        assert (ours.data, ours.errors) == (core.data, core.errors), f"seed {seed}: {text}"
        seen["with errors" if core.errors else "without"] += 1
    # The documents are worth something: hardly any is refused, and most meet what is wrong in that world.
    assert seen["invalid"] < 0.1 * seen.total()
    assert min(seen["with errors"], seen["without"]) > 0.2 * seen.total()


# graphql-core leaves coroutines and futures behind where a sibling fails.
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_schema_that_waits_is_answered_with_the_same_data() -> None:
    for seed in range(300 * FUZZ):
        found = await both(toy(waits=True), seed)
        if found is not None:
            core, ours, text = found
            assert ours.data == core.data, f"seed {seed}: {text}"
            assert bool(ours.errors) == bool(core.errors), f"seed {seed}: {text}"


@contextmanager
def changed(place: Any, name: str, other: Any) -> Iterator[None]:
    """The executor with one thing in it replaced."""
    before = getattr(place, name)
    setattr(place, name, other)
    try:
        yield
    finally:
        setattr(place, name, before)


MUTANTS: dict[str, Callable[[], Any]] = {
    "nothing that failed ends what is above it": lambda: changed(values, "DEAD", None),
    "errors as they come": lambda: changed(faults.Place, "order", property(lambda self: ())),
    "the name of a type is always the same": lambda: changed(
        selection.Typename, "begin", lambda self, run, objects, read: (["Alpha"] * len(objects), None)
    ),
    "an alias is not looked at": lambda: changed(plan.Compiler, "_is_included", lambda self, node: True),
    "what is shared is told of once": lambda: changed(
        faults.Items, "places", lambda self, index: iter([next(iter(self.above.places(0))).below(0, 0, is_nullable=True)])
    ),
    "every type may be anything": lambda: changed(values.ObjectOf, "_those", values.ObjectOf._level),
}


@pytest.mark.parametrize("mutant", MUTANTS)
async def test_a_wrong_executor_is_noticed(mutant: str) -> None:
    with MUTANTS[mutant]():
        for seed in range(300):
            try:
                found = await both(toy(waits=False), seed)
            except Exception:
                return
            if found is not None and (found[0].data, found[0].errors) != (found[1].data, found[1].errors):
                return
    pytest.fail("300 documents were answered as by graphql-core")
