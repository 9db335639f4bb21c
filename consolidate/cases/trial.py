"""Cases, run: the store built, read, transformed, loaded and proven in a database of its own, then compared."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import re
import tempfile
import time
import uuid
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from consolidate.cases import case as cases
from consolidate.cases import expected
from consolidate.cases.compare import FROM, differences
from consolidate.cases.outcome import (
    BROKEN,
    CELL,
    DIFFERS,
    FAILED,
    PASSED,
    UNEXPECTED,
    UPDATED,
    CaseOutcome,
    CaseReport,
)
from consolidate.errors import ConsolidateError, ExitCode, Problem, UsageError
from consolidate.mapping.yaml import Problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from consolidate.cases.case import Case
    from consolidate.cases.outcome import Difference, Row, Tables
    from consolidate.embedded import Server
    from consolidate.mapping.language import SystemMapping
    from consolidate.model import Progress, RunReport, SourceKind
    from consolidate.project import Project

_WORTH_PROCESSES: Final = 4
_PROCESSES: Final = 2
_TEMPLATE: Final = "template_of_cases"
WARNING: Final = "mapping_warning"
_NO_LIMIT: Final = 2**63 - 1
_WHAT: Final = "the target of a case"
_PLACE_OF_A_WARNING: Final = re.compile(r"; [^;]*:[0-9]+(:[0-9]+)?\)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """What a run made of the store of a case. `rejected` are the rejects with the places of their rules."""

    report: RunReport
    system: SystemMapping
    tables: Tables
    rejected: tuple[tuple[Row, str | None], ...]


class Bench:
    """Where cases are run: a throw-away PostgreSQL and a folder, both gone in the end; see `bench`."""

    def __init__(self, server: Server, folder: Path) -> None:
        """Use a server that runs and has the template."""
        self._server = server
        self._folder = folder

    def tried(
        self,
        file: Path,
        *,
        mapping: Path | None = None,
        update: bool = False,
        observe: Callable[[Progress], None] = lambda _: None,
    ) -> CaseOutcome:
        """What comes of the case of a `case.yaml`; what is wrong with it is in the outcome.

        `mapping` is tested in place of the one that the case names. With `update`, what the case expects is rewritten
        where it differs.
        """
        start = time.perf_counter()
        outcome = CaseOutcome(name=cases.called(file, mapping), file=file, status=PASSED)
        try:
            case = cases.read(file, mapping)
            outcome = self._compared(dataclasses.replace(outcome, name=case.name), case, update=update, observe=observe)
        except ConsolidateError as error:
            status = BROKEN if isinstance(error, UsageError) else FAILED
            outcome = dataclasses.replace(outcome, status=status, problems=error.problems, exit_code=error.exit_code)
        return dataclasses.replace(outcome, seconds=round(time.perf_counter() - start, 3))

    def _compared(
        self, outcome: CaseOutcome, case: Case, *, update: bool, observe: Callable[[Progress], None]
    ) -> CaseOutcome:
        made = self._made(case, observe)
        rows = sum(
            len(rows) for table, rows in made.tables.items() if table not in (expected.REJECTS, expected.WARNINGS)
        )
        outcome = dataclasses.replace(outcome, rows=rows, rejects=len(made.rejected))
        if made.report.status != "loaded":
            problems = tuple(Problem(code="not-loaded", message=text) for text in made.report.problems)
            code = ExitCode(made.report.exit_code)
            return dataclasses.replace(outcome, status=FAILED, problems=problems, exit_code=code)
        found = _placed(differences(case.expected, made.tables, expected.identities()), made)
        if not found:
            return outcome
        if update:
            written = expected.write(case.folder, made.tables, {one.table for one in found})
            return dataclasses.replace(outcome, status=UPDATED, differences=found, written=written)
        return dataclasses.replace(outcome, status=DIFFERS, differences=found, exit_code=ExitCode.FINDINGS)

    def _made(self, case: Case, observe: Callable[[Progress], None]) -> _Made:
        """Build the store, run the project, and read what it made."""
        from consolidate.execution import Execution  # noqa: PLC0415 - a case that cannot be read needs none of it
        from consolidate.postgres import connect  # noqa: PLC0415 - as above
        from consolidate.target.stored import stored  # noqa: PLC0415 - as above

        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=self._folder)))
            target = stack.enter_context(self._database(_TEMPLATE))
            store = stack.enter_context(self._database("template0"))
            execution = Execution(_project(case, folder, target=target, store=store), "test", observe)
            report = execution.run()
            rejected = tuple(_rejected(report))
            rows: dict[str, list[Row]] = {
                expected.REJECTS: [row for row, _ in rejected],
                expected.WARNINGS: list(_warnings(report)),
            }
            with connect(target, what=_WHAT) as connection:
                for table, origin, cells in stored(connection):
                    rows.setdefault(table, []).append(cells if origin is None else {FROM: origin} | cells)
        tables = {table: tuple(found) for table, found in rows.items()}
        return _Made(report=report, system=execution.sources[0].system, tables=tables, rejected=rejected)

    @contextmanager
    def _database(self, template: str) -> Iterator[str]:
        name = f"case_{uuid.uuid4().hex}"
        self._server.create(name, template=template)
        try:
            yield self._server.dsn(name)
        finally:
            self._server.drop(name)


@contextmanager
def bench(folder: Path | None = None) -> Iterator[Bench]:
    """A bench in a folder of its own, or in `folder`, which processes may share. Raises `UnreachableError`."""
    from consolidate import embedded  # noqa: PLC0415 - what cannot be read needs no server

    with ExitStack() as stack:
        place = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="consolidate-test-")))
        place.mkdir(mode=0o700, exist_ok=True)
        server = stack.enter_context(embedded.server(place / "postgres", durable=False))
        yield stack.enter_context(equipped(server, place))


@contextmanager
def equipped(server: Server, place: Path) -> Iterator[Bench]:
    """A bench on a server that runs; `place` is a folder that all who use the server share."""
    from consolidate.postgres import connect  # noqa: PLC0415 - as late as it is needed
    from consolidate.target import schema  # noqa: PLC0415 - as above

    made = place / f"{_TEMPLATE}.made"
    with (place / f"{_TEMPLATE}.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not made.exists():
            server.create(_TEMPLATE)
            with connect(server.dsn(_TEMPLATE), what=_WHAT) as connection:
                schema.apply(connection)
            made.touch()
    with tempfile.TemporaryDirectory(dir=place) as folder:
        yield Bench(server, Path(folder))


def run(
    wanted: Sequence[tuple[Path, Path | None]],
    *,
    update: bool = False,
    observe: Callable[[Progress], None] = lambda _: None,
) -> CaseReport:
    """What comes of these cases, each with the mapping to test in place of its own; see `Bench.tried`."""
    start = time.perf_counter()
    with bench() as place:
        if len(wanted) < _WORTH_PROCESSES:
            outcomes = [place.tried(file, mapping=mapping, update=update, observe=observe) for file, mapping in wanted]
        else:
            outcomes = _spread(place, wanted, update=update, observe=observe)
    return CaseReport(outcomes=tuple(outcomes), seconds=round(time.perf_counter() - start, 3))


def _spread(
    place: Bench, wanted: Sequence[tuple[Path, Path | None]], *, update: bool, observe: Callable[[Progress], None]
) -> list[CaseOutcome]:
    """The outcomes of many cases, in their order: processes share the bench's server, and each takes the next case."""
    from concurrent.futures import ProcessPoolExecutor, as_completed  # noqa: PLC0415 - few cases need no processes
    from multiprocessing import get_context  # noqa: PLC0415 - as above

    from consolidate.model import Progress  # noqa: PLC0415 - as above

    # Spawned: a fork would take locks of the threads of this process with it.
    with ProcessPoolExecutor(_PROCESSES, mp_context=get_context("spawn")) as pool:
        tasks = [pool.submit(place.tried, file, mapping=mapping, update=update) for file, mapping in wanted]
        try:
            for done, _ in enumerate(as_completed(tasks), 1):
                observe(Progress(stage="test", subject="cases", done=done, total=len(tasks), unit="cases"))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
        return [task.result() for task in tasks]


def _project(case: Case, folder: Path, *, target: str, store: str) -> Project:
    """The project of the case over its store, which is built here."""
    from consolidate import fixtures  # noqa: PLC0415 - as late as it is needed

    (source,) = case.project.sources
    built = fixtures.build_store(
        case.folder, _kind(source.mapping), folder / "store", system=case.name, postgres_dsn=store
    )
    return dataclasses.replace(
        case.project,
        folder=folder,
        target=target,
        sources=(dataclasses.replace(source, dsn=built.dsn, path=built.path),),
        max_rejects=_NO_LIMIT,
        full_evidence=False,
    )


def _kind(mapping: Path) -> SourceKind:
    from consolidate.mapping import load  # noqa: PLC0415 - as late as it is needed

    problems = Problems()
    system = load.system(mapping, problems)
    if system is None:
        raise UsageError(*problems.found)
    return system.kind


def _rejected(report: RunReport) -> Iterator[tuple[Row, str | None]]:
    """The rejects of the run, each with the place of the rule that refused it."""
    if report.rejects_file is None:
        return
    for line in report.rejects_file.read_text(encoding="utf-8").splitlines():
        read = json.loads(line)
        yield {name: read[name] for name in expected.REJECT_CELLS if read[name] is not None}, read["location"]


def _warnings(report: RunReport) -> Iterator[Row]:
    """What the `warn` rules of the mapping said, without the place of the rule: that changes with any edit."""
    for notice in report.notices:
        if notice.code == WARNING:
            yield {"message": _PLACE_OF_A_WARNING.sub(")", notice.message)}


def _placed(found: tuple[Difference, ...], made: _Made) -> tuple[Difference, ...]:
    """The differences with the rules of the mapping that are to be looked at."""
    rejected = {(row.get("table"), row.get("key"), row["code"]): place for row, place in made.rejected}
    return tuple(dataclasses.replace(one, locations=_rules(one, made.system, rejected)) for one in found)


def _rules(
    one: Difference, system: SystemMapping, rejected: dict[tuple[str | None, str | None, str], str | None]
) -> tuple[str, ...]:
    if one.table == expected.REJECTS:
        row = dict(one.cells)
        place = rejected.get((row.get("table"), row.get("key"), row.get("code", "")))
        return () if place is None or one.kind != UNEXPECTED else (place,)
    if one.kind != CELL:
        return ()
    made_of = {part.split(" ", 1)[0] for part in (one.origin or "").split("; ")}
    return tuple(
        str(cell.location)
        for table in system.tables
        if table.table in made_of
        for block in table.blocks
        if block.target == one.table
        for cell in block.cells
        if cell.column == one.column
    )
