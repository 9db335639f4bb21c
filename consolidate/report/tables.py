"""The tables of a page: what is in them, in which order, and how much of them is left out."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from consolidate.report.advice import ADVICE
from consolidate.report.cells import NOT_RECORDED, amount, count, plain, quoted, rows, safe
from consolidate.report.suites import bad, order

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consolidate.model import BotMoney, ChangedRow, CheckResult, Control, RunReport

_T = TypeVar("_T")
_LONGEST: Final = 120
_MOST_CELLS: Final = 30
_FORMULA: Final = re.compile(r"[=@].*|[+\-](?![0-9.,]*$).*")
_SIGNS: Final = {"update": ("~", "warn"), "conflict": ("!", "bad"), "insert": ("+", "good")}
NO_BOT: Final = "shared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What is shown; `order` is what it is sorted by, where that is another text; `tone` a class of the page."""

    text: str
    order: str | None = None
    tone: str = ""
    link: str | None = None
    code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A heading; numbers stand to the right and are sorted as such."""

    title: str
    number: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of a page. `total` rows there are; `where` tells where those are that are not shown."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: int
    where: str = "the JSON report has all of them"

    @property
    def left_out(self) -> str | None:
        """What the page does not show of it, in a sentence; None where it shows all."""
        if self.total <= len(self.rows):
            return None
        return f"{self.caption}: the first {count(len(self.rows))} of {count(self.total)} are shown; {self.where}"


def name(text: str, *, longest: int = _LONGEST) -> str:
    """A name or key of a store on one line; one that a spreadsheet would take for a formula stands in quotes."""
    shown = plain(text, longest=longest)
    return f"'{shown}'" if _FORMULA.fullmatch(shown) else shown


def sources(report: RunReport, most: int) -> Table:
    """The balance sheet of source rows; what nothing accounts for is bad."""
    titles = ("read", "mapped", "merged", "rejected", "filtered", "archived", "residue")
    return Table(
        name="sources",
        caption="Balance sheet of source rows",
        columns=(Column(title="source"), Column(title="table"), *(Column(title=one, number=True) for one in titles)),
        rows=tuple(
            (
                Cell(text=name(one.source)),
                Cell(text=name(one.table)),
                _number(one.read),
                _number(one.mapped),
                _number(one.merged),
                _number(one.rejected, "warn"),
                _number(one.filtered),
                _number(one.archived),
                _number(one.residue, "bad"),
            )
            for one in report.sources[:most]
        ),
        total=len(report.sources),
    )


def targets(report: RunReport, most: int) -> Table:
    """What the load does, per table and bot."""
    titles = ("candidates", "+ insert", "~ update", "= unchanged", "! conflict")
    return Table(
        name="targets",
        caption="Target rows by table and bot",
        columns=(Column(title="table"), Column(title="bot"), *(Column(title=one, number=True) for one in titles)),
        rows=tuple(
            (
                Cell(text=one.table),
                _bot(one.bot_id),
                _number(one.candidate),
                _number(one.insert, "good"),
                _number(one.update, "warn"),
                _number(one.unchanged),
                _number(one.conflict, "bad"),
            )
            for one in report.targets[:most]
        ),
        total=len(report.targets),
    )


def money(report: RunReport, most: int) -> Table:
    """The money of each bot before the run and after it."""
    before = {one.bot_id: one for one in report.money_before}
    after = {one.bot_id: one for one in report.money}
    bots = sorted({*before, *after})
    titles = (
        "trades before",
        "trades after",
        "open positions",
        "PnL USD before",
        "PnL USD after",
        "fees USD",
        "equity USD before",
        "equity USD after",
    )
    return Table(
        name="money",
        caption="Money by bot",
        columns=(Column(title="bot"), *(Column(title=one, number=True) for one in titles)),
        rows=tuple(_money(bot, before.get(bot), after.get(bot)) for bot in bots[:most]),
        total=len(bots),
    )


def _money(bot: str, before: BotMoney | None, after: BotMoney | None) -> tuple[Cell, ...]:
    def pair(of: Callable[[BotMoney], str | None]) -> tuple[Cell, Cell]:
        was, now = (None if one is None else of(one) for one in (before, after))
        return _amount(was, decimals=2), _amount(now, "" if was == now else "new", decimals=2)

    absent = Cell(text=NOT_RECORDED, order="", tone="zero")
    return (
        Cell(text=name(bot)),
        absent if before is None else _number(before.trades),
        absent if after is None else _number(after.trades),
        absent if after is None else _number(after.open_positions),
        *pair(lambda one: one.pnl_usd),
        absent if after is None else _amount(after.fees, decimals=2),
        *pair(lambda one: one.equity),
    )


def since(report: RunReport, most: int) -> Table:
    """What is new against the last run: sources, rejects, and source tables with another number of rows."""
    last = report.since
    lines: list[tuple[Cell, ...]] = []
    if last is not None:
        lines += [_news("source", one, 0, 1, "new") for one in last.new_sources]
        lines += [_news("source", one, 1, 0, "gone") for one in last.gone_sources]
        for one in last.rejects:
            lines.append(_news("rejects", one.code, one.gone, one.new, f"{count(one.new)} new, {count(one.gone)} gone"))
        for two in last.tables:
            label = f"{two.source}.{two.table}"
            lines.append(_news("source rows", label, two.before, two.now, f"{two.now - two.before:+,}"))
    return Table(
        name="since",
        caption="New since the last run" if last is None else f"New since run {plain(last.run_id)}",
        columns=(
            Column(title="what"),
            Column(title="of"),
            Column(title="then", number=True),
            Column(title="now", number=True),
            Column(title="difference"),
        ),
        rows=tuple(lines[:most]),
        total=len(lines),
    )


def _news(what: str, label: str, then: int, now: int, said: str) -> tuple[Cell, ...]:
    tone = "warn" if what != "source rows" and now > 0 else ""
    return Cell(text=what), Cell(text=name(label)), _number(then), _number(now), Cell(text=said, tone=tone)


def symbols(report: RunReport, most: int) -> Table:
    """The money of each bot in each symbol, before and after."""
    found = report.charts.symbols if report.charts is not None else ()
    titles = ("trades before", "trades after", "PnL USD before", "PnL USD after")
    return Table(
        name="symbols",
        caption="Money by bot and symbol",
        columns=(Column(title="bot"), Column(title="symbol"), *(Column(title=one, number=True) for one in titles)),
        rows=tuple(
            (
                Cell(text=name(one.bot_id)),
                Cell(text=name(one.symbol)),
                _number(one.trades_before),
                _number(one.trades_after),
                _amount(one.pnl_before, decimals=2),
                _amount(one.pnl_after, decimals=2),
            )
            for one in found[:most]
        ),
        total=len(found),
        where="the target has them",
    )


def reject_groups(report: RunReport, most: int) -> Table:
    """Rejects by code, table and column, each with its first row and what to do about it."""
    accepted = {str(code) for code in report.accepted_codes}
    return Table(
        name="reject-groups",
        caption="Rejects by code",
        columns=(
            Column(title="code"),
            Column(title="rows", number=True),
            Column(title="counts"),
            Column(title="table"),
            Column(title="first key"),
            Column(title="cell"),
            Column(title="what to do"),
            Column(title="rule"),
        ),
        rows=tuple(
            (
                Cell(text=str(group.example.code), code=True),
                _number(group.count, "" if str(group.example.code) in accepted else "bad"),
                Cell(text="accepted") if str(group.example.code) in accepted else Cell(text="yes", tone="bad"),
                Cell(text=f"{name(group.example.source)}.{name(group.example.table)}"),
                Cell(text=name(group.example.key)),
                _cell_of(group.example.column, group.example.value),
                Cell(text=ADVICE[group.example.code], tone="wide"),
                Cell(text="" if group.example.location is None else name(str(group.example.location)), code=True),
            )
            for group in report.reject_groups[:most]
        ),
        total=len(report.reject_groups),
    )


def rejects(report: RunReport, most: int) -> Table:
    """The first rejected rows, one by one."""
    total = max(sum(group.count for group in report.reject_groups), len(report.rejects))
    where = "" if report.rejects_file is None else safe(f"{report.rejects_file} has all of them")
    return Table(
        name="rejects",
        caption="Rejected rows",
        columns=tuple(Column(title=one) for one in ("source", "table", "key", "code", "cell", "rule")),
        rows=tuple(
            (
                Cell(text=name(one.source)),
                Cell(text=name(one.table)),
                Cell(text=name(one.key)),
                Cell(text=str(one.code), code=True),
                _cell_of(one.column, one.value),
                Cell(text="" if one.location is None else name(str(one.location)), code=True),
            )
            for one in report.rejects[:most]
        ),
        total=total,
        where=where or "the JSON report has more of them",
    )


def references(report: RunReport, most: int) -> Table:
    """The graph of references, those that lead nowhere first."""
    titles = ("rows", "at so many", "at nothing", "at rejected", "at another bot's", "in the target only")
    found = sorted(report.references, key=lambda one: (-one.lost, one.kind))
    return Table(
        name="edges",
        caption="References by edge and bot",
        columns=(
            *(Column(title=one) for one in ("source", "bot", "from", "to")),
            *(Column(title=one, number=True) for one in titles),
            Column(title="that lead nowhere"),
        ),
        rows=tuple(
            (
                Cell(text=name(one.source)),
                _bot(one.bot_id),
                Cell(text=name(one.origin)),
                Cell(text=name(one.pointed)),
                _number(one.rows),
                _number(one.targets),
                _number(one.missing, "bad"),
                _number(one.rejected, "bad"),
                _number(one.other_bot, "bad"),
                _number(one.held),
                Cell(text=one.policy),
            )
            for one in found[:most]
        ),
        total=len(found),
    )


def roundings(report: RunReport, most: int) -> Table:
    """What the mappings round, and by how much at most."""
    return Table(
        name="roundings",
        caption="Rounded, because the mapping says so",
        columns=(
            Column(title="from"),
            Column(title="to"),
            Column(title="values", number=True),
            Column(title="largest change", number=True),
            Column(title="rule"),
        ),
        rows=tuple(
            (
                Cell(text=f"{name(one.source)}.{name(one.table)}"),
                Cell(text=f"{one.target}.{one.column}"),
                _number(one.rows),
                _amount(one.largest_change),
                Cell(text=name(str(one.location)), code=True),
            )
            for one in report.roundings[:most]
        ),
        total=len(report.roundings),
    )


def controls(report: RunReport, most: int) -> Table:
    """The control totals: those that differ first."""
    ordered = sorted(report.controls, key=lambda one: one.status == "equal")
    texts = ("table", "bot", "measure")
    numbers = ("source", "rejected", "target", "difference")
    return Table(
        name="controls",
        caption="Control totals",
        columns=(
            *(Column(title=one) for one in texts),
            *(Column(title=one, number=True) for one in numbers),
            Column(title="status"),
        ),
        rows=tuple(_control(one) for one in ordered[:most]),
        total=len(ordered),
    )


def checks(report: RunReport, most: int) -> Table:
    """The expectations of the suites: those that did not pass first."""
    ordered = [*bad(report.checks), *(one for one in report.checks if one.status == "passed")]
    titles = ("status", "severity", "suite", "name", "expectation", "observed", "why")
    return Table(
        name="checks",
        caption="Expectations of the suites",
        columns=tuple(Column(title=one) for one in titles),
        rows=tuple(_check(one) for one in ordered[:most]),
        total=len(ordered),
    )


def _check(one: CheckResult) -> tuple[Cell, ...]:
    tone = "bad" if one.refuses else "good" if one.status == "passed" else ""
    keys = f": {', '.join(plain(key) for key in one.failing_keys)}" if one.failing_keys else ""
    return (
        Cell(text=one.status, order=order(one), tone=tone),
        Cell(text=one.severity),
        Cell(text=name(one.suite)),
        Cell(text=name(one.name)),
        Cell(text=name(one.expectation), code=True),
        Cell(text=name(f"{one.observed}{keys}")),
        Cell(text=safe(one.why)),
    )


def changed(report: RunReport, most: int) -> Table:
    """The cells of rows that are updated or in conflict, old and new side by side; a line a cell.

    Of a conflict, old is what the target has and new what the source says.
    """
    lines = []
    for number, row in enumerate(report.changed[:most], start=1):
        cells = row.cells[:_MOST_CELLS] or ((row.reason or "all columns", None, None),)
        lines += [_changed_cell(row, number, cell) for cell in cells]
        if len(row.cells) > len(cells):
            rest = (f"{len(row.cells) - len(cells)} more columns", None, None)
            lines.append(_changed_cell(row, number, rest))
    return Table(
        name="changed",
        caption="Changed cells",
        columns=tuple(Column(title=one) for one in ("change", "table", "bot", "row", "column", "old", "new")),
        rows=tuple(lines),
        total=len(lines),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """Where a changed row comes from, and the command that tells more. `anchor` is its place in the page."""

    anchor: str
    row: str
    origins: tuple[str, ...]
    command: str


def lineages(report: RunReport, most: int) -> tuple[Lineage, ...]:
    """The lineage of each changed row that the page shows."""
    return tuple(
        Lineage(
            anchor=f"lineage-{number}",
            row=f"{row.table} {name(row.key)}",
            origins=tuple(
                f"{name(source)}.{name(table)}, key {name(key)}" for source, table, key in row.origins[:_MOST_CELLS]
            ),
            command=f"consolidate explain {row.table} {plain(shlex.quote(row.key), longest=_LONGEST)}",
        )
        for number, row in enumerate(report.changed[:most], start=1)
    )


def changed_left_out(report: RunReport, most: int) -> str | None:
    """How many changed rows are not shown; None where all are."""
    total = max(sum(one.update + one.conflict for one in report.targets), len(report.changed))
    shown = min(len(report.changed), most)
    if total <= shown:
        return None
    return f"Changed cells: those of {rows(shown)} of {count(total)} that change or are in conflict are shown"


def _changed_cell(row: ChangedRow, number: int, cell: tuple[str, str | None, str | None]) -> tuple[Cell, ...]:
    column, old, new = cell
    sign, tone = _SIGNS[row.action]
    return (
        Cell(text=f"{sign} {row.action}", tone=tone),
        Cell(text=row.table),
        _bot(row.bot_id),
        Cell(text=name(row.key), link=f"#lineage-{number}"),
        Cell(text=name(column)),
        Cell(text=_stored(old), tone="old"),
        Cell(text=_stored(new), tone="new"),
    )


def _control(one: Control) -> tuple[Cell, ...]:
    bad = one.status != "equal"
    return (
        Cell(text=one.table),
        _bot(one.bot_id),
        Cell(text=one.measure, code=True),
        _amount(one.source_value),
        _amount(one.rejected_value),
        _amount(one.target_value),
        _amount(one.difference, "bad" if bad else ""),
        Cell(text=one.status, tone="bad" if bad else "good"),
    )


def _stored(value: str | None) -> str:
    if value is None:
        return "null"
    return quoted(value) if value in {"", "null"} else name(value)


def _cell_of(column: str | None, value: str | None) -> Cell:
    return Cell(text="" if column is None else f"{name(column)} = {quoted(value)}")


def _bot(bot_id: str | None) -> Cell:
    return Cell(text=NO_BOT, tone="quiet") if bot_id is None else Cell(text=name(bot_id))


def _number(number: int, tone: str = "") -> Cell:
    return Cell(text=count(number), order=str(number), tone=tone if number else "zero")


def _amount(decimal: str | None, tone: str = "", *, decimals: int = 0) -> Cell:
    if decimal is None:
        return Cell(text=NOT_RECORDED, order="", tone="zero")
    return Cell(text=amount(decimal, decimals=decimals), order=plain(decimal), tone=tone)


def first(found: Sequence[_T], shown: Callable[[_T], str], most: int) -> Sequence[str]:
    """The first of some texts; where there are more, the last one says how many."""
    texts = [shown(one) for one in found[:most]]
    return texts if len(found) <= most else [*texts, f"… and {count(len(found) - most)} more"]
