"""What is found on made-up recordings, what is recommended for it, and how it is drawn."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from itertools import pairwise

import librosa
import numpy as np
import pyloudnorm
import pytest
import soundfile
import soxr
import typer

from cleanaudio.audio.files import Reader, open_reader
from cleanaudio.audio.recording import AudioInfo
from cleanaudio.cli.app import app
from cleanaudio.errors import InputError
from cleanaudio.metrics.inspect.hum import Hum
from cleanaudio.metrics.inspect.sides import Sides
from cleanaudio.metrics.inspect.wiring import Fault
from cleanaudio.metrics.interface import NotMeasurable
from cleanaudio.report import inspection
from cleanaudio.report.advice import advise
from cleanaudio.report.inspection import (
    ITEMS,
    Inspection,
    exchanged_against,
    inspect_recording,
    mix,
    stretches,
)
from cleanaudio.report.spectra import plot_comparison, plot_spectrogram, plot_spectrum, read_spectra


@pytest.fixture
def recorded(tmp_path):
    """``recorded(samples, rate)`` writes (channels, frames) and inspects it."""

    def make(samples, rate=16000, subtype="PCM_16"):
        path = tmp_path / "take.wav"
        soundfile.write(path, np.atleast_2d(samples).T, rate, subtype)
        return inspect_recording(path)

    return make


def kinds(found):
    return [one.kind for one in advise(found)]


def said(found, kind):
    return next(str(one) for one in advise(found) if one.kind == kind)


def test_everything_is_measured_and_agrees_with_other_programs(recorded, noisy_speech):
    signal = noisy_speech(4.0, 16000, 20.0)
    found = recorded(signal, subtype="FLOAT")
    assert (found.info.rate, found.info.channels, found.info.frames) == (16000, 1, 64000)
    assert set(found.measured) >= {item.key for item in ITEMS}
    assert found.excerpts_s == 4.0 and found.wiring == () and found.not_numbers == 0
    assert found.value("loudness") == pytest.approx(pyloudnorm.Meter(16000).integrated_loudness(signal), abs=0.1)
    assert found.value("peak") == pytest.approx(20 * np.log10(np.abs(signal).max()), abs=0.01)
    spectra = np.abs(librosa.stft(signal, n_fft=2048))
    centroid = librosa.feature.spectral_centroid(S=spectra, sr=16000).mean()
    rolloff = librosa.feature.spectral_rolloff(S=spectra, sr=16000, roll_percent=0.95).mean()
    assert found.value("spectral_centroid_hz") == pytest.approx(centroid, rel=1e-4)
    assert found.value("spectral_rolloff_hz") == pytest.approx(rolloff, rel=1e-4)
    assert 10 < found.value("snr") < 30 and 0.3 < found.value("speech_ratio") <= 1
    assert all(1 <= found.value(f"dnsmos_{what}") <= 5 for what in ("sig", "bak", "ovrl", "p808"))


@pytest.mark.usefixtures("quick_dnsmos")
def test_an_inverted_channel_is_named_and_does_not_silence_what_is_judged(recorded, noisy_speech):
    voice = noisy_speech(4.0)
    upright, inverted = recorded(np.stack([voice, voice * 0.99])), recorded(np.stack([voice, -voice]))
    assert [str(fault) for fault in inverted.wiring] == ["right is inverted against left"]
    assert said(inverted, "inverted").startswith("right is inverted: mixed to mono the voice would vanish")
    assert inverted.value("speech_ratio") == pytest.approx(upright.value("speech_ratio"), abs=0.02)
    assert "inverted" not in kinds(upright)


@pytest.mark.usefixtures("quick_dnsmos")
def test_a_dead_channel_and_a_copy(recorded, noisy_speech):
    voice = noisy_speech(2.0)
    assert said(recorded(np.stack([voice, np.full_like(voice, 0.01)])), "dead").startswith("right is dead")
    assert said(recorded(np.stack([voice, voice])), "copy").startswith("right is a copy of left")
    eight = recorded(np.stack([np.roll(voice, 40 * k) for k in range(7)] + [0 * voice]))
    assert [one.finding for one in advise(eight) if one.kind == "dead"] == ["channel 8 is dead"]


@pytest.mark.usefixtures("quick_dnsmos")
def test_hum(recorded, noisy_speech, tone):
    voice = noisy_speech(4.0, 16000, 30.0)
    hum = sum(0.02 / k * tone(60.0 * k, 4.0, 16000, 1.0) for k in (1, 2, 3))
    found = recorded(voice + hum)
    assert found.hum is not None and found.hum.base_hz == 60 and {60, 120, 180} <= set(found.hum.lines_hz)
    expected = 10 * np.log10(0.5 * 0.02**2 * (1 + 1 / 4 + 1 / 9))
    assert found.value("hum") == pytest.approx(expected, abs=1)
    assert re.match(r"hum at 60 Hz, \d+ dB above the noise", said(found, "hum"))
    quiet = recorded(voice)
    assert quiet.measured["hum"] == -math.inf and quiet.hum is None and "hum" not in kinds(quiet)


@pytest.mark.usefixtures("quick_dnsmos")
def test_low_bandwidth(recorded, noisy_speech):
    phone = soxr.resample(noisy_speech(4.0, 8000, 20.0), 8000, 48000)
    found = recorded(phone, 48000)
    assert found.value("bandwidth_hz") == pytest.approx(4000, rel=0.06)
    assert re.match(r"[34](\.\d+)? kHz bandwidth at a rate of 48000 Hz: ", said(found, "bandwidth"))
    assert "bandwidth" not in kinds(recorded(noisy_speech(4.0, 8000), 8000))


@pytest.mark.usefixtures("quick_dnsmos")
def test_clipping_offset_and_level(recorded, noisy_speech):
    voice = noisy_speech(4.0)
    clipped = recorded(np.clip(6 * voice, -1, 1))
    assert clipped.value("clipping_ratio") > 1e-3 and "clipping" in kinds(clipped) and "over" not in kinds(clipped)
    loud = recorded(6 * voice, subtype="FLOAT")
    assert "over" in kinds(loud) and "--clip-mode rescale" in said(loud, "over") and "clipping" not in kinds(loud)
    shifted = recorded(0.5 * voice + 0.05)
    assert shifted.value("offset") == pytest.approx(0.05, rel=0.05)
    assert said(shifted, "offset").startswith("constant offset of 5 % of full scale")
    assert "--subtype PCM_24" in said(recorded(0.005 * voice), "quiet")


def test_silence_one_frame_and_nothing(recorded, tmp_path):
    silent = recorded(np.zeros((2, 32000)))
    assert silent.silent and kinds(silent) == ["silent"] and silent.wiring == ()
    assert silent.measured["dnsmos_ovrl"] == NotMeasurable("digital silence") and silent.value("offset") == 0
    one = recorded(np.full((1, 1), 0.5))
    assert one.value("peak") == pytest.approx(-6.02, abs=0.01)
    assert isinstance(one.measured["loudness"], NotMeasurable) and isinstance(one.measured["hum"], NotMeasurable)
    assert one.measured["noise_floor"] == NotMeasurable("shorter than a frame of 20 ms")
    soundfile.write(tmp_path / "none.wav", np.zeros((0, 1)), 16000)
    with pytest.raises(InputError, match="holds no samples"):
        inspect_recording(tmp_path / "none.wav")


@pytest.mark.usefixtures("quick_dnsmos")
def test_samples_that_are_not_numbers_are_counted(recorded, noisy_speech):
    voice = noisy_speech(2.0)
    voice[[100, 200, 300]] = np.nan, np.inf, -np.inf
    found = recorded(voice, subtype="FLOAT")
    assert found.not_numbers == 3 and advise(found)[0].finding == "3 samples are not numbers"
    assert all(value is None or math.isfinite(value) for value in found.as_dict()["metrics"].values())


@pytest.mark.usefixtures("quick_dnsmos")
def test_a_long_recording_is_judged_by_excerpts_without_clicks(recorded, noise_like, monkeypatch):
    monkeypatch.setattr(inspection, "EXCERPT_S", 0.5)
    sine = 0.5 * np.sin(2 * np.pi * 440.3 * np.arange(20 * 16000) / 16000)
    found = recorded(sine + 1e-5 * noise_like(20.0, 16000, "white"))
    assert found.excerpts_s == 3.0 and found.info.seconds == 20.0
    assert found.value("bandwidth_hz") < 3000  # a click would reach 8 kHz


def test_excerpts_lie_evenly_over_the_recording():
    assert stretches(60 * 16000, 16000) == [(0, 960000)]
    found = stretches(3600 * 16000, 16000)
    assert found[0] == (0, 160000) and found[-1] == (3590 * 16000, 160000)
    assert len({b - a for (a, _), (b, _) in pairwise(found)}) == 1


def test_long_recordings_are_never_read_whole(tmp_path, monkeypatch):
    with soundfile.SoundFile(tmp_path / "long.flac", "w", 8000, 1) as file:
        for minute in range(20):
            file.write(0.1 * np.random.default_rng(minute).standard_normal(60 * 8000))
    asked, real = [], Reader.read
    monkeypatch.setattr(Reader, "read", lambda self, frames: asked.append(frames) or real(self, frames))
    with open_reader(tmp_path / "long.flac") as reader:
        measured, wiring, _ = inspection._whole(reader)
        signal = inspection._excerpts(reader, wiring.faults())
    assert measured["peak"] and signal.shape == (1, 60 * 8000)
    assert max(asked) <= 10 * 8000 < 20 * 60 * 8000


def test_left_and_right_that_changed_places(tmp_path, speech_like):
    stereo = np.stack([speech_like(2.0, seed=1), speech_like(2.0, seed=2)], axis=1)
    for name, samples in (("a", stereo), ("b", 0.5 * stereo[:, ::-1]), ("c", 0.5 * stereo), ("m", stereo[:, 0])):
        soundfile.write(tmp_path / f"{name}.wav", samples, 16000)
    assert exchanged_against(tmp_path / "b.wav", tmp_path / "a.wav")
    assert not exchanged_against(tmp_path / "c.wav", tmp_path / "a.wav")
    assert not exchanged_against(tmp_path / "m.wav", tmp_path / "a.wav")


def test_mix_keeps_what_channels_have_in_common():
    block = np.stack([np.ones(4), -np.ones(4), np.zeros(4)]).astype(np.float32)
    faults = (Fault("inverted", 1, 3, 0), Fault("dead", 2, 3))
    assert np.allclose(mix(block, faults), 1)
    assert np.allclose(mix(block, ()), 0)


# What is recommended


def made_up(**measured):
    """Return what would be found on a recording of a studio, but for some numbers."""
    fine = {
        "bandwidth_hz": 22000.0, "loudness": -20.0, "true_peak": -3.0, "peak": -3.1, "noise_floor": -70.0, "snr": 45.0,
        "dnsmos_bak": 4.2, "speech_ratio": 0.8, "offset": 0.0, "clipping_ratio": 0.0, "reverberation_s": 0.3,
    }  # fmt: skip
    missing = dict.fromkeys((item.key for item in ITEMS), NotMeasurable("made up"))
    info = AudioInfo("take.wav", 48000, 2, 480000, "WAV", "PCM_16", depth=16)
    return Inspection(info, {**missing, **fine, **measured}, None, (), None, 0, 10.0)


FAULTY = {
    "silent": made_up(peak=NotMeasurable("digital silence")),
    "dead": replace(made_up(), wiring=(Fault("dead", 0, 2),)),
    "copy": replace(made_up(), wiring=(Fault("copy", 1, 2, 0),)),
    "inverted": replace(made_up(), wiring=(Fault("inverted", 1, 2, 0),)),
    "apart": replace(made_up(), sides=Sides(True, 20.0)),
    "uneven": replace(made_up(), sides=Sides(False, 20.0)),
    "array": replace(made_up(), info=replace(made_up().info, channels=4)),
    "not-numbers": replace(made_up(), not_numbers=7),
    "clipping": made_up(clipping_ratio=0.01, true_peak=0.0),
    "over": made_up(true_peak=2.0),
    "offset": made_up(offset=0.02),
    "quiet": made_up(peak=-45.0, true_peak=-45.0),
    "lossy": replace(made_up(), info=replace(made_up().info, subtype="VORBIS", depth=None)),
    "bandwidth": made_up(bandwidth_hz=8000.0),
    "hum": replace(made_up(), hum=Hum(50, -45.0, (50, 100), 22.0)),
    "room": made_up(reverberation_s=1.2),
    "no-speech": made_up(speech_ratio=0.01),
    "background": made_up(dnsmos_bak=2.0),
    "mild": made_up(dnsmos_bak=3.5, snr=30.0),
    "noise": made_up(dnsmos_bak=1.5, snr=8.0),
}


@pytest.mark.parametrize("kind", FAULTY)
def test_each_fault_has_its_advice_and_no_other(kind):
    assert [one for one in kinds(FAULTY[kind]) if one != "clean"] == [kind]


def test_what_has_a_fault_is_not_called_clean():
    spoilt = {kind for kind in FAULTY if "clean" not in kinds(FAULTY[kind])}
    noisy = {"silent", "no-speech", "background", "mild", "noise"}
    assert spoilt - noisy == {"dead", "inverted", "uneven", "not-numbers", "clipping", "over", "offset", "hum", "room"}
    assert said(replace(made_up(), not_numbers=1), "not-numbers").startswith("1 sample is no number:")


def test_a_clean_recording_is_left_alone():
    (advice,) = advise(made_up())
    assert str(advice) == "already clean: leave it"
    assert kinds(made_up(dnsmos_bak=NotMeasurable("no network"))) == ["clean"]
    assert kinds(made_up(dnsmos_bak=NotMeasurable("no network"), snr=20.0)) == ["noise"]
    assert kinds(made_up(dnsmos_bak=NotMeasurable("no network"), snr=NotMeasurable("too short"))) == []


def test_two_microphones_are_told_from_stereo(recorded, speech_like, noise_like):
    """Two voices in turn, 15 dB apart, are two microphones, at 6 dB a stereo one; noise on one side is told too."""
    one, other = speech_like(6.0, 16000, 1), speech_like(6.0, 16000, 2)
    turns = np.concatenate([one, 0 * other]), np.concatenate([0 * one, other])
    noise = np.stack([noise_like(12.0, 16000, seed=seed) for seed in (3, 4)])

    def taken(apart_db, noise_dbfs):
        leak = 10 ** (-apart_db / 20)
        voices = np.stack([turns[0] + leak * turns[1], leak * turns[0] + turns[1]])
        return recorded(0.5 * voices + 10 ** (np.array(noise_dbfs)[:, None] / 20) * noise)

    assert kinds(taken(15, (-60, -60)))[0] == "apart"
    assert not {"apart", "uneven"} & set(kinds(taken(6, (-60, -60))))
    assert said(taken(0, (-60, -35)), "uneven").startswith("right has 2")
    assert said(taken(0, (-35, -60)), "uneven").startswith("left has 2")
    alone = recorded(np.stack([turns[0], 0 * turns[0]]))
    assert alone.sides is None and alone.as_dict()["sides"] is None


def options_in(text):
    """Return the options that a text names, each with its value, as words of a command line."""
    denoise = typer.main.get_command(app).commands["denoise"]
    known = {name: option for option in denoise.params for name in (*option.opts, *option.secondary_opts)}
    for name, value in re.findall(r"(?<!\S)(--?[a-z][a-z-]*)(?: ([A-Za-z0-9_]+(?:\.\d+)?))?", text):
        assert name in known, name
        yield (name,) if known[name].is_flag else (name, value)


def test_what_is_recommended_exists(cli, tmp_path, noisy_speech):
    """Every command, option, choice, backend and preset in every recommendation, by the program itself."""
    soundfile.write(tmp_path / "take.wav", noisy_speech(1.0), 16000)
    float_file = replace(made_up(true_peak=6.0), info=replace(made_up().info, subtype="FLOAT", depth=None))
    texts = [str(one) for found in (*FAULTY.values(), float_file, made_up()) for one in advise(found)]
    commands = {
        command
        for text in texts
        for command in re.findall(r"cleanaudio (\S+)(?= --?[a-z]| removes| takes| makes)", text)
    }
    assert {"denoise", "beamform"} <= commands <= set(typer.main.get_command(app).commands)
    named = {words for text in texts for words in options_in(text)}
    assert {("-b", "wiener"), ("--limit-db", "40"), ("--guard",), ("--channels", "linked")} <= named and len(
        named
    ) >= 10
    for words in sorted(named):
        ran = cli("denoise", tmp_path / "take.wav", "-o", tmp_path / "out", "--dry-run", *words)
        assert ran.code == 0, (words, ran.stderr)


# Pictures


def test_the_spectrum_shows_a_sine_at_its_level_and_the_spectrogram_when_it_sounds(tmp_path, tone, noise_like):
    rate = 48000
    sine = tone(rate * 64 / 8192, 3.0, rate, 0.1)
    sine[: rate // 2] = 0
    path = tmp_path / "$x_1$ ✓\x07.wav"
    soundfile.write(path, sine + 1e-5 * noise_like(3.0, rate, "white"), rate)
    found = inspect_recording(path)
    spectrum, spectrogram = read_spectra(found)
    top = spectrum.frequencies_hz[np.argmax(spectrum.mean_db)]
    assert top == pytest.approx(375, abs=6) and spectrum.frequencies_hz[-1] <= rate / 2
    assert np.all(spectrum.quiet_db <= spectrum.mean_db + 1e-9)
    bin_of = round(375 / (rate / 2) * (spectrogram.levels_db.shape[1] - 1))
    course = spectrogram.levels_db[:, bin_of]
    assert course[: len(course) // 8].max() < -60 < -25 < course[len(course) // 4 :].min()
    plot_spectrum(spectrum, found, path.name, tmp_path / "s.png")
    plot_spectrogram(spectrogram, path.name, tmp_path / "g.png")
    plot_comparison([("clean", spectrum), ("noisy", spectrum), (path.name, spectrum)], tmp_path / "c.png")
    for name in ("s", "g", "c"):
        import matplotlib.image

        picture = matplotlib.image.imread(tmp_path / f"{name}.png")
        assert picture.shape[1] > 800 and picture[..., :3].std() > 0.05


def test_the_quiet_tenth_is_the_noise_between_the_words_however_long_the_recording_is(noise_like):
    from cleanaudio.report.spectra import _Bands

    rate, found = 8000, []
    words = noise_like(30.0, rate, "white").reshape(-1, rate // 2)
    words[::2] *= 0.01  # pauses of half a second, 40 dB below
    for minutes in (0.5, 20):
        bands = _Bands(0.16, rate, round(minutes * 60 * rate))
        for _ in range(round(minutes * 2)):
            bands.add(words.reshape(-1))
        spectrum = bands.spectrum()
        found.append((spectrum.mean_db - spectrum.quiet_db)[20:])
    np.testing.assert_allclose(found[1], found[0], atol=2.0)
    assert found[1].min() > 35


def test_blocks_do_not_show_in_the_spectrogram(tmp_path, noisy_speech):
    from cleanaudio.report.spectra import _Columns

    signal = noisy_speech(3.0)
    whole, cut = _Columns(0.04, 16000, len(signal)), _Columns(0.04, 16000, len(signal))
    whole.add(signal)
    for piece in np.array_split(signal, [1, 100, 5000, 5001, 40000]):
        cut.add(piece)
    assert np.allclose(whole.powers(), cut.powers())
    expected = (
        np.abs(librosa.stft(signal, n_fft=512, hop_length=128, center=False, window="hann")) ** 2 * (4 / 512) ** 2
    )
    assert np.allclose(whole.powers(), expected.T, rtol=1e-3, atol=1e-9)
