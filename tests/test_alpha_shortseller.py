"""What a Shortseller store becomes: the decisions of the mapping, each with the exact values in the target.

All of it is one store that is consolidated once, so the file is long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.alpha import (
    DEMO,
    Consolidated,
    Row,
    consolidated,
    database,
    short_hash,
    shortseller_store,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consolidate.embedded import Server
    from tests.alpha import Cells

SOURCE: Final = "shortseller"
BOT: Final = "short_1"
T: Final = "trading.trades"
ORDERS: Final = "trading.orders"
P: Final = "trading.positions"
S: Final = "trading.signals"
B: Final = "trading.account_balance"
R: Final = "trading.risk_metrics"
C: Final = "trading.market_data"


def _trade(**cells: object) -> Cells:
    plain: Cells = {
        "symbol": "ETHUSDT",
        "side": "sell",
        "quantity": "0.5",
        "price": "2400",
        "order_id": None,
        "exchange_order_id": None,
        "status": "filled",
        "strategy": "ema_crossover",
        "timestamp": "2025-10-07 09:00:00+00",
        "executed_at": "2025-10-07 09:00:02+00",
        "pnl": "0",
        "fees": "0",
        "notes": None,
    }
    return plain | cells


TRADES: Final[dict[str, Cells]] = {
    "whole": _trade(
        symbol="BTCUSDT",
        side="buy",
        quantity="0.02000001",
        price="61000.12345678",
        order_id="ord-1",
        exchange_order_id="ex-1",
        timestamp="2025-10-07 08:00:00.250001+00",
        executed_at="2025-10-07 08:00:02.25+00",
        pnl="-12.5",
        fees="0.67100001",
        notes="by hand",
    ),
    "without an order": _trade(),
    "without an order either": _trade(),
    "partial": _trade(order_id="p", status="partial", executed_at=None),
    "partly executed": _trade(order_id="q", status="PARTIALLY_FILLED", executed_at="2025-10-07 09:00:05+00"),
    "pending": _trade(order_id="r", status="pending", executed_at=None),
    "cancelled": _trade(order_id="s", status="canceled", executed_at="2025-10-07 09:05:00+00"),
    "submitted": _trade(order_id="t", status="submitted", executed_at=None),
    "failed": _trade(order_id="u", status="failed", executed_at=None),
    "no status": _trade(order_id="v", status=None, executed_at=None),
    "long, no order": _trade(side="long"),
    "short, no order": _trade(side="Short"),
    "long with an order": _trade(side="long", order_id="w"),
    "short with an order": _trade(side="short", order_id="x"),
    "no pnl": _trade(pnl=None, fees=None),
    "a ratio between two steps": _trade(quantity="3", price="1000", pnl="0.0045"),
    "a ratio above it": _trade(quantity="3", price="1000", pnl="0.0075"),
    "slash": _trade(symbol="BTC/USDT", order_id="y"),
}
POSITIONS: Final[dict[str, Cells]] = {
    "closed": {
        "symbol": "ETHUSDT",
        "side": "short",
        "size": "0.5",
        "avg_price": "2400.1",
        "unrealized_pnl": "-0.25",
        "realized_pnl": "3.6825",
        "status": "closed",
        "opened_at": "2025-10-07 09:00:02+00",
        "closed_at": "2025-10-07 09:30:02+00",
        "stop_loss": "2448",
        "take_profit": "2304",
        "leverage": 3,
    },
    "open": {
        "symbol": "SOL-USDT",
        "side": "SHORT",
        "size": "4",
        "avg_price": "150",
        "unrealized_pnl": "-2.4",
        "realized_pnl": "0",
        "status": "Open",
        "opened_at": "2025-10-07 11:00:02+00",
    },
    "not valued": {
        "symbol": "SOLUSDT",
        "side": "long",
        "size": "4",
        "avg_price": "150",
        "unrealized_pnl": None,
        "realized_pnl": "1",
        "status": None,
        "opened_at": "2025-10-07 11:00:03+00",
        "leverage": None,
    },
    "for nothing": {
        "symbol": "SOLUSDT",
        "side": "short",
        "size": "4",
        "avg_price": "0",
        "unrealized_pnl": "1",
        "opened_at": "2025-10-07 11:00:04+00",
    },
}


def _signal(**cells: object) -> Cells:
    plain: Cells = {"symbol": "ETHUSDT", "signal_type": "short", "price": "2400", "timestamp": "2025-10-07 08:59:58+00"}
    return plain | cells


SIGNALS: Final[dict[str, Cells]] = {
    "with an order": _signal(
        signal_type="long", executed=True, execution_id=1, strength="0.8125", indicators='{"rsi": 41.50}'
    ),
    "without an order": _signal(executed=True, execution_id=2),
    "not executed": _signal(),
    "close": _signal(signal_type="Close"),
    "trade that is not there": _signal(execution_id=999),
    "trade that is rejected": _signal(execution_id=13),
    "no strength": _signal(strength=None, executed=None, symbol="ETH/USDT"),
}
BALANCES: Final[tuple[tuple[str, str], ...]] = (
    ("2025-10-06 12:00:00+00", "10000.5"),
    ("2025-10-06 23:59:59.999999+00", "10001"),
    ("2025-10-07 00:00:00+00", "10002"),
    ("2025-10-07 18:00:00+00", "10008.5"),
)
DAYS: Final[dict[str, Cells]] = {
    "before any balance": {"date": "2025-10-05", "total_pnl": "1"},
    "first": {
        "date": "2025-10-06", "total_pnl": "25", "max_drawdown": "0.5", "win_rate": "0.6667", "profit_factor": "2.5",
        "sharpe_ratio": "1.1", "total_trades": 5, "winning_trades": 2, "losing_trades": 1,
    },
    "second": {"date": "2025-10-07", "total_pnl": "-7.5"},
    "without a balance of its own": {"date": "2025-10-09", "total_pnl": "0", "total_trades": None},
}  # fmt: skip


def _candle(**cells: object) -> Cells:
    prices = {
        "open_price": "60950",
        "high_price": "61080",
        "low_price": "60900",
        "close_price": "61010",
        "volume": "812.5",
    }
    plain: Cells = {"symbol": "BTCUSDT", "timestamp": "2025-10-07 08:00:00+00", "interval": "1h", **prices}
    return plain | {"created_at": "2025-10-07 09:00:02+00"} | cells


CANDLES: Final[dict[str, Cells]] = {
    "first": _candle(),
    "same": _candle(symbol="BTC/USDT", interval="60", created_at=None),
    "another close": _candle(symbol="BTC-USDT", interval="1H", close_price="61011"),
    "another time": _candle(timestamp="2025-10-07 09:00:00+00", created_at=None),
}


def _key(rows: dict[str, Cells], name: str) -> str:
    """The key of a row: they are numbered from 1."""
    return str([*rows].index(name) + 1)


@pytest.fixture(scope="module")
def done(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consolidated]:
    balances: list[Cells] = [
        {"total_balance": "10010", "available_balance": "9600.25", "equity": equity, "timestamp": time}
        for time, equity in BALANCES
    ]
    balances[0] |= {"margin_used": "410", "unrealized_pnl": "-1.5"}
    with database(postgres_server) as store, database(postgres_server) as target:
        shortseller_store(
            store,
            {
                "trades": [*TRADES.values()],
                "positions": [*POSITIONS.values()],
                "signals": [*SIGNALS.values()],
                "account_balance": balances,
                "risk_metrics": [*DAYS.values()],
                "market_data": [*CANDLES.values()],
            },
            first="alter table trading.signals drop constraint signals_execution_id_fkey",
        )
        source = {"mapping": "shortseller", "dsn": store, "bot": {"id": BOT, **DEMO}}
        place = tmp_path_factory.mktemp("shortseller")
        yield consolidated(place, target, {SOURCE: source}, max_rejects=100)


def _made(done: Consolidated, rows: dict[str, Cells], name: str, table: str) -> Row:
    tables = {id(TRADES): "trades", id(POSITIONS): "positions", id(SIGNALS): "signals", id(DAYS): "risk_metrics"}
    return done.one(SOURCE, tables.get(id(rows), "market_data"), _key(rows, name), table)


def test_the_rows_that_are_not_loaded_are_these(done: Consolidated) -> None:
    rejects = {(one.table, one.key, one.code.value) for one in done.report.rejects}
    assert rejects == {
        ("trades", _key(TRADES, "long with an order"), "unmapped_value"),
        ("trades", _key(TRADES, "short with an order"), "unmapped_value"),
        ("signals", _key(SIGNALS, "trade that is not there"), "missing_reference"),
        ("signals", _key(SIGNALS, "trade that is rejected"), "rejected_reference"),
        ("risk_metrics", _key(DAYS, "before any balance"), "missing_value"),
        ("market_data", _key(CANDLES, "another close"), "source_conflict"),
    }


def test_a_trade_column_by_column(done: Consolidated) -> None:
    row = _made(done, TRADES, "whole", T)
    known = {name: value for name, value in row.items() if value is not None and name != "id"}
    assert known == {
        "trade_id": f"{BOT}_BTCUSDT_1759824000_{short_hash(SOURCE, 'trades', '1')}",
        "bot_id": BOT,
        "symbol": "BTCUSDT",
        "exchange_order_id": "ex-1",
        "side": "buy",
        "quantity": "0.02000001",
        "entry_price": "61000.12345678",
        "avg_fill_price": "61000.12345678",
        "position_size_usd": "1220.00307914",  # 1220.0030791368345678
        "status": "filled",
        "entry_time": "2025-10-07 08:00:00.250001+00",
        "exit_time": "2025-10-07 08:00:02.25+00",
        "holding_time_seconds": "1",
        "pnl_usd": "-12.50000000",
        "pnl_pct": "-0.010246",
        "fees": "0.67100001",
        "strategy": "ema_crossover",
        "strategy_params": '{"order_id": "ord-1"}',
        "created_at": "2025-10-07 08:00:00.250001+00",
        "updated_at": "2025-10-07 08:00:02.25+00",
        "notes": "by hand",
    }


@pytest.mark.parametrize(
    "column",
    ["trade_type", "leverage", "stop_loss", "take_profit", "exit_price", "exit_reason", "commission", "slippage"],
)
def test_what_a_trade_does_not_record_is_null(done: Consolidated, column: str) -> None:
    assert {row[column] for row in done.target.of(T)} == {None}


def test_one_row_is_one_order_and_not_a_round_trip(done: Consolidated) -> None:
    assert len(done.target.of(T)) == len(TRADES) - 2
    assert len(done.target.of(P)) == len(POSITIONS)


@pytest.mark.parametrize(
    ("name", "price"),
    [
        ("whole", "61000.12345678"),
        ("without an order", "2400.00000000"),
        ("partial", "2400.00000000"),
        ("partly executed", "2400.00000000"),
        ("pending", None),
        ("cancelled", None),
        ("failed", None),
        ("no status", None),
    ],
)
def test_avg_fill_price_is_known_only_of_a_filled_or_partly_filled_trade(
    done: Consolidated, name: str, price: str | None
) -> None:
    assert _made(done, TRADES, name, T)["avg_fill_price"] == price
    if name != "without an order":
        assert _made(done, TRADES, name, ORDERS)["avg_fill_price"] == price


@pytest.mark.parametrize(
    ("name", "trade", "order"),
    [
        ("whole", "filled", "filled"),
        ("partial", "partially_filled", "partially_filled"),
        ("partly executed", "partially_filled", "partially_filled"),
        ("pending", "pending", "pending"),
        ("cancelled", "cancelled", "cancelled"),
        ("submitted", "pending", "submitted"),
        ("failed", "rejected", "failed"),
        ("no status", None, None),
    ],
)
def test_submitted_and_failed_stay_what_they_are_in_orders_alone(
    done: Consolidated, name: str, trade: str | None, order: str | None
) -> None:
    assert _made(done, TRADES, name, T)["status"] == trade
    assert _made(done, TRADES, name, ORDERS)["status"] == order


def test_a_time_that_was_not_recorded_gives_no_exit_and_no_holding_time(done: Consolidated) -> None:
    row = _made(done, TRADES, "pending", T)
    assert (row["exit_time"], row["holding_time_seconds"]) == (None, None)
    assert row["updated_at"] == row["created_at"] == "2025-10-07 09:00:00+00"


def test_an_unknown_pnl_stays_unknown_and_an_unknown_fee_too(done: Consolidated) -> None:
    row = _made(done, TRADES, "no pnl", T)
    assert (row["pnl_usd"], row["pnl_pct"], row["fees"]) == (None, None, None)
    row = _made(done, TRADES, "without an order", T)
    assert (row["pnl_usd"], row["pnl_pct"], row["fees"]) == ("0.00000000", "0.000000", "0.00000000")


def test_pnl_pct_is_a_fraction_rounded_half_even_to_six_places(done: Consolidated) -> None:
    assert _made(done, TRADES, "a ratio between two steps", T)["pnl_pct"] == "0.000002"  # 0.0000015
    assert _made(done, TRADES, "a ratio above it", T)["pnl_pct"] == "0.000002"  # 0.0000025


def test_an_order_column_by_column(done: Consolidated) -> None:
    row = _made(done, TRADES, "whole", ORDERS)
    known = {name: value for name, value in row.items() if value is not None and name != "id"}
    assert known == {
        "order_id": f"{BOT}_ord-1",
        "bot_id": BOT,
        "symbol": "BTCUSDT",
        "exchange_order_id": "ex-1",
        "client_order_id": "ord-1",
        "order_type": "market",
        "side": "buy",
        "quantity": "0.02000001",
        "filled_quantity": "0.02000001",
        "avg_fill_price": "61000.12345678",
        "status": "filled",
        "created_at": "2025-10-07 08:00:00.250001+00",
        "filled_at": "2025-10-07 08:00:02.25+00",
        "updated_at": "2025-10-07 08:00:02.25+00",
        "fees": "0.67100001",
        "trade_id": _made(done, TRADES, "whole", T)["trade_id"],
    }


def test_no_order_id_gives_no_order(done: Consolidated) -> None:
    assert done.made(SOURCE, "trades", _key(TRADES, "without an order"), ORDERS) == []
    ids = [row["client_order_id"] for row in done.target.of(ORDERS)]
    assert ids == ["ord-1", "p", "q", "r", "s", "t", "u", "v", "y"]


def test_rows_that_are_equal_but_for_their_id_are_two_trades(done: Consolidated) -> None:
    first = _made(done, TRADES, "without an order", T)
    second = _made(done, TRADES, "without an order either", T)
    assert first["trade_id"] != second["trade_id"]


def test_an_order_has_the_price_of_no_limit(done: Consolidated) -> None:
    assert {row["price"] for row in done.target.of(ORDERS)} == {None}
    assert {row["order_type"] for row in done.target.of(ORDERS)} == {"market"}


@pytest.mark.parametrize(
    ("name", "quantity"),
    [
        ("whole", "0.02000001"),
        ("partial", None),
        ("pending", "0.00000000"),
        ("cancelled", "0.00000000"),
        ("submitted", "0.00000000"),
        ("failed", "0.00000000"),
        ("no status", None),
    ],
)
def test_filled_quantity_is_all_of_a_filled_order_unknown_of_a_partial_one_and_nothing_of_others(
    done: Consolidated, name: str, quantity: str | None
) -> None:
    assert _made(done, TRADES, name, ORDERS)["filled_quantity"] == quantity


@pytest.mark.parametrize("name", ["partly executed", "cancelled", "pending"])
def test_filled_at_is_known_only_of_a_filled_order(done: Consolidated, name: str) -> None:
    assert _made(done, TRADES, name, ORDERS)["filled_at"] is None


def test_the_fees_of_an_order_are_those_of_its_trade(done: Consolidated) -> None:
    fees = {row["trade_id"]: row["fees"] for row in done.target.of(T)}
    assert {row["trade_id"]: row["fees"] for row in done.target.of(ORDERS)}.items() <= fees.items()


def test_long_or_short_without_an_order_is_a_trade_of_that_side(done: Consolidated) -> None:
    for name, side in (("long, no order", "long"), ("short, no order", "short")):
        assert _made(done, TRADES, name, T)["side"] == side
        assert done.made(SOURCE, "trades", _key(TRADES, name), ORDERS) == []


@pytest.mark.parametrize("name", ["long with an order", "short with an order"])
def test_long_or_short_with_an_order_is_rejected_whole(done: Consolidated, name: str) -> None:
    assert done.codes(SOURCE, "trades")[_key(TRADES, name)] == "unmapped_value"
    for table in (T, ORDERS):
        assert done.made(SOURCE, "trades", _key(TRADES, name), table) == []


def test_a_symbol_that_was_written_otherwise_is_packed_with_trade_and_order(done: Consolidated) -> None:
    trade, order = _made(done, TRADES, "slash", T), _made(done, TRADES, "slash", ORDERS)
    assert (trade["symbol"], order["symbol"]) == ("BTCUSDT", "BTCUSDT")
    assert trade["strategy_params"] == '{"symbol": "BTC/USDT", "order_id": "y"}'
    assert order["order_metadata"] == '{"symbol": "BTC/USDT"}'


def test_a_position_column_by_column(done: Consolidated) -> None:
    row = _made(done, POSITIONS, "closed", P)
    known = {name: value for name, value in row.items() if value is not None and name != "id"}
    assert known == {
        "position_id": f"{BOT}_ETHUSDT_1759827602_{short_hash(SOURCE, 'positions', '1')}",
        "bot_id": BOT,
        "symbol": "ETHUSDT",
        "side": "short",
        "size": "0.50000000",
        "avg_entry_price": "2400.10000000",
        "leverage": "3",
        "unrealized_pnl": "-0.25000000",
        "realized_pnl": "3.68250000",
        "total_pnl": "3.43250000",
        "unrealized_pnl_pct": "-0.000208",  # -0.25 / 1200.05
        "stop_loss": "2448.00000000",
        "take_profit": "2304.00000000",
        "status": "closed",
        "opened_at": "2025-10-07 09:00:02+00",
        "closed_at": "2025-10-07 09:30:02+00",
        "last_updated": "2025-10-07 09:30:02+00",
        "strategy": "ema_crossover",
        "created_at": "2025-10-07 09:00:02+00",
        "updated_at": "2025-10-07 09:30:02+00",
    }


def test_the_current_price_of_a_position_is_not_recorded(done: Consolidated) -> None:
    assert {row["current_price"] for row in done.target.of(P)} == {None}


def test_an_open_position_was_last_updated_when_it_was_opened(done: Consolidated) -> None:
    row = _made(done, POSITIONS, "open", P)
    assert (row["status"], row["side"], row["symbol"], row["closed_at"]) == ("open", "short", "SOLUSDT", None)
    assert row["last_updated"] == row["updated_at"] == row["opened_at"] == "2025-10-07 11:00:02+00"
    assert row["position_metadata"] == '{"symbol": "SOL-USDT"}'


def test_a_position_of_unknown_value_has_no_total_and_no_percentage(done: Consolidated) -> None:
    row = _made(done, POSITIONS, "not valued", P)
    assert (row["unrealized_pnl"], row["total_pnl"], row["unrealized_pnl_pct"]) == (None, None, None)
    assert (row["realized_pnl"], row["status"], row["leverage"], row["stop_loss"]) == ("1.00000000", None, None, None)


def test_a_percentage_of_nothing_is_null(done: Consolidated) -> None:
    row = _made(done, POSITIONS, "for nothing", P)
    assert (row["avg_entry_price"], row["unrealized_pnl"], row["unrealized_pnl_pct"]) == (
        "0.00000000",
        "1.00000000",
        None,
    )


def test_a_signal_column_by_column(done: Consolidated) -> None:
    row = _made(done, SIGNALS, "with an order", S)
    known = {name: value for name, value in row.items() if value is not None and name != "id"}
    assert known == {
        "signal_id": f"{BOT}_ETHUSDT_1759827598_{short_hash(SOURCE, 'signals', '1')}",
        "bot_id": BOT,
        "symbol": "ETHUSDT",
        "signal_type": "long",
        "strength": "0.8125",
        "price": "2400.00000000",
        "timestamp": "2025-10-07 08:59:58+00",
        "strategy": "ema_crossover",
        "indicators": '{"rsi": 41.50}',
        "executed": "true",
        "execution_time": "2025-10-07 08:00:02.25+00",
        "execution_order_id": f"{BOT}_ord-1",
        "execution_trade_id": _made(done, TRADES, "whole", T)["trade_id"],
        "created_at": "2025-10-07 08:59:58+00",
    }


def test_execution_id_is_the_number_of_the_trade_and_gives_no_order_where_there_is_none(done: Consolidated) -> None:
    row, trade = _made(done, SIGNALS, "without an order", S), _made(done, TRADES, "without an order", T)
    assert (row["execution_trade_id"], row["execution_order_id"]) == (trade["trade_id"], None)
    assert row["execution_time"] == trade["exit_time"] == "2025-10-07 09:00:02+00"


def test_a_signal_that_was_not_executed_has_no_execution(done: Consolidated) -> None:
    row = _made(done, SIGNALS, "not executed", S)
    assert row["executed"] == "false"
    assert {row[f"execution_{what}"] for what in ("time", "order_id", "trade_id")} == {None}


def test_close_closes_a_short(done: Consolidated) -> None:
    assert _made(done, SIGNALS, "close", S)["signal_type"] == "close_short"


def test_what_a_signal_does_not_know_stays_unknown_whatever_the_default_of_the_target(done: Consolidated) -> None:
    row = _made(done, SIGNALS, "no strength", S)
    assert (row["strength"], row["executed"], row["rejected"], row["confidence"]) == (None, None, None, None)
    assert row["market_conditions"] == '{"symbol": "ETH/USDT"}'


def test_a_balance_column_by_column(done: Consolidated) -> None:
    row = done.one(SOURCE, "account_balance", "1", B)
    known = {name: value for name, value in row.items() if value is not None and name != "id"}
    assert known == {
        "bot_id": BOT,
        "total_balance": "10010.00000000",
        "available_balance": "9600.25000000",
        "equity": "10000.50000000",
        "margin_used": "410.00000000",
        "unrealized_pnl": "-1.50000000",
        "timestamp": "2025-10-06 12:00:00+00",
        "snapshot_type": "periodic",
        "created_at": "2025-10-06 12:00:00+00",
        "data_source": "legacy",
    }


def test_a_day_column_by_column(done: Consolidated) -> None:
    row = _made(done, DAYS, "first", R)
    known = {name: value for name, value in row.items() if value is not None and name != "id"}
    assert known == {
        "bot_id": BOT,
        "date": "2025-10-06",
        "starting_equity": "9976.00000000",  # no balance before it: 10001 - 25
        "ending_equity": "10001.00000000",  # the last balance of the day, not the first of the next
        "daily_pnl": "25.00000000",
        "daily_pnl_pct": "0.002506",  # 25 / 9976
        "daily_return": "0.002506",
        "total_trades": "5",
        "winning_trades": "2",
        "losing_trades": "1",
        "breakeven_trades": "2",
        "win_rate": "0.6667",
        "net_profit": "25.00000000",
        "profit_factor": "2.5000",
        "max_drawdown": "0.5000",
        "sharpe_ratio": "1.1000",
    }


def test_the_first_moment_of_a_day_belongs_to_it_and_not_to_the_day_before(done: Consolidated) -> None:
    row = _made(done, DAYS, "second", R)
    assert (row["starting_equity"], row["ending_equity"]) == ("10001.00000000", "10008.50000000")
    assert (row["daily_pnl"], row["net_profit"]) == ("-7.50000000", "-7.50000000")
    assert row["daily_pnl_pct"] == row["daily_return"] == "-0.000750"  # -7.5 / 10001 = -0.00074992…


def test_a_day_without_a_balance_of_its_own_takes_the_last_before_it(done: Consolidated) -> None:
    row = _made(done, DAYS, "without a balance of its own", R)
    assert (row["starting_equity"], row["ending_equity"]) == ("10008.50000000", "10008.50000000")
    assert (row["daily_pnl_pct"], row["total_trades"], row["breakeven_trades"]) == ("0.000000", None, None)


def test_a_day_before_any_balance_is_rejected(done: Consolidated) -> None:
    assert done.codes(SOURCE, "risk_metrics") == {_key(DAYS, "before any balance"): "missing_value"}


@pytest.mark.parametrize("column", ["gross_profit", "gross_loss", "largest_win", "largest_loss", "avg_win", "avg_loss"])
def test_gross_and_largest_figures_are_not_recorded(done: Consolidated, column: str) -> None:
    assert {row[column] for row in done.target.of(R)} == {None}


def test_a_candle_column_by_column(done: Consolidated) -> None:
    row = _made(done, CANDLES, "first", C)
    known = {name: value for name, value in row.items() if value is not None and name != "id"}
    assert known == {
        "symbol": "BTCUSDT",
        "exchange": "bybit",
        "interval": "1h",
        "timestamp": "2025-10-07 08:00:00+00",
        "open_price": "60950.00000000",
        "high_price": "61080.00000000",
        "low_price": "60900.00000000",
        "close_price": "61010.00000000",
        "volume": "812.50000000",
        "created_at": "2025-10-07 09:00:02+00",
        "data_source": "backfill",
    }


def test_the_same_candle_under_other_spellings_is_merged(done: Consolidated) -> None:
    assert _made(done, CANDLES, "same", C) == _made(done, CANDLES, "first", C)
    assert done.outcome(SOURCE, "market_data", _key(CANDLES, "same")) == "merged"
    assert len(done.target.of(C)) == 2


def test_the_same_candle_with_another_price_is_rejected_and_the_lowest_key_wins(done: Consolidated) -> None:
    assert done.codes(SOURCE, "market_data") == {_key(CANDLES, "another close"): "source_conflict"}
    assert _made(done, CANDLES, "first", C)["close_price"] == "61010.00000000"


def test_a_candle_written_at_an_unknown_time_has_no_created_at(done: Consolidated) -> None:
    assert _made(done, CANDLES, "another time", C)["created_at"] is None


def test_views_are_not_read(done: Consolidated) -> None:
    assert {counts.table for counts in done.report.sources} == {
        "trades", "positions", "signals", "account_balance", "risk_metrics", "market_data",
    }  # fmt: skip
