"""What LXAlgo's snapshots become: the decisions of the mapping, each with the exact values in the target.

All of it is one store that is consolidated once, so the file is long.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.alpha import (
    DEMO,
    Cells,
    Consolidated,
    Row,
    closed,
    consolidated,
    database,
    lxalgo_store,
    opened,
    short_hash,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consolidate.embedded import Server

SOURCE: Final = "lxalgo"
QUIET: Final = "quiet"
BOT: Final = "lx_1"
T: Final = "trading.trades"
P: Final = "trading.positions"
S: Final = "trading.signals"
B: Final = "trading.account_balance"
REAL: Final = Path(__file__).parents[2] / "shared" / "data" / "lxalgo" / "trade_log.json"


def _at(time: str) -> str:
    """A time of the day as the log writes it."""
    return f"2025-10-07T{time}+00:00"


def _open(symbol: str, rule: str, time: str, price: float = 2.0, size: float = 100.0) -> Cells:
    return opened(_at(time), symbol, rule, price, size)


def _close(symbol: str, rule: str, time: str, reason: str | None = "external_close") -> Cells:
    return closed(_at(time), symbol, rule, reason)


def _report(symbol: str, rule: str, entry: str, exit_: str, **cells: object) -> Cells:
    plain: Cells = {
        "symbol": symbol,
        "entry_time": f"2025-10-07 {entry}",
        "exit_time": f"2025-10-07 {exit_}" if exit_ else "",
        "avg_entry_price": 2.0,
        "exit_price": 2.5,
        "quantity": 100.0,
        "exit_reason": "take_profit",
        "net_pnl": 49.5,
        "return_pct": 24.75,
        "duration_hours": 1.0,
        "entry_count": 1,
        "total_invested": 200.0,
        "breakeven_triggered": "False",
        "rule": rule,
    }
    return plain | cells


def _held(symbol: str, rule: str, entry: str, size: float = 100.0) -> Cells:
    return {
        "symbol": symbol,
        "rule_id": rule,
        "entry_timestamp": _at(entry),
        "entry_price": 2.0,
        "position_size": size,
        "expiry_time": None,
    }


UNMATCHED: Final[list[Cells]] = [
    _close("ADAUSDT", "Rule 1", "07:00:00.1"),
    _close("ADAUSDT", "untracked_startup", "07:00:00.1"),
    _close("BTC/USDT", "Rule 1", "10:30:00", "manual"),
]
EVENTS: Final[list[Cells]] = [
    *UNMATCHED,
    # one entry, closed; a second close finds nothing open; then open again; and another rule beside it
    _open("BTC/USDT", "Rule 1", "09:00:00.500001", 61000.5, 0.01),
    _close("BTC/USDT", "Rule 1", "10:00:00.25", "risk_management"),
    _open("BTCUSDT", "Rule 1", "12:00:00", 61100.5, 0.02),
    _open("BTCUSDT", "Rule 2", "09:05:00", 61050.5, 0.005),
    # two entries that one close ends, and two that are still open
    _open("ETHUSDT", "Rule 1", "09:10:00", 2400.0, 0.1),
    _open("ETHUSDT", "Rule 1", "09:20:00", 2410.0, 0.2),
    _close("ETHUSDT", "Rule 1", "11:00:00", "manual"),
    _open("SOLUSDT", "Rule 1", "09:30:00", 150.25, 2.0),
    _open("SOLUSDT", "Rule 1", "09:40:00", 150.75, 1.0),
    # an event that is there twice, one spelled otherwise than its close, one with another offset, equal times
    _open("DOTUSDT", "Rule 1", "09:00:00"),
    _open("DOTUSDT", "Rule 1", "09:00:00"),
    _open("DOTUSDT", "Rule 1", "09:00:00.000000"),
    _open("FIL-USDT", "Rule 1", "09:00:00"),
    _close("FILUSDT", "Rule 1", "09:30:00", None),
    opened("2025-10-07T11:00:00+02:00", "TRXUSDT", "Rule 1", 0.1 + 0.2, 1000),
    _open("ATOMUSDT", "Rule 1", "09:00:00"),
    _close("ATOMUSDT", "Rule 1", "10:00:00"),
    _open("ATOMUSDT", "Rule 1", "10:00:00"),
    # trades that a report has too
    _open("LTCUSDT", "Rule 1", "09:00:10.5"),
    _close("LTCUSDT", "Rule 1", "10:00:00.25"),
    _open("LTCUSDT", "Rule 2", "09:00:10"),
    _open("LTCUSDT", "Rule 3", "09:00:00"),
    _close("LTCUSDT", "Rule 3", "10:00:00", "manual"),
    _open("LTCUSDT", "Rule 4", "09:00:00"),
    _close("LTCUSDT", "Rule 4", "10:00:00"),
    _open("LTCUSDT", "Rule 5", "09:00:00"),
    _close("LTCUSDT", "Rule 5", "10:00:00"),
    _open("LTCUSDT", "Rule 6", "09:00:00"),
    _close("LTCUSDT", "Rule 6", "10:00:00", "risk_management"),
    _open("LTCUSDT", "Rule 7", "09:00:00"),
    _close("LTCUSDT", "Rule 7", "10:00:00"),
    # positions of several entries that a report has too
    _open("XRPUSDT", "Rule 1", "07:00:00", 2400.0, 0.1),
    _open("XRPUSDT", "Rule 1", "07:10:00", 2410.0, 0.2),
    _close("XRPUSDT", "Rule 1", "08:00:00"),
    _open("XRPUSDT", "Rule 2", "07:00:00"),
    _open("XRPUSDT", "Rule 2", "07:10:00"),
    _open("XRPUSDT", "Rule 3", "07:00:00"),
    _open("XRPUSDT", "Rule 3", "07:10:00"),
    _close("XRPUSDT", "Rule 3", "08:00:00"),
    _open("AAVEUSDT", "Rule 1", "06:00:00"),
    _open("AAVEUSDT", "Rule 1", "06:00:40"),
    _close("AAVEUSDT", "Rule 1", "07:00:00"),
    _open("INJUSDT", "Rule 1", "08:30:00"),
    _open("INJUSDT", "Rule 1", "09:00:30"),
    _open("INJUSDT", "Rule 1", "09:10:05"),
    # trades that a dump has too
    _open("AVAXUSDT", "Rule 1", "09:00:00"),
    _open("AVAXUSDT", "Rule 2", "09:00:00"),
    _open("AVAXUSDT", "Rule 3", "09:00:00"),
    _open("NEARUSDT", "Rule 1", "09:00:00"),
    _close("NEARUSDT", "Rule 1", "13:00:00"),
]
REPORTS: Final[dict[str, Cells]] = {
    "fills": _report(
        "LTCUSDT", "Rule 1", "09:00:00", "09:59:40", net_pnl=48.900000000000006, return_pct=24.449999999999996,
        breakeven_triggered="True",
    ),
    "closes": _report("LTC/USDT", "Rule 2", "09:01:10", "10:00:00", entry_count=""),
    "another reason": _report("LTCUSDT", "Rule 3", "09:00:00", "10:00:00"),
    "another quantity": _report("LTCUSDT", "Rule 4", "09:00:00", "10:00:00", quantity=101.0),
    "another exit": _report("LTCUSDT", "Rule 5", "09:00:00", "10:01:00.000001"),
    "same reason": _report("LTCUSDT", "Rule 6", "09:00:00", "10:01:00", exit_reason="risk_management"),
    "a minute late": _report("LTCUSDT", "Rule 7", "09:01:00.000001", "10:00:00"),
    "another rule": _report("LTCUSDT", "Rule 8", "09:00:00", "10:00:00"),
    "entries": _report(
        "XRPUSDT", "Rule 1", "07:01:00", "08:00:20", avg_entry_price=2406.66666667999, exit_price=2390.5, quantity=0.3,
        exit_reason="stop_loss", net_pnl=-6.294000000000001, return_pct=-0.8717451523545706, entry_count=2,
        total_invested=722.0,
    ),
    "closes entries": _report("XRP/USDT", "Rule 2", "07:00:00", "08:00:00", quantity=200.0, entry_count=2),
    "another average": _report(
        "XRPUSDT", "Rule 3", "07:00:00", "08:00:00", quantity=200.0, entry_count=2, avg_entry_price=2.00000002
    ),
    "of a later entry": _report("AAVEUSDT", "Rule 1", "06:00:45", "07:00:00"),
    "alone": _report(
        "UNIUSDT", "Rule 1", "06:00:00", "06:30:00.9", avg_entry_price=0.5123, quantity=400.0,
        exit_reason="risk_management",
        net_pnl=1.91, return_pct=0.9320710521178996, entry_count="",
    ),
    "entries alone": _report("UNI-USDT", "Rule 2", "06:00:00", "06:30:00", entry_count=3),
    "before a later entry": _report("INJUSDT", "Rule 1", "09:00:10", "10:00:00", entry_count=2),
    "after a later entry": _report("INJUSDT", "Rule 1", "09:10:20", "10:00:00", entry_count=2),
    "still open": _report(
        "UNIUSDT", "Rule 3", "06:00:00", "", exit_price="", net_pnl="", return_pct="", exit_reason=""
    ),
}  # fmt: skip
STATES: Final[list[Cells]] = [
    {
        "taken_at": _at("11:30:00.123456"),
        "equity": 8000.123456789012,
        "available_balance": 7390,
        "active_trades": [
            _held("DOGEUSDT", "Rule 5", "11:00:00"),
            _held("NEARUSDT", "Rule 1", "09:00:00"),
            _held("UNIUSDT", "Rule 1", "05:59:30", size=300.0),
            _held("MATICUSDT", "Rule 1", "10:00:00"),
        ],
    },
    {
        "taken_at": _at("15:00:00"),
        "equity": 8010.5,
        "available_balance": 6800.25,
        "active_trades": [
            _held("AVAX/USDT", "Rule 1", "09:00:01"),
            _held("AVAXUSDT", "Rule 2", "09:00:01.000001"),
            _held("AVAXUSDT", "Rule 3", "09:00:00", size=99.0),
            _held("MATICUSDT", "Rule 1", "10:00:00"),
            _held("APT/USDT", "Rule 9", "14:50:00.75") | {"expiry_time": _at("23:00:00")},
        ],
    },
]


def _signal(milliseconds: int, symbol: str, rule: str, **indicators: object) -> Cells:
    return {"timestamp": 1759824000000 + milliseconds, "symbol": symbol, "price": 2.0, "rule": rule, **indicators}


HOUR: Final = 3_600_000  # the log's day begins at 08:00 here
SIGNALS: Final[dict[str, Cells]] = {
    "before": _signal(
        HOUR - 9_500, "BTC/USDT", "Rule 1", rsi="33.123456789012345", volatility="0.0123", spread="0.0004"
    ),
    "at": _signal(HOUR, "NEARUSDT", "Rule 1"),
    "a minute before": _signal(HOUR - 60_000, "AVAXUSDT", "Rule 3", pump_pct="1.25", volume_score="4.50"),
    "more than a minute before": _signal(HOUR - 60_001, "AVAXUSDT", "Rule 1"),
    "after": _signal(HOUR + 1, "LTCUSDT", "Rule 3"),
    "of another rule": _signal(HOUR, "NEARUSDT", "Rule 2"),
    "of another symbol": _signal(HOUR, "NEOUSDT", "Rule 1"),
    "before a reported trade": _signal(-2 * HOUR - 30_000, "UNIUSDT", "Rule 1"),
    "before a reported and a logged trade": _signal(HOUR, "INJUSDT", "Rule 1"),
    "before a logged and a reported trade": _signal(HOUR + 600_000, "INJUSDT", "Rule 1"),
    "before a held trade": _signal(6 * HOUR + 50 * 60_000, "APTUSDT", "Rule 9"),
}


@pytest.fixture(scope="module")
def done(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consolidated]:
    place = tmp_path_factory.mktemp("lxalgo")
    lxalgo_store(place / "lx", events=EVENTS, states=STATES, reports=[*REPORTS.values()], signals=[*SIGNALS.values()])
    # The newest dump of this one lists nothing.
    empty: Cells = {"taken_at": _at("12:00:00"), "equity": 1.0, "available_balance": 1.0, "active_trades": []}
    older = empty | {"taken_at": _at("11:00:00"), "active_trades": [_held("ONEUSDT", "Rule 1", "10:00:00")]}
    lxalgo_store(place / "quiet", events=[_open("TWOUSDT", "Rule 1", "10:00:00")], states=[older, empty])
    sources = {
        SOURCE: {"mapping": "lxalgo", "path": "lx", "bot": {"id": BOT, **DEMO}},
        QUIET: {"mapping": "lxalgo", "path": "quiet", "bot": {"id": "lx_2", **DEMO}},
    }
    with database(postgres_server) as target:
        yield consolidated(place, target, sources, max_rejects=100)


def _event_key(event: Cells) -> str:
    return f"{event['timestamp']}|{event['event']}|{event['symbol']}|{event['rule_id']}"


def _opened_key(symbol: str, rule: str, *, entry: int = 0) -> str:
    """The key of an `opened` event; of the first of its pair, unless `entry` says which."""
    found = [one for one in EVENTS if (one["event"], one["symbol"], one["rule_id"]) == ("opened", symbol, rule)]
    return _event_key(found[entry])


def _logged(done: Consolidated, symbol: str, rule: str, table: str, *, entry: int = 0) -> Row:
    """What that event made."""
    return done.one(SOURCE, "trade_events", _opened_key(symbol, rule, entry=entry), table)


def _report_key(name: str) -> str:
    row = REPORTS[name]
    return f"{row['symbol']}|{row['rule']}|{row['entry_time']}"


def _reported(done: Consolidated, name: str, table: str) -> Row:
    return done.one(SOURCE, "trade_reports", _report_key(name), table)


def _held_key(taken_at: str, symbol: str, rule: str, entry: str) -> str:
    return f"{_at(taken_at)}|{symbol}|{rule}|{_at(entry)}"


def _signalled(done: Consolidated, name: str) -> Row:
    row = SIGNALS[name]
    return done.one(SOURCE, "signals", f"{row['timestamp']}|{row['symbol']}|{row['rule']}", S)


def test_the_rows_that_are_not_loaded_are_these(done: Consolidated) -> None:
    rejects = {(one.source, one.table, one.key, one.code.value, one.column) for one in done.report.rejects}
    assert rejects == {
        *((SOURCE, "trade_events", _event_key(one), "unmatched_close", "event") for one in UNMATCHED),
        (SOURCE, "trade_reports", _report_key("another reason"), "source_conflict", "exit_reason"),
        (SOURCE, "trade_reports", _report_key("another quantity"), "source_conflict", "quantity"),
        (SOURCE, "trade_reports", _report_key("another exit"), "source_conflict", "exit_time"),
        (SOURCE, "trade_reports", _report_key("another average"), "source_conflict", "avg_entry_price"),
        (
            SOURCE,
            "active_trades",
            _held_key("11:30:00.123456", "DOGEUSDT", "Rule 5", "11:00:00"),
            "unobserved_close",
            "taken_at",
        ),
        (
            SOURCE,
            "active_trades",
            _held_key("15:00:00", "AVAXUSDT", "Rule 3", "09:00:00"),
            "source_conflict",
            "position_size",
        ),
        (
            QUIET,
            "active_trades",
            _held_key("11:00:00", "ONEUSDT", "Rule 1", "10:00:00"),
            "unobserved_close",
            "taken_at",
        ),
    }


def test_a_trade_of_the_log_column_by_column(done: Consolidated) -> None:
    row = _logged(done, "BTC/USDT", "Rule 1", T)
    known = {name: value for name, value in row.items() if value is not None and name != "id"}
    assert known == {
        "trade_id": f"{BOT}_BTCUSDT_1759827600_{short_hash(SOURCE, 'trade_events', _opened_key('BTC/USDT', 'Rule 1'))}",
        "bot_id": BOT,
        "symbol": "BTCUSDT",
        "side": "buy",
        "quantity": "0.01000000",
        "entry_price": "61000.50000000",
        "position_size_usd": "610.00500000",
        "status": "filled",
        "entry_time": "2025-10-07 09:00:00.500001+00",
        "exit_time": "2025-10-07 10:00:00.25+00",
        "holding_time_seconds": "3599",
        "exit_reason": "risk_limit",
        "strategy": "lx_multi_indicator",
        "strategy_params": '{"symbol": "BTC/USDT", "rule_id": "Rule 1"}',
        "created_at": "2025-10-07 09:00:00.500001+00",
        "updated_at": "2025-10-07 10:00:00.25+00",
    }


def test_what_the_log_does_not_record_is_null(done: Consolidated) -> None:
    rows = [_logged(done, "BTC/USDT", "Rule 1", T), _logged(done, "SOLUSDT", "Rule 1", T)]
    for column in ("pnl_usd", "pnl_pct", "fees", "commission", "exit_price", "leverage", "avg_fill_price"):
        assert {row[column] for row in rows} == {None}


def test_a_position_of_the_log_column_by_column(done: Consolidated) -> None:
    row = _logged(done, "BTC/USDT", "Rule 1", P)
    trade = _logged(done, "BTC/USDT", "Rule 1", T)["trade_id"]
    known = {name: value for name, value in row.items() if value is not None and name != "id"}
    assert known == {
        "position_id": str(_logged(done, "BTC/USDT", "Rule 1", T)["trade_id"]),  # the first entry's place in the log
        "bot_id": BOT,
        "symbol": "BTCUSDT",
        "side": "long",
        "size": "0.01000000",
        "avg_entry_price": "61000.50000000",
        "status": "closed",
        "opened_at": "2025-10-07 09:00:00.500001+00",
        "closed_at": "2025-10-07 10:00:00.25+00",
        "last_updated": "2025-10-07 10:00:00.25+00",
        "entry_trade_ids": f"{{{trade}}}",
        "exit_trade_ids": f"{{{trade}}}",
        "strategy": "lx_multi_indicator",
        "position_metadata": '{"symbol": "BTC/USDT", "rule_id": "Rule 1"}',
        "created_at": "2025-10-07 09:00:00.500001+00",
        "updated_at": "2025-10-07 10:00:00.25+00",
    }


def test_several_entries_are_trades_of_one_position_that_one_close_ends(done: Consolidated) -> None:
    first, second = (_logged(done, "ETHUSDT", "Rule 1", T, entry=i) for i in (0, 1))
    assert {first["exit_time"], second["exit_time"]} == {"2025-10-07 11:00:00+00"}
    assert (first["holding_time_seconds"], second["holding_time_seconds"]) == ("6600", "6000")
    assert (first["exit_reason"], first["quantity"], second["quantity"]) == ("manual", "0.10000000", "0.20000000")
    position = _logged(done, "ETHUSDT", "Rule 1", P)
    assert position == _logged(done, "ETHUSDT", "Rule 1", P, entry=1)
    assert (position["size"], position["avg_entry_price"]) == ("0.30000000", "2406.66666667")
    ids = f"{{{first['trade_id']},{second['trade_id']}}}"
    assert (position["entry_trade_ids"], position["exit_trade_ids"]) == (ids, ids)
    assert (position["status"], position["opened_at"], position["closed_at"]) == (
        "closed",
        first["entry_time"],
        first["exit_time"],
    )
    assert position["realized_pnl"] is None


def test_entries_without_a_close_are_one_open_position(done: Consolidated) -> None:
    first, second = (_logged(done, "SOLUSDT", "Rule 1", T, entry=i) for i in (0, 1))
    assert {first["exit_time"], second["exit_time"], first["exit_reason"], first["holding_time_seconds"]} == {None}
    position = _logged(done, "SOLUSDT", "Rule 1", P)
    assert (position["status"], position["size"], position["avg_entry_price"]) == ("open", "3.00000000", "150.41666667")
    assert position["entry_trade_ids"] == f"{{{first['trade_id']},{second['trade_id']}}}"
    assert (position["exit_trade_ids"], position["closed_at"], position["total_pnl"]) == (None, None, None)
    assert position["last_updated"] == position["updated_at"] == second["entry_time"]


def test_a_position_that_the_newest_dump_lacks_stays_open(done: Consolidated) -> None:
    event = _event_key(_open("TWOUSDT", "Rule 1", "10:00:00"))
    assert done.one(QUIET, "trade_events", event, P)["status"] == "open"
    assert done.one(QUIET, "trade_events", event, T)["exit_time"] is None


def test_a_warning_names_what_stays_open_although_the_newest_dump_lacks_it(done: Consolidated) -> None:
    lx, quiet = (one.message for one in done.report.notices)
    assert "although the newest dump of the bot's memory lacks them" in lx
    assert f"13 rows, the first has the key {_opened_key('INJUSDT', 'Rule 1')}" in lx
    assert quiet.startswith("quiet, trading.trades: ")
    assert f"1 row, key {_event_key(_open('TWOUSDT', 'Rule 1', '10:00:00'))}" in quiet


def test_a_close_ends_what_its_own_rule_opened(done: Consolidated) -> None:
    assert _logged(done, "BTCUSDT", "Rule 2", P)["status"] == "open"


def test_what_is_opened_after_a_close_is_another_position(done: Consolidated) -> None:
    assert _logged(done, "BTCUSDT", "Rule 1", P)["status"] == "open"
    assert _logged(done, "BTCUSDT", "Rule 1", P)["size"] == "0.02000000"


def test_events_of_one_moment_are_in_the_order_of_the_log(done: Consolidated) -> None:
    first, second = (_logged(done, "ATOMUSDT", "Rule 1", P, entry=i) for i in (0, 1))
    assert (first["status"], second["status"], second["opened_at"]) == ("closed", "open", "2025-10-07 10:00:00+00")


def test_a_close_without_an_opening_is_rejected(done: Consolidated) -> None:
    unmatched = [key for key, code in done.codes(SOURCE, "trade_events").items() if code == "unmatched_close"]
    assert unmatched == [_event_key(one) for one in UNMATCHED]


def test_an_event_that_is_there_twice_is_one_event_however_its_time_is_written(done: Consolidated) -> None:
    (trade,) = (row for row in done.target.of(T) if row["symbol"] == "DOTUSDT")
    for time in ("09:00:00", "09:00:00.000000"):
        key = _event_key(_open("DOTUSDT", "Rule 1", time))
        assert done.one(SOURCE, "trade_events", key, T) == trade
        assert done.one(SOURCE, "trade_events", key, P)["size"] == "100.00000000"


def test_a_close_that_spells_the_symbol_otherwise_closes_all_the_same(done: Consolidated) -> None:
    position, trade = (_logged(done, "FIL-USDT", "Rule 1", table) for table in (P, T))
    assert (position["status"], trade["exit_time"], trade["exit_reason"]) == ("closed", "2025-10-07 09:30:00+00", None)


def test_times_of_the_log_are_turned_to_utc_and_its_numbers_are_rounded(done: Consolidated) -> None:
    key = "2025-10-07T11:00:00+02:00|opened|TRXUSDT|Rule 1"
    row = done.one(SOURCE, "trade_events", key, T)
    assert (row["entry_time"], row["entry_price"]) == ("2025-10-07 09:00:00+00", "0.30000000")
    assert row["position_size_usd"] == "300.00000000"


def test_a_report_fills_the_nulls_of_the_trade_that_the_log_has(done: Consolidated) -> None:
    row = _reported(done, "fills", T)
    assert row == _logged(done, "LTCUSDT", "Rule 1", T)
    known = {name: value for name, value in row.items() if value is not None and name not in {"id", "strategy_params"}}
    assert known == {
        "trade_id": f"{BOT}_LTCUSDT_1759827610_{short_hash(SOURCE, 'trade_events', _opened_key('LTCUSDT', 'Rule 1'))}",
        "bot_id": BOT,
        "symbol": "LTCUSDT",
        "side": "buy",
        "quantity": "100.00000000",
        "entry_price": "2.00000000",
        "exit_price": "2.50000000",
        "position_size_usd": "200.00000000",
        "status": "filled",
        "entry_time": "2025-10-07 09:00:10.5+00",
        "exit_time": "2025-10-07 10:00:00.25+00",  # 20.25 s after the report's: the log's is kept
        "holding_time_seconds": "3589",
        "pnl_usd": "48.90000000",
        "pnl_pct": "0.244500",
        "exit_reason": "take_profit",  # the log had external_close
        "strategy": "lx_multi_indicator",
        "created_at": "2025-10-07 09:00:10.5+00",
        "updated_at": "2025-10-07 10:00:00.25+00",
    }
    assert done.outcome(SOURCE, "trade_reports", _report_key("fills")) == "merged"


def test_what_a_report_says_beyond_the_columns_is_packed(done: Consolidated) -> None:
    packed = _reported(done, "fills", T)["strategy_params"]
    assert packed == (
        '{"rule_id": "Rule 1", "entry_count": 1, "duration_hours": 1.0, "total_invested": 200.0,'
        ' "breakeven_triggered": true}'
    )


def test_the_position_of_a_single_entry_gets_the_net_pnl(done: Consolidated) -> None:
    row = _reported(done, "fills", P)
    assert row == _logged(done, "LTCUSDT", "Rule 1", P)
    assert (row["realized_pnl"], row["total_pnl"], row["status"]) == ("48.90000000", "48.90000000", "closed")
    assert row["closed_at"] == row["last_updated"] == row["updated_at"] == "2025-10-07 10:00:00.25+00"


def test_a_report_closes_what_the_log_leaves_open(done: Consolidated) -> None:
    trade, position = _reported(done, "closes", T), _reported(done, "closes", P)
    assert trade == _logged(done, "LTCUSDT", "Rule 2", T)
    assert (trade["entry_time"], trade["exit_time"]) == ("2025-10-07 09:00:10+00", "2025-10-07 10:00:00+00")
    assert (trade["holding_time_seconds"], trade["updated_at"]) == ("3590", "2025-10-07 10:00:00+00")
    assert (position["status"], position["closed_at"]) == ("closed", "2025-10-07 10:00:00+00")
    assert position["exit_trade_ids"] == position["entry_trade_ids"] == f"{{{trade['trade_id']}}}"
    assert position["last_updated"] == position["updated_at"] == "2025-10-07 10:00:00+00"


def test_a_trade_of_the_same_minute_is_the_same_and_one_of_the_next_is_another(done: Consolidated) -> None:
    assert _reported(done, "closes", T)["entry_time"] == "2025-10-07 09:00:10+00"  # 60 s before the report's
    late = _reported(done, "a minute late", T)
    assert late["entry_time"] == "2025-10-07 09:01:00.000001+00"
    assert _logged(done, "LTCUSDT", "Rule 7", T)["exit_price"] is None


def test_a_trade_of_another_rule_is_another(done: Consolidated) -> None:
    assert _reported(done, "another rule", T)["strategy_params"] is not None
    assert done.outcome(SOURCE, "trade_reports", _report_key("another rule")) == "mapped"


def test_exit_times_a_minute_apart_agree_and_the_same_reason_is_no_conflict(done: Consolidated) -> None:
    row = _reported(done, "same reason", T)
    assert (row["exit_time"], row["exit_reason"]) == ("2025-10-07 10:00:00+00", "risk_limit")


@pytest.mark.parametrize(
    ("name", "rule", "shown"),
    [
        ("another reason", "Rule 3", ("take_profit", "manual")),
        ("another quantity", "Rule 4", ("101.00000000", "100.00000000")),
        ("another exit", "Rule 5", ("2025-10-07 10:01:00.000001", "2025-10-07 10:00:00")),
    ],
)
def test_a_report_that_contradicts_the_log_is_rejected_and_both_values_are_shown(
    done: Consolidated, name: str, rule: str, shown: tuple[str, str]
) -> None:
    (found,) = (one for one in done.report.rejects if one.key == _report_key(name))
    assert found.code.value == "source_conflict"
    assert all(value in str(found.value) for value in shown)
    trade, position = _logged(done, "LTCUSDT", rule, T), _logged(done, "LTCUSDT", rule, P)
    assert (trade["pnl_usd"], trade["exit_price"], position["realized_pnl"]) == (None, None, None)


def test_a_report_of_several_entries_gives_the_position_its_result(done: Consolidated) -> None:
    row = _reported(done, "entries", P)
    assert row == _logged(done, "XRPUSDT", "Rule 1", P)
    assert (row["realized_pnl"], row["total_pnl"], row["size"]) == ("-6.29400000", "-6.29400000", "0.30000000")
    assert (row["avg_entry_price"], row["closed_at"]) == ("2406.66666667", "2025-10-07 08:00:00+00")
    assert row["position_metadata"] == (
        '{"rule_id": "Rule 1", "return_pct": -0.8717451523545706, "entry_count": 2, "duration_hours": 1.0,'
        ' "total_invested": 722.0, "avg_entry_price": 2406.66666667999, "breakeven_triggered": false}'
    )


def test_a_report_of_several_entries_gives_them_exit_price_and_reason_but_no_pnl(done: Consolidated) -> None:
    key = _report_key("entries")
    rows = done.made(SOURCE, "trade_reports", key, T)
    assert rows == [_logged(done, "XRPUSDT", "Rule 1", T, entry=i) for i in (0, 1)]
    for row in rows:
        assert (row["exit_price"], row["exit_reason"]) == ("2390.50000000", "stop_loss")
        assert (row["exit_time"], row["updated_at"]) == ("2025-10-07 08:00:00+00", "2025-10-07 08:00:00+00")
        assert (row["pnl_usd"], row["pnl_pct"], row["strategy_params"]) == (None, None, '{"rule_id": "Rule 1"}')
    assert [row["quantity"] for row in rows] == ["0.10000000", "0.20000000"]


def test_a_report_of_several_entries_closes_what_the_log_leaves_open(done: Consolidated) -> None:
    position = _reported(done, "closes entries", P)
    assert '"symbol": "XRP/USDT"' in str(position["position_metadata"])
    assert (position["status"], position["closed_at"]) == ("closed", "2025-10-07 08:00:00+00")
    assert (position["last_updated"], position["exit_trade_ids"]) == (
        "2025-10-07 08:00:00+00",
        position["entry_trade_ids"],
    )
    for i in (0, 1):
        trade = _logged(done, "XRPUSDT", "Rule 2", T, entry=i)
        assert (trade["exit_time"], trade["updated_at"]) == ("2025-10-07 08:00:00+00", "2025-10-07 08:00:00+00")
        assert (trade["exit_price"], trade["exit_reason"], trade["holding_time_seconds"]) == (
            "2.50000000",
            "take_profit",
            None,
        )


def test_a_report_of_a_later_entry_says_nothing_about_the_position(done: Consolidated) -> None:
    first, second = (_logged(done, "AAVEUSDT", "Rule 1", T, entry=i) for i in (0, 1))
    assert _reported(done, "of a later entry", T) == second
    assert (first["pnl_usd"], second["pnl_usd"]) == (None, "49.50000000")
    position = _logged(done, "AAVEUSDT", "Rule 1", P)
    assert (position["realized_pnl"], position["size"]) == (None, "200.00000000")


def test_an_average_that_is_another_contradicts_the_log(done: Consolidated) -> None:
    (found,) = (one for one in done.report.rejects if one.key == _report_key("another average"))
    assert (found.code.value, found.value) == ("source_conflict", "2.00000002 (already there: 2.00000000)")
    assert _logged(done, "XRPUSDT", "Rule 3", P)["realized_pnl"] is None
    assert _logged(done, "XRPUSDT", "Rule 3", T)["exit_price"] is None


def test_a_report_that_the_log_does_not_know_is_a_trade_and_a_position(done: Consolidated) -> None:
    trade = _reported(done, "alone", T)
    own = short_hash(SOURCE, "trade_reports", _report_key("alone"))
    known = {
        name: value for name, value in trade.items() if value is not None and name not in {"id", "strategy_params"}
    }
    assert known == {
        "trade_id": f"{BOT}_UNIUSDT_1759816800_{own}",
        "bot_id": BOT,
        "symbol": "UNIUSDT",
        "side": "buy",
        "quantity": "400.00000000",
        "entry_price": "0.51230000",
        "exit_price": "2.50000000",
        "position_size_usd": "204.92000000",
        "status": "filled",
        "entry_time": "2025-10-07 06:00:00+00",
        "exit_time": "2025-10-07 06:30:00.9+00",
        "holding_time_seconds": "1800",
        "pnl_usd": "1.91000000",
        "pnl_pct": "0.009321",  # 0.93207… percent
        "exit_reason": "risk_limit",
        "strategy": "lx_multi_indicator",
        "created_at": "2025-10-07 06:00:00+00",
        "updated_at": "2025-10-07 06:30:00.9+00",
    }
    position = _reported(done, "alone", P)
    assert position["position_id"] == f"{BOT}_UNIUSDT_1759816800_{own}"
    assert (position["side"], position["status"], position["size"]) == ("long", "closed", "400.00000000")
    assert (position["avg_entry_price"], position["realized_pnl"]) == ("0.51230000", "1.91000000")
    assert (position["opened_at"], position["closed_at"]) == ("2025-10-07 06:00:00+00", "2025-10-07 06:30:00.9+00")
    assert position["entry_trade_ids"] == position["exit_trade_ids"] == f"{{{trade['trade_id']}}}"


def test_a_report_of_entries_that_the_log_does_not_know_is_one_trade(done: Consolidated) -> None:
    trade, position = _reported(done, "entries alone", T), _reported(done, "entries alone", P)
    assert (trade["symbol"], trade["quantity"], trade["pnl_usd"]) == ("UNIUSDT", "100.00000000", "49.50000000")
    assert '"entry_count": 3' in str(trade["strategy_params"])
    assert position["entry_trade_ids"] == f"{{{trade['trade_id']}}}"


def test_a_report_without_an_exit_is_open(done: Consolidated) -> None:
    trade, position = _reported(done, "still open", T), _reported(done, "still open", P)
    assert (trade["exit_time"], trade["pnl_usd"], trade["exit_reason"], trade["updated_at"]) == (
        None, None, None, "2025-10-07 06:00:00+00",
    )  # fmt: skip
    assert (position["status"], position["exit_trade_ids"], position["closed_at"]) == ("open", None, None)


def test_a_dump_is_a_balance(done: Consolidated) -> None:
    row = done.one(SOURCE, "states", _at("11:30:00.123456"), B)
    known = {name: value for name, value in row.items() if value is not None and name != "id"}
    assert known == {
        "bot_id": BOT,
        "total_balance": "8000.12345679",
        "available_balance": "7390.00000000",
        "equity": "8000.12345679",
        "timestamp": "2025-10-07 11:30:00.123456+00",
        "snapshot_type": "periodic",
        "created_at": "2025-10-07 11:30:00.123456+00",
    }


def test_a_held_trade_that_the_log_has_within_a_second_is_merged(done: Consolidated) -> None:
    key = _held_key("15:00:00", "AVAX/USDT", "Rule 1", "09:00:01")
    row = done.one(SOURCE, "active_trades", key, T)
    assert row == _logged(done, "AVAXUSDT", "Rule 1", T)
    assert (row["entry_time"], row["updated_at"]) == ("2025-10-07 09:00:00+00", "2025-10-07 09:00:00+00")
    assert done.outcome(SOURCE, "active_trades", key) == "merged"
    assert done.made(SOURCE, "active_trades", key, P) == []


def test_a_held_trade_more_than_a_second_away_is_another(done: Consolidated) -> None:
    key = _held_key("15:00:00", "AVAXUSDT", "Rule 2", "09:00:01.000001")
    assert done.one(SOURCE, "active_trades", key, T)["entry_time"] == "2025-10-07 09:00:01.000001+00"
    assert _logged(done, "AVAXUSDT", "Rule 2", T)["entry_time"] == "2025-10-07 09:00:00+00"


def test_a_held_trade_that_nothing_else_knows_is_an_open_trade_and_position(done: Consolidated) -> None:
    key = _held_key("15:00:00", "APT/USDT", "Rule 9", "14:50:00.75")
    trade = done.one(SOURCE, "active_trades", key, T)
    own = f"{BOT}_APTUSDT_1759848600_{short_hash(SOURCE, 'active_trades', key)}"
    known = {name: value for name, value in trade.items() if value is not None and name != "id"}
    assert known == {
        "trade_id": own,
        "bot_id": BOT,
        "symbol": "APTUSDT",
        "side": "buy",
        "quantity": "100.00000000",
        "entry_price": "2.00000000",
        "position_size_usd": "200.00000000",
        "status": "filled",
        "entry_time": "2025-10-07 14:50:00.75+00",
        "strategy": "lx_multi_indicator",
        "strategy_params": '{"symbol": "APT/USDT", "rule_id": "Rule 9", "expiry_time": "2025-10-07T23:00:00Z"}',
        "created_at": "2025-10-07 14:50:00.75+00",
        "updated_at": "2025-10-07 15:00:00+00",
    }
    position = done.one(SOURCE, "active_trades", key, P)
    assert (position["position_id"], position["entry_trade_ids"]) == (own, f"{{{own}}}")
    assert (position["status"], position["side"], position["size"]) == ("open", "long", "100.00000000")
    assert (position["opened_at"], position["last_updated"]) == ("2025-10-07 14:50:00.75+00", "2025-10-07 15:00:00+00")


def test_a_trade_of_several_dumps_is_one(done: Consolidated) -> None:
    rows = [one for one in done.target.of(T) if one["symbol"] == "MATICUSDT"]
    assert len(rows) == 1
    for taken_at in ("11:30:00.123456", "15:00:00"):
        assert done.made(SOURCE, "active_trades", _held_key(taken_at, "MATICUSDT", "Rule 1", "10:00:00"), T) == rows


@pytest.mark.parametrize(("symbol", "entry"), [("NEARUSDT", "09:00:00"), ("UNIUSDT", "05:59:30")])
def test_a_trade_of_an_older_dump_that_the_log_or_a_report_knows_is_merged(
    done: Consolidated, symbol: str, entry: str
) -> None:
    key = _held_key("11:30:00.123456", symbol, "Rule 1", entry)
    other = _logged(done, "NEARUSDT", "Rule 1", T) if symbol == "NEARUSDT" else _reported(done, "alone", T)
    assert done.one(SOURCE, "active_trades", key, T) == other
    assert done.outcome(SOURCE, "active_trades", key) == "merged"
    assert other["exit_time"] is not None


def test_a_trade_that_only_an_older_dump_knows_is_rejected_also_when_the_newest_lists_nothing(
    done: Consolidated,
) -> None:
    key = _held_key("11:30:00.123456", "DOGEUSDT", "Rule 5", "11:00:00")
    assert done.codes(SOURCE, "active_trades")[key] == "unobserved_close"
    key = _held_key("11:00:00", "ONEUSDT", "Rule 1", "10:00:00")
    assert done.codes(QUIET, "active_trades") == {key: "unobserved_close"}


def test_a_held_trade_of_another_size_than_in_the_log_is_a_conflict(done: Consolidated) -> None:
    key = _held_key("15:00:00", "AVAXUSDT", "Rule 3", "09:00:00")
    assert done.codes(SOURCE, "active_trades")[key] == "source_conflict"
    assert _logged(done, "AVAXUSDT", "Rule 3", T)["quantity"] == "100.00000000"


def test_a_signal_column_by_column(done: Consolidated) -> None:
    row, trade = _signalled(done, "before"), _logged(done, "BTC/USDT", "Rule 1", T)
    known = {name: value for name, value in row.items() if value is not None and name != "id"}
    assert known == {
        "signal_id": f"{BOT}_BTCUSDT_1759827590_{short_hash(SOURCE, 'signals', '1759827590500|BTC/USDT|Rule 1')}",
        "bot_id": BOT,
        "symbol": "BTCUSDT",
        "signal_type": "long",
        "price": "2.00000000",
        "timestamp": "2025-10-07 08:59:50.5+00",
        "strategy": "lx_multi_indicator",
        "indicators": '{"rsi": 33.123456789012345, "spread": 0.0004, "volatility": 0.0123}',
        "market_conditions": '{"symbol": "BTC/USDT", "rule_id": "Rule 1"}',
        "executed": "true",
        "execution_time": "2025-10-07 09:00:00.500001+00",
        "execution_trade_id": trade["trade_id"],
        "created_at": "2025-10-07 08:59:50.5+00",
    }


def test_empty_indicators_are_left_out(done: Consolidated) -> None:
    assert _signalled(done, "a minute before")["indicators"] == '{"pump_pct": 1.25, "volume_score": 4.50}'
    assert _signalled(done, "at")["indicators"] is None


@pytest.mark.parametrize(
    ("name", "symbol", "rule"), [("at", "NEARUSDT", "Rule 1"), ("a minute before", "AVAXUSDT", "Rule 3")]
)
def test_a_signal_is_executed_by_a_trade_that_begins_at_or_within_a_minute_after_it(
    done: Consolidated, name: str, symbol: str, rule: str
) -> None:
    row, trade = _signalled(done, name), _logged(done, symbol, rule, T)
    assert (row["executed"], row["execution_trade_id"], row["execution_time"]) == (
        "true",
        trade["trade_id"],
        trade["entry_time"],
    )


@pytest.mark.parametrize("name", ["more than a minute before", "after", "of another rule", "of another symbol"])
def test_a_signal_without_a_trade_is_not_executed(done: Consolidated, name: str) -> None:
    row = _signalled(done, name)
    assert (row["executed"], row["execution_trade_id"], row["execution_time"]) == ("false", None, None)


def test_a_trade_that_only_a_report_or_a_dump_knows_executes_a_signal_too(done: Consolidated) -> None:
    assert _signalled(done, "before a reported trade")["execution_trade_id"] == _reported(done, "alone", T)["trade_id"]
    key = _held_key("15:00:00", "APT/USDT", "Rule 9", "14:50:00.75")
    held = done.one(SOURCE, "active_trades", key, T)
    assert _signalled(done, "before a held trade")["execution_trade_id"] == held["trade_id"]


def test_of_several_trades_the_first_executes_a_signal(done: Consolidated) -> None:
    first = _signalled(done, "before a reported and a logged trade")
    assert first["execution_trade_id"] == _reported(done, "before a later entry", T)["trade_id"]
    assert first["execution_time"] == "2025-10-07 09:00:10+00"
    second = _signalled(done, "before a logged and a reported trade")
    assert second["execution_trade_id"] == _logged(done, "INJUSDT", "Rule 1", T, entry=2)["trade_id"]
    assert second["execution_time"] == "2025-10-07 09:10:05+00"


def test_tables_have_the_names_of_what_they_hold(done: Consolidated) -> None:
    assert [counts.table for counts in done.report.sources if counts.source == SOURCE] == [
        "trade_events", "trade_reports", "states", "active_trades", "signals",
    ]  # fmt: skip


@pytest.mark.skipif(not REAL.is_file(), reason="the real log is not beside this checkout")
def test_the_real_log(postgres_server: Server, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    (store / "trade_log.json").write_bytes(REAL.read_bytes())
    sources = {SOURCE: {"mapping": "lxalgo", "path": "store", "bot": {"id": BOT, **DEMO}}}
    with database(postgres_server) as target:
        refused = consolidated(tmp_path, target, sources, status="refused")
        assert refused.report.exit_code == 4
        done = consolidated(tmp_path, target, sources, accept=["unmatched_close"])
        assert done.report.exit_code == 0
        assert [one.code.value for one in done.report.rejects] == ["unmatched_close"] * 13
        assert {check.status for check in done.report.checks} == {"passed"}
        trades, positions = done.target.of(T), done.target.of(P)
    assert (len(trades), sum(row["exit_time"] is not None for row in trades)) == (58, 40)
    assert (len(positions), sum(row["status"] == "closed" for row in positions)) == (51, 36)
    assert sum(str(row["entry_trade_ids"]).count(",") + 1 for row in positions) == 58
