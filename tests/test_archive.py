"""`archive`: rows that are copied whole, counted, proved, given back cell by cell, and taken out again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consolidate import pipeline, project, recovery
from consolidate.errors import ConflictError, ExitCode
from consolidate.extract import extract
from consolidate.postgres import connect
from consolidate.preparation import prepared
from consolidate.staging import Staging
from tests.mapped import Row, Table, problems_of, run

if TYPE_CHECKING:
    from pathlib import Path

    from consolidate.model import RunReport
    from consolidate.project import Project

WHOLE = """\
from: t
key: [id]
columns: {id: integer, price: decimal, note: text, extra: json}
archive: {reason: nothing in the target is like it}
"""
PARTLY = """\
from: t
key: [id]
columns: {id: integer, price: decimal, at: instant, note: text}
carry: [note]
reject: [{when: price == 13, code: check_violation, column: price}]
archive: {when: price is None, reason: a balance without an amount is none}
into:
  trading.account_balance: {total_balance: price, available_balance: price, equity: price, timestamp: at}
"""
AT = "2024-01-01T00:00:00Z"


def test_a_whole_table_is_archived_as_stored_and_counted_as_archived(tmp_path: Path) -> None:
    rows: list[Row] = [("1", "1.10", 'a "b"', "{}"), ("2", "no number", None, "no json"), ("3", "-0e9", "", None)]
    with run(tmp_path, {"t": Table(mapping=WHOLE, columns=("id", "price", "note", "extra"), rows=rows)}) as outcome:
        counts = outcome.counts("t")
        assert (counts.read, counts.archived, counts.mapped, counts.rejected, counts.residue) == (3, 3, 0, 0, 0)
        assert outcome.candidates("archive.rows", "bot_id", "source", "source_table", "source_key", "stored") == [
            ("bot", "s", "t", "1", '{"id": "1", "price": "1.10", "note": "a \\"b\\"", "extra": "{}"}'),
            ("bot", "s", "t", "2", '{"id": "2", "price": "no number", "note": null, "extra": "no json"}'),
            ("bot", "s", "t", "3", '{"id": "3", "price": "-0e9", "note": "", "extra": null}'),
        ]


def test_a_row_is_archived_or_mapped_or_rejected_and_never_two_of_them(tmp_path: Path) -> None:
    rows: list[Row] = [("1", "5", AT, "x"), ("2", None, AT, "y"), ("3", None, None, None), ("4", "13", AT, "z")]
    with run(tmp_path, {"t": Table(mapping=PARTLY, columns=("id", "price", "at", "note"), rows=rows)}) as outcome:
        counts = outcome.counts("t")
        assert (counts.read, counts.mapped, counts.archived, counts.rejected, counts.residue) == (4, 1, 2, 1, 0)
        assert outcome.candidates("trading.account_balance", "equity") == [("5.00000000",)]
        assert outcome.candidates("archive.rows", "source_key") == [("2",), ("3",)]
        assert outcome.codes() == {"4": "check_violation"}


def test_what_a_mapped_row_would_be_rejected_for_does_not_reject_an_archived_one(tmp_path: Path) -> None:
    mapping = PARTLY.replace("carry: [note]\n", "values: {known: {a: b}}\n").replace(
        "timestamp: at}", "timestamp: at, data_source: 'known[note]'}"
    )
    rows: list[Row] = [("1", "5", AT, "unknown"), ("2", None, AT, "unknown")]
    with run(tmp_path, {"t": Table(mapping=mapping, columns=("id", "price", "at", "note"), rows=rows)}) as outcome:
        assert outcome.codes() == {"1": "unmapped_value"}
        assert outcome.counts("t").archived == 1


def test_a_doubled_key_and_a_nul_are_rejected_from_the_archive_too(tmp_path: Path) -> None:
    rows: list[Row] = [("1", "1", "a", None), ("1", "2", "a", None), ("2", "1", "a\0b", None), (None, "1", "a", None)]
    rows += [("5", "1", "same", None), ("5", "1", "same", None)]
    with run(tmp_path, {"t": Table(mapping=WHOLE, columns=("id", "price", "note", "extra"), rows=rows)}) as outcome:
        counts = outcome.counts("t")
        assert (counts.archived, counts.merged, counts.rejected) == (1, 1, 4)
        assert outcome.codes() == {"1": "duplicate_key", "2": "nul_byte", None: "null_key"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("archive: {reason: nothing in the target is like it}", "archive: {}"), "missing-key"),
        (("archive: {", "archive: {why: x, "), "unknown-key"),
        (("archive: {", "pair: {by: [note], at: id, event: note, open: o, close: c}\narchive: {"), "bad-archive"),
        (("archive: {", "into: {trading.signals: {}}\narchive: {"), "bad-archive"),
        (("archive: {", "archive: {when: nowhere is None, "), "bad-expression"),
        (
            ("archive: {reason: nothing in the target is like it}", "into: {archive.rows: {stored: extra}}"),
            "bad-archive",
        ),
    ],
)  # fmt: skip
def test_a_wrong_archive_is_found_by_check(tmp_path: Path, change: tuple[str, str], code: str) -> None:
    assert change[0] in WHOLE
    assert code in {problem.code for problem in problems_of(tmp_path, WHOLE.replace(*change))}


def _project(folder: Path, target: str, rows: list[tuple[object, ...]], mapping: str = WHOLE) -> Project:
    place = folder / "made"
    place.mkdir(parents=True, exist_ok=True)
    (place / "system.yaml").write_text(
        "system: made\nkind: sqlite\ntables: [t]\nbot: {bot_name: x, bot_type: x, strategy_name: x}\n", encoding="utf-8"
    )
    (place / "t.yaml").write_text(mapping.replace("extra: json", "extra: text"), encoding="utf-8")
    with closing(sqlite3.connect(folder / "store.db")) as store, store:
        store.execute("drop table if exists t")
        store.execute("create table t (id integer primary key, price, note, extra)")
        store.executemany("insert into t values (?, ?, ?, ?)", rows)
    file = folder / "consolidate.yaml"
    file.write_text(
        f"version: 1\ntarget: {target}\nsources:\n  s:\n    mapping: {place}\n    path: {folder / 'store.db'}\n"
        "    bot: {id: s_001, deployment_mode: demo, initial_capital: 1}\n",
        encoding="utf-8",
    )
    return project.load(file)


ROWS: list[tuple[object, ...]] = [
    (1, 0.1, "text", b"\x00\xff"),
    (2, 7, None, 3),
    (3, "1e-3", "ünï\u2028 \\ \"", 1e300),
    (4, None, "", -0.0),
]  # fmt: skip


def _written(report: RunReport) -> int:
    return sum(one.insert + one.update for one in report.targets)


def _recovered(loaded: Project, target: str, folder: Path) -> list[tuple[object, ...]]:
    (source,) = prepared(loaded)
    with Staging.open(folder / "again.duckdb") as staging, connect(target, what="the target") as connection:
        recovery.recover(staging, connection, "s", source.compiled.tables[0])
        cells = ", ".join(f'"{name}", "{name}#class"' for name in ("id", "price", "note", "extra"))
        found = staging.rows(f'select {cells} from {recovery.RECOVERED} order by "id"::int')
    (folder / "again.duckdb").unlink()
    return found


def _stored(folder: Path, loaded: Project) -> list[tuple[object, ...]]:
    (source,) = prepared(loaded)
    with Staging.open(folder / "stored.duckdb") as staging:
        extract(source.request(("t",), ()), staging, folder, lambda _: None)
        cells = ", ".join(f'"{name}", "{name}#class"' for name in ("id", "price", "note", "extra"))
        found = staging.rows(f'select {cells} from stg."s.t" order by "id"::int')
    (folder / "stored.duckdb").unlink()
    return found


def test_archived_rows_keep_their_values_and_storage_classes_are_idempotent_and_proved(
    tmp_path: Path, target_dsn: str
) -> None:
    loaded = _project(tmp_path, target_dsn, ROWS)
    report = pipeline.run(loaded)
    assert report.status == "loaded", report.problems
    assert [(one.read, one.archived, one.residue) for one in report.sources] == [(4, 4, 0)]
    assert {("count", "4", "equal")} == {
        (c.measure, c.source_value, c.status)
        for c in report.controls
        if c.table == "archive.rows" and c.measure == "count"
    }
    assert _recovered(loaded, target_dsn, tmp_path) == _stored(tmp_path, loaded)
    assert _written(pipeline.run(loaded)) == 0
    for from_sources in (False, True):
        assert pipeline.verify(loaded, from_sources=from_sources).exit_code == ExitCode.DONE


def test_a_changed_archived_row_is_an_update_and_a_damaged_one_is_found(tmp_path: Path, target_dsn: str) -> None:
    loaded = _project(tmp_path, target_dsn, ROWS)
    pipeline.run(loaded)
    loaded = _project(tmp_path, target_dsn, [(1, 0.2, "text", None), *ROWS[1:]])
    report = pipeline.run(loaded)
    (one,) = [one for one in report.targets if one.table == "archive.rows"]
    assert (one.insert, one.update, one.unchanged) == (0, 1, 3)
    with connect(target_dsn, what="the target") as connection:
        connection.execute("update archive.rows set stored = stored || '{\"note\": \"other\"}' where source_key = '2'")
    assert pipeline.verify(loaded).exit_code == ExitCode.RECONCILIATION


def test_an_archived_row_has_a_passport_and_leaves_with_its_run(tmp_path: Path, target_dsn: str) -> None:
    loaded = _project(tmp_path, target_dsn, ROWS)
    report = pipeline.run(loaded)
    with connect(target_dsn, what="the target") as connection:
        row = connection.execute("select id, stored ->> 'extra' from archive.rows where source_key = '1'").fetchone()
    assert row is not None
    assert row[1] == "00FF"
    passport = pipeline.explain(loaded, "archive.rows", str(row[0]))
    (origin,) = passport.origins
    assert (origin.source, origin.table, origin.key, origin.outcome) == ("s", "t", "1", "mapped")
    assert {(c.column, c.value, c.storage_class) for c in origin.cells or ()} >= {("extra", "00FF", "blob")}
    (rules,) = [cell.rules for cell in passport.cells if cell.column == "stored"]
    assert [rule for rule, _ in rules] == ["archive: nothing in the target is like it"]
    pipeline.rollback(loaded, report.run_id)
    with connect(target_dsn, what="the target") as connection:
        assert connection.execute("select count(*) from archive.rows").fetchone() == (0,)
        assert connection.execute("select count(*) from audit.migration_lineage").fetchone() == (0,)


def test_the_archive_of_a_foreign_table_is_refused(tmp_path: Path, target_dsn: str) -> None:
    with connect(target_dsn, what="the target") as connection:
        connection.execute("create table archive.theirs (x int)")
    with pytest.raises(ConflictError, match=r"foreign relation archive\.theirs"):
        pipeline.run(_project(tmp_path, target_dsn, ROWS))


cells: st.SearchStrategy[object] = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.binary(max_size=5),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=30))
def test_whatever_a_cell_holds_comes_back_from_the_archive(
    tmp_path: Path, target_dsn: str, rows: list[tuple[object, object, object]]
) -> None:
    loaded = _project(tmp_path, target_dsn, [(i, *row) for i, row in enumerate(rows)])
    report = pipeline.run(loaded)
    assert report.status == "loaded", report.problems
    assert _recovered(loaded, target_dsn, tmp_path) == _stored(tmp_path, loaded)
    if _written(report):
        pipeline.rollback(loaded, report.run_id)
