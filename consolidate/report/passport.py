"""The passport of a row, for people and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich import box
from rich.table import Table
from rich.text import Text

from consolidate.report.cells import plain, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from consolidate.model import ExplainedCell, Origin, Passport
    from consolidate.report.document import Document

PASSPORT: Final = "consolidate.explain/1"
_HEADING: Final = "bold"
_QUIET: Final = "dim"


def passport(found: Passport) -> Iterator[RenderableType]:
    """The row's cells with their rules, then each of its source rows; null cells without a rule are left out."""
    yield Text(f"{found.table} {plain(found.key)}\n", style=_HEADING)
    yield _cells(found.cells)
    for origin in found.origins:
        yield from _origin(origin)


def document(found: Passport) -> Document:
    """The passport as JSON: texts as stored, null for null."""
    return {
        "schema": PASSPORT,
        "command": "explain",
        "exit_code": 0,
        "table": found.table,
        "key": found.key,
        "cells": [
            {
                "column": cell.column,
                "value": cell.value,
                "rules": [{"rule": rule, "location": str(location)} for rule, location in cell.rules],
            }
            for cell in found.cells
        ],
        "origins": [
            {
                "source": origin.source,
                "table": origin.table,
                "key": origin.key,
                "outcome": origin.outcome,
                "run_id": origin.run_id,
                "first_run_id": origin.first_run_id,
                "started_at": origin.started_at,
                "cells": None
                if origin.cells is None
                else [
                    {"column": cell.column, "value": cell.value, "storage_class": cell.storage_class}
                    for cell in origin.cells
                ],
            }
            for origin in found.origins
        ],
    }


def _table(*headings: str) -> Table:
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in headings:
        shown.add_column(heading, overflow="fold")
    return shown


def _cells(cells: tuple[ExplainedCell, ...]) -> Table:
    shown = _table("column", "value", "rule", "at")
    for cell in cells:
        if cell.value is None and not cell.rules:
            continue
        rules = "\n".join(plain(rule, longest=80) for rule, _ in cell.rules)
        places = "\n".join(str(location) for _, location in cell.rules)
        value = quoted(cell.value) if cell.value is None else plain(cell.value)
        shown.add_row(Text(cell.column), Text(value), Text(rules), Text(places, style=_QUIET))
    return shown


def _origin(origin: Origin) -> Iterator[RenderableType]:
    when = f" at {origin.started_at} UTC" if origin.started_at else ""
    first = "" if origin.first_run_id == origin.run_id else f"; first loaded by run {origin.first_run_id}"
    yield Text.assemble(
        (f"{origin.source}.{plain(origin.table)} {plain(origin.key)}", _HEADING),
        f"  {origin.outcome}, by run {origin.run_id}{when}{first}",
    )
    if origin.cells is None:
        yield Text("what it held is not shown: the project has no such source or table", style=_QUIET)
        return
    shown = _table("as stored", "value", "class")
    for cell in origin.cells:
        shown.add_row(Text(plain(cell.column)), Text(quoted(cell.value)), Text(cell.storage_class or ""))
    yield shown
