"""The dashboard of one owner, or of everyone."""

from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Literal, Self
from uuid import UUID
from zoneinfo import ZoneInfo

from core.later import Later
from db.rows import ActivityLine, OverviewRow
from loaders.activity import RecentList
from loaders.report import Span
from resolvers.context import Context
from resolvers.stats import DealStats, by_every_stage


class Dashboard:
    """Whose dashboard, and where the day begins; its parts are read when they are asked for.

    Reading begins when a part is asked for, not when it is awaited: all parts are read at the same time, and each once.
    """

    def __init__(self, context: Context, owner_id: UUID | None, zone: ZoneInfo) -> None:
        self._context = context
        self._owner_id = owner_id
        self._zone = zone
        self.generated_at = context.now

    @property
    def itself(self) -> Self:
        """The dashboard, as the key under which its parts are loaded. A property: an attribute would be a reference cycle."""
        return self

    overview = recent = itself

    @cached_property
    def deals(self) -> Later[DealStats]:
        """The deals by stage, for whichever part wants them first."""
        return by_every_stage(self._context, self._context.loaders.overview(self._owner_id).deals())

    @cached_property
    def counted(self) -> Later[OverviewRow]:
        """What happened today and this week, and the companies."""
        day = day_of(self._context.now, self._zone)
        return self._context.loaders.overview(self._owner_id).counted(day, week_of(day))

    def latest(
        self, kind: Literal["activities", "tasks"], limit: int, wanted: frozenset[str] | None = None
    ) -> Later[list[Any]]:
        """One of the short lists, for one who reads only the ``wanted`` attributes of its rows, or all."""
        as_lines = wanted is not None and wanted.issubset(ActivityLine._fields)
        return self._context.loaders.recent(self._owner_id).one(RecentList(kind, limit, as_lines))


def day_of(now: datetime, zone: ZoneInfo) -> Span:
    """The day of that time zone: 23 or 25 hours where the clock changes, from the first midnight where it has two."""
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    return Span(midnight, midnight + timedelta(days=1))


def week_of(day: Span) -> Span:
    """The week in which a day lies, from Monday (ISO 8601)."""
    monday = day.start - timedelta(days=day.start.weekday())
    return Span(monday, monday + timedelta(days=7))
