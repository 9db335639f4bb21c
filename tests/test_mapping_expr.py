"""Expressions: whatever the text, an expression or a located problem, at once; never anything that runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consolidate.errors import Location
from consolidate.mapping import expr
from consolidate.mapping.yaml import Problems
from tests.mapped import problems_of

if TYPE_CHECKING:
    from pathlib import Path

HERE = Location(file="t.yaml", line=3, column=7)
QUICK = 1.0
"""Seconds; a hang would be far beyond."""

STRANGERS = [
    "__import__('os')", "__import__('os').system('true')", "open('/etc/passwd')", "().__class__.__bases__[0]", "price.__class__",
    "eval('1')", "exec('x')", "lambda: 1", "[x for x in y]", "{**a}", "f'{price}'", "price := 1", "yield price", "await price",
    "a if b", "`id`", "price; drop", "select 1", "read_text('/etc/passwd')", "getenv('HOME')", "1e999999999", "9**9**9", "2**99",
    "'a' * 1000000000", "1e9", "10_000", "0x10", "1j", "b'x'", "...", "a @ b", "a // b", "a / b", "a % b", "~a", "a << 2", "a & b",
    "a < b < c", "a == None", "x in y", "x in []", "price[0:1]", "f(*a)", "f(**a)", "f(a).b", "(a).b.c.d", "side[price][1]", "+1",
    "{'a': 1}", "{1}", "a is True", "not", "", " ", "(", "'", "'unclosed", "\x00", "a\nb", "\u202e", "é", "price\\", "#", "a,", "a b",
]  # fmt: skip


@pytest.mark.parametrize("text", STRANGERS)
def test_what_a_stranger_writes_is_an_expression_of_ours_or_a_located_problem(text: str, tmp_path: Path) -> None:
    began = time.monotonic()
    problems = Problems()
    read = expr.parse_text(text, HERE, problems)
    assert (read is None) == bool(problems)
    for problem in problems.found:
        assert problem.code == "bad-expression"
        assert problem.location is not None
        assert (problem.location.file, problem.location.line) == ("t.yaml", 3)
    if read is not None:  # names and functions are known to the compiler only
        found = problems_of(tmp_path, _mapping(text))
        assert any(one.code == "bad-expression" and str(one.location).startswith(str(tmp_path)) for one in found), found
    assert time.monotonic() - began < QUICK * 5


def _mapping(text: str) -> str:
    written = text.replace("'", "''")
    return f"from: t\nkey: [id]\ncolumns: {{id: integer, price: decimal}}\ninto:\n  trading.trades:\n    quantity: '{written}'\n"


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000 + "1" + ")" * 5000, "(" * 900 + "1" + ")" * 900, "-" * 1900 + "1", "not " * 400 + "a", "a." * 900 + "b",
        "1+" * 900 + "1", "f(" * 600 + ")" * 600, "[" * 1000, "a if b else " * 150 + "c", "x[" * 500, "'" + "\\N{" * 400, "9" * 1900,
        "a and " * 300 + "a", "1e" + "9" * 1000, "x" * 1_000_000,
    ],
    ids=lambda text: f"{text[:6]}…{len(text)}",
)  # fmt: skip
def test_deep_and_long_texts_neither_hang_nor_crash(text: str) -> None:
    began = time.monotonic()
    problems = Problems()
    read = expr.parse_text(text, HERE, problems)
    assert (read is None) == bool(problems)
    assert time.monotonic() - began < QUICK


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(max_size=40), st.text(alphabet="abf()[].,'\"=<>!+-*/ 0123456789noti", max_size=40)))
def test_any_text_is_an_expression_or_a_located_problem(text: str) -> None:
    problems = Problems()
    read = expr.parse_text(text, HERE, problems)
    assert (read is None) == bool(problems)
    assert all(problem.location is not None for problem in problems.found)
    if read is not None:
        assert expr.names(read) is not None


def test_the_place_of_a_mistake_is_its_column_in_the_file() -> None:
    problems = Problems()
    expr.parse_text("price + (quantity / 2)", HERE, problems)
    (problem,) = problems.found
    assert (str(problem.location), problem.hint) == ("t.yaml:3:16", "ratio(a, b, scale=8) divides")


BILLION = "let:\n  a0: price\n" + "".join(f"  a{i}: a{i - 1} + a{i - 1}\n" for i in range(1, 60))
CHAIN = "let:\n  a0: price\n" + "".join(f"  a{i}: a{i - 1} + 1\n" for i in range(1, 900))
CYCLE = "let:\n  a: b + 1\n  b: a + 1\n"
WIDE = "let:\n" + "".join(f"  a{i}: price * {i}\n" for i in range(2000))


@pytest.mark.parametrize(
    ("lets", "cell"),
    [(BILLION, "a59"), (CHAIN, "a899"), (CYCLE, "a"), (WIDE, "a1")],
    ids=["billion", "chain", "cycle", "wide"],
)
def test_names_that_grow_without_bound_are_a_problem_and_no_hang(lets: str, cell: str, tmp_path: Path) -> None:
    began = time.monotonic()
    text = f"from: t\nkey: [id]\ncolumns: {{id: integer, price: decimal}}\n{lets}into:\n  trading.trades: {{quantity: {cell}}}\n"
    assert {"too-large", "bad-expression", "unused-let"} & {one.code for one in problems_of(tmp_path, text)}
    assert time.monotonic() - began < QUICK * 20


def test_a_name_defined_through_itself_in_a_group_is_a_problem(tmp_path: Path) -> None:
    text = (
        "from: t\nkey: [id]\ncolumns: {id: text, at: instant, event: text}\n"
        "pair: {by: [id], at: at, event: event, open: o, close: c}\nlet: {a: b, b: a}\n"
        "into:\n  trading.positions: {per: group, symbol: a}\n"
    )
    assert any("through itself" in one.message for one in problems_of(tmp_path, text))
