"""A column of values completed: made into what the answer holds (GraphQL specification, section 6.4.3).

A ``Position`` is one type at one place of the document, and whether null may stand there. It takes the values of all
objects of a level in one go, with None and exceptions among them, and gives what the answer has in their places, with
DEAD where something failed that may not be null.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from graphql import (
    Undefined,
)

from execution.asked import Asked
from execution.faults import DEAD, Column, Origin, Picked, Under
from execution.leaves import Leaf
from execution.run import Run

# After so many values of a level the loop gets a turn: completing them takes some milliseconds.
BREATH = 5_000


class Level(Protocol):
    """The objects of one type at one place, and what is asked of them; see ``selection.py``."""

    suspends: bool
    wanted: frozenset[str]

    async def run(self, run: Run, objects: Column, origin: Origin) -> Column:
        """An object of the answer for each, DEAD for those that failed."""


class Inside(Protocol):
    """What completes the values of a type that are neither null nor an error.

    ``wanted`` are the attributes that it reads of them; ``suspends`` says whether it may wait for something.
    """

    suspends: bool
    wanted: frozenset[str]

    async def complete(self, run: Run, field: Asked, column: Column, origin: Origin) -> Column:
        """What the answer has for each, DEAD for what failed."""


class Position:
    """A type at one place of the document."""

    def __init__(self, field: Asked, inside: Inside, *, is_nullable: bool) -> None:
        self.field = field
        self.inside = inside
        self.is_nullable = is_nullable
        self.leaf = inside if isinstance(inside, Leaf) else None

    async def complete(self, run: Run, column: Column, origin: Origin) -> Column:
        """What the answer has for each value of the column."""
        kinds = set(map(type, column))
        if awaits(kinds):
            column = await settled(column)
            kinds = set(map(type, column))
        if len(column) > BREATH:
            await asyncio.sleep(0)
        if self.leaf is not None:
            return self.of_leaves(run, self.leaf, column, kinds, origin)
        done: Column
        if _has_special(kinds):
            done, places = self._without(run, column, origin)
            if places:
                some = await self.inside.complete(run, self.field, [column[at] for at in places], Picked(origin, places))
                put(done, places, some)
        else:
            done = await self.inside.complete(run, self.field, column, origin)
        return self._up_to_here(run, done)

    def of_leaves(
        self, run: Run, leaf: Leaf, column: Column, kinds: set[type[Any]], origin: Origin, under: Asked | None = None
    ) -> Column:
        """As ``complete``, for values of these types of which none is awaited: a leaf waits for nothing.

        ``origin`` is that of the values, or of the objects whose field ``under`` they are.
        """
        if kinds <= (leaf.as_they_are_or_null if self.is_nullable else leaf.as_they_are):
            return column
        if under is not None:
            origin = Under(origin, under.key, under.order, self.is_nullable)
        if _has_special(kinds):
            done, places = self._without(run, column, origin)
            if places:
                some = [column[at] for at in places]
                put(done, places, leaf.of(run, self.field, some, set(map(type, some)), Picked(origin, places)))
        else:
            done = leaf.of(run, self.field, column, kinds, origin)  # type: ignore[assignment]
        return self._up_to_here(run, done)

    def _up_to_here(self, run: Run, done: Column) -> Column:
        """Null instead of what failed, if it may stand here."""
        return [None if value is DEAD else value for value in done] if run.faults and self.is_nullable else done

    def _without(self, run: Run, column: Column, origin: Origin) -> tuple[list[Any], list[int]]:
        """What becomes of the nulls and errors of a column, None in place of all else, and the places of that."""
        done: list[Any] = [None] * len(column)
        places: list[int] = []
        for at, value in enumerate(column):
            if value is None or value is Undefined:
                if not self.is_nullable:
                    done[at] = run.fail(self.field, origin, at, _not_null(self.field))
            elif isinstance(value, Exception):
                done[at] = run.fail(self.field, origin, at, value)
            else:
                places.append(at)
        return done, places


def put(done: list[Any], places: Sequence[int], some: Column) -> None:
    """Puts some values into their places."""
    for at, value in zip(places, some, strict=True):
        done[at] = value


def _not_null(field: Asked) -> TypeError:
    return TypeError(f"Cannot return null for non-nullable field {field.parent}.{field.name}.")


# Types that have been looked at: nearly all columns are of these, and one comparison of sets says so.
_never_awaited: set[type[Any]] = set()
_ordinary: set[type[Any]] = set()


def is_awaitable_kind(kind: type[Any]) -> bool:
    """Whether values of that type are awaited."""
    return hasattr(kind, "__await__")


def awaits(kinds: set[type[Any]]) -> bool:
    """Whether values of any of the types are awaited."""
    if kinds <= _never_awaited:
        return False
    if any(map(is_awaitable_kind, kinds)):
        return True
    _never_awaited.update(kinds)
    return False


def _has_special(kinds: set[type[Any]]) -> bool:
    """Whether values of any of the types are null or an error; graphql-core raises exceptions that a resolver returns."""
    if kinds <= _ordinary:
        return False
    if any(kind is type(None) or kind is type(Undefined) or issubclass(kind, Exception) for kind in kinds):
        return True
    _ordinary.update(kinds)
    return False


async def settled(column: Column) -> list[Any]:
    """The column with each awaitable replaced by what it gave, all awaited at the same time; an exception is a value."""
    done = list(column)
    waiting = [at for at, value in enumerate(done) if is_awaitable_kind(type(value))]
    if len(waiting) == 1:
        (at,) = waiting
        try:
            done[at] = await done[at]
        except Exception as error:  # whatever a resolver raises is the error of its field
            done[at] = error
        return done
    for at, value in zip(waiting, await asyncio.gather(*(done[at] for at in waiting), return_exceptions=True), strict=True):
        if isinstance(value, BaseException) and not isinstance(value, Exception):
            raise value
        done[at] = value
    return done
