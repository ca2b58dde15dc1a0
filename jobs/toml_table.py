"""A table of a TOML file, read key by key, with errors that name the key."""

import difflib
import re
from collections.abc import Iterable
from typing import Any

from jobs.mapping import MappingError


class TomlTable:
    """The keys of one table. Each is asked for by its type; ``finish`` refuses those that nobody asked for."""

    def __init__(self, place: str, data: object) -> None:
        if not isinstance(data, dict):
            raise MappingError(f"{place}: must be a table, not {data!r}")
        self.place = place
        self._data: dict[str, Any] = data
        self._asked: set[str] = set()

    def __contains__(self, key: str) -> bool:
        self._asked.add(key)
        return key in self._data

    def take(self, key: str) -> Any:
        """The value as TOML has it, or None."""
        self._asked.add(key)
        return self._data.get(key)

    def at(self, key: str) -> str:
        """The key as errors call it, ``deal[1].owner.by``."""
        return f"{self.place}.{key}" if self.place else key

    def text(self, key: str) -> str | None:
        """A string, or None. Numbers and booleans are taken as they would stand in a CSV file."""
        value = self.take(key)
        return None if value is None else as_text(value, self.at(key))

    def texts(self, key: str) -> tuple[str, ...]:
        """A string or a list of them; none by default."""
        value = self.take(key)
        listed = value if isinstance(value, list) else [] if value is None else [value]
        return tuple(as_text(each, self.at(key)) for each in listed)

    def flag(self, key: str) -> bool | None:
        """true, false, or None."""
        value = self.take(key)
        if value is not None and not isinstance(value, bool):
            raise MappingError(f"{self.at(key)}: must be true or false, not {value!r}")
        return value

    def number(self, key: str) -> int:
        """A whole number of at least 0; 0 by default."""
        value = self.take(key)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
            raise MappingError(f"{self.at(key)}: must be a whole number, not {value!r}")
        return value or 0

    def choice(self, key: str, choices: Iterable[str], default: Any) -> Any:
        """One of ``choices``, or the default."""
        value = self.take(key)
        if value is None:
            return default
        if value not in (known := tuple(choices)):
            raise MappingError(f"{self.at(key)}: must be one of {', '.join(known)}, not {value!r}")
        return value

    def pattern(self, key: str) -> re.Pattern[str] | None:
        """A regular expression, or None."""
        value = self.text(key)
        return None if value is None else as_pattern(value, self.at(key))

    def pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        """A table of texts, as pairs in its order; none by default."""
        value = self.take(key)
        return () if value is None else as_pairs(value, self.at(key))

    def tables(self, key: str) -> "list[TomlTable]":
        """A table or a list of them; none by default."""
        value = self.take(key)
        if isinstance(value, list):
            return [TomlTable(f"{self.at(key)}[{number}]", each) for number, each in enumerate(value, 1)]
        return [] if value is None else [TomlTable(self.at(key), value)]

    def finish(self) -> None:
        """Raises MappingError for a key that means nothing here."""
        for key in self._data.keys() - self._asked:
            near = difflib.get_close_matches(key, self._asked, 1)
            hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(sorted(self._asked))}"
            raise MappingError(f"{self.at(key)}: unknown key; {hint}")


def as_text(value: object, place: str) -> str:
    """A TOML scalar as it would stand in a CSV file."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, dict)):
        raise MappingError(f"{place}: must be a text, not {value!r}")
    if "\0" in str(value):
        raise MappingError(f"{place}: no text holds the character NUL")
    return str(value)


def as_pattern(value: str, place: str) -> re.Pattern[str]:
    """The regular expression. Raises MappingError saying what is wrong with it."""
    try:
        return re.compile(value)
    except re.error as error:
        raise MappingError(f"{place}: {value!r} is not a regular expression: {error}") from error


def as_pairs(value: object, place: str) -> tuple[tuple[str, str], ...]:
    """A TOML table of texts as pairs."""
    if not isinstance(value, dict):
        raise MappingError(f"{place}: must be a table such as {{ Old = 'New' }}, not {value!r}")
    return tuple((str(old), as_text(new, f"{place}.{old}")) for old, new in value.items())
