"""Random documents over our own schema and a real database: both executors give the same bytes, and null in the same places.

Two fields of one object that fail at the same time and may not be null are one null: which of the two errors is told is then
anybody's guess in graphql-core (specification, section 6.4.4), so errors are compared by what they made null. With ids,
cursors, filters and searches that find something, and some that nobody has. ``FUZZ=N`` tries N times as many.
"""

import asyncio
import gc
import os
import warnings
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from random import Random
from typing import Any

import asyncpg
import orjson
import pytest
from graphql import OperationType, parse

from core.cursor import CursorCodec
from core.viewer import EVERYONE, Viewer
from db.database import PooledDatabase
from execution import Plan, Unplannable
from jobs.demo import load_demo
from loaders import Loaders
from resolvers.context import Context
from schema.build import build_schema
from tests.conftest import open_pool
from tests.execution.comparing import Answer, by_graphql_core, by_plan, smallest
from tests.execution.documents import Case, Generator
from tests.viewers import rep

SCHEMA = build_schema()
FUZZ = int(os.environ.get("FUZZ", "1"))
TODAY = datetime(2026, 3, 4, tzinfo=UTC)
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
TABLES = ("company", "contact", "deal", "activity", "stage", "app_user")
NOBODY = "01890a5d-ac96-774b-bcce-b302099a8057"


class World:
    """Demo data, and what can be asked of it."""

    def __init__(self, db: PooledDatabase, ids: dict[str, list[str]]) -> None:
        self.db, self.ids = db, ids
        self.samples: dict[str, tuple[tuple[str, ...], tuple[Any, ...]]] = {}

    def context(self, viewer: Viewer) -> Context:
        """What a request has in hand."""
        return Context(viewer, Loaders(self.db, viewer, NOW), CursorCodec([bytes(range(32))]), NOW, self.db)

    async def answered(self, case: Case, viewer: Viewer, plans: dict[Any, Plan] | None) -> Answer:
        """By graphql-core, or by the plan where there are plans."""
        context = self.context(viewer)
        try:
            if plans is None:
                return await by_graphql_core(SCHEMA, case, context)
            return await by_plan(SCHEMA, case, context, plans)
        finally:
            context.loaders.stop()

    async def learn(self) -> None:
        """Samples of ids, and of cursors: those of the first pages, one that is none, and one of another list."""
        cursors = []
        for roots in ("companies", "deals", "contacts", "activities"):
            generator = Generator(SCHEMA._schema, Random(0))
            document = f"{{ {roots}(first: 3) {{ edges {{ cursor }} }} }}"
            answer = await self.answered(generator.case(parse(document)), EVERYONE, None)
            cursors += [each["cursor"] for each in orjson.loads(answer.data)[roots]["edges"]]
        some = {
            "id": [each for ids in self.ids.values() for each in ids[:3]] + [NOBODY, "no id"],
            "ownerId": [*self.ids["app_user"][:4], NOBODY],
            "companyId": [*self.ids["company"][:3], NOBODY, "5"],
            "stageIds": self.ids["stage"][:3],
            "after": [*cursors, "wrong"],
            "before": [*cursors, "wrong"],
            "search": ["brewery", "a", " "],
            "timeZone": ["Europe/Berlin", "UTC", "Nowhere"],
        }
        for name, values in some.items():
            texts = tuple(orjson.dumps(value).decode() for value in values)
            self.samples[name] = texts, tuple(values)
        for name in ("first", "last", "limit"):
            self.samples[name] = ("0", "1", "2", "3", "50", "101"), (0, 1, 2, 3, 50, -1)


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    """Twelve companies and all that belongs to them."""
    await load_demo(database_url, companies=12, today=TODAY)
    connection = await asyncpg.connect(database_url)
    ids = {table: [str(each[0]) for each in await connection.fetch(f"select id from {table} order by id")] for table in TABLES}
    await connection.close()
    pool = open_pool(database_url)
    made = World(PooledDatabase(pool, slow_s=10), ids)
    await made.learn()
    yield made
    await pool.close()


def nulled(answer: Answer) -> set[tuple[Any, ...]]:
    """The positions that the errors have made null."""
    return {_null(orjson.loads(answer.data), error[1]) for error in answer.errors}


def _null(data: Any, path: tuple[Any, ...]) -> tuple[Any, ...]:
    for at, key in enumerate(path):
        if data is None:
            return path[:at]
        data = data[key]
    assert data is None, f"an error at {path}, where there is {data!r}"
    return path


def are_alike(core: Answer, plan: Answer) -> bool:
    """Whether both say the same, but for which of several errors is told."""
    return core.data == plan.data and nulled(core) == nulled(plan)


# graphql-core leaves coroutines and futures behind where a sibling fails.
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
async def test_random_queries_are_answered_alike(world: World) -> None:
    seen: Counter[str] = Counter()
    viewers = (EVERYONE, rep(world.ids["app_user"][0]))
    for number in range(200 * FUZZ):
        generator = Generator(SCHEMA._schema, Random(number), world.samples, given=15, kinds=(OperationType.QUERY,))
        document = generator.document()
        plans: dict[Any, Plan] = {}
        for at in range(4):
            case, viewer = generator.case(document, wrong=at == 3), viewers[at % 2]
            try:
                core, plan = await world.answered(case, viewer, None), await world.answered(case, viewer, plans)
            except Unplannable as reason:
                seen[str(reason)] += 1
                continue
            seen["cases"] += 1
            seen["same errors"] += bool(core.errors) and core.errors == plan.errors
            seen["with errors"] += bool(core.errors)
            seen["with data"] += core.data != b"null" and len(core.data) > 100
            if not are_alike(core, plan):
                await tell(world, case, viewer)
    gc.collect()  # whose complaints are of this test, and not of the next
    # They find something, meet errors, and are hardly ever refused.
    assert seen["with data"] > 0.3 * seen["cases"], seen
    assert seen["with errors"] > 0.1 * seen["cases"], seen
    assert seen["same errors"] > 0.8 * seen["with errors"], seen


async def tell(world: World, case: Case, viewer: Viewer) -> None:
    """Fails with the smallest document that is not answered alike."""

    async def differs(each: Case) -> bool:
        try:
            return not are_alike(await world.answered(each, viewer, None), await world.answered(each, viewer, {}))
        except Unplannable:
            return False

    case = await smallest(SCHEMA, case, differs)
    core, plan = await world.answered(case, viewer, None), await world.answered(case, viewer, {})
    pytest.fail(f"{case}\nfor {viewer}\n\ngraphql-core answers\n{core}\n\nthe plan\n{plan}")


SCREEN = """{
  dashboard { overview { deals { total } activities { today } } pipeline { stage { name } count } recent { tasks { id } } }
  companies { edges { node { contactCount owner { name } deals { id stage { name } } } } pageInfo { endCursor } }
  stages { name }
}"""


async def test_an_answer_leaves_nothing_for_the_garbage_collector(world: World) -> None:
    case, plans = Generator(SCHEMA._schema, Random(0)).case(parse(SCREEN)), dict[Any, Plan]()
    await world.answered(case, EVERYONE, plans)
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            assert not (await world.answered(case, EVERYONE, plans)).errors
        assert gc.collect() < 100  # one object that knows itself left 380 of each answer, and a seventh of the time
    finally:
        gc.enable()


async def test_who_goes_away_leaves_no_coroutine_that_nobody_awaits(world: World) -> None:
    case, plans = Generator(SCHEMA._schema, Random(0)).case(parse(SCREEN)), dict[Any, Plan]()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for turns in range(40):
            asked = asyncio.create_task(world.answered(case, EVERYONE, plans))
            for _ in range(turns):
                await asyncio.sleep(0)
            asked.cancel()
            await asyncio.wait([asked])
    assert [str(each.message) for each in told] == []
