"""Scalars and enums: a column of them completed, for most columns by one look at the types that are in it."""

import math
from collections.abc import Callable
from typing import Any
from uuid import UUID

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLString,
    Undefined,
)
from graphql.pyutils import inspect

from execution.asked import Asked
from execution.faults import Column, Origin
from execution.run import Run

NOTHING = {type(None), type(Undefined)}
# UUIDs of the kinds that have been met.
_uuids: set[type[Any]] = {UUID}
_MOST_INT, _LEAST_INT = 2**31 - 1, -(2**31)


class Leaf:
    """A scalar or an enum. For most columns one look at the types in it says that nothing is to be done.

    Values of the types ``as_they_are`` need not be looked at any closer.
    """

    wanted: frozenset[str] = frozenset()

    def __init__(self, kind: GraphQLLeafType) -> None:
        self._kind = kind
        self._at_once = AT_ONCE.get(kind) if not isinstance(kind, GraphQLEnumType) else _each_once(kind)
        self.as_they_are = AS_THEY_ARE.get(kind, frozenset())
        self.as_they_are_or_null = self.as_they_are | {type(None)}

    def of(self, run: Run, field: Asked, column: Column, kinds: set[type[Any]], origin: Origin) -> Column:
        """What the answer has for each value of a column in which these types are, and no null: no leaf waits for anything."""
        if self._at_once is not None:
            done = self._at_once(column, kinds)
            if done is not None:
                return done
        coerce = self._kind.coerce_output_value
        try:
            coerced = list(map(coerce, column))
        except Exception:  # one of them will tell, in its own place
            return [self._one(run, field, value, origin, at) for at, value in enumerate(column)]
        if not NOTHING.isdisjoint(map(type, coerced)):
            return [self._one(run, field, value, origin, at) for at, value in enumerate(column)]
        return coerced

    def complete(self, run: Run, field: Asked, column: Column, origin: Origin) -> Column:
        return self.of(run, field, column, set(map(type, column)), origin)

    def _one(self, run: Run, field: Asked, value: Any, origin: Origin, at: int) -> Any:
        try:
            coerced = self._kind.coerce_output_value(value)
        except Exception as error:  # whatever a scalar raises is the error of its field
            run.fail(field, origin, at, error)
            return None
        if coerced is None or coerced is Undefined:
            told = f"Expected `{inspect(self._kind)}.coerce_output_value({inspect(value)})` to return non-nullable value"
            run.fail(field, origin, at, TypeError(f"{told}, returned: {inspect(coerced)}"))
            return None
        return coerced


def _ids(column: Column, kinds: set[type[Any]]) -> Column | None:
    if not kinds <= _uuids:
        if not all(issubclass(kind, UUID) for kind in kinds):
            return None
        _uuids.update(kinds)
    return list(map(str, column))


def _integers(column: Column, kinds: set[type[Any]]) -> Column | None:
    if kinds != {int}:
        return None
    return column if max(column) <= _MOST_INT and min(column) >= _LEAST_INT else None


def _floats(column: Column, kinds: set[type[Any]]) -> Column | None:
    return column if kinds == {float} and all(map(math.isfinite, column)) else None


# By identity: a schema may have a scalar of the same name that does something else.
AS_THEY_ARE: dict[Any, frozenset[type[Any]]] = {
    GraphQLString: frozenset({str}),
    GraphQLBoolean: frozenset({bool}),
    GraphQLID: frozenset({str}),
}
AT_ONCE: dict[Any, Callable[[Column, set[type[Any]]], Column | None]] = {
    GraphQLID: _ids,
    GraphQLInt: _integers,
    GraphQLFloat: _floats,
}


def _each_once(kind: GraphQLEnumType) -> Callable[[Column, set[type[Any]]], Column | None]:
    def names(column: Column, kinds: set[type[Any]]) -> Column | None:
        try:
            found = {value: kind.coerce_output_value(value) for value in set(column)}
            return [found[value] for value in column]
        except Exception:  # not hashable, or no value of the enum: each by itself
            return None

    return names
