"""Texts of a query string read as values of the schema, and the JSON schemas of such texts. Each reader raises BadInput."""

import re
from collections.abc import Callable
from typing import Any

from graphql import GraphQLEnumType, GraphQLError

from core.errors import BadInput
from resolvers.arguments import PAGE_MOST, TEXT_MOST, text_argument, uuid_argument

SIZES = ("first", "last", "limit")
WHOLE = re.compile(r"-?[0-9]{1,10}")
TEXTS: dict[str, dict[str, Any]] = {
    "ID": {"type": "string", "format": "uuid"},
    "Boolean": {"type": "boolean"},
    "String": {"type": "string", "maxLength": TEXT_MOST},
}
# What such a value looks like.
SCALARS: dict[str, tuple[str, dict[str, Any]]] = {
    "Money": ("a number such as 1250.5", {"type": "number"}),
    "Date": ("a day such as 2026-03-31", {"type": "string", "format": "date"}),
    "DateTime": ("a time such as 2026-03-31T12:00:00Z", {"type": "string", "format": "date-time"}),
}


def reading_of(name: str, argument: str, kind: Any) -> tuple[Callable[[str], Any], dict[str, Any]]:
    """How text becomes a value of a type of the schema, and the JSON schema of that text."""
    if isinstance(kind, GraphQLEnumType):
        return one_of(name, list(kind.values)), {"type": "string", "enum": list(kind.values)}
    if kind.name == "Int":
        least, most = (0, PAGE_MOST) if argument in SIZES else (-(2**31), 2**31 - 1)
        return _number(name, least, most), {"type": "integer", "minimum": least, "maximum": most}
    if kind.name in SCALARS:
        looks, schema = SCALARS[kind.name]
        return _scalar(name, kind, looks), schema
    found: Callable[[str], Callable[[str], Any]] | None = {"ID": _id, "Boolean": boolean, "String": _text}.get(kind.name)
    if found is None:
        raise ValueError(f"has a variable of the type {kind.name}, which no parameter can be")
    return found(name), TEXTS[kind.name]


def one_of(name: str, known: list[str]) -> Callable[[str], str]:
    """Reads one of the known words."""

    def read(text: str) -> str:
        if text not in known:
            raise BadInput(f"{name}: is one of {', '.join(known)}.")
        return text

    return read


def _id(name: str) -> Callable[[str], str]:
    return lambda text: str(uuid_argument(text, name))


def boolean(name: str) -> Callable[[str], bool]:
    """Reads true or false."""

    def read(text: str) -> bool:
        if text not in ("true", "false", "1", "0"):
            raise BadInput(f"{name}: is true or false.")
        return text in ("true", "1")

    return read


def _number(name: str, least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not WHOLE.fullmatch(text) or not least <= int(text) <= most:
            raise BadInput(f"{name}: is a whole number from {least} to {most}.")
        return int(text)

    return read


def _text(name: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        return text_argument(text, name) or ""

    return read


def _scalar(name: str, kind: Any, looks: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        try:
            kind.parse_value(text)
        except (GraphQLError, ValueError):
            raise BadInput(f"{name}: is {looks}.") from None
        return text

    return read
