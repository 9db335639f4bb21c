"""Single rows on demand: what a load changes in a table or of a bot, cell by cell."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

from rich.padding import Padding
from rich.text import Text

from consolidate.report import summary
from consolidate.report.cells import count, plain, quoted, rows, safe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from consolidate.model import ChangedRow, RowsWanted, RunReport

_SIGNS: Final = {
    "conflict": ("!", summary.BAD),
    "update": ("~", summary.CHANGED),
    "insert": ("+", summary.GOOD),
}


def details(report: RunReport, wanted: RowsWanted) -> Iterator[RenderableType]:
    """The counts of every bot that was asked for, and the rows that were found, with their cells."""
    targets = [one for one in report.targets if wanted.takes(one.table, one.bot_id)]
    shown = summary.table("table", "bot", *("+ insert", "~ update", "= unchanged", "! conflict"), texts=2)
    for table, counts in groupby(targets, key=lambda one: one.table):
        for place, one in enumerate(counts):
            label = Text(table if place == 0 else "")
            shown.add_row(label, Text(summary.bot(one.bot_id)), *summary.changes([one]))
    if targets:
        yield from summary.titled(f"target {report.target}", shown)
    elif report.targets:
        yield Text("no row of this run is in that table or of that bot\n", style=summary.QUIET)
    else:
        yield Text("nothing was compared with the target\n", style=summary.QUIET)
    for row in report.changed:
        yield from _row(row)
    there = sum(one.insert + one.update + one.conflict for one in targets)
    if there > len(report.changed):
        yield Text(f"\n{count(len(report.changed))} of {rows(there)} shown: `--rows {there}` shows all of them")
    elif targets and not there:
        yield Text("no row of it changes", style=summary.QUIET)


def _row(row: ChangedRow) -> Iterator[RenderableType]:
    sign, style = _SIGNS[row.action]
    known = plain(row.key) if row.key else "(its number comes with the load)"
    origins = ", ".join(f"{plain(source)}.{plain(table)} {plain(key)}" for source, table, key in row.origins[:3])
    more = f" and {len(row.origins) - 3} more" if len(row.origins) > 3 else ""  # noqa: PLR2004 - those that are shown
    yield Text.assemble(
        (f"{sign} {row.table} {known}", style),
        (f"  {'' if row.bot_id is None else plain(row.bot_id) + '  '}from {origins}{more}", summary.QUIET),
    )
    if row.reason is not None:
        yield Padding(Text(safe(row.reason), style=style), (0, 0, 0, 4), expand=False)
    names = [plain(column) for column, _, _ in row.cells]
    widest = max(map(len, names), default=0)
    for label, (_, old, new) in zip(names, row.cells, strict=True):
        yield Padding(Text.assemble(f"{label:<{widest}}  ", *_change(row.action, old, new)), (0, 0, 0, 4), expand=False)


def _change(action: str, old: str | None, new: str | None) -> tuple[str | tuple[str, str], ...]:
    match action:
        case "insert":
            return (quoted(new),)
        case "conflict":
            return ("target ", quoted(old), (", source ", summary.QUIET), quoted(new))
        case _:
            return ((quoted(old), summary.QUIET), " → ", quoted(new))
