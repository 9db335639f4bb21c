"""The way back: the rows of a legacy table, cell by cell as the store held them, from the target database alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consolidate.mapping.homes import archived, event_column, given_back, homes, standard_class, targets
from consolidate.mapping.language import ARCHIVE
from consolidate.mapping.target_types import target_type
from consolidate.relations import unified
from consolidate.staging import literal, quoted
from consolidate.target.contract import expected
from consolidate.target.identity import identity
from consolidate.target.stream import copy_out

if TYPE_CHECKING:
    from consolidate.mapping.homes import Home
    from consolidate.mapping.language import Column
    from consolidate.mapping.table import CompiledTable
    from consolidate.staging import Staging
    from consolidate.target.transaction import Connection

RECOVERED: Final = "work.recovered"
_LINEAGE: Final = "work.recovered_lineage"


def recover(
    staging: Staging, connection: Connection, source: str, table: CompiledTable, *, key: str | None = None
) -> int:
    """Create `work.recovered`: each row of the source table that target rows come from; return how many there are.

    It has `"#key"`, `"#copies"` (how many identical rows there were), each declared column as the text that the store
    held, and `"<column>#class"` where the store's cells have a class. Rejected and filtered rows are not in it; what
    the mapping ignores is null, and what it rounds is as rounded. `key`: that one row alone. Raises `psycopg.Error`.
    """
    only = "" if key is None else f" and l.source_key = {literal(key)}"
    which = f"l.source = {literal(source)} and l.source_table = {literal(table.mapping.table)}{only}"
    copy_out(
        connection,
        f"select l.target_table, l.target_key, l.source_key, l.residual from audit.migration_lineage l where {which}",
        staging,
        _LINEAGE,
        [(name, "varchar") for name in ("target_table", "target_key", "source_key", "residual")],
    )
    names = targets(table.mapping)
    for i, target in enumerate(names):
        _fetch(staging, connection, table, target, f"work.recovered_{i}", which)
    joins = "".join(
        " left join (select source_key, min(target_key) as target_key"
        f" from {_LINEAGE} where target_table = {literal(target)} group by 1) l{i} on l{i}.source_key = t.source_key"
        f' left join work.recovered_{i} c{i} on c{i}."#target_key" = l{i}.target_key'
        for i, target in enumerate(names)
    )
    columns = []
    for column in table.mapping.columns:
        value = _value(column, table)
        columns.append(f"{value} as {quoted(column.name)}")
        if table.store.classed:
            standard = standard_class(column, table.store, f"({value})")
            kept = _kept(f"{column.name}#class")
            columns.append(
                f"case when {_has(f'{column.name}#class')} then {kept} else {standard} end"
                f" as {quoted(column.name + '#class')}"
            )
    staging.run(
        f'create or replace table {RECOVERED} as select t.source_key as "#key",'
        f' coalesce({_kept("#copies")}::bigint, 1) as "#copies"{"".join(f", {one}" for one in columns)}'
        f" from (select source_key, any_value(residual) as residual from {_LINEAGE} group by 1) t{joins}"
    )
    rows = staging.value(f"select count(*) from {RECOVERED}")
    return rows if isinstance(rows, int) else 0


def _fetch(
    staging: Staging, connection: Connection, table: CompiledTable, target: str, relation: str, which: str
) -> None:
    """Bring the target rows that the source rows went into, with the columns that are homes."""
    contract = expected().table(target)
    if contract is None:
        raise LookupError(target)
    found = homes(table.mapping)
    wanted = sorted({h.column for h in (*found.rows.values(), *found.closing.values()) if h.table == target})
    wanted += ["stored"] if target == ARCHIVE else []
    cells, types = [], []
    for name in wanted:
        column = contract.column(name)
        if column is None:
            raise LookupError(name)
        zone = " at time zone 'UTC'" if column.type == "timestamp with time zone" else ""
        cells.append(f"t.{quoted(name)}{zone}")
        types.append((name, target_type(column.type).duckdb.lower()))
    key = quoted(identity(contract).target_key)
    copy_out(
        connection,
        f"select t.{key}::text{''.join(f', {cell}' for cell in cells)} from {unified(target)} t where t.{key}::text in"
        f" (select l.target_key from audit.migration_lineage l where {which} and l.target_table = {literal(target)})",
        staging,
        relation,
        [("#target_key", "varchar"), *types],
    )


def _value(column: Column, table: CompiledTable) -> str:
    """The text of a cell: from the residual where it is there, else from the key, else from its home."""
    mapping, found = table.mapping, homes(table.mapping)
    if column.name in mapping.key:
        place = mapping.key.index(column.name) + 1
        whole = "t.source_key" if len(mapping.key) == 1 else f"split_part(t.source_key, '|', {place})"
        return f"case when {_has(column.name)} then {_kept(column.name)} else {whole} end"
    given = _given(found.rows.get(column.name), column, table)
    if mapping.archive is not None:
        alias = f"c{targets(mapping).index(ARCHIVE)}"
        given = f'case when {alias}."#target_key" is not null then {archived(column, alias)} else {given} end'
    event = event_column(mapping)
    if mapping.pair is not None and event is not None and column.name != event:
        told = mapping.column(event)
        closing = _given(found.closing.get(column.name), column, table)
        if told is not None:
            ends = f"folded({_value(told, table)}) = {literal(mapping.pair.close.strip().upper())}"
            given = f"case when {ends} then {closing} else {given} end"
    return f"case when {_has(column.name)} then {_kept(column.name)} else {given} end"


def _given(home: Home | None, column: Column, table: CompiledTable) -> str:
    if home is None:
        return "null"
    return given_back(home, column, table.store, f"c{targets(table.mapping).index(home.table)}")


def _has(member: str) -> str:
    return f"coalesce(list_contains(json_keys(t.residual), {literal(member)}), false)"


def _kept(member: str) -> str:
    path = '$."' + member + '"'
    return f"json_extract_string(t.residual, {literal(path)})"
