"""`consolidate run`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from consolidate.cli.options import DEFAULT_CONFIG, Config, Json, Quiet
from consolidate.cli.terminal import Terminal


class OnConflict(StrEnum):
    """What becomes of rows that changed in the source and in the target."""

    REFUSE = "refuse"
    SOURCE = "source"
    TARGET = "target"


def run(
    context: typer.Context,
    on_conflict: Annotated[
        OnConflict,
        typer.Option(
            "--on-conflict",
            help="Who is right about rows that changed in the source and in the target since they were loaded: "
            "`source` overwrites them and keeps what was there for `rollback`, `target` leaves them; e.g. "
            "`--on-conflict target`.",
        ),
    ] = OnConflict.REFUSE,
    config: Config = DEFAULT_CONFIG,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Load every source of the project into its target: all of it, or nothing.

    \b
    Example:
      consolidate run
      consolidate run -c bots/consolidate.yaml --json report.json
    """
    from consolidate import destination
    from consolidate.errors import ExitCode
    from consolidate.report import document, text

    terminal = context.ensure_object(Terminal)
    terminal.begin("run", document.REPORT, json, quiet=quiet)
    project = terminal.load(config)
    with destination.sources_opened(project) as opened, terminal.progress() as observe:
        from consolidate import pipeline

        report = pipeline.run(opened, command="run", on_conflict=on_conflict.value, observe=observe)
    terminal.finish(
        document.run(report), text.body(report), text.ending(report), failed=report.exit_code != ExitCode.DONE
    )
    raise typer.Exit(report.exit_code)
