"""The candidate tables: rows in the shape of the target, each with the source rows it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consolidate.mapping.language import ARCHIVE
from consolidate.mapping.target_types import target_type
from consolidate.staging import literal, quoted
from consolidate.target.contract import expected

if TYPE_CHECKING:
    from consolidate.mapping.table import CompiledBlock, CompiledTable
    from consolidate.staging import Staging
    from consolidate.target.contract import TableContract
    from consolidate.transform.names import Names

OWN: dict[str, str] = {"#n": "BIGINT", "#bot": "VARCHAR", "#source": "VARCHAR", "#key": "VARCHAR", "#mark": "VARCHAR"}
"""Our columns in every candidate table; `#bot` is null where the row belongs to no bot."""


def filled_columns(table: TableContract) -> tuple[str, ...]:
    """The columns that a candidate has: all but serial ones, which the target numbers itself."""
    return tuple(column.name for column in table.columns if "nextval(" not in (column.default or ""))


def create_candidates(staging: Staging) -> None:
    """Make the empty candidate tables, the lineage and the rejects."""
    for table in expected().tables:
        filled = set(filled_columns(table))
        columns = [f"{quoted(name)} {kind}" for name, kind in OWN.items()]
        columns += [f"{quoted(c.name)} {target_type(c.type).duckdb}" for c in table.columns if c.name in filled]
        staging.run(f"create or replace table cand.{quoted(table.name)} ({', '.join(columns)})")
    staging.run(
        'create or replace table cand."#lineage" (target_table varchar, "#n" bigint, source varchar,'
        " source_table varchar, source_key varchar, outcome varchar, source_hash uuid, residual varchar)"
    )
    staging.run(
        'create or replace table rej.rejects ("#n" bigint, source varchar, source_table varchar,'
        ' source_key varchar, code varchar, column_name varchar, value varchar, location varchar, "row" varchar)'
    )


def next_number(staging: Staging, target: str) -> int:
    """The largest `#n` of a candidate table, or 0."""
    number = staging.value(f'select coalesce(max("#n"), 0) from cand.{quoted(target)}')
    if not isinstance(number, int):
        raise TypeError(number)
    return number


def append(staging: Staging, names: Names, block: CompiledBlock, relation: str) -> None:
    """Append what a block makes of the rows of `relation` that `names.made` numbers for it."""
    target = block.target
    has_bot = target.column("bot_id") is not None
    cells = {cell.cell.column: quoted(f"t{block.index}.{cell.cell.column}") for cell in block.cells}
    archived = {
        "bot_id": "nullif(w.\"#bot\", '')",
        "source": literal(names.source),
        "source_table": literal(names.table),
        "source_key": 'w."#key"',
        "stored": 'w."#stored"',
    }
    columns, values = [], []
    for name in filled_columns(target):
        if target.name == ARCHIVE and name in archived:
            columns.append(name)
            values.append(archived[name])
        elif name == "bot_id" and has_bot and target.name != "trading.bots":
            columns.append(name)
            values.append('w."#bot"')
        elif name in cells:
            columns.append(name)
            values.append(f"w.{cells[name]}")
    mark = f"w.{quoted(f'mark{block.index}')}" if block.mark is not None else "null"
    bot = "nullif(w.\"#bot\", '')" if has_bot else "null"
    own = [f'm.n, {bot}, {literal(names.source)}, w."#key", {mark}']
    staging.run(
        f"insert into cand.{quoted(target.name)} ({', '.join(map(quoted, [*OWN, *columns]))})"
        f' select {", ".join([*own, *values])} from {names.made} m join {relation} w on w."#row" = m."#row"'
        f" where m.block = {block.index} and m.makes order by m.n"
    )


def write_lineage(staging: Staging, names: Names, table: CompiledTable) -> None:
    """Write which candidates each row made or went into; what was merged into a row follows it.

    The residual stands once for each source row, with the first candidate it made or went into.
    """
    events = ""
    if table.mapping.pair is not None:
        events = (
            f' union all select c."#closing" as "#row", m.target, m.n, \'merged\' from {names.made} m'
            f' join (select distinct "#group", "#row" as member, "#closing" from {names.pairs}'
            ' where "#role" = \'open\' and "#closing" is not null) c on c.member = m."#row"'
            f" union all select p.\"#row\", m.target, m.n, 'mapped' from {names.made} m join {names.pairs} p"
            ' on p."#group" = m."#row" and p."#role" = \'open\' and p."#row" <> m."#row" where m.grouped'
        )
    direct = f'select "#row", target, n, outcome from {names.made}{events}'
    staging.run(
        'insert into cand."#lineage" with direct as materialized ('
        f"{direct}), every as (select * from direct union all select f.\"#row\", d.target, d.n, 'merged'"
        f" from {names.fate} f join direct d on d.\"#row\" = f.into_row where f.outcome = 'merged'),"
        f' once as (select e.target, e.n, t."#key", min(e.outcome) as outcome, any_value(t."#hash") as "#hash",'
        f' any_value(t."#residual") as "#residual" from every e join {names.typed} t on t."#row" = e."#row"'
        ' group by e.target, e.n, t."#key")'
        f' select target, n, {literal(names.source)}, {literal(names.table)}, "#key", outcome, "#hash",'
        ' case when row_number() over (partition by "#key" order by target, n) = 1 then "#residual" end from once'
    )
