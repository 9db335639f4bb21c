"""Faults: whatever happens to a run, the target has all of it or nothing, the next run completes, no secret is told."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from consolidate.postgres import connect
from consolidate.target.contract import expected
from consolidate.target.transaction import transaction
from tests import projects
from tests.command import COMMAND, Ended

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consolidate import embedded

CANARY = "canary-8f3a-Secret"
ROOT = Path(__file__).parent.parent
STAGES = ("extract", "transform", "diff", "load", "reconcile")
KILLED_AT = f"""
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from consolidate import pipeline, project
def observe(progress):
    if progress.stage == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)
pipeline.run(project.load(Path("consolidate.yaml")), observe=observe)
"""


class Place:
    """A project with a store, a target with a password in its connection string, and all that was ever printed."""

    def __init__(self, folder: Path, dsn: str) -> None:
        self.folder = folder
        self.dsn = dsn
        self.printed: list[str] = []
        self.target = dsn.replace("postgres@", f"postgres:{CANARY}@", 1)
        projects.build(folder, "momentum")

    def start(
        self, *arguments: str, command: tuple[str, ...] = COMMAND, before: Callable[[], None] | None = None
    ) -> subprocess.Popen[bytes]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CONSOLIDATE_", "PG"))}
        return subprocess.Popen(
            [*command, *arguments],
            cwd=self.folder,
            env=kept | {"TARGET": self.target, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=before,  # noqa: PLW1509 - it sets a limit and no more
        )

    def end(self, process: subprocess.Popen[bytes]) -> Ended:
        out, err = process.communicate(timeout=60)
        ended = Ended(code=process.returncode, out=out.decode(), err=err.decode())
        self.printed += [ended.out, ended.err]
        return ended

    def call(
        self, *arguments: str, command: tuple[str, ...] = COMMAND, before: Callable[[], None] | None = None
    ) -> Ended:
        return self.end(self.start(*arguments, command=command, before=before))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with connect(self.dsn, what="the target") as connection:
            return connection.execute(query.encode()).fetchall()

    def loaded(self) -> int:
        """How many rows are in the unified tables and lineage."""
        names = [*(table.name for table in expected().tables), "audit.migration_lineage", "audit.migration_rejects"]
        return sum(self.rows(f"select count(*) from {name}")[0][0] for name in names)

    def statuses(self) -> list[str]:
        ended = self.call("runs", "--json", "-", "--quiet")
        assert ended.code == 0, ended.err
        return [run["status"] for run in json.loads(ended.out)["runs"]]

    def settled(self) -> None:
        """Wait until no session of a run is left: a server needs a moment to see that its client has died."""
        self.awaited("application_name like 'consolidate 2%'", there=False)

    def awaited(self, condition: str, *, there: bool = True) -> None:
        query = f"select count(*) from pg_stat_activity where datname = current_database() and {condition}"
        for _ in range(1200):
            if bool(self.rows(query)[0][0]) is there:
                return
            time.sleep(0.05)
        raise AssertionError(condition)

    def require_next_run_completes(self) -> None:
        self.settled()
        ended = self.call("run", "--json", "again.json")
        assert ended.code == 0, ended.err
        assert self.loaded() > 20

    def require_no_secret(self) -> None:
        for text in self.printed:
            assert CANARY not in text
        for file in self.folder.rglob("*"):
            if file.is_file() and not file.is_symlink():
                assert CANARY.encode() not in file.read_bytes(), file


@pytest.fixture
def place(tmp_path: Path, target_dsn: str) -> Iterator[Place]:
    folder = tmp_path / "project"
    folder.mkdir()
    made = Place(folder, target_dsn)
    yield made
    made.require_no_secret()


@contextmanager
def blocked(place: Place, table: str = "trading.trades") -> Iterator[None]:
    """Nobody can write to the table: a run that loads it waits at its COPY."""
    with connect(place.dsn, what="the target") as connection, connection.transaction():
        connection.execute(f"lock table {table} in share mode".encode())
        yield


WAITING = "application_name like 'consolidate 2%' and wait_event_type = 'Lock'"


def test_killed_at_each_stage_nothing_is_loaded_and_the_run_is_shown_as_interrupted(place: Place) -> None:
    for stage in STAGES:
        ended = place.call(stage, command=(sys.executable, "-c", KILLED_AT))
        assert ended.code == -signal.SIGKILL, (stage, ended.err)
        place.settled()
        assert place.loaded() == 0, stage
    # Before the lock is taken there is nothing in the target that could tell of the run.
    assert place.statuses() == ["interrupted"] * 3
    place.require_next_run_completes()
    assert place.statuses() == ["loaded", *["interrupted"] * 3]


def test_killed_at_random_moments_all_or_nothing_is_there(place: Place) -> None:
    seed = random.randrange(10**6)
    moments = random.Random(seed)
    started = time.monotonic()
    assert place.call("run").code == 0
    whole, took = place.loaded(), time.monotonic() - started
    assert place.call("rollback", "latest").code == 0
    rejects = place.loaded()
    for _ in range(4):
        process = place.start("run")
        time.sleep(moments.uniform(0.4, 1) * took)
        process.kill()
        place.end(process)
        place.settled()
        found = place.loaded()
        assert found in (rejects, whole), seed
        if found == whole:
            break
    place.settled()
    assert place.call("run").code == 0
    assert place.loaded() == whole, seed


def test_a_run_is_shown_as_running_while_it_does_and_ctrl_c_ends_it_cleanly(place: Place) -> None:
    with blocked(place):
        process = place.start("run", "--json", "report.json")
        place.awaited(WAITING)
        assert place.statuses() == ["running"]
        second = place.call("run")
        process.send_signal(signal.SIGINT)
        ended = place.end(process)
    assert second.code == 6
    (run_id,) = place.rows("select run_id from audit.migration_runs")[0]
    assert f"consolidate {run_id}" in second.err
    assert ended.code == 130
    assert ended.err.strip() == "interrupted; nothing was loaded"
    assert json.loads((place.folder / "report.json").read_text())["exit_code"] == 130
    assert place.loaded() == 0
    place.settled()
    assert place.statuses() == ["interrupted"]
    place.require_next_run_completes()


def test_a_session_that_the_server_ends_is_exit_7(place: Place) -> None:
    with blocked(place):
        process = place.start("run")
        place.awaited(WAITING)
        place.rows(f"select pg_terminate_backend(pid) from pg_stat_activity where {WAITING}")
        ended = place.end(process)
    assert ended.code == 7
    assert place.loaded() == 0
    assert place.statuses() == ["interrupted"]
    place.require_next_run_completes()


class Proxy:
    """Between the command and the server: after a row of words of the client it cuts the connection.

    `forward`: the words themselves still reach the server, so it does what they say; only the answer is lost.
    """

    def __init__(self, folder: Path, dsn: str, words: tuple[bytes, ...], *, forward: bool) -> None:
        self.words, self.forward, self.cut = list(words), forward, False
        query = parse_qs(urlsplit(dsn).query)
        self.behind = f"{query['host'][0]}/.s.PGSQL.{query['port'][0]}"
        self.dsn = dsn.replace(urlsplit(dsn).query, f"host={str(folder).replace('/', '%2F')}&port=5432")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(folder / ".s.PGSQL.5432"))
        self.listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self.behind)
                threading.Thread(target=self._pump, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self._pump, args=(server, client, False), daemon=True).start()

    def _pump(self, origin: socket.socket, destination: socket.socket, watched: bool) -> None:  # noqa: FBT001
        tail = b""
        with suppress(OSError):
            while chunk := origin.recv(65536):
                tail = tail[-200:] + chunk
                if watched and self._reached(tail):
                    if self.forward:
                        destination.sendall(chunk)
                        time.sleep(0.5)
                    break
                if watched or not self.cut:
                    destination.sendall(chunk)
        for end in (origin, destination):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _reached(self, text: bytes) -> bool:
        if self.words and self.words[0] in text:
            self.words.pop(0)
            self.cut = not self.words
            return self.cut
        return False


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
    ended = place.call("run", "--json", "report.json")
    place.target = direct
    place.settled()
    assert proxy.cut
    assert ended.code == 7, ended.err
    assert json.loads((place.folder / "report.json").read_text())["exit_code"] == 7
    if moment == "after commit":
        assert "may be there or not" in ended.err
        assert place.loaded() > 20
        assert place.statuses() == ["loaded"]
    else:
        assert place.loaded() == 0
        assert place.statuses() == ["interrupted"]
    if forward:
        place.require_next_run_completes()


@pytest.mark.parametrize("bytes_a_file", [60_000, 100_000])
def test_a_full_disk_is_exit_7_and_nothing_is_loaded(place: Place, bytes_a_file: int) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_a_file, bytes_a_file))

    ended = place.call("run", before=limited)
    assert ended.code == 7, ended.err
    assert ended.err.startswith("error[")
    assert place.loaded() == 0
    place.require_next_run_completes()


@pytest.mark.parametrize(
    "meddling",
    [
        "create trigger meddle before insert on trading.trades for each row execute function public.meddle()",
        "create rule meddle as on insert to trading.trades do instead nothing",
    ],
)
def test_a_trigger_or_rule_in_the_target_is_refused_by_name(place: Place, meddling: str) -> None:
    with connect(place.dsn, what="the target") as connection:
        connection.execute(
            b"create function public.meddle() returns trigger language plpgsql as"
            b" $$ begin new.pnl_usd = 0; return new; end $$"
        )
        connection.execute(meddling.encode())
    ended = place.call("run")
    assert ended.code == 6
    assert "meddle" in ended.err
    assert place.loaded() == 0


@pytest.fixture
def role(postgres_server: embedded.Server) -> Iterator[str]:
    """A role that may log in and nothing else; gone afterwards, with what it was granted."""
    name = f"role_{uuid.uuid4().hex[:12]}"
    with connect(postgres_server.dsn("postgres"), what="the server") as connection:
        connection.execute(f"create role {name} login".encode())
        yield name


RIGHTS = """
    grant usage on schema trading, analytics, config, audit to {role};
    grant select, insert, update, delete on all tables in schema trading, analytics, config, audit to {role};
    grant usage on all sequences in schema trading, analytics, config, audit to {role};
    grant maintain on {views} to {role};
"""


def test_the_rights_of_the_readme_suffice_for_the_target(place: Place, role: str) -> None:
    views = ", ".join(view.name for view in expected().views)
    with connect(place.dsn, what="the target") as connection:
        for statement in RIGHTS.format(role=role, views=views).strip().split(";"):
            if statement.strip():
                connection.execute(statement.encode())
    place.target = place.dsn.replace("postgres@", f"{role}:{CANARY}@", 1)
    ended = place.call("run")
    assert ended.code == 0, ended.err
    assert place.call("run").code == 0
    assert place.statuses() == ["loaded", "loaded"]
    runs = json.loads(place.call("runs", "--json", "-", "-q").out)["runs"]
    assert place.call("rollback", runs[-1]["run_id"]).code == 0
    with connect(place.dsn, what="the target") as connection:
        connection.execute(f"drop owned by {role}".encode())


def test_without_rights_in_the_target_the_run_says_what_is_missing(place: Place, role: str) -> None:
    place.target = place.dsn.replace("postgres@", f"{role}:{CANARY}@", 1)
    ended = place.call("run")
    assert ended.code == 7
    assert "permission denied" in ended.err
    assert place.loaded() == 0


def test_a_source_role_that_may_only_read_suffices(place: Place, empty_dsn: str, role: str) -> None:
    folder = place.folder / "postgres"
    folder.mkdir()
    projects.build(folder, "shortseller", postgres_dsn=empty_dsn)
    with connect(empty_dsn, what="the store") as connection:
        (schema,) = connection.execute(
            b"select schemaname from pg_stat_user_tables group by 1 order by count(*) desc limit 1"
        ).fetchone() or ("public",)
        connection.execute(f'grant usage on schema "{schema}" to {role}'.encode())
        connection.execute(f'grant select on all tables in schema "{schema}" to {role}'.encode())
    ended = place.call("run", "-c", str(folder / "consolidate.yaml"), command=_with(empty_dsn, role))
    assert ended.code == 0, ended.err
    with connect(empty_dsn, what="the store") as connection:
        connection.execute(f"drop owned by {role}".encode())


def _with(dsn: str, role: str) -> tuple[str, ...]:
    return ("env", f"SHORTSELLER_DSN={dsn.replace('postgres@', f'{role}:{CANARY}@', 1)}", *COMMAND)


def test_two_runs_at_once_the_second_is_told_who_holds_the_target(place: Place) -> None:
    with connect(place.dsn, what="the target") as first, transaction(first, run_id="20990101T000000Z-first"):
        ended = place.call("run")
    assert ended.code == 6
    assert "consolidate 20990101T000000Z-first" in ended.err
    assert place.statuses() == []
    place.require_next_run_completes()
