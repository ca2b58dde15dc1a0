"""A mapping: which file and column of an export feeds which field of which entity.

``jobs/mapping_file.py`` reads one from TOML; ``docs/import.md`` explains every key. All of it is hashable, so that a
lookup which is asked for in several places is made once.
"""

import re
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from typing import Literal, NamedTuple

from jobs.entities import Entity


class MappingError(Exception):
    """A mapping that cannot be used, or does not fit the export; the message names the key or file and says why."""


Pairs = tuple[tuple[str, str], ...]
OnUnknown = Literal["error", "null", "default", "skip"]
OnOther = Literal["keep", "error", "blank"]
Pick = Literal["first", "last", "most_common"]
Case = Literal["lower", "upper", "title"]


@dataclass(frozen=True, slots=True)
class Listed:
    """The values of one column of a file, of the rows that ``only`` lets through; ``split`` cuts cells that list several."""

    file: str
    column: str
    split: str | None = None
    only: "tuple[Condition, ...]" = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """A claim about one column of a row; exactly one of the claims is set. Text is compared without regard to case."""

    column: str
    among: frozenset[str] | None = None
    not_among: frozenset[str] | None = None
    blank: bool | None = None
    matches: re.Pattern[str] | None = None
    found_in: Listed | None = None
    not_found_in: Listed | None = None


@dataclass(frozen=True, slots=True)
class Lookup:
    """The rows of another file whose ``match`` is the value; ``take`` of the one that ``pick`` chooses is the answer."""

    file: str
    match: str
    take: "Source"
    pick: Pick = "first"
    only: tuple[Condition, ...] = ()


class Part(NamedTuple):
    """Some of a template: what % makes of ``text`` and the texts of the columns; an optional one wants them all."""

    text: str
    columns: tuple[str, ...]
    is_optional: bool


@dataclass(frozen=True, slots=True)
class Source:
    """Where a text comes from (one of the first four) and what is done to it, in the order of the fields."""

    columns: tuple[str, ...] = ()
    templates: tuple[tuple[Part, ...], ...] = ()
    constant: str | None = None
    row_hash: bool = False
    replace: tuple[tuple[re.Pattern[str], str], ...] = ()
    values: Pairs = ()
    other: OnOther = "keep"
    case: Case | None = None
    lookup: Lookup | None = None


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """How one field is filled: a source, then what its kind of value needs to be told.

    Without a source the field is the claim ``only_if`` itself; with one, it is blank where the claim does not hold.
    """

    source: Source | None
    default: str | None = None
    required: bool = False
    only_if: tuple[Condition, ...] = ()
    blanks: frozenset[str] = frozenset()
    dates: tuple[str, ...] = ()
    time_zone: tzinfo | None = None
    decimal: str = "."
    multiply: str | None = None
    rounds: bool = False
    by: tuple[str, ...] = ("id",)
    missing: OnUnknown = "error"


@dataclass(frozen=True, slots=True)
class Merged:
    """Rows that were merged into others: those whose key is ``gone`` are left out, references to them go to ``into``."""

    gone: Listed
    into: str


@dataclass(frozen=True, slots=True)
class Section:
    """One ``[[entity]]`` of a mapping: rows of one kind from one file, or written out in the mapping itself."""

    place: str
    entity: Entity
    fields: MappingOf[str, FieldMapping]
    file: str | None = None
    rows: tuple[MappingOf[str, str], ...] = ()
    repeats: Literal["error", "first"] = "error"
    is_optional: bool = False
    has_optional_columns: bool = False
    only: tuple[Condition, ...] = ()
    skip: tuple[Condition, ...] = ()
    merged: tuple[Merged, ...] = ()


@dataclass(frozen=True, slots=True)
class FileFormat:
    """How a file is written. ``values`` translates cells of a column, by column, wherever that column is read."""

    encoding: str = "utf-8-sig"
    delimiter: str = ","
    quote: str = '"'
    skip_lines: int = 0
    header: tuple[str, ...] = ()
    blanks: frozenset[str] = frozenset({""})
    values: MappingOf[str, Pairs] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mapping:
    """A whole mapping, from ``path``. ``formats`` are by file name or pattern; ``format`` is for all others."""

    path: Path
    source: str
    sections: tuple[Section, ...]
    format: FileFormat
    formats: MappingOf[str, FileFormat]
