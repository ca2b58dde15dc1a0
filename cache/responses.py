"""Finished answers, kept for as long as nothing they were made of has been written.

An entry is here because it is fresh: a notification takes out what has its tags, and a cut line takes out everything.
Looking one up is therefore one dictionary access. Bounded by bytes, the least recently used leave first.
"""

import asyncio
import time
from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial

from cache.encoding import Encoding, encoded, encoded_aside
from cache.entry import SKEW_S, Entry, Found, Made, SharedTier, Stats, etag_of
from cache.freshness import Freshness
from core.later import pass_over
from core.tags import everything_of

# Longest wait for an answer that another process is making.
MOST_WAIT_S = 1.0


@dataclass(slots=True)
class _Flight:
    """One answer that is being found or made, and how many wait for it."""

    task: "asyncio.Task[Found]"
    began: int
    waiting: int = 0


class ResponseCache:
    """The answers of one process, before those of all of them. ``on_dropped`` is told of each that a write makes old."""

    def __init__(
        self,
        freshness: Freshness,
        *,
        most_bytes: int,
        shared: SharedTier | None = None,
        stale_s: float = 0.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.stats = Stats()
        self.bytes = 0
        self.evictions = 0
        self.freshness = freshness
        self.on_dropped: Callable[[Entry], None] = lambda entry: None
        self._most_bytes = most_bytes
        self._shared = shared
        self._stale_s = stale_s
        self._now = now
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()
        self._by_tag: defaultdict[str, set[bytes]] = defaultdict(set)
        self._stale: dict[bytes, Entry] = {}
        self._lost_at, self._stale_until = -1, 0.0
        self._looks: dict[bytes, list[asyncio.Future[Entry | None]]] = {}
        self._flights: dict[bytes, _Flight] = {}
        freshness.on_written = self._written
        freshness.on_lost = self._lost

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, key: bytes) -> Entry | None:
        """The fresh answer under that key, counted as a hit; None if there is none in this process."""
        entry = self._entries.get(key)
        if entry is None or not self.freshness.is_hearing:
            return None
        if not entry.made.is_good(self._now()):
            self._remove(key)
            return None
        self._entries.move_to_end(key)
        entry.hits += 1
        self.stats[entry.made.document].hits += 1
        return entry

    async def find_shared(self, key: bytes) -> Entry | None:
        """The fresh answer under that key in this process or of another, counted as a hit; None if there is none."""
        entry = self.find(key)
        if entry is not None or not self.is_shared:
            return entry
        look: asyncio.Future[Entry | None] = asyncio.get_running_loop().create_future()
        self._looking(key).append(look)
        entry = await look
        if entry is not None:
            self.stats[entry.made.document].hits += 1
        return entry

    def foresee(self, key: bytes) -> None:
        """``find_shared`` will be asked for that key in this turn of the loop: meanwhile the question can travel."""
        if self.is_shared:
            self._looking(key)

    def _looking(self, key: bytes) -> "list[asyncio.Future[Entry | None]]":
        """Those who wait for what other processes have under that key; whoever is the first has it asked for."""
        looks = self._looks.get(key)
        if looks is None:
            looks = self._looks[key] = []
            if self._shared is not None:
                self._shared.ask(key, partial(self._looked, key, self.freshness.number))
        return looks

    def _looked(self, key: bytes, began: int, made: Made | None) -> None:
        """Tells all who asked since then what there is: what was written meanwhile makes it old for each of them."""
        entry = self._vouched(key, made, began)
        for look in self._looks.pop(key):
            if not look.done():
                look.set_result(entry)

    async def find_or_make(
        self, key: bytes, make: Callable[[], Awaitable[Made]], *, refresh: bool = False, began: int | None = None
    ) -> Found:
        """A fresh answer, found anywhere or made now; however many ask at once, it is made once.

        ``refresh`` makes it in any case. ``began`` is the number of the last notification before anything was read for it,
        if that was before now. The entry is None for an answer that is not kept. Raises what ``make`` does.
        """
        entry = None if refresh else self.find(key)
        if entry is not None:
            return entry, entry.made, "HIT"
        found, made, outcome = await self._join(key, make, refresh, began)
        counted = self.stats[made.document]
        if outcome == "HIT":
            counted.hits += 1
        elif outcome == "MISS":
            counted.misses += 1
        else:
            counted.bypassed += 1
        return found, made, outcome

    def find_stale(self, key: bytes) -> Entry | None:
        """What was fresh when the line was cut, if that may be served, for an answer that cannot be made."""
        entry = self._stale.get(key)
        if entry is None or not -SKEW_S <= self._now() - entry.made.made_at <= self._stale_s:
            return None
        self.stats[entry.made.document].stale += 1
        return entry

    def clear(self) -> None:
        """Takes out everything."""
        for key in list(self._entries):
            self._remove(key)

    @property
    def is_on(self) -> bool:
        """Whether answers are kept anywhere."""
        return self._most_bytes > 0 or self._shared is not None

    @property
    def is_shared(self) -> bool:
        """Whether what is made here may be found by other processes."""
        return self._shared is not None and self.freshness.is_hearing

    async def _join(
        self, key: bytes, make: Callable[[], Awaitable[Made]], refresh: bool, began: int | None
    ) -> Found:
        """Joins whoever is at it, unless something was written since they began, or may have been, where it is not heard."""
        flight = self._flights.get(key)
        if flight is None or refresh or flight.began != self.freshness.number or not self.freshness.is_hearing:
            task = asyncio.create_task(self._fly(key, make, refresh, began))
            task.add_done_callback(pass_over)
            flight = _Flight(task, self.freshness.number if began is None else began)
            self._flights[key] = flight
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if flight.waiting == 0:
                flight.task.cancel()  # nobody wants it any more; nothing happens if it is done
                if self._flights.get(key) is flight:
                    del self._flights[key]

    async def _fly(self, key: bytes, make: Callable[[], Awaitable[Made]], refresh: bool, began: int | None) -> Found:
        shared = self._shared if self.freshness.is_hearing else None
        if shared is not None and not refresh:
            found = await self._from_others(key, shared)
            if found is not None:
                return found, found.made, "HIT"
        began, was_hearing = self.freshness.number if began is None else began, self.freshness.is_hearing
        try:
            made = replace(await make(), made_at=self._now())
        except BaseException:
            if shared is not None:
                await shared.release(key)
            raise
        self.stats[made.document].made += 1
        entry = self._keep(key, made, began) if was_hearing else None
        if shared is not None:
            await (shared.release(key) if entry is None else shared.put(key, made))
        return entry, made, "MISS" if made.tags is not None and was_hearing else "BYPASS"

    async def _from_others(self, key: bytes, shared: SharedTier) -> Entry | None:
        """What another process made, if this one can vouch for it. Waits a little for one that is being made."""
        began, deadline = self.freshness.number, self._now() + MOST_WAIT_S
        is_leading = False
        while True:
            try:
                made = await shared.get(key)
            except asyncio.CancelledError:
                if is_leading:  # nobody here wants it any more: let others make it
                    await shared.release(key)
                raise
            entry = self._vouched(key, made, began)
            if entry is not None and is_leading:
                await shared.release(key)
            # What is there and cannot be vouched for is made again. Whoever comes to lead looks once more: the leader
            # before may have finished between the look and the lead.
            if made is not None or is_leading or self._now() > deadline:
                return entry
            try:
                is_leading = await shared.lead(key)
            except asyncio.CancelledError:
                await shared.release(key)  # it may lead already
                raise

    def _vouched(self, key: bytes, made: Made | None, began: int) -> Entry | None:
        """The entry of what another process made, if this one, which began to look at that number, can vouch for it."""
        if made is None or made.tags is None or not made.is_good(self._now()):
            return None
        return self._keep(key, made, began) if self.freshness.vouches(made.tags, made.xmin, made.kept_xmin) else None

    def _keep(self, key: bytes, made: Made, began: int) -> Entry | None:
        """The entry of an answer that was begun at that number, unless it is out of date already or may not be kept.

        One that is too large for this process's memory is an entry all the same, and can be one in Redis.
        """
        if made.tags is None or not self.freshness.is_hearing or self.freshness.written_since(made.tags, began):
            return None
        if self._stale and self._stale_until < self._now():  # all of it is older than may be served
            self._stale = {}
        etag = made.etag or etag_of(made.body)
        entry = Entry(key, made, etag, forms={"br": made.brotli} if made.brotli else {})
        if entry.size > self._most_bytes // 4:
            return entry
        self._remove(key)
        self._stale.pop(key, None)
        self._entries[key] = entry
        self.bytes += entry.size
        for tag in made.tags:
            self._by_tag[tag].add(key)
            self._by_tag[f"{everything_of(tag)}!"].add(key)
        self._make_room()
        return entry

    def _make_room(self) -> None:
        while self.bytes > self._most_bytes:
            self.evictions += 1
            self._remove(next(iter(self._entries)))

    def form(self, entry: Entry, encoding: Encoding, made: bytes = b"") -> bytes:
        """The body of an entry in that encoding, made the first time it is asked for."""
        if encoding == "identity":
            return entry.made.body
        found = entry.forms.get(encoding)
        if found is None:
            found = entry.forms[encoding] = made or encoded(entry.made.body, encoding)
            if self._entries.get(entry.key) is entry:
                self.bytes += len(found)
                self._make_room()
        return found

    async def form_aside(self, entry: Entry, encoding: Encoding) -> bytes:
        """The same, where a large body is compressed in a thread."""
        is_there = encoding == "identity" or encoding in entry.forms
        return self.form(entry, encoding, b"" if is_there else await encoded_aside(entry.made.body, encoding))

    def _remove(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        self.bytes -= entry.size
        for tag in entry.made.tags or ():
            for indexed in (tag, f"{everything_of(tag)}!"):
                keys = self._by_tag.get(indexed)
                if keys is not None:
                    keys.discard(key)
                    if not keys:
                        del self._by_tag[indexed]

    def _written(self, tags: frozenset[str]) -> None:
        if any(":" not in tag or tag.startswith("document:") for tag in tags):
            self._stale = {}  # cleared by hand, or changed by the thousand: better no answer than one from before that
        for tag in tags:
            # Of a row: its own tag, and lists of all such rows. Of a plural: whatever has to do with such rows.
            for indexed in (tag, everything_of(tag)) if ":" in tag else (f"{tag}!",):
                for key in list(self._by_tag.get(indexed, ())):
                    entry = self._entries[key]
                    self._remove(key)
                    self.on_dropped(entry)

    def _lost(self) -> None:
        """Nothing can be vouched for any more; what was fresh until now may be better than nothing."""
        if self._stale_s > 0 and self._lost_at != self.freshness.number:  # it is told again of a line that was not back
            self._stale, self._lost_at = dict(self._entries), self.freshness.number
            self._stale_until = self._now() + self._stale_s
        self.clear()
