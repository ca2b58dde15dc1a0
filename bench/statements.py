"""How many statements each scenario runs: executed in this process, over the server's own counters."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from graphql import ExecutionResult

from bench.scenarios import Scenario
from bench.target import TargetError
from cache.freshness import Freshness
from cache.reference import Reference
from core.cursor import KEY_BYTES, CursorCodec
from core.viewer import EVERYONE
from db.database import PooledDatabase
from db.pool import Pool
from loaders import Loaders
from resolvers.context import Context
from schema.build import build_schema
from schema.operation import Executable


def statements_of(url: str, scenarios: Sequence[Scenario], keys: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Scenario name to the number of statements it runs when no answer is kept, and stages and users are, as in a server.

    Raises TargetError if one fails.
    """
    return asyncio.run(_count(url, scenarios, keys))


async def execute(
    executable: Executable, database: PooledDatabase, scenario: Scenario, key: str, reference: Reference | None = None
) -> ExecutionResult:
    """What the schema answers to a scenario, without HTTP around it."""
    now = datetime.now(UTC)
    loaders = Loaders(database, EVERYONE, now, reference, is_kept=False)
    context = Context(EVERYONE, loaders, CursorCodec([bytes(KEY_BYTES)]), now, database)
    document = executable.document(scenario.document)
    operation = document.operation(None)
    assert operation is not None
    return await executable.execute(document, operation, {scenario.variable: key}, context)


async def _count(url: str, scenarios: Sequence[Scenario], keys: Mapping[str, Sequence[str]]) -> dict[str, int]:
    executable = Executable(build_schema())
    pool = Pool(url, size=4, wait_s=30, queue=100, statement_timeout_s=10)
    try:
        found = {}
        freshness = Freshness(now=lambda: 0.0)  # nobody writes here
        freshness.begin(0, "")
        freshness.beat(0.0)
        reference = Reference(freshness)
        for scenario in scenarios:
            for _ in range(2):
                database = PooledDatabase(pool, slow_s=10)
                result = await execute(executable, database, scenario, keys[scenario.name][0], reference)
                if result.errors:
                    raise TargetError(f"the schema answers {scenario.name} with {result.errors[0].message}")
            found[scenario.name] = sum(stats.calls for stats in database.stats.values())
        return found
    finally:
        await pool.close()
