"""What a client gave of an input: "not given" told from null."""

from collections.abc import Iterator
from dataclasses import fields
from enum import Enum
from typing import Any

import strawberry
from strawberry import UNSET


def given(value: Any) -> dict[str, Any]:
    """The fields of an input object that were given, by name; enums as the text of their value. None gives nothing."""
    return {} if value is None else dict(_given(value))


def _given(value: Any) -> Iterator[tuple[str, Any]]:
    for each in fields(value):
        found = getattr(value, each.name)
        if found is not UNSET:
            yield each.name, found.value if isinstance(found, Enum) else found


def leave(description: str) -> Any:
    """A field of an input that stays as it is unless it is given."""
    return strawberry.field(default=UNSET, description=description)
