"""Reads that share what they load, though each of their answers is made and kept for itself.

What one has loaded another may use later, so all of their answers are as old as the first of their reads: they count as
begun when that did (``cache/freshness.py``), and depend on whatever any of them has read. That lets some go out of date
early, and none late.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from db.database import Database
from db.listener import SNAPSHOT
from resolvers.context import Context


class Together:
    """Reads of one context; ``began`` is the number of the last notification before the first of them."""

    def __init__(self, context: Context, began: int) -> None:
        self.context = context
        self.began = began
        self._xmin: int | None = None
        self._looked: asyncio.Event | None = None
        self._readers = 0
        self._is_closed = False

    async def xmin(self, db: Database) -> int:
        """The oldest transaction that was open before any of them read: to be asked for before reading."""
        while self._xmin is None:
            if self._looked is not None:
                await self._looked.wait()  # all go on in the same turn of the loop, and load together
                continue
            self._looked = looked = asyncio.Event()
            try:
                (snapshot,) = await db.fetch(SNAPSHOT)
                self._xmin = snapshot.xmin
            finally:
                self._looked = None
                looked.set()
        return self._xmin

    @contextmanager
    def reading(self) -> Iterator[Context]:
        """The context, for one of them: others may wait for an answer when who has asked for it first has gone."""
        self._readers += 1
        try:
            yield self.context
        finally:
            self._readers -= 1
            self._stop_if_over()

    def close(self) -> None:
        """There will be no more of them. What is still being loaded is stopped as soon as nobody reads."""
        self._is_closed = True
        self._stop_if_over()

    def _stop_if_over(self) -> None:
        if self._is_closed and not self._readers:
            self.context.loaders.stop()
