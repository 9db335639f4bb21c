"""Functions that look at the other rows of a table, against what Python makes of the same rows."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.mapped import Table, problems_of, run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


MAPPING = """
from: t
key: [id]
columns: {id: integer, symbol: text, at: instant, before: instant, x: decimal}
let:
  step: spacing(at, symbol)
into:
  audit.system_events:
    event_type: "'INFO'"
    event_level: "'INFO'"
    message: concat(id)
    details: pack(step, value=as_of(x, at, before, symbol), last=newest(at, symbol))
"""
COLUMNS = ("id", "symbol", "at", "before", "x")
START = datetime(2025, 10, 1, tzinfo=UTC)
SLOW = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

Made = tuple[str, int | None, int | None, int | None]
"""Symbol, seconds of `at` and `before` after the start, and x."""


def moment(seconds: int | None) -> str | None:
    return None if seconds is None else f"{START + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S}+00"


def told(folder: Path, rows: Sequence[Made]) -> list[tuple[object, ...]]:
    """Step, value and last of each row, as the mapping has them."""
    stored = [
        (str(i), symbol, moment(at), moment(before), None if x is None else str(x))
        for i, (symbol, at, before, x) in enumerate(rows)
    ]
    with run(folder, {"t": Table(mapping=MAPPING, columns=COLUMNS, rows=stored)}) as done:
        assert done.rejects() == []
        found = done.staging.rows(
            "select (details->>'step')::bigint, (details->>'value')::bigint, details->>'last'"
            ' from cand."audit.system_events" order by message::bigint'
        )
        return [(step, value, None if last is None else str(last)[:19]) for step, value, last in found]


def expected(rows: Sequence[Made]) -> list[tuple[object, ...]]:
    """The same in Python."""
    found: list[tuple[object, ...]] = []
    for i, (symbol, at, before, _) in enumerate(rows):
        series = sorted((t, j) for j, (other, t, _, _) in enumerate(rows) if other == symbol and t is not None)
        gaps = Counter(b[0] - a[0] for a, b in pairwise(series) if b[0] > a[0])
        step = min(gaps, key=lambda gap: (-gaps[gap], gap)) if gaps else None
        if at is None:
            step = None
        elif step is not None:
            place = series.index((at, i))
            around = [at - series[place - 1][0]] if place else []
            around += [series[place + 1][0] - at] if place + 1 < len(series) else []
            step = step if any(gap % step == 0 for gap in around) else None
        value = None
        if at is not None and before is not None:
            earlier = [(t, j) for t, j in series if t < before]
            value = rows[max(earlier)[1]][3] if earlier else None
        last = series[-1][0] if series else None
        shown = None if last is None else f"{START + timedelta(seconds=last):%Y-%m-%dT%H:%M:%S}"
        found.append((step, value, shown))
    return found


seconds = st.none() | st.integers(0, 12).map(lambda n: n * 60) | st.integers(0, 700)
made = st.tuples(st.sampled_from("ab"), seconds, seconds, st.none() | st.integers(0, 99))


@SLOW
@given(rows=st.lists(made, min_size=1, max_size=40))
def test_windows_are_what_python_makes_of_the_rows(tmp_path: Path, rows: list[Made]) -> None:
    assert told(tmp_path, rows) == expected(rows)


def test_a_row_out_of_step_has_no_spacing_and_its_neighbours_keep_theirs(tmp_path: Path) -> None:
    times = (0, 60, 120, 150, 180, 240, 600, 660, 1000)
    found = told(tmp_path, [("a", time, None, None) for time in times])
    assert [step for step, _, _ in found] == [60, 60, 60, None, 60, 60, 60, 60, None]


def test_a_row_alone_tells_no_spacing(tmp_path: Path) -> None:
    assert [step for step, _, _ in told(tmp_path, [("a", 0, None, None), ("b", 60, None, None)])] == [None, None]


def test_wrong_arguments_are_told_by_check(tmp_path: Path) -> None:
    for wrong, message in (
        ("spacing(x)", "and a time is needed"),
        ("spacing()", "takes at least 1"),
        ("as_of(x, at)", "takes at least 3"),
        ("newest(at, x)", "this is a number"),
        ("spacing(at, by=symbol)", "has no option 'by'"),
    ):
        problems = problems_of(tmp_path, MAPPING.replace("spacing(at, symbol)", wrong))
        assert any(message in problem.message and problem.location for problem in problems), wrong
