"""Suites: expectations in files, judged by Great Expectations on the candidates before a load, and on the live target.

Great Expectations is imported nowhere but below this package, and there only inside functions: it takes seconds.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from consolidate.errors import Problem, UsageError
from consolidate.mapping.yaml import Problems
from consolidate.report.cells import rows
from consolidate.target.contract import expected
from consolidate.validate import load

FAILING: Final = "failing"
"""The folder of a run with the failing rows."""

_SHOWN: Final = 5

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from consolidate.model import CheckResult, Progress
    from consolidate.staging import Staging
    from consolidate.target.transaction import Connection
    from consolidate.validate.grounds import Ground
    from consolidate.validate.judge import Asked, Judged
    from consolidate.validate.language import Suite


def own(mappings: Iterable[Path]) -> tuple[Suite, ...]:
    """The suites beside these mapping folders. Raises `UsageError` with everything that is wrong in their files."""
    problems = Problems()
    found = load.own(mappings, problems)
    if problems:
        raise UsageError(*problems.found)
    return found


def checked(mappings: Iterable[Path]) -> tuple[Problem, ...]:
    """What is wrong with the suites beside these mapping folders, by file and line, as Great Expectations itself says.

    It is loaded only where there are any; those that come with the tool are proven by its tests. Connects to nothing.
    """
    problems = Problems()
    found = load.own(mappings, problems)
    questions = asked(found, problems) if any(suite.expectations for suite in found) else []
    if questions:
        from consolidate.validate.queries import examine  # noqa: PLC0415 - needs a DuckDB of its own

        examine(questions, problems)
    return problems.found


def begin(*, at_once: bool = False) -> None:
    """Load Great Expectations in the background, while rows are read."""
    from consolidate.validate import engine  # noqa: PLC0415 - so that reading suites starts nothing

    # Before 3.12, Python may fail where two threads parse code, as pytest does meanwhile with the tests around cases.
    engine.require() if at_once else engine.begin()


def asked(suites: Sequence[Suite], problems: Problems) -> list[Asked]:
    """The expectations as Great Expectations makes them; those that it refuses are noted as problems, with places."""
    from consolidate.validate.definitions import built  # noqa: PLC0415 - as above
    from consolidate.validate.judge import Asked  # noqa: PLC0415 - as above

    found = []
    for suite in suites:
        for said in suite.expectations:
            one = built(said, problems)
            if one is not None:
                found.append(Asked(said=said, built=one))
    return found


def judged(
    ground: Ground, own: Sequence[Suite], folder: Path, observe: Callable[[Progress], None] = lambda _: None
) -> Judged:
    """The verdict of the shipped suites and of our own on the rows there; failing rows go to files below `folder`.

    Raises `UsageError` where Great Expectations refuses an expectation.
    """
    from consolidate.validate import judge  # noqa: PLC0415 - as above

    there = {table.name: ground.rows(table.name) for table in expected().tables}
    filled = {table for table, count in there.items() if count}
    problems = Problems()
    shipped = [
        replace(suite, expectations=tuple(one for one in suite.expectations if one.table in filled))
        for suite in load.shipped(problems, filled)
    ]
    questions = asked([*shipped, *own], problems)
    if problems:
        raise UsageError(*problems.found)
    return judge.judge(ground, questions, there, folder, observe)


def of_target(
    connection: Connection, own: Sequence[Suite], folder: Path, observe: Callable[[Progress], None] = lambda _: None
) -> Judged:
    """As `judged`, on the unified tables of a live target, in the transaction that the connection is in."""
    from consolidate.validate.grounds import LiveTarget  # noqa: PLC0415 - as above

    return judged(LiveTarget(connection), own, folder, observe)


def of_candidates(
    staging: Staging, own: Sequence[Suite], folder: Path, observe: Callable[[Progress], None] = lambda _: None
) -> Judged:
    """As `judged`, on the candidates of a run."""
    from consolidate.validate.grounds import Candidates  # noqa: PLC0415 - as above

    ground = Candidates(staging)
    try:
        return judged(ground, own, folder, observe)
    finally:
        ground.engine.dispose()


def data_docs(judged: Judged, run_folder: Path) -> Path:
    """Build the Data Docs of Great Expectations in the folder of the run; the page that leads to all others."""
    from consolidate.run_folder import writing  # noqa: PLC0415 - as above
    from consolidate.validate import docs  # noqa: PLC0415 - as above

    with writing(run_folder):
        return docs.write(judged, run_folder / docs.FOLDER)


def refusal(checks: Sequence[CheckResult], what: str = "refuse the load") -> Problem | None:
    """Why the load is refused: critical expectations that failed, and all that could not be judged. None: it is not.

    `what` such expectations do, as the message says it.
    """
    failed = [check for check in checks if check.refuses]
    if not failed:
        return None
    lines = "\n".join(f"  - {check.suite}/{check.name}: {check.observed}" for check in failed[:_SHOWN])
    if len(failed) > _SHOWN:
        lines += f"\n  - and {len(failed) - _SHOWN} more"
    return Problem(
        code="suite-failed",
        message=f"{rows(len(failed), 'expectation')} of the suites {_verb(what, len(failed))}:\n{lines}",
        hint=f"the rows are in the folder {FAILING} of the run; correct the source or the mapping, and run again",
    )


def _verb(what: str, number: int) -> str:
    verb, _, rest = what.partition(" ")
    return f"{verb}s {rest}" if number == 1 else what
