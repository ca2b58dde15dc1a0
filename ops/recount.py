"""``python -m ops recount``: proves the rollups and the words that search knows, or puts them right."""

import asyncio
from typing import Annotated

import typer

from jobs import recount as rollups
from ops.migrate import migrated_database
from ops.screen import screen


def recount(
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit with 1 if a figure is wrong.")] = False,
) -> None:
    """Count again what the dashboard shows, and put right what a switched-off trigger or a truncated table left wrong."""
    with migrated_database() as url:
        if not check:
            asyncio.run(rollups.recount(url))
        wrong = asyncio.run(rollups.drift(url))
    for each in wrong:
        screen.print(f"{each.rollup}: {each.key} is not what its rows say", soft_wrap=True)
    if wrong:
        screen.print(f"{wrong[0].found} of them are wrong; `python -m ops recount` puts them right", soft_wrap=True)
        raise typer.Exit(1)
    screen.print("every rollup equals a count of its rows, and search knows every deal")
