"""The target of a project: the operator's PostgreSQL, or the embedded one beside the project file."""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consolidate.project import Project, ProjectSource
    from consolidate.target.schema import SchemaState

EMBEDDED_FOLDER: Final = "postgres"
EMBEDDED_PREFIX: Final = "embedded:"
"""Of the `dsn` of a source that is a database of the embedded server; `consolidate demo` makes one."""

_WHAT: Final = "the target"


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where rows go. `shown` says it without secrets. `dsn` is valid while the destination is open."""

    dsn: str = field(repr=False)
    shown: str


@contextmanager
def opened(project: Project) -> Iterator[Destination]:
    """The target, running: the embedded server is started, and stopped again unless others use it.

    Raises `UnreachableError` where the embedded server does not start; an external one is not tried.
    """
    from consolidate import embedded  # noqa: PLC0415 - an external target does not need it
    from consolidate.postgres import masked  # noqa: PLC0415 - so that a project can be read without the driver

    if project.target is not None:
        yield Destination(dsn=project.target, shown=masked(project.target))
        return
    folder = project.state_folder / EMBEDDED_FOLDER
    with embedded.running(folder) as dsn:
        yield Destination(dsn=dsn, shown=f"the embedded PostgreSQL in {folder}")


@contextmanager
def sources_opened(project: Project) -> Iterator[Project]:
    """The project with sources that can be reached: a source `embedded:NAME` is a database of the embedded server.

    That server runs until the end; without such a source nothing is started. Raises as `opened`.
    """
    if not any(_database(source) for source in project.sources):
        yield project
        return
    from consolidate import embedded  # noqa: PLC0415 - as above

    with embedded.server(project.state_folder / EMBEDDED_FOLDER) as server:
        sources = tuple(
            source if (name := _database(source)) is None else dataclasses.replace(source, dsn=server.dsn(name))
            for source in project.sources
        )
        yield dataclasses.replace(project, sources=sources)


def _database(source: ProjectSource) -> str | None:
    dsn = source.dsn or ""
    return dsn.removeprefix(EMBEDDED_PREFIX) if dsn.startswith(EMBEDDED_PREFIX) else None


def apply_schema(project: Project) -> tuple[SchemaState, str]:
    """Make the schema in the target where there is none. Returns what was there before, and where that is.

    Raises `ConflictError` with every difference where another schema is there, which is left as it is, and
    `UnreachableError` where the target cannot be reached or written.
    """
    from consolidate.postgres import check_server, connect  # noqa: PLC0415 - as above
    from consolidate.target import schema  # noqa: PLC0415 - as above

    with opened(project) as destination, connect(destination.dsn, what=_WHAT) as connection:
        check_server(connection, _WHAT)
        before = schema.state(connection)
        schema.apply(connection)
        return before, destination.shown
