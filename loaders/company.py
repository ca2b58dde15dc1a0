"""Loads companies and what is counted about one."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain
from typing import Any
from uuid import UUID

from core import tags
from db.database import Database
from db.rows import CompanyAnalyticsRow, CompanyRow, CompanyTotalsRow, CountedCompanyRow
from db.statements import statement
from loaders.base import Loader, one_per_key
from loaders.page import Listing, PageByWindow, Window
from loaders.reads import DASHBOARD

BY_IDS = statement("company.by_ids", CompanyRow)
TOTALS = statement("company.totals", CompanyTotalsRow)
ANALYTICS = statement("reports.analytics.of_companies", CompanyAnalyticsRow)


class CompanyById(Loader[UUID, CompanyRow | None]):
    """Company id to its row, or None where there is none that may be seen."""

    async def load_keys(self, keys: list[UUID]) -> Sequence[CompanyRow | None]:
        return one_per_key(await self._db.fetch(BY_IDS, self._visible_owner, keys), keys, key=lambda row: row.id)

    def tags(self, keys: Sequence[UUID]) -> Iterable[str]:
        return tags.rows("company", keys)


class TotalsByCompany(Loader[UUID, CompanyTotalsRow | CountedCompanyRow]):
    """Company id to how many contacts and deals it has, and what those are worth: one statement, of which many want all."""

    async def load_keys(self, keys: list[UUID]) -> Sequence[CompanyTotalsRow]:
        rows = {row.company_id: row for row in await self._db.fetch(TOTALS, self._visible_owner, keys)}
        return [rows[key] for key in keys]

    def tags(self, keys: Sequence[UUID]) -> Iterable[str]:
        return [tag for noun in ("contact", "deal") for tag in tags.lists(noun, "company", keys)]


class CountedPage(PageByWindow):
    """Window to its companies; what is counted about them is read along and known to their loader."""

    def __init__(
        self, db: Database, visible_owner: UUID | None, listing: Listing, way: str, totals: TotalsByCompany
    ) -> None:
        super().__init__(db, visible_owner, listing, way)
        self._totals = totals

    async def load_keys(self, keys: list[Window]) -> Sequence[list[Any]]:
        pages = await super().load_keys(keys)
        self._totals.learn({row.id: row for row in chain.from_iterable(pages)})
        return pages


class AnalyticsByCompany(Loader[UUID, CompanyAnalyticsRow]):
    """Company id to its analytics as of one moment; of a company that is deleted as well, as its totals are."""

    good_for = DASHBOARD

    def __init__(self, db: Database, visible_owner: UUID | None, now: datetime) -> None:
        super().__init__(db, visible_owner)
        self._now = now

    async def load_keys(self, keys: list[UUID]) -> Sequence[CompanyAnalyticsRow]:
        rows = {row.id: row for row in await self._db.fetch(ANALYTICS, self._visible_owner, keys, self._now)}
        return [rows[key] for key in keys]

    def tags(self, keys: Sequence[UUID]) -> Iterable[str]:
        below = [tag for noun in ("contact", "deal", "activity") for tag in tags.lists(noun, "company", keys)]
        return [tags.STAGES, *tags.rows("company", keys), *below]

    def until(self, keys: Sequence[UUID], values: Sequence[CompanyAnalyticsRow], usual: datetime) -> datetime:
        """An activity of the future counts when it is there, and one of a month ago no more."""
        return min((usual, *(row.changes_at for row in values if row.changes_at is not None)))
