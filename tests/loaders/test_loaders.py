"""Loaders: one statement a batch, answers in key order, and nobody's failure or departure harms another reader."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from inspect import isawaitable
from operator import itemgetter
from typing import Any
from uuid import UUID

import pytest

from cache.reference import Reference
from core.errors import Unavailable
from core.later import Later
from core.viewer import EVERYONE
from db.rows import (
    CompanyName,
    CompanyTotalsRow,
    CountedCompanyRow,
    CountRow,
    OverviewRow,
    OverviewWithDealsRow,
    StageRow,
    StageTotalsRow,
    UserRow,
)
from db.statements import Statement
from loaders import Loaders
from loaders.activity import RecentList
from loaders.base import many_per_key
from loaders.page import Listing, Window
from loaders.reads import REFERENCE
from loaders.report import Span
from schema.company import CompanyFilter
from tests.cache.test_freshness import hearing
from tests.loaders.fake import FakeDatabase
from tests.viewers import rep

NOW = datetime(2026, 1, 1, tzinfo=UTC)
A, B, C = (UUID(int=number) for number in (1, 2, 3))


def user(row_id: UUID, name: str = "Ada") -> UserRow:
    return UserRow(row_id, name, None, None, NOW, NOW)


def stage(row_id: UUID, position: int) -> StageRow:
    return StageRow(row_id, "Stage", "#000000", position, 0.5, False, False, None)


async def test_users_come_in_the_order_asked_and_none_for_who_is_not_there() -> None:
    db = FakeDatabase({"app_user.by_ids": [user(B), user(A)]})
    loaders = Loaders(db, EVERYONE, NOW)
    assert await loaders.user_by_id.load_many([A, C, B]) == [user(A), None, user(B)]
    assert db.ran == {"app_user.by_ids": 1}


async def test_a_key_asked_for_twice_is_loaded_once() -> None:
    db = FakeDatabase({"app_user.by_ids": [user(A)]})
    loaders = Loaders(db, EVERYONE, NOW)
    assert await loaders.user_by_id.load_many([A, A]) == [user(A)] * 2
    assert await loaders.user_by_id.load(A) == user(A)
    assert db.asked == [("app_user.by_ids", (None, [A]))]


async def test_what_is_there_is_kept_in_process_and_ids_of_nothing_are_not() -> None:
    db = FakeDatabase({"app_user.by_ids": [user(A)]})
    reference = Reference(hearing())
    for _ in range(3):
        assert await Loaders(db, EVERYONE, NOW, reference, is_kept=False).user_by_id.load_many([A, B]) == [user(A), None]
    assert [keys for _, (_, keys) in db.asked] == [[A, B], [B], [B]]


async def test_what_is_kept_in_process_is_there_at_once_whichever_way_it_is_asked_for() -> None:
    db = FakeDatabase({"app_user.by_ids": [user(A)]})
    reference = Reference(hearing())
    first, *others = (Loaders(db, EVERYONE, NOW, reference, is_kept=False).user_by_id for _ in range(5))
    assert (first.at_once(A), await first.one(A)) == (None, user(A))
    by_load, by_level, by_one, at_once = others
    assert (await by_load.load(A), by_level.load_all([A]), await by_one.one(A)) == (user(A), [user(A)], user(A))
    assert at_once.at_once(A) == user(A)
    assert db.ran == {"app_user.by_ids": 1}


async def test_nothing_is_kept_in_process_of_which_nobody_could_say_how_old_an_answer_with_it_is() -> None:
    db = FakeDatabase({"app_user.by_ids": [user(A)]})
    reference = Reference(hearing())
    for xmin in (None, None, 5):
        loaders = Loaders(db, EVERYONE, NOW, reference)
        loaders.reads.xmin = xmin
        assert await loaders.user_by_id.one(A) == user(A)
        assert loaders.reads.kept_xmin is None, "it was read now"
    loaders = Loaders(db, EVERYONE, NOW, reference)
    assert await loaders.user_by_id.one(A) == user(A)
    assert (loaders.reads.kept_xmin, len(db.asked)) == (5, 3)


async def test_an_answer_is_as_old_as_the_oldest_of_what_the_process_had_kept_and_of_nothing_else() -> None:
    db = FakeDatabase({"app_user.by_ids": [user(A)], "stage.all": [stage(A, 1)]})
    reference = Reference(hearing())

    async def kept_xmin(xmin: int, *keys: UUID | str) -> int | None:
        loaders = Loaders(db, EVERYONE, NOW, reference)
        loaders.reads.xmin = xmin
        for key in keys:
            await (loaders.user_by_id.one(key) if isinstance(key, UUID) else loaders.stages.one("all"))
        return loaders.reads.kept_xmin

    assert await kept_xmin(5, A, A) is None, "the second time it has what it read itself"
    assert await kept_xmin(9, "all") is None
    assert await kept_xmin(12, B) is None, "another user than what is kept"
    assert await kept_xmin(12, "all") == 9
    assert [await kept_xmin(12, A, "all"), await kept_xmin(12, "all", A)] == [5, 5]


async def test_an_answer_that_is_made_of_what_is_kept_in_process_goes_out_of_date_with_it() -> None:
    db = FakeDatabase({"app_user.by_ids": [user(A)], "stage.all": [stage(A, 1)]})
    reference = Reference(hearing())
    reads = []
    for _ in range(2):
        loaders = Loaders(db, EVERYONE, NOW, reference)
        loaders.reads.xmin = 5
        assert (await loaders.user_by_id.one(A), await loaders.stages.one("all")) == (user(A), [stage(A, 1)])
        reads.append((loaders.reads.tags, loaders.reads.until))
    assert db.ran == {"app_user.by_ids": 1, "stage.all": 1}
    assert reads == [({"users", "stages"}, NOW + REFERENCE)] * 2


async def test_a_stage_of_which_this_process_has_yet_to_hear_is_found_all_the_same() -> None:
    db = FakeDatabase({"stage.all": [stage(A, 1)]})
    reference = Reference(hearing())
    assert await Loaders(db, EVERYONE, NOW, reference, is_kept=False).stage_by_id.one(A) == stage(A, 1)
    db.answers["stage.all"] = [stage(A, 1), stage(B, 2)]
    for loaded in (Loaders(db, EVERYONE, NOW, reference).stage_by_id.load_all([A, B]), Loaders(db, EVERYONE, NOW).stage_by_id.load_all([B])):
        assert isinstance(loaded, Later)
        assert stage(B, 2) in await loaded
    assert await Loaders(db, EVERYONE, NOW, reference).stage_by_id.load(B) == stage(B, 2)


async def test_every_statement_gets_the_visible_owner_first() -> None:
    db = FakeDatabase({"app_user.by_ids": [], "company.by_ids": [], "contact.by_ids": []})
    loaders = Loaders(db, rep(C), NOW)
    await asyncio.gather(loaders.user_by_id.load(A), loaders.company_by_id.load(A), loaders.contact_by_id.load(A))
    assert [args[0] for _, args in db.asked] == [C, C, C]


async def test_what_is_counted_of_companies_comes_in_the_order_of_the_keys() -> None:
    some, nothing = CompanyTotalsRow(A, 3, 2, 9.5, 1), CompanyTotalsRow(B, 0, 0, 0.0, 0)
    loaders = Loaders(FakeDatabase({"company.totals": [some, nothing]}), EVERYONE, NOW)
    assert await loaders.totals_by_company.load_many([B, A]) == [nothing, some]


async def test_what_is_counted_of_a_page_of_companies_is_read_along_with_it() -> None:
    company = (A, "Acme", *[None] * 6, C, None, NOW, NOW, 1, "acme", 1)
    row = CountedCompanyRow._make((*company, 3, 2, 9.5, 1))
    db = FakeDatabase({"company.counted_page_of_all_by_name_up": [row]})
    loaders = Loaders(db, EVERYONE, NOW)
    listing = Listing("company", "all", "name", CompanyFilter().values(), with_totals=True)
    assert await loaders.page(listing, "up").one(Window(None, None, None, 20)) == [row]
    assert loaders.totals_by_company.load_all([A]) == [row], "known without a statement of its own"
    assert {f"contacts-of-company:{A}", f"deals-of-company:{A}", "companies"} <= loaders.reads.tags


async def test_what_was_read_is_not_taken_down_for_an_answer_that_nobody_keeps() -> None:
    loaders = Loaders(FakeDatabase({"app_user.by_ids": [user(A)]}), EVERYONE, NOW, is_kept=False)
    assert await loaders.user_by_id.load(A) == user(A)
    assert loaders.reads.tags == set()


async def test_a_stage_and_all_stages_are_one_statement() -> None:
    db = FakeDatabase({"stage.all": [stage(A, 1), stage(B, 2)]})
    loaders = Loaders(db, EVERYONE, NOW)
    one, everything = await asyncio.gather(loaders.stage_by_id.load(B), loaders.stages.load("all"))
    assert (one, everything) == (stage(B, 2), [stage(A, 1), stage(B, 2)])
    assert db.ran == {"stage.all": 1}
    assert await loaders.stage_by_id.load(C) is None


def test_rows_of_one_key_stay_together_in_their_order_though_those_of_others_lie_between() -> None:
    rows = [(1, "a"), (2, "b"), (1, "c"), (3, "d"), (1, "e")]
    found = many_per_key(rows, [2, 1, 4], key=itemgetter(0))
    assert found == [[(2, "b")], [(1, "a"), (1, "c"), (1, "e")], []]


async def test_windows_of_one_list_are_read_together_and_told_apart_by_place() -> None:
    rows = [user(A)._replace(place=2), user(B)._replace(place=2), user(C)._replace(place=3)]
    db = FakeDatabase({"app_user.page_of_all_by_name_up": rows})
    loaders = Loaders(db, EVERYONE, NOW)
    pages = loaders.page(Listing("app_user", "all", "name", (None, None, None)), "up")
    windows = [Window(None, None, None, size) for size in (1, 2, 3)]
    assert await pages.load_many(windows) == [[], rows[:2], rows[2:]]
    assert db.ran == {"app_user.page_of_all_by_name_up": 1}


async def test_both_short_lists_of_a_dashboard_are_one_statement_and_cut_to_what_each_asked() -> None:
    def activity(place: int) -> Any:
        return type("Activity", (), {"place": place, "company_id": B, "company_name": "Acme", "deal_id": C, "deal_name": None})()

    first, second, task = activity(1), activity(1), activity(2)
    db = FakeDatabase({"reports.recent.of_owner": [first, second, task]})
    loaders = Loaders(db, EVERYONE, NOW)
    recent = loaders.recent(A)
    wanted = [RecentList("activities", 1), RecentList("activities", 5), RecentList("tasks", 5)]
    assert await recent.load_many(wanted) == [[first], [first, second], [task]]
    assert db.asked == [("reports.recent.of_owner", (None, A, 5, 5))]
    assert (loaders.company_names, loaders.deal_names) == ({B: CompanyName(B, "Acme")}, {C: None})
    assert {f"company:{B}", f"deal:{C}"} <= loaders.reads.tags, "a name that is written makes the answer old"


async def test_short_lists_are_lines_where_those_are_enough_for_both() -> None:
    db = FakeDatabase({"reports.recent.lines_of_all": [], "reports.recent.of_all": []})
    recent = Loaders(db, EVERYONE, NOW).recent(None)
    lines, tasks = RecentList("activities", 1, as_lines=True), RecentList("tasks", 1, as_lines=True)
    await asyncio.gather(recent.one(lines), recent.one(tasks))
    assert db.ran == {"reports.recent.lines_of_all": 1}
    await asyncio.gather(recent.one(RecentList("activities", 2)), recent.one(RecentList("tasks", 2, as_lines=True)))
    assert db.ran == {"reports.recent.lines_of_all": 1, "reports.recent.of_all": 1}


@pytest.mark.parametrize("stages", [[A, B], []])
async def test_the_figures_of_a_dashboard_are_one_statement_where_all_of_them_are_wanted(stages: list[UUID]) -> None:
    counted = OverviewRow(1, 2, 3, 4)
    deals = [StageTotalsRow(1, stage, 2, 3.0, 1.5, 0) for stage in stages]
    day, week = Span(NOW, NOW + timedelta(days=1)), Span(NOW, NOW + timedelta(days=7))
    beside: list[tuple[Any, ...]] = [*deals] or [(None,) * 6]
    rows = [OverviewWithDealsRow._make((*counted, *each)) for each in beside]
    db = FakeDatabase(
        {
            "reports.overview.with_deals_of_owner": rows,
            "reports.overview.of_owner": [counted],
            "reports.pipeline.of_owner": deals,
        }
    )
    both, head, pipeline = (Loaders(db, EVERYONE, NOW) for _ in range(3))
    pipeline_of, counted_of = both.overview(A).deals(), both.overview(A).counted(day, week)
    assert (await pipeline_of, await counted_of) == (deals, counted)
    assert db.ran == {"reports.overview.with_deals_of_owner": 1}
    assert await head.overview(A).counted(day, week) == counted
    assert await pipeline.overview(A).deals() == deals
    assert db.ran == dict.fromkeys(
        ("reports.overview.with_deals_of_owner", "reports.overview.of_owner", "reports.pipeline.of_owner"), 1
    )
    assert both.reads.tags == head.reads.tags | pipeline.reads.tags


async def test_a_level_of_keys_is_one_batch_with_whatever_else_is_asked_for_in_that_moment() -> None:
    db = FakeDatabase({"app_user.by_ids": [user(A), user(B)]})
    users = Loaders(db, EVERYONE, NOW).user_by_id
    levels = [users.load_all([A, C]), users.load_all([B, A])]
    assert [await each for each in levels if isawaitable(each)] == [[user(A), None], [user(B), user(A)]]
    assert db.asked == [("app_user.by_ids", (None, [A, C, B]))]
    assert users.load_all([B, C]) == [user(B), None], "what has been loaded is there at once"
    assert await users.load(A) == user(A)
    assert db.ran == {"app_user.by_ids": 1}


async def test_who_has_one_answer_asks_for_the_next_in_the_same_moment() -> None:
    db = FakeDatabase({"app_user.by_ids": [user(A), user(B)]})
    users = Loaders(db, EVERYONE, NOW).user_by_id
    assert [await users.one(key) for key in (A, B)] == [user(A), user(B)]
    assert [keys for _, (_, keys) in db.asked] == [[A], [B]]


async def test_a_level_that_failed_can_be_asked_for_again() -> None:
    db = FakeDatabase({"app_user.by_ids": Unavailable("gone")})
    users = Loaders(db, EVERYONE, NOW).user_by_id
    for _ in range(2):
        with pytest.raises(Unavailable):
            await users.one(A)
    assert db.ran == {"app_user.by_ids": 2}


async def test_a_cancelled_reader_does_not_poison_the_key() -> None:
    loaders = Loaders(FakeDatabase({"app_user.by_ids": [user(A)]}), EVERYONE, NOW)
    impatient = asyncio.ensure_future(loaders.user_by_id.load(A))
    patient = asyncio.ensure_future(loaders.user_by_id.load(A))
    impatient.cancel()
    assert await patient == user(A)
    assert await loaders.user_by_id.load(A) == user(A)


async def test_an_error_that_nobody_waits_for_is_not_told_by_asyncio() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, what: told.append(what))
    loaders = Loaders(FakeDatabase({"app_user.by_ids": Unavailable("away")}), EVERYONE, NOW)
    awaited, left = loaders.user_by_id.load(A), loaders.user_by_id.load(B)
    with pytest.raises(Unavailable):
        await awaited
    await asyncio.sleep(0)
    del left
    gc.collect()
    assert told == []


async def test_a_failed_batch_fails_its_readers_and_is_tried_anew_by_the_next() -> None:
    db = FakeDatabase({"app_user.by_ids": Unavailable("away")})
    loaders = Loaders(db, EVERYONE, NOW)
    found = await asyncio.gather(loaders.user_by_id.load(A), loaders.user_by_id.load(B), return_exceptions=True)
    assert [type(each) for each in found] == [Unavailable, Unavailable]
    db.answers["app_user.by_ids"] = [user(A)]
    assert await loaders.user_by_id.load(A) == user(A)


class Gate:
    """A database that answers when it is told to, statement by statement; each asks for users."""

    def __init__(self) -> None:
        self.asked: list[tuple[list[UUID], asyncio.Future[list[Any]]]] = []

    async def fetch(self, statement: Statement[Any], *args: Any) -> list[Any]:
        self.asked.append((args[1], asyncio.get_running_loop().create_future()))
        return await self.asked[-1][1]


async def test_what_is_written_while_it_is_read_is_not_kept_in_process() -> None:
    freshness = hearing()
    reference = Reference(freshness)
    db = Gate()
    reading = Loaders(db, EVERYONE, NOW, reference, is_kept=False).user_by_id.one(A)
    await asyncio.sleep(0)
    freshness.hear(7, ["users"])
    db.asked[0][1].set_result([user(A, "Before")])
    assert await reading == user(A, "Before")
    again = Loaders(db, EVERYONE, NOW, reference).user_by_id.one(A)
    await asyncio.sleep(0)
    db.asked[1][1].set_result([user(A, "After")])
    assert await again == user(A, "After")


@pytest.mark.parametrize("turns", [0, 5], ids=["in one moment", "while it is read"])
@pytest.mark.parametrize("begun_by", ["load", "one"])
async def test_a_key_is_loaded_once_for_both_ways_in(begun_by: str, turns: int) -> None:
    db = Gate()
    users = Loaders(db, EVERYONE, NOW).user_by_id
    ways: list[Callable[[UUID], Awaitable[Any]]] = [users.load, users.one]
    if begun_by == "one":
        ways.reverse()
    first = ways[0](A)
    for _ in range(turns):
        await asyncio.sleep(0)
    second = ways[1](A)
    for _ in range(5):
        await asyncio.sleep(0)
    assert [keys for keys, _ in db.asked] == [[A]]
    db.asked[0][1].set_result([user(A)])
    assert (await first, await second) == (user(A), user(A))
    assert users.load_all([A]) == [user(A)]
    assert await users.load(A) == user(A)
    assert len(db.asked) == 1


async def test_what_failed_for_both_ways_in_can_be_asked_for_again() -> None:
    db = Gate()
    users = Loaders(db, EVERYONE, NOW).user_by_id
    first, second = users.load(A), users.one(A)
    await asyncio.sleep(0.01)
    db.asked[0][1].set_exception(Unavailable("away"))
    for each in (first, second):
        with pytest.raises(Unavailable):
            await each
    again = users.one(A)
    await asyncio.sleep(0.01)
    db.asked[1][1].set_result([user(A)])
    assert await again == user(A)


async def test_a_failed_batch_fails_its_own_keys_and_not_those_of_others() -> None:
    db = Gate()
    users = Loaders(db, EVERYONE, NOW).user_by_id
    first = users.load_all([A])
    await asyncio.sleep(0)
    both = users.load_all([A, B])
    await asyncio.sleep(0)
    (_, of_a), (_, of_b) = db.asked
    of_b.set_result([user(B)])
    of_a.set_exception(Unavailable("away"))
    assert isinstance(first, Later)
    assert isinstance(both, Later)
    with pytest.raises(Unavailable):
        await first
    failed, found = await both
    assert isinstance(failed, Unavailable)
    assert found == user(B)
    again = users.load_all([B, C])
    await asyncio.sleep(0)
    db.asked[-1][1].set_exception(Unavailable("away"))
    assert isinstance(again, Later)
    assert (await again)[0] == user(B)


async def test_a_batch_that_ends_lets_no_other_go_that_is_under_way() -> None:
    db = Gate()
    users = Loaders(db, EVERYONE, NOW).user_by_id
    first = users.load_all([A])
    await asyncio.sleep(0)
    second = users.load_all([B])
    await asyncio.sleep(0)
    (_, of_a), (_, of_b) = db.asked
    of_a.set_result([user(A)])
    assert isinstance(first, Later)
    await first
    again = users.load_all([B])
    await asyncio.sleep(0)
    assert [keys for keys, _ in db.asked] == [[A], [B]], "who asks for what is being loaded waits for that"
    of_b.set_result([user(B)])
    assert isinstance(second, Later)
    assert isinstance(again, Later)
    assert (await second, await again) == ([user(B)], [user(B)])


@pytest.mark.parametrize("keys", [[A], [A, B]], ids=["for one batch", "for several"])
async def test_who_waits_for_what_is_stopped_is_cancelled(keys: list[UUID]) -> None:
    db = Gate()
    loaders = Loaders(db, EVERYONE, NOW)
    loaders.user_by_id.load_all([A])
    await asyncio.sleep(0)
    waiting = loaders.user_by_id.load_all(keys)
    await asyncio.sleep(0)
    assert [asked for asked, _ in db.asked] == [[key] for key in keys]
    loaders.stop()
    assert isinstance(waiting, Later)
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_batch_that_is_stopped_before_it_begins_ends_and_the_next_begins() -> None:
    db = FakeDatabase({"app_user.by_ids": [user(A)]})
    loaders = Loaders(db, EVERYONE, NOW)
    stopped = loaders.user_by_id.load_all([A])
    loaders.stop()
    assert isinstance(stopped, Later)
    with pytest.raises(asyncio.CancelledError):
        await stopped
    assert db.asked == []
    again = loaders.user_by_id.load_all([A])
    assert isinstance(again, Later)
    assert await again == [user(A)]


async def test_stopping_cancels_what_is_under_way() -> None:
    class SlowDatabase:
        cancelled = False

        async def fetch(self, statement: Statement[Any], *args: object) -> list[Any]:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.cancelled = True
                raise
            return []

    db = SlowDatabase()
    loaders = Loaders(db, EVERYONE, NOW)
    reading = loaders.user_by_id.load(A)
    await asyncio.sleep(0.01)
    loaders.stop()
    await asyncio.sleep(0.01)
    assert db.cancelled
    assert not reading.done()


async def test_a_page_the_first_rows_and_the_length_of_a_list_go_out_of_date_with_the_list() -> None:
    listing, whole = Listing("deal", "company", "created_at", (None,) * 10), Window(A, None, None, 5)
    db = FakeDatabase(
        {
            "deal.page_of_company_by_created_at_down": [],
            "deal.first_of_company_5": [],
            "deal.count_of_company": [CountRow(1, 0)],
        }
    )
    page, first, count = (Loaders(db, EVERYONE, NOW) for _ in range(3))
    assert await page.page(listing, "down").one(whole) == await first.first_of_company(listing, 5).one(A) == []
    assert await count.count(listing).one(A) == 0
    assert page.reads.tags == first.reads.tags == count.reads.tags == {f"deals-of-company:{A}", "stages"}


@pytest.mark.parametrize("limit", [0, 3])
async def test_the_size_of_a_window_reaches_the_statement(limit: int) -> None:
    db = FakeDatabase({"deal.page_of_company_by_created_at_down": []})
    listing = Listing("deal", "company", "created_at", (None,) * 10)
    await Loaders(db, EVERYONE, NOW).page(listing, "down").load(Window(A, None, None, limit))
    ((_, args),) = db.asked
    assert (args[1], args[6]) == ([A], [limit])


async def test_which_companies_have_deals_is_told_by_the_deals_that_are_looked_at() -> None:
    day = Span(NOW, NOW + timedelta(days=1))
    theirs, own = (Loaders(FakeDatabase({}), viewer, NOW).overview(A).tags([(day, day)]) for viewer in (EVERYONE, rep(A)))
    assert f"deals-with-owner:{A}" in theirs
    assert f"deals-of-owner:{A}" in own


async def test_contacts_that_are_counted_are_told_by_the_companies_that_are_shown_with_them() -> None:
    everyone, own = (Loaders(FakeDatabase({}), viewer, NOW).contact_stats("owner").tags([A]) for viewer in (EVERYONE, rep(A)))
    assert set(everyone) == {f"contacts-of-owner:{A}", "companies"}
    assert set(own) == {f"contacts-of-owner:{A}", f"companies-of-owner:{A}"}
