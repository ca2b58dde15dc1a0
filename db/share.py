"""The database as one operation has it: with some of the connections, so that others have a turn."""

import asyncio

from db.database import Database
from db.statements import Row, Statement

# A Dashboard takes three at once, and a batch of REST reads five at a time.
MOST = 5
LEFT_FOR_OTHERS = 3
LEAST = 2


def share_of(connections: int) -> int:
    """How many of so many connections an operation has."""
    return max(LEAST, min(MOST, connections - LEFT_FOR_OTHERS))


class Share:
    """At most so many statements of an operation at a time; the others wait for those, and nobody else does.

    Twenty searches in one request stood in the pool's queue before all who came later: three clients who asked that again and
    again shut out ten of eleven others, within all limits.
    """

    def __init__(self, database: Database, most: int) -> None:
        self._database = database
        self._turns = asyncio.Semaphore(most)

    async def fetch(self, statement: Statement[Row], *args: object) -> list[Row]:
        """Every row, in the statement's order; see ``Database.fetch``."""
        async with self._turns:
            return await self._database.fetch(statement, *args)
