"""The target schema: made once, compared always, altered never; and connections that never show a password."""

from __future__ import annotations

import socket
import threading
import traceback
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from consolidate import embedded
from consolidate.bundled import folder
from consolidate.errors import ConflictError, ExitCode, UnreachableError
from consolidate.postgres import check_server, connect, failure, masked
from consolidate.target import catalogue, schema
from consolidate.target.contract import SCHEMAS, expected
from tests import contract

if TYPE_CHECKING:
    from pathlib import Path

    from consolidate.embedded import Server

CANARY = "c4n4ry"


def _execute(dsn: str, *statements: str) -> None:
    with connect(dsn, what="the test") as connection:
        for statement in statements:
            connection.execute(statement.encode())


def _fetch(dsn: str, statement: str) -> list[tuple[Any, ...]]:
    with connect(dsn, what="the test") as connection:
        return connection.execute(statement.encode()).fetchall()


def _state(dsn: str) -> schema.SchemaState:
    with connect(dsn, what="the test") as connection:
        return schema.state(connection)


def test_fresh_apply_makes_the_expected_schema(empty_dsn: str) -> None:
    assert _state(empty_dsn) == schema.Absent()
    with connect(empty_dsn, what="the test") as connection:
        schema.apply(connection)
        assert schema.state(connection) == schema.Present(version=expected().version)
    recorded = _fetch(empty_dsn, "select count(*) from audit.migration_schema")
    assert recorded == [(len(schema.files()),)]


def test_second_apply_writes_nothing(target_dsn: str) -> None:
    before = _fetch(target_dsn, "select xmin::text, file from audit.migration_schema order by file")
    with connect(target_dsn, what="the test") as connection:
        schema.apply(connection)
    assert _fetch(target_dsn, "select xmin::text, file from audit.migration_schema order by file") == before


def test_contract_is_what_a_fresh_database_says(empty_dsn: str) -> None:
    with connect(empty_dsn, what="the test") as connection:
        contract.make(connection)
        fresh = contract.described(connection)
    assert (folder("sql") / "unified" / "contract.json").read_text(encoding="utf-8") == fresh


def test_contract_lists_every_table_after_those_it_refers_to() -> None:
    seen: set[str] = set()
    assert len(expected().tables) == 13  # the twelve, and the archive
    for table in expected().tables:
        assert {key.table for key in table.foreign_keys} <= seen
        seen.add(table.name)


def test_script_makes_the_same_schema_and_apply_records_it(empty_dsn: str) -> None:
    _execute(empty_dsn, schema.text())
    assert _state(empty_dsn) == schema.Present(version=None)
    with connect(empty_dsn, what="the test") as connection:
        schema.apply(connection)
    assert _state(empty_dsn) == schema.Present(version=expected().version)


def test_schemas_that_an_administrator_made_are_used_by_a_user_without_rights_on_the_database(empty_dsn: str) -> None:
    role = f"plain_{empty_dsn.split('/')[3].partition('?')[0]}"
    _execute(empty_dsn, f"create role {role}", *(f"create schema {name} authorization {role}" for name in SCHEMAS))
    try:
        with connect(empty_dsn, what="the test") as connection:
            connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
            schema.apply(connection)
            assert isinstance(schema.state(connection), schema.Present)
    finally:
        _execute(empty_dsn, f"drop owned by {role} cascade", f"drop role {role}")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("drop table trading.signals", "table trading.signals is missing"),
        (
            "drop materialized view analytics.system_health_dashboard",
            "materialised view analytics.system_health_dashboard is",
        ),
        ("create table trading.xyz (a integer)", "foreign relation trading.xyz (table) is in a schema of ours"),
        ("create view config.v as select 1 as one", "foreign relation config.v (view) is in a schema of ours"),
        ("create sequence audit.s", "foreign relation audit.s (sequence) is in a schema of ours"),
        (
            "alter table trading.orders drop column error_code",
            "column trading.orders.error_code is missing (character varying(50))",
        ),
        ("alter table trading.bots add column mood text", "trading.bots has the extra column mood (text)"),
        (
            "alter table trading.signals alter column outcome_pnl type numeric(30,8)",
            "trading.signals.outcome_pnl is numeric(30,8), not numeric(20,8)",
        ),
        (
            "alter table trading.trades alter column leverage set not null",
            "trading.trades.leverage does not admit nulls",
        ),
        ("alter table trading.trades alter column symbol drop not null", "trading.trades.symbol admits nulls"),
        (
            "alter table trading.trades alter column leverage set default 5",
            "trading.trades.leverage has the default 5, not the default 1",
        ),
        (
            "alter table trading.trades alter column leverage drop default",
            "trading.trades.leverage has no default, not the default 1",
        ),
        (
            "alter table trading.trades drop constraint positive_price",
            "constraint positive_price of trading.trades is missing: CHECK ((entry_price",
        ),
        (
            "alter table trading.trades add constraint sane check (leverage < 100)",
            "trading.trades has the extra constraint sane: CHECK ((leverage < 100))",
        ),
        (
            "alter table trading.orders drop constraint orders_bot_id_fkey",
            "constraint orders_bot_id_fkey of trading.orders is missing: FOREIGN KEY (bot_id)",
        ),
        ("drop index trading.idx_trades_open", "index idx_trades_open of trading.trades is missing"),
        (
            "create index extra on trading.trades (fees)",
            "trading.trades has the extra index extra: CREATE INDEX extra ON trading.trades USING btree (fees)",
        ),
        (
            "drop index analytics.idx_system_health",
            "index idx_system_health of analytics.system_health_dashboard is missing",
        ),
        ("alter table trading.trades set unlogged", "trading.trades is unlogged"),
        ("alter table trading.bots enable row level security", "trading.bots has row-level security switched on"),
        ("create rule quiet as on insert to trading.bots do instead nothing", "trading.bots has the extra rule quiet"),
        (
            (
                "create trigger touch before update on trading.bots "
                "for each row execute function suppress_redundant_updates_trigger()"
            ),
            "trading.bots has the extra trigger touch",
        ),
        (
            "update audit.migration_schema set checksum = 'x' where file = 'unified/030_trades.sql'",
            "sql/unified/030_trades.sql is not the file that made this schema",
        ),
        (
            "delete from audit.migration_schema where file = 'unified/020_bots.sql'",
            "audit.migration_schema does not name sql/unified/020_bots.sql",
        ),
    ],
)
def test_difference_is_named_and_nothing_is_altered(target_dsn: str, change: str, sentence: str) -> None:
    _execute(target_dsn, change)
    with connect(target_dsn, what="the test") as connection:
        before = catalogue.read(connection)
        found = schema.state(connection)
        assert isinstance(found, schema.Differing)
        assert any(difference.startswith(sentence) for difference in found.differences), found.differences
        assert len(found.differences) == 1
        with pytest.raises(ConflictError, match="never altered") as refusal:
            schema.apply(connection)
        assert refusal.value.exit_code is ExitCode.CONFLICT
        assert sentence in str(refusal.value)
        assert catalogue.read(connection) == before


def test_partitioned_trades_are_a_difference(empty_dsn: str) -> None:
    _execute(empty_dsn, schema.text(), "drop materialized view analytics.daily_performance_summary",
             "drop materialized view analytics.system_health_dashboard", "drop table trading.trades",
             "create table trading.trades (id bigint, entry_time timestamptz) partition by range (entry_time)",
             "create table trading.trades_2025 partition of trading.trades default")  # fmt: skip
    found = _state(empty_dsn)
    assert isinstance(found, schema.Differing)
    assert "trading.trades is a partitioned table, not a table" in found.differences
    assert "foreign relation trading.trades_2025 (table) is in a schema of ours" in found.differences


def test_legacy_store_is_refused_as_target_and_left_as_it_is(empty_dsn: str) -> None:
    _execute(
        empty_dsn, "create schema trading", "create table trading.trades (id serial primary key, symbol varchar(20))"
    )
    with connect(empty_dsn, what="the test") as connection:
        before = catalogue.read(connection)
        with pytest.raises(ConflictError, match="a database of its own"):
            schema.apply(connection)
        assert catalogue.read(connection) == before


def test_concurrent_applies_make_the_schema_once(empty_dsn: str) -> None:
    failures: list[BaseException] = []
    barrier = threading.Barrier(4)

    def work() -> None:
        try:
            with connect(empty_dsn, what="the test") as connection:
                barrier.wait()
                schema.apply(connection)
        except BaseException as error:  # noqa: BLE001  # handed to the test
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert _state(empty_dsn) == schema.Present(version=expected().version)
    assert _fetch(empty_dsn, "select count(distinct applied_at) from audit.migration_schema") == [(1,)]


def test_apply_without_rights_says_so_and_leaves_nothing(empty_dsn: str) -> None:
    role = f"poor_{empty_dsn.split('/')[3].partition('?')[0]}"
    _execute(empty_dsn, f"create role {role}")
    try:
        with connect(empty_dsn, what="the test") as connection:
            connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
            with pytest.raises(UnreachableError, match="permission denied"):
                schema.apply(connection)
            assert schema.state(connection) == schema.Absent()
    finally:
        _execute(empty_dsn, f"drop role {role}")


_BOT = (
    "insert into trading.bots (bot_id, bot_name, bot_type, strategy_name, deployment_mode, initial_capital) "
    "values ('b', 'b', 'custom', 's', 'demo', 1)"
)


def test_views_refresh_concurrently_with_two_open_positions_of_a_bot_in_one_symbol(target_dsn: str) -> None:
    _execute(
        target_dsn,
        _BOT,
        "insert into trading.positions (position_id, bot_id, symbol, side, size, avg_entry_price, strategy) "
        "values ('p1', 'b', 'BTCUSDT', 'long', 1, 1, 's'), ('p2', 'b', 'BTCUSDT', 'long', 2, 2, 's')",
        *(f"refresh materialized view concurrently {view.name}" for view in expected().views),
        *(f"refresh materialized view concurrently {view.name}" for view in expected().views),
    )
    assert _fetch(target_dsn, "select count(*) from analytics.active_positions_summary") == [(2,)]


def test_day_of_a_trade_is_utc_whatever_the_session_says(target_dsn: str) -> None:
    _execute(
        target_dsn,
        _BOT,
        "insert into trading.trades (trade_id, bot_id, symbol, side, quantity, entry_price, position_size_usd, status, "
        "entry_time, exit_time, strategy) values "
        "('t', 'b', 'X', 'buy', 1, 1, 1, 'filled', '2025-01-02 23:30Z', '2025-01-03 01:00Z', 's')",
        "set time zone 'Asia/Tokyo'",
        "refresh materialized view analytics.daily_performance_summary",
    )
    assert _fetch(target_dsn, "select trade_date::text from analytics.daily_performance_summary") == [("2025-01-02",)]


def test_session_is_fixed_whatever_the_database_defaults_to(empty_dsn: str) -> None:
    name = empty_dsn.split("/")[3].partition("?")[0]
    _execute(
        empty_dsn,
        *(
            f"alter database {name} set {setting}"
            for setting in (
                "timezone = 'Asia/Tokyo'",
                "datestyle = 'German'",
                "search_path = public",
                "statement_timeout = 5000",
            )
        ),
    )
    asked = (
        "TimeZone",
        "DateStyle",
        "search_path",
        "statement_timeout",
        "client_encoding",
        "application_name",
        "lock_timeout",
    )
    with connect(empty_dsn, what="the test") as connection:
        check_server(connection, "the test")
        found = {name: connection.execute("select current_setting(%s)", [name]).fetchone() for name in asked}
    assert found == {
        "TimeZone": ("UTC",), "DateStyle": ("ISO, MDY",), "search_path": ("pg_catalog",), "statement_timeout": ("0",),
        "client_encoding": ("UTF8",), "application_name": ("consolidate",), "lock_timeout": ("30s",),
    }  # fmt: skip


def test_read_only_session_cannot_write(empty_dsn: str) -> None:
    with (
        connect(empty_dsn, what="source s", read_only=True) as connection,
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
    ):
        connection.execute("create table public.t (a integer)")


def test_rows_hidden_by_a_policy_are_an_error_and_not_missing(empty_dsn: str) -> None:
    role = f"reader_{empty_dsn.split('/')[3].partition('?')[0]}"
    _execute(
        empty_dsn, "create table public.t (a integer)", "alter table public.t enable row level security",
        f"create role {role}", f"grant usage on schema public to {role}", f"grant select on public.t to {role}",
    )  # fmt: skip
    try:
        with connect(empty_dsn, what="source s", read_only=True) as connection:
            connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
            with pytest.raises(psycopg.errors.InsufficientPrivilege) as error:
                connection.execute("select a from public.t")
            said = failure(error.value, what="source s", dsn=empty_dsn)
        assert "row-level security" in str(said)
        assert "42501" in str(said)
    finally:
        _execute(empty_dsn, f"drop owned by {role}", f"drop role {role}")


def test_target_that_does_not_store_utf8_is_refused(postgres_server: Server) -> None:
    name = "latin"
    with connect(postgres_server.dsn("postgres"), what="the test") as connection:
        connection.execute("drop database if exists latin")
        connection.execute("create database latin encoding 'LATIN1' template template0 locale_provider libc locale 'C'")
    try:
        with (
            connect(postgres_server.dsn(name), what="the target") as connection,
            pytest.raises(UnreachableError, match="stores text as LATIN1"),
        ):
            check_server(connection, "the target")
    finally:
        postgres_server.drop(name)


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.parametrize(
    "form",
    [
        "postgresql://user:{secret}@127.0.0.1:{port}/db",
        "postgresql://user@127.0.0.1:{port}/db?password={secret}",
        "postgresql://user:p%40{secret}%2F@127.0.0.1:{port}/db",
        "host=127.0.0.1 port={port} user=user dbname=db password={secret}",
        "host=127.0.0.1 port={port} user=user dbname=db password='it''s {secret}'",
        "host=127.0.0.1 port={port} user=user dbname=db password=two words {secret}",
        "postgresql://user:pa/{secret}@127.0.0.1:{port}/db",
        "postgresql://user:12/{secret}@127.0.0.1:{port}/db",
        "postgresql://user:pa@{secret}@127.0.0.1:{port}/db",
        "postgresql://user:pa@{secret}:x@127.0.0.1:{port}/db",
        "postgresql://user:pa#{secret}@127.0.0.1:{port}/db",
        "postgresql://user:pa?{secret}@127.0.0.1:{port}/db",
        "postgresql://user:pa%zz{secret}@127.0.0.1:{port}/db",
        "postgresql://user:{secret}@127.0.0.1:99999999/db",
        "postgresql://user:{secret}@[127.0.0.1/db",
        "postgresql://user:{secret}@nowhere.invalid/db",
        "postgresql+psycopg://user:{secret}@127.0.0.1:{port}/db",
        "mysql://user:{secret}@127.0.0.1/db",
        "dbname=postgresql://user:{secret}@127.0.0.1:{port}/db",
        "postgresql://user:{secret}@127.0.0.1:{port}/db?pasword={secret}",
        "postgresql://user@127.0.0.1:{port}/db?sslpassword={secret}",
        "host=/nonexistent/folder user=user password={secret}",
        "{secret}",
        "postgresql://user:{secret}\x00@h/db",
        "postgresql://user:{secret}\udcff@h/db",
    ],
)
def test_password_is_in_no_message_and_no_traceback(form: str, closed_port: int) -> None:
    dsn = form.format(secret=CANARY, port=closed_port)
    with pytest.raises(UnreachableError) as error:
        connect(dsn, what="source momentum", connect_timeout=3)
    assert error.value.exit_code is ExitCode.UNREACHABLE
    assert len(error.value.problems) == 1
    (problem,) = error.value.problems
    assert "source momentum" in problem.message
    assert problem.hint
    shown = "".join(traceback.format_exception(error.value)) + masked(dsn)
    assert CANARY not in shown
    assert error.value.__context__ is None


def test_wrong_password_names_user_and_place_but_not_the_password(temporary_folder: Path) -> None:
    place = temporary_folder / "postgres"
    with embedded.server(place, durable=False) as server:
        with connect(server.dsn("postgres"), what="the test") as connection:
            connection.execute("create role bob login password 'right'")
            hba = place / "data" / "pg_hba.conf"
            hba.write_text("local all bob scram-sha-256\n" + hba.read_text())
            connection.execute("select pg_reload_conf()")
        connect(server.dsn("postgres").replace("postgres@", "bob:right@"), what="the target").close()
        for user in (f"bob:{CANARY}@", "bob@"):
            with pytest.raises(UnreachableError, match="refuses the user name or the password") as error:
                connect(server.dsn("postgres").replace("postgres@", user), what="the target")
            assert CANARY not in "".join(traceback.format_exception(error.value))
            assert "postgresql://bob@" in str(error.value)


def test_unknown_user_is_named_without_the_password(postgres_server: Server) -> None:
    with pytest.raises(UnreachableError, match="has no such user") as error:
        connect(postgres_server.dsn("postgres").replace("postgres@", f"nobody_here:{CANARY}@"), what="the target")
    assert CANARY not in str(error.value)
    assert "nobody_here" in str(error.value)


def test_missing_database_is_named(postgres_server: Server) -> None:
    with pytest.raises(UnreachableError, match="has no such database") as error:
        connect(postgres_server.dsn("not_there"), what="the target")
    assert "not_there" in str(error.value)


def test_lost_connection_is_a_clear_error(empty_dsn: str) -> None:
    with connect(empty_dsn, what="the target") as connection, connect(empty_dsn, what="the test") as other:
        other.execute("select pg_terminate_backend(%s)", [connection.info.backend_pid])
        with pytest.raises(psycopg.OperationalError) as error:
            connection.execute("select 1")
        said = failure(error.value, what="the target", dsn=empty_dsn)
    assert said.exit_code is ExitCode.UNREACHABLE
    assert "the target at postgresql://postgres@" in str(said)
