"""References that the target alone answers: asked of it for a run, kept as evidence, proved again before a load."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from consolidate.destination import EMBEDDED_FOLDER, opened
from consolidate.errors import ConflictError, Problem
from consolidate.mapping.references import references
from consolidate.postgres import connect
from consolidate.target import schema
from consolidate.target.answers import owners
from consolidate.transform.orphans import read_held

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from consolidate.project import Project
    from consolidate.staging import Staging
    from consolidate.target.transaction import Connection
    from consolidate.transform.orphans import Held

FILE: Final = "held.jsonl"
"""A file of a run and of its evidence: the rows of the target that candidates point at. A line: table, id, bot."""


def of_target(dsn: str) -> Held:
    """Ask the target, in a session of its own, and only where something is to be asked."""

    def held(table: str, column: str, ids: Sequence[str]) -> list[tuple[str, str | None]]:
        with connect(dsn, what="the target") as connection:
            if isinstance(schema.state(connection), schema.Absent):
                return []
            return list(owners(connection, table, column, ids))

    return held


@contextmanager
def if_asked(project: Project) -> Iterator[Held]:
    """Ask the target of the project, which is opened only where something is to be asked, and closed in the end.

    An embedded one that was never made is not made for that: it has no rows.
    """
    with ExitStack() as stack:
        there: list[Held] = []

        def held(table: str, column: str, ids: Sequence[str]) -> list[tuple[str, str | None]]:
            if project.target is None and not (project.state_folder / EMBEDDED_FOLDER).is_dir():
                return []
            if not there:
                there.append(of_target(stack.enter_context(opened(project)).dsn))
            return list(there[0](table, column, ids))

        yield held


def of_file(file: Path) -> Held:
    """What the target answered when the file was written; nothing where there is none."""
    known: dict[tuple[str, str], str | None] = {}
    if file.is_file():
        for line in file.read_text(encoding="utf-8").splitlines():
            one = json.loads(line)
            known[one["table"], one["id"]] = one["bot_id"]

    def held(table: str, _: str, ids: Sequence[str]) -> list[tuple[str, str | None]]:
        return [(one, known[table, one]) for one in ids if (table, one) in known]

    return held


def write(staging: Staging, file: Path) -> None:
    """Write what the target answered; no file where it answered nothing."""
    rows = read_held(staging)
    if rows:
        lines = (json.dumps({"table": table, "id": one, "bot_id": bot}, ensure_ascii=False) for table, one, bot in rows)
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", errors="backslashreplace")


def require_held(staging: Staging, connection: Connection) -> None:
    """Prove in the transaction of a load that the target still has every row that candidates point at.

    Raises `ConflictError` where one was taken out, or is another bot's now.
    """
    columns = {one.to_table: one.to_column for one in references()}
    found = read_held(staging)
    for table in dict.fromkeys(table for table, _, _ in found):
        before = {one: bot for its, one, bot in found if its == table}
        now = dict(owners(connection, table, columns[table], list(before)))
        gone = sorted(one for one, bot in before.items() if one not in now or now[one] != bot)
        if gone:
            raise ConflictError(
                Problem(
                    code="reference-gone",
                    message=f"{table} has no {columns[table]} {gone[0]!r} any more, and rows of this run point at it"
                    + (f" ({len(gone)} such rows)" if len(gone) > 1 else ""),
                    hint="something else changed the target since it was read: plan or run again",
                )
            )
