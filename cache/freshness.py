"""What this process has heard to be written, and what that says about answers made earlier.

Two clocks. Here every notification has a number, and what was made here is fresh while none of its tags has a later one.
What another process made comes with the oldest transaction that PostgreSQL may still have had open when it began to read
(``pg_snapshot_xmin``): a write it has not seen has that number or a higher one, so it is fresh if everything heard about
its tags is of a lower one, and if nothing could have been missed because we listened later than it read. A server that has
crashed gives the numbers of what it lost once more: those of another incarnation of it say nothing (``cache/shared.py``).

Whoever cannot hear knows nothing: then nothing is fresh.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from core.tags import STAGES, USERS, everything_of

# A heartbeat is answered behind all notifications of before; so long after the last one we may have missed something.
LEASE_S = 1.0
# A writer waits so long to hear of his own write before he takes the line for dead.
ECHO_S = 1.0
# Tags remembered: what is forgotten counts as written just now.
MOST_TAGS = 100_000


@dataclass(frozen=True, slots=True)
class Heard:
    """When a tag was last written: the number of the notification, and the highest transaction it was written by."""

    number: int
    xid: int


NEVER = Heard(0, 0)


class Freshness:
    """The notifications of one process. ``on_written`` is told the tags of each, ``on_lost`` when the line is cut.

    ``incarnation`` is that of the server which is heard, or was heard last.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.number = 0
        self.incarnation = ""
        self.on_written: Callable[[frozenset[str]], None] = lambda tags: None
        self.on_lost: Callable[[], None] = lambda: None
        self._now = now
        self._heard: OrderedDict[str, Heard] = OrderedDict()
        self._forgotten = NEVER
        self._highest_xid = 0
        self._heard_since: int | None = None
        self._lease_until = float("-inf")
        self._echoes: dict[int, asyncio.Future[None]] = {}

    @property
    def is_hearing(self) -> bool:
        """Whether every write that has been announced is known here."""
        return self._heard_since is not None and self._now() < self._lease_until

    @property
    def is_listening(self) -> bool:
        """Whether nobody has taken the line for dead since it began."""
        return self._heard_since is not None

    def begin(self, snapshot_xmax: int, incarnation: str) -> None:
        """Listening from now on; every transaction of that number or a higher one will be heard."""
        self.incarnation = incarnation
        self.number += 1
        self._heard.clear()
        self._forgotten = Heard(self.number, 0)
        self._highest_xid = 0
        self._heard_since = snapshot_xmax

    def beat(self, sent_at: float) -> None:
        """The line answered what was sent at that time."""
        self._lease_until = max(self._lease_until, sent_at + LEASE_S)

    def lost(self) -> None:
        """The line is cut: whatever is written from now on is not heard."""
        self._heard_since = None
        self._lease_until = float("-inf")
        for echo in self._echoes.values():
            if not echo.done():
                echo.set_result(None)
        self.on_lost()

    def hear(self, xid: int, tags: Iterable[str]) -> None:
        """Transaction ``xid`` has written what has these tags. A plural stands for every tag of its rows."""
        self.number += 1
        self._highest_xid = max(self._highest_xid, xid)
        written = frozenset(tags)
        # A plural that was written as a whole is one more thing than that plural because of one of its rows.
        wholes = {f"{tag}!" for tag in written if ":" not in tag}
        for tag in written | {everything_of(tag) for tag in written} | wholes:
            before = self._heard.pop(tag, NEVER)
            self._heard[tag] = Heard(self.number, max(xid, before.xid))
        while len(self._heard) > MOST_TAGS:
            _, forgotten = self._heard.popitem(last=False)
            self._forgotten = Heard(forgotten.number, max(forgotten.xid, self._forgotten.xid))
        self.on_written(written)

    def ended(self, xid: int) -> None:
        """Everything that transaction ``xid`` of this process has written has been heard."""
        echo = self._echoes.get(xid)
        if echo is not None and not echo.done():
            echo.set_result(None)

    async def echo(self, xid: int) -> None:
        """Waits until a committed transaction of this process has been heard of, so that the next read shows it.

        If that takes too long the line is taken for dead, and nothing counts as fresh until it is back. Whoever is cancelled
        meanwhile waits all the same: the change was made, and is answered as made.
        """
        if self._heard_since is None:
            self.forget(xid)
            return
        loop = asyncio.get_running_loop()
        heard, until = self._echoes.setdefault(xid, loop.create_future()), loop.time() + ECHO_S
        while not heard.done() and loop.time() < until:
            # Not ``timeout_at``: where a cancellation has been passed over, Python before 3.11.4 lets it run out in silence.
            with suppress(asyncio.CancelledError):
                await asyncio.wait({heard}, timeout=until - loop.time())
        if not heard.done():
            self.lost()
        self._echoes.pop(xid, None)

    def expect(self, xid: int) -> None:
        """A transaction is about to commit: its echo may come before anybody waits for it."""
        self._echoes[xid] = asyncio.get_running_loop().create_future()

    def forget(self, xid: int) -> None:
        """There will be no echo: that transaction was rolled back, or nobody listens."""
        self._echoes.pop(xid, None)

    def written_since(self, tags: Iterable[str], number: int) -> bool:
        """Whether any of the tags was written after the notification of that number."""
        if number >= self.number:
            return False
        return any(each.number > number for tag in tags for each in self._heard_of(tag))

    def vouches(self, tags: Iterable[str], snapshot_xmin: int, kept_xmin: int | None = None) -> bool:
        """Whether what another process began to read under that snapshot is still so, as far as this one can tell.

        Of stages and users it may have had rows from before, that is from ``kept_xmin``: it is then as old for their tags.
        """
        oldest = snapshot_xmin if kept_xmin is None else min(snapshot_xmin, kept_xmin)
        if not self.is_hearing or self._heard_since is None or oldest < self._heard_since:
            return False
        if self._highest_xid < oldest:  # nearly always: to look at 70 tags takes 40 us
            return True
        return all(
            each.xid < (oldest if tag in (STAGES, USERS) else snapshot_xmin) for tag in tags for each in self._heard_of(tag)
        )

    def _heard_of(self, tag: str) -> tuple[Heard, Heard]:
        """When it was last written itself, and as one of a plural that was written as a whole."""
        forgotten = self._forgotten
        return self._heard.get(tag, forgotten), self._heard.get(f"{everything_of(tag)}!", forgotten)
