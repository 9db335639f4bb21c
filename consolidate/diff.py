"""Candidates against the target: what a load would insert, update, leave as it is, or must not touch.

Three states of a row decide: the candidate now, the row as an earlier run loaded it (its hash, in lineage), the row as
the target has it now. Changed only in the source: update. Changed only in the target, where the bot now writes: left
alone, and told. Changed in both: conflict, unless both came to the same. A row that is there under the candidate's key
but was not loaded from these sources is a conflict too; only a candle with the same prices is shared by all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from consolidate.canonical import duckdb_plain
from consolidate.errors import ConflictError, ConsolidateError, Problem
from consolidate.model import Notice, Progress, TargetCounts
from consolidate.relations import HELD_LINEAGE, LINEAGE, STORED_KEY, candidates, work
from consolidate.staging import literal, quoted
from consolidate.target import held
from consolidate.target.cells import REASONS, CellDifference, differing
from consolidate.target.contract import expected
from consolidate.target.fingerprint import fill_hashes
from consolidate.target.identity import CANDLES, LIVE_VALUES, Known, identity
from consolidate.target.rekeying import fill_rekeyed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from consolidate.staging import Staging
    from consolidate.target.contract import TableContract
    from consolidate.target.transaction import Connection

SHOWN: Final = 20
"""Of how many conflicts or differences the cells are listed."""

_GONE: Final = "work.gone"
_NOTHING: Final = "select cast(null as bigint) as n, cast(null as varchar) as target_key where false"
_ACTIONS: Final = {
    "new": "insert",
    "changed": "update",
    "rekeyed": "update",  # changed in a column that its key is made of: the row gets its new key
    "equal": "unchanged",
    "shared": "unchanged",  # a candle that was there, or that another source brought
    "kept": "unchanged",  # changed in the target only
    "deleted": "unchanged",  # deleted in the target, unchanged in the source
    "live": "unchanged",  # a bot's row, changed in both, in the target only where bots write while they run
    "both": "conflict",
    "deleted_and_changed": "conflict",
    "not_ours": "conflict",
}
_SETTLED: Final[Mapping[str, Mapping[str, str]]] = {
    "refuse": {},
    "target": {"both": "unchanged", "deleted_and_changed": "unchanged", "not_ours": "unchanged"},
    "source": {"both": "update", "deleted_and_changed": "insert", "not_ours": "update"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RowConflict:
    """A candidate that must not be loaded. `key` is the row's natural key or text id, else the target's id."""

    table: str
    bot_id: str | None
    key: str
    reason: str
    cells: tuple[CellDifference, ...]

    def __str__(self) -> str:
        cells = "".join(f"\n      {cell}" for cell in self.cells)
        return f"{self.table} {self.key} {self.reason}{cells}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDiff:
    """One unified table that has candidates. `fresh`: it was empty and no lineage named it; all are inserts.

    `work."diff <table>"` has a row a candidate: n, bot, action, why (a key of `_ACTIONS`), target_key (null for inserts
    whose id PostgreSQL gives), former_key (the target_key that the row has until it is loaded, where that is another)
    and first_run (the run that inserted the row). `hashed`: `work."hash <table>"` is there.
    """

    table: str
    fresh: bool
    hashed: bool
    insert: int
    update: int
    unchanged: int
    conflict: int
    left_alone: int
    shared: int
    live: int
    rekeyed: int
    settled: int

    @property
    def candidate(self) -> int:
        """All candidates of the table."""
        return self.insert + self.update + self.unchanged + self.conflict


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffReport:
    """What a load would do; valid in the transaction it was made in. `conflicts` lists the first 20 of them."""

    sources: tuple[str, ...]
    on_conflict: str
    counts: tuple[TargetCounts, ...]
    tables: tuple[TableDiff, ...]
    conflicts: tuple[RowConflict, ...]
    notices: tuple[Notice, ...]

    @property
    def conflict(self) -> int:
        """How many candidates are in conflict."""
        return sum(table.conflict for table in self.tables)

    @property
    def is_fresh(self) -> bool:
        """Whether all tables were empty and no lineage named them."""
        return all(table.fresh for table in self.tables)

    @property
    def changes(self) -> bool:
        """Whether a load would insert or update rows."""
        return any(table.insert or table.update for table in self.tables)

    def refuse_conflicts(self) -> None:
        """Raise `ConflictError`, listing the rows, unless there are no conflicts."""
        if not self.conflict:
            return
        rows = "\n".join(f"  - {conflict}" for conflict in self.conflicts)
        more = self.conflict - len(self.conflicts)
        problem = Problem(
            code="conflict",
            message=f"{self.conflict} rows cannot be loaded without overwriting what the target has:\n{rows}"
            + (f"\n  … and {more} more" if more else ""),
            hint="nothing was loaded; make both sides agree, or say who is right: with `--on-conflict source` a run "
            "overwrites these rows (rollback brings them back), with `--on-conflict target` it leaves them",
        )
        raise ConflictError(problem)


def compare(
    staging: Staging,
    connection: Connection | None,
    *,
    sources: Sequence[str],
    on_conflict: str = "refuse",
    proving: bool = False,
    observe: Callable[[Progress], None] = lambda _: None,
) -> DiffReport:
    """Compare all candidates with the target and leave the verdicts in DuckDB (see `TableDiff`).

    `connection` must be in `target.transaction.transaction` (to load then) or `.snapshot` (a dry run); None says that
    the target has no schema yet. `sources` are the names of all sources of the run, also of those without candidates.
    `on_conflict` says what becomes of rows that are in conflict: "refuse" counts them as such, "target" leaves them as
    the target has them, "source" overwrites them. `proving`: no hash of
    lineage is taken for one of a candidate. Writes nothing to PostgreSQL. Raises `psycopg.Error`.
    """
    if connection is None:
        held.fill_no_lineage(staging)
    else:
        held.fill_lineage(connection, staging, sources)
    if proving:
        staging.run(f"update {HELD_LINEAGE} set sent_hash = null")
    staging.run(f"create or replace table {_GONE} (source varchar, source_table varchar, source_key varchar)")
    diffs: list[TableDiff] = []
    counts: list[TargetCounts] = []
    for table in expected().tables:
        rows = _integer(staging.value(f"select count(*) from {candidates(table.name)}"))
        if rows:
            observe(Progress(stage="diff", subject=table.name, done=0, total=rows))
            diff = _table(staging, connection, table, {**_ACTIONS, **_SETTLED[on_conflict]})
            counts.extend(_counts(staging, table.name))
            _refuse_residue(table.name, rows, diff)
            diffs.append(diff)
            observe(Progress(stage="diff", subject=table.name, done=rows, total=rows))
        _add_gone(staging, table.name, any_candidates=bool(rows))
    return DiffReport(
        sources=tuple(sources),
        on_conflict=on_conflict,
        counts=tuple(counts),
        tables=tuple(diffs),
        conflicts=() if connection is None else tuple(_conflicts(staging, connection, diffs)),
        notices=tuple(_notices(staging, diffs, on_conflict)),
    )


def _table(
    staging: Staging, connection: Connection | None, table: TableContract, actions: Mapping[str, str]
) -> TableDiff:
    empty = connection is None or held.is_empty(connection, table)
    lineage = staging.value(f"select count(*) from {HELD_LINEAGE} where target_table = ?", [table.name])
    fresh = connection is None or (empty and not lineage)
    if connection is None or fresh:
        found = identity(table)
        key = f"c.{quoted(found.target_key)}" if found.known is Known.BY_TEXT_ID else "null"
        staging.run(
            f'create or replace table {work("diff", table.name)} as select c."#n" as n, c."#bot" as bot,'
            f" 'insert' as action, 'new' as why, cast({key} as varchar) as target_key,"
            f" cast(null as varchar) as former_key, cast(null as varchar) as first_run from {candidates(table.name)} c"
        )
    else:
        fill_hashes(connection, staging, table)
        if identity(table).known is Known.BY_LINEAGE:
            _identify(staging, table.name)
        if empty:
            held.fill_no_rows(staging, table)
        else:
            held.fill_rows(connection, staging, table)
        fill_rekeyed(connection, staging, table)
        _judge(staging, table, actions)
    tallied = staging.rows(f"select why, count(*) from {work('diff', table.name)} group by why")
    tally = {str(why): _integer(number) for why, number in tallied}
    by_action = {
        action: sum(number for why, number in tally.items() if actions[why] == action)
        for action in ("insert", "update", "unchanged", "conflict")
    }
    return TableDiff(
        table=table.name,
        fresh=fresh,
        hashed=not fresh,
        left_alone=tally.get("kept", 0) + tally.get("deleted", 0),
        shared=tally.get("shared", 0),
        live=tally.get("live", 0),
        rekeyed=tally.get("rekeyed", 0),
        settled=sum(tally.get(why, 0) for why in REASONS if actions[why] != "conflict"),
        **by_action,
    )


def _identify(staging: Staging, table: str) -> None:
    """Which row an earlier run made of the same source row; the k-th, where a source row makes several."""
    source_row = "source, source_table, source_key"
    staging.run(f"""
        create or replace table {work("identity", table)} as
        with ours as (
            select l."#n" as n, l.source, l.source_table, {STORED_KEY} as source_key, l.outcome,
                row_number() over (partition by l.source, l.source_table, l.source_key order by l."#n") as place
            from {LINEAGE} l
            where l.target_table = {literal(table)}
        ), theirs as (
            select cast(target_key as bigint) as id, {source_row}, outcome,
                row_number() over (partition by {source_row} order by cast(target_key as bigint)) as place
            from {HELD_LINEAGE}
            where target_table = {literal(table)}
        ), pairs as (
            select o.n, t.id, bool_or(o.outcome = 'mapped' and t.outcome = 'mapped') as mapped
            from ours o join theirs t using ({source_row}, place)
            group by o.n, t.id
        ), chosen as (
            select n, id, mapped from pairs qualify row_number() over (partition by n order by mapped desc, id) = 1
        )
        select n, cast(id as varchar) as target_key
        from chosen
        qualify row_number() over (partition by id order by mapped desc, n) = 1
    """)


def _judge(staging: Staging, table: TableContract, actions: Mapping[str, str]) -> None:
    found = identity(table)
    decisive = held.decisive_columns(table)
    alike = f"m.decisive = {duckdb_plain(decisive, 'c')}" if decisive else "false"
    shared, live = (alike, "false") if table.name == CANDLES else ("false", alike)
    own_key, joined = "m.target_key", ""
    if found.known is Known.BY_TEXT_ID:
        own_key = f"c.{quoted(found.target_key)}"
    elif found.known is Known.BY_LINEAGE:
        own_key, joined = "i.target_key", f'left join {work("identity", table.name)} i on i.n = c."#n"'
    verdicts = " ".join(f"when {literal(why)} then {literal(action)}" for why, action in actions.items())
    staging.run(f"""
        create or replace table {work("diff", table.name)} as
        with loaded as (
            select target_key, max(row_hash) as row_hash, min(first_run) as first_run
            from {HELD_LINEAGE} where target_table = {literal(table.name)} group by target_key
        ), repeated as ({_repeated(table.name) if found.known is Known.BY_NATURAL_KEY else _NOTHING}),
        judged as (
            select c."#n" as n, c."#bot" as bot, coalesce({own_key}, r.target_key, k.former_key) as target_key,
                case when r.n is null then k.former_key end as former_key,
                coalesce(l.first_run, f.first_run) as first_run,
                case
                    when m.n is null and l.target_key is null and r.n is null and k.row_hash = f.row_hash then 'rekeyed'
                    when m.n is null and l.target_key is null and r.n is null and k.n is not null then 'both'
                    when m.n is null and l.target_key is null and r.n is null then 'new'
                    when m.n is null and (r.n is not null or l.row_hash = h.row_hash) then 'deleted'
                    when m.n is null then 'deleted_and_changed'
                    when l.row_hash is null and {shared} then 'shared'
                    when l.row_hash is null then 'not_ours'
                    when m.row_hash = h.row_hash then 'equal'
                    when m.row_hash = l.row_hash then 'changed'
                    when h.row_hash = l.row_hash then 'kept'
                    when {live} then 'live'
                    else 'both'
                end as why
            from {candidates(table.name)} c
            join {work("hash", table.name)} h on h.n = c."#n"
            left join {work("held", table.name)} m on m.n = c."#n"
            {joined}
            left join loaded l on l.target_key = {own_key}
            left join repeated r on r.n = c."#n"
            left join {work("rekeyed", table.name)} k on k.n = c."#n"
            left join loaded f on f.target_key = k.former_key
        ), decided as (
            select n, bot, case why {verdicts} end as action, why, target_key, former_key, first_run from judged
        )
        select n, bot, action, why,
            case when action = 'update' then target_key else coalesce(former_key, target_key) end as target_key,
            case when action = 'update' then former_key end as former_key, first_run
        from decided
    """)


def _repeated(table: str) -> str:
    """Candidates without a row, exactly as their source row was loaded: the target changed or deleted that row."""
    return f"""
        select l."#n" as n, min(o.target_key) as target_key
        from {LINEAGE} l
        join {HELD_LINEAGE} o on o.target_table = l.target_table and o.source = l.source
            and o.source_table = l.source_table and o.source_key = {STORED_KEY} and o.outcome = l.outcome
        join {work("hash", table)} h on h.n = l."#n" and h.row_hash = o.row_hash
        anti join {work("held", table)} m on m.n = l."#n"
        where l.target_table = {literal(table)}
        group by l."#n"
    """


def _counts(staging: Staging, table: str) -> Iterator[TargetCounts]:
    tallies = ", ".join(
        f"count(*) filter (where action = '{action}')" for action in ("insert", "update", "unchanged", "conflict")
    )
    for bot, candidate, insert, update, unchanged, conflict in staging.rows(
        f"select bot, count(*), {tallies} from {work('diff', table)} group by bot order by bot nulls last"
    ):
        yield TargetCounts(
            table=table,
            bot_id=None if bot is None else str(bot),
            candidate=_integer(candidate),
            insert=_integer(insert),
            update=_integer(update),
            unchanged=_integer(unchanged),
            conflict=_integer(conflict),
        )


def _refuse_residue(table: str, rows: int, diff: TableDiff) -> None:
    if diff.candidate == rows:
        return
    raise ConsolidateError(
        Problem(
            code="residue",
            message=f"{table}: of {rows} candidates {diff.candidate} were judged: {diff.insert} insert, "
            f"{diff.update} update, {diff.unchanged} unchanged, {diff.conflict} conflict",
            hint="this is a defect of consolidate, not of your data; nothing was loaded",
        )
    )


def _add_gone(staging: Staging, table: str, *, any_candidates: bool) -> None:
    """Note the held lineage rows that no candidate repeats."""
    repeated = f"""
        and not exists (
            from {LINEAGE} l join {work("diff", table)} d on d.n = l."#n"
            where l.target_table = o.target_table and coalesce(d.former_key, d.target_key) = o.target_key
                and l.source = o.source
                and l.source_table = o.source_table and {STORED_KEY} = o.source_key
        )"""
    staging.run(f"""
        insert into {_GONE} select o.source, o.source_table, o.source_key from {HELD_LINEAGE} o
        where o.target_table = {literal(table)} {repeated if any_candidates else ""}
    """)


def _conflicts(staging: Staging, connection: Connection, diffs: Sequence[TableDiff]) -> Iterator[RowConflict]:
    left = SHOWN
    for diff in diffs:
        table = next(one for one in expected().tables if one.name == diff.table)
        if not diff.conflict or not left:
            continue
        natural = ", ".join(f"cast(c.{quoted(name)} as varchar)" for name in identity(table).key) or "d.target_key"
        rows = staging.rows(
            f"select d.n, d.bot, d.target_key, d.why, concat_ws('|', {natural}) from {work('diff', table.name)} d"
            f" join {candidates(table.name)} c on c.\"#n\" = d.n where d.action = 'conflict' order by d.n limit {left}"
        )
        left -= len(rows)
        for n, bot, target_key, why, key in rows:
            yield RowConflict(
                table=table.name,
                bot_id=None if bot is None else str(bot),
                key=str(key),
                reason=REASONS[str(why)],
                cells=differing(connection, staging, table, _integer(n), str(target_key)) or (),
            )


def _notices(staging: Staging, diffs: Sequence[TableDiff], on_conflict: str) -> Iterator[Notice]:
    for diff in diffs:
        if diff.settled:
            became = (
                "left as the target has them" if on_conflict == "target" else "overwritten with what the source has"
            )
            yield Notice(
                code=f"conflict_{on_conflict}",
                message=f"{diff.settled} rows of {diff.table} were in conflict and are {became}, as --on-conflict says",
            )
        if diff.rekeyed:
            yield Notice(
                code="rekeyed",
                message=f"{diff.rekeyed} rows of {diff.table} changed in the source in what their key is made of "
                "(symbol, time, date): the rows that are there get their new key, none is doubled",
            )
        if diff.live:
            yield Notice(
                code="bot_is_live",
                message=f"{diff.live} rows of {diff.table} were changed by running bots ({', '.join(LIVE_VALUES)}) and "
                "in the source: they are left as the bots have them",
            )
        if diff.left_alone:
            yield Notice(
                code="target_changed",
                message=f"{diff.left_alone} rows of {diff.table} were changed or deleted in the target since they were "
                "loaded, and not in the source: they are left as they are",
            )
    for source, table, number in staging.rows(
        f"select source, source_table, count(distinct source_key) from {_GONE} group by all order by all"
    ):
        yield Notice(
            code="source_gone",
            message=f"{number} rows of {source}.{table} that were loaded before do not lead to the same target rows "
            "now (deleted, rejected, or with another key): what they became is left in the target",
        )


def _integer(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(value)
    return value
