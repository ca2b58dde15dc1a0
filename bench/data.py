"""The data that is measured on, kept between runs, and the keys that are asked for."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from bench.scenarios import Scenario
from core.settings import Settings, url_of
from db.migrate import MigrationError, migrate
from db.statements import parse
from jobs.demo import is_empty
from ops.demo import load_with_progress
from ops.services import services

FOLDER = Path(".data/bench")
COMPANIES = 10_000  # and with them 20 owners, 50,000 contacts, 100,000 deals, 500,000 activities
KEYS = parse("keys", (Path(__file__).parent / "keys.sql").read_text("utf-8"))


@contextmanager
def databases(say: Callable[[str], None]) -> Iterator[Settings]:
    """PostgreSQL and Valkey of the benchmark for the time of the block, migrated and filled, and how to reach them."""
    # Its own servers whatever the environment says: what is measured must not be somebody's data.
    ours = Settings(data_dir=FOLDER, database_url=None, redis_url=None, cursor_keys=None)
    with services(ours, say, share=False) as settings:
        url = url_of(settings.database_url)
        try:
            asyncio.run(migrate(url))
        except MigrationError as error:
            raise MigrationError(f"{error}\n{FOLDER} holds nothing but demo data: remove it, and it is made anew") from error
        if asyncio.run(is_empty(url)):
            load_with_progress(url, companies=COMPANIES)
        yield settings


def server_env(settings: Settings) -> Mapping[str, str]:
    """The environment in which the server uses these databases, keeps no answer, does nothing else, and logs no request."""
    assert settings.cursor_keys is not None
    return {
        "DATABASE_URL": url_of(settings.database_url),
        "REDIS_URL": url_of(settings.redis_url),
        "CURSOR_KEYS": ",".join(key.get_secret_value() for key in settings.cursor_keys),
        "HOST": "127.0.0.1",
        "WORKERS": "1",
        "DEMO": "0",
        "LIMITS": "off",
        "LOG_LEVEL": "warning",
        "CACHE_BYTES": "0",
        "CACHE_SHARED": "0",
    }


def keys_of(url: str, scenarios: Sequence[Scenario]) -> dict[str, list[str]]:
    """Scenario name to the keys it is asked with."""
    return asyncio.run(_keys_of(url, scenarios))


async def _keys_of(url: str, scenarios: Sequence[Scenario]) -> dict[str, list[str]]:
    connection = await asyncpg.connect(url)
    try:
        kinds = {kind: [row[0] for row in await connection.fetch(KEYS[f"keys.{kind}s"][1])] for kind in ("owner", "deal")}
    finally:
        await connection.close()
    return {scenario.name: kinds[scenario.keyed_by] for scenario in scenarios}
