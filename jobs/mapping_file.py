"""Reads a mapping from its TOML file."""

import codecs
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from jobs.entities import ENTITIES, LONGEST_KEY, Entity
from jobs.mapping import FieldMapping, FileFormat, Mapping, MappingError, Merged, Section
from jobs.mapping_fields import (
    Defaults,
    needed,
    read_conditions,
    read_dates,
    read_decimal,
    read_field,
    read_listed,
    read_time_zone,
)
from jobs.toml_table import TomlTable, as_pairs

SHIPPED = Path(__file__).parent / "mappings"


def load_mapping(name_or_path: str) -> Mapping:
    """The mapping in a TOML file, or the shipped one of that bare name. Raises MappingError."""
    path = Path(name_or_path)
    shipped = SHIPPED / f"{name_or_path}.toml"
    if not path.is_file() and shipped.is_file():
        path = shipped
    try:
        return read_mapping(tomllib.loads(path.read_text("utf-8-sig")), path)
    except FileNotFoundError as error:
        known = ", ".join(sorted(each.stem for each in SHIPPED.glob("*.toml")))
        raise MappingError(f"{name_or_path}: there is no such file, nor is it a mapping we ship ({known})") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MappingError(f"{path}: cannot be read as TOML: {error}") from error
    except MappingError as error:
        raise MappingError(f"{path}: {error}") from error


def read_mapping(data: dict[str, Any], path: Path) -> Mapping:
    """The mapping of a parsed TOML document. Raises MappingError naming the key."""
    table = TomlTable("", data)
    source = needed(table, "source")
    defaults = Defaults(read_dates(table), read_time_zone(table), read_decimal(table) or ".")
    common = _format(table, FileFormat())
    given = {} if table.take("files") is None else table.take("files")
    files = TomlTable("files", given)
    formats = {name: _file(TomlTable(files.at(f'"{name}"'), files.take(name)), common) for name in given}
    sections = [
        _section(ENTITIES[name], each, defaults) for name in ENTITIES for each in table.tables(name)
    ]  # fmt: skip
    table.finish()
    _refuse_unread(files, set(given), set(_read(data)))
    if not sections:
        raise MappingError(f"maps nothing: it needs at least one of {', '.join(f'[[{name}]]' for name in ENTITIES)}")
    if len(source) > LONGEST_KEY:
        raise MappingError(f"source: is longer than {LONGEST_KEY} characters")
    return Mapping(path, source, tuple(sections), common, formats)


def _read(data: object) -> Iterator[str]:
    """Each file or pattern that the mapping reads, wherever it says so."""
    if isinstance(data, list):
        for each in data:
            yield from _read(each)
    elif isinstance(data, dict):
        for key, value in data.items():
            if key == "file" and isinstance(value, str):
                yield value
            elif key != "files":
                yield from _read(value)


def _refuse_unread(files: TomlTable, told: set[str], read: set[str]) -> None:
    for name in sorted(told):
        if not any(name == each or fnmatchcase(name, each) for each in read):
            near = get_close_matches(name, sorted(read), 1)
            hint = f"did you mean {near[0]}?" if near else f"the mapping reads {', '.join(sorted(read)) or 'no file'}"
            place = files.at(f'"{name}"')
            raise MappingError(f"{place}: nothing reads such a file; {hint}")


def _file(table: TomlTable, common: FileFormat) -> FileFormat:
    values = TomlTable(table.at("values"), table.take("values") or {})
    columns = table.take("values") or {}
    found = replace(
        _format(table, common),
        header=table.texts("header"),
        values={column: as_pairs(values.take(column), values.at(column)) for column in columns},
    )
    table.finish()
    return found


def _format(table: TomlTable, common: FileFormat) -> FileFormat:
    encoding = table.text("encoding") or common.encoding
    try:
        "".encode(encoding)  # which codecs.lookup does not tell: Python has codecs that are not of text
    except (LookupError, ValueError) as error:
        raise MappingError(f"{table.at('encoding')}: {encoding!r} is not an encoding that Python knows") from error
    delimiter, quote = table.text("delimiter") or common.delimiter, table.text("quote") or common.quote
    for key, sign in (("delimiter", delimiter), ("quote", quote)):
        if len(sign) != 1 or sign in "\r\n":
            raise MappingError(f"{table.at(key)}: must be one character, not {sign!r}")
    return replace(
        common,
        # Every export may begin with a byte order mark; this reads those with and those without.
        encoding="utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding,
        delimiter=delimiter,
        quote=quote,
        skip_lines=table.number("skip_lines") if "skip_lines" in table else common.skip_lines,
        blanks=frozenset({"", *table.texts("blanks")}) if "blanks" in table else common.blanks,
    )


def _section(entity: Entity, table: TomlTable, defaults: Defaults) -> Section:
    file, rows = table.text("file"), table.take("rows")
    if (file is None) == (rows is None):
        raise MappingError(f"{table.place}: needs either file or rows")
    literal = _rows(table, entity, rows) if rows is not None else ()
    fields = _written_out(entity, literal, defaults) if literal else _fields(entity, table, defaults)
    section = Section(
        place=table.place,
        entity=entity,
        fields=fields,
        file=file,
        rows=literal,
        repeats=table.choice("repeats", ("error", "first"), "error"),
        is_optional=bool(table.flag("optional")),
        has_optional_columns=bool(table.flag("optional_columns")),
        only=read_conditions(table, "only"),
        skip=read_conditions(table, "skip"),
        merged=tuple(_merged(each) for each in table.tables("merged")),
    )
    table.finish()
    for target in entity.targets.values():
        if target.required and target.name not in fields:
            raise MappingError(f"{table.at(target.name)}: is missing; every {entity.name} needs one")
    return section


def _fields(entity: Entity, table: TomlTable, defaults: Defaults) -> dict[str, FieldMapping]:
    named = [(target, table.take(target.name)) for target in entity.targets.values()]
    return {
        target.name: read_field(target, value, table.at(target.name), defaults)
        for target, value in named
        if value is not None
    }


def _rows(table: TomlTable, entity: Entity, rows: object) -> tuple[dict[str, str], ...]:
    """Rows written out in the mapping. Their key is their name where they have no key of their own."""
    if not isinstance(rows, list) or not rows:
        raise MappingError(f"{table.at('rows')}: must be a list of tables, one for each {entity.name}")
    found = []
    for number, row in enumerate(rows, 1):
        place = f"{table.at('rows')}[{number}]"
        one = TomlTable(place, row)
        cells = {name: text for name in entity.targets if (text := one.text(name)) is not None}
        one.finish()
        found.append(cells if "key" in cells or "name" not in cells else cells | {"key": cells["name"]})
    return tuple(found)


def _written_out(entity: Entity, rows: tuple[dict[str, str], ...], defaults: Defaults) -> dict[str, FieldMapping]:
    used = {name for row in rows for name in row}
    # TOML writes its numbers with a decimal point, whatever the files do.
    defaults = replace(defaults, decimal=".")
    return {
        target.name: read_field(target, target.name, target.name, defaults)
        for target in entity.targets.values()
        if target.name in used
    }


def _merged(table: TomlTable) -> Merged:
    merged = Merged(read_listed(table, "from"), needed(table, "into"))
    table.finish()
    return merged


