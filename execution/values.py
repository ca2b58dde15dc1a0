"""A column of values completed: made into what the answer holds (GraphQL specification, section 6.4.3).

A ``Position`` is one type at one place of the document, and whether null may stand there. It takes the values of all
objects of a level in one go, with None and exceptions among them, and gives what the answer has in their places, with
DEAD where something failed that may not be null.
"""

import asyncio
import math
from collections.abc import AsyncIterable, Callable, Sequence
from itertools import chain, islice
from typing import Any, Protocol, TypeAlias
from uuid import UUID

from graphql import (
    GraphQLAbstractType,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLError,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    Undefined,
    default_type_resolver,
)
from graphql.pyutils import inspect, is_iterable

from execution.asked import Asked
from execution.batched import BY_TYPE
from execution.faults import DEAD, Items, Origin, Picked, Under
from execution.run import Run

Column: TypeAlias = Sequence[Any]
# After so many values of a level the loop gets a turn: completing them takes some milliseconds.
BREATH = 5_000
_MOST_INT, _LEAST_INT = 2**31 - 1, -(2**31)


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
                _put(done, places, some)
        else:
            done = await self.inside.complete(run, self.field, column, origin)
        return self._up_to_here(run, done)

    def of_leaves(
        self, run: Run, leaf: "Leaf", column: Column, kinds: set[type[Any]], origin: Origin, under: Asked | None = None
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
                _put(done, places, leaf.of(run, self.field, [column[at] for at in places], Picked(origin, places)))
        else:
            done = leaf.of(run, self.field, column, origin)  # type: ignore[assignment]
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


def _put(done: list[Any], places: Sequence[int], some: Column) -> None:
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


class Leaf:
    """A scalar or an enum. For most columns one look at the types in it says that nothing is to be done.

    Values of the types ``as_they_are`` need not be looked at any closer.
    """

    suspends = False
    wanted: frozenset[str] = frozenset()

    def __init__(self, kind: GraphQLLeafType) -> None:
        self._kind = kind
        self._at_once = AT_ONCE.get(kind) if not isinstance(kind, GraphQLEnumType) else _each_once(kind)
        self.as_they_are = AS_THEY_ARE.get(kind, frozenset())
        self.as_they_are_or_null = self.as_they_are | {type(None)}

    def of(self, run: Run, field: Asked, column: Column, origin: Origin) -> Column:
        """As ``complete``: no leaf waits for anything."""
        if self._at_once is not None:
            done = self._at_once(column)
            if done is not None:
                return done
        coerce = self._kind.coerce_output_value
        try:
            coerced = [coerce(value) for value in column]
        except Exception:  # one of them will tell, in its own place
            return [self._one(run, field, value, origin, at) for at, value in enumerate(column)]
        if any(value is None or value is Undefined for value in coerced):
            return [self._one(run, field, value, origin, at) for at, value in enumerate(column)]
        return coerced

    async def complete(self, run: Run, field: Asked, column: Column, origin: Origin) -> Column:
        return self.of(run, field, column, origin)

    def _one(self, run: Run, field: Asked, value: Any, origin: Origin, at: int) -> Any:
        try:
            coerced = self._kind.coerce_output_value(value)
        except Exception as error:  # whatever a scalar raises is the error of its field
            return run.fail(field, origin, at, error)
        if coerced is None or coerced is Undefined:
            told = f"Expected `{inspect(self._kind)}.coerce_output_value({inspect(value)})` to return non-nullable value"
            return run.fail(field, origin, at, TypeError(f"{told}, returned: {inspect(coerced)}"))
        return coerced


def _ids(column: Column) -> Column | None:
    return list(map(str, column)) if all(issubclass(kind, UUID) for kind in set(map(type, column))) else None


def _integers(column: Column) -> Column | None:
    if set(map(type, column)) != {int}:
        return None
    return column if max(column) <= _MOST_INT and min(column) >= _LEAST_INT else None


def _floats(column: Column) -> Column | None:
    return column if set(map(type, column)) == {float} and all(map(math.isfinite, column)) else None


# By identity: a schema may have a scalar of the same name that does something else.
AS_THEY_ARE: dict[Any, frozenset[type[Any]]] = {
    GraphQLString: frozenset({str}),
    GraphQLBoolean: frozenset({bool}),
    GraphQLID: frozenset({str}),
}
AT_ONCE: dict[Any, Callable[[Column], Column | None]] = {
    GraphQLID: _ids,
    GraphQLInt: _integers,
    GraphQLFloat: _floats,
}


def _each_once(kind: GraphQLEnumType) -> Callable[[Column], Column | None]:
    def names(column: Column) -> Column | None:
        try:
            found = {value: kind.coerce_output_value(value) for value in set(column)}
            return [found[value] for value in column]
        except Exception:  # not hashable, or no value of the enum: each by itself
            return None

    return names


class ListOf:
    """A list: all items of all lists are completed as one column, and dealt out again."""

    def __init__(self, item: Position) -> None:
        self.item = item
        self.suspends = item.inside.suspends
        self.wanted = item.inside.wanted

    async def complete(self, run: Run, field: Asked, column: Column, origin: Origin) -> Column:
        lists: list[Any] = [value if type(value) is list else await _as_list(field, value) for value in column]
        failed = [at for at, value in enumerate(lists) if isinstance(value, Exception)]
        causes = {at: lists[at] for at in failed}
        for at in failed:
            lists[at] = ()
        lengths = list(map(len, lists))
        flat = lists[0] if len(lists) == 1 else list(chain.from_iterable(lists))
        items = await self.item.complete(run, flat, Items(origin, lengths, self.item.is_nullable)) if flat else flat
        each = iter(items)
        done: list[Any] = [list(islice(each, length)) for length in lengths]
        if run.faults or causes:
            done = [DEAD if any(value is DEAD for value in items) else items for items in done]
            for at, cause in causes.items():
                done[at] = run.fail(field, origin, at, cause)
        return done


async def _as_list(field: Asked, value: Any) -> list[Any] | tuple[Any, ...] | Exception:
    """The items of what a resolver gave for a list, or why there are none."""
    try:
        if isinstance(value, tuple):
            return value
        if isinstance(value, AsyncIterable):
            return [item async for item in value]
        if is_iterable(value):
            return list(value)
    except Exception as error:  # whatever it raises while it is gone through is the error of the field
        return error
    return GraphQLError(f"Expected Iterable, but did not find one for field '{field.parent}.{field.name}'.")


class ObjectOf:
    """An object type: its objects are the next level, which ``starts_anew`` in a task of its own where many are above it."""

    def __init__(self, kind: GraphQLObjectType, selection: Level, *, starts_anew: bool) -> None:
        self.kind = kind
        self.selection = selection
        self.suspends = selection.suspends
        self.wanted = selection.wanted
        self._known: set[type[Any]] = set()
        self._starts_anew = starts_anew

    async def complete(self, run: Run, field: Asked, column: Column, origin: Origin) -> Column:
        is_type_of = self.kind.is_type_of
        if is_type_of is None:
            return await self._level(run, column, origin)
        if getattr(is_type_of, BY_TYPE, False) and self._known.issuperset(map(type, column)):
            return await self._level(run, column, origin)
        info = run.info(field)
        told: Column = [_told(is_type_of, value, info) for value in column]
        if awaits(set(map(type, told))):
            told = await settled(told)
        if all(answer is True for answer in told):
            self._known.update(map(type, column))
            return await self._level(run, column, origin)
        return await self._those(run, field, column, origin, told)

    async def _level(self, run: Run, objects: Column, origin: Origin) -> Column:
        level = self.selection.run(run, objects, origin)
        return await (asyncio.create_task(level) if self._starts_anew else level)

    async def _those(self, run: Run, field: Asked, column: Column, origin: Origin, told: Column) -> Column:
        """The objects that are of the type; the others have failed."""
        done: list[Any] = [None] * len(column)
        places: list[int] = []
        for at, (value, answer) in enumerate(zip(column, told, strict=True)):
            if isinstance(answer, Exception):
                done[at] = run.fail(field, origin, at, answer)
            elif not answer:
                wrong = GraphQLError(f"Expected value of type '{self.kind}' but got: {inspect(value)}.", field.nodes)
                done[at] = run.fail(field, origin, at, wrong)
            else:
                places.append(at)
        if places:
            some = [column[at] for at in places]
            _put(done, places, await self._level(run, some, Picked(origin, places)))
        return done


class AbstractOf:
    """An interface or a union: the objects of each type that occurs are a level of their own."""

    def __init__(self, kind: GraphQLAbstractType, schema: GraphQLSchema, objects: dict[str, ObjectOf]) -> None:
        self.kind = kind
        self.schema = schema
        self.objects = objects
        self.suspends = any(each.suspends for each in objects.values())
        self.wanted = frozenset[str]().union(*(each.wanted for each in objects.values()))

    async def complete(self, run: Run, field: Asked, column: Column, origin: Origin) -> Column:
        resolve_type, info = self.kind.resolve_type or default_type_resolver, run.info(field)
        names: Column = [_told(resolve_type, value, info, self.kind) for value in column]
        if awaits(set(map(type, names))):
            names = await settled(names)
        done: list[Any] = [None] * len(column)
        groups: dict[str, list[int]] = {}
        for at, name in enumerate(names):
            if isinstance(name, str) and name in self.objects:
                groups.setdefault(name, []).append(at)
            else:
                done[at] = run.fail(field, origin, at, self._wrong(field, column[at], name))
        for name, places in groups.items():
            some = [column[at] for at in places]
            _put(done, places, await self.objects[name].complete(run, field, some, Picked(origin, places)))
        return done

    def _wrong(self, field: Asked, value: Any, name: Any) -> Exception:
        """Why that is no type of an object here, in graphql-core's words."""
        if isinstance(name, Exception):
            return name
        where = f"for field '{field.parent}.{field.name}'"
        if name is None:
            told = (
                f"Abstract type '{self.kind}' must resolve to an Object type at runtime {where}. Either the '{self.kind}' type "
                "should provide a 'resolve_type' function or each possible type should provide an 'is_type_of' function."
            )
        elif not isinstance(name, str):
            told = (
                f"Abstract type '{self.kind}' must resolve to an Object type at runtime {where} with value {inspect(value)}, "
                f"received '{inspect(name)}', which is not a valid Object type name."
            )
        elif self.schema.get_type(name) is None:
            told = f"Abstract type '{self.kind}' was resolved to a type '{name}' that does not exist inside the schema."
        elif not isinstance(self.schema.get_type(name), GraphQLObjectType):
            told = f"Abstract type '{self.kind}' was resolved to a non-object type '{name}'."
        else:
            told = f"Runtime Object type '{name}' is not a possible type for '{self.kind}'."
        return GraphQLError(told, field.nodes)


def _told(ask: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return ask(*arguments)
    except Exception as error:  # whatever it raises is the error of the field
        return error
