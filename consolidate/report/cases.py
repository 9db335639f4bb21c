"""What came of cases, for people: a line a case, and each difference cell by cell, expected → got."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

from rich.text import Text

from consolidate.cases.outcome import BROKEN, CELL, DIFFERS, FAILED, MISSING, PASSED, UPDATED
from consolidate.report.cells import plain, quoted, rows, safe
from consolidate.report.text import marked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from consolidate.cases.outcome import CaseOutcome, CaseReport, Difference

MOST: Final = 100
"""How many differences of a case are shown; the JSON has all of them."""

_STYLES: Final = {PASSED: "green", UPDATED: "yellow"}
_BAD: Final = "bold red"
_LONGEST: Final = 160
_MOST_CELLS: Final = 6
_MOST_PLACES: Final = 3


def body(report: CaseReport) -> Iterator[RenderableType]:
    """A line for each case, and below it what is wrong."""
    width = max((len(plain(one.name)) for one in report.outcomes), default=0)
    for one in report.outcomes:
        counts = f"{rows(one.rows)}, {rows(one.rejects, 'reject')}"
        said = counts if one.status == PASSED else _summary(one)
        yield Text.assemble(
            f"{plain(one.name):{width}}  ", (f"{one.status:7}", _STYLES.get(one.status, _BAD)), f"  {said}"
        )
        for problem in one.problems:
            yield marked(safe(_indented(str(problem))))
        for line in difference_lines(one.differences):
            yield Text(f"  {line}")


def lines(one: CaseOutcome) -> Iterator[str]:
    """What is to be said of a case that did not pass."""
    yield f"{plain(one.name)} {one.status}: {_summary(one)}"
    for problem in one.problems:
        yield safe(str(problem))
    yield from difference_lines(one.differences)


def ending(report: CaseReport) -> Iterator[RenderableType]:
    """The sentence that sums it up."""
    counts = {status: [one for one in report.outcomes if one.status == status] for status in _STATUSES}
    said = [f"{rows(len(found), 'case')} {_STATUSES[status]}" for status, found in counts.items() if found]
    good = not report.exit_code
    sentence = f"\n{', '.join(said)}, in {report.seconds:.1f} s"
    if counts[DIFFERS]:
        sentence += "\nif what they are now is right: `consolidate test --update`, and look at what changed"
    yield Text(safe(sentence), style="bold green" if good else _BAD)


_STATUSES: Final = {
    PASSED: "passed",
    UPDATED: "updated",
    DIFFERS: "not as expected",
    BROKEN: "broken",
    FAILED: "failed",
}


def difference_lines(found: Sequence[Difference], most: int = MOST) -> Iterator[str]:
    """The differences as lines, those of one row together; beyond `most` only their number."""
    for (table, key, kind), group in groupby(found[:most], key=lambda one: (one.table, one.key, one.kind)):
        for place, one in enumerate(group):
            heading = f"{table} {plain(key, longest=_LONGEST)}"
            if kind != CELL:
                yield f"{heading}: {_whole(one)}"
                continue
            if place == 0:
                yield f"{heading}{_origin(one)}"
            yield f"    {one.column}: expected {_cell(one.expected)} → got {_cell(one.got)}{_places(one)}"
    if len(found) > most:
        yield f"… and {rows(len(found) - most, 'difference')} more; --json has them all"


def _whole(one: Difference) -> str:
    if one.kind == MISSING:
        return "expected, and not made"
    cells = [f"{name} {quoted(text)}" for name, text in one.cells if name != "from" and text != one.key]
    more = "" if len(cells) <= _MOST_CELLS else f", and {rows(len(cells) - _MOST_CELLS, 'cell')} more"
    return f"made, and not expected{_origin(one)}: {', '.join(cells[:_MOST_CELLS])}{more}{_places(one)}"


def _cell(text: str | None) -> str:
    if text is None:
        return "null"
    return f"'{plain(text, longest=_LONGEST)}'"


def _origin(one: Difference) -> str:
    return "" if one.origin is None or one.origin == one.key else f" (from {plain(one.origin, longest=_LONGEST)})"


def _places(one: Difference) -> str:
    if not one.locations:
        return ""
    more = ", …" if len(one.locations) > _MOST_PLACES else ""
    return f"  [{', '.join(plain(place, longest=_LONGEST) for place in one.locations[:_MOST_PLACES])}{more}]"


def _summary(one: CaseOutcome) -> str:
    if one.problems:
        return rows(len(one.problems), "problem")
    written = f"; rewritten: {', '.join(one.written)}" if one.written else ""
    return f"{rows(len(one.differences), 'difference')}{written}"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
