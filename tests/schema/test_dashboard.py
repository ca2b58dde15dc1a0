"""The screens: the seed query, the dashboard, the statistics, and how many statements they take."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from core.viewer import EVERYONE
from tests.crm import NOON, Crm
from tests.schema.conftest import Asker
from tests.viewers import rep

SEED = (Path(__file__).parents[2] / "documents" / "Dashboard.graphql").read_text("utf-8")
EVERYTHING = """query ($ownerId: ID) { dashboard(ownerId: $ownerId, timeZone: "Europe/Berlin") {
  overview { deals { total pipelineValue wonValue winRate unpricedCount } activities { today thisWeek }
             companies { total withDeals } }
  pipeline { stage { id name color position probability isWon isLost } count value weightedValue unpricedCount share }
  recent { activities { id type subject body status occurredAt dueAt completedAt createdAt
                        company { id name } deal { id name value stage { name } } contact { id fullName } owner { id name } }
           tasks { id subject dueAt company { id name } deal { id name stage { name } } contact { id fullName }
                   owner { id name } } }
  generatedAt } }"""


async def a_pipeline(crm: Crm, companies: int) -> UUID:
    """An owner with that many companies, each with contacts, deals in every stage, activities and tasks."""
    owner, stages = await crm.user(), await crm.stages()
    for number in range(companies):
        company = await crm.company(owner, f"Company {number:03}")
        contact = await crm.contact(owner, company_id=company)
        for place, stage in enumerate(stages.values()):
            deal = await crm.deal(owner, stage, f"Deal {place}", company_id=company, contact_id=contact, value=100 * place or None)
        await crm.activity(owner, company_id=company, deal_id=deal, contact_id=contact)
        await crm.activity(owner, "TASK", "Call back", company_id=company, deal_id=deal, contact_id=contact, due_at=NOON)
    return owner


@pytest.mark.parametrize("companies", [1, 10, 100])
async def test_the_seed_query_runs_at_most_five_statements_however_much_there_is(ask: Asker, crm: Crm, companies: int) -> None:
    owner = await a_pipeline(crm, companies)
    data = await ask(SEED, ownerId=str(owner))
    edges = data["companies"]["edges"]
    assert len(edges) == min(companies, 10)
    assert edges[0]["node"]["contactCount"] == 1
    assert edges[0]["node"]["dealsValue"] == 600
    assert [deal["stage"]["name"] for deal in edges[0]["node"]["deals"]] == ["Lost", "Won", "Offer", "Lead"]
    assert data["companies"]["pageInfo"]["hasNextPage"] is (companies > 10)
    assert ask.ran.total() <= 5, ask.ran


@pytest.mark.parametrize("companies", [1, 10, 100])
async def test_a_dashboard_with_everything_runs_at_most_seven_statements(ask: Asker, crm: Crm, companies: int) -> None:
    owner = await a_pipeline(crm, companies)
    data = await ask(EVERYTHING, ownerId=str(owner))
    assert data["dashboard"]["overview"]["companies"] == {"total": companies, "withDeals": companies}
    assert ask.ran.total() <= 7, ask.ran


async def test_figures_read_along_with_a_page_are_those_of_each_company_by_itself(ask: Asker, crm: Crm) -> None:
    owner, other, stage = await crm.user(), await crm.user("Bob"), await crm.stage()
    for number in range(4):
        company = await crm.company(owner, f"Company {number}")
        for place in range(number):
            await crm.contact(owner, company_id=company)
            await crm.deal(other if place else owner, stage, value=place or None, company_id=company)
    figures = "id contactCount dealCount dealsValue unpricedCount"
    for viewer in (EVERYONE, rep(owner)):
        page = await ask(f"{{ companies(first: 3) {{ edges {{ node {{ {figures} }} }} pageInfo {{ hasNextPage }} }} }}", viewer)
        assert page["companies"]["pageInfo"]["hasNextPage"]
        shown = [edge["node"] for edge in page["companies"]["edges"]]
        assert [each["contactCount"] for each in shown] == [0, 1, 2]
        for each in shown:
            alone = await ask(f"query ($id: ID!) {{ company(id: $id) {{ {figures} }} }}", viewer, id=each["id"])
            assert alone["company"] == each


async def test_who_cannot_be_an_owner_has_nothing(ask: Asker, crm: Crm) -> None:
    await a_pipeline(crm, 2)
    data = await ask(EVERYTHING, ownerId=str(UUID(int=0)))  # in the rollups that stands for everyone
    overview = data["dashboard"]["overview"]
    assert overview["companies"] == {"total": 0, "withDeals": 0}
    assert overview["activities"] == {"today": 0, "thisWeek": 0}
    assert overview["deals"] == {"total": 0, "pipelineValue": 0, "wonValue": 0, "winRate": None, "unpricedCount": 0}
    assert {each["count"] for each in data["dashboard"]["pipeline"]} == {0}
    text = "query ($o: ID) { pipelineStats(ownerId: $o) { total } contactStats(ownerId: $o) { total } }"
    stats = await ask(text, o=str(UUID(int=0)))
    assert stats == {"pipelineStats": {"total": 0}, "contactStats": {"total": 0}}


async def test_unknown_values_are_counted_apart_and_never_as_zero(ask: Asker, crm: Crm) -> None:
    owner, stages = await crm.user(), await crm.stages()
    company = await crm.company(owner)
    for stage, value in (("Lead", None), ("Lead", 0), ("Offer", 200), ("Won", 1000.25), ("Won", None), ("Lost", 0)):
        await crm.deal(owner, stages[stage], value=value, company_id=company)
    data = await ask(
        "{ pipelineStats { total openCount wonCount lostCount pipelineValue weightedValue wonValue unpricedCount winRate"
        "  stages { stage { name } count value weightedValue unpricedCount share } }"
        "  companies { edges { node { dealCount dealsValue unpricedCount deals { value } } } } }"
    )
    stages_shown = data["pipelineStats"].pop("stages")
    assert data["pipelineStats"] == {
        "total": 6, "openCount": 3, "wonCount": 2, "lostCount": 1, "pipelineValue": 200, "weightedValue": 100,
        "wonValue": 1000.25, "unpricedCount": 2, "winRate": 2 / 3,
    }  # fmt: skip
    assert [(each["stage"]["name"], each["count"], each["value"], each["unpricedCount"]) for each in stages_shown] == [
        ("Lead", 2, 0, 1), ("Offer", 1, 200, 0), ("Won", 2, 1000.25, 1), ("Lost", 1, 0, 0),
    ]  # fmt: skip
    assert sum(each["share"] for each in stages_shown) == pytest.approx(1)
    (edge,) = data["companies"]["edges"]
    assert (edge["node"]["dealCount"], edge["node"]["dealsValue"], edge["node"]["unpricedCount"]) == (6, 1200.25, 2)
    assert sorted((deal["value"] for deal in edge["node"]["deals"]), key=str) == [0, 0, 1000.25, 200, None, None]


async def test_sums_of_amounts_have_two_decimals(ask: Asker, crm: Crm) -> None:
    owner = await crm.user()
    for position, (value, is_won) in enumerate((("0.1", False), ("0.2", False), ("0.1", True), ("0.2", True)), 1):
        stage = await crm.stage(f"Stage {position}", position, 1, is_won=is_won)
        await crm.deal(owner, stage, value=Decimal(value))
    data = await ask("{ pipelineStats { pipelineValue weightedValue wonValue } }")
    assert data["pipelineStats"] == {"pipelineValue": 0.3, "weightedValue": 0.3, "wonValue": 0.3}  # 0.1 + 0.2 is more


async def test_an_empty_database_answers_with_zeros_and_empty_lists(ask: Asker) -> None:
    data = await ask(EVERYTHING)
    dashboard = data["dashboard"]
    assert dashboard["overview"]["deals"] == {
        "total": 0, "pipelineValue": 0, "wonValue": 0, "winRate": None, "unpricedCount": 0,
    }  # fmt: skip
    assert dashboard["pipeline"] == dashboard["recent"]["activities"] == dashboard["recent"]["tasks"] == []
    stats = await ask("{ contactStats { total withCompany } pipelineStats { total winRate stages { count } } }")
    assert stats == {
        "contactStats": {"total": 0, "withCompany": 0},
        "pipelineStats": {"total": 0, "winRate": None, "stages": []},
    }


async def test_today_and_this_week_are_those_of_the_time_zone(ask: Asker, crm: Crm) -> None:
    owner = await crm.user()
    # Monday 2026-03-02, 03:00 in Berlin: still Sunday in New York.
    ask.now = lambda: datetime(2026, 3, 2, 2, tzinfo=UTC)
    await crm.activity(owner, occurred_at=datetime(2026, 3, 2, 1, tzinfo=UTC))
    await crm.activity(owner, occurred_at=datetime(2026, 3, 1, 22, tzinfo=UTC))
    await crm.activity(owner, occurred_at=datetime(2026, 2, 25, 12, tzinfo=UTC))

    async def counted(zone: str) -> Any:
        data = await ask("query ($zone: String!) { dashboard(timeZone: $zone) { overview { activities { today thisWeek } } } }",
                         zone=zone)  # fmt: skip
        return data["dashboard"]["overview"]["activities"]

    assert await counted("Europe/Berlin") == {"today": 1, "thisWeek": 1}
    assert await counted("America/New_York") == {"today": 2, "thisWeek": 3}
    assert await counted("UTC") == {"today": 1, "thisWeek": 1}


async def test_tasks_are_the_open_ones_soonest_due_first_overdue_included(ask: Asker, crm: Crm) -> None:
    owner, now = await crm.user(), datetime.now(UTC)
    await crm.activity(owner, "TASK", "no date")
    await crm.activity(owner, "TASK", "next week", due_at=now + timedelta(days=7))
    await crm.activity(owner, "TASK", "overdue", due_at=now - timedelta(days=7))
    await crm.activity(owner, "TASK", "done", due_at=now - timedelta(days=9), completed_at=now)
    await crm.activity(owner, "CALL", "a call", occurred_at=now - timedelta(minutes=1))
    await crm.activity(owner, "MEETING", "tomorrow's", occurred_at=now + timedelta(days=1))
    data = await ask("{ dashboard { recent { tasks { subject } activities(limit: 1) { subject } none: tasks(limit: 0) { id } } } }")
    recent = data["dashboard"]["recent"]
    assert [task["subject"] for task in recent["tasks"]] == ["overdue", "next week", "no date"]
    assert recent["activities"] != [{"subject": "tomorrow's"}]
    assert recent["none"] == []


async def test_the_engagement_score_is_the_sum_of_what_its_factors_contribute(ask: Asker, crm: Crm) -> None:
    owner, stages, now = await crm.user(), await crm.stages(), datetime.now(UTC)
    company = await crm.company(owner)
    await crm.company(owner, "Silent")
    for stage in ("Lead", "Won", "Won", "Lost"):
        await crm.deal(owner, stages[stage], value=50, company_id=company)
    await crm.deal(owner, stages["Lead"], company_id=company)
    for days in (1, 2, 40):
        await crm.activity(owner, company_id=company, occurred_at=now - timedelta(days=days))
    await crm.contact(owner, company_id=company)
    data = await ask(
        "{ companies { edges { node { name analytics { engagementScore activeDeals wonDeals lostDeals totalValue unpricedCount"
        "  activityCount30d lastActivityAt factors { name weight value contribution } dealsByStage { stage { name } count } } } } } }"
    )
    busy, silent = (edge["node"]["analytics"] for edge in data["companies"]["edges"])
    assert busy["engagementScore"] == pytest.approx(sum(each["contribution"] for each in busy["factors"]))
    assert sum(each["weight"] for each in busy["factors"]) == pytest.approx(1)
    assert (busy["activeDeals"], busy["wonDeals"], busy["lostDeals"], busy["totalValue"]) == (2, 2, 1, 200)
    assert (busy["unpricedCount"], silent["unpricedCount"]) == (1, 0)
    assert busy["activityCount30d"] == 2
    assert [(each["stage"]["name"], each["count"]) for each in busy["dealsByStage"]] == [
        ("Lead", 2), ("Offer", 0), ("Won", 2), ("Lost", 1),
    ]  # fmt: skip
    assert silent["engagementScore"] == 0
    assert silent["lastActivityAt"] is None
    assert [each["value"] for each in silent["factors"]] == [0, None, 0, None, 0]
