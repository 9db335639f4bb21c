"""The fixture stores are built whole, the same each time, and never over anything else."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from consolidate import fixtures
from consolidate.bundled import folder
from consolidate.errors import UnreachableError, UsageError
from consolidate.mapping import load
from consolidate.mapping.yaml import Problems
from consolidate.model import RejectCode, SourceKind
from consolidate.postgres import connect
from tests.alpha import SETS, SYSTEMS, Planted, planted

if TYPE_CHECKING:
    from pathlib import Path

    from psycopg import Connection

    from consolidate.mapping.language import SystemMapping


def _postgres_content(dsn: str) -> dict[str, list[str]]:
    content: dict[str, list[str]] = {}
    with connect(dsn, what="the fixture") as connection:
        for schema, table in _tables(connection):
            rows = connection.execute(f'select t::text from {schema}."{table}" as t order by 1'.encode()).fetchall()
            content[table] = [str(row) for (row,) in rows]
    return content


def _tables(connection: Connection[tuple[object, ...]]) -> list[tuple[str, str]]:
    """Schema and name of each table of a store that has rows."""
    found = connection.execute(
        "select table_schema, table_name from information_schema.tables where table_type = 'BASE TABLE'"
        " and table_schema in ('trading', 'public') order by 1, 2"
    ).fetchall()
    named = [(str(schema), str(table)) for schema, table in found]
    return [
        one
        for one in named
        if connection.execute(f'select 1 from {one[0]}."{one[1]}" limit 1'.encode()).fetchone() is not None
    ]


def _content(store: fixtures.Store) -> dict[str, list[str]]:
    """Everything in the store, in its own order."""
    match store.kind:
        case SourceKind.POSTGRES:
            assert store.dsn is not None
            return _postgres_content(store.dsn)
        case SourceKind.SQLITE:
            assert store.path is not None
            with closing(sqlite3.connect(store.path)) as connection:
                return {"dump": list(connection.iterdump())}
        case SourceKind.SNAPSHOT:
            assert store.path is not None
            files = (each for each in sorted(store.path.iterdir()) if not each.name.startswith("."))
            return {each.name: each.read_text(encoding="utf-8").splitlines() for each in files}


def test_every_system_has_fixtures() -> None:
    assert fixtures.systems() == SYSTEMS


@pytest.mark.parametrize("set_", SETS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_building_again_in_the_same_place_gives_the_same_store(
    system: str, set_: str, tmp_path: Path, empty_dsn: str
) -> None:
    place = tmp_path / "a folder"
    first = _content(fixtures.build(system, set_, place, postgres_dsn=empty_dsn))
    again = _content(fixtures.build(system, set_, place, postgres_dsn=empty_dsn))
    assert all(first.values())
    assert again == first


@pytest.mark.parametrize("system", SYSTEMS)
def test_another_set_replaces_the_one_before(system: str, tmp_path: Path, empty_dsn: str) -> None:
    other = _content(fixtures.build(system, "defects", tmp_path / "other", postgres_dsn=empty_dsn))
    fixtures.build(system, "clean", tmp_path, postgres_dsn=empty_dsn)
    assert _content(fixtures.build(system, "defects", tmp_path, postgres_dsn=empty_dsn)) == other


@pytest.mark.parametrize("system", ["lxalgo", "momentum"])
def test_a_folder_with_anything_else_in_it_is_left_alone(system: str, tmp_path: Path) -> None:
    own = tmp_path / system / "trading.db"
    own.parent.mkdir()
    own.write_bytes(b"months of trades")
    with pytest.raises(UsageError, match=r"trading\.db"):
        fixtures.build(system, "clean", tmp_path)
    assert own.read_bytes() == b"months of trades"
    assert [each.name for each in own.parent.iterdir()] == ["trading.db"]


def test_a_file_put_beside_a_fixture_is_left_alone(tmp_path: Path) -> None:
    store = fixtures.build("lxalgo", "clean", tmp_path)
    assert store.path is not None
    (store.path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"notes\.txt"):
        fixtures.build("lxalgo", "defects", tmp_path)
    assert (store.path / "notes.txt").read_text() == "mine"


def test_a_schema_that_is_no_fixture_is_left_alone(empty_dsn: str, tmp_path: Path) -> None:
    with connect(empty_dsn, what="the bot's database") as connection:
        connection.execute("create schema trading")
        connection.execute("create table trading.trades (id integer)")
        connection.execute("insert into trading.trades (id) values (7)")
        with pytest.raises(UnreachableError, match="no fixture of consolidate"):
            fixtures.build("shortseller", "clean", tmp_path, postgres_dsn=empty_dsn)
        assert connection.execute("select id from trading.trades").fetchall() == [(7,)]


def test_an_unknown_system_or_set_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"lxalgo, momentum, .*shortseller"):
        fixtures.build("nobody", "clean", tmp_path)
    with pytest.raises(UsageError, match="clean, defects"):
        fixtures.build("lxalgo", "dirty", tmp_path)


def test_a_database_store_without_a_dsn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs a PostgreSQL database"):
        fixtures.build("shortseller", "clean", tmp_path)


def test_each_reject_code_is_planted_at_least_once() -> None:
    assert {each.code for each in planted()} == set(RejectCode)


def test_each_line_of_the_table_of_defects_is_read() -> None:
    text = (folder("fixtures") / "README.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(planted()) == len(lines)


def _keys_of_postgres(dsn: str, system: SystemMapping, table: str) -> set[str]:
    key = " || '|' || ".join(f'"{column}"::text' for column in _key(system, table))
    with connect(dsn, what="the fixture") as connection:
        connection.execute("set timezone = 'UTC'")
        rows = connection.execute(f'select {key} from {system.schema}."{table}"'.encode()).fetchall()
    return {str(key) for (key,) in rows}


def _keys_of_sqlite(file: Path, system: SystemMapping, table: str) -> set[str]:
    key = " || '|' || ".join(f'"{column}"' for column in _key(system, table))
    with closing(sqlite3.connect(file)) as connection:
        return {str(key) for (key,) in connection.execute(f'select {key} from "{table}"')}


def _key(system: SystemMapping, table: str) -> tuple[str, ...]:
    mapping = system.table(table)
    assert mapping is not None
    return mapping.key


def _missing(store: fixtures.Store, defects: tuple[Planted, ...]) -> list[Planted]:
    """The defects whose row the store does not have."""
    if store.kind is SourceKind.SNAPSHOT:
        assert store.path is not None
        text = "\n".join(each.read_text(encoding="utf-8") for each in store.path.iterdir())
        return [each for each in defects if any(part not in text for part in (each.key or "").split("|"))]
    missing = []
    system = load.system(folder("mappings") / store.system, Problems())
    assert system is not None
    for each in defects:
        if store.dsn is not None:
            keys = _keys_of_postgres(store.dsn, system, each.table)
        else:
            assert store.path is not None
            keys = _keys_of_sqlite(store.path, system, each.table)
        missing += [] if each.key in keys else [each]
    return missing


@pytest.mark.parametrize("system", SYSTEMS)
def test_each_planted_row_is_in_its_store(system: str, tmp_path: Path, empty_dsn: str) -> None:
    store = fixtures.build(system, "defects", tmp_path, postgres_dsn=empty_dsn)
    defects = tuple(each for each in planted() if each.system == system)
    assert defects
    assert _missing(store, defects) == []


def test_the_log_of_the_clean_set_begins_with_two_closes_without_an_opening(tmp_path: Path) -> None:
    store = fixtures.build("lxalgo", "clean", tmp_path)
    assert store.path is not None
    events = json.loads((store.path / "trade_log.json").read_text(encoding="utf-8"))["trade_events"]
    opened: set[tuple[str, str]] = set()
    unmatched = 0
    for event in events:
        pair = (event["symbol"], event["rule_id"])
        if event["event"] == "opened":
            opened.add(pair)
        elif pair in opened:
            opened.remove(pair)
        else:
            unmatched += 1
    assert unmatched == 2
    assert opened
