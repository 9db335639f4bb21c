"""`consolidate demo`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consolidate.cli.options import Html, Json, Quiet
from consolidate.cli.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType


def demo(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Option("--dir", metavar="DIR", help="The folder to work in, e.g. `consolidate demo --dir try`.")
    ] = Path("consolidate-demo"),
    every: Annotated[
        bool, typer.Option("--all", help="Every system with fixtures, in one database, e.g. `consolidate demo --all`.")
    ] = False,
    json: Json = None,
    html: Html = None,
    quiet: Quiet = False,
) -> None:
    """Build small stores of bots, and consolidate them into an embedded PostgreSQL. Needs nothing installed.

    \b
    Example:
      consolidate demo
      consolidate demo --dir try --html demo.html
      consolidate demo --all
    """
    from consolidate import demo as demonstration
    from consolidate import destination
    from consolidate.errors import ExitCode
    from consolidate.report import document, text

    terminal = context.ensure_object(Terminal)
    terminal.begin("demo", document.REPORT, json, quiet=quiet)
    terminal.also(html=html)
    with (
        demonstration.prepared(folder, every=every) as file,
        destination.sources_opened(terminal.load(file)) as project,
        terminal.progress() as observe,
    ):
        from consolidate import pipeline

        page = html or file.parent / "report.html"
        terminal.also(html=page)
        report = pipeline.run(project, command="demo", pictured=True, observe=observe)
    terminal.finish(
        document.run(report),
        text.body(report),
        (*text.ending(report), *_next(file, page, project.sources[0].name)),
        failed=report.exit_code != ExitCode.DONE,
        report=report,
    )
    raise typer.Exit(report.exit_code)


def _next(file: Path, page: Path, source: str) -> Iterator[RenderableType]:
    from rich.text import Text

    from consolidate.report.cells import safe

    named = shlex.quote(str(file))
    yield Text(
        safe(
            f"\nThe same with pictures, for a browser: {page}\n"
            f"The stores are in {file.parent / 'stores'}, the project file is {file}. Next:\n\n"
            f"the same again, which finds nothing left to load:\n    consolidate run -c {named}\n"
            f"what a store holds:\n    consolidate inspect {source} -c {named}\n"
            "a project file for your own bots:\n    consolidate init"
        )
    )
