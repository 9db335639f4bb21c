"""The parts of a terminal report, each in several lengths: the longest that fits is shown, and says what it folded.

A part is a list of lengths, from all of it down to a line or two. `fitted` makes the longest parts shorter until the
whole fits; of the largest run there remain about sixty lines.
"""

from __future__ import annotations

import io
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal, localcontext
from itertools import groupby
from typing import TYPE_CHECKING, Final, TypeVar

from rich import box
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from consolidate.model import BotMoney, TargetCounts
from consolidate.report import suites
from consolidate.report.advice import ADVICE
from consolidate.report.cells import amount, count, quoted, rows, safe
from consolidate.report.cells import plain as name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rich.console import RenderableType

    from consolidate.model import CheckResult, Control, Reject, RejectGroup, RunReport, SinceLastRun, SourceCounts

_T = TypeVar("_T")

HEADING: Final = "bold"
GOOD: Final = "green"
CHANGED: Final = "yellow"
BAD: Final = "red"
QUIET: Final = "dim"
NO_BOT: Final = "shared"
_FATES: Final = ("read", "mapped", "merged", "rejected", "filtered", "archived")
_CHANGES: Final = ("+ insert", "~ update", "= unchanged", "! conflict")
_GAP: Final = (0, 1, 0, 0)
_NARROW: Final = 80
_LONGEST: Final = 34
_MOST_NAMED: Final = 4
_FEW_TABLES: Final = 5
_FEW_BOTS: Final = 4
_PAGE: Final = 60
"""What is longer than this is not tried."""

_RANKS: Final = ("conflict", "update", "insert")
_DIGITS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What there is to tell, from the longest way to the shortest.

    The last `resort` lengths are taken only where everything else is as short as it can be. Of two equally long parts
    the one with less `weight` keeps its length.
    """

    lengths: tuple[tuple[RenderableType, ...], ...]
    resort: int = 0
    weight: float = 1


def fitted(parts: Sequence[Part], most: int) -> list[RenderableType]:
    """The parts at lengths that come to `most` lines together on a terminal of 80 columns, if they can."""
    lines = [[height(length) for length in part.lengths] for part in parts]
    chosen = [0] * len(parts)
    while sum(one[place] for one, place in zip(lines, chosen, strict=True)) > most:
        longer = [number for number, part in enumerate(parts) if chosen[number] + 1 < len(part.lengths)]
        if not longer:
            break
        usual = [one for one in longer if chosen[one] + 1 < len(lines[one]) - parts[one].resort]
        chosen[max(usual or longer, key=lambda one: parts[one].weight * lines[one][chosen[one]])] += 1
    left = most - sum(one[place] for one, place in zip(lines, chosen, strict=True))
    for number in sorted(range(len(parts)), key=lambda number: -len(lines[number])):
        while chosen[number] and lines[number][chosen[number] - 1] - lines[number][chosen[number]] <= left:
            left -= lines[number][chosen[number] - 1] - lines[number][chosen[number]]
            chosen[number] -= 1
    return [one for part, place in zip(parts, chosen, strict=True) for one in part.lengths[place]]


def height(parts: Iterable[RenderableType]) -> int:
    """How many lines the parts take on a terminal of 80 columns."""
    console = Console(file=io.StringIO(), width=_NARROW, force_terminal=False, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    return capture.get().count("\n")


def table(*headings: str, texts: int = 1) -> Table:
    """An empty table; the first `texts` columns are texts that fold where there is no room, the others numbers."""
    found = Table(box=box.SIMPLE_HEAD, padding=_GAP, pad_edge=False, show_edge=False)
    for number, heading in enumerate(headings):
        if number < texts:
            found.add_column(heading, overflow="fold")
        else:
            found.add_column(heading, justify="right", no_wrap=True)
    return found


def titled(title: str, found: Table) -> tuple[RenderableType, ...]:
    """The table below its title, and an empty line."""
    return Text(safe(title), style=HEADING), found, Text("")


def number(value: int, style: str = "") -> Text:
    """A count; zeros are quiet."""
    return Text(count(value), style=style if value else QUIET)


def bot(bot_id: str | None) -> str:
    """A bot's name, as the tables show it."""
    return NO_BOT if bot_id is None else name(bot_id, longest=_LONGEST)


def sources(report: RunReport) -> Part:
    """The balance sheet of source rows: by table, by source, in all."""
    if not report.sources:
        return Part(lengths=((),))
    by_source = [(source, list(counts)) for source, counts in groupby(report.sources, key=lambda one: one.source)]
    lengths = [_by_source_table(by_source)] if len(by_source) <= 12 else []  # noqa: PLR2004 - more is no page
    lengths += [
        _by_source(by_source, most) for most in (len(by_source), 12, 5, 2) if most <= min(len(by_source), _PAGE)
    ]
    lengths.append(_by_source(by_source, 0))
    return Part(lengths=tuple(lengths), weight=1.3)


def _by_source_table(found: Sequence[tuple[str, Sequence[SourceCounts]]]) -> tuple[RenderableType, ...]:
    shown = table("table", *_FATES)
    for source, counts in found:
        for one in counts:
            label = f"{name(source, longest=_LONGEST)}.{name(one.table, longest=_LONGEST)}"
            shown.add_row(Text(label), *_fates([one]))
    return titled("source rows", shown)


def _by_source(found: Sequence[tuple[str, Sequence[SourceCounts]]], most: int) -> tuple[RenderableType, ...]:
    shown = table("source", "tables", *_FATES)
    ranked = sorted(range(len(found)), key=lambda place: (-_read(found[place][1], rejected=True), place))
    kept = sorted(ranked[:most])
    for place in kept:
        source, counts = found[place]
        shown.add_row(Text(name(source, longest=_LONGEST)), number(len(counts)), *_fates(counts))
    rest = [found[place] for place in sorted(ranked[most:])]
    if rest:
        folded = [one for _, counts in rest for one in counts]
        label = f"… {rows(len(rest), 'more source')}" if kept else rows(len(rest), "source")
        shown.add_row(Text(label, style=QUIET), number(len(folded)), *_fates(folded))
    more = "; `--json` and `--html` have each table"
    return titled(f"source rows{more}", shown)


def _read(counts: Iterable[SourceCounts], *, rejected: bool) -> int:
    """What ranks a source: those with rejects come first."""
    found = list(counts)
    return sum(one.read for one in found) + (sum(one.rejected for one in found) * 1_000_000_000 if rejected else 0)


def _fates(counts: Sequence[SourceCounts]) -> tuple[Text, ...]:
    return (
        number(sum(one.read for one in counts)),
        number(sum(one.mapped for one in counts)),
        number(sum(one.merged for one in counts)),
        number(sum(one.rejected for one in counts), BAD),
        number(sum(one.filtered for one in counts)),
        number(sum(one.archived for one in counts)),
    )


def targets(report: RunReport) -> Part:
    """What the load does, by table and bot; of many bots those that change most."""
    if not report.targets:
        return Part(lengths=((),))
    by_table = [(target, list(counts)) for target, counts in groupby(report.targets, key=lambda one: one.table)]
    widest = max(len(counts) for _, counts in by_table)
    lengths = [
        _by_bot(report, by_table, most)
        for most in dict.fromkeys((widest, 12, 8, 6, 4, 3, 2, 1, 0))
        if most <= widest and (not most or sum(1 + min(len(counts), most) for _, counts in by_table) <= _PAGE)
    ]
    if len(by_table) > _FEW_TABLES:
        ranked = sorted(by_table, key=lambda one: tuple(-getattr(_all(one[1]), what) for what in _RANKS))
        kept = sorted(ranked[:_FEW_TABLES], key=by_table.index)
        rest = [one for _, counts in by_table for one in counts if (_, counts) not in kept]
        label = f"… {rows(len(by_table) - len(kept), 'more table')}"
        lengths.append(_by_bot(report, [*kept, (label, rest)], 0))
    return Part(lengths=tuple(lengths), resort=int(len(by_table) > _FEW_TABLES))


def _all(counts: Sequence[TargetCounts]) -> TargetCounts:
    """The counts of all bots together."""
    return TargetCounts(
        table="",
        bot_id=None,
        candidate=sum(one.candidate for one in counts),
        insert=sum(one.insert for one in counts),
        update=sum(one.update for one in counts),
        unchanged=sum(one.unchanged for one in counts),
        conflict=sum(one.conflict for one in counts),
    )


def _by_bot(
    report: RunReport, found: Sequence[tuple[str, Sequence[TargetCounts]]], most: int
) -> tuple[RenderableType, ...]:
    shown = table("table, bot", *_CHANGES)
    folded = 0
    for target, counts in found:
        if len(counts) == 1:
            shown.add_row(Text.assemble(target, ("  " + bot(counts[0].bot_id), QUIET)), *changes(counts))
            continue
        shown.add_row(Text.assemble(target, (f"  {rows(len(counts), 'bot')}", QUIET)), *changes(counts))
        for one in _most_changed(counts, most):
            shown.add_row(Text(f"  {bot(one.bot_id)}"), *changes([one]))
        folded += max(0, len(counts) - most)
    parts = titled(f"target {report.target}", shown)
    if not folded:
        return parts
    told = f"{rows(folded, 'line')} of bots folded: `--table TABLE` or `--bot BOT` shows them"
    return (*parts[:-1], Text(safe(told), style=QUIET), Text(""))


def _most_changed(counts: Sequence[TargetCounts], most: int) -> list[TargetCounts]:
    ranked = sorted(counts, key=lambda one: (-one.conflict, -one.update, -one.insert, one.bot_id or ""))
    return sorted(ranked[:most], key=counts.index)


def changes(counts: Sequence[TargetCounts]) -> tuple[Text, ...]:
    """The cells of insert, update, unchanged and conflict."""
    one = _all(counts)
    return number(one.insert, GOOD), number(one.update, CHANGED), number(one.unchanged), number(one.conflict, BAD)


def rejects(report: RunReport) -> Part:
    """Rejects by code, each with its first row and the next step."""
    if not report.reject_groups:
        return Part(lengths=((),))
    by_code: dict[str, list[RejectGroup]] = defaultdict(list)
    for group in report.reject_groups:
        by_code[str(group.example.code)].append(group)
    counted = {str(code) for code in report.accepted_codes}
    ranked = sorted(by_code, key=lambda code: (code in counted, -sum(one.count for one in by_code[code]), code))
    found = [(code, by_code[code]) for code in ranked]
    lengths = [_by_code(report, found, len(found), examples=3)]
    lengths += [_by_code(report, found, most, examples=1) for most in (len(found), 8, 5) if most <= len(found)]
    lengths += [_by_code(report, found, most, examples=0) for most in (len(found), 8, 5, 3, 1) if most <= len(found)]
    return Part(lengths=tuple(lengths))


def _by_code(
    report: RunReport, found: Sequence[tuple[str, Sequence[RejectGroup]]], most: int, *, examples: int
) -> tuple[RenderableType, ...]:
    """`examples` of 0: one line each for code, first row and advice, cut where the terminal ends."""
    accepted = {str(code) for code in report.accepted_codes}
    parts: list[RenderableType] = [Text("rejects", style=HEADING)]
    for code, groups in found[:most]:
        total = rows(sum(group.count for group in groups))
        title = f"{code}: {total}{', accepted' if code in accepted else ''}"
        style = QUIET if code in accepted else BAD
        parts.append(_indented(Text(title, style=style), 2))
        if not examples:
            parts += [_line(rejected_row(groups[0].example)), _line(ADVICE[groups[0].example.code], QUIET)]
            continue
        parts += [_indented(Text(_example(group)), 4) for group in groups[:examples]]
        if len(groups) > examples:
            more = count(sum(group.count for group in groups[examples:]))
            parts.append(_indented(Text(f"{more} more are in other tables and columns", style=QUIET), 4))
        parts.append(_indented(Text(ADVICE[groups[0].example.code], style=QUIET), 4))
    rest = [(code, sum(one.count for one in groups)) for code, groups in found[most:]]
    if rest:
        said = ", ".join(f"{code} {count(total)}" for code, total in rest[:_MOST_NAMED])
        left = sum(total for _, total in rest[_MOST_NAMED:])
        said += f", others {count(left)}" if left else ""
        told = f"{rows(len(rest), 'more code')}: {said}; the file of all rejects has them"
        parts.append(_indented(Text(told, style=QUIET), 2))
    return (*parts, Text(""))


def _line(text: str, style: str = "") -> Padding:
    return _indented(Text(text, style=style, no_wrap=True, overflow="ellipsis"), 4)


def _example(group: RejectGroup) -> str:
    """The first row of a group: how many are like it, and where it is."""
    like_it = "" if group.count == 1 else f"{rows(group.count)}, the first: "
    return f"{like_it}{rejected_row(group.example)}"


def rejected_row(one: Reject) -> str:
    """Where a rejected row is, what it holds, and the rule that rejected it."""
    cell = "" if one.column is None else f": {name(one.column)} = {quoted(one.value)}"
    where = "" if one.location is None else f"  ({safe(str(one.location))})"
    return f"{name(one.source)}.{name(one.table)} {name(one.key) or 'without a key'}{cell}{where}"


def _indented(text: Text, by: int) -> Padding:
    return Padding(text, (0, 0, 0, by), expand=False)


def roundings(report: RunReport) -> Part:
    """What the mappings round: a line a source table, or one line."""
    if not report.roundings:
        return Part(lengths=((),))
    shown = table("rounded, as the mapping says", "columns", "values", "largest change")
    places = sorted({(one.source, one.table) for one in report.roundings})
    for source, source_table in places:
        found = [one for one in report.roundings if (one.source, one.table) == (source, source_table)]
        shown.add_row(
            Text(f"{name(source, longest=_LONGEST)}.{name(source_table, longest=_LONGEST)}"),
            number(len({(one.target, one.column) for one in found})),
            number(sum(one.rows for one in found)),
            Text(max((one.largest_change for one in found), key=Decimal)),
        )
    largest = max(report.roundings, key=lambda one: Decimal(one.largest_change))
    line = (
        f"rounded, as the mapping says: {rows(sum(one.rows for one in report.roundings), 'value')} of "
        f"{rows(len(places), 'table')}, by at most {largest.largest_change} "
        f"({name(largest.source)}.{name(largest.table)}, {safe(str(largest.location))})"
    )
    short = (Text(line), Text(""))
    return Part(lengths=((shown, Text("")), short) if len(places) <= 12 else (short,), weight=4)  # noqa: PLR2004


def checks(report: RunReport) -> Part:
    """How the suites ended, and what did not pass, the worst first: each with why and where."""
    told = suites.summary(report)
    if told is None:
        return Part(lengths=((),))
    found = suites.bad(report.checks)
    refuses = report.suites_not_asked is not None or any(one.refuses for one in found)
    style = BAD if refuses else CHANGED if found else GOOD

    def shown(some: Sequence[CheckResult], left: int) -> tuple[RenderableType, ...]:
        return (Text(safe(told), style=style), *map(_check, some), *_more(left, "more", "`--json` has all of them"))

    return _lengths(found, shown, (8, 3, 1, 0))


def _check(one: CheckResult) -> RenderableType:
    what = Text(safe(suites.heading(one)), style=BAD if one.refuses else CHANGED)
    return Padding(Group(what, Padding(Text(suites.explanation(one), style=QUIET), (0, 0, 0, 2))), (0, 0, 0, 2))


def controls(report: RunReport) -> Part:
    """That the control totals are equal, or those that are not."""
    different = [control for control in report.controls if control.status != "equal"]
    if not report.controls:
        return Part(lengths=((),))
    if not different:
        return Part(
            lengths=((Text(f"{rows(len(report.controls), 'control total')} equal on both sides\n", style=GOOD),),)
        )
    return _lengths(different, _different, (12, 6, 3))


def _different(found: Sequence[Control], left: int) -> tuple[RenderableType, ...]:
    shown = table("table", "bot", "measure", "source", "target", "difference", texts=3)
    for control in found:
        shown.add_row(
            Text(control.table),
            Text(bot(control.bot_id)),
            Text(control.measure),
            Text(amount(control.source_value)),
            Text(amount(control.target_value)),
            Text(amount(control.difference), style=BAD),
        )
    return (*titled("control totals that differ", shown)[:-1], *_more(left, "more", "`--json` has all of them"))


def money(report: RunReport) -> Part:
    """The money of each bot before and after; of many bots those whose money changes, and all together."""
    if not report.money and not report.money_before:
        return Part(lengths=((),))
    before = {one.bot_id: one for one in report.money_before}
    after = {one.bot_id: one for one in report.money}
    bots = sorted({*before, *after})
    ranked = sorted(bots, key=lambda one: (before.get(one) == after.get(one), one))
    most = dict.fromkeys((len(bots), 12, 8, 6, _FEW_BOTS, 2, 0))
    shown = [sorted(ranked[:number_of]) for number_of in most if number_of <= min(len(bots), _PAGE)]
    found = tuple(_money(before, after, one, len(bots) - len(one)) for one in shown)
    return Part(lengths=found, resort=sum(len(one) < _FEW_BOTS for one in shown), weight=0.7)


def _money(
    before: dict[str, BotMoney], after: dict[str, BotMoney], shown: Sequence[str], left: int
) -> tuple[RenderableType, ...]:
    found = table("bot", "", "trades", "open", "pnl USD", "fees", "equity USD", texts=2)
    for one in shown:
        was, now = before.get(one), after.get(one)
        _add_money(found, bot(one), "before", was, now)
        _add_money(found, "" if was is not None and was != now else bot(one), "after", now, was)
    if left:
        both = summed(before.values()), summed(after.values())
        _add_money(found, rows(len({*before, *after}), "bot"), "before", both[0], both[1])
        _add_money(found, "" if both[0] != both[1] and before else "all bots", "after", both[1], both[0])
    parts = titled("money", found)
    folded = Text(f"{rows(left, 'bot')} folded: `--json` and `--html` have each", style=QUIET)
    return (*parts[:-1], folded, Text("")) if left else parts


def _add_money(found: Table, label: str, when: str, one: BotMoney | None, other: BotMoney | None) -> None:
    """A line of the table; where nothing changes there is one line for both, and none for what was not there."""
    if one is None or (one == other and when == "before"):
        return
    said = "same" if one == other else ("new" if other is None and when == "after" else when)
    quiet = QUIET if said in {"before", "same"} else ""
    found.add_row(
        Text(label),
        Text(said, style=quiet or CHANGED),
        Text(count(one.trades), style=quiet),
        Text(count(one.open_positions), style=quiet),
        Text(amount(one.pnl_usd, decimals=2), style=quiet),
        Text(amount(one.fees, decimals=2), style=quiet),
        Text(amount(one.equity, decimals=2), style=quiet),
    )


def summed(found: Iterable[BotMoney]) -> BotMoney | None:
    """The money of all bots together; None where there are none."""
    every = list(found)
    if not every:
        return None
    with localcontext() as exact:
        exact.prec = _DIGITS
        return BotMoney(
            bot_id="",
            trades=sum(one.trades for one in every),
            open_positions=sum(one.open_positions for one in every),
            pnl_usd=_sum(one.pnl_usd for one in every),
            fees=_sum(one.fees for one in every),
            equity=_sum(one.equity for one in every),
        )


def _sum(decimals: Iterable[str | None]) -> str | None:
    known = [Decimal(one) for one in decimals if one is not None]
    return f"{sum(known, Decimal(0)):f}" if known else None


def since(report: RunReport) -> Part:
    """What is new against the last run that loaded these sources."""
    last = report.since
    if last is None:
        return Part(lengths=((),))
    lines = [Text(f"+ source {name(one)}", style=GOOD) for one in last.new_sources]
    lines += [Text(f"- source {name(one)}, which the last run had", style=BAD) for one in last.gone_sources]
    for one in last.rejects:
        style = BAD if one.new else ""
        lines.append(Text(f"rejects {one.code}: {count(one.new)} new, {count(one.gone)} gone", style=style))
    for table_ in last.tables:
        label = f"{name(table_.source)}.{name(table_.table)}"
        lines.append(Text(f"{label}: {count(table_.before)} → {rows(table_.now)} ({table_.now - table_.before:+,})"))
    title = Text(safe(f"new since run {last.run_id}"), style=HEADING)
    if not lines:
        return Part(
            lengths=((Text.assemble(title, ": nothing; the same sources, numbers of rows, and rejects"), Text("")),)
        )

    def shown(found: Sequence[Text], left: int) -> tuple[RenderableType, ...]:
        said = (_indented(one, 2) for one in found)
        return (title, *said, *_more(left, "more", "`--json` has all of it"))

    found = _lengths(lines, shown, (12, 6, 3))
    return Part(lengths=(*found.lengths, (Text.assemble(title, f": {_in_short(last)}"), Text(""))))


def _in_short(last: SinceLastRun) -> str:
    said = [
        rows(len(last.new_sources), "source") if last.new_sources else "",
        f"{rows(len(last.gone_sources), 'source')} gone" if last.gone_sources else "",
        f"{sum(one.now - one.before for one in last.tables):+,} rows in {rows(len(last.tables), 'table')}"
        if last.tables
        else "",
        f"{sum(one.new for one in last.rejects):,} new rejects, {sum(one.gone for one in last.rejects):,} gone"
        if last.rejects
        else "",
    ]
    return "; ".join(one for one in said if one)


def notices(report: RunReport) -> Part:
    """What a person should know."""
    lines = [Text(safe(f"note[{one.code}]: {one.message}"), style=CHANGED) for one in report.notices]

    def shown(found: Sequence[Text], left: int) -> tuple[RenderableType, ...]:
        return (*found, *_more(left, "more note", "`--json` has all of them")[:1])

    return _lengths(lines, shown, (6, 3, 1)) if lines else Part(lengths=((),))


def files(report: RunReport) -> Part:
    """Where the files of the run are."""
    lines = [Text(safe(f"files of run {report.run_id}: {report.run_dir}"), overflow="fold")]
    if report.rejects_file is not None and report.reject_groups:
        lines.append(Text(safe(f"all rejects: {report.rejects_file}"), overflow="fold"))
    if report.data_docs is not None:
        lines.append(Text(safe(f"suites in detail (Data Docs): {report.data_docs}"), overflow="fold"))
    return Part(lengths=(tuple(lines),))


def _lengths(
    found: Sequence[_T], shown: Callable[[Sequence[_T], int], tuple[RenderableType, ...]], most: Iterable[int]
) -> Part:
    """All of it, and then the first of it."""
    fewer = [number_of for number_of in most if number_of < len(found)]
    return Part(lengths=tuple(shown(found[:one], len(found) - one) for one in (len(found), *fewer)))


def _more(left: int, noun: str, where: str) -> tuple[RenderableType, ...]:
    """How much is left out, and an empty line."""
    told = f"… {rows(left, noun) if noun != 'more' else f'{left:,} more'}; {where}"
    return (Text(told, style=QUIET), Text("")) if left else (Text(""),)
