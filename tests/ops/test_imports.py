"""``python -m ops import`` on the screen."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

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
