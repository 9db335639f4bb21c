"""Staged rows to candidates and rejects, in DuckDB: every source row has exactly one outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from consolidate.model import Progress, Rounding, SourceCounts
from consolidate.transform.bots import BotConfiguration, BotRow, add_bots, made_bots
from consolidate.transform.bots_of_rows import finish_bots, open_ids
from consolidate.transform.candidates import create_candidates
from consolidate.transform.measured import create_measured
from consolidate.transform.names import Names
from consolidate.transform.notices import create_notices, write_notices
from consolidate.transform.residual import write_residuals
from consolidate.transform.rows import leave_empty, transform_table
from consolidate.transform.source import Routing, TransformSource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consolidate.mapping.table import CompiledTable
    from consolidate.model import StagedTable
    from consolidate.staging import Staging

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
) -> Transformed:
    """Make candidates and rejects of all staged sources, in their order: of rows that several may bring the first wins.

    Leaves `cand."<table>"` for each table of the target, `cand."#lineage"`, `rej.rejects` and `rej.notices`. Raises
    `UsageError` where a row is neither mapped nor left out by a rule of its mapping.
    """
    create_candidates(staging)
    create_notices(staging)
    open_ids(staging, [bot.id for bot in bots])
    create_measured(staging)
    counts: list[SourceCounts] = []
    roundings: list[Rounding] = []
    for source in sources:
        staged = {table.table: table for table in source.staged.tables}
        for table in source.compiled.tables:
            found = staged.get(table.mapping.table)
            if found is None or _is_idle(table, found):
                leave_empty(staging, Names(source=source.name, table=table.mapping.table), table)
                if found is not None:
                    counts.append(SourceCounts(source=source.name, table=found.table, read=0))
                continue
            subject = f"{source.name}.{found.table}"
            observe(Progress(stage="transform", subject=subject, done=0, total=found.rows))
            result = transform_table(staging, source.name, table, found, source.routing, source.compiled)
            counts.append(result.counts)
            roundings.extend(result.roundings)
            observe(Progress(stage="transform", subject=subject, done=found.rows, total=found.rows))
    for source in sources:
        finish_bots(staging, source)
    for source in sources:
        for table in source.compiled.tables:
            if any(one.table == table.mapping.table and not _is_idle(table, one) for one in source.staged.tables):
                write_residuals(staging, source.name, table)
                write_notices(staging, source.name, table)
    add_bots(staging, tuple(bots))
    return Transformed(counts=tuple(counts), roundings=tuple(roundings))


def _is_idle(table: CompiledTable, staged: StagedTable) -> bool:
    """Whether there is nothing to transform: no rows, and no rule that looks at what others made."""
    return not staged.rows and not table.warns
