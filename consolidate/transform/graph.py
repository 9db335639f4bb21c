"""The graph of references, counted: how many rows point along each edge, and how many of them led nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consolidate.mapping.expr import names as names_in
from consolidate.mapping.language import FindByKey
from consolidate.mapping.references import BOTS
from consolidate.model import ReferenceCounts
from consolidate.staging import literal, quoted
from consolidate.transform.names import Names
from consolidate.transform.orphans import HELD, LOG, edges, open_orphans

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from consolidate.mapping.table import CompiledTable
    from consolidate.staging import Staging
    from consolidate.transform.orphans import Edge
    from consolidate.transform.source import TransformSource

REFERENCES: Final = "rej.references"

_SUMS: Final = ("rows", "targets", "missing", "rejected", "other_bot", "held")


def write_references(staging: Staging, sources: Sequence[TransformSource]) -> None:
    """Make `rej.references`: a line for each edge that a row of a source's bot points along; all candidates are final.

    The edges of the stores come first, from source table to source table, then those of the unified schema. A row that
    was rejected, or whose reference was nulled, counts where it pointed.
    """
    _create(staging)
    for source in sources:
        present = {one.table for one in source.staged.tables if one.rows}
        for table in source.compiled.tables:
            if table.mapping.table in present:
                _count_finds(staging, source.name, table)
                _count_store(staging, source.name, table)
    for edge in edges(sources):
        if edge.reference.to_table == BOTS:
            _count_bots(staging, edge)
        else:
            _count_edge(staging, edge)


def _create(staging: Staging) -> None:
    staging.run(
        f"create or replace table {REFERENCES} (place integer, kind varchar, source varchar, bot_id varchar,"
        " origin varchar, pointed varchar, policy varchar, rows bigint, targets bigint, missing bigint,"
        " rejected bigint, other_bot bigint, held bigint)"
    )


def keep_references(staging: Staging, counts: Iterable[ReferenceCounts]) -> None:
    """Leave what another run found as `write_references` would; none of it may be held by the target alone."""
    open_orphans(staging, ())
    _create(staging)
    for place, one in enumerate(counts):
        sums = [getattr(one, name) for name in _SUMS]
        staging.run(
            f"insert into {REFERENCES} values (?, ?, ?, ?, ?, ?, ?, {', '.join('?' for _ in _SUMS)})",
            [place, one.kind, one.source, one.bot_id, one.origin, one.pointed, one.policy, *sums],
        )


def read_references(staging: Staging) -> tuple[ReferenceCounts, ...]:
    """What `write_references` found, in its order."""
    rows = staging.rows(
        f"select kind, source, bot_id, origin, pointed, policy, {', '.join(_SUMS)} from {REFERENCES}"
        " order by place, source, bot_id"
    )
    return tuple(
        ReferenceCounts(
            kind=str(kind),
            source=str(source),
            bot_id=str(bot),
            origin=str(origin),
            pointed=str(pointed),
            policy=str(policy),
            **{name: int(str(number)) for name, number in zip(_SUMS, counts, strict=True)},
        )
        for kind, source, bot, origin, pointed, policy, *counts in rows
    )


def _count_finds(staging: Staging, source: str, table: CompiledTable) -> None:
    """The edges that the finds by key of a source table are: of its readable rows, wherever they ended."""
    names = Names(source=source, table=table.mapping.table)
    counted: set[tuple[str, ...]] = set()
    finds = [find for find in table.mapping.finds if isinstance(find, FindByKey)]
    for find in sorted(finds, key=lambda one: one.optional):
        columns = [name[-1] for expr in find.key for name in names_in(expr)]
        if (find.source_table, *columns) in counted:
            continue
        counted.add((find.source_table, *columns))
        other = Names(source=source, table=find.source_table)
        there = (
            'select t."#key" as key, any_value(t."#bot") as bot,'
            " bool_or(coalesce(f.outcome = 'rejected', false)) as rejected"
            f' from {other.typed} t left join {other.fate} f on f."#row" = t."#row"'
            ' where t."#key" is not null group by 1'
        )
        why = (
            "case when x.n is not null then 'ok' when o.key is null then 'missing' when o.rejected then 'rejected'"
            f" when o.bot <> r.\"#bot\" then 'other_bot' else '{'ok' if find.optional else 'missing'}' end"
        )
        staging.run(
            f"insert into {REFERENCES} select (select count(*) from {REFERENCES}), 'source', {literal(source)},"
            " bot, $1, $2, $3, count(*), count(distinct key),"
            " count(*) filter (why = 'missing'), count(*) filter (why = 'rejected'),"
            " count(*) filter (why = 'other_bot'), 0 from"
            f' (select r."#bot" as bot, x.key, {why} as why from {names.found(find.name)} x'
            f' join {names.typed} r on r."#row" = x."#row" left join ({there}) o on o.key = x.key) group by bot',
            [f"{table.mapping.table}.{'+'.join(columns)}", find.source_table, find.missing.value],
        )


def _count_store(staging: Staging, source: str, table: CompiledTable) -> None:
    """The references that the mapping of a source table declares."""
    names = Names(source=source, table=table.mapping.table)
    for one in table.mapping.references:
        staging.run(
            f"insert into {REFERENCES} select (select count(*) from {REFERENCES}), 'source', {literal(source)},"
            ' r."#bot", $1, $2, $3, count(*), count(distinct x.key),'
            " count(*) filter (x.n is null and x.why = 'missing'),"
            " count(*) filter (x.n is null and x.why = 'rejected'),"
            " count(*) filter (x.n is null and x.why = 'other_bot'), 0"
            f' from {names.found(one.found)} x join {names.typed} r on r."#row" = x."#row" group by r."#bot"',
            [f"{table.mapping.table}.{one.column}", one.to_table, one.missing.value],
        )


def _policy(edge: Edge) -> str:
    """SQL for what the mapping of a `source` says of the edge."""
    cases = " ".join(
        f"when {literal(source)} then {literal(one.policy.missing.value)}" for source, one in edge.policies.items()
    )
    return f"case source {cases} else 'reject' end" if cases else "'reject'"


def _count_bots(staging: Staging, edge: Edge) -> None:
    """A `bot_id`: few texts for many rows."""
    one = edge.reference
    staging.run(
        f"insert into {REFERENCES} select (select count(*) from {REFERENCES}), 'target', source, bot, $1, $2, 'reject',"
        " sum(number), count(id), coalesce(sum(number) filter (t.bot_id is null), 0), 0, 0, 0 from"
        f" (select source, bot, id, count(*) as number from ({edge.pointing}) group by all) p"
        f" left join cand.{quoted(one.to_table)} t on t.bot_id = p.id group by source, bot",
        [one.name, one.to],
    )


def _count_edge(staging: Staging, edge: Edge) -> None:
    one = edge.reference
    name = literal(one.name)
    if not staging.rows(f"select 1 from {LOG} where edge = {name} limit 1"):
        _count_whole_edge(staging, edge)
        return
    # A row that is rejected is a candidate of an earlier turn: its number may be another's now.
    turned = "n - (round + 1) * 1000000000000"
    rows = "count(distinct n)" if one.many else "count(*)"
    known = f"select id from {HELD} where target_table = {literal(one.to_table)}"
    held = f"count(distinct n) filter (id in ({known}))" if staging.value(f"select count(*) from ({known})") else "0"
    staging.run(
        f"insert into {REFERENCES} with lost as (select source, bot, n, id, why, outcome, round from {LOG}"
        f" where edge = {name}), pointing as ({edge.pointing} union all by name select id, n, source, bot from lost"
        f" where outcome = 'nulled' union all by name select id, {turned} as n, source, bot from lost"
        f" where outcome = 'rejected'),"
        f" every as (select source, bot, {rows} as rows, count(distinct id) as targets, {held} as held from pointing"
        " group by all),"
        " bad as (select source, bot, count(distinct (round, n)) filter (why = 'missing') as missing,"
        " count(distinct (round, n)) filter (why = 'rejected') as rejected,"
        " count(distinct (round, n)) filter (why = 'other_bot') as other_bot from lost group by all)"
        f" select (select count(*) from {REFERENCES}), 'target', source, e.bot, {name}, {literal(one.to)},"
        f" {_policy(edge)}, e.rows, e.targets, coalesce(b.missing, 0), coalesce(b.rejected, 0),"
        " coalesce(b.other_bot, 0), e.held from every e left join bad b using (source, bot)"
    )


def _count_whole_edge(staging: Staging, edge: Edge) -> None:
    """An edge along which nothing is lost."""
    one = edge.reference
    column = quoted(one.column)
    number = f"case when len(list_filter({column}, lambda one: one is not null)) > 0 then 1 else 0 end"
    rows = (
        f'select "#source" as source, "#bot" as bot, sum({number if one.many else 1}) as rows'
        f" from cand.{quoted(one.table)} where {column} is not null group by all"
    )
    known = f"select id from {HELD} where target_table = {literal(one.to_table)}"
    held = f"count(distinct n) filter (id in ({known}))" if staging.value(f"select count(*) from ({known})") else "0"
    staging.run(
        f"insert into {REFERENCES} select (select count(*) from {REFERENCES}), 'target', source, r.bot,"
        f" {literal(one.name)}, {literal(one.to)}, {_policy(edge)}, r.rows, p.targets, 0, 0, 0, p.held from ({rows}) r"
        f" join (select source, bot, count(distinct id) as targets, {held} as held from ({edge.pointing})"
        " group by all) p using (source, bot)"
    )
