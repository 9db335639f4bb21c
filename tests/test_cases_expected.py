"""Expected rows as files, and their comparison with others: pure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from consolidate.cases import expected
from consolidate.cases.compare import differences, in_order
from consolidate.cases.outcome import BROKEN, DIFFERS, PASSED, CaseOutcome, CaseReport, Row
from consolidate.errors import ExitCode
from consolidate.mapping import yaml

if TYPE_CHECKING:
    from random import Random

TABLE = "trading.trades"
IDENTITIES = expected.identities()
TEXTS = st.text(max_size=8) | st.sampled_from(
    (
        "",
        "null",
        "~",
        "NULL",
        "-",
        "- a",
        "a: b",
        "a #b",
        "'",
        '"',
        "{}",
        "|",
        "%",
        "\0",
        "\n",
        "x\r\n",
        "\ufeff",
        "1.0",
        "? a",
    )
)
CELLS = st.sampled_from(("from", "trade_id", "symbol", "notes", "quantity"))
ROWS = st.lists(st.dictionaries(CELLS, TEXTS, max_size=3), max_size=4)


@given(ROWS)
def test_rows_that_were_written_are_read_back_as_they_were(rows: list[Row]) -> None:
    problems = yaml.Problems()
    root = yaml.parse(expected.text_of(TABLE, rows) if rows else "rows: []", "f.yaml", problems)
    assert problems.found == ()
    assert root is not None
    read = root.get("rows")
    assert isinstance(read, yaml.Sequence)
    found = []
    for item in read.items:
        assert isinstance(item, yaml.Mapping)
        found.append({cell.key: yaml.text_of(cell.value, "a cell", problems) for cell in item})
    assert found == rows


@given(ROWS, st.randoms(use_true_random=False))
def test_the_same_rows_in_any_order_are_the_same(rows: list[Row], random: Random) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert differences({TABLE: tuple(rows)}, {TABLE: tuple(shuffled)}, IDENTITIES) == ()
    assert in_order(rows, ("trade_id",)) == in_order(in_order(rows, ("trade_id",)), ("trade_id",))


@given(ROWS, ROWS)
def test_the_differences_account_for_every_cell_of_both_sides(wanted: list[Row], made: list[Row]) -> None:
    found = differences({TABLE: tuple(wanted)}, {TABLE: tuple(made)}, IDENTITIES)
    same = sorted(map(sorted, (row.items() for row in wanted))) == sorted(map(sorted, (row.items() for row in made)))
    assert bool(found) == (not same)
    missing = sum(one.kind == "missing" for one in found)
    unexpected = sum(one.kind == "unexpected" for one in found)
    assert len(wanted) - missing == len(made) - unexpected
    assert all(one.expected != one.got for one in found if one.kind == "cell")


def test_equal_rows_are_counted_and_not_only_seen() -> None:
    row = {"from": "trades 1", "trade_id": "x"}
    (found,) = differences({TABLE: (row,)}, {TABLE: (row, dict(row))}, IDENTITIES)
    assert found.kind == "unexpected"


def test_rows_are_written_in_the_order_of_their_source_rows() -> None:
    rows = [{"from": f"trades {number}"} for number in (10, 9, 2, 1)]
    assert [row["from"] for row in in_order(rows, ())] == ["trades 1", "trades 2", "trades 9", "trades 10"]


def test_a_case_that_is_broken_comes_before_one_that_differs() -> None:
    def report(*codes: ExitCode) -> CaseReport:
        status = {ExitCode.DONE: PASSED, ExitCode.FINDINGS: DIFFERS}
        return CaseReport(
            outcomes=tuple(
                CaseOutcome(name="a/b", file=Path("x"), status=status.get(code, BROKEN), exit_code=code)
                for code in codes
            )
        )

    assert report(ExitCode.DONE, ExitCode.DONE).exit_code == ExitCode.DONE
    assert report(ExitCode.DONE, ExitCode.FINDINGS).exit_code == ExitCode.FINDINGS
    assert report(ExitCode.FINDINGS, ExitCode.USAGE, ExitCode.DONE).exit_code == ExitCode.USAGE
    assert report(ExitCode.UNREACHABLE, ExitCode.USAGE).exit_code == ExitCode.USAGE
