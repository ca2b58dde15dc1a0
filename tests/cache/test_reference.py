"""Rows kept in process: good until something of their tag is written, or until nobody can tell."""

import pytest

from cache.reference import Reference
from tests.cache.test_freshness import Clock, hearing


def test_what_is_kept_is_found_until_its_tag_is_written() -> None:
    freshness = hearing()
    reference = Reference(freshness)
    reference.keep("users", reference.of("users"), [("ada", 1)], 5)
    freshness.hear(7, ["stages", "deal:1"])
    assert reference.of("users") == {"ada": 1}
    freshness.hear(8, ["users"])
    assert reference.of("users") == {}


def test_what_was_read_before_a_write_is_not_kept_after_it() -> None:
    freshness = hearing()
    reference = Reference(freshness)
    began = reference.of("stages")
    freshness.hear(7, ["stages"])
    reference.keep("stages", began, [("all", "old")], 5)
    assert reference.of("stages") == {}


def test_who_does_not_hear_keeps_and_finds_nothing() -> None:
    clock = Clock()
    freshness = hearing(clock)
    reference = Reference(freshness)
    reference.keep("stages", reference.of("stages"), [("all", "old")], 5)
    clock.now += 2
    assert reference.of("stages") is None, "the line has said nothing for longer than its lease"
    freshness.lost()
    freshness.begin(9, "")
    freshness.beat(clock())
    assert reference.of("stages") == {}, "something may have been written while nobody heard"


def test_of_more_rows_than_reference_data_has_no_others_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cache.reference.MOST_ROWS", 3)
    reference = Reference(hearing())
    for number in range(9):
        reference.keep("users", reference.of("users"), [(number, number)], 5)
    assert reference.of("users") == {0: 0, 1: 1, 2: 2}


def test_what_is_kept_is_as_old_as_the_first_of_it_and_where_that_counts_read_again_after_a_minute() -> None:
    clock = Clock()
    reference = Reference(hearing(), clock)
    for name, xmin in (("ada", 7), ("bob", 5), ("cid", 9)):
        reference.keep("users", reference.of("users"), [(name, xmin)], xmin)
    kept = reference.of("users")
    assert kept is not None
    assert (set(kept), kept.xmin) == ({"ada", "bob", "cid"}, 5)
    clock.now += 61
    assert reference.of("users") == {}
    reference.keep("users", reference.of("users"), [("ada", 7)], 0)
    clock.now += 3600
    assert reference.of("users") == {"ada": 7}, "nobody shares what it is in"
