"""A loaded run is proved again at any later time; what does not hold is named: table, key, column."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from consolidate import pipeline, project
from consolidate.errors import ExitCode, UnreachableError, UsageError
from consolidate.postgres import connect
from consolidate.target.contract import expected
from consolidate.target.identity import identity
from tests import projects, small

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from consolidate.model import RunReport
    from consolidate.project import Project
    from consolidate.target.contract import ColumnContract

_CHANGES = 150
_CANARY = "c4n4ry-p4ssw0rd"


def _loaded(folder: Path, target: str, *systems: str, postgres_dsn: str | None = None, more: str = "") -> Project:
    file = projects.build(folder, *systems, postgres_dsn=postgres_dsn)
    file.write_text(file.read_text(encoding="utf-8") + more, encoding="utf-8")
    loaded = project.load(file, {"TARGET": target, "SHORTSELLER_DSN": postgres_dsn or "postgresql:///none"})
    report = pipeline.run(loaded)
    assert report.status == "loaded", report.problems
    return loaded


def _run_folder(loaded: Project) -> Path:
    (folder,) = (loaded.state_folder / "runs").iterdir()
    return folder


def _changed(column: ColumnContract) -> str:
    cell = f't."{column.name}"'
    forms = {
        "integer": f"coalesce({cell}, 0) + 1",
        "boolean": f"not coalesce({cell}, false)",
        "timestamp with time zone": f"coalesce({cell}, now()) + interval '1 microsecond'",
        "date": f"coalesce({cell}, current_date) + 1",
        "jsonb": f"coalesce({cell}, '{{}}'::jsonb) || '{{\"z\": 1}}'",
        "text[]": f"coalesce({cell}, array[]::text[]) || array['z']",
    }
    if column.type in forms:
        return forms[column.type]
    if column.type.startswith("numeric"):
        return f"coalesce({cell}, 0) + 0.0001"
    return f"left(coalesce({cell}, ''), 3) || 'x'"


def test_every_single_changed_cell_is_found_and_named(tmp_path: Path, target_dsn: str, empty_dsn: str) -> None:
    loaded = _loaded(tmp_path, target_dsn, "shortseller", "momentum", "lxalgo", postgres_dsn=empty_dsn)
    dice = random.Random(20261121)
    changed: set[tuple[str, str, str]] = set()
    with connect(target_dsn, what="the target") as connection:
        # Constraints are in the way of some changes; what breaks one is another cell's turn.
        while len(changed) < _CHANGES:
            table = dice.choice(expected().tables)
            key = identity(table).target_key
            keys = [row[0] for row in connection.execute(f"select {key}::text from {table.name} order by 1").fetchall()]
            column = dice.choice([one for one in table.columns if one.name not in {"id", key, "bot_id"}])
            if not keys or any((name, row) == (table.name, keys[0]) for name, row, _ in changed):
                continue
            row = dice.choice(keys)
            if any((name, one) == (table.name, row) for name, one, _ in changed):
                continue
            try:
                with connection.transaction():
                    connection.execute(
                        f'update {table.name} t set "{column.name}" = {_changed(column)} where {key}::text = %s', (row,)
                    )
            except connection.Error:
                continue
            changed.add((table.name, row, column.name))
    report = pipeline.verify(loaded)
    assert report.exit_code == ExitCode.RECONCILIATION
    assert len(report.problems) == _CHANGES
    unnamed = [
        one for one in changed if not any(p.startswith(f"{one[0]} {one[1]}: {one[2]}: ") for p in report.problems)
    ]
    assert unnamed == []


LINEAGE_CHANGES = {
    "row_hash": "md5(coalesce(l.row_hash::text, '') || 'x')::uuid",
    "source_hash": "md5(coalesce(l.source_hash::text, '') || 'x')::uuid",
    "outcome": "case l.outcome when 'mapped' then 'merged' else 'mapped' end",
    "residual": "coalesce(l.residual, '{}') || '{\"z\": 1}'",
    "run_id": "'other'",
    "first_run_id": "'other'",
    "source_key": "l.source_key || 'x'",
}


def test_every_single_changed_cell_of_lineage_is_found_and_named(tmp_path: Path, target_dsn: str) -> None:
    loaded = _loaded(tmp_path, target_dsn, "momentum", "lxalgo")
    dice = random.Random(20261121)
    changed: list[tuple[str, str, str]] = []
    with connect(target_dsn, what="the target") as connection:
        rows = connection.execute(
            "select target_table, target_key, source_table, source_key from audit.migration_lineage order by 1, 2, 3, 4"
        ).fetchall()
        for row in dice.sample(rows, 60):
            column = dice.choice(sorted(LINEAGE_CHANGES))
            connection.execute(
                f"update audit.migration_lineage l set {column} = {LINEAGE_CHANGES[column]} where target_table = %s"
                " and target_key = %s and source_table = %s and source_key = %s".encode(),
                row,
            )
            changed.append((f"{row[0]} {row[1]}: its lineage from ", f".{row[2]} {row[3]} ", column))
    report = pipeline.verify(loaded)
    assert report.exit_code == ExitCode.RECONCILIATION
    for begin, source_row, column in changed:
        named = [one for one in report.problems if one.startswith(begin) and source_row in one]
        assert len(named) == 1, (begin, source_row, column)
        assert named[0].endswith("is missing" if column == "source_key" else f"differs in {column}")
    assert len(report.problems) == len(changed)


def test_a_deleted_row_is_named(tmp_path: Path, target_dsn: str) -> None:
    loaded = _loaded(tmp_path, target_dsn, "momentum")
    with connect(target_dsn, what="the target") as connection:
        row = connection.execute(
            "delete from trading.positions where position_id = (select min(position_id) from trading.positions)"
            " returning position_id"
        ).fetchone()
    assert row is not None
    report = pipeline.verify(loaded)
    assert report.problems == (f"trading.positions {row[0]}: is missing",)


def test_one_changed_byte_of_evidence_is_noticed(tmp_path: Path, target_dsn: str) -> None:
    loaded = _loaded(tmp_path, target_dsn, "momentum")
    folder = _run_folder(loaded) / "evidence"
    files = sorted(folder.rglob("*"))
    assert {file.suffix for file in files if file.is_file()} == {".json", ".jsonl", ".parquet", ".yaml"}
    for file in (one for one in files if one.is_file()):
        before = file.read_bytes()
        middle = len(before) // 2
        changed = bytes([before[middle] ^ 1]) if before else b"\n"
        file.write_bytes(before[:middle] + changed + before[middle + 1 :])
        with pytest.raises(UnreachableError, match="evidence-changed") as raised:
            pipeline.verify(loaded)
        assert str(file) in str(raised.value)
        file.write_bytes(before)
    (folder / "staged" / "momentum" / "0.parquet").rename(tmp_path / "0.parquet")
    (folder / "mappings" / "0" / "mapping" / "other.yaml").write_text("from: x\n", encoding="utf-8")
    with pytest.raises(UnreachableError) as raised:
        pipeline.verify(loaded)
    assert [problem.code for problem in raised.value.problems] == ["evidence-missing", "evidence-added"]
    (tmp_path / "0.parquet").rename(folder / "staged" / "momentum" / "0.parquet")
    (folder / "mappings" / "0" / "mapping" / "other.yaml").unlink()
    assert pipeline.verify(loaded).exit_code == ExitCode.DONE


FORGERIES: tuple[Callable[[dict[str, Any]], object], ...] = (
    lambda manifest: manifest.update(sources=None),
    lambda manifest: manifest["sources"][0].pop("tables"),
    lambda manifest: manifest["sources"][0]["tables"][0].update(columns=[["id"]]),
    lambda manifest: manifest["sources"][0].update(source="../../.."),
    lambda manifest: manifest["sources"][0].update(kind="oracle"),
    lambda manifest: manifest["files"].append({"name": "../../../consolidate.yaml", "sha256": "", "bytes": 1}),
    lambda manifest: manifest["files"].append("x"),
)


def test_a_manifest_of_a_stranger_is_refused_and_leads_nowhere(tmp_path: Path, target_dsn: str) -> None:
    loaded = project.load(small.build(tmp_path), {"TARGET": target_dsn})
    assert pipeline.run(loaded).status == "loaded"
    file = _run_folder(loaded) / "evidence" / "manifest.json"
    sealed = file.read_text(encoding="utf-8")
    for forge in FORGERIES:
        manifest = json.loads(sealed)
        forge(manifest)
        del manifest["sha256"]
        digest = hashlib.sha256(json.dumps(manifest, sort_keys=True, ensure_ascii=True).encode()).hexdigest()
        file.write_text(json.dumps(manifest | {"sha256": digest}), encoding="utf-8")
        with pytest.raises(UnreachableError, match="is no manifest that consolidate wrote"):
            pipeline.verify(loaded)
    file.write_text(sealed.replace('"momentum', '"momentun').replace('"small', '"smalk'), encoding="utf-8")
    with pytest.raises(UnreachableError, match=r"manifest\.json is not as it was sealed"):
        pipeline.verify(loaded)


def test_evidence_that_is_not_whole_is_refused(tmp_path: Path, target_dsn: str) -> None:
    loaded = _loaded(tmp_path, target_dsn, "momentum")
    (_run_folder(loaded) / "evidence" / "manifest.json").unlink()
    with pytest.raises(UnreachableError, match="no-evidence"):
        pipeline.verify(loaded)


def test_without_the_stores_evidence_suffices(tmp_path: Path, target_dsn: str) -> None:
    loaded = _loaded(tmp_path, target_dsn, "momentum")
    shutil.rmtree(tmp_path / "momentum")
    assert pipeline.verify(loaded).status == "loaded"
    with pytest.raises(UnreachableError):
        pipeline.verify(loaded, from_sources=True)


def test_digests_alone_need_unchanged_sources(tmp_path: Path, target_dsn: str) -> None:
    loaded = _loaded(tmp_path, target_dsn, "momentum", more="evidence: digests\n")
    assert not list((_run_folder(loaded) / "evidence").rglob("*.parquet"))
    assert pipeline.verify(loaded).status == "loaded"
    with closing(sqlite3.connect(tmp_path / "momentum" / "trading.db")) as store:
        store.execute("update trades set quantity = quantity * 2 where id = 1")
        store.commit()
    with pytest.raises(UnreachableError, match="source-changed"):
        pipeline.verify(loaded)


def test_rows_of_later_runs_are_left_out_and_counted(tmp_path: Path, target_dsn: str) -> None:
    loaded = _loaded(tmp_path, target_dsn, "momentum")
    first = _run_folder(loaded).name
    with closing(sqlite3.connect(tmp_path / "momentum" / "trading.db")) as store:
        store.execute("update trades set exit_reason = 'Corrected' where id = 1")
        store.commit()
    report = pipeline.run(loaded)
    assert sum(one.update for one in report.targets) == 1
    proved = pipeline.verify(loaded, first)
    assert proved.status == "loaded"
    assert [one.code for one in proved.notices] == ["verified", "superseded"]
    latest: RunReport = pipeline.verify(loaded)
    assert latest.run_id != first
    assert latest.status == "loaded"


def test_no_secret_is_in_the_evidence(tmp_path: Path, target_dsn: str) -> None:
    dsn = target_dsn.replace("postgres@", f"postgres:{_CANARY}@", 1)
    loaded = _loaded(tmp_path, dsn, "momentum")
    literal = tmp_path / "literal"
    literal.mkdir()
    file = projects.build(literal, "momentum")
    file.write_text(file.read_text(encoding="utf-8").replace("${TARGET}", dsn), encoding="utf-8")
    pipeline.run(project.load(file, {}))
    kept = [one for one in tmp_path.rglob("*") if one.is_file() and ".consolidate" in one.parts]
    assert kept
    assert [one for one in kept if _CANARY.encode() in one.read_bytes()] == []
    assert loaded.target == dsn


def test_a_passport_leads_from_a_row_to_its_source_rows_as_stored(tmp_path: Path, target_dsn: str) -> None:
    loaded = _loaded(tmp_path, target_dsn, "momentum", "lxalgo")
    with connect(target_dsn, what="the target") as connection:
        row = connection.execute(
            "select target_key from audit.migration_lineage where source_table = 'trades' and source_key = '1'"
            " and target_table = 'trading.trades'"
        ).fetchone()
    assert row is not None
    passport = pipeline.explain(loaded, "trades", row[0])
    (origin,) = passport.origins
    assert (origin.source, origin.table, origin.key, origin.outcome) == ("momentum", "trades", "1", "mapped")
    assert origin.cells is not None
    stored = {cell.column: (cell.value, cell.storage_class) for cell in origin.cells}
    assert stored["id"] == ("1", "integer")
    assert stored["quantity"][1] == "real"
    rules = {cell.column: cell.rules for cell in passport.cells}
    ((rule, location),) = rules["quantity"]
    assert rule == "quantity: round(quantity, 8)"
    assert str(location).startswith("mappings/momentum/trades.yaml:")


def test_an_unknown_row_or_table_is_told_with_what_to_do(tmp_path: Path, target_dsn: str) -> None:
    loaded = _loaded(tmp_path, target_dsn, "momentum")
    with pytest.raises(UsageError, match=r"did you mean `trading\.trades`"):
        pipeline.explain(loaded, "trading.trade", "x")
    with pytest.raises(UsageError, match="the key is its trade_id"):
        pipeline.explain(loaded, "trades", "x")
