"""References of the store itself: rows that name a row of another source table, by what both tables hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consolidate.mapping.language import Missing
from consolidate.model import RejectCode
from consolidate.staging import quoted
from consolidate.transform.fates import living, reject
from consolidate.transform.names import Names

if TYPE_CHECKING:
    from consolidate.mapping.language import StoreReference
    from consolidate.mapping.table import CompiledTable
    from consolidate.staging import Staging


def look_up(staging: Staging, names: Names, table: CompiledTable, present: frozenset[str]) -> None:
    """Make the table of each reference of the mapping: `#row`, n (the row it names), key; see that none leads nowhere.

    `present` are the tables that the store has. The texts as stored are compared. A column that is made null is so for
    all that follows; the residual compares with the row as stored, and keeps it.
    """
    for one in table.mapping.references:
        other = Names(source=names.source, table=one.to_table)
        there = "select null::bigint as n, null::varchar as id, null::varchar as bot, null::varchar as outcome limit 0"
        if one.to_table in present:
            there = (
                f'select s."#row" as n, s.{quoted(one.to_column)} as id, t."#bot" as bot, f.outcome'
                f' from {other.staged} s join {other.typed} t on t."#row" = s."#row"'
                f' left join {other.fate} f on f."#row" = s."#row"'
            )
        good = "o.outcome is distinct from 'rejected' and o.bot = r.\"#bot\""
        staging.run(
            f"create or replace table {names.found(one.found)} as"
            f' select r."#row", min(o.n) filter ({good}) as n, any_value(s.{quoted(one.column)}) as key,'
            " case when bool_or(o.outcome = 'rejected' and o.bot = r.\"#bot\") then 'rejected'"
            " when bool_or(o.n is not null and o.bot <> r.\"#bot\") then 'other_bot' else 'missing' end as why,"
            " any_value(o.bot) as other"
            f' from {names.typed} r join {names.staged} s on s."#row" = r."#row" left join ({there}) o'
            f" on o.id = s.{quoted(one.column)} where s.{quoted(one.column)} is not null and {living(names)}"
            ' group by r."#row"'
        )
        if one.missing is Missing.NULL:
            _read_null(staging, names, one)
        else:
            _reject(staging, names, one)


def _reject(staging: Staging, names: Names, one: StoreReference) -> None:
    for code, which in (
        (RejectCode.REJECTED_REFERENCE, "= 'rejected'"),
        (RejectCode.MISSING_REFERENCE, "<> 'rejected'"),
    ):
        shown = "case when x.why = 'other_bot' then concat(x.key, ' (of ', x.other, ')') else x.key end"
        rows = f'select x."#row", {shown} as shown from {names.found(one.found)} x where x.n is null and x.why {which}'
        reject(staging, names, rows, code, column=one.column, location=one.location, shown="r.shown")


def _read_null(staging: Staging, names: Names, one: StoreReference) -> None:
    """Make the column null in the rows as read, wherever the mapping reads it."""
    found = staging.rows(f"select column_name from (describe {names.typed})")
    read = [name for name in (f"v:{one.column}", f"s:{one.column}") if (name,) in found]
    if read:
        settings = ", ".join(f"{quoted(name)} = null" for name in read)
        staging.run(
            f"update {names.typed} set {settings} where"
            f' "#row" in (select "#row" from {names.found(one.found)} where n is null)'
        )
