"""Whether two answers say the same: before anything is timed, those of all programs must."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bench.scenarios import Scenario
from bench.target import Target, TargetError

# A cursor is sealed with a key, and a moment is a moment: only whether they are there is compared.
NOT_COMPARED = frozenset({"endCursor", "generatedAt"})


def check_agreement(targets: Sequence[Target], scenario: Scenario, keys: Sequence[str]) -> None:
    """Asks all with each key. Raises TargetError naming the first place where one does not answer as the first does."""
    first, *others = targets
    for key in keys:
        expected = first.answer(scenario, key)["data"]
        for other in others:
            found = difference(expected, other.answer(scenario, key)["data"])
            if found is not None:
                raise TargetError(f"{first.name} and {other.name} differ on {scenario.name} of {key}: {found}")


def difference(one: Any, other: Any, path: str = "data") -> str | None:
    """The first difference of two JSON values, or None. Numbers are compared as numbers and times as times."""
    if isinstance(one, dict) and isinstance(other, dict):
        if one.keys() != other.keys():
            return f"{path} has {sorted(one)} against {sorted(other)}"
        parts = [(f"{path}.{name}", one[name], other[name]) for name in one if name not in NOT_COMPARED]
        parts += [(f"{path}.{name}", one[name] is None, other[name] is None) for name in NOT_COMPARED & one.keys()]
    elif isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return f"{path} has {len(one)} entries against {len(other)}"
        parts = [(f"{path}[{place}]", *pair) for place, pair in enumerate(zip(one, other, strict=True))]
    else:
        return None if _same(one, other) else f"{path} is {one!r} against {other!r}"
    return next((found for name, mine, theirs in parts if (found := difference(mine, theirs, name))), None)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return abs(one - other) <= 1e-9 * max(1.0, abs(one), abs(other))
    return one == other or (isinstance(one, str) and isinstance(other, str) and _moment(one) == _moment(other) is not None)


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
