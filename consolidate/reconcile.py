"""Prove, before the commit, that PostgreSQL holds exactly what was to be loaded: row by row, then in totals.

Each row's hash is computed from the row as PostgreSQL stores it and compared with the hash of its candidate, over all
columns, in both directions: a row that is missing, one too many, and one that differs in a single digit are all found.
What else the transaction wrote (by a trigger of the target, for one) is found by PostgreSQL's own counters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from consolidate.diff import SHOWN
from consolidate.errors import Problem, ReconciliationError
from consolidate.model import BotMoney, Control, Progress
from consolidate.relations import work
from consolidate.target import readback
from consolidate.target.cells import differing
from consolidate.target.contract import expected
from consolidate.target.controls import controls, of_rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from consolidate.diff import DiffReport
    from consolidate.staging import Staging
    from consolidate.target.contract import TableContract
    from consolidate.target.transaction import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """The proof of a load: `rows` were read back and equal; all `controls` are equal."""

    rows: int
    controls: tuple[Control, ...]


def reconcile(
    staging: Staging,
    connection: Connection,
    report: DiffReport,
    observe: Callable[[Progress], None] = lambda _: None,
) -> Reconciliation:
    """Read back what `target.load.load` wrote for `report`, in the same transaction, and compare.

    Raises `ReconciliationError` naming tables, keys, columns and both values; leaving the transaction with it rolls
    everything back. Rows that were left alone because only the target changed them, and shared candles, are neither
    compared nor summed up. Raises `psycopg.Error`.
    """
    problems: list[Problem] = list(_written_besides(connection, report))
    proved: list[Control] = []
    rows = 0
    for diff in report.tables:
        table = next(one for one in expected().tables if one.name == diff.table)
        observe(Progress(stage="reconcile", subject=table.name, done=0, total=diff.insert + diff.update))
        origin = readback.name_proved(connection, staging, table, diff)
        if diff.insert or diff.update:
            rows += readback.fill_read(connection, staging, table, diff, origin)
            problems.extend(_differences(connection, staging, table))
        proved.extend(controls(staging, connection, table, diff, origin))
        readback.drop_proved(connection, diff)
        observe(
            Progress(
                stage="reconcile", subject=table.name, done=diff.insert + diff.update, total=diff.insert + diff.update
            )
        )
    for table in expected().tables:
        if all(diff.table != table.name for diff in report.tables):
            proved.extend(of_rejected(staging, table))
    if not problems:
        problems.extend(_unequal(proved))
    if problems:
        raise ReconciliationError(*problems)
    return Reconciliation(rows=rows, controls=tuple(proved))


def money(connection: Connection, bots: Sequence[str]) -> tuple[BotMoney, ...]:
    """The money of `bots` as the target has it now; a bot that is not there is left out."""
    return tuple(
        BotMoney(
            bot_id=str(bot),
            trades=_integer(trades),
            open_positions=_integer(positions),
            pnl_usd=None if pnl is None else str(pnl),
            fees=None if fees is None else str(fees),
            equity=None if equity is None else str(equity),
        )
        for bot, trades, positions, pnl, fees, equity, *_ in readback.money_rows(connection, bots)
    )


def _written_besides(connection: Connection, report: DiffReport) -> Iterator[Problem]:
    planned = {diff.table: (diff.insert, diff.update) for diff in report.tables}
    for written in readback.written(connection, [table.name for table in expected().tables]):
        insert, update = planned.get(written.table, (0, 0))
        if written.inserted > insert or written.updated > update or written.deleted:
            yield Problem(
                code="written-besides",
                message=f"{written.table}: the transaction inserted {written.inserted} rows, updated {written.updated} "
                f"and deleted {written.deleted}; the run inserts {insert} and updates {update}",
                hint="a trigger or rule in the target writes too: remove it for the time of the run",
            )


def _differences(connection: Connection, staging: Staging, table: TableContract) -> Iterator[Problem]:
    joined = (
        f"from (select l.n, l.target_key, h.row_hash from {work('loaded', table.name)} l"
        f" join {work('hash', table.name)} h on h.n = l.n) e"
        f" full outer join {work('read', table.name)} r on r.target_key = e.target_key"
    )
    missing, extra, different = (
        _integer(number)
        for number in staging.rows(
            "select count(*) filter (where r.target_key is null), count(*) filter (where e.target_key is null),"
            f" count(*) filter (where r.row_hash is distinct from e.row_hash and r.target_key is not null"
            f" and e.target_key is not null) {joined}"
        )[0]
    )
    if not (missing or extra or different):
        return
    found = staging.rows(
        f"select coalesce(e.target_key, r.target_key), e.n, r.target_key is null {joined}"
        f" where r.row_hash is distinct from e.row_hash order by all limit {SHOWN}"
    )
    lines = [_shown(connection, staging, table, str(key), n, absent=bool(absent)) for key, n, absent in found]
    yield Problem(
        code="rows-differ",
        message=f"{table.name}: after the load {missing} rows are missing, {extra} are there that were not loaded, "
        f"{different} differ from their candidates:\n" + "\n".join(f"  - {line}" for line in lines),
        hint="everything was rolled back; look for triggers, rules or type changes in the target",
    )


def _shown(
    connection: Connection,
    staging: Staging,
    table: TableContract,
    key: str,
    n: object,
    *,
    absent: bool,
) -> str:
    if n is None:
        return f"{table.name} {key}: was not loaded by this run"
    if absent:
        return f"{table.name} {key}: is missing"
    cells = differing(connection, staging, table, _integer(n), key) or ()
    return f"{table.name} {key}: " + "; ".join(str(cell) for cell in cells)


def _unequal(proved: Sequence[Control]) -> Iterator[Problem]:
    for control in proved:
        if control.status != "equal":
            yield Problem(
                code="control-differs",
                message=f"{control.table}{f' of {control.bot_id}' if control.bot_id else ''}: {control.measure} is "
                f"{control.source_value} in the candidates and {control.target_value} in the target",
                hint="everything was rolled back; look for triggers, rules or type changes in the target",
            )


def _integer(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(value)
    return value
