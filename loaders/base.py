"""What every loader does: one batch is one statement, answered in key order, and survives a cancelled reader."""

import asyncio
from abc import abstractmethod
from asyncio import Future
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import ClassVar, TypeVar
from uuid import UUID

from aiodataloader import DataLoader

from db.database import Database
from loaders.reads import LIST, Reads

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Row = TypeVar("Row")


class Loader(DataLoader[Key, Value]):
    """A per-request loader. Subclasses say what they answer, how a list of keys is loaded, and what it depends on."""

    good_for: ClassVar[timedelta] = LIST

    def __init__(self, db: Database, visible_owner: UUID | None) -> None:
        super().__init__()
        self.reads: Reads | None = None
        self._db = db
        self._visible_owner = visible_owner
        self._batches: set[asyncio.Task[None]] = set()

    async def batch_load_fn(self, keys: list[Key]) -> list[Value]:
        """One value per key, in their order."""
        task = asyncio.current_task()
        assert task is not None
        self._batches.add(task)
        try:
            values = await self.load_keys(keys)
            if self.reads is not None:
                self.reads.add(self.tags(keys), self.until(keys, values, self.reads.now + self.good_for))
            return list(values)
        finally:
            self._batches.discard(task)

    @abstractmethod
    async def load_keys(self, keys: list[Key]) -> Sequence[Value]:
        """What a subclass does: the values of distinct keys, by one statement."""

    @abstractmethod
    def tags(self, keys: Sequence[Key]) -> Iterable[str]:
        """What a subclass says: the tags (``core/tags.py``) of all that could change the values of these keys."""

    def until(self, keys: Sequence[Key], values: Sequence[Value], usual: datetime) -> datetime:
        """Until when the values are good, if nothing is written: ``usual``, unless the clock changes them sooner."""
        return usual

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
