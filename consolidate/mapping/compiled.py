"""A whole system, compiled: its tables in the order in which they are transformed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from consolidate.mapping.compile_table import compile_table

if TYPE_CHECKING:
    from consolidate.mapping.language import SystemMapping
    from consolidate.mapping.table import CompiledTable
    from consolidate.mapping.yaml import Problems


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledSystem:
    """A system and its compiled tables, in order."""

    system: SystemMapping
    tables: tuple[CompiledTable, ...]


def compile_system(system: SystemMapping, *, zone: str | None, problems: Problems) -> CompiledSystem:
    """Compile every table of a system for a source in this time zone; mistakes are noted in `problems`."""
    tables: list[CompiledTable] = []
    for mapping in system.tables:
        before = tuple(table.mapping.table for table in tables)
        compiled = compile_table(mapping, system, zone=zone, before=before, problems=problems)
        if compiled is not None:
            tables.append(compiled)
    return CompiledSystem(system=system, tables=tuple(tables))
