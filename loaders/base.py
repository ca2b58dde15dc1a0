"""What every loader does: one batch is one statement, answered in key order, and survives a cancelled reader."""

import asyncio
from abc import abstractmethod
from asyncio import Future
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar
from uuid import UUID

from aiodataloader import DataLoader

from db.database import Database

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Row = TypeVar("Row")


class Loader(DataLoader[Key, Value]):
    """A per-request loader. Subclasses say what they answer and how a list of keys is loaded."""

    def __init__(self, db: Database, visible_owner: UUID | None) -> None:
        super().__init__()
        self._db = db
        self._visible_owner = visible_owner
        self._batches: set[asyncio.Task[None]] = set()

    async def batch_load_fn(self, keys: list[Key]) -> list[Value]:
        """One value per key, in their order."""
        task = asyncio.current_task()
        assert task is not None
        self._batches.add(task)
        try:
            return list(await self.load_keys(keys))
        finally:
            self._batches.discard(task)

    @abstractmethod
    async def load_keys(self, keys: list[Key]) -> Sequence[Value]:
        """What a subclass does: the values of distinct keys, by one statement."""

    def load(self, key: Key) -> "Future[Value]":
        """The value of one key, loaded with all others that are asked for in this turn of the loop.

        Shielded: graphql-core cancels the siblings of a failed non-null field, and a cancelled reader must not cancel
        the future that every other reader of the key awaits.
        """
        future = super().load(key)
        return future if future.done() else asyncio.shield(future)

    def stop(self) -> None:
        """Cancels the batches under way, and with them their statements: nobody waits for them any more."""
        for task in self._batches:
            task.cancel()


def one_per_key(rows: Iterable[Row], keys: Sequence[Key], *, key: Callable[[Row], Key]) -> list[Row | None]:
    """For each key the row that has it, or None."""
    found = {key(row): row for row in rows}
    return [found.get(wanted) for wanted in keys]


def many_per_key(rows: Iterable[Row], keys: Sequence[Key], *, key: Callable[[Row], Key]) -> list[list[Row]]:
    """For each key its rows, in the order they came."""
    groups: defaultdict[Key, list[Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return [groups[wanted] for wanted in keys]
