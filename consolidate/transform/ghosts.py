"""The ids that rejected rows would have had: what points at one of them points at a rejected row, not at nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from consolidate.mapping.compile_finds import TEXT_IDS
from consolidate.mapping.references import references
from consolidate.mapping.value import named
from consolidate.staging import literal
from consolidate.transform.joined import joined_rows
from consolidate.transform.names import Names, label, relation, rendered

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from consolidate.staging import Staging
    from consolidate.transform.source import TransformSource


def add_ghosts(staging: Staging, sources: Sequence[TransformSource], targets: Collection[str], lost: str) -> None:
    """In the table `lost`, say `rejected` of the references to ids that rows of the same bot would have had.

    A row of which too much cannot be read to know its id has none; nor has a group of a `pair`.
    """
    for source in sources:
        for table in source.compiled.tables:
            names = Names(source=source.name, table=table.mapping.table)
            for block in table.row_blocks:
                target = block.target.name
                cell = next((one for one in block.cells if one.cell.column == TEXT_IDS.get(target)), None)
                if target not in targets or cell is None or not _has_rejects(staging, names):
                    continue
                columns = [named("#bot"), label(cell.value.sql, "#id")]
                rejected = (
                    f'exists (select 1 from {names.fate} f where f."#row" = r."#row" and f.outcome = \'rejected\')'
                )
                rows = relation(joined_rows(names, table, rejected))
                statement, parameters = rendered(sa.select(*columns).select_from(table.layers.over(rows, columns)))
                numbers = ", ".join(str(i) for i, one in enumerate(references()) if one.to_table == target)
                staging.run(
                    f"update {lost} set why = 'rejected' from ({statement}) g where {lost}.edge in ({numbers})"
                    f' and {lost}.why = \'missing\' and {lost}.id = g."#id"::varchar and {lost}.bot = g."#bot"',
                    parameters,
                )


def _has_rejects(staging: Staging, names: Names) -> bool:
    """Whether the table was transformed and rows of it are rejected."""
    known = staging.rows(
        "select 1 from duckdb_tables() where schema_name = 'work'"
        f" and table_name = {literal(f'{names.source}.{names.table}#fate')}"
    )
    return bool(known) and bool(staging.rows(f"select 1 from {names.fate} where outcome = 'rejected' limit 1"))
