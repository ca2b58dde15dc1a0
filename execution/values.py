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
from execution.faults import Column, Origin, Picked
from execution.leaves import NOTHING, Leaf
from execution.run import Run, awaits

# What the answer has for the values of a column.
Completed: TypeAlias = Column | Later[Column]


class Level(Protocol):
    """The objects of one type at one place, and what is asked of them; see ``selection.py``."""

    wanted: frozenset[str]
    along: frozenset[str]
    depth: int

    def run(self, run: Run, objects: Column, origin: Origin) -> list[Any]:
        """An object of the answer for each."""


class Inside(Protocol):
    """What completes the values of a type that are neither null nor an error."""

    @property
    def wanted(self) -> frozenset[str]:
        """The attributes that it reads of them."""

    @property
    def along(self) -> frozenset[str]:
        """What could be read along with them."""

    @property
    def depth(self) -> int:
        """How many levels of objects there are from them on."""

    def complete(self, run: Run, field: Asked, column: Column, kinds: set[type[Any]], origin: Origin) -> Completed:
        """What the answer has for each; ``kinds`` are the types of them."""


class Position:
    """A type at one place of the document."""

    def __init__(self, field: Asked, inside: Inside, *, is_nullable: bool) -> None:
        self.field = field
        self.inside = inside
        self.is_nullable = is_nullable
        self.leaf = inside if isinstance(inside, Leaf) else None
        # Values of these types are in the answer as they are.
        self.unchanged: frozenset[type[Any]] = frozenset()
        if self.leaf is not None:
            self.unchanged = self.leaf.unchanged | {type(None)} if is_nullable else self.leaf.unchanged

    def complete(self, run: Run, column: Column, origin: Origin) -> Completed:
        """What the answer has for each value of the column."""
        kinds = set(map(type, column))
        if not kinds <= nullable:  # asked here: a call for each column of a Dashboard takes 3 us
            learn(kinds)
        if kinds <= ordinary:
            return self.inside.complete(run, self.field, column, kinds, origin)
        if self.leaf is not None and kinds <= self.unchanged:
            return column
        if self.is_nullable and kinds <= nullable:
            return self._some(run, column, [at for at, value in enumerate(column) if value is not None], origin)
        if awaits(kinds):
            return run.settled(column).map(lambda settled: self._each(run, settled, origin))
        return self._each(run, column, origin)

    def _each(self, run: Run, column: Column, origin: Origin) -> Completed:
        """As ``complete``, with one look at each value; what is awaited gives no awaitable in its turn, as in graphql-core."""
        places: list[int] = []
        for at, value in enumerate(column):
            if value is None or value is Undefined:
                if not self.is_nullable:
                    run.fail(self.field, origin, at, _not_null(self.field))
            elif isinstance(value, Exception):
                run.fail(self.field, origin, at, value)
            else:
                places.append(at)
        return self._some(run, column, places, origin)

    def _some(self, run: Run, column: Column, places: list[int], origin: Origin) -> Completed:
        """The values in those places; null stands in the others."""
        if len(places) == len(column):
            return self.inside.complete(run, self.field, column, set(map(type, column)), origin)
        done: list[Any] = [None] * len(column)
        if not places:
            return done
        some = [column[at] for at in places]
        kinds = set(map(type, some))
        return put(done, places, self.inside.complete(run, self.field, some, kinds, Picked(origin, places)))


def put(done: list[Any], places: Sequence[int], some: Completed) -> Completed:
    """The column with some values in their places, when they are there."""
    if isinstance(some, Later):
        return some.map(lambda given: put(done, places, given))
    for at, value in zip(places, some, strict=True):
        done[at] = value
    return done


def _not_null(field: Asked) -> TypeError:
    return TypeError(f"Cannot return null for non-nullable field {field.parent}.{field.name}.")


# Types that have been looked at, whose values are neither null, nor errors, nor awaited: nearly all columns are of these, and
# one comparison of sets says so. Those of columns with nulls among them are ``nullable``.
ordinary: set[type[Any]] = set()
nullable: set[type[Any]] = {type(None)}


def learn(kinds: set[type[Any]]) -> None:
    """Looks at the types of a column in which some are new; graphql-core raises exceptions that a resolver returns.

    Those beside null are learned as well: a column that always has nulls would be looked through value by value each time.
    """
    new = kinds - nullable
    if not awaits(new) and not any(kind in NOTHING or issubclass(kind, Exception) for kind in new):
        ordinary.update(new)
        nullable.update(new)
