"""Loads what is counted and summed over many rows."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from core import tags
from db.database import Database
from db.rows import NodeKindRow, OverviewRow, StageTotalsRow
from db.statements import family, statement
from loaders.base import Loader, many_per_key
from loaders.reads import DASHBOARD

PIPELINE = family("reports.pipeline.of_", StageTotalsRow)
OVERVIEW_OF_OWNER = statement("reports.overview.of_owner", OverviewRow)
OVERVIEW_OF_ALL = statement("reports.overview.of_all", OverviewRow)
KINDS = statement("node.kinds", NodeKindRow)

Whose = Literal["all", "owner", "company"]


class Span(NamedTuple):
    """A time from and before."""

    start: datetime
    end: datetime


class StageTotals(Loader[UUID | Literal["everyone"], list[StageTotalsRow]]):
    """Owner id, company id or "everyone" to deals by stage, stages without deals left out."""

    good_for = DASHBOARD

    def __init__(self, db: Database, visible_owner: UUID | None, whose: Whose) -> None:
        super().__init__(db, visible_owner)
        self._whose = whose
        self._statement = PIPELINE[f"reports.pipeline.of_{whose}"]

    async def load_keys(self, keys: list[UUID | Literal["everyone"]]) -> Sequence[list[StageTotalsRow]]:
        ids = [None if key == "everyone" else key for key in keys]
        rows = await self._db.fetch(self._statement, self._visible_owner, ids)
        return many_per_key(rows, range(1, len(keys) + 1), key=lambda row: row.place)

    def tags(self, keys: Sequence[UUID | Literal["everyone"]]) -> Iterable[str]:
        return [tags.STAGES, *tags.lists("deal", self._whose, (None if key == "everyone" else key for key in keys))]


class Overview(Loader[tuple[Span, Span], OverviewRow]):
    """A day and a week to what happened in them, of one owner or of everyone."""

    good_for = DASHBOARD

    def __init__(self, db: Database, visible_owner: UUID | None, owner_id: UUID | None) -> None:
        super().__init__(db, visible_owner)
        self._owner_id = owner_id

    async def load_keys(self, keys: list[tuple[Span, Span]]) -> Sequence[OverviewRow]:
        which = OVERVIEW_OF_ALL if self._owner_id is None else OVERVIEW_OF_OWNER
        found = []
        for day, week in keys:  # one, unless a document asks for several time zones at once
            times = (day.start, day.end, week.start, week.end)
            found += await self._db.fetch(which, self._visible_owner, self._owner_id, *times)
        return found

    def tags(self, keys: Sequence[tuple[Span, Span]]) -> Iterable[str]:
        owned = [tags.listed(noun, "owner", self._owner_id) for noun in ("activity", "company")]
        return [*owned, "deals" if self._owner_id is None else f"deals-with-owner:{self._owner_id}"]

    def until(
        self, keys: Sequence[tuple[Span, Span]], values: Sequence[OverviewRow], usual: datetime
    ) -> datetime:
        """Today ends at midnight of its time zone, and with it this week at the latest."""
        return min(usual, *(day.end for day, _ in keys))


class KindById(Loader[UUID, str | None]):
    """Id to the kind of thing it is the id of: company, contact, deal, activity, stage or user; None if of nothing."""

    async def load_keys(self, keys: list[UUID]) -> Sequence[str | None]:
        found = {row.id: row.kind for row in await self._db.fetch(KINDS, keys)}
        return [found.get(key) for key in keys]

    def tags(self, keys: Sequence[UUID]) -> Iterable[str]:
        nouns: tuple[tags.Noun, ...] = ("company", "contact", "deal", "activity")
        return [tags.STAGES, tags.USERS, *(tag for noun in nouns for tag in tags.rows(noun, keys))]
