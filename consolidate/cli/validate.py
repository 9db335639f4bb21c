"""`consolidate validate`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from consolidate.cli.options import DEFAULT_CONFIG, Config, Html, Json, Junit, Markdown, Quiet
from consolidate.cli.terminal import Terminal


class On(StrEnum):
    """What the suites judge."""

    CANDIDATES = "candidates"
    TARGET = "target"


def validate(
    context: typer.Context,
    on: Annotated[
        On,
        typer.Option(
            "--on",
            help="What is judged: the `candidates` that a run would load, or all rows of the live `target`, without "
            "reading a source; e.g. `validate --on target`.",
        ),
    ] = On.CANDIDATES,
    config: Config = DEFAULT_CONFIG,
    json: Json = None,
    html: Html = None,
    markdown: Markdown = None,
    junit: Junit = None,
    quiet: Quiet = False,
) -> None:
    """Judge whole tables by the suites of expectations, and write nothing to any database.

    \b
    Example:
      consolidate validate
      consolidate validate --on target --junit report.xml
    """
    from consolidate.errors import ExitCode
    from consolidate.report import document, text

    terminal = context.ensure_object(Terminal)
    terminal.begin("validate", document.REPORT, json, quiet=quiet)
    terminal.also(html=html, markdown=markdown, junit=junit)
    project = terminal.load(config)
    with terminal.progress() as observe:
        from consolidate import pipeline

        report = pipeline.validate(project, on_target=on is On.TARGET, observe=observe)
    failed = report.exit_code != ExitCode.DONE
    terminal.finish(document.run(report), text.body(report), text.ending(report), failed=failed, report=report)
    raise typer.Exit(report.exit_code)
