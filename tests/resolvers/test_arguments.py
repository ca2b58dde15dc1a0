"""Arguments: each is what was meant, or one clear refusal that names it."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from core.errors import BadInput
from resolvers import arguments
from resolvers.page import PageArguments
from schema.activity import ActivityFilter, ActivityType
from schema.deal import DealFilter, DealStatus
from schema.scalars import parse_money

ID = "01890a5d-ac96-774b-bcce-b302099a8057"


def test_an_id_is_a_uuid_in_either_case() -> None:
    assert arguments.uuid_argument(ID.upper(), "id") == UUID(ID)


@pytest.mark.parametrize("text", ["", "7", "x" * 36, "{" + ID + "}", ID.replace("-", ""), "urn:uuid:" + ID, ID + "\n", "🎉"])
def test_anything_else_is_no_id(text: str) -> None:
    with pytest.raises(BadInput, match=r"^ownerId: "):
        arguments.uuid_argument(text, "ownerId")


@pytest.mark.parametrize(("given", "meant"), [(None, 20), (0, 0), (100, 100)])
def test_a_limit_is_from_0_to_100_and_20_unless_said(given: int | None, meant: int) -> None:
    assert arguments.limit_argument(given) == meant


@pytest.mark.parametrize("limit", [-1, 101, 2**31 - 1])
def test_any_other_limit_is_refused(limit: int) -> None:
    with pytest.raises(BadInput, match=f"limit: must be from 0 to 100, not {limit}"):
        arguments.limit_argument(limit)


@pytest.mark.parametrize(
    ("asked", "size"),
    [(PageArguments(), (20, False)), (PageArguments(first=3), (3, False)), (PageArguments(limit=3), (3, False)), (PageArguments(last=3), (3, True))],
)
def test_a_page_is_taken_from_the_start_or_the_end(asked: PageArguments, size: tuple[int, bool]) -> None:
    assert asked.size() == size


@pytest.mark.parametrize("asked", [PageArguments(first=1, last=1), PageArguments(first=1, limit=1), PageArguments(last=1, limit=1), PageArguments(0, None, 0)])
def test_but_not_from_both(asked: PageArguments) -> None:
    with pytest.raises(BadInput, match="give one of first, last and limit"):
        asked.size()


@pytest.mark.parametrize(("text", "complaint"), [("a\0b", "NUL"), ("x" * 1001, "at most 1000 characters, not 1001")])
def test_text_that_cannot_be_compared_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint):
        arguments.text_argument(text, "search")


def test_a_list_of_more_than_100_values_is_refused() -> None:
    with pytest.raises(BadInput, match="at most 100 values, not 101"):
        arguments.text_list(["x"] * 101, "filter.industry")
    with pytest.raises(BadInput, match=r"filter\.status: at most 100 values, not 101"):
        DealFilter(status=[DealStatus.WON] * 101).values()
    with pytest.raises(BadInput, match=r"filter\.type: at most 100 values, not 101"):
        ActivityFilter(type=[ActivityType.CALL] * 101).values()


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (None, None),
        (datetime(2026, 1, 1, 12), datetime(2026, 1, 1, 12, tzinfo=UTC)),
        (datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2))), datetime(2026, 1, 1, 10, tzinfo=UTC)),
    ],
)
def test_a_time_without_an_offset_is_utc(given: datetime | None, meant: datetime | None) -> None:
    assert arguments.moment_argument(given, "from") == meant


def test_a_time_before_the_year_1_is_refused() -> None:
    with pytest.raises(BadInput, match="years 1 to 9999"):
        arguments.moment_argument(datetime.min.replace(tzinfo=timezone(timedelta(hours=14))), "from")


@pytest.mark.parametrize("name", ["", "Nowhere", "../../etc/passwd", "/etc/passwd", "Europe", "UTC\0", "🎉", "x" * 10_000, "localtime", "right/UTC"])
def test_what_is_no_time_zone_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match=r"^timeZone: "):
        arguments.zone_argument(name)


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "Asia/Kathmandu", "US/Pacific", "Etc/GMT+5"])
def test_the_names_of_the_database_are_time_zones(name: str) -> None:
    assert arguments.zone_argument(name).key == name


@pytest.mark.parametrize("amount", ["1e99999999", "-1e99999999", "1e12", "0.001", "1e-99999999"])
def test_an_amount_that_cannot_be_kept_is_refused(amount: str) -> None:
    with pytest.raises(BadInput, match=r"^valueMin: an amount may "):
        arguments.money_argument(parse_money(amount), "valueMin")


@pytest.mark.parametrize(("given", "meant"), [("1250.50", "1250.5"), (7, "7"), (1e3, "1000"), ("-.5", "-0.5"), ("2.", "2"), ("1E2", "100")])
def test_an_amount_is_written_as_a_number(given: Any, meant: str) -> None:
    assert parse_money(given) == Decimal(meant)


@pytest.mark.parametrize("given", ["1_000", "٣", " 5 ", "5\n", "", ".", "1e", "NaN", "Infinity", "0x1", True, None, [1], float("nan")])
def test_what_is_not_written_so_is_no_amount(given: Any) -> None:
    with pytest.raises(ValueError, match="an amount is a number such as"):
        parse_money(given)


@pytest.mark.parametrize("words", [None, "", "  ", "\t\n"])
def test_a_blank_search_is_none(words: Any) -> None:
    assert arguments.search_argument(words) is None
