"""Loads contacts and their statistics."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from core import tags
from db.database import Database
from db.rows import ContactRow, ContactStatsRow
from db.statements import statement, variants
from loaders.base import Loader, one_per_key
from loaders.reads import STATISTICS

BY_IDS = statement("contact.by_ids", ContactRow)
STATS = variants("reports.contacts.of_", ContactStatsRow)


class ContactById(Loader[UUID, ContactRow | None]):
    """Contact id to its row, or None where there is none that may be seen."""

    async def load_keys(self, keys: list[UUID]) -> Sequence[ContactRow | None]:
        return one_per_key(await self._db.fetch(BY_IDS, self._visible_owner, keys), keys, key=lambda row: row.id)

    def tags(self, keys: Sequence[UUID]) -> Iterable[str]:
        return tags.rows("contact", keys)


class ContactStats(Loader[UUID | None, ContactStatsRow]):
    """Owner id, or None for everyone, to the contacts counted, as of one moment."""

    good_for = STATISTICS

    def __init__(self, db: Database, visible_owner: UUID | None, whose: Literal["all", "owner"], now: datetime) -> None:
        super().__init__(db, visible_owner)
        self._statement = STATS[whose]
        self._new_since = now - timedelta(days=30)

    async def load_keys(self, keys: list[UUID | None]) -> Sequence[ContactStatsRow]:
        return await self._db.fetch(self._statement, self._visible_owner, keys, self._new_since)

    def tags(self, keys: Sequence[UUID | None]) -> Iterable[str]:
        # Which of their companies are there: whoever sees every contact sees it with a company of anybody's.
        return [*tags.lists("contact", "owner", keys), tags.listed("company", "owner", self._visible_owner)]

    def until(self, keys: Sequence[UUID | None], values: Sequence[ContactStatsRow], usual: datetime) -> datetime:
        """What is new is so for a month."""
        return min((usual, *(row.changes_at for row in values if row.changes_at is not None)))
