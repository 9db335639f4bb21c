"""Stubs: minimal rows in the place of rows that something points at and that are not there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from consolidate.staging import literal, quoted
from consolidate.transform.candidates import OWN, filled_columns, next_number
from consolidate.transform.names import relation, rendered
from consolidate.transform.shape import shaped

if TYPE_CHECKING:
    from consolidate.mapping.compile_references import CompiledReference
    from consolidate.mapping.table import CompiledBlock
    from consolidate.staging import Staging


def shape_stubs(staging: Staging, edge: int, source: str, compiled: CompiledReference, lost: str) -> None:
    """Shape a row for each id that is lost; say `stubbed` of those references whose row fits the target.

    The first row that points, by its key, gives the cells. An id that another bot's row has cannot be had twice.
    """
    block = compiled.block
    if block is None:
        raise LookupError(compiled.policy.reference.name)
    table = f"cand.{quoted(compiled.policy.reference.table)}"
    first = (
        f'(select l.id as "#id", arg_min(l.n, (key_order(c."#key"), l.n)) as n from {lost} l'
        f' join {table} c on c."#n" = l.n where l.edge = {edge} and l.source = {literal(source)}'
        " and l.why <> 'other_bot' group by l.id)"
    )
    rows = f'(select f."#id", c.* from {first} f join {table} c on c."#n" = f.n) rows'
    shape = shaped(
        relation(rows),
        (block,),
        compiled.checks,
        compiled.layers,
        base=("#id", "#n", "#bot", "#source", "#key"),
        extra=(),
    )
    statement, parameters = rendered(shape.select)
    staging.run(f"create or replace table {_shaped(edge, source)} as {statement}", parameters)
    fits = f'"#fail" is null and {_checks(block)}'
    staging.run(
        f"update {lost} set outcome = 'stubbed' where edge = {edge} and source = {literal(source)} and id in"
        f' (select "#id" from (select "#id", "#fail", {_columns(block)} from {_shaped(edge, source)}) where {fits})'
    )


def make_stubs(staging: Staging, edge: int, source: str, compiled: CompiledReference, lost: str) -> None:
    """Append the stubs to the candidates, once for each id, with the rows that point at them as their lineage."""
    block = compiled.block
    if block is None:
        raise LookupError(compiled.policy.reference.name)
    target = block.target
    name, number = quoted(target.name), next_number(staging, target.name)
    key = quoted(compiled.policy.reference.to_column)
    own = {f"t0.{cell.cell.column}": cell.cell.column for cell in block.cells}
    columns = [*own.values(), *(["bot_id"] if target.column("bot_id") is not None else [])]
    values = [*(f"s.{quoted(shaped_name)}" for shaped_name in own), *(['s."#bot"'] if len(columns) > len(own) else [])]
    columns = [column for column in columns if column in filled_columns(target)]
    staging.run(
        f"insert into cand.{name} ({', '.join(map(quoted, [*OWN, *columns]))})"
        f' select {number} + row_number() over (order by s."#id"), s."#bot", s."#source", s."#key", null,'
        f' {", ".join(values)} from {_shaped(edge, source)} s where s."#id" in (select id from {lost}'
        f" where edge = {edge} and source = {literal(source)} and outcome = 'stubbed')"
        f' and not exists (select 1 from cand.{name} c where c.{key} = s."#id")'
    )
    pointing = literal(compiled.policy.reference.table)
    staging.run(
        f'insert into cand."#lineage" select {literal(target.name)}, t."#n", l.source, l.source_table, l.source_key,'
        ' case when row_number() over (partition by t."#n" order by key_order(l.source_key), l.source_table) = 1'
        " then 'mapped' else 'merged' end, any_value(l.source_hash), null"
        f' from {lost} o join cand.{name} t on t.{key} = o.id join cand."#lineage" l on l."#n" = o.n'
        f" and l.target_table = {pointing} and l.outcome = 'mapped'"
        f" where o.edge = {edge} and o.source = {literal(source)} and o.outcome = 'stubbed' and not exists"
        f' (select 1 from cand."#lineage" x where x.target_table = {literal(target.name)} and x."#n" = t."#n"'
        " and x.source = l.source and x.source_table = l.source_table and x.source_key = l.source_key)"
        ' group by t."#n", l.source, l.source_table, l.source_key'
    )


def _shaped(edge: int, source: str) -> str:
    return f"work.{quoted(f'#stub {edge} {source}')}"


def _columns(block: CompiledBlock) -> str:
    filled = {cell.cell.column for cell in block.cells}
    columns = [f"{quoted(f't0.{name}')} as {quoted(name)}" for name in filled]
    columns += [f"null as {quoted(one.name)}" for one in block.target.columns if one.name not in filled]
    return ", ".join(columns)


def _checks(block: CompiledBlock) -> str:
    """Every check of the target that is about columns which the stub fills; a check of null passes."""
    filled = [cell.cell.column for cell in block.cells]
    about = [
        one.expression
        for one in block.target.checks
        if any(re.search(rf"\b{re.escape(name)}\b", one.expression) for name in filled)
    ]
    return " and ".join(f"coalesce({expression}, true)" for expression in about) or "true"
