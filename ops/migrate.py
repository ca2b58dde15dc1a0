"""``python -m ops migrate``, and the migrated database that other commands work with."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from core.settings import load_settings, url_of
from db import migrate as migrations
from ops.screen import say, screen
from ops.services import services


def migrate() -> None:
    """Bring the database to the newest migration."""
    with _database_url() as url:
        applied = asyncio.run(migrations.migrate(url))
    screen.print("\n".join(f"applied {name}" for name in applied) or "nothing to do: the database is up to date")


@contextmanager
def migrated_database() -> Iterator[str]:
    """The URL of a migrated database: yours, the one of a running server, or one started for the time of the block."""
    with _database_url() as url:
        asyncio.run(migrations.migrate(url))
        yield url


@contextmanager
def _database_url() -> Iterator[str]:
    with services(load_settings(), say, share=True, only_database=True) as settings:
        yield url_of(settings.database_url)
