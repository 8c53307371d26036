"""The functions of ``import cleanaudio``."""

import subprocess
import sys

import numpy as np
import pytest

import cleanaudio
from cleanaudio.errors import InputError, RecipeError


@pytest.mark.parametrize("shape", [(16000,), (1, 16000), (2, 16000)])
def test_clean_keeps_the_shape(shape):
    noise = np.random.default_rng(0).standard_normal(shape) * 0.05
    out = cleanaudio.clean(noise, 16000, "wiener")
    assert out.shape == shape and out.dtype == np.float32
    assert np.std(out[..., 4000:]) < 0.5 * np.std(noise)


def test_a_chain_fed_in_blocks_equals_clean(noisy_speech):
    audio = noisy_speech(2.0, 16000)
    processor = cleanaudio.open_chain("wiener", rate=16000, live=False)
    parts = [processor.process(audio[None, at : at + 1000]) for at in range(0, len(audio), 1000)]
    out = np.concatenate([*parts, processor.flush()], axis=1)[0]
    np.testing.assert_allclose(out, cleanaudio.clean(audio, 16000, "wiener"), atol=1e-6)


def test_what_must_hear_all_first_has_no_open_chain():
    with pytest.raises(RecipeError, match="whole recording"):
        cleanaudio.open_chain("noisereduce", rate=16000)


@pytest.mark.parametrize(
    "samples",
    [np.zeros((16000, 2)), np.zeros(100, np.int16), np.zeros((1, 2, 3)), np.full(100, np.nan)],
)
def test_what_is_no_audio_is_refused(samples):
    with pytest.raises(InputError):
        cleanaudio.clean(samples, 16000, "wiener")


def test_score(speech_like):
    voice = speech_like(2.0, 16000)
    found = cleanaudio.score(0.5 * voice, 16000, reference=voice, metrics=["si_sdr", "snr"])
    assert found["snr"] == pytest.approx(20 * np.log10(2), abs=0.01)
    assert found["si_sdr"] > 60


def test_what_is_no_audio_has_no_score(speech_like):
    voice = speech_like(1.0, 16000)
    for samples in (np.int16(voice * 32767), np.zeros((16000, 2)), np.zeros((1, 1, 16000)), np.zeros((1, 0))):
        with pytest.raises(InputError, match="enhanced"):
            cleanaudio.score(samples, 16000, metrics=["loudness"])
        with pytest.raises(InputError, match="reference"):
            cleanaudio.score(voice, 16000, reference=samples, metrics=["si_sdr"])


@pytest.mark.parametrize(
    "value",
    [
        {"strength": -0.1},
        {"strength": 1.1},
        {"strength": np.nan},
        {"limit_db": -3.0},
        {"dereverb": 2.0},
        {"channels": "both"},
    ],
)
def test_values_out_of_range_are_refused(value):
    with pytest.raises(RecipeError):
        cleanaudio.clean(np.zeros((2, 1600)), 16000, "wiener", **value)


@pytest.mark.parametrize("rate", [0, -1, 999, 16000.5, np.nan, np.inf, None, "fast", 1_536_001, [16000, 16000]])
def test_rates_that_no_recording_has_are_refused(rate):
    noise = np.random.default_rng(0).standard_normal((2, 1600)) * 0.05
    for use in (
        lambda: cleanaudio.clean(noise, rate, "wiener"),
        lambda: cleanaudio.open_chain("wiener", rate=rate),
        lambda: cleanaudio.beamform(noise, rate, mask="salience"),
        lambda: cleanaudio.score(noise, rate, metrics="loudness"),
    ):
        with pytest.raises(InputError, match="rate"):
            use()


def test_a_rate_may_be_a_float():
    noise = np.random.default_rng(0).standard_normal(1600) * 0.05
    expected = cleanaudio.clean(noise, 16000, "wiener")
    for rate in (16000.0, np.int64(16000), np.float32(16000)):
        np.testing.assert_array_equal(cleanaudio.clean(noise, rate, "wiener"), expected)


@pytest.mark.parametrize("value", [{"channels": 0}, {"channels": 65}, {"channels": 1.5}, {"threads": 0}])
def test_numbers_that_make_no_sense_are_refused(value):
    with pytest.raises(InputError, match=next(iter(value))):
        cleanaudio.open_chain("wiener", rate=16000, **value)


@pytest.mark.parametrize("backend", ["none", "omlsa", "mask-lstm", "0.5*wiener+0.5*none", "none,wiener"])
@pytest.mark.parametrize("dereverb", [0.0, 0.5])
def test_blocks_that_are_none_are_refused(backend, dereverb):
    mono = cleanaudio.open_chain(backend, rate=48000, dereverb=dereverb)
    stereo = cleanaudio.open_chain(backend, rate=48000, channels=2, dereverb=dereverb)
    block = np.zeros((1, 480), np.float32)
    for processor, wrong in (
        (mono, block.T),
        (mono, block[0]),
        (mono, block[None]),
        (mono, np.zeros((2, 480), np.float32)),
        (stereo, block),
        (mono, np.zeros((1, 480), np.int16)),
    ):
        with pytest.raises(InputError, match="block"):
            processor.process(wrong)
    out = np.concatenate([mono.process(block.astype(np.float64)), mono.process(block.tolist()), mono.flush()], axis=1)
    assert out.shape == (1, 960) and out.dtype == np.float32


def test_metrics_by_one_name_or_any_number_of_them(speech_like):
    voice = speech_like(1.0, 16000)
    for metrics in ("snr", ["snr"], (name for name in ["snr"])):
        assert set(cleanaudio.score(0.5 * voice, 16000, reference=voice, metrics=metrics)) == {"lag_ms", "snr"}


def test_arrays_and_directions_as_a_program_has_them(speech_like, tmp_path):
    voice = speech_like(1.0, 16000)
    pair = np.stack([voice, voice])
    positions = [[-0.05, 0, 0], [0.05, 0, 0]]
    file = tmp_path / "array.json"
    file.write_text(str(positions))
    expected = cleanaudio.beamform(pair, 16000, "superdirective", array="linear:2:0.1", direction=90)
    for array in (positions, np.array(positions), file, str(file)):
        for direction in (90.0, np.float32(90), np.int64(90), (90, 0), np.array([90.0, 0.0])):
            out = cleanaudio.beamform(pair, 16000, "superdirective", array=array, direction=direction)
            np.testing.assert_array_equal(out, expected)
    with pytest.raises(RecipeError, match="direction"):
        cleanaudio.beamform(pair, 16000, "superdirective", array=positions, direction=(90, 0, 1))
    with pytest.raises(RecipeError, match="positions"):
        cleanaudio.beamform(pair, 16000, "superdirective", array=[[0, 0], [1, 1]], direction=90)
    with pytest.raises(RecipeError, match="no array"):
        cleanaudio.beamform(pair, 16000, "superdirective", array=[[0, 0, 0], ["a", 1, 1]], direction=90)


def test_a_recording_is_not_changed(speech_like):
    stereo = np.stack([speech_like(1.0, 16000)] * 2)
    stereo.flags.writeable = False
    for backend in ("none", "omlsa", "mask-lstm"):
        assert not np.shares_memory(cleanaudio.clean(stereo, 16000, backend, dereverb=0.5), stereo)
    assert cleanaudio.beamform(stereo, 16000, mask="salience").shape == (16000,)


def test_importing_it_costs_nothing():
    code = "import sys, cleanaudio; print([m for m in ('numpy', 'torch', 'soundfile') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
