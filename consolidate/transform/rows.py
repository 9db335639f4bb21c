"""One source table: typed, paired, looked up, shaped, judged, and split into candidates and rejects."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from consolidate.errors import ConsolidateError, Problem, UsageError
from consolidate.mapping.language import FindListed
from consolidate.mapping.value import Sql, named
from consolidate.model import RejectCode, Rounding, SourceCounts
from consolidate.staging import literal, quoted
from consolidate.transform import fates
from consolidate.transform.candidates import append, next_number, write_lineage
from consolidate.transform.finds import find_candidates
from consolidate.transform.merges import into_made, shared_made
from consolidate.transform.names import Names, living_rows, relation, rendered
from consolidate.transform.pairs import pair_events, reject_broken_groups
from consolidate.transform.shape import shaped
from consolidate.transform.typed import type_rows

if TYPE_CHECKING:
    from consolidate.mapping.table import CompiledBlock, CompiledTable
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
    staging: Staging, source: str, table: CompiledTable, staged: StagedTable, routing: Routing
) -> TableResult:
    """Split the rows of a staged table into candidates and rejects; the tables before it are done already.

    Every row has exactly one outcome. Raises `UsageError` where a row is neither mapped nor left out by a rule.
    """
    names = Names(source=source, table=table.mapping.table)
    failures = type_rows(staging, names, table, staged, routing)
    fates.open_fates(staging, names)
    fates.reject_failures(staging, names, names.typed, failures)
    _settle_doubles(staging, names, table)
    _keep_last(staging, names, table)
    pair_events(staging, names, table)
    find_candidates(staging, names, table)
    _widen(staging, names, table)
    reject_broken_groups(staging, names, table)
    if table.group_blocks:
        _group(staging, names, table)
    _reject_duplicates(staging, names, table)
    shared_made(staging, names, table)
    into_made(staging, names, table)
    reject_broken_groups(staging, names, table)
    fates.follow(staging, names)
    _make(staging, names, table)
    fates.write_rejects(staging, names, [column.name for column in staged.columns])
    counts = _counted(staging, names, table, staged)
    return TableResult(counts=counts, roundings=_roundings(staging, names, table))


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


def _source_of_rows(names: Names, table: CompiledTable) -> str:
    """The living typed rows with their pair, their closing event and what their finds found beside them."""
    columns = ["r.*"]
    joins = [f"{names.typed} r"]
    if table.mapping.pair is not None:
        columns += ['p."#role"', 'p."#group"', 'p."#closing"', 'p."#ord"']
        columns += [f"k.{quoted(f'v:{name}')} as {quoted(f'k:{name}')}" for name in table.closing_columns]
        joins.append(f'left join {names.pairs} p on p."#row" = r."#row"')
        joins.append(f'left join {names.typed} k on k."#row" = p."#closing"')
    for other, column in table.newest_columns:
        typed = Names(source=names.source, table=other).typed
        columns.append(f"(select max({quoted(f'v:{column}')}) from {typed}) as {quoted(f'newest:{other}.{column}')}")
    for i, find in enumerate(table.mapping.finds):
        if isinstance(find, FindListed):
            found = f'(select "#row", min(n) as n from {names.found(find.name)} group by "#row")'
        else:
            found = names.found(find.name)
        columns.append(f"x{i}.n as {quoted(f'n:{find.name}')}")
        joins.append(f'left join {found} x{i} on x{i}."#row" = r."#row"')
        wanted = [column for name, column in table.found_columns if name == find.name]
        if wanted:
            columns += [f"c{i}.{quoted(column)} as {quoted(f'f:{find.name}.{column}')}" for column in wanted]
            joins.append(f'left join cand.{quoted(find.table)} c{i} on c{i}."#n" = x{i}.n')
    return f"(select {', '.join(columns)} from {' '.join(joins)} where {fates.living(names)}) rows"


def _widen(staging: Staging, names: Names, table: CompiledTable) -> None:
    """Make `names.wide` and reject or leave out what fails there."""
    base = [*_BASE, *(f"n:{find.name}" for find in table.mapping.finds)]
    if table.mapping.pair is not None:
        base += ["#role", "#group", "#closing", "#ord", *(f"k:{name}" for name in table.closing_columns)]
    extra: list[tuple[str, Sql]] = [
        (f"a{one.index}", one.argument) for one in table.aggregates if one.argument is not None
    ]
    if table.filter is not None:
        extra.append(("#filtered", table.filter))
    extra += [(f"#rule{i}", condition) for i, condition in table.rejects]
    shape = shaped(
        relation(_source_of_rows(names, table)),
        table.row_blocks,
        table.checks,
        table.layers,
        base=tuple(base),
        extra=tuple(extra),
    )
    statement, parameters = rendered(shape.select)
    staging.run(f"create or replace table {names.wide} as {statement}", parameters)
    if table.filter is not None:
        fates.leave_out(staging, names, f'select "#row" from {names.wide} where "#filtered"')
    for i, _ in table.rejects:
        rule = table.mapping.rejects[i]
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
        _check_constraints(staging, names, block, names.wide)


def _check_constraints(staging: Staging, names: Names, block: CompiledBlock, relation: str) -> None:
    """Run the target's own check constraints on the cells of a block."""
    cells = {cell.cell.column: cell for cell in block.cells}
    columns = []
    for column in block.target.columns:
        cell = cells.get(column.name)
        if cell is not None:
            columns.append(f"{quoted(f't{block.index}.{column.name}')} as {quoted(column.name)}")
    for check in block.target.checks:
        mentioned = [name for name in cells if re.search(rf"\b{re.escape(name)}\b", check.expression)]
        if not mentioned:
            continue
        lacking = {c.name for c in block.target.columns} - set(cells)
        nulls = [f"null as {quoted(name)}" for name in lacking if re.search(rf"\b{name}\b", check.expression)]
        rows = (
            f'select "#row" from (select "#row", {", ".join([*columns, *nulls])} from {relation}'
            f' where "w{block.index}" and "#fail" is null) where not ({check.expression})'
        )
        blamed = next((cells[name] for name in mentioned if cells[name].value.column), cells[mentioned[0]])
        fates.reject(
            staging,
            names,
            rows,
            RejectCode.CHECK_VIOLATION,
            column=blamed.value.column or blamed.cell.column,
            location=blamed.cell.location,
        )


def _group(staging: Staging, names: Names, table: CompiledTable) -> None:
    """Make `names.groups`, one row for each group of events that lives, under the number of its first opening event."""
    columns = [
        '"#group" as "#row"',
        'arg_min("#key", "#ord") as "#key"',
        'any_value("#bot") as "#bot"',
        'arg_min("#short", "#ord") as "#short"',
        *(f"arg_min_null({quoted(f'k:{name}')}, \"#ord\") as {quoted(f'k:{name}')}" for name in table.closing_columns),
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
        _check_constraints(staging, names, block, names.groups)
    reject_broken_groups(staging, names, table)


def _blocks(names: Names, table: CompiledTable) -> list[tuple[CompiledBlock, str, str]]:
    """Each block that makes rows of its own, with its relation and the condition under which it makes one."""
    found = []
    for block in table.row_blocks:
        merge = block.block.merge
        condition = f'r."w{block.index}"'
        if merge is not None and merge.only:
            continue
        if merge is not None:
            condition += f" and r.{quoted(f'n:{merge.into}')} is null"
        found.append((block, names.wide, condition))
    found += [(block, names.groups, f'r."w{block.index}"') for block in table.group_blocks]
    return found


def _reject_duplicates(staging: Staging, names: Names, table: CompiledTable) -> None:
    """Candidates that break a unique constraint of the target: all of them among themselves, and against earlier ones."""
    making = _blocks(names, table)
    for target in dict.fromkeys(block.target for block, _, _ in making):
        blocks = [one for one in making if one[0].target is target]
        for unique in target.unique or ():
            parts = []
            for block, relation, condition in blocks:
                shared = block.block.shared
                cells = {cell.cell.column: f"r.{quoted(f't{block.index}.{cell.cell.column}')}" for cell in block.cells}
                cells["bot_id"] = 'r."#bot"'
                if shared is not None and set(shared.by) == set(unique):
                    continue
                if all(name in cells for name in unique):
                    values = ", ".join(f"{cells[name]} as u{i}" for i, name in enumerate(unique))
                    parts.append(f'select r."#row", {values} from {relation} r where {condition} and {fates.living(names)}')
            if not parts:
                continue
            rows = " union all ".join(parts)
            keys = ", ".join(f"u{i}" for i in range(len(unique)))
            known = " and ".join(f"u{i} is not null" for i in range(len(unique)))
            on = " and ".join(f"c.{quoted(name)} = u{i}" for i, name in enumerate(unique))
            doubled = (
                f'select "#row" from ({rows}) where {known} and ({keys}) in'
                f" (select ({keys}) from ({rows}) where {known} group by {keys} having count(*) > 1)"
                f' union all select "#row" from ({rows}) join cand.{quoted(target.name)} c on {on}'
            )
            cell = next((c for b, _, _ in blocks for c in b.cells if c.cell.column == unique[-1]), None)
            column = None if cell is None else cell.value.column or cell.cell.column
            location = blocks[0][0].block.location if cell is None else cell.cell.location
            fates.reject(staging, names, doubled, RejectCode.DUPLICATE_TARGET, column=column, location=location)
    reject_broken_groups(staging, names, table)


def _make(staging: Staging, names: Names, table: CompiledTable) -> None:
    """Number and append the candidates; write the lineage."""
    staging.run(
        f'create or replace table {names.made} ("#row" bigint, block integer, target varchar, n bigint,'
        " outcome varchar, makes boolean, grouped boolean)"
    )
    for block, relation, condition in _blocks(names, table):
        target = block.target.name
        already = ""
        if block.block.shared is not None:
            already = (
                f" and not exists (select 1 from {names.found('#shared')} s where s.\"#row\" = r.\"#row\""
                f' and s.block = {block.index} and (s.n is not null or s.first_row <> r."#row"))'
            )
        grouped = "true" if block.block.grouped else "false"
        staging.run(
            f'insert into {names.made} select r."#row", {block.index}, {literal(target)},'
            f" {next_number(staging, target)} + row_number() over (order by r.\"#row\"), 'mapped', true, {grouped}"
            f" from {relation} r where {condition} and {fates.living(names)}{already}"
        )
        append(staging, names, block, relation)
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


def _counted(staging: Staging, names: Names, table: CompiledTable, staged: StagedTable) -> SourceCounts:
    """Count each outcome; raise where a row has none."""
    in_groups = ""
    closing = "false"
    if table.mapping.pair is not None:
        in_groups = (
            f' or exists (select 1 from {names.pairs} p join {names.made} m on m."#row" = p."#group"'
            " where p.\"#row\" = t.\"#row\" and p.\"#role\" = 'open')"
        )
        closing = (
            f'exists (select 1 from {names.pairs} p join {names.made} m on m."#row" = p."#group"'
            " where p.\"#row\" = t.\"#row\" and p.\"#role\" = 'close')"
        )
    outcome = (
        'select t."#row", t."#key", case when f.outcome is not null then f.outcome'
        f" when exists (select 1 from {names.made} m where m.\"#row\" = t.\"#row\" and m.outcome = 'mapped'){in_groups}"
        " then 'mapped'"
        f' when exists (select 1 from {names.made} m where m."#row" = t."#row") or {closing} then \'merged\' end as what'
        f' from {names.typed} t left join {names.fate} f on f."#row" = t."#row"'
    )
    found = dict(staging.rows(f"select what, count(*) from ({outcome}) group by 1"))
    counts = {str(what): int(str(number)) for what, number in found.items() if what is not None}
    unaccounted = int(str(found.get(None, 0)))
    if unaccounted:
        key = staging.value(f'select "#key" from ({outcome}) where what is null order by key_order("#key") limit 1')
        raise UsageError(
            Problem(
                code="unaccounted-rows",
                message=f"{unaccounted} rows of {names.source}.{names.table} become nothing, the first has the key {key}",
                hint="no `when` of the mapping holds for them: widen one, or leave them out with a `filter` and a reason",
                location=table.mapping.location,
            )
        )
    result = SourceCounts(
        source=names.source,
        table=names.table,
        read=staged.rows,
        mapped=counts.get("mapped", 0),
        merged=counts.get("merged", 0),
        rejected=counts.get("rejected", 0),
        filtered=counts.get("filtered", 0),
    )
    if result.residue:
        raise ConsolidateError(
            Problem(
                code="conservation",
                message=f"{names.source}.{names.table}: {staged.rows} rows read, {result.residue} of them unaccounted for",
                hint="this is a defect of consolidate; nothing was loaded",
            )
        )
    return result


def _roundings(staging: Staging, names: Names, table: CompiledTable) -> tuple[Rounding, ...]:
    found = []
    for blocks, relation in ((table.row_blocks, names.wide), (table.group_blocks, names.groups)):
        for block in blocks:
            for i, (column, rounded) in enumerate(block.rounded):
                change = quoted(f"r{block.index}.{i}")
                rows, largest = staging.rows(
                    f"select count(*), rtrim(rtrim(max({change})::varchar, '0'), '.') from {relation} r"
                    f" where {change} is not null and {fates.living(names)}"
                )[0]
                if rows:
                    found.append(
                        Rounding(
                            source=names.source,
                            table=names.table,
                            target=block.target.name,
                            column=column,
                            rows=int(str(rows)),
                            largest_change=str(largest),
                            location=rounded.location,
                        )
                    )
    return tuple(found)
