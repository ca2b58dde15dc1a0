"""Loads what is counted and summed over many rows."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple, TypeAlias
from uuid import UUID

from core import tags
from core.later import Later
from db.database import Database, rows_of
from db.rows import OverviewRow, OverviewWithDealsRow, StageTotalsRow
from db.statements import variants
from loaders.base import Loader, many_per_key
from loaders.reads import DASHBOARD

PIPELINE = variants("reports.pipeline.of_", StageTotalsRow)
OVERVIEW = variants("reports.overview.of_", OverviewRow)
WITH_DEALS = variants("reports.overview.with_deals_of_", OverviewWithDealsRow)

Whose = Literal["all", "owner", "company"]


class Span(NamedTuple):
    """A time from and before."""

    start: datetime
    end: datetime


class StageTotals(Loader[UUID | None, list[StageTotalsRow]]):
    """Owner id, company id or None for everyone to deals by stage, stages without deals left out."""

    good_for = DASHBOARD

    def __init__(self, db: Database, visible_owner: UUID | None, whose: Whose) -> None:
        super().__init__(db, visible_owner)
        self._whose = whose
        self._statement = PIPELINE[whose]

    async def load_keys(self, keys: list[UUID | None]) -> Sequence[list[StageTotalsRow]]:
        rows = await self._db.fetch(self._statement, self._visible_owner, keys)
        return many_per_key(rows, range(1, len(keys) + 1), key=lambda row: row.place)

    def tags(self, keys: Sequence[UUID | None]) -> Iterable[str]:
        return [tags.STAGES, *tags.lists("deal", self._whose, keys)]


# What the head of a dashboard is made of: what happened in a day and in a week, or the deals by stage.
Days: TypeAlias = tuple[Span, Span]
Figures: TypeAlias = Days | Literal["deals"]


class Overview(Loader[Figures, OverviewRow | list[StageTotalsRow]]):
    """The figures of one owner or of everyone: what happened in a day and a week, and deals by stage, in one statement."""

    good_for = DASHBOARD

    def __init__(self, db: Database, visible_owner: UUID | None, owner_id: UUID | None) -> None:
        super().__init__(db, visible_owner)
        self._owner_id = owner_id
        self._scope = "all" if owner_id is None else "owner"

    def counted(self, day: Span, week: Span) -> Later[OverviewRow]:
        """What happened in them, and how many companies there are."""
        return self.one((day, week))  # type: ignore[return-value]

    def deals(self) -> Later[list[StageTotalsRow]]:
        """The deals by stage, stages without deals left out."""
        return self.one("deals")  # type: ignore[return-value]

    async def load_keys(self, keys: list[Figures]) -> Sequence[OverviewRow | list[StageTotalsRow]]:
        days = _days(keys)
        if len(days) == 1 and len(keys) == 2:
            rows = await self._db.fetch(WITH_DEALS[self._scope], self._visible_owner, self._owner_id, *_times(days[0]))
            deals = rows_of(StageTotalsRow, [row[4:] for row in rows if row.stage_id is not None])
            found: dict[Figures, OverviewRow | list[StageTotalsRow]] = {"deals": deals, days[0]: OverviewRow._make(rows[0][:4])}
            return [found[key] for key in keys]
        return [await self._alone(key) for key in keys]  # one, unless a document asks for several time zones at once

    async def _alone(self, key: Figures) -> OverviewRow | list[StageTotalsRow]:
        if key == "deals":
            return await self._db.fetch(PIPELINE[self._scope], self._visible_owner, [self._owner_id])
        (row,) = await self._db.fetch(OVERVIEW[self._scope], self._visible_owner, self._owner_id, *_times(key))
        return row

    def tags(self, keys: Sequence[Figures]) -> Iterable[str]:
        found = [tags.STAGES, tags.listed("deal", "owner", self._owner_id)] if "deals" in keys else []
        if _days(keys):
            found += [tags.listed(noun, "owner", self._owner_id) for noun in ("activity", "company")]
            found.append(self._with_deals())
        return found

    def _with_deals(self) -> str:
        """The tag of which of the companies have deals: any deals, or for one who sees their own alone, deals of their own."""
        if self._owner_id is None or self._visible_owner is not None:
            return tags.listed("deal", "owner", self._owner_id)
        return tags.with_deals(self._owner_id)

    def until(
        self, keys: Sequence[Figures], values: Sequence[OverviewRow | list[StageTotalsRow]], usual: datetime
    ) -> datetime:
        """Today ends at midnight of its time zone, and with it this week at the latest."""
        return min((usual, *(day.end for day, _ in _days(keys))))


def _days(keys: Sequence[Figures]) -> list[Days]:
    return [key for key in keys if key != "deals"]


def _times(days: Days) -> tuple[datetime, datetime, datetime, datetime]:
    day, week = days
    return day.start, day.end, week.start, week.end
