"""Diff: three-way truth on a second run, and what is told without being touched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from consolidate import diff
from consolidate.errors import ConflictError
from consolidate.postgres import connect
from consolidate.target import held
from consolidate.target.transaction import snapshot
from tests.candidates import SOURCE, Candidate, SourceRow, balance, bot, candle, day, fill, position, trade
from tests.test_load import ALL, all_rows, rows_of, run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consolidate.diff import DiffReport
    from consolidate.staging import Staging

LEDGER = "audit.migration_runs"


@pytest.fixture(params=["looked up", "scanned"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of the target are found by their keys, or by reading all of the bots; both must find the same."""
    if request.param == "scanned":
        monkeypatch.setattr(held, "MANY", 0)


def plan(dsn: str, staging: Staging, rows: Iterable[Candidate], sources: tuple[str, ...] = (SOURCE,)) -> DiffReport:
    fill(staging, rows)
    with connect(dsn, what="the target") as connection, snapshot(connection):
        return diff.compare(staging, connection, sources=sources)


def tally(report: DiffReport) -> dict[str, tuple[int, int, int, int]]:
    return {one.table: (one.insert, one.update, one.unchanged, one.conflict) for one in report.tables}


def codes(report: DiffReport) -> list[str]:
    return [notice.code for notice in report.notices]


def without_runs(rows: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    return {table: found for table, found in rows.items() if table != LEDGER}


def test_against_an_absent_schema_everything_is_inserted(staging: Staging) -> None:
    fill(staging, ALL)
    report = diff.compare(staging, None, sources=[SOURCE])
    assert sum(one.insert for one in report.tables) == 11
    assert report.changes
    counts = {(one.table, one.bot_id): one.insert for one in report.counts}
    assert counts["trading.trades", "alpha_001"] == 2
    assert counts["trading.trades", "alpha_002"] == 1
    assert counts["trading.market_data", None] == 2


@pytest.mark.usefixtures("way")
def test_a_plan_says_what_the_load_then_does_and_writes_nothing(target_dsn: str, staging: Staging) -> None:
    before = all_rows(target_dsn)
    planned = plan(target_dsn, staging, ALL)
    assert all_rows(target_dsn) == before
    assert planned.counts == run(target_dsn, staging, ALL).report.counts


@pytest.mark.usefixtures("way")
def test_a_second_run_changes_nothing(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, ALL)
    before = all_rows(target_dsn)
    ran = run(target_dsn, staging, ALL, run_id="run-2")
    assert without_runs(all_rows(target_dsn)) == without_runs(before)
    assert (ran.result.inserted, ran.result.updated, ran.result.unchanged) == (0, 0, 11)
    assert not ran.result.wrote
    assert not ran.report.changes
    assert ran.report.notices == ()
    assert all(control.status == "equal" for control in ran.proof.controls)


def test_candidates_in_another_order_are_the_same_rows(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, ALL)
    before = all_rows(target_dsn)
    assert not run(target_dsn, staging, reversed(ALL), run_id="run-2").result.wrote
    assert without_runs(all_rows(target_dsn)) == without_runs(before)


@pytest.mark.usefixtures("way")
def test_a_source_that_grew_adds_just_its_new_rows(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, ALL)
    more = (*ALL, trade("7"), balance("7"), candle("2024-01-02 00:07:00"), day("2024-01-07"))
    report = run(target_dsn, staging, more, run_id="run-2").report
    assert sum(one.insert for one in report.tables) == 4
    assert sum(one.unchanged for one in report.tables) == 11
    assert rows_of(target_dsn, "select count(*) from audit.migration_lineage where run_id = 'run-2'") == [(4,)]


CHANGED = {
    "trading.bots": lambda row: row.but(description="now"),
    "trading.trades": lambda row: row.but(pnl_usd="1", strategy_params='{"ratio": 1.100}'),
    "trading.positions": lambda row: row.but(entry_trade_ids=["other"]),
    "trading.account_balance": lambda row: row.but(equity="99"),
    "trading.market_data": lambda row: row.but(exchange="okx", close_price="2.5"),
    "trading.risk_metrics": lambda row: row.but(daily_pnl="2"),
}
COLUMN = {
    "trading.bots": "bot_name",
    "trading.trades": "notes",
    "trading.positions": "notes",
    "trading.account_balance": "data_source",
    "trading.market_data": "data_source",
    "trading.risk_metrics": "bot_id",
}


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("table", sorted(CHANGED))
def test_changed_only_in_the_source_is_updated_and_the_former_row_kept(
    target_dsn: str, staging: Staging, table: str
) -> None:
    run(target_dsn, staging, ALL)
    (before,) = rows_of(target_dsn, f"select to_jsonb(t)::text from {table} t order by ctid limit 1")[0]
    first = next(row for row in ALL if row.table == table)
    rows = [CHANGED[table](row) if row is first else row for row in ALL]
    ran = run(target_dsn, staging, rows, run_id="run-2")
    assert ran.result.updated == 1
    assert ran.proof.rows == 1
    ((previous, run_id, first_run, then),) = rows_of(
        target_dsn,
        "select (previous->'row')::text, run_id, first_run_id, previous->>'run_id' from audit.migration_lineage"
        " where previous is not null",
    )
    assert (previous, run_id, first_run, then) == (before, "run-2", "run-1", "run-1")
    again = run(target_dsn, staging, rows, run_id="run-3")
    assert not again.result.wrote


def test_only_json_changed_is_an_update(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, [bot(), trade("1")])
    respelled = trade("1", strategy_params='{"ratio":1.10,"order_id":"x1"}')
    assert tally(plan(target_dsn, staging, [bot(), respelled]))["trading.trades"] == (0, 0, 1, 0)
    for changed in ('{"order_id": "x1", "ratio": 1.1}', None, "null"):
        rows = [bot(), trade("1", strategy_params=changed)]
        assert tally(plan(target_dsn, staging, rows))["trading.trades"] == (0, 1, 0, 0)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("table", ["trading.bots", "trading.trades", "trading.account_balance", "trading.market_data"])
def test_changed_only_in_the_target_is_left_alone_and_told(target_dsn: str, staging: Staging, table: str) -> None:
    run(target_dsn, staging, ALL)
    rows_of(target_dsn, f"update {table} set {COLUMN[table]} = 'bot' returning 1")
    before = all_rows(target_dsn)
    ran = run(target_dsn, staging, ALL, run_id="run-2")
    assert without_runs(all_rows(target_dsn)) == without_runs(before)
    assert codes(ran.report) == ["target_changed"]
    assert ran.result.unchanged == 11


@pytest.mark.parametrize(
    "table", ["trading.trades", "trading.account_balance", "trading.market_data", "trading.risk_metrics"]
)
def test_deleted_in_the_target_is_not_inserted_again(target_dsn: str, staging: Staging, table: str) -> None:
    run(target_dsn, staging, ALL)
    rows_of(target_dsn, f"delete from {table} returning 1")
    ran = run(target_dsn, staging, ALL, run_id="run-2")
    assert codes(ran.report) == ["target_changed"]
    assert rows_of(target_dsn, f"select count(*) from {table}") == [(0,)]


@pytest.mark.usefixtures("way")
def test_changed_in_both_is_a_conflict_with_both_values(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, ALL)
    rows_of(target_dsn, "update trading.trades set pnl_usd = 7 where trade_id = 'alpha_001_1' returning 1")
    before = all_rows(target_dsn)
    rows = [row.but(pnl_usd="1") if row.values.get("trade_id") == "alpha_001_1" else row for row in ALL]
    assert plan(target_dsn, staging, rows).conflict == 1
    with pytest.raises(ConflictError) as caught:
        run(target_dsn, staging, rows, run_id="run-2")
    assert "trading.trades alpha_001_1 changed in the source and in the target" in str(caught.value)
    assert "pnl_usd: source '1.00000000', target '7.00000000'" in str(caught.value)
    assert all_rows(target_dsn) == before


def test_both_sides_changed_to_the_same_is_no_conflict(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, [bot(), trade("1")])
    rows_of(target_dsn, "update trading.trades set pnl_usd = 7 returning 1")
    ran = run(target_dsn, staging, [bot(), trade("1", pnl_usd="7")], run_id="run-2")
    assert not ran.result.wrote


def test_deleted_in_the_target_and_changed_in_the_source_is_a_conflict(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, [bot(), trade("1")])
    rows_of(target_dsn, "delete from trading.trades returning 1")
    report = plan(target_dsn, staging, [bot(), trade("1", pnl_usd="7")])
    assert [conflict.reason for conflict in report.conflicts] == [
        "changed in the source, and deleted in the target since it was loaded"
    ]


@pytest.mark.parametrize("same", [True, False])
def test_a_row_that_was_there_before_any_run_is_a_conflict(target_dsn: str, staging: Staging, same: bool) -> None:  # noqa: FBT001
    run(target_dsn, staging, [bot(), trade("1"), day("2024-01-02")])
    rows_of(target_dsn, "delete from audit.migration_lineage where target_table <> 'trading.bots' returning 1")
    pnl = "-12.5" if same else "1"
    report = plan(target_dsn, staging, [bot(), trade("1", pnl_usd=pnl), day("2024-01-02")])
    assert tally(report)["trading.trades"] == (0, 0, 0, 1)
    assert tally(report)["trading.risk_metrics"] == (0, 0, 0, 1)
    assert {conflict.key for conflict in report.conflicts} == {"alpha_001_1", "alpha_001|2024-01-02"}


def test_more_conflicts_than_are_listed_are_counted(target_dsn: str, staging: Staging) -> None:
    rows = [bot(), *(trade(f"{n:02}") for n in range(25))]
    run(target_dsn, staging, rows)
    rows_of(target_dsn, "delete from audit.migration_lineage where target_table = 'trading.trades' returning 1")
    with pytest.raises(ConflictError, match="25 rows cannot be loaded") as caught:
        plan(target_dsn, staging, rows).refuse_conflicts()
    assert "… and 5 more" in str(caught.value)


CANDLE = candle("2024-01-02 00:00:00")
OTHERS = CANDLE.but(exchange="okx").of(SourceRow(source="beta", table="candles", key="x"))


def test_a_candle_that_is_there_with_the_same_prices_is_shared(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, [CANDLE])
    ran = run(target_dsn, staging, [OTHERS], run_id="run-2", sources=("beta",))
    assert tally(ran.report)["trading.market_data"] == (0, 0, 1, 0)
    assert rows_of(target_dsn, "select exchange from trading.market_data") == [("bybit",)]
    assert rows_of(
        target_dsn, "select source, run_id, row_hash is null from audit.migration_lineage order by source"
    ) == [("alpha", "run-1", False), ("beta", "run-2", True)]
    before = all_rows(target_dsn)
    assert not run(target_dsn, staging, [OTHERS], run_id="run-3", sources=("beta",)).result.wrote
    assert not run(target_dsn, staging, [CANDLE], run_id="run-4").result.wrote
    assert without_runs(all_rows(target_dsn)) == without_runs(before)


@pytest.mark.parametrize("column", ["open_price", "high_price", "low_price", "close_price", "volume"])
def test_a_candle_that_is_there_with_another_price_is_a_conflict(
    target_dsn: str, staging: Staging, column: str
) -> None:
    run(target_dsn, staging, [CANDLE])
    report = plan(target_dsn, staging, [OTHERS.but(**{column: "1.5"})], ("beta",))
    assert tally(report)["trading.market_data"] == (0, 0, 0, 1)
    assert column in {cell.column for conflict in report.conflicts for cell in conflict.cells}


def test_a_candle_of_a_bot_is_shared_too(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, [CANDLE])
    rows_of(target_dsn, "delete from audit.migration_lineage returning 1")
    ran = run(target_dsn, staging, [CANDLE, candle("2024-01-02 00:05:00")], run_id="run-2")
    assert tally(ran.report)["trading.market_data"] == (1, 0, 1, 0)


def test_one_source_row_may_make_several_rows_that_only_lineage_knows(target_dsn: str, staging: Staging) -> None:
    source = SourceRow(table="states", key="1")
    rows = [bot(), bot("b2"), *(balance(name, name).of(source) for name in ("alpha_001", "b2"))]
    run(target_dsn, staging, rows)
    assert not run(target_dsn, staging, rows, run_id="run-2").result.wrote
    rows[3] = rows[3].but(equity="7")
    assert run(target_dsn, staging, rows, run_id="run-3").result.updated == 1
    assert rows_of(target_dsn, "select bot_id, equity::text from trading.account_balance order by 1") == [
        ("alpha_001", "100.00000000"),
        ("b2", "7.00000000"),
    ]


def test_a_row_that_only_merged_source_rows_lead_to_is_known_again(target_dsn: str, staging: Staging) -> None:
    rows = [bot(), balance("1").of(SourceRow(table="balances", key="1", outcome="merged"))]
    run(target_dsn, staging, rows)
    assert not run(target_dsn, staging, rows, run_id="run-2").result.wrote


def test_a_row_gone_from_the_source_is_told_and_stays(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, ALL)
    rows = [row for row in ALL if row.table not in ("trading.account_balance", "trading.positions")]
    ran = run(target_dsn, staging, rows, run_id="run-2")
    assert [notice.message.split(" that")[0] for notice in ran.report.notices] == [
        "2 rows of alpha.balances",
        "1 rows of alpha.trades",
    ]
    assert rows_of(target_dsn, "select count(*) from trading.account_balance") == [(2,)]
    assert not ran.result.wrote


def test_rows_of_sources_that_are_not_in_this_run_are_not_gone(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, ALL)
    beta = trade("1", "b2").of(SourceRow(source="beta", table="trades", key="1"))
    newcomer = bot("b2").of(SourceRow(source="beta", table="project", key="b2"))
    ran = run(target_dsn, staging, [newcomer, beta], run_id="run-2", sources=("beta",))
    assert ran.report.notices == ()
    assert ran.result.inserted == 2


def test_a_new_source_row_behind_an_unchanged_row_is_added_to_its_lineage(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, [bot(), trade("1")])
    both = trade("1").of(SourceRow(table="trades", key="1"), SourceRow(table="trades", key="1b", outcome="merged"))
    ran = run(target_dsn, staging, [bot(), both], run_id="run-2")
    assert (ran.result.inserted, ran.result.updated, ran.result.lineage) == (0, 0, 1)
    assert rows_of(
        target_dsn,
        "select source_key, run_id, first_run_id, count(*) over (partition by row_hash) from audit.migration_lineage"
        " where target_table = 'trading.trades' order by 1",
    ) == [("1", "run-1", None, 2), ("1b", "run-2", "run-1", 2)]
    assert not run(target_dsn, staging, [bot(), both], run_id="run-3").result.wrote


@pytest.mark.parametrize("change", [{"version": "2"}, {"residual": '{"a": 2.0}'}, {"residual": None}])
def test_lineage_follows_what_the_target_row_does_not_hold(
    target_dsn: str, staging: Staging, change: dict[str, Any]
) -> None:
    first = {"residual": '{"a": 2.00}', "version": "1"}
    run(target_dsn, staging, [bot(), trade("1").of(SourceRow(table="trades", key="1", **first))])
    changed = [bot(), trade("1").of(SourceRow(table="trades", key="1", **{**first, **change}))]
    ran = run(target_dsn, staging, changed, run_id="run-2")
    assert (ran.result.updated, ran.result.lineage) == (0, 1)
    residual = change.get("residual", '{"a": 2.00}')
    assert rows_of(
        target_dsn, "select residual::text, run_id from audit.migration_lineage where source_table = 'trades'"
    ) == [(residual, "run-2")]
    assert not run(target_dsn, staging, changed, run_id="run-3").result.wrote


def test_updates_keep_the_whole_chain_of_former_rows(target_dsn: str, staging: Staging) -> None:
    for number in range(4):
        run(target_dsn, staging, [bot(), position("1", size=str(number + 1))], run_id=f"run-{number}")
    assert rows_of(
        target_dsn,
        "select run_id, previous->>'run_id', previous->'previous'->'row'->>'size', previous->'previous'->'previous'"
        "->'row'->>'size' from audit.migration_lineage where target_table = 'trading.positions'",
    ) == [("run-3", "run-2", "2.00000000", "1.00000000")]


def test_a_key_with_a_nul_is_known_again(target_dsn: str, staging: Staging) -> None:
    rows = [bot(), balance("a\0b")]
    run(target_dsn, staging, rows)
    assert not run(target_dsn, staging, rows, run_id="run-2").result.wrote
