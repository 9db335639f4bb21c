"""The target's own constraints, asked of the candidates before the target is: checks and uniqueness."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from consolidate.mapping.made_bots import BOTS
from consolidate.model import RejectCode
from consolidate.staging import quoted
from consolidate.transform import fates
from consolidate.transform.bots_of_rows import also_listed
from consolidate.transform.pairs import reject_broken_groups

if TYPE_CHECKING:
    from consolidate.mapping.table import CompiledBlock, CompiledTable
    from consolidate.staging import Staging
    from consolidate.transform.names import Names


def reject_check_violations(staging: Staging, names: Names, block: CompiledBlock, relation: str) -> None:
    """Reject the rows of `relation` whose cells in this block break a check of the target; a check of null passes."""
    cells = {cell.cell.column: cell for cell in block.cells}
    checks = [
        (check.expression, mentioned)
        for check in block.target.checks
        if (mentioned := [name for name in cells if re.search(rf"\b{re.escape(name)}\b", check.expression)])
    ]
    if not checks:
        return
    columns = [
        f"{quoted(f't{block.index}.{column.name}') if column.name in cells else 'null'} as {quoted(column.name)}"
        for column in block.target.columns
    ]
    rows = f'(select "#row", {", ".join(columns)} from {relation} where "w{block.index}" and "#fail" is null)'
    broken = staging.rows(
        f"select {', '.join(f'count(*) filter (where not ({one}))' for one, _ in checks)} from {rows}"
    )
    for (expression, mentioned), number in zip(checks, broken[0], strict=True):
        if not number:
            continue
        blamed = next((cells[name] for name in mentioned if cells[name].value.column), cells[mentioned[0]])
        fates.reject(
            staging,
            names,
            f'select "#row" from {rows} where not ({expression})',
            RejectCode.CHECK_VIOLATION,
            column=blamed.value.column or blamed.cell.column,
            location=blamed.cell.location,
        )


def making_blocks(names: Names, table: CompiledTable) -> list[tuple[CompiledBlock, str, str]]:
    """Each block that makes rows of its own, with its relation and the condition under which it makes one."""
    found = []
    for block in table.row_blocks:
        merge = block.block.merge
        condition = f'r."w{block.index}"'
        if merge is not None and merge.only:
            continue
        if merge is not None:
            condition += f" and r.{quoted(f'n:{merge.into}')} is null"
        found.append((block, names.wide, condition))
    found += [(block, names.groups, f'r."w{block.index}"') for block in table.group_blocks]
    return found


def reject_duplicates(staging: Staging, names: Names, table: CompiledTable) -> None:
    """Reject candidates that break a unique constraint of the target: all that agree, and those that an earlier has."""
    making = making_blocks(names, table)
    for target in dict.fromkeys(block.target for block, _, _ in making):
        blocks = [one for one in making if one[0].target is target]
        for unique in (*((target.primary_key,) if target.name == BOTS else ()), *target.unique):
            parts = []
            for block, relation, condition in blocks:
                shared = block.block.shared
                cells = {cell.cell.column: f"r.{quoted(f't{block.index}.{cell.cell.column}')}" for cell in block.cells}
                cells["bot_id"] = 'r."#bot"'
                if shared is not None and set(shared.by) == set(unique):
                    continue
                if all(name in cells for name in unique):
                    values = ", ".join(f"{cells[name]} as u{i}" for i, name in enumerate(unique))
                    parts.append(
                        f'select r."#row", {values} from {relation} r where {condition} and {fates.living(names)}'
                    )
            if not parts:
                continue
            rows = " union all ".join(parts)
            keys = ", ".join(f"u{i}" for i in range(len(unique)))
            known = " and ".join(f"u{i} is not null" for i in range(len(unique)))
            on = " and ".join(f"c.{quoted(name)} = u{i}" for i, name in enumerate(unique))
            doubled = (
                f'select "#row" from ({rows}) where {known} and ({keys}) in'
                f" (select ({keys}) from ({rows}) where {known} group by {keys} having count(*) > 1)"
                f' union all select "#row" from ({rows}) join cand.{quoted(target.name)} c on {on}'
            )
            cell = next((c for b, _, _ in blocks for c in b.cells if c.cell.column == unique[-1]), None)
            column = None if cell is None else cell.value.column or cell.cell.column
            location = blocks[0][0].block.location if cell is None else cell.cell.location
            if target.name == BOTS:
                doubled = also_listed(doubled, rows)
            code = RejectCode.DUPLICATE_BOT if target.name == BOTS else RejectCode.DUPLICATE_TARGET
            fates.reject(staging, names, doubled, code, column=column, location=location)
    reject_broken_groups(staging, names, table)
