"""Cells as values: what is taken, and what is refused with which reason."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.entities import ENTITIES
from jobs.mapping import FieldMapping
from jobs.values import (
    BadValueError,
    as_activity_type,
    as_amount,
    as_color,
    as_date,
    as_flag,
    as_fraction,
    as_integer,
    as_number,
    as_time,
    converter,
)

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "decimal", "value"),
    [
        ("1234.5", ".", "1234.5"),
        ("1,234.50", ".", "1234.50"),
        ("$1,200", ".", "1200"),
        ("US$ 1,200.00", ".", "1200"),
        ("1 200 EUR", ".", "1200"),
        ("12'345.60", ".", "12345.60"),
        ("12,34,567.89", ".", "1234567.89"),
        ("1.234,50", ",", "1234.50"),
        ("1.234.567", ",", "1234567"),
        ("€ 99,00", ",", "99"),
        ("1,5", ",", "1.5"),
        ("65%", ".", "0.65"),
        ("12,5 %", ",", "0.125"),
        ("1.5E+06", ".", "1500000"),
        ("(42.00)", ".", "-42"),
        ("-$5", ".", "-5"),
        ("0", ".", "0"),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, decimal: str, value: str) -> None:
    assert as_number(text, decimal) == Decimal(value)


@pytest.mark.parametrize(
    ("text", "decimal"),
    [("1,2", "."), ("1.2", ","), ("1,23,4", "."), ("abc", "."), ("NaN", "."), ("1.2.3", "."), ("", "."), ("12 apples", ".")],
)
def test_what_may_mean_another_number_is_refused(text: str, decimal: str) -> None:
    with pytest.raises(BadValueError, match="is not a number"):
        as_number(text, decimal)


@given(st.decimals(min_value=0, max_value=10**12 - 1, places=2))
def test_every_amount_that_fits_comes_out_exactly(amount: Decimal) -> None:
    assert as_amount(as_number(f"{amount:,.2f}")) == amount


@pytest.mark.parametrize(
    ("text", "reason"), [("-1", "negative"), ("1000000000000", "12 digits"), ("1.234", "2 decimals"), ("1e30", "12 digits")]
)
def test_an_amount_that_the_table_cannot_hold_is_refused(text: str, reason: str) -> None:
    with pytest.raises(BadValueError, match=reason):
        as_amount(as_number(text))


@pytest.mark.parametrize(
    ("text", "mapping"),
    [
        ("1e99", FieldMapping(None, rounds=True)),
        ("1" * 40, FieldMapping(None, rounds=True)),
        ("1e99", FieldMapping(None, multiply="1e999999")),
    ],
)
def test_a_number_that_arithmetic_gives_up_on_is_refused(text: str, mapping: FieldMapping) -> None:
    with pytest.raises(BadValueError, match="has too many digits"):
        converter(ENTITIES["deal"].targets["value"], mapping, frozenset({""}))(text)


def test_trailing_zeros_are_no_decimals() -> None:
    assert as_amount(Decimal("12.5000")) == Decimal("12.50")


def test_a_percentage_is_no_amount() -> None:
    for target in (ENTITIES["deal"].targets["value"], ENTITIES["stage"].targets["position"]):
        with pytest.raises(BadValueError, match="'500 %' is a percentage"):
            converter(target, FieldMapping(None), frozenset({""}))("500 %")


@pytest.mark.parametrize(("text", "value"), [("0.125", "0.13"), ("12.345", "12.35"), ("0.005", "0.01"), ("0.1249", "0.12")])
def test_a_half_is_rounded_away_from_zero(text: str, value: str) -> None:
    assert converter(ENTITIES["deal"].targets["value"], FieldMapping(None, rounds=True), frozenset({""}))(text) == Decimal(value)


@pytest.mark.parametrize(
    ("text", "decimal", "told"),
    [
        ("1.500", ".", r"^'1\.500' may be 1500 or 1\.5: say round = true if '\.' is the decimal mark, or decimal = ','$"),
        ("$12.000", ".", r"'\$12\.000' may be 12000 or 12\.0: "),
        ("1,234 EUR", ",", r"'1,234 EUR' may be 1234 or 1\.234: say round = true if ',' is the decimal mark, or decimal = '\.'$"),
        ("1,2345", ",", "^'1,2345' has more than 2 decimals$"),
        ("-1,5", ",", "^'-1,5' is negative$"),
    ],
)
def test_an_amount_that_may_be_thousands_is_refused_as_it_stands_in_the_file(text: str, decimal: str, told: str) -> None:
    with pytest.raises(BadValueError, match=told):
        converter(ENTITIES["deal"].targets["value"], FieldMapping(None, decimal=decimal), frozenset({""}))(text)


@pytest.mark.parametrize(
    ("text", "mapping", "value"),
    [
        ("1.500", FieldMapping(None, rounds=True), "1.5"),
        ("1.500", FieldMapping(None, decimal=","), "1500"),
        ("0.500", FieldMapping(None), "0.5"),
        ("1,234.500", FieldMapping(None), "1234.5"),
        ("1500.000", FieldMapping(None), "1500"),
    ],
)
def test_an_amount_that_can_be_read_in_one_way_is_taken(text: str, mapping: FieldMapping, value: str) -> None:
    assert converter(ENTITIES["deal"].targets["value"], mapping, frozenset({""}))(text) == Decimal(value)


def test_what_was_multiplied_is_told_as_it_stands_in_the_file() -> None:
    target = ENTITIES["deal"].targets["probability"]
    with pytest.raises(BadValueError, match=r"^'250 \* 0\.01' is not between 0 and 1"):
        converter(target, FieldMapping(None, multiply="0.01"), frozenset({""}))("250")


def test_a_percentage_without_its_sign_is_pointed_out() -> None:
    with pytest.raises(BadValueError, match=r"multiply = 0\.01"):
        as_fraction(Decimal(65))


def test_integers_have_32_bits() -> None:
    assert as_integer(Decimal("7.0")) == 7
    for text in ("7.5", "3000000000"):
        with pytest.raises(BadValueError, match="whole number"):
            as_integer(Decimal(text))


def test_flags_colors_and_types_are_read_without_regard_to_case() -> None:
    assert [as_flag(text) for text in ("TRUE", "Yes", "1", "f", "No", "0")] == [True, True, True, False, False, False]
    assert as_color("3B82F6") == "#3b82f6"
    assert as_activity_type("Call") == "CALL"
    for read in (as_flag, as_color, as_activity_type):
        with pytest.raises(BadValueError):
            read("maybe")


@pytest.mark.parametrize(
    ("text", "formats", "moment"),
    [
        ("2026-01-02", (), datetime(2026, 1, 1, 23, tzinfo=UTC)),
        ("2026-07-02 12:00", (), datetime(2026, 7, 2, 10, tzinfo=UTC)),
        ("2026-07-02T12:00:00.5Z", (), datetime(2026, 7, 2, 12, 0, 0, 500_000, tzinfo=UTC)),
        ("2020-12-30 3:15:52", ("%Y-%m-%d %H:%M:%S",), datetime(2020, 12, 30, 2, 15, 52, tzinfo=UTC)),
        ("02/07/2026", ("%d.%m.%Y", "%d/%m/%Y"), datetime(2026, 7, 1, 22, tzinfo=UTC)),
        ("1767225600", ("unix",), datetime(2026, 1, 1, tzinfo=UTC)),
        ("1767225600000", ("unix_ms",), datetime(2026, 1, 1, tzinfo=UTC)),
        ("1712011200000", ("unix_ms",), datetime(2024, 4, 1, 22, 40, tzinfo=UTC)),
        ("1901011200000", ("unix_ms",), datetime(2030, 3, 29, 10, 40, tzinfo=UTC)),
        ("20260102", (), datetime(2026, 1, 1, 23, tzinfo=UTC)),
        ("46023.5", ("excel",), datetime(2026, 1, 1, 11, tzinfo=UTC)),
    ],
)
def test_times_are_iso_or_of_a_given_format_in_the_time_zone_of_the_mapping(
    text: str, formats: tuple[str, ...], moment: datetime
) -> None:
    assert as_time(text, formats, BERLIN) == moment


def test_a_date_is_the_day_in_the_time_zone() -> None:
    assert as_date("2026-01-01T23:30:00Z", (), BERLIN) == date(2026, 1, 2)
    assert as_date("01.02.2026", ("%d.%m.%Y",), UTC) == date(2026, 2, 1)


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01", "0001-01-01T00:00:00+14:00", "1899-12-31T23:59:59", "3000-01-01", "9999-12-31T23:59:59.9999999Z",
        "9999-12-31T23:59:59.999999", "99991231",
    ],
)
@pytest.mark.parametrize("zone", [None, BERLIN])
@pytest.mark.parametrize("name", ["created_at", "expected_close_date"])
def test_a_day_that_nobody_means_is_refused_before_postgresql_takes_it_for_infinity(
    text: str, zone: ZoneInfo | None, name: str
) -> None:
    read = converter(ENTITIES["deal"].targets[name], FieldMapping(None, time_zone=zone), frozenset({""}))
    with pytest.raises(BadValueError, match=f"'{re.escape(text)}' is not from 1900-01-01 to 2999-12-31"):
        read(text)


def test_the_first_and_the_last_day_that_somebody_may_mean_are_taken_in_any_time_zone() -> None:
    assert as_time("1900-01-01", (), BERLIN) == datetime(1899, 12, 31, 23, tzinfo=UTC)
    assert as_date("2999-12-31", (), BERLIN) == date(2999, 12, 31)


@pytest.mark.parametrize("text", ["1e30", "inf", "nan", "1e400"])
@pytest.mark.parametrize("unit", ["unix", "unix_ms", "excel"])
def test_a_number_that_no_calendar_reaches_is_no_date(text: str, unit: str) -> None:
    with pytest.raises(BadValueError, match=f"is not a date in any of these formats: ISO 8601, {unit}"):
        as_time(text, (unit,), UTC)


@pytest.mark.parametrize("text", ["yesterday", "2026-02-30", "0001-01-01T00:00:00+14:00", "32.01.2026"])
def test_no_date_is_refused(text: str) -> None:
    with pytest.raises(BadValueError):
        as_time(text, ("%d.%m.%Y",), BERLIN)
