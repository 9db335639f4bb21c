"""What arrives in staging from a real PostgreSQL is what the server holds, cell by cell, or a clear error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consolidate.errors import ConsolidateError, ExitCode, UnreachableError, UsageError
from consolidate.extract import extract, survey
from consolidate.model import ExtractRequest, Progress, SourceKind, StagedSource
from consolidate.staging import Staging

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def staging(tmp_path: Path) -> Iterator[Staging]:
    with Staging.open(tmp_path / "staging.duckdb") as opened:
        yield opened


def _request(dsn: str, *tables: str, schema: str | None = None) -> ExtractRequest:
    return ExtractRequest(source="bot", kind=SourceKind.POSTGRES, tables=tables, dsn=dsn, schema=schema)


def _extract(dsn: str, staging: Staging, *tables: str, schema: str | None = None) -> StagedSource:
    folder = staging.path.parent
    before = set(folder.iterdir())
    try:
        return extract(_request(dsn, *tables, schema=schema), staging, folder, lambda _: None)
    finally:
        assert set(folder.iterdir()) - before <= {folder / "spill", folder / "staging.duckdb.wal"}


def _run(dsn: str, *statements: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def test_every_text_arrives_as_it_is(empty_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
    escapes = st.text(st.sampled_from("\\Nntbrfv.\t\n\r\b\f\v\"',;\x1b\x01é😀"))

    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(rows=st.lists(st.tuples(st.none() | texts | escapes, st.none() | escapes), max_size=60))
    def check(rows: list[tuple[str | None, str | None]]) -> None:
        with psycopg.connect(empty_dsn, autocommit=True) as connection:
            connection.execute("drop table if exists t")
            connection.execute("create table t (a text, b text)")
            with connection.cursor() as cursor:
                cursor.executemany("insert into t values (%s, %s)", rows)
        with Staging.open(tmp_path_factory.mktemp("s") / "staging.duckdb") as staging:
            source = _extract(empty_dsn, staging, "t")
            assert source.tables[0].rows == len(rows)
            assert staging.rows('select a, b from stg."bot.t" order by "#row"') == rows

    check()


def test_null_and_the_text_backslash_n_are_told_apart(empty_dsn: str, staging: Staging) -> None:
    _run(empty_dsn, "create table t (a text)", r"insert into t values (null), ('\N'), ('\\N'), (''), ('\.'), ('N')")
    _extract(empty_dsn, staging, "t")
    assert staging.rows('select "#row", a from stg."bot.t" order by 1') == [
        (1, None), (2, r"\N"), (3, r"\\N"), (4, ""), (5, r"\."), (6, "N"),
    ]  # fmt: skip


def test_each_type_arrives_as_the_servers_text(empty_dsn: str, staging: Staging) -> None:
    _run(
        empty_dsn,
        "create type mood as enum ('fine', 'so so')",
        """create table t (n numeric, d double precision, r real, i bigint generated always as identity, z timestamptz,
            ts timestamp, day date, t time, b boolean, j jsonb, raw json, bytes bytea, list text[], m mood, g numeric
            generated always as (n * 2) stored, c char(5), span interval, u uuid)""",
        """insert into t (n, d, r, z, ts, day, t, b, j, raw, bytes, list, m, c, span, u) values
            (1.10, 0.1, 0.1, '2025-03-30 01:30:00+02', '2025-01-01 12:00:00.123456', '0044-03-15 BC', '24:00:00', true,
             '{"a": 1.10}', '{"a" : 1e5,"a":2}', '\\x00ff', '{a,NULL,"b c"}', 'so so', 'ab', '1 day 02:00',
             'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'),
            ('NaN', 'infinity', '-infinity', 'infinity', '-infinity', 'infinity', null, false, null, null, '',
             '{}', null, '', null, null),
            (123456789012345678901234567890.123456789, 5e-324, 1e-45, '0001-01-01 00:00:00+00 BC', null, null, null,
             null, 'null', null, null, null, null, null, null, null)""",
    )
    source = _extract(empty_dsn, staging, "t")
    assert [column.stored_type for column in source.tables[0].columns][:5] == [
        "numeric", "double precision", "real", "bigint", "timestamp with time zone",
    ]  # fmt: skip
    names = ", ".join(f'"{column.name}"' for column in source.tables[0].columns)
    assert staging.rows(f'select {names} from stg."bot.t" order by "#row"') == [
        ("1.10", "0.1", "0.1", "1", "2025-03-29 23:30:00+00", "2025-01-01 12:00:00.123456", "0044-03-15 BC", "24:00:00",
         "true",
         '{"a": 1.10}', '{"a" : 1e5,"a":2}', r"\x00ff", '{a,NULL,"b c"}', "so so", "2.20", "ab", "1 day 02:00:00",
         "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("NaN", "Infinity", "-Infinity", "2", "infinity", "-infinity", "infinity", None, "false",
         None, None, r"\x", "{}", None, "NaN", "", None, None),
        ("123456789012345678901234567890.123456789", "5e-324", "1e-45", "3", "0001-01-01 00:00:00+00 BC", None, None,
         None, None,
         "null", None, None, None, None, "246913578024691357802469135780.246913578", None, None, None),
    ]  # fmt: skip


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(numbers=st.lists(st.floats(allow_nan=False), min_size=1, max_size=200))
def test_doubles_keep_every_bit(empty_dsn: str, tmp_path_factory: pytest.TempPathFactory, numbers: list[float]) -> None:
    with psycopg.connect(empty_dsn, autocommit=True) as connection:
        connection.execute("drop table if exists d")
        connection.execute("create table d (x double precision)")
        with connection.cursor() as cursor:
            cursor.executemany("insert into d values (%s)", [(number,) for number in numbers])
    with Staging.open(tmp_path_factory.mktemp("s") / "staging.duckdb") as staging:
        _extract(empty_dsn, staging, "d")
        arrived = [str(value) for (value,) in staging.rows('select x from stg."bot.d" order by "#row"')]
    assert [repr(float(value)) for value in arrived] == [repr(number) for number in numbers]


def test_odd_names_no_columns_and_large_cells(empty_dsn: str, staging: Staging) -> None:
    _run(
        empty_dsn,
        'create schema "Odd \'s"',
        'create table "Odd \'s"."a ""b"" %s" ("x""y" text, "a b" text, "%s" text, "select" text, "ä;--" text)',
        "insert into \"Odd 's\".\"a \"\"b\"\" %s\" values (repeat(E'line\\n\\t', 5000000), '2', '3', '4', '5')",
        'create table "Odd \'s".nothing ()',
        'insert into "Odd \'s".nothing default values',
        'create table "Odd \'s".empty (a int)',
    )
    source = _extract(empty_dsn, staging, 'a "b" %s', "nothing", "empty", schema="Odd 's")
    assert [table.rows for table in source.tables] == [1, 1, 0]
    assert staging.rows('select md5("x""y"), "a b", "%s", "select", "ä;--" from stg."bot.a ""b"" %s"') == [
        (staging.value(r"select md5(repeat(E'line\n\t', 5000000))"), "2", "3", "4", "5")
    ]
    assert staging.rows('from stg."bot.nothing"') == [(1,)]
    assert source.bytes_read > 30_000_000


def test_what_is_not_read_is_listed_and_counted(empty_dsn: str, staging: Staging) -> None:
    _run(
        empty_dsn,
        "create table a (x int)",
        "create table other (y text)",
        "insert into other values ('1'), ('2')",
        "create view seen as select x from a",
        "create materialized view kept as select x from a",
        "create table parts (k int) partition by list (k)",
        "create table parts_1 partition of parts for values in (1)",
        "insert into parts values (1)",
        "create table parent (p int)",
        "create table child () inherits (parent)",
        "create table own_column (extra text) inherits (parent)",
        "insert into child values (1)",
    )
    source = _extract(empty_dsn, staging, "a", "parts", "parent")
    assert [(each.table, each.rows, each.kind) for each in source.unread] == [
        ("kept", 0, "view"), ("other", 2, "table"), ("own_column", 0, "table"), ("seen", 0, "view"),
    ]  # fmt: skip
    assert [each.rows for each in source.tables] == [0, 1, 1]
    surveyed = survey(_request(empty_dsn))
    assert {each.table for each in surveyed} == {"a", "kept", "other", "own_column", "seen", "parts", "parent"}
    assert next(each for each in surveyed if each.table == "other").columns[0].stored_type == "text"


def test_all_tables_are_of_one_moment(empty_dsn: str, staging: Staging) -> None:
    _run(
        empty_dsn,
        "create table a (x int)",
        "create table b (x int)",
        "insert into a values (1)",
        "insert into b values (1)",
    )
    seen: list[Progress] = []

    def write_meanwhile(progress: Progress) -> None:
        seen.append(progress)
        _run(empty_dsn, "insert into a values (2)", "insert into b values (2)")

    source = extract(_request(empty_dsn, "a", "b"), staging, staging.path.parent, write_meanwhile)
    assert [table.rows for table in source.tables] == [1, 1]
    assert seen[-1] == Progress(stage="extract", subject="bot.b", done=1, total=1)


def test_the_digest_is_of_the_rows_whatever_their_order(empty_dsn: str, tmp_path: Path) -> None:
    digests = []
    for number, values in enumerate(
        ["('a', 'bc'), (null, '')", "(null, ''), ('a', 'bc')", "('ab', 'c'), (null, '')", "('a', 'bc'), ('', '')"]
    ):
        _run(empty_dsn, "drop table if exists t", "create table t (x text, y text)", f"insert into t values {values}")
        with Staging.open(tmp_path / str(number) / "staging.duckdb") as staging:
            digests.append(_extract(empty_dsn, staging, "t").tables[0].digest)
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


@pytest.mark.parametrize(("schema", "hint"), [(None, "did you mean trades?"), ("elsewhere", "it is in schema public")])
def test_a_missing_table_is_named_with_the_nearest(
    empty_dsn: str, staging: Staging, schema: str | None, hint: str
) -> None:
    _run(empty_dsn, "create table trades (x int)", "create view tradez as select 1 as one")
    with pytest.raises(UsageError) as caught:
        _extract(empty_dsn, staging, "trades" if schema else "tradez", schema=schema)
    assert caught.value.problems[0].code == "no-such-table"
    assert hint in str(caught.value)


def test_names_that_duckdb_cannot_tell_apart_are_refused(empty_dsn: str, staging: Staging) -> None:
    _run(empty_dsn, 'create table t ("Price" int, price int)', 'create table u ("#ROW" int)')
    for table in ("t", "u"):
        with pytest.raises(UnreachableError, match="column-clash"):
            _extract(empty_dsn, staging, table)


def test_a_table_without_the_privilege_is_named_with_the_grant(empty_dsn: str, staging: Staging) -> None:
    role = f"reader_{abs(hash(empty_dsn))}"
    _run(empty_dsn, "create table secret (x int)", f"create role {role} login")
    try:
        with pytest.raises(UnreachableError) as caught:
            _extract(empty_dsn.replace("postgres@", f"{role}@"), staging, "secret")
        assert caught.value.exit_code is ExitCode.UNREACHABLE
        assert f"grant select on public.secret to {role}" in str(caught.value)
    finally:
        _run(empty_dsn, f"drop role {role}")


def test_a_row_level_policy_stops_the_run_instead_of_hiding_rows(empty_dsn: str, staging: Staging) -> None:
    role = f"policed_{abs(hash(empty_dsn))}"
    _run(
        empty_dsn,
        "create table t (x int)",
        "insert into t values (1), (2)",
        f"create role {role} login",
        f"grant select on t to {role}",
        "alter table t enable row level security",
        "create policy one on t using (x = 1)",
    )
    try:
        with pytest.raises(UnreachableError, match="row-level-security"):
            _extract(empty_dsn.replace("postgres@", f"{role}@"), staging, "t")
    finally:
        _run(empty_dsn, f"drop owned by {role}", f"drop role {role}")


def test_a_store_that_cannot_be_reached_is_an_error_without_the_password(tmp_path: Path, staging: Staging) -> None:
    with pytest.raises(ConsolidateError) as caught:
        _extract(f"postgresql://me:hunter2@localhost:1/db?host={tmp_path}", staging, "t")
    assert caught.value.exit_code is ExitCode.UNREACHABLE
    assert "hunter2" not in str(caught.value)
