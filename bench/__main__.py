"""``make bench``: the server on one core; PostgreSQL and the load on another; the floor and the peers beside it."""

import os
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from bench import cached, growth
from bench.agree import check_agreement
from bench.crowded import LOADS, allow_many_files
from bench.crowded import measured as crowded
from bench.data import databases, keys_of, server_env
from bench.measure import Result, measure
from bench.programs import SERVER, chosen, counted, started
from bench.report import as_table
from bench.scenarios import SCENARIOS, Scenario
from bench.statements import statements_of
from bench.target import Target, TargetError
from bench.writes import measured
from bench.wrk import WrkError, check_wrk
from core.settings import SettingsError, url_of
from db.embedded import EmbeddedError
from db.migrate import MigrationError
from ops.services import DataDirInUseError

EXPECTED = (WrkError, TargetError, SettingsError, DataDirInUseError, EmbeddedError, MigrationError)
CONNECTIONS = (1, 32)
KEYS_CHECKED = 5
WITH_PEERS = ["full", "companies", "deal"]
CROWD = "full"
WIDE = Console(width=150)
screen = Console(stderr=True, highlight=False)


def bench(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each; the medians are shown.")] = 3,
    seconds: Annotated[float, typer.Option(min=1, help="Length of one round for each program.")] = 5,
    only: Annotated[list[str] | None, typer.Option(help="A scenario to measure instead of all; may be repeated.")] = None,
    writes: Annotated[bool, typer.Option("--writes", help="Measure what writes cost instead.")] = False,
    kept: Annotated[bool, typer.Option("--kept", help="Measure answers from the cache instead.")] = False,
    grown: Annotated[bool, typer.Option("--growth", help="Measure PostgreSQL with up to 5,000,000 deals instead.")] = False,
    peers: Annotated[bool, typer.Option("--peers", help="Against Strawberry, Mercurius and Apollo Server too.")] = False,
    crowd: Annotated[bool | None, typer.Option(help="Also with 1,000 connections; with --peers unless told not to.")] = None,
) -> None:
    """Measure the server against a floor, which answers the same JSON from one hand-written statement."""
    if writes:
        with databases(screen.print) as settings, Progress(console=screen, transient=True) as bar:
            task = bar.add_task("Writing", total=4 * rounds)
            table = measured(url_of(settings.database_url), rounds, lambda: bar.advance(task))
        Console(width=128).print(table)
        return
    if grown:
        with databases(screen.print) as settings, Progress(console=screen, transient=True) as bar:
            task = bar.add_task("", total=len(growth.SIZES))
            table = growth.measured(url_of(settings.database_url), lambda size: bar.update(task, description=size, advance=1))
        WIDE.print(table)
        return
    check_wrk()
    if kept:
        _kept(rounds, seconds)
        return
    _compared(only, rounds, seconds, peers=peers, many=peers if crowd is None else crowd)


def _compared(only: list[str] | None, rounds: int, seconds: float, *, peers: bool, many: bool) -> None:
    scenarios = _chosen(only or (WITH_PEERS if peers else None))
    programs = chosen(peers, _warn)
    if many:
        allow_many_files()
    with databases(lambda line: None):
        pass  # filled here the first time, with all cores
    server_core, other_core = _cores()
    os.sched_setaffinity(0, {other_core})  # for what starts from here on: PostgreSQL, Valkey, the load
    with databases(screen.print) as settings:
        url, env = url_of(settings.database_url), server_env(settings)
        keys = keys_of(url, SCENARIOS)
        with started(programs, env, server_core, settings.data_dir) as targets:
            for scenario in scenarios:
                check_agreement(targets, scenario, keys[scenario.name][:KEYS_CHECKED])
            screen.print(f"{len(targets)} programs answer alike")
            statements = counted(programs, targets, scenarios, keys) | {
                (SERVER.name, name): number for name, number in statements_of(url, scenarios, keys).items()
            }
            loads = [(each, number) for each in scenarios for number in (_with_peers(each) if peers else CONNECTIONS)]
            tables = [as_table(_measured(targets, loads, keys, rounds, seconds), statements)]
            if many:
                tables.append(_crowded(targets, keys, rounds, seconds))
    for table in tables:
        WIDE.print(table)
    chosen(peers, _warn)  # said again, where the tables are read


def _with_peers(scenario: Scenario) -> tuple[int, ...]:
    """Eight connections; the full Dashboard also for one user alone."""
    return (1, 8) if scenario.name == CROWD else (8,)


def _crowded(targets: list[Target], keys: dict[str, list[str]], rounds: int, seconds: float) -> Table:
    [scenario] = [each for each in SCENARIOS if each.name == CROWD]
    with Progress(console=screen, transient=True) as bar:
        task = bar.add_task("A thousand connections", total=len(LOADS) * rounds)
        load = {"rounds": rounds, "seconds": 2 * seconds}
        return crowded(targets, scenario, keys[CROWD], **load, step=lambda: bar.advance(task))  # type: ignore[arg-type]


def _kept(rounds: int, seconds: float) -> None:
    allow_many_files()
    server_core, other_core = _cores()
    os.sched_setaffinity(0, {other_core})
    with databases(screen.print) as settings, Progress(console=screen, transient=True) as bar:
        owner = keys_of(url_of(settings.database_url), [SCENARIOS[0]])[SCENARIOS[0].name][0]
        task = bar.add_task("Asking the same again", total=8 * rounds)
        load = {"rounds": rounds, "seconds": seconds}
        tables = cached.measured(
            server_env(settings), owner, server_core, settings.data_dir, **load, step=lambda: bar.advance(task)  # type: ignore[arg-type]
        )
    for table in tables:
        WIDE.print(table)


def _measured(
    targets: list[Target], loads: list[tuple[Scenario, int]], keys: dict[str, list[str]], rounds: int, seconds: float
) -> list[Result]:
    results = []
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task("", total=len(loads) * rounds)
        for scenario, connections in loads:
            bar.update(task, description=f"{scenario.title}, {connections} at a time")
            load = {"connections": connections, "rounds": rounds}
            asked = keys[scenario.name]
            results.append(measure(targets, scenario, asked, **load, seconds=seconds, step=lambda: bar.advance(task)))
    return results


def _chosen(only: list[str] | None) -> list[Scenario]:
    unknown = set(only or ()) - {scenario.name for scenario in SCENARIOS}
    if unknown:
        names = ", ".join(scenario.name for scenario in SCENARIOS)
        raise TargetError(f"there is no scenario {', '.join(sorted(unknown))}; the scenarios are {names}")
    return [scenario for scenario in SCENARIOS if not only or scenario.name in only]


def _cores() -> tuple[int, int]:
    """The core of the programs that are measured, and the one of everything else."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == 1:
        screen.print("only one core: PostgreSQL and wrk share it with what is measured, so the figures say little")
    return cores[0], cores[-1]


def _warn(line: str) -> None:
    screen.print(line, style="yellow", markup=False, soft_wrap=True)


def main() -> None:
    """Runs the command; an expected failure is one message and exit status 1."""
    if not hasattr(os, "sched_setaffinity"):
        sys.exit("the benchmark needs Linux: it gives each program a core of its own")
    try:
        typer.run(bench)
    except EXPECTED as error:
        screen.print(str(error), style="red", markup=False, soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
