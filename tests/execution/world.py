"""A world in which things go wrong: what each field of each row has is a function of a seed, of the row and of the field.

So two executors meet the same world, in whatever order they look at it. Values are made after the GraphQL type of the
field: mostly right ones, and now and then null, an exception, raised or in place of a value, or something of a wrong type.
"""

import asyncio
import math
from collections import namedtuple
from collections.abc import AsyncIterator, Generator, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any
from uuid import UUID
from zlib import crc32

from graphql import (
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)

# In a thousand values: how many are null, how many are errors, how many are of a wrong type. Quiet, restless, wild.
TROUBLE = ((4, 2, 2), (50, 25, 25), (120, 60, 60))
ROWS = 5
KEYS = ("key_0", "key_1", "key_2")
MASK = 2**64 - 1


class Color(Enum):
    RED = "red"
    GREEN = 2
    BLUE = ("b", "l")


class Broken(Exception):
    """What the world raises; its text says where."""


class Raised:
    """An exception to raise, where it is not to be returned."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class Dice:
    """Numbers that follow from what they are thrown for. ``random.Random`` takes 12 us to seed, and there are thousands."""

    __slots__ = ("_state",)

    def __init__(self, seed: int, where: str) -> None:
        self._state = (seed * 2654435761 + crc32(where.encode())) & MASK
        self.below(2)

    def below(self, end: int) -> int:
        """A number from 0 to ``end`` - 1."""
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) & MASK
        return (self._state >> 33) % end

    def of(self, *choices: Any) -> Any:
        """One of them."""
        return choices[self.below(len(choices))]


class Row:
    """A row whose attributes are looked up in the world; reading one may raise."""

    def __init__(self, world: "World", kind: str, number: int) -> None:
        self.world, self.kind, self.number = world, kind, number

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return raising(self.world.attribute(self.kind, self.number, name))

    def __repr__(self) -> str:
        return f"<{self.kind} {self.number}>"


@cache
def tuple_of(kind: str, names: tuple[str, ...]) -> Any:
    """The class of the rows of a kind as a statement gives them: named tuples."""
    made: Any = namedtuple(f"{kind}Row", ("world", "kind", "number", *names))  # type: ignore[misc]
    # How errors and resolvers show it: as the same in a world that waits and in its twin that does not.
    for name in ("__inspect__", "__repr__"):
        setattr(made, name, lambda row: f"<{row.kind} {row.number}>")
    return made


class World:
    """``value`` is what there is at a place; ``row`` a row of a kind, by number.

    One that ``waits`` has the same values as one that does not, but some lists of it are async, or of awaitables.
    """

    def __init__(self, schema: GraphQLSchema, seed: int, attributes: dict[str, dict[str, str]], *, waits: bool) -> None:
        self.seed = seed
        self.waits = waits
        self._schema = schema
        self._attributes = attributes
        self.nulls, self.errors, self.wrongs = TROUBLE[seed % len(TROUBLE)]

    def __repr__(self) -> str:
        return "<world>"

    def dice(self, where: str) -> Dice:
        """Dice for a place."""
        return Dice(self.seed, where)

    def row(self, kind: str, number: int) -> Any:
        """A row: of ``Beta`` a named tuple, of the others an object."""
        if kind != "Beta":
            return Row(self, kind, number)
        names = ("id", *KEYS, *self._attributes[kind])
        return tuple_of(kind, names)(self, kind, number, *(returned(self.attribute(kind, number, name)) for name in names))

    def attribute(self, kind: str, number: int, name: str) -> Any:
        """What a row has under the name of one of its attributes; AttributeError for others."""
        dice = self.dice(f"{kind}/{number}/{name}")
        if name in KEYS:
            return None if dice.below(12) == 0 else dice.below(ROWS)
        if name == "id":
            return dice.of(number, f"{kind} {number}", UUID(int=number))
        served = self._attributes.get(kind, {}).get(name)
        if served is None:
            raise AttributeError(f"a {kind} has no {name}")
        return self.field(kind, number, served)

    def field(self, kind: str, number: object, served: str) -> Any:
        """What there is in a field, by its name in GraphQL: a value, an exception, or an exception to raise."""
        definition = self._schema.type_map[kind].fields[served]  # type: ignore[attr-defined]
        return self.value(definition.type, self.dice(f"{kind}/{number}/{served}"), f"{kind} {number} {served}")

    def value(self, kind: Any, dice: Dice, where: str, *, in_list: bool = False) -> Any:
        """A value for a GraphQL type, or what is wrong in its place."""
        if is_non_null_type(kind):
            kind = kind.of_type
        luck = dice.below(1000)
        if luck < self.nulls:
            return None
        luck -= self.nulls
        if luck < self.errors:
            error = Broken(f"{where} is broken")
            return error if in_list or dice.below(2) else Raised(error)
        if luck - self.errors < self.wrongs:
            return self._wrong(kind, dice, where)
        return self._right(kind, dice, where)

    def _right(self, kind: Any, dice: Dice, where: str) -> Any:
        if is_list_type(kind):
            items = [self.value(kind.of_type, dice, f"{where}.{at}", in_list=True) for at in range(dice.of(0, 1, 1, 2, 2, 3))]
            return self._iterable(items, dice.below(8))
        if isinstance(kind, GraphQLEnumType):
            return dice.of(*Color)
        if is_leaf_type(kind):
            return dice.of(*LEAVES[kind.name])
        if isinstance(kind, (GraphQLInterfaceType, GraphQLUnionType)):
            kind = dice.of(*self._schema.get_possible_types(kind))
        assert isinstance(kind, GraphQLObjectType)
        return self.row(kind.name, dice.below(ROWS))

    def _iterable(self, items: list[Any], which: int) -> Any:
        if which < 4:
            return items
        if which == 4 or not self.waits:
            return tuple(items) if which == 5 else Sequence(items)
        return Arriving(items) if which == 5 else [Later(item) if at % 2 else item for at, item in enumerate(items)]

    def _wrong(self, kind: Any, dice: Dice, where: str) -> Any:
        if is_list_type(kind):
            return dice.of("text is no list", 5, {"a": 1}, Breaking(where), object)
        if is_leaf_type(kind):
            return dice.of(*WRONG)
        return self.row(dice.of("Alpha", "Beta", "Gamma", "Delta", "Unknown"), dice.below(ROWS))


class Sequence:
    """An iterable that is no list."""

    def __init__(self, items: list[Any]) -> None:
        self._items = items

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __repr__(self) -> str:
        return "<sequence>"


class Arriving:
    """An async iterable."""

    def __init__(self, items: list[Any]) -> None:
        self._items = items

    def __repr__(self) -> str:
        return "<arriving>"

    async def __aiter__(self) -> AsyncIterator[Any]:
        for item in self._items:
            await asyncio.sleep(0)
            yield item


async def later(value: Any) -> Any:
    """The value, or what it stands for raised, some turns of the loop later."""
    await asyncio.sleep(0)
    return raising(value)


class Later:
    """As ``later``, to be awaited as often as one likes: what is loaded once may stand in several places."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "<later>"

    def __await__(self) -> Generator[Any, None, Any]:
        return later(self._value).__await__()


class Breaking:
    """An iterable that raises at once."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __repr__(self) -> str:
        return "<breaking>"

    def __iter__(self) -> Iterator[Any]:
        raise Broken(f"{self._where} cannot be gone through")


class Text(str):
    """A kind of str."""


MOMENT = datetime(2026, 3, 4, 5, 6, 7, 890, UTC)
ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
LEAVES: dict[str, tuple[Any, ...]] = {
    "Int": (0, 1, -7, 2**31 - 1, -(2**31), True, 3.0, "12"),
    "Float": (0.5, 1, -2.0, 1e300, True, "2.5"),
    "String": ("", "text", 'with "quotes" and \u2028 and é', Text("kind of str"), True, 5, 1.5, UUID(int=7)),
    "Boolean": (True, False, True, False, 1, 0.0),
    "ID": ("a", 5, ID, "", UUID(int=5), 2**40),
    "DateTime": (MOMENT, MOMENT.replace(microsecond=0), MOMENT.replace(tzinfo=None), MOMENT.astimezone(timezone(timedelta(hours=5, minutes=30)))),
    "Date": (date(2026, 1, 2), date(1, 1, 1)),
    "Decimal": (Decimal("1.50"), Decimal("1e3"), 3, "2.5"),
    "UUID": (ID, UUID(int=0), str(ID)),
    "Money": (1250.5, 3, 0.0),
    "Brittle": (1, 2, 3, 4),
    "JSON": ({"b": [1, None], "a": {}}, [], "text", 4),
}  # fmt: skip
WRONG = (
    "text", 2**31, -(2**40), 1.5, math.nan, math.inf, {"a": 1}, [1], (), object, b"bytes", MOMENT, Color.RED, "red", True, "", Decimal("NaN"),
)  # fmt: skip


def raising(value: Any) -> Any:
    """The value, or what it stands for raised."""
    if isinstance(value, Raised):
        raise value.error
    return value


def returned(value: Any) -> Any:
    """The value, with an exception to raise as one in place of a value."""
    return value.error if isinstance(value, Raised) else value
