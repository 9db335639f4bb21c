"""The blocks of a table, compiled: cells against the columns that they fill, and what a block says besides."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from consolidate.mapping.compile_bots import bot_cells
from consolidate.mapping.enumerations import choices, unlisted
from consolidate.mapping.language import ARCHIVE
from consolidate.mapping.made_bots import BOTS
from consolidate.mapping.table import CompiledBlock, CompiledCell
from consolidate.mapping.target_types import target_type
from consolidate.mapping.value import TRUE, Kind, Sql, both, call, holds, named, whole
from consolidate.mapping.yaml import nearest
from consolidate.target.contract import expected

if TYPE_CHECKING:
    from consolidate.mapping.compile import Compiler, Rounded
    from consolidate.mapping.language import Block, Cell
    from consolidate.mapping.made_bots import MadeBots
    from consolidate.mapping.scopes import RowScope
    from consolidate.mapping.target_types import TargetType
    from consolidate.mapping.value import Value
    from consolidate.target.contract import TableContract

_OWN: Final = ("id", "bot_id")
"""Columns that are filled in by themselves. Of the archive, all are."""


def compile_block(
    index: int, block: Block, scope: RowScope, compiler: Compiler, made: MadeBots
) -> CompiledBlock | None:
    """A block, with `compiler` for rows or for groups; None, with a problem, where its target table does not exist."""
    contract = expected().table(block.target)
    if contract is None:
        hint = nearest(block.target, (table.name for table in expected().tables))
        compiler.problems.add("unknown-target", f"there is no target table {block.target!r}", block.location, hint)
        return None
    when = _when(block, contract, scope, compiler)
    cells: list[CompiledCell] = []
    rounded: list[tuple[str, Rounded]] = []
    with compiler.guard(when):
        for cell in block.cells:
            start = len(compiler.rounded)
            compiled = _cell(cell, contract, compiler, block)
            if compiled is not None:
                cells.append(compiled)
            rounded += [(cell.column, one) for one in compiler.rounded[start:]]
        if block.target == BOTS:
            cells = bot_cells(block, contract, cells, made)
        mark = _mark(block, compiler)
    _check_completeness(block, contract, compiler)
    return CompiledBlock(
        index=index, block=block, target=contract, when=when, cells=tuple(cells), mark=mark, rounded=tuple(rounded)
    )


def compile_stub(block: Block, contract: TableContract, compiler: Compiler) -> CompiledBlock:
    """The row that a stub is, over the rows that point at it; a required column without a rule is a problem."""
    found = [_cell(cell, contract, compiler, block) for cell in block.cells]
    _check_completeness(block, contract, compiler)
    cells = tuple(cell for cell in found if cell is not None)
    return CompiledBlock(index=0, block=block, target=contract, when=TRUE, cells=cells, mark=None, rounded=())


def _when(block: Block, contract: TableContract, scope: RowScope, compiler: Compiler) -> Sql:
    """When the block makes or fills a row: also only for opening events, and only where `merge: {only: true}` found."""
    when = TRUE if block.when is None else compiler.condition(block.when)
    if scope.mapping.pair is not None and not block.grouped:
        when = both(holds(named("#role") == sa.literal_column("'open'")), when)
    if block.merge is not None:
        _check_merge(block, contract, scope, compiler)
        if block.merge.only:
            when = both(when, named(f"n:{block.merge.into}").is_not(None))
    return when


def _mark(block: Block, compiler: Compiler) -> Sql | None:
    if block.mark is None:
        return None
    value = compiler.compile(block.mark)
    compiler.expect(value, (Kind.TEXT,), block.mark)
    return sa.cast(value.sql, sa.String())


def _cell(cell: Cell, contract: TableContract, compiler: Compiler, block: Block) -> CompiledCell | None:
    column = contract.column(cell.column)
    if column is None or (cell.column in _OWN and contract.name != BOTS):
        known = [one.name for one in contract.columns if one.name not in _OWN]
        own = cell.column in _OWN and column is not None
        hint = "it is filled in by itself" if own else nearest(cell.column, known)
        message = f"{contract.name} has no column {cell.column!r} to fill"
        compiler.problems.add("unknown-column", message, cell.location, hint)
        return None
    to = target_type(column.type)
    value = compiler.compile(cell.expr)
    if compiler.expect(value, to.kinds, cell.expr) and to.scale is not None:
        _check_decimals(cell, value, to, compiler)
    for text, location in unlisted(cell.expr, contract, cell.column, compiler.values):
        message = f"{contract.name}.{cell.column} does not take {text!r}"
        taken = choices(contract, cell.column)
        hint = nearest(text, taken) or f"one of {', '.join(taken)}"
        compiler.problems.add("unknown-value", message, location, hint)
    if value.derived and to.precision is not None:
        rounded = compiler.layers.hoist(call("num_round", value.sql, whole(to.scale or 0)))
        value = replace(value, sql=rounded, decimals=to.scale)
    required = column.not_null and not (block.merge is not None and block.merge.only)
    return CompiledCell(cell=cell, value=value, to=to, required=required)


def _check_decimals(cell: Cell, value: Value, to: TargetType, compiler: Compiler) -> None:
    scale = to.scale or 0
    if value.floating and value.decimals is None and not value.derived:
        hint = f"write `{cell.column}: round({'…' if value.column is None else value.column}, {scale})`"
        message = "a float is a binary approximation and must be rounded by the mapping"
        compiler.wrong(cell.expr.location, message, hint)
    if value.decimals is not None and value.decimals > scale and not value.derived:
        hint = f"round to {scale}"
        compiler.wrong(cell.expr.location, f"{cell.column} holds {scale} decimals, not {value.decimals}", hint)


def _check_completeness(block: Block, contract: TableContract, compiler: Compiler) -> None:
    filled = {cell.column for cell in block.cells}
    if block.target == ARCHIVE or (block.merge is not None and block.merge.only):
        return
    if contract.name == BOTS:  # the project file may say what the rows do not
        return
    for column in contract.columns:
        if column.not_null and column.name not in filled and column.name not in _OWN:
            compiler.problems.add(
                "unmapped-column",
                f"{contract.name}.{column.name} is required and has no rule",
                block.location,
                f"add `{column.name}: …`",
            )
    if block.shared is not None:
        for name in (*block.shared.by, *block.shared.same):
            if name not in filled:
                message, hint = f"`shared` names {name!r}, which has no rule", nearest(name, filled)
                compiler.problems.add("bad-shared", message, block.shared.location, hint or f"add `{name}: …`")


def _check_merge(block: Block, contract: TableContract, scope: RowScope, compiler: Compiler) -> None:
    merge = block.merge
    if merge is None:
        return
    problems = compiler.problems
    find = scope.finds.get(merge.into)
    if find is None or find.table != block.target:
        message = f"`into` names {merge.into!r}, which finds no row of {block.target}"
        problems.add("bad-merge", message, merge.location, nearest(merge.into, scope.finds) or "write it under `find`")
    if block.grouped:
        problems.add(
            "bad-merge", "a block `per: group` cannot be merged", merge.location, "merge the rows of a later table"
        )
    filled = [cell.column for cell in block.cells]
    times = [*(name for name, _ in merge.agree), *merge.latest]
    for name in dict.fromkeys([*times, *(name for name, _ in merge.replace), *merge.keep]):
        if name not in filled:
            hint = nearest(name, filled) or f"add `{name}: …` to the block"
            problems.add("bad-merge", f"`merge` names {name!r}, which has no rule", merge.location, hint)
    for name in times:
        column = contract.column(name)
        if column is not None and target_type(column.type).kinds != (Kind.TIME,):
            message = f"`agree` and `latest` are for times, and {name!r} is none"
            problems.add("bad-merge", message, merge.location, "name it under `keep` or `replace`, or leave it out")
