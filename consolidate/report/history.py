"""The ledger, the quarantine and rollbacks, as documents for machines and as texts for people. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich import box
from rich.table import Table
from rich.text import Text

from consolidate.errors import ExitCode
from consolidate.report.cells import count, quoted, rows, safe
from consolidate.report.cells import plain as name
from consolidate.report.document import refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from consolidate.model import KeptReject, KeptRejects, LedgerRun, RollbackReport
    from consolidate.report.document import Document

ROLLBACK: Final = "consolidate.rollback/1"
RUNS: Final = "consolidate.runs/1"
REJECTS: Final = "consolidate.rejects/1"

_BAD: Final = ("interrupted", "failed", "refused")
_STYLES: Final = {"loaded": "green", "done": "green", "running": "yellow", **dict.fromkeys(_BAD, "red")}


def rollback(report: RollbackReport) -> Document:
    """A rollback that was done."""
    return {
        **refusal(ROLLBACK, "rollback", ExitCode.DONE, ()),
        "run_id": report.run_id,
        "rollback_id": report.rollback_id,
        "bot": report.bot,
        "status": report.status,
        "target": report.target,
        "tables": [
            {"table": one.table, "removed": one.removed, "restored": one.restored, "kept": one.kept}
            for one in report.tables
        ],
        "notices": [{"code": notice.code, "message": notice.message} for notice in report.notices],
        "seconds": report.seconds,
    }


def rollback_text(report: RollbackReport) -> Iterator[RenderableType]:
    """What was undone, table by table, and how it ended."""
    if report.tables:
        table = _table("table", "- removed", "~ restored", "= kept")
        for one in report.tables:
            table.add_row(Text(one.table), count(one.removed), count(one.restored), count(one.kept))
        yield table
    for notice in report.notices:
        yield Text(safe(f"note[{notice.code}]: {notice.message}"), style="yellow")
    removed, restored = sum(one.removed for one in report.tables), sum(one.restored for one in report.tables)
    of = f"run {report.run_id}" if report.bot is None else f"bot {name(report.bot)} of run {report.run_id}"
    yield Text(
        safe(f"rolled back {of}: {rows(removed)} removed, {rows(restored)} restored in {report.target}"),
        style="bold green",
    )
    if report.status == "partly_rolled_back":
        yield Text("the other rows of the run stay; `consolidate rollback RUN` without --bot takes them out too")


def runs(found: tuple[LedgerRun, ...]) -> Document:
    """The ledger."""
    return {
        **refusal(RUNS, "runs", ExitCode.DONE, ()),
        "runs": [
            {
                "run_id": run.run_id,
                "command": run.command,
                "status": run.status,
                "started_at": run.started_at,
                "finished_at": run.finished_at,
                "inserted": run.inserted,
                "updated": run.updated,
                "deleted": run.deleted,
                "unchanged": run.unchanged,
                "rejected": run.rejected,
                "bots": list(run.bots),
                "undone_run_id": run.undone_run_id,
            }
            for run in found
        ],
    }


def runs_text(found: tuple[LedgerRun, ...]) -> Iterator[RenderableType]:
    """The ledger as a table, the newest run first."""
    if not found:
        yield Text("the ledger is empty: nothing was loaded yet")
        return
    table = _table(
        "run",
        "when (UTC)",
        "command",
        "status",
        "+ insert",
        "~ update",
        "- delete",
        "= unchanged",
        "rejected",
        "bots",
        texts=4,
    )
    for run in found:
        undone = "" if run.undone_run_id is None else f" of {run.undone_run_id}"
        table.add_row(
            Text(name(run.run_id)),
            Text(run.started_at[:19].replace("T", " ")),
            Text(name(run.command) + name(undone)),
            Text(run.status, style=_STYLES.get(run.status, "")),
            count(run.inserted),
            count(run.updated),
            count(run.deleted),
            count(run.unchanged),
            count(run.rejected),
            Text(", ".join(name(bot) for bot in run.bots)),
        )
    yield table


def rejects(found: KeptRejects) -> Document:
    """The rejects of a run: counts of all, and the rows that were asked for."""
    return {
        **refusal(REJECTS, "rejects", ExitCode.DONE, ()),
        "run_id": found.run_id,
        "count": sum(group.count for group in found.groups),
        "groups": [
            {"source": group.source, "table": group.table, "code": group.code, "count": group.count}
            for group in found.groups
        ],
        "rejects": [
            {
                "source": one.source,
                "table": one.table,
                "key": one.key,
                "code": one.code,
                "column": one.column,
                "value": one.value,
                "location": one.location,
                "row": one.row,
            }
            for one in found.rejects
        ],
        "exported": None if found.exported is None else str(found.exported),
    }


def rejects_text(found: KeptRejects) -> Iterator[RenderableType]:
    """The rejects by code, with the first of them."""
    total = sum(group.count for group in found.groups)
    if not total:
        yield Text(safe(f"run {found.run_id} has no such rejects"))
        return
    table = _table("code", "source table", "rejects", texts=2)
    for group in found.groups:
        table.add_row(Text(group.code), Text(f"{name(group.source)}.{name(group.table)}"), count(group.count))
    yield table
    for one in found.rejects:
        yield Text(_line(one))
    if len(found.rejects) < total and found.exported is None:
        left = rows(total - len(found.rejects), "more reject")
        yield Text(f"… and {left}: `--limit N` shows N, `--export FILE` writes all of them", style="dim")
    if found.exported is not None:
        yield Text(safe(f"{rows(total, 'reject')} written to {found.exported}"), style="green")


def _line(one: KeptReject) -> str:
    cell = "" if one.column is None else f" {name(one.column)} = {quoted(one.value)}"
    where = "" if one.location is None else f"  ({safe(one.location)})"
    return f"{name(one.source)}.{name(one.table)} {name(one.key or 'null')}: {one.code}{cell}{where}"


def _table(*headings: str, texts: int = 1) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for number, heading in enumerate(headings):
        if number < texts or heading == "bots":
            table.add_column(heading, overflow="fold")
        else:
            table.add_column(heading, justify="right", no_wrap=True)
    return table
