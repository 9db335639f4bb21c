"""Source rows whose target row had another key when it was loaded: the same row, to be updated under its new key.

Text ids are made of symbol and time, and natural keys of a date, so correcting one of these in a source gives the row
another key. By its key alone it would be new, and the old one left beside it: one trade, counted twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consolidate.canonical import Form, form, postgres_row_hash, postgres_text
from consolidate.relations import HELD_LINEAGE, LINEAGE, STORED_KEY, candidates, unified, work
from consolidate.staging import literal, quoted
from consolidate.target.asked import answers
from consolidate.target.identity import CANDLES, Known, identity

if TYPE_CHECKING:
    from consolidate.staging import Staging
    from consolidate.target.contract import TableContract
    from consolidate.target.transaction import Connection

_NEVER: Final = (CANDLES, "trading.bots")
"""Candles are shared by all bots, and a bot's id is the operator's word: another one is another row."""


def fill_rekeyed(connection: Connection, staging: Staging, table: TableContract) -> None:
    """Create `work."rekeyed <table>"` (n, former_key, row_hash): candidates that are there under another key.

    `former_key` is the target_key that lineage has of the same source row, of a row that no candidate leads to any
    more; `row_hash` is of that row as it is now. The k-th, where a source row makes several. Needs
    `work."held <table>"`. Raises `psycopg.Error`.
    """
    found = identity(table)
    pairs, rekeyed = work("rekeyed pairs", table.name), work("rekeyed", table.name)
    possible = found.known is not Known.BY_LINEAGE and table.name not in _NEVER
    staging.run(f"create or replace table {pairs} as {_pairs(table) if possible else _NO_PAIRS}")
    if not staging.value(f"select exists (from {pairs})"):
        staging.run(f"create or replace table {rekeyed} (n bigint, former_key varchar, row_hash uuid)")
        return
    key = next(column for column in table.columns if column.name == found.target_key)
    answers(
        connection,
        staging,
        f"select cast(p.n as varchar) as n, p.former_key from {pairs} p",
        [("n", "bigint"), ("former_key", "text" if form(key) is Form.TEXT else key.type)],
        lambda asked: (
            f"select q.n, {postgres_text(key, 't')}, {postgres_row_hash(table, 't')}"
            f" from {asked} join {unified(table.name)} t on t.{quoted(key.name)} = q.former_key"
        ),
        rekeyed,
        (("n", "bigint"), ("former_key", "varchar"), ("row_hash", "uuid")),
    )


_NO_PAIRS: Final = "select cast(null as bigint) as n, cast(null as varchar) as former_key where false"


def _pairs(table: TableContract) -> str:
    """New candidates and rows that nothing leads to any more, paired by the source row that made them."""
    found = identity(table)
    source_row = "source, source_table, source_key"
    of_table = f"target_table = {literal(table.name)} and outcome = 'mapped'"
    unknown = ""
    if found.known is Known.BY_TEXT_ID:
        own = f'join {candidates(table.name)} c on c."#n" = l."#n"'
        unknown = (
            f"{own} anti join (from {HELD_LINEAGE} where target_table = {literal(table.name)}) o"
            f" on o.target_key = c.{quoted(found.target_key)}"
        )
    return f"""
        with ours as (
            select l."#n" as n, l.source, l.source_table, {STORED_KEY} as source_key,
                row_number() over (partition by l.source, l.source_table, l.source_key order by l."#n") as place
            from (from {LINEAGE} where {of_table}) l
            anti join {work("held", table.name)} m on m.n = l."#n"
            {unknown}
        ), theirs as (
            select o.target_key, {source_row},
                row_number() over (partition by {source_row} order by o.target_key) as place
            from (from {HELD_LINEAGE} where {of_table}) o
            anti join {work("held", table.name)} m on m.target_key = o.target_key
            semi join ours using ({source_row})
        )
        select n, min(target_key) as former_key from ours join theirs using ({source_row}, place)
        group by n
        qualify row_number() over (partition by min(target_key) order by n) = 1
    """
