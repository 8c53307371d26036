import os

import numpy as np
import pytest
import soundfile
from train_material import write_corpus

from cleanaudio.errors import BackendUnavailable, InputError, OutputError
from cleanaudio.train import about, corpus
from cleanaudio.train.corpus import load
from cleanaudio.train.swapped import swapped


def test_names_that_are_no_utf_8_are_read_and_told(tmp_path):
    speech, _ = write_corpus(tmp_path)
    (speech / "manifest.csv").unlink()
    try:
        voices = speech.rename(tmp_path / "v\udcff")
    except OSError:
        pytest.skip("this file system has no such names")
    assert load([voices], tmp_path / "cache", "speaker", True).tracks[0].group == "v\udcff"
    about.write(tmp_path / "run", about.gathered({"speech": [voices]}))
    assert about.read(tmp_path / "run")["data"] == ["speech: not stated: recordings: 4, from v\udcff"]


def test_one_broken_file_is_skipped_counted_and_named(tmp_path):
    speech, _ = write_corpus(tmp_path)
    (speech / "speech00.wav").write_bytes(b"RIFF nonsense")
    said = []
    corpus = load([speech], tmp_path / "cache", "speaker", True, log=said.append)
    assert len(corpus.skipped) == 1 and "speech00.wav" in corpus.skipped[0]
    assert "1 of 4" in said[0] and "b'" not in said[0]
    assert corpus.seconds == pytest.approx(3.0)


def test_nothing_but_broken_files_is_an_error(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"no")
    with pytest.raises(InputError, match="none of the recordings") as caught:
        load([tmp_path], tmp_path / "cache", "speaker", True)
    assert "not silent" in caught.value.remedy


def test_the_cache_holds_the_samples_and_is_used_again(tmp_path):
    speech, _ = write_corpus(tmp_path)
    voices = load([speech], tmp_path / "cache", "speaker", True)
    assert [track.rate for track in voices.tracks] == [16000, 48000]  # the takes of a voice are joined
    first, _ = soundfile.read(speech / "speech00.wav", dtype="int16")
    assert np.array_equal(voices.samples[: len(first)], first)
    before = sorted(path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir())
    load([speech], tmp_path / "cache", "speaker", True)
    assert before == sorted(path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir())


def test_what_was_recorded_anew_is_read_anew(tmp_path):
    speech, _ = write_corpus(tmp_path)
    load([speech], tmp_path / "cache", "speaker", True)
    first, rate = soundfile.read(speech / "speech00.wav", dtype="int16")
    soundfile.write(speech / "speech00.wav", first // 2, rate)
    again = load([speech], tmp_path / "cache", "speaker", True)
    assert np.array_equal(again.samples[: len(first)], first // 2)


def test_two_runs_may_read_the_same_recordings_at_once(tmp_path, monkeypatch):
    speech, _ = write_corpus(tmp_path)
    read, pids, others = corpus._read, iter(range(1, 10)), []

    def interrupted(clip, most_rate):
        if not others and clip.path.name == "speech11.wav":  # by which time much has been written
            others.append(None)
            others.append(load([speech], tmp_path / "cache", "speaker", True))
        return read(clip, most_rate)

    monkeypatch.setattr(corpus, "_read", interrupted)
    monkeypatch.setattr(corpus.os, "getpid", lambda: next(pids))
    first, second = load([speech], tmp_path / "cache", "speaker", True), others[1]
    assert np.array_equal(first.samples, second.samples) and first.tracks == second.tracks
    assert len(first.samples) == 2 * 16000 + 2 * 48000
    assert all(first.samples[track.start : track.start + track.length].any() for track in first.tracks)
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_the_strongest_channel_is_heard_and_silence_is_no_voice(tmp_path):
    draw = np.random.default_rng(1).standard_normal(16000)
    for name, channels in (("right", (0 * draw + 0.3, draw)), ("none", (0 * draw, 0 * draw)), ("same", (draw, draw))):
        soundfile.write(tmp_path / f"{name}.wav", 0.1 * np.stack(channels, 1), 16000)
    found = load([tmp_path], tmp_path / "cache", "speaker", True)
    assert len(found.samples) == 2 * 16000 and np.array_equal(found.samples[:16000], found.samples[16000:])
    assert ["none.wav: empty or silent" in text for text in found.skipped] == [True]


@pytest.mark.parametrize(("gain", "subtype"), [(0.5, "FLOAT"), (0.5, "DOUBLE"), (0.5, "PCM_24"), (3.0, "FLOAT")])
def test_recordings_in_floating_point_are_heard_as_they_are(tmp_path, gain, subtype):
    tone = gain * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    soundfile.write(tmp_path / "a.wav", tone, 16000, subtype=subtype)
    heard = load([tmp_path], tmp_path / "cache", "speaker", True).samples
    np.testing.assert_allclose(heard, tone * min(32768, 32767 / np.abs(tone).max()), atol=0.52)


def test_full_scale_of_16_bits_is_kept(tmp_path):
    whole = np.array([-32768, 32767, 0, 1, -1] * 100, np.int16)
    soundfile.write(tmp_path / "a.wav", whole, 16000)
    assert np.array_equal(load([tmp_path], tmp_path / "cache", "speaker", True).samples, whole)


def test_what_the_cleaner_reads_can_be_trained_on(tmp_path):
    tone = 0.5 * np.sin(np.arange(16000) / 10)
    for suffix in ("wav", "flac", "ogg", "mp3", "aiff", "caf", "w64", "au", "nist"):
        soundfile.write(tmp_path / f"a.{suffix}", tone, 16000, format={"nist": "NIST"}.get(suffix))
    (tmp_path / "a.M4A").write_bytes(b"no sound")
    found = load([tmp_path], tmp_path / "cache", "speaker", False)
    assert len(found.tracks) == 9 and ["a.M4A" in text for text in found.skipped] == [True]


def test_what_could_not_be_read_is_tried_again_where_its_package_has_come(tmp_path, monkeypatch):
    speech, _ = write_corpus(tmp_path)

    def missing(path):
        raise BackendUnavailable("reading .m4a", "formats")

    with monkeypatch.context() as patch:
        patch.setattr(corpus, "find_spec", lambda name: None)
        patch.setattr(corpus, "open_reader", missing)
        with pytest.raises(InputError, match="none of the recordings"):
            load([speech], tmp_path / "cache", "speaker", True)
    monkeypatch.setattr(corpus, "find_spec", lambda name: "there")
    assert load([speech], tmp_path / "cache", "speaker", True).seconds == 4.0


def test_recordings_of_one_name_size_and_time_are_not_confused(tmp_path):
    heard = []
    for folder, pitch in (("a", 0.1), ("b", 0.2)):
        path = tmp_path / folder / "speech" / "take.wav"
        path.parent.mkdir(parents=True)
        soundfile.write(path, 0.5 * np.sin(pitch * np.arange(1600)), 16000)
        os.utime(path, ns=(10**18, 10**18))
        heard.append(load([path.parent], tmp_path / "cache", "speaker", True).samples)
    assert not np.array_equal(*heard)


@pytest.mark.parametrize("suffix", ["i16", "json"])
@pytest.mark.parametrize("damage", [None, b"", b'{"tracks":', b"{}", b"[]"])
def test_a_damaged_cache_is_made_anew(tmp_path, suffix, damage):
    speech, _ = write_corpus(tmp_path)
    before = load([speech], tmp_path / "cache", "speaker", True)
    expected = np.array(before.samples)
    (path,) = (tmp_path / "cache").glob(f"*.{suffix}")
    path.unlink() if damage is None else path.write_bytes(damage)
    after = load([speech], tmp_path / "cache", "speaker", True)
    assert np.array_equal(after.samples, expected) and after.tracks == before.tracks


def test_a_cache_that_does_not_fit_is_named_with_what_to_do(tmp_path, monkeypatch):
    speech, _ = write_corpus(tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cleanaudio.audio.temporary.os.replace", full)
    with pytest.raises(OutputError, match="cannot be written: No space left") as caught:
        load([speech], tmp_path / "cache", "speaker", True)
    assert caught.value.path.startswith(f"{tmp_path}/cache/speaker-") and "--cache" in caught.value.remedy
    assert not list((tmp_path / "cache").iterdir())


def test_a_file_that_a_manifest_names_and_is_not_there_is_told(tmp_path):
    speech, _ = write_corpus(tmp_path)
    (speech / "speech00.wav").unlink()
    (text,) = load([speech], tmp_path / "cache", "speaker", True).skipped
    assert "speech00.wav: no such file" in text


def test_swapped_folders_are_noticed(tmp_path):
    speech, noise = write_corpus(tmp_path)
    voices = load([speech], tmp_path / "cache", "speaker", True)
    noises = load([noise], tmp_path / "cache", "type", False)
    assert swapped(noises, voices) and not swapped(voices, noises)


def test_a_lower_rate_is_reached_without_aliases(tmp_path):
    time = np.arange(48000) / 48000
    soundfile.write(tmp_path / "tone.wav", 0.5 * np.sin(2 * np.pi * 12000 * time), 48000)
    tones = load([tmp_path], tmp_path / "cache", "type", False, most_rate=16000)
    assert tones.tracks[0].rate == 16000
    assert np.abs(tones.samples[500:-500]).max() < 30  # of 16384
