"""The finds of a table, compiled: what each compares, checked against the tables that it looks into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consolidate.mapping.language import FindByKey, FindByTime, FindListed
from consolidate.mapping.target_types import target_type
from consolidate.mapping.value import Kind, Sql, call
from consolidate.mapping.yaml import nearest
from consolidate.target.contract import expected

if TYPE_CHECKING:
    from consolidate.mapping.compile import Compiler
    from consolidate.mapping.expr import Expr
    from consolidate.mapping.scopes import RowScope
    from consolidate.target.contract import TableContract

TEXT_IDS: Final = {
    "trading.trades": "trade_id",
    "trading.positions": "position_id",
    "trading.orders": "order_id",
    "trading.signals": "signal_id",
    "trading.bots": "bot_id",
}
"""The tables that have an identifier of their own as text, and its column."""


def find_arguments(scope: RowScope, rows: Compiler) -> dict[str, tuple[Sql, ...]]:
    """What each find compares: the parts of its `key`, or its `by`, `mark` and time, in this order."""
    found: dict[str, tuple[Sql, ...]] = {}
    before: list[str] = []
    for find in scope.mapping.finds:
        contract = expected().table(find.table)
        if contract is None:
            hint = nearest(find.table, (table.name for table in expected().tables))
            rows.problems.add("unknown-target", f"there is no target table {find.table!r}", find.location, hint)
            continue
        match find:
            case FindByKey():
                found[find.name] = _key_arguments(find, scope, rows)
            case FindByTime():
                found[find.name] = _time_arguments(find, contract, rows)
            case FindListed():
                _check_listed(find, before, scope, rows)
        before.append(find.name)
    return found


def _key_arguments(find: FindByKey, scope: RowScope, rows: Compiler) -> tuple[Sql, ...]:
    other = next((one for one in scope.system.tables if one.table == find.source_table), None)
    if find.source_table not in scope.before or other is None:
        message = f"{find.source_table!r} is not transformed before {scope.mapping.table!r}"
        rows.problems.add("bad-find", message, find.location, "change the order of `tables` in system.yaml")
    elif len(other.key) != len(find.key):
        message = f"the key of {find.source_table!r} has {len(other.key)} parts, not {len(find.key)}"
        rows.problems.add("bad-find", message, find.location, f"give a value for each of {', '.join(other.key)}")
    return tuple(_key_text(expr, rows) for expr in find.key)


def _key_text(expr: Expr, rows: Compiler) -> Sql:
    value = rows.compile(expr)
    rows.expect(value, (Kind.TEXT, Kind.NUMBER), expr)
    raw = rows.raw_of(value)
    if raw is not None:
        return raw
    return call("num_text", value.sql) if value.kind is Kind.NUMBER else value.sql


def _time_arguments(find: FindByTime, contract: TableContract, rows: Compiler) -> tuple[Sql, ...]:
    found: list[Sql] = []
    for column, expr in find.by:
        target = contract.column(column)
        value = rows.compile(expr)
        if target is None:
            hint = nearest(column, (c.name for c in contract.columns))
            rows.problems.add("unknown-column", f"{find.table} has no column {column!r}", find.location, hint)
        elif target_type(target.type).kinds[0] is Kind.NUMBER:
            hint = "compare texts, times and conditions; `nearest` finds by time"
            rows.problems.add("bad-find", f"`by` cannot compare the number {column!r}", find.location, hint)
        else:
            rows.expect(value, target_type(target.type).kinds, expr)
        found.append(value.sql)
    if find.mark is not None:
        value = rows.compile(find.mark)
        rows.expect(value, (Kind.TEXT,), find.mark)
        found.append(value.sql)
    if find.order is not None and find.time is not None:
        target = contract.column(find.column or "")
        if target is None or target_type(target.type).kinds != (Kind.TIME,):
            message = f"{find.column!r} is no time of {find.table}"
            rows.problems.add("unknown-column", message, find.location, "name a column that holds times")
        value = rows.compile(find.time)
        rows.expect(value, (Kind.TIME,), find.time)
        found.append(value.sql)
    return tuple(found)


def _check_listed(find: FindListed, before: list[str], scope: RowScope, rows: Compiler) -> None:
    other = scope.finds.get(find.found) if find.found in before else None
    contract = None if other is None else expected().table(other.table)
    column = None if contract is None else contract.column(find.column)
    if isinstance(other, FindListed) or column is None or target_type(column.type).kinds != (Kind.LIST,):
        message = f"`{find.found}.{find.column}` is no list that a find before this one found"
        rows.problems.add("bad-find", message, find.location, "name a list column such as position.entry_trade_ids")
    elif find.table not in TEXT_IDS:
        message = f"the rows of {find.table} have no text id that a list could hold"
        rows.problems.add("bad-find", message, find.location, f"these have one: {', '.join(TEXT_IDS)}")
    else:
        scope.found.add((find.found, find.column))
