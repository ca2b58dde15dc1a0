"""Rounds of measuring, all programs in turn, so that whatever else the machine does hits them alike."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.scenarios import Scenario
from bench.target import Call, Target, TargetError
from bench.wrk import run_wrk

WARM_UP_S = 2.0


@dataclass(frozen=True, slots=True)
class Figures:
    """Medians over the rounds, of one program under one load; milliseconds and bytes."""

    rate: float
    p50: float
    p95: float
    p99: float
    cpu: float
    peak: int


@dataclass(frozen=True, slots=True)
class Result:
    """One scenario with one number of connections: the rounds of each program by its name, the server's first."""

    scenario: Scenario
    connections: int
    rounds: Mapping[str, list[Figures]]

    def of(self, name: str) -> Figures:
        """The medians of that program."""
        return _median(self.rounds[name])

    def ratio(self, name: str) -> float:
        """The server's rate as so many times that program's: the median of what each round says."""
        server = next(iter(self.rounds.values()))
        return median(ours.rate / theirs.rate for ours, theirs in zip(server, self.rounds[name], strict=True))


def measure(
    targets: Sequence[Target],
    scenario: Scenario,
    keys: Sequence[str],
    *,
    connections: int,
    rounds: int,
    seconds: float,
    step: Callable[[], None],
) -> Result:
    """That many rounds for each; ``step`` is called after each round. Raises TargetError if a request failed."""
    for target in targets:
        run_wrk(target.port, _calls(target, scenario, keys), connections=connections, seconds=WARM_UP_S)
    found: dict[str, list[Figures]] = {target.name: [] for target in targets}
    for number in range(rounds):
        for target in rotated(targets, number):
            found[target.name].append(_once(target, scenario, keys, connections, seconds))
        step()
    return Result(scenario, connections, found)


def rotated(targets: Sequence[Target], number: int) -> list[Target]:
    """The order of that round: each begins in turn, so that none is always measured after the same other."""
    start = number % len(targets)
    return [*targets[start:], *targets[:start]]


def _once(target: Target, scenario: Scenario, keys: Sequence[str], connections: int, seconds: float) -> Figures:
    target.forget_peak()
    before = target.cpu_seconds()
    load = run_wrk(target.port, _calls(target, scenario, keys), connections=connections, seconds=seconds)
    cpu = target.cpu_seconds() - before
    if load.failed or not load.requests:
        raise TargetError(f"the {target.name} failed {load.failed} of {load.requests} requests of {scenario.name}")
    rate = load.requests / load.seconds
    return Figures(rate, load.p50, load.p95, load.p99, cpu / load.requests * 1000, target.peak_bytes())


def _calls(target: Target, scenario: Scenario, keys: Sequence[str]) -> list[Call]:
    return [target.call(scenario, key) for key in keys]


def _median(rounds: Sequence[Figures]) -> Figures:
    return Figures(
        rate=median(each.rate for each in rounds),
        p50=median(each.p50 for each in rounds),
        p95=median(each.p95 for each in rounds),
        p99=median(each.p99 for each in rounds),
        cpu=median(each.cpu for each in rounds),
        peak=max(each.peak for each in rounds),
    )
