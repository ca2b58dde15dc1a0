"""Reads the part of a mapping that says how one field is filled: sources, lookups, conditions."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jobs.entities import Target
from jobs.mapping import Condition, FieldMapping, Listed, Lookup, MappingError, Part, Source
from jobs.templates import parts_of
from jobs.toml_table import TomlTable, as_pattern, as_text
from jobs.values import UNITS

ORIGINS = ("column", "first_of", "template", "value", "row_hash")
# Any moment will do: what strftime writes of it, strptime must be able to read.
SAMPLE = datetime(2026, 1, 31, 14, tzinfo=UTC)
YEARS = frozenset("YyGcx")
BY = {"user": ("id", "email", "name"), "stage": ("id", "name"), "contact": ("id",)}
MAY_BE_BY = {"user": ("id", "email", "name"), "contact": ("id", "email", "name")}


@dataclass(frozen=True, slots=True)
class Defaults:
    """What fields are told once for the whole mapping."""

    dates: tuple[str, ...] = ()
    time_zone: tzinfo | None = None
    decimal: str = "."


def read_field(target: Target, value: object, place: str, defaults: Defaults) -> FieldMapping:
    """The mapping of one field: a column's name, or a table. Raises MappingError."""
    by = BY.get(target.refers_to or "", ("id",))
    if isinstance(value, str):
        value = {"column": value}
    table = TomlTable(place, value)
    only_if = read_conditions(table, "only_if")
    is_claim = bool(only_if) and target.kind == "flag" and not any(origin in table for origin in ORIGINS)
    field = FieldMapping(
        source=None if is_claim else read_source(table),
        default=table.text("default"),
        required=bool(table.flag("required")),
        only_if=only_if,
        blanks=frozenset(table.texts("blanks")),
    )
    if target.kind in ("time", "date"):
        field = replace(
            field,
            dates=read_dates(table) or defaults.dates,
            time_zone=read_time_zone(table) or defaults.time_zone,
        )
    if target.kind in ("amount", "fraction", "integer"):
        field = replace(field, decimal=read_decimal(table) or defaults.decimal, multiply=_multiply(table))
        field = replace(field, rounds=bool(table.flag("round")))
    if target.kind == "reference":
        field = replace(field, by=_by(table, target) or by)
        field = replace(field, missing=table.choice("missing", ("error", "null", "default", "skip"), "error"))
        if field.missing == "default" and field.default is None:
            raise MappingError(f"{table.at('missing')}: is 'default', but there is no default")
    table.finish()
    return field


def read_source(table: TomlTable) -> Source:
    """Where the text comes from and what is done to it; leaves the other keys of the table alone."""
    given = [key for key in ORIGINS if key in table]
    if len(given) != 1:
        raise MappingError(f"{table.place}: needs exactly one of {', '.join(ORIGINS)}; it has {given or 'none'}")
    column = table.text("column")
    templates = _templates(table)
    lookups = table.tables("lookup")
    return Source(
        columns=(column,) if column is not None else table.texts("first_of"),
        templates=templates,
        constant=table.text("value"),
        row_hash=bool(table.flag("row_hash")),
        replace=_replacements(table),
        values=table.pairs("values"),
        other=table.choice("other", ("keep", "error", "blank"), "keep"),
        case=table.choice("case", ("lower", "upper", "title"), None),
        lookup=_lookup(lookups[0]) if lookups else None,
    )


def read_conditions(table: TomlTable, key: str) -> tuple[Condition, ...]:
    """The conditions under a key: one table or a list of them."""
    return tuple(_condition(each) for each in table.tables(key))


def read_time_zone(table: TomlTable) -> tzinfo | None:
    """The IANA time zone under ``time_zone``, or None."""
    name = table.text("time_zone")
    try:
        return None if name is None else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise MappingError(f"{table.at('time_zone')}: {name!r} is not an IANA time zone such as Europe/Berlin") from error


def read_dates(table: TomlTable) -> tuple[str, ...]:
    """The date formats under ``dates``; none by default."""
    formats = table.texts("dates")
    for each in formats:
        try:
            if each not in UNITS:
                datetime.strptime(SAMPLE.strftime(each), each)
                _check_codes(set(re.findall("%(.)", each)))
        except (ValueError, re.error) as error:
            raise MappingError(f"{table.at('dates')}: {each!r} is not a date format: {error}") from error
    return formats


def _check_codes(codes: set[str]) -> None:
    if "Z" in codes:
        # strptime knows few names, and gives none of them to the time it makes.
        raise ValueError("%Z, the name of a zone, would not count; %z reads offsets, time_zone is for all other times")
    if codes.isdisjoint(YEARS):
        raise ValueError("it has no year (%Y, or %y for two digits)")


def read_decimal(table: TomlTable) -> str | None:
    """The decimal sign under ``decimal``, or None."""
    sign: str | None = table.choice("decimal", (".", ","), None)
    return sign


def read_listed(table: TomlTable, column: str) -> Listed:
    """The column of another file that the table names under ``file`` and ``column``."""
    only = read_conditions(table, "only")
    return Listed(needed(table, "file"), needed(table, column), table.text("split"), only)


def needed(table: TomlTable, key: str) -> str:
    """A text that must be there."""
    value = table.text(key)
    if not value:
        raise MappingError(f"{table.at(key)}: is missing")
    return value


def _condition(table: TomlTable) -> Condition:
    claims = ("is", "is_not", "blank", "matches", "found_in", "not_found_in")
    given = [claim for claim in claims if claim in table]
    if len(given) != 1:
        raise MappingError(f"{table.place}: needs exactly one of {', '.join(claims)}")
    if table.take(given[0]) == []:
        raise MappingError(f"{table.at(given[0])}: is empty")
    condition = Condition(
        needed(table, "column"),
        among=_folded(table, "is"),
        not_among=_folded(table, "is_not"),
        blank=table.flag("blank"),
        matches=table.pattern("matches"),
        found_in=_listed(table, "found_in"),
        not_found_in=_listed(table, "not_found_in"),
    )
    table.finish()
    return condition


def _folded(table: TomlTable, key: str) -> frozenset[str] | None:
    texts = table.texts(key)
    return frozenset(text.strip().casefold() for text in texts) if texts else None


def _listed(table: TomlTable, key: str) -> Listed | None:
    for each in table.tables(key):
        listed = read_listed(each, "column")
        each.finish()
        return listed
    return None


def _lookup(table: TomlTable) -> Lookup:
    taken = table.take("take")
    if isinstance(taken, str):
        taken = {"column": taken}
    inner = TomlTable(table.at("take"), taken)
    take = read_source(inner)
    inner.finish()
    lookup = Lookup(
        needed(table, "file"),
        needed(table, "match"),
        take,
        table.choice("pick", ("first", "last", "most_common"), "first"),
        read_conditions(table, "only"),
    )
    table.finish()
    return lookup


def _templates(table: TomlTable) -> tuple[tuple[Part, ...], ...]:
    try:
        templates = tuple(map(parts_of, table.texts("template")))
    except MappingError as error:
        raise MappingError(f"{table.at('template')}: {error}") from error
    if not all(any(part.columns for part in template) for template in templates):
        raise MappingError(f"{table.at('template')}: names no {{column}}; a text that is always the same is a value")
    return templates


def _replacements(table: TomlTable) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Pairs of a regular expression and what takes the place of what it finds."""
    pairs = table.take("replace")
    if not isinstance(pairs, list | None):
        raise MappingError(f"{table.at('replace')}: must be a list of pairs, not {pairs!r}")
    found = []
    for number, pair in enumerate(pairs or (), 1):
        place = f"{table.at('replace')}[{number}]"
        if not isinstance(pair, list) or len(pair) != 2:
            raise MappingError(f"{place}: must be a pair, ['what to find', 'what to put there']")
        pattern, put = as_pattern(as_text(pair[0], place), place), as_text(pair[1], place)
        if r"\0" in put:
            raise MappingError(rf"{place}: \0 is the character NUL, which no text holds; \g<0> is all that was found")
        try:
            pattern.sub(put, "")
        except (re.error, IndexError) as error:
            raise MappingError(f"{place}: {put!r} cannot take the place of {pattern.pattern!r}: {error}") from error
        found.append((pattern, put))
    return tuple(found)


def _multiply(table: TomlTable) -> str | None:
    factor = table.text("multiply")
    try:
        if factor is not None and not Decimal(factor).is_finite():
            raise InvalidOperation
    except InvalidOperation as error:
        raise MappingError(f"{table.at('multiply')}: must be a number, not {factor!r}") from error
    return factor


def _by(table: TomlTable, target: Target) -> tuple[str, ...]:
    possible = MAY_BE_BY.get(target.refers_to or "", ("id", "name"))
    for each in (chosen := table.texts("by")):
        if each not in possible:
            raise MappingError(f"{table.at('by')}: a {target.refers_to} is known by {', '.join(possible)}, not {each!r}")
    return chosen
