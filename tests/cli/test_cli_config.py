"""Options from files and presets: the command line stands over the preset, the preset over the file."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from cli_helpers import audio, read, rows, shape, write

from cleanaudio.cli.config import PRESETS


@pytest.fixture
def source(tmp_path, noisy_speech) -> Path:
    return write(tmp_path / "a.wav", noisy_speech(2.0)[16000:24000], subtype="PCM_24")


@pytest.fixture
def config(tmp_path):
    """``config("strength = 0.5")``: a file of options."""

    def make(text: str) -> Path:
        (tmp_path / "my.toml").write_text(text, encoding="utf-8")
        return tmp_path / "my.toml"

    return make


@pytest.fixture
def made(cli, tmp_path, source):
    """``made(arguments...)``: the only row of a run of its own, and the file that it wrote."""

    def run(*arguments: object) -> tuple[dict[str, str], Path]:
        out = tmp_path / f"out{len(list(tmp_path.glob('out*')))}"
        ran = cli("denoise", source, "-o", out, *arguments)
        assert ran.code == 0, ran.stderr
        (row,) = rows(out)
        return row, Path(row["output"])

    return run


class TestFiles:
    def test_say_what_the_command_line_could(self, made, config):
        row, path = made(
            "--config",
            config('backend = "log-mmse"\nformat = "flac"\nsubtype = "PCM_16"\nsuffix = "_x"\nset = ["limit_db=6"]'),
        )
        told, same = made(
            "-b", "log-mmse", "-f", "flac", "--subtype", "PCM_16", "--suffix", "_x", "--set", "limit_db=6"
        )
        assert row["backend"] == "log-mmse" and path.name == "a_x.flac" and shape(path)[3:] == ("FLAC", "PCM_16")
        assert row["recipe"] == told["recipe"] and np.array_equal(read(path), read(same))

    def test_hold_flags_and_numbers(self, made, config):
        row, path = made("--config", config('backend = "wiener"\nresidual = true\nstrength = 0.5\nlimit-db = 3'))
        assert audio(path.parent) == {"a.wav", "a.residual.wav"}
        assert row["recipe"] == made("-b", "wiener", "-s", "0.5", "-l", "3", "--residual")[0]["recipe"]

    def test_stand_below_the_command_line(self, made, config):
        file = config('backend = "log-mmse"\nstrength = 0.5')
        row, _ = made("--config", file, "-b", "wiener")
        assert row["backend"] == "wiener"
        assert row["recipe"] == made("-b", "wiener", "-s", "0.5")[0]["recipe"]
        assert row["recipe"] == made("-b", "wiener", "--config", file)[0]["recipe"], "their order must not matter"

    def test_hold_the_flags_that_say_no(self, made, config, cli, source):
        row, _ = made("--config", config("no-guard = true"), "-b", "wiener")
        assert row["recipe"] == made("--no-guard", "-b", "wiener")[0]["recipe"]
        assert row["recipe"] != made("--config", config("no-guard = false"), "-b", "wiener")[0]["recipe"]
        assert cli("denoise", source, "-o", source.parent / "no", "--config", config("no-guard = 1")).code == 2

    def test_can_be_told_off(self, made, config):
        _, path = made("--config", config("set = ['limit_db=6']\nbackend = 'wiener'"), "--set", "limit_db=9")
        assert np.array_equal(read(path), read(made("-b", "wiener", "--set", "limit_db=9")[1]))

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("strenght = 0.5", "there is no option 'strenght' (did you mean strength?)"),
            ("limit_db = 12", "there is no option 'limit_db' (did you mean limit-db?)"),
            ("zzz = 12", "there is no option 'zzz' (use the long option names, without --)"),
            ("strength = 2", "my.toml: strength: "),
            ('strength = "much"', "my.toml: strength: "),
            ("channels = 'both'", "my.toml: channels: 'both' is not one of 'linked'"),
            ("not toml at all", "my.toml: is not TOML"),
            ("[wiener]\nalpha = 2", "there is no option 'wiener'"),
            ("presets = 3", "my.toml: presets are tables (write them as [presets.NAME])"),
            ("set = [1, 2]", "key=value"),
            ("backend = ['wiener']", "backend"),
            ("residual = 'maybe'", "my.toml: residual: "),
            ("strength = [1]", "strength"),
            ("[presets]\nmine = 3", "my.toml: presets are tables"),
        ],
    )
    def test_that_make_no_sense(self, cli, tmp_path, source, config, text, message):
        arguments = ("--preset", "mine") if "mine" in text else ()
        ran = cli("denoise", source, "-o", tmp_path / "out", "--config", config(text), *arguments)
        assert ran.code == 2, ran.stderr
        said = re.sub(r"[\s│]+", " ", ran.stderr)  # usage errors stand in a box
        assert message in said and "Traceback" not in ran.stderr and "this is a bug" not in ran.stderr
        assert not (tmp_path / "out").exists()

    def test_that_are_not_there(self, cli, tmp_path, source):
        ran = cli("denoise", source, "-o", tmp_path / "out", "--config", tmp_path / "none.toml")
        assert ran.code == 2 and f"{tmp_path / 'none.toml'}: cannot be read: No such file" in ran.stderr
        (tmp_path / "latin.toml").write_bytes(b"suffix = '\xe9'")
        ran = cli("denoise", source, "-o", tmp_path / "out", "--config", tmp_path / "latin.toml")
        assert ran.code == 2 and "latin.toml: is not TOML" in ran.stderr


class TestPresets:
    def test_that_come_with_the_program(self, cli, tmp_path, source):
        for name in PRESETS:
            ran = cli("denoise", source, "-o", tmp_path / name, "-b", "wiener", "--preset", name)
            assert ran.code == 0, ran.stderr
        assert shape(tmp_path / "archive/a.flac")[3:] == ("FLAC", "PCM_24")
        recipes = {rows(tmp_path / name)[0]["recipe"] for name in PRESETS}
        assert len(recipes) == len(PRESETS)

    def test_of_a_file(self, made, config):
        file = config('[presets.radio]\nbackend = "log-mmse"\nlimit-db = 7\n[presets.gentle]\nbackend = "wiener"')
        row, _ = made("--config", file, "--preset", "radio")
        assert row["recipe"] == made("-b", "log-mmse", "-l", "7")[0]["recipe"]
        row, _ = made("--preset", "gentle", "--config", file)
        assert row["recipe"] == made("-b", "wiener")[0]["recipe"], "a file's preset stands over ours of that name"

    def test_stand_between_the_file_and_the_command_line(self, made, config):
        file = config('backend = "wiener"\nlimit-db = 3\nstrength = 0.9\n[presets.mine]\nlimit-db = 7\nstrength = 0.8')
        row, _ = made("--config", file, "--preset", "mine", "--strength", "0.7")
        assert row["recipe"] == made("-b", "wiener", "-l", "7", "-s", "0.7")[0]["recipe"]

    def test_that_do_not_exist(self, cli, tmp_path, source, config):
        ran = cli("denoise", source, "-o", tmp_path, "--preset", "radio")
        assert ran.code == 2 and "there is no preset 'radio' (there are: archive, gentle, podcast)" in ran.stderr
        file = config("[presets.mine]\nlimits = 3")
        ran = cli("denoise", source, "-o", tmp_path, "--preset", "mine", "--config", file)
        assert ran.code == 2 and "preset mine: there is no option 'limits'" in ran.stderr

    def test_need_no_list_of_one(self, made, config):
        row, _ = made("--config", config('backend = "omlsa"\nset = "tracker=imcra"'))
        assert row["recipe"] == made("-b", "omlsa", "--set", "tracker=imcra")[0]["recipe"]

    def test_are_named_in_the_help(self, cli):
        assert all(name in cli("denoise", "--help").stdout for name in PRESETS)


def test_our_presets_serve_every_command_that_has_their_options(cli, tmp_path, fixtures_dir):
    kitchen = fixtures_dir / "rooms" / "kitchen.flac"
    for name in PRESETS:
        ran = cli("beamform", kitchen, "--preset", name, "--dry-run", "-o", tmp_path / name)
        assert (ran.code == 0) == (name != "gentle"), ran.stderr
        assert name != "gentle" or "sets no option of this command" in ran.stderr
