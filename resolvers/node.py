"""Anything by its id."""

from typing import Any
from uuid import UUID

from loaders import Loaders


async def node_by_id(loaders: Loaders, node_id: UUID) -> Any:
    """The row that has the id, whatever it is; None if there is none that may be seen."""
    kind = await loaders.kind_by_id.one(node_id)
    return None if kind is None else await getattr(loaders, f"{kind}_by_id").one(node_id)
