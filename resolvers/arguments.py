"""Arguments as clients send them, checked and turned into what statements take. Each raises BadInput."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from core.errors import BadInput
from db.rows import Identifier

T = TypeVar("T")
# What ``numeric(14,2)`` holds.
MONEY_MOST = Decimal("999999999999.99")
PAGE_DEFAULT = 20
PAGE_MOST = 100
TEXT_MOST = 1000
NO_ID = "an id looks like 01890a5d-ac96-774b-bcce-b302099a8057, this does not"
CANONICAL_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def uuid_argument(value: str, name: str) -> UUID:
    """The id that was meant."""
    if not CANONICAL_UUID.fullmatch(value):
        raise BadInput(f"{name}: {NO_ID}.")
    return Identifier(value)


def optional_uuid(value: str | None, name: str) -> UUID | None:
    """The id that was meant, or None where none was given."""
    return None if value is None else uuid_argument(value, name)


def uuid_list(values: Iterable[str] | None, name: str) -> tuple[UUID, ...] | None:
    """The ids that were meant, or None where no list was given. At most ``PAGE_MOST``."""
    return None if values is None else tuple(uuid_argument(value, name) for value in bounded(values, name))


def enum_list(values: Iterable[Enum] | None, name: str) -> tuple[Any, ...] | None:
    """What the members of an enum stand for, or None where no list was given. At most ``PAGE_MOST``."""
    return None if values is None else tuple(each.value for each in bounded(values, name))


def first_given(**named: Any) -> str | None:
    """The name of the first value that was given, or None."""
    return next((name for name, value in named.items() if value is not None), None)


def bounded(values: Iterable[T], name: str) -> list[T]:
    """The values of a list that has at most ``PAGE_MOST``."""
    found = list(values)
    if len(found) > PAGE_MOST:
        raise BadInput(f"{name}: at most {PAGE_MOST} values, not {len(found)}.")
    return found


def limit_argument(value: int | None, name: str = "limit", default: int = PAGE_DEFAULT) -> int:
    """How many rows: ``default`` where it is not said."""
    if value is None:
        return default
    if not 0 <= value <= PAGE_MOST:
        raise BadInput(f"{name}: must be from 0 to {PAGE_MOST}, not {value}.")
    return value


def text_argument(value: str | None, name: str) -> str | None:
    """The text to compare with, or None where none was given."""
    if value is None:
        return None
    if "\0" in value:
        raise BadInput(f"{name}: text cannot hold the character NUL.")
    if len(value) > TEXT_MOST:
        raise BadInput(f"{name}: at most {TEXT_MOST} characters, not {len(value)}.")
    return value


def text_list(values: Iterable[str] | None, name: str) -> tuple[str, ...] | None:
    """The texts to compare with, or None where no list was given."""
    return None if values is None else tuple(text_argument(value, name) or "" for value in bounded(values, name))


def search_argument(value: str | None) -> str | None:
    """What to search for; a blank search is none."""
    text = text_argument(value, "search")
    return text if text and text.strip() else None


def money_argument(value: Any, name: str) -> Decimal | None:
    """The amount to compare with, or None where none was given; as the scalar Money reads it, a Decimal."""
    reason = None if value is None else money_fault(value)
    if reason:
        raise BadInput(f"{name}: an amount {reason}.")
    return None if value is None else cents(value)


def cents(value: Decimal) -> Decimal:
    """An amount with its two decimals; 0e-20000 is an amount too, and no driver writes that."""
    return value.quantize(Decimal("0.01"))


def money_fault(value: Decimal) -> str | None:
    """Why ``numeric(14,2)`` cannot hold the amount exactly; None if it can."""
    if value.copy_abs() > MONEY_MOST:  # abs() rounds, and cannot round 1e99999999
        return f"may be {MONEY_MOST} at most: twelve digits before the point"
    return None if value == cents(value) else "may have two decimals at most"


def moment_argument(value: datetime | None, name: str) -> datetime | None:
    """The time that was meant, or None where none was given; without an offset it is UTC."""
    if value is None:
        return None
    try:
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise BadInput(f"{name}: a time must lie in the years 1 to 9999 of UTC.") from None


def zone_argument(value: str) -> ZoneInfo:
    """The time zone of that IANA name."""
    if value not in _zones():
        raise BadInput("timeZone: not a time zone of the IANA database; it looks like Europe/Berlin or UTC.")
    return ZoneInfo(value)


@cache
def _zones() -> frozenset[str]:
    """The names of the database: a system has files beside them, ``localtime`` and ``right/`` with leap seconds."""
    return frozenset((files("tzdata") / "zones").read_text("utf-8").split())
