"""Single rows, column by column: what a candidate has and what the target has. Only for the few rows that are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from consolidate.canonical import Form, columns, duckdb_text, form, postgres_text
from consolidate.model import ChangedRow
from consolidate.relations import LINEAGE, STORED_KEY, candidates, unified, work
from consolidate.staging import quoted
from consolidate.target.contract import expected
from consolidate.target.identity import identity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consolidate.diff import DiffReport
    from consolidate.model import RowsWanted
    from consolidate.staging import Staging
    from consolidate.target.contract import TableContract
    from consolidate.target.transaction import Connection

REASONS: Final = {
    "both": "changed in the source and in the target since it was loaded",
    "deleted_and_changed": "changed in the source, and deleted in the target since it was loaded",
    "not_ours": "is in the target already, and was not loaded from these sources",
}
"""Why a row is in conflict, by the verdict of `consolidate.diff`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellDifference:
    """A column in which a candidate and the target's row differ; texts as PostgreSQL writes them, None for null."""

    column: str
    source_value: str | None
    target_value: str | None

    def __str__(self) -> str:
        return f"{self.column}: source {_shown(self.source_value)}, target {_shown(self.target_value)}"


def _shown(text: str | None) -> str:
    return "null" if text is None else repr(text)


def differing(
    connection: Connection, staging: Staging, table: TableContract, n: int, target_key: str
) -> tuple[CellDifference, ...] | None:
    """The columns in which candidate `n` differs from the target's row `target_key`; None where there is none."""
    wanted = columns(table)
    known = next(column for column in table.columns if column.name == identity(table).target_key)
    typed = "text" if form(known) is Form.TEXT else known.type  # compared as stored, so that its index finds the row
    stored = connection.execute(
        f"select {', '.join(postgres_text(column, 't') for column in wanted)} from {unified(table.name)} t"
        f" where t.{quoted(known.name)} = %s::{typed}".encode(),
        (target_key,),
    ).fetchone()
    if stored is None:
        return None
    (candidate,) = staging.rows(
        f"select {', '.join(duckdb_text(column, 'c') for column in wanted)} from {candidates(table.name)} c"
        ' where c."#n" = ?',
        [n],
    )
    differences = []
    for column, ours, theirs in zip(wanted, candidate, stored, strict=True):
        text = None if ours is None else str(ours)
        if form(column) is Form.JSON and text is not None:
            spelled = connection.execute("select %s::jsonb::text", (text,)).fetchone()
            text = None if spelled is None else str(spelled[0])
        if text != theirs:
            differences.append(CellDifference(column=column.name, source_value=text, target_value=theirs))
    return tuple(differences)


def changed(
    connection: Connection | None, staging: Staging, report: DiffReport, wanted: RowsWanted
) -> tuple[ChangedRow, ...]:
    """The first rows that are wanted: conflicts, then updates, then inserts, each in the order of tables.

    None as connection says that the target has no schema yet. Raises `psycopg.Error`.
    """
    found: list[ChangedRow] = []
    for action in ("conflict", "update", *(["insert"] if wanted.inserts else [])):
        for diff in report.tables:
            if getattr(diff, action) and wanted.table in {None, diff.table} and len(found) < wanted.most:
                found += _rows(connection, staging, diff.table, action, wanted, wanted.most - len(found))
    return tuple(found)


def _rows(
    connection: Connection | None, staging: Staging, name: str, action: str, wanted: RowsWanted, most: int
) -> Iterator[ChangedRow]:
    table = next(one for one in expected().tables if one.name == name)
    natural = [f"cast(c.{quoted(key)} as varchar)" for key in identity(table).key]
    there = "coalesce(d.former_key, d.target_key)"
    key = f"coalesce({there}, concat_ws('|', {', '.join(natural)}))" if natural else there
    rows = staging.rows(
        f'select d.n, d.bot, {key}, d.why from {work("diff", name)} d join {candidates(name)} c on c."#n" = d.n'
        " where d.action = ? and (? is null or d.bot = ?) order by d.n limit ?",
        [action, wanted.bot, wanted.bot, most],
    )
    for n, bot, target_key, why in rows:
        number, shown = int(str(n)), "" if target_key is None else str(target_key)
        yield ChangedRow(
            table=name,
            bot_id=None if bot is None else str(bot),
            key=shown,
            cells=_inserted(staging, table, number)
            if action == "insert" or connection is None
            else tuple(
                (cell.column, cell.target_value, cell.source_value)
                for cell in differing(connection, staging, table, number, shown) or ()
            ),
            origins=_origins(staging, name, number),
            action=action,
            reason=REASONS.get(str(why)) if action == "conflict" else None,
        )


def _inserted(staging: Staging, table: TableContract, n: int) -> tuple[tuple[str, str | None, str | None], ...]:
    wanted = columns(table)
    (row,) = staging.rows(
        f"select {', '.join(duckdb_text(column, 'c') for column in wanted)} from {candidates(table.name)} c"
        ' where c."#n" = ?',
        [n],
    )
    return tuple(
        (column.name, None, str(value)) for column, value in zip(wanted, row, strict=True) if value is not None
    )


def _origins(staging: Staging, table: str, n: int) -> tuple[tuple[str, str, str], ...]:
    rows = staging.rows(
        f'select l.source, l.source_table, {STORED_KEY} from {LINEAGE} l where l.target_table = ? and l."#n" = ?'
        " order by l.outcome, l.source, l.source_table, l.source_key limit 30",
        [table, n],
    )
    return tuple((str(source), str(source_table), str(key)) for source, source_table, key in rows)
