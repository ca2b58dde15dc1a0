"""How long an answer may be used again: what is left of its time from now on, told from when it was made."""

from types import SimpleNamespace

import pytest

from cache.embedded import EmbeddedValkey
from cache.entry import Entry, Made
from tests.web.conftest import settings_for
from web.caching.reuse import Reuse, age_s

NOW = 1_000_000.0


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.caching.reuse.time", SimpleNamespace(time=lambda: NOW))


def _entry(age: float, good: float = 60.0) -> Entry:
    """An answer that was made so many seconds ago, and is good for so many more."""
    return Entry(b"key", Made(b"{}", 200, "Deal", good_until=NOW + good, made_at=NOW - age), "etag")


@pytest.mark.parametrize(
    ("age", "good", "most_s", "told"),
    [
        (0.0, 60.9, 90, b"max-age=60"),
        (30.9, 60.9, 90, b"max-age=90"),
        (30.9, 3_600.0, 90, b"max-age=120"),
        (30.9, 1.0, 90, b"max-age=31"),
        (30.9, 0.9, 90, b"no-cache"),
        (30.9, -5.0, 90, b"no-cache"),
        (30.9, 60.0, 0, b"no-cache"),
    ],
)
@pytest.mark.parametrize("scope", [b"public", b"private"])
def test_an_answer_is_used_as_long_as_it_is_good_from_now_on_however_old_it_is(
    scope: bytes, age: float, good: float, most_s: float, told: bytes
) -> None:
    entry = _entry(age, good)
    assert Reuse(scope, most_s).cache_control(entry, age_s(entry)) == scope + b", " + told


@pytest.mark.parametrize(("age", "told"), [(0.9, 0), (1.0, 1), (59.9, 59), (-0.5, 0), (-2.0, 0)])
def test_an_age_is_in_whole_seconds_and_none_where_the_clock_of_who_made_it_is_ahead(age: float, told: int) -> None:
    assert age_s(_entry(age)) == told


@pytest.mark.parametrize(("auth", "scope"), [("off", b"public"), ("keys", b"private")])
def test_where_people_are_asked_who_they_are_no_cache_on_the_way_uses_their_answers(
    valkey: EmbeddedValkey, auth: str, scope: bytes
) -> None:
    assert Reuse.of(settings_for("postgresql://", valkey, auth=auth, reuse_s=60)) == Reuse(scope, 60)
