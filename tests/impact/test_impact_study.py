from dataclasses import replace

import numpy as np
import pytest
import soundfile

from cleanaudio.errors import InputError
from cleanaudio.impact import study as module
from cleanaudio.impact.asr import RecogniserError
from cleanaudio.impact.study import Study, Utterance, run_study, stated_s, transcript
from cleanaudio.metrics.interface import NotMeasurable


@pytest.fixture
def utterance(tmp_path, speech_like):
    soundfile.write(tmp_path / "a.wav", 0.3 * speech_like(2.0, 16000), 16000)
    return Utterance(tmp_path / "a.wav", "a.wav", "a.wav", "One, two, three four.")


@pytest.fixture
def study(tmp_path, noise_like):
    soundfile.write(tmp_path / "n.wav", 0.1 * noise_like(5.0, 16000, "white"), 16000)
    return Study(((tmp_path / "n.wav", "n.wav"),), ("wiener",), (0.0, 20.0))


@pytest.fixture(autouse=True)
def ears(monkeypatch):
    """A recogniser that hears less the more noise there is between the words, and remembers what it was given."""
    given = []

    def hear(speech):
        given.append(speech)
        floor = 20 * np.log10(np.percentile(np.abs(speech), 20) + 1e-9)
        return " ".join(["one", "two", "three", "four"][: 4 if floor < -60 else 3 if floor < -42 else 1])

    monkeypatch.setattr(module, "recogniser", lambda command: hear)
    return given


def test_every_version_of_a_recording_is_heard_and_measured(study, utterance, ears):
    found = run_study(study, utterance)
    assert [(one.system, one.snr_db) for one in found] == [
        *(("clean", None), ("noisy", 0.0), ("wiener", 0.0), ("noisy", 20.0), ("wiener", 20.0))
    ]
    assert len(ears) == 5 and all(one.dtype == np.float32 for one in ears)
    clean, noisy, wiener, little, _ = found
    assert clean.words.errors == 0 and clean.measured["similarity"] == pytest.approx(1, abs=1e-5)
    assert noisy.words.errors == 3 > little.words.errors
    assert wiener.measured["snr"] > noisy.measured["snr"] + 3
    assert noisy.measured["stoi"] < little.measured["stoi"] < 1
    assert noisy.measured["similarity"] < 0.95


def test_a_seed_draws_the_same_noise_for_a_recording_at_every_snr(study, utterance, ears):
    one, again = ([a.copy() for a in (ears.clear(), run_study(study, utterance), ears)[2]] for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    loud, quiet = one[1] - one[0], one[3] - one[0]
    assert np.allclose(loud, 10 * quiet, atol=1e-4)
    run_study(Study(study.noise, (), study.snrs_db, seed=5), utterance)
    assert not np.allclose(ears[-2], one[1], atol=1e-3)


def test_a_recogniser_without_words_is_an_error_for_clean_speech_and_a_note_for_noisy(study, utterance, monkeypatch):
    answers = iter(["one two three four", "", "", "", ""])
    monkeypatch.setattr(module, "recogniser", lambda command: lambda speech: next(answers))
    found = run_study(study, utterance)
    assert found[1].words.rate == 1 and found[1].notes == ("the recogniser gave no words",)
    monkeypatch.setattr(module, "recogniser", lambda command: lambda speech: " ?")
    with pytest.raises(RecogniserError, match="no words for the clean recording"):
        run_study(study, utterance)


def test_a_version_that_breaks_down_costs_only_itself(study, utterance, monkeypatch):
    def clean(noisy, rate, backend, threads):
        raise InputError("this backend broke")

    monkeypatch.setattr(module.cleanaudio, "clean", clean)
    found = run_study(study, utterance)
    assert [bool(one.error) for one in found] == [False, False, True, False, True]
    assert "this backend broke" in found[2].error


def test_without_the_encoder_only_the_likeness_is_missing(study, utterance, monkeypatch):
    from cleanaudio.impact.speaker import EncoderUnavailable

    def none(first, second):
        raise EncoderUnavailable("the package resemblyzer is not installed")

    monkeypatch.setattr(module, "similarity", none)
    found = run_study(study, utterance)
    assert all(isinstance(one.measured["similarity"], NotMeasurable) for one in found)
    assert "pip install --no-deps resemblyzer" in found[0].measured["similarity"].reason
    assert found[1].words.errors == 3


def test_stereo_and_another_rate(study, tmp_path, speech_like, ears):
    voices = 0.3 * np.stack([speech_like(2.0, 44100), speech_like(2.0, 44100, seed=3)], axis=1)
    soundfile.write(tmp_path / "s.wav", voices, 44100)
    found = run_study(study, Utterance(tmp_path / "s.wav", "s.wav", "s.wav", "one two three four"))
    assert len(found) == 5 and {one.shape for one in ears} == {(32000,)}


def test_what_is_said_is_what_all_lines_of_a_manifest_say():
    whole = {"text": "Hello.", "offset": 0.0, "duration": 2.0}
    assert transcript([{"text": "Hello."}], "a.wav") == transcript([whole, {"text": "hello"}], "a.wav") == "Hello."


def test_a_text_of_the_beginning_of_a_recording_is_refused(study, utterance):
    assert stated_s([{"duration": 2}, {"duration": "x"}, {"duration": 1.5}]) == 1.5 and stated_s([{}]) is None
    seconds = soundfile.info(utterance.path).duration
    assert run_study(study, replace(utterance, seconds=seconds - 0.05))
    with pytest.raises(InputError, match="parts of it"):
        run_study(study, replace(utterance, seconds=seconds - 0.6))


@pytest.mark.parametrize("fields", [{}, {"text": " … "}, {"text": 5}, {"text": None}])
def test_a_line_without_text_is_refused(fields):
    for lines in ([fields], [{"text": "Hello."}, fields]):
        with pytest.raises(InputError, match="no text"):
            transcript(lines, "a.wav")


@pytest.mark.parametrize(
    "lines", [[{"text": "one", "offset": 1.5}], [{"text": "one"}, {"text": "two"}], [{"text": "one", "offset": "x"}]]
)
def test_texts_of_parts_of_a_recording_are_refused(lines):
    with pytest.raises(InputError, match="parts of it") as caught:
        transcript(lines, "a.wav")
    assert caught.value.path == "a.wav" and "one file for each utterance" in caught.value.remedy
