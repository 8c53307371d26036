"""``cleanaudio stream``: samples in, cleaner samples out, and what breaks a pipe."""

from __future__ import annotations

import fcntl
import io
import json
import os
import signal
import subprocess
import sys
import termios
import types
from pathlib import Path

import numpy as np
import pytest
import soundfile
from cli_helpers import audio, hidden, read, shape, started, wait_for, wav_bytes, write

import cleanaudio

UNKNOWN = 0xFFFFFFFF


@pytest.fixture(scope="module")
def clip(noisy_speech) -> np.ndarray:
    """A second of noisy speech at 16 kHz, 16 bit."""
    return np.round(noisy_speech(2.0)[16000:] * 32767).astype(np.int16)


@pytest.fixture
def stream(cli, monkeypatch):
    """``stream(arguments..., stdin=bytes)`` in this process with the Wiener filter; gives bytes and messages."""

    def run(*arguments: object, stdin: bytes = b"", code: int = 0) -> tuple[bytes, str]:
        out = io.BytesIO()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(stdin))))
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, write_through=True))
        ran = cli("stream", *arguments, *(() if "-b" in arguments else ("-b", "wiener")))
        assert ran.code == code, ran.stderr
        assert "Traceback" not in ran.stderr and "this is a bug" not in ran.stderr
        return out.getvalue(), ran.stderr

    return run


def live(samples: np.ndarray, rate: int = 16000, backend: str = "wiener") -> np.ndarray:
    """What the library makes of (channels, frames), all in one block."""
    processor = cleanaudio.open_chain(backend, rate=rate, channels=len(samples))
    return np.concatenate([processor.process(samples), processor.flush()], axis=1)


class TestPipes:
    @pytest.mark.parametrize(("encoding", "kind"), [("s16le", "<i2"), ("s32le", "<i4"), ("f32le", "<f4")])
    def test_raw_samples(self, stream, clip, encoding, kind):
        scale = 1.0 if kind == "<f4" else 2.0 ** (8 * np.dtype(kind).itemsize - 1)
        samples = clip / 32768
        data = (samples * scale).astype(kind).tobytes()
        out, said = stream("--rate", "16000", "--format", encoding, stdin=data)
        assert len(out) == len(data)
        heard = np.frombuffer(out, kind) / scale
        np.testing.assert_allclose(heard, live(samples[None].astype(np.float32))[0], atol=2e-5)
        assert said.startswith("cleanaudio: latency ") and "real-time factor" in said

    def test_channels(self, stream, clip):
        stereo = np.stack([clip, np.roll(clip, 50) // 2])
        out, _ = stream("--rate", "16000", "--channels", "2", stdin=stereo.T.tobytes())
        heard = np.frombuffer(out, "<i2").reshape(-1, 2).T / 32768
        np.testing.assert_allclose(heard, live((stereo / 32768).astype(np.float32)), atol=2e-5)

    def test_channels_by_themselves(self, stream, clip):
        stereo = np.stack([clip, np.roll(clip, 5000) // 9]) / np.float32(32768)
        common = ("--rate", "16000", "--channels", "2", "--format", "f32le", "--channel-mode", "independent")
        out, _ = stream(*common, stdin=stereo.T.astype("<f4").tobytes())
        expected = np.concatenate([live(stereo[:1]), live(stereo[1:])])
        np.testing.assert_allclose(np.frombuffer(out, "<f4").reshape(-1, 2).T, expected, atol=1e-6)
        assert np.abs(expected - live(stereo)).max() > 1e-3

    @pytest.mark.parametrize("header", [{}, {"data_size": UNKNOWN, "riff_size": UNKNOWN}, {"data_size": 0}])
    def test_wav(self, stream, clip, header):
        out, _ = stream(stdin=wav_bytes(clip, **header))
        with soundfile.SoundFile(io.BytesIO(out)) as file:
            assert (file.samplerate, file.channels, file.subtype) == (16000, 1, "PCM_16")
            heard = file.read()
        np.testing.assert_allclose(heard, live((clip / 32768).astype(np.float32)[None])[0], atol=2e-5)

    @pytest.mark.parametrize(("subtype", "channels"), [("PCM_24", 1), ("PCM_U8", 1), ("PCM_16", 6), ("DOUBLE", 2)])
    def test_any_wav_comes_out_as_it_was(self, tmp_path, clip, subtype, channels):
        samples = np.stack([clip[:15001] / 32768] * channels, axis=1)
        data = io.BytesIO()
        soundfile.write(data, samples, 16000, format="WAVEX", subtype=subtype)
        path = tmp_path / "out.wav"
        command = (sys.executable, "-m", "cleanaudio", "stream", "-q", "-b", "none")
        with open(path, "wb") as file:
            subprocess.run(command, input=data.getvalue(), stdout=file, check=True)
        assert shape(path) == (16000, channels, 15001, "WAVEX", subtype)
        np.testing.assert_array_equal(read(path), soundfile.read(io.BytesIO(data.getvalue()), always_2d=True)[0])
        assert int.from_bytes(path.read_bytes()[4:8], "little") + 8 == path.stat().st_size

    @pytest.mark.parametrize(("mode", "known"), [("wb", True), ("ab", False)])
    def test_a_file_gets_a_header_that_knows_its_length(self, tmp_path, clip, mode, known):
        path = tmp_path / "out.wav"
        command = (sys.executable, "-m", "cleanaudio", "stream", "-q", "-b", "wiener")
        with open(path, mode) as file:
            subprocess.run(command, input=wav_bytes(clip), stdout=file, check=True)
        header = path.read_bytes()[:44]
        assert int.from_bytes(header[40:], "little") == (2 * len(clip) if known else UNKNOWN)
        assert int.from_bytes(header[4:8], "little") == (2 * len(clip) + 36 if known else UNKNOWN)
        assert path.stat().st_size == 44 + 2 * len(clip)

    def test_the_size_of_the_blocks_does_not_matter(self, stream, clip):
        data = (clip / 32768).astype("<f4").tobytes()
        common = ("--rate", "16000", "--format", "f32le", "-q", "--block-ms")
        one, *others = (np.frombuffer(stream(*common, ms, stdin=data)[0], "<f4") for ms in ("1", "7.3", "400"))
        for other in others:
            np.testing.assert_allclose(other, one, atol=1e-6)

    def test_nothing_at_all(self, stream):
        out, said = stream("--rate", "16000")
        assert out == b"" and "None" not in said and said.endswith("; 0 s\n")
        _, said = stream(code=2)
        assert "-: no data" in said

    def test_latency_can_be_heard(self, clip):
        """What went in comes out before more comes, but for the latency that is reported."""
        with started("stream", "--rate", "16000", "-b", "wiener", stdin=subprocess.PIPE) as process:
            process.stdin.write(clip.tobytes())
            process.stdin.flush()
            os.set_blocking(process.stdout.fileno(), False)
            latency = cleanaudio.open_chain("wiener", rate=16000).latency
            expected, out = 2 * (16000 - latency - 160), b""

            def enough() -> bool:
                nonlocal out
                out += process.stdout.read() or b""
                return len(out) >= expected

            wait_for(enough, process)
            process.stdin.close()
            assert process.wait(60) == 0
            said = process.stderr.read().decode()
            out += process.stdout.read() or b""
        assert len(out) == 32000 and f"({latency} frames)" in said and latency <= 320

    def test_blends_and_options(self, stream, clip):
        common = ("--rate", "16000", "-q")
        plain, _ = stream(*common, stdin=clip.tobytes())
        blend, _ = stream(*common, "-b", "0.5*wiener+0.5*log-mmse", stdin=clip.tobytes())
        gentle, _ = stream(*common, "--limit-db", "3", stdin=clip.tobytes())
        same, _ = stream(*common, "--strength", "0", stdin=clip.tobytes())
        assert len({plain, blend, gentle}) == 3 and len(blend) == len(plain)
        assert np.abs(np.frombuffer(same, "<i2").astype(int) - clip).max() <= 1


class TestBrokenPipes:
    def test_a_stream_that_ends_inside_a_frame(self, stream, clip):
        data = np.stack([clip, clip], axis=1).tobytes()[:-3]
        out, said = stream("--rate", "16000", "--channels", "2", stdin=data)
        assert len(out) == 4 * 15999
        assert "the stream ended inside a frame; 1 bytes were left over" in said

    def test_stereo_declared_mono(self, stream, clip):
        out, said = stream("--rate", "16000", stdin=np.stack([clip, clip // 8], axis=1).tobytes())
        assert len(out) == 64000 and "is it --channels 2?" in said
        _, said = stream("--rate", "16000", stdin=clip.tobytes())
        assert "--channels 2" not in said

    def test_notes_are_silent_where_only_errors_are_wished(self, stream, clip):
        data = np.stack([clip, clip // 8], axis=1).tobytes() + b"x"
        _, said = stream("--rate", "16000", stdin=data)
        assert said.count("note: ") == 2
        assert stream("--rate", "16000", "-q", stdin=data)[1] == ""

    def test_a_backlog_is_no_error(self, clip):
        with started("stream", "--rate", "16000", "-b", "none", "-q", stdin=subprocess.PIPE) as process:
            process.stdin.write(clip.tobytes())
            process.stdin.flush()
            process.stdout.read(clip.nbytes - 320)  # what came before it was ready has been taken in
            assert process.communicate(timeout=60)[1] == b"" and process.returncode == 0

    def test_samples_that_are_no_numbers(self, stream, clip):
        samples = (clip / 32768).astype("<f4")
        samples[[3, 5000]] = np.nan, np.inf
        out, _ = stream("--rate", "16000", "--format", "f32le", stdin=samples.tobytes())
        assert np.isfinite(np.frombuffer(out, "<f4")).all()

    def test_a_listener_that_goes_away(self, clip):
        with started("stream", "--rate", "16000", "-b", "wiener", "-q", stdin=subprocess.PIPE) as process:
            process.stdout.close()
            try:
                for _ in range(200):  # more than the pipe holds
                    process.stdin.write(clip.tobytes())
                process.stdin.close()
            except BrokenPipeError:
                pass
            assert process.wait(60) == 0 and process.stderr.read() == b""

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_signals(self, clip, number, tmp_path):
        stats = tmp_path / "stats.json"
        command = ("stream", "--rate", "16000", "-b", "wiener", "--stats", stats)
        heard = clip[: len(clip) - 57]  # no whole number of blocks
        with started(*command, stdin=subprocess.PIPE) as process:
            process.stdin.write(heard.tobytes() + b"x")
            process.stdin.flush()
            latency = cleanaudio.open_chain("wiener", rate=16000).latency
            out = process.stdout.read(2 * (len(clip) - latency - 160))  # all but the last block has been heard
            wait_for(lambda: not any(fcntl.ioctl(process.stdin, termios.FIONREAD, bytes(4))), process)
            process.send_signal(number)
            assert process.wait(60) == {signal.SIGINT: 130, signal.SIGTERM: 143}[number]
            out += process.stdout.read()
            said = process.stderr.read().decode()
        note, report = said.splitlines()
        assert note.endswith(
            "1 s had come in before the backend was ready, and stay as delay (--drop-backlog drops them)"
        )
        assert report.startswith("cleanaudio: latency 20 ms (320 frames) and 996 ms of backlog, ")
        assert len(out) == 2 * len(heard) and json.loads(stats.read_text())["seconds"] == round(len(heard) / 16000, 3)

    def test_a_closed_end_is_refused(self, clip):
        for end, closed in (("stdout", ">&-"), ("stdin", "<&-")):
            command = f'"{sys.executable}" -m cleanaudio stream --rate 16000 -b wiener {closed}'
            done = subprocess.run(["sh", "-c", command], input=clip.tobytes(), capture_output=True, check=False)
            assert done.returncode == 2 and f"{end} is closed" in done.stderr.decode()

    def test_a_backlog_is_dropped_where_that_is_wished(self, clip):
        with started("stream", "--rate", "16000", "-b", "none", "--drop-backlog", stdin=subprocess.PIPE) as process:
            process.stdin.write(clip.tobytes())
            process.stdin.flush()
            said = process.stderr.readline().decode()
            process.stdin.write(clip.tobytes()[:3200])
            process.stdin.close()
            assert process.wait(60) == 0
            out, report = process.stdout.read(), process.stderr.read().decode()
        assert said.endswith("note: 1 s had come in before the backend was ready, and were dropped\n")
        assert out == clip.tobytes()[:3200] and "backlog" not in report

    def test_what_came_with_the_header_is_part_of_the_backlog(self, clip):
        with started("stream", "-b", "none", stdin=subprocess.PIPE) as process:
            process.stdin.write(wav_bytes(clip[:2000]))
            process.stdin.flush()
            said = process.stderr.readline().decode()
            process.stdin.close()
            assert process.wait(60) == 0
        assert "note: 0.12 s had come in" in said

    def test_a_recording_has_no_backlog(self, tmp_path, clip):
        stats = tmp_path / "stats.json"
        command = (sys.executable, "-m", "cleanaudio", "stream", "--rate", "16000", "-b", "none", "--drop-backlog")
        data = np.tile(clip, 20).tobytes()
        done = subprocess.run([*command, "--stats", stats], input=data, capture_output=True, check=True)
        assert done.stdout == data and b"note" not in done.stderr
        assert json.loads(stats.read_text())["backlog_ms"] is None

    def test_figures_replace_only_figures(self, stream, tmp_path, clip):
        recording = write(tmp_path / "a.wav", clip / 32768)
        before = recording.read_bytes()
        _, said = stream("--rate", "16000", "--stats", recording, code=2)
        assert "holds no figures" in said and recording.read_bytes() == before
        stats = tmp_path / "stats.json"
        stream("--rate", "16000", "--stats", stats, stdin=clip.tobytes())
        kept = stats.read_text()
        stream("--rate", "16000", "-b", "wienr", "--stats", stats, code=2)
        assert stats.read_text() == kept and json.loads(kept)["under_runs"] is None

    @pytest.mark.parametrize("rate", [16000, 44100])
    def test_stereo_declared_mono_is_suspected_where_nobody_said_otherwise(self, stream, rate):
        left = np.random.default_rng(0).integers(-9000, 9000, rate // 2)
        stereo = np.stack([left, left // 3], axis=1).astype("<i2")
        _, said = stream("--rate", rate, "-b", "none", stdin=stereo.tobytes())
        assert "stereo declared mono" in said
        _, said = stream("-b", "none", stdin=wav_bytes(stereo.ravel(), rate=rate))
        assert "stereo declared mono" not in said

    def test_one_absurd_sample_spoils_nothing(self, stream, clip):
        samples = (clip / 32768).astype("<f4")
        samples[5000] = 3e38
        out, _ = stream("--rate", "16000", "--format", "f32le", "-b", "omlsa", stdin=samples.tobytes())
        cleaned = np.frombuffer(out, "<f4")
        assert np.isfinite(cleaned).all() and np.abs(cleaned[8000:]).max() > 0.001

    @pytest.mark.parametrize(
        ("arguments", "data", "message"),
        [
            (
                [],
                b"not a WAV header, but words\n" * 9,
                "no WAV header (raw samples need --rate, --channels and --format)",
            ),
            ([], wav_bytes(np.zeros(9, np.int16))[:30], "ends inside the WAV header"),
            ([], wav_bytes(np.zeros(9, np.int16), rate=0), "cannot stream at 0 Hz"),
            ([], wav_bytes(np.zeros(9, np.int16), channels=1000), "cannot stream 1000 channels"),
            (["--rate", "5"], b"", "cannot stream at 5 Hz (rates go from 1000 "),
            (["--rate", "16000", "--channels", "999"], b"", "cannot stream 999 channels"),
            (["--rate", "16000", "--format", "mp3"], b"", "cannot stream mp3 (choose from u8, s16le"),
            (["--rate", "16000", "-b", "wienr"], b"", "did you mean wiener?"),
            (["--rate", "16000", "-b", "noisereduce"], b"", "cannot run live (use --backend "),
            (["--rate", "16000", "-b", "0.5*wiener+0.5*noisereduce"], b"", "noisereduce must hear the whole recording"),
            (["--rate", "16000", "--set", "tracker=two-sided"], b"", "live"),
            (["--rate", "16000", "-o", "x.wav"], b"", "-o belongs to --simulate"),
            (["--simulate", "x.wav", "--input-device", "0"], b"", "exclude each other"),
            (["--simulate", "x.wav", "--drop-backlog"], b"", "--drop-backlog is for pipes"),
            (["--simulate", "x.wav", "--rate", "8000"], b"", "--rate is for raw samples, and --simulate plays a file"),
            (["--simulate", "x.wav", "--channels", "1"], b"", "--channels is for raw samples"),
            (["--simulate", "x.wav", "-f", "s16le"], b"", "--format is for raw samples"),
            (["--input-device", "0", "-f", "s16le"], b"", "--format is for raw samples, and devices have none"),
            (
                ["--channels", "1"],
                wav_bytes(np.zeros(9, np.int16)),
                "--channels is for raw samples, and without --rate",
            ),
            (["-f", "s16le"], wav_bytes(np.zeros(9, np.int16)), "--format is for raw samples, and without --rate"),
            (
                ["--rate", "16000", "--stats", "/no/such/folder/s.json"],
                b"",
                "/no/such/folder/s.json: cannot be written",
            ),
            (["--rate", "16000", "--profile", "/no/such/print.json"], b"", "/no/such/print.json: "),
        ],
        ids=lambda value: value if isinstance(value, str) else None,
    )
    def test_what_cannot_be(self, stream, arguments, data, message):
        out, said = stream(*arguments, stdin=data, code=2)
        assert message in said and out == b""

    def test_what_a_refusal_names_can_run_live(self, stream, clip):
        _, said = stream("--rate", "16000", "-b", "noisereduce", code=2)
        named = said.split("--backend ")[1].split(")")[0]
        out, _ = stream("--rate", "16000", "-b", named, stdin=clip.tobytes())
        assert len(out) == 32000


class TestSimulation:
    @pytest.fixture
    def source(self, tmp_path, clip) -> Path:
        return write(tmp_path / "a.wav", (clip / 32768)[:8000])

    def test_reports_and_writes(self, stream, tmp_path, source):
        out, said = stream("--simulate", source, "-o", tmp_path / "b.wav", "--stats", tmp_path / "stats.json")
        assert out == b"" and shape(tmp_path / "b.wav") == shape(source)
        expected = live(read(source).T.astype(np.float32))
        np.testing.assert_allclose(read(tmp_path / "b.wav").T, expected, atol=4 / 32768)
        stats = json.loads((tmp_path / "stats.json").read_text())
        latency = cleanaudio.open_chain("wiener", rate=16000).latency
        assert stats["latency_frames"] == latency and stats["latency_ms"] == pytest.approx(latency / 16)
        assert (stats["block_ms"], stats["blocks"], stats["seconds"]) == (10.0, 50, 0.5)
        assert 0 < stats["compute_p50_ms"] <= stats["compute_p95_ms"] <= stats["compute_p99_ms"]
        assert stats["compute_p99_ms"] <= stats["compute_max_ms"] and stats["real_time_factor"] > 0
        assert isinstance(stats["under_runs"], int) and f"{stats['under_runs']} under-runs in 0.5 s" in said

    def test_does_not_write_over_anything(self, stream, tmp_path, source):
        before = source.read_bytes()
        _, said = stream("--simulate", source, "-o", source, code=2)
        assert "exists" in said and "--overwrite" not in said and source.read_bytes() == before

    def test_of_what_is_not_there(self, stream, tmp_path):
        _, said = stream("--simulate", tmp_path / "missing.wav", "-o", tmp_path / "b.wav", code=2)
        assert "missing.wav: no such file" in said and audio(tmp_path) == set()

    def test_can_be_broken_off(self, tmp_path, clip):
        source = write(tmp_path / "a.wav", np.tile(clip, 60))
        with started("stream", "--simulate", source, "-o", tmp_path / "b.wav", "-b", "wiener") as process:
            wait_for(lambda: list(tmp_path.glob(".b.wav.*")), process)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 143
        assert audio(tmp_path) == {"a.wav"} and hidden(tmp_path) == []


class TestDevices:
    @pytest.mark.parametrize("arguments", [["--list-devices"], ["--input-device", "0"]])
    def test_without_the_package(self, stream, monkeypatch, arguments):
        monkeypatch.setitem(sys.modules, "sounddevice", None)
        _, said = stream(*arguments, code=2)
        assert "live audio is not available (pip install 'cleanaudio-cli[live]')" in said

    def test_without_the_systems_library(self, program, tmp_path):
        (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
        ran = program("stream", "--list-devices", env={"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"})
        assert ran.returncode == 2 and b"PortAudio library not found; install the system's PortAudio" in ran.stderr

    def test_a_list(self, stream, monkeypatch):
        card = {"name": "[card] 1", "max_input_channels": 2, "max_output_channels": 0, "default_samplerate": 44100.0}
        fake = types.SimpleNamespace(query_devices=lambda: [card])
        monkeypatch.setitem(sys.modules, "sounddevice", fake)
        out, _ = stream("--list-devices")
        assert out.decode().splitlines()[1].split() == ["0", "[card]", "1", "2", "0", "44100"]
        fake.query_devices = list
        out, _ = stream("--list-devices")
        assert out.decode() == "no audio devices\n"

    def test_one_that_is_not_there_and_one_that_is_unplugged(self, stream, monkeypatch):
        class Stream:
            """Sounds for three blocks, then never again."""

            def __init__(self, *, device, channels, blocksize, callback, **_: object) -> None:
                if device[0] != "card":
                    raise ValueError(f"No input device matching {device[0]!r}")
                self._block = np.zeros((blocksize, channels), np.float32)
                self._callback = callback

            def __enter__(self) -> None:
                fine = types.SimpleNamespace(input_overflow=False, output_underflow=False)
                for _ in range(3):
                    self._callback(self._block, self._block.copy(), len(self._block), None, fine)

            def __exit__(self, *_: object) -> None:
                pass

        class PortAudioError(Exception):
            pass

        fake = types.SimpleNamespace(Stream=Stream, PortAudioError=PortAudioError)
        monkeypatch.setitem(sys.modules, "sounddevice", fake)
        monkeypatch.setattr("cleanaudio.live.devices._SILENT_FOR_S", 0.1)
        for name in ("nothing", "²"):
            _, said = stream("--input-device", name, code=2)
            assert f"No input device matching '{name}' (see cleanaudio stream --list-devices)" in said
        _, said = stream("--input-device", "card", code=2)
        assert "the audio device stopped giving sound (was it unplugged?)" in said


def test_a_header_is_no_sound(stream, clip):
    data = io.BytesIO()
    soundfile.write(data, clip, 16000, format="WAV")
    out, said = stream("--rate", 16000, stdin=data.getvalue(), code=2)
    assert out == b"" and "stdin begins with a WAV header" in said
