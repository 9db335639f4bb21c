"""A project to which everything happens, and a proxy that cuts connections."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from consolidate.postgres import connect
from consolidate.target.contract import expected
from tests import small
from tests.command import COMMAND, Ended

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from multiprocessing.context import ForkServerProcess

    from consolidate.model import Progress

CANARY = "canary-8f3a-Secret"
ROOT = Path(__file__).parent.parent
OUTPUTS = ("--json", "report.json", "--html", "report.html", "--markdown", "report.md", "--junit", "report.xml")
WAITING = "application_name like 'consolidate 2%' and wait_event_type = 'Lock'"

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "consolidate.cli.app",
        "consolidate.execution",
        "consolidate.reconcile",
        "consolidate.report.html",
        "consolidate.target.load",
        "consolidate.verification",
        "duckdb",
        "psycopg",
        "pyarrow.parquet",
        "tests.warm",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A command to come: `file_size` bytes are the most that a file of it may have; it dies at a stage by itself."""

    arguments: tuple[str, ...]
    folder: Path
    environment: dict[str, str]
    file_size: int | None = None
    dies_at: str | None = None


def _called(call: Call, out: Path, err: Path) -> None:
    """What a forked process does: the command line, with everything imported before."""
    os.chdir(call.folder)
    os.environ.clear()
    os.environ.update(call.environment)
    for file, number in ((out, 1), (err, 2)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
    if call.file_size is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (call.file_size, call.file_size))
    if call.dies_at is not None:
        _run_to(call.dies_at)
    from consolidate import validate  # noqa: PLC0415 - imported before the fork
    from consolidate.cli.app import main  # noqa: PLC0415 - as above

    vars(validate)["data_docs"] = lambda *_: None  # as in every test that is not about them
    code = main(list(call.arguments))
    sys.stdout.flush()
    sys.stderr.flush()
    sys.exit(code)


def _run_to(stage: str) -> None:
    from consolidate import pipeline, project  # noqa: PLC0415 - as above

    def observe(progress: Progress) -> None:
        if progress.stage == stage:
            os.kill(os.getpid(), signal.SIGKILL)

    pipeline.run(project.load(Path("consolidate.yaml")), observe=observe)


class Running:
    """A command that runs, in a process of its own: forked from one that has imported everything, or wholly its own."""

    def __init__(self, process: ForkServerProcess | subprocess.Popen[bytes], out: Path, err: Path) -> None:
        self._process = process
        self._out, self._err = out, err

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def end(self) -> Ended:
        if isinstance(self._process, subprocess.Popen):
            code = self._process.wait(timeout=60)
        else:
            self._process.join(60)
            assert self._process.exitcode is not None
            code = self._process.exitcode
        return Ended(code=code, out=self._out.read_text(), err=self._err.read_text())


class Place:
    """A project with a store, a target with a password in its connection string, and all that was ever printed."""

    def __init__(self, folder: Path, dsn: str) -> None:
        self.folder = folder
        self.printed: list[str] = []
        self.dsn = dsn
        self.target = with_password(dsn)
        self._aside = folder.parent / "printed"
        self._aside.mkdir()
        self._started = 0
        small.build(folder)

    def start(
        self,
        *arguments: str,
        file_size: int | None = None,
        dies_at: str | None = None,
        alone: bool = False,
        variables: Mapping[str, str] | None = None,
    ) -> Running:
        """Begin a command. `alone`: as a person does, in a process that starts from nothing."""
        self._started += 1
        out, err = (self._aside / f"{self._started}.{name}" for name in ("out", "err"))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CONSOLIDATE_", "PG"))}
        environment = kept | {"TARGET": self.target} | dict(variables or {})
        if alone:
            with out.open("wb") as stdout, err.open("wb") as stderr:
                command = [*COMMAND, *arguments]
                return Running(
                    subprocess.Popen(command, cwd=self.folder, env=environment, stdout=stdout, stderr=stderr), out, err
                )
        call = Call(
            arguments=arguments, folder=self.folder, environment=environment, file_size=file_size, dies_at=dies_at
        )
        process = _FORKS.Process(target=_called, args=(call, out, err))
        process.start()
        return Running(process, out, err)

    def end(self, running: Running) -> Ended:
        ended = running.end()
        self.printed += [ended.out, ended.err]
        return ended

    def call(self, *arguments: str, file_size: int | None = None, dies_at: str | None = None) -> Ended:
        return self.end(self.start(*arguments, file_size=file_size, dies_at=dies_at))

    def run(self, variables: Mapping[str, str] | None = None) -> Ended:
        """`run` with every file that it can write."""
        return self.end(self.start("run", *OUTPUTS, variables=variables))

    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "report.json").read_text())
        return found

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with connect(self.dsn, what="the target") as connection:
            return connection.execute(query.encode()).fetchall()

    def do(self, statements: str) -> None:
        with connect(self.dsn, what="the target") as connection:
            connection.execute(statements.encode())

    def loaded(self) -> int:
        """How many rows are in the unified tables and lineage."""
        names = [*(table.name for table in expected().tables), "audit.migration_lineage", "audit.migration_rejects"]
        ((number,),) = self.rows(" + ".join(f"(select count(*) from {name})" for name in names).join(("select ", "")))
        return int(number)

    def statuses(self) -> list[str]:
        ended = self.call("runs", "--json", "-", "--quiet")
        assert ended.code == 0, ended.err
        return [run["status"] for run in json.loads(ended.out)["runs"]]

    def settled(self) -> None:
        """Wait until no session of a run is left: a server needs a moment to see that its client has died."""
        self.awaited("application_name like 'consolidate 2%'", there=False)

    def awaited(self, condition: str, *, there: bool = True) -> None:
        query = f"select count(*) from pg_stat_activity where datname = current_database() and {condition}"
        with connect(self.dsn, what="the target") as connection:
            for _ in range(1200):
                row = connection.execute(query.encode()).fetchone()
                if row is not None and bool(row[0]) is there:
                    return
                time.sleep(0.03)
        raise AssertionError(condition)

    @contextmanager
    def blocked(self, table: str = "trading.trades") -> Iterator[None]:
        """Nobody can write to the table: a run that loads it waits at its COPY."""
        with connect(self.dsn, what="the target") as connection, connection.transaction():
            connection.execute(f"lock table {table} in share mode".encode())
            yield

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
        found = self.rows(f"select run_id from audit.migration_runs r where r::text like '%{CANARY}%'")
        assert not found


def with_password(dsn: str, role: str = "postgres") -> str:
    """The connection string with a role and a password that must never be told."""
    return dsn.replace("postgres@", f"{role}:{CANARY}@", 1)


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


def small_disk(folder: Path, size: int) -> Callable[[], None] | None:
    """Make the folder a file system of `size` bytes; what gives it back, or None where that takes more rights."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0 or not Path("/bin/mount").exists():
        return None
    made = subprocess.run(
        ["/bin/mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)], capture_output=True, check=False
    )
    if made.returncode:
        return None

    def give_back() -> None:
        subprocess.run(["/bin/umount", str(folder)], check=True)

    return give_back
