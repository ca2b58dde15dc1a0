"""Scalars as answers have them: a whole column at once is what each value by itself would be."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from schema.scalars import moment_as_json, moments_as_json, money_as_json, parse_money

ZONES = some.sampled_from([None, ZoneInfo("Europe/Amsterdam"), timezone(timedelta(hours=-3, minutes=-30))])


@given(some.lists(some.datetimes(timezones=some.just(UTC)), min_size=1))
def test_moments_in_utc_are_written_together_as_each_by_itself(moments: list[datetime]) -> None:
    assert moments_as_json(moments, {datetime}) == [moment_as_json(each) for each in moments]


@given(some.lists(some.datetimes(timezones=some.just(UTC))), some.datetimes(timezones=ZONES))
def test_other_moments_are_left_to_be_written_each_by_itself(moments: list[datetime], other: datetime) -> None:
    assert moments_as_json([*moments, other], {datetime}) is None


NO_AMOUNTS = [True, None, [1], "", " 1", "1 ", "1_000", "1x", "١", "NaN", "1e", ".", "1e9999999999999999999"]


@pytest.mark.parametrize("value", NO_AMOUNTS)
def test_what_json_would_not_write_as_a_number_is_no_amount(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^an amount is a number such as 1250\.5$"):
        parse_money(value)


@pytest.mark.parametrize(("value", "amount"), [(0, "0"), (1250.5, "1250.5"), ("-.5", "-0.5"), ("+1.", "1"), ("1e3", "1000")])
def test_an_amount_is_exactly_what_was_written(value: Any, amount: str) -> None:
    assert parse_money(value) == Decimal(amount)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal(1), "1", None])
def test_what_json_has_no_number_for_is_no_amount_of_an_answer(value: Any) -> None:
    with pytest.raises(ValueError, match="finite"):
        money_as_json(value)
