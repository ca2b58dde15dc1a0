"""``python -m ops``: migrations, imports, demo data, rollups, the schema as text and as a promise, trusted documents, keys."""

import signal

if __name__ == "__main__":
    # What follows takes a second to import. Until main() listens for it, Ctrl-C ends that without a traceback.
    USUAL = signal.signal(signal.SIGINT, signal.SIG_DFL)

import sys

import typer

from cache.embedded import ValkeyError
from core.errors import Unavailable
from core.settings import SettingsError
from db.embedded import EmbeddedError
from db.migrate import MigrationError
from db.pool import LOST, REFUSED
from jobs.demo import DemoError
from jobs.imports import ImportFailedError
from jobs.mapping import MappingError
from ops.check_schema import check_schema
from ops.demo import demo
from ops.imports import import_exports
from ops.keys import ApiKeyError
from ops.keys import app as keys
from ops.migrate import migrate
from ops.persist import persist
from ops.recount import recount
from ops.screen import complain
from ops.sdl import sdl
from ops.services import DataDirInUseError
from schema.documents import DocumentsError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.command()(migrate)
app.command("import")(import_exports)
app.command()(demo)
app.command()(recount)
app.command()(sdl)
app.command("check-schema")(check_schema)
app.command()(persist)
app.add_typer(keys, name="keys")

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
    DocumentsError,
    ApiKeyError,
    Unavailable,
    *REFUSED,
    *LOST,
)


def main() -> None:
    """Runs the command line; an expected failure is one message and exit status 1."""
    try:
        app()
    except EXPECTED as error:
        complain(error)
        sys.exit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, USUAL)
    main()
