"""Health as a supervisor reads it, and what clients hear while the database or the cache is away."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx2
import pytest

from cache.embedded import EmbeddedValkey
from db.embedded import EmbeddedPostgres
from db.migrate import migrate
from tests.web.conftest import GRAPHQL, JSON, serving, settings_for

STAGES = {"query": "{ stages { id } }"}


@pytest.fixture
async def mortal(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A migrated PostgreSQL that the test may stop and start."""
    server = EmbeddedPostgres(tmp_path / "postgres")
    server.start()
    await migrate(server.url)
    yield server
    server.stop()


async def _health(client: httpx2.AsyncClient) -> tuple[int, object]:
    response = await client.get("/api/health?ready")
    return response.status_code, response.json()


async def _stages(client: httpx2.AsyncClient, media_type: str = JSON) -> tuple[int, object]:
    response = await client.post("/graphql", json=STAGES, headers={"accept": media_type})
    errors = response.json().get("errors")
    return response.status_code, errors[0]["extensions"]["code"] if errors else response.json()["data"]


async def test_a_server_that_has_all_it_needs_is_ready(empty: httpx2.AsyncClient) -> None:
    assert await _health(empty) == (200, {"status": "ok", "checks": {"database": "ok", "cache": "ok"}})


async def test_health_is_never_kept_by_a_cache_on_the_way(empty: httpx2.AsyncClient) -> None:
    response = await empty.get("/api/health")
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-type"] == "application/json"


async def test_without_the_database_clients_hear_that_it_is_away_and_the_server_goes_on_when_it_is_back(
    mortal: EmbeddedPostgres, valkey: EmbeddedValkey
) -> None:
    async with serving(settings_for(mortal.url, valkey)) as client:
        assert await _stages(client) == (200, {"stages": []})
        mortal.stop()
        await asyncio.sleep(0.1)  # the line that writes are heard on is cut, and no answer comes from the cache
        for media_type in (JSON, GRAPHQL):
            assert await _stages(client, media_type) == (503, "UNAVAILABLE")
        assert await _health(client) == (503, {"status": "unavailable", "checks": {"database": "unavailable", "cache": "ok"}})
        detailed = await client.get("/api/health", params={"detailed": "true"})
        assert (detailed.status_code, detailed.json()["status"], detailed.json()["sizes"]) == (200, "unavailable", None)
        alive = await client.get("/api/health")
        assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
        mortal.start()
        assert await _stages(client) == (200, {"stages": []})
        assert (await _health(client))[0] == 200


async def test_a_server_that_starts_before_its_database_serves_as_soon_as_that_is_there(
    mortal: EmbeddedPostgres, valkey: EmbeddedValkey
) -> None:
    mortal.stop()
    async with serving(settings_for(mortal.url, valkey)) as client:
        assert await _stages(client) == (503, "UNAVAILABLE")
        mortal.start()
        assert await _stages(client) == (200, {"stages": []})


async def test_a_time_limit_that_stops_even_the_opening_of_connections_does_not_stop_the_start(
    database_url: str, valkey: EmbeddedValkey
) -> None:
    settings = settings_for(database_url, valkey, pool_size=20).model_copy(update={"statement_timeout_s": 0.001})
    async with serving(settings) as client:
        assert (await client.get("/api/health")).status_code == 200


async def test_a_database_that_does_not_have_our_tables_is_not_ready(
    client: httpx2.AsyncClient, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    unfit = 503, {"status": "unavailable", "checks": {"database": "unavailable", "cache": "ok"}}
    newest = await sql.fetchrow("delete from migration where name = (select max(name) from migration) returning name, digest")
    assert newest is not None
    assert await _health(client) == unfit
    await sql.execute("insert into migration values ($1, $2), ('9999_of_a_newer_version', '')", *newest)
    assert (await _health(client))[0] == 200
    await sql.execute("drop table migration")
    assert await _health(client) == unfit


async def test_without_the_cache_the_server_is_degraded_and_answers(database_url: str, tmp_path: Path) -> None:
    cache = EmbeddedValkey(tmp_path)
    cache.start()
    async with serving(settings_for(database_url, cache)) as client:
        assert (await _health(client))[0] == 200
        cache.stop()
        assert await _health(client) == (200, {"status": "degraded", "checks": {"database": "ok", "cache": "unavailable"}})
        assert await _stages(client) == (200, {"stages": []})
        cache.start()
        assert (await _health(client))[1] == {"status": "ok", "checks": {"database": "ok", "cache": "ok"}}
    cache.stop()
