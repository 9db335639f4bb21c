"""A throw-away PostgreSQL for the test session, shared by the workers of pytest-xdist, and fresh databases on it."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import uuid
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from consolidate import embedded, validate
from consolidate.postgres import connect
from consolidate.staging import Staging
from consolidate.target import schema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

_TEMPLATE = "template_unified"
_FOLDER = "CONSOLIDATE_TEST_FOLDER"
_SOCKET = "CONSOLIDATE_TEST_SOCKET"
_ROOM = 4 * 2**30


def pytest_configure() -> None:
    """Choose the folder of the server in the first process of the session; the workers inherit it.

    It is not below pytest's own: each further session of root takes the right to pass through that away from others,
    and so from a server that runs meanwhile as an ordinary user.
    """
    if _FOLDER not in os.environ:
        place = _in_memory()
        os.environ[_FOLDER] = tempfile.mkdtemp(prefix="consolidate-tests-", dir=place)
        if place is not None:
            os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(place))


def _in_memory() -> Path | None:
    """A file system in memory, where there is one with room: a database of each test is hundreds of files."""
    place = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
    there = place.is_dir() and os.access(place, os.W_OK) and shutil.disk_usage(place).free > _ROOM
    return place if there else None


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ.pop(_FOLDER), ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[embedded.Server]:
    """The server of this test session, not durable. The last worker to leave stops it.

    Another version of PostgreSQL takes its place where `CONSOLIDATE_TEST_SOCKET` names the folder of a server's socket
    (port 5432, superuser `postgres`, no password).
    """
    shared = Path(os.environ[_FOLDER])
    with _server(shared) as server:
        with (shared / "template.lock").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            made = shared / "template.made"
            if not made.exists():
                server.create(_TEMPLATE)
                with connect(server.dsn(_TEMPLATE), what="the template") as connection:
                    schema.apply(connection)
                made.touch()
        yield server


def _server(shared: Path) -> AbstractContextManager[embedded.Server]:
    if _SOCKET in os.environ:
        return nullcontext(embedded.Server(socket_folder=Path(os.environ[_SOCKET])))
    return embedded.server(shared / "postgres", durable=False)


def _fresh(server: embedded.Server, template: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    server.create(name, template=template)
    yield server.dsn(name)
    server.drop(name)


@pytest.fixture
def target_dsn(postgres_server: embedded.Server) -> Iterator[str]:
    """A fresh database that has the unified schema."""
    yield from _fresh(postgres_server, _TEMPLATE)


@pytest.fixture
def empty_dsn(postgres_server: embedded.Server) -> Iterator[str]:
    """A fresh, empty database."""
    yield from _fresh(postgres_server, "template0")


@pytest.fixture
def other_empty_dsn(postgres_server: embedded.Server) -> Iterator[str]:
    """Another fresh, empty database on the same server."""
    yield from _fresh(postgres_server, "template0")


@pytest.fixture
def staging(tmp_path: Path) -> Iterator[Staging]:
    """A DuckDB file as that of a run that read little."""
    with Staging.open(tmp_path / "staging.duckdb") as opened:
        opened.fit([0], is_kept=False)
        opened.lock_down()
        yield opened


@pytest.fixture
def temporary_folder() -> Iterator[Path]:
    """A folder with a short path that an ordinary user can be let into, for servers of their own."""
    with tempfile.TemporaryDirectory(prefix="c") as folder:
        yield Path(folder)


@pytest.fixture(autouse=True)
def data_docs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data Docs, a second of each run, are not built in this process but where a test is marked as about them.

    Runs in a process of their own, `demo` among them, build them always.
    """
    if request.node.get_closest_marker("data_docs") is None:
        monkeypatch.setattr(validate, "data_docs", lambda *_: None)
