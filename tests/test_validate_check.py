"""Suite files: every mistake in them is told at its place, with what to write instead, before anything is read."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from consolidate import validate
from consolidate.bundled import folder
from consolidate.mapping.yaml import Problems
from consolidate.validate import load
from tests import small, suites
from tests.command import consolidate

if TYPE_CHECKING:
    from pathlib import Path

_BETWEEN = "expect_column_values_to_be_between"
MISTAKES = {
    "an unreadable file": ("table: [\n", "yaml", None),
    "a file that is a list": ("- a\n", "", None),
    "no expectations": ("table: trading.trades\n", "lists no expectations", "1:1"),
    "an unknown table": (
        suites.trades(a="expect_table_row_count_to_be_between: {min_value: 1}").replace("trades", "trade"),
        "there is no unified table 'trading.trade'",
        "1:8",
    ),
    "an unknown expectation": (
        suites.trades(a="expect_column_values_to_be_betwen: {column: fees, min_value: 0}"),
        "no expectation 'expect_column_values_to_be_betwen'",
        "3:7",
    ),
    "an unknown argument": (
        suites.trades(a=f"{_BETWEEN}: {{column: fees, min_valu: 0}}"),
        "'min_valu' is no argument of expect_column_values_to_be_between",
        "3:58",
    ),
    "a wrong argument": (
        suites.trades(a=f"{_BETWEEN}: {{column: fees, min_value: zero}}"),
        "'min_value' of expect_column_values_to_be_between",
        "3:69",
    ),
    "a missing argument": (
        suites.trades(a="expect_column_values_to_be_in_set: {value_set: [1]}"),
        "expect_column_values_to_be_in_set needs `column`",
        "3:7",
    ),
    "an unknown column": (
        suites.trades(a=f"{_BETWEEN}: {{column: fee, min_value: 0}}"),
        "trading.trades has no column 'fee'",
        "3:52",
    ),
    "an unknown severity": (
        suites.trades(a=f"{_BETWEEN}: {{column: fees, min_value: 0}}").replace("critical", "bad"),
        "'bad' is no severity",
        "3:",
    ),
    "no reason": (
        suites.trades(a=f"{_BETWEEN}: {{column: fees, min_value: 0}}").replace(f", {suites.WHY}", ""),
        "under 'why'",
        "3:",
    ),
    "an expectation that SQL cannot ask": (
        suites.trades(a="expect_column_values_to_match_regex: {column: symbol, regex: a}"),
        "no expectation 'expect_column_values_to_match_regex' that runs here",
        "3:7",
    ),
    "a query without its rows": (
        suites.trades(a=suites.query("select 1")),
        "the query names nothing in braces, not {batch}",
        "3:",
    ),
    "a query with an unknown column": (
        suites.trades(a=suites.query("select id, fee from {batch}")),
        'Referenced column "fee" not found',
        "3:",
    ),
    "a query that is none": (suites.trades(a=suites.query("selec id from {batch}")), "syntax error", "3:"),
    "a query that writes": (
        suites.trades(a=suites.query("delete from {batch}")),
        "only a single `select` is allowed here",
        "3:",
    ),
}


@pytest.mark.parametrize(("text", "told", "place"), MISTAKES.values(), ids=list(MISTAKES))
def test_every_mistake_is_told_at_its_place(text: str, told: str, place: str | None, tmp_path: Path) -> None:
    problems = validate.checked([suites.written(tmp_path, text)])
    assert problems
    (first, *_) = problems
    assert told.lower() in f"{first.code} {first.message}".lower()
    assert first.location is not None
    assert place is None or str(first.location).startswith(f"{tmp_path}/expectations/own.yaml:{place}"), first.location
    assert first.hint is None or "\n" not in first.hint
    assert "Traceback" not in str(first)


def test_all_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    suites.written(tmp_path, suites.trades(a=f"{_BETWEEN}: {{column: fee, min_value: 0}}"), "one")
    suites.written(tmp_path, suites.trades(a=f"{_BETWEEN}: {{column: fees, min_valu: 0}}"), "two")
    suites.written(tmp_path, suites.trades(a=suites.query("select id, no from {batch}")), "three")
    codes = {problem.code for problem in validate.checked([tmp_path])}
    assert codes == {"unknown-column", "unknown-argument", "wrong-query"}


def test_a_typing_error_is_answered_with_the_nearest_name(tmp_path: Path) -> None:
    text = suites.trades(a="expect_column_values_to_be_betwen: {column: fees, min_value: 0}")
    (problem,) = validate.checked([suites.written(tmp_path, text)])
    assert problem.hint is not None
    assert _BETWEEN in problem.hint


def test_the_suites_that_come_with_the_tool_are_without_a_mistake(tmp_path: Path) -> None:
    home = folder("mappings")
    assert validate.checked([home]) == ()
    problems = Problems()
    shipped = load.shipped(problems)
    assert not problems.found
    assert {expectation.severity for suite in shipped for expectation in suite.expectations} == {"critical", "warning"}
    assert len([one for suite in shipped for one in suite.expectations]) > 100
    assert tmp_path.is_dir()


def test_check_tells_the_mistakes_of_suites_and_exits_with_2(tmp_path: Path) -> None:
    file = project(tmp_path, suites.trades(a=f"{_BETWEEN}: {{column: fee, min_value: 0}}"))
    ended = consolidate("check", cwd=file.parent, environment={"TARGET": "postgresql://localhost:1/nothing"})
    assert ended.code == 2
    assert "error[unknown-column]: trading.trades has no column 'fee'" in ended.err
    assert f"--> {tmp_path}/small/expectations/own.yaml:3:" in ended.err
    assert "Traceback" not in ended.err


def test_check_without_own_suites_loads_no_great_expectations(tmp_path: Path) -> None:
    file = project(tmp_path, None)
    assert imported(file, "check") == []


def test_check_with_own_suites_asks_great_expectations_itself(tmp_path: Path) -> None:
    file = project(tmp_path, suites.trades(a=f"{_BETWEEN}: {{column: fees, min_value: 0}}"))
    assert imported(file, "check") == ["great_expectations"]


def project(place: Path, text: str | None) -> Path:
    """A project over the small system with a mapping folder of its own, and this suite in it."""
    mapping = place / "small"
    mapping.mkdir()
    for one in small.MAPPING.iterdir():
        (mapping / one.name).write_bytes(one.read_bytes())
    if text is not None:
        suites.written(mapping, text)
    file = small.build(place)
    file.write_text(file.read_text(encoding="utf-8").replace(str(small.MAPPING), str(mapping)), encoding="utf-8")
    return file


def imported(file: Path, *arguments: str) -> list[str]:
    """Whether the command loads Great Expectations or opens a connection."""
    script = (
        "import os, socket, sys; os.environ['TARGET'] = 'postgresql://localhost:1/nothing';"
        "sys.addaudithook(lambda name, _: name.startswith('socket.connect') and os._exit(99));"
        f"from consolidate.cli.app import main; code = main([*{arguments!r}, '-q', '-c', {str(file)!r}]);"
        "print(*sorted(set(sys.modules) & {'great_expectations'}), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr.split()
