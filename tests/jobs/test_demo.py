"""Demo data: always the same, believable, and out of the way of what is not demo data."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

import asyncpg
import pytest

import jobs.demo
from core.errors import Unavailable
from jobs.demo import DemoError, DemoReport, is_empty, load_demo, remove_demo
from jobs.demo_pipeline import BLOCK, blocks
from jobs.demo_rows import COLUMNS, Clock, users, uuid_at

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]

TODAY = datetime(2026, 11, 25, tzinfo=UTC)
STRUCTURE = """
    select pg_get_indexdef(indexrelid) as text from pg_index join pg_class on pg_class.oid = indexrelid
    where relnamespace = 'public'::regnamespace
    union all
    select conrelid::regclass || conname || pg_get_constraintdef(oid) from pg_constraint
    where connamespace = 'public'::regnamespace order by 1
"""


async def contents(sql: "Connection") -> dict[str, list[asyncpg.Record]]:
    """Every row of every table, in the order of the ids."""
    tables = ["app_user", "stage", *COLUMNS]
    return {table: await sql.fetch(f"select * from {table} order by id") for table in tables}


def test_a_pipeline_is_made_the_same_again() -> None:
    assert list(blocks(45, 7, TODAY)) == list(blocks(45, 7, TODAY))


def test_another_seed_makes_other_companies() -> None:
    first, second = next(blocks(20, 1, TODAY)), next(blocks(20, 2, TODAY))
    assert {row[1] for row in first["company"]} != {row[1] for row in second["company"]}


def test_the_next_day_changes_nothing_but_times_and_ids() -> None:
    today, tomorrow = next(blocks(BLOCK, 1, TODAY)), next(blocks(BLOCK, 1, TODAY + timedelta(days=7)))
    for column in ("name", "location", "owner_id", "external_id"):
        place = COLUMNS["company"].split().index(column)
        assert [row[place] for row in today["company"]] == [row[place] for row in tomorrow["company"]]


@pytest.mark.parametrize("companies", [1, 7, 20, 33, 101])
def test_numbers_are_exact_for_any_number_of_companies(companies: int) -> None:
    counted = dict.fromkeys(COLUMNS, 0)
    for block in blocks(companies, 3, TODAY):
        for table, rows in block.items():
            counted[table] += len(rows)
    wanted = {"company": companies, "contact": companies * 5, "deal": companies * 10, "activity": companies * 50}
    assert counted | wanted == counted


def test_bench_data_has_twenty_owners() -> None:
    assert len(users(10_000, TODAY)) == 20
    assert len({user.name for user in users(50_000, TODAY)}) == 100


def test_company_names_and_domains_do_not_repeat() -> None:
    companies = [row for block in blocks(1000, 1, TODAY) for row in block["company"]]
    assert len({row[2] for row in companies}) == 1000


def test_ids_are_version_seven_and_tell_the_time() -> None:
    made = uuid_at(TODAY, 2**74 - 1)
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == int(TODAY.timestamp() * 1000)


@pytest.mark.parametrize("weekday", range(7))
def test_clock_keeps_the_order_and_stays_before_today(weekday: int) -> None:
    clock = Clock(TODAY + timedelta(days=weekday))
    moments = [clock.moment(clock.now - step / 7) for step in range(1, 100)]
    assert moments == sorted(moments, reverse=True)
    assert moments[0] < clock.today
    assert all(moment.weekday() < 5 and 7 <= moment.hour < 17 for moment in moments)


async def test_two_loads_are_equal(database_url: str, sql: "Connection", monkeypatch: pytest.MonkeyPatch) -> None:
    before = await sql.fetch(STRUCTURE)
    report = await load_demo(database_url, companies=40, today=TODAY)
    assert report == DemoReport(users=8, companies=40, contacts=200, deals=400, activities=2000)
    first = await contents(sql)
    monkeypatch.setattr(jobs.demo, "MANY", 1)  # the second time without indexes, as millions of rows go in
    monkeypatch.setattr(jobs.demo, "ACTIVITIES_A_COPY", 900)
    assert await load_demo(database_url, companies=40, today=TODAY, replace=True) == report
    second = await contents(sql)
    for table in first:
        times = {"updated_at"} if table in ("app_user", "stage") else set()
        assert [without(row, times) for row in first[table]] == [without(row, times) for row in second[table]]
    assert await sql.fetch(STRUCTURE) == before


def without(row: asyncpg.Record, columns: set[str]) -> dict[str, object]:
    return {name: value for name, value in row.items() if name not in columns}


async def test_the_pipeline_is_believable(database_url: str, sql: "Connection") -> None:
    await load_demo(database_url, companies=60, today=TODAY)
    never = {
        "a closed deal without closed_at": """
            deal join stage on stage.id = stage_id where (is_won or is_lost) <> (closed_at is not null)""",
        "an open deal without a close date": """
            deal join stage on stage.id = stage_id where not is_won and not is_lost and expected_close_date is null""",
        "a deal closed in the future or before it began": "deal where closed_at >= $1 or closed_at < created_at",
        "a deal with a contact of another company": """
            deal join contact on contact.id = contact_id where contact.company_id <> deal.company_id""",
        "an activity on a deal of another company": """
            activity join deal on deal.id = deal_id where deal.company_id <> activity.company_id""",
        "an activity with a contact of another company": """
            activity join contact on contact.id = contact_id where contact.company_id <> activity.company_id""",
        "an activity before its deal": """
            activity join deal on deal.id = deal_id where activity.created_at < deal.created_at""",
        "a history that does not end in the deal's stage": """
            deal where stage_id <> (
                select stage.id from stage_change join stage on stage.id = to_stage_id
                where deal_id = deal.id order by changed_at desc, position desc limit 1)""",
        "a history that does not begin with the deal": """
            deal where not exists (
                select from stage_change
                where deal_id = deal.id and from_stage_id is null and changed_at = deal.created_at)""",
        "an e-mail address elsewhere": """
            contact join company on company.id = company_id where email not like '%@' || domain""",
        "a row of the future": "company where created_at >= $1",
    }
    for what, where in never.items():
        args = [TODAY] if "$1" in where else []
        assert await sql.fetchval(f"select count(*) from {where}", *args) == 0, what
    always = {
        "most deals belong to the owner of their company": """
            select avg((deal.owner_id = company.owner_id)::int) > 0.8
            from deal join company on company.id = company_id""",
        "some values are unknown": "select avg((value is null)::int) between 0.02 and 0.1 from deal",
        "a third of the deals is open": "select avg((closed_at is null)::int) between 0.25 and 0.6 from deal",
        "all five types": "select count(distinct type) = 5 from activity",
        "something happens today": "select count(*) > 0 from activity where occurred_at >= $1",
        "tasks are overdue": "select count(*) > 0 from activity where due_at < $1 and completed_at is null",
        "tasks are still to come": "select count(*) > 0 from activity where due_at >= $1 and completed_at is null",
        "most tasks are done": """
            select avg((completed_at is not null)::int) > 0.5 from activity where type = 'TASK'""",
        "some companies have no deals": """
            select count(*) > 0 from company where not exists (select from deal where company_id = company.id)""",
        "names in many scripts": "select count(*) > 20 from contact where full_name ~ '[^ -~]'",
    }
    for what, question in always.items():
        args = [TODAY] if "$1" in question else []
        assert await sql.fetchval(question, *args) is True, what


async def test_a_database_with_companies_is_left_alone(database_url: str, sql: "Connection") -> None:
    assert await is_empty(database_url)
    await load_demo(database_url, companies=3, today=TODAY)
    assert not await is_empty(database_url)
    before = await contents(sql)
    with pytest.raises(DemoError, match="--replace"):
        await load_demo(database_url, companies=5, today=TODAY)
    assert await contents(sql) == before


async def test_removing_leaves_other_rows_alone(database_url: str, sql: "Connection") -> None:
    await load_demo(database_url, companies=5, today=TODAY)
    owner = await sql.fetchval("select id from app_user where external_id = 'user-1'")
    stage = await sql.fetchval("select id from stage where external_id = 'proposal'")
    company = await sql.fetchval("insert into company (name, owner_id) values ('Mine', $1) returning id", owner)
    await sql.execute(
        "insert into deal (name, stage_id, company_id, owner_id) values ('Mine too', $1, $2, $3)", stage, company, owner
    )
    removed = await remove_demo(database_url)
    assert (removed.companies, removed.activities) == (5, 250)
    left = await contents(sql)
    assert [row["name"] for row in left["company"] + left["deal"]] == ["Mine", "Mine too"]
    assert [row["id"] for row in left["app_user"] + left["stage"]] == [owner, stage]
    assert [row["deal_id"] for row in left["stage_change"]] == [left["deal"][0]["id"]]
    assert not left["contact"] + left["activity"]
    again = await load_demo(database_url, companies=5, today=TODAY, replace=True)
    assert (again.users, again.companies) == (8, 5)


async def test_a_row_of_yours_on_a_demo_deal_is_never_removed(database_url: str, sql: "Connection") -> None:
    await load_demo(database_url, companies=2, today=TODAY)
    await sql.execute(
        "insert into activity (type, subject, deal_id, owner_id) select 'NOTE', 'Mine', id, owner_id from deal limit 1"
    )
    before = await contents(sql)
    with pytest.raises(DemoError, match="1 activities that are not demo data"):
        await remove_demo(database_url)
    assert await contents(sql) == before


async def test_rows_of_yours_that_are_deleted_are_in_nobodys_way_and_stay_without_the_demo_rows(
    database_url: str, sql: "Connection"
) -> None:
    await load_demo(database_url, companies=2, today=TODAY)
    demo = await sql.fetchrow("select id, company_id, contact_id, owner_id, stage_id from deal where contact_id is not null limit 1")
    assert demo is not None
    contact = "insert into contact (last_name, company_id, owner_id, deleted_at) values ('Mine', $1, $2, now())"
    await sql.execute(contact, demo["company_id"], demo["owner_id"])
    deal = "insert into deal (name, stage_id, company_id, contact_id, owner_id, deleted_at) values ('Mine', $1, $2, $3, $4, now())"
    await sql.execute(deal, demo["stage_id"], demo["company_id"], demo["contact_id"], demo["owner_id"])
    activity = """insert into activity (type, subject, company_id, contact_id, deal_id, owner_id, deleted_at)
                  values ('NOTE', 'Mine', $1, $2, $3, $4, now())"""
    await sql.execute(activity, demo["company_id"], demo["contact_id"], demo["id"], demo["owner_id"])
    await remove_demo(database_url)
    left = await contents(sql)
    assert [len(left[table]) for table in ("company", "contact", "deal", "activity")] == [0, 1, 1, 1]
    for row in left["contact"] + left["deal"] + left["activity"]:
        assert all(row.get(name) is None for name in ("company_id", "contact_id", "deal_id"))


async def test_progress_ends_at_the_total(database_url: str) -> None:
    told: list[tuple[int, int]] = []
    await load_demo(database_url, companies=3, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (198, 198)


async def test_sums_can_be_read_from_indexes_alone_after_a_load(database_url: str, sql: "Connection") -> None:
    await load_demo(database_url, companies=50, today=TODAY)
    pages = await sql.fetchrow("select relpages, relallvisible from pg_class where relname = 'deal'")
    assert pages is not None
    assert pages["relallvisible"] > pages["relpages"] / 2


async def test_nothing_is_left_to_be_folded_after_demo_data_came_or_went(database_url: str, sql: "Connection") -> None:
    await load_demo(database_url, companies=5, today=TODAY)
    assert await sql.fetchval("select fold_rollups()") == 0
    await remove_demo(database_url)
    assert await sql.fetchval("select fold_rollups()") == 0


async def test_a_database_that_is_lost_leaves_no_demo_data_and_that_is_said(database_url: str, sql: "Connection") -> None:
    breaking = "create function breaks() returns trigger language plpgsql as $$ begin {}; return null; end $$"
    await sql.execute(breaking.format("perform pg_terminate_backend(pg_backend_pid())"))
    await sql.execute("create trigger breaks after insert on contact for each statement execute function breaks()")
    with pytest.raises(Unavailable, match="all of it is there, or nothing"):
        await load_demo(database_url, companies=3, today=TODAY)
    assert await is_empty(database_url)
