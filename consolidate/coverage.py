"""Whether a mapping covers its store: every table and every column mapped, carried or ignored with a reason."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from consolidate.errors import Problem
from consolidate.mapping.yaml import nearest
from consolidate.model import SourceKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consolidate.mapping.language import SystemMapping, TableMapping
    from consolidate.model import StagedColumn, StagedSource, UnreadTable


def uncovered(system: SystemMapping, staged: StagedSource) -> tuple[Problem, ...]:
    """What of the store the mapping does not cover, and which declared columns it lacks. Empty: all is covered."""
    problems = []
    mapped = {table.table: table for table in system.tables}
    for unread in staged.unread:
        problem = uncovered_table(system, unread)
        if problem is not None:
            problems.append(problem)
    for table in staged.tables:
        mapping = mapped.get(table.table)
        if mapping is not None:
            problems += uncovered_columns(system, mapping, staged.source, table.columns)
    return tuple(problems)


def is_ignored(system: SystemMapping, table: str) -> bool:
    """Whether the mapping leaves out this table, view or file; names in `ignore` may be patterns (`*.log`)."""
    return any(table == one.name or fnmatchcase(table, one.name) for one in system.ignored)


def uncovered_table(system: SystemMapping, unread: UnreadTable) -> Problem | None:
    """The problem of a table that is neither mapped nor ignored. A view is derived: it may go without a word."""
    if unread.kind == "view" or is_ignored(system, unread.table):
        return None
    rows = f" with {unread.rows} rows" if unread.rows else ""
    return Problem(
        code="unmapped-table",
        message=f"the {unread.kind} {unread.table!r} of source {unread.source}{rows} is neither mapped nor ignored",
        hint=f"write {unread.table}.yaml for it, or add `{unread.table}: <reason>` under `ignore` in system.yaml",
        location=system.location,
    )


def uncovered_columns(
    system: SystemMapping, mapping: TableMapping, source: str, columns: Iterable[StagedColumn]
) -> list[Problem]:
    """Columns of the store that the mapping does not name, and columns it declares that the store lacks."""
    names = [column.name for column in columns]
    declared = [column.name for column in mapping.columns]
    known = {*declared, *(one.name for one in mapping.ignored)}
    problems = [
        Problem(
            code="unmapped-column",
            message=f"the column {name!r} of {source}.{mapping.table} is neither mapped, carried nor ignored",
            hint="declare it under `columns` and use or `carry` it, or `ignore` it with a reason",
            location=mapping.location,
        )
        for name in names
        if name not in known
    ]
    for column in mapping.columns:
        if column.name not in names:
            near = nearest(column.name, [name for name in names if name not in known])
            problems.append(
                Problem(
                    code="missing-column",
                    message=f"{source}.{mapping.table} has no column {column.name!r}, which the mapping reads",
                    hint=near or _drift(system),
                    location=column.location,
                )
            )
    return problems


def _drift(system: SystemMapping) -> str:
    what = "files" if system.kind is SourceKind.SNAPSHOT else "schema"
    return (
        f"the {what} of this store changed: make a mapping of your own for it (`mapping: <folder>` in the project file)"
    )
