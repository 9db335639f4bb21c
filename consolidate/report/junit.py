"""A run or a plan as JUnit XML: what CI lists as tests. Valid against the schema that Jenkins publishes.

One test case for the run itself, one a source table (is every row accounted for?), one a target table and bot (is
nothing in conflict?), one a reject code (does it refuse the load?), one an edge of the graph of references (does one
that leads nowhere refuse the load?), one an expectation of the suites (does it refuse the load?) and one a control
total (is it equal?).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from consolidate.cases.outcome import BROKEN, DIFFERS, FAILED
from consolidate.model import RejectCode
from consolidate.report import references
from consolidate.report.advice import ADVICE
from consolidate.report.cases import difference_lines
from consolidate.report.cells import amount, plain, quoted, rows, safe
from consolidate.report.suites import explanation, heading
from consolidate.report.text import conclusion, counted_rejects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consolidate.cases.outcome import CaseReport
    from consolidate.model import Reject, RejectGroup, RunReport

_LONGEST: Final = 500
_LONGEST_PROBLEM: Final = 20_000
_MOST_GROUPS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A test case. `failure` (type, message) says that it failed, `error` that it could not be done.

    `skipped` says why nobody tried.
    """

    name: str
    failure: tuple[str, str] | None = None
    error: tuple[str, str] | None = None
    skipped: str | None = None
    output: str = ""
    seconds: float | None = None


def junit(report: RunReport) -> str:
    """The document, which ends with a line end. The same report gives the same text."""
    suites = {
        "run": [_run(report)],
        "conservation": list(_conservation(report)),
        "targets": list(_targets(report)),
        "rejects": list(_rejects(report)),
        "references": list(_references(report)),
        "suites": list(_suites(report)),
        "controls": list(_controls(report)),
    }
    return _document(f"consolidate {report.command}", suites, _seconds(report))


def cases(report: CaseReport) -> str:
    """The cases of `consolidate test`, each a test case: failed where it differs, an error where it was not run."""
    found: dict[str, list[_Case]] = {}
    for one in report.outcomes:
        system, _, name = one.name.rpartition("/")
        details = [*(str(problem) for problem in one.problems), *difference_lines(one.differences)]
        output = safe("\n".join(details)[:_LONGEST_PROBLEM])
        bad = (one.status, _line(" ".join(map(str.strip, details[:2])) or one.status))
        found.setdefault(_line(system), []).append(
            _Case(
                name=_line(name),
                failure=bad if one.status == DIFFERS else None,
                error=bad if one.status in {BROKEN, FAILED} else None,
                output=output,
                seconds=one.seconds,
            )
        )
    return _document("consolidate test", found, f"{report.seconds:.3f}")


def _document(name: str, suites: dict[str, list[_Case]], seconds: str) -> str:
    root = ET.Element("testsuites", name=plain(name, longest=_LONGEST))
    _count(root, [case for cases in suites.values() for case in cases])
    root.set("time", seconds)
    for suite, found in suites.items():
        if found:
            root.append(_suite(suite, found))
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _run(report: RunReport) -> _Case:
    message = _line(conclusion(report))
    details = safe("\n\n".join(report.problems)[:_LONGEST_PROBLEM])
    bad = (report.status, message)
    return _Case(
        name=_line(f"consolidate {report.command}"),
        failure=bad if report.status == "refused" else None,
        error=bad if report.status == "failed" else None,
        output=details or message,
        seconds=float(_seconds(report)),
    )


def _conservation(report: RunReport) -> Iterator[_Case]:
    for one in report.sources:
        parts = (
            f"read {one.read} = mapped {one.mapped} + merged {one.merged} + rejected {one.rejected} "
            f"+ filtered {one.filtered} + archived {one.archived}"
        )
        residue = f"{parts} + residue {one.residue}: nothing accounts for the residue"
        yield _Case(
            name=f"{_line(one.source)}.{_line(one.table)}",
            failure=("residue", residue) if one.residue else None,
            output="" if one.residue else parts,
        )


def _targets(report: RunReport) -> Iterator[_Case]:
    for one in report.targets:
        counts = (
            f"{one.insert} insert, {one.update} update, {one.unchanged} unchanged, {one.conflict} conflict "
            f"of {one.candidate} candidates"
        )
        yield _Case(
            name=f"{_line(one.table)} {'shared' if one.bot_id is None else _line(one.bot_id)}",
            failure=("conflict", counts) if one.conflict else None,
            output="" if one.conflict else counts,
        )


def _rejects(report: RunReport) -> Iterator[_Case]:
    """A code fails when the run is over its limit and rows with the code count against it."""
    accepted = {str(code) for code in report.accepted_codes}
    over = counted_rejects(report) > report.max_rejects
    for code in RejectCode:
        groups = [group for group in report.reject_groups if group.example.code == code]
        total = sum(group.count for group in groups)
        state = ", accepted" if str(code) in accepted else f"; the limit is {report.max_rejects}"
        found = f"{rows(total)}{state}\n{_listed(groups)}\n{ADVICE[code]}"
        refuses = bool(total) and over and str(code) not in accepted
        first = f"{rows(total)} rejected, the first: {_shown(groups[0].example)}" if refuses else ""
        yield _Case(
            name=str(code),
            failure=(str(code), first) if refuses else None,
            output=found if total else "",
        )


def _references(report: RunReport) -> Iterator[_Case]:
    """An edge fails when rows are rejected for it and the run is over its limit."""
    codes = {str(RejectCode.MISSING_REFERENCE), str(RejectCode.REJECTED_REFERENCE)}
    over = counted_rejects(report) > report.max_rejects and not codes <= {str(code) for code in report.accepted_codes}
    for edge in references.edges(report):
        counts = f"{rows(edge.rows)} at {rows(edge.targets)}"
        lost = f"{counts}: {references.reasons(edge)}; {references.outcome(edge)}" if edge.lost else counts
        refuses = bool(edge.lost) and over and "reject" in edge.policies
        yield _Case(
            name=f"{edge.name} to {_line(edge.pointed)}",
            failure=("orphans", lost) if refuses else None,
            output="" if refuses else lost,
        )


def _listed(groups: list[RejectGroup]) -> str:
    lines = [f"{rows(group.count)}, the first: {_shown(group.example)}" for group in groups[:_MOST_GROUPS]]
    return "\n".join([*lines, *(["…"] if len(groups) > _MOST_GROUPS else [])])


def _shown(one: Reject) -> str:
    cell = "" if one.column is None else f": {plain(one.column)} = {quoted(one.value)}"
    where = "" if one.location is None else f" ({plain(str(one.location))})"
    return f"{plain(one.source)}.{plain(one.table)} {plain(one.key)}{cell}{where}"


def _suites(report: RunReport) -> Iterator[_Case]:
    """One expectation, one case. A warning that failed says so in its output: it refuses nothing."""
    if report.suites_not_asked is not None:
        yield _Case(name="suites", skipped=_line(f"not asked: {report.suites_not_asked}"))
    for one in report.checks:
        told = safe(f"{heading(one)}\n{explanation(one)}")
        bad = (one.expectation, _line(one.observed))
        yield _Case(
            name=f"{_line(one.suite)} {_line(one.name)}",
            failure=bad if one.refuses and one.status == "failed" else None,
            error=bad if one.status == "errored" else None,
            output=_line(one.observed) if one.status == "passed" else told,
        )


def _controls(report: RunReport) -> Iterator[_Case]:
    for one in report.controls:
        values = (
            f"source {amount(one.source_value)}, rejected {amount(one.rejected_value)}, "
            f"target {amount(one.target_value)}, difference {amount(one.difference)}"
        )
        different = one.status != "equal"
        yield _Case(
            name=f"{_line(one.table)} {'all' if one.bot_id is None else _line(one.bot_id)} {_line(one.measure)}",
            failure=("different", values) if different else None,
            output="" if different else values,
        )


def _suite(name: str, cases: list[_Case]) -> ET.Element:
    suite = ET.Element("testsuite", name=name)
    _count(suite, cases)
    for case in cases:
        element = ET.SubElement(suite, "testcase", name=case.name, classname=f"consolidate.{name}")
        if case.seconds is not None:
            element.set("time", f"{case.seconds:.3f}")
        for kind, bad in (("error", case.error), ("failure", case.failure)):
            if bad is not None:
                ET.SubElement(element, kind, type=bad[0], message=bad[1])
        if case.skipped is not None:
            ET.SubElement(element, "skipped", message=case.skipped)
        if case.output:
            ET.SubElement(element, "system-out").text = case.output
    return suite


def _count(element: ET.Element, cases: list[_Case]) -> None:
    element.set("tests", str(len(cases)))
    element.set("failures", str(sum(case.failure is not None for case in cases)))
    element.set("errors", str(sum(case.error is not None for case in cases)))
    skipped = sum(case.skipped is not None for case in cases)
    if skipped and element.tag == "testsuite":
        element.set("skipped", str(skipped))


def _seconds(report: RunReport) -> str:
    return f"{sum(seconds for _, seconds in report.seconds):.3f}"


def _line(text: str) -> str:
    return plain(text, longest=_LONGEST)
