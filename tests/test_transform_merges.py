"""One row more about something that is there: it fills, agrees or contradicts, and says so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.mapped import Row, Table, run

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ("id", "at", "end", "price", "size", "why", "seen")
LOG = """\
from: log
key: [id]
columns: {id: text, at: instant, end: instant, price: decimal, size: decimal, why: text, seen: instant}
into:
  trading.trades:
    mark: "'log'"
    trade_id: id
    symbol: "'X'"
    side: "'buy'"
    quantity: size
    entry_price: price
    position_size_usd: size
    status: "'filled'"
    entry_time: at
    exit_time: end
    exit_reason: why
    strategy: "'s'"
    strategy_params: pack(why, from_log=id)
    updated_at: seen
"""
REPORT = """\
from: report
key: [id]
columns: {id: text, at: instant, end: instant, price: decimal, size: decimal, why: text, seen: instant}
find:
  logged: {in: trading.trades, mark: "'log'", nearest: entry_time, to: at, within: 60}
into:
  trading.trades:
    merge: {into: logged, agree: {entry_time: 60, exit_time: 60}, replace: {exit_reason: [external]}, latest: [updated_at], keep: [trade_id, notes]}
    trade_id: id
    symbol: "'X'"
    side: "'buy'"
    quantity: size
    entry_price: price
    position_size_usd: size
    status: "'filled'"
    entry_time: at
    exit_time: end
    exit_reason: why
    strategy: "'s'"
    strategy_params: pack(why, from_report=id)
    updated_at: seen
    notes: id
"""


def _at(minute: int, second: int = 0) -> str:
    return f"2024-01-01T00:{minute:02}:{second:02}Z"


SHOWN = ("trade_id", "exit_time", "exit_reason", "quantity", "updated_at", "strategy_params")
LOGGED: Row = ("l1", _at(1), None, "2", "3", None, _at(5))


def _merged(
    tmp_path: Path, logged: Row, *reports: Row
) -> tuple[list[tuple[object, ...]], dict[object, object], list[object]]:
    """The trades, the codes, and the shown values of the rejects."""
    tables = {
        "log": Table(mapping=LOG, columns=COLUMNS, rows=[logged]),
        "report": Table(mapping=REPORT, columns=COLUMNS, rows=list(reports)),
    }
    with run(tmp_path, tables) as outcome:
        assert outcome.counts("report").residue == 0
        values = [value for (value,) in outcome.staging.rows("select value from rej.rejects order by 1")]
        return outcome.candidates("trading.trades", *SHOWN), outcome.codes(), values


def test_a_merged_row_fills_what_is_null_and_keeps_what_is_there(tmp_path: Path) -> None:
    trades, codes, _ = _merged(tmp_path, LOGGED, ("r1", _at(1, 30), _at(9), "2", "3", "stop", _at(4)))
    ((*plain, params),) = trades
    assert codes == {}
    assert plain == ["l1", "2024-01-01 00:09:00", "stop", "3.00000000", "2024-01-01 00:05:00"]
    assert json.loads(str(params)) == {"from_log": "l1", "why": "stop", "from_report": "r1"}


@pytest.mark.parametrize(
    ("logged", "report", "column"),
    [
        (LOGGED, ("r", _at(1), None, "2.5", "3", None, None), "price"),
        (LOGGED, ("r", _at(1), None, "2", "4", None, None), "size"),
        (("l", _at(1), _at(5), "2", "3", None, None), ("r", _at(1), _at(6, 1), "2", "3", None, None), "end"),
        (("l", _at(1), None, "2", "3", "stop", None), ("r", _at(1), None, "2", "3", "target", None), "why"),
    ],
)  # fmt: skip
def test_a_contradiction_rejects_the_row_and_leaves_the_candidate(
    logged: Row, report: Row, column: str, tmp_path: Path
) -> None:
    trades, codes, values = _merged(tmp_path, logged, report)
    assert codes == {"r": "source_conflict"}
    assert "already there" in str(values[0]), column
    assert [trade[0] for trade in trades] == [logged[0]]
    assert "from_report" not in str(trades)


def test_agree_replace_latest_and_keep_do_what_they_say(tmp_path: Path) -> None:
    logged: Row = ("l", _at(1), _at(5), "2", "3", "external", _at(5))
    ((key, end, why, _, seen, _),), codes, _ = _merged(
        tmp_path, logged, ("r", _at(1, 59), _at(6), "2", "3", "stop", _at(8))
    )
    assert codes == {}
    assert (key, end, why, seen) == ("l", "2024-01-01 00:05:00", "stop", "2024-01-01 00:08:00")


def test_several_rows_go_into_one_candidate_one_after_the_other(tmp_path: Path) -> None:
    first: Row = ("r10", _at(1), None, "2", "3", "target", None)
    second: Row = ("r2", _at(1), None, "2", "3", "stop", None)
    trades, codes, _ = _merged(tmp_path, LOGGED, first, second)
    assert codes == {"r2": "source_conflict"}, "keys that are no numbers are in the order of their text"
    assert trades[0][2] == "target"


def test_a_row_that_finds_nothing_makes_its_own(tmp_path: Path) -> None:
    trades, codes, _ = _merged(tmp_path, LOGGED, ("r", _at(3), None, "2", "3", None, None))
    assert codes == {}
    assert [trade[0] for trade in trades] == ["l1", "r"]


CANDLES = """\
from: %s
key: [id]
columns: {id: integer, symbol: text, at: instant, price: decimal}
into:
  trading.market_data:
    shared: {by: [symbol, interval, timestamp], same: [open_price, close_price]}
    symbol: unified_symbol(symbol)
    exchange: "'x'"
    interval: "'1m'"
    timestamp: at
    open_price: price
    high_price: price
    low_price: price
    close_price: price
    volume: 1
    data_source: "'d'"
"""


def test_the_first_brings_a_shared_row_the_same_is_merged_and_another_rejected(tmp_path: Path) -> None:
    columns = ("id", "symbol", "at", "price")
    first: list[Row] = [
        ("10", "BTCUSDT", _at(1), "5"),
        ("9", "btc/usdt", _at(1), "6"),
        ("11", "BTC-USDT", _at(1), "6"),
        ("12", "ETHUSDT", _at(1), "1"),
    ]
    later: list[Row] = [("1", "BTCUSDT", _at(1), "6"), ("2", "BTCUSDT", _at(1), "7"), ("3", "BTCUSDT", _at(2), "7")]
    tables = {
        "c": Table(mapping=CANDLES % "c", columns=columns, rows=first),
        "d": Table(mapping=CANDLES % "d", columns=columns, rows=later),
    }
    with run(tmp_path, tables) as outcome:
        assert outcome.rejects() == [("10", "source_conflict", "price"), ("2", "source_conflict", "price")]
        made = outcome.candidates("trading.market_data", "#key", "symbol", "open_price", "#bot")
        assert sorted(made, key=str) == [
            ("12", "ETHUSDT", "1.00000000", None),
            ("3", "BTCUSDT", "7.00000000", None),
            ("9", "BTCUSDT", "6.00000000", None),
        ]
        assert [(outcome.counts(t).mapped, outcome.counts(t).merged) for t in ("c", "d")] == [(2, 1), (1, 1)]
