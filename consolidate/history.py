"""What the ledger of a target tells, and the undoing of a run: `runs`, `rejects`, `rollback`."""

from __future__ import annotations

import difflib
import secrets
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import islice
from typing import TYPE_CHECKING, Final

from consolidate import exports
from consolidate.destination import opened
from consolidate.errors import Problem, UsageError
from consolidate.model import KeptRejects, Notice, RollbackReport

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from consolidate.destination import Destination
    from consolidate.model import LedgerRun
    from consolidate.project import Project
    from consolidate.target.rollback import Undone
    from consolidate.target.transaction import Connection

LATEST: Final = "latest"
"""Accepted in place of a run's id: the last run that is loaded, wholly or in part."""

DEFAULT_LIMIT: Final = 20
_WHAT: Final = "the target"
_LOADED: Final = ("loaded", "partly_rolled_back")


def runs(project: Project) -> tuple[LedgerRun, ...]:
    """The ledger of the project's target, the newest run first; none where the target has no schema yet."""
    with _connected(project) as (connection, _):
        return _runs(connection)


def rejects(
    project: Project,
    run_id: str,
    *,
    table: str | None = None,
    code: str | None = None,
    limit: int = DEFAULT_LIMIT,
    export: Path | None = None,
) -> KeptRejects:
    """What a run rejected, as the target keeps it: counts, the first `limit` rows, and all of them in `export`.

    `table` ("trades" or "mybot.trades") and `code` choose among them. The file is Parquet, CSV or JSON lines, by its
    suffix, and is replaced if it is there. Raises `UsageError` for an unknown run or suffix.
    """
    form = None if export is None else exports.form_of(export)
    with _connected(project) as (connection, _):
        from consolidate.target import runs as ledger_runs  # noqa: PLC0415 - so that a project can be read without it

        run = _chosen(_runs(connection), run_id, loaded_only=False)
        found = KeptRejects(
            run_id=run.run_id,
            groups=ledger_runs.reject_groups(connection, run.run_id, table=table, code=code),
            rejects=tuple(
                islice(ledger_runs.rejects(connection, run.run_id, table=table, code=code, limit=limit), limit)
            ),
        )
        if export is None or form is None:
            return found
        exports.write(export, form, ledger_runs.rejects(connection, run.run_id, table=table, code=code))
        return replace(found, exported=export)


def chosen_run(connection: Connection, run_id: str) -> LedgerRun:
    """The loaded run with this id, or the last one for `LATEST`.

    Raises `UsageError` with the nearest where there is none.
    """
    return _chosen(_runs(connection), run_id, loaded_only=True)


def rollback(project: Project, run_id: str, bot: str | None = None) -> RollbackReport:
    """Put every unified table back to what it held before the run; with `bot`, the rows of that bot alone.

    Ids drawn from sequences, rejects and the ledger are not undone: the ledger tells of the run and of the rollback.
    Raises `UsageError` for a run or bot that is not there or has been rolled back already, `ConflictError` naming the
    rows that later runs or bots changed (nothing is undone then) or when another run holds the target,
    `UnreachableError` where the target cannot be reached or written.
    """
    began = time.perf_counter()
    started = datetime.now(UTC)
    with _connected(project) as (connection, destination):
        from consolidate.target import ledger  # noqa: PLC0415 - as above
        from consolidate.target.transaction import transaction  # noqa: PLC0415 - as above

        run = _chosen(_runs(connection), run_id, loaded_only=True)
        record = ledger.RunRecord(
            run_id=f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}",
            command="rollback",
            started_at=started,
            tool_version=version("consolidate"),
            undone_run_id=run.run_id,
        )
        with transaction(connection, run_id=record.run_id, record=record):
            run = _chosen(_runs(connection), run.run_id, loaded_only=True)  # nobody else changes it from here on
            undone = _undone(connection, run, bot)
            report = _report(run, record.run_id, bot, undone, destination)
            report = replace(report, seconds=round(time.perf_counter() - began, 3))
            ledger.finish_rollback(
                connection,
                record,
                status=report.status,
                restored=sum(table.restored for table in report.tables),
                removed=sum(table.removed for table in report.tables),
                report=_document(report),
            )
    return report


def _undone(connection: Connection, run: LedgerRun, bot: str | None) -> Undone:
    from consolidate.target import load  # noqa: PLC0415 - as above
    from consolidate.target import rollback as undoing  # noqa: PLC0415 - as above

    if bot is not None:
        undoing.name_rows(connection, run.run_id, None)
        bots = undoing.bots_of(connection)
        undoing.forget_rows(connection)
        _require_bot(run, bot, bots)
    undoing.name_rows(connection, run.run_id, bot)
    undone = undoing.undo(connection, run.run_id)
    if undone.tables:
        load.refresh_views(connection)
    return undone


def _require_bot(run: LedgerRun, bot: str, bots: tuple[str, ...]) -> None:
    if bot in bots:
        return
    if bot in run.bots:
        problem = Problem(
            code="nothing-to-roll-back",
            message=f"run {run.run_id} has no rows of {bot!r} (any more): they were rolled back, or it loaded none",
            hint="`consolidate runs` lists what was rolled back",
        )
    else:
        problem = Problem(
            code="unknown-bot",
            message=f"run {run.run_id} loaded no rows of a bot {bot!r}",
            hint=_nearest(bot, bots) or f"it has rows of: {', '.join(bots) or 'no bot'}",
        )
    raise UsageError(problem)


def _report(
    run: LedgerRun, rollback_id: str, bot: str | None, undone: Undone, destination: Destination
) -> RollbackReport:
    notices = []
    if undone.missing:
        notices.append(
            Notice(
                code="deleted_already",
                message=f"{undone.missing} rows that the run inserted had been deleted in the target already",
            )
        )
    kept = sum(table.kept for table in undone.tables)
    if kept:
        notices.append(
            Notice(code="shared_kept", message=f"{kept} candles stay, because other runs brought them as well")
        )
    return RollbackReport(
        run_id=run.run_id,
        rollback_id=rollback_id,
        bot=bot,
        status="partly_rolled_back" if undone.is_left else "rolled_back",
        target=destination.shown,
        tables=undone.tables,
        notices=tuple(notices),
    )


def _document(report: RollbackReport) -> str:
    from consolidate.report import document, history  # noqa: PLC0415 - as above

    return document.text_of(history.rollback(report))


@contextmanager
def _connected(project: Project) -> Iterator[tuple[Connection, Destination]]:
    from consolidate.postgres import check_server, connect  # noqa: PLC0415 - as above
    from consolidate.target.transaction import told  # noqa: PLC0415 - as above

    with opened(project) as destination, connect(destination.dsn, what=_WHAT) as connection:
        check_server(connection, _WHAT)
        with told(connection):
            yield connection, destination


def _runs(connection: Connection) -> tuple[LedgerRun, ...]:
    from consolidate.target import runs as ledger_runs  # noqa: PLC0415 - as above
    from consolidate.target import schema  # noqa: PLC0415 - as above

    match schema.state(connection):
        case schema.Absent():
            return ()
        case schema.Differing(differences=found):
            raise schema.refused(found)
        case _:
            return ledger_runs.runs(connection)


def _chosen(known: tuple[LedgerRun, ...], run_id: str, *, loaded_only: bool) -> LedgerRun:
    of_runs = [run for run in known if run.command != "rollback"]
    if run_id == LATEST:
        run = next((run for run in of_runs if run.status in _LOADED), None)
        if run is None:
            raise UsageError(
                Problem(
                    code="no-run",
                    message="the target has no loaded run",
                    hint="`consolidate runs` lists the ledger, `consolidate run` loads",
                )
            )
        return run
    run = next((run for run in of_runs if run.run_id == run_id), None)
    if run is None:
        raise UsageError(_unknown(run_id, known))
    if loaded_only and run.status not in _LOADED:
        raise UsageError(_not_loaded(run, known))
    return run


def _unknown(run_id: str, known: tuple[LedgerRun, ...]) -> Problem:
    of_rollback = next((run for run in known if run.run_id == run_id), None)
    if of_rollback is not None:
        return Problem(
            code="not-a-run",
            message=f"{run_id!r} is itself the rollback of run {of_rollback.undone_run_id}",
            hint="a rollback is undone by running again: `consolidate run`",
        )
    nearest = _nearest(run_id, (run.run_id for run in known if run.command != "rollback"))
    return Problem(
        code="unknown-run",
        message=f"the target knows no run {run_id!r}",
        hint=nearest or "`consolidate runs` lists them; `latest` is the last one loaded",
    )


def _not_loaded(run: LedgerRun, known: tuple[LedgerRun, ...]) -> Problem:
    if run.status == "rolled_back":
        by = next((one for one in known if one.undone_run_id == run.run_id and one.status == "done"), None)
        when = "" if by is None else f" by {by.run_id} at {by.finished_at}"
        return Problem(
            code="rolled-back-already",
            message=f"run {run.run_id} has been rolled back already{when}",
            hint="`consolidate run` loads it again",
        )
    return Problem(
        code="not-loaded",
        message=f"run {run.run_id} loaded nothing: it is {run.status}",
        hint="there is nothing to undo; `consolidate runs` lists the ledger",
    )


def _nearest(word: str, known: Iterable[str]) -> str | None:
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"did you mean {found[0]!r}?" if found else None
