"""Loads activities, and the two short lists of a dashboard."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from core import tags
from db.database import Database
from db.rows import ActivityLine, ActivityRow, CompanyName, DealName
from db.statements import Statement, statement, variants
from loaders.base import Loader, one_per_key
from loaders.reads import DASHBOARD

BY_IDS = statement("activity.by_ids", ActivityRow)
WHOLE = variants("reports.recent.of_", ActivityRow)
LINES = variants("reports.recent.lines_of_", ActivityLine)


class ActivityById(Loader[UUID, ActivityRow | None]):
    """Activity id to its row, or None where there is none that may be seen."""

    async def load_keys(self, keys: list[UUID]) -> Sequence[ActivityRow | None]:
        return one_per_key(await self._db.fetch(BY_IDS, self._visible_owner, keys), keys, key=lambda row: row.id)

    def tags(self, keys: Sequence[UUID]) -> Iterable[str]:
        return tags.rows("activity", keys)


class RecentList(NamedTuple):
    """One of the two lists, how many of it, and whether lines are enough: not whole rows."""

    kind: Literal["activities", "tasks"]
    limit: int
    as_lines: bool = False


class Recent(Loader[RecentList, list[Any]]):
    """The latest activities and the open tasks that are due next, of one owner or of everyone.

    They are lines where those are enough for both lists. The names of their companies and deals are read along, and put
    into the dictionaries.
    """

    good_for = DASHBOARD

    def __init__(
        self,
        db: Database,
        visible_owner: UUID | None,
        owner_id: UUID | None,
        companies: dict[UUID, CompanyName | None],
        deals: dict[UUID, DealName | None],
    ) -> None:
        super().__init__(db, visible_owner)
        self._owner_id = owner_id
        self._companies = companies
        self._deals = deals
        self._next_at: datetime | None = None

    async def load_keys(self, keys: list[RecentList]) -> Sequence[list[Any]]:
        scope = "all" if self._owner_id is None else "owner"
        as_lines = all(key.as_lines for key in keys)
        which: Statement[Any] = LINES[scope] if as_lines else WHOLE[scope]
        most = {kind: max((key.limit for key in keys if key.kind == kind), default=0) for kind in ("activities", "tasks")}
        rows = await self._db.fetch(which, self._visible_owner, self._owner_id, most["activities"], most["tasks"])
        lists = {
            "activities": [row for row in rows if row.place == 1],
            "tasks": [row for row in rows if row.place == 2],
        }
        for row in (*lists["activities"], *lists["tasks"]):
            if row.company_id is not None:
                name = row.company_name
                self._companies[row.company_id] = None if name is None else CompanyName(row.company_id, name)
            if row.deal_id is not None:
                self._deals[row.deal_id] = None if row.deal_name is None else DealName(row.deal_id, row.deal_name)
        self._next_at = next((row.occurred_at for row in rows if row.place == 3), None)
        return [lists[key.kind][: key.limit] for key in keys]

    def tags(self, keys: Sequence[RecentList]) -> Iterable[str]:
        names = [*tags.rows("company", self._companies), *tags.rows("deal", self._deals)]
        return [tags.listed("activity", "owner", self._owner_id), *names]

    def until(self, keys: Sequence[RecentList], values: Sequence[list[Any]], usual: datetime) -> datetime:
        """What lies in the future comes into the list by itself."""
        return usual if self._next_at is None else min(usual, self._next_at)
