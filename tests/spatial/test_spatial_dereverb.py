import numpy as np
import pytest
from scipy.signal import fftconvolve

from cleanaudio.errors import RecipeError
from cleanaudio.spatial.dereverb import dereverb

METHODS = ["auto", "wpe", "suppress"]


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("method", METHODS)
def test_length_and_alignment_do_not_depend_on_the_blocks(method, channels, room, run):
    signal = room["reverberant"][:channels, : 2 * 16000 + 77]
    stream = dereverb(16000, channels, method=method, taps=4)
    whole = run(stream, signal, signal.shape[1])
    assert whole.shape == signal.shape
    stream.reset()
    np.testing.assert_allclose(run(stream, signal, 997), whole, atol=1e-6)
    lag = np.argmax(np.correlate(whole[0, 4000:12000], signal[0, 4500:11500], "valid")) - 500
    assert lag == 0


@pytest.mark.parametrize("method", METHODS)
def test_no_strength_no_change(method, room, run):
    signal = room["reverberant"][:1, :16000]
    np.testing.assert_allclose(run(dereverb(16000, 1, 0.0, method=method, taps=4), signal), signal, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_silence_gives_silence(method, run):
    out = run(dereverb(16000, 2, method=method, taps=4), np.zeros((2, 20000), np.float32))
    assert out.shape == (2, 20000) and not out.any()


@pytest.mark.parametrize("frames", [0, 1, 100, 3000])
@pytest.mark.parametrize("method", METHODS)
def test_clips_shorter_than_anything(method, frames, run, noise_like):
    clip = 0.1 * noise_like(1.0, 16000)[None, :frames]
    out = run(dereverb(16000, 1, method=method), clip)
    assert out.shape == clip.shape
    if frames == 3000 and method != "suppress":  # it must not vanish
        assert np.mean(out**2) > 0.3 * np.mean(clip**2)


@pytest.mark.parametrize(("method", "channels"), [("wpe", 2), ("suppress", 1), ("auto", 1)])
def test_reverberation_is_taken_away(method, channels, room, run):
    """ESTOI against the direct sound rises."""
    from pystoi import stoi

    signal, direct = room["reverberant"][:channels], room["direct"][0]
    before = stoi(direct, signal[0], 16000, extended=True)
    after = stoi(direct, run(dereverb(16000, channels, method=method), signal)[0], 16000, extended=True)
    assert after > before + (0.08 if method == "wpe" else 0.02)


def test_the_reverberation_time_is_found(speech_like, run):
    rng = np.random.default_rng(0)
    for t60 in (0.3, 0.7):
        decay = rng.standard_normal(16000) * 10 ** (-3 * np.arange(16000) / (t60 * 16000))
        signal = 0.05 * fftconvolve(speech_like(8.0, 16000, 4), decay)[None, : 8 * 16000]
        stream = dereverb(16000, 1, method="suppress")
        run(stream, signal.astype(np.float32))
        assert stream._transform.t60_s == pytest.approx(t60, rel=0.35)


def test_dry_speech_stays(speech_like, run, sdr):
    dry = speech_like(4.0, 16000, 5)[None]
    assert sdr(dry[0], run(dereverb(16000, 1, method="suppress", t60_s=0.2), dry)[0]) > 8


def test_bad_parameters():
    for wrong in ({"strength": 1.5}, {"method": "magic"}, {"taps": 0}, {"method": "suppress", "t60_s": 0.0}):
        with pytest.raises(RecipeError):
            dereverb(16000, 1, **wrong)
