"""Rollback: every unified table as it was before the run, or a refusal that names the rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from consolidate import diff, reconcile
from consolidate.errors import ConflictError, ReconciliationError
from consolidate.postgres import connect
from consolidate.target import ledger, load, rollback
from consolidate.target.contract import expected
from consolidate.target.transaction import transaction
from tests.candidates import SOURCE, Candidate, SourceRow, balance, bot, candle, fill, position, trade
from tests.test_load import ALL, record, rows_of, run

if TYPE_CHECKING:
    from consolidate.staging import Staging
    from consolidate.target.rollback import Undone


def roll_back(dsn: str, run_id: str = "run-1", of_bot: str | None = None) -> Undone:
    undoing = ledger.RunRecord(
        run_id=f"undo-{run_id}-{of_bot}",
        command="rollback",
        started_at=datetime(2024, 5, 2, tzinfo=UTC),
        tool_version="0.1.0",
        undone_run_id=run_id,
    )
    with connect(dsn, what="the target") as connection, transaction(connection, run_id=undoing.run_id, record=undoing):
        rollback.name_rows(connection, run_id, of_bot)
        undone = rollback.undo(connection, run_id)
        load.refresh_views(connection)
        status = "partly_rolled_back" if undone.is_left else "rolled_back"
        ledger.finish_rollback(connection, undoing, status=status, restored=0, removed=0, report="{}")
    return undone


def settle(dsn: str, staging: Staging, rows: list[Candidate], on_conflict: str, run_id: str = "run-2") -> None:
    """A run with `--on-conflict`."""
    fill(staging, rows)
    with connect(dsn, what="the target") as connection, transaction(connection, run_id=run_id):
        report = diff.compare(staging, connection, sources=(SOURCE,), on_conflict=on_conflict)
        result = load.load(staging, connection, report, record(run_id))
        reconcile.reconcile(staging, connection, report)
        ledger.finish(connection, record(run_id), result)


def held(dsn: str) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the unified tables and of lineage, as PostgreSQL writes them."""
    names = [*(table.name for table in expected().tables), "audit.migration_lineage"]
    return {name: rows_of(dsn, f"select t::text from {name} t order by 1") for name in names}


def changed(rows: tuple[Candidate, ...]) -> list[Candidate]:
    """The same rows, changed in each table, and some more."""
    values: dict[str, dict[str, object]] = {
        "trading.bots": {"strategy_name": "other"},
        "trading.trades": {"pnl_usd": "7", "strategy_params": "null", "notes": 'tab\t "q" \\ ü \n'},
        "trading.positions": {"entry_trade_ids": ["x", None, 'q"\\', ""], "size": "9.5"},
        "trading.account_balance": {"equity": "99.12345678"},
        "trading.market_data": {"high_price": "4"},
        "trading.risk_metrics": {"daily_pnl": "2"},
    }
    return [*(row.but(**values[row.table]) for row in rows), trade("77"), balance("78"), candle("2024-02-01 00:00:00")]


def refusal(dsn: str, run_id: str = "run-1", of_bot: str | None = None) -> str:
    before = held(dsn)
    with pytest.raises(ConflictError) as caught:
        roll_back(dsn, run_id, of_bot)
    assert held(dsn) == before
    assert caught.value.exit_code == 6
    return str(caught.value)


def test_a_first_run_leaves_nothing_behind_and_can_be_loaded_again(target_dsn: str, staging: Staging) -> None:
    before = held(target_dsn)
    run(target_dsn, staging, ALL)
    undone = roll_back(target_dsn)
    assert held(target_dsn) == before
    assert sum(table.removed for table in undone.tables) == len(ALL)
    assert not undone.is_left
    assert run(target_dsn, staging, ALL, run_id="run-2").result.inserted == len(ALL)


def test_inserts_and_updates_of_a_later_run_are_undone_to_the_byte(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, ALL)
    first = held(target_dsn)
    run(target_dsn, staging, changed(ALL), run_id="run-2")
    second = held(target_dsn)
    again = [row.but(**({"pnl_usd": "8"} if row.table == "trading.trades" else {})) for row in changed(ALL)]
    run(target_dsn, staging, again, run_id="run-3")
    roll_back(target_dsn, "run-3")
    assert held(target_dsn) == second
    roll_back(target_dsn, "run-2")
    assert held(target_dsn) == first
    assert run(target_dsn, staging, again, run_id="run-4").report.conflict == 0


def test_the_ledger_tells_of_the_run_and_of_its_rollback(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, ALL)
    roll_back(target_dsn)
    assert rows_of(
        target_dsn, "select run_id, command, status, undone_run_id from audit.migration_runs order by started_at"
    ) == [("run-1", "run", "rolled_back", None), ("undo-run-1-None", "rollback", "done", "run-1")]


def test_what_a_run_changed_in_lineage_alone_is_undone(target_dsn: str, staging: Staging) -> None:
    def made_of(version: str = "1", residual: str | None = None) -> list[Candidate]:
        return [bot(), trade("1").of(SourceRow(table="trades", key="1", version=version, residual=residual))]

    run(target_dsn, staging, made_of(residual='{"a": 2.00}'))
    before = held(target_dsn)
    run(target_dsn, staging, made_of(version="2", residual='{"a": 2.0}'), run_id="run-2")
    assert held(target_dsn) != before
    roll_back(target_dsn, "run-2")
    assert held(target_dsn) == before


def test_a_further_source_row_of_a_row_is_undone(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, [bot(), trade("1")])
    before = held(target_dsn)
    both = trade("1").of(SourceRow(table="trades", key="1"), SourceRow(table="trades", key="1b", outcome="merged"))
    run(target_dsn, staging, [bot(), both], run_id="run-2")
    assert "later run run-2" in refusal(target_dsn)
    roll_back(target_dsn, "run-2")
    assert held(target_dsn) == before


def test_rows_that_a_later_run_changed_refuse_the_rollback(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, [bot(), position("1")])
    for number in (2, 3):
        run(target_dsn, staging, [bot(), position("1", size=str(number))], run_id=f"run-{number}")
    for earlier in ("run-1", "run-2"):
        said = refusal(target_dsn, earlier)
        assert "trading.positions alpha_001_p1 was changed or used again by later run run-3" in said


@pytest.mark.parametrize("run_id", ["run-1", "run-2"])
def test_rows_that_a_bot_changed_refuse_the_rollback(target_dsn: str, staging: Staging, run_id: str) -> None:
    run(target_dsn, staging, [bot(), trade("1")])
    if run_id == "run-2":
        run(target_dsn, staging, [bot(), trade("1", pnl_usd="1")], run_id="run-2")
    rows_of(target_dsn, "update trading.trades set fees = 0.00000001 returning 1")
    assert "trading.trades alpha_001_1 was changed in the target since" in refusal(target_dsn, run_id)


def test_an_updated_row_that_a_bot_deleted_refuses_the_rollback(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, [bot(), trade("1")])
    run(target_dsn, staging, [bot(), trade("1", pnl_usd="1")], run_id="run-2")
    rows_of(target_dsn, "delete from trading.trades returning 1")
    assert "trading.trades alpha_001_1 was deleted in the target since" in refusal(target_dsn, "run-2")


def test_an_inserted_row_that_a_bot_deleted_is_no_obstacle(target_dsn: str, staging: Staging) -> None:
    before = held(target_dsn)
    run(target_dsn, staging, [bot(), trade("1")])
    rows_of(target_dsn, "delete from trading.trades returning 1")
    assert roll_back(target_dsn).missing == 1
    assert held(target_dsn) == before


def test_rows_of_others_that_refer_to_a_bot_refuse_the_rollback(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, [bot(), trade("1")])
    rows_of(
        target_dsn,
        "insert into trading.trades (trade_id, bot_id, symbol, side, quantity, entry_price, position_size_usd,"
        " entry_time, strategy) values ('live-1', 'alpha_001', 'X', 'buy', 1, 1, 1, now(), 's') returning 1",
    )
    assert "trading.trades live-1 refers to trading.bots alpha_001" in refusal(target_dsn)


def test_many_obstacles_are_counted_and_twenty_shown(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, [bot(), *(trade(str(number)) for number in range(30))])
    rows_of(target_dsn, "update trading.trades set fees = 1 returning 1")
    said = refusal(target_dsn)
    assert "30 rows stand against" in said
    assert "… and 10 more" in said


def test_one_bot_is_rolled_back_and_the_others_stay(target_dsn: str, staging: Staging) -> None:
    others = [bot("alpha_002"), trade("2", "alpha_002"), balance("2", "alpha_002"), candle("2024-01-02 00:00:00")]
    run(target_dsn, staging, [bot(), trade("1"), position("1"), balance("1"), *others])
    undone = roll_back(target_dsn, of_bot="alpha_001")
    assert undone.is_left
    now = held(target_dsn)
    assert [len(now[name]) for name in ("trading.bots", "trading.trades", "trading.positions")] == [1, 1, 0]
    assert [len(now[name]) for name in ("trading.account_balance", "trading.market_data")] == [1, 1]
    assert len(now["audit.migration_lineage"]) == 4
    assert rows_of(target_dsn, "select status from audit.migration_runs where run_id = 'run-1'") == [
        ("partly_rolled_back",)
    ]
    assert not roll_back(target_dsn).is_left
    assert all(not rows for rows in held(target_dsn).values())


def test_what_another_bot_changed_is_no_obstacle_for_one_bot(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, [bot(), trade("1"), bot("alpha_002"), trade("2", "alpha_002")])
    rows_of(target_dsn, "update trading.trades set fees = 1 where bot_id = 'alpha_002' returning 1")
    assert "alpha_002_2" in refusal(target_dsn, of_bot="alpha_002")
    roll_back(target_dsn, of_bot="alpha_001")
    assert rows_of(target_dsn, "select trade_id from trading.trades") == [("alpha_002_2",)]


def test_candles_leave_with_the_last_run_that_brought_them(target_dsn: str, staging: Staging) -> None:
    empty = held(target_dsn)
    ours = candle("2024-01-02 00:00:00")
    theirs = ours.of(SourceRow(source="beta", table="candles", key="x"))
    run(target_dsn, staging, [ours])
    run(target_dsn, staging, [theirs, candle("2024-01-03 00:00:00")], run_id="run-2", sources=("beta",))
    undone = roll_back(target_dsn, "run-1")
    assert [(table.removed, table.kept) for table in undone.tables] == [(0, 1)]
    assert rows_of(target_dsn, "select count(*) from trading.market_data") == [(2,)]
    assert not run(target_dsn, staging, [theirs], run_id="run-3", sources=("beta",)).result.wrote
    roll_back(target_dsn, "run-2")
    assert held(target_dsn) == empty


def test_a_candle_that_was_there_before_any_run_stays(target_dsn: str, staging: Staging) -> None:
    rows_of(
        target_dsn,
        "insert into trading.market_data (symbol, interval, timestamp, open_price, high_price, low_price, close_price,"
        " volume) values ('BTCUSDT', '1m', '2024-01-02 00:00:00+00', 1, 3, 0.5, 2, 10) returning 1",
    )
    before = held(target_dsn)
    run(target_dsn, staging, [candle("2024-01-02 00:00:00")])
    roll_back(target_dsn)
    assert held(target_dsn) == before


def test_a_trigger_that_writes_besides_undoes_the_rollback(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, [bot(), trade("1"), balance("1")])
    before = held(target_dsn)
    with (  # noqa: PT012
        pytest.raises(ReconciliationError, match="rollback-differs"),
        connect(target_dsn, what="the target") as connection,
    ):
        connection.execute(b"begin")
        connection.execute(
            b"create function public.meddle() returns trigger language plpgsql as $$ begin"
            b" update trading.bots set status = 'paused'; return old; end $$"
        )
        connection.execute(
            b"create trigger meddle after delete on trading.trades for each row execute function public.meddle()"
        )
        rollback.name_rows(connection, "run-1", "alpha_001")
        rollback.undo(connection, "run-1")
    assert held(target_dsn) == before


SETTLED = {
    "both": "update trading.trades set fees = 5 returning 1",
    "deleted": "delete from trading.trades returning 1",
    "foreign": "delete from audit.migration_lineage where target_table = 'trading.trades' returning 1",
}


@pytest.mark.parametrize("how", sorted(SETTLED))
def test_on_conflict_target_leaves_the_rows(target_dsn: str, staging: Staging, how: str) -> None:
    run(target_dsn, staging, [bot(), trade("1")])
    rows_of(target_dsn, SETTLED[how])
    before = rows_of(target_dsn, "select t::text from trading.trades t")
    lineage = held(target_dsn)["audit.migration_lineage"]
    settle(target_dsn, staging, [bot(), trade("1", pnl_usd="3")], "target")
    assert rows_of(target_dsn, "select t::text from trading.trades t") == before
    roll_back(target_dsn, "run-2")
    assert held(target_dsn)["audit.migration_lineage"] == lineage


@pytest.mark.parametrize("how", sorted(SETTLED))
def test_on_conflict_source_overwrites_and_a_rollback_brings_back(target_dsn: str, staging: Staging, how: str) -> None:
    run(target_dsn, staging, [bot(), trade("1")])
    rows_of(target_dsn, SETTLED[how])
    before = held(target_dsn)
    rows = [bot(), trade("1", pnl_usd="3")]
    settle(target_dsn, staging, rows, "source")
    assert rows_of(target_dsn, "select pnl_usd::text, fees::text from trading.trades") == [("3.00000000", None)]
    assert not run(target_dsn, staging, rows, run_id="run-3").result.wrote
    roll_back(target_dsn, "run-2")
    assert held(target_dsn) == before


def test_on_conflict_source_brings_a_deleted_row_back_under_its_id(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, [bot(), balance("1")])
    rows_of(target_dsn, "delete from trading.account_balance returning 1")
    before = held(target_dsn)
    settle(target_dsn, staging, [bot(), balance("1", equity="7"), balance("2")], "source")
    assert rows_of(target_dsn, "select id, equity::text from trading.account_balance order by id") == [
        (1, "7.00000000"),
        (3, "100.00000000"),
    ]
    roll_back(target_dsn, "run-2")
    assert held(target_dsn) == before


def test_without_a_word_a_conflict_still_refuses(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, [bot(), trade("1")])
    rows_of(target_dsn, SETTLED["both"])
    with pytest.raises(ConflictError, match="--on-conflict source"):
        settle(target_dsn, staging, [bot(), trade("1", pnl_usd="3")], "refuse")


def test_what_running_bots_write_to_their_row_is_no_conflict(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, [bot(current_equity="1")])
    rows_of(
        target_dsn,
        "update trading.bots set last_heartbeat = now(), updated_at = now(), current_equity = 5, status = 'paused'"
        " returning 1",
    )
    before = rows_of(target_dsn, "select t::text from trading.bots t")
    ran = run(target_dsn, staging, [bot(current_equity="2"), trade("1")], run_id="run-2")
    assert [notice.code for notice in ran.report.notices] == ["bot_is_live"]
    assert rows_of(target_dsn, "select t::text from trading.bots t") == before
    with pytest.raises(ConflictError):
        run(target_dsn, staging, [bot(current_equity="2", strategy_name="new")], run_id="run-3")
