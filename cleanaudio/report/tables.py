"""The tables of a report: systems side by side, groups, the gate, all recordings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cleanaudio.metrics.aggregate import Difference, Summary, finite, summarise
from cleanaudio.metrics.interface import NotMeasurable
from cleanaudio.report.gate import Criterion, Gate
from cleanaudio.report.labels import before, direction, figure, hint, label, unit
from cleanaudio.report.markup import esc, name, row, table, verdict, words
from cleanaudio.report.recordings import QUALITY, Recording, value_of
from cleanaudio.report.scores import Aggregate, Score, sizes

MOST_ROWS = 500
"""Recordings in the list of all; the CSV file has the rest."""
_ROW_KEYS = 5

Sums = Mapping[tuple[str, str, str | None], Aggregate]
"""By system, key and group."""


def by_place(sums: Iterable[Aggregate]) -> Sums:
    """Return sums by system, key and group."""
    return {(one.system, one.key, one.group): one for one in sums}


def metric_name(key: str) -> str:
    """Return a number's name, unit and direction as HTML."""
    marks = [f'<span class="unit">{esc(unit(key))}</span>'] if unit(key) else []
    better = direction(key)
    if better is not None:
        arrow, said = ("↑", "higher is better") if better else ("↓", "lower is better")
        marks.append(f'<span class="arrow" title="{said}"><span aria-hidden="true">{arrow}</span>')
        marks[-1] += f'<span class="unseen">{said}</span></span>'
    return esc(label(key)) + (f' <span class="marks">{" ".join(marks)}</span>' if marks else "")


def side_by_side(sums: Sums, systems: Sequence[str], keys: Sequence[str], scores: Sequence[Score]) -> str:
    """Return the table of means: before, and after each system, with intervals and differences to the first system."""
    starts = {key: summary_before(scores, key) for key in keys}
    with_before = any(start.count for start in starts.values())
    rows = []
    for key in keys:
        cells = [_mean(starts[key], key)] if with_before else []
        cells += [_mean_cell(sums.get((system, key, None)), key) for system in systems]
        about = hint(key)
        rows.append(row(metric_name(key) + (f"<small class=hint>{esc(about)}</small>" if about else ""), cells))
    after = _columns(systems, scores) if len(systems) > 1 else ["After" if with_before else "Mean"]
    head = ["Figure", *(["Before"] if with_before else []), *after]
    return table("Means over all recordings, each with its 95 % interval", head, [f"<tbody>{''.join(rows)}</tbody>"])


def _columns(systems: Sequence[str], scores: Iterable[Score]) -> list[str]:
    """Return the names of systems as HTML, each with the count of its recordings where those differ."""
    counts = sizes(scores)
    if len({counts.get(system, 0) for system in systems}) == 1:
        return [name(system) for system in systems]
    return [f"{name(system)} <small>{count_of(counts.get(system, 0), 'recording')}</small>" for system in systems]


def summary_before(scores: Iterable[Score], key: str) -> Summary:
    """Sum up what the noisy inputs had, each recording counted once."""
    values: dict[tuple[str | None, str], float] = {}
    for score in scores:
        value = before(score, key)
        if value is not None:
            values.setdefault((score.noisy, score.name), value)
    return summarise(values.values())


def _mean_cell(one: Aggregate | None, key: str) -> str:
    if one is None or one.summary.mean is None:
        return "–"
    out = _mean(one.summary, key)
    if one.difference is not None and one.difference.mean is not None:
        out += f"<small>{_difference(one.difference, key)}</small>"
    if one.summary.missing:
        out += f"<small>{one.summary.missing} without</small>"
    return out


def _mean(summary: Summary, key: str) -> str:
    """Return a mean above its interval."""
    out = figure(key, summary.mean)
    return (
        out if summary.low is None else f"{out}<small>{figure(key, summary.low)} … {figure(key, summary.high)}</small>"
    )


def _difference(difference: Difference, key: str) -> str:
    text = f"Δ {figure(key, difference.mean, signed=True)}"
    if not difference.outside:
        return text
    better = direction(key)
    good = better is not None and difference.mean is not None and (difference.mean > 0) == better
    style = "" if better is None else ' class="gain"' if good else ' class="loss"'
    return f"<strong{style}>{text} *</strong>"


def by_group(sums: Sums, systems: Sequence[str], keys: Sequence[str], scores: Sequence[Score]) -> str:
    """Return the means of each group."""
    groups = dict.fromkeys(group for _, _, group in sums if group is not None)
    bodies = []
    for group in groups:
        members = [score for score in scores if (score.group or "") == group]
        size = len({score.name for score in members})
        called = _columns(systems, members)
        title = f"{name(group) if group else 'no group'} <small>{count_of(size, 'recording')}</small>"
        rows = []
        for number, system in enumerate(systems):
            cells = []
            for key in keys:
                one = sums.get((system, key, group))
                cells.append("–" if one is None else _mean(one.summary, key))
            heading = f'<th scope="rowgroup" rowspan="{len(systems)}">{title}</th>' if number == 0 else ""
            who = f'<th scope="row">{called[number]}</th>' if len(systems) > 1 else ""
            rows.append(f"<tr>{heading}{who}{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
        bodies.append(f"<tbody>{''.join(rows)}</tbody>")
    head = ["Group", *([words("System")] if len(systems) > 1 else []), *(metric_name(key) for key in keys)]
    return table("Means by group, each with its 95 % interval", head, bodies)


def everything(sums: Sums, systems: Sequence[str], keys: Sequence[str]) -> str:
    """Return all figures with median and 5th percentile."""
    rows = []
    for key in keys:
        for system in systems:
            one = sums.get((system, key, None))
            if one is None:
                continue
            summary = one.summary
            interval = "–" if summary.low is None else f"{figure(key, summary.low)} … {figure(key, summary.high)}"
            cells = [figure(key, value) for value in (summary.mean, summary.median, summary.p5)]
            who = [words(name(system))] if len(systems) > 1 else []
            rows.append(row(metric_name(key), [*who, *cells, interval, str(summary.count), str(summary.missing)]))
    who = [words("System")] if len(systems) > 1 else []
    head = ["Figure", *who, "Mean", "Median", "5th percentile", "95 % interval", "Recordings", "Without"]
    return table("All figures", head, [f"<tbody>{''.join(rows)}</tbody>"])


def of_gate(gate: Gate, systems: Sequence[str], scores: Sequence[Score]) -> str:
    """Return how many results meet each criterion."""
    results = {
        system: [score.result for score in scores if score.system == system and score.result] for system in systems
    }
    rows = []
    for number, criterion in enumerate(gate.criteria):
        met = {system: sum(one.verdicts[number].passed for one in found) for system, found in results.items()}
        rows.append(row(criterion_name(criterion), [_share(met[system], len(results[system])) for system in systems]))
    whole = {system: sum(one.passed for one in found) for system, found in results.items()}
    rows.append(row("All of them", [_share(whole[system], len(results[system])) for system in systems], "total"))
    return table(
        "Results that meet each criterion", ["Criterion", *map(name, systems)], [f"<tbody>{''.join(rows)}</tbody>"]
    )


def criterion_name(criterion: Criterion) -> str:
    """Return a criterion in words as HTML."""
    sign = {"<=": "≤", ">=": "≥"}.get(criterion.operator, criterion.operator)
    limit = f"{criterion.limit:g}".replace("-", "−")
    ending = f"&nbsp;{esc(unit(criterion.key))}" if unit(criterion.key) else ""
    return f"{esc(label(criterion.key))} {esc(sign)}&nbsp;{limit}{ending}"


def _share(count: int, of: int) -> str:
    if not of:
        return "–"
    style = "pass" if count == of else "fail" if count == 0 else "some"
    return f'<span class="{style}">{count} of {of}</span>'


def all_recordings(found: Sequence[Recording], systems: Sequence[str], keys: Sequence[str], gate: bool) -> str:
    """Return a compact row for each recording and system."""
    keys = keys[:_ROW_KEYS]
    grouped = any(recording.group is not None for recording in found)
    rated = any(score.result is not None and score.result.quality is not None for one in found for score in one.scores)
    rows = []
    for recording in found[:MOST_ROWS]:
        for score in recording.scores:
            cells = [words(name(recording.group or ""))] if grouped else []
            cells += [words(name(score.system))] if len(systems) > 1 else []
            if gate:
                cells.append("–" if score.result is None else verdict(score.result.passed))
            if rated:
                cells.append(figure(QUALITY, value_of(score, QUALITY)))
            cells += [cell(score, key) for key in keys]
            rows.append(row(name(recording.name), cells))
    head = ["Recording", *([words("Group")] if grouped else []), *([words("System")] if len(systems) > 1 else [])]
    head += [*["Gate"] * gate, *["Quality"] * rated, *(metric_name(key) for key in keys)]
    out = table("All recordings, the worst first", head, [f"<tbody>{''.join(rows)}</tbody>"], hidden=True)
    left = len(found) - MOST_ROWS
    return out if left <= 0 else f"{out}<p>… and {count_of(left, 'recording')} more, which are in the CSV file.</p>"


def cell(score: Score, key: str) -> str:
    """Return a number of a score, or why there is none, as HTML."""
    value = score.measured.get(key)
    if isinstance(value, NotMeasurable):
        return f'<span class="missing" title="{esc(value.reason)}">not measurable</span>'
    return figure(key, value)


def of_recording(recording: Recording, keys: Sequence[str]) -> str:
    """Return all figures of one recording, and why those that are missing are."""
    rows = []
    with_before = any(before(score, key) is not None for score in recording.scores for key in keys)
    for key in keys:
        values = [score.measured.get(key) for score in recording.scores]
        if all(value is None for value in values):
            continue
        starts = [before(score, key) for score in recording.scores]
        start = next((value for value in starts if finite(value) is not None), None)
        cells = [figure(key, start)] if with_before else []
        for value in values:
            missing = isinstance(value, NotMeasurable)
            cells.append(f'<span class="missing">{esc(value.reason)}</span>' if missing else figure(key, value))  # type: ignore[union-attr]
        rows.append(row(metric_name(key), cells))
    head = ["Figure", *(["Before"] if with_before else []), *(name(score.system) for score in recording.scores)]
    title = f"All figures of {recording.name}"
    return table(title, head, [f"<tbody>{''.join(rows)}</tbody>"], hidden=True)


def count_of(number: int, what: str) -> str:
    """Return ``1 recording``, ``2 recordings``."""
    return f"{number} {what}{'' if number == 1 else 's'}"
