"""Keys and indexes of a table out of the way while many rows come in, and back before anybody can see it.

Building an index over all rows at once takes a fraction of what growing it row by row does, and so does checking a
foreign key. All of it happens in the run's transaction: others see the table with its keys and indexes as they were, or
wait; where the transaction ends early, nothing was dropped.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import psycopg

from consolidate.bundled import statement
from consolidate.errors import ConsolidateError, Problem
from consolidate.relations import unified
from consolidate.staging import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consolidate.target.transaction import Connection

WORTH_ROWS: Final = 20_000
"""Of fewer rows an index grows in less time than it takes others to wait for us."""

_SMALL: Final = 4
"""A table is small against a load that brings this many times the rows it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A constraint or an index: how to drop it, how to make it again."""

    drop: str
    make: str
    foreign: str | None


@contextmanager
def rebuilt(connection: Connection, table: str, rows: int) -> Iterator[bool]:
    """Inside the block the table may be without keys, foreign keys and indexes; after it, it has all of them again.

    That is done where `rows` rows are to come in, enough to be worth it, the table is small against them, ours to
    change, and used by nobody at this moment; the block is told whether. From then on others wait for the table (and
    for those it refers to) until the transaction ends. Raises `psycopg.Error`: a doubled key or a missing reference
    shows at the end of the block.
    """
    parts = _taken(connection, table, rows)
    yield bool(parts)
    for part in sorted(parts, key=lambda one: one.foreign is not None):
        connection.execute(part.make.encode())
    if parts and _parts(connection, table) != parts:
        raise ConsolidateError(
            Problem(
                code="keys-differ",
                message=f"the keys and indexes of {table} could not be made again as they were",
                hint="this is a defect of consolidate, not of your data; nothing was loaded",
            )
        )


def _taken(connection: Connection, table: str, rows: int) -> tuple[_Part, ...]:
    if rows < WORTH_ROWS or not _is_small(connection, table, rows // _SMALL):
        return ()
    found = _parts(connection, table)
    if not found or not _locked(connection, [unified(table), *{part.foreign for part in found if part.foreign}]):
        return ()
    for part in found:
        connection.execute(part.drop.encode())
    return found


def _is_small(connection: Connection, table: str, most: int) -> bool:
    query = f"select count(*) from (select from {unified(table)} limit {most + 1}) as first_rows"
    row = connection.execute(query.encode()).fetchone()
    return row is not None and int(row[0]) <= most


def _parts(connection: Connection, table: str) -> tuple[_Part, ...]:
    relation = unified(table)
    listed = connection.execute(statement("load/rebuildable"), {"relation": relation}).fetchall()
    return tuple(
        _Part(drop=f"drop index {name}", make=str(definition), foreign=None)
        if is_index
        else _Part(
            drop=f"alter table {relation} drop constraint {quoted(name)}",
            make=f"alter table {relation} add constraint {quoted(name)} {definition}",
            foreign=None if referenced is None else str(referenced),
        )
        for is_index, name, definition, referenced in listed
    )


def _locked(connection: Connection, relations: list[str]) -> bool:
    """Whether we are alone with these tables now; nobody is waited for."""
    try:
        with connection.transaction():
            connection.execute(f"lock table {', '.join(relations)} in access exclusive mode nowait".encode())
    except psycopg.errors.LockNotAvailable:
        return False
    return True
