"""Write what a diff says to the unified tables, by COPY, inside the run's transaction. Nothing is decided here.

Inserted rows whose id PostgreSQL gives (candles, balances, events) get it before: ids are drawn from the sequence by
`nextval`, one a row, which is safe whatever other sessions draw meanwhile, and leaves the sequence right. Ids drawn by
a run that is rolled back are lost, as with every sequence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from consolidate.canonical import candidate_cells, columns, copy_cell, copy_line, json_columns, name_list
from consolidate.model import Progress
from consolidate.relations import candidates, unified, work
from consolidate.staging import literal, quoted
from consolidate.target import ledger
from consolidate.target.contract import expected
from consolidate.target.fingerprint import fill_hashes
from consolidate.target.identity import Known, identity
from consolidate.target.rebuild import rebuilt
from consolidate.target.stream import copy_in, copy_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from consolidate.diff import DiffReport, TableDiff
    from consolidate.staging import Staging
    from consolidate.target.contract import TableContract
    from consolidate.target.ledger import RunRecord
    from consolidate.target.transaction import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """What was written. `lineage` counts lineage rows added or changed, without those of inserted and updated rows."""

    inserted: int
    updated: int
    unchanged: int
    lineage: int
    rejects: int

    @property
    def wrote(self) -> bool:
        """Whether any unified table or lineage changed."""
        return bool(self.inserted or self.updated or self.lineage)


def load(
    staging: Staging,
    connection: Connection,
    report: DiffReport,
    run: RunRecord,
    observe: Callable[[Progress], None] = lambda _: None,
) -> LoadResult:
    """Insert and update the rows of `report`, which must have been made in this same transaction.

    Tables are written in the contract's order, so foreign keys are met. Afterwards `work."loaded <table>"` (n, action,
    target_key) names the rows written, for `consolidate.reconcile`. Raises `ConflictError` when the report has
    conflicts, before anything is written, and `psycopg.Error`.
    """
    report.refuse_conflicts()
    lineage = 0
    # Without its index lineage can be written, and not looked up, as updates do.
    all_new = sum(diff.insert for diff in report.tables if report.is_fresh)
    with rebuilt(connection, "audit.migration_lineage", all_new):
        for diff in report.tables:
            table = next(one for one in expected().tables if one.name == diff.table)
            if not diff.hashed:
                fill_hashes(connection, staging, table)
            _choose(connection, staging, table, diff)
            if diff.update or diff.settled:
                _update(connection, staging, table, run, observe)
            if diff.insert:
                with rebuilt(connection, table.name, diff.insert):
                    _insert(connection, staging, table, diff, observe)
            lineage += ledger.write_lineage(connection, staging, diff, run, observe)
            if diff.update or diff.settled:
                _keep_overwritten(connection, table, run)
    return LoadResult(
        inserted=sum(diff.insert for diff in report.tables),
        updated=sum(diff.update for diff in report.tables),
        unchanged=sum(diff.unchanged for diff in report.tables),
        lineage=lineage,
        rejects=ledger.write_rejects(connection, staging, run, observe),
    )


def refresh_views(connection: Connection) -> None:
    """Bring the materialised views up to date. Locks them until the end of the transaction: call it last."""
    for view in expected().views:
        connection.execute(f"refresh materialized view {unified(view.name)}".encode())


def _choose(connection: Connection, staging: Staging, table: TableContract, diff: TableDiff) -> None:
    """Create `work."loaded <table>"`, with the ids of the rows to come."""
    judged, serial = work("diff", table.name), identity(table).serial
    if serial is None or not diff.insert:
        chosen = f"select n, action, why, target_key, former_key from {judged} where action in ('insert', 'update')"
    else:
        ids = work("ids", table.name)
        copy_out(
            connection,
            f"select {serial} from pg_catalog.generate_series(1, {diff.insert})",
            staging,
            ids,
            (("id", "bigint"),),
        )
        chosen = f"""
            select d.n, d.action, d.why, coalesce(d.target_key, cast(i.id as varchar)) as target_key, d.former_key
            from (
                select n, action, why, target_key, former_key, row_number() over (order by n) as place
                from {judged} where action = 'insert'
            ) d
            join (select id, row_number() over (order by id) as place from {ids}) i using (place)
            union all
            select n, action, why, target_key, former_key from {judged} where action = 'update'
        """
    staging.run(f"create or replace table {work('loaded', table.name)} as {chosen}")


def _insert(
    connection: Connection,
    staging: Staging,
    table: TableContract,
    diff: TableDiff,
    observe: Callable[[Progress], None],
) -> None:
    found, wanted = identity(table), columns(table)
    names, cells, origin = name_list(wanted), candidate_cells(wanted, "c"), f"{candidates(table.name)} c"
    if found.serial is not None or diff.insert != diff.candidate:
        origin += f" join {work('loaded', table.name)} d on d.n = c.\"#n\" and d.action = 'insert'"
    if found.serial is not None:
        names = f"{quoted(found.target_key)}, {names}"
        cells = [copy_cell("d.target_key", escape=False), *cells]

    def told(rows: int) -> None:
        observe(Progress(stage="load", subject=table.name, done=rows, total=diff.insert))

    copy_in(
        connection,
        f"{unified(table.name)} ({names})",
        staging,
        f"select {copy_line(cells)} as line from {origin}",
        told=told,
    )


def _update(
    connection: Connection,
    staging: Staging,
    table: TableContract,
    run: RunRecord,
    observe: Callable[[Progress], None],
) -> None:
    wanted, key = columns(table), quoted(identity(table).target_key)
    connection.execute(
        f'create temporary table changed on commit drop as select t.{key} as "#key", null::uuid as "#hash",'
        f' null::uuid as "#sent", {name_list(wanted, "t")} from {unified(table.name)} t with no data'.encode()
    )
    cells = [
        copy_cell("coalesce(d.former_key, d.target_key)", escape=True),
        copy_cell("cast(h.row_hash as varchar)", escape=False),
        copy_cell("cast(h.sent_hash as varchar)", escape=False),
        *candidate_cells(wanted, "c"),
    ]
    rows = copy_in(
        connection,
        f'pg_temp.changed ("#key", "#hash", "#sent", {name_list(wanted)})',
        staging,
        f"select {copy_line(cells)} as line from {candidates(table.name)} c"
        f" join {work('loaded', table.name)} d on d.n = c.\"#n\" and d.why <> 'new'"
        f' join {work("hash", table.name)} h on h.n = c."#n"',
    )
    connection.execute(b"analyze pg_temp.changed")
    _keep_former(connection, table, run)
    values = ", ".join(f"{quoted(column.name)} = c.{quoted(column.name)}" for column in wanted)
    connection.execute(
        f'update {unified(table.name)} t set {values} from pg_temp.changed c where t.{key} = c."#key"'.encode()
    )
    connection.execute(b"drop table pg_temp.changed")
    observe(Progress(stage="load", subject=table.name, done=rows, total=rows))


def _keep_former(connection: Connection, table: TableContract, run: RunRecord) -> None:
    """Before the rows change: lineage keeps them as they were (null: deleted), and what it said about them itself.

    Rows that no lineage leads to yet wait for it in `overwritten`, see `_keep_overwritten`.
    """
    key = quoted(identity(table).target_key)
    former = f"to_jsonb(t) as row, {_json_nulls(table)} as json_nulls"
    new_key = f"c.{key}::text" if identity(table).known is Known.BY_TEXT_ID else 'c."#key"::text'
    found = f'pg_temp.changed c left join {unified(table.name)} t on t.{key} = c."#key"'
    connection.execute(
        f"""
        update audit.migration_lineage l
        set previous = jsonb_build_object(
                'row', f.row, 'json_nulls', f.json_nulls, 'target_key', nullif(l.target_key, f.new_key),
                'run_id', l.run_id, 'first_run_id', l.first_run_id,
                'row_hash', l.row_hash, 'sent_hash', l.sent_hash, 'source_hash', l.source_hash, 'outcome', l.outcome,
                'residual', l.residual, 'previous', l.previous),
            target_key = f.new_key,
            run_id = %s,
            first_run_id = coalesce(l.first_run_id, l.run_id),
            row_hash = f.hash,
            sent_hash = f.sent
        from (
            select c."#key"::text as key, {new_key} as new_key, c."#hash" as hash, c."#sent" as sent, {former}
            from {found}
        ) f
        where l.target_table = {literal(table.name)} and l.target_key = f.key
            and (l.row_hash is not null or not exists (
                select from audit.migration_lineage o
                where o.target_table = l.target_table and o.target_key = l.target_key and o.row_hash is not null))
        """.encode(),
        (run.run_id,),
    )
    connection.execute(
        f"""
        create temporary table overwritten on commit drop as
        select c."#key"::text as target_key, {former} from {found}
        where t.{key} is not null and not exists (
            select from audit.migration_lineage l
            where l.target_table = {literal(table.name)} and l.target_key = c."#key"::text and l.run_id = %s
        )
        """.encode(),
        (run.run_id,),
    )


def _json_nulls(table: TableContract) -> str:
    """The columns with a JSON null, which a row as JSON does not tell from a null."""
    tests = [
        f"case when jsonb_typeof(t.{quoted(column.name)}) = 'null' then {literal(column.name)} end"
        for column in json_columns(table)
    ]
    return f"nullif(array_remove(array[{', '.join(tests)}]::text[], null), '{{}}')"


def _keep_overwritten(connection: Connection, table: TableContract, run: RunRecord) -> None:
    """Keep in the new lineage of rows that no run of ours had loaded what they were before."""
    connection.execute(
        f"""
        update audit.migration_lineage l
        set previous = jsonb_build_object('row', o.row, 'json_nulls', o.json_nulls)
        from pg_temp.overwritten o
        where l.target_table = {literal(table.name)} and l.target_key = o.target_key and l.run_id = %s
        """.encode(),
        (run.run_id,),
    )
    connection.execute(b"drop table pg_temp.overwritten")
