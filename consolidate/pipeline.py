"""The stages in their order: the library's API. Prints nothing; what it has to tell is in the values it returns."""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from consolidate import coverage, evidence, quarantine
from consolidate.destination import opened
from consolidate.errors import (
    ConflictError,
    ExitCode,
    Problem,
    ReconciliationError,
    UnreachableError,
    UsageError,
)
from consolidate.history import rejects, rollback, runs
from consolidate.model import COMMITTED, Progress, RunReport, SourceCounts
from consolidate.preparation import PreparedSource, examined, prepared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import psycopg
    from psycopg.rows import TupleRow

    from consolidate.destination import Destination
    from consolidate.model import Passport, Progress, SourceInspection, StagedSource
    from consolidate.project import Project
    from consolidate.staging import Staging
    from consolidate.transform import Transformed

__all__ = ["check", "inspect", "rejects", "rollback", "run", "runs"]

_WHAT = "the target"


def check(project: Project) -> tuple[Problem, ...]:
    """Everything that is wrong with the mappings of the project, in the order of files and lines. Connects to nothing."""
    return examined(project)[1]


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
    observe: Callable[[Progress], None] = lambda _: None,
) -> RunReport:
    """Load every source of the project into its target: all rows that are to be there, or nothing.

    Findings that refuse the load and failures of it are in the report (`status`, `exit_code`, `problems`). What comes
    before there is anything to report raises: `UsageError` for a wrong mapping, a store that the mapping does not
    cover or a row that it does not account for, `UnreachableError` for a store or target that cannot be read.
    """
    return _Run(project, command, observe, on_conflict).report()


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


@dataclass(slots=True)
class _Clock:
    """Seconds a stage, in the order in which the stages began."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


class _Run:
    """One run, stage by stage."""

    def __init__(
        self, project: Project, command: str, observe: Callable[[Progress], None], on_conflict: str = "refuse"
    ) -> None:
        self.project = project
        self.command = command
        self.observe = observe
        self.on_conflict = on_conflict
        self.started = datetime.now(UTC)
        self.run_id = f"{self.started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        self.folder = project.state_folder / "runs" / self.run_id
        self.evidence = self.folder / evidence.FOLDER
        self.clock = _Clock()

    def report(self) -> RunReport:
        sources = prepared(self.project)
        with opened(self.project) as destination:
            _require_target(destination)
            self._make_folder()
            from consolidate.staging import Staging  # noqa: PLC0415 - so that `check` starts without it

            try:
                with Staging.open(self.folder / "staging.duckdb") as staging:
                    return self._staged(sources, staging, destination)
            except (UsageError, UnreachableError):  # nothing to report, so nothing to keep
                shutil.rmtree(self.folder, ignore_errors=True)
                raise

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True)
        except OSError as error:
            raise UnreachableError(
                Problem(
                    code="unwritable-folder",
                    message=f"{self.folder} cannot be made: {error.strerror or error}",
                    hint="consolidate keeps the files of its runs beside the project file; make that folder writable",
                )
            ) from None

    def _staged(
        self, sources: tuple[PreparedSource, ...], staging: Staging, destination: Destination
    ) -> RunReport:
        from consolidate.reading import read_source  # noqa: PLC0415 - as above
        from consolidate.transform import transform  # noqa: PLC0415 - as above

        with self.clock.stage("extract"):
            staged = [read_source(source, staging, self.folder, self.observe) for source in sources]
            _require_cover(sources, staged)
            staging.lock_down()
            self._keep(sources, staged, staging)
        with self.clock.stage("transform"):
            transformed = transform(
                staging,
                [source.transforming(one) for source, one in zip(sources, staged, strict=True)],
                [bot for source in sources for bot in source.bots],
                self.observe,
            )
            rejects_file = self.folder / "rejects.jsonl"
            quarantine.write_file(staging, rejects_file)
        report = RunReport(
            command=self.command,
            run_id=self.run_id,
            status="planned",
            exit_code=ExitCode.DONE,
            run_dir=self.folder,
            target=destination.shown,
            sources=_counts(sources, staged, transformed),
            rejects=quarantine.first(staging),
            reject_groups=quarantine.groups(staging),
            rejects_file=rejects_file,
            max_rejects=self.project.max_rejects,
            accepted_codes=tuple(code.value for code in self.project.accept),
            roundings=transformed.roundings,
            notices=quarantine.notices(staging),
        )
        refused = quarantine.refusal(report)
        if refused is not None:
            report = replace(
                report, status="refused", exit_code=ExitCode.FINDINGS, problems=(str(refused),), seconds=self._seconds()
            )
        else:
            report = self._loaded(report, sources, staging, destination)
        self._write(report)
        self._seal(sources, staged)
        return report

    def _keep(self, sources: tuple[PreparedSource, ...], staged: list[StagedSource], staging: Staging) -> None:
        """Keep the rules of the run and what it read, before anything is made of it."""
        text = self.project.file.read_text(encoding="utf-8-sig")
        for secret in self.project.connection_strings:
            text = text.replace(secret, "***")
        evidence.write_rules(self.evidence, text, [source.source.mapping for source in sources])
        if self.project.full_evidence:
            for one in staged:
                evidence.write_staged(staging, one, self.evidence)

    def _seal(self, sources: tuple[PreparedSource, ...], staged: list[StagedSource]) -> None:
        evidence.seal(
            self.evidence,
            run_id=self.run_id,
            tool_version=version("consolidate"),
            full=self.project.full_evidence,
            sources=staged,
            rules=[
                evidence.Rules(time_zone=one.source.time_zone, routing=one.routing, bots=one.bots) for one in sources
            ],
            files=(self.folder / "report.json", self.folder / "rejects.jsonl"),
        )

    def _loaded(
        self, report: RunReport, sources: tuple[PreparedSource, ...], staging: Staging, destination: Destination
    ) -> RunReport:
        try:
            return self._load(report, sources, staging, destination)
        except (ConflictError, ReconciliationError, UnreachableError) as error:
            return replace(
                report,
                status="failed" if not isinstance(error, ConflictError) else "refused",
                exit_code=error.exit_code,
                problems=tuple(str(problem) for problem in error.problems),
                seconds=self._seconds(),
            )

    def _load(
        self, report: RunReport, sources: tuple[PreparedSource, ...], staging: Staging, destination: Destination
    ) -> RunReport:
        from consolidate import diff, reconcile  # noqa: PLC0415 - as above
        from consolidate.postgres import connect  # noqa: PLC0415 - as above
        from consolidate.report import document  # noqa: PLC0415 - as above
        from consolidate.target import ledger, load, schema  # noqa: PLC0415 - as above
        from consolidate.target.transaction import transaction  # noqa: PLC0415 - as above

        names = [source.source.name for source in sources]
        bots = [bot.id for source in sources for bot in source.bots]
        record = ledger.RunRecord(
            run_id=self.run_id,
            command=self.command,
            started_at=self.started,
            tool_version=version("consolidate"),
            project_digest=self.project.digest,
            mapping_digest=_mapping_digest(sources),
        )
        with connect(destination.dsn, what=_WHAT) as connection:
            schema.apply(connection)
            with transaction(connection, run_id=self.run_id, record=record):
                with self.clock.stage("diff"):
                    found = diff.compare(
                        staging, connection, sources=names, on_conflict=self.on_conflict, observe=self.observe
                    )
                with self.clock.stage("load"):
                    result = load.load(staging, connection, found, record, self.observe)
                with self.clock.stage("reconcile"):
                    proof = reconcile.reconcile(staging, connection, found, self.observe)
                report = replace(
                    report,
                    status="loaded",
                    targets=found.counts,
                    controls=proof.controls,
                    money=reconcile.money(connection, bots),
                    notices=(*report.notices, *found.notices),
                    seconds=self._seconds(),
                )
                if result.inserted or result.updated:
                    with self.clock.stage("load"):
                        load.refresh_views(connection)
                ledger.finish(connection, record, result, report=_storable(document.text_of(document.run(report))))
        written = result.inserted + result.updated
        self.observe(Progress(stage=COMMITTED, subject=_WHAT, done=written, total=written))
        return replace(report, seconds=self._seconds())

    def _seconds(self) -> tuple[tuple[str, float], ...]:
        return tuple((name, round(value, 3)) for name, value in self.clock.seconds.items())

    def _write(self, report: RunReport) -> None:
        """Keep the report beside the rows of the run."""
        from consolidate.report import document  # noqa: PLC0415 - as above

        (self.folder / "report.json").write_text(document.text_of(document.run(report)), encoding="utf-8")


def _require_target(destination: Destination) -> None:
    """Fail before any work where the target cannot be reached, is too old, or has another schema."""
    from consolidate.postgres import check_server, connect  # noqa: PLC0415 - only where a target is needed
    from consolidate.target import schema  # noqa: PLC0415 - as above

    connection: psycopg.Connection[TupleRow]
    with connect(destination.dsn, what=_WHAT) as connection:
        check_server(connection, _WHAT)
        found = schema.state(connection)
    if isinstance(found, schema.Differing):
        raise schema.refused(found.differences)


def _require_cover(sources: tuple[PreparedSource, ...], staged: list[StagedSource]) -> None:
    problems = [
        problem
        for source, one in zip(sources, staged, strict=True)
        for problem in coverage.uncovered(source.system, one)
    ]
    if problems:
        raise UsageError(*problems)


def _counts(
    sources: tuple[PreparedSource, ...], staged: list[StagedSource], transformed: Transformed
) -> tuple[SourceCounts, ...]:
    """The balance sheet of every table of every source, ignored ones too: they are filtered, by their written reason."""
    found = []
    for source, one in zip(sources, staged, strict=True):
        found += [counts for counts in transformed.counts if counts.source == one.source]
        found += [
            SourceCounts(source=one.source, table=unread.table, read=unread.rows, filtered=unread.rows)
            for unread in one.unread
            if unread.kind == "table" and coverage.is_ignored(source.system, unread.table)
        ]
    return tuple(found)


def _storable(document: str) -> str:
    """A JSON text as jsonb takes it: an escaped NUL becomes U+2400; the files of the run keep it as it was."""
    return re.sub(r"(?<!\\)((?:\\\\)*)\\u0000", r"\1\\u2400", document)


def _mapping_digest(sources: tuple[PreparedSource, ...]) -> str:
    text = "\n".join(f"{source.source.name} {source.system.digest}" for source in sources)
    return hashlib.sha256(text.encode()).hexdigest()

