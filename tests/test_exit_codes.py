"""The exit codes of `run`, each once from the real cause; and what is in the target after each."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from consolidate import fixtures
from consolidate.bundled import statement
from tests import projects
from tests.command import COMMAND, Ended, called

if TYPE_CHECKING:
    from pathlib import Path

BOTS = "select count(*) from trading.bots"
TRADES = "select count(*) from trading.trades"
WAITING = (
    "select count(*) from pg_locks join pg_database as d on d.oid = database"
    " where not granted and d.datname = current_database()"
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return projects.build(tmp_path, "momentum")


def run(project: Path, target: str) -> Ended:
    return called("run", "--json", "report.json", cwd=project.parent, environment={"TARGET": target})


def reported(project: Path) -> tuple[str, int]:
    found = json.loads((project.parent / "report.json").read_text(encoding="utf-8"))
    return found["status"], found["exit_code"]


def value(dsn: str, query: str) -> object:
    with psycopg.connect(dsn, autocommit=True) as connection:
        found = connection.execute(query.encode()).fetchone()
        return None if found is None else found[0]


def waiting_run(project: Path, target: str) -> subprocess.Popen[str]:
    """A run that waits for a lock in the target, which somebody else holds."""
    process = subprocess.Popen(
        [*COMMAND, "run", "--json", "report.json"],
        cwd=project.parent,
        env=os.environ | {"TARGET": target},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while value(target, WAITING) == 0 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    return process


def test_0_all_is_loaded_and_again_is_free(project: Path, empty_dsn: str) -> None:
    ended = run(project, empty_dsn)
    assert (ended.code, ended.err, reported(project)) == (0, "", ("loaded", 0))
    assert value(empty_dsn, TRADES) == 38
    written = value(empty_dsn, "select max(xmin::text::bigint) from trading.trades")
    ended = run(project, empty_dsn)
    assert (ended.code, ended.err, reported(project)) == (0, "", ("loaded", 0))
    assert value(empty_dsn, "select max(xmin::text::bigint) from trading.trades") == written


def test_2_a_project_file_that_is_wrong(project: Path, target_dsn: str) -> None:
    project.write_text(project.read_text().replace("version: 1", "version: 2"), encoding="utf-8")
    ended = run(project, target_dsn)
    assert (ended.code, reported(project)) == (2, ("failed", 2))
    assert "error[bad-version]" in ended.err


def test_4_rejects_above_the_limit_leave_the_target_as_it_was(project: Path, empty_dsn: str) -> None:
    fixtures.build("momentum", fixtures.DEFECTS, project.parent)
    ended = run(project, empty_dsn)
    assert (ended.code, reported(project)) == (4, ("refused", 4))
    assert "error[too-many-rejects]" in ended.err
    assert ended.err.endswith("; nothing was loaded\n")
    assert value(empty_dsn, "select to_regclass('trading.trades')") is None
    (rejects,) = (project.parent / ".consolidate" / "runs").glob("*/rejects.jsonl")
    assert len(rejects.read_text(encoding="utf-8").splitlines()) > 1


def test_4_becomes_0_where_the_limit_allows_it(project: Path, empty_dsn: str) -> None:
    fixtures.build("momentum", fixtures.DEFECTS, project.parent)
    projects.write(project.parent, "momentum", limits="{max_rejects: 1000}")
    assert (run(project, empty_dsn).code, reported(project)) == (0, ("loaded", 0))


def test_5_a_row_that_the_target_changes_on_its_way_in_is_rolled_back(project: Path, target_dsn: str) -> None:
    """A trigger would be refused as a difference of the schema; so it comes while the run waits for its lock."""
    with psycopg.connect(target_dsn) as other:
        other.execute(
            "create function public.cheaper() returns trigger language plpgsql as"
            " $$ begin new.quantity := new.quantity + 0.00000001; return new; end $$"
        )
        other.execute(
            "create trigger cheaper before insert on trading.trades for each row execute function public.cheaper()"
        )
        process = waiting_run(project, target_dsn)
        other.commit()
    _, told = process.communicate(timeout=120)
    assert process.returncode == 5, told
    assert reported(project) == ("failed", 5)
    assert "trading.trades" in told
    assert value(target_dsn, TRADES) == value(target_dsn, BOTS) == 0


def test_6_another_run_holds_the_target(project: Path, target_dsn: str) -> None:
    with psycopg.connect(target_dsn, autocommit=True, application_name="consolidate other") as other:
        other.execute(statement("load/lock"))
        ended = run(project, target_dsn)
    assert (ended.code, reported(project)) == (6, ("refused", 6))
    assert "error[target-held]" in ended.err
    assert "consolidate other" in ended.err
    assert value(target_dsn, BOTS) == 0
    assert run(project, target_dsn).code == 0


def test_6_a_schema_that_differs(project: Path, target_dsn: str) -> None:
    with psycopg.connect(target_dsn, autocommit=True) as other:
        other.execute("alter table trading.trades alter column notes type varchar(5)")
    ended = run(project, target_dsn)
    assert ended.code == 6
    assert "error[schema-differs]" in ended.err
    assert "trading.trades" in ended.err
    assert value(target_dsn, BOTS) == 0


def test_7_a_store_that_cannot_be_read(project: Path, target_dsn: str) -> None:
    (project.parent / "momentum" / "trading.db").unlink()
    ended = run(project, target_dsn)
    assert (ended.code, reported(project)) == (7, ("failed", 7))
    assert value(target_dsn, BOTS) == 0


def test_7_a_target_that_cannot_be_reached(project: Path) -> None:
    ended = run(project, "postgresql://me@127.0.0.1:1/x")
    assert (ended.code, reported(project)) == (7, ("failed", 7))
    assert "error[connection-refused]: the target at" in ended.err


def test_130_an_interrupted_run_loads_nothing(project: Path, target_dsn: str) -> None:
    with psycopg.connect(target_dsn) as other:
        other.execute("lock table trading.trades in access exclusive mode")
        process = waiting_run(project, target_dsn)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (130, "interrupted; nothing was loaded\n")
    assert reported(project) == ("failed", 130)
    assert value(target_dsn, BOTS) == 0
