"""What is new against the last run: sources that came and went, more or fewer rows, and rejects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consolidate.model import RejectsSince, SinceLastRun, TableSince
from consolidate.relations import REJECTS
from consolidate.target import runs

if TYPE_CHECKING:
    from consolidate.model import RunReport
    from consolidate.staging import Staging
    from consolidate.target.transaction import Connection

_LAST: Final = 'work."last rejects"'
_NAMES: Final = ("source", "source_table", "source_key", "code")
_OURS: Final = ", ".join(f"replace({name}, chr(0), chr(9216)) as {name}" for name in _NAMES)


def since_last_run(connection: Connection, staging: Staging, report: RunReport) -> SinceLastRun | None:
    """What this run has that the last loaded run of these sources had not, and the other way round.

    Rejects are compared one by one, by source row and code. None where no run that is loaded read any of these sources.
    Raises `psycopg.Error`.
    """
    ours = {(one.source, one.table): one.read for one in report.sources}
    sources = tuple(dict.fromkeys(source for source, _ in ours))
    last = runs.last_with(connection, sources)
    if last is None:
        return None
    theirs = {(source, table): read for source, table, read in last.sources}
    before = tuple(dict.fromkeys(source for source, _ in theirs))
    runs.fill_rejects(connection, staging, last.run_id, _LAST, _NAMES)
    return SinceLastRun(
        run_id=last.run_id,
        finished_at=last.finished_at,
        new_sources=tuple(one for one in sources if one not in before),
        gone_sources=tuple(one for one in before if one not in sources),
        tables=tuple(
            TableSince(
                source=source, table=table, before=theirs.get((source, table), 0), now=ours.get((source, table), 0)
            )
            for source, table in dict.fromkeys((*ours, *theirs))
            if source in sources and source in before and theirs.get((source, table), 0) != ours.get((source, table), 0)
        ),
        rejects=tuple(_rejects(staging)),
    )


def _rejects(staging: Staging) -> list[RejectsSince]:
    now, then = f"select {_OURS} from {REJECTS}", f"select {', '.join(_NAMES)} from {_LAST}"
    found = staging.rows(f"""
        select code, count(*) filter (where is_new) as new, count(*) filter (where not is_new) as gone
        from (
            (select true as is_new, n.* from ({now} except all {then}) n)
            union all
            (select false as is_new, g.* from ({then} except all {now}) g)
        ) r
        group by code
        order by code
    """)
    return [RejectsSince(code=str(code), new=int(str(new)), gone=int(str(gone))) for code, new, gone in found]
