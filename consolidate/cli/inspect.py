"""`consolidate inspect`."""

from __future__ import annotations

from typing import Annotated

import typer

from consolidate.cli.options import DEFAULT_CONFIG, Config, Json, Quiet
from consolidate.cli.terminal import Terminal


def inspect(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="The name of a source in the project file, e.g. `mybot`.")
    ],
    config: Config = DEFAULT_CONFIG,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Show what a source holds, and what of it the mapping does not cover. The source is only read.

    \b
    Example:
      consolidate inspect mybot
      consolidate inspect mybot --json -
    """
    from consolidate import destination
    from consolidate.errors import ExitCode
    from consolidate.report import document
    from consolidate.report.inspection import inspection

    terminal = context.ensure_object(Terminal)
    terminal.begin("inspect", document.INSPECTION, json, quiet=quiet)
    project = terminal.load(config)
    project.source(source)
    with destination.sources_opened(project) as opened, terminal.progress() as observe:
        from consolidate import pipeline

        found = pipeline.inspect(opened, source, observe)
    terminal.finish(document.inspection(found, ExitCode.DONE), inspection(found))
