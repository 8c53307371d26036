import numpy as np
import pytest

from cleanaudio.errors import InputError
from cleanaudio.spatial.geometry import Geometry, circular, linear
from cleanaudio.spatial.health import HealthCheck, Repair


@pytest.fixture(scope="module")
def recording(wave, speech_like):
    """A voice and some noise at six microphones, (6, 4 s)."""
    rng = np.random.default_rng(0)
    signal = wave(circular(6, 0.0463), 40, speech_like(4.0, 16000, 2))
    return signal + 0.003 * rng.standard_normal(signal.shape).astype(np.float32)


def _check(signal, geometry=None, block=5000):
    check = HealthCheck(16000, len(signal), geometry, 343.0)
    for k in range(0, signal.shape[1], block):
        check.push(signal[:, k : k + block])
    return check.report()


def _kinds(report):
    return [(f.channel, f.kind) for f in report.findings]


def test_a_healthy_array(recording):
    report = _check(recording, circular(6, 0.0463))
    assert not report.findings and report.use == (0, 1, 2, 3, 4, 5)
    assert report.describe() == []


def test_dead_quiet_and_clipped(recording):
    broken = recording.copy()
    broken[1] = 0
    broken[2] *= 0.01
    broken[4] = np.clip(20 * broken[4], -1, 1)
    report = _check(broken)
    assert _kinds(report) == [(1, "dead"), (2, "quiet"), (4, "clipped")]
    assert report.use == (0, 3, 5)
    assert report.reference in report.use
    assert report.describe()[0] == "microphone 2 is silent: left out"
    assert report.keep_all().use == (0, 1, 2, 3, 4, 5)


@pytest.mark.parametrize("run_length", [2, 3, 10])
def test_the_share_of_clipped_samples_is_that_of_their_runs(recording, run_length):
    broken = recording.copy()
    full = np.arange(broken.shape[1]) % 500 < run_length
    broken[2, full] = 1.0
    (finding,) = (f for f in _check(broken, block=501).findings if f.kind == "clipped")
    assert finding.channel == 2 and f"({100 * np.mean(full):.1f} %" in finding.detail


def test_lone_samples_at_full_scale_are_not_clipped(recording):
    normalised = recording.copy()
    normalised[2, ::500] = 1.0
    assert "clipped" not in [f.kind for f in _check(normalised).findings]


@pytest.mark.parametrize(("gain_db", "kind", "said"), [(-25, "quiet", "25 dB quieter"), (-70, "dead", "(-70 dB)")])
@pytest.mark.parametrize("channels", [2, 3, 6])
def test_a_microphone_is_as_quiet_as_it_is_against_the_others(recording, channels, gain_db, kind, said):
    weak = np.repeat(recording[:1], channels, axis=0)
    weak[1] *= np.float32(10 ** (gain_db / 20))
    check = HealthCheck(16000, channels)
    check.push(weak)
    (finding,) = check.report(keep=True).findings
    assert (finding.channel, finding.kind) == (1, kind) and said in finding.detail
    if channels == 2:
        with pytest.raises(InputError, match="of 2 microphones only 1"):
            check.report()


def test_an_offset_is_no_sound(recording):
    offset = np.zeros((6, 1), np.float32)
    offset[:2] = 0.2
    quiet = 0.05 * recording
    assert _check(quiet + offset).use == _check(quiet).use
    dead = recording.copy()
    dead[3] = 0.05
    assert _kinds(_check(dead)) == [(3, "dead")]


def test_an_inverted_channel_is_turned_over(recording, run):
    broken = recording.copy()
    broken[3] *= -1
    report = _check(broken)
    assert _kinds(report) == [(3, "inverted")]
    np.testing.assert_array_equal(run(Repair(report), broken), recording)


@pytest.mark.parametrize("silent", [4, 5])
def test_microphones_are_judged_also_where_most_inputs_are_empty(recording, silent):
    broken = np.concatenate([np.zeros((silent, recording.shape[1]), np.float32), recording[:3]])
    broken[-2] *= -1
    broken[-1] = np.roll(broken[-1], 1600)
    found = _kinds(_check(broken))
    assert [(channel, "dead") for channel in range(silent)] == found[:silent]
    assert {kind for _, kind in found[silent:]} == {"inverted", "late"}


@pytest.mark.parametrize("samples", [3200, -3200])
def test_a_channel_that_is_200_ms_off_is_shifted(recording, run, samples):
    broken = recording.copy()
    broken[2] = np.roll(broken[2], samples)
    report = _check(broken)
    assert _kinds(report) == [(2, "late")]
    assert f"{'late' if samples > 0 else 'early'}" in report.describe()[0] and report.late[2] == pytest.approx(
        samples, abs=6
    )
    repaired = run(Repair(report), broken, 700)
    assert repaired.shape == recording.shape
    np.testing.assert_array_equal(repaired[[0, 1, 3, 4, 5]], recording[[0, 1, 3, 4, 5]])


@pytest.mark.parametrize("samples", [4800, 4801, 4803])
def test_two_microphones_are_aligned_to_the_sample(run, samples):
    rng = np.random.default_rng(0)
    voice = rng.standard_normal(4 * 16000).astype(np.float32) * 0.1
    late = np.concatenate([np.zeros(samples, np.float32), voice[:-samples]])
    repaired = run(Repair(_check(np.stack([voice, late]))), np.stack([voice, late]))
    np.testing.assert_array_equal(repaired[0, 5000:-5000], repaired[1, 5000:-5000])


def test_microphones_are_judged_by_their_sound_where_dead_ones_have_an_offset():
    rng = np.random.default_rng(0)
    voice = 0.1 * rng.standard_normal(10 * 16000)
    signal = np.stack([voice, -voice, 0 * voice + 0.5, 0 * voice + 0.5])
    signal[:2] += 0.001 * rng.standard_normal((2, len(voice)))
    report = _check(signal.astype(np.float32))
    assert report.use == (0, 1) and len(report.inverted) == 1


@pytest.fixture(scope="module")
def wide(wave, speech_like):
    """A voice and some noise along a table of 1.5 m, (6, 4 s)."""
    rng = np.random.default_rng(0)
    signal = wave(linear(6, 0.3), 40, speech_like(4.0, 16000, 2))
    return signal + 0.003 * rng.standard_normal(signal.shape).astype(np.float32)


@pytest.mark.parametrize("delay", [150, 300])
@pytest.mark.parametrize("channel", range(6))
def test_a_microphone_with_a_loud_echo_is_not_late(wide, channel, delay):
    echoing = wide.copy()
    echoing[channel] += 1.3 * np.roll(wide[channel], delay)
    assert not _check(echoing, linear(6, 0.3)).findings


@pytest.mark.parametrize("samples", [800, -1600, 6000])
@pytest.mark.parametrize("channel", range(6))
def test_any_microphone_of_a_wide_array_may_be_late(wide, channel, samples):
    broken = wide.copy()
    broken[channel] = np.roll(broken[channel], samples)
    report = _check(broken, linear(6, 0.3))
    assert _kinds(report) == [(channel, "late")] and report.late[channel] == pytest.approx(samples, abs=80)


def test_a_microphone_with_a_loud_echo_may_be_inverted(wide):
    broken = wide.copy()
    broken[4] += 1.3 * np.roll(wide[4], 150)
    broken[4] *= -1
    assert _kinds(_check(broken, linear(6, 0.3))) == [(4, "inverted")]


@pytest.mark.parametrize("samples", [3200, -3200])
def test_where_the_wanted_microphone_is_late_the_others_are_moved_to_it(recording, run, samples):
    broken = recording.copy()
    broken[2] = np.roll(broken[2], samples)
    report = _check(broken).aligned_with(2)
    assert report.describe()[0].endswith("the others are moved to it")
    repaired = run(Repair(report), broken, 700)
    np.testing.assert_array_equal(repaired[2], broken[2])
    shift, inside = report.late[0], slice(4000, -4000)
    np.testing.assert_array_equal(repaired[0][inside], np.roll(broken[0], -shift)[inside])


def test_swapped_channels_are_put_right(wave, noise_like, run):
    rng = np.random.default_rng(5)
    geometry = Geometry(np.c_[rng.uniform(-0.1, 0.1, (6, 2)), np.zeros(6)])
    rng = np.random.default_rng(1)
    signal = wave(geometry, 43, noise_like(3.0, 16000, "white", 2) * 0.1)
    signal += 0.01 * rng.standard_normal(signal.shape).astype(np.float32)
    assert not _check(signal, geometry).findings
    swapped = signal[[0, 3, 2, 1, 4, 5]]
    report = _check(swapped, geometry)
    assert _kinds(report) == [(1, "swapped"), (3, "swapped")]
    assert report.describe()[0] == "microphone 2 is swapped with microphone 4: put right"
    assert report.keep_all().describe()[0] == "microphone 2 is swapped with microphone 4"
    np.testing.assert_array_equal(run(Repair(report), swapped), signal)


def test_a_swap_that_could_be_another_is_left_alone(wave, noise_like):
    geometry = linear(5, 0.06)
    signal = wave(geometry, 30, noise_like(3.0, 16000, "white", 2) * 0.1)
    assert not _check(signal, geometry).findings
    report = _check(signal[[0, 3, 2, 1, 4]], geometry)
    assert report.use == (0, 1, 2, 3, 4)
    assert "not put right" in report.describe()[0]  # 1 and 5 might be: the source would be on the other side


def test_a_moving_source_is_no_swap(wave, noise_like):
    geometry = circular(6, 0.0463)
    parts = [wave(geometry, az, noise_like(1.0, 16000, "white", k) * 0.1) for k, az in enumerate((0, 120, -90))]
    assert not _check(np.concatenate(parts, axis=1), geometry).findings


def test_silence_is_healthy():
    report = _check(np.zeros((4, 40000), np.float32))
    assert not report.findings and report.use == (0, 1, 2, 3)


def test_identical_channels_and_short_clips(recording):
    assert not _check(np.tile(recording[:1], (3, 1))).findings
    assert _check(recording[:, 12000:13000]).use == (0, 1, 2, 3, 4, 5)
    assert not _check(recording[:, :0]).findings


def test_all_channels_clipped_are_used(recording):
    assert _check(np.clip(30 * recording, -1, 1)).use == (0, 1, 2, 3, 4, 5)


def test_bad_input(recording):
    with pytest.raises(InputError, match="1 channel"):
        HealthCheck(16000, 1)
    with pytest.raises(InputError, match="6 channels"):
        HealthCheck(16000, 6, linear(4, 0.05))
    with pytest.raises(InputError, match="only 1"):
        _check(np.concatenate([recording[:1], np.zeros_like(recording[:2])]))
