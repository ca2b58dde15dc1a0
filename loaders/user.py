"""Loads users."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from core import tags
from db.rows import UserRow
from db.statements import statement
from loaders.base import Loader, one_per_key
from loaders.reads import REFERENCE

BY_IDS = statement("app_user.by_ids", UserRow)


class UserById(Loader[UUID, UserRow | None]):
    """User id to its row, or None where there is none that may be seen."""

    good_for = REFERENCE
    kept_under = tags.USERS

    async def load_keys(self, keys: list[UUID]) -> Sequence[UserRow | None]:
        return one_per_key(await self._db.fetch(BY_IDS, self._visible_owner, keys), keys, key=lambda row: row.id)

    def tags(self, keys: Sequence[UUID]) -> Iterable[str]:
        return [tags.USERS]
