"""The screens: the dashboard, and statistics of deals and contacts."""

from collections.abc import Callable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Literal

import strawberry
from strawberry import Parent

from core.later import Later, outcomes_of
from execution import BATCHED, Batched
from resolvers import stats
from resolvers.arguments import limit_argument
from resolvers.context import Context
from resolvers.dashboard import Dashboard as DashboardOf
from schema.activity import Activity
from schema.arguments import ShortLimit
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


@strawberry.type(description="How much happens today and this week, also what is still to come.")
class ActivitiesOverview:
    activities_today: int = strawberry.field(name="today", description="Activities of today, in the time zone asked.")
    activities_this_week: int = strawberry.field(
        name="thisWeek", description="Activities of this week, from Monday to Sunday, in that time zone."
    )


@strawberry.type(description="The companies of the dashboard.")
class CompaniesOverview:
    companies: int = strawberry.field(name="total", description="All companies.")
    companies_with_deals: int = strawberry.field(name="withDeals", description="Those with at least one deal.")


def _part(read: Callable[[DashboardOf], Later[Any]], *, type: Any, description: str) -> Any:  # noqa: A002
    """A part of the dashboard, read at the same time as the others."""

    def resolve(dashboard: Parent[DashboardOf]) -> Any:
        return read(dashboard)

    def load(context: Context, dashboards: Sequence[DashboardOf]) -> Any:
        return outcomes_of([read(each) for each in dashboards])

    return strawberry.field(
        resolver=resolve, graphql_type=type, description=description, metadata={BATCHED: Batched("itself", load)}
    )


def _short_list(kind: Literal["activities", "tasks"], most: int, *, description: str) -> Any:
    """One of the lists of what happened and what is due, with ``most`` entries where no limit is given."""

    def resolve(dashboard: Parent[DashboardOf], limit: ShortLimit = None) -> Any:
        return dashboard.latest(kind, limit_argument(limit, default=most))

    def load(
        context: Context, dashboards: Sequence[DashboardOf], wanted: frozenset[str], limit: int | None = None
    ) -> Any:
        return outcomes_of([each.latest(kind, limit_argument(limit, default=most), wanted) for each in dashboards])

    return strawberry.field(
        resolver=resolve,
        graphql_type=list[Activity],
        description=description,
        metadata={BATCHED: Batched("itself", load, looks_ahead=True), COST: Price(size=most)},
    )


def stages_of(dashboard: DashboardOf) -> Later[list[stats.StageStats]]:
    """Every stage with its deals."""
    return dashboard.deals.map(attrgetter("stages"))


@strawberry.type(description="The figures at the head of the dashboard.")
class Overview:
    deals = _part(attrgetter("deals"), type=DealsOverview, description="The deals in a few figures.")
    activities = _part(attrgetter("counted"), type=ActivitiesOverview, description="How much happens today and this week.")
    companies = _part(attrgetter("counted"), type=CompaniesOverview, description="How many companies there are.")


@strawberry.type(description="What happened last, and what is due next.")
class Recent:
    activities = _short_list(
        "activities", 10, description="The latest activities, none of the future; 10 if no limit is given."
    )
    tasks = _short_list(
        "tasks",
        5,
        description="Open tasks, soonest due first, overdue ones included, those without a due date last; 5 if no "
        "limit is given.",
    )


@strawberry.type(description="One screen: how an owner, or everyone, is doing.")
class Dashboard:
    overview: Overview = strawberry.field(description="The figures at the head of the screen.")
    pipeline = _part(
        stages_of,
        type=list[StageStats],
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


