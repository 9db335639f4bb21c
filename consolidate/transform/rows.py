"""One source table: typed, paired, looked up, shaped, judged, and split into candidates and rejects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from consolidate.mapping.source_columns import KINDS
from consolidate.mapping.value import Kind, Sql, named
from consolidate.model import RejectCode, Rounding, SourceCounts
from consolidate.staging import literal, quoted
from consolidate.transform import fates
from consolidate.transform.account import counted, roundings
from consolidate.transform.bots_of_rows import name_bots, require_keys
from consolidate.transform.candidates import append, next_number, write_lineage
from consolidate.transform.constraints import making_blocks, reject_check_violations, reject_duplicates
from consolidate.transform.finds import find_candidates
from consolidate.transform.joined import joined_rows
from consolidate.transform.measured import measure
from consolidate.transform.merges import into_made, shared_made
from consolidate.transform.names import Names, label, living_rows, relation, rendered
from consolidate.transform.orphans import SEEDS
from consolidate.transform.pairs import pair_events, reject_broken_groups
from consolidate.transform.shape import shaped
from consolidate.transform.store_references import look_up
from consolidate.transform.typed import type_rows

if TYPE_CHECKING:
    from consolidate.mapping.compiled import CompiledSystem
    from consolidate.mapping.table import CompiledTable
    from consolidate.model import StagedTable
    from consolidate.staging import Staging
    from consolidate.transform.source import Routing

_BASE = ("#row", "#key", "#bot", "#short")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableResult:
    """What became of the rows of one source table."""

    counts: SourceCounts
    roundings: tuple[Rounding, ...]


def transform_table(
    staging: Staging,
    source: str,
    table: CompiledTable,
    staged: StagedTable,
    routing: Routing,
    system: CompiledSystem,
    present: frozenset[str] = frozenset(),
) -> TableResult:
    """Split the rows of a staged table into candidates and rejects; the tables before it are done already.

    Every row has exactly one outcome. `present` are the tables that the store has. Raises
    `UsageError` where a row is neither mapped nor left out by a rule.
    """
    names = Names(source=source, table=table.mapping.table)
    failures = type_rows(staging, names, table, staged, routing)
    if table.bot_id is not None:
        require_keys(staging, names, system)
        name_bots(staging, names, table)
    fates.open_fates(staging, names)
    fates.reject_failures(staging, names, names.typed, failures)
    look_up(staging, names, table, present)
    _settle_doubles(staging, names, table)
    _keep_last(staging, names, table)
    _filter_events(staging, names, table)
    pair_events(staging, names, table)
    find_candidates(staging, names, table)
    _widen(staging, names, table)
    reject_broken_groups(staging, names, table)
    if table.group_blocks:
        _group(staging, names, table)
    reject_duplicates(staging, names, table)
    shared_made(staging, names, table)
    into_made(staging, names, table)
    reject_broken_groups(staging, names, table)
    fates.follow(staging, names)
    _make(staging, names, table)
    fates.write_rejects(staging, names, [column.name for column in staged.columns])
    measure(staging, names, table)
    counts = counted(staging, names, table, staged)
    return TableResult(counts=counts, roundings=roundings(staging, names, table))


def leave_empty(staging: Staging, names: Names, table: CompiledTable) -> None:
    """For a table that the store lacks, or that has no rows: what the finds and `newest` of others look at."""
    kinds = {
        Kind.TIME: "timestamp",
        Kind.DATE: "date",
        Kind.LOCAL_DATE: "date",
        Kind.BOOL: "boolean",
        Kind.NUMBER: "struct(m hugeint, s integer)",
    }
    columns = [
        f"{quoted(f'v:{column.name}')} {kinds.get(KINDS[column.type], 'varchar')}" for column in table.mapping.columns
    ]
    staging.run(
        f'create or replace table {names.typed} ("#row" bigint, "#key" varchar, "#bot" varchar, {", ".join(columns)})'
    )
    fates.open_fates(staging, names)


def _settle_doubles(staging: Staging, names: Names, table: CompiledTable) -> None:
    """A key that is there twice: identical rows are one row, differing rows are all rejected."""
    doubled = (
        f'select "#row", min("#row") over (partition by "#key") as into_row,'
        ' count(*) over (partition by "#key") as number,'
        ' count(distinct "#hash") over (partition by "#key") as versions'
        f' from {names.typed} where "#key" in'
        f' (select "#key" from {names.typed} where "#key" is not null group by "#key" having count(*) > 1)'
    )
    fates.reject(
        staging,
        names,
        f'select "#row" from ({doubled}) where versions > 1',
        RejectCode.DUPLICATE_KEY,
        column=table.mapping.key[0],
        location=table.mapping.location,
    )
    fates.merge(staging, names, f'select "#row", into_row from ({doubled}) where versions = 1 and "#row" <> into_row')


def _keep_last(staging: Staging, names: Names, table: CompiledTable) -> None:
    if table.keep is None:
        return
    by, last = table.keep
    columns = [named("#row"), named("#key"), named("#bot"), last.label("last")]
    columns += [one.label(f"by{i}") for i, one in enumerate(by)]
    source = table.layers.over(living_rows(names), columns)
    select = sa.select(*columns).select_from(source)
    statement, parameters = rendered(select)
    keys = ", ".join(['"#bot"', *(f"by{i}" for i in range(len(by)))])
    kept = names.found("#kept")
    staging.run(
        f'create or replace table {kept} as select "#row", first_value("#row") over'
        f' (partition by {keys} order by last desc nulls last, key_order("#key") desc, "#row" desc) as into_row'
        f" from ({statement})",
        parameters,
    )
    fates.merge(staging, names, f'select "#row", into_row from {kept} where "#row" <> into_row')


def _filter_events(staging: Staging, names: Names, table: CompiledTable) -> None:
    """Leave out events before they are paired; other tables are filtered when all that a rule may name is known."""
    if table.filter is None or table.mapping.pair is None:
        return
    columns = [named("#row"), label(table.filter, "#filtered")]
    statement, parameters = rendered(sa.select(*columns).select_from(table.layers.over(living_rows(names), columns)))
    filtered = names.found("#filtered")
    staging.run(f'create or replace table {filtered} as select "#row" from ({statement}) where "#filtered"', parameters)
    fates.leave_out(staging, names, f'select "#row" from {filtered}')


def _widen(staging: Staging, names: Names, table: CompiledTable) -> None:
    """Make `names.wide` and reject or leave out what fails there."""
    base = [*_BASE, *(f"n:{find.name}" for find in table.mapping.finds)]
    if table.mapping.archive is not None:
        base.append("#stored")
    if table.mapping.pair is not None:
        base += ["#role", "#group", "#closing", "#ord", *(f"k:{name}" for name in table.closing_columns)]
    extra: list[tuple[str, Sql]] = [
        (f"a{one.index}", one.argument) for one in table.aggregates if one.argument is not None
    ]
    filtered = table.filter if table.mapping.pair is None else None
    if filtered is not None:
        extra.append(("#filtered", filtered))
    extra += [(f"#rule{i}", condition) for i, condition in enumerate(table.rejects)]
    extra += [(f"#warn{i}", warn.rows) for i, warn in enumerate(table.warns)]
    shape = shaped(
        relation(joined_rows(names, table)),
        table.row_blocks,
        table.checks,
        table.layers,
        base=tuple(base),
        extra=tuple(extra),
    )
    statement, parameters = rendered(shape.select)
    staging.run(f"create or replace table {names.wide} as {statement}", parameters)
    if filtered is not None:
        fates.leave_out(staging, names, f'select "#row" from {names.wide} where "#filtered"')
    for i, rule in enumerate(table.mapping.rejects):
        fates.reject(
            staging,
            names,
            f'select "#row" from {names.wide} where "#rule{i}"',
            rule.code or RejectCode.CHECK_VIOLATION,
            column=rule.column,
            location=rule.location,
        )
    fates.reject_failures(staging, names, names.wide, shape.failures)
    for block in table.row_blocks:
        reject_check_violations(staging, names, block, names.wide)
    fates.reject_orphans(staging, names, SEEDS)


def _group(staging: Staging, names: Names, table: CompiledTable) -> None:
    """Make `names.groups`, one row for each group of events that lives, under the number of its first opening event."""
    columns = [
        '"#group" as "#row"',
        'arg_min("#key", "#ord") as "#key"',
        'any_value("#bot") as "#bot"',
        'arg_min("#short", "#ord") as "#short"',
        *(f'arg_min_null({quoted(f"k:{name}")}, "#ord") as {quoted(f"k:{name}")}' for name in table.closing_columns),
    ]
    for one in table.aggregates:
        argument = quoted(f"a{one.index}")
        columns.append(
            {
                "first": f'arg_min_null({argument}, "#ord")',
                "last": f'arg_max_null({argument}, "#ord")',
                "sum": f"num_sum({argument})",
                "collect": f'collect_in_order({argument}, "#ord")',
                "count": "{'m': count(*)::hugeint, 's': 0::integer}",
            }[one.how]
            + f' as "g{one.index}"'
        )
    grouped = (
        f"(select {', '.join(columns)} from {names.wide} r where \"#role\" = 'open' and {fates.living(names)}"
        ' group by "#group") groups'
    )
    shape = shaped(
        relation(grouped),
        table.group_blocks,
        table.group_checks,
        table.group_layers,
        base=_BASE,
        extra=(),
    )
    statement, parameters = rendered(shape.select)
    staging.run(f"create or replace table {names.groups} as {statement}", parameters)
    fates.reject_failures(staging, names, names.groups, shape.failures)
    for block in table.group_blocks:
        reject_check_violations(staging, names, block, names.groups)
    reject_broken_groups(staging, names, table)


def _make(staging: Staging, names: Names, table: CompiledTable) -> None:
    """Number and append the candidates; write the lineage."""
    staging.run(
        f'create or replace table {names.made} ("#row" bigint, block integer, target varchar, n bigint,'
        " outcome varchar, makes boolean, grouped boolean)"
    )
    for block, rows, condition in making_blocks(names, table):
        target = block.target.name
        already = ""
        if block.block.shared is not None:
            already = (
                f' and not exists (select 1 from {names.found("#shared")} s where s."#row" = r."#row"'
                f' and s.block = {block.index} and (s.n is not null or s.first_row <> r."#row"))'
            )
        grouped = "true" if block.block.grouped else "false"
        staging.run(
            f'insert into {names.made} select r."#row", {block.index}, {literal(target)},'
            f" {next_number(staging, target)} + row_number() over (order by r.\"#row\"), 'mapped', true, {grouped}"
            f" from {rows} r where {condition} and {fates.living(names)}{already}"
        )
        append(staging, names, block, rows)
    for block in table.row_blocks:
        if block.block.merge is not None:
            staging.run(
                f'insert into {names.made} select r."#row", {block.index}, {literal(block.target.name)}, r.n,'
                f" 'merged', false, false from {names.found('#going')} r where r.block = {block.index}"
                f" and {fates.living(names)}"
            )
        if block.block.shared is not None:
            staging.run(
                f'insert into {names.made} select r."#row", {block.index}, {literal(block.target.name)},'
                f" coalesce(r.n, m.n), 'merged', false, false from {names.found('#shared')} r"
                f' left join {names.made} m on m."#row" = r.first_row and m.block = {block.index} and m.makes'
                f' where r.block = {block.index} and (r.n is not null or r.first_row <> r."#row")'
                f" and {fates.living(names)}"
            )
    write_lineage(staging, names, table)
