"""Bots that rows become, compiled: their ids, their attributes with what the project file says, and whose rows are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import sqlalchemy as sa

from consolidate.mapping.expr import Literal
from consolidate.mapping.language import Cell
from consolidate.mapping.made_bots import BOTS
from consolidate.mapping.table import CompiledCell, CompiledOwner
from consolidate.mapping.target_types import target_type
from consolidate.mapping.value import NULL, Kind, Sql, Value, call, named, text
from consolidate.mapping.yaml import nearest
from consolidate.target.contract import expected

if TYPE_CHECKING:
    from consolidate.mapping.compile import Compiler
    from consolidate.mapping.language import Block
    from consolidate.mapping.made_bots import MadeBots
    from consolidate.mapping.scopes import RowScope
    from consolidate.mapping.yaml import Problems
    from consolidate.target.contract import ColumnContract, TableContract


def bot_id(scope: RowScope, rows: Compiler, made: MadeBots) -> Sql | None:
    """The id of the bot that a row becomes, over typed rows: the project file's, else the row's. None: no bot."""
    blocks = [block for block in scope.mapping.blocks if block.target == BOTS]
    if not blocks:
        return None
    block = blocks[0]
    _check_bots(block, scope, rows.problems)
    cell = next((cell for cell in block.cells if cell.column == "bot_id"), None)
    if cell is None:
        hint = "add `bot_id: concat('…_', slug(name))`"
        rows.problems.add("unmapped-column", f"{BOTS}.bot_id is required and has no rule", block.location, hint)
        return None
    scope.bot_visible = False
    value = rows.compile(cell.expr)
    scope.bot_visible = True
    rows.expect(value, (Kind.TEXT,), cell.expr)
    whens = [(named("#key") == text(one.key), text(one.id)) for one in made.by_key if one.id is not None]
    return sa.cast(sa.case(*whens, else_=value.sql) if whens else value.sql, sa.String())


def _check_bots(block: Block, scope: RowScope, problems: Problems) -> None:
    mapping = scope.mapping
    makers = [(table, one) for table in scope.system.tables for one in table.blocks if one.target == BOTS]
    if len(makers) > 1 and makers[0][1] is not block:
        message = f"the rows of {makers[0][0].table!r} become the bots already"
        problems.add("bad-bots", message, block.location, "one table of a system makes its bots")
    if mapping.owner is not None:
        message = f"the rows of {mapping.table!r} are bots themselves"
        problems.add("bad-bots", message, mapping.owner.location, "take `bot` out")
    if block.grouped or block.when is not None or block.merge is not None or block.shared is not None:
        hint = "leave rows out with `filter`, unite them with `keep`"
        problems.add("bad-bots", "each row becomes one bot: only columns may stand here", block.location, hint)


def owner_of(scope: RowScope, problems: Problems) -> CompiledOwner | None:
    """The table whose bots the rows belong to; None where the project file says whose they are."""
    mapping = scope.mapping
    table = scope.system.owning_table(mapping)
    owner = mapping.owner
    if owner is None:
        return None
    if table is None:
        if owner.of is not None:
            hint = nearest(owner.of, scope.before) or "name a table before this one"
            problems.add("unknown-table", f"`of` names {owner.of!r}, which is no table", owner.location, hint)
        elif len(owner.by) > 1:
            message = "the project file names bots by one column"
            problems.add("bad-value", message, owner.location, "write `bot: column`")
        return None
    if table.table not in scope.before:
        hint = "change the order of `tables` in system.yaml"
        problems.add("bad-find", f"{table.table!r} is not transformed before {mapping.table!r}", owner.location, hint)
    if len(owner.by) != len(table.key):
        message = f"the key of {table.table!r} has {len(table.key)} parts, not {len(owner.by)}"
        problems.add("bad-value", message, owner.location, f"`by` takes a column for each of {', '.join(table.key)}")
    return CompiledOwner(table=table.table, makes_bots=table.makes_bots)


def bots_before(scope: RowScope, problems: Problems) -> str | None:
    """The table before this one whose rows are the bots; a problem where this one needs a bot and there is none yet."""
    bots = scope.system.bots_table
    if bots is None or bots.table in scope.before:
        return None if bots is None else bots.table
    contracts = (expected().table(block.target) for block in scope.mapping.blocks)
    needs = any(one is not None and one.column("bot_id") is not None for one in contracts)
    if bots is not scope.mapping and needs and scope.mapping.owner is None:
        message = f"the rows of {scope.mapping.table!r} need a bot, and those of {bots.table!r} become bots later"
        problems.add("bad-bots", message, scope.mapping.location, "change the order of `tables` in system.yaml")
    return None


def bot_cells(block: Block, contract: TableContract, cells: list[CompiledCell], made: MadeBots) -> list[CompiledCell]:
    """The cells of bots: those of the rows, with what the project file says in their place or where they are null."""
    found = {cell.cell.column: cell for cell in cells}
    said = {name for name, _ in made.defaults} | {name for one in made.by_key for name, _ in one.attributes}
    done = []
    for column in contract.columns:
        cell = found.get(column.name)
        if cell is None and (column.not_null or column.name in said):
            empty = Literal(value=None, location=block.location)
            cell = CompiledCell(
                cell=Cell(column=column.name, expr=empty, location=block.location),
                value=Value(sql=NULL, kind=Kind.NULL),
                to=target_type(column.type),
                required=column.not_null,
            )
        if cell is not None and column.name == "bot_id":
            cell = replace(cell, value=Value(sql=named("#bot"), kind=Kind.TEXT, column=cell.value.column))
        elif cell is not None:
            cell = replace(cell, value=_attribute(column, cell.value, made))
        done += [] if cell is None else [cell]
    return done


def _attribute(column: ColumnContract, value: Value, made: MadeBots) -> Value:
    default = dict(made.defaults).get(column.name)
    said = [(one.key, given) for one in made.by_key for name, given in one.attributes if name == column.name]
    if default is None and not said:
        return value
    kind = target_type(column.type).kinds[0]
    otherwise = value.sql if default is None else sa.func.coalesce(value.sql, _constant(default, kind))
    whens = [(named("#key") == text(key), NULL if given is None else _constant(given, kind)) for key, given in said]
    sql = sa.case(*whens, else_=otherwise) if whens else otherwise
    return replace(value, sql=sql, kind=kind, decimals=None, members=None)


def _constant(given: str, kind: Kind) -> Sql:
    """A value of the project file, which fits its column."""
    return call("num", text(given)) if kind is Kind.NUMBER else text(given)
