"""Put every unified table back to what it held before a run, by what lineage kept of it; inside one transaction.

Rows that the run inserted go, rows that it updated get their former values, lineage says what it said before. A candle
that other runs brought too stays, and is theirs from then on. Nothing is touched where that would take away somebody
else's work: rows that a later run or a bot changed, or that other rows refer to, refuse the whole rollback.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from consolidate.bundled import statement
from consolidate.canonical import Form, form, postgres_row_hash
from consolidate.errors import ConflictError, Problem, ReconciliationError
from consolidate.model import RolledBackTable
from consolidate.relations import unified
from consolidate.staging import literal, quoted
from consolidate.target import readback
from consolidate.target.contract import expected
from consolidate.target.identity import identity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from consolidate.target.contract import ForeignKeyContract, TableContract
    from consolidate.target.transaction import Connection

SHOWN: Final = 20
"""How many of the rows that refuse a rollback are listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """What a rollback did. `missing`: rows of the run that were deleted in the target already. `is_left`: not all."""

    tables: tuple[RolledBackTable, ...]
    missing: int
    is_left: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Obstacle:
    table: str
    key: str
    reason: str

    def __str__(self) -> str:
        return f"{self.table} {self.key} {self.reason}"


def name_rows(connection: Connection, run_id: str, bot: str | None) -> None:
    """Create `pg_temp.undone`: what the run did, row by row; of `bot` only, if there is one. Writes nothing else.

    Must be in `target.transaction.transaction`. Rows that belong to no bot (candles, for one) are in it only when `bot`
    is None.
    """
    connection.execute(statement("rollback/undone"), {"run_id": run_id})
    connection.execute(b"analyze pg_temp.undone")
    if bot is None:
        connection.execute(statement("rollback/shared"), {"run_id": run_id})
        return
    for table in expected().tables:
        rest = "true"
        if table.column("bot_id") is not None:
            rest = (
                f"not exists (select from {unified(table.name)} t where {_same_key(table)}"
                f" and t.bot_id = {literal(bot)})"
                f" and (u.former -> 'row' ->> 'bot_id') is distinct from {literal(bot)}"
            )
        connection.execute(
            f"delete from pg_temp.undone u where u.target_table = {literal(table.name)} and {rest}".encode()
        )


def forget_rows(connection: Connection) -> None:
    """Give `pg_temp.undone` back."""
    connection.execute(b"drop table pg_temp.undone")


def bots_of(connection: Connection) -> tuple[str, ...]:
    """The bots whose rows are in `pg_temp.undone`."""
    found: set[str] = set()
    for table in _with_bots():
        found.update(
            str(bot)
            for (bot,) in connection.execute(
                f"select distinct t.bot_id from pg_temp.undone u join {unified(table.name)} t on {_same_key(table)}"
                f" where u.target_table = {literal(table.name)} and t.bot_id is not null".encode()
            )
        )
    return tuple(sorted(found))


def undo(connection: Connection, run_id: str) -> Undone:
    """Undo what `pg_temp.undone` names, and prove it by reading back.

    Raises `ConflictError` naming the rows that refuse it, before anything is written; `ReconciliationError` where the
    target does not hold what it should afterwards; `psycopg.Error`.
    """
    refuse(connection)
    tables = tuple(_table(connection, table) for table in reversed(expected().tables) if _touched(connection, table))
    missing = _count(connection, "select count(*) from pg_temp.undone where action = 'remove'") - sum(
        table.removed for table in tables
    )
    _prove_nothing_besides(connection, tables)
    for step in ("hand_over", "lineage_out", "lineage_back"):
        connection.execute(statement(f"rollback/{step}"), {"run_id": run_id})
    left = connection.execute(statement("rollback/left"), {"run_id": run_id}).fetchone()
    return Undone(tables=tuple(reversed(tables)), missing=missing, is_left=left is not None and left[0] is True)


def refuse(connection: Connection) -> None:
    """Raise `ConflictError` naming rows and reasons, unless all that `pg_temp.undone` names can be undone."""
    obstacles = [obstacle for table in expected().tables for obstacle in _obstacles(connection, table)]
    if not obstacles:
        return
    rows = "\n".join(f"  - {obstacle}" for obstacle in obstacles[:SHOWN])
    more = len(obstacles) - SHOWN
    raise ConflictError(
        Problem(
            code="rollback-refused",
            message=f"{len(obstacles)} rows stand against the rollback:\n{rows}"
            + (f"\n  … and {more} more" if more > 0 else ""),
            hint="nothing was changed; roll back later runs first, and give rows that were changed in the target their "
            "loaded values again, or leave the run as it is",
        )
    )


def _obstacles(connection: Connection, table: TableContract) -> Iterator[_Obstacle]:
    name, key = unified(table.name), identity(table).target_key
    of_table = f"u.target_table = {literal(table.name)}"
    for target_key, later in connection.execute(
        f"select distinct u.target_key, u.later_run_id from pg_temp.undone u where {of_table} and u.action = 'later'"
        " order by 1, 2".encode()
    ):
        yield _Obstacle(table=table.name, key=str(target_key), reason=f"was changed or used again by later run {later}")
    for target_key, absent in connection.execute(
        f"select u.target_key, t.{quoted(key)} is null from pg_temp.undone u left join {name} t on {_same_key(table)}"
        f" where {of_table} and (u.action = 'restore' or (u.action = 'remove' and t.{quoted(key)} is not null))"
        f" and {postgres_row_hash(table, 't')} is distinct from u.row_hash order by 1".encode()
    ):
        what = "was deleted in the target since" if absent else "was changed in the target since"
        yield _Obstacle(table=table.name, key=str(target_key), reason=what)
    for foreign in table.foreign_keys:
        yield from _referring(connection, table, foreign)


def _referring(connection: Connection, table: TableContract, foreign: ForeignKeyContract) -> Iterator[_Obstacle]:
    """Rows of `table` that stay and refer to a row that would go."""
    (column,), (referenced,) = foreign.columns, foreign.referenced_columns
    key = identity(table).target_key
    parent = next(one for one in expected().tables if one.name == foreign.table)
    if identity(parent).target_key != referenced:
        raise TypeError(foreign.name)
    for target_key, value in connection.execute(
        f"select t.{quoted(key)}::text, t.{quoted(column)} from {unified(table.name)} t"
        f" where t.{quoted(column)} in (select u.target_key from pg_temp.undone u"
        f" where u.target_table = {literal(parent.name)} and u.action = 'remove')"
        " and not exists (select from pg_temp.undone u where u.action = 'remove'"
        f" and u.target_table = {literal(table.name)} and u.target_key = t.{quoted(key)}::text) order by 1".encode()
    ):
        reason = f"refers to {parent.name} {value}, which the run inserted, and is not of this run"
        yield _Obstacle(table=table.name, key=str(target_key), reason=reason)


def _touched(connection: Connection, table: TableContract) -> bool:
    found = connection.execute(
        b"select exists (select from pg_temp.undone where target_table = %s and action <> 'told')", (table.name,)
    ).fetchone()
    return found is not None and found[0] is True


def _table(connection: Connection, table: TableContract) -> RolledBackTable:
    name = unified(table.name)
    of_table = f"u.target_table = {literal(table.name)}"
    removed = connection.execute(
        f"delete from {name} t using pg_temp.undone u where {of_table} and u.action = 'remove'"
        f" and {_same_key(table)}".encode()
    ).rowcount
    restored = connection.execute(
        f"update {name} t set {_former_values(table)} from pg_temp.undone u"
        f" cross join lateral jsonb_populate_record(null::{name}, u.former -> 'row') r"
        f" where {of_table} and u.action = 'restore' and {_same_key(table)}".encode()
    ).rowcount
    there = f"t.{quoted(identity(table).target_key)} is not null"
    before = "coalesce(u.former ->> 'target_key', u.target_key)"
    wrong = _count(
        connection,
        f"select count(*) from pg_temp.undone u left join {name} t on {_same_key(table, before)} where {of_table} and"
        f" ((u.action = 'remove' and {there})"
        " or (u.action = 'restore' and to_jsonb(t)::text is distinct from (u.former -> 'row')::text))",
    )
    if wrong:
        raise _not_back(f"{table.name}: {wrong} rows are not as they were before the run")
    kept = _count(connection, f"select count(*) from pg_temp.undone u where {of_table} and u.action = 'keep'")
    return RolledBackTable(table=table.name, removed=removed, restored=restored, kept=kept)


def _former_values(table: TableContract) -> str:
    """All columns from `r`, the record that the former row was made to; a JSON null there is a null in JSON here."""
    values = []
    for column in table.columns:
        cell = value = f"r.{quoted(column.name)}"
        if form(column) is Form.JSON:
            nulls = f"u.former -> 'json_nulls' ? {literal(column.name)}"
            value = f"case when {nulls} then 'null'::jsonb else {cell} end"
        values.append(f"{quoted(column.name)} = {value}")
    return ", ".join(values)


def _prove_nothing_besides(connection: Connection, tables: Sequence[RolledBackTable]) -> None:
    """By PostgreSQL's own counters: a trigger or rule of the target did not write as well."""
    done = {table.table: (table.restored, table.removed) for table in tables}
    for written in readback.written(connection, [table.name for table in expected().tables]):
        restored, removed = done.get(written.table, (0, 0))
        if written.inserted or written.updated > restored or written.deleted > removed:
            raise _not_back(
                f"{written.table}: the transaction inserted {written.inserted} rows, updated {written.updated} and "
                f"deleted {written.deleted}; the rollback restores {restored} and removes {removed}"
            )


def _not_back(message: str) -> ReconciliationError:
    return ReconciliationError(
        Problem(
            code="rollback-differs",
            message=message,
            hint="nothing was changed; look for triggers and rules in the target",
        )
    )


def _with_bots() -> tuple[TableContract, ...]:
    return tuple(table for table in expected().tables if table.column("bot_id") is not None)


def _same_key(table: TableContract, named: str = "u.target_key") -> str:
    """SQL: target row `t` is the one that `u` of `pg_temp.undone` names. Written so that an index of `t` serves."""
    key = next(column for column in table.columns if column.name == identity(table).target_key)
    # The cast is lazy, so keys of other tables never meet it.
    cast = f"case when u.target_table = {literal(table.name)} then ({named})::{key.type} end"
    return f"t.{quoted(key.name)} = {cast}"


def _count(connection: Connection, query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    if row is None:
        raise TypeError(query)
    return int(row[0])
