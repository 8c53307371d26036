"""A whole run: in which order outcomes are told, and what the sums say meanwhile."""

import os
import signal
import threading
import time
from functools import partial
from multiprocessing import active_children
from pathlib import Path

import pytest

from cleanaudio.batch.outcome import Done, Failed, Job, Skipped
from cleanaudio.batch.run import run
from cleanaudio.errors import InputError


def job(number):
    return Job(number, (), Path(f"{number}.wav"), f"{number}.wav")


def plan():
    """Five jobs, of which the first takes longest, a file to be skipped and one that is broken before it is begun."""
    yield job(0)
    yield job(1)
    yield Skipped(job(2), "done before")
    yield Failed(job(3), InputError("broken", path="3.wav"))
    yield job(4)
    yield job(5)
    yield job(6)


def work(seconds, threads, job):
    time.sleep(seconds if job.number == 0 else 0)
    return Done(job, {"seconds": 1.0})


def test_in_order_what_comes_early_waits_and_is_counted_at_once():
    told, sums, at_first = [], [], []

    def on_outcome(outcome):
        if not told:
            at_first.append(sums[-1])
        told.append(outcome.job.number)

    summary = run(
        plan(), partial(partial, work, 0.7), 2, None, on_outcome, lambda s: sums.append(s.total), in_order=True
    )
    assert told == list(range(7))
    assert sums == list(range(1, 8)) and at_first == [7]  # the first one was ready last
    assert (summary.done, summary.skipped, summary.failed) == (5, 1, 1)


@pytest.mark.parametrize("workers", [1, 2])
def test_without_it_each_outcome_is_told_as_it_comes(workers):
    told = []
    run(plan(), partial(partial, work, 0.7), workers, None, lambda outcome: told.append(outcome.job.number))
    assert sorted(told) == list(range(7))
    assert told[-1] == 0 if workers == 2 else told.index(0) < told.index(1)


def test_what_waits_is_told_too_when_the_run_is_stopped():
    told = []

    def steps():
        yield Skipped(job(1), "done before")
        os.kill(os.getpid(), signal.SIGINT)
        yield job(0)

    summary = run(steps(), partial(partial, work, 0), 2, None, told.append, in_order=True)
    assert summary.signal == signal.SIGINT
    assert [outcome.job.number for outcome in told][-1] == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_a_plan_that_waits_holds_up_no_outcome(workers):
    """As one whose names come through a pipe: the next may be named only after the one before is told."""
    told = [threading.Event() for _ in range(5)]

    def steps():
        for number, event in enumerate(told):
            yield Skipped(job(number), "done before") if number == 3 else job(number)
            assert event.wait(60), f"{number} was not told of"

    summary = run(steps(), partial(partial, work, 0), workers, None, lambda outcome: told[outcome.job.number].set())
    assert (summary.done, summary.skipped) == (4, 1)


def test_the_workers_end_with_a_run_that_breaks_off():
    def on_outcome(outcome):
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        run(plan(), partial(partial, work, 60), 2, None, on_outcome)
    assert active_children() == []
