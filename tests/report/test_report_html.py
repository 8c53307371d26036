"""The report as a file: whole in itself, honest, and safe against what names hold. No browser here."""

from __future__ import annotations

import base64
import errno
import io
import os
import re
import sys
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
import soundfile
from report_cases import GATE, HOSTILE, score_of, sums_of, trio, write

from cleanaudio.audio.recording import Reader
from cleanaudio.errors import BackendUnavailable, OutputError
from cleanaudio.report import html
from cleanaudio.report.excerpts import EXCERPT_S, PROBES, read_excerpt
from cleanaudio.report.html import MOST_SIDES, render, write_report
from cleanaudio.report.scores import Score

EMPTY = {"meta", "link", "img", "br", "source"}


class Page(HTMLParser):
    """What a page consists of; fails where elements are not nested properly."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in EMPTY:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] != "style":
            self.text.append(data)

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag in tags]

    @property
    def said(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.text))


@pytest.fixture
def brief(monkeypatch):
    """One recording in full is enough where the tables are looked at."""
    monkeypatch.setattr(html, "MOST_DETAILED", 1)


@pytest.fixture
def one(tmp_path, speech_like, noise_like):
    """The three sides of one recording of two seconds."""
    return trio(tmp_path, speech_like(2.0), 0.05 * noise_like(2.0), "talk")


def test_nothing_is_fetched_and_nothing_runs(one):
    scores = [score_of("talk", one), score_of("talk", one, 2.0, "other")]
    text = render(scores, sums_of(scores), GATE)
    page = Page(text)
    places = [element.get(what) for _, element in page.elements for what in ("src", "href", "srcset", "poster", "data")]
    places = [place for place in places if place is not None]
    assert len(places) > 12 and all(place.startswith(("data:", "#")) for place in places)
    assert not page.all("script", "iframe", "object", "embed", "form")
    assert not any(attribute.startswith("on") for _, element in page.elements for attribute in element)
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style and "@import" not in style and "prefers-color-scheme: dark" in style
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")


def test_it_can_be_read_without_seeing(one):
    scores = [score_of("talk", one), score_of("walk", one)]
    page = Page(render(scores, sums_of(scores), GATE))
    assert page.all("html")[0]["lang"] == "en"
    assert all(len(image["alt"]) > 30 and image["width"] for image in page.all("img"))
    assert len(page.all("img")) > 8
    assert all(audio["aria-label"] for audio in page.all("audio"))
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(cell["scope"] in ("row", "col", "rowgroup") for cell in page.all("th"))
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    identities = [element["id"] for _, element in page.elements if "id" in element]
    assert len(identities) == len(set(identities))


def test_names_are_only_names(tmp_path, speech_like):
    file = write(tmp_path / "x.wav", speech_like(1.0))
    lost = os.fsdecode(b"caf\xe9\n")
    scores = [
        Score(HOSTILE, HOSTILE, file, measured={"loudness": -20.0}, group=HOSTILE, notes=(HOSTILE,)),
        Score("b", lost, file, measured={"loudness": -21.0}, group=lost),
        Score("", "c", HOSTILE, error=HOSTILE),
    ]
    target = tmp_path / "report.html"
    write_report(target, scores, sums_of(scores, by_group=True))
    page = Page(target.read_text(encoding="utf-8"))
    assert not page.all("script")
    assert '"><script>alert(1)</script> & $x^2$ \\u202egpj 漢字' in page.said
    assert "caf\\xe9\\n" in page.said and "\u202e" not in page.said


def test_the_worst_come_first_and_failures_of_the_gate_before_them(one, brief):
    grades = {"fair": 2.4, "poor": 2.1, "failing": 1.9, "good": 3.4}
    scores = [score_of(name, one, grade) for name, grade in grades.items()]
    assert [score.result.passed for score in scores] == [True, True, False, True]
    text = render(scores, sums_of(scores), GATE)
    assert re.findall(r'<th scope="row"><bdi>(\w+)</bdi></th>', text) == ["failing", "poor", "fair", "good"]
    assert re.findall(r"<h3><bdi>(\w+)</bdi></h3>", text) == ["failing"]
    assert "3 of 4" in Page(text).said


def test_no_more_than_the_worst_ten_are_shown_in_full(one, monkeypatch):
    monkeypatch.setattr(html, "MOST_DETAILED", 2)
    scores = [score_of(f"take {number:02d}", one, 1.5 + number / 10) for number in range(14)]
    text = render(scores, sums_of(scores), GATE)
    assert re.findall(r"<h3><bdi>([\w ]+)</bdi></h3>", text) == ["take 00", "take 01"]
    assert all(f"<bdi>take {number:02d}</bdi></th>" in text for number in range(14))


def test_what_is_not_measurable_says_why(one):
    scores = [score_of("talk", one)]
    said = Page(render(scores, sums_of(scores), GATE)).said
    assert "no speech <was> found" in said
    assert "∞" in said and "nan" not in said.lower().split()


def test_differences_between_systems_and_groups_are_shown(one, brief):
    scores = []
    for system, better in (("first", 0.0), ("second", 0.6)):
        for number in range(6):
            group = "wind" if number % 2 else "rain"
            scores.append(score_of(f"t{number}", one, 2 + 0.1 * number + better, system, group=group))
    said = Page(render(scores, sums_of(scores, by_group=True), GATE)).said
    assert "Δ +0.60 *" in said and "Δ is the difference to first" in said
    assert "rain 3 recordings" in said and "wind 3 recordings" in said
    assert "1.50 → to 2.25" in said  # before, and the mean of the first system


def test_systems_that_lack_recordings_say_so(one, brief):
    scores = [score_of(f"r{k}", one, 2.0, "a", group="rain") for k in range(3)]
    scores += [score_of(f"r{k}", one, 2.5, "b", group="rain") for k in range(1, 4)][:2]
    said = Page(render(scores, sums_of(scores, by_group=True), GATE)).said
    assert "b lacks 1 of the 3 recordings of a" in said and "a lacks" not in said
    assert said.count("a 3 recordings") == said.count("b 2 recordings") == 2  # in the table of means, and of groups


def test_one_file_by_itself(tmp_path, speech_like):
    file = write(tmp_path / "memo.wav", speech_like(1.5))
    scores = [Score("enhanced", "memo", file, measured={"loudness": -20.0, "dnsmos_ovrl": 3.1})]
    page = Page(render(scores, sums_of(scores)))
    assert "Sound report: memo" in page.said
    assert "Removed" not in page.said and "Before" not in page.said and "Gate" not in page.said
    assert len(page.all("audio")) == 1 and len(page.all("img")) == 2


def test_files_that_failed_are_listed(one, brief):
    failed = Score("", "broken", "in/broken.wav", error="in/broken.wav: is not audio (copy it again)")
    scores = [score_of("talk", one), failed]
    said = Page(render(scores, sums_of(scores), GATE)).said
    assert "1 file could not be scored" in said and "in/broken.wav: is not audio (copy it again)" in said
    alone = Page(render([failed], [])).said
    assert "0 recordings" in alone and "is not audio" in alone


def test_a_file_that_has_gone_since_is_no_reason_to_fail(one):
    os.remove(one["enhanced"])
    scores = [score_of("talk", one)]
    said = Page(render(scores, sums_of(scores), GATE)).said
    assert "There is nothing to see or hear" in said and "no such file" in said and "PESQ, wide band" in said


def test_players_hold_what_they_say(one):
    scores = [score_of("talk", one)]
    players = {audio["aria-label"]: audio["src"] for audio in Page(render(scores, [], GATE)).all("audio")}
    assert len(players) == 4
    sides = {"before cleaning": "noisy", "after enhanced": "enhanced", "the clean reference": "reference"}
    wanted = {what: soundfile.read(one[side])[0] for what, side in sides.items()}
    wanted["what enhanced removed"] = wanted["before cleaning"] - wanted["after enhanced"]
    for label, address in players.items():
        kind, _, content = address.partition(";base64,")
        assert kind == "data:audio/mpeg"
        heard, rate = soundfile.read(io.BytesIO(base64.b64decode(content)))
        expected = wanted[label.partition(", ")[2]]
        assert rate == 16000 and len(heard) == len(expected)
        assert np.corrcoef(heard, expected)[0, 1] > (0.7 if "removed" in label else 0.98)


def test_of_a_long_recording_a_lively_excerpt_is_read(tmp_path, speech_like, monkeypatch):
    voice = np.tile(speech_like(5.0, 8000), 3)
    samples = np.zeros(90 * 8000, np.float32)
    samples[50 * 8000 : 50 * 8000 + len(voice)] = voice
    file = write(tmp_path / "long.wav", samples, 8000)
    asked = []
    read = Reader.read
    monkeypatch.setattr(Reader, "read", lambda self, frames: asked.append(frames) or read(self, frames))
    excerpt = read_excerpt([Score("s", "long", file, noisy=file, measured={"lag_ms": 0.0})])
    assert 42 < excerpt.start_s < 62 and excerpt.seconds == EXCERPT_S and not excerpt.whole
    assert max(asked) <= EXCERPT_S * 8000 and len(asked) <= PROBES + 2
    start = round(excerpt.start_s * 8000)
    np.testing.assert_allclose(excerpt.after["s"][0], samples[start : start + 80000], atol=1e-4)
    assert not np.any(excerpt.removed("s"))


def test_what_was_removed_is_told_without_the_gain_of_the_output(tmp_path, speech_like):
    voice = speech_like(2.0, 16000)
    sides = {
        "noisy": write(tmp_path / "in.wav", voice, 16000),
        "enhanced": write(tmp_path / "out.wav", voice / 4, 16000),
    }
    score = Score("enhanced", "x", sides["enhanced"], noisy=sides["noisy"], gain_db=20 * np.log10(1 / 4))
    assert np.max(np.abs(read_excerpt([score]).removed("enhanced"))) < 3e-4 < 0.1 < np.max(np.abs(voice))


def test_sides_are_lined_up_whatever_their_rate_and_channels(tmp_path, speech_like):
    voice = speech_like(2.0, 48000)
    late = np.concatenate([np.zeros(960, np.float32), voice])[: len(voice)]
    sides = {
        "enhanced": write(tmp_path / "late.wav", np.stack([late, late]), 48000),
        "noisy": write(tmp_path / "noisy.wav", voice, 48000),
    }
    removed = read_excerpt([score_of("x", sides)]).removed("enhanced")
    assert removed.shape == (1, len(voice))
    assert np.sqrt(np.mean(removed[:, :-960] ** 2)) < 1e-3 < np.sqrt(np.mean(voice**2))
    sides["noisy"] = write(tmp_path / "slow.wav", voice[::3], 16000)
    excerpt = read_excerpt([score_of("x", sides)])
    assert excerpt.rate == 48000 and excerpt.before.shape[1] == len(voice)


def test_a_tone_stands_where_the_axis_says(tone):
    from cleanaudio.report.spectrogram import spectrum_of

    spectrum = spectrum_of(tone(1000.0, 2.0, 16000, 1.0)[None], 16000)
    mel = 2595 * np.log10(1 + np.array([1000, 8000]) / 700)
    row = len(spectrum) * mel[0] / mel[1]
    assert abs(int(np.argmax(spectrum.mean(axis=1))) + 0.5 - row) <= 1
    assert spectrum.max() - np.median(spectrum) > 60


@pytest.mark.parametrize("frames", [1, 40, 700])
def test_very_short_recordings_have_pictures_too(tmp_path, frames):
    file = write(tmp_path / "click.wav", np.full(frames, 0.25, np.float32), 8000)
    page = Page(render([Score("s", "click", file, measured={"loudness": -20.0})], []))
    assert len(page.all("img")) == 2 and len(page.all("audio")) == 1


def test_the_whole_file_stays_small(tmp_path):
    noise = 0.3 * np.random.default_rng(0).standard_normal((2, 10 * 48000)).astype(np.float32)  # what packs worst
    file = write(tmp_path / "noise.wav", noise, 48000)
    scores = [Score("s", "noise", file, measured={"loudness": -20.0})]
    page = Page(render(scores, []))
    side = sum(len(one["src"]) for one in page.all("img", "audio") if "svg" not in one["src"][:20])
    assert MOST_SIDES * side < 15e6


def test_it_is_written_in_one_step(tmp_path, one, monkeypatch):
    target = tmp_path / "report.html"
    target.write_text("<!-- old -->")
    scores = [score_of("talk", one)]

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(OutputError, match="No space left") as error:
            write_report(target, scores, [])
    assert error.value.remedy and error.value.path == str(target)
    assert target.read_text() == "<!-- old -->"
    write_report(target, scores, [])
    assert target.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert {path.name for path in tmp_path.iterdir()} == {"clean", "noisy", "enhanced", "report.html"}


def test_what_cannot_work_is_said_before_the_work(tmp_path, one, cli, monkeypatch):
    with pytest.raises(OutputError, match="is a folder"):
        write_report(tmp_path, [], [])
    ran = cli("score", one["enhanced"], "--metric", "loudness", "--report", tmp_path / "none" / "r.html")
    assert ran.code and "folder does not exist" in ran.stderr and not ran.stdout
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(BackendUnavailable, match="--report") as error:
        write_report(tmp_path / "r.html", [], [])
    assert "[plots]" in error.value.remedy and not (tmp_path / "r.html").exists()


def test_the_command_writes_it(tmp_path, one, cli):
    target = tmp_path / "r.html"
    ran = cli(
        "score", one["enhanced"], "--reference", one["reference"], "--noisy", one["noisy"],
        "--metric", "si_sdr", "--metric", "loudness", "--gate", "clipping_ratio<0.5", "--report", target,
    )  # fmt: skip
    assert ran.code == 0, ran.stderr
    page = Page(target.read_text(encoding="utf-8"))
    assert "talk" in page.said and "✓ pass" in page.said and len(page.all("audio")) == 4
