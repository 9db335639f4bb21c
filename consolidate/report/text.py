"""Reports for people, as rich renderables: tables that need no colour, and every value of a store escaped.

Texts are always `Text`, never markup: a value such as `[bold]` stays what it is.
"""

from __future__ import annotations

import io
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Final

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from consolidate.report.advice import ADVICE
from consolidate.report.cells import amount, count, quoted, rows, safe
from consolidate.report.cells import plain as name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import RenderableType

    from consolidate.model import RejectGroup, RunReport, SourceCounts, TargetCounts

_HEADING: Final = "bold"
_GOOD: Final = "green"
_CHANGED: Final = "yellow"
_BAD: Final = "red"
_QUIET: Final = "dim"
_MOST_EXAMPLES: Final = 3
_MOST_SOURCES: Final = 8
_FATES: Final = ("read", "mapped", "merged", "rejected", "filtered", "archived")
_CHANGES: Final = ("+ insert", "~ update", "= unchanged", "! conflict")
_NO_BOT: Final = "shared"
_WIDEST: Final = 100_000
_GAP: Final = (0, 1, 0, 0)
_BETWEEN: Final = 2
_LEAST_FOLDED: Final = 12


def run(report: RunReport) -> Iterator[RenderableType]:
    """The parts of a report from top to bottom, `body` and `ending`."""
    yield from body(report)
    yield from ending(report)


def body(report: RunReport) -> Iterator[RenderableType]:
    """What was found and done, and where its files are."""
    yield from _sources(report)
    if report.targets:
        yield from _target(report)
    yield from _rejects(report)
    if report.roundings:
        yield from _roundings(report)
    yield from _controls(report)
    if report.money:
        yield from _money(report)
    for notice in report.notices:
        yield Text(safe(f"note[{notice.code}]: {notice.message}"), style=_CHANGED)
    yield from _files(report)


def ending(report: RunReport) -> Iterator[RenderableType]:
    """The problems, if any, and the sentence that says how it ended."""
    for problem in report.problems:
        yield marked(safe(f"\n{problem}"))
    yield Text(safe(f"\n{conclusion(report)}"), style=f"bold {_GOOD if report.exit_code == 0 else _BAD}")


def marked(problem: str) -> Text:
    """A problem as it is printed, with its code and its hint marked."""
    shown = Text(problem)
    shown.highlight_regex(r"(?m)^error\[[^\]]*\]", f"bold {_BAD}")
    shown.highlight_regex(r"(?m)^hint", "bold")
    return shown


def plain(parts: Iterable[RenderableType]) -> str:
    """The parts as text for a file or a pipe: no colour, no line folded, no blanks at the end of a line."""
    console = Console(file=io.StringIO(), width=_WIDEST, force_terminal=False, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    return "".join(f"{line.rstrip()}\n" for line in capture.get().split("\n")[:-1])


def least_width(parts: Iterable[RenderableType]) -> int:
    """How wide a terminal must be for all numbers of the tables to be whole; where it is not, `plain` loses nothing."""
    return max((_least_width(part) for part in parts if isinstance(part, Table)), default=0)


def _least_width(table: Table) -> int:
    total = 0
    for column in table.columns:
        texts = [cell if isinstance(cell, Text) else Text(str(cell)) for cell in (column.header, *column.cells)]
        widest = max(text.cell_len for text in texts)
        total += _BETWEEN + (widest if column.no_wrap else min(widest, _LEAST_FOLDED))
    return total


def conclusion(report: RunReport) -> str:
    """How it ended, in one line."""
    match report.status:
        case "loaded":
            return _loaded(report)
        case "planned":
            insert, update = _written(report.targets)
            return f"planned: {rows(insert, 'insert')}, {rows(update, 'update')}; nothing was written"
        case "refused":
            return f"refused: {_reason(report)}; nothing was loaded"
        case _:
            return f"failed: {_reason(report)}; nothing was loaded"


def counted_rejects(report: RunReport) -> int:
    """How many rejects count against the limit."""
    accepted = {str(code) for code in report.accepted_codes}
    return sum(group.count for group in report.reject_groups if str(group.example.code) not in accepted)


def _loaded(report: RunReport) -> str:
    sources = rows(len({counts.source for counts in report.sources}), "source")
    took = f"in {sum(seconds for _, seconds in report.seconds):.1f} s"
    written = sum(_written(report.targets))
    if written == 0:
        unchanged = rows(sum(counts.unchanged for counts in report.targets))
        there = f"all that {sources} hold is in {report.target} already"
        return f"nothing new: {unchanged} unchanged; {there} (checked {took})"
    return f"loaded {rows(written)} of {sources} into {report.target} {took}"


def _reason(report: RunReport) -> str:
    rejects = counted_rejects(report)
    if report.status == "refused" and rejects > report.max_rejects:
        return f"{rows(rejects, 'reject')}, limit {count(report.max_rejects)}"
    conflicts = sum(counts.conflict for counts in report.targets)
    if conflicts:
        return rows(conflicts, "conflict")
    different = sum(control.status != "equal" for control in report.controls)
    if different:
        return f"{rows(different, 'control total')} differ" + ("s" if different == 1 else "")
    first = report.problems[0].splitlines()[0] if report.problems else "see above"
    return first.partition("]: ")[2] or first


def _written(targets: Iterable[TargetCounts]) -> tuple[int, int]:
    both = [(counts.insert, counts.update) for counts in targets]
    return sum(insert for insert, _ in both), sum(update for _, update in both)


def _table(*headings: str, texts: int = 1) -> Table:
    """An empty table; the first `texts` columns are texts that fold where there is no room, the others numbers."""
    table = Table(box=box.SIMPLE_HEAD, padding=_GAP, pad_edge=False, show_edge=False)
    for number, heading in enumerate(headings):
        if number < texts:
            table.add_column(heading, overflow="fold")
        else:
            table.add_column(heading, justify="right", no_wrap=True)
    return table


def _titled(title: str, table: Table) -> Iterator[RenderableType]:
    yield Text(safe(title), style=_HEADING)
    yield table
    yield Text("")


def _number(number: int, style: str = "") -> Text:
    return Text(count(number), style=style if number else _QUIET)


def _sources(report: RunReport) -> Iterator[RenderableType]:
    """One table a source; of many sources one line each, so that a hundred of them can still be read."""
    by_source = [(source, list(counts)) for source, counts in groupby(report.sources, key=lambda one: one.source)]
    if len(by_source) > _MOST_SOURCES:
        table = _table("source", *_FATES)
        for source, counts in by_source:
            _add_counts(table, name(source), counts)
        yield from _titled(f"{rows(len(by_source), 'source')}; the JSON has their tables", table)
        return
    for source, counts in by_source:
        table = _table("table", *_FATES)
        for one in counts:
            _add_counts(table, name(one.table), [one])
        yield from _titled(f"source {name(source)}", table)


def _add_counts(table: Table, label: str, counts: Sequence[SourceCounts]) -> None:
    table.add_row(
        Text(label),
        _number(sum(one.read for one in counts)),
        _number(sum(one.mapped for one in counts)),
        _number(sum(one.merged for one in counts)),
        _number(sum(one.rejected for one in counts), _BAD),
        _number(sum(one.filtered for one in counts)),
        _number(sum(one.archived for one in counts)),
    )


def _target(report: RunReport) -> Iterator[RenderableType]:
    """One line a table; the JSON has one a bot. Conflicts are told for each bot."""
    table = _table("table", "bots", *_CHANGES)
    for target, counts in groupby(report.targets, key=lambda one: one.table):
        _add_changes(table, target, list(counts))
    yield from _titled(f"target {report.target}", table)
    conflicting = [counts for counts in report.targets if counts.conflict]
    if conflicting:
        table = _table("table", "bot", "! conflict", texts=2)
        for one in conflicting:
            table.add_row(Text(one.table), Text(_bot(one.bot_id)), _number(one.conflict, _BAD))
        yield from _titled("conflicts", table)


def _add_changes(table: Table, target: str, counts: Sequence[TargetCounts]) -> None:
    bots = len({one.bot_id for one in counts if one.bot_id is not None})
    table.add_row(
        Text(target),
        Text(count(bots)) if bots else Text(_NO_BOT, style=_QUIET),
        _number(sum(one.insert for one in counts), _GOOD),
        _number(sum(one.update for one in counts), _CHANGED),
        _number(sum(one.unchanged for one in counts)),
        _number(sum(one.conflict for one in counts), _BAD),
    )


def _bot(bot_id: str | None) -> str:
    return _NO_BOT if bot_id is None else name(bot_id)


def _rejects(report: RunReport) -> Iterator[RenderableType]:
    if not report.reject_groups:
        return
    yield Text("rejects", style=_HEADING)
    codes = sorted({group.example.code for group in report.reject_groups})
    for code in codes:
        groups = [group for group in report.reject_groups if group.example.code == code]
        accepted = code in report.accepted_codes
        total = rows(sum(group.count for group in groups))
        heading = f"{code}: {total}{', accepted' if accepted else ''}"
        yield Padding(Text(heading, style=_QUIET if accepted else _BAD), (0, 0, 0, 2), expand=False)
        for group in groups[:_MOST_EXAMPLES]:
            yield Padding(Text(_example(group)), (0, 0, 0, 4), expand=False)
        if len(groups) > _MOST_EXAMPLES:
            more = count(sum(group.count for group in groups[_MOST_EXAMPLES:]))
            yield Padding(Text(f"{more} more are in other tables and columns"), (0, 0, 0, 4), expand=False)
        yield Padding(Text(ADVICE[code], style=_QUIET), (0, 0, 0, 4), expand=False)
    yield Text("")


def _example(group: RejectGroup) -> str:
    """The first row of a group: how many are like it, where it is, and what it holds."""
    one = group.example
    cell = "" if one.column is None else f": {name(one.column)} = {quoted(one.value)}"
    where = "" if one.location is None else f"  ({safe(str(one.location))})"
    like_it = "" if group.count == 1 else f"{rows(group.count)}, the first: "
    key = name(one.key) or "without a key"
    return f"{like_it}{name(one.source)}.{name(one.table)} {key}{cell}{where}"


def _roundings(report: RunReport) -> Iterator[RenderableType]:
    """One line a source table; the JSON has one a column, with its place in the mapping."""
    table = _table("from", "columns", "values", "largest change")
    places = sorted({(one.source, one.table) for one in report.roundings})
    for source, source_table in places:
        found = [one for one in report.roundings if (one.source, one.table) == (source, source_table)]
        table.add_row(
            Text(f"{name(source)}.{name(source_table)}"),
            _number(len({(one.target, one.column) for one in found})),
            _number(sum(one.rows for one in found)),
            Text(max((one.largest_change for one in found), key=Decimal)),
        )
    yield from _titled("rounded, because the mapping says so", table)


def _controls(report: RunReport) -> Iterator[RenderableType]:
    different = [control for control in report.controls if control.status != "equal"]
    if not report.controls:
        return
    if not different:
        yield Text(f"{rows(len(report.controls), 'control total')} equal on both sides\n", style=_GOOD)
        return
    table = _table("table", "bot", "measure", "source", "target", "difference", texts=3)
    for control in different:
        table.add_row(
            Text(control.table),
            Text(_bot(control.bot_id)),
            Text(control.measure),
            Text(amount(control.source_value)),
            Text(amount(control.target_value)),
            Text(amount(control.difference), style=_BAD),
        )
    yield from _titled("control totals that differ", table)


def _money(report: RunReport) -> Iterator[RenderableType]:
    table = _table("bot", "trades", "open", "pnl USD", "fees", "equity USD")
    for money in report.money:
        table.add_row(
            Text(name(money.bot_id)),
            _number(money.trades),
            _number(money.open_positions),
            Text(amount(money.pnl_usd, decimals=2)),
            Text(amount(money.fees, decimals=2)),
            Text(amount(money.equity, decimals=2)),
        )
    yield from _titled("money", table)


def _files(report: RunReport) -> Iterator[RenderableType]:
    yield Text(safe(f"files of run {report.run_id}: {report.run_dir}"))
    if report.rejects_file is not None and report.reject_groups:
        yield Text(safe(f"all rejects: {report.rejects_file}"))
