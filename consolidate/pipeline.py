"""The stages in their order: the library's API. Prints nothing; what it has to tell is in the values it returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consolidate.history import rejects, rollback, runs
from consolidate.preparation import examined

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from consolidate.cases.outcome import CaseReport
    from consolidate.errors import Problem
    from consolidate.model import Passport, Progress, RowsWanted, RunReport, SourceInspection
    from consolidate.project import Project
    from consolidate.scaffold.draft import Draft

__all__ = [
    "apply",
    "check",
    "explain",
    "inspect",
    "plan",
    "rejects",
    "rollback",
    "run",
    "runs",
    "scaffold",
    "test",
    "validate",
    "verify",
]


def check(project: Project) -> tuple[Problem, ...]:
    """Everything that is wrong with the mappings of the project and with the suites beside them, by file and line.

    Connects to nothing.
    """
    from consolidate import validate  # noqa: PLC0415 - so that the other commands start without it

    return examined(project)[1] + validate.checked(source.mapping for source in project.sources)


def inspect(
    project: Project, source_name: str, observe: Callable[[Progress], None] = lambda _: None
) -> SourceInspection:
    """What a source holds, and what of it the mapping does not cover; see `consolidate.inspection.inspect`."""
    from consolidate import inspection  # noqa: PLC0415 - drivers are loaded where they are needed

    return inspection.inspect(project, source_name, observe)


def run(
    project: Project,
    *,
    command: str = "run",
    on_conflict: str = "refuse",
    confirm: Callable[[RunReport], bool] | None = None,
    pictured: bool = False,
    wanted: RowsWanted | None = None,
    observe: Callable[[Progress], None] = lambda _: None,
) -> RunReport:
    """Load every source of the project into its target: all rows that are to be there, or nothing.

    Findings that refuse the load and failures of it are in the report (`status`, `exit_code`, `problems`). What comes
    before there is anything to report raises: `UsageError` for a wrong mapping, a store that the mapping does not
    cover or a row that it does not account for, `UnreachableError` for a store or target that cannot be read.
    `confirm` is shown the plan and asked whether to load it; where it says no, the report is the plan's. `pictured`:
    the report has what an HTML page draws, and the first changed rows; `wanted`: these single rows.
    """
    from consolidate.execution import Execution  # noqa: PLC0415 - as above

    return Execution(project, command, observe, on_conflict, pictured=pictured, wanted=wanted).run(confirm)


def plan(
    project: Project,
    *,
    output: Path | None = None,
    on_conflict: str = "refuse",
    detailed_exitcode: bool = False,
    pictured: bool = False,
    wanted: RowsWanted | None = None,
    observe: Callable[[Progress], None] = lambda _: None,
) -> RunReport:
    """Everything but the load: what `run` would do, exactly. Nothing is written to any database.

    `output` is a folder to keep the plan in, for `apply`. The exit code is the one that `run` would have;
    with `detailed_exitcode` 3 where a load would insert or update rows. Raises as `run`.
    """
    from consolidate.execution import Execution  # noqa: PLC0415 - as above

    return Execution(project, "plan", observe, on_conflict, pictured=pictured, wanted=wanted).plan(
        output, detailed_exitcode=detailed_exitcode
    )


def apply(
    project: Project,
    folder: Path,
    *,
    pictured: bool = False,
    wanted: RowsWanted | None = None,
    observe: Callable[[Progress], None] = lambda _: None,
) -> RunReport:
    """Load a saved plan: exactly what it foresaw, or nothing.

    Raises `ConflictError` where the tool, the project file, a mapping or a source table changed since, naming each;
    a target that changed so that other rows would be written is in the report, with exit code 6.
    """
    from consolidate import planning  # noqa: PLC0415 - as above
    from consolidate.execution import Execution  # noqa: PLC0415 - as above

    saved = planning.read(folder)
    return Execution(project, "apply", observe, saved.on_conflict, pictured=pictured, wanted=wanted).apply(saved)


def explain(project: Project, table: str, key: str) -> Passport:
    """The passport of a row of a unified table; see `consolidate.passport`."""
    from consolidate import passport  # noqa: PLC0415 - so that `check` starts without the driver

    return passport.explain(project, table, key)


def verify(
    project: Project,
    run_id: str = "latest",
    *,
    from_sources: bool = False,
    observe: Callable[[Progress], None] = lambda _: None,
) -> RunReport:
    """Prove a loaded run again; see `consolidate.verification`."""
    from consolidate import verification  # noqa: PLC0415 - as above

    return verification.verify(project, run_id, from_sources=from_sources, observe=observe)


def validate(
    project: Project, *, on_target: bool = False, observe: Callable[[Progress], None] = lambda _: None
) -> RunReport:
    """Judge by the suites: the candidates that a run would load, or the rows of the target; see `validation`.

    Nothing is written to any database. The exit code is 4 where a critical expectation fails, or any cannot be judged.
    """
    from consolidate import validation  # noqa: PLC0415 - as above

    return validation.of_target(project, observe) if on_target else validation.of_candidates(project, observe)


def test(
    mapping: str | None = None,
    *,
    cases: Path | None = None,
    update: bool = False,
    observe: Callable[[Progress], None] = lambda _: None,
) -> CaseReport:
    """What comes of the cases of a mapping; see `consolidate.cases.case.listed` and `consolidate.cases.trial`."""
    from consolidate.cases import case, trial  # noqa: PLC0415 - as above

    return trial.run(case.listed(mapping, cases), update=update, observe=observe)


def scaffold(
    source: str, into: Path, *, schema: str | None = None, observe: Callable[[Progress], None] = lambda _: None
) -> Draft:
    """Draft the mapping of a store; see `consolidate.scaffold.scaffold`."""
    from consolidate.project import environment  # noqa: PLC0415 - as above
    from consolidate.scaffold import scaffold as drafting  # noqa: PLC0415 - as above

    return drafting.scaffold(source, into, schema=schema, environment=environment(), observe=observe)
