"""The living rows of a source table with all that expressions over them may name beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consolidate.mapping.language import FindListed
from consolidate.staging import quoted
from consolidate.transform import fates
from consolidate.transform.names import Names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consolidate.mapping.table import CompiledTable


def joined_rows(names: Names, table: CompiledTable, which: str | None = None) -> str:
    """The living typed rows with their pair, their closing event and what their finds found beside them.

    `which`: another condition on the typed rows `r`.
    """
    columns = ["r.*"]
    joins = [f"{names.typed} r"]
    if table.mapping.pair is not None:
        columns += ['p."#role"', 'p."#group"', 'p."#closing"', 'p."#ord"']
        columns += [f"k.{quoted(f'v:{name}')} as {quoted(f'k:{name}')}" for name in table.closing_columns]
        joins.append(f'left join {names.pairs} p on p."#row" = r."#row"')
        joins.append(f'left join {names.typed} k on k."#row" = p."#closing"')
    columns += newest_columns(names.source, table.newest_columns)
    for i, find in enumerate(table.mapping.finds):
        if isinstance(find, FindListed):
            found = f'(select "#row", min(n) as n from {names.found(find.name)} group by "#row")'
        else:
            found = names.found(find.name)
        columns.append(f"x{i}.n as {quoted(f'n:{find.name}')}")
        joins.append(f'left join {found} x{i} on x{i}."#row" = r."#row"')
        wanted = [column for name, column in table.found_columns if name == find.name]
        if wanted:
            columns += [f"c{i}.{quoted(column)} as {quoted(f'f:{find.name}.{column}')}" for column in wanted]
            joins.append(f'left join cand.{quoted(find.table)} c{i} on c{i}."#n" = x{i}.n')
    return f"(select {', '.join(columns)} from {' '.join(joins)} where {which or fates.living(names)}) rows"


def newest_columns(source: str, wanted: Iterable[tuple[str, str]]) -> list[str]:
    """`newest:<table>.<column>` for each (table, column): the largest value among all rows of that table."""
    return [
        f"(select max({quoted(f'v:{column}')}) from {Names(source=source, table=table).typed})"
        f" as {quoted(f'newest:{table}.{column}')}"
        for table, column in wanted
    ]
