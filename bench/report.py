"""The results as a table."""

import platform
import sys
from collections.abc import Mapping, Sequence

from rich.table import Table

from bench.measure import Figures, Result

NUMBERS = ("requests/s", "p50 ms", "p95 ms", "p99 ms", "CPU ms", "peak MB", "statements", "server is")


def as_table(results: Sequence[Result], statements: Mapping[tuple[str, str], int]) -> Table:
    """A line for each program of each result, the server first; ``statements`` by program and scenario."""
    python = f"Python {platform.python_version()} of {sys.base_prefix}: which one it is matters (bench/README.md)"
    table = Table(title="One process on one core; CPU is the program's own for one request", caption=python)
    table.add_column("scenario")
    table.add_column("connections", justify="right")
    table.add_column("")
    for title in NUMBERS:
        table.add_column(title, justify="right")
    for result in results:
        scenario, connections = result.scenario.name, str(result.connections)
        for place, name in enumerate(result.rounds):
            head = ("", "", name) if place else (scenario, connections, name)
            ratio = f"x {result.ratio(name):.2f}" if place else ""
            table.add_row(*head, *_cells(result.of(name)), str(statements[name, scenario]), ratio, style="dim" if place else "")
        table.add_section()
    return table


def _cells(figures: Figures) -> tuple[str, ...]:
    times = (figures.p50, figures.p95, figures.p99, figures.cpu)
    return (f"{figures.rate:,.0f}", *(f"{each:.2f}" for each in times), f"{figures.peak / 1e6:.0f}")
