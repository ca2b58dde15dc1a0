"""The fields of an operation that cost anything, as a tree of numbers and of what reads them off the variables."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Variables: TypeAlias = Mapping[str, Any]
# What is known from the document, or only with the variables.
Number: TypeAlias = int | Callable[[Variables], int]
# Each variable that must have a value for a field to be asked for; there is nothing else in @skip and @include.
Condition: TypeAlias = frozenset[tuple[str, bool]]


@dataclass(frozen=True, slots=True)
class Given:
    """The value of an argument: as it stands in the document, or that of a variable."""

    value: Any = None
    variable: str | None = None

    def read(self, variables: Variables) -> Any:
        """The value; None where it is null or not given."""
        return self.value if self.variable is None else variables.get(self.variable)

    def number(self, of: Callable[[Any], int]) -> Number:
        """A number that the value makes."""
        return of(self.value) if self.variable is None else lambda variables: of(self.read(variables))


def page_size(asked: Sequence[Given], usual: int, most: int) -> Number:
    """The greatest size that was asked for, from 0 to ``most``; ``usual`` if none was, or none that is a number."""
    known = [number for each in asked if each.variable is None and (number := _whole(each.value)) is not None]
    names = [each.variable for each in asked if each.variable is not None]

    def size(variables: Variables) -> int:
        greatest = max(known, default=None)
        for name in names:
            number = _whole(variables.get(name))
            if number is not None and (greatest is None or number > greatest):
                greatest = number
        return usual if greatest is None else min(max(0, greatest), most)

    return size if names else size({})


def total(numbers: Sequence[Number]) -> Number:
    """The sum of numbers."""
    known = sum(each for each in numbers if isinstance(each, int))
    read = [each for each in numbers if not isinstance(each, int)]
    return (lambda variables: known + sum(each(variables) for each in read)) if read else known


def _whole(value: Any) -> int | None:
    """The number as GraphQL reads an ``Int``, in which 5.0 is one too."""
    if value is None or isinstance(value, int):
        return value
    return int(value) if isinstance(value, float) and value.is_integer() else None


@dataclass(slots=True)
class Part:
    """A field of the answer: ``added`` once, and ``size`` times its weight and what is below.

    ``kinds`` are the parts below for each type that its value can have, of which the dearest counts. It is asked for
    if any of ``when`` holds, or if there is none.
    """

    name: str
    weight: int
    kinds: Sequence[Sequence["Part"]] = ()
    size: Number = 1
    added: Number = 0
    when: Sequence[Condition] = ()
    constant: int | None = field(init=False, default=None)
    _below: list[tuple[int, list["Part"]]] = field(init=False)
    _is_single: bool = field(init=False)

    def __post_init__(self) -> None:
        self._below = [
            (
                self.weight + sum(part.constant for part in kind if part.constant is not None),
                [part for part in kind if part.constant is None],
            )
            for kind in self.kinds or [()]
        ]
        is_known = isinstance(self.size, int) and isinstance(self.added, int) and not self.when
        if is_known and not any(moving for _, moving in self._below):
            self.constant = self.cost({})
        self._is_single = self.constant == self.weight and not any(self.kinds)

    def cost(self, variables: Variables) -> int:
        """What it costs wherever its parent is once."""
        if self.constant is not None:
            return self.constant
        if self.when and not _any_holds(self.when, variables):
            return 0
        most = 0
        for below, moving in self._below:
            for part in moving:
                below += part.cost(variables)  # noqa: PLW2901
            most = max(most, below)
        added = self.added if isinstance(self.added, int) else self.added(variables)
        return added + self.times(variables) * most

    def times(self, variables: Variables) -> int:
        """How many entries it has wherever its parent is once."""
        return self.size if isinstance(self.size, int) else self.size(variables)

    def dearest_kind(self, variables: Variables) -> Sequence["Part"]:
        """The parts below for the type that costs most."""
        return max(self.kinds, key=lambda kind: sum(part.cost(variables) for part in kind), default=())

    def spent(self, values: Sequence[Any], variables: Variables) -> int:
        """What its values cost together, those of all its parents, none of them null."""
        added = self.added if isinstance(self.added, int) else self.added(variables)
        entries: list[Any] = []
        for value in values:
            if isinstance(value, list):
                entries += [entry for entry in value if entry is not None] if None in value else value
            else:
                entries.append(value)
        if len(self.kinds) > 1:  # of each entry the dearest kind counts
            spent = sum([max([_below(kind, [entry], variables) for kind in self.kinds]) for entry in entries])
        else:
            spent = sum([_below(kind, entries, variables) for kind in self.kinds])
        return added * len(values) + self.weight * len(entries) + spent


def _below(parts: Sequence[Part], entries: Sequence[Any], variables: Variables) -> int:
    spent = 0
    for part in parts:
        name = part.name
        values = [value for entry in entries if (value := entry.get(name)) is not None]
        spent += part.weight * len(values) if part._is_single else part.spent(values, variables)
    return spent


def _any_holds(conditions: Sequence[Condition], variables: Variables) -> bool:
    for each in conditions:
        for name, so in each:
            if variables.get(name, so) is not so:
                break
        else:
            return True
    return False
