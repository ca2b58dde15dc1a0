"""Compiles what a mapping says about columns into functions of a row: texts to convert, and claims to filter by."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Protocol

from jobs.mapping import Condition, Listed, Lookup, Pairs, Part, Source
from jobs.rows import Row, RowFile
from jobs.values import BadValueError, shown

Cell = Callable[[Row], str]
Claim = Callable[[Row], bool]


class Joins(Protocol):
    """The other files of the export, by the keys that rows are joined on."""

    def answers(self, lookup: Lookup) -> Mapping[str, str]:
        """For each value of the lookup's ``match`` column, the text that it takes."""
        ...

    def listed(self, listed: Listed) -> frozenset[str]:
        """Every value of a column, without blanks."""
        ...


def cell(
    source: Source, file: RowFile, joins: Joins, *, absent_is_blank: bool = False, alike: Counter[bytes] | None = None
) -> Cell:
    """The function that makes the source's text of a row of that file; "" is a blank. It raises BadValueError.

    ``alike`` counts the rows that are alike where each gets a key of its own, in this file and those before. Raises
    MappingError for a column that the file does not have, unless that is to be a blank.
    """
    if source.row_hash:
        return _row_hash(Counter() if alike is None else alike)
    if source.constant is not None:
        return _constant(source.constant)
    steps = _steps(source, joins)
    if source.templates:
        text = _first_of([_template(each, file, absent_is_blank) for each in source.templates])
    elif len(source.columns) == 1 and not steps and source.columns[0] not in file.format.values:
        name = source.columns[0]
        # The common case: no Python at all between the reader and the conversion, which trims and knows blanks.
        return _constant("") if absent_is_blank and not file.has(name) else itemgetter(file.place(name))
    else:
        text = _first_of([column(name, file, absent_is_blank) for name in source.columns])
    return _chain(text, steps)


def column(name: str, file: RowFile, absent_is_blank: bool = False) -> Cell:
    """The trimmed text of a column, translated as the file's ``values`` say; "" for what counts as blank."""
    if absent_is_blank and not file.has(name):
        return _constant("")
    place, blanks = file.place(name), file.format.blanks
    translations = folded(file.format.values.get(name, ()))

    def read(row: Row) -> str:
        text = row[place].strip()
        if translations:
            text = translations.get(text.casefold(), text)
        return "" if text in blanks else text

    return read


def claim(condition: Condition, file: RowFile, joins: Joins) -> Claim:
    """The function that tells whether the condition holds for a row of that file. Raises MappingError."""
    text = column(condition.column, file)
    if condition.blank is not None:
        wanted = condition.blank
        return lambda row: (text(row) == "") is wanted
    if condition.matches is not None:
        search = condition.matches.search
        return lambda row: search(text(row)) is not None
    if condition.among is not None:
        among = condition.among
        return lambda row: text(row).casefold() in among
    if condition.not_among is not None:
        not_among = condition.not_among
        return lambda row: text(row).casefold() not in not_among
    if condition.found_in is not None:
        found = frozenset(map(str.casefold, joins.listed(condition.found_in)))
        return lambda row: text(row).casefold() in found
    assert condition.not_found_in is not None
    unwanted = frozenset(map(str.casefold, joins.listed(condition.not_found_in)))
    return lambda row: text(row).casefold() not in unwanted


def folded(pairs: Pairs) -> dict[str, str]:
    """The pairs as a dict by the case-folded old value."""
    return {old.strip().casefold(): new for old, new in pairs}


def _steps(source: Source, joins: Joins) -> list[Callable[[str], str]]:
    """What is done to the text, in the order that ``Source`` gives."""
    steps: list[Callable[[str], str]] = []
    for pattern, put in source.replace:
        steps.append(lambda text, pattern=pattern, put=put: pattern.sub(put, text).strip())  # type: ignore[misc]
    if source.values or source.other != "keep":
        steps.append(_translation(source))
    if source.case is not None:
        steps.append({"lower": str.lower, "upper": str.upper, "title": str.title}[source.case])
    if source.lookup is not None:
        answers = joins.answers(source.lookup)
        steps.append(lambda text: answers.get(text, ""))
    return steps


def _translation(source: Source) -> Callable[[str], str]:
    values = folded(source.values)

    def translate(text: str) -> str:
        found = values.get(text.casefold())
        if found is not None:
            return found
        if text == "" or source.other == "keep":
            return text
        if source.other == "blank":
            return ""
        raise BadValueError(f"{shown(text)} is not among the values that the mapping translates")

    return translate


def _chain(text: Cell, steps: list[Callable[[str], str]]) -> Cell:
    if not steps:
        return text

    def run(row: Row) -> str:
        found = text(row)
        for step in steps:
            found = step(found)
        return found

    return run


def _first_of(texts: list[Cell]) -> Cell:
    if len(texts) == 1:
        return texts[0]
    return lambda row: next((found for text in texts if (found := text(row))), "")


def _template(template: tuple[Part, ...], file: RowFile, absent_is_blank: bool) -> Cell:
    """``{column}`` is its text; a part in [brackets] is left out where a column in it is blank; all blank is blank."""
    parts = [
        (part.text, [column(name, file, absent_is_blank) for name in part.columns], part.is_optional) for part in template
    ]

    def run(row: Row) -> str:
        made, is_blank = "", True
        for text, columns, is_optional in parts:
            found = tuple([read(row) for read in columns])
            if not is_optional or all(found):
                made += text % found
            is_blank = is_blank and not any(found)
        return "" if is_blank else made.strip()

    return run


def _constant(text: str) -> Cell:
    return lambda row: text


def _row_hash(alike: Counter[bytes]) -> Cell:
    """A key for rows that have none: a hash of all cells, and a number for rows that are alike."""

    def run(row: Row) -> str:
        digest = hashlib.sha256("\x1f".join(row).encode("utf-8", "surrogateescape")).digest()[:16]
        alike[digest] += 1
        return digest.hex() if alike[digest] == 1 else f"{digest.hex()}/{alike[digest]}"

    return run
