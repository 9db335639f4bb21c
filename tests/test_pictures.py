"""What pictures are drawn from: before and after a load, against a real target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consolidate import diff
from consolidate.model import BotChart, SymbolMoney
from consolidate.pictures import _TIMES, MOST_POINTS, pictures
from consolidate.postgres import connect
from consolidate.target.contract import expected
from consolidate.target.transaction import snapshot
from tests.candidates import BOT, SOURCE, Candidate, balance, bot, fill, trade
from tests.test_load import run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consolidate.model import ChartData
    from consolidate.staging import Staging


def drawn(dsn: str, staging: Staging, rows: Iterable[Candidate]) -> ChartData:
    fill(staging, rows)
    with connect(dsn, what="the target") as connection, snapshot(connection):
        return pictures(staging, connection, diff.compare(staging, connection, sources=[SOURCE]))


def money(found: ChartData) -> BotChart:
    (chart,) = (one for one in found.bots if one.bot_id == BOT)
    return chart


FIRST = (
    bot(),
    trade("1", symbol="BTCUSDT", pnl_usd="1.50000000", exit_time="2024-01-02 05:00:00"),
    trade("2", symbol="ETHUSDT", pnl_usd="-0.25000000", exit_time="2024-01-03 05:00:00"),
    balance("1", timestamp="2024-01-02 00:00:00", equity="100.00000000"),
    balance("2", timestamp="2024-01-03 00:00:00", equity="110.00000000"),
)


def test_of_an_absent_target_everything_is_after(staging: Staging) -> None:
    fill(staging, FIRST)
    found = pictures(staging, None, diff.compare(staging, None, sources=[SOURCE]))
    assert money(found) == BotChart(
        bot_id=BOT,
        equity_after=(("2024-01-02T00:00:00Z", "100.00000000"), ("2024-01-03T00:00:00Z", "110.00000000")),
        pnl_after=(("2024-01-02T05:00:00Z", "1.50000000"), ("2024-01-03T05:00:00Z", "1.25000000")),
    )
    assert {chart.table: (chart.days, chart.undated) for chart in found.inserts} == {
        "trading.bots": ((), 1),
        "trading.trades": ((("2024-01-02", 2),), 0),
        "trading.account_balance": ((("2024-01-02", 1), ("2024-01-03", 1)), 0),
    }


def test_a_run_that_changes_nothing_draws_the_same_before_and_after(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, FIRST)
    chart = money(drawn(target_dsn, staging, FIRST))
    assert chart.equity_before == chart.equity_after != ()
    assert chart.pnl_before == chart.pnl_after != ()


def test_what_is_overwritten_counts_once(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, FIRST)
    second = (
        *FIRST[:2],
        FIRST[2].but(pnl_usd="-5.00000000"),
        FIRST[3],
        FIRST[4].but(equity="90.00000000"),
        trade("3", symbol="ETHUSDT", pnl_usd="2.00000000", exit_time="2024-01-04 05:00:00"),
    )
    found = drawn(target_dsn, staging, second)
    chart = money(found)
    assert chart.pnl_before[-1] == ("2024-01-03T05:00:00Z", "1.25000000")
    assert chart.pnl_after[-2:] == (("2024-01-03T05:00:00Z", "-3.50000000"), ("2024-01-04T05:00:00Z", "-1.50000000"))
    assert chart.equity_before[-1] == ("2024-01-03T00:00:00Z", "110.00000000")
    assert chart.equity_after[-1] == ("2024-01-03T00:00:00Z", "90.00000000")
    assert found.symbols == (
        SymbolMoney(
            bot_id=BOT,
            symbol="BTCUSDT",
            trades_before=1,
            trades_after=1,
            pnl_before="1.50000000",
            pnl_after="1.50000000",
        ),
        SymbolMoney(
            bot_id=BOT,
            symbol="ETHUSDT",
            trades_before=1,
            trades_after=2,
            pnl_before="-0.25000000",
            pnl_after="-3.00000000",
        ),
    )


def test_an_overwritten_balance_that_moves_in_time_leaves_its_old_place(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, FIRST)
    moved = (*FIRST[:4], FIRST[4].but(timestamp="2024-01-01 00:00:00"))
    chart = money(drawn(target_dsn, staging, moved))
    assert chart.equity_before[-1][0] == "2024-01-03T00:00:00Z"
    assert chart.equity_after == (("2024-01-01T00:00:00Z", "110.00000000"), ("2024-01-02T00:00:00Z", "100.00000000"))


def test_a_trade_without_an_end_counts_when_it_began_and_one_without_pnl_not_at_all(staging: Staging) -> None:
    fill(
        staging,
        (
            bot(),
            trade("1", pnl_usd="1.00000000", exit_time=None, entry_time="2024-02-01 00:00:00"),
            trade("2", pnl_usd=None, exit_time="2024-02-02 00:00:00"),
        ),
    )
    found = pictures(staging, None, diff.compare(staging, None, sources=[SOURCE]))
    assert money(found).pnl_after == (("2024-02-01T00:00:00Z", "1.00000000"),)


def test_a_long_history_is_thinned_out_and_keeps_its_end(target_dsn: str, staging: Staging) -> None:
    fill(staging, FIRST)
    staging.run("""
        insert into cand."trading.account_balance"
        select c.* replace (i + 10 as "#n", c."timestamp" + to_minutes(i) as "timestamp", i as equity)
        from cand."trading.account_balance" c, range(1, 20001) r (i) where c."#n" = 2
    """)
    staging.run("""
        insert into cand."trading.trades"
        select c.* replace (i + 10 as "#n", c.trade_id || i as trade_id, c.exit_time + to_days(i::integer) as exit_time)
        from cand."trading.trades" c, range(1, 20001) r (i) where c."#n" = 1
    """)
    with connect(target_dsn, what="the target") as connection, snapshot(connection):
        chart = money(pictures(staging, connection, diff.compare(staging, connection, sources=[SOURCE])))
    for points in (chart.equity_after, chart.pnl_after):
        assert MOST_POINTS / 4 < len(points) <= MOST_POINTS
        assert list(points) == sorted(points)
    assert chart.equity_after[-1] == ("2024-01-16T21:20:00Z", "20000.00000000")
    assert chart.pnl_after[-1][1] == "30001.25000000"


def test_every_table_with_a_time_of_its_own_is_drawn_by_it() -> None:
    columns = {table.name: {column.name for column in table.columns} for table in expected().tables}
    assert set(columns) - set(_TIMES) == {"trading.bots", "archive.rows"}
    assert all(time in columns[table] for table, time in _TIMES.items())
