"""The dashboard of one owner, or of everyone."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from db.rows import ActivityRow, OverviewRow
from loaders.activity import RecentList
from loaders.report import Span
from resolvers.context import Context
from resolvers.stats import DealStats, deal_stats


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Whose dashboard, and where the day begins; its parts are read when they are asked for."""

    context: Context
    owner_id: UUID | None
    zone: ZoneInfo

    @property
    def generated_at(self) -> datetime:
        """The moment the whole dashboard is of."""
        return self.context.now

    @property
    def overview(self) -> "Dashboard":
        """The dashboard itself: the overview's parts are read apart from each other."""
        return self

    @property
    def recent(self) -> "Dashboard":
        """The dashboard itself, as for the overview."""
        return self

    async def deals(self) -> DealStats:
        """The deals by stage."""
        return await deal_stats(self.context, "owner", self.owner_id)

    async def counted(self) -> OverviewRow:
        """What happened today and this week, and the companies."""
        spans = (day_of(self.context.now, self.zone), week_of(self.context.now, self.zone))
        return await self.context.loaders.overview(self.owner_id).one(spans)

    async def latest(self, kind: Literal["activities", "tasks"], limit: int) -> list[ActivityRow]:
        """One of the short lists."""
        return await self.context.loaders.recent(self.owner_id).one(RecentList(kind, limit))


def day_of(now: datetime, zone: ZoneInfo) -> Span:
    """The day of that time zone: 23 or 25 hours where the clock changes, from the first midnight where it has two."""
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    return Span(midnight, midnight + timedelta(days=1))


def week_of(now: datetime, zone: ZoneInfo) -> Span:
    """The week of that time zone, from Monday (ISO 8601)."""
    day = day_of(now, zone)
    monday = day.start - timedelta(days=day.start.weekday())
    return Span(monday, monday + timedelta(days=7))
