"""Statistics over files."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanaudio.metrics.aggregate import bootstrap, group_by, paired_difference, summarise, table
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


def test_bootstrap_agrees_with_scipy_and_with_its_seed():
    from scipy.stats import bootstrap as theirs

    values = np.random.default_rng(1).gamma(2, size=60)
    found = bootstrap(values, seed=5)
    assert found == bootstrap(values, seed=5) != bootstrap(values, seed=6)
    expected = theirs((values,), np.mean, method="percentile", n_resamples=20000, random_state=1).confidence_interval
    assert found == pytest.approx(tuple(expected), abs=0.05)


def test_bootstrap_in_pieces_is_the_same(monkeypatch):
    from cleanaudio.metrics import aggregate

    values = np.random.default_rng(2).standard_normal(50)
    whole = bootstrap(values)
    monkeypatch.setattr(aggregate, "_CHUNK", 1000)
    assert bootstrap(values) == pytest.approx(whole, abs=1e-12)


def test_a_paired_difference_sees_what_means_hide():
    rng = np.random.default_rng(3)
    base = {f"f{k}": float(v) for k, v in enumerate(rng.normal(0, 10, 40))}
    better = {name: value + 0.5 + 0.01 * k for k, (name, value) in enumerate(base.items())}
    difference = paired_difference({**better, "only here": 99.0}, base)
    assert difference.count == 40 and difference.mean == pytest.approx(0.695) and difference.outside
    assert not paired_difference(base, base).outside
    assert paired_difference({}, base).mean is None
    assert paired_difference({"f0": None}, base).count == 0


def test_groups_keep_the_order_of_appearance():
    rows = [{"noise": "wind", "q": 1.0}, {"noise": "hum", "q": 2.0}, {"noise": "wind", "q": 3.0}, {"q": 4.0}]
    groups = group_by(rows, "noise")
    assert list(groups) == ["wind", "hum", None]
    assert table(groups["wind"], ["q", "p"])["q"].mean == 2.0
    assert table(groups["wind"], ["p"])["p"].missing == 2
