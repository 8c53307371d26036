"""``cleanaudio train``: what it makes, how it ends, and what it says about bad recordings, configs and run folders."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from cli_helpers import hidden, small_files_only, started, wait_for

from cleanaudio.cli.training import PATIENCE_S

RATE = 16000
TINY = (
    "--batch=2", "--threads=1", "--set=mix.seconds=0.3", "--set=simulated_rooms=2", "--set=loss_sizes=[256]",
    "--set=options.hidden=8", "--set=options.head=8", "--set=target=signal",
)  # fmt: skip
LAST = "last.safetensors"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, speech_like, noise_like) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    for number in range(3):
        for kind, signal_ in (
            ("speech", speech_like(3.0, RATE, number)),
            ("noise", noise_like(3.0, RATE, seed=number)),
        ):
            path = folder / kind / f"{number}.wav"
            path.parent.mkdir(exist_ok=True)
            soundfile.write(path, 0.1 * signal_, RATE)
    for side in ("noisy", "clean"):
        (folder / "pairs" / side).mkdir(parents=True)
        soundfile.write(folder / "pairs" / side / "a.wav", speech_like(1.0, RATE), RATE)
    return folder


@pytest.fixture
def train(cli, corpus, tmp_path):
    """``train("--steps", 2)``: a tiny run in tmp_path/run."""

    def run(*arguments: object, network: str = "mask-lstm", speech: Path | None = None, noise: Path | None = None):
        heard = ("--speech", speech or corpus / "speech", "--noise", noise or corpus / "noise")
        return cli("train", network, *heard, "-o", tmp_path / "run", *TINY, *arguments)

    return run


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "log.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def steps(run: Path) -> int:
    from cleanaudio.networks.checkpoint import load

    return load(run / LAST)[1]["step"]


@pytest.mark.slow
def test_a_run_can_be_tried_resumed_and_exported(train, cli, corpus, tmp_path, fixtures_dir):
    run, dev = tmp_path / "run", ("--dev", corpus / "pairs")
    ran = train("--steps", 2, "--seed", 3, "--target", "early", *dev)
    assert ran.code == 0 and ran.stdout == ""
    assert "step 2 of 2: loss" in ran.stderr and "SI-SDR" in ran.stderr and f"torch:{run}" in ran.stderr
    text = (run / "config.toml").read_text()
    assert all(line in text for line in ("seed = 3", "steps = 2", 'target = "early"', "hidden = 8", "seconds = 0.3"))
    about = json.loads((run / "about.json").read_text())
    assert about["data"][0] == "speech: not stated: recordings: 3, from speech" and about["machines"]
    assert any(row["si_sdr_db"] for row in rows(run))
    assert train("--resume", "--steps", 4).code == 0
    assert steps(run) == 4 and "seed = 3" in (run / "config.toml").read_text()
    memo = fixtures_dir / "pairs" / "noisy"
    assert cli("denoise", memo, "-o", tmp_path / "out", "-b", f"torch:{run}").code == 0
    assert cli("denoise", memo, "-o", tmp_path / "o", "-b", f"torch:{run}", "--device", "cuda").code in (1, 2)
    model = tmp_path / "model.onnx"
    ran = cli("export", run, "-o", model)
    assert ran.code in (0, 3) and "mask-lstm, waveform" in ran.stderr  # a few steps may have taught it nothing
    assert "# mask-lstm" in cli("models", "card", model).stdout
    assert "exists already" in cli("export", run, "-o", model).stderr
    assert cli("denoise", memo, "-o", tmp_path / "again", "-b", f"onnx:{model}").code == 0


def test_weights_of_another_run_are_a_beginning(train, cli, tmp_path):
    first = tmp_path / "first"
    assert train("--steps", 3).code == 0
    (tmp_path / "run").rename(first)
    assert train("--steps", 2, "--start-from", first / LAST).code == 0
    assert steps(tmp_path / "run") == 2
    assert cli("export", tmp_path / "run", "-o", tmp_path / "model.onnx").code in (0, 3)
    assert "mixtures, 5 steps" in cli("models", "card", tmp_path / "model.onnx").stdout


def test_a_model_that_does_nothing_is_written_but_does_not_pass(train, cli, tmp_path):
    assert train("--steps", 1, "--set", "front=").code == 0
    model = tmp_path / "model.onnx"
    ran = cli("export", tmp_path / "run", "-o", model, "--exponent", "0.1", "--quiet")
    assert ran.code == 3 and "model.onnx: it fails the self-test of models: noise" in ran.stderr and model.exists()


def test_manifests_are_read_and_their_licences_kept(train, corpus, tmp_path):
    voices, noises = tmp_path / "manifest.csv", tmp_path / "nemo.jsonl"
    lines = ["file,speaker,source,licence", *(f"{corpus}/speech/{n}.wav,{n},a studio,CC0 1.0" for n in range(2))]
    voices.write_text("\n".join(lines) + "\n")
    noises.write_text(json.dumps({"audio_filepath": f"{corpus}/noise/0.wav", "duration": 3.0}) + "\n")
    assert train("--steps", 1, speech=voices, noise=noises).code == 0
    heard = json.loads((tmp_path / "run" / "about.json").read_text())["data"]
    assert heard == ["speech: CC0 1.0: recordings: 2, from a studio", "noise: not stated: recordings: 1, from noise"]


def test_the_networks_are_listed(cli):
    ran = cli("train", "--list")
    assert ran.code == 0 and all(name in ran.stdout for name in ("fullband", "conv-tasnet", "16000 Hz"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train"], "which network"),
        (["train", "fullband"], "--speech"),
        (["train", "fullband", "--speech", "x", "--noise", "y"], "-o RUN_DIR"),
        (["export"], "which run"),
        (["export", "run"], "-o FILE.onnx"),
        (["export", "run", "-o", "model.pt"], "ends with .onnx"),
        (["export", "run", "-o", "model.onnx", "--quantise"], "--dev"),
        (["export", "run", "-o", "model.onnx", "--level"], "--dev"),
        (["export", "nowhere", "-o", "model.onnx"], "no checkpoint"),
    ],
)
def test_what_is_missing_is_asked_for(cli, arguments, message):
    ran = cli(*arguments)
    assert ran.code == 2 and message in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "lerning_rate=1"], "unknown key lerning_rate"),
        (["--set", "mix.snr=1"], "unknown key mix.snr"),
        (["--set", "model.size=1"], "no table model"),
        (["--set", "batch=many"], "batch = 'many' is not a whole number"),
        (["--set", "options.hidden=wide"], "hidden = 'wide' is not a whole number"),
        (["--set", "options.width=3"], "width"),
        (["--config", "nowhere.toml"], "nowhere.toml: the config cannot be read"),
        (["--device", "cuda:99"], "cannot use a device cuda:99"),
        (["--device", "abacus"], "no device 'abacus'"),
        (["--device", "cpu:"], "no device 'cpu:'"),
        (["--resume"], "no run to resume"),
        (["--resume", "--start-from", "x"], "contradict"),
        (["--start-from", "nowhere.safetensors"], "no checkpoint"),
        (["--dev", "nowhere"], "no noisy/clean pairs"),
        (["--set", "simulated_rooms=0"], "no rooms"),
    ],
)
def test_mistakes_are_named_and_nothing_is_begun(train, tmp_path, arguments, message):
    ran = train(*arguments)
    assert ran.code == 2 and message in ran.stderr
    assert not (tmp_path / "run" / LAST).exists()


def test_unknown_networks_and_configs_of_others_are_refused(train, tmp_path):
    assert "no network 'resnet'" in train(network="resnet").stderr
    (tmp_path / "a.toml").write_text('network = "fullband"\n')
    ran = train("--config", tmp_path / "a.toml")
    assert ran.code == 2 and "is of the network fullband, not mask-lstm" in ran.stderr


def test_an_empty_or_missing_folder_is_refused(train, tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "nowhere"):
        ran = train(speech=tmp_path / folder)
        assert ran.code == 2 and f"{folder}: no recordings to train on" in ran.stderr


def test_a_folder_of_broken_files_is_refused(train, tmp_path):
    (tmp_path / "speech").mkdir()
    (tmp_path / "speech" / "a.wav").write_bytes(b"RIFF nonsense")
    ran = train(speech=tmp_path / "speech")
    assert ran.code == 2 and "none of the recordings can be read" in ran.stderr


def test_broken_files_among_many_are_skipped_counted_and_named(train, corpus, tmp_path):
    shutil.copytree(corpus / "speech", tmp_path / "speech")
    shutil.copytree(corpus / "speech", tmp_path / "rooms")
    for folder in ("speech", "rooms"):
        (tmp_path / folder / "1.wav").write_bytes(b"RIFF nonsense")
    ran = train("--steps", 1, "--rir", tmp_path / "rooms", speech=tmp_path / "speech")
    assert ran.code == 0
    assert "1 of 3 recordings cannot be read, the first: " in ran.stderr and "speech/1.wav" in ran.stderr
    assert "a room response is left out" in ran.stderr and "rooms/1.wav" in ran.stderr
    (skipped,) = json.loads((tmp_path / "run" / "about.json").read_text())["skipped"]
    assert "speech/1.wav" in skipped


def test_swapped_folders_are_noticed(train, corpus):
    ran = train("--steps", 1, speech=corpus / "noise", noise=corpus / "speech")
    assert ran.code == 0 and "are --speech and --noise swapped?" in ran.stderr
    assert "--noise swapped?" not in train("--steps", 2, "--resume").stderr


def test_a_folder_with_a_run_is_left_alone(train, tmp_path):
    assert train("--steps", 1).code == 0
    before = (tmp_path / "run" / LAST).read_bytes()
    ran = train("--steps", 1)
    assert ran.code == 2 and "already holds a run" in ran.stderr
    assert (tmp_path / "run" / LAST).read_bytes() == before


def test_the_best_of_a_run_is_left_alone_where_the_last_is_gone(train, corpus, tmp_path):
    run = tmp_path / "run"
    assert train("--steps", 1, "--dev", corpus / "pairs").code == 0
    (run / LAST).unlink()
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    ran = train("--steps", 1)
    assert ran.code == 2 and "already holds a run (its last checkpoint is missing; name another folder)" in ran.stderr
    assert before == {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}


def test_a_run_that_got_nowhere_is_not_told_of_on_the_next_ones_card(train, corpus, tmp_path):
    run, first = tmp_path / "run", tmp_path / "first"
    assert train("--steps", 1).code == 0
    run.rename(first)
    start = ("--start-from", first / LAST)
    shutil.copytree(corpus / "noise", tmp_path / "never heard")
    ran = train("--steps", 1, "--set", "si_snr_weight=1e300", *start, speech=tmp_path / "never heard")
    assert ran.code == 1 and "begin again with a smaller learning rate" in ran.stderr
    shutil.copytree(corpus / "speech", tmp_path / "more")
    assert train("--steps", 1, *start, speech=tmp_path / "more").code == 0
    heard = json.loads((run / "about.json").read_text())["data"]
    assert [line.rpartition(" ")[2] for line in heard] == ["more", "noise", "speech"]


def test_a_run_that_has_lost_its_config_is_not_gone_on_with_another(train, tmp_path):
    config = tmp_path / "run" / "config.toml"
    assert train("--steps", 1).code == 0
    config.write_text("")
    ran = train("--resume")
    assert ran.code == 2 and f"{config}: the config does not say which network" in ran.stderr
    config.unlink()
    ran = train("--resume")
    assert (
        ran.code == 2 and f"{config}: the config of the run is missing (name another one with --config)" in ran.stderr
    )


def test_a_run_that_stops_early_says_so(train, corpus, tmp_path):
    settings = ("--set", "early_stop=1", "--set", "evaluate_minutes=0", "--set", "learning_rate=1e-9")
    ran = train("--steps", 500, "--dev", corpus / "pairs", *settings)
    assert ran.code == 0 and "steps, stopped early: 1 evaluations were no better" in ran.stderr
    assert steps(tmp_path / "run") < 500


def test_a_model_that_does_not_fit_on_the_disk_is_a_failure_and_no_wrong_usage(train, cli, tmp_path, monkeypatch):
    assert train("--steps", 1).code == 0

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cleanaudio.audio.temporary.os.replace", full)
    ran = cli("export", tmp_path / "run", "-o", tmp_path / "model.onnx")
    assert ran.code == 1 and "model.onnx: cannot be written: No space left" in ran.stderr


def test_only_a_run_of_the_same_network_is_resumed(train, tmp_path):
    assert train("--steps", 1).code == 0
    path = tmp_path / "run" / LAST
    ran = train("--resume", network="mask-lstm-streaming")
    assert ran.code == 2 and "is of the network mask-lstm, not mask-lstm-streaming" in ran.stderr
    ran = train("--resume", "--set", "options.hidden=16")
    assert ran.code == 2 and "another network or size" in ran.stderr
    ran = train("--resume", "--device", "cuda:99")
    assert ran.code == 2 and "cannot use a device" in ran.stderr
    whole = path.read_bytes()
    path.write_bytes(whole[:-50])
    ran = train("--resume", "--steps", 2)
    assert ran.code == 2 and f"{path}: not a whole checkpoint" in ran.stderr
    path.write_bytes(whole)
    assert train("--resume", "--steps", 2).code == 0 and steps(tmp_path / "run") == 2


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_last_good(train, tmp_path):
    assert train("--steps", 1).code == 0
    before = (tmp_path / "run" / LAST).read_bytes()
    ran = train("--resume", "--steps", 9, "--set", "si_snr_weight=1e300")
    assert ran.code == 1 and "at step 1" in ran.stderr and "smaller learning rate" in ran.stderr
    assert (tmp_path / "run" / LAST).read_bytes() == before


def test_a_full_disk_leaves_the_old_checkpoint(train, corpus, tmp_path, program):
    assert train("--steps", 1).code == 0
    run = tmp_path / "run"
    before = (run / LAST).read_bytes()
    heard = ("--speech", corpus / "speech", "--noise", corpus / "noise")
    ran = program(
        "train", "mask-lstm", *heard, "-o", run, "--resume", "--steps", 2, "--threads", 1,
        prefix=small_files_only(len(before) - 1000),
    )  # fmt: skip
    assert ran.returncode == 1, ran.stderr
    assert b"the checkpoint cannot be written" in ran.stderr and b"Traceback" not in ran.stderr
    assert (run / LAST).read_bytes() == before and hidden(run) == []


def test_without_torch_the_extra_is_named(cli, monkeypatch, tmp_path):
    monkeypatch.setattr("cleanaudio.cli.training.find_spec", lambda name: None)
    for arguments in (["train", "--list"], ["export", tmp_path, "-o", tmp_path / "a.onnx"]):
        ran = cli(*arguments)
        assert ran.code == 2 and "pip install 'cleanaudio-cli[torch]'" in ran.stderr


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_a_signal_leaves_a_checkpoint(corpus, tmp_path, number, code):
    run = tmp_path / "run"
    heard = ("--speech", corpus / "speech", "--noise", corpus / "noise")
    with started("train", "mask-lstm", *heard, "-o", run, *TINY) as process:
        wait_for((run / "config.toml").exists, process)
        process.send_signal(number)
        assert process.wait(60) == code
        assert b"Traceback" not in process.stderr.read()
    assert steps(run) >= 1 and hidden(run) == []


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_second_signal_waits_for_no_step(corpus, tmp_path, number, code):
    run = tmp_path / "run"
    heard = ("--speech", corpus / "speech", "--noise", corpus / "noise")
    with started("train", "mask-lstm", *heard, "-o", run, *TINY, "--set", "mix.stock=100000") as process:
        wait_for((run / "config.toml").exists, process)
        process.send_signal(number)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(PATIENCE_S + 1)
        process.send_signal(number)
        assert process.wait(20) == code
        assert b"Traceback" not in process.stderr.read()


@pytest.mark.slow
def test_of_the_processes_of_torchrun_one_says_what_is_wrong(corpus, tmp_path):
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2, "-m", "cleanaudio",
        "train", "mask-lstm", "--speech", corpus / "speech", "--noise", tmp_path, "-o", tmp_path / "run", *TINY,
    ]  # fmt: skip
    ran = subprocess.run([*map(str, command)], capture_output=True, timeout=120)
    assert ran.returncode and ran.stderr.count(b"no recordings to train on") == 1
    assert b"bug" not in ran.stderr and not (tmp_path / "run" / LAST).exists()


@pytest.mark.slow
def test_torchrun_trains_one_network_in_two_processes(corpus, tmp_path):
    run = tmp_path / "run"
    heard = ("--speech", corpus / "speech", "--noise", corpus / "noise", "--dev", corpus / "pairs")
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2, "-m", "cleanaudio",
        "train", "mask-lstm", *heard, "-o", run, *TINY, "--steps", 3,
    ]  # fmt: skip
    ran = subprocess.run(
        [*map(str, command)], capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.count(b"step 3 of 3") >= 1 and ran.stderr.count(b"cleanaudio: 3 steps") == 1
    assert steps(run) == 3
    heard_h = [float(row["hours_heard"]) for row in rows(run)]
    assert heard_h[-1] == pytest.approx(round(3 * 2 * 2 * 0.3 / 3600, 3))
    assert np.isfinite([float(row["loss"]) for row in rows(run) if row["loss"]]).all()
