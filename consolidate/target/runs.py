"""The ledger and the quarantine, read: what ran against a target, and what each run rejected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from consolidate.bundled import statement
from consolidate.model import KeptReject, KeptRejectGroup, LedgerRun
from consolidate.staging import literal
from consolidate.target.stream import copy_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from consolidate.staging import Staging
    from consolidate.target.transaction import Connection

_ROWS_AT_ONCE: Final = 10_000


def runs(connection: Connection) -> tuple[LedgerRun, ...]:
    """All runs of the ledger, the newest first. Raises `psycopg.Error`."""
    return tuple(
        LedgerRun(
            run_id=str(run_id),
            command=str(command),
            status=str(status),
            started_at=str(started),
            finished_at=None if finished is None else str(finished),
            inserted=int(inserted),
            updated=int(updated),
            deleted=int(deleted),
            unchanged=int(unchanged),
            rejected=int(rejected),
            bots=tuple(str(bot) for bot in bots),
            undone_run_id=None if undone is None else str(undone),
        )
        for (
            run_id,
            command,
            status,
            started,
            finished,
            inserted,
            updated,
            deleted,
            unchanged,
            rejected,
            bots,
            undone,
        ) in connection.execute(statement("runs/runs")).fetchall()
    )


def reject_groups(
    connection: Connection, run_id: str, *, table: str | None = None, code: str | None = None
) -> tuple[KeptRejectGroup, ...]:
    """How many rejects of the run there are by table and code, the most first. Raises `psycopg.Error`."""
    wanted = {"run_id": run_id, "table": table, "code": code}
    return tuple(
        KeptRejectGroup(source=str(source), table=str(name), code=str(of), count=int(count))
        for source, name, of, count in connection.execute(statement("runs/reject_groups"), wanted).fetchall()
    )


def rejects(
    connection: Connection, run_id: str, *, table: str | None = None, code: str | None = None, limit: int | None = None
) -> Iterator[KeptReject]:
    """The rejects of the run in their order, streamed; at most `limit`. Raises `psycopg.Error`."""
    wanted = {"run_id": run_id, "table": table, "code": code, "limit": limit}
    with connection.transaction(), connection.cursor(name="rejects") as cursor:
        cursor.itersize = _ROWS_AT_ONCE
        cursor.execute(statement("runs/rejects"), wanted)
        for source, name, key, of, column, value, location, row in cursor:
            yield KeptReject(
                source=source,
                table=name,
                key=key,
                code=of,
                column=column,
                value=value,
                location=location,
                row=row,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRun:
    """A run that is loaded. `sources` are (source, table, rows read)."""

    run_id: str
    finished_at: str
    sources: tuple[tuple[str, str, int], ...]


def last_with(connection: Connection, sources: Sequence[str]) -> LastRun | None:
    """The last run that is loaded and read at least one of these sources. Raises `psycopg.Error`."""
    row = connection.execute(statement("runs/last"), {"sources": list(sources)}).fetchone()
    if row is None:
        return None
    run_id, finished, read = row
    return LastRun(
        run_id=str(run_id),
        finished_at=str(finished),
        sources=tuple((str(one["source"]), str(one["table"]), int(one["read"])) for one in read),
    )


def fill_rejects(connection: Connection, staging: Staging, run_id: str, relation: str, columns: Sequence[str]) -> None:
    """Create the DuckDB table `relation` with these columns of all rejects of the run, as texts."""
    copy_out(
        connection,
        f"select {', '.join(columns)} from audit.migration_rejects where run_id = {literal(run_id)}",
        staging,
        relation,
        [(name, "varchar") for name in columns],
    )
