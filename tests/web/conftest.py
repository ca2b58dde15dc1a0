"""The whole server over real HTTP: on a port, a database and a cache of its own, in the loop of the test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import httpx2
import pytest

from cache.embedded import EmbeddedValkey
from cache.redis import RedisCache
from core.settings import Settings
from db.embedded import EmbeddedPostgres
from server import create_app
from tests.web.serving import serving as serving_app
from web.wire.protocol import bounded_protocol

KEY = "5e" * 32
GRAPHQL = "application/graphql-response+json"
JSON = "application/json"


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a server that runs as long as the block. ``base_url`` tells its address."""
    async with (
        serving_app(create_app(settings), bounded_protocol(settings)) as port,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
    ):
        yield client


def settings_for(database_url: str, valkey: EmbeddedValkey, **others: object) -> Settings:
    """The settings of a small server; ``others`` are settings by name."""
    given = {
        "database_url": database_url, "redis_url": valkey.url, "cursor_keys": KEY, "pool_size": 2, "limits": "off",
        "auth_off_anywhere": True, **others,
    }  # fmt: skip
    return Settings.model_validate(given)


@pytest.fixture
async def client(database_url: str, valkey: EmbeddedValkey) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a server on the test's own database."""
    async with serving(settings_for(database_url, valkey)) as client:
        yield client


@pytest.fixture(scope="session")
async def url_without_a_row(postgres: EmbeddedPostgres, migrated: str) -> str:
    """The URL of a database without a row, for tests that do not change anything."""
    connection = await asyncpg.connect(postgres.url)
    await connection.execute(f"create database without_a_row template {migrated}")
    await connection.close()
    return postgres.database_url("without_a_row")


@pytest.fixture(scope="session")
async def empty(url_without_a_row: str, valkey: EmbeddedValkey) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a server on a database without a row, for tests that do not change anything."""
    async with serving(settings_for(url_without_a_row, valkey)) as client:
        yield client


@pytest.fixture
async def redis(valkey: EmbeddedValkey) -> AsyncIterator[RedisCache]:
    """The session's Valkey, emptied before and after."""
    cache = RedisCache(valkey.url, timeout_s=10)
    await cache.client.flushall()
    yield cache
    await cache.client.flushall()
    await cache.close()
