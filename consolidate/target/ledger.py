"""The ledger in the target: runs, lineage and rejects. Everything here commits with the rows it tells of.

What a lineage row of run R says: with `previous`, R changed this row of lineage and, where `previous` has a "row", the
target row; without `first_run_id`, R inserted the target row; with `first_run_id` alone, R found the row loaded before
and added one more source row that leads to it. A null `row_hash` marks a row that was there already and that R only
recognised as its own (a candle with the same prices). A `previous` without a "run_id" is of a row that no run had
loaded and that R overwrote, as the operator had said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from consolidate.bundled import statement
from consolidate.canonical import copy_cell, copy_line
from consolidate.model import Progress
from consolidate.relations import HELD_LINEAGE, LINEAGE, REJECTS, STORED_KEY, work
from consolidate.staging import literal
from consolidate.target.stream import copy_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from consolidate.diff import TableDiff
    from consolidate.staging import Staging
    from consolidate.target.load import LoadResult
    from consolidate.target.transaction import Connection

_LINEAGE_COLUMNS: Final = (
    "target_table, target_key, source, source_table, source_key, outcome, run_id, first_run_id, source_hash, row_hash,"
    " sent_hash, residual"
)
_OF_ROWS_THAT_ARE_THERE: Final = (
    "(d.action in ('update', 'unchanged') and d.why not in ('deleted', 'deleted_and_changed'))"
)
_EQUALS_CANDIDATE: Final = "(d.action <> 'unchanged' or d.why = 'equal')"
"""Of the others, lineage says what it said before; nothing, where no run of these sources loaded the row."""
_SAME_LINEAGE: Final = (
    "o.target_table = l.target_table and o.target_key = coalesce(d.former_key, d.target_key) and o.source = l.source"
    f" and o.source_table = l.source_table and o.source_key = {STORED_KEY}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run, as the ledger knows it. `started_at` is aware; digests are hex, None where there is nothing to digest."""

    run_id: str
    command: str
    started_at: datetime
    tool_version: str
    project_digest: str | None = None
    mapping_digest: str | None = None
    undone_run_id: str | None = None


def write_lineage(
    connection: Connection,
    staging: Staging,
    diff: TableDiff,
    run: RunRecord,
    observe: Callable[[Progress], None] = lambda _: None,
) -> int:
    """Write the lineage of one table's candidates; those of inserted rows, and what is new about the others.

    Returns how many lineage rows of rows that were there before were added or changed. Needs `work."loaded <table>"`
    and `work."hash <table>"`.
    """
    if diff.insert:
        _copy_lineage(
            connection,
            staging,
            run,
            f"from {LINEAGE} l join {work('loaded', diff.table)} d on d.n = l.\"#n\" and d.action = 'insert'"
            f" and d.why = 'new' join {work('hash', diff.table)} h on h.n = d.n"
            f" where l.target_table = {literal(diff.table)}",
            first_run="null",
            row_hash="h.row_hash",
            sent_hash="h.sent_hash",
            told=lambda rows: observe(
                Progress(stage="load", subject=f"lineage of {diff.table}", done=rows, total=None)
            ),
        )
    if diff.fresh:
        return 0
    added = _copy_lineage(
        connection,
        staging,
        run,
        f'from {LINEAGE} l join {work("diff", diff.table)} d on d.n = l."#n"'
        f" join {work('hash', diff.table)} h on h.n = d.n"
        f" left join {_loaded_hashes(diff.table)} x on x.target_key = d.target_key"
        f" where l.target_table = {literal(diff.table)}"
        f" and ({_OF_ROWS_THAT_ARE_THERE} or (d.action = 'insert' and d.why <> 'new'))"
        f" and not exists (from {HELD_LINEAGE} o where {_SAME_LINEAGE})",
        first_run="d.first_run",
        row_hash=f"case when {_EQUALS_CANDIDATE} then h.row_hash else x.row_hash end",
        sent_hash=f"case when {_EQUALS_CANDIDATE} then h.sent_hash end",
    )
    return added + _refresh(connection, staging, diff.table, run)


def _loaded_hashes(table: str) -> str:
    return (
        f"(select target_key, max(row_hash) as row_hash from {HELD_LINEAGE}"
        f" where target_table = {literal(table)} group by target_key)"
    )


def _copy_lineage(
    connection: Connection,
    staging: Staging,
    run: RunRecord,
    origin: str,
    *,
    first_run: str,
    row_hash: str,
    sent_hash: str,
    told: Callable[[int], None] = lambda _: None,
) -> int:
    """Send lineage rows in the order of the index, which then grows at its end only."""
    cells = [
        copy_cell("l.target_table", escape=True),
        copy_cell("d.target_key", escape=True),
        copy_cell("l.source", escape=True),
        copy_cell("l.source_table", escape=True),
        copy_cell(STORED_KEY, escape=True),
        copy_cell("l.outcome", escape=False),
        copy_cell(literal(run.run_id), escape=True),
        copy_cell(first_run, escape=True),
        copy_cell("cast(l.source_hash as varchar)", escape=False),
        copy_cell(f"cast({row_hash} as varchar)", escape=False),
        copy_cell(f"cast({sent_hash} as varchar)", escape=False),
        copy_cell("l.residual", escape=True),
    ]
    return copy_in(
        connection,
        f"audit.migration_lineage ({_LINEAGE_COLUMNS})",
        staging,
        f"select {copy_line(cells)} as line {origin} order by d.target_key",
        told=told,
    )


def _refresh(connection: Connection, staging: Staging, table: str, run: RunRecord) -> int:
    """Correct lineage rows whose source row changed in something that the target row does not hold."""
    origin = (
        f'from {LINEAGE} l join {work("diff", table)} d on d.n = l."#n"'
        f" join {HELD_LINEAGE} o on {_SAME_LINEAGE}"
        f" where l.target_table = {literal(table)} and {_OF_ROWS_THAT_ARE_THERE}"
        " and (o.outcome <> l.outcome or o.source_hash is distinct from l.source_hash or o.has_residual"
        " or l.residual is not null)"
    )
    if not staging.value(f"select exists ({origin})"):
        return 0
    cells = [
        copy_cell("l.target_table", escape=True),
        copy_cell("d.target_key", escape=True),
        copy_cell("l.source", escape=True),
        copy_cell("l.source_table", escape=True),
        copy_cell(STORED_KEY, escape=True),
        copy_cell("l.outcome", escape=False),
        copy_cell("cast(l.source_hash as varchar)", escape=False),
        copy_cell("l.residual", escape=True),
    ]
    connection.execute(statement("load/lineage_now"))
    copy_in(connection, "pg_temp.lineage_now", staging, f"select {copy_line(cells)} as line {origin}")
    connection.execute(b"analyze pg_temp.lineage_now")
    changed = connection.execute(statement("load/lineage_refresh"), {"run_id": run.run_id}).rowcount
    connection.execute(statement("load/lineage_now_drop"))
    return changed


def write_rejects(
    connection: Connection,
    staging: Staging,
    run: RunRecord,
    observe: Callable[[Progress], None] = lambda _: None,
) -> int:
    """Write all rejects of the run; return how many.

    A NUL, which PostgreSQL cannot hold, shows as U+2400 in keys and values; `row` has it as JSON's escape.
    """
    names = ("source", "source_table", "source_key", "code", "column_name", "value", "location")
    cells = [copy_cell(literal(run.run_id), escape=True)]
    cells += [copy_cell(f"replace(r.{name}, chr(0), chr(9216))", escape=True) for name in names]
    cells.append(copy_cell('r."row"', escape=True))
    return copy_in(
        connection,
        f'audit.migration_rejects (run_id, {", ".join(names)}, "row")',
        staging,
        f'select {copy_line(cells)} as line from {REJECTS} r order by r."#n"',
        told=lambda rows: observe(Progress(stage="load", subject="rejects", done=rows, total=None)),
    )


def start(connection: Connection, run: RunRecord) -> None:
    """Enter a run that begins, with status "running", in a transaction of its own. The session must hold the lock."""
    with connection.transaction():
        connection.execute(
            statement("load/start"),
            {
                "run_id": run.run_id,
                "command": run.command,
                "started_at": run.started_at,
                "tool_version": run.tool_version,
                "project_digest": run.project_digest,
                "mapping_digest": run.mapping_digest,
                "undone_run_id": run.undone_run_id,
            },
        )


def finish(connection: Connection, run: RunRecord, result: LoadResult, *, report: str | None = None) -> None:
    """Enter the loaded run into the ledger, in the transaction of its rows. `report` is the run's report as JSON."""
    _enter(connection, run, status="loaded", result=result, report=report)


def finish_rollback(
    connection: Connection, record: RunRecord, *, status: str, restored: int, removed: int, report: str
) -> None:
    """Enter a rollback that is done, and what it made of its run (`status`), in the transaction of its rows."""
    connection.execute(statement("rollback/status"), {"run_id": record.undone_run_id, "status": status})
    _enter(connection, record, status="done", result=None, report=report, restored=restored, removed=removed)


def record_unloaded(connection: Connection, run: RunRecord, *, status: str, report: str | None = None) -> None:
    """Enter a run that loaded nothing (`status` "refused" or "failed"), in a transaction of its own."""
    with connection.transaction():
        _enter(connection, run, status=status, result=None, report=report)


def _enter(
    connection: Connection,
    run: RunRecord,
    *,
    status: str,
    result: LoadResult | None,
    report: str | None,
    restored: int = 0,
    removed: int = 0,
) -> None:
    connection.execute(
        statement("load/run"),
        {
            "run_id": run.run_id,
            "command": run.command,
            "status": status,
            "started_at": run.started_at,
            "tool_version": run.tool_version,
            "project_digest": run.project_digest,
            "mapping_digest": run.mapping_digest,
            "rows_inserted": 0 if result is None else result.inserted,
            "rows_updated": restored if result is None else result.updated,
            "rows_deleted": removed,
            "undone_run_id": run.undone_run_id,
            "rows_unchanged": 0 if result is None else result.unchanged,
            "rows_rejected": 0 if result is None else result.rejects,
            "report": report,
        },
    )
