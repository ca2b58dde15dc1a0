"""The database and cache a command works with: yours where their URLs are set, embedded ones otherwise."""

import asyncio
import fcntl
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import asyncpg
from pydantic import SecretStr

from cache.embedded import EmbeddedValkey
from cache.redis import RedisCache
from core.cursor import KEY_BYTES
from core.settings import Settings, SettingsError
from db.embedded import EmbeddedPostgres

ATTACH_S = 60.0
CONNECT_S = 10.0


class DataDirInUseError(Exception):
    """Another run has the embedded servers of this data folder."""


@contextmanager
def services(settings: Settings, say: Callable[[str], None], *, share: bool) -> Iterator[Settings]:
    """The settings completed with the URLs of running servers and with cursor keys, for the time of the block.

    Whoever starts embedded servers stops them. Where another run has them already, ``share`` uses those (a command
    beside ``make run``); without it DataDirInUseError is raised. ``say`` is told of each step. Raises SettingsError
    for a database that cannot be reached and for what else cannot be used.
    """
    with ExitStack() as stack:
        _check_yours(settings)
        found: dict[str, object] = {}
        if settings.database_url is None or settings.redis_url is None:
            lock = stack.enter_context(_lock_file(settings.data_dir))
            ours = _try_lock(lock)
            if not ours and not share:
                raise DataDirInUseError(
                    f"DATA_DIR={settings.data_dir}: process {_holder(lock)} uses this folder; "
                    "stop it, or set DATA_DIR (and PORT) to others"
                )
            if settings.database_url is None:
                found["database_url"] = SecretStr(_postgres(settings.data_dir, stack, say, ours))
            if settings.redis_url is None:
                found["redis_url"] = SecretStr(_valkey(settings.data_dir, stack, say, ours))
            if settings.cursor_keys is None:
                found["cursor_keys"] = [SecretStr(_kept_key(settings.data_dir / "cursor.key"))]
        yield settings.model_copy(update=found)


def _check_yours(settings: Settings) -> None:
    if settings.database_url is not None:
        asyncio.run(_connect(settings.database_url.get_secret_value()))
    if settings.redis_url is not None:
        try:
            RedisCache(settings.redis_url.get_secret_value())  # reads the URL; connects when first used
        except ValueError:
            raise SettingsError("REDIS_URL: this is not a URL that redis-py can read") from None


async def _connect(url: str) -> None:
    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_S)
    except ValueError:  # its text may quote a part of the URL, and with it of the password
        raise SettingsError("DATABASE_URL: this is not a URL that asyncpg can read") from None
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason = str(error) or f"no answer in {CONNECT_S:.0f} s"
        raise SettingsError(f"DATABASE_URL: the database cannot be reached ({reason})") from None
    await connection.close()


def _postgres(data_dir: Path, stack: ExitStack, say: Callable[[str], None], ours: bool) -> str:
    server = EmbeddedPostgres(data_dir / "postgres")
    if ours:
        say("Starting PostgreSQL 18")
        stack.callback(server.stop)
        server.start()
    else:
        _wait_for(data_dir / "postgres" / "cluster" / "postmaster.pid")
    return server.url


def _valkey(data_dir: Path, stack: ExitStack, say: Callable[[str], None], ours: bool) -> str:
    server = EmbeddedValkey(data_dir / "valkey")
    if ours:
        say("Starting Valkey")
        stack.callback(server.stop)
        server.start()
    return server.url


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
    """The key in the file, made on first use, readable by us alone."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(KEY_BYTES))
    except FileExistsError:
        pass
    return path.read_text("ascii").strip()
