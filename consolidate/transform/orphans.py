"""Orphans: candidates that name a row which is not there. What becomes of them is what the mapping says, to the end.

The candidates of all sources are there. A reference leads nowhere if no candidate of the row's bot has its id, and the
target has none either. A row that is rejected for it goes as a whole, so all tables are transformed again without it,
and the references are looked at again; the chains that are plain from the candidates alone are followed here, in SQL.
When nothing more is rejected, references are nulled and stubs made. Nothing is computed where a column is all null.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from consolidate.errors import ConsolidateError, Problem
from consolidate.mapping.language import FindByKey, FindByTime, FindListed, Missing
from consolidate.mapping.references import BOTS, Reference, references
from consolidate.model import RejectCode
from consolidate.staging import literal, quoted
from consolidate.transform.ghosts import add_ghosts
from consolidate.transform.stubs import make_stubs, shape_stubs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consolidate.mapping.compile_references import CompiledReference
    from consolidate.staging import Staging
    from consolidate.transform.source import TransformSource

    Held = Callable[[str, str, Sequence[str]], Sequence[tuple[str, str | None]]]
    """Of a unified table and its column, those of the given texts that the target has: each with the bot of its row."""

LOG: Final = "rej.orphans"
"""References that led nowhere, and all of the rows rejected for one: `edge` its name, `n` the row, `id` what it names.

`why`: missing, rejected, other_bot, or null for one that led somewhere. `outcome`: rejected, nulled, stubbed.
"""

HELD: Final = 'cand."#held"'
"""What candidates point at and only the target has: `target_table`, `id`, `bot`."""

LOST: Final = 'work."#lost"'
SEEDS: Final = "rej.orphan_rows"
"""Source rows to be rejected because of a reference: source, source_table, source_key, code, column_name, …"""

_PLACES: Final = 'work."#places"'
_DEAD: Final = 'work."#dead"'
_BURIED: Final = 'work."#buried"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A reference, and by source what its mapping says of it where it leads nowhere; else it rejects."""

    index: int
    reference: Reference
    policies: dict[str, CompiledReference]

    @property
    def pointing(self) -> str:
        """A query for `n`, `source`, `bot`, `id`: every candidate that points, once for each row that it points at."""
        one, column = self.reference, quoted(self.reference.column)
        which = (
            f'"#n" as n, "#source" as source, "#bot" as bot from cand.{quoted(one.table)} where {column} is not null'
        )
        if one.many:
            return f"select * from (select unnest({column}) as id, {which}) where id is not null"
        return f"select {column} as id, {which}"

    @property
    def pointed(self) -> str:
        """A query for `id` and `bot` of the candidates that can be pointed at."""
        column = quoted(self.reference.to_column)
        return f'select {column} as id, "#bot" as bot from cand.{quoted(self.reference.to_table)}'

    def sources(self, missing: Missing) -> list[str]:
        """The sources whose mapping says this of the reference."""
        return [source for source, one in self.policies.items() if one.policy.missing is missing]


def edges(sources: Sequence[TransformSource]) -> tuple[Edge, ...]:
    """Every reference of the unified schema, with what the mappings of these sources say of it."""
    return tuple(
        Edge(
            index=index,
            reference=reference,
            policies={
                source.name: one
                for source in sources
                for one in source.compiled.references
                if one.policy.reference == reference
            },
        )
        for index, reference in enumerate(references())
    )


def open_orphans(staging: Staging, sources: Sequence[TransformSource]) -> None:
    """Make the tables that `settle` fills, empty, and the places where the mappings fill the references."""
    staging.run(
        f"create or replace table {SEEDS} (source varchar, source_table varchar, source_key varchar, code varchar,"
        " column_name varchar, place varchar, shown varchar)"
    )
    staging.run(
        f"create or replace table {LOG} (edge varchar, source varchar, bot varchar, n bigint, id varchar, why varchar,"
        " outcome varchar, round integer)"
    )
    staging.run(f"create or replace table {_BURIED} (target_table varchar, id varchar, bot varchar)")
    staging.run(f"create or replace table {HELD} (target_table varchar, id varchar, bot varchar)")
    staging.run(
        f"create or replace table {_PLACES} (source varchar, source_table varchar, edge integer, column_name varchar,"
        " place varchar, plain boolean)"
    )
    for source in sources:
        for edge in edges([source]):
            for values in _places(source, edge):
                staging.run(f"insert into {_PLACES} values ($1, $2, $3, $4, $5, $6)", values)


def _places(source: TransformSource, edge: Edge) -> list[list[object]]:
    """For each source table whose rows can point: the cell to blame, and whether nothing but the row decides it."""
    found: dict[str, list[object]] = {}
    for table in source.compiled.tables:
        plain = not any(isinstance(find, FindByKey | FindByTime | FindListed) for find in table.mapping.finds)
        for block in (*table.row_blocks, *table.group_blocks):
            for cell in block.cells:
                if block.target.name == edge.reference.table and cell.cell.column == edge.reference.column:
                    name = table.mapping.table
                    column = cell.value.column or cell.cell.column
                    found.setdefault(name, [source.name, name, edge.index, column, str(cell.cell.location), plain])
    return list(found.values())


def read_held(staging: Staging) -> list[tuple[str, str, str | None]]:
    """What the target answered: table, id, bot of each row that candidates point at and only the target has."""
    rows = staging.rows(f"select target_table, id, bot from {HELD} order by all")
    return [(str(table), str(one), None if bot is None else str(bot)) for table, one, bot in rows]


def settle(staging: Staging, sources: Sequence[TransformSource], held: Held | None, turn: int) -> bool:
    """Do what the mappings say with every reference that leads nowhere; True where rows are to be rejected for it.

    Then nothing else is done: the tables must be transformed again, without those rows.
    """
    found = [edge for edge in _between(sources) if _points(staging, edge)]
    _find_lost(staging, found)
    if held is not None:
        _ask_target(staging, found, held)
    lost = staging.value(f"select count(*) from {LOST}")
    if not lost:
        _judge(staging, _between(sources))
        return False
    add_ghosts(staging, sources, {edge.reference.to_table for edge in found}, LOST)
    for edge in found:
        for source in edge.sources(Missing.STUB):
            shape_stubs(staging, edge.index, source, edge.policies[source], LOST)
    _decide(staging, found)
    if _reject(staging, found, turn):
        return True
    _null(staging, found)
    for edge in found:
        for source in edge.sources(Missing.STUB):
            make_stubs(staging, edge.index, source, edge.policies[source], LOST)
    _log(staging, found, turn)
    _judge(staging, _between(sources))
    return False


def _between(sources: Sequence[TransformSource]) -> list[Edge]:
    """The edges between candidates; the bots themselves come last, and every row has one."""
    return [edge for edge in edges(sources) if edge.reference.to_table != BOTS]


def _points(staging: Staging, edge: Edge) -> bool:
    table, column = quoted(edge.reference.table), quoted(edge.reference.column)
    return bool(staging.rows(f"select 1 from cand.{table} where {column} is not null limit 1"))


def _find_lost(staging: Staging, found: Sequence[Edge]) -> None:
    """Make `LOST`: each reference whose id no candidate of the same bot has, and the bot of a candidate that has it."""
    staging.run(
        f"create or replace table {LOST} (edge integer, source varchar, bot varchar, n bigint, id varchar,"
        " owner varchar, why varchar, outcome varchar)"
    )
    for edge in found:
        staging.run(
            f"insert into {LOST} select {edge.index}, p.source, p.bot, p.n, p.id, t.bot,"
            " case when t.id is null then 'missing' else 'other_bot' end, null"
            f" from ({edge.pointing}) p left join ({edge.pointed}) t on t.id = p.id"
            " where t.id is null or t.bot is distinct from p.bot"
        )


def _ask_target(staging: Staging, found: Sequence[Edge], held: Held) -> None:
    """Note what only the target has; what it has of the same bot is not lost, what it has of another is another's."""
    for table, column in dict.fromkeys((edge.reference.to_table, edge.reference.to_column) for edge in found):
        numbers = ", ".join(str(edge.index) for edge in found if edge.reference.to_table == table)
        rows = staging.rows(
            f"select distinct id from {LOST} where why = 'missing' and edge in ({numbers})"
            f" and id not in (select id from {HELD} where target_table = $1)",
            [table],
        )
        if rows:
            there = held(table, column, [str(one) for (one,) in rows])
            staging.run(
                f"insert into {HELD} select $1, unnest($2::varchar[]), unnest($3::varchar[])",
                [table, [one for one, _ in there], [bot for _, bot in there]],
            )
        staging.run(
            f"update {LOST} set owner = h.bot, why = case when h.bot = {LOST}.bot then 'held' else 'other_bot' end"
            f" from {HELD} h where h.target_table = $1 and h.id = {LOST}.id and {LOST}.why = 'missing'"
            f" and {LOST}.edge in ({numbers})",
            [table],
        )
    staging.run(f"delete from {LOST} where why = 'held'")


def _decide(staging: Staging, found: Sequence[Edge]) -> None:
    """What becomes of each lost reference. One whose row another one's stub makes is not lost any more."""
    for edge in found:
        nulled = ", ".join(literal(source) for source in edge.sources(Missing.NULL))
        if nulled:
            staging.run(f"update {LOST} set outcome = 'nulled' where edge = {edge.index} and source in ({nulled})")
    targets = "values " + ", ".join(f"({edge.index}, {literal(edge.reference.to_table)})" for edge in found)
    staging.run(
        f"delete from {LOST} where outcome is null and exists (select 1 from {LOST} s"
        f" join ({targets}) a(edge, target) on a.edge = s.edge join ({targets}) b(edge, target) on b.target = a.target"
        f" where s.outcome = 'stubbed' and b.edge = {LOST}.edge and s.id = {LOST}.id and s.bot = {LOST}.bot)"
    )
    staging.run(f"update {LOST} set outcome = 'rejected' where outcome is null")


def _reject(staging: Staging, found: Sequence[Edge], turn: int) -> bool:
    """Name the source rows whose candidates are to go, and follow from them to those that point at them."""
    if not staging.value(f"select count(*) from {LOST} where outcome = 'rejected'"):
        return False
    staging.run(f"create or replace table {_DEAD} (target_table varchar, n bigint, turn integer)")
    step = 0
    while True:
        for edge in found:
            staging.run(
                f"insert into {_DEAD} select distinct {literal(edge.reference.table)}, l.n, {step} from {LOST} l"
                f" where l.edge = {edge.index} and l.outcome = 'rejected' and l.n not in"
                f" (select d.n from {_DEAD} d where d.target_table = {literal(edge.reference.table)})"
            )
        _spread(staging, step)
        stubbed = {edge.reference.to_table for edge in found if edge.sources(Missing.STUB)}
        followed = [_follow(staging, edge, step) for edge in found if edge.reference.to_table not in stubbed]
        if not any(followed):
            break
        step += 1
    named = staging.value(f"select count(*) from {SEEDS}")
    _name_rows(staging, found)
    if staging.value(f"select count(*) from {SEEDS}") == named:
        raise ConsolidateError(
            Problem(
                code="orphans",
                message="rows point at nothing, and the source rows that made them cannot be told",
                hint="this is a defect of consolidate; nothing was loaded",
            )
        )
    _bury(staging, found, turn)
    return True


def _spread(staging: Staging, step: int) -> None:
    """From the candidates that go to all that the rows which made them made: a row goes as a whole."""
    rows = (
        'select source, source_table, source_key from cand."#lineage" l'
        f' join {_DEAD} d on d.target_table = l.target_table and d.n = l."#n"'
        f" where d.turn = {step} and l.outcome = 'mapped'"
    )
    staging.run(
        f'insert into {_DEAD} select distinct l.target_table, l."#n", {step} from cand."#lineage" l'
        f" join ({rows}) r on r.source = l.source and r.source_table = l.source_table and r.source_key = l.source_key"
        f" where l.outcome = 'mapped' and not exists"
        f' (select 1 from {_DEAD} d where d.target_table = l.target_table and d.n = l."#n")'
    )


def _follow(staging: Staging, edge: Edge, step: int) -> bool:
    """Add to `LOST` what points at the candidates that went in this step; whether there is any.

    Only rows that nothing but themselves decides are judged by it; others may find another row the next time.
    """
    one = edge.reference
    keeping = ", ".join(literal(source) for how in (Missing.NULL, Missing.STUB) for source in edge.sources(how))
    before = staging.value(f"select count(*) from {LOST}")
    staging.run(
        f"insert into {LOST} select {edge.index}, p.source, p.bot, p.n, p.id, null, 'rejected', 'rejected'"
        f' from ({edge.pointing}) p join (select t.{quoted(one.to_column)} as id, t."#bot" as bot from {_DEAD} d'
        f' join cand.{quoted(one.to_table)} t on t."#n" = d.n'
        f" where d.turn = {step} and d.target_table = {literal(one.to_table)}) t on t.id = p.id and t.bot = p.bot"
        f' join cand."#lineage" l on l.target_table = {literal(one.table)} and l."#n" = p.n'
        f' join cand.{quoted(one.table)} c on c."#n" = p.n and c."#key" = l.source_key and c."#source" = l.source'
        f" join {_PLACES} w on w.edge = {edge.index} and w.source = l.source and w.source_table = l.source_table"
        f" where l.outcome = 'mapped' and w.plain and {f'p.source not in ({keeping})' if keeping else 'true'}"
        f" and not exists (select 1 from {LOST} o where o.edge = {edge.index} and o.n = p.n and o.id = p.id)"
        f" and not exists (select 1 from {_DEAD} d where d.target_table = {literal(one.table)} and d.n = p.n)"
    )
    return staging.value(f"select count(*) from {LOST}") != before


def _name_rows(staging: Staging, found: Sequence[Edge]) -> None:
    """Note the source row that made each candidate which is to go, with the reference to blame."""
    for edge in found:
        one = edge.reference
        staging.run(
            f"insert into {SEEDS} select l.source, l.source_table, l.source_key,"
            f" case when bool_and(o.why = 'rejected') then {literal(RejectCode.REJECTED_REFERENCE)}"
            f" else {literal(RejectCode.MISSING_REFERENCE)} end,"
            f" coalesce(any_value(w.column_name), {literal(one.column)}), any_value(w.place),"
            " arg_min(case when o.why = 'other_bot' then concat(o.id, ' (of ', o.owner, ')') else o.id end, o.id)"
            f' from {LOST} o join cand.{quoted(one.table)} c on c."#n" = o.n'
            f' join cand."#lineage" l on l.target_table = {literal(one.table)} and l."#n" = o.n'
            ' and l.source_key = c."#key" and l.source = c."#source" and l.outcome = \'mapped\''
            f" left join {_PLACES} w on w.edge = {edge.index} and w.source = l.source"
            f" and w.source_table = l.source_table where o.edge = {edge.index} and o.outcome = 'rejected'"
            f" and not exists (select 1 from {SEEDS} s where s.source = l.source and s.source_table = l.source_table"
            " and s.source_key = l.source_key) group by all"
        )


def _null(staging: Staging, found: Sequence[Edge]) -> None:
    """Take the references that are to be null out of their candidates; of a list only those, and null if none stays."""
    for edge in found:
        table, column = quoted(edge.reference.table), quoted(edge.reference.column)
        gone = f"select n, list(id) as ids from {LOST} where edge = {edge.index} and outcome = 'nulled' group by n"
        left = "null"
        if edge.reference.many:
            rest = f"list_filter({column}, lambda one: one is not null and not list_contains(g.ids, one))"
            left = f"case when len({rest}) > 0 then {rest} end"
        staging.run(f'update cand.{table} set {column} = {left} from ({gone}) g where cand.{table}."#n" = g.n')


def _bury(staging: Staging, found: Sequence[Edge], turn: int) -> None:
    """Keep all that the candidates which go point at, and the ids that go with them."""
    for edge in found:
        one = edge.reference
        staging.run(
            f"insert into {LOG} select {literal(one.name)}, p.source, p.bot, p.n, p.id, l.why, 'rejected', {turn}"
            f" from ({edge.pointing}) p join {_DEAD} d on d.n = p.n and d.target_table = {literal(one.table)}"
            f" left join {LOST} l on l.edge = {edge.index} and l.n = p.n and l.id = p.id"
        )
    for target, column in dict.fromkeys((edge.reference.to_table, edge.reference.to_column) for edge in found):
        staging.run(
            f'insert into {_BURIED} select {literal(target)}, c.{quoted(column)}, c."#bot" from {_DEAD} d'
            f' join cand.{quoted(target)} c on c."#n" = d.n where d.target_table = {literal(target)}'
        )


def _judge(staging: Staging, found: Sequence[Edge]) -> None:
    """Now that all candidates are final: what those that went had pointed at."""
    if not staging.value(f"select count(*) from {LOG} where outcome = 'rejected'"):
        return
    for edge in found:
        target = literal(edge.reference.to_table)
        staging.run(
            f"update {LOG} set why = case when mine.id is not null then {LOG}.why"
            f" when other.id is not null then 'other_bot'"
            f" when buried.id is not null or {LOG}.why = 'rejected' then 'rejected' else 'missing' end"
            f" from (select distinct id, bot from {LOG} where edge = {literal(edge.reference.name)}) asked"
            f" left join (select id, bot from ({edge.pointed}) union select id, bot from {HELD}"
            f" where target_table = {target}) mine on mine.id = asked.id and mine.bot = asked.bot"
            f" left join (select id, any_value(bot) as bot from (select id, bot from ({edge.pointed}) union all"
            f" select id, bot from {HELD} where target_table = {target}) group by id) other on other.id = asked.id"
            f" left join (select distinct id, bot from {_BURIED} where target_table = {target}) buried"
            f" on buried.id = asked.id and buried.bot = asked.bot"
            f" where {LOG}.edge = {literal(edge.reference.name)} and {LOG}.outcome = 'rejected'"
            f" and {LOG}.id = asked.id and {LOG}.bot = asked.bot"
        )


def _log(staging: Staging, found: Sequence[Edge], turn: int) -> None:
    """Keep what became of the lost references of candidates that stay."""
    names = "values " + ", ".join(f"({edge.index}, {literal(edge.reference.name)})" for edge in found)
    staging.run(
        f"insert into {LOG} select e.name, l.source, l.bot, l.n, l.id, l.why, l.outcome, {turn}"
        f" from {LOST} l join ({names}) e(edge, name) on e.edge = l.edge"
    )
