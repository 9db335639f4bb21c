"""The hashes of every candidate, in the run's DuckDB file: `work."hash <table>"` (n BIGINT, row_hash, sent_hash UUID).

`sent_hash` is over the row as it is sent, its JSON as spelled in the source; null where it has none. PostgreSQL makes
the same row of the same text, so a `sent_hash` that an earlier run left in lineage tells the `row_hash` without asking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consolidate.canonical import (
    duckdb_hash_without_json,
    duckdb_plain,
    json_columns,
    plain_columns,
    postgres_sent_hash,
)
from consolidate.errors import Problem, ReconciliationError
from consolidate.relations import HELD_LINEAGE, candidates, work
from consolidate.staging import literal, quoted
from consolidate.target.asked import answers

if TYPE_CHECKING:
    from consolidate.staging import Staging
    from consolidate.target.contract import TableContract
    from consolidate.target.transaction import Connection


def fill_hashes(connection: Connection, staging: Staging, table: TableContract) -> None:
    """Create `work."hash <table>"` for all candidates of `table`, replacing what was there.

    Needs `work."held lineage"`. Rows with JSON that no earlier run sent take a way through PostgreSQL, in a query,
    because only it can spell a jsonb; the text it received is compared with what was sent. Raises
    `psycopg.Error`, and `ReconciliationError` for a damaged text.
    """
    plain = duckdb_plain(plain_columns(table), "c")
    hashes, rows, sent = work("hash", table.name), candidates(table.name), work("sent", table.name)
    names = [quoted(column.name) for column in json_columns(table)]
    if not names:
        select = f'select c."#n" as n, cast({plain} as uuid) as row_hash, cast(null as uuid) as sent_hash from {rows} c'
        staging.run(f"create or replace table {hashes} as {select}")
        return
    some = f"coalesce({', '.join(f'c.{name}' for name in names)}) is not null"
    told = f"md5(concat_ws(chr(10), {', '.join(f'c.{name}' for name in names)}))"
    sizes = ", ".join(f"coalesce(cast(strlen(c.{name}) as varchar), '-')" for name in names)
    staging.run(f"""
        create or replace table {sent} as
        with told as (
            select c."#n" as n, {plain} as plain, case when {some} then {told} end as told,
                concat_ws(',', {sizes}) as sizes
            from {rows} c
        ), hashed as (
            select n, plain, told, cast(md5(plain || told || sizes) as uuid) as sent_hash from told
        ),
        known as (
            select sent_hash, min(row_hash) as row_hash
            from {HELD_LINEAGE} where target_table = {literal(table.name)} and sent_hash is not null group by sent_hash
        )
        select h.n, h.plain, h.told, h.sent_hash, k.row_hash from hashed h left join known k using (sent_hash)
    """)
    _through_postgres(connection, staging, table, names)
    without = duckdb_hash_without_json(table, "s.plain")
    row_hash = f"case when s.told is null then {without} else coalesce(s.row_hash, h.row_hash) end"
    select = (
        f"select s.n, {row_hash} as row_hash, s.sent_hash from {sent} s"
        f" left join {work('hashed', table.name)} h on h.n = s.n"
    )
    staging.run(f"create or replace table {hashes} as {select}")
    staging.run(f"drop table {sent}")
    staging.run(f"drop table {work('hashed', table.name)}")


def _through_postgres(connection: Connection, staging: Staging, table: TableContract, names: list[str]) -> None:
    """Create `work."hashed <table>"` (n, row_hash, received) for the candidates that have JSON not sent before."""
    received = f"md5(concat_ws(chr(10), {', '.join(f'q.{name}' for name in names)}))"
    sent = answers(
        connection,
        staging,
        f"select cast(s.n as varchar) as n, s.plain, {', '.join(f'c.{name}' for name in names)}"
        f' from {candidates(table.name)} c join {work("sent", table.name)} s on s.n = c."#n"'
        " where s.told is not null and s.row_hash is null",
        [("n", "bigint"), ("plain", "text"), *((column.name, "text") for column in json_columns(table))],
        lambda asked: f"select q.n, {postgres_sent_hash(table, 'q.plain', 'q')}, {received} from {asked}",
        work("hashed", table.name),
        (("n", "bigint"), ("row_hash", "uuid"), ("received", "varchar")),
    )
    same = staging.value(
        f"select count(*) from {work('sent', table.name)} s"
        f" join {work('hashed', table.name)} h on h.n = s.n and h.received = s.told"
    )
    if same != sent:
        raise ReconciliationError(
            Problem(
                code="json-damaged",
                message=f"{table.name}: {sent} rows with JSON were sent; PostgreSQL received {same} as they were",
                hint="this is a defect of consolidate, not of your data; nothing was loaded",
            )
        )
