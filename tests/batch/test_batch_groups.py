"""Which files are one recording."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanaudio.batch.groups import Grouping, grouped
from cleanaudio.batch.source import NothingFound, Problem, Source
from cleanaudio.errors import InputError, RecipeError


def source(name: str, found: bool = True) -> Source:
    return Source(Path("rec") / name, Path(name), f"rec/{name}", found=found)


def put(*names: str, template: str | None = None, mics=None, found: bool = True) -> list[Source | Problem]:
    return list(grouped([source(name, found) for name in names], Grouping(template, mics)))


def parts(one: Source | Problem) -> list[str]:
    assert isinstance(one, Source), one.error.describe()
    return [path.name for path in one.parts]


class TestNames:
    @pytest.mark.parametrize(
        ("names", "called"),
        [
            (["F01_22GC010A_BUS.CH1.wav", "F01_22GC010A_BUS.CH2.wav"], "F01_22GC010A_BUS.wav"),
            (["S02_U06.ch1.flac", "S02_U06.ch2.flac"], "S02_U06.flac"),
            (["ES2002a.Array1-01.wav", "ES2002a.Array1-02.wav"], "ES2002a.Array1.wav"),
        ],
    )
    def test_of_corpora_are_known(self, names, called):
        (one,) = put(*names)
        assert parts(one) == names
        assert (one.path, one.relative) == (Path("rec") / called, Path(called))

    def test_arrays_of_one_meeting_stay_apart(self):
        names = [f"ES2002a.Array{array}-0{k}.wav" for array in (1, 2) for k in (1, 2)]
        assert [parts(one) for one in put(*names)] == [names[:2], names[2:]]

    @pytest.mark.parametrize(
        ("template", "names", "called"),
        [
            ("{name}_mic{ch}.wav", ["a_mic1.wav", "a_mic2.wav"], "a.wav"),
            ("mic{ch}.wav", ["mic1.wav", "mic2.wav"], "mic.wav"),
            ("{ch}.wav", ["1.wav", "2.wav"], "recording.wav"),
            ("{name}-{ch}", ["a.b-01.flac", "a.b-02.flac"], "a.b.flac"),
            ("{ch} {name}.wav", ["0 a (1).wav", "1 a (1).wav"], "a (1).wav"),
        ],
    )
    def test_of_ones_own(self, template, names, called):
        (one,) = put(*names, template=template)
        assert parts(one) == names and one.path.name == called

    def test_none_groups_nothing(self):
        assert [one.path.name for one in put("a.CH1.wav", "a.CH2.wav", template="none")] == ["a.CH1.wav", "a.CH2.wav"]

    @pytest.mark.parametrize("template", ["{name}.wav", "{ch}{ch}.wav", "{name", "{ch}{x}.wav", "a/{ch}.wav", ""])
    def test_a_template_that_makes_no_sense(self, template):
        with pytest.raises(RecipeError, match="--group"):
            Grouping(template)

    @settings(max_examples=50)
    @given(st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=20))
    def test_any_name(self, name):
        (one,) = put(f"{name}.CH1.wav", f"{name}.CH2.wav")
        assert parts(one) == [f"{name}.CH1.wav", f"{name}.CH2.wav"] and one.path.name == f"{name}.wav"


class TestOrder:
    def test_microphones_come_by_number(self):
        (one,) = put(*(f"a.CH{k}.wav" for k in (10, 2, 1, 3, 4, 5, 6, 7, 8, 9)))
        assert parts(one) == [f"a.CH{k}.wav" for k in range(1, 11)]

    def test_those_that_were_chosen_come_as_they_were(self):
        (one,) = put("a.CH1.wav", "a.CH2.wav", "a.CH4.wav", mics=(3, 0))
        assert parts(one) == ["a.CH4.wav", "a.CH1.wav"]

    def test_a_group_stands_where_its_first_file_stood(self):
        names = [one.path.name for one in put("0.wav", "b.CH1.wav", "c.wav", "b.CH2.wav", "d.wav")]
        assert names == ["0.wav", "b.wav", "c.wav", "d.wav"]

    def test_the_microphone_at_the_mouth_is_left_out(self):
        (one,) = put(*(f"a.CH{k}.wav" for k in range(4)))
        assert parts(one) == ["a.CH1.wav", "a.CH2.wav", "a.CH3.wav"]

    def test_a_name_in_two_folders_is_two_recordings(self):
        files = [Source(Path(f"{d}/a.CH{k}.wav"), Path(f"{d}/a.CH{k}.wav"), "x") for d in "pq" for k in (1, 2)]
        assert [one.relative for one in grouped(files, Grouping())] == [Path("p/a.wav"), Path("q/a.wav")]

    def test_what_stands_behind_no_group_waits_for_no_file_after_it(self):
        def sources():
            yield source("a.wav")
            raise AssertionError("the next one was asked for")

        assert next(grouped(sources(), Grouping())).path.name == "a.wav"

    @pytest.mark.parametrize("order", ["p1 q1 p2 q2 p3 q3", "p1 p2 q1 q2 p3 q3"])
    def test_files_that_were_named_come_in_any_order(self, order):
        names = [f"{one[0]}/a.CH{one[1]}.wav" for one in order.split()]
        both = list(grouped([Source(Path(name), Path(name), name) for name in names], Grouping()))
        assert [one.relative for one in both] == [Path("p/a.wav"), Path("q/a.wav")]
        assert [parts(one) for one in both] == [["a.CH1.wav", "a.CH2.wav", "a.CH3.wav"]] * 2

    def test_a_name_that_leads_nowhere_tears_no_group_apart(self):
        gone = Problem("rec/a.CH2.wav", InputError("no such file"))
        files = [source(f"a.CH{k}.wav", found=False) for k in (1, 3, 4)]
        group, problem = grouped([files[0], gone, *files[1:]], Grouping())
        assert isinstance(group, Problem) and "2 is missing" in group.error.describe() and problem is gone

    def test_only_one_folder_is_held(self):
        taken = []

        def sources():
            for folder in range(3):
                for k in (1, 2):
                    taken.append(folder)
                    yield Source(Path(f"{folder}/a.CH{k}.wav"), Path(f"{folder}/a.CH{k}.wav"), "x", found=True)

        next(grouped(sources(), Grouping()))
        assert taken == [0, 0, 1]


class TestWhatIsWrong:
    def complaint(self, one) -> str:
        assert isinstance(one, Problem)
        return one.error.describe()

    def test_a_missing_microphone(self):
        (one,) = put("a.CH1.wav", "a.CH3.wav", "a.CH4.wav")
        assert "microphone 2 is missing" in self.complaint(one) and "--mics 1,3-4" in self.complaint(one)
        assert one.label == "rec/a.CH{1,3,4}.wav"

    def test_the_first_missing(self):
        assert "microphone 1 is missing" in self.complaint(put("a.CH2.wav", "a.CH3.wav")[0])

    def test_where_files_are_numbered_from_0_both_numbers_are_said(self):
        (one,) = put("a_mic0.wav", "a_mic1.wav", "a_mic3.wav", template="{name}_mic{ch}.wav")
        assert "microphone 3, number 2 in the names of the files, is missing" in self.complaint(one)
        assert "--mics 1-2,4" in self.complaint(one)
        (one,) = put("a_mic0.wav", "a_mic1.wav", template="{name}_mic{ch}.wav", mics=(0, 2, 3))
        assert "microphones 3, 4, numbers 2, 3 in the names of the files, are missing" in self.complaint(one)

    def test_one_that_was_chosen_missing(self):
        (one,) = put("a.CH1.wav", "a.CH2.wav", mics=(0, 4, 5))
        assert "microphones 5, 6 are missing" in self.complaint(one)

    def test_a_microphone_twice(self):
        assert "the same microphone" in self.complaint(put("a.CH1.wav", "a.CH01.wav")[0])

    def test_a_template_that_fits_nothing(self):
        (one,) = put("a.wav", "b.wav", template="mic{ch}.wav")
        assert isinstance(one, Problem) and isinstance(one.error, NothingFound)

    def test_with_a_template_other_names_are_problems_if_named(self):
        one, two = put("mic1.wav", "x.wav", template="mic{ch}.wav", found=False)
        assert one.path.name == "mic1.wav"
        assert isinstance(two.error, InputError) and "--group" in self.complaint(two)

    def test_problems_pass(self):
        problem = Problem("x", InputError("broken"))
        assert list(grouped([problem], Grouping())) == [problem]


def test_a_group_is_called_as_a_shell_would_write_it():
    names = [f"a.CH{k}.wav" for k in range(1, 12)]
    (one,) = put(*names)
    listed = subprocess.run(["bash", "-c", f"echo {one.label}"], capture_output=True, text=True, check=True).stdout
    assert listed.split() == [f"rec/{name}" for name in names]
