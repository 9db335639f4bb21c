"""A plan foresees the run exactly: random changes on both sides, planned by roles that can read and nothing else."""

from __future__ import annotations

import random
import sqlite3
import uuid
from contextlib import closing
from typing import TYPE_CHECKING, Final

import psycopg
import pytest

from consolidate import pipeline, project
from consolidate.errors import ExitCode
from consolidate.model import RowsWanted
from consolidate.postgres import connect
from tests import projects

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from consolidate.model import RunReport

ROWS: Final = RowsWanted(most=500)
STORE: Final = (
    "update trades set exit_reason = 'Corrected {n}' where id % {n} = 0",
    "update trades set pnl_usd = pnl_usd * {n}.5 where id % {n} = 1",
    "update trades set side = 'Hold' where id = {n}",
    "update trades set side = 'long', pnl_usd = null where side = 'Hold'",
    "delete from trades where id = {n}",
    "update daily_snapshots set ending_equity = ending_equity + {n} where id = (select max(id) from daily_snapshots)",
    "delete from system_events where id = {n}",
    "insert into system_events select id + 1000 * {n}, {rest} from system_events where id < {n}",
    "insert or ignore into trades select id + 1000 * {n}, {trade} from trades where id < {n}",
)
SHORTSELLER: Final = (
    "update trading.trades set pnl = pnl * {n} where id % {n} = 0",
    "delete from trading.signals where id % 7 = {n}",
    "update trading.account_balance set equity = equity + {n} where id = (select max(id) from trading.account_balance)",
)
TARGET: Final = (
    "update trading.trades set notes = 'by the bot {n}' where id % {n} = 0",
    "update trading.trades set pnl_usd = pnl_usd + {n} where id % {n} = 1",
    "update trading.bots set current_equity = {n}, last_heartbeat = now() where bot_id = 'momentum_001'",
    "delete from trading.trades where id = (select max(id) from trading.trades)",
    "update trading.positions set status = 'closed' where id % {n} = 0",
    "delete from audit.system_events where id % {n} = 0",
    (
        "insert into trading.account_balance select (select max(id) from trading.account_balance) + {n}, {balance}"
        " from trading.account_balance limit 1"
    ),
)


@pytest.fixture
def reader(target_dsn: str, empty_dsn: str) -> Iterator[str]:
    """A role that can select, in the target and in the store, and may not even make a temporary table."""
    name = f"reader_{uuid.uuid4().hex[:12]}"
    with connect(target_dsn, what="the target") as connection:
        connection.execute(f"create role {name} login".encode())
    yield name
    for dsn in (target_dsn, empty_dsn):
        with connect(dsn, what="the target") as connection:
            connection.execute(f"drop owned by {name}".encode())
    with connect(target_dsn, what="the target") as connection:
        connection.execute(f"drop role {name}".encode())


def may_read(dsn: str, role: str) -> str:
    """Let the role read everything there, and nothing else; its connection string."""
    with connect(dsn, what="the database") as connection:
        (database,) = connection.execute("select current_database()").fetchone() or ("",)
        connection.execute(f'revoke temporary on database "{database}" from public'.encode())
        for schema in connection.execute("select nspname from pg_namespace where nspname !~ '^pg_'").fetchall():
            connection.execute(f"grant usage on schema {schema[0]} to {role}".encode())
            connection.execute(f"grant select on all tables in schema {schema[0]} to {role}".encode())
    return dsn.replace("postgres@", f"{role}@", 1)


def columns(dsn: str, table: str) -> str:
    with connect(dsn, what="the target") as connection:
        found = connection.execute(
            "select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute"
            " where attrelid = %s::regclass and attnum > 0 and attname <> 'id'",
            (table,),
        ).fetchone()
    return str((found or ("",))[0])


def edit(folder: Path, store: str, target: str, chance: random.Random) -> list[str]:
    """Change something on each side; what was done."""
    done = []
    with closing(sqlite3.connect(folder / "momentum" / "trading.db")) as opened, opened:
        names = {
            table: ", ".join(row[1] for row in opened.execute(f"pragma table_info({table})") if row[1] != "id")
            for table in ("trades", "system_events")
        }
        for statement in chance.sample(STORE, 3):
            done.append(statement.format(n=chance.randint(2, 9), rest=names["system_events"], trade=names["trades"]))
            opened.execute(done[-1])
    for dsn, statements in ((store, SHORTSELLER), (target, TARGET)):
        with connect(dsn, what="the database") as connection:
            for statement in chance.sample(statements, 2):
                done.append(
                    statement.format(n=chance.randint(2, 9), balance=columns(target, "trading.account_balance"))
                )
                connection.execute(done[-1].encode())
    return done


def told(report: RunReport) -> tuple[object, ...]:
    """What a plan and its run must agree in."""
    return (
        report.sources,
        report.targets,
        report.rejects,
        report.reject_groups,
        report.roundings,
        report.money_before,
        report.money,
        report.since,
        report.changed,
        report.notices,
        report.exit_code,
    )


def test_the_run_does_what_the_plan_of_a_reader_foresaw(
    tmp_path: Path, target_dsn: str, empty_dsn: str, reader: str
) -> None:
    chance = random.Random(0)
    file = projects.build(tmp_path, "shortseller", "momentum", postgres_dsn=empty_dsn)
    text = file.read_text(encoding="utf-8")
    file.write_text(text[: text.index("limits:")] + "limits: {max_rejects: 1000}\n", encoding="utf-8")
    store, target = may_read(empty_dsn, reader), may_read(target_dsn, reader)
    as_owner = project.load(file, {"TARGET": target_dsn, "SHORTSELLER_DSN": empty_dsn})
    as_reader = project.load(file, {"TARGET": target, "SHORTSELLER_DSN": store})
    require_unwritable(target)
    changes = 0
    for turn in range(2):
        done = edit(tmp_path, empty_dsn, target_dsn, chance) if turn else []
        settled = chance.choice(("refuse", "source", "target")) if turn else "refuse"
        planned = pipeline.plan(as_reader, on_conflict=settled, wanted=ROWS)
        if planned.exit_code == ExitCode.CONFLICT:
            assert told(pipeline.run(as_owner, on_conflict=settled, wanted=ROWS)) == told(planned), done
            planned = pipeline.plan(as_reader, on_conflict="source", wanted=ROWS)
            settled = "source"
        assert planned.status == "planned", (done, planned.problems)
        loaded = pipeline.run(as_owner, on_conflict=settled, wanted=ROWS)
        assert loaded.status == "loaded", (done, loaded.problems)
        assert told(loaded) == told(planned), done
        changes += sum(one.insert + one.update for one in loaded.targets)
    assert changes


def require_unwritable(dsn: str) -> None:
    with connect(dsn, what="the target") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("create temporary table t (n integer)")
