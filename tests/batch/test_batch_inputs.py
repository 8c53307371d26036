"""What the user typed becomes sources: in order, once each, whatever the names are."""

from __future__ import annotations

import io
import json
import os
import tempfile
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanaudio.batch.inputs import expand
from cleanaudio.batch.source import NothingFound, Problem, Source
from cleanaudio.errors import InputError, RecipeError

SUFFIXES = {".wav", ".flac"}

file_names = st.binary(min_size=1, max_size=40).filter(lambda name: not {0, 0x2F} & set(name) and name[:1] != b".")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names: str) -> None:
    for name in names:
        os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
        with open(name, "w"):
            pass


def found(*inputs: str, **options) -> list[Source | Problem]:
    return list(expand(inputs, **{"suffixes": SUFFIXES, **options}))


def labels(*inputs: str, **options) -> list[str]:
    items = found(*inputs, **options)
    assert all(isinstance(item, Source) for item in items), items
    return [item.label for item in items]


def relatives(*inputs: str, **options) -> list[str]:
    return [str(item.relative) for item in found(*inputs, **options)]


def only_problem(*inputs: str, **options) -> Problem:
    (item,) = found(*inputs, **options)
    assert isinstance(item, Problem)
    assert isinstance(item.error, InputError)
    return item


@contextmanager
def ordinary_user():
    """Root may read everything, so step down where the tests run as root."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


class TestFiles:
    def test_a_file_is_its_own_root_whatever_it_is_called(self, here):
        touch("a/take.wav", "notes.txt")
        take, notes = found("a/take.wav", "notes.txt")
        assert (take.path, take.relative, take.label) == (Path("a/take.wav"), Path("take.wav"), "a/take.wav")
        assert notes.label == "notes.txt"
        assert not take.found

    def test_missing_file_is_a_problem_and_the_others_go_on(self, here):
        touch("b.wav")
        problem, source = found("a.wav", "b.wav")
        assert isinstance(problem, Problem)
        assert problem.error.path == "a.wav"
        assert "no such file" in problem.error.describe()
        assert not isinstance(problem.error, NothingFound)
        assert source.label == "b.wav"

    @pytest.mark.parametrize("target", ["nowhere", "link.wav"])
    def test_a_link_that_leads_nowhere(self, here, target):
        os.symlink(target, "link.wav")
        assert "link" in only_problem("link.wav").error.message

    def test_a_pipe_is_not_taken_for_a_file(self, here):
        os.mkfifo("fifo.wav")
        problem = only_problem("fifo.wav")
        assert "regular file" in problem.error.message
        assert problem.error.remedy

    def test_named_twice_is_planned_once(self, here):
        touch("a/x.wav")
        os.symlink("a", "b")
        assert labels("a/x.wav", "./a/x.wav", str(here / "a/x.wav"), "a", "a/*.wav", "b/x.wav") == ["a/x.wav"]

    def test_two_links_to_one_recording_are_two_files(self, here):
        touch("store/8f3a.wav")
        for name in ("one.wav", "two.wav"):
            os.symlink("../store/8f3a.wav", f"set-{name}")
            os.symlink("store/8f3a.wav", name)
        assert labels("one.wav", "two.wav") == ["one.wav", "two.wav"]

    def test_a_file_called_dash_does_not_reach_the_decoder_as_stdin(self, here):
        touch("-")
        (source,) = found("./-")
        assert str(source.path) != "-"
        assert source.path.samefile(here / "-")


class TestStdin:
    def test_audio_on_stdin_is_not_for_here(self):
        with pytest.raises(RecipeError, match="no audio on stdin"):
            expand(["-", "a.wav"], suffixes=SUFFIXES)

    @pytest.mark.parametrize(
        ("inputs", "manifest"), [(["@-", "@-0"], None), (["@-", "@-"], None), (["@-"], "-"), (["@-0"], "-")]
    )
    def test_stdin_is_read_once(self, inputs, manifest):
        with pytest.raises(RecipeError, match="stdin"):
            expand(inputs, suffixes=SUFFIXES, manifest=manifest, stdin=io.BytesIO())

    def test_closed_stdin(self):
        with pytest.raises(RecipeError, match="closed"):
            expand(["@-"], suffixes=SUFFIXES)


class TestFolders:
    def test_only_audio_sorted_not_hidden_not_our_temporaries(self, here):
        touch("d/b.WAV", "d/a.flac", "d/c.txt", "d/.hidden.wav", "d/.b.WAV.x1y2.part", "d/sub/e.wav", "d/.git/f.wav")
        assert labels("d") == ["d/a.flac", "d/b.WAV"]
        assert labels("d", recursive=True) == ["d/a.flac", "d/b.WAV", "d/sub/e.wav"]
        assert relatives("d", recursive=True) == ["a.flac", "b.WAV", "sub/e.wav"]
        assert all(item.found for item in found("d", recursive=True))

    def test_order_does_not_depend_on_the_file_system(self, here):
        names = [f"{i * 7919 % 101:03}" for i in range(60)]
        touch(*(f"d/{name}.wav" for name in names), *(f"d/{name}/x.wav" for name in names))
        assert labels("d", recursive=True) == [f"d/{name}.wav" for name in sorted(names)] + [
            f"d/{name}/x.wav" for name in sorted(names)
        ]

    @pytest.mark.parametrize("name", [".", "./", "d/", "d/../d"])
    def test_folder_however_written(self, here, name):
        touch("x.wav", "d/x.wav")
        assert relatives(name) == ["x.wav"]

    def test_suffixes_come_with_and_without_dot_in_any_case(self, here):
        touch("d/a.Wav", "d/b.mp3")
        assert labels("d", suffixes=["WAV"]) == ["d/a.Wav"]

    def test_without_audio(self, here):
        touch("d/notes.txt", "d/sub/a.wav")
        problem = only_problem("d")
        assert isinstance(problem.error, NothingFound)
        assert problem.error.path == "d"
        assert "--recursive" in problem.error.remedy
        os.remove("d/sub/a.wav")
        assert isinstance(only_problem("d", recursive=True).error, NothingFound)

    def test_loops_of_links_end_and_real_names_win(self, here):
        touch("d/z/real.wav", "other/far.wav")
        os.symlink("..", "d/z/up")
        os.symlink("z", "d/a-link")
        os.symlink("self", "d/self")
        os.symlink("../other", "d/other")
        os.symlink("../d", "other/back")
        assert labels("d", recursive=True) == ["d/z/real.wav", "d/other/far.wav"]

    def test_many_links_among_folders_are_not_many_paths(self, here):
        for i in range(12):
            touch(f"d/{i}/x.wav")
            for j in range(12):
                os.symlink(f"../{j}", f"d/{i}/to{j}")
        assert len(labels("d", recursive=True)) == 12

    def test_a_link_that_leads_nowhere_is_kept_for_its_row(self, here):
        touch("d/a.wav")
        os.symlink("gone", "d/b.wav")
        assert labels("d") == ["d/a.wav", "d/b.wav"]

    def test_output_tree_is_left_out_also_through_a_link(self, here):
        touch("d/a.wav", "d/out/a.wav", "d/out/sub/b.wav")
        os.symlink("out/sub", "d/z")
        assert labels("d", recursive=True, exclude=[Path("d/out")]) == ["d/a.wav"]
        assert labels("d", recursive=True, exclude=[here / "d" / "out"]) == ["d/a.wav"]

    @pytest.mark.parametrize("exclude", ["d", "."])
    def test_an_output_tree_that_holds_the_named_folder_does_not_hide_it(self, here, exclude):
        touch("d/a.wav", "d/sub/b.wav")
        assert labels("d", recursive=True, exclude=[Path(exclude)]) == ["d/a.wav", "d/sub/b.wav"]

    def test_unreadable_folder(self, monkeypatch):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            monkeypatch.chdir(folder)
            touch("d/a.wav", "d/locked/b.wav", "d/z/c.wav")
            os.chmod("d/locked", 0)
            with ordinary_user():
                first, problem, last = found("d", recursive=True)
                alone = only_problem("d/locked")
                matched = found("d/*/*.wav")
            os.chmod("d/locked", 0o755)
        assert (first.label, last.label) == ("d/a.wav", "d/z/c.wav")
        for item in (problem, alone, matched[0]):
            assert item.error.path == "d/locked"
            assert "permission denied" in item.error.message.lower()
        assert matched[1].label == "d/z/c.wav"


class TestGlobs:
    def test_matches_are_mirrored_below_the_fixed_folders(self, here):
        touch("in/s1/a.wav", "in/s2/b.wav", "in/s2/b.txt", "in/s3/deep/c.wav")
        assert labels("in/s*/*.wav") == ["in/s1/a.wav", "in/s2/b.wav"]
        assert relatives("in/s*/*.wav") == ["s1/a.wav", "s2/b.wav"]
        assert relatives("in/s2/*") == ["b.wav"]
        assert relatives(f"{here}/in/s[12]/?.wav") == ["s1/a.wav", "s2/b.wav"]

    def test_any_number_of_folders(self, here):
        touch("in/a.wav", "in/x/b.wav", "in/x/y/c.wav", "in/x/y/c.txt", "in/.h/d.wav")
        everything = ["in/a.wav", "in/x/b.wav", "in/x/y/c.wav"]
        assert labels("in/**/*.wav") == everything
        assert labels("in/**") == everything
        assert labels("in/**/y/*.wav") == ["in/x/y/c.wav"]
        assert relatives("**/y/*.wav") == ["in/x/y/c.wav"]
        assert labels("in/**/*", exclude=[Path("in/x/y")]) == everything[:2]
        assert labels("in/*", exclude=[Path("in/x")]) == everything[:1]

    def test_loops_of_links_end(self, here):
        touch("in/x/b.wav")
        os.symlink("..", "in/x/up")
        assert labels("in/**/*.wav") == ["in/x/b.wav"]

    def test_an_existing_path_beats_its_glob(self, here):
        touch("take[1].wav", "take1.wav", "dir[1]/a.wav", "dir1/b.wav")
        assert labels("take[1].wav") == ["take[1].wav"]
        assert labels("dir[1]") == ["dir[1]/a.wav"]
        os.remove("take[1].wav")
        assert labels("take[1].wav") == ["take1.wav"]

    def test_a_folder_that_matches_stands_for_its_audio(self, here):
        touch("in/2024-01/a.wav", "in/2024-02/b.wav", "in/2024-03/notes.txt", "in/2023/c.wav")
        assert relatives("in/2024-*") == ["2024-01/a.wav", "2024-02/b.wav"]

    def test_a_suffix_that_is_spelled_out_is_believed(self, here):
        touch("in/a.pcm", "in/a.txt", "in/a.wav")
        assert labels("in/*.pcm") == ["in/a.pcm"]
        assert labels("in/a.*") == ["in/a.wav"]

    def test_hidden_files_only_when_asked_for(self, here):
        touch(".h.wav", "a.wav")
        assert labels("*.wav") == ["a.wav"]
        assert labels(".h*.wav") == [".h.wav"]

    def test_parent_folders_in_a_pattern_do_not_lead_out_of_the_output_tree(self, here):
        touch("in/x/a.wav", "in/y/b.wav")
        assert relatives("in/x*/../y/b.wav") == ["b.wav"]
        assert relatives("in/x*/../../in/y") == [str(Path("y", "b.wav"))]

    @pytest.mark.parametrize("pattern", ["*.wav", "nowhere/*.wav", "a.txt/*", "**/*.wav", "**", "[!a]"])
    def test_nothing_matches(self, here, pattern):
        touch("a.txt")
        problem = only_problem(pattern)
        assert isinstance(problem.error, NothingFound)
        assert problem.error.path == pattern


class TestLists:
    def test_names_are_taken_as_they_are(self, here):
        touch("#1.wav", " a b .wav", "take[1].wav", "take1.wav", "@x.wav", "d/c.wav", "é.wav")
        Path("list.txt").write_bytes("\ufeff#1.wav\n\n a b .wav\r\ntake[1].wav\n@x.wav\nd\né.wav".encode())
        assert labels("@list.txt") == ["#1.wav", " a b .wav", "take[1].wav", "@x.wav", "d/c.wav", "é.wav"]

    def test_relative_names_keep_their_folders(self, here):
        touch("a/x.wav", "b/x.wav", "b/sub/y.wav")
        Path("list").write_text(f"./a/x.wav\n{here}/b/x.wav\nb/sub\n")
        assert relatives("@list") == ["a/x.wav", "b/x.wav", "b/sub/y.wav"]

    def test_names_elsewhere_are_names_alone(self, here):
        touch("a/x.wav", "work/y.wav")
        os.chdir("work")
        Path("list").write_text("../a/x.wav\n")
        assert relatives("@list") == ["x.wav"]

    @pytest.mark.parametrize(("name", "end"), [("@-", "\n"), ("@-0", "\0")])
    def test_stdin(self, here, name, end):
        touch("a.wav", "b.wav")
        text = f"a.wav{end}b.wav{end}"
        for stdin in (io.BytesIO(text.encode()), io.TextIOWrapper(io.BytesIO(text.encode())), io.StringIO(text)):
            assert labels(name, stdin=stdin) == ["a.wav", "b.wav"]

    def test_newlines_in_names_by_nul(self, here):
        touch("a\nb.wav", "c.wav\r")
        assert labels("@-0", stdin=io.BytesIO(b"a\nb.wav\0c.wav\r\0")) == ["a\nb.wav", "c.wav\r"]

    def test_a_file_whose_name_begins_with_at(self, here):
        touch("@home.wav")
        assert labels("@home.wav") == ["@home.wav"]

    def test_missing_file_in_a_list(self, here):
        touch("b.wav")
        Path("list").write_text("a.wav\nb.wav\n")
        problem, source = found("@list")
        assert problem.error.path == "a.wav"
        assert source.label == "b.wav"

    @pytest.mark.parametrize("content", [b"", b"\n\n\r\n"])
    def test_empty_list(self, here, content):
        Path("list").write_bytes(content)
        assert isinstance(only_problem("@list").error, NothingFound)

    @pytest.mark.parametrize("content", [bytes(200_000), b"RIFF" + b"x" * 200_000, b"a\0b\n"])
    def test_something_else_given_as_a_list(self, here, content):
        Path("list").write_bytes(content)
        assert "name" in only_problem("@list").error.message

    def test_list_that_is_not_there_or_a_folder(self, here):
        os.mkdir("d")
        for name in ("@nix", "@d"):
            assert "list" in only_problem(name).error.message

    def test_names_are_taken_as_they_arrive(self, here):
        touch("a.wav", "b.wav")
        read_end, write_end = os.pipe()
        with open(read_end, "rb") as stdin:
            items = expand(["@-"], suffixes=SUFFIXES, stdin=stdin)
            os.write(write_end, b"a.wav\nb.")
            assert next(items).label == "a.wav"  # hangs if the list were read to its end first
            os.write(write_end, b"wav\n")
            assert next(items).label == "b.wav"
            os.close(write_end)
            assert list(items) == []

    def test_an_endless_list_is_not_held(self, here):
        touch("a.wav")

        class Endless:
            taken = 0

            def read(self, size):
                self.taken += size
                return b"nix\n" * (size // 4)

        stdin = Endless()
        assert len(list(islice(expand(["@-"], suffixes=SUFFIXES, stdin=stdin), 1000))) == 1000
        assert stdin.taken < 200_000


class TestManifests:
    def write(self, *lines: object) -> str:
        os.makedirs("set", exist_ok=True)
        Path("set/m.jsonl").write_text("".join((x if isinstance(x, str) else json.dumps(x)) + "\n" for x in lines))
        return "set/m.jsonl"

    def test_names_are_relative_to_the_manifest_and_the_rest_is_kept(self, here):
        touch("set/wavs/a.wav", "far/b.wav")
        manifest = self.write(
            {"audio_filepath": "wavs/a.wav", "text": "hi", "duration": 1.5},
            "",
            {"audio_filepath": str(here / "far/b.wav")},
            {"audio_filepath": str(here / "set/wavs/a.wav"), "offset": 2},
        )
        a, b = found(manifest=manifest)
        assert (a.path, a.relative, a.label) == (Path("set/wavs/a.wav"), Path("wavs/a.wav"), "set/wavs/a.wav")
        assert a.meta == {"text": "hi", "duration": 1.5}
        assert b.relative == Path("b.wav")

    @pytest.mark.parametrize(
        "line",
        [
            "{",
            "3",
            "null",
            "[" * 100_000,
            "{}",
            '{"audio_filepath": ""}',
            '{"audio_filepath": 3}',
            '{"audio_filepath": ["a.wav", "b.wav"]}',
        ],
    )
    def test_a_broken_line_is_named_by_its_number(self, here, line):
        touch("set/a.wav")
        manifest = self.write("", line, {"audio_filepath": "a.wav"})
        problem, source = found(manifest=manifest)
        assert problem.label == "set/m.jsonl:2"
        assert problem.error.path == "set/m.jsonl:2"
        assert source.label == "set/a.wav"

    @pytest.mark.parametrize("name", ["a\0b.wav", "\ud800.wav", "x" * 5000])
    def test_names_that_no_file_can_have(self, here, name):
        problem = only_problem(manifest=self.write({"audio_filepath": name}))
        assert problem.error.describe().isprintable()

    def test_missing_manifest(self, here):
        assert "manifest" in only_problem(manifest="nix.jsonl").error.message

    def test_manifest_on_stdin(self, here):
        touch("a.wav")
        stdin = io.BytesIO(b'{"audio_filepath": "a.wav"}')
        assert [item.label for item in found(manifest="-", stdin=stdin)] == ["a.wav"]


@settings(max_examples=60, deadline=None)
@given(st.sets(file_names, min_size=1, max_size=5))
def test_any_name_that_a_file_can_have(names):
    with tempfile.TemporaryDirectory() as folder:
        raw = os.fsencode(folder)
        paths = sorted(os.path.join(raw, name + b".wav") for name in names)
        for path in paths:
            open(path, "wb").close()
        wanted = {os.fsdecode(path) for path in paths}
        listed = io.BytesIO(b"".join(path + b"\0" for path in paths))
        for items in (found(folder), found(*sorted(wanted)), found("@-0", stdin=listed)):
            assert {item.label for item in items} == wanted
            assert all(item.path.is_file() for item in items)
