"""What ``score`` prints: figures of one file, sums of systems side by side, and the word of the gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cleanaudio.cli.console import plain, print_table, stdout
from cleanaudio.report.gate import Gate
from cleanaudio.report.scores import Aggregate, Score, fixed, sizes, text

if TYPE_CHECKING:
    from rich.table import Table

_SHOWN_FILES = 30


def show(scores: Sequence[Score], sums: Sequence[Aggregate], gate: Gate | None) -> None:
    """Print tables.

    Parameters
    ----------
    scores : sequence of Score
        Without those that failed; the first one's system is the baseline.
    sums : sequence of Aggregate
    gate : Gate or None
    """
    systems = list(dict.fromkeys(score.system for score in scores))
    print_table(_one(scores[0]) if len(scores) == 1 else _sums(scores, sums, systems))
    if len(systems) > 1:
        stdout().print(f"\nΔ is against {systems[0]}; * lies outside its 95 % interval.", markup=False)
    if gate is not None:
        stdout().print()
        print_table(_gate(scores, systems))
        if len(scores) > 1:
            _count(scores, systems)


def _one(score: Score) -> Table:
    from rich.table import Table

    table = Table("metric", box=None, header_style="bold")
    table.add_column(plain(score.name), justify="right")
    for key, value in score.measured.items():
        table.add_row(key, plain(text(value, 3)))
    return table


def _sums(scores: Sequence[Score], sums: Sequence[Aggregate], systems: Sequence[str]) -> Table:
    from rich.table import Table

    table = Table("metric", box=None, header_style="bold")
    counts = sizes(scores)
    alike = len(set(counts.values())) == 1
    for number, system in enumerate(systems):
        table.add_column(plain(f"{system}: mean" + ("" if alike else f" of {counts[system]}")), justify="right")
        for title in ("median", "p5", "95 % interval") if len(systems) == 1 else ("Δ",) * bool(number):
            table.add_column(title, justify="right")
    for group in dict.fromkeys(one.group for one in sums):
        if group is not None:
            table.add_section()
            members = sizes(score for score in scores if (score.group or "") == group)
            table.add_row(plain(f"{group or 'no group'} ({_files(members, systems)})", style="bold"))
        for key in dict.fromkeys(one.key for one in sums):
            cells = [one for one in sums if one.key == key and one.group == group]
            if any(one.summary.count for one in cells):
                table.add_row(_called(key, cells), *(cell for one in cells for cell in _cells(one, systems)))
            elif group is None:
                why = next(text(score.measured[key], 3) for score in scores if key in score.measured)
                table.add_row(key, plain(why, style="dim"))
    return table


def _files(members: Mapping[str, int], systems: Sequence[str]) -> str:
    """Return how many files there are: one number, or where systems differ one for each."""
    counts = [members.get(system, 0) for system in systems]
    shown = counts[:1] if len(set(counts)) == 1 else counts
    return f"{', '.join(map(str, shown))} file{'' if shown == [1] else 's'}"


def _called(key: str, cells: Sequence[Aggregate]) -> str:
    """Return a number's name, and of how many files it is the mean where it is not of all."""
    counts = dict.fromkeys((one.summary.count, one.summary.count + one.summary.missing) for one in cells)
    if all(count == every for count, every in counts):
        return key
    return f"{key} ({', '.join(f'{count} of {every}' for count, every in counts)})"


def _cells(one: Aggregate, systems: Sequence[str]) -> list[str]:
    summary = one.summary
    mean = text(summary.mean, 3)
    if len(systems) == 1:
        interval = "" if summary.low is None else f"{text(summary.low, 3)} … {text(summary.high, 3)}"
        return [mean, text(summary.median, 3), text(summary.p5, 3), interval]
    if one.system == systems[0]:
        return [mean]
    if one.difference is None or one.difference.mean is None:
        return [mean, ""]
    return [mean, f"{fixed(one.difference.mean, 3, signed=True)}{'*' if one.difference.outside else ' '}"]


def _gate(scores: Sequence[Score], systems: Sequence[str]) -> Table:
    """Return a row a file, those that fail first; of several files only what they fail is said."""
    from rich.table import Table
    from rich.text import Text

    several, rated = len(systems) > 1, any(score.result and score.result.quality is not None for score in scores)
    heads = ["file", *["system"] * several, "gate", *["quality"] * rated, "criteria"]
    table = Table(*heads, box=None, header_style="bold")
    for score in sorted(scores, key=_passed)[:_SHOWN_FILES]:
        assert score.result is not None
        verdicts = [str(verdict) for verdict in score.result.verdicts if len(scores) == 1 or not verdict.passed]
        word = Text("PASS", style="green") if score.result.passed else Text("FAIL", style="bold red")
        names = [score.name, *[score.system] * several]
        quality = [text(score.result.quality, 2)] * rated
        table.add_row(*map(plain, names), word, *map(plain, quality), Text("\n".join(verdicts)))
    return table


def _count(scores: Sequence[Score], systems: Sequence[str]) -> None:
    """Print what the table left out, and how many of each system pass."""
    left = scores[_SHOWN_FILES:] and sorted(scores, key=_passed)[_SHOWN_FILES:]
    if left:
        failed = sum(not _passed(score) for score in left)
        stdout().print(f"… and {len(left)} more, {failed} of them FAIL", markup=False)
    for system in systems:
        own = [score for score in scores if score.system == system]
        who = f"{system}: " if len(systems) > 1 else ""
        stdout().print(f"{who}{sum(map(_passed, own))} of {len(own)} pass the gate", markup=False)


def _passed(score: Score) -> bool:
    return score.result is not None and score.result.passed
