"""A verification, for people: what was proved, and each row that differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text

from consolidate.report.cells import rows, safe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from consolidate.model import RunReport

_MOST_LINES: Final = 50


def body(report: RunReport) -> Iterator[RenderableType]:
    """What was compared with what, and the differing rows, at most 50 of them; the JSON names more."""
    for notice in report.notices:
        yield Text(safe(notice.message))
    for problem in report.problems[:_MOST_LINES]:
        yield Text(f"  - {safe(problem)}", style="red")
    if len(report.problems) > _MOST_LINES:
        yield Text(f"  … and {len(report.problems) - _MOST_LINES} more lines; `--json` has them")


def ending(report: RunReport) -> Iterator[RenderableType]:
    """One sentence: proved, or not."""
    if report.problems:
        what = rows(len(report.problems))
        yield Text(f"run {report.run_id} does not hold: {what} of {safe(report.target)} differ", style="bold red")
    else:
        yield Text(f"run {report.run_id} holds: {safe(report.target)} is as it was loaded", style="bold green")
