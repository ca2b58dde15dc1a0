"""Percentiles of a histogram of fixed size are those of what it counted, within its promise; names are bounded."""

import math

from hypothesis import given
from hypothesis import strategies as st

from core.histogram import OTHERS, Histogram, Histograms


@given(st.lists(st.floats(1e-5, 90), min_size=1), st.floats(1, 100))
def test_a_percentile_is_within_a_tenth_of_the_exact_one(durations: list[float], percent: float) -> None:
    histogram = Histogram()
    for each in durations:
        histogram.add(each)
    exact = sorted(durations)[math.ceil(len(durations) * percent / 100) - 1]
    assert exact / 1.1 <= histogram.percentile(percent) <= exact * 1.1
    assert histogram.percentile(percent) <= max(durations)


def test_what_is_out_of_range_is_counted_all_the_same() -> None:
    histogram = Histogram()
    assert histogram.told()["p99Ms"] == 0
    for seconds in (0.0, 1e-9, 1e6):
        histogram.add(seconds, failed=True)
    told = histogram.told()
    assert (told["count"], told["failed"], told["maxMs"]) == (3, 3, 1e9)


def test_of_too_many_names_the_rarest_are_counted_together() -> None:
    histograms = Histograms(most=2)
    for seconds, name in enumerate("abacada", 1):
        histograms.of(name).add(seconds, failed=name == "c")
    assert [(name, each.count) for name, each in histograms.items()] == [(OTHERS, 2), ("a", 4), ("d", 1)]
    others = histograms.of(OTHERS).told()
    assert (others["failed"], others["meanMs"], others["maxMs"]) == (1, 3000, 4000)
    assert 1800 < others["p50Ms"] < 2200
