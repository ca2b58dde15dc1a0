"""The database and cache a command works with: yours where their URLs are set, embedded ones otherwise."""

import asyncio
import fcntl
import os
import re
import secrets
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO
from urllib.parse import parse_qs, urlsplit

import asyncpg
import structlog
from pydantic import SecretStr

from cache.embedded import EmbeddedValkey, ValkeyError
from cache.redis import RedisCache
from core.cursor import KEY_BYTES
from core.settings import Settings, SettingsError
from db.embedded import CONNECTIONS, EmbeddedError, EmbeddedPostgres
from db.pool import LOST

ATTACH_S = 60.0
CONNECT_S = 10.0
LOOK_EVERY_S = 0.5
# What does not start is tried less and less often: no sooner than this at last.
SLOWEST_START_S = 30.0

log = structlog.get_logger("ops")


class DataDirInUseError(Exception):
    """Another run has the embedded servers of this data folder."""


@contextmanager
def services(
    settings: Settings, say: Callable[[str], None], *, share: bool, only_database: bool = False
) -> Iterator[Settings]:
    """The settings completed with the URLs of running servers and with cursor keys, for the time of the block.

    Whoever starts embedded servers stops them. Where another run has them already, ``share`` uses those (a command
    beside ``make run``); without it DataDirInUseError is raised. ``only_database`` is for whoever needs no cache. ``say`` is
    told of each step. Raises SettingsError for a database that cannot be reached and for what else cannot be used.
    """
    with ExitStack() as stack:
        _check_yours(settings)
        found: dict[str, object] = {}
        needs_cache = settings.redis_url is None and not only_database
        if settings.database_url is None or needs_cache:
            lock = stack.enter_context(_lock_file(settings.data_dir))
            ours = _try_lock(lock)
            if not ours and not share:
                raise DataDirInUseError(
                    f"DATA_DIR={settings.data_dir}: process {_holder(lock)} uses this folder; "
                    "stop it, or set DATA_DIR (and PORT) to others"
                )
            if settings.cursor_keys is None:
                found["cursor_keys"] = [SecretStr(_kept_key(settings.data_dir / "cursor.key"))]
            if settings.database_url is None:
                found["database_url"] = SecretStr(_postgres(settings, stack, say, ours))
            if needs_cache:
                found["redis_url"] = SecretStr(_valkey(settings.data_dir, stack, say, ours))
        if settings.database_url is not None:
            found["database_url"] = SecretStr(of_the_primary(settings.database_url.get_secret_value()))
        yield settings.model_copy(update=found)


def of_the_primary(url: str) -> str:
    """The URL; of several hosts it leads to the one that takes writes, unless it says to which.

    asyncpg takes the next one where one refuses: a standby would be read while the primary is listened to.
    """
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    has_several = "," in parts.netloc.rpartition("@")[2] or any("," in each for each in query.get("host", ()))
    if not has_several or "target_session_attrs" in query:
        return url
    return f"{url}{'&' if parts.query else '?'}target_session_attrs=primary"


def _check_yours(settings: Settings) -> None:
    if settings.database_url is not None:
        asyncio.run(_connect(settings.database_url.get_secret_value()))
    if settings.redis_url is not None:
        try:
            RedisCache(settings.redis_url.get_secret_value())
        except ValueError as error:
            raise SettingsError(f"REDIS_URL: {error}") from None


async def _connect(url: str) -> None:
    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_S)
    except ssl.SSLError as error:  # of which some are ValueErrors too: a certificate is not what it should be
        raise SettingsError(f"DATABASE_URL: the database cannot be reached ({error})") from None
    except (ValueError, OverflowError):  # its text may quote a part of the URL, and with it of the password; or a port is none
        raise SettingsError("DATABASE_URL: this is not a URL that asyncpg can read") from None
    except (*LOST, asyncpg.PostgresError) as error:
        reason = str(error) or f"no answer in {CONNECT_S:.0f} s"
        raise SettingsError(f"DATABASE_URL: the database cannot be reached ({reason})") from None
    await connection.close()


def _postgres(settings: Settings, stack: ExitStack, say: Callable[[str], None], ours: bool) -> str:
    # Beside its pool each process listens and looks after the rollups. The rest is for commands and whoever looks.
    needed = settings.workers * (settings.pool_size + 2) + 50
    server = EmbeddedPostgres(settings.data_dir / "postgres", max(needed, CONNECTIONS))
    if ours:
        say("Starting PostgreSQL 18")
        _keep_running(server, "PostgreSQL", stack)
    else:
        _wait_for(settings.data_dir / "postgres" / "cluster" / "postmaster.pid")
    return server.url


def _valkey(data_dir: Path, stack: ExitStack, say: Callable[[str], None], ours: bool) -> str:
    server = EmbeddedValkey(data_dir / "valkey")
    if ours:
        say("Starting Valkey")
        _keep_running(server, "Valkey", stack)
    return server.url


def _keep_running(server: EmbeddedPostgres | EmbeddedValkey, name: str, stack: ExitStack) -> None:
    """Starts the server, and again whenever it has ended by itself, until the end of the stack, which stops it."""
    stack.callback(server.stop)
    try:
        server.start()
    except OSError as error:
        raise SettingsError(f"DATA_DIR: {name} cannot be kept there ({error})") from None
    over = threading.Event()
    # A child is told to end with the thread that started it (core/process.py): what is started again, when this one is over.
    watching = threading.Thread(target=_watch, args=(server, name, over), daemon=True)
    watching.start()
    stack.callback(watching.join)
    stack.callback(over.set)


def _watch(server: EmbeddedPostgres | EmbeddedValkey, name: str, over: threading.Event) -> None:
    pause = LOOK_EVERY_S
    while not over.wait(pause):
        if server.pid is None or server.has_ended:  # it has no process where it took too long to start
            log.error(f"the embedded {name} has ended, and is started again")
            try:
                server.start()
                pause = LOOK_EVERY_S
            except (EmbeddedError, ValkeyError, OSError) as error:
                pause = min(2 * pause, SLOWEST_START_S)
                log.error(f"the embedded {name} does not start", error=str(error))


def _wait_for(pid_file: Path) -> None:
    """Until the server that another run is starting is ready, as the eighth line of its pid file tells."""
    deadline = time.monotonic() + ATTACH_S
    while time.monotonic() < deadline:
        lines = pid_file.read_text("ascii", "replace").splitlines() if pid_file.exists() else []
        if len(lines) >= 8 and lines[7].strip() == "ready":
            return
        time.sleep(0.05)
    raise DataDirInUseError(f"another run uses {pid_file.parent}, but its PostgreSQL did not become ready")


def _lock_file(data_dir: Path) -> IO[str]:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        return (data_dir / "lock").open("a+", encoding="ascii")
    except OSError as error:
        raise SettingsError(f"DATA_DIR={data_dir}: cannot be used ({error.strerror})") from None


def _try_lock(lock: IO[str]) -> bool:
    """Takes the lock if it is free. The kernel drops it when the process ends, however it ends."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return True


def _holder(lock: IO[str]) -> str:
    lock.seek(0)
    return lock.read() or "(unknown)"


def _kept_key(path: Path) -> str:
    """The key in the file, made on first use, readable by us alone. Raises SettingsError for one that is no key."""
    try:
        if not path.exists():
            # Whole or not at all: others may look for it at the same time, and a disk may be full.
            number, made = tempfile.mkstemp(dir=path.parent)
            try:
                with os.fdopen(number, "w") as file:
                    file.write(secrets.token_hex(KEY_BYTES))
                with suppress(FileExistsError):
                    os.link(made, path)
            finally:
                os.unlink(made)
        found = path.read_text("ascii", "replace").strip()
    except OSError as error:
        raise SettingsError(f"{path}: cannot be used ({error.strerror})") from None
    if not re.fullmatch(rf"[0-9a-fA-F]{{{2 * KEY_BYTES}}}", found):
        raise SettingsError(f"{path}: holds no key for cursors; remove it, and another one is made")
    return found
