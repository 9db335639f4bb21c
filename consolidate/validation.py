"""The suites as a command of their own: on the candidates that a run would load, or on what the target holds now."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from consolidate import validate
from consolidate.destination import opened, sources_opened
from consolidate.errors import ConflictError, ExitCode, Problem
from consolidate.model import RunReport
from consolidate.postgres import check_server, connect
from consolidate.report import document
from consolidate.run_folder import writing
from consolidate.target import schema
from consolidate.target.transaction import snapshot, told

if TYPE_CHECKING:
    from collections.abc import Callable

    from consolidate.destination import Destination
    from consolidate.model import Progress
    from consolidate.project import Project

_WHAT: Final = "the target"
_FAIL: Final = "fail on the rows of the target"


def of_candidates(project: Project, observe: Callable[[Progress], None] = lambda _: None) -> RunReport:
    """Read and transform the sources and judge the candidates, as `plan` does; no target is needed.

    It is asked only where rows point at others that were not read. `status` is "planned", or "refused" where a run
    would be: then the exit code is 4. Raises as `pipeline.run`.
    """
    from consolidate.execution import Execution  # noqa: PLC0415 - a live target is judged without it

    with sources_opened(project) as reachable:
        return Execution(reachable, "validate", observe).validate()


def of_target(project: Project, observe: Callable[[Progress], None] = lambda _: None) -> RunReport:
    """Judge all rows of the unified tables, whoever wrote them, in one read-only transaction: as one moment saw them.

    The sources are not read. `status` is "loaded", or "failed" where a critical expectation fails or any could not be
    judged: then the exit code is 4. Raises `UsageError` for suites that cannot be read, `UnreachableError` for a target
    that does not answer, and `ConflictError` for one without the unified schema.
    """
    own = validate.own(source.mapping for source in project.sources)
    validate.begin()
    start = time.perf_counter()
    run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    folder = project.state_folder / "runs" / run_id
    with opened(project) as destination:
        _require_schema(destination)
        with writing(folder):
            folder.mkdir(parents=True)
        with connect(destination.dsn, what=_WHAT, read_only=True) as connection, snapshot(connection):
            judged = validate.of_target(connection, own, folder / validate.FAILING, observe)
    refused = validate.refusal(judged.checks, _FAIL)
    report = RunReport(
        command="validate",
        run_id=run_id,
        status="loaded" if refused is None else "failed",
        exit_code=ExitCode.DONE if refused is None else ExitCode.FINDINGS,
        run_dir=folder,
        target=destination.shown,
        checks=judged.checks,
        tables_without_rows=judged.without_rows,
        data_docs=validate.data_docs(judged, folder),
        problems=() if refused is None else (str(refused),),
        seconds=(("validate", round(time.perf_counter() - start, 3)),),
    )
    with writing(folder):
        (folder / "report.json").write_text(document.text_of(document.run(report)), encoding="utf-8")
    return report


def _require_schema(destination: Destination) -> None:
    with connect(destination.dsn, what=_WHAT, read_only=True) as connection, told(connection):
        check_server(connection, _WHAT)
        match schema.state(connection):
            case schema.Differing(differences=found):
                raise schema.refused(found)
            case schema.Absent():
                raise ConflictError(
                    Problem(
                        code="no-schema",
                        message="the target has no unified schema, so there are no rows to judge",
                        hint="`consolidate run` makes it and loads; `consolidate validate` judges the candidates",
                    )
                )
            case schema.Present():
                return
