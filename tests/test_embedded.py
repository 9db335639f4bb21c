"""The embedded PostgreSQL: started and stopped wherever it is kept, whoever was killed before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from consolidate.embedded import running, server
from consolidate.errors import ExitCode, UnreachableError
from consolidate.postgres import check_server, connect

_REPOSITORY = Path(__file__).parents[1]


def _ask(dsn: str, question: str) -> object:
    with connect(dsn, what="the test") as connection:
        row = connection.execute(question.encode()).fetchone()
        return None if row is None else row[0]


def _postmaster(folder: Path) -> psutil.Process:
    return psutil.Process(int((folder / "data" / "postmaster.pid").read_text().split("\n")[0]))


def _runs(process: psutil.Process) -> bool:
    return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)


def _other_process(folder: Path, rest: str) -> subprocess.Popen[str]:
    """Another process that uses the server of `folder`, says so, and goes on with `rest`."""
    program = (
        "import sys, time; from pathlib import Path; from consolidate.embedded import running\n"
        f"with running(Path({str(folder)!r})) as dsn:\n"
        "    print(dsn, flush=True)\n"
        f"    {rest}\n"
    )
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=_REPOSITORY)


@pytest.mark.parametrize(
    "name", ["plain", "with a space", "quo'te\"$HOME`;%", "grüße", "long/" + "/".join(["x" * 60] * 4)]
)
def test_server_runs_in_any_folder_and_again_with_its_rows(temporary_folder: Path, name: str) -> None:
    folder = temporary_folder / name / ".consolidate" / "postgres"
    with running(folder) as dsn:
        with connect(dsn, what="the test") as connection:
            check_server(connection, "the test")
            connection.execute("create table public.kept as select 42 as answer")
        assert _ask(dsn, "select current_database()") == "consolidate"
        first = _postmaster(folder)
    assert not _runs(first)
    began = time.monotonic()
    with running(folder) as dsn:
        assert time.monotonic() - began < 3
        assert _ask(dsn, "select answer from public.kept") == 42
        again = _postmaster(folder)
    assert not _runs(again)


def test_no_port_is_opened_and_nothing_is_printed(temporary_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = temporary_folder / "postgres"
    with running(folder) as dsn:
        assert _ask(dsn, "show listen_addresses") == ""
        postmaster = _postmaster(folder)
        assert [one for one in postmaster.net_connections("inet") if one.status == psutil.CONN_LISTEN] == []
        with server(folder) as same:
            sockets = same.socket_folder
        assert sockets.stat().st_mode & 0o077 == 0
    assert not sockets.exists()
    assert capfd.readouterr() == ("", "")


def test_last_user_stops_the_server_and_no_other_does(temporary_folder: Path) -> None:
    folder = temporary_folder / "postgres"
    with running(folder):
        postmaster = _postmaster(folder)
        with running(folder):
            assert _postmaster(folder).pid == postmaster.pid
        assert _runs(postmaster)
    assert not _runs(postmaster)


def test_two_processes_share_one_server(temporary_folder: Path) -> None:
    folder = temporary_folder / "postgres"
    both = [_other_process(folder, "time.sleep(0.5)") for _ in range(2)]
    said = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert said[0] == said[1]
    assert not (folder / "data" / "postmaster.pid").exists()


def test_server_that_a_killed_process_left_running_is_taken_over_and_stopped(temporary_folder: Path) -> None:
    folder = temporary_folder / "postgres"
    killed = _other_process(folder, "time.sleep(60)")
    assert killed.stdout is not None
    assert killed.stdout.readline()
    killed.kill()
    killed.communicate()
    left = _postmaster(folder)
    assert _runs(left)
    with running(folder) as dsn:
        assert _postmaster(folder).pid == left.pid
        assert _ask(dsn, "select 1") == 1
    assert not _runs(left)


def test_killed_server_recovers(temporary_folder: Path) -> None:
    folder = temporary_folder / "postgres"
    with running(folder) as dsn:
        with connect(dsn, what="the test") as connection:
            connection.execute("create table public.kept as select 42 as answer")
        killed = _postmaster(folder)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    assert (folder / "data" / "postmaster.pid").exists()
    with running(folder) as dsn:
        assert _ask(dsn, "select answer from public.kept") == 42


def test_stale_pid_file_that_names_another_process_by_now_is_no_hindrance(temporary_folder: Path) -> None:
    folder = temporary_folder / "postgres"
    with running(folder):
        lines = (folder / "data" / "postmaster.pid").read_text().split("\n")
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        (folder / "data" / "postmaster.pid").write_text("\n".join([str(bystander.pid), *lines[1:]]))
        with running(folder) as dsn:
            assert _ask(dsn, "select 1") == 1
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_server_whose_socket_was_swept_away_is_started_again(temporary_folder: Path) -> None:
    folder = temporary_folder / "postgres"
    with server(folder) as first:
        old = _postmaster(folder)
        for path in first.socket_folder.iterdir():
            path.unlink()
        first.socket_folder.rmdir()
        with running(folder) as dsn:
            assert _ask(dsn, "select 1") == 1
            new = _postmaster(folder)
        assert not _runs(old)
    assert not _runs(new)


def test_taken_socket_folder_is_not_trusted(temporary_folder: Path) -> None:
    folder = temporary_folder / "postgres"
    with server(folder) as first:
        taken = first.socket_folder
    taken.mkdir(mode=0o777)
    taken.chmod(0o777)
    try:
        with running(folder) as dsn:
            assert str(taken.name) + "&" not in dsn
            assert _ask(dsn, "select 1") == 1
    finally:
        taken.rmdir()


def test_half_made_cluster_is_made_anew(temporary_folder: Path) -> None:
    folder = temporary_folder / "postgres"
    (folder / "data.partial" / "base").mkdir(parents=True)
    (folder / "data").mkdir()
    with running(folder) as dsn:
        assert _ask(dsn, "select 1") == 1


def test_server_that_cannot_start_says_why(temporary_folder: Path) -> None:
    folder = temporary_folder / "postgres"
    with running(folder):
        pass
    with (folder / "data" / "postgresql.conf").open("a") as settings:
        settings.write("no_such_setting = 1\n")
    with pytest.raises(UnreachableError, match="no_such_setting") as error, running(folder):
        pass
    assert error.value.exit_code is ExitCode.UNREACHABLE
    assert not (folder / "data" / "postmaster.pid").exists()


def test_folder_that_cannot_be_made_says_why(temporary_folder: Path) -> None:
    (temporary_folder / "file").write_text("")
    with pytest.raises(UnreachableError, match="file"), running(temporary_folder / "file" / "postgres"):
        pass


def test_databases_beside_the_target_can_be_made_and_dropped(temporary_folder: Path) -> None:
    with server(temporary_folder / "postgres") as started:
        started.create("multiasset trading")
        started.create("multiasset trading")
        assert _ask(started.dsn("multiasset trading"), "select current_database()") == "multiasset trading"
        assert _ask(started.dsn("multiasset trading"), "show server_encoding") == "UTF8"
        started.drop("multiasset trading")
        started.drop("multiasset trading")
        with pytest.raises(UnreachableError, match="no such database"):
            connect(started.dsn("multiasset trading"), what="the test")


def test_environment_of_libpq_does_not_lead_elsewhere(temporary_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "PGPORT": "1",
        "PGHOST": "nowhere.invalid",
        "PGUSER": "x",
        "PGDATA": "/x",
        "PGDATABASE": "x",
    }.items():
        monkeypatch.setenv(name, value)
    with running(temporary_folder / "postgres") as dsn:
        assert _ask(dsn, "select current_user") == "postgres"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root has to become somebody else")
def test_root_runs_the_server_as_the_owner_of_the_cluster_and_opens_folders_for_passing_only(
    temporary_folder: Path,
) -> None:
    private = temporary_folder / "private"
    private.mkdir(mode=0o700)
    with running(private / "postgres"):
        owner = (private / "postgres" / "data").stat().st_uid
        assert owner != 0
        assert _postmaster(private / "postgres").uids().effective == owner
    assert private.stat().st_mode & 0o777 == 0o701
