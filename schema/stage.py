"""Stages of the pipeline, and a deal's way through them."""

from datetime import datetime

import strawberry

from db.rows import StageRow
from execution import instance_of
from schema.follow import follow
from schema.node import Node
from schema.scalars import Money
from schema.user import User


@strawberry.type(description="Where a deal can stand.")
class Stage(Node):
    name: str = strawberry.field(description="Name, for example Negotiation.")
    color: str = strawberry.field(description="Colour for charts, as #rrggbb.")
    position: int = strawberry.field(description="Place in the pipeline, lowest first.")
    probability: float = strawberry.field(description="How likely a deal in this stage is won, from 0 to 1.")
    is_won: bool = strawberry.field(description="Whether deals here are won.")
    is_lost: bool = strawberry.field(description="Whether deals here are lost.")
    external_id: str | None = strawberry.field(description="Id in the system that the stage was imported from.")

    is_type_of = instance_of(StageRow)


@strawberry.type(description="One move of a deal to a stage.")
class StageChange:
    id: strawberry.ID = strawberry.field(description="A UUID.")
    changed_at: datetime = strawberry.field(description="When the deal moved.")
    from_stage = follow(
        "stage_by_id", "from_stage_id", type=Stage | None, description="Where it was; null when it was entered."
    )
    to_stage = follow("stage_by_id", "to_stage_id", type=Stage, description="Where it went.")
    changed_by = follow(
        "user_by_id", "changed_by", type=User | None, description="Who moved it, if that is known and may be seen."
    )


@strawberry.type(description="The deals of one stage, counted and summed.")
class StageStats:
    stage: Stage = strawberry.field(description="The stage.")
    count: int = strawberry.field(description="How many deals are in it.")
    value: Money = strawberry.field(description="Sum of their known values.")
    weighted_value: Money = strawberry.field(description="Sum of their known values, each times its probability.")
    unpriced_count: int = strawberry.field(description="How many of them have no known value and are in neither sum.")
    share: float = strawberry.field(description="Part of all the deals counted, from 0 to 1; 0 if there are none.")
