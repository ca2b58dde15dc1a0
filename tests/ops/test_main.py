"""``python -m ops``: what a person can put right is one message."""

import asyncpg
import pytest

from cache.embedded import ValkeyError
from core.errors import Unavailable
from core.settings import SettingsError
from db.embedded import EmbeddedError
from db.migrate import MigrationError
from jobs.demo import DemoError
from jobs.imports import ImportFailedError
from jobs.mapping import MappingError
from ops import __main__ as ops
from ops.keys import ApiKeyError
from ops.services import DataDirInUseError
from schema.documents import DocumentsError

OURS: tuple[type[Exception], ...] = (
    ApiKeyError, DataDirInUseError, DemoError, DocumentsError, EmbeddedError, ImportFailedError, MappingError, MigrationError,
    SettingsError, Unavailable, ValkeyError,
)  # fmt: skip


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"), "connection was closed"),
        (asyncpg.DiskFullError("could not extend file"), "could not extend file"),
        (EOFError(), "EOFError"),
        (asyncpg.InsufficientPrivilegeError("permission denied for table company"), "permission denied for table company"),
        *((kind("[red]no"), "[red]no") for kind in OURS),
        (asyncpg.QueryCanceledError("canceling statement due to statement timeout"), "statement timeout"),
    ],
)
def test_what_we_raise_for_people_a_lost_database_and_a_full_disk_are_one_line(
    error: Exception, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(ops, "app", fail)
    with pytest.raises(SystemExit) as ended:
        ops.main()
    assert ended.value.code == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert told in lines[0]
