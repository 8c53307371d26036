"""The pool with real processes, some of which die."""

import os
import signal
import sys
import threading
import time
import traceback
from functools import partial
from pathlib import Path

import pytest

from cleanaudio.batch import pool
from cleanaudio.batch.outcome import Done, Failed, Job, Skipped
from cleanaudio.batch.pool import Interrupted, WorkerLost, run_here, run_plan
from cleanaudio.batch.steps import Steps
from cleanaudio.batch.stop import Stop, Stopped, carry_through
from cleanaudio.errors import InputError


def jobs(folder, count):
    return [Job(n, (folder / f"{n}.in",), folder / f"{n}.out", f"{n}.in") for n in range(count)]


def run_jobs(plan, work, workers, stop):
    """Jobs in worker processes, also one alone."""
    with Steps(plan) as steps:
        yield from pool.run_jobs(steps, work, workers, stop)


def work(job):
    """What is done depends on the job's number, so that the tests need no pickled closures."""
    temporary = job.output.with_name(f".{job.output.name}.x1.part")
    temporary.touch()
    if job.number == 1:  # always killed
        os.kill(os.getpid(), signal.SIGKILL)
    if job.number == 2:  # killed the first time only
        flag = job.output.with_suffix(".flag")
        if not flag.exists():
            flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    if job.number == 3:
        raise ValueError("unforeseen")
    if job.number == 4:
        raise InputError("is broken", path=job.label)
    temporary.unlink()
    return Done(job, {"seconds": 1.0, "threads": os.environ.get("OMP_NUM_THREADS")})


def slow(job):
    job.output.with_name(f".{job.output.name}.x1.part").touch()
    time.sleep(60)
    return Done(job, {})


def by_number(outcomes):
    return {outcome.job.number: outcome for outcome in outcomes}


def test_killed_workers_cost_their_file_a_retry_and_the_others_nothing(tmp_path):
    found = by_number(run_jobs(jobs(tmp_path, 9), work, 2, Stop()))
    assert sorted(found) == list(range(9))
    assert isinstance(found[1], Failed) and isinstance(found[1].error, WorkerLost)
    assert isinstance(found[3], Failed) and "unforeseen" in found[3].error.describe()
    assert isinstance(found[4], Failed) and isinstance(found[4].error, InputError)
    assert all(isinstance(found[n], Done) for n in (0, 2, 5, 6, 7, 8))
    assert found[8].fields["threads"] == "1"
    assert not list(tmp_path.glob(".1.out.*"))


def killed_at_once(job):
    """Every job kills its first worker, as soon as it has been taken."""
    flag = job.output.with_suffix(".flag")
    if not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return Done(job, {})


def test_workers_that_die_at_once_hold_nobody_up(tmp_path):
    found = by_number(run_jobs(jobs(tmp_path, 6), killed_at_once, 3, Stop()))
    assert sorted(found) == list(range(6))
    assert all(isinstance(outcome, Done) for outcome in found.values())


class DeadOnArrival:
    """Work that ends the process which unpickles it."""

    def __reduce__(self):
        return os._exit, (9,)


def test_workers_that_cannot_start_fail_their_files(tmp_path):
    found = by_number(run_jobs(jobs(tmp_path, 2), DeadOnArrival(), 2, Stop()))
    assert sorted(found) == [0, 1]
    assert all(isinstance(outcome.error, WorkerLost) for outcome in found.values())


def unpicklable(job):
    return Done(job, {"seconds": lambda: 1.0})


def test_an_outcome_that_cannot_travel_is_a_failure(tmp_path):
    (outcome,) = run_jobs(jobs(tmp_path, 1), unpicklable, 1, Stop())
    assert isinstance(outcome, Failed) and "pickle" in outcome.error.describe().lower()


def test_the_traceback_of_an_error_in_a_worker_comes_along(tmp_path):
    (outcome,) = run_jobs(jobs(tmp_path, 4)[3:], work, 1, Stop())
    shown = "".join(traceback.format_exception(outcome.error.__cause__))
    assert 'raise ValueError("unforeseen")' in shown


def test_jobs_are_taken_a_few_ahead_only(tmp_path):
    taken = []

    def endless():
        for job in jobs(tmp_path, 1000):
            taken.append(job.number)
            yield Job(job.number + 10, job.inputs, job.output, job.label)

    outcomes = run_jobs(endless(), work, 2, Stop())
    for _ in range(3):
        next(outcomes)
    assert len(taken) <= 12
    outcomes.close()


def test_a_signal_ends_the_run_and_leaves_nothing_half(tmp_path):
    stop = Stop()
    with stop.listening():
        threading.Timer(1.5, os.kill, [os.getpid(), signal.SIGTERM]).start()
        found = list(run_jobs(jobs(tmp_path, 3), slow, 2, stop))
    assert stop.signal == signal.SIGTERM
    assert len(found) == 2 and all(isinstance(outcome.error, Interrupted) for outcome in found)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_breaks_into_work_in_this_process(tmp_path, number):
    stop = Stop()
    with stop.listening():
        threading.Timer(0.3, os.kill, [os.getpid(), number]).start()
        found = list(run_here(jobs(tmp_path, 3), slow, stop))
    assert stop.signal == number
    assert [type(outcome.error) for outcome in found] == [Interrupted]


class LastWords:
    """Sends a signal from a place out of which Python lets no exception."""

    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_that_breaks_into_a_callback_is_heard_after_it():
    stop, words = Stop(), LastWords()
    with stop.listening(), pytest.raises(Stopped), stop.breaking():
        del words
        time.sleep(5)
    assert stop.signal == signal.SIGTERM


def test_a_signal_that_nothing_is_left_to_break_off_for_does_not_come_again():
    stop, words = Stop(), LastWords()
    with stop.listening(), stop.breaking():
        del words
    time.sleep(0.1)
    assert stop.signal == signal.SIGTERM


def test_other_exceptions_in_callbacks_are_told_as_ever():
    class Fails:
        def __del__(self):
            raise ValueError("unforeseen")

    told = []
    before, sys.unraisablehook = sys.unraisablehook, lambda lost: told.append(str(lost.exc_value))
    try:
        with Stop().listening() as stop:
            Fails()
    finally:
        sys.unraisablehook = before
    assert told == ["unforeseen"] and stop.signal is None


def named(job):
    """A file that gets its name while the run is being stopped."""
    carry_through()
    job.output.with_suffix(".flag").touch()
    time.sleep(1.0)
    job.output.touch()
    return Done(job, {})


@pytest.mark.parametrize("run", [partial(run_jobs, workers=1), run_here], ids=["worker", "here"])
def test_a_file_that_is_about_to_get_its_name_gets_it(tmp_path, run):
    def interrupt():
        while not (tmp_path / "0.flag").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    stop = Stop()
    with stop.listening():
        threading.Thread(target=interrupt).start()
        found = list(run(jobs(tmp_path, 1), named, stop=stop))
    assert stop.signal == signal.SIGINT
    assert [type(outcome) for outcome in found] == [Done] and (tmp_path / "0.out").exists()


def test_one_bad_file_does_not_stop_the_rest_in_this_process(tmp_path):
    todo = [job for job in jobs(Path(tmp_path), 9) if job.number not in (1, 2)]
    found = by_number(run_here(todo, work, Stop()))
    assert isinstance(found[3], Failed) and isinstance(found[4], Failed) and isinstance(found[8], Done)


def where(threads, job):
    return Done(job, {"process": os.getpid(), "threads": threads})


class TestOneFileAlone:
    def test_is_done_in_this_process_with_all_threads(self, tmp_path):
        def plan():
            yield Skipped(job(8), "done before")
            yield from jobs(tmp_path, 1)
            yield Skipped(job(9), "done before")

        def job(number):
            return Job(number, (), tmp_path, "")

        found = by_number(run_plan(plan(), partial(partial, where), 3, Stop()))
        assert sorted(found) == [0, 8, 9]
        assert found[0].fields == {"process": os.getpid(), "threads": 3}

    def test_is_begun_elsewhere_where_the_plan_does_not_say_at_once_that_it_is_alone(self, tmp_path):
        told = threading.Event()

        def plan():
            yield from jobs(tmp_path, 1)
            assert told.wait(60)

        outcomes = run_plan(plan(), partial(partial, where), 3, Stop())
        outcome = next(outcomes)
        told.set()
        assert list(outcomes) == []
        assert outcome.fields["process"] != os.getpid() and outcome.fields["threads"] == 1


def test_a_job_is_begun_once_whatever_becomes_of_its_worker(tmp_path):
    begun = []
    with Steps(jobs(tmp_path, 3)) as steps:
        list(pool.run_jobs(steps, killed_at_once, 2, Stop(), lambda job: begun.append(job.number)))
    assert begun == [0, 1, 2]


class TestPlan:
    """What the plan does while jobs are under way."""

    def test_an_error_of_it_ends_the_run(self, tmp_path):
        def plan():
            yield from jobs(tmp_path, 3)
            raise InputError("the plan breaks", path="list")

        outcomes = run_plan(plan(), partial(partial, where), 1, Stop())
        with pytest.raises(InputError, match="the plan breaks"):
            list(outcomes)

    def test_it_is_asked_for_what_a_worker_is_free_for(self, tmp_path):
        taken, told = [], []

        def plan():
            for job in jobs(tmp_path, 9):
                taken.append(job.number)
                yield job

        for outcome in run_plan(plan(), partial(partial, where), 2, Stop()):
            told.append(outcome.job.number)
            assert len(taken) <= len(told) + 3
        assert sorted(told) == list(range(9))

    def test_a_signal_is_heard_while_it_waits(self, tmp_path):
        waiting = threading.Event()

        def plan():
            yield from jobs(tmp_path, 2)
            waiting.set()
            threading.Event().wait()

        def interrupt():
            assert waiting.wait(60)
            os.kill(os.getpid(), signal.SIGTERM)

        with Stop().listening() as stop:
            threading.Thread(target=interrupt).start()
            found = by_number(run_plan(plan(), partial(partial, where), 2, stop))
        assert stop.signal == signal.SIGTERM and sorted(found) == [0, 1]
