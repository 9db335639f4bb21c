"""Whether rows that a run left in the target are as it left them, without reading them: by who wrote them.

PostgreSQL keeps with every version of a row the number of the transaction that wrote it (`xmin`); an update writes a
new version, a delete leaves none. So as long as each of those transactions still has as many rows in a table as it had
when the run ended, no row of theirs was changed or deleted since: no later transaction can have their numbers. That
holds in the cluster and the database that gave the numbers, and until the cluster has used all of them once; elsewhere,
and in a database that was restored from a dump, nothing is untouched, and the rows are read and compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import psycopg

from consolidate.bundled import statement
from consolidate.relations import unified, work

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consolidate.diff import DiffReport, TableDiff
    from consolidate.staging import Staging
    from consolidate.target.transaction import Connection

_MOST_WRITERS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """Who wrote what a run left.

    `tables` says by unified table, `lineage` for the lineage of `sources`, how many rows each transaction (its number
    as text) has there. It tells of rows that equal the candidates, all of them.
    """

    cluster: str
    database: str
    sources: tuple[str, ...]
    tables: Mapping[str, Mapping[str, int]]
    lineage: Mapping[str, int]

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Footprint:
        """Read back what `document` gave."""
        return cls(
            cluster=document["cluster"],
            database=document["database"],
            sources=tuple(document["sources"]),
            tables=document["tables"],
            lineage=document["lineage"],
        )

    @property
    def document(self) -> dict[str, object]:
        """The footprint as plain values, for JSON."""
        return {
            "cluster": self.cluster,
            "database": self.database,
            "sources": list(self.sources),
            "tables": {table: dict(rows) for table, rows in self.tables.items()},
            "lineage": dict(self.lineage),
        }


def taken(connection: Connection, staging: Staging, report: DiffReport) -> Footprint | None:
    """The footprint of the run whose transaction this is, once everything is loaded and proved.

    None where the target holds something else than the candidates (rows that were left alone, shared candles, …), or
    where the numbers of transactions tell nothing.
    """
    place = _place(connection)
    if place is None or report.notices or any(_holds_other(diff) for diff in report.tables):
        return None
    cluster, database, number = place
    tables: dict[str, Mapping[str, int]] = {}
    for diff in report.tables:
        writers = _writers(staging, diff.table) if diff.unchanged else set()
        written = diff.insert + diff.update
        if written:
            writers.add(number)
        if len(writers) > _MOST_WRITERS:
            return None
        tables[diff.table] = _rows(connection, diff.table, sorted(writers))
        if written and tables[diff.table].get(number) != written:
            return None
    return Footprint(
        cluster=cluster,
        database=database,
        sources=report.sources,
        tables=tables,
        lineage=_lineage(connection, report.sources),
    )


def is_untouched(connection: Connection, footprint: Footprint) -> bool:
    """Whether every row of the footprint is as it was; also False where that cannot be told without reading them."""
    place = _place(connection)
    if place is None or place[:2] != (footprint.cluster, footprint.database):
        return False
    if _lineage(connection, footprint.sources) != footprint.lineage:
        return False
    return all(_rows(connection, table, tuple(rows)) == rows for table, rows in footprint.tables.items())


def _holds_other(diff: TableDiff) -> bool:
    return bool(diff.conflict or diff.left_alone or diff.shared or diff.live or diff.settled)


def _place(connection: Connection) -> tuple[str, str, str] | None:
    """Cluster, database, and this transaction; None where the server does not say, or numbers may be used twice."""
    try:
        with connection.transaction():
            row = connection.execute(statement("repeat/place")).fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return None
    if row is None or None in row[:3] or row[3]:
        return None
    return str(row[0]), str(row[1]), str(row[2])


def _writers(staging: Staging, table: str) -> set[str]:
    """Who wrote the rows that the run found as the candidates are."""
    found = staging.rows(f"select distinct writer from {work('held', table)} limit {_MOST_WRITERS + 2}")
    return {str(writer) for (writer,) in found}


def _rows(connection: Connection, table: str, writers: Sequence[str]) -> dict[str, int]:
    found = connection.execute(
        f"select t.xmin::text, count(*) from {unified(table)} t where t.xmin = any(%s::xid[]) group by 1".encode(),
        (list(writers),),
    ).fetchall()
    return {str(writer): int(number) for writer, number in found}


def _lineage(connection: Connection, sources: Sequence[str]) -> dict[str, int]:
    found = connection.execute(statement("repeat/lineage"), {"sources": list(sources)}).fetchall()
    return {str(writer): int(number) for writer, number in found}
