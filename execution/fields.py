"""The kinds of fields: how each is resolved for all objects of a level, and completed."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

from core.later import Later
from execution.arguments import Arguments
from execution.asked import Asked
from execution.batched import ANYTHING, Batched
from execution.faults import Column, Origin, Shared, Under
from execution.run import Run, is_awaitable_kind
from execution.values import Completed, Position, learn, nullable


class Field(Asked, ABC):
    """A field and how it is resolved and completed. Kinds of it follow."""

    # The attribute of the objects that it reads, if it reads one, and what reads it.
    reads: str | None = None
    read: Callable[[Any], Any] | None = None
    position: Position

    @property
    def wanted(self) -> frozenset[str]:
        """The attributes of its objects that are read for it."""
        return frozenset() if self.reads is None else frozenset({self.reads})

    @property
    def read_along(self) -> frozenset[str]:
        """What of it, and of what is below, could be read along with the objects that it is asked of."""
        return frozenset()

    @abstractmethod
    def answer(self, run: Run, objects: Column, read: Column, origin: Origin, rows: list[Any]) -> None:
        """Puts what the answer has for each object into its row: now, or when it has come.

        ``read`` is the attribute that the field reads, of all objects, which stand at ``origin``. An exception as a value is
        the error of its object alone.
        """

    def fill(self, run: Run, values: Column, origin: Origin, rows: list[Any]) -> None:
        """Puts a value for each object into its row, completed."""
        store(rows, self.key, self.position.complete(run, values, Under(origin, self)))


class Typename(Field):
    """``__typename``."""

    def answer(self, run: Run, objects: Column, read: Column, origin: Origin, rows: list[Any]) -> None:
        self.fill(run, [self.parent.name] * len(objects), origin, rows)


class Attribute(Field):
    """A field that is an attribute of its object."""

    def __init__(self, attribute: str, *place: Any) -> None:
        super().__init__(*place)
        self.reads, self.read = attribute, attrgetter(attribute)

    @property
    def read_along(self) -> frozenset[str]:
        return self.along

    def answer(self, run: Run, objects: Column, read: Column, origin: Origin, rows: list[Any]) -> None:
        self.fill(run, read, origin, rows)


class Keys(NamedTuple):
    """The distinct keys of a level, and what its objects have instead of one: null, or why it cannot be read.

    ``which`` has for each object the index of its value among those of the keys, and behind them the others; None where each
    object has the value of its own key.
    """

    asked: list[Any]
    which: list[int] | None
    others: list[Any]


class Followed(Field):
    """A field that follows a key to what is loaded: for all objects at once, and for each key once."""

    def __init__(self, batched: Batched, arguments: Arguments, *place: Any) -> None:
        super().__init__(*place)
        self.reads, self.read = batched.key, attrgetter(batched.key)
        self._batched = batched
        self._arguments = arguments

    @property
    def read_along(self) -> frozenset[str]:
        along = self._batched.along
        return frozenset() if along is None else frozenset({along})

    def answer(self, run: Run, objects: Column, read: Column, origin: Origin, rows: list[Any]) -> None:
        try:
            arguments = self._arguments.of(run)
        except Exception as error:  # an argument that does not fit is the error of every object
            self.fill(run, [error] * len(read), origin, rows)
            return
        if self._batched.looks_ahead:
            arguments = {"wanted": self.position.inside.wanted, **arguments}
        keys = _keys(read)
        found: Any = []
        try:
            if keys.asked:
                found = self._batched.load(run.context, keys.asked, **arguments)
        except Exception as error:  # of the loader: that of each of its keys
            found = error
        if type(found) is not list and is_awaitable_kind(type(found)):
            run.when(found, partial(self._take, run, keys, origin, rows))
        else:
            self._take(run, keys, origin, rows, found)

    def _take(self, run: Run, keys: Keys, origin: Origin, rows: list[Any], values: Any) -> None:
        """Goes on with what was loaded for the keys."""
        asked, which, others = keys
        if isinstance(values, Exception):  # of the whole batch: the error of each of its keys
            values = [values] * len(asked)
        under = Under(origin, self)
        if which is None:
            store(rows, self.key, self.position.complete(run, values, under))
            return
        # Null is put behind what has been completed, where it may be: a column without nulls need not be looked through.
        has_null_left = self.is_nullable and others == [None] and bool(asked)
        if others and not has_null_left:
            values = [*values, *others]
        done = self.position.complete(run, values, Shared(under, which))

        def spread(distinct: Column) -> list[Any]:
            all_of_them = [*distinct, None] if has_null_left else distinct
            return [all_of_them[at] for at in which]

        store(rows, self.key, done.map(spread) if isinstance(done, Later) else spread(done))


def _keys(read: Column) -> Keys:
    """The keys among the values of an attribute.

    Objects without a key have null, and those whose key cannot be read or looked up its error: ``[s1, None, s1, s2]`` is
    ``[s1, s2], [0, 2, 0, 1], [None]``.
    """
    kinds = set(map(type, read))
    if not kinds <= nullable:
        learn(kinds)
    distinct = _distinct(read) if kinds <= nullable else None
    if distinct is not None:
        return distinct
    asked: dict[Any, int] = {}
    others: list[Any] = []
    which: list[int] = []
    for key in read:
        other = key
        if key is not None and not isinstance(key, Exception):
            try:
                which.append(asked.setdefault(key, len(asked)))
                continue
            except Exception as error:  # of a key that cannot be looked up
                other = error
        others.append(other)
        which.append(-len(others))
    return Keys(list(asked), [at if at >= 0 else len(asked) - 1 - at for at in which], others)


def _distinct(read: Column) -> Keys | None:
    """As ``_keys``, of keys and nulls alone, without a look at each of them; None if one cannot be looked up."""
    try:
        distinct = dict.fromkeys(read)
        if len(distinct) == len(read) and None not in distinct:
            return Keys(list(distinct), None, [])
        others = [distinct.pop(None)] if None in distinct else []
        asked = list(distinct)
        where = {key: at for at, key in enumerate((*asked, *others))}
        return Keys(asked, [where[key] for key in read], others)
    except Exception:  # it will tell, in its own place
        return None


class Resolved(Field):
    """A field with a resolver, called for each object as graphql-core would; those that are async run at the same time."""

    def __init__(self, resolve: Callable[..., Any], arguments: Arguments, *place: Any, wants_info: bool = True) -> None:
        super().__init__(*place)
        self._resolve = resolve
        self._arguments = arguments
        self._wants_info = wants_info

    @property
    def wanted(self) -> frozenset[str]:
        return frozenset({ANYTHING})

    def answer(self, run: Run, objects: Column, read: Column, origin: Origin, rows: list[Any]) -> None:
        try:
            arguments, info = self._arguments.of(run), run.info(self) if self._wants_info else None
        except Exception as error:  # an argument that does not fit is the error of every object
            self.fill(run, [error] * len(objects), origin, rows)
            return
        found: list[Any] = []
        for each in objects:
            try:
                found.append(self._resolve(each, info, **arguments))
            except Exception as error:  # whatever a resolver raises is the error of its field
                found.append(error)
        self.fill(run, found, origin, rows)


def store(rows: list[Any], key: str, done: Completed | BaseException) -> None:
    """Puts what the answer has for a field into the row of each object, when it is there.

    Raises what came instead of it, to whoever gives it: errors of fields have been told by then.
    """
    if isinstance(done, Later):
        done.then(partial(store, rows, key))
    elif isinstance(done, BaseException):
        raise done
    else:
        for row, value in zip(rows, done, strict=True):
            row[key] = value
