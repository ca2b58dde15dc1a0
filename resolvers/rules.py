"""What the fields of a new or changed row may hold. The constraints of the database say the same and have the last word;
these say it for all fields at once, in words for people.

A rule takes the value of a field and gives it back as it is to be written, or raises ValueError with the reason.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from core.days import FIRST_DAY, LAST_DAY
from resolvers.arguments import CANONICAL_UUID, NO_ID, cents, money_fault
from resolvers.refusal import ValidationError

Rule = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a row: its rule, whether it may be null, and what its id is one of."""

    rule: Rule
    is_required: bool = False
    refers_to: str | None = None


def required(rule: Rule) -> Field:
    """A field that every new row has and that no change may take away."""
    return Field(rule, is_required=True)


def optional(rule: Rule) -> Field:
    """A field that may be null."""
    return Field(rule)


def reference(kind: str, *, is_required: bool = False) -> Field:
    """The id of a row of that kind."""
    return Field(identifier, is_required, kind)


def text(most: int) -> Rule:
    """Some text with something to read in it, at most so many characters."""

    def check(value: str) -> str:
        if not re.search(r"\S", value):
            raise ValueError("must not be blank")
        return _bounded(value, most)

    return check


def long_text(most: int) -> Rule:
    """Any text, also none, at most so many characters."""
    return lambda value: _bounded(value, most)


def money(value: Decimal) -> Decimal:
    """An amount that ``numeric(14,2)`` holds exactly, and that is not negative."""
    reason = "must not be negative" if value < 0 else money_fault(value)
    if reason:
        raise ValueError(reason)
    return cents(value)


def likelihood(value: float) -> float:
    """A probability."""
    if not 0 <= value <= 1:
        raise ValueError("must be from 0 to 1")
    return value


def day(value: date) -> date:
    """A date that somebody may have meant."""
    if not FIRST_DAY <= value <= LAST_DAY:
        raise ValueError(f"must be from {FIRST_DAY} to {LAST_DAY}")
    return value


def moment(value: datetime) -> datetime:
    """A time that somebody may have meant; without an offset it is UTC."""
    day(value.date())
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)


def one_of(*values: str) -> Rule:
    """One of these words."""

    def check(value: str) -> str:
        if value not in values:
            raise ValueError(f"must be one of {', '.join(values)}")
        return value

    return check


def identifier(value: str) -> UUID:
    """An id."""
    if not CANONICAL_UUID.fullmatch(value):
        raise ValueError(NO_ID)
    return UUID(value)


def checked(
    given: Mapping[str, Any], fields: Mapping[str, Field], *, is_new: bool
) -> tuple[dict[str, Any], list[ValidationError]]:
    """What was given as it is to be written, by column, and what is wrong with it; all of it."""
    patch: dict[str, Any] = {}
    errors: list[ValidationError] = []
    for name, field in fields.items():
        value = given.get(name)
        if value is None:
            if field.is_required and (is_new or name in given):
                errors.append(ValidationError(shown(name), "must be given and not null" if is_new else "cannot be null"))
            elif name in given:
                patch[name] = None
            continue
        try:
            patch[name] = field.rule(value)
        except ValueError as error:
            errors.append(ValidationError(shown(name), str(error)))
    return patch, errors


def _bounded(value: str, most: int) -> str:
    if "\0" in value:
        raise ValueError("cannot hold the character NUL")
    if len(value) > most:
        raise ValueError(f"may have {most:,} characters at most, not {len(value):,}")
    return value


def shown(column: str) -> str:
    """A column as the schema names it."""
    return re.sub(r"_(\w)", lambda match: match[1].upper(), column)
