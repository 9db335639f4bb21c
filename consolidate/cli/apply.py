"""`consolidate apply`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from consolidate.cli.options import Bot, Html, Json, Junit, Markdown, Quiet, Rows, Table, wanted
from consolidate.cli.terminal import Terminal


def apply(
    context: typer.Context,
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="The folder of a plan that `consolidate plan -o DIR` made, e.g. `monday`."),
    ],
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            metavar="FILE",
            help="The project file, where it is not at its place any more, e.g. `-c bots/consolidate.yaml`.",
        ),
    ] = None,
    json: Json = None,
    html: Html = None,
    markdown: Markdown = None,
    junit: Junit = None,
    table: Table = None,
    bot: Bot = None,
    rows: Rows = None,
    quiet: Quiet = False,
) -> None:
    """Load a saved plan: exactly what it foresaw, or nothing, with what changed since.

    \b
    Example:
      consolidate apply monday
      consolidate plan -o monday && consolidate apply monday --json report.json
    """
    from consolidate import destination, planning
    from consolidate.errors import ExitCode
    from consolidate.report import document, text

    terminal = context.ensure_object(Terminal)
    terminal.begin("apply", document.REPORT, json, quiet=quiet)
    terminal.also(html=html, markdown=markdown, junit=junit)
    single = wanted(table, bot, rows)
    project = terminal.load(config or Path(planning.read(folder).project_file))
    with destination.sources_opened(project) as opened, terminal.progress() as observe:
        from consolidate import pipeline

        report = pipeline.apply(opened, folder, pictured=html is not None, wanted=single, observe=observe)
    terminal.finish(
        document.run(report),
        text.body(report, single),
        text.ending(report),
        failed=report.exit_code != ExitCode.DONE,
        report=report,
    )
    raise typer.Exit(report.exit_code)
