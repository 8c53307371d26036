"""What ``cleanaudio locate`` promises: the direction that is true, said plainly, and what it cannot know."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from cli_helpers import read, write

from cleanaudio.spatial.geometry import Direction, Geometry, circular, linear

RATE = 16000
CIRCLE = ("--array", "circular:6:0.0463")


def plane_wave(geometry: Geometry, azimuth_deg: float, signal: np.ndarray, rate: int = RATE, speed: float = 343.2):
    """A far-field source at each microphone, its delays exact; (frames, channels)."""
    delays = geometry.delays(Direction(azimuth_deg).unit, speed)
    padded = np.pad(signal.astype(np.float64), 1024)
    hertz = np.fft.rfftfreq(len(padded), 1 / rate)
    moved = np.fft.irfft(np.fft.rfft(padded) * np.exp(-2j * np.pi * hertz * delays[:, None]), len(padded))
    own = np.random.default_rng(1).standard_normal(moved.shape) * 3e-4
    return (moved + own)[:, 1024:-1024].T


@pytest.fixture(scope="module")
def voice(speech_like) -> np.ndarray:
    return speech_like(3.0, RATE, 4)


@pytest.fixture
def locate(cli):
    """``locate(arguments...)``, by level unless told otherwise; must end with ``code``."""

    def run(*arguments: object, code: int = 0):
        mask = () if "--mask" in arguments else ("--mask", "vad")
        ran = cli("locate", *arguments, *mask, "-j", "1")
        assert ran.code == code, ran.stderr
        assert "Traceback" not in ran.stderr and "this is a bug" not in ran.stderr
        return ran

    return run


def direction(text: str) -> float:
    """Return the number that is printed for --direction."""
    (line,) = (line for line in text.splitlines() if line.startswith("--direction "))
    return float(line.split()[1])


def table(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class TestDirections:
    @pytest.mark.parametrize("method", ["srp-phat", "music"])
    @pytest.mark.parametrize("mask", ["vad", "none", "wiener"])
    def test_are_true_of_a_plane_wave(self, locate, tmp_path, voice, method, mask):
        write(tmp_path / "a.wav", plane_wave(circular(6, 0.0463), -128, voice), subtype="PCM_16")
        ran = locate(tmp_path / "a.wav", *CIRCLE, "--method", method, "--mask", mask)
        assert abs(direction(ran.stdout) + 128) <= 2
        assert "100%" in ran.stdout and "note" not in ran.stderr

    @pytest.mark.parametrize("name", ["kitchen", "office"])
    def test_are_true_in_a_room_with_two_noises(self, locate, fixtures_dir, name):
        """The masks of a network lead to the voice, where it sounds less than the noise does."""
        clip, array = fixtures_dir / f"rooms/{name}.flac", fixtures_dir / f"rooms/{name}.json"
        truth = json.loads(array.read_text())["voice"]["azimuth_deg"]
        ran = locate(clip, "--array", array, "--mask", "auto")
        assert abs(direction(ran.stdout) - truth) <= 12

    def test_without_a_mask_it_is_the_loudest(self, locate, fixtures_dir):
        ran = locate(fixtures_dir / "rooms/kitchen.flac", *CIRCLE, "--mask", "none")
        assert min(abs(direction(ran.stdout) - noise) for noise in (-20, -140)) <= 12

    def test_two_talkers_share_the_time(self, locate, tmp_path, voice):
        geometry = circular(6, 0.0463)
        one, two = plane_wave(geometry, 40, voice[8000:]), plane_wave(geometry, -90, voice[8000:])
        write(tmp_path / "a.wav", np.concatenate([one, two, one]))
        ran = locate(tmp_path / "a.wav", *CIRCLE, "--json", "--window", "0.5")
        first, second = json.loads(ran.stdout)["directions"]
        assert abs(first["azimuth_deg"] - 40) <= 2 and abs(second["azimuth_deg"] + 90) <= 2
        assert 0.5 < first["share"] < 0.8 and 0.2 < second["share"] < 0.5

    def test_with_elevations(self, locate, tmp_path, voice):
        geometry = circular(6, 0.1)
        tilted = Geometry(geometry.positions * np.cos(np.radians(40)))  # a source at 40° seems to be on the horizon
        write(tmp_path / "a.wav", plane_wave(tilted, 65, voice))
        ran = locate(tmp_path / "a.wav", "--array", "circular:6:0.1", "--elevations")
        assert "--direction 65,40" in ran.stdout.splitlines()

    def test_the_temperature_counts(self, locate, tmp_path, voice):
        write(tmp_path / "a.wav", plane_wave(linear(4, 0.1), 30, voice, speed=331.3))
        arguments = (tmp_path / "a.wav", "--array", "linear:4:0.1", "--step", "0.5")
        assert abs(direction(locate(*arguments, "--temperature", "0").stdout) - 30) <= 0.5
        assert abs(direction(locate(*arguments, "--temperature", "40").stdout) - 30) > 2

    @pytest.mark.parametrize("rate", [8000, 44100])
    def test_at_other_rates(self, locate, tmp_path, speech_like, rate):
        write(tmp_path / "a.wav", plane_wave(circular(4, 0.05), 10, speech_like(2.0, rate, 3), rate), rate)
        ran = locate(tmp_path / "a.wav", "--array", "circular:4:0.05")
        assert abs(direction(ran.stdout) - 10) <= 2


class TestMicrophones:
    def test_are_chosen_and_put_in_order(self, locate, tmp_path, voice):
        signal = plane_wave(circular(4, 0.05), 70, voice)
        shuffled = np.stack([signal[:, 2], voice * 0, signal[:, 0], signal[:, 1], signal[:, 3]], axis=1)
        write(tmp_path / "a.wav", shuffled)
        ran = locate(tmp_path / "a.wav", "--array", "circular:4:0.05", "--mics", "3,4,1,5")
        assert abs(direction(ran.stdout) - 70) <= 2

    def test_mono_files_are_one_recording(self, locate, tmp_path, voice):
        signal = plane_wave(circular(4, 0.05), 70, voice)
        for k in range(4):
            write(tmp_path / f"in/x.CH{k + 1}.wav", signal[:, k])
        ran = locate(tmp_path / "in", "--array", "circular:4:0.05")
        assert abs(direction(ran.stdout) - 70) <= 2
        ran = locate(tmp_path / "in", "--array", "circular:4:0.05", "--mics", "1,2,4")
        assert abs(direction(ran.stdout) - 70) <= 2

    @pytest.mark.parametrize("fault", ["dead", "inverted"])
    def test_that_are_broken_are_named_and_do_no_harm(self, locate, tmp_path, voice, fault):
        signal = plane_wave(circular(6, 0.0463), 110, voice)
        signal[:, 2] *= 0.0 if fault == "dead" else -1.0
        write(tmp_path / "a.wav", signal)
        ran = locate(tmp_path / "a.wav", *CIRCLE)
        assert abs(direction(ran.stdout) - 110) <= 2
        assert "microphone 3 is" in ran.stderr
        if fault == "inverted":
            scores = []
            for more in ((), ("--bad-mics", "keep")):
                told = json.loads(locate(tmp_path / "a.wav", *CIRCLE, "--json", *more).stdout)
                scores.append(told["bearings"][-1]["score"])
            assert scores[0] > scores[1] + 0.3

    @pytest.mark.parametrize(
        ("array", "words"),
        [
            ("linear:4:0.05", "in a line hear front and back alike: 70° may as well be -70°"),
            ([[0, 0], [0, 0.05], [0, 0.1], [0, 0.15]], "in a line hear front and back alike: 110° may as well be 70°"),
            ([[0, 0, 0], [0.1, 0, 0], [0, 0, 0.1], [0.05, 0, 0.2]], "in an upright plane hear front and back alike"),
        ],
    )
    def test_that_hear_front_and_back_alike_say_so(self, locate, tmp_path, voice, array, words):
        text = array
        if not isinstance(array, str):
            text = tmp_path / "mics.json"
            text.write_text(json.dumps(array))
        from cleanaudio.spatial.geometry import parse_array

        write(tmp_path / "a.wav", plane_wave(parse_array(str(text)), 70, voice))
        ran = locate(tmp_path / "a.wav", "--array", text)
        assert words in ran.stderr
        assert min(abs(direction(ran.stdout) - truth) for truth in (70, 110)) <= 2


class TestResults:
    @pytest.fixture
    def folder(self, tmp_path, voice) -> Path:
        for name, azimuth in (("a", 20), ("b", 160)):
            write(tmp_path / f"in/{name}.wav", plane_wave(circular(6, 0.0463), azimuth, voice))
        write(tmp_path / "in/mono.wav", voice)
        write(tmp_path / "in/silent.wav", np.zeros((RATE, 6)))
        return tmp_path / "in"

    def test_several_recordings(self, locate, tmp_path, folder):
        found = tmp_path / "found.csv"
        ran = locate(folder, *CIRCLE, "--csv", found, "--plot", tmp_path / "pictures", code=1)
        lines = {line.split()[0]: line for line in ran.stdout.splitlines()[1:]}
        assert lines[str(folder / "a.wav")].split()[1:3] == ["20", "100%"]
        assert lines[str(folder / "b.wav")].split()[1:3] == ["160", "100%"]
        assert "no direction: silence" in lines[str(folder / "silent.wav")]
        assert "mono.wav: is mono" in ran.stderr and "3 done, 1 failed" in ran.stderr
        rows = table(found)
        assert {row["status"] for row in rows if row["input"].endswith("mono.wav")} == {"failed"}
        (silent,) = (row for row in rows if row["input"].endswith("silent.wav"))
        assert silent["azimuth_deg"] == "" and silent["reason"] == "no direction: silence"
        some = [row for row in rows if row["input"].endswith("a.wav")]
        assert len(some) >= 3 and all(abs(float(row["azimuth_deg"]) - 20) <= 2 for row in some)
        times = [float(row["time_s"]) for row in some]
        assert times == sorted(times) and 0 < times[0] < times[-1] < 3
        assert all(float(row["score"]) > 0.5 and float(row["level_db"]) < 0 for row in some)
        pictures = {path.name for path in (tmp_path / "pictures").iterdir()}
        assert pictures == {"a_directions.png", "b_directions.png"}

    def test_json(self, locate, folder):
        ran = locate(folder, *CIRCLE, "--json", code=1)
        entries = {Path(entry["input"]).stem: entry for entry in map(json.loads, ran.stdout.splitlines())}
        assert abs(entries["a"]["direction"]["azimuth_deg"] - 20) <= 2 and entries["a"]["reason"] is None
        assert entries["silent"]["direction"] is None and entries["silent"]["reason"] == "no direction: silence"
        assert entries["mono"]["status"] == "failed" and "mono" in entries["mono"]["reason"]
        assert entries["a"]["bearings"][0].keys() == {"time_s", "azimuth_deg", "elevation_deg", "score", "level_db"}

    def test_one_picture(self, locate, folder, tmp_path):
        locate(folder / "a.wav", *CIRCLE, "--plot", tmp_path / "new/a.png")
        assert (tmp_path / "new/a.png").read_bytes().startswith(b"\x89PNG")
        ran = locate(folder, *CIRCLE, "--plot", tmp_path / "all.png", code=2)
        assert "one picture for 4 recordings" in ran.stderr and not (tmp_path / "all.png").exists()

    def test_quiet_is_only_the_result(self, locate, folder):
        ran = locate(folder / "a.wav", *CIRCLE, "--quiet")
        assert ran.stderr == "" and direction(ran.stdout) == 20

    def test_silence_by_itself(self, locate, folder):
        ran = locate(folder / "silent.wav", *CIRCLE)
        assert ran.stdout.strip() == "no direction: silence"

    def test_stdin_and_config(self, program, folder, tmp_path):
        (tmp_path / "here.toml").write_text('array = "circular:6:0.0463"\nmask = "vad"\n')
        ran = program("locate", "-", "--config", tmp_path / "here.toml", stdin=(folder / "b.wav").read_bytes())
        assert ran.returncode == 0, ran.stderr
        assert direction(ran.stdout.decode()) == 160


class TestBadInput:
    @pytest.fixture
    def clip(self, tmp_path, voice) -> Path:
        return write(tmp_path / "a.wav", plane_wave(circular(6, 0.0463), 20, voice[:RATE]))

    def test_no_array(self, locate, clip):
        assert "where are the microphones?" in locate(clip, code=2).stderr

    def test_no_input(self, locate):
        assert "nothing to locate in" in locate(*CIRCLE, code=2).stderr

    @pytest.mark.parametrize("count", [4, 8])
    def test_another_number_of_microphones(self, locate, clip, count):
        ran = locate(clip, "--array", f"circular:{count}:0.05", code=1)
        assert f"6 channels, but circular:{count}:0.05 has {count} microphones" in ran.stderr

    def test_mono(self, locate, tmp_path, voice):
        ran = locate(write(tmp_path / "m.wav", voice), "--array", "linear:2:0.1", code=1)
        assert "m.wav: is mono" in ran.stderr

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("--array", "square:4"), "is no array"),
            (("--array", "linear:4:0.05", "--elevations"), "no elevation"),
            ((*CIRCLE, "--mics", "1,1"), "twice"),
            ((*CIRCLE, "--mask", "nothing-like-it"), "there is no backend"),
            ((*CIRCLE, "--temperature", "99"), "outside -50"),
            ((*CIRCLE, "--window", "0"), "--window"),
            ((*CIRCLE, "--step", "50"), "--step"),
            ((*CIRCLE, "--elevations", "--step", "1"), "too many"),
            ((*CIRCLE, "--method", "esprit"), "--method"),
            ((*CIRCLE, "--plot", "a.picture"), "suffix"),
            ((*CIRCLE, "--csv", "/nowhere/a.csv"), "cannot be written"),
        ],
    )
    def test_options_that_make_no_sense(self, locate, clip, tmp_path, monkeypatch, arguments, words):
        monkeypatch.chdir(tmp_path)
        assert words in locate(clip, *arguments, code=2).stderr

    def test_a_channel_that_is_not_there(self, locate, clip):
        assert "no channel 7" in locate(clip, "--array", "linear:2:0.05", "--mics", "1,7", code=1).stderr

    def test_microphones_in_one_place(self, locate, clip, tmp_path):
        (tmp_path / "m.csv").write_text("x,y,z\n0,0,0\n0,0,0\n1,0,0\n")
        assert "in one place" in locate(clip, "--array", tmp_path / "m.csv", code=2).stderr

    def test_a_clip_of_a_moment(self, locate, tmp_path, voice):
        signal = plane_wave(circular(6, 0.0463), 20, voice)[20000:21000]
        ran = locate(write(tmp_path / "short.wav", signal), *CIRCLE, "--mask", "none")
        assert abs(direction(ran.stdout) - 20) <= 3
        assert read(tmp_path / "short.wav").shape == (1000, 6)

    def test_an_empty_clip(self, locate, tmp_path):
        ran = locate(write(tmp_path / "empty.wav", np.zeros((0, 6))), *CIRCLE)
        assert "no direction: silence" in ran.stdout
