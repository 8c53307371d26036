"""The report of a scoring run: one HTML file that needs nothing else, no network and no JavaScript."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from string import Template

import cleanaudio
from cleanaudio.audio.temporary import write_text
from cleanaudio.errors import BackendUnavailable, OutputError
from cleanaudio.report import tables
from cleanaudio.report.gate import NAMED, Gate
from cleanaudio.report.labels import figure, headlines, label, unit
from cleanaudio.report.markup import card, esc, name
from cleanaudio.report.recordings import QUALITY, Recording, ranked_by, recordings, worst_first
from cleanaudio.report.scores import Aggregate, Score, keys_of, lacking

MOST_DETAILED = 10
"""Recordings shown in full."""
MOST_SIDES = 64
"""Spectrograms and players in all, which bounds the file at about 10 MB; with many systems fewer recordings fit."""
_BIG_FIGURES = 3


def check(path: str | os.PathLike[str]) -> None:
    """Find out before the work whether a report could be written.

    Raises
    ------
    BackendUnavailable
        matplotlib is missing.
    OutputError
        The path is a folder, its folder is not there, or something else than a report is.
    """
    if find_spec("matplotlib") is None:
        raise BackendUnavailable("--report", "plots")
    target = Path(path)
    if target.is_dir():
        raise OutputError("is a folder", path=target, remedy="name a file, such as report.html")
    if not target.parent.is_dir():
        raise OutputError("its folder does not exist", path=target, remedy=f"create {target.parent}")
    if target.is_file() and _beginning(target) not in (b"", b"<!"):
        raise OutputError("exists, and is no report", path=target, remedy="choose another name, or move it")


def _beginning(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(2)
    except OSError as error:
        raise OutputError(f"cannot be read: {error.strerror}", path=path) from None


def write_report(
    path: str | os.PathLike[str], scores: Sequence[Score], sums: Sequence[Aggregate], gate: Gate | None = None
) -> None:
    """Write the report, in one step.

    Parameters
    ----------
    path : str or PathLike
        Replaced where it exists.
    scores : sequence of Score
        Those that failed included. The recordings must still be where they were.
    sums : sequence of Aggregate
    gate : Gate, optional

    Raises
    ------
    BackendUnavailable
        matplotlib is missing.
    OutputError
        It cannot be written.
    """
    check(path)
    write_text(path, render(scores, sums, gate), "make room, or choose another folder")


def render(scores: Sequence[Score], sums: Sequence[Aggregate], gate: Gate | None = None) -> str:
    """Return the page; see :func:`write_report`."""
    good = [score for score in scores if not score.error]
    failed = [score for score in scores if score.error]
    systems = list(dict.fromkeys(score.system for score in good))
    first = headlines(good)
    ranked = ranked_by(good)
    found = worst_first(recordings(good), ranked)
    parts = [_lead(found, systems, failed)]
    if good:
        parts += [_summary(sums, systems, first, good, gate), _distributions(good, systems, first, sums)]
        parts += [_worst(found, systems, first, keys_of(good), ranked), _list(found, systems, first, gate)]
    if failed:
        parts.append(_failures(failed))
    folder = resources.files("cleanaudio.report")
    return Template(folder.joinpath("page.html").read_text(encoding="utf-8")).substitute(
        style=folder.joinpath("style.css").read_text(encoding="utf-8"),
        title=esc(_title(found, systems)),
        body="\n".join(parts),
        made=esc(f"{datetime.now().astimezone():%Y-%m-%d %H:%M}"),
        version=esc(cleanaudio.__version__),
    )


def _title(found: Sequence[Recording], systems: Sequence[str]) -> str:
    what = found[0].name if len(found) == 1 else tables.count_of(len(found), "recording")
    return f"Sound report: {what}"


def _lead(found: Sequence[Recording], systems: Sequence[str], failed: Sequence[Score]) -> str:
    what = name(found[0].name) if len(found) == 1 else tables.count_of(len(found), "recording")
    by = f", cleaned by {_listed(systems)}" if len(systems) > 1 else ""
    out = f"<p class=lead>{what}{by}"
    if failed:
        out += f"; {tables.count_of(len(failed), 'file')} could not be scored (<a href='#failed'>why</a>)"
    return f"{out}.</p>"


def _listed(names: Sequence[str]) -> str:
    shown = [f"<b>{name(one)}</b>" for one in names]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _section(mark: str, title: str, *parts: str) -> str:
    heading = f'<h2 id="{mark}-title">{title}</h2>'
    return f'<section id="{mark}" aria-labelledby="{mark}-title">{heading}{"".join(parts)}</section>'


def _summary(
    sums: Sequence[Aggregate], systems: Sequence[str], keys: Sequence[str], good: Sequence[Score], gate: Gate | None
) -> str:
    places = tables.by_place(sums)
    cards = "".join(_system_card(places, system, keys, good) for system in systems)
    parts = [f'<div class="cards">{cards}</div>']
    if len({score.name for score in good}) > 1 or len(systems) > 1:
        parts.append(tables.side_by_side(places, systems, keys, good))
        words = "Below each mean stands its 95 % interval over the recordings (Student's t)."
        if len(systems) > 1:
            words += f" Δ is the difference to {name(systems[0])} over the recordings that both have; "
            words += "* marks one of three recordings or more whose own interval leaves zero out."
            words += "".join(f" {name(note)}." for note in lacking(good))
        parts.append(f"<p class=note>{words}</p>")
    if gate is not None:
        title = f"Gate “{esc(gate.name)}”" if gate.name in NAMED else "Gate"
        parts.append(f"<h3>{title}</h3>{tables.of_gate(gate, systems, good)}")
    if any(group is not None for _, _, group in places):
        parts.append(f"<h3>By group</h3>{tables.by_group(places, systems, keys, good)}")
    parts.append(
        f"<details><summary>All figures</summary>{tables.everything(places, systems, keys_of(good))}</details>"
    )
    return _section("summary", "Summary", *parts)


def _system_card(sums: tables.Sums, system: str, keys: Sequence[str], good: Sequence[Score]) -> str:
    own = [score for score in good if score.system == system]
    items = []
    for key in keys[:_BIG_FIGURES]:
        one = sums.get((system, key, None))
        if one is None or one.summary.mean is None:
            continue
        start = tables.summary_before(own, key).mean
        change = f'{figure(key, start)} <span aria-hidden="true">→</span><span class="unseen"> to </span> '
        value = f"{change if start is not None else ''}<b>{figure(key, one.summary.mean)}</b>"
        items.append(f"<div><dt>{esc(label(key))}</dt><dd>{value} <small>{esc(unit(key))}</small></dd></div>")
    results = [score.result for score in own if score.result is not None]
    if results:
        passed = sum(result.passed for result in results)
        style = "pass" if passed == len(results) else "fail" if not passed else "some"
        items.append(f'<div><dt>Pass the gate</dt><dd class="{style}"><b>{passed}</b> of {len(results)}</dd></div>')
    return card(name(system), f"<dl>{''.join(items)}</dl>")


def _distributions(
    good: Sequence[Score], systems: Sequence[str], keys: Sequence[str], sums: Sequence[Aggregate]
) -> str:
    from cleanaudio.report.distributions import pictures

    cards = [card(tables.metric_name(key), picture.html()) for key, picture in pictures(good, systems, keys, sums)]
    if not cards:
        return ""
    words = "A dot is a recording; the diamond is the mean, the bar its 95 % interval."
    return _section("spread", "How the recordings spread", f'<p>{words}</p><div class="cards">{"".join(cards)}</div>')


def _worst(
    found: Sequence[Recording], systems: Sequence[str], first: Sequence[str], keys: Sequence[str], ranked: str | None
) -> str:
    from cleanaudio.report.details import of_one

    shown = found[: max(1, min(MOST_DETAILED, MOST_SIDES // (2 + 2 * len(systems))))]
    if len(found) == 1:
        title, words = "The recording", ""
    elif ranked is None:
        title, words = f"The first {len(shown)}", "<p>There is no figure to order them by.</p>"
    else:
        by = "quality" if ranked == QUALITY else label(ranked)
        title = f"The worst {len(shown)} first" if len(shown) < len(found) else "The recordings, the worst first"
        words = f"<p>Ordered by {esc(by)}, those that fail the gate in front. " if found[0].passed is not None else (
            f"<p>Ordered by {esc(by)}. "
        )  # fmt: skip
        words += "Where there are several systems, the worst of them counts.</p>" if len(systems) > 1 else "</p>"
    sections = [of_one(recording, systems, first, keys, ranked, number == 0) for number, recording in enumerate(shown)]
    return _section("worst", title, words, *sections)


def _list(found: Sequence[Recording], systems: Sequence[str], keys: Sequence[str], gate: Gate | None) -> str:
    if len(found) == 1:
        return ""
    table = tables.all_recordings(found, systems, keys, gate is not None)
    return _section("all", "All recordings", f"<details open><summary>The worst first</summary>{table}</details>")


def _failures(failed: Sequence[Score]) -> str:
    items = "".join(f"<li>{name(score.error or score.enhanced)}</li>" for score in failed)
    return _section("failed", "Not scored", f"<ul class=failures>{items}</ul>")
