"""A run or a plan as GitHub Markdown, short enough for a comment: at most `MOST_LINES` lines at any size of run.

Every text of a store stands in a code span, where it can be no link, mention, markup or cell of its own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from consolidate.report import references, suites
from consolidate.report.advice import ADVICE
from consolidate.report.cells import amount, count, plain, quoted, rows
from consolidate.report.text import conclusion

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from consolidate.model import RejectGroup, RunReport, TargetCounts

MOST_LINES: Final = 60
_MOST_TABLES: Final = 12
_MOST_CODES: Final = 5
_MOST_BOTS: Final = 7
_MOST_CONTROLS: Final = 3
_MOST_CHECKS: Final = 3
_MOST_LINES_OF_PROBLEMS: Final = 5
_MOST_NOTICES: Final = 2
_LONGEST: Final = 80
_LONGEST_SENTENCE: Final = 400
_NO_BOT: Final = "shared"


def markdown(report: RunReport) -> str:
    """The comment: how it ended, what changes, what was rejected, and the money. Ends with a line end."""
    lines = [
        f"### consolidate {_code(report.command)}: {_mark(report)} {report.status}",
        "",
        _code(conclusion(report), longest=_LONGEST_SENTENCE),
        "",
        *_problems(report),
        *_targets(report),
        *_rejects(report),
        *_references(report),
        *_suites(report),
        *_controls(report),
        *_money(report),
        *_notices(report),
        f"<sub>run {_code(report.run_id or 'none')}</sub>",
    ]
    return "\n".join(lines) + "\n"


def _problems(report: RunReport) -> Iterator[str]:
    shown = report.problems[: _MOST_LINES_OF_PROBLEMS + 1]
    found = [line for problem in shown for line in problem.splitlines() if line.strip()]
    left_out = len(found) - _MOST_LINES_OF_PROBLEMS + len(report.problems) - len(shown)
    for line in found[:_MOST_LINES_OF_PROBLEMS]:
        yield f"- {_code(line, longest=_LONGEST_SENTENCE)}"
    yield from _rest(left_out, "line", begin="- ", end="")
    if found:
        yield ""


def _targets(report: RunReport) -> Iterator[str]:
    if not report.targets:
        read = sum(one.read for one in report.sources)
        yield f"{rows(read)} read; nothing was compared with the target."
        yield ""
        return
    by_table: dict[str, list[TargetCounts]] = {}
    for one in report.targets:
        by_table.setdefault(one.table, []).append(one)
    yield "| table | bots | + insert | ~ update | = unchanged | ! conflict |"
    yield "|---|--:|--:|--:|--:|--:|"
    for table, found in list(by_table.items())[:_MOST_TABLES]:
        bots = len({one.bot_id for one in found if one.bot_id is not None})
        numbers = (
            sum(one.insert for one in found),
            sum(one.update for one in found),
            sum(one.unchanged for one in found),
            sum(one.conflict for one in found),
        )
        yield _row(_code(table), count(bots) if bots else _NO_BOT, *map(count, numbers))
    yield from _rest(len(by_table) - _MOST_TABLES, "table")
    yield ""


def _rejects(report: RunReport) -> Iterator[str]:
    by_code: dict[str, list[RejectGroup]] = {}
    for group in report.reject_groups:
        by_code.setdefault(str(group.example.code), []).append(group)
    if not by_code:
        return
    accepted = {str(code) for code in report.accepted_codes}
    codes = sorted(by_code, key=lambda code: (code in accepted, -_rows(by_code[code]), code))
    yield "| rejected | rows | first of them | next step |"
    yield "|---|--:|---|---|"
    for code in codes[:_MOST_CODES]:
        one = by_code[code][0].example
        cell = "" if one.column is None else f": {one.column} = {quoted(one.value)}"
        where = _code(f"{one.source}.{one.table} {one.key}{cell}")
        state = " (accepted)" if code in accepted else ""
        yield _row(f"`{code}`{state}", count(_rows(by_code[code])), where, ADVICE[one.code])
    yield from _rest(len(codes) - _MOST_CODES, "code")
    yield ""


def _references(report: RunReport) -> Iterator[str]:
    found = references.edges(report)
    if found:
        yield f"{references.summary(found)}."
        yield ""


def _suites(report: RunReport) -> Iterator[str]:
    told = suites.summary(report)
    if told is None:
        return
    found = suites.bad(report.checks)
    yield _code(told, longest=_LONGEST_SENTENCE)
    yield ""
    for one in found[:_MOST_CHECKS]:
        yield f"- {_code(suites.heading(one), longest=_LONGEST_SENTENCE)}: {_code(one.why, longest=_LONGEST_SENTENCE)}"
    yield from _rest(len(found) - _MOST_CHECKS, "expectation", begin="- ", end="")
    if found:
        yield ""


def _controls(report: RunReport) -> Iterator[str]:
    different = [one for one in report.controls if one.status != "equal"]
    if report.controls and not different:
        yield f"{rows(len(report.controls), 'control total')} equal on both sides."
        yield ""
    if not different:
        return
    yield "| control total that differs | bot | source | target | difference |"
    yield "|---|---|--:|--:|--:|"
    for one in different[:_MOST_CONTROLS]:
        values = (amount(value) for value in (one.source_value, one.target_value, one.difference))
        yield _row(_code(f"{one.table} {one.measure}"), _bot(one.bot_id), *map(_code, values))
    yield from _rest(len(different) - _MOST_CONTROLS, "control total")
    yield ""


def _money(report: RunReport) -> Iterator[str]:
    if not report.money:
        return
    yield "| bot | trades | open | PnL USD | fees USD | equity USD |"
    yield "|---|--:|--:|--:|--:|--:|"
    for one in report.money[:_MOST_BOTS]:
        amounts = (amount(value, decimals=2) for value in (one.pnl_usd, one.fees, one.equity))
        yield _row(_code(one.bot_id), count(one.trades), count(one.open_positions), *amounts)
    yield from _rest(len(report.money) - _MOST_BOTS, "bot")
    yield ""


def _notices(report: RunReport) -> Iterator[str]:
    for notice in report.notices[:_MOST_NOTICES]:
        yield f"- {_code(notice.message, longest=_LONGEST_SENTENCE)}"
    yield from _rest(len(report.notices) - _MOST_NOTICES, "notice", begin="- ", end="")
    if report.notices:
        yield ""


def _mark(report: RunReport) -> str:
    return "✅" if report.status in {"loaded", "planned"} else "❌"


def _rest(number: int, noun: str, *, begin: str = "| ", end: str = " |") -> Iterator[str]:
    """The line that says how many are left out: another row of the table."""
    if number > 0:
        yield f"{begin}… and {rows(number, noun)} more; the JSON report has them{end}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _bot(bot_id: str | None) -> str:
    return _NO_BOT if bot_id is None else _code(bot_id)


def _rows(groups: Sequence[RejectGroup]) -> int:
    return sum(group.count for group in groups)


def _code(text: str, *, longest: int = _LONGEST) -> str:
    """A code span that nothing in the text can end, and that no `|` in it divides."""
    shown = plain(text, longest=longest) or " "
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}".replace("|", "\\|")
