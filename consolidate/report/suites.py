"""The verdicts of the suites, for people: one line when all is well, few lines for each expectation that is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consolidate.report.cells import count, plain, rows, safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consolidate.model import CheckResult, RunReport

_LONGEST: Final = 300
_ORDER: Final = {"errored": 0, "failed": 1, "passed": 2}


def summary(report: RunReport) -> str | None:
    """How many expectations ended how, and which tables were empty; None where none was due."""
    if report.suites_not_asked is not None:
        return f"suites: NOT asked, so nothing of them passed: {report.suites_not_asked}"
    if not report.checks:
        return None
    parts = [f"{count(sum(one.status == 'passed' for one in report.checks))} passed"]
    for severity in ("critical", "warning"):
        failed = sum(one.status == "failed" and one.severity == severity for one in report.checks)
        if failed:
            parts.append(f"{count(failed)} failed ({severity})")
    errored = sum(one.status == "errored" for one in report.checks)
    if errored:
        parts.append(f"{count(errored)} could not be judged")
    empty = report.tables_without_rows
    without = f"; no rows in {', '.join(empty)}" if empty else ""
    return f"suites: {', '.join(parts)}{without}"


def conclusion(report: RunReport) -> str:
    """How a command that only judges ended, in one line."""
    refusing = sum(one.refuses for one in report.checks)
    warnings = sum(one.status != "passed" for one in report.checks) - refusing
    besides = f", {rows(warnings, 'warning')}" if warnings else ""
    if report.suites_not_asked is not None or not report.checks:
        first = report.problems[0].splitlines()[0] if report.problems else "there was nothing to judge"
        return f"{report.status}: {first.partition(']: ')[2] or first}; no expectation was asked"
    if refusing:
        ended = f"{count(refusing)} of {rows(len(report.checks), 'expectation')} failed or could not be judged"
        return f"{report.status}: {report.target}: {ended}{besides}; nothing was written"
    passed = sum(one.status == "passed" for one in report.checks)
    return f"in order: {report.target}: {rows(passed, 'expectation')} passed{besides}; nothing was written"


def bad(checks: Sequence[CheckResult]) -> list[CheckResult]:
    """What did not pass, the worst first: what could not be judged, then critical, then warnings."""
    found = [one for one in checks if one.status != "passed"]
    return sorted(found, key=lambda one: (_ORDER[one.status], one.severity != "critical"))


def heading(one: CheckResult) -> str:
    """What ended how: `failed (warning): trading.trades fees_are_not_negative: 1 of 9 rows: t1`."""
    state = "could not be judged" if one.status == "errored" else f"{one.status} ({one.severity})"
    keys = [plain(key) for key in one.failing_keys]
    more = ", …" if one.failing is not None and one.failing > len(keys) else ""
    shown = f": {', '.join(keys)}{more}" if keys else ""
    return f"{state}: {plain(one.suite)}/{plain(one.name)}: {plain(one.observed, longest=_LONGEST)}{shown}"


def explanation(one: CheckResult) -> str:
    """Why it matters, where it is said, and where all of its rows are."""
    where = f" All rows: {one.failing_file}" if one.failing_file is not None else ""
    return safe(f"{one.why} ({one.location}){where}")


def order(one: CheckResult) -> str:
    """By what a table of verdicts is sorted: the worst first."""
    return f"{_ORDER[one.status]}{one.severity}"
