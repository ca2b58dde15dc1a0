"""Users, who own everything else."""

from datetime import datetime
from enum import Enum
from typing import Any

import strawberry
from strawberry import Parent

from core.viewer import Viewer as WhoAsks
from db.rows import UserRow
from execution import instance_of
from resolvers.arguments import moment_argument, text_argument
from schema.arguments import SortDirection, Sorted
from schema.follow import follow
from schema.node import Node


@strawberry.type(description="A person who owns companies, contacts, deals and activities.")
class User(Node):
    name: str = strawberry.field(description="Full name.")
    email: str | None = strawberry.field(description="E-mail address, if it is known.")
    external_id: str | None = strawberry.field(description="Id in the system that the user was imported from.")
    created_at: datetime = strawberry.field(description="When the user was entered.")
    updated_at: datetime = strawberry.field(description="When the user was last changed.")

    is_type_of = instance_of(UserRow)


def sorted_scopes(viewer: Parent[WhoAsks]) -> list[str]:
    """The scopes in the order of the alphabet."""
    return sorted(viewer.scopes)


@strawberry.type(description="Who asks.")
class Viewer:
    subject: str = strawberry.field(description="Name of the one who asks, as the server knows them.")
    owner = follow(
        "user_by_id",
        "owner",
        type=User | None,
        description="The user who asks; null for one who is no user here.",
    )

    scopes: list[str] = strawberry.field(resolver=sorted_scopes, description="What the one who asks may do, by name.")


@strawberry.enum(description="What users can be sorted by.")
class UserSortKey(Enum):
    NAME = strawberry.enum_value("name", description="Name, letter case aside.")
    CREATED_AT = strawberry.enum_value("created_at", description="When the user was entered.")


@strawberry.input(description="The order of a list of users.")
class UserSort(Sorted):
    by: UserSortKey = strawberry.field(default=UserSortKey.NAME, description="What to sort by.")
    direction: SortDirection = strawberry.field(default=SortDirection.ASC, description="Which end comes first.")


@strawberry.input(description="Which users: those that meet every condition given.")
class UserFilter:
    email: str | None = strawberry.field(default=None, description="With this e-mail address, letter case aside.")
    created_from: datetime | None = strawberry.field(default=None, description="Entered at this time or later.")
    created_before: datetime | None = strawberry.field(default=None, description="Entered before this time.")

    def values(self) -> tuple[Any, ...]:
        """The filter parameters of ``sql/app_user.sql``, in their order."""
        return (
            text_argument(self.email, "filter.email"),
            moment_argument(self.created_from, "filter.createdFrom"),
            moment_argument(self.created_before, "filter.createdBefore"),
        )

    def lookup(self) -> str | None:
        """Nothing: of users there are not many."""
        return None
