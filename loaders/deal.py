"""Loads deals and their way through the stages."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from core import tags
from db.rows import DealRow, StageChangeRow
from db.statements import statement
from loaders.base import Loader, many_per_key, one_per_key

BY_IDS = statement("deal.by_ids", DealRow)
CHANGES = statement("stage_change.of_deals", StageChangeRow)


class DealById(Loader[UUID, DealRow | None]):
    """Deal id to its row, or None where there is none that may be seen."""

    async def load_keys(self, keys: list[UUID]) -> Sequence[DealRow | None]:
        return one_per_key(await self._db.fetch(BY_IDS, self._visible_owner, keys), keys, key=lambda row: row.id)

    def tags(self, keys: Sequence[UUID]) -> Iterable[str]:
        return [tags.STAGES, *(tags.row("deal", key) for key in keys)]


class StageChangesByDeal(Loader[UUID, list[StageChangeRow]]):
    """Deal id to its first 100 changes of stage, oldest first."""

    async def load_keys(self, keys: list[UUID]) -> Sequence[list[StageChangeRow]]:
        rows = await self._db.fetch(CHANGES, self._visible_owner, keys)
        return many_per_key(rows, keys, key=lambda row: row.deal_id)

    def tags(self, keys: Sequence[UUID]) -> Iterable[str]:
        return (tags.row("deal", key) for key in keys)
