"""From compiled blocks to one select: conditions and cells, then target types, then what fails, each a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from consolidate.mapping.target_types import converted, faults
from consolidate.mapping.value import TRUE, Check, Kind, Sql, named, whole
from consolidate.model import RejectCode
from consolidate.transform.names import label

if TYPE_CHECKING:
    from consolidate.errors import Location
    from consolidate.mapping.layers import Layers
    from consolidate.mapping.table import CompiledBlock, CompiledCell


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What a number in `#fail` means."""

    code: RejectCode
    column: str | None
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A select that gives each row's cells and, in `#fail`, the number of the first failure (null: none)."""

    select: sa.Select[Any]
    failures: tuple[Failure, ...]


def shaped(
    source: sa.FromClause,
    blocks: tuple[CompiledBlock, ...],
    checks: tuple[Check, ...],
    layers: Layers,
    *,
    base: tuple[str, ...],
    extra: tuple[tuple[str, Sql], ...],
) -> Shape:
    """The rows of `source`, shaped.

    They have the columns `base`, the expressions `extra`, and for each block `w<i>` (whether it applies),
    `t<i>.<column>` (its cells in the types of the target), `mark<i>`, `m<i>.<column>` (the members of a pack that may
    be united with others) and `r<i>.<n>` (what a rounding changed, DECIMAL(38,30)).
    """
    failures: list[Failure] = [Failure(code=c.code, column=c.column, location=c.location) for c in checks]
    first = [named(name) for name in base]
    first += [label(expression, name) for name, expression in extra]
    first.append(label(_first_of([(check.condition, i) for i, check in enumerate(checks)]), "#fail1"))
    for block in blocks:
        first += _raw(block)
    one = sa.select(*first).select_from(layers.over(source, first)).subquery("one")
    kept = [*base, *(name for name, _ in extra)]
    kept += [name for block in blocks for name in _side_columns(block)]
    second = [named(name) for name in (*kept, "#fail1")]
    for block in blocks:
        for cell in block.cells:
            second += [named(_c(block, cell)), label(_converted(block, cell), _t(block, cell))]
    two = sa.select(*second).select_from(one).subquery("two")
    conditions: list[tuple[Sql, int]] = []
    for block in blocks:
        for cell in block.cells:
            for code, condition in _cell_faults(block, cell):
                guarded = condition if block.when is TRUE else sa.and_(named(f"w{block.index}"), condition)
                conditions.append((guarded, len(failures)))
                column = cell.value.column or cell.cell.column
                failures.append(Failure(code=code, column=column, location=cell.cell.location))
    third = [named(name) for name in kept]
    third += [named(_t(block, cell)) for block in blocks for cell in block.cells]
    third.append(label(sa.func.coalesce(named("#fail1"), _first_of(conditions)), "#fail"))
    return Shape(select=sa.select(*third).select_from(two), failures=tuple(failures))


def _raw(block: CompiledBlock) -> list[sa.Label[Any]]:
    found = [label(block.when, f"w{block.index}")]
    found += [label(cell.value.sql, _c(block, cell)) for cell in block.cells]
    found += [label(members, f"m{block.index}.{column}") for column, members in _packed(block)]
    if block.mark is not None:
        found.append(label(block.mark, f"mark{block.index}"))
    for i, (_, rounded) in enumerate(block.rounded):
        change = rounded.change if block.when is TRUE else sa.case((block.when, rounded.change))
        found.append(label(change, f"r{block.index}.{i}"))
    return found


def _packed(block: CompiledBlock) -> list[tuple[str, Sql]]:
    """The columns whose members are kept apart, because a merge may unite them with others; and the members."""
    if block.block.merge is None:
        return []
    return [(cell.cell.column, cell.value.members) for cell in block.cells if cell.value.members is not None]


def _side_columns(block: CompiledBlock) -> list[str]:
    found = [f"w{block.index}"]
    found += [f"m{block.index}.{column}" for column, _ in _packed(block)]
    if block.mark is not None:
        found.append(f"mark{block.index}")
    found += [f"r{block.index}.{i}" for i, _ in enumerate(block.rounded)]
    return found


def _c(block: CompiledBlock, cell: CompiledCell) -> str:
    return f"c{block.index}.{cell.cell.column}"


def _t(block: CompiledBlock, cell: CompiledCell) -> str:
    return f"t{block.index}.{cell.cell.column}"


def _converted(block: CompiledBlock, cell: CompiledCell) -> Sql:
    return converted(named(_c(block, cell)), cell.value.kind, cell.to)


def _cell_faults(block: CompiledBlock, cell: CompiledCell) -> list[tuple[RejectCode, Sql]]:
    value, result = named(_c(block, cell)), named(_t(block, cell))
    found: list[tuple[RejectCode, Sql]] = []
    if cell.required:
        missing = sa.literal_column("true") if cell.value.kind is Kind.NULL else value.is_(None)
        found.append((RejectCode.MISSING_VALUE, missing))
    return found + faults(value, result, cell.value.kind, cell.to, decimals=cell.value.decimals)


def _first_of(conditions: list[tuple[Sql, int]]) -> Sql:
    if not conditions:
        return sa.literal_column("null::integer")
    return sa.case(*((condition, whole(number)) for condition, number in conditions))
