"""Activities: what was done, and what is to do."""

from datetime import datetime
from enum import Enum
from typing import Annotated, Any

import strawberry

from db.rows import ActivityLine, ActivityRow
from execution import instance_of
from resolvers.arguments import enum_list, first_given, moment_argument, optional_uuid
from resolvers.lists import Listed
from schema.arguments import SortDirection, Sorted
from schema.follow import follow
from schema.node import Node
from schema.price import COST, Price
from schema.user import User


@strawberry.enum(description="What kind of activity it is.")
class ActivityType(Enum):
    CALL = strawberry.enum_value("CALL", description="A telephone call.")
    EMAIL = strawberry.enum_value("EMAIL", description="An e-mail.")
    MEETING = strawberry.enum_value("MEETING", description="A meeting, in person or remote.")
    NOTE = strawberry.enum_value("NOTE", description="Something worth keeping.")
    TASK = strawberry.enum_value("TASK", description="Something to do; it may have a due date, and is open until completed.")


@strawberry.enum(description="Whether anything is left to do.")
class ActivityStatus(Enum):
    OPEN = strawberry.enum_value("OPEN", description="A task that has not been completed.")
    COMPLETED = strawberry.enum_value("COMPLETED", description="A completed task, or anything that is not a task.")


@strawberry.type(description="A call, an e-mail, a meeting, a note or a task.")
class Activity(Node):
    type: ActivityType = strawberry.field(description="What kind of activity it is.")
    subject: str = strawberry.field(description="What it is about, in a line.")
    body: str | None = strawberry.field(
        description="The whole text, if there is one.",
        metadata={COST: Price(weight=15)},  # up to 100,000 characters: what MAX_COST allows of them takes 33 MB
    )
    status: ActivityStatus = strawberry.field(description="Whether anything is left to do.")
    occurred_at: datetime = strawberry.field(description="When it happened, or will; for a task its entry, unless given.")
    due_at: datetime | None = strawberry.field(description="When a task is due; null for anything else.")
    completed_at: datetime | None = strawberry.field(description="When a task was completed; null while it is open.")
    external_id: str | None = strawberry.field(description="Id in the system that it was imported from.")
    created_at: datetime = strawberry.field(description="When it was entered.")
    updated_at: datetime = strawberry.field(description="When it was last changed.")
    version: int = strawberry.field(
        description="Goes up by one with each change; `expectedVersion` of a mutation refuses to change any other."
    )
    company = follow(
        "company_by_id",
        "company_id",
        type=Annotated["Company", strawberry.lazy("schema.company")] | None,  # noqa: F821
        description="The company it concerns, if any that may be seen and is not deleted.",
        names="company_names",
    )
    deal = follow(
        "deal_by_id",
        "deal_id",
        type=Annotated["Deal", strawberry.lazy("schema.deal")] | None,  # noqa: F821
        description="The deal it concerns, if any that may be seen and is not deleted.",
        names="deal_names",
    )
    contact = follow(
        "contact_by_id",
        "contact_id",
        type=Annotated["Contact", strawberry.lazy("schema.contact")] | None,  # noqa: F821
        description="The person it was with, if any that may be seen and is not deleted.",
    )
    owner = follow("user_by_id", "owner_id", type=User, description="Who did it, or is to do it.")

    is_type_of = instance_of(ActivityRow, ActivityLine)


@strawberry.enum(description="What activities can be sorted by.")
class ActivitySortKey(Enum):
    OCCURRED_AT = strawberry.enum_value("occurred_at", description="When it happened.")
    DUE_AT = strawberry.enum_value("due_at", description="When it is due; without a due date later than all others.")


@strawberry.input(description="The order of a list of activities.")
class ActivitySort(Sorted):
    by: ActivitySortKey = strawberry.field(default=ActivitySortKey.OCCURRED_AT, description="What to sort by.")
    direction: SortDirection = strawberry.field(default=SortDirection.DESC, description="Which end comes first.")


@strawberry.input(description="Which activities: those that meet every condition given.")
class ActivityFilter:
    type: list[ActivityType] | None = strawberry.field(default=None, description="Of one of these kinds.")
    status: ActivityStatus | None = strawberry.field(default=None, description="Open, or completed.")
    company_id: strawberry.ID | None = strawberry.field(default=None, description="Concerning this company.")
    deal_id: strawberry.ID | None = strawberry.field(default=None, description="Concerning this deal.")
    contact_id: strawberry.ID | None = strawberry.field(default=None, description="With this contact.")
    occurred_from: datetime | None = strawberry.field(default=None, description="Happened at this time or later.")
    occurred_before: datetime | None = strawberry.field(default=None, description="Happened before this time.")
    due_from: datetime | None = strawberry.field(default=None, description="Due at this time or later.")
    due_before: datetime | None = strawberry.field(default=None, description="Due before this time.")

    def values(self) -> tuple[Any, ...]:
        """The filter parameters of ``sql/activity.sql``, in their order."""
        return (
            enum_list(self.type, "filter.type"),
            None if self.status is None else self.status.value,
            optional_uuid(self.company_id, "filter.companyId"),
            optional_uuid(self.deal_id, "filter.dealId"),
            optional_uuid(self.contact_id, "filter.contactId"),
            moment_argument(self.occurred_from, "filter.occurredFrom"),
            moment_argument(self.occurred_before, "filter.occurredBefore"),
            moment_argument(self.due_from, "filter.dueFrom"),
            moment_argument(self.due_before, "filter.dueBefore"),
        )

    def lookup(self) -> str | None:
        """What of it activities are looked up by."""
        return first_given(deal=self.deal_id, contact=self.contact_id, company=self.company_id)


OF_COMPANY, OF_DEAL, OF_CONTACT = (
    Listed("activity", scope, "occurred_at", True, ActivityFilter().values())
    for scope in ("company", "deal", "contact")
)
