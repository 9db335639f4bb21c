"""`consolidate plan`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from consolidate.cli.options import (
    DEFAULT_CONFIG,
    Bot,
    Config,
    Html,
    Json,
    Junit,
    Markdown,
    OnConflict,
    OnConflictOption,
    Quiet,
    Rows,
    Table,
    wanted,
)
from consolidate.cli.terminal import Terminal


def plan(
    context: typer.Context,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Keep the plan in this folder, for `consolidate apply`, e.g. `-o monday`.",
        ),
    ] = None,
    detailed_exitcode: Annotated[
        bool,
        typer.Option(
            "--detailed-exitcode",
            help="Exit with 3 where a load would change the target, e.g. `plan --detailed-exitcode` in CI.",
        ),
    ] = False,
    on_conflict: OnConflictOption = OnConflict.REFUSE,
    config: Config = DEFAULT_CONFIG,
    json: Json = None,
    html: Html = None,
    markdown: Markdown = None,
    junit: Junit = None,
    table: Table = None,
    bot: Bot = None,
    rows: Rows = None,
    quiet: Quiet = False,
) -> None:
    """Tell what `run` would do, exactly, and write nothing to any database.

    \b
    Example:
      consolidate plan
      consolidate plan -o monday --detailed-exitcode
      consolidate plan --bot mybot_001 --table trading.trades --rows 50
    """
    from consolidate import destination
    from consolidate.errors import ExitCode
    from consolidate.report import document, text

    terminal = context.ensure_object(Terminal)
    terminal.begin("plan", document.REPORT, json, quiet=quiet)
    terminal.also(html=html, markdown=markdown, junit=junit)
    single = wanted(table, bot, rows)
    project = terminal.load(config)
    with destination.sources_opened(project) as opened, terminal.progress() as observe:
        from consolidate import pipeline

        report = pipeline.plan(
            opened,
            output=output,
            on_conflict=on_conflict.value,
            detailed_exitcode=detailed_exitcode,
            pictured=html is not None,
            wanted=single,
            observe=observe,
        )
    failed = report.exit_code not in {ExitCode.DONE, ExitCode.CHANGES}
    terminal.finish(document.run(report), text.body(report, single), text.ending(report), failed=failed, report=report)
    raise typer.Exit(report.exit_code)
