"""How kept answers were made, so that they can be made again before anybody asks.

Bounded: a queue of a hundred, and only answers that were found three times since they were made.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Collection
from typing import Generic, TypeVar

from cache.entry import Entry
from core.viewer import Viewer

Ready = TypeVar("Ready")
HOT = 3
MOST_WAITING = 100
MOST_RECIPES = 1_000


class Warming(Generic[Ready]):
    """What is to be made again, and how; ``names`` are of operations that are worth it."""

    def __init__(self, names: Collection[str]) -> None:
        self.names = names
        self._recipes: OrderedDict[bytes, tuple[Ready, Viewer]] = OrderedDict()
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(MOST_WAITING)

    def note(self, key: bytes, name: str | None, ready: Ready, viewer: Viewer) -> None:
        """An answer of the operation of that name was asked for: this is how it is made."""
        if name in self.names:
            self._recipes[key] = ready, viewer
            self._recipes.move_to_end(key)
            if len(self._recipes) > MOST_RECIPES:
                self._recipes.popitem(last=False)

    def dropped(self, entry: Entry) -> None:
        """An answer has gone old; one that was asked for often will be again."""
        if entry.hits >= HOT and entry.key in self._recipes and not self._waiting.full():
            self._waiting.put_nowait(entry.key)

    async def next(self) -> tuple[Ready, Viewer]:
        """What is to be made next, as soon as there is something."""
        while True:
            found = self._recipes.get(await self._waiting.get())
            if found is not None:
                return found
