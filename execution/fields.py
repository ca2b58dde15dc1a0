"""The kinds of fields: how each is resolved for all objects of a level, and completed."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from execution.arguments import Arguments
from execution.asked import Asked
from execution.batched import Batched
from execution.faults import Column, Origin, Shared, Under
from execution.run import Run
from execution.values import BREATH, Position


class Begun(NamedTuple):
    """What a field has begun with: its values, some of them awaitable, or what all of them are awaited by.

    Of values that stand in several places ``which`` has the index of each place's. ``asked`` are the keys that were asked
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
    # Whether it may wait for something.
    suspends = False
    position: Position

    @abstractmethod
    def begin(self, run: Run, objects: Column, read: dict[str, Column]) -> Begun:
        """Resolves the field for all objects: an exception as a value is the error of its object alone."""

    async def end(self, run: Run, begun: Begun, origin: Origin) -> Column:
        """Completes what was begun: what the answer has for each object."""
        values = begun.values
        if not isinstance(values, (list, tuple)):
            try:
                values = await values  # type: ignore[misc]
            except Exception as error:  # of the whole batch: the error of each of its keys
                values = [error] * begun.asked
        if begun.others:
            values = [*values, *begun.others]
        under = Under(origin, self.key, self.order, self.position.is_nullable)
        if begun.which is None:
            return await self.position.complete(run, values, under)
        done = await self.position.complete(run, values, Shared(under, begun.which))
        return [done[at] for at in begun.which]


class Typename(Field):
    """``__typename``."""

    def begin(self, run: Run, objects: Column, read: dict[str, Column]) -> Begun:
        return Begun([self.parent.name] * len(objects))


class Attribute(Field):
    """A field that is an attribute of its object."""

    def __init__(self, attribute: str, *place: Any) -> None:
        super().__init__(*place)
        self.reads = attribute

    def begin(self, run: Run, objects: Column, read: dict[str, Column]) -> Begun:
        assert self.reads is not None
        return Begun(read[self.reads])


class Followed(Field):
    """A field that follows a key to what is loaded: for all objects at once, and for each key once."""

    suspends = True

    def __init__(self, batched: Batched, arguments: Arguments, *place: Any) -> None:
        super().__init__(*place)
        self.reads = batched.key
        self._batched = batched
        self._arguments = arguments

    def begin(self, run: Run, objects: Column, read: dict[str, Column]) -> Begun:
        assert self.reads is not None
        keys = read[self.reads]
        try:
            distinct: list[Any] = list(dict.fromkeys(keys))
            arguments = self._arguments.of(run)
            asked = [key for key in distinct if key is not None and not isinstance(key, Exception)]
            if self._batched.looks_ahead:
                arguments = {"wanted": self.position.inside.wanted, **arguments}
            found = self._batched.load(run.context, asked, **arguments) if asked else []
        except Exception as error:  # of an argument or of the loader: the error of every object
            return Begun([error] * len(keys))
        if len(asked) == len(keys):
            return Begun(found, asked=len(asked))
        where = {key: at for at, key in enumerate(asked)}
        # Objects without a key have null, and those whose key could not be read its error: each a value of its own.
        others = [key for key in distinct if key not in where] if len(asked) < len(distinct) else []
        where |= {key: len(asked) + at for at, key in enumerate(others)}
        return Begun(found, [where[key] for key in keys], len(asked), others)


class Resolved(Field):
    """A field with a resolver, called for each object as graphql-core would; those that are async run at the same time."""

    def __init__(self, resolve: Callable[..., Any], arguments: Arguments, suspends: bool, *place: Any) -> None:
        super().__init__(*place)
        self.suspends = suspends
        self._resolve = resolve
        self._arguments = arguments

    def begin(self, run: Run, objects: Column, read: dict[str, Column]) -> Begun:
        try:
            arguments, info = self._arguments.of(run), run.info(self)
        except Exception as error:  # an argument that does not fit is the error of every object
            return Begun([error] * len(objects))
        if len(objects) > BREATH:
            return Begun(self._slowly(objects, info, arguments))
        return Begun(self._called(objects, info, arguments))

    def _called(self, objects: Column, info: Any, arguments: dict[str, Any]) -> list[Any]:
        found: list[Any] = []
        for each in objects:
            try:
                found.append(self._resolve(each, info, **arguments))
            except Exception as error:  # whatever a resolver raises is the error of its field
                found.append(error)
        return found

    async def _slowly(self, objects: Column, info: Any, arguments: dict[str, Any]) -> Column:
        found: list[Any] = []
        for start in range(0, len(objects), BREATH):
            found += self._called(objects[start : start + BREATH], info, arguments)
            await asyncio.sleep(0)
        return found
