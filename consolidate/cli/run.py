"""`consolidate run`."""

from __future__ import annotations

from functools import partial
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


def run(
    context: typer.Context,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask before loading; only a terminal is asked, e.g. `run --yes`.")
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
    """Load every source of the project into its target: all of it, or nothing.

    \b
    Example:
      consolidate run
      consolidate run -c bots/consolidate.yaml --json report.json
      consolidate run --table trading.trades --rows 50
    """
    from consolidate import destination
    from consolidate.errors import ExitCode
    from consolidate.report import document, text

    terminal = context.ensure_object(Terminal)
    terminal.begin("run", document.REPORT, json, quiet=quiet)
    terminal.also(html=html, markdown=markdown, junit=junit)
    single = wanted(table, bot, rows)
    project = terminal.load(config)
    with destination.sources_opened(project) as opened, terminal.progress() as observe:
        from consolidate import pipeline

        confirm = None if yes or not terminal.interactive else partial(terminal.confirmed, wanted=single)
        report = pipeline.run(
            opened,
            on_conflict=on_conflict.value,
            confirm=confirm,
            pictured=html is not None,
            wanted=single,
            observe=observe,
        )
    terminal.finish(
        document.run(report),
        text.body(report, single),
        text.ending(report),
        failed=report.exit_code != ExitCode.DONE,
        report=report,
    )
    raise typer.Exit(report.exit_code)
