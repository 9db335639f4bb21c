"""A saved plan: what a dry run found, kept so that a later load does exactly that or refuses.

```
DIR/plan.json         what the plan rests on: digests of project file, mappings and source tables, verdicts
DIR/staging.duckdb    the staged rows and the candidates made of them
DIR/report.json  DIR/rejects.jsonl
```
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from consolidate.errors import ConflictError, Location, Problem, UsageError
from consolidate.mapping.load import files
from consolidate.model import Rounding, SourceCounts
from consolidate.relations import work

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from consolidate.diff import DiffReport
    from consolidate.model import StagedSource
    from consolidate.preparation import PreparedSource
    from consolidate.staging import Staging

FILE: Final = "plan.json"
STAGING: Final = "staging.duckdb"
SCHEMA: Final = "consolidate.plan/1"
_MOST_CHANGED: Final = 40
AGAIN: Final = "make a new plan: `consolidate plan -o DIR`"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPlan:
    """What a plan rests on. Digests are hex; `tables` by "source.table", `mappings` by file, `verdicts` by target.

    `verdicts` say for every candidate what a load does with it; `on_conflict` is how conflicts were to be settled.
    """

    folder: Path
    run_id: str
    tool_version: str
    project_file: str
    project_digest: str
    mappings: Mapping[str, str]
    tables: Mapping[str, str]
    verdicts: Mapping[str, str]
    on_conflict: str
    sources: tuple[SourceCounts, ...]
    roundings: tuple[Rounding, ...]

    @property
    def staging(self) -> Path:
        """The DuckDB file with the candidates."""
        return self.folder / STAGING


def verdicts(staging: Staging, report: DiffReport) -> dict[str, str]:
    """A digest by target table of what a load would do with each candidate; independent of the order of rows."""
    found = {}
    for table in report.tables:
        line = "concat_ws('|', d.n, d.bot, d.action, d.why)"
        count, lower, upper = staging.rows(
            f"select count(*), sum(md5_number_lower(line))::varchar, sum(md5_number_upper(line))::varchar"
            f" from (select {line} as line from {work('diff', table.table)} d)"
        )[0]
        found[table.table] = f"{count}:{lower}:{upper}"
    return found


def table_digests(sources: Iterable[StagedSource]) -> dict[str, str]:
    """The digests of all staged tables, by "source.table"."""
    return {f"{table.source}.{table.table}": table.digest for source in sources for table in source.tables}


def mapping_digests(sources: Iterable[PreparedSource]) -> dict[str, str]:
    """The digests of all files of the mappings, by folder and name; of two with one name, the second is `…#2`."""
    found: dict[str, str] = {}
    for place in dict.fromkeys(source.source.mapping for source in sources):
        for file in files(place):
            name = f"{file.parent.name}/{file.name}"
            number = 1 + sum(known.partition("#")[0] == name for known in found)
            found[name if number == 1 else f"{name}#{number}"] = _digest(file)
    return found


def write(plan: SavedPlan) -> None:
    """Write plan.json, last of all: without it the folder holds no plan."""
    document = {
        "schema": SCHEMA,
        "run_id": plan.run_id,
        "staging_sha256": _digest(plan.staging),
        "tool_version": plan.tool_version,
        "project_file": plan.project_file,
        "project_digest": plan.project_digest,
        "mappings": dict(plan.mappings),
        "tables": dict(plan.tables),
        "verdicts": dict(plan.verdicts),
        "on_conflict": plan.on_conflict,
        "sources": [_counts(one) for one in plan.sources],
        "roundings": [_rounding(one) for one in plan.roundings],
    }
    text = json.dumps(document, indent=1, ensure_ascii=False)
    (plan.folder / FILE).write_text(text + "\n", encoding="utf-8")


def _counts(counts: SourceCounts) -> list[object]:
    return [
        counts.source,
        counts.table,
        counts.read,
        counts.mapped,
        counts.merged,
        counts.rejected,
        counts.filtered,
        counts.archived,
    ]


def _rounding(one: Rounding) -> list[object]:
    place = one.location
    return [
        one.source,
        one.table,
        one.target,
        one.column,
        one.rows,
        one.largest_change,
        [place.file, place.line, place.column],
    ]


def read(folder: Path) -> SavedPlan:
    """The plan in a folder. Raises `UsageError` where there is none, or where it is not as it was saved."""
    try:
        document = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        document = None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA or not (folder / STAGING).is_file():
        raise _no_plan("no-plan", f"{folder} holds no whole plan")
    found = cast("dict[str, Any]", document)
    try:
        plan = _plan(folder, found)
        digest = str(found["staging_sha256"])
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise _no_plan(
            "no-plan", f"{folder / FILE} is no plan of this version: {type(error).__name__} {error}"
        ) from None
    if _digest(plan.staging) != digest:
        raise _no_plan("plan-damaged", f"{plan.staging} is not as the plan saved it")
    return plan


def _no_plan(code: str, message: str) -> UsageError:
    return UsageError(
        Problem(code=code, message=message, hint="`consolidate plan -o DIR` saves one; give that folder to `apply`")
    )


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _plan(folder: Path, found: Mapping[str, Any]) -> SavedPlan:
    return SavedPlan(
        folder=folder,
        run_id=found["run_id"],
        tool_version=found["tool_version"],
        project_file=found["project_file"],
        project_digest=found["project_digest"],
        mappings=dict(found["mappings"]),
        tables=dict(found["tables"]),
        verdicts=dict(found["verdicts"]),
        on_conflict=str(found["on_conflict"]),
        sources=tuple(
            SourceCounts(
                source=source,
                table=table,
                read=count,
                mapped=mapped,
                merged=merged,
                rejected=rejected,
                filtered=filtered,
                archived=archived,
            )
            for source, table, count, mapped, merged, rejected, filtered, archived in found["sources"]
        ),
        roundings=tuple(
            Rounding(
                source=source,
                table=table,
                target=target,
                column=column,
                rows=rows,
                largest_change=change,
                location=Location(file=place[0], line=place[1], column=place[2]),
            )
            for source, table, target, column, rows, change, place in found["roundings"]
        ),
    )


def require_same_rules(plan: SavedPlan, *, tool_version: str, project_digest: str, mappings: Mapping[str, str]) -> None:
    """Raise `ConflictError` naming what of tool, project file and mappings changed since the plan."""
    changed = []
    if plan.tool_version != tool_version:
        changed.append(f"consolidate is {tool_version}, the plan was made by {plan.tool_version}")
    if plan.project_digest != project_digest:
        changed.append(f"the project file {plan.project_file} changed")
    changed += [
        f"the mapping file {file} {_became(plan.mappings.get(file), mappings.get(file))}"
        for file in sorted(plan.mappings.keys() | mappings.keys())
        if plan.mappings.get(file) != mappings.get(file)
    ]
    _refuse(changed)


def _became(before: str | None, now: str | None) -> str:
    return "is new" if before is None else "is gone" if now is None else "changed"


def require_same_sources(plan: SavedPlan, tables: Mapping[str, str]) -> None:
    """Raise `ConflictError` naming the source tables that are not as the plan read them."""
    _refuse(
        [
            f"the source table {table} changed"
            for table in sorted(plan.tables.keys() | tables.keys())
            if plan.tables.get(table) != tables.get(table)
        ]
    )


def require_same_verdicts(plan: SavedPlan, found: Mapping[str, str]) -> None:
    """Raise `ConflictError` naming the target tables of which the plan foresaw something else."""
    _refuse(
        [
            f"the target table {table} changed"
            for table in sorted(plan.verdicts.keys() | found.keys())
            if plan.verdicts.get(table) != found.get(table)
        ]
    )


def _refuse(changed: list[str]) -> None:
    if changed:
        lines = "\n".join(f"  - {one}" for one in changed[:_MOST_CHANGED])
        if len(changed) > _MOST_CHANGED:
            lines += f"\n  - and {len(changed) - _MOST_CHANGED} more"
        raise ConflictError(
            Problem(
                code="stale-plan",
                message=f"the plan is stale; nothing was loaded. Since it was made:\n{lines}",
                hint=AGAIN,
            )
        )
