"""Loads of what an id is the id."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from core import tags
from db.rows import NodeKindRow
from db.statements import statement
from loaders.base import Loader

KINDS = statement("node.kinds", NodeKindRow)


class KindById(Loader[UUID, str | None]):
    """Id to the kind of thing it is the id of: company, contact, deal, activity, stage or user; None if of nothing."""

    async def load_keys(self, keys: list[UUID]) -> Sequence[str | None]:
        found = {row.id: row.kind for row in await self._db.fetch(KINDS, keys)}
        return [found.get(key) for key in keys]

    def tags(self, keys: Sequence[UUID]) -> Iterable[str]:
        nouns: tuple[tags.Noun, ...] = ("company", "contact", "deal", "activity")
        return [tags.STAGES, tags.USERS, *(tag for noun in nouns for tag in tags.rows(noun, keys))]
