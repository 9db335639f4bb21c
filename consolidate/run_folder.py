"""What a disk that is full, or a folder that may not be written, means for a run: told as it is, before and after."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from consolidate.errors import ExitCode, Problem, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from consolidate.model import RunReport


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Before a load: what the system refuses is an `UnreachableError` that names the folder."""
    refused: OSError
    try:
        yield
    except OSError as error:
        refused = error
    else:
        return
    raise UnreachableError(
        Problem(
            code="unwritable-folder",
            message=f"the files of the run cannot be written to {folder}: {refused.strerror or refused}",
            hint="consolidate keeps the files of its runs beside the project file; free space there, make the folder "
            "writable, then run again; nothing was loaded",
        )
    )


def unkept(report: RunReport, folder: Path, error: OSError) -> RunReport:
    """The report of a run that ended as it says, but whose own files could not all be written.

    A run that loaded stays loaded: its rows are proven and in the target, and the exit code says that something is
    missing. A run that was refused or failed keeps its exit code.
    """
    loaded = report.status == "loaded"
    problem = Problem(
        code="evidence-not-written",
        message=f"the report and the evidence of this run cannot be written to {folder}: {error.strerror or error}",
        hint="the rows are in the target, proven and entered in the ledger, which has the report too; without evidence "
        "`verify` needs the sources as they were: `consolidate verify --sources`. To have the evidence as well, free "
        "space in that folder, roll the run back and run again"
        if loaded
        else "free space in that folder, then run again; nothing was loaded",
    )
    code = ExitCode.UNREACHABLE if report.exit_code == ExitCode.DONE else report.exit_code
    status = report.status if loaded or report.status == "refused" else "failed"
    return replace(report, status=status, exit_code=code, problems=(*report.problems, str(problem)))
