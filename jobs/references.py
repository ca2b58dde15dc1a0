"""How a row finds the rows it refers to: by id, e-mail address or name, among those of the same source."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from jobs.entities import Target
from jobs.mapping import FieldMapping
from jobs.values import BadValueError, Convert, Remembered, SkipRowError, blank_value, shown


class KeyRow(NamedTuple):
    """One row that may be referred to."""

    id: UUID
    external_id: str
    name: str
    email: str | None


def folded(text: str) -> str:
    """A name or an address as it is compared."""
    return text.strip().casefold()


def naming(way: str, text: str) -> tuple[str, str]:
    """What a text means when rows are looked for in that way: ids are compared as they are."""
    return way, text if way == "id" else folded(text)


class Known:
    """The rows of one entity that may be referred to. Ids are compared as they are, names and addresses by case-fold.

    ``ways`` are those in which any reference of the mapping looks for them; the others are not kept. ``left_out`` are the
    rows of the export that were bad: nothing stands for one of them.
    """

    def __init__(
        self,
        entity: str,
        rows: Iterable[KeyRow],
        merged: Mapping[str, str],
        ways: Collection[str],
        left_out: Collection[tuple[str, str]] = (),
    ) -> None:
        self._entity = entity
        self._left_out = left_out
        self._merged = merged
        self._ids: dict[str, UUID] = {}
        self._by: dict[str, dict[str, list[UUID]]] = {"email": {}, "name": {}}
        for row in rows:
            self._ids[row.external_id] = row.id
            for by, text in (("name", row.name), ("email", row.email)):
                if text and by in ways:
                    self._by[by].setdefault(folded(text), []).append(row.id)

    def find(self, text: str, ways: tuple[str, ...]) -> UUID | None:
        """The id of the row that the text means, trying the ways in turn, or None.

        Raises BadValueError where it means several, or one that was left out.
        """
        for way in ways:
            found = self._one(text, way)
            if found is not None:
                return found
        if any(naming(way, self._merged.get(text, text) if way == "id" else text) in self._left_out for way in ways):
            raise BadValueError(f"its {self._entity} {shown(text)} is a row that was left out as bad")
        return None

    def _one(self, text: str, way: str) -> UUID | None:
        if way == "id":
            return self._ids.get(self._merged.get(text, text))
        found = self._by[way].get(folded(text), [])
        if len(found) > 1:
            raise BadValueError(f"{len(found)} of the {self._entity} rows have the {way} {shown(text)}")
        return found[0] if found else None


def reference(target: Target, field: FieldMapping, blanks: frozenset[str], known: Known) -> Convert:
    """Text to the id of the row it means. Raises BadValueError, or SkipRowError, for one that is not there."""
    if_missing = _if_missing(target, field, known)

    def read(text: str) -> object:
        found = known.find(text, field.by)
        return if_missing(text) if found is None else found

    blank = blank_value(target, field, lambda text: _sure(target, field, known, text))

    def convert(text: str) -> object:
        text = text.strip()
        return blank() if text in blanks else read(text)

    return Remembered(convert).__getitem__


def _if_missing(target: Target, field: FieldMapping, known: Known) -> Callable[[str], object]:
    default = field.default
    if field.missing == "default" and default is not None:
        return lambda text: _sure(target, field, known, default)
    if field.missing == "skip":
        return _skip
    if field.missing == "null":
        return _none if not target.required else lambda text: _sure(target, field, known, text)
    return lambda text: _sure(target, field, known, text)


def _sure(target: Target, field: FieldMapping, known: Known, text: str) -> UUID:
    found = known.find(text, field.by)
    if found is None:
        raise BadValueError(f"there is no {target.refers_to} with {' or '.join(field.by)} {shown(text)}")
    return found


def _none(text: str) -> None:
    return None


def _skip(text: str) -> object:
    raise SkipRowError(text)
