"""A throw-away PostgreSQL for the test session, shared by the workers of pytest-xdist, and fresh databases on it."""

from __future__ import annotations

import fcntl
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from consolidate import embedded
from consolidate.postgres import connect
from consolidate.target import schema

if TYPE_CHECKING:
    from collections.abc import Iterator

_TEMPLATE = "template_unified"


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Server]:
    """The server of this test session, not durable. The last worker to leave stops it."""
    base = tmp_path_factory.getbasetemp()
    # Under xdist, each worker has a folder of its own in that of the session.
    shared = base.parent if base.name.startswith("popen-") else base
    with embedded.server(shared / "postgres", durable=False) as server:
        with (shared / "template.lock").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            made = shared / "template.made"
            if not made.exists():
                server.create(_TEMPLATE)
                with connect(server.dsn(_TEMPLATE), what="the template") as connection:
                    schema.apply(connection)
                made.touch()
        yield server


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
def temporary_folder() -> Iterator[Path]:
    """A folder with a short path that an ordinary user can be let into, for servers of their own."""
    with tempfile.TemporaryDirectory(prefix="c") as folder:
        yield Path(folder)
