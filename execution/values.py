"""A column of values completed: made into what the answer holds (GraphQL specification, section 6.4.3).

A ``Position`` is one type at one place of the document, and whether null may stand there. It takes the values of all
objects of a level in one go, with None and exceptions among them, and gives what the answer has in their places: at once,
or later where some of them have to be waited for.
"""

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

from graphql import Undefined

from core.later import Later
from execution.asked import Asked
from execution.faults import Column, Origin, Picked, Under
from execution.leaves import Leaf
from execution.run import Run, awaits

# What the answer has for the values of a column.
Completed: TypeAlias = Column | Later[Column]


class Level(Protocol):
    """The objects of one type at one place, and what is asked of them; see ``selection.py``."""

    wanted: frozenset[str]

    def run(self, run: Run, objects: Column, origin: Origin) -> list[Any]:
        """An object of the answer for each."""


class Inside(Protocol):
    """What completes the values of a type that are neither null nor an error.

    ``wanted`` are the attributes that it reads of them.
    """

    wanted: frozenset[str]

    def complete(self, run: Run, field: Asked, column: Column, origin: Origin) -> Completed:
        """What the answer has for each."""


class Position:
    """A type at one place of the document."""

    def __init__(self, field: Asked, inside: Inside, *, is_nullable: bool) -> None:
        self.field = field
        self.inside = inside
        self.is_nullable = is_nullable
        self.leaf = inside if isinstance(inside, Leaf) else None

    def complete(self, run: Run, column: Column, origin: Origin) -> Completed:
        """What the answer has for each value of the column."""
        kinds = set(map(type, column))
        if awaits(kinds):
            return run.settled(column).map(lambda settled: self.complete(run, settled, origin))
        if self.leaf is not None:
            return self.of_leaves(run, self.leaf, column, kinds, origin)
        if not _has_special(kinds):
            return self.inside.complete(run, self.field, column, origin)
        done, places = self._without(run, column, origin)
        if not places:
            return done
        some = self.inside.complete(run, self.field, [column[at] for at in places], Picked(origin, places))
        return put(done, places, some)

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
        if not _has_special(kinds):
            return leaf.of(run, self.field, column, kinds, origin)
        done, places = self._without(run, column, origin)
        if places:
            some = [column[at] for at in places]
            put(done, places, leaf.of(run, self.field, some, set(map(type, some)), Picked(origin, places)))
        return done

    def _without(self, run: Run, column: Column, origin: Origin) -> tuple[list[Any], list[int]]:
        """Null for the nulls and errors of a column and for all else, and the places of all else."""
        places: list[int] = []
        for at, value in enumerate(column):
            if value is None or value is Undefined:
                if not self.is_nullable:
                    run.fail(self.field, origin, at, _not_null(self.field))
            elif isinstance(value, Exception):
                run.fail(self.field, origin, at, value)
            else:
                places.append(at)
        return [None] * len(column), places


def put(done: list[Any], places: Sequence[int], some: Completed) -> Completed:
    """The column with some values in their places, when they are there."""
    if isinstance(some, Later):
        return some.map(lambda given: put(done, places, given))
    for at, value in zip(places, some, strict=True):
        done[at] = value
    return done


def _not_null(field: Asked) -> TypeError:
    return TypeError(f"Cannot return null for non-nullable field {field.parent}.{field.name}.")


# Types that have been looked at, of which no value is null or an error.
_ordinary: set[type[Any]] = set()


def _has_special(kinds: set[type[Any]]) -> bool:
    """Whether values of any of the types are null or an error; graphql-core raises exceptions that a resolver returns."""
    if kinds <= _ordinary:
        return False
    if any(kind is type(None) or kind is type(Undefined) or issubclass(kind, Exception) for kind in kinds):
        return True
    _ordinary.update(kinds)
    return False
