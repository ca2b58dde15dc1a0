"""Ids that are made here and not by PostgreSQL."""

import time
from uuid import RFC_4122

from jobs.ids import ascending


def test_any_number_of_ids_of_a_moment_are_of_version_7_and_in_order() -> None:
    before = time.time_ns() // 1_000_000
    made = list(ascending(200_000))
    assert made == sorted(set(made))
    assert {(each.version, each.variant) for each in made} == {(7, RFC_4122)}
    assert before <= made[0].int >> 80 == made[-1].int >> 80 <= time.time_ns() // 1_000_000
    assert len({each.int & 0xFFFF for each in made}) > 50_000
