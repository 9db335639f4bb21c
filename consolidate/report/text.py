"""Reports for people, as rich renderables: tables that need no colour, and every value of a store escaped.

Texts are always `Text`, never markup: a value such as `[bold]` stays what it is.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from consolidate.errors import COMMIT_UNKNOWN
from consolidate.report import references, suites, summary
from consolidate.report.cells import count, rows, safe
from consolidate.report.details import details

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import RenderableType

    from consolidate.model import RowsWanted, RunReport, TargetCounts

_GOOD: Final = summary.GOOD
_BAD: Final = summary.BAD
MOST_LINES: Final = 60
"""Of a summary, of a run of any size, on a terminal of at least 80 columns."""

_MOST_PROBLEMS: Final = 3
_MOST_LINES_OF_A_PROBLEM: Final = 8
_WIDEST: Final = 100_000
_BETWEEN: Final = 2
_LEAST_FOLDED: Final = 12


def run(report: RunReport) -> Iterator[RenderableType]:
    """The parts of a report from top to bottom, `body` and `ending`."""
    yield from body(report)
    yield from ending(report)


def body(report: RunReport, wanted: RowsWanted | None = None) -> Iterator[RenderableType]:
    """What was found and done, and where its files are; at most `MOST_LINES` lines together with the ending.

    Where single rows were asked for (`wanted`), those, however many.
    """
    if wanted is not None:
        yield from details(report, wanted)
        yield from summary.notices(report).lengths[0]
        return
    parts = (
        summary.sources(report),
        summary.targets(report),
        summary.rejects(report),
        references.part(report),
        summary.roundings(report),
        summary.checks(report),
        summary.controls(report),
        summary.money(report),
        summary.since(report),
        summary.notices(report),
        summary.files(report),
    )
    yield from summary.fitted(parts, MOST_LINES - summary.height(ending(report)))


def ending(report: RunReport) -> Iterator[RenderableType]:
    """The problems, if any, and the sentence that says how it ended. Of long problems the beginning and the hint."""
    for problem in report.problems[:_MOST_PROBLEMS]:
        yield marked(safe(f"\n{_shortened(problem)}"))
    if len(report.problems) > _MOST_PROBLEMS:
        yield Text(f"\n… {rows(len(report.problems) - _MOST_PROBLEMS, 'more problem')}; `--json` has all of them")
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


def _shortened(problem: str) -> str:
    lines = problem.splitlines()
    if len(lines) <= _MOST_LINES_OF_A_PROBLEM:
        return problem
    hint = [line for line in lines[_MOST_LINES_OF_A_PROBLEM - 2 :] if line.startswith("hint: ")][:1]
    kept = lines[: _MOST_LINES_OF_A_PROBLEM - 2]
    left = len(lines) - len(kept) - len(hint)
    return "\n".join([*kept, f"  … {rows(left, 'more line')}; `--rows N` shows the rows, `--json` has all", *hint])


def conclusion(report: RunReport) -> str:
    """How it ended, in one line."""
    return suites.conclusion(report) if report.command == "validate" else _ended(report)


def _ended(report: RunReport) -> str:
    match report.status:
        case "loaded":
            return _loaded(report)
        case "planned":
            insert, update = _written(report.targets)
            if not insert and not update and report.targets:
                unchanged = rows(sum(counts.unchanged for counts in report.targets))
                return f"nothing new: {unchanged} unchanged; {report.target} has all of it already; nothing was written"
            return f"planned: {rows(insert, 'insert')}, {rows(update, 'update')}; nothing was written"
        case "refused":
            return f"refused: {_reason(report)}; nothing was loaded"
        case _ if any(problem.startswith(f"error[{COMMIT_UNKNOWN}]") for problem in report.problems):
            return f"unknown: {_reason(report)}"
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
        kept = "" if report.exit_code == 0 else "; but not all files of the run could be written"
        return f"nothing new: {unchanged} unchanged; {there} (checked {took}){kept}"
    kept = "" if report.exit_code == 0 else "; but not all of its files could be written"
    return f"loaded {rows(written)} of {sources} into {report.target} {took}{kept}"


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
    return (first.partition("]: ")[2] or first).rstrip(":")


def _written(targets: Iterable[TargetCounts]) -> tuple[int, int]:
    both = [(counts.insert, counts.update) for counts in targets]
    return sum(insert for insert, _ in both), sum(update for _, update in both)
