"""``python -m ops``: what a person can put right is one message."""

import asyncpg
import pytest

from ops import __main__ as ops


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"), "connection was closed"),
        (asyncpg.DiskFullError("could not extend file"), "could not extend file"),
        (EOFError(), "EOFError"),
        (asyncpg.InsufficientPrivilegeError("permission denied for table company"), "permission denied for table company"),
        (asyncpg.QueryCanceledError("canceling statement due to statement timeout"), "statement timeout"),
    ],
)
def test_a_lost_database_and_a_full_disk_are_one_line(
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
