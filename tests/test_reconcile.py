"""Reconcile: whatever differs between candidates and target before the commit is found, named and rolled back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from consolidate import reconcile
from consolidate.errors import ExitCode, ReconciliationError
from consolidate.postgres import connect
from tests.candidates import balance, bot, candle, day, position, trade
from tests.test_load import ALL, all_rows, run

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from consolidate.staging import Staging

_TRIGGER = """
    create function public.meddle() returns trigger language plpgsql as $$ begin {body} end $$;
    create trigger meddle {when} on {table} for each row execute function public.meddle();
"""


def trigger(table: str, body: str, when: str = "before insert or update") -> Callable[[psycopg.Connection[Any]], None]:
    """Puts a trigger on the table after the schema was found to have none."""

    def meddle(connection: psycopg.Connection[Any]) -> None:
        connection.execute(_TRIGGER.format(table=table, body=body, when=when).encode())

    return meddle


def test_a_loaded_run_is_proved_in_rows_and_totals(target_dsn: str, staging: Staging) -> None:
    proof = run(target_dsn, staging, ALL).proof
    assert proof.rows == 11
    found = {(one.table, one.bot_id, one.measure): one for one in proof.controls}
    assert all(one.status == "equal" and one.difference == "0" for one in proof.controls)
    total = found["trading.trades", "alpha_001", "sum(quantity)"]
    assert (total.source_value, total.target_value, total.rejected_value) == ("1.00000000", "1.00000000", "0")
    assert found["trading.trades", "alpha_001", "count"].target_value == "2"
    assert found["trading.trades", "alpha_001", "count(status = pending)"].target_value == "1"
    assert found["trading.trades", "alpha_001", "max(entry_time)"].target_value == "2024-01-02T03:04:05.678901Z"
    assert found["trading.market_data", None, "sum(volume)"].target_value == "20.00000000"
    assert found["trading.risk_metrics", "alpha_001", "min(date)"].target_value == "2024-01-02"
    assert ("trading.trades", "alpha_001", "sum(slippage)") not in found  # not recorded on either side


ALTERING = {
    "digit": ("trading.trades", "quantity", "new.quantity + 0.00000001", "source '0.50000000', target '0.50000001'"),
    "zero": ("trading.trades", "pnl_usd", "coalesce(new.pnl_usd, 0)", "source null, target '0.00000000'"),
    "empty": ("trading.trades", "notes", "coalesce(new.notes, '')", "source null, target ''"),
    "json": ("trading.trades", "strategy_params", """'{"a": 1}'""", """target '{"a": 1}'"""),
    "scale": ("trading.trades", "strategy_params", '\'{"ratio": 1.1, "order_id": "x1"}\'', '"ratio": 1.10'),
    "time": ("trading.trades", "entry_time", "date_trunc('second', new.entry_time)", "03:04:05.678901+00', target"),
    "array": ("trading.positions", "entry_trade_ids", "new.entry_trade_ids[2:]", """target '{"a b","""),
    "by id": ("trading.account_balance", "equity", "new.equity + 1", "target '101.00000000'"),
    "now": ("trading.bots", "created_at", "now()", "source '2024-01-01 00:00:00+00'"),
}


@pytest.mark.parametrize("again", [False, True], ids=["first run", "later run"])
@pytest.mark.parametrize("altered", sorted(ALTERING))
def test_a_trigger_that_alters_a_row_is_caught(target_dsn: str, staging: Staging, altered: str, again: bool) -> None:  # noqa: FBT001
    if again:
        others = (trade("z", "b"), position("z", "b"), balance("z", "b"), candle("2020-01-01"), day("2020-01-01", "b"))
        run(target_dsn, staging, [bot("b"), *others], run_id="run-0")
    before = all_rows(target_dsn)
    table, column, value, told = ALTERING[altered]
    with pytest.raises(ReconciliationError) as caught:
        run(target_dsn, staging, ALL, meddle=trigger(table, f"new.{column} := {value}; return new;"))
    assert caught.value.exit_code == ExitCode.RECONCILIATION
    assert [problem.message.split(":")[0] for problem in caught.value.problems] == [table]
    assert f"{column}: " in str(caught.value)
    assert told in str(caught.value)
    assert all_rows(target_dsn) == before


def test_a_trigger_that_swallows_a_row_is_caught(target_dsn: str, staging: Staging) -> None:
    body = "if new.trade_id = 'alpha_001_2' then return null; end if; return new;"
    with pytest.raises(ReconciliationError, match="1 rows are missing") as caught:
        run(target_dsn, staging, ALL, meddle=trigger("trading.trades", body))
    assert "trading.trades alpha_001_2: is missing" in str(caught.value)


@pytest.mark.parametrize("fresh", [True, False])
def test_a_trigger_that_adds_a_row_is_caught(target_dsn: str, staging: Staging, fresh: bool) -> None:  # noqa: FBT001
    if not fresh:
        run(target_dsn, staging, ALL, run_id="run-0")
    body = """
        if pg_catalog.pg_trigger_depth() = 1 then
            insert into trading.account_balance (bot_id, total_balance, available_balance, equity)
            values ('alpha_001', 0, 0, 0);
        end if;
        return new;"""
    rows = ALL if fresh else [*ALL, balance("9")]
    before = all_rows(target_dsn)
    with pytest.raises(ReconciliationError, match="written-besides"):
        run(target_dsn, staging, rows, meddle=trigger("trading.account_balance", body))
    assert all_rows(target_dsn) == before


def test_a_trigger_that_changes_a_row_of_another_table_is_caught(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, ALL, run_id="run-0")
    body = "update trading.bots set current_equity = 1 where bot_id = new.bot_id; return new;"
    with pytest.raises(ReconciliationError, match=r"trading\.bots: the transaction inserted 0 rows, updated 1"):
        run(target_dsn, staging, [*ALL, trade("9")], meddle=trigger("trading.trades", body))


def test_a_trigger_that_alters_an_update_is_caught(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, ALL, run_id="run-0")
    before = all_rows(target_dsn)
    changed = [row.but(equity="5") if row.table == "trading.account_balance" else row for row in ALL]
    body = "new.equity := new.equity + 1; return new;"
    with pytest.raises(ReconciliationError, match=r"equity: source '5\.00000000', target '6\.00000000'"):
        run(target_dsn, staging, changed, meddle=trigger("trading.account_balance", body))
    assert all_rows(target_dsn) == before


def test_many_differences_are_counted_and_twenty_shown(target_dsn: str, staging: Staging) -> None:
    rows = [bot(), *(trade(f"{number:02}") for number in range(30))]
    with pytest.raises(ReconciliationError, match="30 differ from their candidates") as caught:
        run(target_dsn, staging, rows, meddle=trigger("trading.trades", "new.notes := 'x'; return new;"))
    assert str(caught.value).count("notes: source null, target 'x'") == 20


def test_money_per_bot(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, [*ALL, trade("8", fees="0.5")])
    with connect(target_dsn, what="the target") as connection:
        first, second = reconcile.money(connection, ["alpha_001", "alpha_002", "nobody"])
    assert (first.bot_id, first.trades, first.open_positions) == ("alpha_001", 3, 1)
    assert (first.pnl_usd, first.fees, first.equity) == ("-25.00000000", "0.50000000", None)
    assert (second.bot_id, second.trades, second.pnl_usd, second.fees) == ("alpha_002", 1, "-12.50000000", None)
