"""What a Momentum store becomes: the decisions of the mapping, each with the exact values in the target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.alpha import DEMO, Consolidated, Row, consolidated, database, momentum_store, short_hash

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consolidate.embedded import Server
    from tests.alpha import Cells

SOURCE: Final = "momentum"
LIVE: Final = "momentum_1"
PAPER: Final = "momentum_demo_1"
T: Final = "trading.trades"
P: Final = "trading.positions"
B: Final = "trading.account_balance"
R: Final = "trading.risk_metrics"
E: Final = "audit.system_events"
K: Final = "audit.risk_events"


def _trade(**cells: object) -> Cells:
    plain: Cells = {
        "mode": "live",
        "symbol": "BTCUSDT",
        "side": "long",
        "entry_time": "2025-10-07 10:00:00",
        "entry_price": 61000.0,
        "quantity": 0.01,
        "position_size_usd": 610.0,
        "created_at": "2025-10-07 09:00:01",
    }
    return plain | cells


CLOSED: Final[Cells] = {
    "exit_time": "2025-10-07 11:30:00",
    "exit_price": 61250.25,
    "pnl_usd": 2.5,
    "pnl_pct": 0.004,
    "exit_reason": "MA Exit",
    "holding_time_seconds": 5400,
}
TRADES: Final[dict[str, Cells]] = {
    "closed": _trade(
        trade_id="m-1",
        mode="LIVE",
        symbol="BTC/USDT",
        side=" Buy ",
        entry_time="2025-10-07 10:00:00.250000",
        entry_price=61000.5,
        exit_time="2025-10-07 11:30:00",
        exit_price=61250.25,
        quantity=0.1 + 0.2,
        position_size_usd=18300.1500000001,
        stop_loss=60000.0,
        take_profit=62500.0,
        pnl_usd=2.4975000000000023,
        pnl_pct=0.0040942287358300045,
        exit_reason="Trailing Stop",
        holding_time_seconds=5399,
        signal_strength=0.7312345678,
        created_at="2025-10-07 09:00:01",
    ),
    "open": _trade(mode="demo", symbol="ETHUSDT", side="short", entry_time="2025-10-07 12:00:00"),
    "sell": _trade(side="Sell", **(CLOSED | {"pnl_usd": -2.5})),
    "in winter": _trade(entry_time="2025-01-07 10:00:00", created_at="2025-01-07 10:00:01"),
    "before the doubled hour": _trade(entry_time="2025-10-26 00:59:59.999999"),
    "after the doubled hour": _trade(entry_time="2025-10-26 02:00:00"),
    "in the doubled hour": _trade(entry_time="2025-10-26 01:59:59.999999"),
    "in the skipped hour": _trade(entry_time="2025-03-30 01:00:00"),
    "closed in the doubled hour": _trade(**(CLOSED | {"exit_time": "2025-10-26 01:00:00"})),
    "no created_at": _trade(created_at=None, **CLOSED),
    "written late": _trade(created_at="2025-10-08 00:00:00", **CLOSED),
    "unknown mode": _trade(mode="paper"),
    "whole numbers": _trade(entry_price=61000, quantity=1, position_size_usd=61000),
}
DAYS: Final[dict[str, Cells]] = {
    "summer": {
        "date": "2025-10-07", "mode": "live", "starting_equity": 5000.0, "ending_equity": 5002.1,
        "daily_pnl": 2.1000000000003638, "daily_pnl_pct": 0.00042000000000007274, "trades_count": 3, "wins_count": 1,
        "losses_count": 2, "open_positions": 4, "created_at": "2025-10-07 23:00:03",
    },
    "winter": {
        "date": "2025-12-07", "mode": "demo", "starting_equity": 3000.0, "ending_equity": 3000.0, "daily_pnl": 0.0,
        "daily_pnl_pct": 0.0, "trades_count": 0, "wins_count": 0, "created_at": None,
    },
    "clocks go back": {
        "date": "2025-10-26", "mode": "demo", "starting_equity": 3000.0, "ending_equity": 3001.0, "daily_pnl": 1.0,
        "daily_pnl_pct": 0.0003, "trades_count": None, "wins_count": None, "losses_count": None,
    },
    "in the red": {
        "date": "2025-12-08", "mode": "demo", "starting_equity": 3000.0, "ending_equity": -1.0, "daily_pnl": -3001.0,
        "daily_pnl_pct": -1.0003, "trades_count": 1, "wins_count": 0,
    },
}  # fmt: skip


def _event(level: str, details: str | None = None) -> Cells:
    time: Cells = {"event_time": "2025-10-07 09:59:00", "created_at": "2025-10-07 08:59:01"}
    return time | {"event_type": "SYSTEM_START", "event_level": level, "message": "started", "details": details}


EVENTS: Final[dict[str, Cells]] = {
    "json": _event("info", '{"version": "2.3", "size": 1.10}'),
    "warn": _event(" Warn "),
    "text": _event("WARNING", "latency 2.9 s"),
    "quoted": _event("debug", 'said "stop" \\ twice'),
    "list": _event("Critical", "[1, 2.50]"),
    "not a number": _event("error", '{"pnl": NaN}'),
    "lines": _event("info", "slow\nanswer\t2 s"),
    "laid out": _event("info", '{\n\t"size": 1.10\n}'),
    "unknown": _event("NOTICE"),
    "a raw control character": _event("info", '{"text": "a\tb"}'),
    "a NUL": _event("info", '{"text": "a\\u0000b"}'),
    "a name twice": _event("info", '{"outer": {"price": 1, "price": 2}}'),
}


def _key(rows: dict[str, Cells], name: str) -> str:
    """The key of a row: they are numbered from 1."""
    return str([*rows].index(name) + 1)


@pytest.fixture(scope="module")
def done(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consolidated]:
    place = tmp_path_factory.mktemp("momentum")
    risk: Cells = {"event_time": "2025-10-07 15:00:00", "risk_type": "daily_loss_limit", "current_value": 0.1 + 0.2}
    risk |= {"limit_value": 0.02, "action_taken": "new_trades_blocked", "created_at": "2025-10-07 14:00:01"}
    tables = {"trades": [*TRADES.values()], "daily_snapshots": [*DAYS.values()], "system_events": [*EVENTS.values()]}
    momentum_store(place / "trading.db", tables | {"risk_events": [risk]})
    bots = {"demo": {"id": PAPER, **DEMO}, "live": {"id": LIVE, **DEMO, "deployment_mode": "live", "default": "true"}}
    source = {"mapping": "momentum", "path": "trading.db", "time_zone": "Europe/London", "bots": bots}
    with database(postgres_server) as target:
        yield consolidated(place, target, {SOURCE: source}, max_rejects=100)


def _trade_of(done: Consolidated, name: str) -> Row:
    return done.one(SOURCE, "trades", _key(TRADES, name), T)


def _position_of(done: Consolidated, name: str) -> Row:
    return done.one(SOURCE, "trades", _key(TRADES, name), P)


def _event_of(done: Consolidated, name: str) -> Row:
    return done.one(SOURCE, "system_events", _key(EVENTS, name), E)


def test_the_rows_that_are_not_loaded_are_these(done: Consolidated) -> None:
    rejects = {(one.table, one.key, one.code.value, one.column) for one in done.report.rejects}
    assert rejects == {
        ("trades", _key(TRADES, "in the doubled hour"), "ambiguous_time", "entry_time"),
        ("trades", _key(TRADES, "in the skipped hour"), "skipped_time", "entry_time"),
        ("trades", _key(TRADES, "closed in the doubled hour"), "ambiguous_time", "exit_time"),
        ("trades", _key(TRADES, "unknown mode"), "unknown_bot", "mode"),
        ("daily_snapshots", _key(DAYS, "in the red"), "check_violation", "ending_equity"),
        ("system_events", _key(EVENTS, "unknown"), "unmapped_value", "event_level"),
        ("system_events", _key(EVENTS, "a raw control character"), "bad_json", "details"),
        ("system_events", _key(EVENTS, "a NUL"), "bad_json", "details"),
        ("system_events", _key(EVENTS, "a name twice"), "bad_json", "details"),
    }


def test_a_closed_trade_column_by_column(done: Consolidated) -> None:
    row = _trade_of(done, "closed")
    known = {name: value for name, value in row.items() if value is not None and name != "id"}
    assert known == {
        "trade_id": f"{LIVE}_BTCUSDT_1759827600_{short_hash(SOURCE, 'trades', '1')}",
        "bot_id": LIVE,
        "symbol": "BTCUSDT",
        "side": "buy",
        "quantity": "0.30000000",
        "entry_price": "61000.50000000",
        "exit_price": "61250.25000000",
        "position_size_usd": "18300.15000000",
        "stop_loss": "60000.00000000",
        "take_profit": "62500.00000000",
        "status": "filled",
        "entry_time": "2025-10-07 09:00:00.25+00",
        "exit_time": "2025-10-07 10:30:00+00",
        "holding_time_seconds": "5399",
        "pnl_usd": "2.49750000",
        "pnl_pct": "0.004094",
        "exit_reason": "Trailing Stop",
        "strategy": "volatility_breakout",
        "signal_strength": "0.7312",
        "strategy_params": '{"mode": "LIVE", "symbol": "BTC/USDT", "trade_id": "m-1"}',
        "created_at": "2025-10-07 09:00:01+00",
        "updated_at": "2025-10-07 10:30:00+00",
    }


def test_an_open_trade_is_filled_and_what_its_exit_will_be_is_null(done: Consolidated) -> None:
    row = _trade_of(done, "open")
    assert (row["status"], row["side"], row["strategy_params"]) == ("filled", "short", '{"mode": "demo"}')
    unknown = ("exit_time", "exit_price", "pnl_usd", "pnl_pct", "exit_reason", "holding_time_seconds")
    assert {row[column] for column in unknown} == {None}


@pytest.mark.parametrize("column", ["fees", "commission", "leverage", "slippage", "trade_type", "avg_fill_price"])
def test_what_a_trade_does_not_record_is_null(done: Consolidated, column: str) -> None:
    rows = done.target.of(T)
    assert len(rows) == len(TRADES) - 4
    assert {row[column] for row in rows} == {None}


def test_mode_decides_whose_row_it_is(done: Consolidated) -> None:
    for name, bot in (("closed", LIVE), ("open", PAPER), ("sell", LIVE)):
        trade, position = _trade_of(done, name), _position_of(done, name)
        assert (trade["bot_id"], position["bot_id"]) == (bot, bot)
        assert str(trade["trade_id"]).startswith(f"{bot}_")
    assert done.one(SOURCE, "daily_snapshots", _key(DAYS, "summer"), R)["bot_id"] == LIVE
    assert done.one(SOURCE, "daily_snapshots", _key(DAYS, "winter"), R)["bot_id"] == PAPER
    assert done.one(SOURCE, "daily_snapshots", _key(DAYS, "winter"), B)["bot_id"] == PAPER


def test_a_mode_that_the_project_does_not_list_is_rejected(done: Consolidated) -> None:
    assert done.codes(SOURCE, "trades")[_key(TRADES, "unknown mode")] == "unknown_bot"


def test_events_without_a_mode_belong_to_the_default_bot(done: Consolidated) -> None:
    assert {row["bot_id"] for row in done.target.of(E)} == {LIVE}
    assert {row["bot_id"] for row in done.target.of(K)} == {LIVE}


def test_a_position_column_by_column(done: Consolidated) -> None:
    row, trade = _position_of(done, "closed"), _trade_of(done, "closed")
    known = {name: value for name, value in row.items() if value is not None and name != "id"}
    assert known == {
        "position_id": f"{LIVE}_BTCUSDT_1759827600_{short_hash(SOURCE, 'trades', '1')}",
        "bot_id": LIVE,
        "symbol": "BTCUSDT",
        "side": "long",
        "size": "0.30000000",
        "avg_entry_price": "61000.50000000",
        "realized_pnl": "2.49750000",
        "total_pnl": "2.49750000",
        "stop_loss": "60000.00000000",
        "take_profit": "62500.00000000",
        "status": "closed",
        "opened_at": "2025-10-07 09:00:00.25+00",
        "closed_at": "2025-10-07 10:30:00+00",
        "last_updated": "2025-10-07 10:30:00+00",
        "entry_trade_ids": f"{{{trade['trade_id']}}}",
        "exit_trade_ids": f"{{{trade['trade_id']}}}",
        "strategy": "volatility_breakout",
        "position_metadata": '{"symbol": "BTC/USDT"}',
        "created_at": "2025-10-07 09:00:01+00",
        "updated_at": "2025-10-07 10:30:00+00",
    }


def test_each_trade_is_one_position(done: Consolidated) -> None:
    trades, positions = done.target.of(T), done.target.of(P)
    assert [f"{{{row['trade_id']}}}" for row in trades] == [row["entry_trade_ids"] for row in positions]


def test_an_open_position_has_no_exit(done: Consolidated) -> None:
    row = _position_of(done, "open")
    assert (row["status"], row["side"], row["entry_trade_ids"]) == (
        "open",
        "short",
        f"{{{_trade_of(done, 'open')['trade_id']}}}",
    )
    assert {row[name] for name in ("closed_at", "exit_trade_ids", "realized_pnl", "total_pnl", "unrealized_pnl")} == {
        None
    }


def test_a_sell_is_a_sell_and_a_short_position(done: Consolidated) -> None:
    assert (_trade_of(done, "sell")["side"], _position_of(done, "sell")["side"]) == ("sell", "short")


def test_entry_times_are_local_and_created_at_is_utc(done: Consolidated) -> None:
    winter = _trade_of(done, "in winter")
    assert (winter["entry_time"], winter["created_at"]) == ("2025-01-07 10:00:00+00", "2025-01-07 10:00:01+00")
    summer = _trade_of(done, "open")
    assert (summer["entry_time"], summer["created_at"]) == ("2025-10-07 11:00:00+00", "2025-10-07 09:00:01+00")


def test_the_hours_around_a_clock_change_are_told_apart(done: Consolidated) -> None:
    assert _trade_of(done, "before the doubled hour")["entry_time"] == "2025-10-25 23:59:59.999999+00"
    assert _trade_of(done, "after the doubled hour")["entry_time"] == "2025-10-26 02:00:00+00"


def test_a_local_time_that_is_there_twice_or_never_rejects_the_row(done: Consolidated) -> None:
    codes = done.codes(SOURCE, "trades")
    assert codes[_key(TRADES, "in the doubled hour")] == "ambiguous_time"
    assert codes[_key(TRADES, "in the skipped hour")] == "skipped_time"
    assert codes[_key(TRADES, "closed in the doubled hour")] == "ambiguous_time"


def test_a_created_at_that_is_null_stays_null(done: Consolidated) -> None:
    for row in (_trade_of(done, "no created_at"), _position_of(done, "no created_at")):
        assert (row["created_at"], row["updated_at"]) == (None, "2025-10-07 10:30:00+00")


def test_updated_at_is_the_latest_time_of_the_row(done: Consolidated) -> None:
    trade, position = _trade_of(done, "written late"), _position_of(done, "written late")
    assert trade["updated_at"] == position["updated_at"] == position["last_updated"] == "2025-10-08 00:00:00+00"


def test_whole_numbers_in_a_real_column_are_numbers(done: Consolidated) -> None:
    row = _trade_of(done, "whole numbers")
    assert (row["entry_price"], row["quantity"]) == ("61000.00000000", "1.00000000")


def test_a_day_column_by_column(done: Consolidated) -> None:
    row = done.one(SOURCE, "daily_snapshots", _key(DAYS, "summer"), R)
    known = {name: value for name, value in row.items() if value is not None and name != "id"}
    assert known == {
        "bot_id": LIVE,
        "date": "2025-10-07",
        "starting_equity": "5000.00000000",
        "ending_equity": "5002.10000000",
        "daily_pnl": "2.10000000",
        "daily_pnl_pct": "0.000420",
        "total_trades": "3",
        "winning_trades": "1",
        "losing_trades": "2",
        "win_rate": "0.3333",
        "net_profit": "2.10000000",
        "created_at": "2025-10-07 23:00:03+00",
    }


def test_a_day_without_trades_has_no_win_rate(done: Consolidated) -> None:
    row = done.one(SOURCE, "daily_snapshots", _key(DAYS, "winter"), R)
    assert (row["total_trades"], row["winning_trades"], row["win_rate"]) == ("0", "0", None)


def test_counts_that_are_null_stay_null(done: Consolidated) -> None:
    row = done.one(SOURCE, "daily_snapshots", _key(DAYS, "clocks go back"), R)
    assert {row[name] for name in ("total_trades", "winning_trades", "losing_trades", "win_rate")} == {None}


def test_open_positions_have_no_column_and_go_to_the_residual(done: Consolidated) -> None:
    rows = done.target.rows(
        "select distinct residual ->> 'open_positions' as kept from audit.migration_lineage"
        " where source_table = 'daily_snapshots' and source_key = %s and residual is not null",
        _key(DAYS, "summer"),
    )
    assert rows == [{"kept": "4"}]


def test_the_balance_of_a_day_column_by_column(done: Consolidated) -> None:
    row = done.one(SOURCE, "daily_snapshots", _key(DAYS, "summer"), B)
    known = {name: value for name, value in row.items() if value is not None and name != "id"}
    assert known == {
        "bot_id": LIVE,
        "total_balance": "5002.10000000",
        "available_balance": "5002.10000000",
        "equity": "5002.10000000",
        "timestamp": "2025-10-07 22:59:59+00",
        "snapshot_type": "daily",
        "created_at": "2025-10-07 23:00:03+00",
    }


def test_the_end_of_a_day_is_its_last_second_in_its_time_zone(done: Consolidated) -> None:
    ends = {
        name: done.one(SOURCE, "daily_snapshots", _key(DAYS, name), B)["timestamp"]
        for name in ("winter", "clocks go back")
    }
    assert ends == {"winter": "2025-12-07 23:59:59+00", "clocks go back": "2025-10-26 23:59:59+00"}


def test_a_day_that_makes_no_valid_balance_makes_no_risk_metrics_either(done: Consolidated) -> None:
    key = _key(DAYS, "in the red")
    assert done.codes(SOURCE, "daily_snapshots") == {key: "check_violation"}
    assert done.made(SOURCE, "daily_snapshots", key, R) == done.made(SOURCE, "daily_snapshots", key, B) == []
    assert len(done.target.of(R)) == len(done.target.of(B)) == len(DAYS) - 1


def test_a_system_event_column_by_column(done: Consolidated) -> None:
    row = _event_of(done, "json")
    known = {name: value for name, value in row.items() if value is not None and name != "id"}
    assert known == {
        "bot_id": LIVE,
        "event_time": "2025-10-07 08:59:00+00",
        "event_type": "SYSTEM_START",
        "event_level": "INFO",
        "component": "momentum",
        "message": "started",
        "details": '{"size": 1.10, "version": "2.3"}',
        "created_at": "2025-10-07 08:59:01+00",
    }


@pytest.mark.parametrize(
    ("name", "level"),
    [("warn", "WARNING"), ("text", "WARNING"), ("quoted", "DEBUG"), ("list", "CRITICAL"), ("not a number", "ERROR")],
)
def test_levels_are_read_in_any_case_and_warn_is_a_warning(done: Consolidated, name: str, level: str) -> None:
    assert _event_of(done, name)["event_level"] == level


@pytest.mark.parametrize(
    ("name", "details"),
    [
        ("warn", None),
        ("text", '{"raw": "latency 2.9 s"}'),
        ("quoted", '{"raw": "said \\"stop\\" \\\\ twice"}'),
        ("list", "[1, 2.50]"),
        ("not a number", '{"raw": "{\\"pnl\\": NaN}"}'),
        ("lines", '{"raw": "slow\\nanswer\\t2 s"}'),
        ("laid out", '{"size": 1.10}'),
    ],
)
def test_details_that_are_no_json_are_kept_as_raw_text(done: Consolidated, name: str, details: str | None) -> None:
    assert _event_of(done, name)["details"] == details


def test_a_risk_event_column_by_column(done: Consolidated) -> None:
    row = done.one(SOURCE, "risk_events", "1", K)
    known = {name: value for name, value in row.items() if value is not None and name != "id"}
    assert known == {
        "bot_id": LIVE,
        "event_time": "2025-10-07 14:00:00+00",
        "risk_type": "daily_loss_limit",
        "current_value": "0.30000000",
        "limit_value": "0.02000000",
        "action_taken": "new_trades_blocked",
        "created_at": "2025-10-07 14:00:01+00",
    }


def test_binary_numbers_are_rounded_counted_and_the_largest_change_is_told(done: Consolidated) -> None:
    told = {(one.table, one.target, one.column): (one.rows, one.largest_change) for one in done.report.roundings}
    assert told["trades", T, "quantity"] == (1, "0.00000000000000004")  # 0.30000000000000004
    assert told["trades", T, "position_size_usd"] == (1, "0.0000000001")
    assert told["trades", T, "signal_strength"] == (1, "0.0000345678")
    assert told["daily_snapshots", R, "daily_pnl"] == (1, "0.000000000000364")  # the shortest text of it ends in 364
    assert told["risk_events", K, "current_value"] == (1, "0.00000000000000004")
    assert ("trades", T, "entry_price") not in told
