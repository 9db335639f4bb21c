"""Where each source column can be read back from: the target cell that holds it, or a part of it, unchanged.

What a home does not give back exactly goes to the residual of the lineage row, so that every cell of every source can
be recovered from the target alone, save what the mapping rounds or ignores.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from consolidate.mapping.expr import Call, Expr, Literal, Lookup, Name
from consolidate.mapping.language import ARCHIVE, ColumnType
from consolidate.mapping.target_types import target_type
from consolidate.mapping.value import Kind
from consolidate.model import SourceKind
from consolidate.staging import quoted
from consolidate.target.contract import expected

if TYPE_CHECKING:
    from consolidate.mapping.language import Column, TableMapping
    from consolidate.mapping.source_columns import Store

_PLAIN_NUMBER: Final = "'(0|-?[0-9]*[1-9][0-9]*|-?[0-9]+\\.[0-9]*[1-9][0-9]*|-?[1-9][0-9]*\\.0+|0\\.0+)'"
_IDENTITIES: Final = frozenset({"unified_symbol", "upper", "lower", "trim"})
"""Functions that leave most texts as they are; where one changed the text, the residual keeps it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The cell `column` of `table` that gives a source column back; `member`: of the JSON object that is there.

    `rounded`: the mapping rounds on the way, so that a difference may be a stated loss.
    """

    table: str
    column: str
    member: str | None = None
    rounded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Homes:
    """The homes of a table's columns, by name; `closing`: those of the closing events of a `pair`."""

    rows: dict[str, Home]
    closing: dict[str, Home]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    column: str
    closing: bool
    rounded: bool = False
    member: str | None = None


def homes(mapping: TableMapping) -> Homes:
    """The first home of each column that has one, in the order of the blocks. JSON packs come last."""
    rows: dict[str, Home] = {}
    closing: dict[str, Home] = {}
    packed: list[tuple[_Found, Home]] = []
    for block in mapping.blocks:
        if block.grouped:
            continue
        for cell in block.cells:
            for found in _origins(cell.expr, mapping, 0):
                home = Home(table=block.target, column=cell.column, member=found.member, rounded=found.rounded)
                if not _fits(mapping.column(found.column), home):
                    continue
                if found.member is not None:
                    packed.append((found, home))
                else:
                    (closing if found.closing else rows).setdefault(found.column, home)
    for found, home in packed:
        (closing if found.closing else rows).setdefault(found.column, home)
    return Homes(rows=rows, closing=closing)


def _origins(expr: Expr, mapping: TableMapping, depth: int) -> list[_Found]:  # noqa: PLR0911 - a case for each form
    """The columns that an expression holds unchanged, or nearly."""
    if depth > len(mapping.lets) + 3:
        return []
    down = depth + 1
    match expr:
        case Name(parts=("closing", column)) if mapping.column(column) is not None:
            return [_Found(column=column, closing=True)]
        case Name(parts=(name,)):
            lets = dict(mapping.lets)
            if name in lets:
                return _origins(lets[name], mapping, down)
            return [_Found(column=name, closing=False)] if mapping.column(name) is not None else []
        case Call(function="column", arguments=(Literal(value=str() as name),)):
            return [_Found(column=name, closing=False)] if mapping.column(name) is not None else []
        case Lookup(item=item):
            return [found for found in _origins(item, mapping, down) if found.member is None]
        case Call(function="round", arguments=(item, Literal())):
            return [replace(found, rounded=True) for found in _origins(item, mapping, down)]
        case Call(function=function, arguments=(item,)) if function in _IDENTITIES:
            return _origins(item, mapping, down)
        case Call(function="pack", arguments=arguments, options=options):
            named = [(one.parts[-1], one) for one in arguments if isinstance(one, Name)]
            return [
                replace(found, member=name)
                for name, item in (*named, *options)
                for found in _origins(item, mapping, down)
                if found.member is None and not found.rounded and isinstance(item, Name)
            ]
        case _:
            return []


def _fits(column: Column | None, home: Home) -> bool:
    """Whether the cell's type can hold what the column holds."""
    table = expected().table(home.table)
    target = None if table is None else table.column(home.column)
    if column is None or target is None:
        return False
    kind = target_type(target.type).kinds[0]
    if home.member is not None:
        return kind is Kind.JSON
    return kind is not Kind.LIST


def given_back(home: Home, column: Column, store: Store, alias: str) -> str:  # noqa: PLR0911 - a case for each type
    """DuckDB SQL for the text, as the store holds it, that the home of `column` gives; `alias` is its table's."""
    cell = f"{alias}.{quoted(home.column)}"
    if home.member is not None:
        return _member(cell, home.member, column, store)
    match column.type:
        case ColumnType.TEXT | ColumnType.DATE | ColumnType.LOCAL_DATE:
            return f"{cell}::varchar"
        case ColumnType.INTEGER:
            return f"regexp_replace({cell}::varchar, '\\.0*$', '')"
        case ColumnType.DECIMAL:
            if store.kind is SourceKind.POSTGRES:
                return f"{cell}::varchar"
            return f"regexp_replace(regexp_replace({cell}::varchar, '(\\.[0-9]*?)0+$', '\\1'), '\\.$', '')"
        case ColumnType.FLOAT:
            return f"({cell}::double)::varchar"
        case ColumnType.BOOLEAN:
            return _boolean(cell, store)
        case ColumnType.JSON:
            return cell if store.kind is SourceKind.POSTGRES else "null"
        case _:
            return _time(cell, column, store)


def _member(cell: str, member: str, column: Column, store: Store) -> str:
    value = f"json_extract_string({cell}, {_path(member)})"
    match column.type:
        case ColumnType.TEXT | ColumnType.DATE | ColumnType.LOCAL_DATE:
            return value
        case ColumnType.INTEGER | ColumnType.DECIMAL | ColumnType.FLOAT:
            # What DuckDB and PostgreSQL both print as the store did: no exponent, no negative zero.
            written = f"json_extract({cell}, {_path(member)})::varchar"
            return f"case when regexp_full_match({written}, {_PLAIN_NUMBER}) then {written} end"
        case ColumnType.BOOLEAN:
            return _boolean(f"({value})::boolean", store)
        case _:
            return "null"


def _path(member: str) -> str:
    return "'$.\"" + member.replace("'", "''") + "\"'"


def _boolean(cell: str, store: Store) -> str:
    if store.kind is SourceKind.SNAPSHOT and not store.classed:
        return f"case when {cell} then 'True' when not {cell} then 'False' end"
    if store.kind is SourceKind.SQLITE:
        return f"case when {cell} then '1' when not {cell} then '0' end"
    return f"{cell}::varchar"


def _time(cell: str, column: Column, store: Store) -> str:
    match column.type:
        case ColumnType.EPOCH_MS:
            return f"epoch_ms({cell})::varchar"
        case ColumnType.EPOCH_S:
            return f"unix_seconds({cell})::varchar"
        case ColumnType.INSTANT if store.kind is SourceKind.POSTGRES:
            return f"rtrim(rtrim({_written(cell, ' ')}, '0'), '.') || '+00'"
        case ColumnType.INSTANT:
            return f"{_python(cell, 'T')} || '+00:00'"
        case ColumnType.LOCAL_TIME:
            return _python(f"local_clock({cell}, '{store.zone or 'UTC'}')", " ")
        case _:
            return _python(cell, " ")


def _written(cell: str, between: str) -> str:
    return f"strftime({cell}, '%Y-%m-%d{between}%H:%M:%S.%f')"


def _python(cell: str, between: str) -> str:
    """With six digits after the second, or none for a whole second: as Python's isoformat writes it."""
    return f"replace({_written(cell, between)}, '.000000', '')"


def targets(mapping: TableMapping) -> tuple[str, ...]:
    """The target tables in which columns have a home, in the order of their names."""
    found = homes(mapping)
    archive = {ARCHIVE} if mapping.archive is not None else set()
    return tuple(sorted({home.table for home in (*found.rows.values(), *found.closing.values())} | archive))


def archived(column: Column, alias: str) -> str:
    """DuckDB SQL for the text of a column in a row that was copied whole; `alias` is the archive's."""
    return f"json_extract_string({alias}.stored, {_path(column.name)})"


def event_column(mapping: TableMapping) -> str | None:
    """The column that says what an event is; None without `pair`."""
    event = None if mapping.pair is None else mapping.pair.event
    return event.parts[0] if isinstance(event, Name) else None


def standard_class(column: Column, store: Store, raw: str) -> str:
    """The storage class that a cell of the column has, unless the residual says another."""
    if store.kind is SourceKind.SQLITE:
        return _sqlite_class(column, raw)
    named = {
        ColumnType.INTEGER: "'number'",
        ColumnType.DECIMAL: "'number'",
        ColumnType.FLOAT: "'number'",
        ColumnType.BOOLEAN: "'boolean'",
        ColumnType.EPOCH_S: "'number'",
        ColumnType.EPOCH_MS: "'number'",
        ColumnType.JSON: "'object'",
    }.get(column.type, "'string'")
    return f"case when {raw} is null then 'absent' else {named} end"


def _sqlite_class(column: Column, raw: str) -> str:
    match column.type:
        case ColumnType.INTEGER | ColumnType.BOOLEAN | ColumnType.EPOCH_S | ColumnType.EPOCH_MS:
            named = "'integer'"
        case ColumnType.FLOAT:
            named = f"case when regexp_full_match({raw}, '-?[0-9]+') then 'integer' else 'real' end"
        case _:
            named = "'text'"
    return f"case when {raw} is null then 'null' else {named} end"
