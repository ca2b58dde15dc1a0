"""Rows that hardly ever change, kept in process: stages and users, which nearly every answer has in it.

The freshness rule holds for them as for answers (``cache/freshness.py``): what is kept under a tag is good while that tag
has not been written since before it was read, and while this process hears what is written.
"""

import time
from collections.abc import Callable, Hashable, Iterable
from typing import Any

from cache.freshness import Freshness

# More rows than this under one tag are not reference data.
MOST_ROWS = 10_000
# Then they are read again, where answers are shared: one with older rows in it is of no use to who has listened for less long.
KEPT_S = 60.0


class Kept(dict[Hashable, Any]):
    """Rows, and until when. ``xmin`` is the oldest transaction that was open before any of them was read."""

    def __init__(self) -> None:
        super().__init__()
        self.until = float("inf")
        self.xmin = 0


class Reference:
    """What is kept, by tag."""

    def __init__(self, freshness: Freshness, now: Callable[[], float] = time.monotonic) -> None:
        self._freshness = freshness
        self._now = now
        self._kept: dict[str, tuple[int, Kept]] = {}

    def of(self, tag: str) -> Kept | None:
        """What is kept under the tag, to be read and not to be changed; None if nothing could be vouched for now."""
        if not self._freshness.is_hearing:
            return None
        number, kept = self._kept.get(tag, (0, None))
        if kept is None or kept.until < self._now():
            kept, number = Kept(), 0
        heard = max(self._freshness.number, 1)
        if number != heard:  # looked at once for each notification, not for each request
            if number and self._freshness.written_since((tag,), number):
                kept = Kept()
            self._kept[tag] = heard, kept
        return kept

    def keep(self, tag: str, began_with: Kept | None, values: Iterable[tuple[Hashable, Any]], xmin: int) -> None:
        """Keeps what was read after ``of`` gave ``began_with``, unless something has been written since.

        ``xmin`` is the oldest transaction that was open before that; 0 where nobody shares answers.
        """
        if began_with is not None and self.of(tag) is began_with and len(began_with) < MOST_ROWS:
            if not began_with:
                began_with.xmin = xmin
                if xmin:
                    began_with.until = self._now() + KEPT_S
            began_with.xmin = min(xmin, began_with.xmin)
            began_with.update(values)
