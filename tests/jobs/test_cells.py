"""Texts and claims about rows, as a mapping words them."""

from collections.abc import Mapping

import pytest

from jobs.cells import claim
from jobs.mapping import Condition, Listed, Lookup
from jobs.rows import WrittenRows

CLIENTS = WrittenRows("clients", [{"name": "ACME "}, {"name": "Groß"}, {"name": "bolt"}])


class Joined:
    """An export in which another file lists two names."""

    def answers(self, lookup: Lookup) -> Mapping[str, str]:
        """No file is looked up."""
        return {}

    def listed(self, listed: Listed) -> frozenset[str]:
        """What that file lists."""
        return frozenset({"Acme", "GROSS"})


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (Condition("name", among=frozenset({"acme", "gross"})), [True, True, False]),
        (Condition("name", found_in=Listed("gone.csv", "name")), [True, True, False]),
        (Condition("name", not_found_in=Listed("gone.csv", "name")), [False, False, True]),
    ],
)
def test_conditions_compare_without_regard_to_case(condition: Condition, holds: list[bool]) -> None:
    (block,) = CLIENTS.blocks(lambda bad: None)
    assert list(map(claim(condition, CLIENTS, Joined()), block.rows)) == holds
