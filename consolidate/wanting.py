"""Which single rows a person asks to see: names of tables and bots, checked before anything is read."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import TYPE_CHECKING

from consolidate.errors import Problem, UsageError
from consolidate.target.contract import expected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consolidate.model import RowsWanted


def known(wanted: RowsWanted, bots: Sequence[str] | None) -> RowsWanted:
    """The rows that are wanted, by the table's full name. Raises `UsageError` for an unknown table or bot.

    `bots` None: which there are is not known yet.
    """
    tables = [table.name for table in expected().tables]
    full = {wanted.table, *(name for name in tables if name.partition(".")[2] == wanted.table)} & set(tables)
    problems = []
    if wanted.table is not None and not full:
        problems.append(_unknown("table", wanted.table, tables))
    if wanted.bot is not None and bots is not None and wanted.bot not in bots:
        problems.append(_unknown("bot", wanted.bot, bots))
    if problems:
        raise UsageError(*problems)
    return replace(wanted, table=next(iter(full), None))


def _unknown(kind: str, name: str, there: Sequence[str]) -> Problem:
    near = difflib.get_close_matches(name, there, n=1)
    return Problem(
        code=f"unknown-{kind}",
        message=f"there is no {kind} {name!r}",
        hint=f"did you mean `--{kind} {near[0]}`?" if near else f"there are: {', '.join(sorted(there)[:20])}",
    )
