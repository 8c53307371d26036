import contextlib
import sys
import types

import numpy as np
import pytest

from cleanaudio.errors import BackendUnavailable, InputError, ModelError
from cleanaudio.live import devices
from cleanaudio.live.engine import in_real_time, pump
from cleanaudio.live.timing import Timing


class Passing:
    latency = 0

    def process(self, block):
        return block

    def flush(self):
        return np.zeros((1, 0), np.float32)


def test_percentiles_equal_numpys_to_a_percent():
    times = np.random.default_rng(0).lognormal(-6, 1, 5000)
    timing = Timing(48000, 1920, 480)
    for seconds in times:
        timing.add(seconds, 480)
    report = timing.report()
    for share, found in ((50, report.compute_p50_ms), (95, report.compute_p95_ms), (99, report.compute_p99_ms)):
        assert found == pytest.approx(1000 * np.percentile(times, share), rel=0.02)
    assert report.compute_max_ms == pytest.approx(1000 * times.max(), abs=1e-3)
    assert report.latency_ms == 40 and report.seconds == 50 and report.block_ms == 10
    assert report.real_time_factor == pytest.approx(times.sum() / 50, rel=1e-3)


def test_nothing_heard_is_reported_as_nothing():
    report = Timing(48000, 0, 480).report()
    assert report.blocks == 0 and report.compute_p99_ms is None and report.real_time_factor is None


def test_a_pump_hands_on_everything():
    heard = []
    blocks = [np.full((1, n), n, np.float32) for n in (3, 1, 2)]
    pump(blocks, Passing(), heard.append, Timing(100, 0, 3))
    np.testing.assert_array_equal(np.concatenate(heard, axis=1), np.concatenate(blocks, axis=1))


class Clock:
    """Time that passes only when somebody sleeps or works."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        fake = types.SimpleNamespace(perf_counter=lambda: self.now, sleep=self.sleep)
        monkeypatch.setattr("cleanaudio.live.engine.time", fake)

    def sleep(self, seconds):
        self.now += seconds


@pytest.mark.parametrize(("work_s", "under_runs"), [(0.005, 0), (0.0099, 0), (0.02, 10)])
def test_under_runs_are_counted_when_work_takes_longer_than_a_block(monkeypatch, work_s, under_runs):
    clock = Clock(monkeypatch)
    timing = Timing(1000, 0, 10)
    for _ in in_real_time([np.zeros((1, 10), np.float32)] * 10, 1000, timing):
        clock.sleep(work_s)
    assert timing.under_runs == under_runs
    assert clock.now >= 0.1


def fake_sounddevice(run):
    module = types.ModuleType("sounddevice")
    module.PortAudioError = type("PortAudioError", (Exception,), {})
    module.query_devices = lambda: [
        {"name": "Mic", "max_input_channels": 1, "max_output_channels": 0, "default_samplerate": 48000.0}
    ]

    class Stream:
        def __init__(self, **options):
            self.options = options
            if options["device"][0] == "nothing":
                raise ValueError("No input device matching 'nothing'")

        def __enter__(self):
            run(self.options["callback"])

        def __exit__(self, *_):
            pass

    module.Stream = Stream
    module.CallbackAbort = type("CallbackAbort", (Exception,), {})
    return module


class Status:
    input_overflow = output_underflow = False


class Delayed(Passing):
    """Keeps back five frames, in the memory that it is given."""

    def __init__(self):
        self.kept = np.zeros((1, 0), np.float32)

    def process(self, block):
        out, self.kept = np.concatenate([self.kept, block[:, :-5]], axis=1), block[:, -5:]
        return out


class Failing(Passing):
    def process(self, block):
        raise ModelError("fails when run")


def test_what_goes_wrong_while_a_device_plays_is_told(monkeypatch):
    def run(callback):
        with contextlib.suppress(sys.modules["sounddevice"].CallbackAbort):
            callback(np.zeros((10, 1), np.float32), np.zeros((10, 1), np.float32), 10, None, Status())

    monkeypatch.setitem(sys.modules, "sounddevice", fake_sounddevice(run))
    with pytest.raises(ModelError, match="fails when run"):
        devices.run_devices(None, None, Failing(), 48000, 1, 10, Timing(48000, 0, 10))


def test_a_device_gets_silence_first_and_then_every_sample(monkeypatch):
    played = []

    def run(callback):
        data = np.zeros((10, 1), np.float32)  # which a card fills again and again
        for start in range(0, 40, 10):
            data[:, 0] = np.arange(start, start + 10)
            out = np.full((10, 1), np.nan, np.float32)
            callback(data, out, 10, None, Status())
            played.append(out)

    monkeypatch.setitem(sys.modules, "sounddevice", fake_sounddevice(run))
    monkeypatch.setattr(devices, "_SILENT_FOR_S", 0.01)
    timing = Timing(48000, 5, 10)
    with pytest.raises(InputError, match="stopped giving sound"):  # it was unplugged after four blocks
        devices.run_devices(None, None, Delayed(), 48000, 1, 10, timing)
    np.testing.assert_array_equal(np.concatenate(played)[:, 0], [*[0] * 5, *range(35)])
    assert timing.report().blocks == 4


def test_no_such_device(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", fake_sounddevice(lambda _: None))
    with pytest.raises(InputError) as caught:
        devices.run_devices("nothing", None, Passing(), 48000, 1, 10, Timing(48000, 0, 10))
    assert "list-devices" in caught.value.describe()
    assert devices.list_devices()[0]["name"] == "Mic"


def test_a_missing_package_names_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(BackendUnavailable, match="live"):
        devices.list_devices()
