"""``python -m ops import``: loads the CSV export of another system, with progress, and tells what became of its rows."""

import asyncio
import gc
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from jobs.imports import COMMITTING, UNKNOWN, ImportReport, run_import
from jobs.mapping import Mapping
from jobs.mapping_file import load_mapping
from jobs.rows import printable
from ops.migrate import migrated_database
from ops.screen import screen


def import_exports(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder with the CSV files.")],
    mapping: Annotated[str, typer.Option(help="A TOML file, or one we ship: canonical, hubspot, sales-opportunities.")],
    max_errors: Annotated[int, typer.Option(min=1, help="List at most this many faults.")] = 100,
    skip_bad_rows: Annotated[bool, typer.Option("--skip-bad-rows", help="Import the good rows anyway.")] = False,
) -> None:
    """Load a CSV export as a mapping says (docs/import.md). With bad rows nothing is imported."""
    read = load_mapping(mapping)
    # Rows come and go by the million and none is in a cycle: looking for cycles among them is a fifth of the work.
    gc.disable()
    with migrated_database() as url:
        report = _with_progress(url, read, folder, max_errors, skip_bad_rows)
    tell(report, screen)
    if report.faults and not skip_bad_rows:
        raise typer.Exit(1)


def _with_progress(url: str, mapping: Mapping, folder: Path, max_errors: int, skip_bad_rows: bool) -> ImportReport:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task("reading the files", total=None)

        doing = ""

        def show(what: str, done: int, expected: int | None) -> None:
            nonlocal doing
            doing = what
            # The number of lines counts headers and line breaks within quotes: an estimate, and no less than what is done.
            bar.update(task, description=what, completed=done, total=max(expected, done) if expected else None)

        work = run_import(
            url, mapping, folder, skip_bad_rows=skip_bad_rows, max_errors=max_errors, progress=show
        )  # fmt: skip
        try:
            return asyncio.run(work)
        except KeyboardInterrupt:
            screen.print(UNKNOWN if doing == COMMITTING else "stopped: nothing was imported", style="red", soft_wrap=True)
            raise


def tell(report: ImportReport, console: Console) -> None:
    """Prints every bad row that was kept, what nothing uses, and what became of the rows of each kind."""
    for file, columns in report.unused.items():
        console.print(printable(f"{file}: not used: {', '.join(columns)}"), markup=False, soft_wrap=True)
    for bad in report.bad:
        console.print(str(bad), markup=False, soft_wrap=True)
    if report.faults > len(report.bad):
        console.print(f"and {report.faults - len(report.bad):,} more")
    if not report.is_imported:
        plural = "fault" if report.faults == 1 else "faults"
        console.print(
            f"[red]{report.faults:,} {plural}: nothing was imported.[/red] Put them right, or leave bad rows out with "
            "--skip-bad-rows.",
            soft_wrap=True,
        )
        return
    console.print(_table(report))
    rows = sum(tally.inserted + tally.updated + tally.unchanged for tally in report.tallies.values())
    console.print(f"{rows:,} rows in {report.seconds:.1f} s, {rows / max(report.seconds, 1e-9):,.0f} rows a second")


def _table(report: ImportReport) -> Table:
    names = ("inserted", "updated", "unchanged", "skipped", "bad")
    table = Table("", *names)
    for column in table.columns[1:]:
        column.justify = "right"
    for plural, tally in report.tallies.items():
        table.add_row(plural, *(f"{getattr(tally, name):,}" for name in names))
    return table
