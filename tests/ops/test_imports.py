"""``python -m ops import`` on the screen."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from unittest.mock import ANY

import pytest
from typer.testing import CliRunner

from jobs.imports import COMMITTING, ImportReport, Progress
from ops import __main__ as ops
from ops import imports


@pytest.fixture
def heard() -> Iterator[None]:
    """Hears Ctrl-C, also where the tests were started in the background, which a shell shields from it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize(
    ("doing", "told"), [("deals", "stopped: nothing was imported"), (COMMITTING, "nobody knows whether all or nothing")]
)
def test_who_stops_an_import_is_told_what_it_leaves(doing: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run_import(*args: object, progress: Progress, **options: object) -> ImportReport:
        progress(doing, 0, None)
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(5)
        return ImportReport()

    monkeypatch.setattr(imports, "run_import", run_import)
    monkeypatch.setattr(imports, "migrated_database", lambda: nullcontext(""))
    monkeypatch.setattr("gc.disable", lambda: None)
    ended = CliRunner().invoke(ops.app, ["import", "--mapping", "canonical", str(Path())])
    assert ended.exit_code == 130
    assert told in ended.stderr


async def test_bad_rows_end_with_one_unless_they_are_to_be_left_out_and_no_more_are_told_than_is_wanted(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "migrated_database", lambda: nullcontext(database_url))
    monkeypatch.setattr("gc.disable", lambda: None)

    async def run(users: str, *options: str) -> tuple[int, list[str]]:
        (tmp_path / "users.csv").write_text(f"id,name,\x1b\n{users}", "utf-8")
        arguments = ["import", "--mapping", "canonical", *options, str(tmp_path)]
        ended = await asyncio.to_thread(CliRunner().invoke, ops.app, arguments)
        return ended.exit_code, [line for line in ended.stderr.splitlines() if line.strip()]

    unused, first = "users.csv: not used: \\x1b", "users.csv, line 3, id: is blank, but must be there"
    helps = "nothing was imported. Put them right, or leave bad rows out with --skip-bad-rows."
    assert await run("1,Ann,\n,Bo,\n", "--max-errors", "0") == (2, ANY)
    assert await run("1,Ann,\n,Bo,\n") == (1, [unused, first, f"1 fault: {helps}"])
    assert await run("1,Ann,\n,Bo,\n,Cy,\n", "--max-errors", "1") == (1, [unused, first, "and 1 more", f"2 faults: {helps}"])
    for counted in ("10001", "00101"):  # inserted, updated, unchanged, skipped, bad
        status, said = await run("1,Ann,\n,Bo,\n", "--skip-bad-rows")
        assert (status, said[:2]) == (0, [unused, first])
        assert said[-1].startswith("1 rows in ")
        (row,) = [line for line in said if "users" in line and "csv" not in line]
        assert "".join(word for word in row.split() if word.isdecimal()) == counted
