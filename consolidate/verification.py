"""A loaded run proved again: its candidates made anew from what it read, and compared with the target row by row."""

from __future__ import annotations

import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from consolidate import diff, evidence, history
from consolidate.bundled import statement
from consolidate.destination import opened, sources_opened
from consolidate.errors import ExitCode, Problem, UnreachableError
from consolidate.extract.staged import digest_of
from consolidate.mapping import load
from consolidate.mapping.compiled import compile_system
from consolidate.mapping.yaml import Problems
from consolidate.model import Notice, Progress, RunReport
from consolidate.postgres import connect
from consolidate.preparation import prepared
from consolidate.references import FILE, of_file, of_target
from consolidate.relations import HELD_LINEAGE, LINEAGE, STORED_KEY, work
from consolidate.staging import Staging
from consolidate.target.cells import differing
from consolidate.target.contract import expected
from consolidate.target.lineage_proof import wrong_lineage
from consolidate.target.transaction import snapshot
from consolidate.transform import BotRow, TransformSource, transform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consolidate.evidence import Evidence
    from consolidate.model import StagedSource
    from consolidate.project import Project
    from consolidate.target.transaction import Connection

MOST_NAMED: Final = 2_000
"""How many differing rows are named with their cells; all are counted."""

_WHAT: Final = "the target"
_PROVED: Final = ("equal", "shared")
_SAID: Final = {
    "new": "is missing, and lineage does not know it",
    "deleted": "is missing",
    "deleted_and_changed": "is missing",
    "not_ours": "is there, but lineage does not know it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Basis:
    """Staged rows and the rules to read them by. `shown` says where they come from."""

    shown: str
    sources: tuple[TransformSource, ...]
    bots: tuple[BotRow, ...]


def verify(
    project: Project,
    run_id: str = history.LATEST,
    *,
    from_sources: bool = False,
    observe: Callable[[Progress], None] = lambda _: None,
) -> RunReport:
    """Prove a loaded run again: from its evidence, or from the sources (`from_sources`, or with digests alone).

    The evidence itself is proved first: one changed byte raises `UnreachableError`, as does a source that is not as the
    run read it. A run that left no evidence (its folder is gone, it died after the commit, the disk was full) is proved
    from the sources as they are. Rows that later runs wrote are left out, and counted in a notice. `status` is "loaded"
    and the exit code 0 where every row is as it was loaded; else "failed" and 5, with each differing row in `problems`:
    table, key, columns, both values. Lineage is proved with the rows: which source rows lead to them, their hashes, and
    the residual.
    """
    started = time.perf_counter()
    with opened(project) as destination, connect(destination.dsn, what=_WHAT) as connection:
        chosen = history.chosen_run(connection, run_id)
        folder = project.state_folder / "runs" / chosen.run_id
        with _staging(project) as staging:
            basis = _basis(project, folder, staging, observe, from_sources=from_sources)
            held = of_file(folder / evidence.FOLDER / FILE) if folder.is_dir() else of_target(destination.dsn)
            transformed = transform(staging, basis.sources, basis.bots, observe, held)
            names = [source.name for source in basis.sources]
            with snapshot(connection):
                report = diff.compare(staging, connection, sources=names, proving=True, observe=observe)
                later = _later(connection, chosen.run_id)
                problems, superseded, count = _differences(connection, staging, report, later)
                hashed = [one.table for one in report.tables if one.hashed]
                wrong = wrong_lineage(connection, staging, hashed, chosen.run_id)
        lineage = [str(one) for one in wrong if (one.table, one.key) not in later]
        problems += _first(lineage)
    seconds = round(time.perf_counter() - started, 3)
    proved = sum(one.candidate for one in report.tables) - count - superseded
    differs = bool(count or lineage)
    return RunReport(
        command="verify",
        run_id=chosen.run_id,
        status="failed" if differs else "loaded",
        exit_code=ExitCode.RECONCILIATION if differs else ExitCode.DONE,
        run_dir=folder,
        target=destination.shown,
        sources=transformed.counts,
        targets=report.counts,
        problems=tuple(problems),
        notices=tuple(_notices(basis.shown, proved, superseded)),
        seconds=(("verify", seconds),),
    )


@contextmanager
def _staging(project: Project) -> Iterator[Staging]:
    """A DuckDB file for the time of the verification."""
    project.state_folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="verify-", dir=project.state_folder) as folder,
        Staging.open(Path(folder) / "staging.duckdb") as staging,
    ):
        yield staging


def _basis(
    project: Project,
    folder: Path,
    staging: Staging,
    observe: Callable[[Progress], None],
    *,
    from_sources: bool,
) -> _Basis:
    if not folder.is_dir() or (from_sources and not evidence.is_there(folder)):
        return _from_sources(project, None, staging, observe)
    found = evidence.opened(folder)
    if from_sources or not found.full:
        return _from_sources(project, found, staging, observe)
    evidence.stage(staging, found)
    for source in found.sources:
        for table in source.tables:
            if digest_of(staging, table.relation, table.columns, classed=table.classed) != table.digest:
                raise UnreachableError(
                    Problem(
                        code="evidence-changed",
                        message=f"the rows of {source.source}.{table.table} do not have the digest of the manifest",
                        hint="bring the evidence back from a copy",
                    )
                )
    bots = tuple(bot for rules in found.rules for bot in rules.bots)
    return _Basis(shown=f"the evidence in {found.folder}", sources=_ruled(found), bots=bots)


def _ruled(found: Evidence) -> tuple[TransformSource, ...]:
    """The sources of the evidence with the mappings that it keeps."""
    problems = Problems()
    sources = []
    for index, (staged, rules) in enumerate(zip(found.sources, found.rules, strict=True)):
        system = load.system(found.mapping(index), problems)
        if system is not None:
            compiled = compile_system(system, zone=rules.time_zone, problems=problems, made=rules.made)
            sources.append(TransformSource(name=staged.source, compiled=compiled, staged=staged, routing=rules.routing))
    if problems:
        raise UnreachableError(
            Problem(
                code="evidence-too-old",
                message="the mappings of the run are not mappings to this version of consolidate",
                hint=f"verify it with the version that loaded it, {found.tool_version}",
            ),
            *problems.found,
        )
    return tuple(sources)


def _from_sources(
    project: Project, found: Evidence | None, staging: Staging, observe: Callable[[Progress], None]
) -> _Basis:
    """Read the sources again; with evidence, they must be as the run read them."""
    from consolidate.reading import read_sources  # noqa: PLC0415 - evidence alone needs no driver of a source

    with sources_opened(project) as reachable:
        sources = prepared(reachable)
        staged = read_sources(sources, staging, staging.path.parent, observe)
    if found is not None:
        _require_same(found, staged)
    return _Basis(
        shown="the sources",
        sources=tuple(source.transforming(one) for source, one in zip(sources, staged, strict=True)),
        bots=tuple(bot for source in sources for bot in source.bots),
    )


def _require_same(found: Evidence, staged: list[StagedSource]) -> None:
    read = {(table.source, table.table): table.digest for one in staged for table in one.tables}
    changed = [
        f"{table.source}.{table.table}"
        for source in found.sources
        for table in source.tables
        if read.get((table.source, table.table)) != table.digest
    ]
    if changed:
        raise UnreachableError(
            Problem(
                code="source-changed",
                message=f"not as the run read it any more: {', '.join(changed)}",
                hint="verify from the evidence, without `--sources`"
                if found.full
                else "the run kept digests alone (`evidence: digests`); it can be proved from unchanged sources only",
            )
        )


def _later(connection: Connection, run_id: str) -> set[tuple[str, str]]:
    """The target rows that runs after this one wrote: table and key."""
    rows = connection.execute(statement("verify/later"), {"run_id": run_id}).fetchall()
    return {(str(table), str(key)) for table, key in rows}


def _differences(
    connection: Connection, staging: Staging, report: diff.DiffReport, later: set[tuple[str, str]]
) -> tuple[list[str], int, int]:
    """Each row that is not as it was loaded, one line; how many later runs wrote; how many differ."""
    lines: list[str] = []
    superseded = count = 0
    for one in report.tables:
        table = next(each for each in expected().tables if each.name == one.table)
        for n, why, key in _unproved(staging, table.name):
            if (table.name, key) in later:
                superseded += 1
                continue
            count += 1
            if count > MOST_NAMED:
                continue
            cells = differing(connection, staging, table, n, key)
            said = "; ".join(str(cell) for cell in cells or ()) or _SAID.get(why, "has not the hash it was loaded with")
            lines.append(f"{table.name} {key}: {said}")
    if count > MOST_NAMED:
        lines.append(f"… and {count - MOST_NAMED} more rows")
    return lines, superseded, count


def _first(lines: list[str]) -> list[str]:
    rest = len(lines) - MOST_NAMED
    return lines if rest <= 0 else [*lines[:MOST_NAMED], f"… and {rest} more lineage rows"]


def _unproved(staging: Staging, table: str) -> list[tuple[int, str, str]]:
    """The candidates that the target does not equal: n, why, and the key of the row that they were loaded as."""
    proved = ", ".join(f"'{why}'" for why in _PROVED)
    rows = staging.rows(
        f"select d.n, d.why, coalesce(d.former_key, d.target_key, min(h.target_key), '?') from {work('diff', table)} d"
        f' left join {LINEAGE} l on l."#n" = d.n and l.target_table = $1 left join {HELD_LINEAGE} h'
        " on h.target_table = l.target_table and h.source = l.source and h.source_table = l.source_table"
        f" and h.source_key = {STORED_KEY} where d.why not in ({proved})"
        " group by d.n, d.why, d.former_key, d.target_key order by 3, 1",
        [table],
    )
    return [(int(str(n)), str(why), str(key)) for n, why, key in rows]


def _notices(basis: str, proved: int, superseded: int) -> Iterator[Notice]:
    yield Notice(code="verified", message=f"{proved} rows are as they were loaded, made anew from {basis}")
    if superseded:
        yield Notice(code="superseded", message=f"{superseded} rows were written again by later runs, and left out")
