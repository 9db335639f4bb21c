"""The first step: each staged cell in its type, with the row's key, bot and hash, and the first thing that is wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from consolidate.mapping.value import Check, Sql, call, named, text, whole
from consolidate.model import RejectCode
from consolidate.staging import quoted
from consolidate.transform.names import label, rendered
from consolidate.transform.owners import owned
from consolidate.transform.shape import Failure

if TYPE_CHECKING:
    from consolidate.mapping.table import CompiledTable
    from consolidate.model import StagedTable
    from consolidate.staging import Staging
    from consolidate.transform.names import Names
    from consolidate.transform.source import Routing


def type_rows(
    staging: Staging, names: Names, table: CompiledTable, staged: StagedTable, routing: Routing
) -> tuple[Failure, ...]:
    """Make `names.typed`, and return what the numbers in its `#fail` mean."""
    mapping = table.mapping
    key = _joined([named(part) for part in mapping.key])
    whose = owned(names, table, routing)
    bot = table.column_layers.hoist(whose.bot)
    checks = [*_row_checks(table, staged), *whose.checks]
    checks += [check for _, _, found in table.columns for check in found]
    columns = [
        named("#row"),
        label(key, "#key"),
        label(bot, "#bot"),
        label(_hash(staged), "#hash"),
        label(call("short_hash", text(names.source), text(names.table), key), "#short"),
        label(_residual(table), "#residual"),
        *_stored(table),
        label(_first(checks), "#fail"),
    ]
    columns += [label(sql, f"v:{column.name}") for column, sql, _ in table.columns]
    columns += [label(named(name), f"s:{name}") for name in table.raw_columns]
    source = table.column_layers.over(whose.rows, columns)
    statement, parameters = rendered(sa.select(*columns).select_from(source))
    staging.run(f"create or replace table {names.typed} as {statement}", parameters)
    return tuple(Failure(code=c.code, column=c.column, location=c.location) for c in checks)


def _joined(parts: list[Sql]) -> Sql:
    joined: Sql = sa.cast(parts[0], sa.String())
    for part in parts[1:]:
        joined = joined.op("||")(text("|")).op("||")(part)
    return joined


def _row_checks(table: CompiledTable, staged: StagedTable) -> list[Check]:
    mapping = table.mapping
    checks = [
        Check(code=RejectCode.NULL_KEY, column=part, condition=named(part).is_(None), location=mapping.location)
        for part in mapping.key
    ]
    archived = () if mapping.archive is None else tuple(column.name for column in mapping.columns)
    for part in dict.fromkeys((*mapping.key, *mapping.carried, *archived)):
        nul = call("contains", named(part), sa.literal_column("chr(0)"))
        checks.append(Check(code=RejectCode.NUL_BYTE, column=part, condition=nul, location=mapping.location))
    if staged.classed and table.store.kind.value == "snapshot":
        defect = named("#defect").is_not(None)
        checks.append(Check(code=RejectCode.BAD_JSON, column=None, condition=defect, location=mapping.location))
    return checks


def _hash(staged: StagedTable) -> Sql:
    """MD5 over all cells of the row as stored: each with its class and its length, so no two rows read alike."""
    parts: list[str] = []
    for column in staged.columns:
        name = quoted(column.name)
        if staged.classed:
            parts.append(quoted(column.name + "#class"))
        parts += [f"coalesce(strlen({name})::varchar, '-')", name]
    return sa.literal_column(f"md5(concat_ws(':', {', '.join(parts)}))::uuid")


def _residual(table: CompiledTable) -> Sql:
    carried = table.mapping.carried
    if not carried:
        return sa.literal_column("null::varchar")
    members = [call("json_member", text(name), call("json_text", named(name))) for name in carried]
    return call("json_object_of", call("list_value", *members))


def _stored(table: CompiledTable) -> list[sa.Label[Any]]:
    """`#stored`: the whole row as a JSON object of texts, where the mapping archives rows."""
    if table.mapping.archive is None:
        return []
    members = [
        text(f"{json.dumps(column.name, ensure_ascii=False)}: ").op("||")(
            sa.func.coalesce(call("json_text", named(column.name)), text("null"))
        )
        for column in table.mapping.columns
    ]
    body = call("concat_ws", text(", "), *members)
    return [label(text("{").op("||")(body).op("||")(text("}")), "#stored")]


def _first(checks: list[Check]) -> Sql:
    return sa.case(*((check.condition, whole(i)) for i, check in enumerate(checks)))
