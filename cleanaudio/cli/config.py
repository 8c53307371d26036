"""Options from a TOML file, and named presets: defaults that the command line overrides.

A file holds options by their long names, and presets in tables of their own::

    strength = 0.9
    [presets.radio]
    backend = "log-mmse"
    limit-db = 20
    set = ["tracker=imcra"]
"""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import typer

from cleanaudio.errors import InputError, RecipeError

PRESETS: dict[str, dict[str, Any]] = {
    "gentle": {"strength": 0.85, "limit-db": 10},
    "podcast": {"channels": "linked", "limit-db": 24, "clip-mode": "limit"},
    "archive": {"strength": 0.85, "limit-db": 12, "format": "flac", "subtype": "PCM_24"},
}


def apply(context: typer.Context, config: Path | None, preset: str | None) -> None:
    """Make a file's options and a preset's the defaults of a command that is being read.

    Raises
    ------
    RecipeError, InputError
        An unknown preset or key, or a file that cannot be read.
    """
    defaults: dict[str, Any] = {}
    presets = dict(PRESETS)
    if config is not None:
        table = _read(config)
        own = table.pop("presets", {})
        if not isinstance(own, dict) or not all(isinstance(preset, dict) for preset in own.values()):
            raise RecipeError("presets are tables", path=config, remedy="write them as [presets.NAME]")
        presets.update(own)
        defaults.update(_parameters(context, table, str(config)))
    if preset is not None:
        if preset not in presets:
            raise RecipeError(f"there is no preset {preset!r}", remedy=f"there are: {', '.join(sorted(presets))}")
        wanted = presets[preset]
        if wanted is PRESETS.get(preset):  # ours are for every command, and say nothing to some of their options
            wanted = {key: value for key, value in wanted.items() if key in _options(context)}
            if not wanted:
                raise RecipeError(f"preset {preset} sets no option of this command", remedy="leave it out")
        defaults.update(_parameters(context, wanted, f"preset {preset}"))
    context.default_map = {**(context.default_map or {}), **defaults}


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"is not TOML: {error}", path=path) from None


def _options(context: typer.Context) -> dict[str, Any]:
    """Return the parameters of a command that can have a default, by their long option names."""
    return {
        name.removeprefix("--"): parameter
        for parameter in context.command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name.startswith("--") and parameter.name not in ("config", "preset")
    }


def _parameters(context: typer.Context, table: dict[str, Any], where: str) -> dict[str, Any]:
    """Translate long option names into the command's parameters."""
    known = _options(context)
    found: dict[str, Any] = {}
    for key, value in table.items():
        if key not in known:
            close = get_close_matches(key.replace("_", "-"), known, n=1)
            remedy = f"did you mean {close[0]}?" if close else "use the long option names, without --"
            raise RecipeError(f"{where}: there is no option {key!r}", remedy=remedy)
        parameter = known[key]
        if f"--{key}" in parameter.secondary_opts:  # the flag that says no
            if not isinstance(value, bool):
                raise RecipeError(f"{where}: {key} = {value!r} is neither true nor false", remedy="write true or false")
            value = not value
        if parameter.multiple:
            value = [str(one) for one in (value if isinstance(value, list) else [value])]
        elif isinstance(value, list | dict):
            raise RecipeError(f"{where}: {key}: takes one value", remedy="write it without brackets")
        try:
            parameter.process_value(context, value)
        except typer.BadParameter as error:
            raise RecipeError(f"{where}: {key}: {error.message.removeprefix('Value error, ')}") from None
        found[parameter.name or key] = value
    return found
