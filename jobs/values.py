"""Turns the text of a cell into a value that PostgreSQL will take, or says why it cannot."""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import ROUND_HALF_UP, Decimal, DecimalException, InvalidOperation

from core.days import FIRST_DAY, LAST_DAY
from jobs.entities import ACTIVITY_TYPES, Target
from jobs.mapping import FieldMapping

Convert = Callable[[str], object]
TRUE = frozenset({"true", "t", "yes", "y", "1", "on"})
FALSE = frozenset({"false", "f", "no", "n", "0", "off"})
COLOR = re.compile(r"#[0-9a-fA-F]{6}")
CURRENCY = re.compile(r"^(?:[A-Z]{3}|[A-Z]{0,3}[$€£¥₹])\s*|\s*(?:[A-Z]{3}|[$€£¥₹])$")
# Groups of three, or of two above the thousands as in India; a space of any kind or an apostrophe may group as well.
GROUPED = {
    ".": re.compile(r"(\d{1,3}(?:[,'\s]\d{2,3})*[,'\s]\d{3}|\d+)(\.\d*)?"),
    ",": re.compile(r"(\d{1,3}(?:[.'\s]\d{2,3})*[.'\s]\d{3}|\d+)(,\d*)?"),
}
PLAIN = re.compile(r"\d{1,12}(\.\d{1,2})?")
# One mark with three digits behind it, which the decimal one would be if the other were not.
MAY_GROUP = {mark: re.compile(rf"\D*([1-9]\d{{0,2}})[{mark}](\d{{3}})\D*") for mark in GROUPED}
GROUPING = re.compile(r"[.,'\s]")
SCIENTIFIC = re.compile(r"\d(?:\.\d+)?[eE]\+?\d{1,2}")
LARGEST_AMOUNT = Decimal(10) ** 12
CENT = Decimal("0.01")
INTEGERS = range(-(2**31), 2**31)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Day 0 of spreadsheets, which count 29 February 1900, a day that never was.
SPREADSHEET_EPOCH = datetime(1899, 12, 30)
UNITS = {
    "unix": lambda number: EPOCH + timedelta(seconds=number),
    "unix_ms": lambda number: EPOCH + timedelta(milliseconds=number),
    "excel": lambda number: SPREADSHEET_EPOCH + timedelta(days=number),
}
REMEMBERED = 100_000


class BadValueError(ValueError):
    """A cell that cannot be taken. The message is the reason as the report gives it."""


class SkipRowError(Exception):
    """A cell that says its row is to be left out, as the mapping wants it."""


class Remembered(dict[str, object]):
    """Conversions by text: a column repeats itself, and a look in a dict costs a fifth of reading a date."""

    def __init__(self, convert: Convert) -> None:
        super().__init__()
        self._convert = convert

    def __missing__(self, text: str) -> object:
        if len(self) >= REMEMBERED:
            self.clear()
        value = self[text] = self._convert(text)
        return value


def converter(target: Target, field: FieldMapping, blanks: frozenset[str]) -> Convert:
    """Text to the value of the field; None for a blank that may stay one. Raises BadValueError. Not for references."""
    if target.kind == "text":
        return _text(target.limit, blanks, blank_value(target, field, lambda text: text))
    read = _reader(target, field)
    blank = blank_value(target, field, read)

    def convert(text: str) -> object:
        text = text.strip()
        return blank() if text in blanks else read(text)

    # Moments rarely repeat, and ISO 8601 is read in the time a dict takes to learn it; the formats are ten times slower.
    if target.kind == "time" and not field.dates:
        return _iso_first(convert) if field.time_zone is None else convert
    return Remembered(convert).__getitem__


def _iso_first(convert: Convert) -> Convert:
    """The same conversion for times without formats and zone, at a third of the price where they are in UTC."""

    def fast(text: str) -> object:
        try:
            found = datetime.fromisoformat(text) if text else None
        except ValueError:
            found = None
        if found is None or not FIRST_DAY.year <= found.year <= LAST_DAY.year:
            return convert(text)
        if found.tzinfo is None:
            return found.replace(tzinfo=UTC)
        return found if found.tzinfo is UTC else convert(text)

    return fast


def blank_value(target: Target, field: FieldMapping, read: Convert) -> Callable[[], object]:
    """What a blank is worth: the default, nothing, or BadValueError where there must be something."""
    default = field.default
    if default is not None:
        return lambda: read(default)
    if target.required or field.required:
        return _missing
    # A box that is not ticked is exported as a blank as often as not.
    return lambda: False if target.kind == "flag" else None


def _missing() -> object:
    raise BadValueError("is blank, but must be there")


def _text(limit: int, blanks: frozenset[str], blank: Callable[[], object]) -> Convert:
    def convert(text: str) -> object:
        text = text.strip()
        if text in blanks:
            return blank()
        if len(text) > limit:
            raise BadValueError(f"is {len(text):,} characters long; {limit:,} fit")
        return text

    return convert


def _reader(target: Target, field: FieldMapping) -> Convert:
    zone = field.time_zone or UTC
    if target.kind == "time":
        return lambda text: as_time(text, field.dates, zone)
    if target.kind == "date":
        return lambda text: as_date(text, field.dates, zone)
    if target.kind == "flag":
        return as_flag
    if target.kind == "color":
        return as_color
    if target.kind == "choice":
        return as_activity_type
    limits = {"amount": as_amount, "fraction": as_fraction, "integer": as_integer}
    check = limits[target.kind]
    factor = Decimal(field.multiply) if field.multiply else None
    may_group = MAY_GROUP[field.decimal] if target.kind == "amount" and not field.rounds else None

    def number(text: str) -> object:
        if "%" in text and target.kind != "fraction":
            raise BadValueError(f"{shown(text)} is a percentage")
        value = as_number(text, field.decimal)
        if may_group is not None and (found := may_group.fullmatch(text)):
            raise BadValueError(_both_ways(text, found, field.decimal))
        try:
            value = value * factor if factor is not None else value
            value = value.quantize(CENT, ROUND_HALF_UP) if field.rounds else value
            return check(value)
        except DecimalException:
            raise BadValueError(f"{shown(text)} has too many digits") from None
        except BadValueError as error:  # which tells of the value; the cell is what can be found in the file
            raise BadValueError(f"{shown(text if factor is None else f'{text} * {field.multiply}')} {error}") from None

    return number


def _both_ways(text: str, found: re.Match[str], decimal: str) -> str:
    other = "," if decimal == "." else "."
    whole, behind = found.groups()
    means = f"{whole}{behind} or {whole}.{behind.rstrip('0') or '0'}"
    return f"{shown(text)} may be {means}: say round = true if {decimal!r} is the decimal mark, or decimal = {other!r}"


def as_number(text: str, decimal: str = ".") -> Decimal:
    """``1234.5``, ``1,234.50``, ``$1,200``, ``1 200 EUR``, ``12 %``, ``1.5e6``; with a decimal comma, ``1.234,50``."""
    if PLAIN.fullmatch(text) and decimal == ".":
        return Decimal(text)
    rest, sign = text, 1
    if rest.startswith(("-", "+", "(")):
        sign = -1 if rest[0] in "-(" else 1
        rest = rest[1:].removesuffix(")") if rest[0] == "(" else rest[1:]
    is_percent = rest.endswith("%")
    rest = CURRENCY.sub("", rest.removesuffix("%").strip()).strip()
    found = GROUPED[decimal].fullmatch(rest)
    try:
        if found:
            value = Decimal(GROUPING.sub("", found[1]) + (found[2] or "").replace(",", "."))
        elif SCIENTIFIC.fullmatch(rest):
            value = Decimal(rest)
        else:
            raise InvalidOperation
    except InvalidOperation:
        raise BadValueError(f"{shown(text)} is not a number") from None
    return sign * value / 100 if is_percent else sign * value


def as_amount(value: Decimal) -> Decimal:
    """An amount that ``numeric(14, 2)`` holds exactly and that is not negative. Else BadValueError says what it is."""
    if value < 0:
        raise BadValueError("is negative")
    if value >= LARGEST_AMOUNT:
        raise BadValueError("has more than 12 digits before the decimal point")
    cents = value.quantize(CENT)
    if cents != value:
        raise BadValueError("has more than 2 decimals")
    return cents


def as_fraction(value: Decimal) -> float:
    """A probability from 0 to 1."""
    if not 0 <= value <= 1:
        raise BadValueError("is not between 0 and 1; percentages need a % sign or multiply = 0.01")
    return float(value)


def as_integer(value: Decimal) -> int:
    """A whole number of 32 bits."""
    if value != value.to_integral_value() or int(value) not in INTEGERS:
        raise BadValueError("is not a whole number of at most 32 bits")
    return int(value)


def as_flag(text: str) -> bool:
    """true or false, yes or no, 1 or 0."""
    folded = text.casefold()
    if folded in TRUE or folded in FALSE:
        return folded in TRUE
    raise BadValueError(f"{shown(text)} is neither true nor false")


def as_color(text: str) -> str:
    """``#rrggbb``, the sign in front optional."""
    color = text if text.startswith("#") else f"#{text}"
    if COLOR.fullmatch(color):
        return color.lower()
    raise BadValueError(f"{shown(text)} is not a colour such as #64748b")


def as_activity_type(text: str) -> str:
    """One of the types of activities, however it is written."""
    if (kind := text.upper()) in ACTIVITY_TYPES:
        return kind
    raise BadValueError(f"{shown(text)} is not a type of activity: {', '.join(ACTIVITY_TYPES)}")


def as_time(text: str, formats: tuple[str, ...], zone: tzinfo) -> datetime:
    """A moment, in UTC: ISO 8601 or the first of the formats that fits; without an offset it is a time of ``zone``."""
    found = _parsed(text, formats)
    if found.tzinfo is None and zone is UTC:
        return found.replace(tzinfo=UTC)
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)


def as_date(text: str, formats: tuple[str, ...], zone: tzinfo) -> date:
    """A day: of a moment with an offset, the one it is in ``zone``."""
    found = _parsed(text, formats)
    return (found.astimezone(zone) if found.tzinfo else found).date()


def _parsed(text: str, formats: tuple[str, ...]) -> datetime:
    """What the text says. A time zone cannot move a day of these years beyond those that Python knows."""
    found = _read(text, formats)
    if not FIRST_DAY <= found.date() <= LAST_DAY:
        raise BadValueError(f"{shown(text)} is not from {FIRST_DAY} to {LAST_DAY}")
    return found


def _read(text: str, formats: tuple[str, ...]) -> datetime:
    # Of digits alone only a day is ISO 8601: Python takes 1712011200000 for the year 1712, its ninth digit for a separator.
    if len(text) <= 8 or not text.isdecimal():
        with suppress(ValueError):
            return datetime.fromisoformat(text)
    for each in formats:
        try:
            return UNITS[each](float(text)) if each in UNITS else datetime.strptime(text, each)
        except (ValueError, OverflowError):
            continue
    told = ", ".join(("ISO 8601", *formats))
    raise BadValueError(f"{shown(text)} is not a date in any of these formats: {told}")


def shown(text: str) -> str:
    """The text in quotes, cut where it is long, fit for one line of a report."""
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


