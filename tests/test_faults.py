"""Faults: whatever happens to a run, the target has all of it or nothing, the next run completes, no secret is told."""

from __future__ import annotations

import json
import random
import signal
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from consolidate import fixtures
from consolidate.model import COMMITTED, COMMITTING
from consolidate.postgres import connect
from consolidate.target.contract import expected
from consolidate.target.transaction import transaction
from tests import projects, small
from tests.faults import CANARY, OUTPUTS, WAITING, Place, Proxy, small_disk, with_password

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consolidate import embedded

STAGES = ("extract", "transform", "diff", "load", "reconcile", COMMITTING)


@pytest.fixture
def place(tmp_path: Path, target_dsn: str) -> Iterator[Place]:
    folder = tmp_path / "project"
    folder.mkdir()
    made = Place(folder, target_dsn)
    yield made
    made.require_no_secret()


def test_killed_at_each_stage_nothing_is_loaded_and_the_run_is_shown_as_interrupted(place: Place) -> None:
    for stage in STAGES:
        ended = place.call(dies_at=stage)
        assert ended.code == -signal.SIGKILL, (stage, ended.err)
        place.settled()
        assert place.loaded() == 0, stage
    # Before the lock is taken there is nothing in the target that could tell of the run.
    assert place.statuses() == ["interrupted"] * 4
    place.require_next_run_completes()
    assert place.statuses() == ["loaded", *["interrupted"] * 4]


def test_killed_after_the_commit_all_is_loaded_and_the_missing_evidence_is_told(place: Place) -> None:
    assert place.call(dies_at=COMMITTED).code == -signal.SIGKILL
    place.settled()
    loaded = place.loaded()
    assert loaded > 20
    assert place.statuses() == ["loaded"]
    ended = place.call("verify")
    assert ended.code == 7
    assert "error[no-evidence]" in ended.err
    assert place.call("verify", "--sources").code == 0
    place.require_next_run_completes()
    assert place.loaded() == loaded


def test_killed_at_random_moments_all_or_nothing_is_there(place: Place) -> None:
    seed = random.randrange(10**6)
    moments = random.Random(seed)
    started = time.monotonic()
    assert place.call("run").code == 0
    whole, took = place.loaded(), time.monotonic() - started
    assert place.call("rollback", "latest").code == 0
    rejects = place.loaded()
    for _ in range(8):
        running = place.start("run")
        time.sleep(moments.uniform(0.1, 1) * took)
        with suppress(ProcessLookupError):  # it may have come to its end before
            running.signal(signal.SIGKILL)
        place.end(running)
        place.settled()
        found = place.loaded()
        assert found in (rejects, whole), seed
        if found == whole:
            break
    place.settled()
    assert place.call("run").code == 0
    assert place.loaded() == whole, seed


def test_a_run_is_shown_as_running_while_it_does_and_ctrl_c_ends_it_cleanly(place: Place) -> None:
    with place.blocked():
        running = place.start("run", *OUTPUTS, alone=True)
        place.awaited(WAITING)
        assert place.statuses() == ["running"]
        place.printed.append(Path(f"/proc/{running.pid}/cmdline").read_text())
        second = place.run()
        running.signal(signal.SIGINT)
        ended = place.end(running)
    assert second.code == 6
    (run_id,) = place.rows("select run_id from audit.migration_runs")[0]
    assert f"consolidate {run_id}" in second.err
    assert ended.code == 130
    assert ended.err.strip() == "interrupted; nothing was loaded"
    assert place.report()["exit_code"] == 130
    assert place.loaded() == 0
    place.settled()
    assert place.statuses() == ["interrupted"]
    place.require_next_run_completes()


def test_a_session_that_the_server_ends_is_exit_7(place: Place) -> None:
    with place.blocked():
        running = place.start("run", *OUTPUTS)
        place.awaited(WAITING)
        place.rows(f"select pg_terminate_backend(pid) from pg_stat_activity where {WAITING}")
        ended = place.end(running)
    assert ended.code == 7
    assert place.loaded() == 0
    assert place.statuses() == ["interrupted"]
    place.require_next_run_completes()


COPYING = b'copy "trading"."trades"'
PROVING = b"pg_stat_get_xact_tuples_inserted"
CUTS = {
    "copy": ((COPYING,), True),
    "reconcile": ((PROVING,), False),
    "before commit": ((PROVING, b"COMMIT"), False),
    "after commit": ((PROVING, b"COMMIT"), True),
}


@pytest.mark.parametrize("moment", sorted(CUTS))
def test_a_connection_that_is_cut_leaves_all_or_nothing(place: Place, temporary_folder: Path, moment: str) -> None:
    words, forward = CUTS[moment]
    proxy = Proxy(temporary_folder, place.target, words, forward=forward)
    direct, place.target = place.target, proxy.dsn
    ended = place.run()
    place.target = direct
    place.settled()
    assert proxy.cut
    assert ended.code == 7, ended.err
    assert place.report()["exit_code"] == 7
    assert ended.err.count("error[") == 1
    if moment.endswith("commit"):
        assert "may be there or not" in ended.err
        assert "nothing was loaded" not in ended.err + (place.folder / "report.md").read_text()
    else:
        assert "nothing was loaded" in ended.err
    if moment == "after commit":
        assert place.loaded() > 20
        assert place.statuses() == ["loaded"]
    else:
        assert place.loaded() == 0
        assert place.statuses() == ["interrupted"]
    if forward:
        there = place.loaded()
        place.require_next_run_completes()
        assert place.loaded() == there or not there


@pytest.mark.parametrize(("size", "own_disk"), [(60_000, True), (120_000, False)])
def test_a_full_disk_is_exit_7_and_nothing_is_loaded(place: Place, size: int, own_disk: bool) -> None:  # noqa: FBT001
    runs = place.folder / ".consolidate" / "runs"
    give_back = small_disk(runs, size) if own_disk else None
    try:
        ended = place.call("run", *OUTPUTS, file_size=None if give_back else size)
    finally:
        if give_back is not None:
            give_back()
    assert ended.code == 7, ended.err
    assert ended.err.count("error[") == 1
    assert "nothing was loaded" in ended.err
    assert place.loaded() == 0
    place.require_next_run_completes()


@pytest.mark.parametrize("size", [400_000, 1_500_000])
def test_a_plan_that_does_not_get_onto_the_disk_is_exit_7_and_no_plan(place: Place, size: int) -> None:
    """DuckDB says nothing when the last of its file does not get onto the disk as it is closed."""
    assert place.call("plan", "-o", "saved").code == 0
    ended = place.call("plan", "-o", "saved", file_size=size)
    assert ended.code == 7, ended.err
    assert ended.err.count("error[") == 1
    assert place.call("apply", "saved").code == 0, "the plan of before is whole still"


def test_a_disk_that_is_full_after_the_commit_is_told_with_the_rows_that_are_there(place: Place) -> None:
    with place.blocked():
        running = place.start("run", *OUTPUTS)
        place.awaited(WAITING)
        (folder,) = (place.folder / ".consolidate" / "runs").iterdir()
        (folder / "report.json").symlink_to("/dev/full")
    ended = place.end(running)
    assert ended.code == 7
    assert ended.err.count("error[") == 1
    assert "error[evidence-not-written]" in ended.err
    assert "No space left on device" in ended.err
    assert "nothing was loaded" not in ended.err
    report = place.report()
    assert (report["status"], report["exit_code"]) == ("loaded", 7)
    assert place.loaded() > 20
    assert place.statuses() == ["loaded"]
    assert place.call("verify").code == 7
    assert place.call("verify", "--sources").code == 0
    place.require_next_run_completes()


MEDDLE = (
    "create function public.meddle() returns trigger language plpgsql as $$ begin new.pnl_usd = 0; return new; end $$"
)
TRIGGER = "create trigger meddle before insert on trading.trades for each row execute function public.meddle()"
SWALLOW = "create function public.swallow() returns trigger language plpgsql as $$ begin return null; end $$"
SWALLOWING = "create trigger swallow before update on trading.trades for each row execute function public.swallow()"
RULE = "create rule meddle as on update to trading.trades do instead nothing"


@pytest.mark.parametrize("meddling", [TRIGGER, RULE])
def test_a_trigger_or_rule_in_the_target_is_refused_by_name(place: Place, meddling: str) -> None:
    place.do(f"{MEDDLE}; {meddling}")
    ended = place.run()
    assert ended.code == 6
    assert "meddle" in ended.err
    assert place.loaded() == 0


def test_a_trigger_that_comes_during_the_run_and_alters_a_row_is_caught(place: Place) -> None:
    place.do(MEDDLE)
    with connect(place.dsn, what="the target") as connection, connection.transaction():
        connection.execute(TRIGGER.encode())
        running = place.start("run", *OUTPUTS)
        place.awaited(WAITING)
    ended = place.end(running)
    assert ended.code == 5, ended.err
    assert "trading.trades" in ended.err
    assert "pnl_usd" in ended.err
    assert place.loaded() == 0
    place.do("drop trigger meddle on trading.trades")
    place.require_next_run_completes()


def test_a_trigger_that_comes_during_the_run_and_swallows_an_update_is_caught(place: Place) -> None:
    assert place.run().code == 0
    place.do(SWALLOW)
    before = place.rows("select t::text from trading.trades t order by 1")
    with small.store(place.folder) as store:
        store.execute("update trades set note = 'other' where id = 1")
    with connect(place.dsn, what="the target") as connection, connection.transaction():
        connection.execute(SWALLOWING.encode())
        running = place.start("run", *OUTPUTS)
        place.awaited(WAITING)
    ended = place.end(running)
    assert ended.code == 5, ended.err
    assert "exit_reason" in ended.err
    assert place.rows("select t::text from trading.trades t order by 1") == before


@pytest.fixture
def role(postgres_server: embedded.Server) -> Iterator[str]:
    """A role that may log in and nothing else; gone afterwards, with what it was granted."""
    name = f"role_{uuid.uuid4().hex[:12]}"
    with connect(postgres_server.dsn("postgres"), what="the server") as connection:
        connection.execute(f"create role {name} login".encode())
        yield name


RIGHTS = """
    grant usage on schema trading, analytics, config, audit, archive to {role};
    grant select, insert, update, delete on all tables in schema trading, analytics, config, audit, archive to {role};
    grant usage on all sequences in schema trading, analytics, config, audit, archive to {role};
    grant maintain on {views} to {role};
"""


def test_the_rights_of_the_readme_suffice_for_the_target(place: Place, role: str) -> None:
    views = ", ".join(view.name for view in expected().views)
    for statement in RIGHTS.format(role=role, views=views).strip().split(";"):
        if statement.strip():
            place.do(statement)
    place.target = with_password(place.dsn, role)
    ended = place.run()
    assert ended.code == 0, ended.err
    assert place.call("run").code == 0
    assert place.statuses() == ["loaded", "loaded"]
    runs = json.loads(place.call("runs", "--json", "-", "-q").out)["runs"]
    assert place.call("rollback", runs[-1]["run_id"]).code == 0
    place.do(f"drop owned by {role}")


def test_without_rights_in_the_target_the_run_says_what_is_missing(place: Place, role: str) -> None:
    place.target = with_password(place.dsn, role)
    ended = place.run()
    assert ended.code == 7
    assert "permission denied" in ended.err
    assert place.loaded() == 0


def test_a_source_role_that_may_only_read_suffices(place: Place, empty_dsn: str, role: str) -> None:
    fixtures.build("shortseller", fixtures.CLEAN, place.folder, postgres_dsn=empty_dsn)
    projects.write(place.folder, "shortseller")
    with connect(empty_dsn, what="the store") as connection:
        (schema,) = connection.execute(
            b"select schemaname from pg_stat_user_tables group by 1 order by count(*) desc limit 1"
        ).fetchone() or ("public",)
        connection.execute(f'grant usage on schema "{schema}" to {role}'.encode())
        connection.execute(f'grant select on all tables in schema "{schema}" to {role}'.encode())
    ended = place.run({"SHORTSELLER_DSN": with_password(empty_dsn, role)})
    assert ended.code == 0, ended.err
    with connect(empty_dsn, what="the store") as connection:
        connection.execute(f"drop owned by {role}".encode())


def test_two_runs_at_once_the_second_is_told_who_holds_the_target(place: Place) -> None:
    with connect(place.dsn, what="the target") as first, transaction(first, run_id="20990101T000000Z-first"):
        ended = place.run()
    assert ended.code == 6
    assert "consolidate 20990101T000000Z-first" in ended.err
    assert place.statuses() == []
    place.require_next_run_completes()


def test_one_moment_of_a_store_is_read_while_its_bot_writes(place: Place) -> None:
    """The bot writes a trade and a risk event at once; a run that read them at two moments had more of one."""
    over = threading.Event()

    def bot() -> None:
        number = 40
        while not over.is_set():
            number += 1
            with small.store(place.folder) as store:
                store.execute("insert into trades values (?, ?, ?, ?, ?, ?, ?, ?)", small.trade(number))
                time.sleep(0.005)
                store.execute(
                    "insert into risk_events values (?, ?, 'drawdown', '1', '2')", (number, small.moment(number))
                )
            time.sleep(0.01)

    def balance() -> tuple[int, int]:
        ((trades, events),) = place.rows(
            "select (select count(*) from trading.trades), (select count(*) from audit.risk_events)"
        )
        return int(trades), int(events)

    writer = threading.Thread(target=bot)
    writer.start()
    try:
        for _ in range(2):
            ended = place.call("run")
            assert ended.code == 0, ended.err
            trades, events = balance()
            assert trades - events == 20
    finally:
        over.set()
        writer.join()
    place.require_next_run_completes()
    assert balance()[0] > trades > 40
    assert balance()[0] - balance()[1] == 20


def test_a_source_that_changed_between_plan_and_load_is_refused_by_name(place: Place) -> None:
    assert place.call("plan", "-o", "saved", *OUTPUTS).code == 0
    with small.store(place.folder) as store:
        store.execute("update trades set price = '1' where id = 1")
    ended = place.call("apply", "saved", *OUTPUTS)
    assert ended.code == 6
    assert "small.trades" in ended.err
    assert place.loaded() == 0


def test_a_saved_plan_with_one_changed_byte_is_refused(place: Place) -> None:
    assert place.call("plan", "-o", "saved").code == 0
    staged = place.folder / "saved" / "staging.duckdb"
    content = bytearray(staged.read_bytes())
    content[len(content) // 2] ^= 1
    staged.write_bytes(content)
    ended = place.call("apply", "saved", *OUTPUTS)
    assert ended.code == 2
    assert "error[plan-damaged]" in ended.err
    assert place.loaded() == 0


def test_no_command_tells_a_secret(place: Place) -> None:
    """What they print and write, exports and saved plans too, is searched when the test ends."""
    with small.store(place.folder) as store:
        store.execute("update trades set quantity = 'much' where id = 3")
    project_file = place.folder / "consolidate.yaml"
    project_file.write_text(project_file.read_text() + "limits: {max_rejects: 1}\n", encoding="utf-8")
    assert place.call("plan", "-o", "saved", *OUTPUTS).code == 0
    assert place.call("apply", "saved", *OUTPUTS).code == 0
    for arguments in (
        ("check",),
        ("inspect", "small"),
        ("runs",),
        ("verify",),
        ("verify", "--sources"),
        *(("rejects", "latest", "--export", f"rejects.{kind}") for kind in ("csv", "parquet", "jsonl")),
        ("rollback", "latest"),
    ):
        assert place.call(*arguments).code == 0, arguments
    assert {file.name for file in place.folder.glob("rejects.*")} == {"rejects.csv", "rejects.parquet", "rejects.jsonl"}
    reachable = place.target
    for broken in (
        reachable.replace(reachable.partition("?")[0].rpartition("/")[2], "no_such_database"),
        f"postgresql://postgres:{CANARY}@127.0.0.1:1/none",
        f"postgresql://postgres:{CANARY}@/none?host=/nowhere&no_such_option={CANARY}",
        f"host=/nowhere password={CANARY}",
    ):
        place.target = broken
        assert place.call("--traceback", "run", *OUTPUTS).code in {2, 7}, broken
        assert place.call("--traceback", "verify").code in {2, 7}
    place.target = reachable
