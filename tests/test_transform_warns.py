"""Warnings: what loads, and yet a person should look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.mapped import Row, Table, run

if TYPE_CHECKING:
    from pathlib import Path

BALANCES = """\
from: b
key: [id]
columns: {id: integer, at: instant, size: decimal}
warn:
  - {when: size > 100, message: an unusual balance}
reject: [{when: size == 999, code: check_violation}]
into:
  trading.account_balance: {total_balance: size, available_balance: size, equity: size, timestamp: at, snapshot_type: "'x'"}
"""
STATES = """\
from: s
key: [id]
columns: {id: integer, at: instant, seen: instant}
find:
  f: {in: trading.account_balance, nearest: timestamp, to: at, within: 0}
warn:
  - in: trading.account_balance
    when: timestamp <= newest(s.seen) and equity > 1
    without: seen == newest(seen)
    message: the newest state lacks it
into:
  trading.account_balance:
    merge: {into: f, only: true}
    timestamp: at
"""


def _notices(tmp_path: Path, balances: list[Row], states: list[Row]) -> list[str]:
    tables = {
        "b": Table(mapping=BALANCES, columns=("id", "at", "size"), rows=balances),
        "s": Table(mapping=STATES, columns=("id", "at", "seen"), rows=states),
    }
    with run(tmp_path, tables) as outcome:
        return outcome.notices()


def _at(minute: int) -> str:
    return f"2024-01-01T00:{minute:02}:00Z"


def test_rows_are_counted_and_the_first_named_unless_they_are_rejected(tmp_path: Path) -> None:
    rows: list[Row] = [("10", _at(1), "101"), ("9", _at(2), "102"), ("8", _at(3), "5"), ("7", _at(4), "999")]
    (notice,) = _notices(tmp_path, rows, [])
    assert notice.startswith("s.b: an unusual balance (2 rows, the first has the key 9; ")
    assert notice.endswith("b.yaml:5:5)")


def test_a_candidate_that_the_newest_rows_lack_is_named(tmp_path: Path) -> None:
    balances: list[Row] = [("1", _at(1), "5"), ("2", _at(2), "6"), ("3", _at(3), "1"), ("4", _at(30), "7")]
    states: list[Row] = [("1", _at(1), _at(9)), ("2", _at(2), _at(10))]
    (notice,) = _notices(tmp_path, balances, states)
    assert "s, trading.account_balance: the newest state lacks it (1 row, key 1; " in notice


def test_without_any_state_nothing_is_lacking(tmp_path: Path) -> None:
    assert _notices(tmp_path, [("1", _at(1), "5")], []) == []
