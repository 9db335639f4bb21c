"""What holds for every source: spellings, exactness, nulls, times, ids, shared candles, the bots themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.alpha import (
    DEMO,
    Cells,
    Consolidated,
    consolidated,
    database,
    lxalgo_store,
    momentum_store,
    opened,
    short_hash,
    shortseller_store,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from consolidate.embedded import Server

SHORT: Final = "short"
OTHER: Final = "other"
MOMENTUM: Final = "momentum"
LX: Final = "lx"
T: Final = "trading.trades"
C: Final = "trading.market_data"

SYMBOLS: Final = {
    "BTCUSDT": "BTCUSDT",
    "BTC/USDT": "BTCUSDT",
    "BTC-USDT": "BTCUSDT",
    "BTC_USDT": "BTCUSDT",
    "btcusdt": "BTCUSDT",
    " BTCUSDT ": "BTCUSDT",
    "BTC/USDT:USDT": "BTCUSDT:USDT",
    "1000PEPE/usdt": "1000PEPEUSDT",
}
SIDES: Final = {
    "Buy": "buy",
    "BUY": "buy",
    "buy": "buy",
    "Sell": "sell",
    " SELL ": "sell",
    "Long": "long",
    "SHORT": "short",
}
NO_SIDES: Final = ("B", "hold", "", "buy sell")
STATUSES: Final = {
    "pending": "pending",
    "open": "pending",
    "new": "pending",
    "submitted": "pending",
    "partial": "partially_filled",
    "partially_filled": "partially_filled",
    "PARTIALLY_FILLED": "partially_filled",
    "filled": "filled",
    "FILLED": "filled",
    " Filled ": "filled",
    "closed": "filled",
    "executed": "filled",
    "canceled": "cancelled",
    "Cancelled": "cancelled",
    "rejected": "rejected",
    "FAILED": "rejected",
    "expired": "expired",
}
NO_STATUSES: Final = ("fill", "done", "", "partially filled")
INTERVALS: Final = {
    "1": "1m", "1m": "1m", "1min": "1m", "5m": "5m", "5": "5m", "15min": "15m", "60": "1h", "1H": "1h", "1h": "1h",
    "240": "4h", "4H": "4h", "D": "1d", "1D": "1d", "1d": "1d", " 1h ": "1h",
}  # fmt: skip
NO_INTERVALS: Final = ("1M", "M", "7m", "", "2 h")


def _trade(**cells: object) -> Cells:
    plain: Cells = {"symbol": "ETHUSDT", "side": "sell", "quantity": "0.5", "price": "2400", "status": "filled"}
    return plain | {"timestamp": "2025-10-07 09:00:00+00"} | cells


def _numbered(first: int, rows: Sequence[Cells]) -> list[Cells]:
    return [{"id": first + i} | row for i, row in enumerate(rows)]


SYMBOL_ROWS: Final = _numbered(100, [_trade(symbol=symbol) for symbol in SYMBOLS])
SIDE_ROWS: Final = _numbered(200, [_trade(side=side) for side in (*SIDES, *NO_SIDES)])
STATUS_ROWS: Final = _numbered(300, [_trade(status=status) for status in (*STATUSES, *NO_STATUSES)])
ODD_ROWS: Final = _numbered(
    400,
    [
        _trade(quantity="0.00000001", price="0.5"),  # a product between two steps, above 0
        _trade(quantity="0.00000003", price="0.5"),
        _trade(timestamp="2025-10-07 11:00:00.123456+02", executed_at="2025-10-07 08:59:59.123457+00"),
        _trade(fees="1.000000001"),
        _trade(order_id="o" * 93),
        _trade(order_id="o" * 92),
        _trade(strategy="ema_crossover", executed_at="2025-10-07 09:00:00.999999+00", status=None),
    ],
)


def _candle(**cells: object) -> Cells:
    prices = {"open_price": "2400", "high_price": "2410", "low_price": "2390", "close_price": "2405", "volume": "10"}
    plain: Cells = {"symbol": "ETHUSDT", "timestamp": "2025-10-07 08:00:00+00", "interval": "1h", **prices}
    return plain | {"created_at": "2020-01-01 00:00:00+00"} | cells


HOURS: Final = [f"2025-10-{day:02} 00:00:00+00" for day in range(1, 30)]
CANDLES: Final = [
    _candle(),
    _candle(symbol="BTCUSDT"),
    *(_candle(interval=each, timestamp=hour) for each, hour in zip((*INTERVALS, *NO_INTERVALS), HOURS, strict=False)),
]
MORE_CANDLES: Final = [
    _candle(symbol="ETH-USDT", interval="60", created_at=None),
    _candle(symbol="BTCUSDT", volume="10.00000001"),
    _candle(symbol="SOLUSDT"),
]
HALVES: Final = {
    1.000000005: "1.00000000",
    1.000000015: "1.00000002",
    1.000000025: "1.00000002",
    0.1 + 0.2: "0.30000000",
    1e-9: "0.00000000",
    123456789012.12345: "123456789012.12344000",
    5e-324: "0.00000000",
}


@pytest.fixture(scope="module")
def done(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consolidated]:
    place = tmp_path_factory.mktemp("shared")
    entry: Cells = {"mode": "live", "symbol": "BTCUSDT", "side": "long", "entry_time": "2025-10-07 10:00:00"}
    entry |= {"entry_price": 1.0, "quantity": 1.0, "position_size_usd": 1.0, "created_at": "2025-10-06 10:00:00"}
    day: Cells = {"mode": "live", "starting_equity": 1.0, "daily_pnl": 0.0, "daily_pnl_pct": 0.0, "created_at": None}
    momentum_store(
        place / "trading.db",
        {
            "trades": [entry | {"pnl_usd": value} for value in HALVES]
            + [entry | {"pnl_usd": -value} for value in HALVES],
            "daily_snapshots": [
                day | {"date": "2025-10-08", "ending_equity": 2.5},
                day | {"date": "2025-10-07", "ending_equity": 1.5},
            ],
        },
    )
    lxalgo_store(
        place / "lx",
        events=[
            opened("2025-10-07T09:00:00+00:00", "BTCUSDT", f"Rule {i}", 1.0, value) for i, value in enumerate(HALVES)
        ],
        signals=[{"timestamp": 1759824000000, "symbol": "BTCUSDT", "price": "1.00000000500000001", "rule": "Rule 1"}],
    )
    bot: Cells = {"id": "short_1", **DEMO, "initial_capital": "12345.67800000"}
    configurations = [
        {"key": "entry", "value": {"breakout": 1.5}, "type": "strategy_params"},
        {"key": "on", "value": True},
    ]
    bot |= {"bot_name": "Old hand", "max_positions": 5, "max_drawdown_pct": "0.2", "configurations": configurations}
    with database(postgres_server) as store, database(postgres_server) as second, database(postgres_server) as target:
        shortseller_store(
            store,
            {
                "trades": [*SYMBOL_ROWS, *SIDE_ROWS, *STATUS_ROWS, *ODD_ROWS],
                "market_data": CANDLES,
                "account_balance": [
                    {"total_balance": 3, "available_balance": 3, "equity": 3, "timestamp": "2025-10-07 12:00:00+00"},
                    {"total_balance": 2, "available_balance": 2, "equity": 2, "timestamp": "2025-10-07 11:00:00+00"},
                    {"total_balance": 9, "available_balance": 9, "equity": 9, "timestamp": None},
                ],
            },
            first="alter table trading.trades alter column fees type numeric",
        )
        shortseller_store(second, {"market_data": MORE_CANDLES})
        sources = {
            SHORT: {"mapping": "shortseller", "dsn": store, "bot": bot},
            OTHER: {"mapping": "shortseller", "dsn": second, "bot": {"id": "short_2", **DEMO}},
            MOMENTUM: {
                "mapping": "momentum",
                "path": "trading.db",
                "time_zone": "America/New_York",
                "bots": {"live": {"id": "mom_1", **DEMO}},
            },
            LX: {"mapping": "lxalgo", "path": "lx", "bot": {"id": "lx_1", **DEMO}},
        }
        yield consolidated(place, target, sources, max_rejects=100)


def _ids(rows: Sequence[Cells], values: Sequence[str]) -> list[tuple[str, str]]:
    return [(str(row["id"]), value) for row, value in zip(rows, values, strict=False)]


def test_the_rows_that_are_not_loaded_are_these(done: Consolidated) -> None:
    no_sides = [str(row["id"]) for row in SIDE_ROWS[len(SIDES) :]]
    no_statuses = [str(row["id"]) for row in STATUS_ROWS[len(STATUSES) :]]
    assert done.codes(SHORT, "trades") == dict.fromkeys((*no_sides, *no_statuses), "unmapped_value") | {
        "403": "inexact",
        "404": "too_long",
    }
    first = 2 + len(INTERVALS) + 1
    assert done.codes(SHORT, "market_data") == {str(first + i): "unmapped_value" for i in range(len(NO_INTERVALS))}
    assert done.codes(OTHER, "market_data") == {"2": "source_conflict"}
    # A size that rounds to nothing is no size.
    key = "2025-10-07T09:00:00+00:00|opened|BTCUSDT|Rule {}"
    assert done.codes(LX, "trade_events") == {key.format(4): "check_violation", key.format(6): "check_violation"}
    assert {one.source for one in done.report.rejects} == {SHORT, OTHER, LX}


@pytest.mark.parametrize(("key", "written"), _ids(SYMBOL_ROWS, [*SYMBOLS]))
def test_symbols_lose_separators_and_go_upper_case_and_the_original_is_packed(
    done: Consolidated, key: str, written: str
) -> None:
    row = done.one(SHORT, "trades", key, T)
    unified = SYMBOLS[written]
    assert row["symbol"] == unified
    assert row["strategy_params"] == (None if written == unified else f'{{"symbol": "{written}"}}')
    assert row["trade_id"] == f"short_1_{unified}_1759827600_{short_hash(SHORT, 'trades', key)}"


@pytest.mark.parametrize(("key", "written"), _ids(SIDE_ROWS, [*SIDES]))
def test_sides_are_read_in_any_letter_case_and_without_blanks(done: Consolidated, key: str, written: str) -> None:
    assert done.one(SHORT, "trades", key, T)["side"] == SIDES[written]


@pytest.mark.parametrize(("key", "written"), _ids(STATUS_ROWS, [*STATUSES]))
def test_statuses_are_those_of_the_target(done: Consolidated, key: str, written: str) -> None:
    assert done.one(SHORT, "trades", key, T)["status"] == STATUSES[written]


@pytest.mark.parametrize("key", [str(row["id"]) for row in (*SIDE_ROWS[len(SIDES) :], *STATUS_ROWS[len(STATUSES) :])])
def test_an_unknown_side_or_status_rejects_the_row_and_is_never_guessed(done: Consolidated, key: str) -> None:
    assert done.codes(SHORT, "trades")[key] == "unmapped_value"
    assert done.made(SHORT, "trades", key, T) == []


@pytest.mark.parametrize(("number", "written"), [(i, each) for i, each in enumerate(INTERVALS)])
def test_intervals_are_those_of_the_target(done: Consolidated, number: int, written: str) -> None:
    assert done.one(SHORT, "market_data", str(3 + number), C)["interval"] == INTERVALS[written]


def test_products_are_rounded_half_even(done: Consolidated) -> None:
    assert done.one(SHORT, "trades", "400", T)["position_size_usd"] == "0.00000000"  # 0.000000005
    assert done.one(SHORT, "trades", "401", T)["position_size_usd"] == "0.00000002"  # 0.000000015


def test_times_are_utc_and_seconds_between_them_are_rounded_down(done: Consolidated) -> None:
    row = done.one(SHORT, "trades", "402", T)
    assert (row["entry_time"], row["exit_time"]) == ("2025-10-07 09:00:00.123456+00", "2025-10-07 08:59:59.123457+00")
    assert row["holding_time_seconds"] == "-1"  # -0.999999
    assert done.one(SHORT, "trades", "406", T)["holding_time_seconds"] == "0"  # 0.999999


def test_updated_at_is_the_latest_time_of_the_row_whichever_it_is(done: Consolidated) -> None:
    assert done.one(SHORT, "trades", "402", T)["updated_at"] == "2025-10-07 09:00:00.123456+00"
    assert done.one(SHORT, "trades", "406", T)["updated_at"] == "2025-10-07 09:00:00.999999+00"


def test_an_exact_number_of_nine_decimals_is_rejected_and_not_rounded(done: Consolidated) -> None:
    (found,) = (one for one in done.report.rejects if (one.source, one.key) == (SHORT, "403"))
    assert (found.code.value, found.column, found.value) == ("inexact", "fees", "1.000000001")


def test_an_id_that_would_exceed_its_column_rejects_the_whole_row(done: Consolidated) -> None:
    assert done.codes(SHORT, "trades")["404"] == "too_long"
    assert done.made(SHORT, "trades", "404", T) == []
    assert done.one(SHORT, "trades", "405", "trading.orders")["order_id"] == "short_1_" + 92 * "o"


def test_a_null_status_stays_null(done: Consolidated) -> None:
    assert done.one(SHORT, "trades", "406", T)["status"] is None


@pytest.mark.parametrize(("number", "value"), [(i, value) for i, value in enumerate(HALVES)])
def test_binary_numbers_are_rounded_half_even_from_their_shortest_text(
    done: Consolidated, number: int, value: float
) -> None:
    rounded = HALVES[value]
    assert done.one(MOMENTUM, "trades", str(number + 1), T)["pnl_usd"] == rounded
    negative = done.one(MOMENTUM, "trades", str(len(HALVES) + number + 1), T)["pnl_usd"]
    assert negative == (rounded if rounded == "0.00000000" else f"-{rounded}")


def test_numbers_of_json_and_csv_are_binary_numbers_too(done: Consolidated) -> None:
    # Its shortest text is 1.000000005, which is half way: the digits after it are none of the double's.
    assert done.one(LX, "signals", "1759824000000|BTCUSDT|Rule 1", "trading.signals")["price"] == "1.00000000"
    sizes = [
        done.made(LX, "trade_events", f"2025-10-07T09:00:00+00:00|opened|BTCUSDT|Rule {i}", T)
        for i in range(len(HALVES))
    ]
    made = {row["quantity"] for rows in sizes for row in rows}
    assert made == {value for value in HALVES.values() if value != "0.00000000"}


def test_the_same_candle_of_two_bots_is_one_and_belongs_to_neither(done: Consolidated) -> None:
    first, second = done.one(SHORT, "market_data", "1", C), done.one(OTHER, "market_data", "1", C)
    assert first == second
    assert first["created_at"] == "2020-01-01 00:00:00+00"
    assert done.outcome(OTHER, "market_data", "1") == "merged"
    (counts,) = (one for one in done.report.targets if one.table == C)
    assert (counts.bot_id, counts.candidate, counts.insert) == (None, 2 + len(INTERVALS) + 1, 2 + len(INTERVALS) + 1)


def test_of_candles_that_differ_in_the_volume_alone_the_first_source_of_the_project_wins(done: Consolidated) -> None:
    assert done.codes(OTHER, "market_data") == {"2": "source_conflict"}
    assert done.one(SHORT, "market_data", "2", C)["volume"] == "10.00000000"
    (found,) = (one for one in done.report.rejects if one.source == OTHER)
    assert found.value == "10.00000001 (already there: 10.00000000)"


def test_a_bot_is_what_the_mapping_and_the_project_file_say(done: Consolidated) -> None:
    (row,) = done.target.of("trading.bots", "bot_id = 'short_1'")
    assert row == {
        "bot_id": "short_1",
        "bot_name": "Old hand",
        "bot_type": "shortseller",
        "strategy_name": "ema_crossover",
        "description": None,
        "status": "active",
        "deployment_mode": "demo",
        "initial_capital": "12345.67800000",
        "current_equity": "3.00000000",  # the latest, not the last, and not one of no time
        "max_positions": "5",
        "leverage_limit": None,
        "max_daily_loss_pct": None,
        "max_weekly_loss_pct": None,
        "max_drawdown_pct": "0.2000",
        "created_at": "2025-10-07 08:59:59.123457+00",
        "updated_at": "2025-10-07 12:00:00+00",
        "created_by": None,
        "last_heartbeat": "2025-10-07 12:00:00+00",
        "api_key_hash": None,
        "exchange": "bybit",
    }


def test_candles_are_no_sign_of_life(done: Consolidated) -> None:
    (row,) = done.target.of("trading.bots", "bot_id = 'short_2'")
    assert (row["bot_name"], row["initial_capital"]) == ("Shortseller", "10000.00000000")
    assert {row[name] for name in ("created_at", "updated_at", "last_heartbeat", "current_equity")} == {None}


def test_a_bot_lives_from_the_first_to_the_last_time_among_its_rows(done: Consolidated) -> None:
    (row,) = done.target.of("trading.bots", "bot_id = 'mom_1'")
    assert (row["created_at"], row["current_equity"]) == ("2025-10-06 10:00:00+00", "2.50000000")
    assert row["last_heartbeat"] == row["updated_at"] == "2025-10-09 03:59:59+00"  # the end of the 8th in New York


def test_configurations_are_what_the_project_file_lists(done: Consolidated) -> None:
    rows = done.target.of("config.bot_configurations")
    assert [(row["bot_id"], row["config_key"], row["config_value"], row["config_type"]) for row in rows] == [
        ("short_1", "entry", '{"breakout": 1.5}', "strategy_params"),
        ("short_1", "on", "true", None),
    ]


def test_a_bot_without_rows_is_there_all_the_same(done: Consolidated) -> None:
    assert [row["bot_id"] for row in done.target.of("trading.bots")] == ["lx_1", "mom_1", "short_1", "short_2"]


def test_rows_without_a_text_id_are_found_by_their_number(done: Consolidated) -> None:
    rows = done.target.rows(
        "select l.target_key, b.id::text as id from audit.migration_lineage as l"
        " join trading.account_balance as b on b.id::text = l.target_key"
        " where l.target_table = 'trading.account_balance' and l.source = 'short' order by b.equity"
    )
    assert len(rows) == 3
    assert all(row["target_key"] == row["id"] for row in rows)
