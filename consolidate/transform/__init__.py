"""Staged rows to candidates and rejects, in DuckDB: every source row has exactly one outcome."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from consolidate.model import Progress, SourceCounts
from consolidate.transform.bots import BotConfiguration, BotRow, add_bots, made_bots
from consolidate.transform.bots_of_rows import finish_bots, open_ids
from consolidate.transform.candidates import create_candidates
from consolidate.transform.graph import write_references
from consolidate.transform.measured import create_measured
from consolidate.transform.names import Names
from consolidate.transform.notices import create_notices, write_absences, write_notices
from consolidate.transform.orphans import open_orphans, settle
from consolidate.transform.residual import write_residuals
from consolidate.transform.rows import leave_empty, transform_table
from consolidate.transform.source import Routing, TransformSource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consolidate.mapping.table import CompiledTable
    from consolidate.model import Rounding, StagedTable
    from consolidate.staging import Staging
    from consolidate.transform.orphans import Held

__all__ = ["BotConfiguration", "BotRow", "Routing", "TransformSource", "Transformed", "made_bots", "transform"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformed:
    """What became of all sources: a balance sheet a table, and what was rounded. The rows are in `cand` and `rej`."""

    counts: tuple[SourceCounts, ...]
    roundings: tuple[Rounding, ...]


def transform(
    staging: Staging,
    sources: Sequence[TransformSource],
    bots: Sequence[BotRow],
    observe: Callable[[Progress], None] = lambda _: None,
    held: Held | None = None,
) -> Transformed:
    """Make candidates and rejects of all staged sources, in their order: of rows that several may bring the first wins.

    Leaves `cand."<table>"` for each table of the target, `cand."#lineage"`, `cand."#held"`, `rej.rejects`,
    `rej.notices`, `rej.orphans` and `rej.references`. `held` says which of the rows that candidates point at the target
    has; without it only candidates count. Raises `UsageError` where a row is neither mapped nor left out by a rule of
    its mapping.
    """
    open_orphans(staging, sources)
    open_ids(staging, [bot.id for bot in bots])
    counts: dict[Names, SourceCounts] = {}
    roundings: list[Rounding] = []
    for turn in count():
        create_candidates(staging)
        create_notices(staging)
        create_measured(staging)
        roundings.clear()
        for source in sources:
            _transform_source(staging, source, counts, roundings, observe)
        if not settle(staging, sources, held, turn):
            break
    for source in sources:
        finish_bots(staging, source)
    for source in sources:
        for table in source.compiled.tables:
            if any(
                one.table == table.mapping.table and not _is_idle(source, table, one) for one in source.staged.tables
            ):
                write_residuals(staging, source.name, table)
                write_notices(staging, source.name, table)
    add_bots(staging, tuple(bots))
    write_references(staging, sources)
    return Transformed(counts=tuple(counts.values()), roundings=tuple(roundings))


def _transform_source(
    staging: Staging,
    source: TransformSource,
    counts: dict[Names, SourceCounts],
    roundings: list[Rounding],
    observe: Callable[[Progress], None],
) -> None:
    """Transform the tables of a source in their order; `counts` and `roundings` are given what became of each."""
    staged = {table.table: table for table in source.staged.tables}
    absent = [one for one in source.compiled.system.absentable if one.name not in staged]
    write_absences(staging, source.name, absent)
    for table in source.compiled.tables:
        names = Names(source=source.name, table=table.mapping.table)
        found = staged.get(table.mapping.table)
        if found is None or _is_idle(source, table, found):
            leave_empty(staging, names, table)
            if found is not None:
                counts[names] = SourceCounts(source=source.name, table=found.table, read=0)
            continue
        subject = f"{source.name}.{found.table}"
        observe(Progress(stage="transform", subject=subject, done=0, total=found.rows))
        result = transform_table(staging, source.name, table, found, source.routing, source.compiled, frozenset(staged))
        counts[names] = result.counts
        roundings.extend(result.roundings)
        observe(Progress(stage="transform", subject=subject, done=found.rows, total=found.rows))


def _is_idle(source: TransformSource, table: CompiledTable, staged: StagedTable) -> bool:
    """Whether there is nothing to transform: no rows, and nothing that asks what they say or what others made."""
    bots = source.compiled.system.bots_table
    return not staged.rows and not table.warns and (bots is None or bots.table != staged.table)
