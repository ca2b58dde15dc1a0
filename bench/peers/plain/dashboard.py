"""The dashboard in plain Strawberry."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import strawberry
from strawberry import Info, Private

from bench.peers.plain.loaders import loaders
from bench.peers.plain.nouns import Activity, Stage, activity, stage


@strawberry.type
class StageStats:
    stage: Stage
    count: int
    value: float
    weighted_value: float
    share: float


@strawberry.type
class DealsOverview:
    total: int
    pipeline_value: float
    won_value: float
    win_rate: float | None


@strawberry.type
class ActivitiesOverview:
    today: int
    this_week: int


@strawberry.type
class CompaniesOverview:
    total: int
    with_deals: int


@dataclass
class Asked:
    """Whose dashboard; a loader of one key shares the pipeline between its two readers."""

    owner_id: str
    time_zone: str

    async def pipeline(self, info: Info) -> Sequence[Any]:
        found: Sequence[Any] = await loaders(info).rows("pipeline").load(self.owner_id)
        return found


@strawberry.type
class Overview:
    asked: Private[Asked]

    @strawberry.field
    async def deals(self, info: Info) -> DealsOverview:
        rows = await self.asked.pipeline(info)
        won = sum(row["count"] for row in rows if row["isWon"])
        closed = won + sum(row["count"] for row in rows if row["isLost"])
        return DealsOverview(
            total=sum(row["count"] for row in rows),
            pipeline_value=round(sum(row["value"] for row in rows if not row["isWon"] and not row["isLost"]), 2),
            won_value=round(sum(row["value"] for row in rows if row["isWon"]), 2),
            win_rate=won / closed if closed else None,
        )

    @strawberry.field
    async def activities(self, info: Info) -> ActivitiesOverview:
        of = (self.asked.owner_id, self.asked.time_zone)
        [row] = await loaders(info).database.rows("activities_counted", *of)
        return ActivitiesOverview(today=row["today"], this_week=row["thisWeek"])

    @strawberry.field
    async def companies(self, info: Info) -> CompaniesOverview:
        [row] = await loaders(info).database.rows("companies_counted", self.asked.owner_id)
        return CompaniesOverview(total=row["total"], with_deals=row["withDeals"])


@strawberry.type
class Recent:
    asked: Private[Asked]

    @strawberry.field
    async def activities(self, info: Info, limit: int = 10) -> list[Activity]:
        rows = await loaders(info).database.rows("latest_activities", self.asked.owner_id, limit=limit)
        return [activity(row) for row in rows]

    @strawberry.field
    async def tasks(self, info: Info, limit: int = 5) -> list[Activity]:
        rows = await loaders(info).database.rows("open_tasks", self.asked.owner_id, limit=limit)
        return [activity(row) for row in rows]


@strawberry.type
class Dashboard:
    asked: Private[Asked]
    generated_at: datetime

    @strawberry.field
    def overview(self) -> Overview:
        return Overview(asked=self.asked)

    @strawberry.field
    def recent(self) -> Recent:
        return Recent(asked=self.asked)

    @strawberry.field
    async def pipeline(self, info: Info) -> list[StageStats]:
        rows = await self.asked.pipeline(info)
        total = sum(row["count"] for row in rows)
        return [
            StageStats(
                stage=stage(row),
                count=row["count"],
                value=row["value"],
                weighted_value=row["weightedValue"],
                share=row["count"] / total if total else 0,
            )
            for row in rows
        ]
