"""Names of the relations that stages share: candidates, lineage and rejects in DuckDB, unified tables in PostgreSQL."""

from __future__ import annotations

from typing import Final

from consolidate.staging import quoted

LINEAGE: Final = 'cand."#lineage"'
REJECTS: Final = "rej.rejects"
HELD_LINEAGE: Final = 'work."held lineage"'
STORED_KEY: Final = "replace(l.source_key, chr(0), chr(9216))"
"""DuckDB SQL for the key of a lineage row `l` as PostgreSQL can hold it: U+2400 in place of NUL."""


def candidates(table: str) -> str:
    """The DuckDB table with the candidates of a unified table ("trading.trades")."""
    return f"cand.{quoted(table)}"


def work(topic: str, table: str) -> str:
    """A DuckDB work table about a unified table."""
    return f"work.{quoted(f'{topic} {table}')}"


def unified(table: str) -> str:
    """A unified table as a quoted identifier of PostgreSQL."""
    schema, _, name = table.partition(".")
    return f"{quoted(schema)}.{quoted(name)}"
