"""A whole system, compiled: its tables in the order in which they are transformed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from consolidate.mapping.compile_references import compile_reference
from consolidate.mapping.compile_table import compile_table
from consolidate.mapping.made_bots import MadeBots

if TYPE_CHECKING:
    from consolidate.mapping.compile_references import CompiledReference
    from consolidate.mapping.language import SystemMapping
    from consolidate.mapping.table import CompiledTable
    from consolidate.mapping.yaml import Problems


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledSystem:
    """A system and its compiled tables, in order; what it says of references that lead nowhere, compiled.

    `made` is what was said of the bots that its rows become.
    """

    system: SystemMapping
    tables: tuple[CompiledTable, ...]
    references: tuple[CompiledReference, ...]
    made: MadeBots = field(default_factory=MadeBots)


def compile_system(
    system: SystemMapping, *, zone: str | None, problems: Problems, made: MadeBots | None = None
) -> CompiledSystem:
    """Compile every table of a system for a source in this time zone; mistakes are noted in `problems`.

    `made`: what the project file says of the bots that rows become.
    """
    of_rows = MadeBots() if made is None else made
    tables: list[CompiledTable] = []
    for mapping in system.tables:
        before = tuple(table.mapping.table for table in tables)
        compiled = compile_table(mapping, system, zone=zone, before=before, problems=problems, made=of_rows)
        if compiled is not None:
            tables.append(compiled)
    references = tuple(compile_reference(policy, system, zone, problems) for policy in system.references)
    return CompiledSystem(system=system, tables=tuple(tables), references=references, made=of_rows)
