"""``python -m ops``: migrate, import, demo data, the schema as text."""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import typer
from rich.console import Console

from cache.embedded import ValkeyError
from core.settings import SettingsError, load_settings
from db.embedded import EmbeddedError
from db.migrate import MigrationError
from db.migrate import migrate as apply_migrations
from jobs.demo import DemoError
from jobs.imports import ImportFailedError
from jobs.mapping import MappingError
from ops.demo import demo
from ops.imports import import_command
from ops.sdl import sdl
from ops.services import DataDirInUseError, services

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
screen = Console(stderr=True, highlight=False)

# What a person can put right; anything else is a bug and shows its traceback.
EXPECTED = (
    SettingsError,
    DataDirInUseError,
    EmbeddedError,
    ValkeyError,
    MigrationError,
    DemoError,
    MappingError,
    ImportFailedError,
)


def with_database(work: Callable[[str], Any]) -> Any:
    """Runs ``work`` with the URL of a migrated database: yours, the one of a running server, or one just started."""
    with services(load_settings(), lambda line: screen.print(f"[dim]{line}[/dim]"), share=True) as settings:
        assert settings.database_url is not None
        url = settings.database_url.get_secret_value()
        asyncio.run(apply_migrations(url))
        return work(url)


app.command()(demo)
app.command()(sdl)
app.command("import")(import_command(with_database))


@app.command()
def migrate() -> None:
    """Bring the database to the newest migration."""
    with services(load_settings(), lambda line: screen.print(f"[dim]{line}[/dim]"), share=True) as settings:
        assert settings.database_url is not None
        applied = asyncio.run(apply_migrations(settings.database_url.get_secret_value()))
    screen.print("\n".join(f"applied {name}" for name in applied) or "nothing to do: the database is up to date")


def main() -> None:
    """Runs the command line; an expected failure is one message and exit status 1."""
    try:
        app()
    except EXPECTED as error:
        screen.print(str(error), style="red", markup=False, soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
