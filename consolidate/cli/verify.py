"""`consolidate verify`."""

from __future__ import annotations

from typing import Annotated

import typer

from consolidate.cli.options import DEFAULT_CONFIG, Config, Json, Quiet
from consolidate.cli.terminal import Terminal


def verify(
    context: typer.Context,
    run: Annotated[
        str,
        typer.Argument(
            metavar="[RUN]",
            help="A run of `consolidate runs`, or the last one loaded, e.g. `verify latest`.",
            show_default=True,
        ),
    ] = "latest",
    sources: Annotated[
        bool,
        typer.Option("--sources", help="Read the sources again instead of the evidence, e.g. `verify --sources`."),
    ] = False,
    config: Config = DEFAULT_CONFIG,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Prove a loaded run again: make its rows anew from what it read, and compare each with the target.

    \b
    Example:
      consolidate verify
      consolidate verify 20261121T084641Z-51bb3b4a --sources
    """
    from consolidate import pipeline
    from consolidate.errors import ExitCode
    from consolidate.report import document, verification

    terminal = context.ensure_object(Terminal)
    terminal.begin("verify", document.REPORT, json, quiet=quiet)
    project = terminal.load(config)
    with terminal.progress() as observe:
        report = pipeline.verify(project, run, from_sources=sources, observe=observe)
    terminal.finish(
        document.run(report),
        verification.body(report),
        verification.ending(report),
        failed=report.exit_code != ExitCode.DONE,
    )
    raise typer.Exit(report.exit_code)
