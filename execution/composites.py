"""Lists, objects, interfaces and unions: where a column of values becomes another one, of items or of the next level."""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable
from itertools import chain, islice
from typing import Any

from graphql import (
    GraphQLAbstractType,
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    default_type_resolver,
)
from graphql.pyutils import inspect, is_iterable

from execution.asked import Asked
from execution.batched import BY_TYPE
from execution.faults import DEAD, Column, Items, Origin, Picked
from execution.run import Run
from execution.values import Level, Position, awaits, put, settled


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
        if is_type_of is None or (getattr(is_type_of, BY_TYPE, False) and self._known.issuperset(map(type, column))):
            return await self._level(run, column, origin)
        info = run.info(field)
        told: Column = [_told(is_type_of, value, info) for value in column]
        if awaits(set(map(type, told))):
            told = await settled(told)
        if all(answer is True for answer in told):
            self._known.update(map(type, column))
            return await self._level(run, column, origin)
        return await self._those(run, field, column, origin, told)

    def _level(self, run: Run, objects: Column, origin: Origin) -> Awaitable[Column]:
        level = self.selection.run(run, objects, origin)
        return asyncio.create_task(level) if self._starts_anew else level

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
            put(done, places, await self._level(run, some, Picked(origin, places)))
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
            put(done, places, await self.objects[name].complete(run, field, some, Picked(origin, places)))
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
