"""Whatever is wrong with what a person gives: one clear error, the right exit code, nothing lost and nothing written.

Every case runs the real command in a process of its own over real stores, into a real PostgreSQL.
"""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
import uuid
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from consolidate import embedded
from consolidate.postgres import connect
from tests import projects
from tests.command import called

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CANARY = "c4nary-p4ss"
WRONG = "wr0ng-c4nary"
OUTSIDE = ".consolidate"


@dataclass(slots=True, kw_only=True)
class Site:
    """What an operator has: a folder with stores and a project file, a PostgreSQL store, a target that is empty."""

    folder: Path
    server: embedded.Server
    store: str
    target: str
    environment: dict[str, str] = field(default_factory=dict)

    def uri(self, database: str, *, user: str = "bob", password: str = CANARY) -> str:
        """The connection string of a user who needs a password."""
        return self.server.dsn(database).replace("postgres@", f"{user}:{password}@")

    @property
    def project(self) -> Path:
        return self.folder / "consolidate.yaml"

    @property
    def log(self) -> Path:
        return self.folder / "lxalgo" / "trade_log.json"

    @property
    def database(self) -> Path:
        return self.folder / "momentum" / "trading.db"

    def replace(self, old: str, new: str) -> None:
        text = self.project.read_text(encoding="utf-8")
        assert old in text
        self.project.write_text(text.replace(old, new, 1), encoding="utf-8")

    def run_in(self, database: str, *statements: str) -> None:
        with connect(self.server.dsn(database), what="the test") as connection:
            for one in statements:
                connection.execute(one.encode())

    def sqlite(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.database, isolation_level=None)) as connection:
            for one in statements:
                connection.execute(one)

    def target_relations(self) -> list[str]:
        """Everything that anybody made in the target."""
        with connect(self.server.dsn(self.target), what="the test") as connection:
            found = connection.execute(
                "select oid::regclass::text from pg_class where oid >= 16384"
                " and relnamespace not in ('pg_toast'::regnamespace, 'pg_catalog'::regnamespace)"
            )
            return sorted(str(name) for (name,) in found)

    def files(self) -> dict[str, bytes]:
        """What the operator's files hold."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file() and OUTSIDE not in path.parts and path.name != "report.json" and os.access(path, os.R_OK)
        }


@pytest.fixture(scope="module")
def password_server() -> Iterator[embedded.Server]:
    """A server where the user bob needs a password."""
    with tempfile.TemporaryDirectory(prefix="c") as name, embedded.server(Path(name), durable=False) as server:
        place = Path(name)
        with connect(server.dsn("postgres"), what="the test") as connection:
            connection.execute(f"create role bob login createdb password '{CANARY}'".encode())
            connection.execute(b"create role eve login password 'eve'")
            hba = place / "data" / "pg_hba.conf"
            hba.write_text("local all bob scram-sha-256\n" + hba.read_text())
            connection.execute("select pg_reload_conf()")
        yield server


@pytest.fixture
def site(tmp_path: Path, password_server: embedded.Server) -> Iterator[Site]:
    name = uuid.uuid4().hex
    found = Site(folder=tmp_path, server=password_server, store=f"store_{name}", target=f"target_{name}")
    for database in (found.store, found.target):
        password_server.create(database)
        found.run_in("postgres", f'alter database "{database}" owner to bob')
    projects.build(tmp_path, "shortseller", "momentum", "lxalgo", postgres_dsn=found.uri(found.store))
    found.environment = {"TARGET": found.uri(found.target), "SHORTSELLER_DSN": found.uri(found.store)}
    yield found
    for database in (found.store, found.target):
        password_server.drop(database)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is done to a site that works, and what the command must answer."""

    name: str
    spoil: Callable[[Site], object]
    code: int
    error: str
    says: tuple[str, ...] = ()
    reported: bool = False  # what was found before it failed is told, and kept in the folder of the run


def _not_there(site: Site) -> None:
    site.database.unlink()


def _unreadable(site: Site) -> None:
    site.log.chmod(0)


def _without_rights(site: Site) -> None:
    site.run_in(
        site.store,
        "grant usage on schema trading to eve",
        "grant select on all tables in schema trading to eve",
        "revoke select on trading.trades from eve",
    )
    site.environment["SHORTSELLER_DSN"] = site.uri(site.store, user="eve")


def _ragged(site: Site) -> None:
    (file,) = (site.folder / "lxalgo").glob("signals_*.csv")
    lines = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join([*lines[:5], f"{lines[5]},one,more", *lines[6:], ""]), encoding="utf-8")


def _empty_folder(site: Site) -> None:
    for file in (site.folder / "lxalgo").iterdir():
        file.unlink()


def _half_json(site: Site) -> None:
    text = site.log.read_text(encoding="utf-8")
    site.log.write_text(text[: len(text) // 2], encoding="utf-8")


SOURCES = (
    Case(
        name="missing file",
        spoil=_not_there,
        code=7,
        error="no-such-file",
        says=("momentum", "trading.db", "path"),
    ),
    Case(
        name="a folder in place of a file",
        spoil=lambda site: site.replace("momentum/trading.db", "momentum"),
        code=7,
        error="not-a-file",
        says=("momentum",),
    ),
    Case(
        name="not a database",
        spoil=lambda site: site.database.write_bytes(b"this is a text and no database at all. " * 400),
        code=7,
        error="not-a-database",
        says=("trading.db",),
    ),
    Case(
        name="an empty file",
        spoil=lambda site: site.database.write_bytes(b""),
        code=2,
        error="no-such-table",
        says=("source momentum has no table trades", "no table at all"),
    ),
    Case(
        name="half a database",
        spoil=lambda site: site.database.write_bytes(site.database.read_bytes()[:20000]),
        code=7,
        error="store-damaged",
        says=("trading.db",),
    ),
    Case(
        name="no such table in SQLite",
        spoil=lambda site: site.sqlite("alter table trades rename to trade"),
        code=2,
        error="no-such-table",
        says=("source momentum has no table trades", "did you mean trade?"),
    ),
    Case(
        name="an unknown column in SQLite",
        spoil=lambda site: site.sqlite("alter table trades add column slippage real"),
        code=2,
        error="unmapped-column",
        says=("'slippage' of momentum.trades", "mappings/momentum/trades.yaml"),
    ),
    Case(
        name="an unknown table in SQLite",
        spoil=lambda site: site.sqlite("create table notes (a)", "insert into notes values (1)"),
        code=2,
        error="unmapped-table",
        says=("'notes' of source momentum", "ignore"),
    ),
    Case(
        name="missing folder",
        spoil=lambda site: site.replace("path: lxalgo", "path: lx"),
        code=7,
        error="no-snapshot-found",
        says=("lxalgo", "path"),
    ),
    Case(name="empty folder", spoil=_empty_folder, code=7, error="no-snapshot-found", says=("lxalgo", "path")),
    Case(
        name="a glob that matches nothing",
        spoil=lambda site: site.replace("path: lxalgo", "path: lxalgo/2019*"),
        code=7,
        error="no-snapshot-found",
        says=("2019*",),
    ),
    Case(
        name="truncated JSON",
        spoil=_half_json,
        code=7,
        error="invalid-json",
        says=("trade_log.json:", "lxalgo"),
    ),
    Case(
        name="JSON of another shape",
        spoil=lambda site: site.log.write_text('{"trade_events": {"a": 1}}', encoding="utf-8"),
        code=7,
        error="wrong-shape",
        says=("trade_log.json", "trade_events", "an object, not a list"),
    ),
    Case(
        name="ragged CSV",
        spoil=_ragged,
        code=7,
        error="invalid-csv",
        says=("signals_", ".csv:6", "10 columns", "12 cells"),
    ),
    Case(
        name="not UTF-8",
        spoil=lambda site: site.log.write_bytes(b'{"trade_events": [], "name": "M\xfcller"}'),
        code=7,
        error="not-utf-8",
        says=("trade_log.json:1:", "0xfc", "UTF-8"),
    ),
    Case(
        name="wrong password",
        spoil=lambda site: site.environment.update(SHORTSELLER_DSN=site.uri(site.store, password=WRONG)),
        code=7,
        error="authentication-failed",
        says=("source shortseller", "user name or the password"),
    ),
    Case(
        name="no such user",
        spoil=lambda site: site.environment.update(SHORTSELLER_DSN=site.uri(site.store, user="nobody")),
        code=7,
        error="authentication-failed",
        says=("source shortseller", "no such user"),
    ),
    Case(
        name="no such database",
        spoil=lambda site: site.environment.update(SHORTSELLER_DSN=site.uri("not_there")),
        code=7,
        error="no-such-database",
        says=("source shortseller", "not_there"),
    ),
    Case(
        name="no server",
        spoil=lambda site: site.environment.update(SHORTSELLER_DSN=f"postgresql://bob:{CANARY}@127.0.0.1:1/x"),
        code=7,
        error="connection-refused",
        says=("source shortseller", "127.0.0.1:1"),
    ),
    Case(
        name="no such host",
        spoil=lambda site: site.environment.update(SHORTSELLER_DSN=f"postgresql://bob:{CANARY}@db.invalid/x"),
        code=7,
        error="unknown-host",
        says=("source shortseller", "db.invalid"),
    ),
    Case(
        name="no such table in PostgreSQL",
        spoil=lambda site: site.run_in(site.store, "alter table trading.trades set schema public"),
        code=2,
        error="no-such-table",
        says=("source shortseller has no table trades in schema trading", "it is in schema public"),
    ),
    Case(
        name="no rights on a table",
        spoil=_without_rights,
        code=7,
        error="permission-denied",
        says=("trading.trades", "eve", "grant select on trading.trades to eve"),
    ),
    Case(
        name="a missing column in PostgreSQL",
        spoil=lambda site: site.run_in(site.store, "alter table trading.positions drop column leverage"),
        code=2,
        error="missing-column",
        says=("shortseller.positions has no column 'leverage'", "mappings/shortseller/positions.yaml"),
    ),
)

PROJECT = (
    Case(
        name="a time zone that does not exist",
        spoil=lambda site: site.replace("Europe/London", "Europe/Lundon"),
        code=2,
        error="unknown-time-zone",
        says=("Europe/Lundon", "consolidate.yaml:11:16", "did you mean `Europe/London`?"),
    ),
    Case(
        name="a bot id used twice",
        spoil=lambda site: site.replace("lxalgo_001", "momentum_001"),
        code=2,
        error="duplicate-bot-id",
        says=("'momentum_001'", "'lxalgo'", "'momentum'"),
    ),
    Case(
        name="an unset variable",
        spoil=lambda site: site.environment.pop("SHORTSELLER_DSN"),
        code=2,
        error="unset-variable",
        says=("SHORTSELLER_DSN",),
    ),
    Case(
        name="an unset variable of the target",
        spoil=lambda site: site.environment.pop("TARGET"),
        code=2,
        error="unset-variable",
        says=("TARGET",),
    ),
    Case(
        name="no project file",
        spoil=lambda site: site.project.unlink(),
        code=2,
        error="no-project-file",
        says=("consolidate init",),
    ),
    Case(
        name="a project file that is no YAML",
        spoil=lambda site: site.project.write_text("version: 1\n  sources: [", encoding="utf-8"),
        code=2,
        error="invalid-yaml",
        says=("consolidate.yaml:2:",),
    ),
    Case(
        name="a mapping that does not exist",
        spoil=lambda site: site.replace("mapping: momentum", "mapping: momentun"),
        code=2,
        error="unknown-mapping",
        says=("momentun", "did you mean `momentum`?"),
    ),
    Case(
        name="a bot without a mode",
        spoil=lambda site: site.replace("deployment_mode: live, ", ""),
        code=2,
        error="missing-key",
        says=("deployment_mode", "consolidate.yaml:14:"),
    ),
)


def _foreign(site: Site) -> None:
    site.run_in(site.target, "create schema trading", "create table trading.mine (a int)")
    site.run_in(site.target, "create table public.theirs (a int)")


def _no_rights(site: Site) -> None:
    site.run_in("postgres", f'revoke create on database "{site.target}" from public, bob', "select 1")
    site.run_in("postgres", f'alter database "{site.target}" owner to postgres')


TARGETS = (
    Case(
        name="foreign relations inside our four schemas",
        spoil=_foreign,
        code=6,
        error="schema-differs",
        says=("trading.mine", "create database"),
    ),
    Case(
        name="the target is the store itself",
        spoil=lambda site: site.environment.update(TARGET=site.uri(site.store)),
        code=6,
        error="schema-differs",
        says=("trading.",),
    ),
    Case(
        name="wrong password of the target",
        spoil=lambda site: site.environment.update(TARGET=site.uri(site.target, password=WRONG)),
        code=7,
        error="authentication-failed",
        says=("the target", "user name or the password"),
    ),
    Case(
        name="no such target database",
        spoil=lambda site: site.environment.update(TARGET=site.uri("not_there")),
        code=7,
        error="no-such-database",
        says=("the target", "not_there"),
    ),
    Case(
        name="no rights in the target",
        spoil=_no_rights,
        code=7,
        error="database-error",
        says=("the target", "permission denied for database", "grant the user"),
        reported=True,
    ),
    Case(
        name="a target that is no connection string",
        spoil=lambda site: site.environment.update(TARGET=f"bob:{CANARY}@db/x"),
        code=2,
        error="bad-connection-string",
        says=("it is not shown",),
    ),
)

CASES = (*SOURCES, *PROJECT, *TARGETS)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_bad_input_is_one_clear_error_and_nothing_is_written(case: Case, site: Site) -> None:
    case.spoil(site)
    relations, files = site.target_relations(), site.files()
    ended = called("run", "--json", "report.json", cwd=site.folder, environment=site.environment)
    assert ended.code == case.code, ended.err
    assert ended.err.count("error[") == 1, ended.err
    assert f"error[{case.error}]: " in ended.err, ended.err
    assert "\nhint: " in ended.err, ended.err
    for part in case.says:
        assert part in ended.err, ended.err
    assert "Traceback" not in ended.err
    report = json.loads((site.folder / "report.json").read_text(encoding="utf-8"))
    assert (report["exit_code"], report["status"], len(report["problems"])) == (case.code, "failed", 1)
    # Nothing lost, nothing half-written.
    assert site.target_relations() == relations
    assert site.files() == files
    kept = [json.loads(file.read_text()) for file in site.folder.glob(f"{OUTSIDE}/runs/*/report.json")]
    assert [one["status"] for one in kept] == (["failed"] if case.reported else [])
    assert case.reported or not list(site.folder.glob(f"{OUTSIDE}/runs/*"))
    assert_no_secret(site, ended.out, ended.err)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_that_may_not_be_read_is_named(site: Site) -> None:
    _unreadable(site)
    ended = called("run", cwd=site.folder, environment=site.environment)
    assert ended.code == 7
    assert "error[snapshot-unreadable]: " in ended.err
    assert "trade_log.json" in ended.err


@pytest.mark.parametrize("command", ["inspect momentum", "inspect lxalgo"])
def test_inspect_of_a_broken_store_is_one_clear_error(command: str, site: Site) -> None:
    site.database.write_bytes(b"this is a text and no database at all. " * 400)
    _half_json(site)
    ended = called(*command.split(), cwd=site.folder, environment=site.environment)
    assert (ended.code, ended.out, ended.err.count("error[")) == (7, "", 1)
    assert not (site.folder / OUTSIDE).exists()


def test_empty_tables_are_no_mistake(site: Site) -> None:
    site.sqlite(
        "delete from trades", "delete from system_events", "delete from risk_events", "delete from daily_snapshots"
    )
    site.run_in(
        site.store,
        "truncate trading.trades, trading.positions, trading.signals, trading.account_balance, trading.risk_metrics,"
        " trading.market_data",
    )
    (site.folder / "lxalgo" / "trade_log.json").write_text('{"trade_events": []}', encoding="utf-8")
    for file in (site.folder / "lxalgo").glob("*.csv"):
        file.write_text(f"{file.read_text(encoding='utf-8').splitlines()[0]}\n", encoding="utf-8")
    for file in (site.folder / "lxalgo").glob("state_*.json"):
        file.unlink()
    ended = called("run", "--json", "report.json", cwd=site.folder, environment=site.environment)
    assert (ended.code, ended.err) == (0, "")
    report = json.loads((site.folder / "report.json").read_text(encoding="utf-8"))
    assert {counts["read"] for counts in report["sources"]} == {0}
    assert {counts["table"] for counts in report["targets"]} == {"trading.bots"}


def test_several_mistakes_are_told_at_once(site: Site) -> None:
    site.sqlite("alter table trades add column slippage real", "create table notes (a)")
    site.run_in(site.store, "alter table trading.positions drop column leverage")
    ended = called("run", cwd=site.folder, environment=site.environment)
    assert (ended.code, ended.err.count("error[")) == (2, 3)
    assert site.target_relations() == []


def test_no_password_is_in_anything_that_a_run_leaves(site: Site) -> None:
    for turn in ("first", "second"):
        ended = called("--traceback", "run", "--json", f"{turn}.json", cwd=site.folder, environment=site.environment)
        assert (ended.code, ended.err) == (0, ""), turn
        assert_no_secret(site, ended.out, ended.err)
    for command in ("check", "inspect shortseller", "schema --apply"):
        ended = called(*command.split(), "--json", "-", cwd=site.folder, environment=site.environment)
        assert ended.code == 0, command
        assert_no_secret(site, ended.out, ended.err)
    with connect(site.server.dsn(site.target), what="the test") as connection:
        tables = connection.execute("select oid::regclass::text from pg_class where relkind = 'r' and oid >= 16384")
        for (table,) in tables.fetchall():
            found = connection.execute(
                f"select count(*) from {table} as t where t::text like %s".encode(), [f"%{CANARY}%"]
            ).fetchone()
            assert found == (0,), table


def assert_no_secret(site: Site, *texts: str) -> None:
    """No password on any stream, nor in any file that the command wrote."""
    for text in texts:
        assert CANARY not in text
        assert WRONG not in text
    for path in site.folder.rglob("*"):
        if path.is_file() and os.access(path, os.R_OK):
            content = path.read_bytes()
            assert CANARY.encode() not in content, path
            assert WRONG.encode() not in content, path
