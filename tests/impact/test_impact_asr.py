import shlex
import sys

import numpy as np
import pytest
import soundfile

from cleanaudio.errors import BackendUnavailable, RecipeError
from cleanaudio.impact import asr


def command(code: str) -> str:
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(code)} {{wav}}"


def test_a_command_gets_a_wav_and_prints_what_it_heard(tone):
    recognise = asr.recogniser(
        command(
            "import sys, soundfile as s; i = s.info(sys.argv[1]); print(i.samplerate, i.channels, i.frames, i.subtype)"
        )
    )
    assert recognise(1.5 * tone(440.0, 0.5, 16000, 1.0)) == "16000 1 8000 PCM_16"


def test_the_file_name_may_stand_inside_a_word_and_is_gone_afterwards():
    code = "import sys; print(sys.argv[1])"
    recognise = asr.recogniser(f"{shlex.quote(sys.executable)} -c {shlex.quote(code)} --in={{wav}}")
    heard = recognise(np.zeros(1600, np.float32))
    assert heard.startswith("--in=/")
    with pytest.raises(soundfile.LibsndfileError):
        soundfile.info(heard.removeprefix("--in="))


def test_a_command_that_fails_is_an_error_with_its_last_words():
    recognise = asr.recogniser(command("import sys; sys.exit('the model is missing')"))
    with pytest.raises(asr.RecogniserError, match="ended with 1: the model is missing"):
        recognise(np.zeros(1600, np.float32))


def test_a_command_that_takes_for_ever_is_an_error(monkeypatch):
    monkeypatch.setattr(asr, "COMMAND_LIMIT_S", 0.2)
    with pytest.raises(asr.RecogniserError, match="no answer"):
        asr.recogniser(command("import time; time.sleep(60)"))(np.zeros(1600, np.float32))


@pytest.mark.parametrize("text", ["whisper", "nosuchprogram {wav}", "unclosed ' {wav}"])
def test_commands_that_make_no_sense_are_found_before_the_first_recording(text):
    with pytest.raises(RecipeError):
        asr.recogniser(text)


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "moonshine_voice", None)
    with pytest.raises(BackendUnavailable, match="speech recognition") as caught:
        asr.recogniser.__wrapped__()
    assert "cleanaudio-cli[impact]" in caught.value.remedy


@pytest.mark.slow
def test_the_recogniser_of_the_extra_hears_its_own_example_whatever_it_heard_before(noise_like):
    from importlib.resources import files

    import soxr

    samples, rate = soundfile.read(str(files("moonshine_voice") / "assets" / "two_cities.wav"), dtype="float32")
    speech = soxr.resample(samples[rate : 5 * rate], rate, 16000)
    noisy = speech + 0.03 * noise_like(4.0, 16000, "pink")
    recognise = asr.recogniser()
    first = recognise(noisy)
    assert "best of times" in recognise(speech).lower()
    recognise(0.1 * noise_like(1.0, 16000, "white"))
    assert recognise(noisy) == first
