"""A share of the connections: how many an operation has, and that what is beyond it waits without a connection."""

import asyncio
from typing import Any, NamedTuple

import pytest

from db.share import Share, share_of
from db.statements import Statement


class PingRow(NamedTuple):
    """That the database answers."""

    answers: bool


PING = Statement("ping", PingRow, "select true as answers")


class Gate:
    """A database that answers when it is told to, statement by statement."""

    def __init__(self) -> None:
        self.asked: list[asyncio.Future[list[Any]]] = []

    async def fetch(self, statement: Statement[Any], *args: Any) -> list[Any]:
        self.asked.append(asyncio.get_running_loop().create_future())
        return await self.asked[-1]


async def settle() -> None:
    """Lets all go on that can."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize(("connections", "most"), [(1, 2), (2, 2), (5, 2), (6, 3), (7, 4), (8, 5), (9, 5), (100, 5)])
def test_an_operation_leaves_three_connections_for_others_and_takes_two_to_five(connections: int, most: int) -> None:
    assert share_of(connections) == most


async def test_no_more_statements_of_an_operation_run_at_once_than_its_share() -> None:
    db = Gate()
    share = Share(db, 2)
    reading = [asyncio.create_task(share.fetch(PING)) for _ in range(4)]
    await settle()
    assert len(db.asked) == 2
    db.asked[0].set_result([PingRow(True)])
    db.asked[1].set_exception(OSError("away"))
    await settle()
    assert len(db.asked) == 4, "who has an answer, or an error, makes room for the next"
    for each in db.asked[2:]:
        each.set_result([PingRow(True)])
    answers = await asyncio.gather(*reading, return_exceptions=True)
    assert [type(each) for each in answers] == [list, OSError, list, list]
