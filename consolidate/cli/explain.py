"""`consolidate explain`."""

from __future__ import annotations

from typing import Annotated

import typer

from consolidate.cli.options import DEFAULT_CONFIG, Config, Json, Quiet
from consolidate.cli.terminal import Terminal


def explain(
    context: typer.Context,
    table: Annotated[str, typer.Argument(metavar="TABLE", help="A unified table, e.g. `trading.trades` or `trades`.")],
    key: Annotated[str, typer.Argument(metavar="KEY", help="The row's text id, or its id, e.g. `mybot_001_BTC…`.")],
    config: Config = DEFAULT_CONFIG,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Show where a loaded row comes from: its source rows as they were stored, the rule of each cell, the run.

    \b
    Example:
      consolidate explain trades mybot_001_BTCUSDT_1759731261_69c086d77b
      consolidate explain account_balance 17 --json -
    """
    from consolidate import pipeline
    from consolidate.report import passport

    terminal = context.ensure_object(Terminal)
    terminal.begin("explain", passport.PASSPORT, json, quiet=quiet)
    project = terminal.load(config)
    found = pipeline.explain(project, table, key)
    terminal.finish(passport.document(found), passport.passport(found))
