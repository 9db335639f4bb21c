"""What the target already holds of a run's candidates: their rows' hashes and their lineage, brought into DuckDB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consolidate.canonical import (
    Form,
    duckdb_text,
    form,
    postgres_plain,
    postgres_row_hash,
    postgres_text,
)
from consolidate.relations import HELD_LINEAGE, candidates, unified, work
from consolidate.staging import literal, quoted
from consolidate.target.asked import answers
from consolidate.target.identity import LIVE_VALUES, SHARED_VALUES, Known, identity
from consolidate.target.stream import copy_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consolidate.staging import Staging
    from consolidate.target.contract import ColumnContract, TableContract
    from consolidate.target.transaction import Connection

_LINEAGE_COLUMNS: Final = (
    ("target_table", "varchar"),
    ("target_key", "varchar"),
    ("source", "varchar"),
    ("source_table", "varchar"),
    ("source_key", "varchar"),
    ("outcome", "varchar"),
    ("source_hash", "uuid"),
    ("row_hash", "uuid"),
    ("sent_hash", "uuid"),
    ("first_run", "varchar"),
    ("has_residual", "boolean"),
)

_HELD: Final = (
    ("n", "bigint"),
    ("target_key", "varchar"),
    ("row_hash", "uuid"),
    ("decisive", "varchar"),
    ("writer", "varchar"),
)
MANY: Final = 20_000
"""From so many candidates on, a table is read by bots, if nearly all rows of them are wanted."""

_MOSTLY: Final = 1.5
_FEW: Final = 1_000
_OTHER_WAYS: Final = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin")


def fill_lineage(connection: Connection, staging: Staging, sources: Sequence[str]) -> None:
    """Create `work."held lineage"`: every lineage row of these sources, as earlier runs left it."""
    ours = ", ".join(literal(source) for source in sources) or "null"
    copy_out(
        connection,
        "select l.target_table, l.target_key, l.source, l.source_table, l.source_key, l.outcome, l.source_hash,"
        " l.row_hash, l.sent_hash, coalesce(l.first_run_id, l.run_id), l.residual is not null"
        f" from audit.migration_lineage l where l.source in ({ours})",
        staging,
        HELD_LINEAGE,
        _LINEAGE_COLUMNS,
    )


def fill_no_lineage(staging: Staging) -> None:
    """Create `work."held lineage"` without rows: there is no target yet."""
    columns = ", ".join(f"{name} {type_}" for name, type_ in _LINEAGE_COLUMNS)
    staging.run(f"create or replace table {HELD_LINEAGE} ({columns})")


def is_empty(connection: Connection, table: TableContract) -> bool:
    """Whether the unified table has no rows."""
    row = connection.execute(f"select not exists (select from {unified(table.name)})".encode()).fetchone()
    return row is not None and row[0] is True


def decisive_columns(table: TableContract) -> tuple[ColumnContract, ...]:
    """The columns whose equality is enough; none for most tables.

    Of candles: those that make one for all bots. Of bots: all that bots do not write while they run.
    """
    match table.name:
        case "trading.market_data":
            return tuple(column for column in table.columns if column.name in SHARED_VALUES)
        case "trading.bots":
            return tuple(column for column in table.columns if column.name not in LIVE_VALUES)
        case _:
            return ()


def fill_rows(connection: Connection, staging: Staging, table: TableContract) -> None:
    """Create `work."held <table>"` (n, target_key, row_hash, decisive, writer): the target's row of each candidate.

    `row_hash` is of the row as it is now, `decisive` (hex) over `decisive_columns`, `writer` the transaction that wrote
    it; a candidate whose row is not there is left out. A table known by lineage is looked
    up by the ids in `work."identity <table>"` (n, target_key).
    """
    found = identity(table)
    names = found.key or (found.target_key,)
    keys = tuple(column for column in table.columns if column.name in names)
    if found.known is Known.BY_LINEAGE:
        rows = (
            f"select cast(n as varchar) as n, target_key as {quoted(keys[0].name)} from {work('identity', table.name)}"
        )
    else:
        texts = ", ".join(f"{duckdb_text(key, 'c')} as {quoted(key.name)}" for key in keys)
        rows = f'select cast(c."#n" as varchar) as n, {texts} from {candidates(table.name)} c'
    bots = _bots_to_scan(connection, staging, table)
    there = work("held", table.name)
    if not bots:
        _look_up(connection, staging, table, keys, rows, there)
        return
    _scan(connection, staging, table, keys, rows, bots)
    # Also a row that was given to another bot in the target is found.
    rest = f"select r.* from ({rows}) r anti join {there} h on h.n = cast(r.n as bigint)"
    _look_up(connection, staging, table, keys, rest, 'work."looked up"')
    staging.run(f'insert into {there} from work."looked up"')
    staging.run('drop table work."looked up"')


def _wanted(table: TableContract) -> str:
    """PostgreSQL SQL for what is wanted of a row t, `_HELD` without its number."""
    target_key = next(column for column in table.columns if column.name == identity(table).target_key)
    decisive = decisive_columns(table)
    return (
        f"{postgres_text(target_key, 't')}, {postgres_row_hash(table, 't')},"
        f" {postgres_plain(decisive, 't') if decisive else 'null::text'}, t.xmin::text"
    )


def _look_up(
    connection: Connection,
    staging: Staging,
    table: TableContract,
    keys: Sequence[ColumnContract],
    rows: str,
    relation: str,
) -> None:
    matches = " and ".join(f"t.{quoted(key.name)} = q.{quoted(key.name)}" for key in keys)
    # By the index, key by key: what the run does not touch is not read, whatever the planner would guess.
    for way in _OTHER_WAYS:
        connection.execute(f"set local {way} = off".encode())
    answers(
        connection,
        staging,
        rows,
        [("n", "bigint"), *((key.name, "text" if form(key) is Form.TEXT else key.type) for key in keys)],
        lambda asked: f"select q.n, {_wanted(table)} from {asked} join {unified(table.name)} t on {matches}",
        relation,
        _HELD,
    )
    for way in _OTHER_WAYS:
        connection.execute(f"set local {way} = default".encode())


def _bots_to_scan(connection: Connection, staging: Staging, table: TableContract) -> tuple[str, ...]:
    """The bots whose rows are read in one go, because nearly all of them are wanted; none where keys are better."""
    many = staging.value(f"select count(*) from {candidates(table.name)}")
    if not isinstance(many, int) or many < MANY or all(column.name != "bot_id" for column in table.columns):
        return ()
    owners = [bot for (bot,) in staging.rows(f"select distinct bot_id from {candidates(table.name)} order by bot_id")]
    bots = tuple(str(bot) for bot in owners if bot is not None)
    there = connection.execute(
        f"select count(*) from {unified(table.name)} t where t.bot_id = any(%s)".encode(), (list(bots),)
    ).fetchone()
    return bots if there is not None and there[0] <= many * _MOSTLY + _FEW else ()


def _scan(
    connection: Connection,
    staging: Staging,
    table: TableContract,
    keys: Sequence[ColumnContract],
    rows: str,
    bots: Sequence[str],
) -> None:
    """Read all rows of the bots, which is much faster than a look-up each, and find those of candidates here."""
    scanned = 'work."scanned"'
    wanted = ", ".join(literal(bot) for bot in bots)
    copy_out(
        connection,
        f"select {', '.join(postgres_text(key, 't') for key in keys)}, {_wanted(table)} from {unified(table.name)} t"
        f" where t.bot_id in ({wanted})",
        staging,
        scanned,
        (*((f"#{key.name}", "varchar") for key in keys), *_HELD[1:]),
    )
    matches = " and ".join(f"r.{quoted(key.name)} = s.{quoted(f'#{key.name}')}" for key in keys)
    staging.run(
        f"create or replace table {work('held', table.name)} as"
        f" select cast(r.n as bigint) as n, {', '.join(f's.{name}' for name, _ in _HELD[1:])}"
        f" from ({rows}) r join {scanned} s on {matches}"
    )
    staging.run(f"drop table {scanned}")


def fill_no_rows(staging: Staging, table: TableContract) -> None:
    """Create `work."held <table>"` without rows: the table is empty."""
    staging.run(
        f"create or replace table {work('held', table.name)}"
        " (n bigint, target_key varchar, row_hash uuid, decisive varchar, writer varchar)"
    )
