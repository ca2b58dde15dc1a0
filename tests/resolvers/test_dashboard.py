"""Days and weeks of a time zone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolvers.dashboard import day_of, week_of

BERLIN = ZoneInfo("Europe/Berlin")
moments = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]).map(ZoneInfo)


@given(now=moments, zone=zones)
def test_now_lies_in_its_day_and_the_day_in_its_week(now: datetime, zone: ZoneInfo) -> None:
    day = day_of(now, zone)
    week = week_of(day)
    assert day.start.astimezone(UTC) <= now < day.end.astimezone(UTC)
    assert week.start.astimezone(UTC) <= day.start.astimezone(UTC)
    assert day.end.astimezone(UTC) <= week.end.astimezone(UTC)
    assert week.start.weekday() == 0
    assert (week.end.date() - week.start.date()).days == 7


@pytest.mark.parametrize(("day", "hours"), [(28, 24), (29, 23)])
def test_the_day_the_clock_goes_forward_has_23_hours(day: int, hours: int) -> None:
    span = day_of(datetime(2026, 3, day, 10, tzinfo=UTC), BERLIN)
    assert span.end.astimezone(UTC) - span.start.astimezone(UTC) == timedelta(hours=hours)


@pytest.mark.parametrize("minutes", [1, 59, 61, 119, 121])
def test_a_day_of_two_midnights_begins_with_the_first(minutes: int) -> None:
    first_midnight, next_day = datetime(2026, 11, 1, 4, tzinfo=UTC), datetime(2026, 11, 2, 5, tzinfo=UTC)
    day = day_of(first_midnight + timedelta(minutes=minutes), ZoneInfo("America/Havana"))
    assert (day.start.astimezone(UTC), day.end.astimezone(UTC)) == (first_midnight, next_day)
