"""What the target answers to references: whether it has the rows that candidates of a run point at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consolidate.relations import unified
from consolidate.staging import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from consolidate.target.transaction import Connection

_AT_ONCE: Final = 50_000


def owners(connection: Connection, table: str, column: str, ids: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Of these texts in a column of a unified table, those that are there, with the bot of their row."""
    names = f"t.{quoted(column)}, t.bot_id from {unified(table)} t where t.{quoted(column)}"
    for start in range(0, len(ids), _AT_ONCE):
        asked = [one for one in ids[start : start + _AT_ONCE] if "\0" not in one]
        for found, bot in connection.execute(f"select {names} = any(%s)".encode(), [asked]):
            yield str(found), None if bot is None else str(bot)
