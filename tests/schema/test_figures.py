"""Figures at their edges: the broken hours of a day, what an engagement score counts, a company's stages, and new contacts."""

from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import asyncpg

from core.viewer import EVERYONE
from tests.crm import NOON, Crm
from tests.schema.conftest import Asker
from tests.viewers import manager, rep

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def test_a_day_that_begins_at_a_quarter_past_has_what_happened_from_then_until_the_next_one(ask: Asker, crm: Crm) -> None:
    ask.now = lambda: NOON
    ada, bob = await crm.user("Ada"), await crm.user("Bob")
    start, moment = datetime(2026, 3, 3, 18, 15, tzinfo=UTC), timedelta(microseconds=1)  # midnight in Kathmandu
    end = start + timedelta(days=1)
    for owner in (ada, bob):
        for time in (start - moment, start, start + timedelta(minutes=20), NOON, end - moment, end):
            await crm.activity(owner, occurred_at=time)
            await crm.activity(owner, occurred_at=time, deleted_at=NOON)
    for viewer, whose, expected in (
        (EVERYONE, None, 8), (EVERYONE, ada, 4), (rep(ada), None, 4), (rep(ada), ada, 4), (rep(ada), bob, 0),
    ):  # fmt: skip
        data = await ask(
            'query ($o: ID) { dashboard(ownerId: $o, timeZone: "Asia/Kathmandu") { overview { activities { today } } } }',
            viewer, o=whose and str(whose),
        )  # fmt: skip
        assert data["dashboard"]["overview"]["activities"] == {"today": expected}, (viewer, whose)


async def test_a_factor_earns_no_more_than_its_weight_and_no_less_than_nothing(ask: Asker, crm: Crm) -> None:
    ask.now = lambda: NOON
    owner, stages, day = await crm.user(), await crm.stages(), timedelta(days=1)
    busy, quiet = await crm.company(owner, "Busy"), await crm.company(owner, "Quiet")
    # The last of the 11 was six days ago; one was 30 days ago and counts no more, and one is to come.
    for time in (*[NOON - 6 * day] * 10, NOON - 30 * day + timedelta(microseconds=1), NOON - 30 * day, NOON + day):
        await crm.activity(owner, company_id=busy, occurred_at=time)
    await crm.activity(owner, company_id=quiet, occurred_at=NOON - 90 * day)
    for stage in ("Won", "Lost", "Lost", "Lost", "Lead", "Lead"):
        await crm.deal(owner, stages[stage], company_id=busy)
    for _ in range(7):
        await crm.contact(owner, company_id=busy)
    data = await ask(
        "{ companies { edges { node { analytics { engagementScore activityCount30d lastActivityAt"
        "  factors { value contribution } } } } } }"
    )
    shown = [edge["node"]["analytics"] for edge in data["companies"]["edges"]]
    assert [[each["value"] for each in company["factors"]] for company in shown] == [[11, 6, 2, 0.25, 7], [0, 90, 0, None, 0]]
    assert [[each["contribution"] for each in company["factors"]] for company in shown] == [[30, 22.5, 8, 3.75, 10], [0] * 5]
    assert [company["engagementScore"] for company in shown] == [74.25, 0]
    assert [company["activityCount30d"] for company in shown] == [11, 0]
    last = [datetime.fromisoformat(company["lastActivityAt"]) for company in shown]
    assert last == [NOON - 6 * day, NOON - 90 * day]


async def test_the_stages_of_a_company_are_counted_as_those_of_an_owner(ask: Asker, crm: Crm) -> None:
    owner, stages = await crm.user(), await crm.stages()
    company = await crm.company(owner)
    for stage, value, probability in (
        ("Lead", 100, None), ("Lead", 100, 0.9), ("Lead", None, None), ("Lead", None, 0.3),
        ("Offer", 0.01, 0.0), ("Won", 7, None),
    ):  # fmt: skip
        await crm.deal(owner, stages[stage], value=value, probability=probability, company_id=company)
    figures = "stage { name } count value weightedValue unpricedCount share"
    data = await ask(
        f"{{ pipelineStats {{ stages {{ {figures} }} }}"
        f"  companies {{ edges {{ node {{ analytics {{ dealsByStage {{ {figures} }} }} }} }} }} }}"
    )
    (edge,) = data["companies"]["edges"]
    assert edge["node"]["analytics"]["dealsByStage"] == data["pipelineStats"]["stages"]
    lead, offer, *_ = data["pipelineStats"]["stages"]
    assert (lead["count"], lead["value"], lead["weightedValue"], lead["unpricedCount"]) == (4, 200, 100, 2)
    assert (offer["value"], offer["weightedValue"]) == (0.01, 0)


async def test_a_contact_is_new_for_thirty_days_to_the_moment(ask: Asker, crm: Crm) -> None:
    ask.now = lambda: NOON
    owner, moment = await crm.user(), timedelta(microseconds=1)
    for age in (timedelta(0), timedelta(days=30) - moment, timedelta(days=30), timedelta(days=30) + moment):
        await crm.contact(owner, created_at=NOON - age)
    assert (await ask("{ contactStats { total newLast30Days } }"))["contactStats"] == {"total": 4, "newLast30Days": 3}


async def test_a_search_through_an_owners_rows_finds_and_counts_those_alone(ask: Asker, crm: Crm) -> None:
    ada, bob, stage = await crm.user("Ada"), await crm.user("Bob"), await crm.stage()
    for owner in (ada, bob, bob):
        await crm.company(owner, "Zebra")
        await crm.contact(owner, "Zebra")
        await crm.deal(owner, stage, "Zebra")
        await crm.activity(owner, subject="Zebra")
    for asked, expected in ((str(ada), 1), (str(bob), 2), (None, 3)):
        for noun in ("companies", "contacts", "deals", "activities"):
            rows = "totalCount edges { node { owner { id } } }"
            found = (await ask(f'query ($o: ID) {{ {noun}(search: "zebra", ownerId: $o) {{ {rows} }} }}', o=asked))[noun]
            owners = [edge["node"]["owner"]["id"] for edge in found["edges"]]
            assert (found["totalCount"], len(owners)) == (expected, expected), noun
            assert asked is None or set(owners) == {asked}, noun


async def test_a_history_is_oldest_first_however_it_was_written_and_is_that_of_a_deal_which_is_there(
    ask: Asker, crm: Crm, sql: Sql
) -> None:
    bob, stages = await crm.user("Bob"), await crm.stages()
    company = await crm.company(bob)
    new = """mutation ($o: ID!, $s: ID!, $c: ID!) { createDeal(input: {name: "New", ownerId: $o, stageId: $s, companyId: $c}) {
        deal { id stageHistory { toStage { name } changedBy { name } } } } }"""
    deal = (await ask(new, manager("bob", bob), o=str(bob), s=str(stages["Offer"]), c=str(company)))["createDeal"]["deal"]
    assert deal["stageHistory"] == [{"toStage": {"name": "Offer"}, "changedBy": {"name": "Bob"}}]
    for stage, days in (("Won", 1), ("Lead", 2)):
        await sql.execute(
            "insert into stage_change (deal_id, to_stage_id, changed_at) values ($1, $2, now() - make_interval(days => $3))",
            deal["id"], stages[stage], days,
        )  # fmt: skip
    history = "stageHistory { toStage { name } }"
    told = (await ask(f"query ($id: ID!) {{ deal(id: $id) {{ {history} }} }}", id=deal["id"]))["deal"]["stageHistory"]
    assert [each["toStage"]["name"] for each in told] == ["Lead", "Won", "Offer"]
    deleted = await ask(f"mutation ($id: ID!) {{ deleteDeal(id: $id) {{ deal {{ {history} }} }} }}", id=deal["id"])
    assert deleted["deleteDeal"]["deal"]["stageHistory"] == []
