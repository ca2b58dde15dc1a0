"""Anything by its id."""

from typing import Any
from uuid import UUID

from loaders import Loaders
from loaders.base import Loader


async def node_by_id(loaders: Loaders, node_id: UUID) -> Any:
    """The row that has the id, whatever it is; None if there is none that may be seen."""
    kind = await loaders.kind_by_id.one(node_id)
    if kind is None:
        return None
    by_kind: dict[str, Loader[UUID, Any]] = {
        "company": loaders.company_by_id,
        "contact": loaders.contact_by_id,
        "deal": loaders.deal_by_id,
        "activity": loaders.activity_by_id,
        "stage": loaders.stage_by_id,
        "user": loaders.user_by_id,
    }
    return await by_kind[kind].one(node_id)
