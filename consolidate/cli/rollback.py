"""`consolidate rollback`."""

from __future__ import annotations

from typing import Annotated

import typer

from consolidate.cli.options import DEFAULT_CONFIG, Config, Json, Quiet
from consolidate.cli.terminal import Terminal


def rollback(
    context: typer.Context,
    run_id: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="The run, as `consolidate runs` lists it, or `latest`, e.g. `consolidate rollback latest`.",
        ),
    ],
    bot: Annotated[
        str | None,
        typer.Option(
            "--bot",
            metavar="ID",
            help="Only the rows of this bot, e.g. `--bot mybot_001`; rows that belong to no bot, such as candles, "
            "stay.",
        ),
    ] = None,
    config: Config = DEFAULT_CONFIG,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Put the target back to what it held before a run: inserted rows go, updated rows get their former values.

    Refuses with exit code 6, naming the rows, where later runs or bots changed them or other rows refer to them.

    \b
    Example:
      consolidate rollback latest
      consolidate rollback 20260131T120000Z-1a2b3c4d --bot mybot_001
    """
    from consolidate.report import history

    terminal = context.ensure_object(Terminal)
    terminal.begin("rollback", history.ROLLBACK, json, quiet=quiet)
    project = terminal.load(config)
    from consolidate import pipeline

    report = pipeline.rollback(project, run_id, bot)
    terminal.finish(history.rollback(report), history.rollback_text(report))
