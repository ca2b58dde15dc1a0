"""PostgreSQL is killed and stays away for a while: the server says so at once, and goes on when it is back."""

import asyncio
import os
import signal
import time
from pathlib import Path

import asyncpg
import httpx2
import psutil  # type: ignore[import-untyped]

from cache.embedded import EmbeddedValkey
from db.embedded import EmbeddedPostgres
from tests.faults.conftest import connected, until
from tests.faults.creating import Pipeline, check_each_is_there_once, created, post, refusal
from tests.faults.killing import Server, kept, killed, until_ended
from tests.faults.line import Line
from tests.web.conftest import serving, settings_for

# Three tries with 0.3 s of pauses at most, and the time to answer twenty; the deadline of a request is 5 s.
AT_ONCE_S = 3.0
FOLDED = "select not exists (select from owner_deals_delta)"
COMPUTING = "do $$ declare n bigint := 0; begin while n < 12000000 loop n := n + 1; end loop; end $$"


async def test_a_mutation_is_refused_at_once_and_the_same_process_works_when_the_database_is_back(
    killable: EmbeddedPostgres, killable_url: str, valkey: EmbeddedValkey, tmp_path: Path
) -> None:
    pipeline = await Pipeline.put(killable_url)
    async with (
        kept(Server(tmp_path / "log", killable_url, valkey.url)) as server,
        httpx2.AsyncClient(base_url=server.url, timeout=20) as client,
    ):

        async def create(name: str) -> str:
            return created(await post(client, pipeline.deal(name), name))

        acknowledged = {"Before": await create("Before")}
        async with killed(killable):
            started = time.monotonic()
            while time.monotonic() - started < 1:
                asked = time.monotonic()
                keys = [None, "Away"] * 10
                answers = await asyncio.gather(*(post(client, pipeline.deal("Away"), key) for key in keys))
                assert {refusal(answer) for answer in answers} == {(503, "UNAVAILABLE")}
                assert time.monotonic() - asked < AT_ONCE_S
        names = [f"After {number}" for number in range(20)]
        acknowledged |= dict(zip(names, await asyncio.gather(*map(create, names)), strict=True))
        assert server.starts == 1
        async with connected(killable_url) as connection:
            await until(connection, FOLDED)
    await check_each_is_there_once(killable_url, acknowledged)


async def test_postgres_starts_again_though_a_session_of_the_killed_one_still_computes(killable: EmbeddedPostgres) -> None:
    connection = await asyncpg.connect(killable.url)
    computing = asyncio.create_task(connection.execute(COMPUTING))
    await asyncio.sleep(0.2)
    session = psutil.Process(connection.get_server_pid())
    assert killable.pid is not None
    os.kill(killable.pid, signal.SIGKILL)
    killable.stop()
    try:
        killable.start()
    finally:
        await asyncio.gather(computing, return_exceptions=True)
        connection.terminate()
        await until_ended([session])
        killable.stop()
        killable.start()  # for the other tests, even when it would not


async def test_a_question_is_cut_off_at_its_deadline_though_the_line_hangs_before_anything_is_read(
    database_url: str, valkey: EmbeddedValkey
) -> None:
    async with (
        Line(database_url).open() as line,
        serving(settings_for(line.url, valkey, request_deadline_s=0.5, statement_timeout_s=30)) as client,
    ):

        async def ask(query: str) -> httpx2.Response:
            return await client.post("/graphql", json={"query": query})

        async with asyncio.timeout(5):
            while (await ask("{ stages { id } }")).headers["x-cache"] == "BYPASS":
                await asyncio.sleep(0.01)
        line.hold("transaction.snapshot")
        asked = time.monotonic()
        answer = await ask("{ users { totalCount } }")
        assert refusal(answer) == (504, "DEADLINE_EXCEEDED")
        assert line.reached.is_set()
        assert time.monotonic() - asked < AT_ONCE_S
        line.go_on.set()
