"""``cleanaudio backends``: what can clean, with which options."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from cleanaudio.cli import completing, options
from cleanaudio.cli.console import plain, print_table, stdout
from cleanaudio.errors import BackendUnavailable

if TYPE_CHECKING:
    from cleanaudio.backends.interface import Backend


def backends(
    name: Annotated[
        str | None, typer.Argument(help="Show the options of this one.", autocompletion=completing.backend)
    ] = None,
    json_: options.JsonEach = False,
    debug: options.Debug = False,
) -> None:
    """List the backends, or the options of one with units, ranges and defaults."""
    from cleanaudio.backends import registry
    from cleanaudio.backends.spec import parse

    best, why = registry.auto()
    if name == "auto":
        print(json.dumps({"name": name, "spec": best, "why": why}) if json_ else f"auto is {best}: {why}")
        return
    entries = [_described(one) for one in ([name] if name else registry.names())]
    chosen = {term.name for term in parse(best)}
    if json_:
        for entry in entries:
            print(json.dumps({**entry, "auto": entry["name"] in chosen}, ensure_ascii=True))
    elif name:
        _show_one(entries[0])
    else:
        _show_all(entries, best, why)


def _described(name: str) -> dict:
    from cleanaudio.backends import registry

    try:
        backend = registry.get(name)
    except BackendUnavailable as error:  # a package beside ours that cannot be imported
        return {
            "name": name,
            "summary": error.message,
            "kind": "?",
            "available": False,
            "missing": error.remedy,
            "extra": error.extra,
            "options": [],
        }
    return {
        "name": backend.name,
        "summary": backend.summary,
        "kind": backend.kind,
        "available": registry.available(backend.name),
        "missing": _missing(backend),
        "extra": backend.extra,
        "live": backend.live,
        "options": [
            {
                "name": option.name,
                "default": option.default,
                "unit": option.unit or None,
                "low": option.low,
                "high": option.high,
                "choices": list(option.choices) or None,
                "help": option.help,
            }
            for option in backend.options
        ],
    }


def _missing(backend: Backend) -> str | None:
    """Return what would bring a backend that cannot be had."""
    try:
        backend.require()
    except BackendUnavailable as error:
        return error.remedy
    return None


def _show_all(entries: list[dict], best: str, why: str) -> None:
    from rich.table import Table

    table = Table("backend", "kind", "here", "what it is", box=None, header_style="bold")
    for entry in entries:
        needs = f"needs [{entry['extra']}]" if entry["extra"] else "no"
        here = "yes" if entry["available"] else needs
        table.add_row(*map(plain, (entry["name"], entry["kind"], here, entry["summary"])))
    print_table(table)
    stdout().print(f"\nauto is {best} here: {why}.", markup=False)


def _show_one(entry: dict) -> None:
    from rich.table import Table

    stdout().print(f"{entry['name']} ({entry['kind']}): {entry['summary']}", markup=False)
    if not entry["available"]:
        stdout().print(f"not installed: {entry['missing']}", markup=False)
    table = Table("option", "default", "range", "unit", "meaning", box=None, header_style="bold")
    for option in entry["options"]:
        allowed = ", ".join(option["choices"] or ())
        if option["low"] is not None or option["high"] is not None:
            low, high = (("" if bound is None else f"{bound:g}") for bound in (option["low"], option["high"]))
            allowed = f"{low} … {high}"
        default = str(option["default"]).lower() if isinstance(option["default"], bool) else str(option["default"])
        table.add_row(*map(plain, (option["name"], default, allowed, option["unit"] or "", option["help"])))
    if entry["options"]:
        print_table(table)
