"""The rows of the unified tables as text, each with the source rows that it comes from. For targets that are small."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consolidate.canonical import columns, postgres_text
from consolidate.relations import unified
from consolidate.staging import quoted
from consolidate.target.contract import expected
from consolidate.target.identity import identity
from consolidate.target.transaction import told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consolidate.target.contract import TableContract
    from consolidate.target.transaction import Connection


def stored(connection: Connection) -> Iterator[tuple[str, str | None, dict[str, str]]]:
    """Every row of every unified table: the table, the source rows, and the cells that are not null.

    The cells are those that a candidate has, as PostgreSQL writes them. The source rows are "table key" and joined by
    "; ", those that made the row before those that were merged into it; None for a row that no run brought. Raises
    `UnreachableError` for a failure of the database.
    """
    for table in expected().tables:
        names = [column.name for column in columns(table)]
        with told(connection):
            rows = connection.execute(_statement(table).encode()).fetchall()
        for origin, *cells in rows:
            found = {name: str(value) for name, value in zip(names, cells, strict=True) if value is not None}
            yield table.name, None if origin is None else str(origin), found


def _statement(table: TableContract) -> str:
    cells = ", ".join(postgres_text(column, "t") for column in columns(table))
    origin = (
        "select string_agg(concat(l.source_table, ' ', l.source_key), '; '"
        " order by l.outcome, l.source, l.source_table, l.source_key)"
        " from audit.migration_lineage l"
        f" where l.target_table = '{table.name}' and l.target_key = t.{quoted(identity(table).target_key)}::text"
    )
    return f"select ({origin}), {cells} from {unified(table.name)} t"
