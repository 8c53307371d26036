import json

import numpy as np
import pytest
import soundfile


@pytest.fixture
def talk(tmp_path, speech_like, noise_like):
    """Two seconds of room, then speech over it."""
    room = 0.01 * noise_like(6, 16000, "white")
    room[32000:] += speech_like(4.0, 16000)
    soundfile.write(tmp_path / "talk.wav", room, 16000)
    return tmp_path / "talk.wav"


def test_a_print_is_measured_shown_and_used(cli, talk, tmp_path):
    ran = cli("profile-noise", talk, "-o", tmp_path / "room.json")
    assert ran.code == 0 and "talk.wav" in ran.stdout and "dBFS" in ran.stdout and "steady" in ran.stdout
    content = json.loads((tmp_path / "room.json").read_text())
    assert content["level_db"] == pytest.approx(-40, abs=1.5)
    assert cli("denoise", talk, "-o", tmp_path / "out", "-b", "wiener", "--profile", tmp_path / "room.json").code == 0
    cleaned, _ = soundfile.read(tmp_path / "out" / "talk.wav")
    noisy, _ = soundfile.read(talk)
    level = [20 * np.log10(np.std(x[4000:28000]) + 1e-9) for x in (noisy, cleaned)]
    assert level[0] - level[1] > 6


def test_a_stretch_and_whole_files(cli, talk, tmp_path):
    stretch = ("--from", "0:00", "--to", "0:02")
    assert cli("profile-noise", talk, *stretch, "-o", tmp_path / "a.json").code == 0
    assert json.loads((tmp_path / "a.json").read_text())["seconds"] == pytest.approx(2, abs=0.3)
    assert cli("profile-noise", talk, "--all", "-o", tmp_path / "b.json").code == 0
    assert json.loads((tmp_path / "b.json").read_text())["level_db"] > -35


def test_stdout_carries_the_print_alone(cli, talk):
    ran = cli("profile-noise", talk, "-o", "-")
    assert json.loads(ran.stdout)["kind"] == "cleanaudio noise profile"


def test_it_is_drawn(cli, talk, tmp_path):
    assert cli("profile-noise", talk, "-o", tmp_path / "r.json", "--plot", tmp_path / "r.png").code == 0
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf", ".jpg"])
def test_a_picture_replaces_nothing_but_an_older_one(cli, talk, tmp_path, suffix):
    photo = tmp_path / f"photo{suffix}"
    photo.write_bytes(b"a photo of the studio")
    arguments = "profile-noise", talk, "-o", tmp_path / "r.json", "--overwrite", "--plot"
    ran = cli(*arguments, photo)
    assert ran.code == 2 and "photo" in ran.stderr
    assert ("no picture of ours" if suffix != ".jpg" else "does not say who drew it") in ran.stderr
    assert photo.read_bytes() == b"a photo of the studio" and not (tmp_path / "r.json").exists()
    ours = tmp_path / f"ours{suffix}"
    codes = [cli(*arguments, ours).code for _ in range(2)]
    assert codes == [0, 0 if suffix != ".jpg" else 2]  # which does not say who made it
    assert {path.name for path in tmp_path.iterdir()} == {photo.name, ours.name, "r.json", talk.name}


def test_an_output_is_not_overwritten_unless_asked(cli, talk, tmp_path):
    (tmp_path / "r.json").write_text("mine")
    assert cli("profile-noise", talk, "-o", tmp_path / "r.json").code == 2
    assert (tmp_path / "r.json").read_text() == "mine"
    assert cli("profile-noise", talk, "-o", tmp_path / "r.json", "--overwrite").code == 0


@pytest.mark.parametrize(
    "extra", [(), ("-o", "x.json", "--all", "--from", "0:01"), ("-o", "x.json", "--from", "3", "--to", "2")]
)
def test_usage_errors(cli, talk, extra):
    assert cli("profile-noise", talk, *extra).code == 2


def test_what_holds_no_noise_is_named(cli, tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(16000), 16000)
    ran = cli("profile-noise", tmp_path / "silence.wav", "-o", tmp_path / "x.json")
    assert ran.code == 1 and "silence.wav" in ran.stderr and not (tmp_path / "x.json").exists()
    assert cli("profile-noise", tmp_path / "none.wav", "-o", tmp_path / "x.json").code == 1
    ran = cli("profile-noise", tmp_path / "silence.wav", "--from", "5", "-o", tmp_path / "x.json")
    assert ran.code == 1 and "outside the recording" in ran.stderr
