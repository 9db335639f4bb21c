"""One walk through the stages: `run`, `plan` and `apply` are the same walk, begun or ended at another place."""

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
from typing import TYPE_CHECKING, Final

from consolidate import coverage, evidence, outlook, planning, quarantine, references, validate, wanting
from consolidate.destination import opened
from consolidate.errors import (
    ConflictError,
    ExitCode,
    Problem,
    ReconciliationError,
    UnreachableError,
    UsageError,
)
from consolidate.model import COMMITTED, COMMITTING, Progress, RowsWanted, RunReport, SourceCounts
from consolidate.planning import SavedPlan
from consolidate.postgres import check_server, connect
from consolidate.preparation import PreparedSource, prepared
from consolidate.reading import read_sources
from consolidate.references import of_target
from consolidate.report import document
from consolidate.run_folder import unkept, writing
from consolidate.staging import Staging
from consolidate.target import schema
from consolidate.transform import made_bots, transform
from consolidate.transform.graph import read_references

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from consolidate.destination import Destination
    from consolidate.diff import DiffReport
    from consolidate.model import Rounding, StagedSource
    from consolidate.project import Project
    from consolidate.repeat import Earlier
    from consolidate.target.ledger import RunRecord
    from consolidate.target.transaction import Connection
    from consolidate.transform.orphans import Held

_WHAT: Final = "the target"
_OF_CASES: Final = "test"
"""The command whose runs leave nothing behind."""
_CANDIDATES: Final = "the candidates"
_NOT_ASKED: Final = "the rejects refuse the load, and rows that lack others would fail for that alone"
_OF_A_PAGE: Final = RowsWanted(most=200, inserts=False)


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

    @property
    def shown(self) -> tuple[tuple[str, float], ...]:
        return tuple((name, round(value, 3)) for name, value in self.seconds.items())


class Execution:
    """A run or a plan of a project, in a folder of its own."""

    def __init__(
        self,
        project: Project,
        command: str,
        observe: Callable[[Progress], None],
        on_conflict: str = "refuse",
        *,
        pictured: bool = False,
        wanted: RowsWanted | None = None,
    ) -> None:
        """Nothing is read or written yet. `pictured`: the report has what a page draws and shows of changed rows.

        `wanted`: it has these single rows.
        """
        self.project = project
        self.command = command
        self.observe = observe
        self.on_conflict = on_conflict
        self.pictured = pictured
        self.wanted = wanted or (_OF_A_PAGE if pictured else None)
        self.compared: RunReport | None = None
        self.started = datetime.now(UTC)
        self.run_id = f"{self.started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        self.folder = project.state_folder / "runs" / self.run_id
        self.clock = _Clock()
        self.sources = prepared(project)
        self.suites = validate.own(source.source.mapping for source in self.sources)
        if wanted is not None:
            self.wanted = wanting.known(wanted, self._bots)

    def run(self, confirm: Callable[[RunReport], bool] | None = None) -> RunReport:
        """Read, transform, judge, load, prove. With `confirm`: foresee first, and load only if it says so."""
        with opened(self.project) as destination, self._begun(destination) as staging:
            staged = self._extracted(staging)
            repeated = self._repeated(staged, staging, destination)
            report = repeated or self._transformed(staged, staging, destination.shown, of_target(destination.dsn))
            if repeated is None and report.exit_code == ExitCode.DONE and confirm is not None:
                foreseen = self._reported(report, lambda: self._foresee(report, staging, destination, {}))
                if foreseen.exit_code != ExitCode.DONE or not confirm(foreseen):
                    return self._finish(foreseen, staged)
            if repeated is None and report.exit_code == ExitCode.DONE:
                report = self._reported(report, lambda: self._load(report, staged, staging, destination, None))
            report = self._finish(report, staged)
        self._tidy(report)
        return report

    def plan(self, output: Path | None, *, detailed_exitcode: bool = False) -> RunReport:
        """Read, transform, judge, and foresee; nothing is written to any database. `output`: keep the plan there."""
        if output is not None:
            _require_free(output)
        with opened(self.project) as destination, self._begun(destination) as staging:
            staged = self._extracted(staging, is_kept=output is not None)
            report = self._transformed(staged, staging, destination.shown, of_target(destination.dsn))
            found: dict[str, str] = {}
            foreseen = self._reported(report, lambda: self._foresee(report, staging, destination, found))
            report = foreseen if report.exit_code == ExitCode.DONE else _refused_anyway(report, foreseen)
            report = self._finish(report, staged)
            if output is not None:
                staging.flush()
        if output is not None and report.exit_code == ExitCode.DONE:
            self._save(report, staged, found, output)
        if (
            detailed_exitcode
            and report.exit_code == ExitCode.DONE
            and any(t.insert or t.update for t in report.targets)
        ):
            report = replace(report, exit_code=ExitCode.CHANGES)
        return report

    def validate(self) -> RunReport:
        """Read, transform, and judge. No target is needed unless rows point at some that were not read."""
        with references.if_asked(self.project) as held, self._begun(None) as staging:
            staged = self._extracted(staging, is_evidence=False)
            report = self._transformed(staged, staging, _CANDIDATES, held)
        with writing(self.folder):
            for file in self.folder.glob(f"{planning.STAGING}*"):
                file.unlink()
            (self.folder / "report.json").write_text(document.text_of(document.run(report)), encoding="utf-8")
        return report

    def apply(self, plan: SavedPlan) -> RunReport:
        """Load a saved plan, if everything that it rests on is as it was."""
        planning.require_same_rules(
            plan,
            tool_version=version("consolidate"),
            project_digest=self.project.digest,
            mappings=planning.mapping_digests(self.sources),
        )
        with opened(self.project) as destination, self._begun(destination, plan) as staging:
            staged = self._read_again(plan)
            staging.lock_down()
            self._keep(staged, staging)
            report = self._validated(self._judged(staging, destination.shown, plan.sources, plan.roundings), staging)
            if report.exit_code == ExitCode.DONE:
                report = self._reported(report, lambda: self._load(report, staged, staging, destination, plan))
            report = self._finish(report, staged)
        self._tidy(report)
        return report

    def _tidy(self, report: RunReport) -> None:
        """After a load the DuckDB file has no use: the rows are in the target, and as read in the evidence."""
        if report.status == "loaded":
            for name in (planning.STAGING, f"{planning.STAGING}.wal"):
                (self.folder / name).unlink(missing_ok=True)

    @contextmanager
    def _begun(self, destination: Destination | None, plan: SavedPlan | None = None) -> Iterator[Staging]:
        """The folder and the DuckDB file (a copy of the plan's); both are gone where there is nothing to report."""
        if destination is not None:
            _require_target(destination)
        try:
            with writing(self.folder):
                self.folder.mkdir(parents=True)
                if plan is not None:
                    shutil.copyfile(plan.staging, self.folder / planning.STAGING)
            with Staging.open(self.folder / planning.STAGING) as staging:
                yield staging
        except (UsageError, UnreachableError):
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def _extracted(self, staging: Staging, *, is_kept: bool = False, is_evidence: bool = True) -> list[StagedSource]:
        """Read all sources. `is_kept`: the DuckDB file is to be small. `is_evidence`: what is read is kept besides."""
        validate.begin(at_once=self.command == _OF_CASES)
        with self.clock.stage("extract"):
            staged = read_sources(self.sources, staging, self.folder, self.observe)
            _require_cover(self.sources, staged)
            staging.fit([one.bytes_read for one in staged], is_kept=is_kept)
            staging.lock_down()
            if is_evidence:
                self._keep(staged, staging)
        return staged

    def _transformed(self, staged: list[StagedSource], staging: Staging, shown: str, held: Held) -> RunReport:
        with self.clock.stage("transform"):
            transformed = transform(
                staging,
                [source.transforming(one) for source, one in zip(self.sources, staged, strict=True)],
                [bot for source in self.sources for bot in source.bots],
                self.observe,
                held,
            )
        counts = (*transformed.counts, *_ignored_counts(self.sources, staged))
        report = self._judged(staging, shown, _in_order(counts, self.sources), transformed.roundings)
        return self._validated(report, staging)

    def _repeated(self, staged: list[StagedSource], staging: Staging, destination: Destination) -> RunReport | None:
        """The report of a run that finds all as the last one left it, entered into the ledger; None for any other."""
        from consolidate import repeat  # noqa: PLC0415 - as below

        if self.pictured:
            return None
        with connect(destination.dsn, what=_WHAT) as connection, self.clock.stage("diff"):
            if not isinstance(schema.state(connection), schema.Present):
                return None
            found = repeat.found(connection, staging, self._inputs(staged))
            if found is None:
                return None
            report = self._judged(staging, destination.shown, found.counts, found.roundings)
            done = self._reported(report, lambda: self._repeat(report, staging, connection, found))
        return None if done.status == report.status else done

    def _repeat(self, report: RunReport, staging: Staging, connection: Connection, found: Earlier) -> RunReport:
        """Prove it in the transaction that ends the run; `report` itself where that fails."""
        from consolidate import reconcile, repeat  # noqa: PLC0415 - as below
        from consolidate.since import since_last_run  # noqa: PLC0415 - as below
        from consolidate.target import ledger  # noqa: PLC0415 - as below
        from consolidate.target.load import LoadResult  # noqa: PLC0415 - as below
        from consolidate.target.transaction import transaction  # noqa: PLC0415 - as below

        if report.exit_code != ExitCode.DONE:
            return report
        record = self._record()
        with transaction(connection, run_id=self.run_id):
            if not repeat.is_same(connection, found):
                return report
            for stage in ("transform", "load", "reconcile"):
                self.clock.seconds.setdefault(stage, 0.0)
            money = reconcile.money(connection, found.bots)
            loaded = replace(
                report,
                status="loaded",
                targets=found.targets,
                checks=found.checks,
                tables_without_rows=tuple(found.report["tables_without_rows"]),
                controls=found.controls,
                money=money,
                money_before=money,
                since=since_last_run(connection, staging, report),
                seconds=self.clock.shown,
            )
            result = LoadResult(
                inserted=0,
                updated=0,
                unchanged=sum(one.unchanged for one in found.targets),
                lineage=0,
                rejects=ledger.write_rejects(connection, staging, record, self.observe),
            )
            kept = {**document.run(loaded), **found.document}
            ledger.finish(connection, record, result, report=_storable(document.text_of(kept)))
        self.observe(Progress(stage=COMMITTED, subject=_WHAT, done=0, total=0))
        return loaded

    def _inputs(self, staged: list[StagedSource]) -> str:
        """The digest of all that this run depends on but the target."""
        from consolidate import repeat  # noqa: PLC0415 - as below

        return repeat.inputs(
            project_digest=self.project.digest,
            mappings=[source.source.mapping for source in self.sources],
            rules=self._rules(),
            sources=staged,
        )

    def _rules(self) -> list[evidence.Rules]:
        return [
            evidence.Rules(time_zone=one.source.time_zone, routing=one.routing, bots=one.bots, made=one.compiled.made)
            for one in self.sources
        ]

    def _judged(
        self,
        staging: Staging,
        shown: str,
        counts: tuple[SourceCounts, ...],
        roundings: tuple[Rounding, ...],
    ) -> RunReport:
        """The report as far as the sources decide it: exit code 4 where the rejects refuse the load."""
        rejects_file = self.folder / "rejects.jsonl"
        with writing(self.folder):
            quarantine.write_file(staging, rejects_file)
            references.write(staging, self.folder / references.FILE)
        report = RunReport(
            command=self.command,
            run_id=self.run_id,
            status="planned",
            exit_code=ExitCode.DONE,
            run_dir=self.folder,
            target=shown,
            sources=counts,
            rejects=quarantine.first(staging),
            reject_groups=quarantine.groups(staging),
            rejects_file=rejects_file,
            max_rejects=self.project.max_rejects,
            accepted_codes=tuple(code.value for code in self.project.accept),
            roundings=roundings,
            notices=quarantine.notices(staging),
            references=read_references(staging),
            seconds=self.clock.shown,
        )
        refused = quarantine.refusal(report)
        if refused is None:
            return report
        return replace(report, status="refused", exit_code=ExitCode.FINDINGS, problems=(str(refused),))

    def _validated(self, report: RunReport, staging: Staging) -> RunReport:
        """The report with the verdicts of the suites: exit code 4 where one of them refuses the load.

        Where rejects refuse it already, nothing is asked: what lacks rows breaks expectations across tables.
        """
        if report.exit_code != ExitCode.DONE:
            return replace(report, suites_not_asked=_NOT_ASKED)
        with self.clock.stage("validate"):
            judged = validate.of_candidates(staging, self.suites, self.folder / validate.FAILING, self.observe)
            pages = None if self.command == _OF_CASES else validate.data_docs(judged, self.folder)
        report = replace(
            report,
            checks=judged.checks,
            tables_without_rows=judged.without_rows,
            data_docs=pages,
            seconds=self.clock.shown,
        )
        refused = validate.refusal(report.checks)
        if refused is None:
            return report
        return replace(report, status="refused", exit_code=ExitCode.FINDINGS, problems=(str(refused),))

    def _reported(self, report: RunReport, stage: Callable[[], RunReport]) -> RunReport:
        """What the stage gives; a failure that leaves something to report becomes part of the report."""
        try:
            return stage()
        except (ConflictError, ReconciliationError, UnreachableError) as error:
            return replace(
                self.compared or report,
                status="refused" if isinstance(error, ConflictError) else "failed",
                exit_code=error.exit_code,
                problems=tuple(str(problem) for problem in error.problems),
                seconds=self.clock.shown,
            )

    def _foresee(
        self, report: RunReport, staging: Staging, destination: Destination, verdicts: dict[str, str]
    ) -> RunReport:
        """Compare with the target in a transaction that is given back; fill `verdicts`."""
        from consolidate import diff  # noqa: PLC0415 - a test of rejects needs no driver

        names = [source.source.name for source in self.sources]
        with connect(destination.dsn, what=_WHAT, read_only=True) as connection, self.clock.stage("diff"):
            if isinstance(schema.state(connection), schema.Absent):
                found = diff.compare(staging, None, sources=names, on_conflict=self.on_conflict, observe=self.observe)
                report = self._told(report, staging, None, found)
            else:
                from consolidate.target.transaction import snapshot  # noqa: PLC0415 - as above

                with snapshot(connection):
                    found = self._compared(staging, connection)
                    report = self._told(report, staging, connection, found)
        found.refuse_conflicts()
        verdicts.update(planning.verdicts(staging, found))
        return replace(report, seconds=self.clock.shown)

    def _told(self, report: RunReport, staging: Staging, connection: Connection | None, found: DiffReport) -> RunReport:
        """The report with all that the comparison tells; kept, so that a later end of the run still tells it."""
        before, after = outlook.money(staging, connection, found, made_bots(staging))
        report = replace(
            report,
            targets=found.counts,
            money_before=before,
            money=after,
            notices=(*report.notices, *found.notices),
        )
        if connection is not None:
            from consolidate.since import since_last_run  # noqa: PLC0415 - as above

            report = replace(report, since=since_last_run(connection, staging, report))
        if self.wanted is not None:
            from consolidate.target.cells import changed  # noqa: PLC0415 - as above

            report = replace(report, changed=changed(connection, staging, found, self.wanted))
        if self.pictured:
            from consolidate.pictures import pictures  # noqa: PLC0415 - as above

            report = replace(report, charts=pictures(staging, connection, found))
        self.compared = report
        return report

    @property
    def _bots(self) -> list[str] | None:
        """The ids of the bots; None where rows become bots, whose ids nobody knows before they are read."""
        if any(source.system.bots_table is not None for source in self.sources):
            return None
        return [bot.id for source in self.sources for bot in source.bots]

    def _compared(self, staging: Staging, connection: Connection) -> DiffReport:
        from consolidate import diff  # noqa: PLC0415 - as above

        names = [source.source.name for source in self.sources]
        return diff.compare(staging, connection, sources=names, on_conflict=self.on_conflict, observe=self.observe)

    def _record(self) -> RunRecord:
        from consolidate.target.ledger import RunRecord  # noqa: PLC0415 - as above

        text = "\n".join(f"{source.source.name} {source.system.digest}" for source in self.sources)
        return RunRecord(
            run_id=self.run_id,
            command=self.command,
            started_at=self.started,
            tool_version=version("consolidate"),
            project_digest=self.project.digest,
            mapping_digest=hashlib.sha256(text.encode()).hexdigest(),
        )

    def _load(
        self,
        report: RunReport,
        staged: list[StagedSource],
        staging: Staging,
        destination: Destination,
        plan: SavedPlan | None,
    ) -> RunReport:
        """Compare, load and prove in one transaction. With a `plan`: only if the verdicts are the plan's."""
        from consolidate import reconcile, repeat  # noqa: PLC0415 - as above
        from consolidate.target import footprint, ledger, load  # noqa: PLC0415 - as above
        from consolidate.target.transaction import transaction  # noqa: PLC0415 - as above

        record = self._record()
        with connect(destination.dsn, what=_WHAT) as connection:
            schema.apply(connection)
            with transaction(connection, run_id=self.run_id, record=record):
                with self.clock.stage("diff"):
                    found = self._compared(staging, connection)
                    report = self._told(report, staging, connection, found)
                if plan is not None:
                    planning.require_same_verdicts(plan, planning.verdicts(staging, found))
                references.require_held(staging, connection)
                with self.clock.stage("load"):
                    result = load.load(staging, connection, found, record, self.observe)
                with self.clock.stage("reconcile"):
                    proof = reconcile.reconcile(staging, connection, found, self.observe)
                report = replace(
                    report,
                    status="loaded",
                    controls=proof.controls,
                    money=reconcile.money(connection, made_bots(staging)),
                    seconds=self.clock.shown,
                )
                if result.inserted or result.updated:
                    with self.clock.stage("load"):
                        load.refresh_views(connection)
                left = footprint.taken(connection, staging, found) if repeat.is_closed(report.references) else None
                kept = {**document.run(report), **repeat.member(self._inputs(staged), left)}
                ledger.finish(connection, record, result, report=_storable(document.text_of(kept)))
                written = result.inserted + result.updated
                self.observe(Progress(stage=COMMITTING, subject=_WHAT, done=written, total=written))
        self.observe(Progress(stage=COMMITTED, subject=_WHAT, done=written, total=written))
        return replace(report, seconds=self.clock.shown)

    def _read_again(self, plan: SavedPlan) -> list[StagedSource]:
        """Read the sources once more, for their digests; `ConflictError` where one is not as the plan read it."""
        aside = self.folder / "again.duckdb"
        validate.begin()
        try:
            with self.clock.stage("extract"), Staging.open(aside) as staging:
                staged = read_sources(self.sources, staging, self.folder, self.observe)
                planning.require_same_sources(plan, planning.table_digests(staged))
        except ConflictError:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        aside.unlink()
        return staged

    def _keep(self, staged: list[StagedSource], staging: Staging) -> None:
        """Keep the rules of the run and what it read."""
        text = self.project.file.read_text(encoding="utf-8-sig")
        for secret in self.project.connection_strings:
            text = text.replace(secret, "***")
        folder = self.folder / evidence.FOLDER
        with writing(self.folder):
            evidence.write_rules(folder, text, [source.source.mapping for source in self.sources])
            if self.project.full_evidence:
                for one in staged:
                    evidence.write_staged(staging, one, folder)

    def _finish(self, report: RunReport, staged: list[StagedSource]) -> RunReport:
        """Keep the report, and seal the evidence; the report says so where that cannot be done."""
        try:
            self._seal(report, staged)
        except OSError as error:
            return unkept(report, self.folder, error)
        return report

    def _seal(self, report: RunReport, staged: list[StagedSource]) -> None:
        file = self.folder / "report.json"
        file.write_text(document.text_of(document.run(report)), encoding="utf-8")
        evidence.seal(
            self.folder / evidence.FOLDER,
            run_id=self.run_id,
            tool_version=version("consolidate"),
            full=self.project.full_evidence,
            sources=staged,
            rules=self._rules(),
            files=tuple(
                one for one in (file, self.folder / "rejects.jsonl", self.folder / references.FILE) if one.is_file()
            ),
        )

    def _save(self, report: RunReport, staged: list[StagedSource], verdicts: dict[str, str], output: Path) -> None:
        """Keep the plan in `output`; an older plan there is none any more before it is touched."""
        with writing(output):
            output.mkdir(parents=True, exist_ok=True)
            (output / planning.FILE).unlink(missing_ok=True)
            for name in (planning.STAGING, "report.json", "rejects.jsonl"):
                shutil.copyfile(self.folder / name, output / name)
            planning.write(
                SavedPlan(
                    folder=output,
                    run_id=self.run_id,
                    tool_version=version("consolidate"),
                    project_file=str(self.project.file),
                    project_digest=self.project.digest,
                    mappings=planning.mapping_digests(self.sources),
                    tables=planning.table_digests(staged),
                    verdicts=verdicts,
                    on_conflict=self.on_conflict,
                    sources=report.sources,
                    roundings=report.roundings,
                )
            )


def _refused_anyway(report: RunReport, foreseen: RunReport) -> RunReport:
    """What a run would do if it were not refused: compared all the same, because that is what a person then asks."""
    besides = foreseen.problems[len(report.problems) :] if foreseen.exit_code == report.exit_code else foreseen.problems
    return replace(
        foreseen,
        status=report.status,
        exit_code=report.exit_code,
        problems=(*report.problems, *besides),
    )


def _require_free(output: Path) -> None:
    """A plan is never written over anything but an older plan."""
    if output.exists() and (not output.is_dir() or (any(output.iterdir()) and not (output / planning.FILE).is_file())):
        raise UsageError(
            Problem(
                code="not-a-plan",
                message=f"{output} is there already, and holds no plan",
                hint="choose a folder that is empty or not there yet",
            )
        )


def _require_target(destination: Destination) -> None:
    """Fail before any work where the target cannot be reached, is too old, or has another schema."""
    with connect(destination.dsn, what=_WHAT, read_only=True) as connection:
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


def _ignored_counts(sources: tuple[PreparedSource, ...], staged: list[StagedSource]) -> list[SourceCounts]:
    """The balance of ignored tables: their rows are filtered, by their written reason."""
    return [
        SourceCounts(source=one.source, table=unread.table, read=unread.rows, filtered=unread.rows)
        for source, one in zip(sources, staged, strict=True)
        for unread in one.unread
        if unread.kind == "table" and coverage.is_ignored(source.system, unread.table)
    ]


def _in_order(counts: tuple[SourceCounts, ...], sources: tuple[PreparedSource, ...]) -> tuple[SourceCounts, ...]:
    """The counts in the order of the project's sources."""
    place = {source.source.name: number for number, source in enumerate(sources)}
    return tuple(sorted(counts, key=lambda one: place[one.source]))


def _storable(text: str) -> str:
    """A JSON text as jsonb takes it: an escaped NUL becomes U+2400; the files of the run keep it as it was."""
    return re.sub(r"(?<!\\)((?:\\\\)*)\\u0000", r"\1\\u2400", text)
