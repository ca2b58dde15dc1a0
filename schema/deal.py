"""Deals: sales opportunities."""

from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any

import strawberry

from db.rows import DealLine, DealName, DealRow
from execution import instance_of
from resolvers.arguments import enum_list, first_given, moment_argument, money_argument, optional_uuid, uuid_list
from resolvers.lists import Listed
from schema.activity import OF_DEAL, Activity
from schema.arguments import SortDirection, Sorted
from schema.contact import Contact
from schema.follow import follow
from schema.lists import first_of
from schema.node import Node
from schema.scalars import Money
from schema.stage import Stage, StageChange
from schema.user import User


@strawberry.enum(description="How a deal stands, as its stage tells.")
class DealStatus(Enum):
    OPEN = strawberry.enum_value("OPEN", description="Neither won nor lost yet.")
    WON = strawberry.enum_value("WON", description="In a stage that counts as won.")
    LOST = strawberry.enum_value("LOST", description="In a stage that counts as lost.")


@strawberry.type(description="One sales opportunity.")
class Deal(Node):
    name: str = strawberry.field(description="What it is called.")
    value: Money | None = strawberry.field(description="What it is worth; null while that is unknown, which is not 0.")
    status: DealStatus = strawberry.field(description="How it stands, as its stage tells.")
    probability: float = strawberry.field(description="How likely it is won, from 0 to 1: its own, or its stage's.")
    expected_close_date: date | None = strawberry.field(description="When it is expected to close.")
    closed_at: datetime | None = strawberry.field(description="When it was won or lost.")
    external_id: str | None = strawberry.field(description="Id in the system that the deal was imported from.")
    created_at: datetime = strawberry.field(description="When it was entered.")
    updated_at: datetime = strawberry.field(description="When it was last changed.")
    version: int = strawberry.field(
        description="Goes up by one with each change; `expectedVersion` of a mutation refuses to change any other."
    )
    stage = follow("stage_by_id", "stage_id", type=Stage, description="Where it stands in the pipeline.")
    company = follow(
        "company_by_id",
        "company_id",
        type=Annotated["Company", strawberry.lazy("schema.company")] | None,  # noqa: F821
        description="Whom it is with, if that is known, may be seen and is not deleted.",
    )
    contact = follow(
        "contact_by_id",
        "contact_id",
        type=Contact | None,
        description="The person it is with, if any that may be seen and is not deleted.",
    )
    owner = follow("user_by_id", "owner_id", type=User, description="Who works on it.")
    activities = first_of(OF_DEAL, type=Activity, description="Activities on this deal, latest first.")
    stage_history = follow(
        "stage_changes_by_deal",
        "id",
        type=list[StageChange],
        description="Its first 100 moves through the stages, oldest first.",
    )

    is_type_of = instance_of(DealRow, DealLine, DealName)


@strawberry.enum(description="What deals can be sorted by.")
class DealSortKey(Enum):
    CREATED_AT = strawberry.enum_value("created_at", description="When the deal was entered.")
    VALUE = strawberry.enum_value("value", description="What it is worth; an unknown value is below every known one.")
    EXPECTED_CLOSE_DATE = strawberry.enum_value(
        "close_date", description="When it is expected to close; an unknown date counts as later than every known one."
    )
    NAME = strawberry.enum_value("name", description="Name, letter case aside.")


@strawberry.input(description="The order of a list of deals.")
class DealSort(Sorted):
    by: DealSortKey = strawberry.field(default=DealSortKey.CREATED_AT, description="What to sort by.")
    direction: SortDirection = strawberry.field(default=SortDirection.DESC, description="Which end comes first.")


@strawberry.input(description="Which deals: those that meet every condition given.")
class DealFilter:
    status: list[DealStatus] | None = strawberry.field(default=None, description="Standing in one of these ways.")
    stage_ids: list[strawberry.ID] | None = strawberry.field(default=None, description="In one of these stages.")
    company_id: strawberry.ID | None = strawberry.field(default=None, description="With this company.")
    contact_id: strawberry.ID | None = strawberry.field(default=None, description="With this contact.")
    value_min: Money | None = strawberry.field(default=None, description="Known to be worth this much or more.")
    value_max: Money | None = strawberry.field(default=None, description="Known to be worth this much or less.")
    closes_from: date | None = strawberry.field(default=None, description="Expected to close on this day or later.")
    closes_until: date | None = strawberry.field(default=None, description="Expected to close on this day or earlier.")
    created_from: datetime | None = strawberry.field(default=None, description="Entered at this time or later.")
    created_before: datetime | None = strawberry.field(default=None, description="Entered before this time.")

    def values(self) -> tuple[Any, ...]:
        """The filter parameters of ``sql/deal.sql``, in their order."""
        return (
            enum_list(self.status, "filter.status"),
            uuid_list(self.stage_ids, "filter.stageIds"),
            optional_uuid(self.company_id, "filter.companyId"),
            optional_uuid(self.contact_id, "filter.contactId"),
            money_argument(self.value_min, "filter.valueMin"),
            money_argument(self.value_max, "filter.valueMax"),
            self.closes_from,
            self.closes_until,
            moment_argument(self.created_from, "filter.createdFrom"),
            moment_argument(self.created_before, "filter.createdBefore"),
        )

    def lookup(self) -> str | None:
        """What of it deals are looked up by."""
        return first_given(contact=self.contact_id, company=self.company_id)


OF_COMPANY = Listed("deal", "company", "created_at", True, DealFilter().values())
