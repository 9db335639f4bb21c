"""`consolidate schema`."""

from __future__ import annotations

from typing import Annotated

import typer

from consolidate.cli.options import DEFAULT_CONFIG, Config, Json, Quiet
from consolidate.cli.terminal import Terminal


def schema(
    context: typer.Context,
    apply: Annotated[
        bool,
        typer.Option(
            "--apply",
            help="Make the schema in the target of the project instead, e.g. `consolidate schema --apply`; one that "
            "differs is never altered, its differences are told with exit code 6.",
        ),
    ] = False,
    config: Config = DEFAULT_CONFIG,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Print the target schema as SQL, or make it in the target.

    \b
    Example:
      consolidate schema > unified.sql
      consolidate schema --apply -c bots/consolidate.yaml
    """
    from rich.text import Text

    from consolidate.report import document
    from consolidate.report.cells import safe

    terminal = context.ensure_object(Terminal)
    terminal.begin("schema", document.SCHEMA, json, quiet=quiet)
    if not apply:
        from consolidate.target import schema as target_schema

        ddl = target_schema.text()
        terminal.finish(document.schema(state=None, target=None, ddl=ddl), [Text(ddl, end="")])
        return
    from consolidate import destination
    from consolidate.target.schema import Absent

    before, target = destination.apply_schema(terminal.load(config))
    made = isinstance(before, Absent)
    sentence = f"made the schema in {target}" if made else f"the schema is in {target} already"
    terminal.finish(
        document.schema(state="made" if made else "present", target=target, ddl=None),
        [Text(safe(sentence), style="green")],
    )
