"""Reading a prepared source into staging: which tables, by its mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consolidate.extract import extract, survey

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from consolidate.model import Progress, StagedSource
    from consolidate.preparation import PreparedSource
    from consolidate.staging import Staging


def read_source(
    source: PreparedSource, staging: Staging, folder: Path, observe: Callable[[Progress], None]
) -> StagedSource:
    """Stage every mapped table of a store, of one moment; `optional` tables may be missing, ignored ones are counted.

    Raises as `consolidate.extract.extract`.
    """
    tables = tuple(table.mapping.table for table in source.compiled.tables)
    if source.system.optional:
        there = {one.table for one in survey(source.request(()))}
        tables = tuple(name for name in tables if name in there or name not in source.system.optional)
    ignored = tuple(one.name for one in source.system.ignored)
    return extract(source.request(tables, ignored), staging, folder, observe)
