"""One recording in full: pictures and players of all its sides, verdicts, figures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cleanaudio.audio.wording import clock
from cleanaudio.errors import CleanAudioError
from cleanaudio.metrics.interface import NotMeasurable
from cleanaudio.report.charts import draw_levels
from cleanaudio.report.excerpts import Audio, Excerpt, read_excerpt
from cleanaudio.report.labels import before, figure, label
from cleanaudio.report.markup import card, esc, name, row, table, verdict
from cleanaudio.report.players import player
from cleanaudio.report.recordings import QUALITY, Recording, value_of
from cleanaudio.report.scores import Score
from cleanaudio.report.spectrogram import draw_spectrogram, spectrum_of
from cleanaudio.report.tables import cell, criterion_name, metric_name, of_recording

_LOUDEST_PERCENTILE = 99.8
_FIGURES = 4


def of_one(
    recording: Recording, systems: Sequence[str], headlines: Sequence[str], keys: Sequence[str], ranked: str | None,
    first: bool,
) -> str:  # fmt: skip
    """Return the section of a recording.

    Parameters
    ----------
    recording : Recording
    systems : sequence of str
        Of the whole report.
    headlines, keys : sequence of str
        What is shown of each system, and what in the table of all figures.
    ranked : str or None
        The number that the order of the recordings is by.
    first : bool
        Unfolded, and its players ready.
    """
    marks = [f"<small>{name(recording.group)}</small>"] if recording.group else []
    if recording.passed is not None:
        marks.append(verdict(recording.passed))
    if ranked is not None:
        values = " / ".join(figure(ranked, value_of(score, ranked)) for score in recording.scores)
        marks.append(f"<small>{esc('quality' if ranked == QUALITY else label(ranked))} {values}</small>")
    notes = dict.fromkeys(note for score in recording.scores for note in score.notes)
    body = f"<p class=note>{esc('; '.join(notes))}.</p>" if notes else ""
    try:
        excerpt = read_excerpt(recording.scores)
    except CleanAudioError as error:
        body += f'<p class="problem">There is nothing to see or hear: {esc(error.describe())}</p>'
        body += "".join(_outcome(score, headlines) for score in recording.scores)
    else:
        body += _sides(recording, excerpt, systems, headlines, first)
    return (
        f"<details class=recording{' open' if first else ''}><summary><h3>{name(recording.name)}</h3> "
        f"{' '.join(marks)}</summary>{body}"
        f"<details><summary>All figures</summary>{of_recording(recording, keys)}</details></details>"
    )


def _sides(
    recording: Recording, excerpt: Excerpt, systems: Sequence[str], headlines: Sequence[str], ready: bool
) -> str:
    """Return the pictures: what there was in the first row, then a row for each system."""
    removed = {system: excerpt.removed(system) for system in excerpt.after}
    audible = [excerpt.before, excerpt.reference, *excerpt.after.values(), *removed.values()]
    signals = [signal for signal in audible if signal is not None]
    gain = 1 / max(1.0, *(float(np.max(np.abs(signal), initial=0)) for signal in signals))
    loudest = excerpt.before if excerpt.before is not None else signals[0]
    top_db = float(np.percentile(spectrum_of(loudest, excerpt.rate), _LOUDEST_PERCENTILE))
    words = (
        "the whole recording" if excerpt.whole else f"from {clock(excerpt.start_s)} on, {excerpt.seconds:.0f} seconds"
    )

    def side(title: str, signal: Audio | None, about: str) -> str:
        if signal is None:
            return ""
        spectrum = spectrum_of(signal, excerpt.rate)
        alt = f"Spectrogram of {recording.name}, {about}, {words}. {_shape(signal)}"
        picture = draw_spectrogram(spectrum, excerpt.rate, excerpt.start_s, excerpt.seconds, top_db, alt)
        return card(title, picture.html(), player(signal, excerpt.rate, gain, f"{recording.name}, {about}", ready))

    alt = f"Level of {recording.name} over time, {words}. " + " ".join(
        f"{what[0].upper()}{what[1:]}: {_shape(signal)}"
        for what, signal in (("before", excerpt.before), *excerpt.after.items(), ("reference", excerpt.reference))
        if signal is not None and what
    )
    curves = draw_levels(excerpt.before, excerpt.reference, excerpt.after, systems, excerpt.rate, excerpt.start_s, alt)
    length = "" if excerpt.whole else (
        f"<p class=note>An excerpt of {excerpt.seconds:.0f} s from {clock(excerpt.start_s)} on; "
        f"the recording lasts {clock(excerpt.total_s)}.</p>"
    )  # fmt: skip
    rows = [
        side("Before", excerpt.before, "before cleaning")
        + side("Clean reference", excerpt.reference, "the clean reference")
        + card("Level", curves.html())
    ]
    for score in recording.scores:
        who = f" <span>{name(score.system)}</span>" if len(systems) > 1 else ""
        if score.system in excerpt.problems:
            shown = f'<p class="problem">{esc(excerpt.problems[score.system])}</p>'
        else:
            shown = side(f"After{who}", excerpt.after[score.system], f"after {score.system}")
            shown += side(f"Removed{who}", removed[score.system], f"what {score.system} removed")
        rows.append(shown + _outcome(score, headlines, who))
    return length + "".join(f'<div class="cards">{cards}</div>' for cards in rows)


def _shape(signal: Audio) -> str:
    """Return in words how loud a signal is."""
    power = float(np.mean(np.square(signal, dtype=np.float64))) if signal.size else 0.0
    peak = float(np.max(np.abs(signal), initial=0))
    if not peak:
        return "Digital silence."
    return f"Mean level {10 * np.log10(power):.0f} dBFS, peak {20 * np.log10(peak):.0f} dBFS.".replace("-", "−")


def _outcome(score: Score, headlines: Sequence[str], who: str = "") -> str:
    """Return the card of a system's verdicts, or where there is no gate of its first figures."""
    parts = []
    if score.result is not None:
        items = []
        for one in score.result.verdicts:
            value = (
                f"not measurable: {esc(one.value.reason)}"
                if isinstance(one.value, NotMeasurable)
                else figure(one.criterion.key, one.value)
            )
            items.append(f"<li>{verdict(one.passed)}<span>{criterion_name(one.criterion)}</span><b>{value}</b></li>")
        parts.append(f"<ul class=verdicts>{''.join(items)}</ul>")
        grade = score.result.quality
        missing = isinstance(grade, NotMeasurable)
        text = f"not measurable: {esc(grade.reason)}" if missing else figure("quality", grade)  # type: ignore[union-attr]
        parts += [] if grade is None else [f"<p>Quality <b>{text}</b></p>"]
        return card(f"Outcome{who}", *parts)
    keys = [key for key in headlines if key in score.measured][:_FIGURES]
    with_before = any(before(score, key) is not None for key in keys)
    rows = [
        row(metric_name(key), [*([figure(key, before(score, key))] if with_before else []), cell(score, key)])
        for key in keys
    ]
    head = ["Figure", *(["Before"] if with_before else []), "After"]
    caption = f"First figures of {score.name}, {score.system}"
    parts.append(table(caption, head, [f"<tbody>{''.join(rows)}</tbody>"], hidden=True) if rows else "")
    return card(f"Outcome{who}", *parts)
