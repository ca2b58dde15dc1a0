"""Asks the real schema over a real database, and counts the statements that takes."""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson
import pytest

from core.cursor import CursorCodec
from core.viewer import EVERYONE, Viewer
from db.database import Database, PooledDatabase
from db.statements import Statement
from loaders import Loaders
from resolvers.context import Context, IdempotencyKey
from schema.build import build_schema
from schema.operation import Executable
from web.http.errors import field_errors, request_errors

Row = TypeVar("Row", bound=tuple[Any, ...])
# `EXECUTOR=graphql-core make test` runs all tests by the other executor.
EXECUTABLE = Executable(build_schema(), breadth_first=os.environ.get("EXECUTOR") != "graphql-core")
KEY = bytes(range(32))


@dataclass
class CountingDatabase:
    """A database that remembers which statements ran."""

    inner: Database
    ran: Counter[str] = field(default_factory=Counter)

    async def fetch(self, statement: Statement[Row], *args: object) -> list[Row]:
        """The rows, counted."""
        self.ran[statement.name] += 1
        return await self.inner.fetch(statement, *args)


@dataclass
class Asker:
    """Runs operations and keeps what the last one ran."""

    db: PooledDatabase
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ran: Counter[str] = field(default_factory=Counter)
    idempotency_key: str | None = None
    read: frozenset[str] = frozenset()

    async def __call__(self, text: str, viewer: Viewer = EVERYONE, **variables: Any) -> dict[str, Any]:
        """The data of an operation that succeeds."""
        answer = await self.anything(text, viewer, **variables)
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data

    async def error(self, text: str, viewer: Viewer = EVERYONE, **variables: Any) -> tuple[str, str]:
        """Code and message of the one error of an operation that fails."""
        (error,) = (await self.anything(text, viewer, **variables))["errors"]
        return error["extensions"]["code"], error["message"]

    async def anything(self, text: str, viewer: Viewer = EVERYONE, **variables: Any) -> dict[str, Any]:
        """The whole answer, as a client reads it."""
        document = EXECUTABLE.document(text)
        if document.node is None or document.errors:
            return {"errors": request_errors(document.errors, "GRAPHQL_VALIDATION_FAILED", 20)}
        operation = document.operation(None)
        assert operation is not None
        counting = CountingDatabase(self.db)
        loaders = Loaders(counting, viewer, self.now())
        key = None if self.idempotency_key is None else IdempotencyKey(self.idempotency_key)
        context = Context(viewer, loaders, CursorCodec([KEY]), self.now(), self.db, key)
        try:
            result = await EXECUTABLE.execute(document, operation, variables, context)
        finally:
            context.loaders.stop()
        self.ran, self.read = counting.ran, frozenset(loaders.reads.tags)
        answer: dict[str, Any] = {"data": result.data}
        if result.errors:
            answer["errors"] = field_errors(result.errors, "test", 100)
        read: dict[str, Any] = orjson.loads(orjson.dumps(answer))
        return read


@pytest.fixture
def ask(db: PooledDatabase) -> Asker:
    """Asks the schema over the test's database."""
    return Asker(db)
