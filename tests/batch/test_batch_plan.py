"""What the plan decides for each source, and that it decides lazily."""

from __future__ import annotations

import os
import sys
import tempfile
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from itertools import count, islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanaudio.batch import plan as plan_module
from cleanaudio.batch.history import RowIndex
from cleanaudio.batch.inputs import expand
from cleanaudio.batch.outcome import BESIDE, Done, Failed, Job, Skipped, state_columns
from cleanaudio.batch.plan import plan
from cleanaudio.batch.policy import OutputPolicy, check_targets
from cleanaudio.batch.rows import RowWriter
from cleanaudio.batch.source import Problem, Source
from cleanaudio.errors import CleanAudioError, FormatError, InputError, OutputError, RecipeError

NOW = 1_800_000_000.0
RECIPE = "0123abcd"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def source(name: str, relative: str | None = None, content: str = "sound", **more) -> Source:
    """Make a file of an hour ago and call it a source."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text(content)
        os.utime(path, (NOW - 3600, NOW - 3600))
    return Source(path, Path(relative or path.name), name, **more)


def decide(*sources: Source | Problem, policy: OutputPolicy | None = None, log: RowIndex | None = None, **options):
    policy = policy or OutputPolicy(**{"folder": Path("out"), **options})
    return list(plan(sources, policy, recipe_hash=RECIPE, log=log, now=lambda: NOW))


def outputs(*sources: Source, **options) -> list[str]:
    steps = decide(*sources, **options)
    assert all(isinstance(step, Job) for step in steps), steps
    return [str(step.output) for step in steps]


def failure(*sources: Source, **options) -> CleanAudioError:
    step = decide(*sources, **options)[-1]
    assert isinstance(step, Failed), step
    return step.error


def run(*sources: Source, recipe: str = RECIPE, **options) -> RowIndex:
    """Do what a run would do, log it in out/metrics.csv, and return what the log then says."""
    log_file = Path("out/metrics.csv")
    beside = [name for what in BESIDE for name in state_columns(what)]
    with RowWriter(log_file, "run", "1", recipe, beside) as rows:
        for step in decide(*sources, log=RowIndex.read(log_file), **options):
            if isinstance(step, Job):
                for path in step.targets:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text("clean")
                step = Done(step, {})
            rows.write(step)
    return RowIndex.read(log_file)


class TestNames:
    def test_the_tree_is_mirrored(self, here):
        assert outputs(source("in/a.wav", "a.wav"), source("in/s1/a.wav", "s1/a.wav")) == ["out/a.wav", "out/s1/a.wav"]

    def test_a_job_knows_its_input(self, here):
        (job,) = decide(source("in/a.wav"))
        assert job == Job(
            0, (Path("in/a.wav"),), Path("out/a.wav"), "in/a.wav", size=5, mtime_ns=os.stat("in/a.wav").st_mtime_ns
        )

    @pytest.mark.parametrize(
        ("template", "suffix", "expected"),
        [
            ("{stem}{suffix}.{ext}", "_clean", "out/d/take.1_clean.wav"),
            ("{parent}-{name}.{ext}", "", "out/d/s2-take.1.wav.wav"),
            ("{number:03}_{backend}/{stem}.{ext}", "", "out/d/001_onnx:m-x.onnx/take.1.wav"),
            ("{{{stem}}}.{ext}", "", "out/d/{take.1}.wav"),
        ],
    )
    def test_templates(self, here, template, suffix, expected):
        take = source("s2/take.1.wav", "d/take.1.wav")
        assert outputs(take, name=template, suffix=suffix, backend="onnx:m/x.onnx") == [expected]

    @pytest.mark.parametrize(
        "template",
        [
            "{rate}",
            "{}",
            "{0}",
            "{stem",
            "{stem.__class__}",
            "{stem[0]}",
            "{stem:d}",
            "{stem:{number}}",
            "",
            "{stem}/",
            "/tmp/{stem}.{ext}",
            "../{stem}.{ext}",
            "a/../{stem}.{ext}",
            "./{stem}",
            "a\0b",
        ],
    )
    def test_templates_that_make_no_sense_stop_everything(self, template):
        with pytest.raises(RecipeError) as caught:
            OutputPolicy(folder=Path("out"), name=template)
        assert caught.value.remedy

    @pytest.mark.parametrize("suffix", ["/x", "../../x", "a\0"])
    def test_a_suffix_is_no_path(self, suffix):
        with pytest.raises(RecipeError, match="suffix"):
            OutputPolicy(folder=Path("out"), suffix=suffix)

    @pytest.mark.parametrize("targets", [{}, {"folder": Path("o"), "file": Path("f")}])
    def test_one_target(self, targets):
        with pytest.raises(RecipeError, match="output") as caught:
            OutputPolicy(**targets)
        assert "-o" in caught.value.remedy

    def test_a_field_that_leads_out_of_the_folder_is_that_files_failure(self, here):
        climbing = source("...wav")  # its stem is ".."
        assert climbing.path.stem == ".."
        first, second = decide(climbing, source("b.wav"), name="{stem}/{name}")
        assert isinstance(first.error, RecipeError)
        assert isinstance(second, Job)

    @pytest.mark.parametrize("extension", ["flac", ".flac", lambda path: ".flac", lambda path: "flac"])
    def test_extension(self, here, extension):
        assert outputs(source("a.m4a"), extension=extension) == ["out/a.flac"]

    def test_extension_of_an_unknown_format_is_that_files_failure(self, here):
        def extension(path: Path) -> str:
            if path.suffix == ".doc":
                raise FormatError("cannot be written", path=path)
            return path.suffix

        bad, good = decide(source("a.doc"), source("b.wav"), extension=extension)
        assert isinstance(bad.error, FormatError)
        assert good.output == Path("out/b.wav")

    def test_residual_stands_beside_the_output(self, here):
        (job,) = decide(source("a.wav"), residual=True, suffix="_c")
        assert job.residual == Path("out/a_c.residual.wav")

    def test_a_name_too_long_for_the_file_system(self, here):
        os.mkdir("out")
        assert "too long" in failure(source("a.wav"), suffix="x" * 300).message.lower()

    @settings(max_examples=50, deadline=None)
    @given(
        st.binary(min_size=1, max_size=40).filter(lambda name: not {0, 0x2F} & set(name) and name not in (b".", b".."))
    )
    def test_any_name_stays_in_the_output_folder(self, raw):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, os.fsdecode(raw) + ".wav")
            path.write_text("x")
            policy = OutputPolicy(folder=Path(folder, "out"), name="{stem}/{name}")
            (step,) = decide(Source(path, Path(path.name), str(path)), policy=policy)
            if isinstance(step, Job):
                assert os.path.commonpath([os.path.abspath(step.output), policy.folder]) == str(policy.folder)
            else:
                assert isinstance(step.error, RecipeError)

    def test_a_sidecar_stands_beside_the_output(self, here):
        (job,) = decide(source("a.wav"), sidecar=True, suffix="_c")
        assert job.sidecar == Path("out/a_c.wav.json")
        assert job.targets == (Path("out/a_c.wav"), Path("out/a_c.wav.json"))


class TestSeveralFiles:
    """One recording in several files, as at an array."""

    def recording(self, *names: str) -> Source:
        for name in names:
            source(name)
        return Source(Path("in/a.wav"), Path("a.wav"), "in/a.{1,2}.wav", parts=tuple(Path(name) for name in names))

    def test_all_of_them_are_inputs(self, here):
        recording = self.recording("in/a.1.wav", "in/a.2.wav")
        os.utime("in/a.1.wav", ns=(5_000_000_000, 5_000_000_000))
        (job,) = decide(recording)
        newest = os.stat("in/a.2.wav").st_mtime_ns
        assert (job.inputs, job.output) == (recording.parts, Path("out/a.wav"))
        assert (job.size, job.mtime_ns, job.label) == (10, newest, "in/a.{1,2}.wav")

    @pytest.mark.parametrize("name", ["a.1.wav", "a.2.wav"])
    def test_none_of_them_is_replaced(self, here, name):
        policy = OutputPolicy(Path("in"), name=name, existing="overwrite")
        assert "itself" in failure(self.recording("in/a.1.wav", "in/a.2.wav"), policy=policy).message

    def test_one_that_is_not_there(self, here):
        error = failure(Source(Path("a.wav"), Path("a.wav"), "a", parts=(Path("nix.1.wav"), Path("nix.2.wav"))))
        assert isinstance(error, InputError) and "nix.1.wav" in error.describe()

    def test_a_change_of_any_makes_it_anew(self, here):
        recording = self.recording("in/a.1.wav", "in/a.2.wav")
        log = run(recording)
        assert isinstance(decide(recording, log=log, existing="skip")[0], Skipped)
        os.utime("in/a.2.wav", (NOW - 60, NOW - 60))
        (step,) = decide(recording, log=log, existing="skip")
        assert isinstance(step, Job) and step.anew == "the recording has changed"


class TestBadInputs:
    def test_problems_keep_their_place_and_get_a_row(self, here):
        error = InputError("no such file", path="nix.wav")
        first, second = decide(Problem("nix.wav", error), source("a.wav"))
        assert isinstance(first, Failed)
        assert (first.error, first.job.label, first.job.number, second.number) == (error, "nix.wav", 0, 1)

    def test_a_file_that_went_away(self, here):
        gone = Source(Path("gone.wav"), Path("gone.wav"), "gone.wav")
        error = failure(gone)
        assert isinstance(error, InputError)
        assert error.path == "gone.wav"

    def test_a_device_or_pipe(self, here):
        os.mkfifo("p.wav")
        assert "regular" in failure(source("p.wav")).message

    def test_min_age(self, here):
        young, old = source("young.wav"), source("old.wav")
        os.utime("young.wav", (NOW - 12.4, NOW - 12.4))
        first, second = decide(young, old, min_age_s=60)
        assert isinstance(first, Skipped)
        assert first.reason == "still being written: modified 12 s ago"
        assert isinstance(second, Job)

    def test_a_recorder_with_its_clock_a_little_or_far_ahead(self, here):
        near, far = source("near.wav"), source("far.wav")
        os.utime("near.wav", (NOW + 5, NOW + 5))
        os.utime("far.wav", (NOW + 1e6, NOW + 1e6))
        first, second = decide(near, far, min_age_s=60)
        assert isinstance(first, Skipped)
        assert isinstance(second, Job)

    def test_the_clock_goes_on_while_the_plan_is_worked_on(self, here):
        files = [source("a.wav"), source("b.wav")]
        os.utime("b.wav", (NOW + 500, NOW + 500))
        clock = iter([NOW, NOW + 510])
        steps = plan(files, OutputPolicy(Path("out"), min_age_s=60), recipe_hash=RECIPE, now=lambda: next(clock))
        assert [type(step) for step in steps] == [Job, Skipped]


class TestCollisions:
    def test_two_inputs_with_one_output_name_both(self, here):
        first, second = decide(source("a/take.wav"), source("b/take.wav"))
        assert isinstance(first, Job)
        assert isinstance(second.error, OutputError)
        assert second.error.path == "b/take.wav"
        assert "a/take.wav" in second.error.message
        assert "out/take.wav" in second.error.message
        assert "--name" in second.error.remedy

    def test_by_format(self, here):
        assert isinstance(failure(source("a.wav"), source("a.flac"), extension="wav"), OutputError)

    def test_of_a_residual_with_an_output(self, here):
        error = failure(source("a.wav"), source("a.residual.wav"), residual=True)
        assert "a.wav" in error.message

    def test_through_a_link_in_the_output_folder(self, here):
        os.makedirs("out/x")
        os.symlink("x", "out/y")
        assert "x.wav" in failure(source("x.wav", "x/z.wav"), source("y.wav", "y/z.wav"), name="z.wav").message

    def test_a_skipped_input_keeps_its_name(self, here):
        young = source("a/take.wav")
        os.utime("a/take.wav", (NOW, NOW))
        assert "a/take.wav" in failure(young, source("b/take.wav"), min_age_s=60).message

    def test_in_a_very_long_plan_the_number_is_told(self, here, monkeypatch):
        monkeypatch.setattr(plan_module, "_LABELS_KEPT", 1)
        error = failure(source("x.wav"), source("a/take.wav"), source("b/take.wav"))
        assert "input 2 of this run" in error.message


class TestNeverTheInput:
    @pytest.mark.parametrize("existing", ["refuse", "skip", "overwrite"])
    def test_same_name(self, here, existing):
        error = failure(source("d/a.wav"), policy=OutputPolicy(Path("d"), existing=existing))
        assert "the input itself" in error.message
        assert error.path == "d/a.wav"

    def test_same_file_by_a_link_a_hard_link_and_a_linked_folder(self, here):
        take = source("d/a.wav")
        os.makedirs("soft")
        os.symlink("../d/a.wav", "soft/a.wav")
        os.makedirs("hard")
        os.link("d/a.wav", "hard/a.wav")
        os.symlink("d", "folder")
        for folder in ("soft", "hard", "folder"):
            error = failure(take, policy=OutputPolicy(Path(folder), existing="overwrite"))
            assert "the input itself" in error.message

    def test_an_output_file(self, here):
        assert (
            "itself"
            in failure(source("a.wav"), policy=OutputPolicy(file=Path("./a.wav"), existing="overwrite")).message
        )

    def test_the_residual(self, here):
        policy = OutputPolicy(Path("d"), name="a.wav", residual=True, existing="overwrite")
        assert "itself" in failure(source("d/a.residual.wav"), policy=policy).message

    def test_another_input_of_the_run(self, here):
        policy = OutputPolicy(Path("d"), name="b.wav", existing="overwrite")
        steps = decide(source("d/b.wav"), source("d/a.wav"), policy=policy)
        assert [type(step) for step in steps] == [Failed, Failed]
        assert "another input" in steps[1].error.message

    def test_an_input_that_comes_after_its_name_was_given_away(self, here):
        steps = decide(
            source("d/a.wav"), source("d/b.wav"), policy=OutputPolicy(Path("d"), name="b.wav", existing="skip")
        )
        assert "d/a.wav" in steps[1].error.message


class TestExisting:
    def test_refused_by_default(self, here):
        source("out/a.wav")
        for metrics, remedy in ((None, "--overwrite"), (Path("out/m.csv"), "--overwrite or --skip-existing")):
            error = failure(source("a.wav"), metrics=metrics)  # without a log nothing is known to be done
            assert "exists" in error.message
            assert error.path == "out/a.wav"
            assert error.remedy == remedy

    def test_a_residual_is_not_overwritten_either(self, here):
        source("out/a.residual.wav")
        assert failure(source("a.wav"), residual=True).path == "out/a.residual.wav"

    def test_a_link_that_leads_nowhere_is_something(self, here):
        os.mkdir("out")
        os.symlink("nowhere", "out/a.wav")
        assert "exists" in failure(source("a.wav")).message

    def test_overwrite(self, here):
        source("out/a.wav")
        assert outputs(source("a.wav"), existing="overwrite") == ["out/a.wav"]

    @pytest.mark.parametrize("existing", ["refuse", "skip", "overwrite"])
    def test_a_folder_of_that_name(self, here, existing):
        os.makedirs("out/a.wav")
        assert "folder" in failure(source("a.wav"), existing=existing).message


class TestSkipExisting:
    def test_done_before_is_skipped_again_and_again(self, here):
        a = source("a.wav")
        for _ in range(3):
            log = run(a, existing="skip")
        (step,) = decide(a, existing="skip", log=log)
        assert isinstance(step, Skipped)
        assert "earlier run" in step.reason

    def test_an_output_that_is_gone_is_made_again(self, here):
        a = source("a.wav")
        log = run(a)
        os.remove("out/a.wav")
        assert outputs(a, existing="skip", log=log) == ["out/a.wav"]

    def test_another_input_is_cleaned_again(self, here):
        a = source("a.wav")
        log = run(a)
        Path("a.wav").write_text("other")  # as long as before
        assert outputs(a, existing="skip", log=log) == ["out/a.wav"]
        os.utime("a.wav", (NOW - 3600, NOW - 3600))
        assert isinstance(decide(a, existing="skip", log=log)[0], Skipped)
        Path("a.wav").write_text("longer than before")
        os.utime("a.wav", (NOW - 3600, NOW - 3600))
        assert outputs(a, existing="skip", log=log) == ["out/a.wav"]

    def test_another_recipe_cleans_again(self, here):
        a = source("a.wav")
        log = run(a, recipe="another")
        assert outputs(a, existing="skip", log=log) == ["out/a.wav"]

    def test_a_file_that_the_log_does_not_know_is_refused(self, here):
        source("out/a.wav")
        log = run(source("b.wav"))
        for known in (log, None):
            error = failure(source("a.wav"), existing="skip", log=known)
            assert "is not in the log" in error.message
            assert "--overwrite" in error.remedy

    def test_what_a_killed_run_had_begun_is_made_anew_but_only_with_leave_to_skip(self, here):
        one = source("in/one.wav")
        Path("out").mkdir()
        Path("out/one.wav").write_text("clean, and named in the moment of the kill")
        common = {"recipe_hash": RECIPE, "begun": lambda output: output == Path("out/one.wav"), "now": lambda: NOW}
        (step,) = plan([one], OutputPolicy(Path("out"), existing="skip"), **common)
        assert isinstance(step, Job) and "was killed" in step.anew
        (step,) = plan([one], OutputPolicy(Path("out")), **common)
        assert isinstance(step, Failed)

    def test_an_outdated_output_that_someone_has_edited_is_refused(self, here):
        a = source("a.wav")
        log = run(a, recipe="another")
        made = os.stat("out/a.wav").st_mtime_ns
        for moved_ns in (3600 * 10**9, 1, -5 * 10**9):
            os.utime("out/a.wav", ns=(made + moved_ns, made + moved_ns))
            assert "changed since" in failure(a, existing="skip", log=log).message

    def test_an_archive_that_kept_whole_seconds_only_is_not_taken_for_edited(self, here):
        a = source("a.wav")
        log = run(a, recipe="another")
        made = os.stat("out/a.wav").st_mtime_ns // 10**9 * 10**9
        os.utime("out/a.wav", ns=(made, made))
        assert outputs(a, existing="skip", log=log) == ["out/a.wav"]

    def test_a_missing_sidecar_is_made(self, here):
        log = run(source("a.wav"), sidecar=True)
        Path("out/a.wav.json").unlink()
        (step,) = decide(source("a.wav"), log=log, sidecar=True, existing="skip")
        assert isinstance(step, Job) and step.anew == "a part of the output was missing"

    @pytest.mark.parametrize(("beside", "name"), [("sidecar", "out/a.wav.json"), ("residual", "out/a.residual.wav")])
    def test_what_is_empty_beside_an_output_is_made_anew(self, here, beside, name):
        log = run(source("a.wav"), **{beside: True})
        Path(name).write_bytes(b"")
        later = 2 * NOW
        os.utime(name, (later, later))
        assert isinstance(decide(source("a.wav"), log=log, existing="skip", **{beside: True})[0], Job)

    @pytest.mark.parametrize(("beside", "name"), [("sidecar", "out/a.wav.json"), ("residual", "out/a.residual.wav")])
    @pytest.mark.parametrize("made_by", [RECIPE, "another"])
    def test_what_is_beside_an_output_and_not_ours_is_never_replaced(self, here, beside, name, made_by):
        a = source("a.wav")
        log = run(a, recipe=made_by)
        Path(name).write_text("someone's own")
        error = failure(a, existing="skip", log=log, **{beside: True})
        assert error.path == name and "is not in the log" in error.message

    @pytest.mark.parametrize(("beside", "name"), [("sidecar", "out/a.wav.json"), ("residual", "out/a.residual.wav")])
    def test_what_is_beside_an_output_is_watched_for_changes_too(self, here, beside, name):
        a = source("a.wav")
        log = run(a, recipe="another", **{beside: True})
        os.utime(name, (NOW - 60, NOW - 60))
        assert "changed since" in failure(a, existing="skip", log=log, **{beside: True}).message
        Path(name).write_text("longer than what was made")
        assert "not as it was made" in failure(a, existing="skip", log=log, **{beside: True}).message

    @pytest.mark.parametrize("beside", ["sidecar", "residual"])
    def test_what_is_beside_an_output_and_older_than_it_is_made_anew(self, here, beside):
        a = source("a.wav")
        run(a, recipe="another", **{beside: True})
        log = run(a, existing="skip")
        (step,) = decide(a, existing="skip", log=log, **{beside: True})
        assert isinstance(step, Job) and step.anew == "settings or versions differ"

    def test_the_log_is_no_output(self, here):
        for existing in ("refuse", "skip", "overwrite"):
            error = failure(source("a.wav"), existing=existing, metrics=Path("out/../out/a.wav"))
            assert "replace the log" in error.message

    def test_a_missing_residual_is_made(self, here):
        a = source("a.wav")
        log = run(a)
        (step,) = decide(a, existing="skip", log=log, residual=True)
        assert isinstance(step, Job)
        log = run(source("b.wav"), residual=True)
        assert isinstance(decide(source("b.wav"), existing="skip", log=log, residual=True)[0], Skipped)

    def test_a_failure_after_it_does_not_make_a_good_output_bad(self, here):
        a = source("a.wav")
        run(a)
        run(source("x/a.wav"), recipe="another")  # refused: its output exists
        log = RowIndex.read(Path("out/metrics.csv"))
        assert isinstance(decide(a, existing="skip", log=log)[0], Skipped)

    def test_cleaning_a_folder_into_itself_does_not_clean_the_cleaned(self, here):
        source("out/a.wav")

        def step_types(existing: str) -> list[type]:
            sources = expand(["out"], suffixes={".wav"}, exclude=[Path("out")])
            log = RowIndex.read(Path("out/metrics.csv"))
            return [type(step) for step in decide(*sources, log=log, suffix="_c", residual=True, existing=existing)]

        assert step_types("skip") == [Job]
        run(source("out/a.wav"), suffix="_c", residual=True)
        assert sorted(os.listdir("out")) == ["a.wav", "a_c.residual.wav", "a_c.wav", "metrics.csv"]
        assert step_types("skip") == [Skipped] * 3
        assert step_types("overwrite") == [Job, Skipped, Skipped]
        named = source("out/a_c.wav")
        assert outputs(named, log=RowIndex.read(Path("out/metrics.csv")), suffix="_c") == ["out/a_c_c.wav"]


class TestQuarantine:
    def test_what_the_log_does_not_know_stays(self, here):
        notes = here / "out/quarantine/a.wav"
        notes.parent.mkdir(parents=True)
        notes.write_text("my notes")
        options = {"existing": "skip", "quarantines": True, "log": RowIndex.read(here / "no.csv")}
        assert "is not in the log" in str(failure(source("a.wav"), **options))
        assert outputs(source("a.wav"), existing="overwrite", quarantines=True) == ["out/a.wav"]
        assert outputs(source("a.wav"), existing="skip") == ["out/a.wav"]  # nothing is set apart

    def test_belongs_to_one_job(self, here):
        message = str(failure(source("a.wav"), source("in/a.wav", "quarantine/a.wav"), quarantines=True))
        assert "a.wav has the same output out/quarantine/a.wav" in message

    def test_is_made_anew_from_a_recording_that_has_changed(self, here):
        log_file = here / "out/metrics.csv"
        take = source("a.wav")
        (job,) = decide(take, quarantines=True)
        apart = here / "out/quarantine/a.wav"
        apart.parent.mkdir(parents=True)
        apart.write_text("clean")
        with RowWriter(log_file, "run", "1", RECIPE, ("gate",)) as rows:
            rows.write(Done(replace(job, output=apart), {"gate": "fail"}))
        options = {"log": RowIndex.read(log_file), "existing": "skip", "quarantines": True}
        (step,) = decide(take, **options)
        assert isinstance(step, Skipped) and step.rejected
        os.utime(take.path, (NOW - 1800, NOW - 1800))
        (step,) = decide(take, **options)
        assert isinstance(step, Job)
        os.utime(apart, (NOW + 60, NOW + 60))
        assert "was changed since it was made" in str(failure(take, **options))


class TestUpFront:
    def test_a_file_for_several_inputs_stops_everything(self, here):
        with pytest.raises(RecipeError, match="several"):
            decide(source("a.wav"), source("b.wav"), policy=OutputPolicy(file=Path("o.wav")))
        assert outputs(source("a.wav"), policy=OutputPolicy(file=Path("o.wav"))) == ["o.wav"]

    def test_a_folder_that_is_not_there_yet(self, here):
        check_targets(OutputPolicy(Path("new/out")))
        check_targets(OutputPolicy(file=Path("new.wav")))
        assert os.listdir() == []

    def test_a_file_in_place_of_the_folder(self, here):
        source("out")
        for policy in (OutputPolicy(Path("out")), OutputPolicy(Path("out/sub")), OutputPolicy(file=Path("out/a.wav"))):
            with pytest.raises(OutputError, match="not a folder") as caught:
                check_targets(policy)
            assert caught.value.path == "out"

    def test_a_folder_in_place_of_the_file(self, here):
        os.mkdir("a.wav")
        with pytest.raises(OutputError, match="is a folder"):
            check_targets(OutputPolicy(file=Path("a.wav")))

    def test_read_only_folder(self, monkeypatch):
        root = not os.geteuid()
        with tempfile.TemporaryDirectory() as name:
            os.chmod(name, 0o555)
            monkeypatch.setattr(os, "access", lambda path, mode: bool(os.stat(path).st_mode & 0o222) or not root)
            for policy in (
                OutputPolicy(Path(name)),
                OutputPolicy(Path(name, "new")),
                OutputPolicy(file=Path(name, "a.wav")),
            ):
                with pytest.raises(OutputError, match="cannot be written to"):
                    check_targets(policy)


class TestLazy:
    def sources(self) -> Iterator[Source]:
        take = source("take.wav")
        for i in count():
            yield Source(take.path, Path(f"{i // 100}/{i:08}.wav"), f"{i:08}.wav")

    def steps(self) -> Iterator[Job | Skipped | Failed]:
        return plan(
            self.sources(),
            OutputPolicy(Path("out"), name="{parent}/{stem}-{number}.{ext}"),
            recipe_hash=RECIPE,
            now=lambda: NOW,
        )

    def test_nothing_is_taken_before_it_is_needed(self, here):
        taken = []
        watched = (taken.append(item) or item for item in self.sources())
        steps = plan(
            watched, OutputPolicy(Path("out"), name="{stem}-{number}.{ext}"), recipe_hash=RECIPE, now=lambda: NOW
        )
        assert not taken
        next(steps)
        assert len(taken) == 1

    @pytest.mark.slow
    def test_a_long_plan_stays_small(self, here, monkeypatch):
        monkeypatch.setattr(plan_module, "_LABELS_KEPT", 100)
        steps = self.steps()
        tracemalloc.start()
        try:
            for i in range(300_000):  # pathlib interns names: let that table grow to its size before we measure
                sys.intern(f"{i} of many")
            assert all(isinstance(step, Job) for step in islice(steps, 5000))
            before, _ = tracemalloc.get_traced_memory()
            assert all(isinstance(step, Job) for step in islice(steps, 5000))
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert after - before < 80 * 5000  # a set of the names themselves takes more than twice as much


class TestAnotherRecording:
    def test_does_not_replace_what_an_earlier_run_made(self, here):
        run(source("a/rec.wav"))
        other = source("b/rec.wav")
        other.path.write_text("another one")
        os.utime(other.path, (NOW - 7200, NOW - 7200))
        log = RowIndex.read(Path("out/metrics.csv"))
        message = str(failure(other, log=log, existing="skip"))
        assert message.startswith("the output out/rec.wav exists, and was made of another recording")
        (again,) = decide(source("a/rec.wav"), log=log, existing="skip")
        assert isinstance(again, Skipped)

    def test_is_told_by_its_place_and_not_by_how_it_was_called(self, here, monkeypatch):
        for name in ("a", "b"):
            source(f"{name}/rec.wav")
        monkeypatch.chdir("a")
        run(source("rec.wav"), folder=here / "out")
        log = RowIndex.read(Path("out/metrics.csv"))
        changed = NOW - 1800
        for name in ("a", "b"):
            os.utime(here / name / "rec.wav", (changed, changed))
        monkeypatch.chdir(here / "b")
        assert "was made of another" in str(failure(source("rec.wav"), folder=here / "out", log=log, existing="skip"))
        monkeypatch.chdir(here)
        (again,) = decide(source("a/rec.wav"), log=log, existing="skip")
        assert isinstance(again, Job)

    def test_came_through_a_pipe(self, here):
        first, second = source("room1/stdin.wav"), source("room2/stdin.wav", content="another")
        policy = OutputPolicy(file=here / "out/x.wav", existing="skip")
        log = run(replace(first, label="-"), policy=policy)
        assert "was made of another" in str(failure(replace(second, label="-"), policy=policy, log=log))

    def test_may_be_the_same_in_another_place(self, here):
        log = run(source("a/rec.wav"))
        (step,) = decide(source("b/rec.wav"), log=log, existing="skip")
        assert isinstance(step, Skipped)
