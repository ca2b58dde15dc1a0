"""What every loader does: one batch is one statement, answered in key order, and survives a cancelled reader."""

import asyncio
from abc import abstractmethod
from asyncio import Future
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any, ClassVar, TypeAlias, TypeVar
from uuid import UUID

from aiodataloader import DataLoader

from cache.reference import Kept, Reference
from core.later import Later, outcomes_of, pass_over
from db.database import Database
from loaders.reads import LIST, Reads

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Row = TypeVar("Row")
T = TypeVar("T")
# What ``Loader.load_all`` gives: values, now or later.
Loading: TypeAlias = Sequence[T] | Later[Sequence[T]]


class Loader(DataLoader[Key, Value]):
    """A per-request loader. Subclasses say what they answer, how a list of keys is loaded, and what it depends on.

    There are two ways in: ``load`` gives a future, for graphql-core; ``load_all`` and ``one`` give a ``Later``, for plans. A
    key that is asked for in both ways is loaded once.
    """

    good_for: ClassVar[timedelta] = LIST

    # The tag under which values are kept in process (``cache/reference.py``), for what hardly ever changes.
    kept_under: ClassVar[str | None] = None

    # Those of the request, given by its ``Loaders``: what it has read, what the process keeps, and the batches under way.
    reads: Reads
    reference: Reference | None
    batches: set[asyncio.Task[None]]

    def __init__(self, db: Database, visible_owner: UUID | None) -> None:
        # As DataLoader's own, which looks up the loop and the signature of batch_load_fn once more for each loader of each
        # request: 1 against 5 us.
        self.loop = asyncio.get_running_loop()
        self._cache = {}
        self._queue = []
        self._db = db
        self._visible_owner = visible_owner
        # What has been loaded, the batch of each key that is being loaded, and the keys of the next batch, which is _next.
        self._values: dict[Key, Value] = {}
        self._under_way: dict[Key, Later[None]] = {}
        self._gathered: list[Key] = []
        self._next: Later[None]

    def get_cache_key(self, key: Key) -> Key:
        """The key itself; see DataLoader."""
        return key

    async def batch_load_fn(self, keys: list[Key]) -> list[Value]:
        """One value per key, in their order: what DataLoader calls for ``load``."""
        task = asyncio.current_task()
        assert task is not None
        self.batches.add(task)
        return list(await self._load(keys))

    async def _load(self, keys: list[Key]) -> Sequence[Value]:
        kept = self._kept()
        values = await self.load_keys(keys)
        self._read(keys, values)
        # Without a look at what was open nobody could share what these rows will be in.
        is_dated = self.reads.xmin is not None or not self.reads.is_kept
        if kept is not None and self.reference is not None and self.kept_under is not None and is_dated:
            pairs = zip(keys, values, strict=True)
            # Not that there is nothing: ids of nothing are endless.
            there = [((type(self), self._visible_owner, key), value) for key, value in pairs if value is not None]
            self.reference.keep(self.kept_under, kept, there, self.reads.xmin or 0)
        return values

    def _read(self, keys: Sequence[Key], values: Sequence[Value]) -> None:
        if self.reads.is_kept:  # the tags of a full Dashboard take 35 us
            self.reads.add(self.tags(keys), self.until(keys, values, self.reads.now + self.good_for))

    def _kept(self) -> Kept | None:
        return None if self.reference is None or self.kept_under is None else self.reference.of(self.kept_under)

    def _recall(self, keys: Sequence[Key]) -> None:
        """Takes what this process has kept."""
        kept = self._kept()
        if kept:
            names = {key: (type(self), self._visible_owner, key) for key in keys if key not in self._values}
            found = {key: kept[name] for key, name in names.items() if name in kept}
            if found:
                others = self.reads.kept_xmin
                self.reads.kept_xmin = kept.xmin if others is None else min(kept.xmin, others)
            self._values.update(found)
            self._read(list(found), list(found.values()))

    def learn(self, found: Mapping[Key, Value]) -> None:
        """Takes the values of keys that were read along with something else."""
        new = {key: value for key, value in found.items() if key not in self._values}
        self._values.update(new)
        self._read(list(new), list(new.values()))

    @abstractmethod
    async def load_keys(self, keys: list[Key]) -> Sequence[Value]:
        """What a subclass does: the values of distinct keys, by one statement."""

    @abstractmethod
    def tags(self, keys: Sequence[Key]) -> Iterable[str]:
        """What a subclass says: the tags (``core/tags.py``) of all that could change the values of these keys."""

    def until(self, keys: Sequence[Key], values: Sequence[Value], usual: datetime) -> datetime:
        """Until when the values are good, if nothing is written: ``usual``, unless the clock changes them sooner."""
        return usual

    def load(self, key: Key) -> "Future[Value]":
        """The value of one key, loaded with all others that are asked for in this turn of the loop.

        Shielded: graphql-core cancels the siblings of a failed non-null field, and a cancelled reader must not cancel
        the future that every other reader of the key awaits.
        """
        self._recall([key])
        if key in self._values:
            self.prime(key, self._values[key])
        elif key in self._under_way:
            return asyncio.ensure_future(self.one(key))
        future = super().load(key)
        if future.done():
            return future
        shielded = asyncio.shield(future)
        shielded.add_done_callback(pass_over)  # of several fields that fail graphql-core awaits the first
        return shielded

    def load_all(self, keys: Sequence[Key]) -> Loading[Value]:
        """The values of distinct keys in their order: at once if all have been loaded, or else later.

        What several levels ask for in the same turn of the loop is one batch here as well; an exception as a value is that
        of its key.
        """
        if self.kept_under is not None:
            self._recall(keys)
        values = self._values
        missing = [key for key in keys if key not in values]
        if not missing:
            return [values[key] for key in keys]
        batches = self._batches_of(missing)
        if len(batches) == 1 and len(missing) == len(keys):
            return batches[0].map(lambda _: [values[key] for key in keys])
        batch_of = {key: self._under_way[key] for key in missing}

        def found(outcomes: list[Any]) -> Any:
            """A batch that failed has failed for its own keys, and not for the others."""
            cancelled = next((each for each in outcomes if isinstance(each, asyncio.CancelledError)), None)
            return cancelled or [values[key] if key in values else batch_of[key].outcome for key in keys]

        return outcomes_of(batches).map(found)

    def one(self, key: Key) -> Later[Value]:
        """The value of one key, in the same batches as ``load_all``. An exception as its value is raised."""
        if self.kept_under is not None:
            self._recall([key])
        values = self._values
        if key in values:
            return Later.given(values[key])
        (batch,) = self._batches_of([key])
        return batch.map(lambda _: values[key])

    def at_once(self, key: Key) -> Value | None:
        """The value of a key if it has been loaded."""
        self._recall([key])
        return self._values.get(key)

    def _batches_of(self, keys: list[Key]) -> list[Later[None]]:
        """The batches in which the keys are loaded: those under way, those begun by ``load``, and the next one."""
        found: dict[int, Later[None]] = {}
        if self._under_way or self._cache:
            for key in keys:
                batch = self._under_way.get(key) or self._begun(key)
                if batch is not None:
                    found[id(batch)] = batch
            keys = [key for key in keys if key not in self._under_way]
        if keys:
            if not self._gathered:
                self._next = Later()
                task = self.loop.create_task(self._fill(self._next))
                self.batches.add(task)
                task.add_done_callback(partial(self._ended, self._next))
            self._gathered += keys
            self._under_way.update(dict.fromkeys(keys, self._next))
            found[id(self._next)] = self._next
        return list(found.values())

    def _begun(self, key: Key) -> Later[None] | None:
        """A batch for a key that was asked for by ``load``."""
        begun = self._cache.get(key)
        if begun is None:
            return None
        batch = self._under_way[key] = Later()
        begun.add_done_callback(partial(self._take, key, batch))
        return batch

    def _take(self, key: Key, batch: Later[None], begun: "Future[Value]") -> None:
        del self._under_way[key]
        error = asyncio.CancelledError() if begun.cancelled() else begun.exception()
        if error is None:
            self._values[key] = begun.result()
        batch.give(error)

    async def _fill(self, batch: Later[None]) -> None:
        """Loads what was gathered, and lets those know who wait. A batch that failed is tried again by who asks again."""
        keys, self._gathered = self._gathered, []
        outcome: BaseException | None = None
        try:
            values = await self._load(keys)
            self._values.update(zip(keys, values, strict=True))
        except asyncio.CancelledError as error:
            outcome = error
            raise
        except Exception as error:  # whatever it is, it is the error of all who wait
            outcome = error
        finally:
            self._let_go(keys, batch, outcome)

    def _let_go(self, keys: list[Key], batch: Later[None], outcome: BaseException | None) -> None:
        if len(keys) == len(self._under_way):
            self._under_way.clear()
        else:
            for key in keys:
                del self._under_way[key]
        batch.give(outcome)

    def _ended(self, batch: Later[None], _: asyncio.Task[None]) -> None:
        if self._gathered and batch is self._next:  # stopped before it began
            keys, self._gathered = self._gathered, []
            self._let_go(keys, batch, asyncio.CancelledError())


def one_per_key(rows: Iterable[Row], keys: Sequence[Key], *, key: Callable[[Row], Key]) -> list[Row | None]:
    """For each key the row that has it, or None."""
    found = {key(row): row for row in rows}
    return [found.get(wanted) for wanted in keys]


def many_per_key(rows: Iterable[Row], keys: Sequence[Key], *, key: Callable[[Row], Key]) -> list[list[Row]]:
    """For each key its rows, in the order they came."""
    groups: defaultdict[Key, list[Row]] = defaultdict(list)
    for found, some in groupby(rows, key):  # most come grouped: then it is a step for each group, not for each row
        groups[found] += some
    return [groups[wanted] for wanted in keys]
