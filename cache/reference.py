"""Rows that hardly ever change, kept in process: stages and users, which nearly every answer has in it.

The freshness rule holds for them as for answers (``cache/freshness.py``): what is kept under a tag is good while that tag
has not been written since before it was read, and while this process hears what is written.
"""

from collections.abc import Hashable, Iterable
from typing import Any, TypeAlias

from cache.freshness import Freshness

# More rows than this under one tag are not reference data.
MOST_ROWS = 10_000
Kept: TypeAlias = dict[Hashable, Any]


class Reference:
    """What is kept, by tag."""

    def __init__(self, freshness: Freshness) -> None:
        self._freshness = freshness
        self._kept: dict[str, tuple[int, Kept]] = {}

    def of(self, tag: str) -> Kept | None:
        """What is kept under the tag, to be read and not to be changed; None if nothing could be vouched for now."""
        if not self._freshness.is_hearing:
            return None
        number, kept = self._kept.get(tag, (0, {}))
        heard = max(self._freshness.number, 1)
        if number != heard:  # looked at once for each notification, not for each request
            if not number or self._freshness.written_since((tag,), number):
                kept = {}
            self._kept[tag] = (heard, kept)
        return kept

    def keep(self, tag: str, began_with: Kept | None, values: Iterable[tuple[Hashable, Any]]) -> None:
        """Keeps what was read after ``of`` gave ``began_with``, unless something has been written since."""
        if began_with is not None and self.of(tag) is began_with and len(began_with) < MOST_ROWS:
            began_with.update(values)
