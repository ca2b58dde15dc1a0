"""``kill -9`` of what is under test: a server process that is started again as often as it dies, and PostgreSQL."""

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx2
import psutil  # type: ignore[import-untyped]

from core.process import child_setup
from core.settings import Settings
from db.embedded import EmbeddedPostgres
from tests.faults.conftest import connected

ROOT = Path(__file__).parent.parent.parent
KEY = "5e" * 32
START_S = 60.0
BACKENDS = """select pid from pg_stat_activity
              where application_name = 'dealgraph' and datname = current_database()"""


class Server:
    """``python server.py`` on a database and a cache that are given, at one address however often it is started."""

    def __init__(self, log: Path, database_url: str, redis_url: str, **variables: str) -> None:
        ours = {name.upper() for name in Settings.model_fields}
        inherited = {name: value for name, value in os.environ.items() if name not in ours}
        given = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "CURSOR_KEYS": KEY, "DEMO": "0", "LIMITS": "off"}
        port = _free_port()
        self._environment = inherited | given | variables | {"PORT": str(port)}
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{port}"
        self.starts = 0

    @property
    def printed(self) -> str:
        """All that it has said so far."""
        return self._log.read_text("utf-8", "replace")

    @property
    def pid(self) -> int:
        """The process that runs now, or ran last."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Starts a process; it goes down with ours."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "server.py"],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=child_setup(signal.SIGTERM),  # noqa: PLW1509 - no thread of ours holds a lock
            )
        self.starts += 1

    async def kill(self) -> None:
        """``kill -9`` of the process; waits until ``keep`` has started the next, or a second kill would meet the dead."""
        killed = self._process
        os.kill(self.pid, signal.SIGKILL)
        while self._process is killed:
            await asyncio.sleep(0.001)

    async def kill_worker(self) -> None:
        """``kill -9`` of one of its workers, as soon as there are two."""
        os.kill(random.choice(await self.workers(2)), signal.SIGKILL)

    async def workers(self, wanted: int) -> list[int]:
        """The worker processes, once there are as many as wanted."""
        async with asyncio.timeout(START_S):
            while len(found := self._workers()) != wanted:
                await asyncio.sleep(0.02)
        return found

    async def until_ready(self) -> None:
        """Waits until it answers and has its database."""
        async with httpx2.AsyncClient(base_url=self.url) as client, asyncio.timeout(START_S):
            while True:
                with suppress(httpx2.TransportError):
                    if (await client.get("/api/health?ready")).status_code == 200:
                        return
                await asyncio.sleep(0.05)

    async def keep(self) -> None:
        """Starts it again whenever it has ended, until cancelled."""
        while True:
            if self._process is None or self._process.poll() is not None:
                self.start()
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """Ends it in order."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            async with asyncio.timeout(30):
                while self._process.poll() is None:
                    await asyncio.sleep(0.02)

    def _workers(self) -> list[int]:
        # Beside them Python has a process that tracks resources.
        children = psutil.Process(self.pid).children()
        with suppress(psutil.Error):
            return [each.pid for each in children if any("spawn_main" in part for part in each.cmdline())]
        return []


@asynccontextmanager
async def kept(server: Server) -> AsyncIterator[Server]:
    """A server that is ready, started again whenever it dies, and stopped after the block."""
    keeping = asyncio.create_task(server.keep())
    try:
        await server.until_ready()
        yield server
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
        await server.stop()


@asynccontextmanager
async def killed(postgres: EmbeddedPostgres) -> AsyncIterator[None]:
    """``kill -9`` of PostgreSQL: away for the time of the block, and then started again on the same folder."""
    assert postgres.pid is not None
    orphans = psutil.Process(postgres.pid).children(recursive=True)
    os.kill(postgres.pid, signal.SIGKILL)
    postgres.stop()  # reaps it
    try:
        yield
    finally:
        await until_ended(orphans)
        postgres.start()


async def until_ended(processes: list[psutil.Process]) -> None:
    """Waits until none of the processes runs any more."""
    async with asyncio.timeout(20):
        while any(_is_alive(each) for each in processes):
            await asyncio.sleep(0.01)


async def kill_a_session(url: str) -> None:
    """``kill -9`` of one process of PostgreSQL; it then ends all others itself, and recovers."""
    async with connected(url) as connection:
        pids = [record["pid"] for record in await connection.fetch(BACKENDS)]
    if pids:
        os.kill(random.choice(pids), signal.SIGKILL)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _free_port() -> int:
    """A port that nobody listens on, below those that the system gives to clients, which come and go meanwhile."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
