"""Where in the answer a value stands, and the errors of values that could not be had.

A level holds one ``Origin``, whatever the number of its objects: what each value's path is gets worked out when one has
failed, by walking up. Errors are found level by level; ``settle`` puts them into the order of the document, leaves out what
executing in that order would never have reached, and takes away what may not be null.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple, TypeAlias

from graphql import FieldNode, GraphQLError, located_error

from execution.asked import Asked

# The values of one place of the document, for all objects of a level.
Column: TypeAlias = Sequence[Any]


class Place(NamedTuple):
    """One position of the answer: its path, the path in numbers that sort like the document, where null may stand in it."""

    path: tuple[str | int, ...] = ()
    order: tuple[int, ...] = ()
    nullable: tuple[bool, ...] = ()

    def below(self, key: str | int, order: int, *, is_nullable: bool) -> "Place":
        """The position of a field of this object, or of an item of this list."""
        return Place((*self.path, key), (*self.order, order), (*self.nullable, is_nullable))

    @property
    def nulled(self) -> tuple[int, ...]:
        """What becomes null when this position fails (specification, 6.4.4): the order of it or of one above it."""
        depth = len(self.nullable)
        while depth and not self.nullable[depth - 1]:
            depth -= 1
        return self.order[:depth]


class Origin:
    """Where the values of a column stand. This one is the root: one value, the whole answer."""

    __slots__ = ()

    def places(self, index: int) -> Iterator[Place]:
        """The positions of the value of that index: several, where it is shared."""
        yield Place()


@dataclass(slots=True)
class Under(Origin):
    """The values of one field, for the objects of a level."""

    above: Origin
    field: Asked

    def places(self, index: int) -> Iterator[Place]:
        for place in self.above.places(index):
            yield place.below(self.field.key, self.field.order, is_nullable=self.field.is_nullable)


@dataclass(slots=True)
class Items(Origin):
    """The items of all lists of a column, one after the other."""

    above: Origin
    lengths: Sequence[int]
    is_nullable: bool
    _ends: list[int] | None = None

    def places(self, index: int) -> Iterator[Place]:
        if self._ends is None:
            self._ends = list(accumulate(self.lengths))
        whose = bisect_right(self._ends, index)
        at = index - (self._ends[whose] - self.lengths[whose])
        for place in self.above.places(whose):
            yield place.below(at, at, is_nullable=self.is_nullable)


@dataclass(slots=True)
class Picked(Origin):
    """Some of the values of a column, by their indexes there."""

    above: Origin
    indexes: Sequence[int]

    def places(self, index: int) -> Iterator[Place]:
        return self.above.places(self.indexes[index])


@dataclass(slots=True)
class Shared(Origin):
    """Distinct values of which each may stand in a column more than once: ``which`` has for each place the value's index."""

    above: Origin
    which: Sequence[int]
    _spots: dict[int, list[int]] | None = None

    def places(self, index: int) -> Iterator[Place]:
        if self._spots is None:
            self._spots = defaultdict(list)
            for at, shared in enumerate(self.which):
                self._spots[shared].append(at)
        for at in self._spots[index]:
            yield from self.above.places(at)


@dataclass(frozen=True, slots=True)
class Fault:
    """A value that could not be had, and why."""

    nodes: list[FieldNode]
    origin: Origin
    index: int
    cause: Exception


def settle(data: Any, faults: Sequence[Fault]) -> tuple[Any, list[GraphQLError]]:
    """The answer with null wherever something failed that may not be null, and the errors in the order of the document.

    Each error has its path and locations. What lies in a region that an error before it has made null is left out:
    graphql-core, which goes down each branch to its end, stops there and never sees it.
    """
    found: list[tuple[Place, Fault]] = [(place, fault) for fault in faults for place in fault.origin.places(fault.index)]
    found.sort(key=lambda pair: pair[0].order)
    nulled: set[tuple[int, ...]] = set()
    errors: list[GraphQLError] = []
    for place, fault in found:
        if nulled and any(place.order[:depth] in nulled for depth in range(len(place.order) + 1)):
            continue
        nulled.add(place.nulled)
        data = _with_null(data, place.path[: len(place.nulled)])
        errors.append(located_error(fault.cause, fault.nodes, list(place.path)))
    return data, errors


def _with_null(data: Any, path: tuple[str | int, ...]) -> Any:
    if not path:
        return None
    above = data
    for step in path[:-1]:
        above = above[step]
        if above is None:  # a shared object, in which an error at another of its places has done that
            return data
    above[path[-1]] = None
    return data


def end_all(faults: Sequence[Fault]) -> bool:
    """Whether any of the failures leaves nothing of the answer."""
    return any(not place.nulled for fault in faults for place in fault.origin.places(fault.index))
