"""Loads deals and their way through the stages."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from core import tags
from db.database import Database
from db.rows import CompanyRow, ContactRow, DealRow, StageChangeRow, WholeDealRow
from db.statements import statement
from loaders.base import Loader, many_per_key, one_per_key

BY_IDS = statement("deal.by_ids", DealRow)
WHOLE = statement("deal.whole", WholeDealRow)
CHANGES = statement("stage_change.of_deals", StageChangeRow)


class DealById(Loader[UUID, DealRow | None]):
    """Deal id to its row, or None where there is none that may be seen."""

    async def load_keys(self, keys: list[UUID]) -> Sequence[DealRow | None]:
        return one_per_key(await self._db.fetch(BY_IDS, self._visible_owner, keys), keys, key=lambda row: row.id)

    def tags(self, keys: Sequence[UUID]) -> Iterable[str]:
        return [tags.STAGES, *tags.rows("deal", keys)]


class WholeDealById(Loader[UUID, DealRow | None]):
    """Deal id to its row, or None; what it is with, company and contact, is read along and known to their loaders."""

    def __init__(
        self, db: Database, visible_owner: UUID | None, companies: Loader[UUID, Any], contacts: Loader[UUID, Any]
    ) -> None:
        super().__init__(db, visible_owner)
        self._companies = companies
        self._contacts = contacts

    async def load_keys(self, keys: list[UUID]) -> Sequence[DealRow | None]:
        deals = []
        for row in await self._db.fetch(WHOLE, self._visible_owner, keys):
            deal = DealRow._make((*row.deal, "", 0))
            deals.append(deal)
            if deal.company_id is not None:
                self._companies.learn({deal.company_id: row.company and CompanyRow._make((*row.company, "", 0))})
            if deal.contact_id is not None:
                self._contacts.learn({deal.contact_id: row.contact and ContactRow._make((*row.contact, "", 0))})
        return one_per_key(deals, keys, key=lambda row: row.id)

    def tags(self, keys: Sequence[UUID]) -> Iterable[str]:
        return [tags.STAGES, *tags.rows("deal", keys)]


class StageChangesByDeal(Loader[UUID, list[StageChangeRow]]):
    """Deal id to its first 100 changes of stage, oldest first."""

    async def load_keys(self, keys: list[UUID]) -> Sequence[list[StageChangeRow]]:
        rows = await self._db.fetch(CHANGES, self._visible_owner, keys)
        return many_per_key(rows, keys, key=lambda row: row.deal_id)

    def tags(self, keys: Sequence[UUID]) -> Iterable[str]:
        return tags.rows("deal", keys)
