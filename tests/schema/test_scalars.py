"""Scalars as answers have them: a whole column at once is what each value by itself would be."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as some

from schema.scalars import moment_as_json, moments_as_json

ZONES = some.sampled_from([None, ZoneInfo("Europe/Amsterdam"), timezone(timedelta(hours=-3, minutes=-30))])


@given(some.lists(some.datetimes(timezones=some.just(UTC)), min_size=1))
def test_moments_in_utc_are_written_together_as_each_by_itself(moments: list[datetime]) -> None:
    assert moments_as_json(moments, {datetime}) == [moment_as_json(each) for each in moments]


@given(some.lists(some.datetimes(timezones=some.just(UTC))), some.datetimes(timezones=ZONES))
def test_other_moments_are_left_to_be_written_each_by_itself(moments: list[datetime], other: datetime) -> None:
    assert moments_as_json([*moments, other], {datetime}) is None
