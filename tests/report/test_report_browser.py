"""The report as a browser shows it, on a desktop, on a phone, by day and by night."""

from __future__ import annotations

import io

import numpy as np
import pytest
from chromium_devtools import chromium
from PIL import Image
from report_cases import GATE, HOSTILE, score_of, sums_of, trio

from cleanaudio.report.html import write_report
from cleanaudio.report.scores import Score

pytestmark = pytest.mark.browser

OPEN_ALL = "document.querySelectorAll('details').forEach(one => one.open = true)"
LUMINANCE = """
    const channel = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
    const parse = text => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b);
    const behind = one => {
        for (; one; one = one.parentElement) {
            const colour = parse(getComputedStyle(one).backgroundColor);
            if (colour.length < 4 || colour[3] > 0) return colour;
        }
        return [255, 255, 255];
    };
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory, speech_like, noise_like):
    """Two systems, four recordings, one of them with a name that hopes to be HTML, and one failure."""
    folder = tmp_path_factory.mktemp("report")
    scores = []
    for number in range(4):
        name = HOSTILE if number == 0 else f"take {number}"
        voice, noise = speech_like(2.0, seed=number + 1), 0.05 * noise_like(2.0, seed=number)
        sides = trio(folder, voice, noise, f"take {number}")
        for system, pesq in (("a rather long name of a system", 1.8 + number / 5), ("b", 1.9 + number / 4)):
            scores.append(score_of(name, sides, pesq, system, group="rain" if number % 2 else "wind"))
    scores.append(Score("", "gone", "in/gone.wav", error="in/gone.wav: is not audio (copy it again)"))
    target = folder / "report.html"
    write_report(target, scores, sums_of(scores, by_group=True), GATE)
    return target


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


def seen(page):
    return np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"), float)


@pytest.mark.parametrize("dark", [False, True])
def test_it_opens_without_errors_and_without_the_network(page, report, dark):
    page.open(report, dark=dark)
    page.evaluate(OPEN_ALL)
    assert page.evaluate("document.title").startswith("Sound report")
    assert not page.seen("Runtime.exceptionThrown") and not page.seen("Runtime.consoleAPICalled")
    assert not [entry["entry"]["text"] for entry in page.seen("Log.entryAdded") if entry["entry"]["level"] == "error"]
    addresses = [event["request"]["url"] for event in page.seen("Network.requestWillBeSent")]
    assert addresses.count(report.absolute().as_uri()) == 1
    assert [one for one in addresses if not one.startswith("data:")] == [report.absolute().as_uri()]


def test_every_picture_can_be_shown(page, report):
    for dark in (False, True):
        page.open(report, dark=dark)
        page.evaluate(OPEN_ALL)
        sizes = page.evaluate(
            "Promise.all([...document.images].map(async one => (await one.decode(), one.naturalWidth)))"
        )
        assert len(sizes) > 20 and min(sizes) > 100


def test_every_player_plays(page, report):
    page.open(report)
    ready = "document.querySelector('details[open].recording audio').duration"
    assert page.evaluate(ready) == pytest.approx(2.0, abs=0.06)
    lengths = page.evaluate(
        """Promise.all([...document.querySelectorAll('audio')].map(one => new Promise((done, fail) => {
            one.onloadedmetadata = () => done(one.duration);
            one.onerror = () => fail(one.error.message);
            one.preload = 'metadata';
            one.load();
        })))"""
    )
    assert len(lengths) == 4 * (2 + 2 * 2)
    assert lengths == pytest.approx([2.0] * len(lengths), abs=0.06)


def test_it_is_not_blank_and_dark_is_dark(page, report):
    page.open(report)
    day = seen(page)
    page.open(report, dark=True)
    night = seen(page)
    for picture in (day, night):
        assert picture.std() > 10
        assert len(np.unique(picture @ [1, 256, 65536])) > 50
    assert np.median(day) > 220 and np.median(night) < 40
    charts = "[...document.querySelectorAll('picture img')].map(one => one.currentSrc)"
    of_night = page.evaluate(charts)
    page.open(report)
    assert not set(of_night) & set(page.evaluate(charts))


@pytest.mark.parametrize("width", [390, 320])
def test_a_phone_need_not_scroll_sideways(page, report, width):
    page.open(report, width=width, height=800)
    page.evaluate(OPEN_ALL)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert (
        page.evaluate("[...document.images].filter(one => one.getBoundingClientRect().right > innerWidth).length") == 0
    )
    assert page.evaluate("parseFloat(getComputedStyle(document.querySelector('p')).fontSize)") >= 16
    # tables that are wider scroll by themselves, and can be reached with the keyboard
    assert page.evaluate("document.querySelector('.scroll').scrollWidth") > 0
    assert page.evaluate("[...document.querySelectorAll('.scroll')].every(one => one.tabIndex === 0)")


@pytest.mark.parametrize("dark", [False, True])
def test_letters_stand_out_from_their_ground(page, report, dark):
    """Contrast of 4.5 at least (WCAG 2.2, 1.4.3)."""
    page.open(report, dark=dark)
    page.evaluate(OPEN_ALL)
    worst = page.evaluate(
        "(() => {"
        + LUMINANCE
        + """
        return [...document.querySelectorAll('p, small, b, th, td, span, a, dt, dd, summary, figcaption, h1, h2, h3')]
            .filter(one => one.textContent.trim() && !one.classList.contains('unseen'))
            .map(one => {
                const pair = [light(parse(getComputedStyle(one).color)), light(behind(one))].sort((a, b) => b - a);
                return [(pair[0] + .05) / (pair[1] + .05), one.outerHTML.slice(0, 120)];
            }).sort((a, b) => a[0] - b[0])[0];
        })()"""
    )
    assert worst[0] >= 4.5, worst


def test_a_name_is_shown_as_it_is_and_does_nothing(page, report):
    page.open(report)
    assert page.evaluate("document.scripts.length") == 0
    names = page.evaluate("[...document.querySelectorAll('.recording h3')].map(one => one.textContent)")
    assert '"><script>alert(1)</script> & $x^2$ \\u202egpj 漢字' in names


def test_what_is_folded_is_printed(page, report):
    page.open(report)
    page.call("Emulation.setEmulatedMedia", media="print")
    heights = page.evaluate(
        "[...document.querySelectorAll('.recording')].map(one => one.getBoundingClientRect().height)"
    )
    page.call("Emulation.setEmulatedMedia", media="")
    assert len(heights) == 4 and min(heights) > 300
