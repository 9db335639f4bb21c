"""Keys and indexes that give way to a load are back when it ends, however it ends."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from consolidate.bundled import statement
from consolidate.postgres import connect
from consolidate.target import rebuild, schema
from consolidate.target.contract import SCHEMAS, expected
from consolidate.target.rebuild import rebuilt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consolidate.target.transaction import Connection

TABLES = (*(table.name for table in expected().tables), "audit.migration_lineage")


@pytest.fixture
def connection(target_dsn: str) -> Iterator[Connection]:
    with connect(target_dsn, what="the target") as opened:
        yield opened


@pytest.fixture(autouse=True)
def _rows_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild, "WORTH_ROWS", 1)


def keys(connection: Connection) -> list[tuple[Any, ...]]:
    schemas = {"schemas": list(SCHEMAS)}
    return [
        *connection.execute(statement("schema/constraints"), schemas).fetchall(),
        *connection.execute(statement("schema/indexes"), schemas).fetchall(),
    ]


def add_bot(connection: Connection, *names: str) -> None:
    for name in names or ("a",):
        connection.execute(
            b"insert into trading.bots (bot_id, bot_name, bot_type, strategy_name, deployment_mode, initial_capital)"
            b" values (%s, 'a', 'custom', 's', 'demo', 1)",
            (name,),
        )


def add_event(connection: Connection, bot: str = "a") -> None:
    connection.execute(
        b"insert into trading.account_balance (bot_id, total_balance, available_balance, equity) values (%s, 1, 1, 1)",
        (bot,),
    )


@pytest.mark.parametrize("table", TABLES)
def test_a_table_has_the_very_same_keys_and_indexes_afterwards(connection: Connection, table: str) -> None:
    before = keys(connection)
    with connection.transaction(), rebuilt(connection, table, 8) as done:
        assert done
        assert len(keys(connection)) < len(before)
    assert keys(connection) == before
    assert isinstance(schema.state(connection), schema.Present)


def fail(connection: Connection) -> None:
    add_bot(connection)
    with rebuilt(connection, "trading.account_balance", 8) as done:
        assert done
        add_event(connection)
        message = "in between"
        raise ValueError(message)


def test_a_load_that_fails_has_dropped_nothing(connection: Connection) -> None:
    before = keys(connection)
    with pytest.raises(ValueError, match="in between"), connection.transaction():
        fail(connection)
    assert keys(connection) == before
    assert connection.execute("select count(*) from trading.account_balance").fetchone() == (0,)


def test_a_missing_reference_is_found_when_the_keys_come_back(connection: Connection) -> None:
    with (
        pytest.raises(psycopg.errors.ForeignKeyViolation),
        connection.transaction(),
        rebuilt(connection, "trading.account_balance", 8),
    ):
        add_event(connection, "nobody")


def test_a_doubled_key_is_found_when_the_keys_come_back(connection: Connection) -> None:
    with (
        pytest.raises(psycopg.errors.UniqueViolation),
        connection.transaction(),
        rebuilt(connection, "trading.bots", 8),
    ):
        add_bot(connection, "a", "a")


def test_nobody_sees_the_table_without_its_keys(connection: Connection, target_dsn: str) -> None:
    with connect(target_dsn, what="another session") as other:
        other.execute("set lock_timeout = '100ms'")
        with connection.transaction(), rebuilt(connection, "trading.account_balance", 8) as done:
            assert done
            with pytest.raises(psycopg.errors.LockNotAvailable):
                other.execute("select count(*) from trading.account_balance")
        assert keys(other) == keys(connection)


def test_a_table_that_another_session_uses_keeps_its_keys_and_nobody_waits(
    connection: Connection, target_dsn: str
) -> None:
    with connect(target_dsn, what="another session") as other, other.transaction():
        other.execute("select count(*) from trading.account_balance")
        with connection.transaction():
            before = keys(connection)
            add_bot(connection)
            with rebuilt(connection, "trading.account_balance", 8) as done:
                assert not done
                assert keys(connection) == before
                add_event(connection)
    assert connection.execute("select count(*) from trading.account_balance").fetchone() == (1,)


def test_a_table_that_is_large_against_the_load_keeps_its_keys(connection: Connection) -> None:
    add_bot(connection)
    for _ in range(3):
        add_event(connection)
    for rows, expected_done in ((11, False), (12, True)):
        with connection.transaction(), rebuilt(connection, "trading.account_balance", rows) as done:
            assert done is expected_done


def test_few_rows_are_not_worth_it(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild, "WORTH_ROWS", 9)
    with connection.transaction(), rebuilt(connection, "trading.account_balance", 8) as done:
        assert not done


def test_a_role_that_does_not_own_the_table_keeps_its_keys(connection: Connection) -> None:
    role = f"loader_{uuid.uuid4().hex}"
    with connection.transaction():
        connection.execute(f"create role {role}".encode())
        connection.execute(f"grant usage on schema trading to {role}".encode())
        connection.execute(f"grant select, insert on all tables in schema trading to {role}".encode())
        connection.execute(f"set local role {role}".encode())
        with rebuilt(connection, "trading.account_balance", 8) as done:
            assert not done
        raise psycopg.Rollback


def test_a_table_with_settings_that_a_definition_does_not_tell_keeps_its_keys(connection: Connection) -> None:
    connection.execute("cluster trading.account_balance using account_balance_pkey")
    with connection.transaction(), rebuilt(connection, "trading.account_balance", 8) as done:
        assert not done
