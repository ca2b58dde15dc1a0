"""Companies: the organisations we sell to."""

from datetime import datetime
from enum import Enum
from operator import attrgetter
from typing import Any

import strawberry
from strawberry import Parent

from core.later import Later
from db.rows import CompanyAnalyticsRow, CompanyName, CompanyRow, CountedCompanyRow
from execution import instance_of
from resolvers.analytics import Factor as FactorOf
from resolvers.analytics import factors_of
from resolvers.arguments import first_given, moment_argument, money_argument, text_argument, text_list
from resolvers.context import Info
from resolvers.stats import StageStats as StageStatsOf
from resolvers.stats import deal_stats
from schema import activity, contact, deal
from schema.activity import Activity, ActivityFilter
from schema.arguments import SortDirection, Sorted
from schema.contact import Contact, ContactFilter
from schema.deal import Deal, DealFilter
from schema.follow import follow
from schema.lists import connection_of, first_of
from schema.node import Node
from schema.price import Price
from schema.scalars import Money
from schema.stage import StageStats
from schema.user import User

# The name under which the figures of companies are read along with them.
TOTALS = "totals of companies"


@strawberry.type(description="One reason for a company's engagement score.")
class EngagementFactor:
    name: str = strawberry.field(description="What is looked at, and what earns all of its weight.")
    weight: float = strawberry.field(description="Its part of the score; the weights of all factors make 1.")
    value: float | None = strawberry.field(description="What was found; null where there is nothing to look at.")
    contribution: float = strawberry.field(description="The points it adds to the score: at most 100 times its weight.")


def factors(analytics: Parent[CompanyAnalyticsRow]) -> list[FactorOf]:
    """The factors of the score."""
    return factors_of(analytics)


def stages(analytics: Parent[CompanyAnalyticsRow], info: Info) -> Later[list[StageStatsOf]]:
    """The company's deals by stage."""
    return deal_stats(info.context, "company", analytics.id).map(attrgetter("stages"))


@strawberry.type(description="How a company is doing.")
class CompanyAnalytics:
    engagement_score: float = strawberry.field(
        description="How engaged the company is, from 0 to 100: the sum of its factors' contributions."
    )
    factors = strawberry.field(
        resolver=factors, graphql_type=list[EngagementFactor], description="Where the score comes from."
    )
    active_deals: int = strawberry.field(description="Deals neither won nor lost.")
    won_deals: int = strawberry.field(description="Won deals.")
    lost_deals: int = strawberry.field(description="Lost deals.")
    total_value: Money = strawberry.field(description="Known value of all deals.")
    unpriced_count: int = strawberry.field(description="Deals of unknown value, which are not in the sum.")
    activity_count_30d: int = strawberry.field(
        name="activityCount30d", description="Activities of the last 30 days."
    )
    last_activity_at: datetime | None = strawberry.field(description="When anything last happened; null if never.")
    deals_by_stage = strawberry.field(
        resolver=stages,
        graphql_type=list[StageStats],
        description="Its deals by every stage, in the order of the pipeline.",
    )


def _total(pick: str, *, type: Any, description: str) -> Any:  # noqa: A002
    """One of the figures that are counted about a company."""
    return follow("totals_by_company", "id", pick=pick, type=type, description=description, along=TOTALS)


@strawberry.type(description="An organisation we sell to.")
class Company(Node):
    name: str = strawberry.field(description="What it is called.")
    domain: str | None = strawberry.field(description="Internet domain, for example example.com.")
    website: str | None = strawberry.field(description="Address of its web site.")
    industry: str | None = strawberry.field(description="What it does.")
    size: str | None = strawberry.field(description="How many people it has: a number or a range, as it was entered.")
    revenue: Money | None = strawberry.field(description="Revenue in a year; null while that is unknown.")
    location: str | None = strawberry.field(description="Where it is.")
    external_id: str | None = strawberry.field(description="Id in the system that it was imported from.")
    created_at: datetime = strawberry.field(description="When it was entered.")
    updated_at: datetime = strawberry.field(description="When it was last changed.")
    version: int = strawberry.field(
        description="Goes up by one with each change; `expectedVersion` of a mutation refuses to change any other."
    )
    owner = follow("user_by_id", "owner_id", type=User, description="Who looks after it.")
    contact_count = _total("contacts", type=int, description="How many contacts it has.")
    deal_count = _total("deals", type=int, description="How many deals there are with it.")
    deals_value = _total("deals_value", type=Money, description="Known value of all deals with it.")
    unpriced_count = _total(
        "unpriced", type=int, description="How many deals with it have no known value and are not in `dealsValue`."
    )
    deals = first_of(deal.OF_COMPANY, type=Deal, description="Deals with it, newest first.")
    contacts = first_of(contact.OF_COMPANY, type=Contact, description="People there, by name.")
    activities = first_of(activity.OF_COMPANY, type=Activity, description="Activities, latest first.")
    deals_connection = connection_of(
        deal.OF_COMPANY, type=Deal, filter=DealFilter, description="Deals with it, newest first, page by page."
    )
    contacts_connection = connection_of(
        contact.OF_COMPANY, type=Contact, filter=ContactFilter, description="People there, by name, page by page."
    )
    activities_connection = connection_of(
        activity.OF_COMPANY, type=Activity, filter=ActivityFilter, description="Activities, latest first, page by page."
    )
    analytics = follow(
        "analytics_by_company",
        "id",
        type=CompanyAnalytics,
        description="How the company is doing, and why.",
        price=Price(weight=5),
    )

    is_type_of = instance_of(CompanyRow, CountedCompanyRow, CompanyName)


@strawberry.enum(description="What companies can be sorted by.")
class CompanySortKey(Enum):
    NAME = strawberry.enum_value("name", description="Name, letter case aside.")
    CREATED_AT = strawberry.enum_value("created_at", description="When the company was entered.")
    REVENUE = strawberry.enum_value("revenue", description="Revenue; an unknown one is below every known one.")


@strawberry.input(description="The order of a list of companies.")
class CompanySort(Sorted):
    by: CompanySortKey = strawberry.field(default=CompanySortKey.NAME, description="What to sort by.")
    direction: SortDirection = strawberry.field(default=SortDirection.ASC, description="Which end comes first.")


@strawberry.input(description="Which companies: those that meet every condition given.")
class CompanyFilter:
    industry: list[str] | None = strawberry.field(default=None, description="In one of these industries, as they were entered.")
    size: list[str] | None = strawberry.field(default=None, description="Of one of these sizes.")
    location: list[str] | None = strawberry.field(default=None, description="In one of these places, as they were entered.")
    domain: str | None = strawberry.field(default=None, description="With this domain, letter case aside.")
    revenue_min: Money | None = strawberry.field(default=None, description="With a known revenue of this or more.")
    revenue_max: Money | None = strawberry.field(default=None, description="With a known revenue of this or less.")
    created_from: datetime | None = strawberry.field(default=None, description="Entered at this time or later.")
    created_before: datetime | None = strawberry.field(default=None, description="Entered before this time.")

    def values(self) -> tuple[Any, ...]:
        """The filter parameters of ``sql/company.sql``, in their order."""
        return (
            text_list(self.industry, "filter.industry"),
            text_list(self.size, "filter.size"),
            text_list(self.location, "filter.location"),
            text_argument(self.domain, "filter.domain"),
            money_argument(self.revenue_min, "filter.revenueMin"),
            money_argument(self.revenue_max, "filter.revenueMax"),
            moment_argument(self.created_from, "filter.createdFrom"),
            moment_argument(self.created_before, "filter.createdBefore"),
        )

    def lookup(self) -> str | None:
        """What of it companies are looked up by."""
        return first_given(domain=self.domain)
