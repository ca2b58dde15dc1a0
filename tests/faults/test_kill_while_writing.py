"""``kill -9`` while deals are being created: what was acknowledged is there, once, and nothing else is.

``FUZZ=7`` makes it ten thousand creates, and kills in proportion. ``--log-cli-level=INFO`` tells how often clients had to
ask again.
"""

import asyncio
import logging
import os
import random
from pathlib import Path

from cache.embedded import EmbeddedValkey
from db.embedded import EmbeddedPostgres
from tests.faults.creating import Creators, Pipeline, check_each_is_there_once, while_creating
from tests.faults.killing import Server, kept, kill_a_session, killed

log = logging.getLogger(__name__)
FUZZ = int(os.environ.get("FUZZ", "1"))


async def test_what_was_acknowledged_is_there_once_though_server_and_database_were_killed(
    killable: EmbeddedPostgres,
    killable_url: str,
    valkey: EmbeddedValkey,
    tmp_path: Path,
) -> None:
    async def kill_postgres() -> None:
        async with killed(killable):
            await asyncio.sleep(random.random() / 2)

    async def kill_session() -> None:
        await kill_a_session(killable_url)

    names = [f"Deal {number}" for number in range(1500 * FUZZ)]
    pipeline = await Pipeline.put(killable_url)
    async with kept(Server(tmp_path / "log", killable_url, valkey.url)) as server, asyncio.timeout(240 * FUZZ):
        creators = Creators(server.url, pipeline)
        faults = [each for each in (server.kill, kill_postgres) for _ in range(2 * FUZZ)] + [kill_session] * FUZZ
        random.shuffle(faults)
        await while_creating(creators, names, faults)
        log.info("%d creates, %d kills, repeated: %s", len(names), len(faults), dict(creators.retries))
        assert sum(creators.retries.values()) > 0
        assert server.starts == 1 + 2 * FUZZ
        assert "unexpected error" not in server.printed
    assert set(creators.acknowledged) == set(names)
    await check_each_is_there_once(killable_url, creators.acknowledged)


async def test_a_worker_that_was_killed_is_replaced_and_nothing_is_lost_or_made_twice(
    killable_url: str, valkey: EmbeddedValkey, tmp_path: Path
) -> None:
    names = [f"Deal {number}" for number in range(500 * FUZZ)]
    pipeline = await Pipeline.put(killable_url)
    async with kept(Server(tmp_path / "log", killable_url, valkey.url, WORKERS="2")) as server:
        before = await server.workers(2)
        async with asyncio.timeout(240 * FUZZ):
            creators = Creators(server.url, pipeline)
            await while_creating(creators, names, [server.kill_worker] * (2 * FUZZ))
            log.info("%d creates, repeated: %s", len(names), dict(creators.retries))
            after = await server.workers(2)
        assert server.starts == 1
        assert "unexpected error" not in server.printed
        assert set(after) != set(before)
        await server.until_ready()
    assert set(creators.acknowledged) == set(names)
    await check_each_is_there_once(killable_url, creators.acknowledged)
