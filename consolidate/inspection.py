"""What a source holds, and what of it the mapping does not cover: for whoever writes or corrects a mapping."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import replace
from glob import escape
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

from consolidate import coverage
from consolidate.errors import Problem, UnreachableError, UsageError
from consolidate.extract import extract, survey
from consolidate.extract.staged import folded, missing_table
from consolidate.model import (
    InspectedColumn,
    InspectedTable,
    Progress,
    SnapshotTable,
    SourceInspection,
    SourceKind,
    UnreadTable,
)
from consolidate.preparation import examined
from consolidate.profile import profile
from consolidate.staging import Staging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consolidate.mapping.language import SystemMapping
    from consolidate.model import StagedSource, StagedTable
    from consolidate.preparation import PreparedSource
    from consolidate.profile import ColumnProfile
    from consolidate.project import Project

_READABLE: Final = ("csv", "json")


def inspect(
    project: Project, source_name: str, observe: Callable[[Progress], None] = lambda _: None
) -> SourceInspection:
    """Read a source whole, but for what its mapping ignores, and tell what it holds; nothing is kept.

    The mapping need not be right: what is wrong with it is in `uncovered` with the rest. Raises `UsageError` for a
    source that the project does not have or whose mapping says neither name nor kind, `UnreachableError` where the
    store cannot be read.
    """
    source = project.source(source_name)
    found, problems = examined(replace(project, sources=(source,)))
    if not found:
        raise UsageError(*problems)
    (prepared,) = found
    with _workshop(project.state_folder) as folder, Staging.open(folder / "inspect.duckdb") as staging:
        tables, missing = _wanted(prepared)
        ignored = tuple(one.name for one in prepared.system.ignored)
        staged = extract(prepared.request(tables, ignored), staging, folder, observe)
        staging.lock_down()
        read = [_read(prepared.system, table, staging, observe) for table in staged.tables]
        read += [_peeked(prepared, one, folder, observe) or _unread(prepared.system, one) for one in staged.unread]
        return SourceInspection(
            source=source.name,
            kind=prepared.system.kind,
            origin=staged.origin,
            tables=tuple(read),
            uncovered=(*problems, *missing, *_uncovered(prepared.system, staged)),
        )


@contextmanager
def _workshop(state: Path) -> Iterator[Path]:
    """A folder below that of the project's state; in the end there is nothing that was not there before."""
    there = state.is_dir()
    try:
        state.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(prefix="inspect-", dir=state)
    except OSError as error:
        raise UnreachableError(
            Problem(
                code="unwritable-folder",
                message=f"{state} cannot be written: {error.strerror or error}",
                hint="consolidate works in a folder beside the project file; make that folder writable",
            )
        ) from None
    try:
        with folder as name:
            yield Path(name)
    finally:
        if not there and not any(state.iterdir()):
            state.rmdir()


def _wanted(prepared: PreparedSource) -> tuple[tuple[str, ...], list[Problem]]:
    """The tables to read, those of the mapping first and by its names, and what the store has not of them."""
    system = prepared.system
    mapped = tuple(table.table for table in system.tables)
    if system.kind is SourceKind.SNAPSHOT:  # it has the tables that the mapping makes of its files
        return tuple(one.name for one in system.snapshots), []
    request = prepared.request(mapped)
    names = [table.table for table in survey(request) if table.kind == "table"]
    by_name = {_same(system, name): name for name in names}
    there = tuple(name for name in mapped if _same(system, name) in by_name)
    missing = [
        problem
        for name in mapped
        if name not in there and name not in system.optional
        for problem in missing_table(request, name, names, place=_place(prepared)).problems
    ]
    known = {_same(system, name) for name in there}
    others = [name for name in names if _same(system, name) not in known and not coverage.is_ignored(system, name)]
    return (*there, *others), missing


def _same(system: SystemMapping, name: str) -> str:
    """The name as the store compares it."""
    return folded(name) if system.kind is SourceKind.SQLITE else name


def _place(prepared: PreparedSource) -> str:
    return f"schema {prepared.request(()).schema or 'public'}" if prepared.system.kind is SourceKind.POSTGRES else ""


def _peeked(
    prepared: PreparedSource, one: UnreadTable, folder: Path, observe: Callable[[Progress], None]
) -> InspectedTable | None:
    """What an unknown file, or an unknown member of JSON files, holds; None where it cannot be read as a table."""
    table = None if coverage.is_ignored(prepared.system, one.table) else _as_table(one)
    if table is None:
        return None
    request = replace(prepared.request(()), tables=(table.name,), snapshots=(table,))
    with tempfile.TemporaryDirectory(dir=folder) as own, Staging.open(Path(own) / "peek.duckdb") as staging:
        try:
            (staged,) = extract(request, staging, folder, observe).tables
        except UnreachableError as error:
            if any(problem.code.startswith("staging-") for problem in error.problems):
                raise
            return None
        return _read(prepared.system, staged, staging, observe, kind=one.kind)


def _as_table(unread: UnreadTable) -> SnapshotTable | None:
    """How an unknown file, or an unknown member of JSON files, could be read."""
    if unread.kind == "member":
        files, _, member = unread.table.rpartition("#")
        return SnapshotTable(name=unread.table, files=files, format="json", rows=member)
    path = PurePath(unread.table)
    suffix = path.suffix.removeprefix(".").lower()
    if unread.kind != "file" or suffix not in _READABLE:
        return None
    return SnapshotTable(name=unread.table, files=escape(path.name), format=suffix)


def _read(
    system: SystemMapping,
    table: StagedTable,
    staging: Staging,
    observe: Callable[[Progress], None],
    *,
    kind: str = "table",
) -> InspectedTable:
    mapping = next((one for one in system.tables if one.table == table.table), None)
    observe(Progress(stage="profile", subject=f"{table.source}.{table.table}", done=0, total=table.rows))
    stored = {column.name: column.stored_type for column in table.columns}
    ignored = set() if mapping is None else {one.name for one in mapping.ignored}
    columns = []
    for one in profile(staging, table):
        declared = None if mapping is None else mapping.column(one.name)
        covered = declared is not None or one.name in ignored
        type_ = None if declared is None else declared.type.value
        columns.append(_column(one, stored[one.name], type_, covered=covered))
    observe(Progress(stage="profile", subject=f"{table.source}.{table.table}", done=table.rows, total=table.rows))
    return InspectedTable(
        name=table.table,
        kind=kind,
        rows=table.rows,
        covered="unknown" if mapping is None else "mapped",
        columns=tuple(columns),
    )


def _column(one: ColumnProfile, stored_type: str, declared: str | None, *, covered: bool) -> InspectedColumn:
    return InspectedColumn(
        name=one.name,
        stored_type=stored_type,
        declared=declared,
        covered=covered,
        nulls=one.nulls,
        classes=one.classes,
        distinct=one.distinct,
        order=one.order,
        strays=one.strays,
        minimum=one.minimum,
        maximum=one.maximum,
    )


def _unread(system: SystemMapping, table: UnreadTable) -> InspectedTable:
    ignored = coverage.is_ignored(system, table.table)
    covered = "ignored" if ignored else "derived" if table.kind == "view" else "unknown"
    return InspectedTable(
        name=table.table,
        kind=table.kind,
        rows=None if table.kind in {"view", "file"} else table.rows,
        covered=covered,
        columns=tuple(
            InspectedColumn(name=column.name, stored_type=column.stored_type, covered=covered != "unknown")
            for column in table.columns
        ),
    )


def _uncovered(system: SystemMapping, staged: StagedSource) -> Iterator[Problem]:
    mapped = {table.table for table in system.tables}
    for table in staged.tables:
        if table.table not in mapped:
            counted = UnreadTable(
                source=table.source,
                table=table.table,
                rows=table.rows,
                kind="table",
                columns=table.columns,
            )
            problem = coverage.uncovered_table(system, counted)
            if problem is not None:
                yield problem
    yield from coverage.uncovered(system, staged)
