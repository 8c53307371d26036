"""Statistics over files."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanaudio.metrics.aggregate import interval, paired_difference, summarise
from cleanaudio.metrics.interface import NotMeasurable


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40))
def test_summary_is_numpys(values):
    summary = summarise(values)
    assert summary.count == len(values) and summary.missing == 0
    assert summary.mean == pytest.approx(np.mean(values), abs=1e-6)
    assert summary.median == pytest.approx(np.median(values), abs=1e-6)
    assert summary.p5 == pytest.approx(np.percentile(values, 5), abs=1e-6)
    assert summary.low <= summary.mean + 1e-6 and summary.high >= summary.mean - 1e-6


def test_what_is_no_finite_number_is_counted_as_missing():
    summary = summarise([1.0, None, math.nan, math.inf, NotMeasurable("why"), 3.0])
    assert (summary.count, summary.missing, summary.mean) == (2, 4, 2.0)


def test_nothing_and_one():
    assert summarise([None]).mean is None
    one = summarise([4.0])
    assert (one.mean, one.low, one.high) == (4.0, None, None)


def test_the_interval_is_scipys():
    from scipy.stats import t

    values = np.random.default_rng(1).gamma(2, size=9)
    expected = t.interval(0.95, 8, np.mean(values), np.std(values, ddof=1) / 3)
    assert interval(values) == pytest.approx(tuple(expected), abs=1e-9)


@pytest.mark.parametrize("count", [2, 3, 6, 10, 40])
def test_differences_that_are_pure_noise_are_seldom_marked(count):
    rng = np.random.default_rng(count)
    drawn = (dict(enumerate(rng.standard_normal(count))) for _ in range(1000))
    marked = sum(paired_difference(values, dict.fromkeys(values, 0.0)).outside for values in drawn)
    assert marked <= 75  # 50 are expected, with a standard deviation of 7
    if count == 2:
        assert not marked


def test_a_paired_difference_sees_what_means_hide():
    rng = np.random.default_rng(3)
    base = {f"f{k}": float(v) for k, v in enumerate(rng.normal(0, 10, 40))}
    better = {name: value + 0.5 + 0.01 * k for k, (name, value) in enumerate(base.items())}
    difference = paired_difference({**better, "only here": 99.0}, base)
    assert difference.count == 40 and difference.mean == pytest.approx(0.695) and difference.outside
    assert not paired_difference(base, base).outside
    assert paired_difference({}, base).mean is None
    assert paired_difference({"f0": None}, base).count == 0
