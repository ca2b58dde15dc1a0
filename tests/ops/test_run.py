"""``python server.py`` as a user runs it: real processes, told by what they print, answer and leave behind."""

import asyncio
import os
import random
import re
import shlex
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import httpx2
import psutil  # type: ignore[import-untyped]

from cache.embedded import EmbeddedValkey
from core.settings import Settings
from db.embedded import EmbeddedPostgres

ROOT = Path(__file__).parent.parent.parent
KEY = "5e" * 32
READY = "Ctrl-C stops everything."
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Run:
    """A process of ours, what it has printed so far, and whether anything of it is left."""

    def __init__(self, process: asyncio.subprocess.Process, data_dir: Path, port: str) -> None:
        self.process, self.data_dir, self.port = process, data_dir, port
        self.printed = ""
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.printed += line.decode()

    async def until_printed(self, text: str) -> None:
        """Waits for a piece of output. Fails when the process ends without it."""
        async with asyncio.timeout(60):
            while text not in self.printed:
                assert not self._reading.done(), self.printed
                await asyncio.sleep(0.02)

    async def ended(self) -> int:
        """Its exit status, when it has ended and every line is read; minus the signal that killed it."""
        async with asyncio.timeout(60):
            status = await self.process.wait()
            await self._reading
        return status

    async def stop(self, how: signal.Signals) -> int:
        """Ends it as that signal does. What a terminal sends, Ctrl-C or that it was closed, goes to the whole process group."""
        if how in (signal.SIGINT, signal.SIGHUP):
            os.killpg(self.process.pid, how)
        else:
            self.process.send_signal(how)
        return await self.ended()

    async def until_nothing_is_left(self) -> None:
        """Waits until no process knows the data folder any more, by its arguments, environment or working directory."""
        async with asyncio.timeout(20):
            while _processes_of(self.data_dir):
                await asyncio.sleep(0.05)

    async def total(self) -> int:
        """How many deals it says there are."""
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=20) as client:
            answer = await client.post("/graphql", json={"query": "{ pipelineStats { total } }"})
        return int(answer.json()["data"]["pipelineStats"]["total"])


def _processes_of(folder: Path) -> list[str]:
    found = []
    for process in psutil.process_iter():
        try:
            known = [process.cwd(), *process.cmdline(), *process.environ().values()]
        except psutil.Error:
            continue
        if any(str(folder) in each for each in known):
            found.append(str(process))
    return found


def _free_port() -> int:
    """A port that nobody listens on, below those that the system gives to clients, which come and go meanwhile."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _hear_the_terminal() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup, which a server respects


async def _start(*command: str, data_dir: Path, **variables: str) -> Run:
    ours = {name.upper() for name in Settings.model_fields}
    inherited = {name: value for name, value in os.environ.items() if name not in ours}
    given = {"DATA_DIR": str(data_dir), "PORT": str(_free_port()), "DEMO": "0", **variables}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        cwd=ROOT,
        env=inherited | given,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=_hear_the_terminal,
    )
    return Run(process, data_dir, given["PORT"])


@asynccontextmanager
async def running(data_dir: Path, **variables: str) -> AsyncIterator[Run]:
    """A server that is ready, stopped after the block if it still runs."""
    run = await _start("server.py", data_dir=data_dir, **variables)
    try:
        await run.until_printed(READY)
        yield run
    finally:
        if run.process.returncode is None:
            await run.stop(signal.SIGTERM)
        await run.until_nothing_is_left()


async def refused(data_dir: Path, **variables: str) -> list[str]:
    """The lines that a server prints which does not start."""
    run = await _start("server.py", data_dir=data_dir, **variables)
    assert await run.ended() == 1
    assert "Traceback" not in run.printed
    return run.printed.splitlines()


async def _put_a_deal(data_dir: Path) -> None:
    connection = await asyncpg.connect(EmbeddedPostgres(data_dir / "postgres").url)
    await connection.execute(
        "with owner as (insert into app_user (name) values ('Ada') returning id),"
        " first as (insert into stage (name, position, probability) values ('Open', 1, 0.5) returning id)"
        " insert into deal (name, owner_id, stage_id) select 'Kept', owner.id, first.id from owner, first"
    )
    await connection.execute("checkpoint")
    await connection.close()


async def test_a_run_says_what_it_does_and_what_to_try_and_that_works_verbatim(tmp_path: Path) -> None:
    async with running(tmp_path / "data", DEMO="1") as run:
        address = f"http://127.0.0.1:{run.port}"
        for told in ("Starting PostgreSQL 18", "Starting Valkey", "Applied migration 0001", f"{address}/graphql"):
            assert told in run.printed
        (curl,) = re.findall(r"^  (curl .*)$", run.printed, re.MULTILINE)
        async with httpx2.AsyncClient() as client:
            # What curl makes of it, without the need to have curl.
            _, url, _, header, _, body = shlex.split(curl)
            name, value = header.split(": ")
            answer = await client.post(url, content=body, headers={name: value})
            assert answer.json()["data"]["pipelineStats"]["total"] > 0
            (health,) = re.findall(r"^  Health +(\S+)$", run.printed, re.MULTILINE)
            assert (await client.get(health)).json() == {"status": "ok", "checks": {"database": "ok", "cache": "ok"}}
            (page,) = re.findall(r"^  GraphiQL +(\S+)$", run.printed, re.MULTILINE)
            assert "GraphiQL" in (await client.get(page, headers={"accept": "text/html"})).text
        await run.stop(signal.SIGINT)
        assert run.printed.endswith("Stopped\n")


async def test_however_a_run_ends_the_next_one_on_its_port_and_folder_has_its_data(tmp_path: Path) -> None:
    async def ends(workers: str) -> None:
        data, port = tmp_path / workers, str(_free_port())
        for how in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            run = await _start("server.py", data_dir=data, PORT=port, WORKERS=workers)
            await run.until_printed(READY)
            if how is signal.SIGKILL:
                await _put_a_deal(data)
            assert await run.total() == 1
            await run.stop(how)
            assert "Traceback" not in run.printed
            if how is not signal.SIGKILL:
                assert _processes_of(data) == []

    await asyncio.gather(ends(workers="1"), ends(workers="2"))


async def test_embedded_servers_that_are_killed_come_back(tmp_path: Path) -> None:
    async with running(tmp_path / "data") as run, httpx2.AsyncClient(base_url=f"http://127.0.0.1:{run.port}", timeout=20) as client:
        await _put_a_deal(run.data_dir)
        for name in ("postgres", "valkey-server"):
            (server,) = [each for each in psutil.Process(run.process.pid).children() if each.name() == name]
            server.kill()
            async with asyncio.timeout(30):
                while server.is_running() or (await client.get("/api/health?ready")).json()["status"] != "ok":
                    await asyncio.sleep(0.1)
        assert await run.total() == 1
        assert run.printed.count("has ended, and is started again") == 2


async def test_ctrl_c_in_the_first_second_is_quiet(tmp_path: Path) -> None:
    for imported in ("asyncio", "uvicorn", "strawberry"):
        run = await _start("-X", "importtime", "server.py", data_dir=tmp_path / "data")
        await run.until_printed(imported)
        await run.stop(signal.SIGINT)
        assert "Traceback" not in run.printed
    assert not (tmp_path / "data").exists()


async def test_ctrl_c_while_workers_are_still_importing_is_quiet(tmp_path: Path) -> None:
    for pause_s in (0, 0.1, 0.3):
        run = await _start("server.py", data_dir=tmp_path / str(pause_s), WORKERS="2")
        await run.until_printed(READY)
        await asyncio.sleep(pause_s)
        await run.stop(signal.SIGINT)
        assert "Traceback" not in run.printed
        await run.until_nothing_is_left()


async def test_nothing_outlives_a_run_that_was_killed(tmp_path: Path) -> None:
    async def killed(workers: str) -> None:
        async with running(tmp_path / workers, WORKERS=workers) as run:
            assert len(_processes_of(run.data_dir)) > 2
            assert await run.stop(signal.SIGKILL) == -signal.SIGKILL
            await run.until_nothing_is_left()

    await asyncio.gather(killed(workers="1"), killed(workers="2"))


async def test_a_worker_that_was_killed_is_told_of_and_replaced_and_several_end_as_one_does(
    tmp_path: Path, database_url: str, valkey: EmbeddedValkey
) -> None:
    yours = {"DATABASE_URL": database_url, "REDIS_URL": valkey.url, "CURSOR_KEYS": KEY, "WORKERS": "2"}
    async with running(tmp_path / "data", **yours) as run:
        assert await run.total() == 0
        worker = next(each for each in psutil.Process(run.process.pid).children() if "spawn_main" in " ".join(each.cmdline()))
        worker.kill()
        await run.until_printed("a worker has ended, and another one takes its place")
        assert str(worker.pid) in run.printed
        assert await run.total() == 0
        assert await run.stop(signal.SIGTERM) == 128 + signal.SIGTERM


async def test_a_run_that_ends_while_it_starts_leaves_nothing_and_the_next_one_starts(tmp_path: Path) -> None:
    async def broken_off(how: signal.Signals) -> None:
        run = await _start("server.py", data_dir=tmp_path / how.name)
        await run.until_printed("Starting PostgreSQL 18")
        await run.stop(how)
        assert "Traceback" not in run.printed
        await run.until_nothing_is_left()
        async with running(tmp_path / how.name) as again:
            assert await again.total() == 0

    await asyncio.gather(*(broken_off(how) for how in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)))


async def test_a_signal_in_the_moment_in_which_it_gets_ready_is_not_lost(
    tmp_path: Path, database_url: str, valkey: EmbeddedValkey
) -> None:
    async def told(workers: str, pauses_s: tuple[float, ...]) -> None:
        yours = {"DATABASE_URL": database_url, "REDIS_URL": valkey.url, "CURSOR_KEYS": KEY, "WORKERS": workers}
        for pause_s in pauses_s:
            for how in STOPS:
                run = await _start("server.py", data_dir=tmp_path / workers, **yours)
                await run.until_printed("Dealgraph is ready.")
                await asyncio.sleep(pause_s)
                try:
                    async with asyncio.timeout(15):
                        await run.stop(how)
                finally:
                    if run.process.returncode is None:
                        run.process.kill()
                assert run.printed.rstrip().endswith((READY, "Stopped")), run.printed
                await run.until_nothing_is_left()

    await asyncio.gather(told("1", (0, 0.02)), told("2", (0,)))


async def test_a_signal_while_demo_data_is_loaded_ends_the_run_as_at_any_other_time(tmp_path: Path) -> None:
    async def broken_off(how: signal.Signals) -> None:
        for pause_s in (0.15, 0.3):
            data = tmp_path / f"{how.name}{pause_s}"
            run = await _start("server.py", data_dir=data, DEMO="1")
            await run.until_printed("Applied migration 0005")
            await asyncio.sleep(pause_s)
            if how is signal.SIGINT:
                assert await run.stop(how) == 0
                assert run.printed.splitlines()[-1] == "Stopped"
            else:
                assert await run.stop(how) == 128 + signal.SIGTERM
            assert not re.search(r"Traceback|never|unhandled|Error", run.printed), run.printed
            await run.until_nothing_is_left()

    await asyncio.gather(*(broken_off(how) for how in STOPS))


async def test_two_live_side_by_side_and_a_folder_or_a_port_has_one_user(tmp_path: Path) -> None:
    async with running(tmp_path / "one") as one, running(tmp_path / "two") as two:
        await _put_a_deal(one.data_dir)
        assert (await one.total(), await two.total()) == (1, 0)
        (same_folder,), (same_port,) = await asyncio.gather(
            refused(one.data_dir), refused(tmp_path / "three", PORT=one.port)
        )
        assert same_folder.startswith(f"DATA_DIR={one.data_dir}: process {one.process.pid} uses this folder")
        assert same_port.startswith(f"HOST=127.0.0.1 PORT={one.port}: cannot listen there")
        assert not (tmp_path / "three").exists()
        assert (await one.total(), await two.total()) == (1, 0)


async def test_ready_is_said_by_a_server_that_answers(tmp_path: Path, database_url: str, valkey: EmbeddedValkey) -> None:
    yours = {"DATABASE_URL": database_url, "REDIS_URL": valkey.url, "CURSOR_KEYS": KEY}
    async with running(tmp_path / "never", **yours) as run, httpx2.AsyncClient(timeout=0.5) as client:
        assert (await client.get(f"http://127.0.0.1:{run.port}/api/health?ready")).status_code == 200


async def test_two_that_start_at_once_on_an_empty_database_fill_it_once(
    tmp_path: Path, database_url: str, valkey: EmbeddedValkey
) -> None:
    yours = {"DATABASE_URL": database_url, "REDIS_URL": valkey.url, "CURSOR_KEYS": KEY, "DEMO": "1"}
    first, second = [await _start("server.py", data_dir=tmp_path / "never", **yours) for _ in "ab"]
    try:
        await asyncio.gather(first.until_printed(READY), second.until_printed(READY))
        assert await first.total() == await second.total() == 2000
        assert (first.printed + second.printed).count("loaded ") == 1
    finally:
        for run in (first, second):
            if run.process.returncode is None:
                await run.stop(signal.SIGTERM)


async def test_a_command_beside_a_run_uses_its_database(tmp_path: Path) -> None:
    async with running(tmp_path / "data") as run:
        command = await _start("-m", "ops", "migrate", data_dir=run.data_dir)
        assert await command.ended() == 0
        assert command.printed == "nothing to do: the database is up to date\n"
        assert await run.total() == 0


async def test_servers_of_yours_are_used_and_nothing_is_embedded(
    tmp_path: Path, database_url: str, valkey: EmbeddedValkey
) -> None:
    yours = {"DATABASE_URL": database_url, "REDIS_URL": valkey.url, "CURSOR_KEYS": KEY}
    async with running(tmp_path / "never", **yours, WORKERS="2") as run:
        assert await run.total() == 0
        assert "Starting" not in run.printed
        await run.stop(signal.SIGTERM)
    assert not (tmp_path / "never").exists()


async def test_what_is_wrong_is_told_in_one_line_each_all_at_once_and_without_secrets(tmp_path: Path) -> None:
    wrong = {"PORT": "abc", "WORKERS": "x", "LOG_LEVEL": "loud", "CURSOR_KEYS": "hunter2"}
    secret = {"DATABASE_URL": "mysql://user:hunter2@host"}
    yours = {"DATABASE_URL": "postgresql://user:hunter2@127.0.0.1:1/x", "REDIS_URL": "redis://:hunter2@127.0.0.1:1"}
    told, no_keys, unreachable, no_folder, no_parameter = await asyncio.gather(
        refused(tmp_path / "a", **wrong, **secret),
        refused(tmp_path / "b", **yours),
        refused(tmp_path / "c", **yours, CURSOR_KEYS=KEY),
        refused(Path("/dev/null/data")),
        refused(tmp_path / "d", REDIS_URL="redis://127.0.0.1:1/0?hunter2=1"),
    )
    assert [re.split("[=:]", line)[0] for line in told] == ["PORT", "WORKERS", "LOG_LEVEL", "DATABASE_URL", "CURSOR_KEYS"]
    assert [line.split(":")[0] for line in no_keys] == ["CURSOR_KEYS is not set"]
    assert [line.split(":")[0] for line in unreachable] == ["DATABASE_URL"]
    assert no_folder == ["DATA_DIR=/dev/null/data: cannot be used (Not a directory)"]
    assert [line.split(":")[0] for line in no_parameter] == ["REDIS_URL"]
    assert "hunter2" not in str([told, no_keys, unreachable, no_parameter])
    assert not any((tmp_path / name).exists() for name in "abcd")
    assert _processes_of(tmp_path) == []
