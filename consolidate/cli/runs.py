"""`consolidate runs`."""

from __future__ import annotations

import typer

from consolidate.cli.options import DEFAULT_CONFIG, Config, Json, Quiet
from consolidate.cli.terminal import Terminal


def runs(context: typer.Context, config: Config = DEFAULT_CONFIG, json: Json = None, quiet: Quiet = False) -> None:
    """List what ran against the target: loaded, refused, rolled back, or interrupted (it died; nothing was loaded).

    \b
    Example:
      consolidate runs
      consolidate runs --json runs.json
    """
    from consolidate.report import history

    terminal = context.ensure_object(Terminal)
    terminal.begin("runs", history.RUNS, json, quiet=quiet)
    project = terminal.load(config)
    from consolidate import pipeline

    found = pipeline.runs(project)
    terminal.finish(history.runs(found), history.runs_text(found))
