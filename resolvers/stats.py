"""What is counted over deals by stage, put together for the screens that show it."""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from core.later import Later
from db.rows import ContactStatsRow, StageRow, StageTotalsRow
from loaders.report import Whose
from resolvers.context import Context


class StageStats(NamedTuple):
    """The deals of one stage; ``share`` is their part of all deals counted, 0 to 1."""

    stage: StageRow
    count: int  # type: ignore[assignment]
    value: float
    weighted_value: float
    unpriced_count: int
    share: float


# Lists are summed, and no generators: of seven stages they take a third less.
def _value_of(stages: list[StageStats]) -> float:
    return round(sum([each.value for each in stages]), 2)


@dataclass(frozen=True, slots=True)
class DealStats:
    """Deals of one list, by stage in the order of the pipeline, and what follows from that."""

    stages: list[StageStats]

    @property
    def _open(self) -> list[StageStats]:
        return [each for each in self.stages if not each.stage.is_won and not each.stage.is_lost]

    @property
    def _won(self) -> list[StageStats]:
        return [each for each in self.stages if each.stage.is_won]

    @property
    def total(self) -> int:
        """All deals."""
        return sum([each.count for each in self.stages])

    @property
    def open_count(self) -> int:
        """Deals neither won nor lost."""
        return sum([each.count for each in self._open])

    @property
    def won_count(self) -> int:
        """Won deals."""
        return sum([each.count for each in self._won])

    @property
    def lost_count(self) -> int:
        """Lost deals."""
        return sum([each.count for each in self.stages if each.stage.is_lost])

    @property
    def pipeline_value(self) -> float:
        """Known value of the open deals."""
        return _value_of(self._open)

    @property
    def weighted_value(self) -> float:
        """Known value of the open deals, each times its probability."""
        return round(sum(each.weighted_value for each in self._open), 2)

    @property
    def won_value(self) -> float:
        """Known value of the won deals."""
        return _value_of(self._won)

    @property
    def unpriced_count(self) -> int:
        """Deals of unknown value, which are in no sum."""
        return sum(each.unpriced_count for each in self.stages)

    @property
    def win_rate(self) -> float | None:
        """Won deals of all closed ones, 0 to 1; None while none is closed."""
        closed = self.won_count + self.lost_count
        return self.won_count / closed if closed else None


def deal_stats(context: Context, whose: Whose, of: UUID | None) -> Later[DealStats]:
    """The deals of an owner or company, or everyone's with None, counted by every stage there is."""
    return by_every_stage(context, context.loaders.stage_totals(whose if of else "all").one(of))


def by_every_stage(context: Context, totals: Later[list[StageTotalsRow]]) -> Later[DealStats]:
    """Deals that are being counted, by every stage there is: also those that have none."""
    stages = context.loaders.stages.one("all")
    return stages.map(lambda known: totals.map(lambda counted: DealStats(_by_stage(known, counted))))


def contact_stats(context: Context, owner_id: UUID | None) -> Later[ContactStatsRow]:
    """The contacts of an owner, or everyone's with None, counted."""
    return context.loaders.contact_stats("owner" if owner_id else "all").one(owner_id)


def _by_stage(stages: list[StageRow], totals: list[StageTotalsRow]) -> list[StageStats]:
    found = {row.stage_id: row for row in totals}
    everything = sum([row.deals for row in totals])
    stats = []
    for stage in stages:
        row = found.get(stage.id)
        if row is None:
            stats.append(StageStats(stage, 0, 0.0, 0.0, 0, 0.0))
        else:
            share = row.deals / everything
            stats.append(StageStats(stage, row.deals, row.value, row.weighted_value, row.unpriced, share))
    return stats
