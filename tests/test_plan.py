"""A plan names what a load would do, and writes nothing; applying it does exactly that or refuses."""

from __future__ import annotations

import dataclasses
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from consolidate import bundled, pipeline, project
from consolidate.errors import ConflictError, ExitCode, UsageError
from consolidate.model import RowsWanted
from consolidate.postgres import connect
from consolidate.report import document
from consolidate.report.html import page
from consolidate.report.junit import junit
from consolidate.report.markdown import markdown
from tests import projects

if TYPE_CHECKING:
    from consolidate.project import Project


def _project(folder: Path, target: str, *systems: str, postgres_dsn: str | None = None, limits: str = "") -> Project:
    file = projects.build(folder, *systems, postgres_dsn=postgres_dsn)
    if limits:
        text = file.read_text(encoding="utf-8")
        file.write_text(text[: text.index("limits:")] + f"limits: {limits}\n", encoding="utf-8")
    return project.load(file, {"TARGET": target, "SHORTSELLER_DSN": postgres_dsn or "postgresql:///none"})


def _everything(dsn: str) -> list[tuple[object, ...]]:
    """A digest of every relation of the target, and of its catalogue."""
    with connect(dsn, what="the target") as connection:
        tables = connection.execute(
            "select quote_ident(schemaname) || '.' || quote_ident(tablename) from pg_tables"
            " where schemaname in ('trading', 'analytics', 'config', 'audit') order by 1"
        ).fetchall()
        return [
            (
                name,
                *connection.execute(
                    f"select count(*), md5(string_agg(t::text, '' order by t::text)) from {name} t"
                ).fetchall(),
            )
            for (name,) in tables
        ]


def _edit(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "momentum" / "trading.db")) as store, store:
        store.execute(statement)


def test_the_plan_foresees_every_count_of_the_run_and_writes_nothing(tmp_path: Path, target_dsn: str) -> None:
    loaded = _project(tmp_path, target_dsn, "lxalgo")
    before = _everything(target_dsn)
    planned = pipeline.plan(loaded)
    assert (planned.status, planned.exit_code) == ("planned", ExitCode.DONE)
    assert _everything(target_dsn) == before
    done = pipeline.run(loaded)
    assert planned.targets == done.targets
    assert planned.sources == done.sources
    assert planned.money == done.money
    assert planned.rejects == done.rejects


def test_a_target_without_a_schema_is_planned_and_left_without_one(tmp_path: Path, empty_dsn: str) -> None:
    planned = pipeline.plan(_project(tmp_path, empty_dsn, "momentum"))
    assert planned.exit_code == ExitCode.DONE
    assert sum(one.insert for one in planned.targets) > 0
    assert _everything(empty_dsn) == []


def test_a_role_that_cannot_write_can_plan(tmp_path: Path, target_dsn: str) -> None:
    pipeline.run(_project(tmp_path, target_dsn, "momentum"))
    with connect(target_dsn, what="the target") as connection:
        role = f"reader_{tmp_path.name}".lower().replace("-", "_")[:60]
        connection.execute(f"create role {role} login".encode())
        (database,) = connection.execute("select current_database()").fetchone() or ("",)
        connection.execute(f'revoke temporary on database "{database}" from public'.encode())
        for schema in ("trading", "analytics", "config", "audit"):
            connection.execute(f"grant usage on schema {schema} to {role}".encode())
            connection.execute(f"grant select on all tables in schema {schema} to {role}".encode())
    reader = target_dsn.replace("postgres@", f"{role}@", 1)
    _edit(tmp_path, "update trades set exit_reason = 'Corrected' where id = 1")
    planned = pipeline.plan(project.load(tmp_path / "consolidate.yaml", {"TARGET": reader}))
    assert planned.exit_code == ExitCode.DONE, planned.problems
    assert sum(one.update for one in planned.targets) == 1


def test_detailed_exitcode_tells_changes_from_none(tmp_path: Path, target_dsn: str) -> None:
    loaded = _project(tmp_path, target_dsn, "momentum")
    assert pipeline.plan(loaded, detailed_exitcode=True).exit_code == ExitCode.CHANGES
    pipeline.run(loaded)
    assert pipeline.plan(loaded, detailed_exitcode=True).exit_code == ExitCode.DONE


def test_a_plan_exits_4_where_the_run_would(tmp_path: Path, target_dsn: str) -> None:
    loaded = _project(tmp_path, target_dsn, "lxalgo", limits="{max_rejects: 0}")
    planned = pipeline.plan(loaded)
    assert (planned.status, planned.exit_code) == ("refused", ExitCode.FINDINGS)
    assert pipeline.run(loaded).exit_code == ExitCode.FINDINGS


def test_apply_loads_exactly_what_was_planned(tmp_path: Path, target_dsn: str) -> None:
    loaded = _project(tmp_path, target_dsn, "momentum", "lxalgo")
    planned = pipeline.plan(loaded, output=tmp_path / "plan")
    applied = pipeline.apply(loaded, tmp_path / "plan")
    assert (applied.status, applied.exit_code) == ("loaded", ExitCode.DONE)
    assert applied.targets == planned.targets
    assert applied.sources == planned.sources
    assert pipeline.verify(loaded).status == "loaded"


def test_apply_refuses_a_source_that_changed_and_names_its_table(tmp_path: Path, target_dsn: str) -> None:
    loaded = _project(tmp_path, target_dsn, "momentum")
    pipeline.plan(loaded, output=tmp_path / "plan")
    _edit(tmp_path, "update trades set exit_reason = 'Corrected' where id = 1")
    before = _everything(target_dsn)
    with pytest.raises(ConflictError, match=r"the source table momentum\.trades changed") as raised:
        pipeline.apply(loaded, tmp_path / "plan")
    assert "daily_snapshots" not in str(raised.value)
    assert _everything(target_dsn) == before


def test_apply_refuses_a_target_that_changed_and_names_its_table(tmp_path: Path, target_dsn: str) -> None:
    loaded = _project(tmp_path, target_dsn, "momentum")
    pipeline.run(loaded)
    _edit(tmp_path, "update trades set exit_reason = 'Corrected' where id = 1")
    pipeline.plan(loaded, output=tmp_path / "plan")
    with connect(target_dsn, what="the target") as connection:
        connection.execute("update trading.trades set notes = 'by the bot' where exit_reason is not null")
    applied = pipeline.apply(loaded, tmp_path / "plan")
    assert (applied.status, applied.exit_code) == ("refused", ExitCode.CONFLICT)
    assert "the target table trading.trades changed" in applied.problems[0]


def test_apply_refuses_another_project_file_or_mapping(tmp_path: Path, target_dsn: str) -> None:
    loaded = _project(tmp_path, target_dsn, "momentum")
    pipeline.plan(loaded, output=tmp_path / "plan")
    file = tmp_path / "consolidate.yaml"
    file.write_text(file.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    with pytest.raises(ConflictError, match=r"the project file .* changed"):
        pipeline.apply(project.load(file, {"TARGET": target_dsn}), tmp_path / "plan")


def test_apply_names_the_mapping_file_that_changed(tmp_path: Path, target_dsn: str) -> None:
    loaded = _project(tmp_path, target_dsn, "momentum")
    own = tmp_path / "own"
    shutil.copytree(bundled.folder("mappings") / "momentum", own)
    file = tmp_path / "consolidate.yaml"
    text = file.read_text(encoding="utf-8").replace("mapping: momentum", "mapping: ./own")
    file.write_text(text, encoding="utf-8")
    loaded = project.load(file, {"TARGET": target_dsn})
    pipeline.plan(loaded, output=tmp_path / "plan")
    with (own / "trades.yaml").open("a", encoding="utf-8") as stream:
        stream.write("# changed\n")
    with pytest.raises(ConflictError, match=r"- the mapping file own/trades\.yaml changed") as raised:
        pipeline.apply(loaded, tmp_path / "plan")
    assert "system.yaml" not in str(raised.value)


def test_the_same_input_gives_the_same_bytes_clock_and_run_id_aside(tmp_path: Path, target_dsn: str) -> None:
    loaded = _project(tmp_path, target_dsn, "momentum", "lxalgo")
    found = []
    for _ in range(2):
        report = pipeline.plan(loaded, pictured=True)
        assert report.charts is not None
        same = dataclasses.replace(report, run_id="r", run_dir=Path("r"), rejects_file=None, seconds=())
        found.append((document.text_of(document.run(same)), page(same), markdown(same), junit(same)))
    assert found[0] == found[1]


def test_a_refused_plan_is_compared_all_the_same_and_a_conflict_shows_both_values(
    tmp_path: Path, target_dsn: str
) -> None:
    loaded = _project(tmp_path, target_dsn, "momentum")
    pipeline.run(loaded)
    _edit(tmp_path, "update trades set exit_reason = 'source' where id = 1")
    with connect(target_dsn, what="the target") as connection:
        connection.execute("update trading.trades set exit_reason = 'target' where exit_reason is not null")
    report = pipeline.plan(loaded, wanted=RowsWanted(most=50, table="trades"))
    assert (report.status, report.exit_code) == ("refused", ExitCode.CONFLICT)
    assert sum(one.conflict for one in report.targets) == 1
    (row,) = report.changed
    assert (row.action, row.origins) == ("conflict", (("momentum", "trades", "1"),))
    assert ("exit_reason", "target", "source") in row.cells
    _edit(tmp_path, "update trades set side = 'Hold' where id = 2")
    report = pipeline.plan(loaded)
    assert (report.status, report.exit_code) == ("refused", ExitCode.FINDINGS)
    assert report.targets
    assert report.since is not None
    assert [(one.code, one.new) for one in report.since.rejects] == [("unmapped_value", 1)]


def test_a_table_or_bot_that_is_not_there_is_told_with_the_nearest(tmp_path: Path, target_dsn: str) -> None:
    loaded = _project(tmp_path, target_dsn, "momentum")
    with pytest.raises(UsageError) as raised:
        pipeline.plan(loaded, wanted=RowsWanted(most=1, table="trading.trade", bot="momentum_1"))
    assert "did you mean `--table trading.trades`?" in str(raised.value)
    assert "did you mean `--bot momentum_001`?" in str(raised.value)


def test_a_folder_that_is_no_plan_is_neither_applied_nor_overwritten(tmp_path: Path, target_dsn: str) -> None:
    loaded = _project(tmp_path, target_dsn, "momentum")
    with pytest.raises(UsageError, match="holds no whole plan"):
        pipeline.apply(loaded, tmp_path)
    with pytest.raises(UsageError, match="holds no plan"):
        pipeline.plan(loaded, output=tmp_path)


def test_a_person_who_says_no_gets_the_plan_and_no_load(tmp_path: Path, target_dsn: str) -> None:
    loaded = _project(tmp_path, target_dsn, "momentum")
    before = _everything(target_dsn)
    report = pipeline.run(loaded, confirm=lambda plan: plan.targets == ())
    assert (report.status, report.exit_code) == ("planned", ExitCode.DONE)
    assert _everything(target_dsn) == before
