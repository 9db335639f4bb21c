"""A second run over unchanged sources does not work again, and notices whatever changed."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from consolidate import mapping, pipeline, repeat
from consolidate.bundled import folder
from consolidate.model import ReferenceCounts
from consolidate.postgres import connect
from consolidate.project import load
from consolidate.report import document
from consolidate.target import footprint
from tests import projects

if TYPE_CHECKING:
    from collections.abc import Callable

    from consolidate.model import RunReport


def made(folder: Path, monkeypatch: pytest.MonkeyPatch, dsn: str, *systems: str) -> Path:
    monkeypatch.setenv("TARGET", dsn)
    return projects.build(folder, *systems)


def ran(file: Path) -> tuple[RunReport, bool]:
    """A run, and whether it went all the way."""
    stages: set[str] = set()
    report = pipeline.run(load(file), observe=lambda progress: stages.add(progress.stage))
    return report, "transform" in stages


def told(report: RunReport) -> dict[str, Any]:
    """What a report says of the rows, without what every run says differently."""
    said = document.run(report)
    for name in ("run_id", "seconds", "run_dir", "rejects_file", "since"):
        said.pop(name, None)
    for check in said["checks"]:
        check["failing_file"] = check["failing_file"] is not None
    return said


def execute(dsn: str, statement: str) -> list[tuple[Any, ...]]:
    with connect(dsn, what="the target") as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def write(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as store:
        store.execute(statement)
        store.commit()


def test_a_repeat_does_no_work_and_reports_as_if_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target_dsn: str
) -> None:
    file = made(tmp_path, monkeypatch, target_dsn, "lxalgo")
    first, _ = ran(file)
    assert first.status == "loaded", first.problems
    before = execute(target_dsn, "select l.*, l.xmin::text from audit.migration_lineage l order by 1, 2, 3, 4, 5")
    second, whole = ran(file)
    assert not whole
    third, whole = ran(file)
    assert not whole
    monkeypatch.setattr(repeat, "found", lambda *_: None)
    compared, whole = ran(file)
    assert whole
    assert told(second) == told(third) == told(compared)
    assert [one.rejects_file.read_text(encoding="utf-8") for one in (second, compared) if one.rejects_file] == [
        first.rejects_file.read_text(encoding="utf-8") if first.rejects_file else ""
    ] * 2
    assert second.rejects
    assert sum(one.unchanged for one in second.targets) == sum(one.insert for one in first.targets)
    assert (
        execute(target_dsn, "select l.*, l.xmin::text from audit.migration_lineage l order by 1, 2, 3, 4, 5") == before
    )


def test_a_repeat_is_a_run_of_the_ledger_with_its_rejects_and_its_evidence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target_dsn: str
) -> None:
    file = made(tmp_path, monkeypatch, target_dsn, "lxalgo")
    first, _ = ran(file)
    second, whole = ran(file)
    assert not whole
    runs = {run.run_id: run for run in pipeline.runs(load(file))}
    assert runs[second.run_id].status == "loaded"
    assert (runs[second.run_id].inserted, runs[second.run_id].unchanged) == (0, runs[first.run_id].inserted)
    kept = 'select source, source_key, code, value, location, "row"::text from audit.migration_rejects where run_id = '
    rows = [execute(target_dsn, f"{kept}'{one.run_id}' order by number") for one in (first, second)]
    assert rows[0] == rows[1] != []
    verified = pipeline.verify(load(file), second.run_id)
    assert verified.exit_code == 0, verified.problems


NOTHING = "update trading.positions set notes = notes where id = (select min(id) from trading.positions)"


def grow(place: Path) -> None:
    write(
        place / "momentum" / "trading.db",
        "insert into system_events (event_time, event_type, event_level, message) values"
        " ('2025-11-01 10:00:00', 'start', 'INFO', 'again')",
    )


def change_cell(place: Path) -> None:
    write(
        place / "momentum" / "trading.db",
        "update trades set quantity = quantity * 2, position_size_usd = position_size_usd * 2 where id = 1",
    )


def change_project(place: Path) -> None:
    file = place / "consolidate.yaml"
    file.write_text(file.read_text(encoding="utf-8") + "# one more line\n", encoding="utf-8")


@pytest.mark.parametrize("change", [grow, change_cell, change_project])
def test_whatever_changed_in_sources_and_rules_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target_dsn: str, change: Callable[[Path], None]
) -> None:
    file = made(tmp_path, monkeypatch, target_dsn, "momentum")
    assert ran(file)[0].status == "loaded"
    change(tmp_path)
    assert ran(file)[1] is True
    assert ran(file)[1] is False


CHANGES = (
    "update trading.trades set notes = 'seen' where id = (select min(id) from trading.trades)",
    NOTHING,
    "delete from audit.risk_events where id = (select min(id) from audit.risk_events)",
    (
        "with gone as (delete from audit.system_events where id = (select min(id) from audit.system_events)"
        " returning *) insert into audit.system_events select * from gone"
    ),
    "truncate audit.risk_events",
    "update trading.bots set last_heartbeat = now()",
    "update audit.migration_lineage set residual = '{}' where source_key = '1'",
    "delete from audit.migration_lineage where target_table = 'audit.system_events' and source_key = '1'",
    (
        "insert into audit.migration_lineage (target_table, target_key, source, source_table, source_key, outcome,"
        " run_id) values ('trading.trades', 'x', 'momentum', 'trades', 'x', 'mapped', 'x')"
    ),
)
NO_CHANGES = (
    (
        "insert into trading.account_balance (bot_id, total_balance, available_balance, equity)"
        " values ('momentum_001', 1, 1, 1)"
    ),
    (
        "insert into audit.migration_lineage (target_table, target_key, source, source_table, source_key, outcome,"
        " run_id) values ('trading.trades', 'x', 'other', 'trades', 'x', 'mapped', 'x')"
    ),
    "select 1 from trading.trades for update",
)


def test_every_change_of_a_row_of_ours_is_noticed_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target_dsn: str
) -> None:
    assert ran(made(tmp_path, monkeypatch, target_dsn, "momentum"))[0].status == "loaded"
    (kept,) = execute(target_dsn, "select report->'repeat'->'footprint' from audit.migration_runs")[0]
    found = {}
    with connect(target_dsn, what="the target") as connection:
        for change in CHANGES + NO_CHANGES:
            with connection.transaction():
                connection.execute(change.encode())
                found[change] = footprint.is_untouched(connection, footprint.Footprint.of(kept))
                raise psycopg.Rollback
    assert found == dict.fromkeys(CHANGES, False) | dict.fromkeys(NO_CHANGES, True)


def test_a_changed_mapping_is_noticed(tmp_path: Path) -> None:
    shutil.copytree(folder("mappings") / "momentum", tmp_path / "own")
    before = repeat.inputs(project_digest="", mappings=[tmp_path / "own"], rules=[], sources=[])
    file = tmp_path / "own" / "trades.yaml"
    file.write_text(file.read_text(encoding="utf-8") + "# one more line\n", encoding="utf-8")
    assert repeat.inputs(project_digest="", mappings=[tmp_path / "own"], rules=[], sources=[]) != before


def test_a_changed_tool_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = Path(mapping.__file__).parent.parent
    copy = tmp_path / "copy"
    shutil.copytree(code, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(repeat, "__file__", str(copy / "repeat.py"))
    before = repeat.inputs(project_digest="", mappings=[], rules=[], sources=[])
    assert repeat.inputs(project_digest="", mappings=[], rules=[], sources=[]) == before
    some = copy / "transform" / "rows.py"
    some.write_bytes(some.read_bytes() + b"\n")
    assert repeat.inputs(project_digest="", mappings=[], rules=[], sources=[]) != before


@pytest.mark.parametrize(
    ("kind", "counts", "is_closed"),
    [
        ("target", {}, True),
        ("target", {"held": 1}, False),
        ("target", {"missing": 1}, False),
        ("target", {"rejected": 1}, False),
        ("target", {"other_bot": 1}, False),
        ("source", {"missing": 1}, True),
    ],
)
def test_a_run_that_asked_for_rows_of_others_is_not_repeated(
    kind: str, counts: dict[str, int], *, is_closed: bool
) -> None:
    one = ReferenceCounts(
        kind=kind, source="s", bot_id="b", origin="a.b", pointed="c.d", policy="reject", rows=2, targets=2, **counts
    )
    assert repeat.is_closed([one]) is is_closed


def test_a_row_that_a_bot_changed_is_told_every_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target_dsn: str
) -> None:
    file = made(tmp_path, monkeypatch, target_dsn, "momentum")
    assert ran(file)[0].status == "loaded"
    execute(target_dsn, "update trading.bots set last_heartbeat = now() where bot_id = 'momentum_001'")
    report, whole = ran(file)
    assert whole
    assert "target_changed" in {notice.code for notice in report.notices}
    again, whole = ran(file)
    assert whole
    assert told(again) == told(report)


def test_a_rolled_back_run_is_not_repeated_but_loaded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target_dsn: str
) -> None:
    file = made(tmp_path, monkeypatch, target_dsn, "momentum")
    first, _ = ran(file)
    pipeline.rollback(load(file), first.run_id)
    report, whole = ran(file)
    assert whole
    assert sum(one.insert for one in report.targets) == sum(one.insert for one in first.targets)


def test_a_database_that_was_copied_or_restored_is_compared_row_by_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target_dsn: str
) -> None:
    file = made(tmp_path, monkeypatch, target_dsn, "momentum")
    assert ran(file)[0].status == "loaded"
    (text,) = execute(target_dsn, "select report->'repeat' from audit.migration_runs")[0]
    with connect(target_dsn, what="the target") as connection:
        assert footprint.is_untouched(connection, footprint.Footprint.of(text["footprint"]))
        for member in ("cluster", "database"):
            other = footprint.Footprint.of({**text["footprint"], member: "1"})
            assert not footprint.is_untouched(connection, other)
    text["footprint"]["cluster"] = "1"
    restored = json.dumps(text)
    execute(target_dsn, f"update audit.migration_runs set report = jsonb_set(report, '{{repeat}}', '{restored}')")
    assert ran(file)[1] is True
    assert ran(file)[1] is False


def test_rows_of_several_runs_are_proved_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target_dsn: str) -> None:
    file = made(tmp_path, monkeypatch, target_dsn, "momentum")
    assert ran(file)[0].status == "loaded"
    change_cell(tmp_path)
    grow(tmp_path)
    second, whole = ran(file)
    assert whole
    assert sum(one.update for one in second.targets) >= 2
    assert sum(one.insert for one in second.targets) == 1
    assert ran(file)[1] is False
    execute(target_dsn, NOTHING)
    assert ran(file)[1] is True
    assert ran(file)[1] is False
