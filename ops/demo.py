"""``python -m ops demo``: puts a believable pipeline into the database, or takes it out again."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from jobs.demo import DemoReport, load_demo, remove_demo
from ops.migrate import migrated_database
from ops.screen import screen

DEFAULT_COMPANIES = 200


def demo(
    companies: Annotated[
        int, typer.Option(min=1, max=10_000_000, help="How many; each brings 5 contacts, 10 deals and 50 activities.")
    ] = DEFAULT_COMPANIES,
    seed: Annotated[int, typer.Option(help="Another number makes other companies; the same makes the same.")] = 1,
    replace: Annotated[bool, typer.Option("--replace", help="Remove the demo data that is there first.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Only remove the demo data.")] = False,
) -> None:
    """Put demo data into the database: companies with contacts, deals and activities of these weeks."""
    with migrated_database() as url:
        if remove:
            screen.print(f"removed {_told(asyncio.run(remove_demo(url)))}", soft_wrap=True)
        else:
            load_with_progress(url, companies=companies, seed=seed, replace=replace)


def load_with_progress(
    url: str,
    *,
    companies: int = DEFAULT_COMPANIES,
    seed: int = 1,
    replace: bool = False,
    run: Callable[[Coroutine[Any, Any, DemoReport]], DemoReport] = asyncio.run,
) -> DemoReport:
    """Loads demo data and shows how far it is; ``run`` says what Ctrl-C does meanwhile. Raises DemoError where it cannot."""
    started = time.perf_counter()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=screen,
        transient=True,
    ) as bar:
        task = bar.add_task("Loading demo data", total=None, rate="")

        def show(done: int, total: int) -> None:
            rate = f"{done / (time.perf_counter() - started):,.0f} rows/s"
            doing = "Loading demo data" if done < total else "Building indexes"
            bar.update(task, completed=done, total=total, description=doing, rate=rate)

        report = run(load_demo(url, companies=companies, seed=seed, replace=replace, progress=show))
    taken = time.perf_counter() - started
    screen.print(f"loaded {_told(report)} in {taken:.1f} s ({report.rows / taken:,.0f} rows/s)", soft_wrap=True)
    return report


def _told(report: DemoReport) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in report._asdict().items())
