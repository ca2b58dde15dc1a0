"""One idempotency key sent to two server processes at once is one change."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import httpx2

from cache.embedded import EmbeddedValkey
from tests.faults.creating import Pipeline, check_each_is_there_once, created, post
from tests.faults.killing import Server, kept

ROUNDS = 40


async def test_both_answer_with_the_same_deal_however_close_together_they_are_asked(
    database_url: str, valkey: EmbeddedValkey, tmp_path: Path
) -> None:
    pipeline = await Pipeline.put(database_url)
    servers = [Server(tmp_path / name, database_url, valkey.url) for name in ("one", "two")]
    acknowledged = {}
    async with AsyncExitStack() as stack:
        await asyncio.gather(*(stack.enter_async_context(kept(each)) for each in servers))
        clients = [httpx2.AsyncClient(base_url=each.url, timeout=20) for each in servers for _ in range(2)]
        for client in clients:
            await stack.enter_async_context(client)
        for number in range(ROUNDS):
            given, key = pipeline.deal(f"Deal {number}"), str(uuid4())
            answers = await asyncio.gather(*(post(client, given, key) for client in clients))
            (acknowledged[given["name"]],) = {created(answer) for answer in answers}
    await check_each_is_there_once(database_url, acknowledged)
