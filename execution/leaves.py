"""Scalars and enums: a column of them completed, for most columns by one look at the types that are in it."""

import math
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
from execution.batched import BY_COLUMN, ByColumn
from execution.faults import Column, Origin
from execution.run import Run

NOTHING = {type(None), type(Undefined)}
# UUIDs of the kinds that have been met.
_uuids: set[type[Any]] = {UUID}
_MOST_INT, _LEAST_INT = 2**31 - 1, -(2**31)


class Leaf:
    """A scalar or an enum. Values of types that are ``unchanged`` need not be looked at any closer."""

    wanted: frozenset[str] = frozenset()
    along: frozenset[str] = frozenset()
    depth = 0

    def __init__(self, kind: GraphQLLeafType) -> None:
        self._kind = kind
        self._coerce = kind.coerce_output_value
        by_column = getattr(kind.coerce_output_value, BY_COLUMN, None) or BUILT_IN.get(kind)
        self._by_column = _each_once(kind) if isinstance(kind, GraphQLEnumType) else by_column
        self.unchanged = UNCHANGED.get(kind, frozenset())

    def complete(self, run: Run, field: Asked, column: Column, kinds: set[type[Any]], origin: Origin) -> Column:
        """What the answer has for each value of a column without nulls: no leaf waits for anything."""
        done = column if kinds <= self.unchanged else self.whole(column, kinds)
        return [self._checked(run, field, value, origin, at) for at, value in enumerate(column)] if done is None else done

    def whole(self, column: Column, kinds: set[type[Any]]) -> Column | None:
        """The same for a column of values of these types in one go; None where each has to be looked at by itself."""
        coerce = self._coerce
        try:
            if self._by_column is not None:
                done = self._by_column(column, kinds)
                if done is not None:
                    return done
            # Not ``map``, for which a StopIteration of a scalar would be the end of the column.
            coerced = [coerce(value) for value in column]
        except Exception:  # one of them will tell, in its own place
            return None
        return coerced if NOTHING.isdisjoint(map(type, coerced)) else None

    def one(self, value: Any) -> Any:
        """The same for a value by itself; None where it fails, which ``complete`` tells."""
        try:
            done = self._coerce(value)
        except Exception:
            return None
        return None if done is Undefined else done

    def _checked(self, run: Run, field: Asked, value: Any, origin: Origin, at: int) -> Any:
        try:
            coerced = self._coerce(value)
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


def finite_floats(column: Column, kinds: set[type[Any]]) -> Column | None:
    """Floats as they are, if that is all there is in the column, and JSON has a number for each."""
    return column if kinds == {float} and all(map(math.isfinite, column)) else None


# By identity: a schema may have a scalar of the same name that does something else.
UNCHANGED: dict[Any, frozenset[type[Any]]] = {
    GraphQLString: frozenset({str}),
    GraphQLBoolean: frozenset({bool}),
    GraphQLID: frozenset({str}),
}
BUILT_IN: dict[Any, ByColumn] = {
    GraphQLID: _ids,
    GraphQLInt: _integers,
    GraphQLFloat: finite_floats,
}


def _each_once(kind: GraphQLEnumType) -> ByColumn:
    def names(column: Column, kinds: set[type[Any]]) -> Column | None:
        try:
            found = {value: kind.coerce_output_value(value) for value in set(column)}
            return [found[value] for value in column]
        except Exception:  # not hashable, or no value of the enum: each by itself
            return None

    return names
