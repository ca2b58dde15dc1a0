"""Hears what is written: a connection that LISTENs, and a heartbeat that tells whether it still would.

A heartbeat is answered after every notification that was committed before it, on the same line: PostgreSQL delivers
what has come while a session is idle, and the rest before it says that it is ready again. With it goes a look at whether the
triggers that announce are still those of before: a dump that is restored fills its tables first, and announces nothing.
"""

import asyncio
import secrets
import time
from typing import Any, NamedTuple, Protocol

import asyncpg
import structlog

from db.pool import LOST
from db.statements import script, statement

log = structlog.get_logger("db")
CHANNEL = "dealgraph"
# Four heartbeats fit into the lease that a missing one ends.
BEAT_EVERY_S = 0.25
BEAT_TIMEOUT_S = 2.0
# What another session tells comes in milliseconds, if it comes.
HELLO_S = 1.0
RECONNECT_S = 0.2
SLOWEST_RECONNECT_S = 5.0


class SnapshotRow(NamedTuple):
    """Which transactions a statement can see: all below ``xmin``, none from ``xmax`` on."""

    xmin: int
    xmax: int


class TriggersRow(NamedTuple):
    """The triggers that announce: not the same once any of them has been made anew or switched; None while one is off."""

    fingerprint: str | None


class IncarnationRow(NamedTuple):
    """Which life of the server this is: a number of a transaction says something within one only."""

    incarnation: str


class UnannouncedError(Exception):
    """What is written is not told: triggers are off or were made anew, or something on the way passes nothing on."""


SNAPSHOT = statement("transaction.snapshot", SnapshotRow)
INCARNATION = statement("health.incarnation", IncarnationRow)
BEAT = script("health.synchronise")
HELLO = script("health.hello")
TRIGGERS = statement("health.triggers", TriggersRow)


class Hears(Protocol):
    """What is told of what was heard; see ``cache/freshness.py``. Once it is not ``is_listening``, the line is made anew."""

    @property
    def is_listening(self) -> bool:
        """Whether the line is not taken for dead."""

    def begin(self, snapshot_xmax: int, incarnation: str) -> None:
        """Listening from now on."""

    def beat(self, sent_at: float) -> None:
        """The line answered what was sent at that time."""

    def lost(self) -> None:
        """The line is cut."""

    def hear(self, xid: int, tags: list[str]) -> None:
        """A transaction has written what has these tags."""

    def ended(self, xid: int) -> None:
        """Everything that a transaction has written has been told."""


async def listen(url: str, hears: Hears) -> None:
    """Runs until it is cancelled, and comes back whenever the line was cut: the log has why, once, and when it is back."""
    pause, reason = RECONNECT_S, ""
    while True:
        connection = None
        try:
            connection = await asyncpg.connect(url, timeout=5)
            begun = await _begin(url, connection, hears)
            if reason:
                log.info("what others write is heard again")
            pause, reason = RECONNECT_S, ""
            await _go_on(connection, hears, *begun)
        except (*LOST, asyncpg.PostgresError, UnannouncedError) as error:
            told = str(error) or type(error).__name__
            if told != reason:
                log.warning("what others write is not heard for a moment; no answer comes from the cache", error=told)
            reason = told
        finally:
            hears.lost()
            if connection is not None:
                connection.terminate()
        # Who may connect is not sure to hear: a hot standby takes connections, and no LISTEN.
        await asyncio.sleep(pause)
        pause = min(pause * 2, SLOWEST_RECONNECT_S)


async def _begin(url: str, connection: "asyncpg.Connection[Any]", hears: Hears) -> tuple[str, asyncio.Event]:
    """Listens. What the triggers that announce are by now, and what is set when the line has gone."""
    heard, gone = asyncio.Event(), asyncio.Event()
    hello = str(-1 - secrets.randbits(62))  # as a transaction that nobody waits for

    def notified(_: object, pid: int, channel: str, payload: object) -> None:
        if payload == hello:
            heard.set()
        xid, *tags = str(payload).split(" ")
        if tags:
            hears.hear(int(xid), tags)
        else:
            hears.ended(int(xid))

    connection.add_termination_listener(lambda _: gone.set())
    # Listening first: what is committed after the snapshot is heard, and what was before it is in what is read from here on.
    async with asyncio.timeout(BEAT_TIMEOUT_S):
        await connection.add_listener(CHANNEL, notified)
        triggers = await connection.fetchval(TRIGGERS.text)
        if triggers is None:
            raise UnannouncedError("a trigger that tells of it is switched off")
        await _hear_another(url, heard, hello)
        incarnation = await connection.fetchval(INCARNATION.text)
        snapshot = SnapshotRow(*await connection.fetchrow(SNAPSHOT.text))  # type: ignore[misc]
    hears.begin(snapshot.xmax, incarnation)
    return triggers, gone


async def _hear_another(url: str, heard: asyncio.Event, hello: str) -> None:
    """Tries that another session is heard: a pooler by transactions takes LISTEN, answers heartbeats, and passes on nothing.

    Or by chance what comes while a statement runs, which is not this ``hello``.
    """
    try:
        await _greet(url, hello)
    except TimeoutError:  # a pooler by sessions that has given out all lets in whoever comes, and answers nothing
        raise UnannouncedError("no other session is answered: a pooler needs POOL_SIZE + 3 for each process") from None
    try:
        async with asyncio.timeout(HELLO_S):
            await heard.wait()
    except TimeoutError:
        raise UnannouncedError("LISTEN hears nothing: DATABASE_URL must lead to PostgreSQL itself, not to a pooler") from None


async def _greet(url: str, hello: str) -> None:
    other = await asyncpg.connect(url, timeout=HELLO_S)
    try:
        await other.execute(HELLO, hello, timeout=HELLO_S)
    finally:
        other.terminate()


async def _go_on(connection: "asyncpg.Connection[Any]", hears: Hears, triggers: str, gone: asyncio.Event) -> None:
    """Asks for as long as it is answered. Raises what ends that, an UnannouncedError where nothing else does."""
    while not gone.is_set() and hears.is_listening:
        sent_at = time.monotonic()
        if await connection.fetchval(TRIGGERS.text, timeout=BEAT_TIMEOUT_S) != triggers:
            raise UnannouncedError("the triggers that tell of it were made anew or switched, as by a restored dump")
        await connection.execute(BEAT, timeout=BEAT_TIMEOUT_S)
        hears.beat(sent_at)
        try:
            async with asyncio.timeout(BEAT_EVERY_S):
                await gone.wait()
        except TimeoutError:
            continue
    raise UnannouncedError("the line was closed" if gone.is_set() else "a write of this process was not heard in time")
