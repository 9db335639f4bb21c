"""`consolidate test`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from consolidate.cli.options import Json, Quiet
from consolidate.cli.terminal import Terminal


def test(
    context: typer.Context,
    mapping: Annotated[
        str | None,
        typer.Argument(
            metavar="[MAPPING]",
            show_default=False,
            help="A mapping that ships, the folder of your own, or a folder of cases, e.g. `consolidate test "
            "mybot`; without it all cases that ship.",
        ),
    ] = None,
    cases: Annotated[
        Path | None,
        typer.Option(
            "--cases",
            metavar="DIR",
            help="Where to look for cases in place of the mapping's own, e.g. `consolidate test mappings/mybot --cases "
            "tests/mybot`.",
        ),
    ] = None,
    update: Annotated[
        bool,
        typer.Option(
            "--update",
            help="Show what differs, and make it what is expected from now on, e.g. `consolidate test mybot --update`.",
        ),
    ] = False,
    json: Json = None,
    junit: Annotated[
        Path | None,
        typer.Option(
            "--junit",
            metavar="FILE",
            help="Write the result as JUnit XML, a test case a case, e.g. `--junit report.xml`.",
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Run cases: the store of each is built, consolidated into a throw-away PostgreSQL, and compared cell by cell.

    \b
    Example:
      consolidate test
      consolidate test mappings/mybot
      consolidate test mappings/mybot --update && git diff
    """
    from consolidate.errors import ExitCode
    from consolidate.report import cases as shown
    from consolidate.report import document

    terminal = context.ensure_object(Terminal)
    terminal.begin("test", document.TEST, json, quiet=quiet)
    terminal.also(html=None, markdown=None, junit=junit)
    with terminal.progress() as observe:
        from consolidate import pipeline

        report = pipeline.test(mapping, cases=cases, update=update, observe=observe)
    failed = report.exit_code != ExitCode.DONE
    terminal.finish(document.tested(report), shown.body(report), shown.ending(report), failed=failed, report=report)
    raise typer.Exit(report.exit_code)
