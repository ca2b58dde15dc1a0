"""Rows for tests: a small CRM put together by hand, through a plain connection."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


class Crm:
    """Puts rows into the test's database; what is not said is left to the table's defaults."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection

    async def add(self, table: str, **columns: Any) -> UUID:
        """A row of any table; its id."""
        names = ", ".join(columns)
        values = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
        row_id: UUID = await self._connection.fetchval(
            f"insert into {table} ({names}) values ({values}) returning id", *columns.values()
        )
        return row_id

    async def user(self, name: str = "Ada Owner", **columns: Any) -> UUID:
        """A user."""
        return await self.add("app_user", name=name, **columns)

    async def stage(self, name: str = "Open", position: int = 1, probability: float = 0.5, **columns: Any) -> UUID:
        """A stage."""
        return await self.add("stage", name=name, position=position, probability=probability, **columns)

    async def stages(self) -> dict[str, UUID]:
        """Four stages by name: Lead and Offer are open, Won and Lost closed."""
        return {
            "Lead": await self.stage("Lead", 1, 0.1),
            "Offer": await self.stage("Offer", 2, 0.5),
            "Won": await self.stage("Won", 3, 1.0, is_won=True),
            "Lost": await self.stage("Lost", 4, 0.0, is_lost=True),
        }

    async def company(self, owner_id: UUID, name: str = "Acme", **columns: Any) -> UUID:
        """A company."""
        return await self.add("company", owner_id=owner_id, name=name, **columns)

    async def contact(self, owner_id: UUID, first_name: str | None = "Bea", **columns: Any) -> UUID:
        """A contact."""
        return await self.add("contact", owner_id=owner_id, first_name=first_name, **columns)

    async def deal(self, owner_id: UUID, stage_id: UUID, name: str = "Renewal", **columns: Any) -> UUID:
        """A deal."""
        return await self.add("deal", owner_id=owner_id, stage_id=stage_id, name=name, **columns)

    async def activity(self, owner_id: UUID, kind: str = "NOTE", subject: str = "Said hello", **columns: Any) -> UUID:
        """An activity."""
        return await self.add("activity", owner_id=owner_id, type=kind, subject=subject, **columns)
