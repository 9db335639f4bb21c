"""Compiled expressions give over any row what the reference interpreter gives."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consolidate.errors import Location
from consolidate.mapping import expr
from consolidate.mapping.yaml import Problems
from tests import interpreter
from tests.mapped import Table, run

if TYPE_CHECKING:
    import pytest

COLUMNS = {"a": "decimal", "b": "decimal", "t": "text", "u": "text", "f": "boolean"}
MAPS: dict[str, dict[str, str | None]] = {"m": {"X": "one", "Y": "two", "Z": None}}

_NUMBERS = st.sampled_from(["0", "1", "-1", "2.5", "-0.125", "1000000", "0.3", "7"]) | st.decimals(
    -9999, 9999, places=3
).map(str)
_TEXTS = st.sampled_from(["x", "y", "z", " X ", "w", "", "it''s"])
ROWS = st.lists(
    st.tuples(
        st.none() | _NUMBERS,
        st.none() | _NUMBERS,
        st.none() | _TEXTS,
        st.none() | _TEXTS,
        st.sampled_from(["true", "false", None]),
    ),
    min_size=1,
    max_size=12,
)


def _numbers(depth: int) -> st.SearchStrategy[str]:
    leaf = st.sampled_from(["a", "b", "0", "1", "2.5", "0.01", "a", "b"])
    if depth == 0:
        return leaf
    down, condition = _numbers(depth - 1), _conditions(depth - 1)
    return st.one_of(
        leaf,
        st.tuples(down, st.sampled_from(["+", "-", "*"]), down).map(lambda x: f"({x[0]} {x[1]} {x[2]})"),
        down.map(lambda x: f"-{x}"),
        st.tuples(down, condition, down).map(lambda x: f"({x[0]} if {x[1]} else {x[2]})"),
        st.tuples(down, down).map(lambda x: f"coalesce({x[0]}, {x[1]})"),
        st.tuples(down, down).map(lambda x: f"nullif({x[0]}, {x[1]})"),
        st.tuples(down, st.integers(0, 4)).map(lambda x: f"round({x[0]}, {x[1]})"),
        st.tuples(down, down, st.integers(0, 6)).map(lambda x: f"ratio({x[0]}, {x[1]}, scale={x[2]})"),
        down.map(lambda x: f"abs({x})"),
    )


def _texts(depth: int) -> st.SearchStrategy[str]:
    leaf = st.sampled_from(["t", "u", "'x'", "' Y'", "m[t]"])
    if depth == 0:
        return leaf
    down, condition = _texts(depth - 1), _conditions(depth - 1)
    return st.one_of(
        leaf,
        st.tuples(down, condition, down).map(lambda x: f"({x[0]} if {x[1]} else {x[2]})"),
        st.tuples(down, down).map(lambda x: f"concat({x[0]}, '-', {x[1]})"),
        st.tuples(down, down).map(lambda x: f"coalesce({x[0]}, {x[1]})"),
        st.tuples(down, down).map(lambda x: f"nullif({x[0]}, {x[1]})"),
        st.tuples(st.sampled_from(["upper", "lower", "trim"]), down).map(lambda x: f"{x[0]}({x[1]})"),
    )


def _conditions(depth: int) -> st.SearchStrategy[str]:
    compare = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
    leaf = st.sampled_from(["f", "t is None", "a is not None", "a > 0", "t == 'x'", "True"])
    if depth == 0:
        return leaf
    numbers, texts, down = _numbers(depth - 1), _texts(depth - 1), _conditions(depth - 1)
    return st.one_of(
        leaf,
        st.tuples(numbers, compare, numbers).map(lambda x: f"({x[0]} {x[1]} {x[2]})"),
        st.tuples(texts, compare, texts).map(lambda x: f"({x[0]} {x[1]} {x[2]})"),
        st.tuples(texts, st.sampled_from(["in", "not in"]), texts, texts).map(
            lambda x: f"({x[0]} {x[1]} [{x[2]}, {x[3]}])"
        ),
        st.tuples(numbers, st.sampled_from(["in", "not in"]), numbers).map(lambda x: f"({x[0]} {x[1]} [{x[2]}, 1])"),
        st.tuples(down, st.sampled_from(["and", "or"]), down).map(lambda x: f"({x[0]} {x[1]} {x[2]})"),
        down.map(lambda x: f"(not {x})"),
        texts.map(lambda x: f"({x} is None)"),
        numbers.map(lambda x: f"({x} is not None)"),
    )


def _mapping(number: str, text: str, condition: str) -> str:
    cells = {"risk_type": "'x'", "event_time": "at", "current_value": number, "action_taken": f"coalesce({text}, 'null')",
             "limit_value": "1", "resolved": condition, "resolution_notes": text}  # fmt: skip
    written = "\n".join(f"    {name}: '{cell.replace(chr(39), chr(39) * 2)}'" for name, cell in cells.items())
    columns = ", ".join(f"{name}: {kind}" for name, kind in {"id": "integer", "at": "instant", **COLUMNS}.items())
    return (
        f"from: t\nkey: [id]\ncolumns: {{{columns}}}\ncarry: [{', '.join(COLUMNS)}]\n"
        "values: {m: {x: one, y: two, z: }}\n"
        f"into:\n  audit.risk_events:\n{written}\n"
    )


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(number=_numbers(2), text=_texts(2), condition=_conditions(2), rows=ROWS)
def test_a_compiled_expression_gives_what_the_interpreter_gives(
    number: str, text: str, condition: str, rows: list[tuple[str | None, ...]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    problems = Problems()
    here = Location(file="x", line=1, column=1)
    parsed = [expr.parse_text(one, here, problems) for one in (number, text, condition)]
    assert problems.found == ()
    table = Table(
        mapping=_mapping(number, text, condition),
        columns=("id", "at", *COLUMNS),
        rows=[(str(i), "2024-01-01T00:00:00Z", *row) for i, row in enumerate(rows)],
    )
    with run(tmp_path_factory.mktemp("x", numbered=True), {"t": table}) as outcome:
        found = {
            key: values
            for key, *values in outcome.candidates(
                "audit.risk_events", "#key", "current_value", "resolution_notes", "resolved"
            )
        }
        codes = outcome.codes()
    for i, row in enumerate(rows):
        wanted = _wanted(parsed, row)
        key = str(i)
        if key in codes:
            assert _may_reject(wanted, str(codes[key])), (number, text, condition, row, codes[key])
            continue
        assert wanted is not None, (number, text, condition, row)
        got = found[key]
        assert [None if got[0] is None else Fraction(str(got[0])), got[1], got[2]] == [
            None if wanted[0] is None else _rounded(wanted[0]),
            wanted[1],
            None if wanted[2] is None else str(wanted[2]).lower(),
        ], (number, text, condition, row)


def _wanted(parsed: list[expr.Expr | None], row: tuple[str | None, ...]) -> list[interpreter.Value] | None:
    values: dict[str, interpreter.Value] = {}
    for (name, kind), cell in zip(COLUMNS.items(), row, strict=True):
        if cell is None or kind == "text":
            values[name] = cell
        else:
            values[name] = cell == "true" if kind == "boolean" else Fraction(Decimal(cell))
    try:
        return [interpreter.value(one, values, MAPS) for one in parsed if one is not None]
    except interpreter.UnmappedError:
        return None


def _rounded(number: interpreter.Value) -> Fraction:
    assert isinstance(number, Fraction)
    return Fraction(round(number * 10**8), 10**8)


def _may_reject(wanted: list[interpreter.Value] | None, code: str) -> bool:
    if wanted is None or code == "unmapped_value":
        return wanted is None and code == "unmapped_value"
    if code == "missing_value":
        return wanted[0] is None
    return code in {"out_of_range", "too_long"}
