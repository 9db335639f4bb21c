"""Read one consistent moment of a legacy store into staging: nothing renamed, cast, filtered or defaulted."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from consolidate.model import SourceKind

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from consolidate.model import ExtractRequest, Progress, StagedSource, UnreadTable
    from consolidate.staging import Staging


def extract(
    request: ExtractRequest, staging: Staging, workdir: Path, observe: Callable[[Progress], None]
) -> StagedSource:
    """Stage every table of `request.tables`; list and count every other table, view or file of the store.

    All tables are of one moment of the store, which is only read. Each staged table holds exactly the rows that the
    store itself counts in that moment. `workdir` is for files that are deleted again before this returns. Raises
    `UsageError` for a table that the store lacks, `UnreachableError` where the store cannot be read as it is.
    """
    match request.kind:
        case SourceKind.POSTGRES:
            from consolidate.extract import postgres  # noqa: PLC0415 - only the driver that is needed is loaded

            return postgres.extract(request, staging, workdir, observe)
        case SourceKind.SQLITE:
            from consolidate.extract import sqlite  # noqa: PLC0415 - as above

            return sqlite.extract(request, staging, observe)
        case SourceKind.SNAPSHOT:
            from consolidate.extract import snapshot  # noqa: PLC0415 - as above

            return snapshot.extract(request, staging, workdir, observe)
        case _:
            assert_never(request.kind)


def survey(request: ExtractRequest) -> tuple[UnreadTable, ...]:
    """All tables, views (not counted: 0) or files of the store with their columns and counts; no row is read.

    Raises `UnreachableError` where the store cannot be read as it is.
    """
    match request.kind:
        case SourceKind.POSTGRES:
            from consolidate.extract import postgres  # noqa: PLC0415 - as above

            return postgres.survey(request)
        case SourceKind.SQLITE:
            from consolidate.extract import sqlite  # noqa: PLC0415 - as above

            return sqlite.survey(request)
        case SourceKind.SNAPSHOT:
            from consolidate.extract import snapshot  # noqa: PLC0415 - as above

            return snapshot.survey(request)
        case _:
            assert_never(request.kind)
