"""Lists, objects, interfaces and unions: where a column of values becomes another one, of items or of the next level."""

from collections.abc import AsyncIterable, Callable
from functools import cached_property
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

from core.later import Later, all_of
from execution.asked import Asked
from execution.batched import BY_TYPE
from execution.faults import Column, Items, Origin, Picked
from execution.run import Run, awaits
from execution.values import Completed, Level, Position, put


class ListOf:
    """A list: all items of all lists are completed as one column, and dealt out again.

    What gives its items one by one is gone through before they are completed, and if it raises on the way, that is the only
    error: graphql-core tells those of the items before it as well.
    """

    def __init__(self, item: Position) -> None:
        self.item = item
        self.along = item.inside.along
        self.depth = item.inside.depth

    @property
    def wanted(self) -> frozenset[str]:
        """Those of its items, which an abstract type works out when it is asked for the first time."""
        return self.item.inside.wanted

    def complete(self, run: Run, field: Asked, column: Column, kinds: set[type[Any]], origin: Origin) -> Completed:
        if kinds <= LISTS:
            return self._items(run, column, origin)
        lists: list[Any] = [_as_list(field, value) for value in column]
        if awaits(set(map(type, lists))):
            settled = run.settled(lists)
            return settled.map(lambda given: self.complete(run, field, given, set(map(type, given)), origin))
        places = [at for at, value in enumerate(lists) if not isinstance(value, Exception)]
        for at, value in enumerate(lists):
            if isinstance(value, Exception):
                run.fail(field, origin, at, value)
        some = self._items(run, [lists[at] for at in places], Picked(origin, places))
        return put([None] * len(lists), places, some)

    def _items(self, run: Run, lists: Column, origin: Origin) -> Completed:
        lengths = list(map(len, lists))
        flat = lists[0] if len(lists) == 1 else list(chain.from_iterable(lists))
        if not flat:
            return [[] for _ in lists]
        items = self.item.complete(run, flat, Items(origin, lengths, self.item.is_nullable))
        return items.map(lambda given: _dealt(given, lengths)) if isinstance(items, Later) else _dealt(items, lengths)


LISTS = frozenset({list, tuple})


def _dealt(items: Column, lengths: list[int]) -> Column:
    each = iter(items)
    return [list(islice(each, length)) for length in lengths]


def _as_list(field: Asked, value: Any) -> Any:
    """The items of what a resolver gave for a list, what they are awaited by, or why there are none."""
    try:
        if type(value) is list or isinstance(value, (tuple, Exception)):
            return value
        if isinstance(value, AsyncIterable):
            return _gathered(value)
        if is_iterable(value):
            return [*iter(value)]  # ``list`` asks for a length first
    except Exception as error:  # whatever it raises while it is gone through is the error of the field
        return error
    return GraphQLError(f"Expected Iterable, but did not find one for field '{field.parent}.{field.name}'.")


async def _gathered(iterable: AsyncIterable[Any]) -> list[Any]:
    return [item async for item in iterable]


class ObjectOf:
    """An object type: its objects are the next level."""

    def __init__(self, kind: GraphQLObjectType, selection: Level) -> None:
        self.kind = kind
        self.selection = selection
        self.wanted = selection.wanted
        self.along = selection.along
        self.depth = selection.depth
        # Types whose instances are objects of this type, where nothing but the type of an object says so.
        self._known: set[type[Any]] = set()
        self._goes_by_type = getattr(kind.is_type_of, BY_TYPE, False)

    def complete(self, run: Run, field: Asked, column: Column, kinds: set[type[Any]], origin: Origin) -> Completed:
        is_type_of = self.kind.is_type_of
        if is_type_of is None or kinds <= self._known:
            return self.selection.run(run, column, origin)
        info = run.info(field)
        told: Column = [_told(is_type_of, value, info) for value in column]
        if awaits(set(map(type, told))):
            return run.settled(told).map(lambda settled: self._those(run, field, column, origin, settled))
        return self._those(run, field, column, origin, told)

    def _those(self, run: Run, field: Asked, column: Column, origin: Origin, told: Column) -> Completed:
        """The objects that are of the type; the others have failed."""
        if all(answer is True for answer in told):
            if self._goes_by_type:
                self._known.update(map(type, column))
            return self.selection.run(run, column, origin)
        places: list[int] = []
        for at, (value, answer) in enumerate(zip(column, told, strict=True)):
            if isinstance(answer, Exception):
                run.fail(field, origin, at, answer)
            elif not answer:
                wrong = GraphQLError(f"Expected value of type '{self.kind}' but got: {inspect(value)}.", field.nodes)
                run.fail(field, origin, at, wrong)
            else:
                places.append(at)
        some = self.selection.run(run, [column[at] for at in places], Picked(origin, places)) if places else []
        return put([None] * len(column), places, some)


class AbstractOf:
    """An interface or a union: the objects of each type that occurs are a level of their own.

    What is asked of a type is compiled when one of its objects is met first: of three types that lead to three again, at once
    it would be 3 to the power of the depth.
    """

    # Not known before its types are compiled, but that there is one level at least.
    along: frozenset[str] = frozenset()
    depth = 1

    def __init__(
        self, kind: GraphQLAbstractType, schema: GraphQLSchema, compiled: Callable[[GraphQLObjectType], ObjectOf]
    ) -> None:
        self.kind = kind
        self.schema = schema
        self._types = {each.name: each for each in schema.get_possible_types(kind)}
        self._compiled = compiled
        self._objects: dict[str, ObjectOf] = {}

    @cached_property
    def wanted(self) -> frozenset[str]:
        """Those of all its types."""
        return frozenset[str]().union(*(self._object(name).wanted for name in self._types))

    def _object(self, name: str) -> ObjectOf:
        if name not in self._objects:
            self._objects[name] = self._compiled(self._types[name])
        return self._objects[name]

    def complete(self, run: Run, field: Asked, column: Column, kinds: set[type[Any]], origin: Origin) -> Completed:
        resolve_type, info = self.kind.resolve_type or default_type_resolver, run.info(field)
        names: Column = [_told(resolve_type, value, info, self.kind) for value in column]
        if awaits(set(map(type, names))):
            return run.settled(names).map(lambda settled: self._by_name(run, field, column, origin, settled))
        return self._by_name(run, field, column, origin, names)

    def _by_name(self, run: Run, field: Asked, column: Column, origin: Origin, names: Column) -> Completed:
        groups: dict[str, list[int]] = {}
        for at, name in enumerate(names):
            if isinstance(name, str) and name in self._types:
                groups.setdefault(name, []).append(at)
            else:
                run.fail(field, origin, at, self._wrong(field, column[at], name))
        done: list[Any] = [None] * len(column)
        waiting: list[Later[Column]] = []
        for name, places in groups.items():
            some = [column[at] for at in places]
            made = self._object(name).complete(run, field, some, set(map(type, some)), Picked(origin, places))
            there = put(done, places, made)
            if isinstance(there, Later):
                waiting.append(there)
        return all_of(waiting).map(lambda _: done) if waiting else done

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
