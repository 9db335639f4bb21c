"""`consolidate init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from consolidate.cli.options import Json, Quiet
from consolidate.cli.terminal import Terminal


def init(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="The folder to write into, made if it is missing, e.g. `bots`.")
    ] = Path(),
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite a file that is there, e.g. `consolidate init --force`.")
    ] = False,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Write a consolidate.yaml with comments, to be filled in.

    \b
    Example:
      consolidate init
      consolidate init bots
    """
    from rich.text import Text

    from consolidate import project_template
    from consolidate.report import document
    from consolidate.report.cells import safe

    terminal = context.ensure_object(Terminal)
    terminal.begin("init", document.INIT, json, quiet=quiet)
    file = project_template.write(folder, force=force)
    sentence = f"wrote {file}; fill in your stores and bots, then: consolidate check -c {file}"
    terminal.finish(document.initialised(file), [Text(safe(sentence), style="green")])
