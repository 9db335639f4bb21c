"""A source row that changed in what its key is made of is the same row still: updated, never doubled, and undone."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from consolidate import pipeline, project
from consolidate.errors import ConflictError, ExitCode
from consolidate.postgres import connect
from tests import small

if TYPE_CHECKING:
    from pathlib import Path

    from consolidate.model import RunReport, TargetCounts
    from consolidate.project import Project

HELD = ("trading.trades", "audit.risk_events", "audit.migration_lineage")


class Small:
    """The small system, loaded once, and what happens to it then."""

    def __init__(self, folder: Path, dsn: str) -> None:
        self.folder, self.dsn = folder, dsn
        self.project: Project = project.load(small.build(folder), {"TARGET": dsn})
        assert self.run().status == "loaded"

    def run(self, on_conflict: str = "refuse") -> RunReport:
        return pipeline.run(self.project, on_conflict=on_conflict)

    def change(self, statement: str) -> None:
        with small.store(self.folder) as store:
            store.execute(statement)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with connect(self.dsn, what="the target") as connection:
            return connection.execute(query.encode()).fetchall()

    def do(self, statement: str) -> None:
        with connect(self.dsn, what="the target") as connection:
            connection.execute(statement.encode())

    def held(self) -> list[list[tuple[Any, ...]]]:
        return [self.rows(f"select t::text from {table} t order by 1") for table in HELD]

    def counts(self, report: RunReport, table: str = "trading.trades") -> TargetCounts:
        return next(one for one in report.targets if one.table == table)


@pytest.fixture
def loaded(tmp_path: Path, target_dsn: str) -> Small:
    return Small(tmp_path, target_dsn)


MOVES = (
    "update trades set entry_time = '2025-11-05T01:02:03+00:00' where id = 7",
    "update trades set symbol = 'SOLUSDT', quantity = '5' where id = 7",
)


@pytest.mark.parametrize("move", MOVES)
def test_a_row_with_another_symbol_or_time_is_updated_under_its_new_id_and_rolled_back(
    loaded: Small, move: str
) -> None:
    before = loaded.held()
    loaded.change(move)
    report = loaded.run()
    assert report.status == "loaded", report.problems
    counts = loaded.counts(report)
    assert (counts.insert, counts.update, counts.unchanged) == (0, 1, 39)
    assert [notice.code for notice in report.notices] == ["rekeyed"]
    assert loaded.rows("select count(*), sum(pnl_usd) from trading.trades") == [(40, sum(small_pnl()))]
    ((trade_id,),) = loaded.rows(
        "select t.trade_id from trading.trades t join audit.migration_lineage l on l.target_key = t.trade_id"
        " where l.source_key = '7' and l.target_table = 'trading.trades'"
    )
    assert pipeline.explain(loaded.project, "trading.trades", str(trade_id)).origins[0].key == "7"
    assert pipeline.verify(loaded.project).exit_code == ExitCode.DONE
    assert pipeline.verify(loaded.project, first(loaded)).exit_code == ExitCode.DONE, "the first run, but for that row"
    again = loaded.run()
    assert (loaded.counts(again).update, again.notices) == (0, ())
    pipeline.rollback(loaded.project, report.run_id)
    assert loaded.held() == before


def small_pnl() -> list[Decimal]:
    return [Decimal(small.trade(number)[5]) for number in range(1, 41)]


def first(loaded: Small) -> str:
    ((run_id,),) = loaded.rows("select run_id from audit.migration_runs order by started_at limit 1")
    return str(run_id)


def test_two_rows_that_exchange_their_times_keep_what_is_theirs(loaded: Small) -> None:
    before = loaded.held()
    loaded.change(f"update trades set entry_time = '{small.moment(9)}' where id = 7")
    loaded.change(f"update trades set entry_time = '{small.moment(7)}' where id = 9")
    report = loaded.run()
    assert (loaded.counts(report).insert, loaded.counts(report).update) == (0, 2)
    assert loaded.rows(
        "select l.source_key, t.exit_reason from trading.trades t join audit.migration_lineage l"
        " on l.target_key = t.trade_id and l.source_key in ('7', '9') order by 1"
    ) == [("7", "note 7"), ("9", "note 9")]
    pipeline.rollback(loaded.project, report.run_id)
    assert loaded.held() == before


def test_a_row_that_the_bot_changed_as_well_is_a_conflict_until_the_operator_decides(loaded: Small) -> None:
    loaded.do("update trading.trades set notes = 'by the bot' where exit_reason = 'note 7'")
    before = loaded.held()
    loaded.change(MOVES[0])
    report = loaded.run()
    assert report.exit_code == ExitCode.CONFLICT
    assert "entry_time" in report.problems[0]
    assert "by the bot" in report.problems[0]
    assert loaded.held() == before
    left = loaded.run("target")
    assert (left.exit_code, loaded.counts(left).update) == (ExitCode.DONE, 0)
    assert loaded.held()[0] == before[0]
    taken = loaded.run("source")
    assert (taken.exit_code, loaded.counts(taken).update) == (ExitCode.DONE, 1)
    assert loaded.rows("select count(*), count(notes) from trading.trades") == [(40, 0)]
    pipeline.rollback(loaded.project, taken.run_id)
    assert loaded.held()[0] == before[0]


def test_the_first_run_cannot_be_rolled_back_under_a_row_that_a_later_one_gave_another_id(loaded: Small) -> None:
    run_id = first(loaded)
    loaded.change(MOVES[1])
    later = loaded.run()
    with pytest.raises(ConflictError, match="was changed or used again by later run"):
        pipeline.rollback(loaded.project, run_id)
    pipeline.rollback(loaded.project, later.run_id)
    pipeline.rollback(loaded.project, run_id)
    assert loaded.rows("select count(*) from trading.trades") == [(0,)]


def test_a_plan_foresees_it(loaded: Small) -> None:
    loaded.change(MOVES[1])
    report = pipeline.plan(loaded.project, pictured=True)
    assert (loaded.counts(report).insert, loaded.counts(report).update) == (0, 1)
    assert {cell[0] for row in report.changed for cell in row.cells} >= {"trade_id", "symbol", "quantity"}


def test_a_row_with_another_key_in_the_source_is_another_row(loaded: Small) -> None:
    loaded.change("update trades set id = 1000 where id = 7")
    report = loaded.run()
    assert loaded.counts(report).insert == 1
    assert [notice.code for notice in report.notices] == ["source_gone"]
