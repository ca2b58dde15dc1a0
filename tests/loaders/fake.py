"""A database that answers by statement name, for tests of loaders and resolvers."""

from collections import Counter
from typing import Any, TypeVar, cast

from db.statements import Statement

Row = TypeVar("Row", bound=tuple[Any, ...])


class FakeDatabase:
    """Answers each statement with prepared rows, whatever its arguments, and remembers what was asked."""

    def __init__(self, answers: dict[str, list[Any] | Exception]) -> None:
        self.answers = answers
        self.ran: Counter[str] = Counter()
        self.asked: list[tuple[str, tuple[object, ...]]] = []

    async def fetch(self, statement: Statement[Row], *args: object) -> list[Row]:
        """The prepared rows of the statement."""
        self.ran[statement.name] += 1
        self.asked.append((statement.name, args))
        answer = self.answers[statement.name]
        if isinstance(answer, Exception):
            raise answer
        return cast("list[Row]", answer)
