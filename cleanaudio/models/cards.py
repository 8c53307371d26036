"""A model's card for people: Markdown from the metadata in the file, so that the two cannot differ."""

from __future__ import annotations

from collections.abc import Mapping

_FORMAT = (
    "rate",
    "contract",
    "window",
    "hop",
    "delay",
    "context",
    "ahead",
    "front",
    "latency",
    "parameters",
    "stored",
    "gains",
    "level",
    "quantised",
)
_UNITS = {"rate": "Hz", "hop": "samples", "delay": "samples", "context": "samples", "ahead": "samples"}


def render(card: Mapping[str, str], file: str) -> str:
    """Return the Markdown text of a card.

    Parameters
    ----------
    card : mapping of str
        The metadata of the model.
    file : str
        Its name.
    """
    name = card.get("name", file)
    lines = [f"# {name}", "", card.get("summary", ""), ""] if card.get("summary") else [f"# {name}", ""]
    lines += [f"`{file}`, licence {card.get('licence') or 'not stated'}.", "", "| what | value |", "|---|---|"]
    for key in _FORMAT:
        if card.get(key):
            lines.append(f"| {key} | {_with_unit(key, card)} |")
    made = [f"- {key}: {card[key]}" for key in ("trained", "weights", "date", "revision", "version") if card.get(key)]
    lines += _section("How it was made", made)
    if card.get("metrics"):
        lines += _section("How it measures", [f"Means over {card.get('dev', 'development pairs')}:", ""])
        lines += [f"- {figure}" for figure in card["metrics"].split(", ")]
    heard = [f"- {line}" for line in card.get("data", "").splitlines()]
    lines += _section("What it was trained on", heard)
    return "\n".join(lines) + "\n"


def _with_unit(key: str, card: Mapping[str, str]) -> str:
    if key == "latency" and card.get("rate"):
        return f"{card[key]} samples, {1000 * int(card[key]) / int(card['rate']):g} ms"
    return f"{card[key]} {_UNITS[key]}" if key in _UNITS else card[key]


def _section(title: str, lines: list[str]) -> list[str]:
    return ["", f"## {title}", "", *lines] if lines else []
