"""``cleanaudio score``: how good cleaned recordings are, against clean ones or on their own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cleanaudio.cli import completing, options
from cleanaudio.errors import RecipeError

_SIDES, _WHAT = "What is compared", "What is measured"


def score(
    enhanced: Annotated[
        list[str] | None, typer.Argument(metavar="ENHANCED...", help="Files, folders and globs.", show_default=False)
    ] = None,
    reference: Annotated[
        list[str] | None, typer.Option("--reference", "-R", help="The clean side; repeatable.", rich_help_panel=_SIDES)
    ] = None,
    noisy: Annotated[
        list[str] | None, typer.Option("--noisy", "-N", help="The side before cleaning.", rich_help_panel=_SIDES)
    ] = None,
    system: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=DIR, repeatable: systems side by side, the first is the baseline.", rich_help_panel=_SIDES
        ),
    ] = None,
    match: Annotated[
        str, typer.Option(help="How enhanced files are called, from their partners' {stem}.", rich_help_panel=_SIDES)
    ] = "{stem}",
    recursive: options.Recursive = False,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            help="Only these: stoi,si_sdr,…; repeatable.",
            autocompletion=completing.metric,
            rich_help_panel=_WHAT,
        ),
    ] = None,
    no_align: Annotated[
        bool, typer.Option("--no-align", help="Leave constant delays in.", rich_help_panel=_WHAT)
    ] = False,
    gate: Annotated[
        str | None,
        typer.Option(
            help='reference, blind, "dnsmos_ovrl>=2.8,…" or a TOML file; exit 3 on FAIL.', rich_help_panel=_WHAT
        ),
    ] = None,
    gate_missing: Annotated[
        options.GateMissing | None,
        typer.Option(help="What a criterion that cannot be measured counts as.", rich_help_panel=_WHAT),
    ] = None,
    group_by: Annotated[
        str | None, typer.Option(help="A column of --manifest to break the figures down by.", rich_help_panel=_WHAT)
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option("--manifest", help="CSV that knows the recordings.", rich_help_panel=_WHAT)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="CSV with a row a file.", callback=options.named, rich_help_panel=options.OUTPUT
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report", help="One HTML file with everything.", callback=options.named, rich_help_panel=options.OUTPUT
        ),
    ] = None,
    json_: options.JsonEach = False,
    jobs: options.Jobs = None,
    allow_empty: options.AllowEmpty = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Measure cleaned recordings: PESQ, STOI, SI-SDR … against clean ones, DNSMOS, loudness … without.

    cleanaudio score out/ --reference clean/ --noisy noisy/ -o scores.csv

    cleanaudio score out/ --noisy in/ --gate blind
    """
    from cleanaudio.cli.scoring import Scoring, Sides

    if group_by is not None and manifest is None:
        raise RecipeError("--group-by needs --manifest FILE.csv")
    if manifest is not None and group_by is None:
        raise RecipeError("--manifest needs --group-by, the column to break the figures down by")
    if report is not None:
        from cleanaudio.report.html import check

        check(report)
    sides = Sides(
        tuple(enhanced or ()), tuple(system or ()), tuple(reference or ()), tuple(noisy or ()), match, recursive
    )
    scoring = Scoring(
        sides,
        metrics=tuple(name.strip() for some in metric for name in some.split(",")) if metric else None,
        gate=options.parse_gate(gate, gate_missing),
        align=not no_align,
        groups=(manifest, group_by) if manifest is not None and group_by is not None else None,
        csv=output,
        json=json_,
        quiet=quiet,
    )
    code = scoring.run(jobs, allow_empty)
    if report is not None and scoring.scores and not scoring.stopped:
        from cleanaudio.report.html import write_report

        write_report(report, scoring.scores, scoring.sums, scoring.gate)
    if code:
        raise typer.Exit(code)
