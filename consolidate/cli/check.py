"""`consolidate check`."""

from __future__ import annotations

import typer

from consolidate.cli.options import DEFAULT_CONFIG, Config, Json, Quiet
from consolidate.cli.terminal import Terminal


def check(context: typer.Context, config: Config = DEFAULT_CONFIG, json: Json = None, quiet: Quiet = False) -> None:
    """Tell all mistakes in the project file and the mappings at once, without a connection to anything.

    \b
    Example:
      consolidate check
      consolidate check -c bots/consolidate.yaml
    """
    from rich.text import Text

    from consolidate.errors import ExitCode, UsageError
    from consolidate.report import document
    from consolidate.report.cells import rows, safe

    terminal = context.ensure_object(Terminal)
    terminal.begin("check", document.CHECK, json, quiet=quiet)
    examined = terminal.examine(config)
    project = examined.project
    if project is None:
        raise UsageError(*examined.problems)
    from consolidate import pipeline

    problems = examined.problems + pipeline.check(project)
    if problems:
        raise UsageError(*problems)
    bots = sum(len(source.bots) for source in project.sources)
    sentence = (
        f"{config} is in order: {rows(len(project.sources), 'source')}, {rows(bots, 'bot')}; their mappings compile"
    )
    terminal.finish(document.refusal(document.CHECK, "check", ExitCode.DONE, ()), [Text(safe(sentence), style="green")])
