"""The residual: of each source row, the cells that its target rows do not give back exactly."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

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

_ROWS_AT_ONCE: Final = 150_000

COPIES = "#copies"
"""The member of a residual that says how many identical rows there were, where there was more than one."""


def write_residuals(staging: Staging, source: str, table: CompiledTable) -> None:
    """Fill `residual` of the lineage of one source table; all candidates must be final.

    It stands once for each source key, with the first of its target rows, as a JSON object: each column that no home
    gives back as the text the store holds (null: null), `<column>#class` where the storage class does not follow from
    the column's type, and `#copies`. Key columns are given back by the key itself, unless they hold a `|`.
    """
    names = Names(source=source, table=table.mapping.table)
    _link_rows(staging, names)
    staging.run(f'create or replace table {names.residual} ("#first" bigint, residual varchar)')
    ((low, high),) = staging.rows(f'select min("#first"), max("#first") from {names.links}')
    if isinstance(low, int) and isinstance(high, int):
        for start in range(low, high + 1, _ROWS_AT_ONCE):
            staging.run(_of_rows(names, table, start, start + _ROWS_AT_ONCE))
    staging.run(
        'update cand."#lineage" set residual = r.residual from ('
        f" select arg_min(l.place, {{'t': l.target_table, 'n': l.n}}) as place, any_value(x.residual) as residual"
        f' from {names.links} l join {names.residual} x on x."#first" = l."#first" group by l."#first"'
        ') r where cand."#lineage".rowid = r.place'
    )


def _link_rows(staging: Staging, names: Names) -> None:
    """Which candidates the rows went into: numbers instead of texts, and rows of the same key under the first of them.

    In the order of the rows, more or less, so that a part of the rows is found without reading the others.
    """
    staging.run(
        f'create or replace table {names.links} as with again as (select "#key", min("#row") as first'
        f' from {names.typed} group by "#key" having count(*) > 1)'
        ' select t."#row", coalesce(a.first, t."#row") as "#first", k.target_table, k."#n" as n, k.rowid as place'
        f' from cand."#lineage" k join {names.typed} t on t."#key" = k.source_key'
        ' left join again a on a."#key" = k.source_key'
        f" where k.source = {literal(names.source)} and k.source_table = {literal(names.table)}"
    )


def _of_rows(names: Names, table: CompiledTable, start: int, end: int) -> str:
    """SQL that adds the residuals of the rows from `start` up to `end`: a part, because all would not fit in memory."""
    where = homes(table.mapping)
    members = [member for column in table.mapping.columns for member in _members(column, table, where)]
    values = [f"{value} as m{i}" for i, (_, value) in enumerate(members)]
    written = [f"{literal(json.dumps(name, ensure_ascii=False) + ': ')} || m{i}" for i, (name, _) in enumerate(members)]
    links = "".join(f", l{i} as materialized ({_link(target)})" for i, target in enumerate(targets(table.mapping)))
    joins = "".join(
        f' left join l{i} on l{i}."#row" = r."#row"'
        f' left join (from cand.{quoted(target)} where "#n" in (select n from l{i})) c{i} on c{i}."#n" = l{i}.n'
        for i, target in enumerate(targets(table.mapping))
    )
    pair = "" if table.mapping.pair is None else f' left join {names.pairs} p on p."#row" = r."#row"'
    copies = f"case when copies > 1 then {literal(json.dumps(COPIES) + ': ')} || json_text(copies::varchar) end"
    return (
        f"insert into {names.residual} with links as materialized (from {names.links}"
        f' where "#first" >= {start} and "#first" < {end}){links}'
        f', cells as (select r."#first", {", ".join(values)} from (select distinct "#row", "#first" from links) r'
        f' join {names.typed} t on t."#row" = r."#row" join {names.staged} s on s."#row" = r."#row"{pair}{joins})'
        f", kept as (select \"#first\", any_value(nullif(concat_ws(', ', {', '.join(written)}), '')) as body,"
        ' count(*) as copies from cells group by "#first")'
        f" select \"#first\", '{{' || concat_ws(', ', body, {copies}) || '}}' as residual from kept"
        " where body is not null or copies > 1"
    )


def _link(target: str) -> str:
    """Of the rows of a target that a source row went into, the one with the lowest text id: `#row`, `n`."""
    identifier = TEXT_IDS.get(target)
    if identifier is None:
        return f'select "#row", min(n) as n from links where target_table = {literal(target)} group by 1'
    return (
        f'select k."#row", arg_min(k.n, c.{quoted(identifier)}) as n'
        f' from links k join cand.{quoted(target)} c on c."#n" = k.n'
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
