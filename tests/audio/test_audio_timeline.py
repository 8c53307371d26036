"""When silence stands in for sound that timestamps say is missing."""

import pytest

from cleanaudio.audio.timeline import Timeline

RATE, FRAMES = 48000, 1024
STEP_S = FRAMES / RATE


def silences(times, begin=None, longest_s=10.0, rate=RATE):
    timeline = Timeline(rate, begin, longest_s)
    return [timeline.silence_before(time, FRAMES) for time in times], timeline


def test_sound_that_begins_with_the_picture_or_alone_waits_for_nothing():
    assert silences([1.4, 1.4 + STEP_S], begin=1.4)[0] == [0, 0]
    assert silences([0.68, 0.68 + STEP_S])[0] == [0, 0]


def test_late_sound():
    got, timeline = silences([2.08, 2.08 + STEP_S], begin=1.4)
    assert got == [round(0.68 * RATE), 0] and timeline.late == got[0] and not timeline.filled


def test_a_gap_is_filled_once():
    got, timeline = silences([0.0, STEP_S, 2.0, 2.0 + STEP_S])
    assert got == [0, 0, round((2.0 - 2 * STEP_S) * RATE), 0]
    assert (timeline.filled, timeline.jumps) == (got[2], 0)


@pytest.mark.parametrize("rounding", [1e-3, 1e-2])
def test_rounded_timestamps_leave_no_gap(rounding):
    got, timeline = silences([round(number * STEP_S / rounding) * rounding for number in range(2000)], begin=0.0)
    assert not any(got) and not timeline.jumps


def test_a_clock_that_runs_away_leaves_no_gap():
    got, timeline = silences([number * STEP_S * 1.001 for number in range(20_000)])
    assert not any(got) and not timeline.jumps


def test_packets_that_arrive_late_add_up_to_no_more_than_their_lateness():
    got, _ = silences([number * STEP_S + (number % 3 == 1) * 0.03 for number in range(3000)])
    assert sum(got) == round(0.03 * RATE)


def test_frames_without_a_time_follow_those_before():
    assert silences([0.0, None, None, 3 * STEP_S])[0] == [0, 0, 0, 0]
    assert silences([None, None])[0] == [0, 0]


@pytest.mark.parametrize("there", [50_000.0, -2.0])
def test_timestamps_that_begin_again_are_followed_from_there(there):
    got, timeline = silences([0.0, STEP_S, there, there + STEP_S, there + 1.0])
    assert got == [0, 0, 0, 0, round((1.0 - 2 * STEP_S) * RATE)]
    assert timeline.jumps == 1


def test_without_reliable_timestamps_only_the_beginning_counts():
    got, timeline = silences([0.5, 3.0, 1.0], begin=0.0, longest_s=None)
    assert got == [RATE // 2, 0, 0] and not timeline.jumps
