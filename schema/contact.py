"""Contacts: the people at the companies."""

from datetime import datetime
from enum import Enum
from typing import Annotated, Any

import strawberry

from db.rows import ContactLine, ContactRow
from execution import instance_of
from resolvers.arguments import first_given, moment_argument, optional_uuid, text_argument, text_list
from resolvers.lists import Listed
from schema.activity import OF_CONTACT, Activity
from schema.arguments import SortDirection, Sorted
from schema.follow import follow
from schema.lists import first_of
from schema.node import Node
from schema.user import User


@strawberry.type(description="A person at a company.")
class Contact(Node):
    first_name: str | None = strawberry.field(description="Given name, if it is known.")
    last_name: str | None = strawberry.field(description="Family name, if it is known.")
    full_name: str = strawberry.field(description="Both names; the e-mail address where neither is known.")
    email: str | None = strawberry.field(description="E-mail address, if it is known.")
    phone: str | None = strawberry.field(description="Telephone number, as it was entered.")
    title: str | None = strawberry.field(description="Job title.")
    role: str | None = strawberry.field(description="Part played in buying, for example Decision maker.")
    external_id: str | None = strawberry.field(description="Id in the system that the contact was imported from.")
    created_at: datetime = strawberry.field(description="When the contact was entered.")
    updated_at: datetime = strawberry.field(description="When the contact was last changed.")
    version: int = strawberry.field(
        description="Goes up by one with each change; `expectedVersion` of a mutation refuses to change any other."
    )
    company = follow(
        "company_by_id",
        "company_id",
        type=Annotated["Company", strawberry.lazy("schema.company")] | None,  # noqa: F821
        description="Where the person works, if that is known, may be seen and is not deleted.",
    )
    owner = follow("user_by_id", "owner_id", type=User, description="Who looks after the contact.")
    activities = first_of(OF_CONTACT, type=Activity, description="Activities with this person, latest first.")

    is_type_of = instance_of(ContactRow, ContactLine)


@strawberry.enum(description="What contacts can be sorted by.")
class ContactSortKey(Enum):
    NAME = strawberry.enum_value("name", description="Full name, letter case aside.")
    CREATED_AT = strawberry.enum_value("created_at", description="When the contact was entered.")


@strawberry.input(description="The order of a list of contacts.")
class ContactSort(Sorted):
    by: ContactSortKey = strawberry.field(default=ContactSortKey.NAME, description="What to sort by.")
    direction: SortDirection = strawberry.field(default=SortDirection.ASC, description="Which end comes first.")


@strawberry.input(description="Which contacts: those that meet every condition given.")
class ContactFilter:
    company_id: strawberry.ID | None = strawberry.field(default=None, description="At this company.")
    role: list[str] | None = strawberry.field(default=None, description="With one of these roles, as they were entered.")
    email: str | None = strawberry.field(default=None, description="With this e-mail address, letter case aside.")
    has_email: bool | None = strawberry.field(default=None, description="Whose e-mail address is known, or is not.")
    created_from: datetime | None = strawberry.field(default=None, description="Entered at this time or later.")
    created_before: datetime | None = strawberry.field(default=None, description="Entered before this time.")

    def values(self) -> tuple[Any, ...]:
        """The filter parameters of ``sql/contact.sql``, in their order."""
        return (
            optional_uuid(self.company_id, "filter.companyId"),
            text_list(self.role, "filter.role"),
            text_argument(self.email, "filter.email"),
            self.has_email,
            moment_argument(self.created_from, "filter.createdFrom"),
            moment_argument(self.created_before, "filter.createdBefore"),
        )

    def lookup(self) -> str | None:
        """What of it contacts are looked up by."""
        return first_given(email=self.email, company=self.company_id)


OF_COMPANY = Listed("contact", "company", "name", False, ContactFilter().values())
