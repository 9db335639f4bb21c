"""What was rejected, as far as it is known in the target's units: for the control totals, beside what was loaded.

`rej."<table>"` has the rows that rejected source rows would have become, with the target's columns; a null there is a
null of the source only where `#whole` is true. `rej."#unmeasured"` counts the rejected source rows that never came so
far: their cells could not be read, or nobody knows whether they would have become a row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consolidate.mapping.target_types import target_type
from consolidate.mapping.value import TRUE
from consolidate.staging import literal, quoted
from consolidate.target.contract import expected
from consolidate.transform.candidates import filled_columns
from consolidate.transform.constraints import making_blocks

if TYPE_CHECKING:
    from consolidate.mapping.table import CompiledBlock, CompiledTable
    from consolidate.staging import Staging
    from consolidate.transform.names import Names


def create_measured(staging: Staging) -> None:
    """Make the empty tables."""
    for table in expected().tables:
        filled = set(filled_columns(table))
        columns = [f"{quoted(c.name)} {target_type(c.type).duckdb}" for c in table.columns if c.name in filled]
        staging.run(
            f'create or replace table rej.{quoted(table.name)} ("#bot" varchar, "#whole" boolean, {", ".join(columns)})'
        )
    staging.run(
        'create or replace table rej."#unmeasured"'
        " (target varchar, bot varchar, source varchar, source_table varchar, rows bigint, certain boolean)"
    )


def measure(staging: Staging, names: Names, table: CompiledTable) -> None:
    """Measure the rejected rows of a source table whose rows all have their fates; nothing to do where there are none.

    A row of a block without a condition of its own would have become one row for certain.
    """
    if not staging.value(f"select exists (from {names.fate} where outcome = 'rejected')"):
        return
    rejected = f'exists (select 1 from {names.fate} f where f."#row" = r."#row" and f.outcome = \'rejected\')'
    for block, rows, condition in making_blocks(names, table):
        certain = block.when is TRUE and block.block.merge is None and not block.block.grouped
        known = "false" if block.block.shared is not None else condition
        _append(staging, block, f"{rows} r where {known} and {rejected}")
        measured = f'(select "#row" from {rows})'
        if block.block.shared is not None:
            measured, certain = '(select null::bigint as "#row" where false)', False
        elif block.block.grouped:
            measured = f'(select p."#row" from {names.pairs} p join {rows} g on g."#row" = p."#group")'
        bot = 'r."#bot"' if block.target.column("bot_id") is not None else "null"
        staging.run(
            f'insert into rej."#unmeasured" select {literal(block.target.name)}, {bot}, {literal(names.source)},'
            f" {literal(names.table)}, count(*), {str(certain).lower()} from {names.typed} r"
            f' where {rejected} and not exists (select 1 from {measured} m where m."#row" = r."#row") group by all'
        )


def _append(staging: Staging, block: CompiledBlock, origin: str) -> None:
    target = block.target
    cells = {cell.cell.column: f"r.{quoted(f't{block.index}.{cell.cell.column}')}" for cell in block.cells}
    if target.column("bot_id") is not None and target.name != "trading.bots":
        cells["bot_id"] = 'r."#bot"'
    chosen = {name: cells[name] for name in filled_columns(target) if name in cells}
    bot = 'r."#bot"' if target.column("bot_id") is not None else "null"
    columns = ", ".join(map(quoted, ["#bot", "#whole", *chosen]))
    values = ", ".join([bot, 'r."#fail" is null', *chosen.values()])
    staging.run(f"insert into rej.{quoted(target.name)} ({columns}) select {values} from {origin}")
