"""One level: the objects of one type at one place of the document, and the fields that are asked of them."""

import asyncio
import inspect
from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

from execution.faults import DEAD, Column, Origin
from execution.fields import Attribute, Begun, Field
from execution.leaves import Leaf
from execution.run import Run
from execution.values import BREATH, Position, awaits


class _Plain(NamedTuple):
    """An attribute with a leaf for a value, at its place in the answer; values of some types stay ``as_they_are``."""

    field: Field
    at: int
    name: str
    position: Position
    leaf: Leaf
    as_they_are: frozenset[type[Any]]

    @classmethod
    def of(cls, field: Attribute) -> "_Plain":
        """That field as it is looked at."""
        position, leaf = field.position, field.position.leaf
        assert field.reads is not None
        assert leaf is not None
        unchanged = leaf.as_they_are_or_null if position.is_nullable else leaf.as_they_are
        return cls(field, field.order, field.reads, position, leaf, unchanged)


class Selection:
    """The fields asked of the objects of one type, in the order of the answer."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self.fields = fields
        self.suspends = any(field.suspends or field.position.inside.suspends for field in fields)
        self.wanted = frozenset({field.reads for field in fields if field.reads is not None})
        self._names = sorted(self.wanted)
        self._readers = {name: attrgetter(name) for name in self._names}
        self._layouts: dict[type[Any], dict[str, int] | None] = {}
        # Nearly all fields are attributes with a leaf for a value: what is in them is looked at here, and seldom changed.
        self._plain = [_Plain.of(field) for field in fields if isinstance(field, Attribute) and field.position.leaf is not None]
        self._others = [field for field in fields if not isinstance(field, Attribute) or field.position.leaf is None]
        self._assemble = assembler(tuple(field.key for field in fields)) if fields else None

    async def run(self, run: Run, objects: Column, origin: Origin) -> Column:
        """An object of the answer for each object, DEAD for those in which something failed that may not be null."""
        is_long = len(objects) > BREATH
        read = await self._read_slowly(objects) if is_long else self._read(objects)
        columns: list[Column] = [()] * len(self.fields)
        ready: list[tuple[Field, Begun]] = []
        waiting: list[tuple[Field, Begun]] = []
        if not is_long:
            waiting += self._read_plain(run, read, columns, origin)
        for field in self.fields if is_long else self._others:
            begun = field.begin(run, objects, read)
            values, position = begun.values, field.position
            waits = position.inside.suspends
            if isinstance(values, (list, tuple)) and len(values) <= BREATH:
                kinds = set(map(type, values))
                is_awaited = awaits(kinds)
                waits = waits or is_awaited
                if position.leaf is not None and begun.which is None and not is_awaited:
                    columns[field.order] = position.of_leaves(run, position.leaf, values, kinds, origin, field)
                    continue
            (waiting if waits else ready).append((field, begun))
        # The first of those that wait does so here; only the others need a task. Loads have begun already.
        tasks = [(field, asyncio.create_task(field.end(run, begun, origin))) for field, begun in waiting[1:]]
        try:
            for field, begun in (*ready, *waiting[:1]):
                columns[field.order] = await field.end(run, begun, origin)
            for field, task in tasks:
                columns[field.order] = await task
        except BaseException:
            for _, task in tasks:
                task.cancel()
            for _, begun in (*ready, *waiting):
                _abandon(begun)
            raise
        return await self._assembled(run, columns, len(objects))

    def _read_plain(
        self, run: Run, read: dict[str, Column], columns: list[Column], origin: Origin
    ) -> list[tuple[Field, Begun]]:
        """Fills the columns of plain attributes, but of those that wait for something."""
        waiting: list[tuple[Field, Begun]] = []
        for field, at, name, position, leaf, as_they_are in self._plain:
            values = read[name]
            kinds = set(map(type, values))
            if kinds <= as_they_are:
                columns[at] = values
            elif awaits(kinds):
                waiting.append((field, Begun(values)))
            else:
                columns[at] = position.of_leaves(run, leaf, values, kinds, origin, field)
        return waiting

    async def run_serially(self, run: Run, objects: Column, origin: Origin) -> Column:
        """As ``run``, one field after the other to its end: the root of a mutation (specification, section 6.2.2)."""
        read = self._read(objects)
        columns: list[Column] = []
        for field in self.fields:
            columns.append(await field.end(run, field.begin(run, objects, read), origin))
            if columns[-1][0] is DEAD:
                return [DEAD]
        return await self._assembled(run, columns, len(objects))

    async def _assembled(self, run: Run, columns: list[Column], count: int) -> Column:
        rows: list[Any]
        assemble = self._assemble
        if assemble is None:  # everything was skipped
            return [{} for _ in range(count)]
        if count <= BREATH:
            rows = assemble(columns)
        else:
            rows = []
            for start in range(0, count, BREATH):
                rows += assemble([column[start : start + BREATH] for column in columns])
                await asyncio.sleep(0)
        if run.faults:
            for field, column in zip(self.fields, columns, strict=True):
                if not field.position.is_nullable:
                    for at, value in enumerate(column):
                        if value is DEAD:
                            rows[at] = DEAD
        return rows

    def _read(self, objects: Column) -> dict[str, Column]:
        """The attributes that are wanted of all objects, by name: named tuples of one type are turned into columns at once."""
        if len(objects) == 1:
            try:
                return {name: [read(objects[0])] for name, read in self._readers.items()}
            except Exception:  # each will tell, in its own place
                return {name: _attributes(read, objects) for name, read in self._readers.items()}
        kinds = set(map(type, objects))
        layout = self._layout(kinds.pop()) if len(kinds) == 1 else None
        if layout is not None:
            whole = list(zip(*objects, strict=True))
            return {name: whole[layout[name]] for name in self._names}
        return {name: _attributes(read, objects) for name, read in self._readers.items()}

    async def _read_slowly(self, objects: Column) -> dict[str, Column]:
        read: dict[str, list[Any]] = {name: [] for name in self._names}
        for start in range(0, len(objects), BREATH):
            for name, column in self._read(objects[start : start + BREATH]).items():
                read[name] += column
            await asyncio.sleep(0)
        return dict(read)

    def _layout(self, kind: type[Any]) -> dict[str, int] | None:
        """Where the attributes are in a named tuple of that type; None if it is something else or lacks one."""
        if kind not in self._layouts:
            names = getattr(kind, "_fields", ()) if issubclass(kind, tuple) else ()
            found = {name: names.index(name) for name in self._names if name in names}
            self._layouts[kind] = found if found and len(found) == len(self._names) else None
        return self._layouts[kind]


def _attributes(read: Callable[[Any], Any], objects: Column) -> list[Any]:
    try:
        return [read(each) for each in objects]
    except Exception:  # one of them will tell, in its own place
        return [_attribute(read, each) for each in objects]


def _attribute(read: Callable[[Any], Any], each: Any) -> Any:
    try:
        return read(each)
    except Exception as error:  # also whatever a property raises
        return error


def _abandon(begun: Begun) -> None:
    """Ends what was begun and will not be awaited."""
    values = begun.values
    for each in values if isinstance(values, (list, tuple)) else (values,):
        if isinstance(each, asyncio.Future):
            each.cancel()
        elif inspect.iscoroutine(each) and inspect.getcoroutinestate(each) == inspect.CORO_CREATED:
            each.close()


@lru_cache(1024)
def assembler(keys: tuple[str, ...]) -> Callable[[list[Column]], list[Any]]:
    """A function that makes columns into objects with those keys: one expression, 2.1 times as fast as ``dict(zip())``.

    Keys are names of GraphQL (``[_A-Za-z][_0-9A-Za-z]*``), so that quoting them is all it takes to be safe.
    """
    names = [f"c{at}" for at in range(len(keys))]
    shown = ", ".join(f"{key!r}: {name}" for key, name in zip(keys, names, strict=True))
    made = eval(f"lambda columns: [{{{shown}}} for {', '.join(names)}, in zip(*columns)]")  # noqa: S307
    return made  # type: ignore[no-any-return]

