"""One level: the objects of one type at one place of the document, and the fields that are asked of them."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from operator import itemgetter
from typing import Any, NamedTuple

from core.later import Later
from execution.faults import Column, Origin, Picked, Place, Under
from execution.fields import Attribute, Field, store
from execution.leaves import Leaf
from execution.run import BREATH, Run
from execution.values import Completed, Position, ordinary

# What reads a field of a named tuple.
FIELD = type(Place.path)


class _Plain(NamedTuple):
    """An attribute with a leaf for a value, as it is looked at; values of some types are ``unchanged``."""

    key: str
    read: Callable[[Any], Any]
    position: Position
    leaf: Leaf
    unchanged: frozenset[type[Any]]

    @classmethod
    def of(cls, field: Field) -> "_Plain":
        """That field as it is looked at."""
        assert field.read is not None and field.position.leaf is not None
        return cls(field.key, field.read, field.position, field.position.leaf, field.position.unchanged)


class Selection:
    """The fields asked of the objects of one type, in the order of the answer. One that stands very deep ``is_put_off``."""

    def __init__(self, fields: Sequence[Field], *, is_put_off: bool) -> None:
        self.fields = fields
        self.wanted = frozenset[str]().union(*(field.wanted for field in fields))
        self.depth = 1 + max((field.position.inside.depth for field in fields), default=0)
        self.along = frozenset[str]().union(*(field.read_along for field in fields))
        self._is_put_off = is_put_off
        # What has most below it comes first, since the most has to be waited for one after the other: 1.03 times as many
        # Dashboards by one connection. Errors are in the order of the document all the same.
        self.deepest_first = sorted(fields, key=lambda field: field.position.inside.depth, reverse=True)
        plain = [field for field in self.deepest_first if isinstance(field, Attribute) and field.position.leaf is not None]
        # Nearly all fields are attributes with a leaf for a value: what is in them is looked at here, and seldom changed.
        self._plain = [_Plain.of(field) for field in plain]
        self._others = [field for field in self.deepest_first if field not in plain]
        # Attributes are read in the order of the document, and two aliases of one read it twice: a property may give another
        # value each time. Their columns are gone through in the order of ``_plain``, and then of ``_others``.
        self._readers = [(field.key, field.read) for field in fields if field.read is not None]
        self._columns = [(field.key, field.reads) for field in (*plain, *self._others) if field.reads is not None]
        self._picks: dict[type[Any], Callable[[list[Column]], Sequence[Column]] | None] = {}
        self._blank: dict[str, Any] = {field.key: None for field in fields}
        filled = frozenset(each.key for each in self._plain)
        self._assemble = assembler(tuple(self._blank), filled) if filled else None

    def run(self, run: Run, objects: Column, origin: Origin) -> list[Any]:
        """An object of the answer for each object. What has to be waited for is put into them as it comes."""
        if len(objects) > BREATH or self._is_put_off:
            rows: list[Any] = [{} for _ in objects]
            for start in range(0, len(objects), BREATH):
                which = range(start, min(start + BREATH, len(objects)))
                run.put_off(partial(self._some, run, objects, origin, rows, which))
            return rows
        return self._one(run, objects, origin) if len(objects) == 1 else self._many(run, objects, origin)

    def start(self, run: Run, field: Field, row: dict[str, Any]) -> None:
        """Begins one field of the root, whose object ``row`` is: those of a mutation come one after the other."""
        field.answer(run, [None], _column(field, None), Origin(), [row])

    def blank(self) -> dict[str, Any]:
        """An object of the answer in which nothing is yet."""
        return self._blank.copy()

    def _one(self, run: Run, objects: Column, origin: Origin) -> list[Any]:
        """As ``_many``, for an object by itself, as half of the levels of a Dashboard have."""
        row, (each,) = self._blank.copy(), objects
        rows = [row]
        for key, read, position, leaf, unchanged in self._plain:
            try:
                value = read(each)
            except Exception as error:  # also whatever a property raises
                value = error
            kind = type(value)
            if kind in unchanged:
                row[key] = value
                continue
            done = leaf.one(value) if kind in ordinary else None
            if done is None:
                store(rows, key, position.complete(run, [value], Under(origin, position.field)))
            else:
                row[key] = done
        for field in self._others:
            field.answer(run, objects, _column(field, each), origin, rows)
        return rows

    def _many(self, run: Run, objects: Column, origin: Origin, rows: list[Any] | None = None) -> list[Any]:
        """The objects of the answer, or ``rows`` made into them."""
        read = iter(self._read(objects))
        columns: list[Column] = []
        waiting: list[tuple[str, Later[Column]]] = []
        # The fields first: a zip that ends with them leaves the columns of the others.
        for (key, _, position, leaf, unchanged), values in zip(self._plain, read, strict=False):
            kinds = set(map(type, values))
            if kinds <= unchanged:
                columns.append(values)
                continue
            done: Completed | None = leaf.whole(values, kinds) if kinds <= ordinary else None
            if done is None:
                done = position.complete(run, values, Under(origin, position.field))
            if isinstance(done, Later):
                waiting.append((key, done))
                done = [None] * len(objects)
            columns.append(done)
        made = self._assemble(columns) if self._assemble else [self._blank.copy() for _ in objects]
        if rows is None:
            rows = made
        else:
            for row, whole in zip(rows, made, strict=True):
                row.update(whole)
        for key, late in waiting:
            store(rows, key, late)
        for field in self._others:
            field.answer(run, objects, () if field.reads is None else next(read), origin, rows)
        return rows

    def _some(self, run: Run, objects: Column, origin: Origin, rows: list[Any], which: range) -> None:
        """Some of the objects, which were put off: into their rows."""
        part = slice(which.start, which.stop)
        self._many(run, objects[part], Picked(origin, which), rows[part])

    def _read(self, objects: Column) -> Sequence[Column]:
        """The attributes of all objects, in the order of ``_columns``; named tuples of one type become columns at once."""
        kinds = set(map(type, objects))
        pick = self._pick(kinds.pop()) if len(kinds) == 1 else None
        if pick is not None:
            return pick(list(zip(*objects, strict=True)))
        found = {key: _attributes(read, objects) for key, read in self._readers}
        return [found[key] for key, _ in self._columns]

    def _pick(self, kind: type[Any]) -> Callable[[list[Column]], Sequence[Column]] | None:
        """What picks the attributes of named tuples of that type from their columns; None for others, or if one is missing."""
        if kind not in self._picks:
            places = _places(kind)
            found = [places[name] for _, name in self._columns if name in places]
            # itemgetter gives a tuple only where it has two places or more: the last is given twice, and once not looked at.
            self._picks[kind] = itemgetter(*found, found[-1]) if found and len(found) == len(self._columns) else None
        return self._picks[kind]


def _places(kind: type[Any]) -> dict[str, int]:
    """The fields of a type of named tuples and where each is; none for what reads them in a way of its own."""
    names = getattr(kind, "_fields", None)
    if not (issubclass(kind, tuple) and isinstance(names, tuple)) or kind.__iter__ is not tuple.__iter__:
        return {}
    if kind.__getattribute__ is not tuple.__getattribute__:
        return {}
    probe = tuple.__new__(kind, range(len(names)))
    own = [type(getattr(kind, name, None)) is FIELD for name in names]  # and not what a subclass says in its place
    return {name: at for at, name in enumerate(names) if own[at] and getattr(probe, name) == at}


def _column(field: Field, each: Any) -> Column:
    """The attribute that a field reads, of one object."""
    return () if field.read is None else [_attribute(field.read, each)]


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


@lru_cache(1024)
def assembler(keys: tuple[str, ...], filled: frozenset[str]) -> Callable[[list[Column]], list[Any]]:
    """A function that makes columns into objects with those keys, null but for the ``filled`` ones.

    One expression, 2.1 times as fast as ``dict(zip())``. Keys are names of GraphQL (``[_A-Za-z][_0-9A-Za-z]*``), so that
    quoting them is all it takes to be safe.
    """
    names = [f"c{at}" for at, key in enumerate(keys) if key in filled]
    shown = ", ".join(f"{key!r}: c{at}" if key in filled else f"{key!r}: None" for at, key in enumerate(keys))
    made = eval(f"lambda columns: [{{{shown}}} for {', '.join(names)}, in zip(*columns)]")  # noqa: S307
    return made  # type: ignore[no-any-return]
