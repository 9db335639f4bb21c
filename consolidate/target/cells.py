"""Single rows, column by column: what a candidate has and what the target has. Only for the few rows that are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from consolidate.canonical import Form, columns, duckdb_text, form, postgres_text
from consolidate.model import ChangedRow
from consolidate.relations import candidates, unified, work
from consolidate.staging import quoted
from consolidate.target.contract import expected
from consolidate.target.identity import identity

if TYPE_CHECKING:
    from consolidate.diff import DiffReport
    from consolidate.staging import Staging
    from consolidate.target.contract import TableContract
    from consolidate.target.transaction import Connection


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
    stored = connection.execute(
        f"select {', '.join(postgres_text(column, 't') for column in wanted)} from {unified(table.name)} t"
        f" where t.{quoted(identity(table).target_key)}::text = %s".encode(),
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


def changed(connection: Connection, staging: Staging, report: DiffReport, *, most: int = 200) -> tuple[ChangedRow, ...]:
    """The first rows that a load updates, with each cell that differs: what the target has, then what it gets."""
    found: list[ChangedRow] = []
    for diff in report.tables:
        if not diff.update:
            continue
        table = next(one for one in expected().tables if one.name == diff.table)
        rows = staging.rows(
            f"select d.n, d.bot, d.target_key from {work('diff', table.name)} d where d.action = 'update'"
            f" order by d.n limit {most - len(found)}"
        )
        for n, bot, key in rows:
            cells = differing(connection, staging, table, int(str(n)), str(key)) or ()
            found.append(
                ChangedRow(
                    table=table.name,
                    bot_id=None if bot is None else str(bot),
                    key=str(key),
                    cells=tuple((cell.column, cell.target_value, cell.source_value) for cell in cells),
                )
            )
    return tuple(found)
