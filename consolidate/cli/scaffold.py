"""`consolidate scaffold`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consolidate.cli.options import Json, Quiet
from consolidate.cli.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from consolidate.scaffold.draft import Draft


def scaffold(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="The store: a SQLite file, a folder or glob of snapshots, or a variable with a connection string, "
            "e.g. `consolidate scaffold data/grid.db`.",
        ),
    ],
    into: Annotated[
        Path,
        typer.Option(
            "--into",
            metavar="DIR",
            help="The folder to write, which gives the mapping its name, e.g. `--into mappings/grid`.",
        ),
    ] = Path("draft"),
    schema: Annotated[
        str | None,
        typer.Option("--schema", metavar="NAME", help="Of PostgreSQL: where the tables are, e.g. `--schema trading`."),
    ] = None,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Draft a mapping from a store, which is only read: columns matched by name, type and values.

    Nothing is decided for you: every guess and every open question is marked with `# ?`, and `consolidate check`
    reports what is open.

    \b
    Example:
      consolidate scaffold data/grid.db --into mappings/grid
      consolidate scaffold '${GRID_DSN}' --schema public --into mappings/grid
    """
    from consolidate.report import document

    terminal = context.ensure_object(Terminal)
    terminal.begin("scaffold", document.SCAFFOLD, json, quiet=quiet)
    with terminal.progress() as observe:
        from consolidate import pipeline

        draft = pipeline.scaffold(source, into, schema=schema, observe=observe)
    told = document.drafted(into, tuple(draft.files), draft.mapped, draft.ignored, draft.questions)
    terminal.finish(told, _body(draft, into))


def _body(draft: Draft, into: Path) -> Iterator[RenderableType]:
    from rich.text import Text

    from consolidate.report.cells import rows, safe

    for table, target in draft.mapped:
        yield Text(safe(f"{table} → {target}"))
    for name in draft.ignored:
        yield Text(safe(f"{name}: like no unified table"))
    written = f"{rows(len(draft.files), 'file')} into {into}, with {rows(draft.questions, 'line')} marked `# ?`"
    yield Text(safe(f"\nwrote {written}: settle each, and take its mark away."))
    yield Text(
        "Then add the source to a project file (`consolidate init` writes one), and `consolidate check` tells what is"
        " still open."
    )
