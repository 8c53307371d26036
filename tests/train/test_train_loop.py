import csv
import errno
import os
from dataclasses import astuple

import numpy as np
import pytest
import soundfile
import torch
from torch import distributed, multiprocessing
from train_material import make_mixer, tiny_config, train, write_corpus

from cleanaudio.errors import InputError, ModelError, OutputError, RecipeError
from cleanaudio.networks import checkpoint, registry
from cleanaudio.networks.checkpoint import BEST, LAST, load_network
from cleanaudio.train import about
from cleanaudio.train.config import TrainConfig, changed, from_mapping, read, render, shipped
from cleanaudio.train.evaluate import Scores, evaluate, load_pairs
from cleanaudio.train.hearing import apply_front
from cleanaudio.train.loop import Diverged, Trainer
from cleanaudio.train.objective import Objective


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def weights(run):
    return checkpoint.load(run / LAST)[0]


def pairs():
    draw = np.random.default_rng(2)
    clean = np.sin(np.arange(24000) / 20).astype(np.float32) * 0.1
    return [(clean + 0.02 * draw.standard_normal(24000).astype(np.float32), clean)]


WITH_DROPOUT = {
    "network": "mask-lstm", "options": {"hidden": 8, "head": 8}, "mix": {"seconds": 0.3, "rate": 16000},
}  # fmt: skip


@pytest.mark.parametrize("changes", [{}, WITH_DROPOUT], ids=["fullband", "mask-lstm"])
def test_a_resumed_run_ends_with_the_same_weights(tmp_path, changes):
    mixer = make_mixer(tmp_path, rate=changes.get("mix", {}).get("rate", 48000))
    train(tiny_config(steps=6, **changes), mixer, tmp_path / "whole")
    train(tiny_config(steps=3, **changes), mixer, tmp_path / "parts")
    train(tiny_config(steps=6, **changes), mixer, tmp_path / "parts", resume=True)
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert whole.keys() == parts.keys() and any(name.startswith("optimizer.") for name in whole)
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_a_resumed_run_takes_out_of_the_log_what_comes_again(tmp_path):
    mixer, log = make_mixer(tmp_path), tmp_path / "run" / "log.csv"
    train(tiny_config(steps=2), mixer, tmp_path / "run")
    kept = log.read_bytes()
    log.write_bytes(kept + b"3,0.1,0.1,1,,,,,,,\r\n4,0.")  # of a run that was killed before it saved
    train(tiny_config(steps=4), mixer, tmp_path / "run", resume=True)
    assert log.read_bytes().startswith(kept)
    with log.open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["2", "4"]


@pytest.mark.parametrize(
    "damage", [b"", b"\0" * 50 + b"\n", b"nonsense\r\n\xff,1\r\n", b"2,x,y,z,,,,,,,\r\n", b"step,loss\r\n1,0.1,0.1\r\n"]
)
def test_a_damaged_log_breaks_no_run_that_is_resumed(tmp_path, damage):
    mixer, log = make_mixer(tmp_path), tmp_path / "run" / "log.csv"
    train(tiny_config(steps=2), mixer, tmp_path / "run")
    log.write_bytes(damage)
    train(tiny_config(steps=4), mixer, tmp_path / "run", pairs(), resume=True)
    with log.open() as file:
        rows = list(csv.DictReader(file))
    assert {"step", "loss", "si_sdr_db"} <= rows[-1].keys() and {row["step"] for row in rows} <= {"1", "2", "4"}
    assert np.isfinite(float(rows[-1]["si_sdr_db"])) and (tmp_path / "run" / "loss.png").exists()


def test_a_run_that_begins_removes_what_one_that_got_nowhere_left(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "log.csv").write_text("step\n99\n")
    (run / "loss.png").write_bytes(b"old")
    train(tiny_config(steps=1), make_mixer(tmp_path), run)
    with (run / "log.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1"]
    assert (run / "loss.png").read_bytes() != b"old"


def test_what_a_run_is_made_of_is_said_with_its_first_checkpoint(tmp_path):
    trainer = Trainer(tiny_config(steps=1), make_mixer(tmp_path), tmp_path / "run")
    trainer.made_of = about.gathered({"speech": [tmp_path / "speech"]}, earlier={"data": ["noise: CC0"]})
    trainer.one_step()
    assert about.read(tmp_path / "run") == {}
    trainer.save()
    assert about.read(tmp_path / "run")["data"] == ["speech: not stated: recordings: 4, from speech", "noise: CC0"]


def test_the_last_checkpoint_is_there_where_the_best_is(tmp_path):
    config = tiny_config(steps=3, evaluate_minutes=0.0)
    trainer, held = Trainer(config, make_mixer(tmp_path), tmp_path / "run", pairs()), []

    def after(step):
        held.append(sorted(path.name for path in trainer.run_dir.glob("*.safetensors")))
        return False

    trainer.run(after_step=after)
    assert held == [[], [BEST, LAST], [BEST, LAST]]


def test_evaluations_are_due_whether_or_not_a_run_is_interrupted_between_them(tmp_path):
    config, mixer = tiny_config(steps=30, evaluate_minutes=0.02), make_mixer(tmp_path)
    for _ in range(30):
        trainer = Trainer(config, mixer, tmp_path / "run", pairs())
        if (tmp_path / "run" / LAST).exists():
            trainer.resume()
        trainer.run(after_step=lambda step: step % 2 == 0)  # a signal after each second step
        if (tmp_path / "run" / BEST).exists():
            break
        trainer.minutes += 0.01  # of a slow step
        trainer.save()
    assert trainer.step < 30 and checkpoint.load(tmp_path / "run" / BEST)[1]["evaluated"] >= 0


def test_a_run_without_dev_has_a_plot_too(tmp_path):
    train(tiny_config(steps=2), make_mixer(tmp_path), tmp_path / "run")
    assert (tmp_path / "run" / "loss.png").stat().st_size > 1000


def test_a_run_begins_with_the_best_weights_of_another_folder(tmp_path):
    mixer = make_mixer(tmp_path)
    train(tiny_config(steps=2, evaluate_minutes=0.0), mixer, tmp_path / "run", pairs())
    trainer = Trainer(tiny_config(seed=5), mixer, tmp_path / "next")
    trainer.start_from(tmp_path / "run")
    best = checkpoint.part(checkpoint.load(tmp_path / "run" / BEST)[0], "mean.")
    assert all(torch.equal(value, best[name]) for name, value in trainer.network.state_dict().items())
    (tmp_path / "run" / BEST).unlink()
    trainer.start_from(tmp_path / "run")
    last = checkpoint.part(weights(tmp_path / "run"), "mean.")
    assert all(torch.equal(value, last[name]) for name, value in trainer.network.state_dict().items())


def test_a_run_counts_what_it_heard_whatever_its_batches(tmp_path):
    mixer = make_mixer(tmp_path)
    train(tiny_config(steps=2), mixer, tmp_path / "run")
    train(tiny_config(steps=3, batch=6), mixer, tmp_path / "run", resume=True)
    facts = checkpoint.load(tmp_path / "run" / LAST)[1]
    assert facts["hours_heard"] == pytest.approx((2 * 2 + 6) * 0.3 / 3600)


def test_a_run_leaves_config_log_plot_and_checkpoints(tmp_path):
    config = tiny_config(steps=2, evaluate_minutes=0.0)
    scores = train(config, make_mixer(tmp_path), tmp_path / "run", pairs())
    assert np.isfinite(scores.si_sdr_db)
    assert read(tmp_path / "run" / "config.toml") == config
    with (tmp_path / "run" / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert any(row["loss"] for row in rows) and any(row["si_sdr_db"] for row in rows)
    assert (tmp_path / "run" / "loss.png").stat().st_size > 1000
    network, facts = load_network(tmp_path / "run")
    assert facts["network"] == "fullband" and facts["step"] in (1, 2) and not network.training
    mean = checkpoint.part(checkpoint.load(tmp_path / "run" / BEST)[0], "mean.")
    assert all(torch.equal(value, mean[name]) for name, value in network.state_dict().items())


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good(tmp_path):
    config = tiny_config(steps=50)
    trainer = Trainer(config, make_mixer(tmp_path), tmp_path / "run")
    trainer.run_dir.mkdir()
    trainer.one_step()
    trainer.save()
    good = weights(tmp_path / "run")
    with torch.no_grad():
        next(trainer.network.parameters()).fill_(float("nan"))
    with pytest.raises(Diverged, match="at step 1") as caught:
        trainer.run()
    assert caught.value.remedy.startswith("resume from the last checkpoint")
    (tmp_path / "run" / LAST).rename(tmp_path / LAST)
    with pytest.raises(Diverged) as caught:
        trainer.run()
    assert caught.value.remedy == "begin again with a smaller learning rate"
    (tmp_path / LAST).rename(tmp_path / "run" / LAST)
    assert all(torch.equal(good[name], value) for name, value in weights(tmp_path / "run").items())


def test_a_full_disk_leaves_the_old_checkpoint_intact(tmp_path, monkeypatch):
    path = tmp_path / "last.safetensors"
    checkpoint.save(path, {"a": torch.ones(3)}, {"step": 1})

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match="No space left"):
        checkpoint.save(path, {"a": torch.zeros(3)}, {"step": 2})
    tensors, facts = checkpoint.load(path)
    assert facts["step"] == 1 and tensors["a"].tolist() == [1, 1, 1]
    assert [p.name for p in tmp_path.iterdir()] == ["last.safetensors"]


def test_a_checkpoint_has_the_permissions_of_any_file(tmp_path):
    checkpoint.save(tmp_path / LAST, {"a": torch.ones(3)}, {"step": 1})
    (tmp_path / "other").touch()
    assert (tmp_path / LAST).stat().st_mode == (tmp_path / "other").stat().st_mode


def test_truncated_foreign_and_missing_checkpoints_are_refused(tmp_path):
    mixer = make_mixer(tmp_path)
    train(tiny_config(steps=1), mixer, tmp_path / "run")
    other = Trainer(tiny_config(options={"channels": 32, "hidden": 8, "blocks": 1}), mixer, tmp_path / "run")
    with pytest.raises(ModelError, match="another network or size"):
        other.resume()
    path = tmp_path / "run" / LAST
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelError, match="not a whole checkpoint"):
        Trainer(tiny_config(), mixer, tmp_path / "run").resume()
    with pytest.raises(ModelError, match="no checkpoint"):
        Trainer(tiny_config(), mixer, tmp_path / "nowhere").resume()


def test_schedules(tmp_path):
    mixer = make_mixer(tmp_path)
    cosine = Trainer(tiny_config(steps=1000, warmup=100, schedule="cosine"), mixer, tmp_path)
    rates = []
    for cosine.step in (0, 49, 100, 550, 999):
        rates.append(cosine.learning_rate() / 1e-3)
    assert rates == pytest.approx([0.01, 0.5, 1, 0.51, 0.02], abs=0.01)
    plateau = Trainer(tiny_config(schedule="plateau", plateau_patience=1), mixer, tmp_path / "run", pairs())
    plateau.run_dir.mkdir()
    plateau.best, plateau.step = 1e9, 500
    for _ in range(4):
        plateau._judge()
    assert plateau.learning_rate() == pytest.approx(0.25e-3)


def test_who_does_not_judge_slows_down_with_who_does(tmp_path, monkeypatch):
    trainer = Trainer(tiny_config(steps=1, schedule="plateau"), make_mixer(tmp_path), tmp_path / "run", pairs())
    trainer.rank, trainer.world = 1, 2

    def with_the_first(value, how=distributed.ReduceOp.SUM):  # which has judged, and has just halved its rate
        if how == distributed.ReduceOp.MIN:
            value.clamp_(max=0.5)

    monkeypatch.setattr(distributed, "all_reduce", with_the_first)
    trainer.run()
    trainer.step = 500
    assert trainer.learning_rate() == pytest.approx(0.5e-3)


def test_early_stop(tmp_path):
    config = tiny_config(steps=1000, evaluate_minutes=0.0, early_stop=2)
    trainer = Trainer(config, make_mixer(tmp_path), tmp_path / "run", pairs())
    trainer.best = 1e9
    trainer.run()
    assert trainer.step == 2 and trainer.stopped_early
    with (tmp_path / "run" / "log.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file) if row["loss"]] == ["1", "2"]
    again = Trainer(config, make_mixer(tmp_path), tmp_path / "run", pairs())
    again.resume()
    assert not again.stopped_early
    again.run()
    assert again.step == 4 and again.stopped_early


@pytest.mark.parametrize("target", ["irm", "ibm", "psm"])
@pytest.mark.parametrize("network", ["mask-lstm", "mask-lstm-streaming"])
def test_masks_can_be_the_target(tmp_path, network, target):
    mix = {"rate": 16000, "seconds": 0.5}
    config = tiny_config(network=network, options={"hidden": 16, "head": 16}, target=target, mix=mix, warmup=1)
    trainer = Trainer(config, make_mixer(tmp_path, **mix), tmp_path / "run")
    batch = trainer.mixer.batch(0, 2)
    trainer.mixer.batch = lambda *_: batch
    losses = [trainer.one_step()["loss"] for _ in range(25)]
    assert losses[-1] < losses[0]


def test_wrong_rate_and_missing_masks_are_refused(tmp_path):
    mixer = make_mixer(tmp_path)
    with pytest.raises(RecipeError, match="works at 16000 Hz"):
        Trainer(tiny_config(network="autoencoder", options={}), mixer, tmp_path)
    with pytest.raises(RecipeError, match="no mask"):
        Trainer(tiny_config(target="irm"), mixer, tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lerning_rate": 1}, "unknown key lerning_rate"),
        ({"mix": {"snr": 1}}, "unknown key mix.snr"),
        ({"schedule": "linear"}, "'linear' is not one of"),
        ({"batch": 0}, "batch = 0 is too small"),
        ({"learning_rate": -1.0}, "learning_rate = -1 is too small"),
        ({"mix": {"seconds": 0.0}}, "mix.seconds = 0 is too small"),
        ({"front_share": 1.5}, "front_share = 1.5 is no share"),
        ({"plateau_factor": 1.5}, "plateau_factor = 1.5 is no share"),
        ({"clip": 0.0}, "clip = 0 is too small"),
        ({"mix": {"stock": 0}}, "mix.stock = 0 is too small"),
        ({"mix": {"rate": 0}}, "mix.rate = 0 is too small"),
        ({"mix": {"snr_db": [1.0]}}, "mix.snr_db = \\[1.0\\] is no range"),
        ({"mix": {"speed": ["a", "b"]}}, "mix.speed = .* is no range"),
        ({"mix": {"seconds": 0.001}}, "mix.seconds = 0.001 is too short"),
        ({"mix": {"seconds": 0.03}, "loss_sizes": [16]}, "mix.seconds = 0.03 is too short"),
        ({"loss_sizes": []}, "are no windows"),
        ({"network": ["a"]}, "network = .* is not text"),
        ({"mix": 3}, "mix = 3 is not a table"),
        ({"options": 3}, "options = 3 is not a table"),
        ({"learning_rate": "fast"}, "learning_rate = 'fast' is not a number"),
        ({"learning_rate": float("inf")}, "learning_rate = inf is not finite"),
        ({"mix": {"seconds": float("nan")}}, "mix.seconds = nan is not finite"),
        ({"mix": {"speed": [0, 1]}}, "mix.speed\\[0\\] = 0 is too small"),
        ({"mix": {"formants": [-1, 1]}}, "mix.formants\\[0\\] = -1 is too small"),
        ({"mix": {"snr_db": [float("nan"), 1]}}, "mix.snr_db = .* is no range"),
        ({"average": 2}, "average = 2 is no share"),
        ({"complex_share": float("nan")}, "complex_share = nan is no share"),
        ({"mix": {"clean_share": 2}}, "mix.clean_share = 2 is no share"),
        ({"mix": {"room_share": float("nan")}}, "mix.room_share = nan is no share"),
        ({"mix": {"two_noises": -0.1}}, "mix.two_noises = -0.1 is no share"),
        ({"mix": {"snr_lean": -1}}, "mix.snr_lean = -1 is below zero"),
        ({"seed": -1}, "seed = -1 is below zero"),
        ({"seed": 2**64}, "seed = 18446744073709551616 is too large"),
        ({"weight_decay": -0.1}, "weight_decay = -0.1 is below zero"),
        ({"warmup": -5}, "warmup = -5 is below zero"),
        ({"early_stop": -3}, "early_stop = -3 is below zero"),
        ({"plateau_patience": -1}, "plateau_patience = -1 is below zero"),
        ({"checkpoint_minutes": -1}, "checkpoint_minutes = -1 is below zero"),
        ({"evaluate_minutes": float("nan")}, "evaluate_minutes = nan is not finite"),
        ({"si_snr_weight": float("nan")}, "si_snr_weight = nan is not finite"),
        ({"si_snr_weight": float("inf")}, "si_snr_weight = inf is not finite"),
    ],
)
def test_mistakes_in_a_config_are_named(change, message):
    with pytest.raises(RecipeError, match=message):
        from_mapping({"network": "fullband", **change})


@pytest.mark.parametrize(
    ("network", "options"),
    [
        ("fullband", {"hidden": 1}),
        ("autoencoder", {"middle": 0}),
        ("autoencoder", {"dilations": [-1]}),
        ("autoencoder", {"dilations": ["a"]}),
    ],
)
def test_sizes_that_make_no_network_are_refused(tmp_path, network, options):
    mix = {"rate": 48000 if network == "fullband" else 16000}
    with pytest.raises(RecipeError, match=f"network {network} cannot have these sizes: "):
        Trainer(tiny_config(network=network, options=options, mix=mix), None, tmp_path)


@pytest.mark.parametrize("table", ["mix", "options"])
def test_a_value_in_the_place_of_a_table_is_refused(table):
    with pytest.raises(RecipeError, match=f"{table} = 3 is not a table") as caught:
        changed(TrainConfig("fullband"), {table: 3, f"{table}.rate": 16000})
    assert caught.value.remedy == f"set its keys: {table}.KEY = VALUE"


def test_a_network_is_trained_on_what_its_front_leaves(tmp_path, monkeypatch):
    mixer, given = make_mixer(tmp_path), []
    loss = Objective.__call__
    monkeypatch.setattr(Objective, "__call__", lambda self, batch: given.append(batch.noisy) or loss(self, batch))
    front, (noisy, clean) = "0.8*omlsa+0.2*none", pairs()[0]
    trainer = Trainer(tiny_config(front=front, front_share=0.5, batch=8), mixer, tmp_path / "run", [(noisy, clean)])
    np.testing.assert_array_equal(trainer.pairs[0][0], apply_front(front, 48000, noisy[None])[0])
    trainer.one_step()
    mixed = mixer.batch(0, 8).noisy.numpy()
    behind = np.concatenate([apply_front(front, 48000, signal[None]) for signal in mixed])
    bare = np.all(given[0].numpy() == mixed, axis=1)
    assert 0 < bare.sum() < 8
    np.testing.assert_allclose(given[0].numpy(), np.where(bare[:, None], mixed, behind), atol=1e-6)


def test_a_front_that_cannot_be_is_refused_before_the_first_step(tmp_path):
    with pytest.raises(RecipeError, match="rnnoise cannot stand before a network"):
        Trainer(tiny_config(front="rnnoise"), make_mixer(tmp_path), tmp_path / "run")


@pytest.mark.parametrize("name", shipped())
def test_shipped_configs_fit_their_networks(name, tmp_path):
    config = read(shipped()[name])
    assert name.startswith(config.network)
    assert Trainer(config, None, tmp_path).network.rate == config.mix.rate


def test_every_network_has_a_config():
    assert set(registry.names()) <= set(shipped())


def test_a_config_survives_its_toml(tmp_path):
    front = "".join(map(chr, range(128))) + "é"
    config = TrainConfig("conv-tasnet", {"causal": True, "filters": 12}, batch=3, loss_sizes=(256,), front=front)
    (tmp_path / "a.toml").write_text(render(config))
    assert read(tmp_path / "a.toml") == config
    (tmp_path / "b.toml").write_text("network = ")
    with pytest.raises(RecipeError, match="cannot be read"):
        read(tmp_path / "b.toml")
    (tmp_path / "c.toml").write_text("")
    with pytest.raises(RecipeError, match="does not say which network") as caught:
        read(tmp_path / "c.toml")
    assert caught.value.path == str(tmp_path / "c.toml")


def test_pairs_are_read_at_the_network_rate(tmp_path):
    for kind in ("noisy", "clean"):
        (tmp_path / kind).mkdir()
        for number in range(4):
            soundfile.write(tmp_path / kind / f"{number}.wav", np.full(16000, 0.1 * number), 16000)
    some = load_pairs(tmp_path, 48000, limit=2)
    assert [len(noisy) for noisy, _ in some] == [48000, 48000]
    with pytest.raises(InputError, match="no noisy/clean pairs"):
        load_pairs(tmp_path / "noisy", 48000)
    soundfile.write(tmp_path / "clean" / "2.wav", np.zeros(8000), 16000)
    with pytest.raises(InputError, match="differs in rate or length") as caught:
        load_pairs(tmp_path, 48000)
    assert "one rate and length" in caught.value.remedy


def test_the_channel_that_holds_the_voice_is_taken_of_both(tmp_path):
    voice, noise = 0.1 * np.random.default_rng(1).standard_normal((2, 16000))
    for kind, channels in (("noisy", (noise + 0.2 * noise, voice)), ("clean", (0 * voice, voice))):
        (tmp_path / kind).mkdir()
        soundfile.write(tmp_path / kind / "a.wav", np.stack(channels, 1), 16000)
    ((noisy, clean),) = load_pairs(tmp_path, 16000)
    assert clean.any() and np.array_equal(noisy, clean)


class Times(torch.nn.Module):
    def __init__(self, gain):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(gain))

    def enhance(self, noisy):
        return noisy * self.gain


def test_evaluation_measures_what_comes_out():
    (noisy, clean), *_ = pairs()
    expected = 10 * np.log10(np.mean(clean**2) / np.mean((noisy - clean) ** 2))
    assert evaluate(Times(1.0), [(noisy, clean)], 48000).si_sdr_db == pytest.approx(expected, abs=0.2)


def test_a_pair_without_a_voice_decides_nothing():
    (noisy, clean), *_ = pairs()
    silent = (noisy - clean, 0 * clean)
    assert evaluate(Times(1.0), [silent, (noisy, clean)], 48000) == evaluate(Times(1.0), [(noisy, clean)], 48000)
    assert evaluate(Times(1.0), [silent], 48000).rank == 0 < Scores(np.nan, 5.0).rank < Scores(2.0, np.nan).rank


@pytest.mark.parametrize("gain", [0.0, np.nan])
def test_a_network_that_gives_nothing_has_no_scores_and_breaks_no_training(speech_like, gain):
    clean = speech_like(2.0, 16000)
    assert np.isnan(astuple(evaluate(Times(gain), [(clean, clean)], 16000))).all()


def test_the_clean_voice_has_the_best_pesq(speech_like):
    pytest.importorskip("pesq")
    clean = speech_like(2.0, 16000)
    assert evaluate(Times(1.0), [(clean, clean)], 16000).pesq > 4


def _one_of_two(rank, folder):
    import torch.distributed.nn  # before there is a group, which it would keep: as the command does

    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    train(tiny_config(steps=2), make_mixer(folder), folder / f"run{rank}")
    trainer = Trainer(tiny_config(), make_mixer(folder), folder / f"more{rank}")
    trainer.one_step()
    torch.save(trainer.network.state_dict(), folder / f"{rank}.pt")
    slowing = {"schedule": "plateau", "plateau_patience": 0, "evaluate_minutes": 0.0}
    trainer = Trainer(tiny_config(steps=2, **slowing), make_mixer(folder), folder / f"plateau{rank}", pairs())
    trainer.best = 1e9
    trainer.run()
    assert trainer.slowed == 0.25
    distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_train_one_network(tmp_path):
    write_corpus(tmp_path)
    make_mixer(tmp_path)  # fills the cache before two want to
    multiprocessing.spawn(_one_of_two, (tmp_path,), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    learned = [name for name in first if "running" not in name and "num_batches" not in name]
    assert all(torch.allclose(first[name], second[name], atol=1e-7) for name in learned)
    assert (tmp_path / "run0" / LAST).exists() and not (tmp_path / "run1" / LAST).exists()


@pytest.mark.parametrize("name", ["fullband", "fullband-offline", "autoencoder", "mask-lstm"])
def test_the_spectra_of_a_network_can_be_trained_as_they_are(tmp_path, name):
    rate, options = 16000, {}
    if "fullband" in name:
        rate, options = 48000, {"channels": 16, "hidden": 8, "blocks": 1, "whole": 16}
    config = tiny_config(network=name, options=options, target="spectrum", mix={"rate": rate, "seconds": 0.3})
    trainer = Trainer(config, make_mixer(tmp_path, rate=rate), tmp_path / "run")
    first = trainer.one_step()
    assert {"loss", "spectral", "si_snr_db"} <= first.keys() and np.isfinite(first["loss"])


def test_a_network_without_spectra_cannot_be_trained_on_them(tmp_path):
    config = tiny_config(network="conv-tasnet", options={}, target="spectrum", mix={"rate": 16000})
    with pytest.raises(RecipeError, match="does not work on spectra"):
        Trainer(config, make_mixer(tmp_path, rate=16000), tmp_path / "run")
