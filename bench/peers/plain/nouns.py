"""What is stored, in plain Strawberry: a type for each noun, an async resolver for each relation."""

from datetime import date, datetime
from enum import Enum
from typing import Any

import strawberry
from strawberry import ID, Info, Private

from bench.peers.plain.loaders import loaders


@strawberry.type
class User:
    id: ID
    name: str


@strawberry.type
class Stage:
    id: ID
    name: str
    color: str


@strawberry.type
class Contact:
    id: ID
    full_name: str
    email: str | None
    title: str | None


@strawberry.enum
class DealStatus(Enum):
    OPEN = "OPEN"
    WON = "WON"
    LOST = "LOST"


@strawberry.type
class Company:
    id: ID
    name: str
    domain: str | None
    industry: str | None
    revenue: float | None
    sort_key: Private[str]

    @strawberry.field
    async def contact_count(self, info: Info) -> int:
        return int(await loaders(info).count("contact_counts", "contacts").load(self.id))

    @strawberry.field
    async def deals_value(self, info: Info) -> float:
        return float(await loaders(info).count("deal_values", "value").load(self.id))

    @strawberry.field
    async def deals(self, info: Info, limit: int = 10) -> list["Deal"]:
        found: list[Deal] = await loaders(info).many("deals_of_companies", deal, limit).load(self.id)
        return found

    @strawberry.field
    async def contacts(self, info: Info, limit: int = 10) -> list[Contact]:
        found: list[Contact] = await loaders(info).many("contacts_of_companies", contact, limit).load(self.id)
        return found


@strawberry.type
class Deal:
    id: ID
    name: str
    value: float | None
    status: DealStatus
    probability: float
    expected_close_date: date | None
    created_at: datetime
    company_id: Private[str | None]
    contact_id: Private[str | None]
    stage_id: Private[str]
    owner_id: Private[str]

    @strawberry.field
    async def company(self, info: Info) -> Company | None:
        return await loaders(info).one("companies", company).load(self.company_id) if self.company_id else None

    @strawberry.field
    async def contact(self, info: Info) -> Contact | None:
        return await loaders(info).one("contacts", contact).load(self.contact_id) if self.contact_id else None

    @strawberry.field
    async def stage(self, info: Info) -> Stage:
        found: Stage = await loaders(info).one("stages", stage).load(self.stage_id)
        return found

    @strawberry.field
    async def owner(self, info: Info) -> User:
        found: User = await loaders(info).one("users", user).load(self.owner_id)
        return found


@strawberry.enum
class ActivityType(Enum):
    CALL = "CALL"
    EMAIL = "EMAIL"
    MEETING = "MEETING"
    NOTE = "NOTE"
    TASK = "TASK"


@strawberry.type
class Activity:
    id: ID
    type: ActivityType
    subject: str
    occurred_at: datetime
    due_at: datetime | None
    company_id: Private[str | None]
    deal_id: Private[str | None]

    @strawberry.field
    async def company(self, info: Info) -> Company | None:
        return await loaders(info).one("companies", company).load(self.company_id) if self.company_id else None

    @strawberry.field
    async def deal(self, info: Info) -> Deal | None:
        return await loaders(info).one("deals", deal).load(self.deal_id) if self.deal_id else None


def company(row: Any) -> Company:
    """A row as its type."""
    return Company(
        id=row["id"],
        name=row["name"],
        domain=row["domain"],
        industry=row["industry"],
        revenue=row["revenue"],
        sort_key=row["sortKey"],
    )


def deal(row: Any) -> Deal:
    """A row as its type."""
    return Deal(
        id=row["id"],
        name=row["name"],
        value=row["value"],
        status=DealStatus(row["status"]),
        probability=row["probability"],
        expected_close_date=row["expectedCloseDate"],
        created_at=row["createdAt"],
        company_id=row["companyId"],
        contact_id=row["contactId"],
        stage_id=row["stageId"],
        owner_id=row["ownerId"],
    )


def activity(row: Any) -> Activity:
    """A row as its type."""
    return Activity(
        id=row["id"],
        type=ActivityType(row["type"]),
        subject=row["subject"],
        occurred_at=row["occurredAt"],
        due_at=row["dueAt"],
        company_id=row["companyId"],
        deal_id=row["dealId"],
    )


def contact(row: Any) -> Contact:
    """A row as its type."""
    return Contact(id=row["id"], full_name=row["fullName"], email=row["email"], title=row["title"])


def stage(row: Any) -> Stage:
    """A row as its type."""
    return Stage(id=row["id"], name=row["name"], color=row["color"])


def user(row: Any) -> User:
    """A row as its type."""
    return User(id=row["id"], name=row["name"])
