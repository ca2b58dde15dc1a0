"""Loads stages: few, read whole and once for a request."""

from collections.abc import Iterable, Sequence
from typing import Literal
from uuid import UUID

from core import tags
from db.rows import StageRow
from db.statements import statement
from loaders.base import Loader, Loading
from loaders.reads import REFERENCE

ALL = statement("stage.all", StageRow)


class Stages(Loader[Literal["all"], list[StageRow]]):
    """Under its only key every stage, in the order of the pipeline."""

    good_for = REFERENCE
    kept_under = tags.STAGES

    async def load_keys(self, keys: list[Literal["all"]]) -> Sequence[list[StageRow]]:
        stages = await self._db.fetch(ALL)
        return [stages for _ in keys]

    def tags(self, keys: Sequence[Literal["all"]]) -> Iterable[str]:
        return [tags.STAGES]


class StageById(Loader[UUID, StageRow | None]):
    """Stage id to its row, or None: out of all of them, so that lists of stages and single ones share a statement."""

    good_for = REFERENCE

    def __init__(self, stages: Stages) -> None:
        super().__init__(stages._db, None)
        self._stages = stages

    def load_all(self, keys: Sequence[UUID]) -> Loading[StageRow | None]:
        """As ``Loader.load_all``, at once where the stages are known."""
        found = picked(self._stages.at_once("all") or (), keys)
        return super().load_all(keys) if None in found else found

    async def load_keys(self, keys: list[UUID]) -> Sequence[StageRow | None]:
        found = picked(await self._stages.one("all"), keys)
        if None in found:  # entered since they were read, of which this process has yet to hear
            (stages,) = await self._stages.load_keys(["all"])
            found = picked(stages, keys)
        return found

    def tags(self, keys: Sequence[UUID]) -> Iterable[str]:
        return [tags.STAGES]


def picked(stages: Sequence[StageRow], keys: Sequence[UUID]) -> list[StageRow | None]:
    """For each id its stage, or None."""
    found = {row.id: row for row in stages}
    return [found.get(key) for key in keys]
