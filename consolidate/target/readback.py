"""Rows and sums as PostgreSQL has them after the load and before the commit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from consolidate.bundled import statement
from consolidate.canonical import copy_cell, copy_line, postgres_row_hash
from consolidate.relations import unified, work
from consolidate.staging import quoted
from consolidate.target.identity import identity
from consolidate.target.stream import copy_in, copy_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consolidate.diff import TableDiff
    from consolidate.staging import Staging
    from consolidate.target.contract import TableContract
    from consolidate.target.transaction import Connection

PROVABLE = "(d.action in ('insert', 'update') or d.why = 'equal')"
"""SQL over `work."diff <table>"` as d: the candidates that the target must equal. Rows left alone are not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What this transaction did to a unified table, whoever in it: us, or a trigger of the target."""

    table: str
    inserted: int
    updated: int
    deleted: int


def written(connection: Connection, tables: Sequence[str]) -> tuple[Written, ...]:
    """What this transaction has written to `tables` so far; zeros from a server that does not count."""
    rows = connection.execute(statement("reconcile/written"), {"tables": list(tables)}).fetchall()
    return tuple(
        Written(table=str(name), inserted=int(inserted), updated=int(updated), deleted=int(deleted))
        for name, inserted, updated, deleted in rows
    )


def name_proved(connection: Connection, staging: Staging, table: TableContract, diff: TableDiff) -> str:
    """PostgreSQL SQL (`from … t`) for the rows of `table` that the target must have as the candidates are.

    For a fresh table that is the whole table; else a temporary table `proved` (target_key, loaded) names the rows,
    which `drop_proved` gives back.
    """
    if diff.fresh:
        return f"from {unified(table.name)} t"
    key = quoted(identity(table).target_key)
    connection.execute(
        f"create temporary table proved on commit drop as select t.{key} as target_key, false as loaded"
        f" from {unified(table.name)} t with no data".encode()
    )
    cells = [
        copy_cell("coalesce(l.target_key, d.target_key)", escape=True),
        copy_cell("cast(l.n is not null as varchar)", escape=False),
    ]
    copy_in(
        connection,
        "pg_temp.proved (target_key, loaded)",
        staging,
        f"select {copy_line(cells)} as line from {work('diff', table.name)} d"
        f" left join {work('loaded', table.name)} l on l.n = d.n where {PROVABLE}",
    )
    connection.execute(b"analyze pg_temp.proved")
    return f"from pg_temp.proved p join {unified(table.name)} t on t.{key} = p.target_key"


def drop_proved(connection: Connection, diff: TableDiff) -> None:
    """Give `name_proved`'s table back."""
    if not diff.fresh:
        connection.execute(b"drop table pg_temp.proved")


def fill_read(connection: Connection, staging: Staging, table: TableContract, diff: TableDiff, rows: str) -> int:
    """Create `work."read <table>"` (target_key, row_hash) from the loaded rows among `rows`; return how many."""
    loaded = "" if diff.fresh else " where p.loaded"
    return copy_out(
        connection,
        f"select t.{quoted(identity(table).target_key)}::text, {postgres_row_hash(table, 't')} {rows}{loaded}",
        staging,
        work("read", table.name),
        (("target_key", "varchar"), ("row_hash", "uuid")),
    )


def aggregates(connection: Connection, select: str, rows: str, group: str) -> list[tuple[object, ...]]:
    """`select` over `rows`, by `group` (empty: all in one); no rows, no group."""
    by = f" group by {group}" if group else ""
    query = f"select {select} {rows}{by} having count(*) > 0"
    found: list[tuple[object, ...]] = connection.execute(query.encode()).fetchall()
    return found


def money_rows(connection: Connection, bots: Sequence[str]) -> list[tuple[object, ...]]:
    """bot_id, trades, open positions, pnl, fees, equity, trades with pnl, with fees of each of `bots` that is there."""
    found: list[tuple[object, ...]] = connection.execute(statement("reconcile/money"), {"bots": list(bots)}).fetchall()
    return found
