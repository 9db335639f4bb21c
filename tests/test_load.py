"""Load: what is written, in one transaction, and what a failure leaves behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from consolidate import diff, reconcile
from consolidate.errors import ConflictError, UnreachableError
from consolidate.postgres import connect
from consolidate.staging import Staging
from consolidate.target import ledger, load, rebuild, schema
from consolidate.target.contract import expected
from consolidate.target.transaction import transaction
from tests.candidates import SOURCE, Candidate, Rejected, SourceRow, balance, bot, candle, day, fill, position, trade

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import psycopg

    from consolidate.diff import DiffReport
    from consolidate.model import Progress
    from consolidate.reconcile import Reconciliation
    from consolidate.target.load import LoadResult


ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    report: DiffReport
    result: LoadResult
    proof: Reconciliation


def record(run_id: str = "run-1") -> ledger.RunRecord:
    return ledger.RunRecord(
        run_id=run_id, command="run", started_at=datetime(2024, 5, 1, tzinfo=UTC), tool_version="0.1.0"
    )


def run(
    dsn: str,
    staging: Staging,
    rows: Iterable[Candidate],
    *,
    run_id: str = "run-1",
    rejects: Iterable[Rejected] = (),
    sources: tuple[str, ...] = (SOURCE,),
    observe: Callable[[Progress], None] = lambda _: None,
    meddle: Callable[[psycopg.Connection[Any]], object] = lambda _: None,
) -> Ran:
    """The whole way from candidates to commit; `meddle` runs between diff and load, in the transaction."""
    fill(staging, rows, rejects)
    with connect(dsn, what="the target") as connection, transaction(connection, run_id=run_id):
        report = diff.compare(staging, connection, sources=sources, observe=observe)
        meddle(connection)
        result = load.load(staging, connection, report, record(run_id), observe)
        proof = reconcile.reconcile(staging, connection, report, observe)
        load.refresh_views(connection)
        ledger.finish(connection, record(run_id), result, report='{"schema": "consolidate.report/1"}')
    return Ran(report=report, result=result, proof=proof)


def rows_of(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with connect(dsn, what="the target") as connection:
        return connection.execute(query.encode()).fetchall()


def all_rows(dsn: str) -> dict[str, list[tuple[Any, ...]]]:
    names = [table.name for table in (*expected().tables, *expected().ledger) if "schema" not in table.name]
    return {name: rows_of(dsn, f"select t::text from {name} t order by 1") for name in names}


ALL = (
    bot(),
    bot("alpha_002", status="paused"),
    trade("1"),
    trade("2", exit_time=None, pnl_usd=None, status="pending", strategy_params=None),
    trade("3", "alpha_002"),
    position("1"),
    balance("1"),
    balance("2", total_balance="101.5"),
    candle("2024-01-02 00:00:00"),
    candle("2024-01-02 00:01:00"),
    day("2024-01-02"),
)


def test_a_load_that_takes_keys_and_indexes_out_of_the_way_loads_the_same(
    target_dsn: str, staging: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "WORTH_ROWS", 1)
    dropped: dict[str, bool] = {}
    parts = rebuild._parts  # noqa: SLF001 - to see that it happened
    monkeypatch.setattr(rebuild, "_parts", lambda *given: parts(*given) if dropped.setdefault(given[1], True) else ())
    assert run(target_dsn, staging, ALL).proof.rows == 11
    assert {"trading.trades", "trading.market_data", "audit.migration_lineage"} <= set(dropped)
    more = [*ALL, *(trade(f"{n:02}") for n in range(50))]
    ran = run(target_dsn, staging, more, run_id="run-2")
    assert (ran.result.inserted, ran.result.unchanged) == (50, 11)
    assert not run(target_dsn, staging, more, run_id="run-3").result.wrote
    with connect(target_dsn, what="the target") as connection:
        assert isinstance(schema.state(connection), schema.Present)


def test_a_load_writes_rows_lineage_rejects_and_the_run(target_dsn: str, staging: Staging) -> None:
    ran = run(target_dsn, staging, ALL, rejects=(Rejected(), Rejected(key=None, value="a\0b", row='{"a": "\\u0000"}')))
    assert (ran.result.inserted, ran.result.updated, ran.result.unchanged, ran.result.rejects) == (11, 0, 0, 2)
    assert ran.proof.rows == 11
    assert rows_of(
        target_dsn, "select trade_id, quantity::text, pnl_usd::text, exit_time from trading.trades order by 1"
    )[:2] == [
        ("alpha_001_1", "0.50000000", "-12.50000000", datetime(2024, 1, 2, 5, tzinfo=UTC)),
        ("alpha_001_2", "0.50000000", None, None),
    ]
    lineage = rows_of(
        target_dsn,
        "select target_table, target_key, source, source_table, source_key, outcome, run_id, first_run_id,"
        " row_hash is not null, previous from audit.migration_lineage order by 1, 2",
    )
    assert len(lineage) == 11
    assert lineage[-3:] == [
        ("trading.trades", f"{name}", "alpha", "trades", name[-1], "mapped", "run-1", None, True, None)
        for name in ("alpha_001_1", "alpha_001_2", "alpha_002_3")
    ]
    place = "mappings/alpha/trades.yaml:3:1"
    assert rows_of(
        target_dsn,
        'select run_id, source, source_table, source_key, code, column_name, value, location, "row"::text'
        " from audit.migration_rejects order by number",
    ) == [
        ("run-1", "alpha", "trades", "9", "bad_value", "price", "abc", place, '{"id": 9, "price": "abc"}'),
        ("run-1", "alpha", "trades", None, "bad_value", "price", "a␀b", place, '{"a": "\\u0000"}'),
    ]
    assert rows_of(
        target_dsn,
        "select run_id, command, status, rows_inserted, rows_rejected, report->>'schema', finished_at is not null"
        " from audit.migration_runs",
    ) == [("run-1", "run", "loaded", 11, 2, "consolidate.report/1", True)]


def test_a_null_arrives_as_null_where_the_column_has_a_default(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, [bot(), trade("1", leverage=None, fees=None, created_at=None)])
    assert rows_of(target_dsn, "select leverage, fees, created_at from trading.trades") == [(None, None, None)]


def test_lineage_of_rows_without_a_text_id_names_their_id(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, ALL)
    for table, source in (
        ("trading.account_balance", "case total_balance when 100 then '1' else '2' end"),
        ("trading.market_data", "to_char(timestamp, 'YYYY-MM-DD HH24:MI:SS')"),
    ):
        rows = rows_of(
            target_dsn,
            f"select l.source_key = {source} from {table} t join audit.migration_lineage l"
            f" on l.target_table = '{table}' and l.target_key = t.id::text",
        )
        assert rows == [(True,), (True,)]


def test_the_bots_can_insert_after_a_load(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, ALL)
    keys = "position_id, bot_id, symbol, side, size, avg_entry_price, strategy"
    prices = "open_price, high_price, low_price, close_price, volume"
    for insert in (
        "account_balance (bot_id, total_balance, available_balance, equity) values ('alpha_001', 1, 1, 1)",
        f"market_data (symbol, interval, timestamp, {prices}) values ('X', '1m', now(), 1, 1, 1, 1, 1)",
        f"positions ({keys}) values ('p', 'alpha_001', 'X', 'long', 1, 1, 's')",
    ):
        rows_of(target_dsn, f"insert into trading.{insert} returning id")
    assert rows_of(target_dsn, "select count(*), count(distinct id) from trading.account_balance") == [(3, 3)]


def test_ids_stay_apart_when_a_bot_inserts_during_the_load(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, [bot()], run_id="run-0")

    def insert_balance(_: object) -> None:
        rows_of(
            target_dsn,
            "insert into trading.account_balance (bot_id, total_balance, available_balance, equity)"
            " select 'alpha_001', 1, 1, 1 from generate_series(1, 5) returning id",
        )

    def observe(progress: Progress) -> None:
        if progress.stage == "load" and progress.subject == "trading.account_balance":
            insert_balance(progress)

    run(target_dsn, staging, [bot(), *(balance(str(n)) for n in range(20))], observe=observe)
    assert rows_of(target_dsn, "select count(*), count(distinct id) from trading.account_balance") == [(25, 25)]


def test_all_or_nothing(target_dsn: str, staging: Staging) -> None:
    before = all_rows(target_dsn)

    def fail(progress: Progress) -> None:
        if progress.stage == "reconcile" and progress.subject == "trading.risk_metrics":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(target_dsn, staging, ALL, observe=fail)
    assert all_rows(target_dsn) == before
    assert run(target_dsn, staging, ALL, run_id="run-2").result.inserted == 11


@pytest.mark.parametrize("stage", ["diff", "load", "reconcile"])
def test_a_killed_run_leaves_nothing_and_the_next_one_loads(
    target_dsn: str, staging: Staging, tmp_path: Path, stage: str
) -> None:
    before = all_rows(target_dsn)
    killed = f"""
import os, signal
from pathlib import Path
from consolidate.staging import Staging
from tests.test_load import ALL, run
def observe(progress):
    if progress.stage == {stage!r} and progress.subject == "trading.positions":
        os.kill(os.getpid(), signal.SIGKILL)
with Staging.open(Path({str(tmp_path / "killed.duckdb")!r})) as staging:
    run({target_dsn!r}, staging, ALL, observe=observe)
"""
    ended = subprocess.run([sys.executable, "-c", killed], check=False, cwd=ROOT)
    assert ended.returncode == -signal.SIGKILL
    assert all_rows(target_dsn) == before
    assert run(target_dsn, staging, ALL, run_id="run-2").result.inserted == 11


@pytest.mark.parametrize("stage", ["diff", "load", "reconcile"])
def test_a_lost_connection_is_exit_7_and_leaves_nothing(target_dsn: str, staging: Staging, stage: str) -> None:
    before = all_rows(target_dsn)

    def cut(progress: Progress) -> None:
        if progress.stage == stage and progress.subject == "trading.trades":
            rows_of(
                target_dsn,
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and application_name like 'consolidate run-%'",
            )

    with pytest.raises(UnreachableError) as caught:
        run(target_dsn, staging, ALL, observe=cut)
    assert caught.value.problems[0].code in ("connection-lost", "database-error")
    assert all_rows(target_dsn) == before


def test_a_second_run_at_once_is_refused_and_told_who_holds_the_target(target_dsn: str, staging: Staging) -> None:
    with connect(target_dsn, what="the target") as first, transaction(first, run_id="run-1"):
        pid = first.info.backend_pid
        with pytest.raises(ConflictError) as caught:
            run(target_dsn, staging, ALL, run_id="run-2")
    assert f"pid {pid}, consolidate run-1, user" in str(caught.value)
    assert caught.value.problems[0].code == "target-held"
    assert run(target_dsn, staging, ALL, run_id="run-3").result.inserted == 11


def test_of_many_runs_at_once_one_loads_and_no_row_is_doubled(target_dsn: str, tmp_path: Path) -> None:
    outcomes: list[str] = []

    def work(number: int) -> None:
        with Staging.open(tmp_path / f"{number}.duckdb") as mine:
            try:
                ran = run(target_dsn, mine, ALL, run_id=f"run-{number}")
            except ConflictError as error:
                outcomes.append(error.problems[0].code)
            else:
                outcomes.append(f"loaded {ran.result.inserted}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 4
    assert outcomes.count("loaded 11") == 1
    assert set(outcomes) <= {"loaded 11", "loaded 0", "target-held"}
    assert rows_of(target_dsn, "select count(*) from trading.account_balance") == [(2,)]


def test_a_row_that_a_bot_writes_meanwhile_fails_the_run(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, ALL)
    after = all_rows(target_dsn)

    def bot_writes(progress: Progress) -> None:
        if progress.stage == "load" and progress.subject == "trading.trades":
            return
        if progress.stage == "diff" and progress.subject == "trading.positions" and not progress.done:
            rows_of(target_dsn, "update trading.trades set notes = 'bot' where trade_id = 'alpha_001_1' returning 1")

    changed = [trade("1", notes="source") if row.values.get("trade_id") == "alpha_001_1" else row for row in ALL]
    with pytest.raises(ConflictError) as caught:
        run(target_dsn, staging, changed, run_id="run-2", observe=bot_writes)
    assert caught.value.problems[0].code == "changed-meanwhile"
    assert rows_of(target_dsn, "select notes from trading.trades where trade_id = 'alpha_001_1'") == [("bot",)]
    assert len(after["audit.migration_runs"]) == 1
    assert rows_of(target_dsn, "select run_id from audit.migration_runs") == [("run-1",)]


def test_without_the_schema_nothing_is_loaded(empty_dsn: str, staging: Staging) -> None:
    with pytest.raises(ConflictError) as caught:
        run(empty_dsn, staging, ALL)
    assert caught.value.problems[0].code == "schema-absent"


def test_views_show_the_loaded_rows(target_dsn: str, staging: Staging) -> None:
    run(target_dsn, staging, ALL)
    assert rows_of(target_dsn, "select position_id from analytics.active_positions_summary") == [("alpha_001_p1",)]
    assert rows_of(target_dsn, "select sum(total_trades) from analytics.daily_performance_summary") == [(2,)]


def test_merged_source_rows_are_lineage_too(target_dsn: str, staging: Staging) -> None:
    merged = trade("1").of(
        SourceRow(table="trades", key="1", residual='{"odd": 1.10}'),
        SourceRow(table="trades", key="1|b", outcome="merged"),
    )
    run(target_dsn, staging, [bot(), merged])
    assert rows_of(
        target_dsn,
        "select source_key, outcome, residual::text from audit.migration_lineage"
        " where target_table = 'trading.trades' order by 1",
    ) == [("1", "mapped", '{"odd": 1.10}'), ("1|b", "merged", None)]


def test_a_run_that_loaded_nothing_can_be_entered_too(target_dsn: str) -> None:
    with connect(target_dsn, what="the target") as connection:
        ledger.record_unloaded(connection, record(), status="refused")
    assert rows_of(target_dsn, "select run_id, status, rows_inserted from audit.migration_runs") == [
        ("run-1", "refused", 0)
    ]


def test_progress_tells_of_every_stage(target_dsn: str, staging: Staging) -> None:
    told: list[Progress] = []
    run(target_dsn, staging, ALL, observe=told.append)
    for stage in ("diff", "load", "reconcile"):
        assert any(one.stage == stage and one.subject == "trading.trades" and one.done == 3 for one in told)
