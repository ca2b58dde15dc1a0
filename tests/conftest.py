"""What the tests share: a real PostgreSQL and Valkey for the session, and a fresh database for a test that asks."""

import asyncio
import fcntl
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest

from cache.embedded import EmbeddedValkey
from db.database import PooledDatabase
from db.embedded import EmbeddedPostgres
from db.migrate import migrate
from db.pool import Pool
from db.statements import REGISTRY
from schema.build import build_schema
from tests.crm import Crm

# Where Linux keeps files in memory, and how much the databases of a session may come to there.
MEMORY = Path("/dev/shm")
ROOM_BYTES = 4_000_000_000
PREFIX = "dealgraph-tests-"

_numbers = count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A running PostgreSQL of this test session, in memory if there is room: on a disk a database takes up to 350 ms, there 14."""
    with _quick_folder() as folder:
        server = EmbeddedPostgres(folder / "postgres")
        server.start()
        asyncio.run(_commit_without_waiting(server))
        yield server
        server.stop()


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    """A running Valkey of this test session."""
    server = EmbeddedValkey(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
async def migrated(postgres: EmbeddedPostgres) -> str:
    """The name of a migrated, empty database to copy from."""
    await _create(postgres, "migrated")
    await migrate(postgres.database_url("migrated"))
    return "migrated"


@pytest.fixture
async def database_url(postgres: EmbeddedPostgres, migrated: str) -> AsyncIterator[str]:
    """The URL of an empty database with the schema, of this test alone."""
    name = f"test_{next(_numbers)}"
    await _create(postgres, name, template=migrated)
    yield postgres.database_url(name)
    await _drop(postgres, name)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[PooledDatabase]:
    """The test's database through a pool of two connections."""
    pool = open_pool(database_url)
    yield PooledDatabase(pool, slow_s=10)
    await pool.close()


@pytest.fixture
async def sql(database_url: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    """A plain connection to the test's database, to put rows in and look at them."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
def crm(sql: "asyncpg.Connection[asyncpg.Record]") -> Crm:
    """Puts rows into the test's database."""
    return Crm(sql)


def open_pool(url: str, *, size: int = 2, wait_s: float = 5, queue: int = 100, statement_timeout_s: float = 10) -> Pool:
    """A pool as the server makes it, small."""
    return Pool(url, size=size, wait_s=wait_s, queue=queue, statement_timeout_s=statement_timeout_s)


def all_statements() -> list[str]:
    """The names of all statements that connections hold."""
    build_schema()
    return list(REGISTRY)


@contextmanager
def _quick_folder() -> Iterator[Path]:
    """A folder for this session. What sessions have left there that were killed goes, since memory is not given back otherwise."""
    if MEMORY.is_dir():
        for left in MEMORY.glob(f"{PREFIX}*"):
            with suppress(OSError), _locked(left):  # nobody's any more
                shutil.rmtree(left, ignore_errors=True)
    is_roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES
    with TemporaryDirectory(prefix=PREFIX, dir=MEMORY if is_roomy else None) as folder, _locked(Path(folder)):
        yield Path(folder)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds a lock on the folder as long as this process lives. Raises OSError where another holds it, or may not be asked."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


async def _commit_without_waiting(server: EmbeddedPostgres) -> None:
    """Nothing here outlives a crash; what has to is tested with a server of its own."""
    connection = await asyncpg.connect(server.url)
    await connection.execute("alter system set fsync = off")
    await connection.execute("alter system set synchronous_commit = off")
    await connection.execute("select pg_reload_conf()")
    await connection.close()


async def _create(server: EmbeddedPostgres, name: str, template: str = "template1") -> None:
    connection = await asyncpg.connect(server.url)
    await connection.execute(f"create database {name} template {template}")
    # A copied database does not take its per-database settings along.
    await connection.execute(f"alter database {name} set pg_trgm.word_similarity_threshold = 0.42")
    await connection.close()


async def _drop(server: EmbeddedPostgres, name: str) -> None:
    connection = await asyncpg.connect(server.url)
    await connection.execute(f"drop database {name} with (force)")
    await connection.close()
