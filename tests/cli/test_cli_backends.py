"""``cleanaudio backends``: what can clean here, with which options, and what ``auto`` is."""

from __future__ import annotations

import json

import pytest
import soundfile
from cli_helpers import rows, write

import cleanaudio
from cleanaudio.backends import registry
from cleanaudio.backends.spec import parse, render


@pytest.fixture
def listed(cli) -> dict[str, dict]:
    ran = cli("backends", "--json")
    assert ran.code == 0 and ran.stderr == ""
    return {entry["name"]: entry for entry in map(json.loads, ran.stdout.splitlines())}


def test_all_are_listed(cli, listed):
    assert set(listed) == set(registry.names())
    lines = cli("backends").stdout.splitlines()
    for name in listed:
        (line,) = [line for line in lines if line.split()[:1] == [name]]
        assert listed[name]["kind"] in line
    assert {"spectral-subtraction", "wiener", "mmse-stsa", "log-mmse", "omlsa", "noisereduce"} <= set(listed)
    assert all(listed[name]["available"] for name in ("wiener", "omlsa", "noisereduce")), "they need no extra"


def test_auto_is_one_of_them_and_why_is_said(cli, listed):
    best = registry.auto()[0]
    chosen = [name for name, entry in listed.items() if entry["auto"]]
    assert chosen == sorted(term.name for term in parse(best)) and all(listed[name]["available"] for name in chosen)
    assert f"auto is {best} here: " in cli("backends").stdout


def test_auto_may_be_a_sum(monkeypatch):
    monkeypatch.setattr(registry, "AUTO_ORDER", ("nowhere", "0.6*wiener+0.4*omlsa", "log-mmse", "omlsa"))
    assert registry.auto()[0] == "0.6*wiener+0.4*omlsa"
    terms, why = registry.decide(parse("auto"))
    assert [(term.name, term.weight) for term in terms] == [("wiener", 0.6), ("omlsa", 0.4)] and why
    terms, _ = registry.decide(parse("0.5*auto+0.5*log-mmse"))
    assert [term.weight for term in terms] == pytest.approx([0.3, 0.2, 0.5])
    assert registry.fallbacks("0.6*wiener+0.4*omlsa") == ("log-mmse", "omlsa")


def test_auto_may_be_a_series_but_not_in_a_sum_or_live(monkeypatch):
    monkeypatch.setattr(registry, "AUTO_ORDER", ("omlsa,wiener", "log-mmse", "omlsa"))
    assert render(registry.decide(parse("auto"))[0]) == "omlsa,wiener"
    assert render(registry.decide(parse("none,auto,none"))[0]) == "none,omlsa,wiener,none"
    assert render(registry.decide(parse("0.5*auto+0.5*none"))[0]) == "0.5*log-mmse+0.5*none"
    assert registry.live_specs() == ("log-mmse", "omlsa")
    assert render(registry.decide(parse("auto"), live=True)[0]) == "log-mmse"


def test_what_auto_is_live_runs_live(monkeypatch, cli, tmp_path, noisy_speech):
    monkeypatch.setattr(registry, "AUTO_ORDER", ("nowhere", "0.5*omlsa+0.5*noisereduce", "wiener", "omlsa"))
    assert registry.auto()[0] == "0.5*omlsa+0.5*noisereduce"
    assert registry.auto(live=True) == ("wiener", "the best by measured quality")
    soundfile.write(tmp_path / "a.wav", noisy_speech(1.5), 16000)
    ran = cli("stream", "--simulate", tmp_path / "a.wav")
    assert ran.code == 0 and "auto is wiener" in ran.stderr
    assert cleanaudio.open_chain(rate=16000).latency < 16000


def test_what_is_missing_names_its_extra(cli, monkeypatch):
    monkeypatch.setattr("cleanaudio.backends.rnnoise.find_rnnoise", lambda: None)
    lines = cli("backends").stdout.splitlines()
    (line,) = [line for line in lines if line.split()[:1] == ["rnnoise"]]
    assert "needs [rnnoise]" in line
    assert "pip install 'cleanaudio-cli[rnnoise]'" in cli("backends", "rnnoise").stdout
    ran = cli("denoise", "x.wav", "-o", "out", "-b", "rnnoise")
    assert ran.code == 2 and "rnnoise is not available" in ran.stderr
    assert "(pip install 'cleanaudio-cli[rnnoise]')" in ran.stderr


@pytest.mark.parametrize("name", [name for name in registry.names() if registry.available(name)])
def test_one_with_its_options(cli, listed, name):
    ran = cli("backends", name)
    assert ran.code == 0 and ran.stdout.startswith(f"{name} ({listed[name]['kind']}): ")
    lines = {line.split()[0]: line for line in ran.stdout.splitlines()[1:] if line.strip()}
    for option in listed[name]["options"]:
        line = lines[option["name"]]
        default = str(option["default"])
        assert (default.lower() if isinstance(option["default"], bool) else default) in line
        assert option["help"] in line
        assert all(choice in line for choice in option["choices"] or ())
        assert option["unit"] is None or option["unit"] in line


def test_one_as_json(cli):
    ran = cli("backends", "wiener", "--json")
    (entry,) = map(json.loads, ran.stdout.splitlines())
    assert entry["name"] == "wiener" and entry["kind"] == "classical" and entry["live"] is True
    limit = next(option for option in entry["options"] if option["name"] == "limit_db")
    assert limit["unit"] == "dB" and limit["low"] <= limit["default"] <= limit["high"]


def test_auto_says_what_it_is(cli):
    best, why = registry.auto()
    assert cli("backends", "auto").stdout == f"auto is {best}: {why}\n"
    assert json.loads(cli("backends", "auto", "--json").stdout) == {"name": "auto", "spec": best, "why": why}


def test_one_that_does_not_exist(cli):
    ran = cli("backends", "wienr")
    assert ran.code == 2 and "there is no backend 'wienr' (did you mean wiener?)" in ran.stderr


def test_every_default_can_be_set(cli, listed, tmp_path, noisy_speech):
    """What is shown as a default is what ``--set`` takes, and means the same."""
    source = write(tmp_path / "a.wav", noisy_speech(2.0)[16000:24000])
    plain = cli("denoise", source, "-o", tmp_path / "plain", "-b", "omlsa")
    assert plain.code == 0
    settings = [
        f"--set={option['name']}={option['default']}"
        for option in listed["omlsa"]["options"]
        if option["default"] != ""
    ]
    told = cli("denoise", source, "-o", tmp_path / "told", "-b", "omlsa", *settings)
    assert told.code == 0, told.stderr
    assert (tmp_path / "plain/a.wav").read_bytes() == (tmp_path / "told/a.wav").read_bytes()
    assert rows(tmp_path / "plain")[0]["recipe"] == rows(tmp_path / "told")[0]["recipe"]


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_locale_of_few_characters_is_no_reason_to_fail(program, encoding):
    ran = program("backends", "log-mmse", env={"PYTHONIOENCODING": encoding})
    assert ran.returncode == 0 and b"0.001" in ran.stdout and b"\\u2026" in ran.stdout and not ran.stderr
    ran = program("backends", "log-mmse", env={"PYTHONIOENCODING": f"{encoding}:surrogateescape"})  # as in LC_ALL=C
    assert ran.returncode == 0 and b"\\u2026" in ran.stdout and not ran.stderr
