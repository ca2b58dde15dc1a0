"""The screens: the dashboard, and statistics of deals and contacts."""

from datetime import datetime

import strawberry
from strawberry import Parent

from db.rows import ActivityRow, OverviewRow
from resolvers import dashboard as resolve
from resolvers import stats
from resolvers.arguments import limit_argument
from schema.activity import Activity
from schema.arguments import Limit
from schema.price import COST, Price
from schema.scalars import Money
from schema.stage import StageStats


@strawberry.type(description="The deals of the dashboard in a few figures.")
class DealsOverview:
    total: int = strawberry.field(description="All deals.")
    pipeline_value: Money = strawberry.field(description="Known value of the deals neither won nor lost.")
    won_value: Money = strawberry.field(description="Known value of the won deals.")
    win_rate: float | None = strawberry.field(
        description="Won deals of all that are won or lost, from 0 to 1; null while none is."
    )
    unpriced_count: int = strawberry.field(description="Deals of unknown value, which are in no sum.")


@strawberry.type(description="How much happened lately.")
class ActivitiesOverview:
    activities_today: int = strawberry.field(name="today", description="Activities of today, in the time zone asked.")
    activities_this_week: int = strawberry.field(
        name="thisWeek", description="Activities of this week, from Monday to Sunday, in that time zone."
    )


@strawberry.type(description="The companies of the dashboard.")
class CompaniesOverview:
    companies: int = strawberry.field(name="total", description="All companies.")
    companies_with_deals: int = strawberry.field(name="withDeals", description="Those with at least one deal.")


async def overview_deals(dashboard: Parent[resolve.Dashboard]) -> stats.DealStats:
    """The deals by stage."""
    return await dashboard.deals()


async def overview_counted(dashboard: Parent[resolve.Dashboard]) -> OverviewRow:
    """What was counted of activities and companies."""
    return await dashboard.counted()


async def pipeline(dashboard: Parent[resolve.Dashboard]) -> list[stats.StageStats]:
    """Every stage with its deals."""
    return (await dashboard.deals()).stages


async def recent_activities(dashboard: Parent[resolve.Dashboard], limit: Limit = None) -> list[ActivityRow]:
    """The latest activities."""
    return await dashboard.latest("activities", limit_argument(limit, default=10))


async def recent_tasks(dashboard: Parent[resolve.Dashboard], limit: Limit = None) -> list[ActivityRow]:
    """The open tasks that are due next."""
    return await dashboard.latest("tasks", limit_argument(limit, default=5))


@strawberry.type(description="The figures at the head of the dashboard.")
class Overview:
    deals = strawberry.field(
        resolver=overview_deals, graphql_type=DealsOverview, description="The deals in a few figures."
    )
    activities = strawberry.field(
        resolver=overview_counted, graphql_type=ActivitiesOverview, description="How much happened lately."
    )
    companies = strawberry.field(
        resolver=overview_counted, graphql_type=CompaniesOverview, description="How many companies there are."
    )


@strawberry.type(description="What happened last, and what is due next.")
class Recent:
    activities = strawberry.field(
        resolver=recent_activities,
        graphql_type=list[Activity],
        description="The latest activities, none of the future; 10 if no limit is given.",
        metadata={COST: Price(size=10)},
    )
    tasks = strawberry.field(
        resolver=recent_tasks,
        graphql_type=list[Activity],
        description="Open tasks, soonest due first, overdue ones included, those without a due date last; 5 if no "
        "limit is given.",
        metadata={COST: Price(size=5)},
    )


@strawberry.type(description="One screen: how an owner, or everyone, is doing.")
class Dashboard:
    overview: Overview = strawberry.field(description="The figures at the head of the screen.")
    pipeline = strawberry.field(
        resolver=pipeline,
        graphql_type=list[StageStats],
        description="Every stage in the order of the pipeline, also those without deals.",
    )
    recent: Recent = strawberry.field(description="What happened last, and what is due next.")
    generated_at: datetime = strawberry.field(description="The moment that all of this is of.")


@strawberry.type(description="Deals counted and summed, in all and by stage.")
class PipelineStats:
    total: int = strawberry.field(description="All deals.")
    open_count: int = strawberry.field(description="Deals neither won nor lost.")
    won_count: int = strawberry.field(description="Won deals.")
    lost_count: int = strawberry.field(description="Lost deals.")
    pipeline_value: Money = strawberry.field(description="Known value of the open deals.")
    weighted_value: Money = strawberry.field(description="Known value of the open deals, each times its probability.")
    won_value: Money = strawberry.field(description="Known value of the won deals.")
    unpriced_count: int = strawberry.field(description="Deals of unknown value, which are in no sum.")
    win_rate: float | None = strawberry.field(
        description="Won deals of all that are won or lost, from 0 to 1; null while none is."
    )
    stages: list[StageStats] = strawberry.field(
        description="Every stage in the order of the pipeline, also those without deals."
    )


@strawberry.type(description="Contacts counted.")
class ContactStats:
    total: int = strawberry.field(description="All contacts.")
    with_company: int = strawberry.field(description="Those whose company is known.")
    with_email: int = strawberry.field(description="Those whose e-mail address is known.")
    with_phone: int = strawberry.field(description="Those whose telephone number is known.")
    companies: int = strawberry.field(description="Companies with at least one of them.")
    new_last_30_days: int = strawberry.field(name="newLast30Days", description="Those entered in the last 30 days.")


