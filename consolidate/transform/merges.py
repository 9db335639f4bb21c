"""Rows that say more about a candidate that is already there, and rows that any source may bring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consolidate.model import RejectCode
from consolidate.staging import literal, quoted
from consolidate.transform.fates import living, reject

if TYPE_CHECKING:
    from consolidate.mapping.table import CompiledBlock, CompiledCell, CompiledTable
    from consolidate.staging import Staging
    from consolidate.transform.names import Names


def into_made(staging: Staging, names: Names, table: CompiledTable) -> None:
    """Merge the rows whose `merge` found a candidate into it; reject those that contradict it.

    Several rows that go into one candidate do so one after the other, in the order of their keys, so that each is
    compared with what the ones before it left.
    """
    blocks = [block for block in table.row_blocks if block.block.merge is not None]
    if not blocks:
        return
    parts = [
        f'select {block.index} as block, w."#row", w."#key", x.n from {names.wide} w'
        f' join {names.found(block.block.merge.into)} x on x."#row" = w."#row" where w."w{block.index}"'
        " and x.n is not null"
        for block in blocks
        if block.block.merge is not None
    ]
    going = _going(names)
    staging.run(
        f'create or replace table {going} as select *, max(place) over (partition by "#row") as turn from ('
        ' select *, dense_rank() over (partition by block, n order by key_order("#key"), "#row") as place'
        f" from ({' union all '.join(parts)}))"
    )
    turns = staging.value(f"select coalesce(max(turn), 0) from {going}")
    for turn in range(1, (turns if isinstance(turns, int) else 0) + 1):
        for block in blocks:
            _reject_contradictions(staging, names, block, turn)
        for block in blocks:
            _fill(staging, names, block, turn)


def _going(names: Names) -> str:
    return names.found("#going")


def _reject_contradictions(staging: Staging, names: Names, block: CompiledBlock, turn: int) -> None:
    relation, only = _joined(names, block, turn)
    for cell in block.cells:
        condition = _contradiction(block, cell)
        if condition is None:
            continue
        mine, theirs = _mine(block, cell), _theirs(cell)
        rows = (
            f"select w.\"#row\", {mine}::varchar || ' (already there: ' || {theirs}::varchar || ')' as shown"
            f" from {relation} where {only} and {condition}"
        )
        column = cell.value.column or cell.cell.column
        reject(
            staging,
            names,
            rows,
            RejectCode.SOURCE_CONFLICT,
            column=column,
            location=cell.cell.location,
            shown="r.shown",
        )


def _joined(names: Names, block: CompiledBlock, turn: int) -> tuple[str, str]:
    relation = (
        f'{_going(names)} g join {names.wide} w on w."#row" = g."#row"'
        f' join cand.{quoted(block.target.name)} c on c."#n" = g.n'
    )
    return relation, f"g.block = {block.index} and g.turn = {turn}"


def _mine(block: CompiledBlock, cell: CompiledCell) -> str:
    return f"w.{quoted(f't{block.index}.{cell.cell.column}')}"


def _theirs(cell: CompiledCell) -> str:
    return f"c.{quoted(cell.cell.column)}"


def _contradiction(block: CompiledBlock, cell: CompiledCell) -> str | None:
    """When the row contradicts the candidate in this column; None where it cannot."""
    merge = block.block.merge
    name = cell.cell.column
    if merge is None or name in (*merge.keep, *merge.latest) or cell.value.members is not None:
        return None
    mine, theirs = _mine(block, cell), _theirs(cell)
    seconds = dict(merge.agree).get(name)
    if seconds is not None:
        return f"abs(epoch_us({mine}) - epoch_us({theirs})) > {seconds * 1_000_000}"
    replaced = dict(merge.replace).get(name)
    if replaced:
        listed = ", ".join(literal(value) for value in replaced)
        return f"{mine} <> {theirs} and {theirs} not in ({listed})"
    return f"{mine} <> {theirs}"


def _fill(staging: Staging, names: Names, block: CompiledBlock, turn: int) -> None:
    merge = block.block.merge
    if merge is None:
        return
    settings = []
    selected = []
    for cell in block.cells:
        column = quoted(cell.cell.column)
        mine, theirs = _mine(block, cell), _theirs(cell)
        replaced = dict(merge.replace).get(cell.cell.column)
        if cell.value.members is not None:
            value = f"json_unite({theirs}, w.{quoted(f'm{block.index}.{cell.cell.column}')})"
        elif cell.cell.column in merge.latest:
            value = f"greatest({theirs}, {mine})"
        elif replaced:
            listed = ", ".join(literal(value) for value in replaced)
            value = (
                f"case when {theirs} in ({listed}) then coalesce({mine}, {theirs}) else coalesce({theirs}, {mine}) end"
            )
        else:
            value = f"coalesce({theirs}, {mine})"
        selected.append(f"{value} as {column}")
        settings.append(f"{column} = s.{column}")
    relation, only = _joined(names, block, turn)
    alive = living(names).replace('r."#row"', 'w."#row"')
    staging.run(
        f"update cand.{quoted(block.target.name)} set {', '.join(settings)} from"
        f" (select g.n, {', '.join(selected)} from {relation} where {only} and {alive}) s"
        f' where cand.{quoted(block.target.name)}."#n" = s.n'
    )


def shared_made(staging: Staging, names: Names, table: CompiledTable) -> None:
    """Of rows that any source may bring, find those that are there already: the same are merged, others rejected.

    Makes `names.found("#shared")`: `#row`, block, n (a candidate that an earlier source made), first_row (the row of
    this table that brings it).
    """
    shared = [block for block in table.row_blocks if block.block.shared is not None]
    staging.run(
        f'create or replace table {names.found("#shared")} ("#row" bigint, block integer, n bigint, first_row bigint)'
    )
    for block in shared:
        rule = block.block.shared
        if rule is None:
            continue
        cells = {cell.cell.column: f"t{block.index}.{cell.cell.column}" for cell in block.cells}
        by = [quoted(cells[name]) for name in rule.by]
        own = (
            'select r."#row", first_value(r."#row") over same as first_row,'
            + ", ".join(
                f" r.{quoted(cells[name])} is distinct from first_value(r.{quoted(cells[name])}) over same as d{i}"
                for i, name in enumerate(rule.same)
            )
            + f' from {names.wide} r where r."w{block.index}" and {living(names)}'
            f' window same as (partition by {", ".join(by)} order by key_order(r."#key"), r."#row")'
        )
        for i, name in enumerate(rule.same):
            rows = f'select "#row" from ({own}) where d{i}'
            cell = next(one for one in block.cells if one.cell.column == name)
            column = cell.value.column or name
            reject(staging, names, rows, RejectCode.SOURCE_CONFLICT, column=column, location=cell.cell.location)
        _against_earlier(staging, names, block, cells)
        staging.run(
            f'insert into {names.found("#shared")} select o."#row", {block.index}, c."#n", o.first_row'
            f' from ({own}) o join {names.wide} w on w."#row" = o."#row"'
            f" left join cand.{quoted(block.target.name)} c on {_on(rule.by, cells)}"
        )


def _on(by: tuple[str, ...], cells: dict[str, str]) -> str:
    return " and ".join(f"c.{quoted(name)} = w.{quoted(cells[name])}" for name in by)


def _against_earlier(staging: Staging, names: Names, block: CompiledBlock, cells: dict[str, str]) -> None:
    rule = block.block.shared
    if rule is None:
        return
    for name in rule.same:
        cell = next(one for one in block.cells if one.cell.column == name)
        mine, theirs = f"w.{quoted(cells[name])}", f"c.{quoted(name)}"
        rows = (
            f"select w.\"#row\", {mine}::varchar || ' (already there: ' || {theirs}::varchar || ')' as shown"
            f" from {names.wide} w join cand.{quoted(block.target.name)} c on {_on(rule.by, cells)}"
            f' where w."w{block.index}" and {mine} is distinct from {theirs}'
        )
        reject(
            staging,
            names,
            rows,
            RejectCode.SOURCE_CONFLICT,
            column=cell.value.column or name,
            location=cell.cell.location,
            shown="r.shown",
        )
