"""What a source holds, for people: a table for each of its tables, and what the mapping does not cover."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich import box
from rich.table import Table
from rich.text import Text

from consolidate.report.cells import count, plain, quoted, rows, safe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from consolidate.model import InspectedColumn, InspectedTable, SourceInspection

_HEADING: Final = "bold"
_GOOD: Final = "green"
_BAD: Final = "red"
_QUIET: Final = "dim"
_MOST_VALUES: Final = 21
_MOST_NUMBERS: Final = 6


def inspection(found: SourceInspection) -> Iterator[RenderableType]:
    """The parts of an inspection from top to bottom; the last one is the sentence that sums it up."""
    yield Text(safe(f"{found.source}: {found.kind} at {found.origin}\n"), style=_HEADING)
    for table in found.tables:
        counted = "" if table.rows is None else f"{rows(table.rows, 'file' if table.kind == 'folder' else 'row')}, "
        yield Text.assemble(
            (plain(table.name), _HEADING),
            f"  {table.kind}, {counted}",
            (table.covered, _BAD if table.covered == "unknown" else _QUIET),
        )
        if table.columns and table.covered in {"mapped", "unknown"}:
            yield _columns(table)
            yield Text("")
    for problem in found.uncovered:
        yield Text(safe(f"{problem}\n"), style=_BAD)
    if found.uncovered:
        yield Text(
            f"the mapping does not cover everything: {rows(len(found.uncovered), 'problem')}", style=f"bold {_BAD}"
        )
    else:
        yield Text("the mapping covers every table and every column", style=f"bold {_GOOD}")


def _columns(table: InspectedTable) -> Table:
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for heading in ("column", "stored as", "mapped as"):
        shown.add_column(heading, overflow="fold")
    shown.add_column("nulls", justify="right", no_wrap=True)
    shown.add_column("holds", overflow="fold")
    for column in table.columns:
        mapped = column.declared or ("ignored" if column.covered else "not at all")
        nulls = "" if column.nulls is None else count(column.nulls)
        shown.add_row(
            Text(plain(column.name)),
            Text(_stored(column)),
            Text(plain(mapped), style="" if column.covered else _BAD),
            Text(nulls),
            Text(_values(column)),
        )
    return shown


def _stored(column: InspectedColumn) -> str:
    """The declared type of the store and, where each cell has a class of its own, which; and of several, how many."""
    shown = dict(column.classes)
    if "absent" not in shown:
        shown.pop("null", None)  # as many as the column of nulls says
    classes = ", ".join(f"{name} {count(number)}" if len(shown) > 1 else name for name, number in shown.items())
    return ": ".join(part for part in dict.fromkeys((plain(column.stored_type), classes)) if part)


def _values(column: InspectedColumn) -> str:
    """The values with their counts, where they are few and some come again; else the least and the greatest."""
    few = len(column.distinct) <= (_MOST_VALUES if column.order == "text" else _MOST_NUMBERS)
    if column.distinct and (few or column.minimum is None) and any(number > 1 for _, number in column.distinct):
        return ", ".join(f"{quoted(value)} {count(number)}" for value, number in column.distinct)
    if column.minimum is None or column.maximum is None:
        return ""
    strays = f", and {rows(column.strays, 'cell')} no {column.order}" if column.strays else ""
    return f"{quoted(column.minimum)} to {quoted(column.maximum)}{strays}"
