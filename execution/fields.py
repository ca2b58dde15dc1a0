"""The kinds of fields: how each is resolved for all objects of a level, and completed."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from core.later import Later
from execution.arguments import Arguments
from execution.asked import Asked
from execution.batched import Batched
from execution.faults import Column, Origin, Shared
from execution.run import Run
from execution.values import Completed, Position, are_ordinary, ordinary


class Begun(NamedTuple):
    """What a field has begun with: its values, or what all of them are awaited by.

    Of values that stand in several places ``which`` has the index of each place's. ``asked`` is how many keys were asked
    for, and ``others`` what stands for the keys that were not.
    """

    values: Column | Awaitable[Column]
    which: Sequence[int] | None = None
    asked: int = 0
    others: Sequence[Any] = ()


class Field(Asked, ABC):
    """A field and how it is resolved and completed. Kinds of it follow."""

    # The attribute of the objects that it reads, if it reads one.
    reads: str | None = None
    position: Position

    @property
    def read_along(self) -> frozenset[str]:
        """What of it, and of what is below, could be read along with the objects that it is asked of."""
        return frozenset()

    @abstractmethod
    def begin(self, run: Run, objects: Column, read: Column) -> Begun:
        """Resolves the field for all objects, of which ``read`` is the attribute that it reads.

        An exception as a value is the error of its object alone.
        """

    def end(self, run: Run, begun: Begun, values: Any, origin: Origin) -> Completed:
        """Completes what was begun and has come: what the answer has for each object."""
        if isinstance(values, Exception):  # of the whole batch: the error of each of its keys
            values = [values] * begun.asked
        if begun.others:
            values = [*values, *begun.others]
        under = self.position.under(origin)
        if begun.which is None:
            return self.position.complete(run, values, under)
        which = begun.which
        done = self.position.complete(run, values, Shared(under, which))
        return done.map(lambda given: [given[at] for at in which]) if isinstance(done, Later) else [done[at] for at in which]


class Typename(Field):
    """``__typename``."""

    def begin(self, run: Run, objects: Column, read: Column) -> Begun:
        return Begun([self.parent.name] * len(objects))


class Attribute(Field):
    """A field that is an attribute of its object."""

    def __init__(self, attribute: str, *place: Any) -> None:
        super().__init__(*place)
        self.reads = attribute

    @property
    def read_along(self) -> frozenset[str]:
        return self.along

    def begin(self, run: Run, objects: Column, read: Column) -> Begun:
        return Begun(read)


class Followed(Field):
    """A field that follows a key to what is loaded: for all objects at once, and for each key once."""

    def __init__(self, batched: Batched, arguments: Arguments, *place: Any) -> None:
        super().__init__(*place)
        self.reads = batched.key
        self._batched = batched
        self._arguments = arguments

    @property
    def read_along(self) -> frozenset[str]:
        along = self._batched.along
        return frozenset() if along is None else frozenset({along})

    def begin(self, run: Run, objects: Column, read: Column) -> Begun:
        try:
            arguments = self._arguments.of(run)
        except Exception as error:  # an argument that does not fit is the error of every object
            return Begun([error] * len(read))
        if self._batched.looks_ahead:
            arguments = {"wanted": self.position.inside.wanted, **arguments}
        asked, which, others = _keys(read)
        found: Any = []
        try:
            if asked:
                found = self._batched.load(run.context, asked, **arguments)
        except Exception as error:  # of the loader: that of each of its keys
            found = [error] * len(asked)
        return Begun(found, which, len(asked), others)


def _keys(read: Column) -> tuple[list[Any], list[int] | None, list[Any]]:
    """The distinct keys, which value each object has, and the values that are not asked for; None: each the one of its key.

    Objects without a key have null, and those whose key cannot be read or looked up its error: ``[s1, None, s1, s2]`` is
    ``[s1, s2], [0, 2, 0, 1], [None]``.
    """
    kinds = set(map(type, read))
    if kinds <= ordinary or are_ordinary(kinds):
        with suppress(Exception):  # of a key that cannot be looked up: it will tell, in its own place
            if len(read) == 1:
                hash(read[0])
                return list(read), None, []
            where = {key: at for at, key in enumerate(dict.fromkeys(read))}
            return list(where), None if len(where) == len(read) else [where[key] for key in read], []
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
    return list(asked), [at if at >= 0 else len(asked) - 1 - at for at in which], others


class Resolved(Field):
    """A field with a resolver, called for each object as graphql-core would; those that are async run at the same time."""

    def __init__(self, resolve: Callable[..., Any], arguments: Arguments, *place: Any) -> None:
        super().__init__(*place)
        self._resolve = resolve
        self._arguments = arguments

    def begin(self, run: Run, objects: Column, read: Column) -> Begun:
        try:
            arguments, info = self._arguments.of(run), run.info(self)
        except Exception as error:  # an argument that does not fit is the error of every object
            return Begun([error] * len(objects))
        found: list[Any] = []
        for each in objects:
            try:
                found.append(self._resolve(each, info, **arguments))
            except Exception as error:  # whatever a resolver raises is the error of its field
                found.append(error)
        return Begun(found)
