"""What `inspect` tells of a store is what the store holds, also where the mapping knows nothing of it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consolidate import pipeline, profile
from consolidate.bundled import folder as bundled_folder
from consolidate.errors import UnreachableError, UsageError
from consolidate.model import Progress, StagedColumn, StagedTable
from consolidate.project import load
from consolidate.staging import Staging, quoted
from tests import projects
from tests.command import called

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from consolidate.model import InspectedColumn, InspectedTable, SourceInspection


def inspected(file: Path, source: str, dsn: str = "postgresql://nobody@localhost/none") -> SourceInspection:
    return pipeline.inspect(load(file, {"TARGET": "embedded", "SHORTSELLER_DSN": dsn}), source)


def table(found: SourceInspection, name: str) -> InspectedTable:
    (one,) = (each for each in found.tables if each.name == name)
    return one


def column(found: SourceInspection, name: str, column_name: str) -> InspectedColumn:
    (one,) = (each for each in table(found, name).columns if each.name == column_name)
    return one


def codes(found: SourceInspection) -> list[str]:
    return [problem.code for problem in found.uncovered]


# SQLite


@pytest.fixture
def momentum(tmp_path: Path) -> Path:
    return projects.build(tmp_path, "momentum")


def change(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file.parent / "momentum" / "trading.db", isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def test_a_covered_store_has_nothing_uncovered(momentum: Path) -> None:
    found = inspected(momentum, "momentum")
    assert found.uncovered == ()
    assert [(one.name, one.rows, one.covered) for one in found.tables] == [
        ("trades", 38, "mapped"),
        ("daily_snapshots", 4, "mapped"),
        ("system_events", 42, "mapped"),
        ("risk_events", 3, "mapped"),
    ]
    mode = column(found, "trades", "mode")
    assert (mode.stored_type, mode.declared, mode.covered, mode.nulls) == ("text", "text", True, 0)
    assert mode.distinct == (("live", 23), ("demo", 15))
    assert column(found, "trades", "exit_time").nulls == 3


def test_each_storage_class_is_counted_and_strays_do_not_hide_the_range(momentum: Path) -> None:
    change(
        momentum,
        "update trades set pnl_usd = 'n/a' where id = 1",
        "update trades set pnl_usd = x'11' where id = 2",
        "update trades set pnl_usd = 9 where id = 3",
        "update trades set pnl_usd = 10.5 where id = 4",
    )
    pnl = column(inspected(momentum, "momentum"), "trades", "pnl_usd")
    classes = dict(pnl.classes)
    assert (classes["text"], classes["blob"], sum(classes.values())) == (1, 1, 38)
    assert (pnl.order, pnl.strays) == ("number", 2)  # the blob too, although its digits look like a number
    assert pnl.maximum is not None
    assert float(pnl.maximum) > 10


def test_unknown_tables_and_columns_are_read_and_named(momentum: Path) -> None:
    change(
        momentum,
        'create table "neue Tabelle" (n integer, "a b" text)',
        "insert into \"neue Tabelle\" values (10, 'x'), (9, 'x'), (null, 'y')",
        "alter table trades add column slippage real",
        "alter table risk_events drop column action_taken",
        "create view recent as select * from trades",
        "drop table daily_snapshots",
    )
    found = inspected(momentum, "momentum")
    assert sorted(codes(found)) == ["missing-column", "no-such-table", "unmapped-column", "unmapped-table"]
    unknown = table(found, "neue Tabelle")
    assert (unknown.rows, unknown.covered) == (3, "unknown")
    number, text = unknown.columns
    assert (number.minimum, number.maximum, number.nulls, number.covered) == ("9", "10", 1, False)
    assert text.distinct == (("x", 2), ("y", 1))
    assert column(found, "trades", "slippage").covered is False
    recent = table(found, "recent")
    assert (recent.kind, recent.rows, recent.covered) == ("view", None, "derived")


def test_a_table_in_another_letter_case_is_the_mapped_one(momentum: Path) -> None:
    change(momentum, "alter table trades rename to trades_", "alter table trades_ rename to TRADES")
    found = inspected(momentum, "momentum")
    assert found.uncovered == ()
    assert table(found, "trades").covered == "mapped"


def test_an_empty_table_is_told_as_empty(momentum: Path) -> None:
    change(momentum, "delete from trades")
    found = inspected(momentum, "momentum")
    assert (table(found, "trades").rows, column(found, "trades", "mode").distinct) == (0, ())


def test_nothing_is_left_behind_and_the_store_is_as_it_was(momentum: Path) -> None:
    store = momentum.parent / "momentum" / "trading.db"
    before = store.read_bytes()
    files = sorted(momentum.parent.rglob("*"))
    inspected(momentum, "momentum")
    assert sorted(momentum.parent.rglob("*")) == files
    assert store.read_bytes() == before
    state = momentum.parent / ".consolidate"
    state.mkdir()
    inspected(momentum, "momentum")
    assert list(state.iterdir()) == []


def test_what_is_read_is_told_as_progress(momentum: Path) -> None:
    told: list[Progress] = []
    pipeline.inspect(load(momentum, {"TARGET": "embedded"}), "momentum", told.append)
    assert {one.stage for one in told} == {"extract", "profile"}
    assert ("momentum.trades", 38) in {(one.subject, one.done) for one in told if one.stage == "profile"}


def test_a_store_that_cannot_be_read_is_an_error_and_leaves_nothing(momentum: Path) -> None:
    (momentum.parent / "momentum" / "trading.db").write_bytes(b"no database at all, whatever its name says" * 99)
    with pytest.raises(UnreachableError):
        inspected(momentum, "momentum")
    assert not (momentum.parent / ".consolidate").exists()


def test_an_unknown_source_is_told(momentum: Path) -> None:
    with pytest.raises(UsageError, match="'momentun' is no source"):
        inspected(momentum, "momentun")


def test_a_mapping_that_is_only_begun_serves_to_look_at_the_store(momentum: Path) -> None:
    begun = momentum.parent / "begun"
    begun.mkdir()
    (begun / "system.yaml").write_text("system: begun\nkind: sqlite\ntables: [trades]\n", encoding="utf-8")
    momentum.write_text(momentum.read_text().replace("mapping: momentum", "mapping: begun"), encoding="utf-8")
    found = inspected(momentum, "momentum")
    assert {one.covered for one in found.tables} == {"unknown"}
    assert column(found, "trades", "side").distinct == (("long", 29), ("short", 6), ("Buy", 3))
    assert codes(found).count("unmapped-table") == 4
    assert any("trades.yaml" in str(problem) for problem in found.uncovered)


def test_ignored_tables_are_counted_but_not_read(momentum: Path) -> None:
    own = momentum.parent / "own"
    shutil.copytree(bundled_folder("mappings") / "momentum", own)
    with (own / "system.yaml").open("a", encoding="utf-8") as stream:
        stream.write("ignore: {'old_*': a copy of last year}\n")
    momentum.write_text(momentum.read_text().replace("mapping: momentum", "mapping: own"), encoding="utf-8")
    change(momentum, "create table old_trades as select * from trades", "create table new_trades (a)")
    found = inspected(momentum, "momentum")
    old = table(found, "old_trades")
    assert (old.rows, old.covered, old.columns[0].nulls) == (38, "ignored", None)
    assert codes(found) == ["unmapped-table"]


# PostgreSQL


def test_a_postgres_store_is_told_with_its_types_and_views(
    empty_dsn: str, tmp_path: Path, temporary_folder: Path
) -> None:
    del temporary_folder
    file = projects.build(tmp_path, "shortseller", postgres_dsn=empty_dsn)
    with psycopg.connect(empty_dsn, autocommit=True) as connection:
        connection.execute("create table trading.notes (at timestamptz, amount numeric, tag text)")
        connection.execute(
            "insert into trading.notes values ('2025-01-01 00:00+05', 1e3, null), ('2024-12-31 20:00+00', 99.50, 'x')"
        )
        connection.execute("alter table trading.trades add column venue text default 'bybit'")
    found = inspected(file, "shortseller", empty_dsn)
    assert sorted(codes(found)) == ["unmapped-column", "unmapped-table"]
    at, amount, tag = table(found, "notes").columns
    assert (at.order, at.minimum, at.maximum) == ("time", "2024-12-31 19:00:00+00", "2024-12-31 20:00:00+00")
    assert (amount.order, amount.minimum, amount.maximum) == ("number", "99.50", "1000")
    assert (tag.nulls, tag.distinct) == (1, (("x", 1), (None, 1)))
    assert column(found, "trades", "venue").distinct == (("bybit", 56),)
    assert column(found, "trades", "price").stored_type == "numeric(20,8)"
    assert {one.covered for one in found.tables if one.kind == "view"} == {"ignored"}


def test_a_schema_without_tables_is_told_as_missing_tables(empty_dsn: str, tmp_path: Path) -> None:
    found = inspected(projects.write(tmp_path, "shortseller"), "shortseller", empty_dsn)
    assert found.tables == ()
    assert codes(found) == ["no-such-table"] * 6
    assert "schema trading" in found.uncovered[0].message


def test_a_password_is_in_no_part_of_it(empty_dsn: str, tmp_path: Path) -> None:
    file = projects.build(tmp_path, "shortseller", postgres_dsn=empty_dsn)
    dsn = f"{empty_dsn}{'&' if '?' in empty_dsn else '?'}password=c4nary-p4ss"
    ended = called(
        "inspect",
        "shortseller",
        "--json",
        "-",
        "-c",
        file,
        cwd=tmp_path,
        environment={"TARGET": "embedded", "SHORTSELLER_DSN": dsn},
    )
    assert ended.code == 0
    assert "c4nary" not in ended.out + ended.err


# Snapshots


@pytest.fixture
def lxalgo(tmp_path: Path) -> Path:
    return projects.build(tmp_path, "lxalgo")


def test_snapshots_are_told_with_the_classes_of_their_members(lxalgo: Path) -> None:
    found = inspected(lxalgo, "lxalgo")
    assert found.uncovered == ()
    price = column(found, "trade_events", "entry_price")
    assert dict(price.classes) == {"number": 52, "absent": 32}
    assert (price.order, price.minimum) == ("number", "147.824")
    assert column(found, "signals", "timestamp").declared == "epoch_ms"


def test_unknown_files_and_members_are_read_where_they_can_be(lxalgo: Path) -> None:
    store = lxalgo.parent / "lxalgo"
    (store / "fees_[1].csv").write_text("coin,fee\nBTC,10\nETH,9.5\nBTC,\n", encoding="utf-8")
    (store / "limits.json").write_text('{"most": 3}', encoding="utf-8")
    (store / "list.json").write_text("[1, 2]", encoding="utf-8")
    (store / "broken.json").write_text('{"most": ', encoding="utf-8")
    (store / "notes.txt").write_text("hello", encoding="utf-8")
    (store / "old").mkdir()
    (store / "old" / "a.csv").write_text("a\n1\n", encoding="utf-8")
    log = store / "trade_log.json"
    document = json.loads(log.read_text(encoding="utf-8"))
    log.write_text(json.dumps({**document, "resets": [{"n": 1}, {"n": 1}], "version": "2"}), encoding="utf-8")
    found = inspected(lxalgo, "lxalgo")
    assert codes(found) == ["unmapped-table"] * 8
    kinds = {one.name: (one.kind, one.rows) for one in found.tables if one.covered == "unknown"}
    assert kinds == {
        "fees_[1].csv": ("file", 3),
        "limits.json": ("file", 1),
        "list.json": ("file", None),
        "broken.json": ("file", None),
        "notes.txt": ("file", None),
        "old/": ("folder", 1),
        "trade_log*.json#resets": ("member", 2),
        "trade_log*.json#version": ("member", 1),
    }
    assert column(found, "fees_[1].csv", "coin").distinct == (("BTC", 2), ("ETH", 1))
    assert column(found, "fees_[1].csv", "fee").maximum == "10"
    assert column(found, "trade_log*.json#resets", "n").distinct == (("1", 2),)


# The command


def test_what_is_not_covered_is_no_failure_of_the_command(momentum: Path) -> None:
    change(momentum, "create table extra (a)", "insert into extra values ('\x1b[31mred')")
    environment = {"TARGET": "embedded"}
    ended = called("inspect", "momentum", "--json", "i.json", cwd=momentum.parent, environment=environment)
    assert (ended.code, ended.err) == (0, "")
    assert "error[unmapped-table]: the table 'extra' of source momentum with 1 rows" in ended.out
    assert ended.out.endswith("the mapping does not cover everything: 1 problem\n")
    assert "\x1b" not in ended.out
    found = json.loads((momentum.parent / "i.json").read_text(encoding="utf-8"))
    assert [problem["code"] for problem in found["problems"]] == ["unmapped-table"]
    (extra,) = (one for one in found["tables"] if one["name"] == "extra")
    assert extra["columns"][0]["distinct"] == [{"value": "\x1b[31mred", "count": 1}]


# The profile itself


@pytest.fixture
def staging(tmp_path: Path) -> Iterator[Staging]:
    with Staging.open(tmp_path / "profile.duckdb") as opened:
        yield opened


def profiled(staging: Staging, cells: Sequence[str | None]) -> profile.ColumnProfile:
    staging.run("create or replace table stg.t (v varchar)")
    if cells:
        staging.run("insert into stg.t select unnest(?::varchar[])", [list(cells)])
    staged = StagedTable(
        source="s",
        table="t",
        relation="stg.t",
        columns=(StagedColumn(name="v", stored_type=""),),
        rows=len(cells),
        classed=False,
        digest="",
    )
    (one,) = profile.profile(staging, staged)
    return one


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    cells=st.lists(
        st.none()
        | st.text(st.characters(codec="utf-8"), max_size=4)
        | st.integers(-50, 50).map(str)
        | st.sampled_from(["2025-01-01", "2024-12-31 23:00:00", "n/a", "", "1e3"]),
        max_size=80,
    )
)
def test_a_profile_counts_what_python_counts(cells: list[str | None], staging: Staging) -> None:
    one = profiled(staging, cells)
    values = [cell for cell in cells if cell is not None]
    assert one.nulls == len(cells) - len(values)
    if len(set(values)) <= profile.MOST_DISTINCT:
        assert dict(one.distinct) == {value: cells.count(value) for value in dict.fromkeys(cells)} or not values
    else:
        assert one.distinct == ()
    if one.order == "text" and values:
        encoded = sorted(value.encode() for value in values)
        assert one.minimum is not None
        assert one.maximum is not None
        assert (one.minimum.encode(), one.maximum.encode()) == (encoded[0], encoded[-1])


@pytest.mark.parametrize(
    ("cells", "order", "least", "greatest", "strays"),
    [
        (["9", "10", "-1.5e2", None], "number", "-1.5e2", "10", 0),
        (["9", "10", "n/a"], "number", "9", "10", 1),
        (["9", "n/a", "b"], "text", "9", "n/a", 0),
        (["2025-01-01T00:00:00+05:00", "2024-12-31T20:00:00Z"], "time", "2025-01-01T00:00:00+05:00", None, 0),
        (["2025-01-02", "2025-01-01 10:00:00.5", "0"], "time", "2025-01-01 10:00:00.5", "2025-01-02", 1),
        (["b", "a"], "text", "a", "b", 0),
        ([None, None], "text", None, None, 0),
        ([], "text", None, None, 0),
    ],
)
def test_the_range_is_in_the_order_of_what_the_cells_are(
    cells: list[str | None], order: str, least: str | None, greatest: str | None, strays: int, staging: Staging
) -> None:
    one = profiled(staging, cells)
    assert (one.order, one.minimum, one.strays) == (order, least, strays)
    assert one.maximum == (greatest if order != "time" or greatest else "2024-12-31T20:00:00Z")


@pytest.mark.parametrize(("distinct", "shown"), [(20, 20), (21, 0), (200, 0)])
def test_values_are_listed_up_to_twenty(distinct: int, shown: int, staging: Staging) -> None:
    cells = [f"v{number % distinct}" for number in range(distinct * 3)]
    assert len(profiled(staging, cells).distinct) == shown


def test_a_long_text_is_counted_and_not_quoted(staging: Staging) -> None:
    one = profiled(staging, ["x" * (profile.LONGEST + 1), "y", None])
    assert (one.nulls, one.distinct, one.minimum, one.maximum) == (1, (), None, None)


def test_a_name_with_a_quotation_mark_is_a_name(staging: Staging) -> None:
    name = 'a"; drop table stg.t; --'
    staging.run(f"create table stg.q ({quoted(name)} varchar, {quoted(name + '#class')} varchar)")
    staging.run("insert into stg.q values ('1', 'text')")
    staged = StagedTable(
        source="s",
        table="q",
        relation="stg.q",
        columns=(StagedColumn(name=name, stored_type=""),),
        rows=1,
        classed=True,
        digest="",
    )
    (one,) = profile.profile(staging, staged)
    assert (one.classes, one.minimum) == ((("text", 1),), "1")
