"""`consolidate rejects`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from consolidate.cli.options import DEFAULT_CONFIG, Config, Json, Quiet
from consolidate.cli.terminal import Terminal


def rejects(
    context: typer.Context,
    run_id: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="The run, as `consolidate runs` lists it, or `latest`, e.g. `consolidate rejects latest`.",
        ),
    ],
    table: Annotated[
        str | None,
        typer.Option("--table", metavar="TABLE", help="Only of this source table, e.g. `--table mybot.trades`."),
    ] = None,
    code: Annotated[
        str | None, typer.Option("--code", metavar="CODE", help="Only with this code, e.g. `--code unmapped_value`.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="How many to list, e.g. `--limit 100`.")] = 20,
    export: Annotated[
        Path | None,
        typer.Option(
            "--export",
            metavar="FILE",
            help="Write all of them, verbatim, to a file whose suffix says how: .parquet, .csv or .jsonl, e.g. "
            "`--export rejects.parquet`. A text that a spreadsheet takes for a formula is written as it is.",
        ),
    ] = None,
    config: Config = DEFAULT_CONFIG,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """List and export the source rows that a loaded run rejected, as the target keeps them.

    \b
    Example:
      consolidate rejects latest --code unmapped_value
      consolidate rejects latest --export rejects.csv
    """
    from consolidate.report import history

    terminal = context.ensure_object(Terminal)
    terminal.begin("rejects", history.REJECTS, json, quiet=quiet)
    project = terminal.load(config)
    from consolidate import pipeline

    found = pipeline.rejects(project, run_id, table=table, code=code, limit=limit, export=export)
    terminal.finish(history.rejects(found), history.rejects_text(found))
