"""A thousand connections: at a fixed rate, and each with a request at all times; every program in turn."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isnan, nan
from statistics import median

from rich.table import Table

from bench.crowd import Crowd, Seen
from bench.measure import rotated
from bench.scenarios import Scenario
from bench.target import ROOT, Call, Target, TargetError

CONNECTIONS = 1000
RATE = 500.0
WARM_UP_S = 2.0
SETTLE_S = 120.0
FILES = 4 * CONNECTIONS
COLUMNS = (
    *("answers/s", "p50 ms", "p95 ms", "p99 ms", "p99/p50"),
    *("shed", "failed", "unanswered", "starved", "late ms", "CPU ms", "peak MB"),
)
LOADS: Mapping[str, float | None] = {f"{RATE:.0f} requests/s": RATE, "saturated": None}


@dataclass(frozen=True, slots=True)
class Round:
    """What one program did with one load once; bytes, and milliseconds of CPU for each good answer."""

    seen: Seen
    peak: int
    cpu: float


def allow_many_files() -> None:
    """Lets the programs that are started from here on have so many connections. Raises TargetError if that is not allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FILES:
        raise TargetError(f"{CONNECTIONS} connections need {FILES} open files, and this machine allows {hard}: see ulimit -Hn")
    if soft != resource.RLIM_INFINITY and soft < FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))


def measured(
    targets: Sequence[Target], scenario: Scenario, keys: Sequence[str], *, rounds: int, seconds: float, step: Callable[[], None]
) -> Table:
    """The table of both loads. Raises TargetError if the load could not be made."""
    found: dict[str, dict[str, list[Round]]] = {load: {target.name: [] for target in targets} for load in LOADS}
    for load, rate in LOADS.items():
        for number in range(rounds):
            for target in rotated(targets, number):
                calls = [target.call(scenario, key) for key in keys]
                found[load][target.name].append(once(target, calls, rate, seconds))
            step()
    return table_of(found, scenario.title)


def once(target: Target, calls: Sequence[Call], rate: float | None, seconds: float) -> Round:
    """What became of one load on one program. Raises TargetError if the load could not be made."""
    crowd = Crowd(target.port, list(map(_written, calls)), CONNECTIONS, rate, WARM_UP_S, seconds)
    target.forget_peak()
    before = target.cpu_seconds()
    command, given = [sys.executable, "-m", "bench.crowd"], json.dumps(asdict(crowd))
    ran = subprocess.run(command, cwd=ROOT, input=given, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise TargetError(f"the load on the {target.name} failed: {ran.stderr.strip()[-1000:]}")
    seen = Seen(**json.loads(ran.stdout))
    # The warm-up is in the processor's time, so its part of the answers is as well.
    answers = seen.answered * (WARM_UP_S + seconds) / seconds
    cpu = (target.cpu_seconds() - before) / answers * 1000 if answers else nan
    peak = target.peak_bytes()
    _settle(target)
    return Round(seen, peak, cpu)


def _settle(target: Target) -> None:
    """Waits until it does nothing any more: some go on with what nobody waits for, on the core of the next one."""
    until = time.monotonic() + SETTLE_S
    while time.monotonic() < until:
        before = target.cpu_seconds()
        time.sleep(0.5)
        if target.cpu_seconds() - before < 0.05:
            return
    raise TargetError(f"the {target.name} still works on a load that ended {SETTLE_S:.0f} s ago")


def _written(call: Call) -> str:
    body = (call.body or b"").decode()
    headers = {"Host": "localhost", **call.all_headers, "Content-Length": str(len(body.encode()))}
    lines = (f"{name}: {value}" for name, value in headers.items())
    return "\r\n".join((f"{call.method} {call.path} HTTP/1.1", *lines, "", body))


def table_of(found: Mapping[str, Mapping[str, list[Round]]], title: str) -> Table:
    """The medians of rounds by load and program."""
    table = Table(title=f"{title}; {CONNECTIONS:,} connections")
    table.add_column("load")
    table.add_column("")
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for load, programs in found.items():
        for place, (name, rounds) in enumerate(programs.items()):
            table.add_row("" if place else load, name, *_cells(rounds), style="dim" if place else "")
        table.add_section()
    return table


def _cells(rounds: Sequence[Round]) -> tuple[str, ...]:
    def middle(of: Callable[[Round], float]) -> float:
        return median(map(of, rounds))

    numbers = (
        (",.0f", middle(lambda each: each.seen.answered / each.seen.seconds)),
        (",.1f", middle(lambda each: each.seen.p50)),
        (",.1f", middle(lambda each: each.seen.p95)),
        (",.1f", middle(lambda each: each.seen.p99)),
        (".1f", middle(lambda each: each.seen.p99 / each.seen.p50)),
        (",.0f", middle(lambda each: each.seen.shed)),
        (",.0f", middle(lambda each: each.seen.failed)),
        (",.0f", middle(lambda each: each.seen.unanswered)),
        (",.0f", middle(lambda each: each.seen.starved)),
        (".2f", middle(lambda each: each.seen.late)),
        (".2f", middle(lambda each: each.cpu)),
        (".0f", max(each.peak for each in rounds) / 1e6),
    )
    return tuple("-" if isnan(number) else format(number, how) for how, number in numbers)
