"""The residual: of each source row, the cells that its target rows do not give back exactly."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from consolidate.mapping.compile_finds import TEXT_IDS
from consolidate.mapping.homes import Homes, archived, event_column, given_back, homes, standard_class, targets
from consolidate.mapping.language import ARCHIVE
from consolidate.mapping.target_types import TargetType, target_type, unit
from consolidate.staging import literal, quoted
from consolidate.target.contract import expected
from consolidate.transform.names import Names

if TYPE_CHECKING:
    from consolidate.mapping.homes import Home
    from consolidate.mapping.language import Column
    from consolidate.mapping.table import CompiledTable
    from consolidate.staging import Staging

COPIES = "#copies"
"""The member of a residual that says how many identical rows there were, where there was more than one."""


def write_residuals(staging: Staging, source: str, table: CompiledTable) -> None:
    """Fill `residual` of the lineage of one source table; all candidates must be final.

    It stands once for each source key, with the first of its target rows, as a JSON object: each column that no home
    gives back as the text the store holds (null: null), `<column>#class` where the storage class does not follow from
    the column's type, and `#copies`. Key columns are given back by the key itself, unless they hold a `|`.
    """
    names = Names(source=source, table=table.mapping.table)
    where = homes(table.mapping)
    members = [member for column in table.mapping.columns for member in _members(column, table, where)]
    values = [f"{value} as m{i}" for i, (_, value) in enumerate(members)]
    written = [f"{literal(json.dumps(name, ensure_ascii=False) + ': ')} || m{i}" for i, (name, _) in enumerate(members)]
    joins = "".join(
        f' left join ({_link(target)}) l{i} on l{i}.source_key = t."#key"'
        f' left join cand.{quoted(target)} c{i} on c{i}."#n" = l{i}.n'
        for i, target in enumerate(targets(table.mapping))
    )
    pair = ""
    if table.mapping.pair is not None:
        pair = f' left join {names.pairs} p on p."#row" = t."#row"'
    copies = f"case when copies > 1 then {literal(json.dumps(COPIES) + ': ')} || json_text(copies::varchar) end"
    staging.run(
        f"create or replace table {names.residual} as with links as materialized ("
        'select source_key, target_table, "#n" as n from cand."#lineage"'
        f" where source = {literal(source)} and source_table = {literal(names.table)})"
        f', cells as (select t."#key", {", ".join(values)}'
        f' from {names.typed} t join {names.staged} s on s."#row" = t."#row"{pair}{joins}'
        ' where t."#key" in (select source_key from links))'
        f", kept as (select \"#key\", any_value(nullif(concat_ws(', ', {', '.join(written)}), '')) as body,"
        ' count(*) as copies from cells group by "#key")'
        f" select \"#key\", '{{' || concat_ws(', ', body, {copies}) || '}}' as residual from kept"
        " where body is not null or copies > 1"
    )
    staging.run(
        'update cand."#lineage" set residual = r.residual from ('
        f" select l.rowid as place, x.residual from {names.residual} x join (select rowid, source_key,"
        ' row_number() over (partition by source_key order by target_table, "#n") as turn from cand."#lineage"'
        f" where source = {literal(source)} and source_table = {literal(names.table)}) l"
        ' on l.source_key = x."#key" and l.turn = 1) r where cand."#lineage".rowid = r.place'
    )


def _link(target: str) -> str:
    """Of the rows of a target that a source row went into, the one with the lowest text id: `source_key`, `n`."""
    identifier = TEXT_IDS.get(target)
    order = "k.n" if identifier is None else f"c.{quoted(identifier)}"
    return (
        f'select k.source_key, arg_min(k.n, {order}) as n from links k join cand.{quoted(target)} c on c."#n" = k.n'
        f" where k.target_table = {literal(target)} group by 1"
    )


def _members(column: Column, table: CompiledTable, where: Homes) -> list[tuple[str, str]]:
    """The members that a column can have in the residual: names, and SQL for JSON text, null for nothing to keep."""
    raw = f"s.{quoted(column.name)}"
    same = _same(column, table, where, raw)
    found = [(column.name, f"case when not ({same}) then coalesce(json_text({raw}), 'null') end")]
    if table.store.classed:
        standard = standard_class(column, table.store, raw)
        kind = f"s.{quoted(column.name + '#class')}"
        found.append((column.name + "#class", f"case when {kind} <> {standard} then json_text({kind}) end"))
    return found


def _same(column: Column, table: CompiledTable, where: Homes, raw: str) -> str:
    """Whether the row's home gives the cell back."""
    if column.name in table.mapping.key:
        # The key is the text of its columns joined by |; it can be taken apart where none of them holds one.
        return "true" if len(table.mapping.key) == 1 else f"not contains({raw}, '|')"
    plain = _gives(where.rows.get(column.name), column, table, raw)
    if table.mapping.archive is not None:
        alias = f"c{targets(table.mapping).index(ARCHIVE)}"
        whole = f"{archived(column, alias)} is not distinct from {raw}"
        return f'case when {alias}."#n" is not null then {whole} else {plain} end'
    if table.mapping.pair is None or column.name == event_column(table.mapping):
        return plain
    closing = _gives(where.closing.get(column.name), column, table, raw)
    return f"case when p.\"#role\" = 'close' then {closing} else {plain} end"


def _gives(home: Home | None, column: Column, table: CompiledTable, raw: str) -> str:
    """Whether the home gives the cell back. Where there is none, or the row made nothing there, null is no loss."""
    if home is None:
        return f"({raw} is null)"
    i = targets(table.mapping).index(home.table)
    given = f"{given_back(home, column, table.store, f'c{i}')} is not distinct from {raw}"
    if home.rounded:
        value, to = f"t.{quoted(f'v:{column.name}')}", _type(home)
        rounded = f"try_cast(((num_round({value}, {to.scale})).m)::decimal(38, 0) * {unit(to)} as {to.duckdb})"
        stated = f"not num_fits({value}, {to.scale}) and {rounded} = c{i}.{quoted(home.column)}"
        given = f"case when {given} then true else coalesce({stated}, false) end"
    return f'(case when c{i}."#n" is null then {raw} is null else {given} end)'


def _type(home: Home) -> TargetType:
    """The type of the home's column."""
    table = expected().table(home.table)
    column = None if table is None else table.column(home.column)
    if column is None:
        raise LookupError(home)
    return target_type(column.type)
