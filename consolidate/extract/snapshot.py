"""Stage a snapshot source: JSON and CSV files that a bot or its operator left in a folder."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from consolidate.extract.snapshot_csv import stage_csv
from consolidate.extract.snapshot_files import broken, folders_beside, found, matching, refuse_changed
from consolidate.extract.snapshot_json import stage_json
from consolidate.extract.staged import missing_table
from consolidate.model import SourceKind, StagedSource, UnreadTable
from consolidate.staging import Staging

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consolidate.extract.snapshot_files import SnapshotFile
    from consolidate.model import ExtractRequest, Progress, SnapshotTable, StagedTable


def extract(
    request: ExtractRequest, staging: Staging, workdir: Path, observe: Callable[[Progress], None]
) -> StagedSource:
    """Stage the tables of `request`; see `consolidate.extract.extract`.

    Every staged table also has `"#file"` (the file's name within the folder), a table from JSON also `"#defect"`
    (null, or `duplicate_key:<name>` where the row's object names a member twice: its value is then that of the
    first). Rows are numbered by file name, then by their order in the file. A table without any file has no rows.
    """
    by_name = {table.name: table for table in request.snapshots}
    for name in request.tables:
        if name not in by_name:
            raise missing_table(request, name, by_name)
    files = found(request)
    used = {file.name for table in request.snapshots for file in matching(files, table)}
    if request.snapshots and not used:
        patterns = ", ".join(sorted({table.files for table in request.snapshots}))
        raise broken(
            request.source,
            "no-snapshot-found",
            f"no snapshot found: none of the {len(files)} files at {request.path} is named like {patterns}",
            "correct `path:` of the source, or `files:` in its mapping",
        )
    staged, members = _stage(request, files, staging, workdir, observe)
    refuse_changed(request.source, (file for file in files if file.name in used))
    unread = [_unread(request.source, table) for name, table in staged.items() if name not in request.tables]
    for name in staged.keys() - set(request.tables):
        staging.run(f"drop table {staged[name].relation}")
    unread += members
    unread += [
        UnreadTable(source=request.source, table=file.name, rows=0, kind="file", columns=())
        for file in files
        if file.name not in used
    ]
    unread += [
        UnreadTable(source=request.source, table=name, rows=count, kind="folder", columns=())
        for name, count in folders_beside(request)
    ]
    return StagedSource(
        source=request.source,
        kind=SourceKind.SNAPSHOT,
        origin=str(request.path),
        tables=tuple(staged[name] for name in request.tables),
        unread=tuple(unread),
        bytes_read=sum(file.size for file in files if file.name in used),
    )


def survey(request: ExtractRequest) -> tuple[UnreadTable, ...]:
    """List and count all that the files hold, parsing them but keeping nothing; see `consolidate.extract.survey`."""
    with tempfile.TemporaryDirectory(prefix="consolidate-") as folder:
        workdir = Path(folder)
        with Staging.open(workdir / "survey.duckdb") as staging:
            return extract(replace(request, tables=()), staging, workdir, lambda _: None).unread


def _stage(
    request: ExtractRequest,
    files: Sequence[SnapshotFile],
    staging: Staging,
    workdir: Path,
    observe: Callable[[Progress], None],
) -> tuple[dict[str, StagedTable], list[UnreadTable]]:
    """All tables of the source by name, those that are only counted included, and the members that no table reads."""
    staged: dict[str, StagedTable] = {}
    documents: list[SnapshotTable] = []
    for table in request.snapshots:
        match table.format:
            case "json":
                documents.append(table)
            case "csv":
                staged[table.name] = stage_csv(request, staging, workdir, files, table, observe)
            case _:
                raise broken(
                    request.source,
                    "unknown-format",
                    f"table {table.name} has the format {table.format!r}",
                    "json and csv are read",
                )
    result = stage_json(request, staging, files, documents, observe)
    staged.update((table.table, table) for table in result.staged)
    members = [
        UnreadTable(source=request.source, table=f"{pattern}#{member}", rows=count, kind="member", columns=())
        for (pattern, member), count in sorted(result.unread_members.items())
    ]
    return staged, members


def _unread(source: str, table: StagedTable) -> UnreadTable:
    return UnreadTable(source=source, table=table.table, rows=table.rows, kind="table", columns=table.columns)
