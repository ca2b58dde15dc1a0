"""The results as a table."""

from collections.abc import Mapping, Sequence

from rich.table import Table

from bench.measure import Figures, Result

NUMBERS = ("requests/s", "p50 ms", "p95 ms", "p99 ms", "CPU ms", "peak MB", "statements", "of the floor")


def as_table(results: Sequence[Result], statements: Mapping[str, int]) -> Table:
    """Two lines for each result, the server above the floor; ``statements`` by scenario name."""
    table = Table(title="One process on one core; CPU is the program's own for one request")
    table.add_column("scenario")
    table.add_column("connections", justify="right")
    table.add_column("")
    for title in NUMBERS:
        table.add_column(title, justify="right")
    for result in results:
        name, connections = result.scenario.name, str(result.connections)
        ratio = f"{result.ratio:.2f}"
        table.add_row(name, connections, "server", *_cells(result.server), str(statements[name]), ratio)
        table.add_row("", "", "floor", *_cells(result.floor), "1", "", style="dim", end_section=True)
    return table


def _cells(figures: Figures) -> tuple[str, ...]:
    times = (figures.p50, figures.p95, figures.p99, figures.cpu)
    return (f"{figures.rate:,.0f}", *(f"{each:.2f}" for each in times), f"{figures.peak / 1e6:.0f}")
