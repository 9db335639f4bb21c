"""What became of the rows of a source table: each counted under its one outcome, and what was rounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consolidate.errors import ConsolidateError, Problem, UsageError
from consolidate.mapping.language import ARCHIVE
from consolidate.model import Rounding, SourceCounts
from consolidate.staging import literal, quoted
from consolidate.transform.fates import living

if TYPE_CHECKING:
    from consolidate.mapping.table import CompiledTable
    from consolidate.model import StagedTable
    from consolidate.staging import Staging
    from consolidate.transform.names import Names


def counted(staging: Staging, names: Names, table: CompiledTable, staged: StagedTable) -> SourceCounts:
    """Count each outcome. Raises `UsageError` where a row has none: no block applies and no rule leaves it out."""
    in_groups = ""
    closing = "false"
    if table.mapping.pair is not None:
        in_groups = (
            f' or exists (select 1 from {names.pairs} p join {names.made} m on m."#row" = p."#group"'
            ' where p."#row" = t."#row" and p."#role" = \'open\')'
        )
        closing = (
            f'exists (select 1 from {names.pairs} p join {names.made} m on m."#row" = p."#group"'
            ' where p."#row" = t."#row" and p."#role" = \'close\')'
        )
    whole = f"m.target = {literal(ARCHIVE)} and m.outcome = 'mapped'"
    outcome = (
        'select t."#row", t."#key", case when f.outcome is not null then f.outcome'
        f' when exists (select 1 from {names.made} m where m."#row" = t."#row" and {whole}) then \'archived\''
        f' when exists (select 1 from {names.made} m where m."#row" = t."#row" and m.outcome = \'mapped\'){in_groups}'
        " then 'mapped'"
        f' when exists (select 1 from {names.made} m where m."#row" = t."#row") or {closing} then \'merged\' end'
        " as what"
        f' from {names.typed} t left join {names.fate} f on f."#row" = t."#row"'
    )
    found = staging.rows(f"select coalesce(what, ''), count(*) from ({outcome}) group by 1")
    counts = {str(what): int(str(number)) for what, number in found}
    unaccounted = counts.get("", 0)
    if unaccounted:
        key = staging.value(f'select "#key" from ({outcome}) where what is null order by key_order("#key") limit 1')
        raise UsageError(
            Problem(
                code="unaccounted-rows",
                message=f"{unaccounted} rows of {names.source}.{names.table} become nothing, the first has key {key}",
                hint="no `when` of the mapping holds for them: widen one, or add a `filter` with a reason",
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
        archived=counts.get("archived", 0),
    )
    if result.residue:
        raise ConsolidateError(
            Problem(
                code="conservation",
                message=f"{names.source}.{names.table}: of {staged.rows} rows read, {result.residue} are lost",
                hint="this is a defect of consolidate; nothing was loaded",
            )
        )
    return result


def roundings(staging: Staging, names: Names, table: CompiledTable) -> tuple[Rounding, ...]:
    """What each `round` of the mapping changed in the rows that made something."""
    found = []
    for blocks, relation in ((table.row_blocks, names.wide), (table.group_blocks, names.groups)):
        for block in blocks:
            for i, (column, rounded) in enumerate(block.rounded):
                change = quoted(f"r{block.index}.{i}")
                rows, largest = staging.rows(
                    f"select count(*), rtrim(rtrim(max({change})::varchar, '0'), '.') from {relation} r"
                    f" where {change} is not null and {living(names)}"
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
