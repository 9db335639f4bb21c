"""The rejected rows of a run as findings: listed, grouped, written to a file, and judged against the limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consolidate.errors import Location, Problem
from consolidate.model import Notice, Reject, RejectCode, RejectGroup

if TYPE_CHECKING:
    from pathlib import Path

    from consolidate.model import RunReport
    from consolidate.staging import Staging

SHOWN: Final = 1_000
"""How many rejects a report lists; the file beside it has all of them."""

_COLUMNS: Final = "source, source_table, source_key, code, column_name, value, location"


def write_file(staging: Staging, file: Path) -> None:
    """Write all rejects as JSON lines, with the keys of the report's `rejects`, in the order of tables and rows."""
    reader = staging.arrow(
        'select to_json(struct_pack(source := source, "table" := source_table, key := source_key, code := code,'
        ' "column" := column_name, value := value, location := location))::varchar as line'
        ' from rej.rejects order by "#n"'
    )
    with file.open("w", encoding="utf-8") as stream:
        for batch in reader:
            for line in batch.column(0):
                stream.write(f"{line.as_py()}\n")


def first(staging: Staging) -> tuple[Reject, ...]:
    """The first rejects, at most `SHOWN`."""
    return tuple(
        _reject(row)
        for row in staging.rows(f'select {_COLUMNS} from rej.rejects order by "#n" limit {SHOWN}')  # noqa: S608 - ours
    )


def groups(staging: Staging) -> tuple[RejectGroup, ...]:
    """All rejects by source table, code and column, with the first of each as its example; the largest groups first."""
    examples = ", ".join(f'arg_min_null({name}, "#n")' for name in _COLUMNS.split(", "))
    rows = staging.rows(
        f"select count(*), {examples}"  # noqa: S608 - ours
        " from rej.rejects group by source, source_table, code, column_name"
        ' order by count(*) desc, min("#n")'
    )
    return tuple(RejectGroup(count=int(str(row[0])), example=_reject(row[1:])) for row in rows)


def refusal(report: RunReport) -> Problem | None:
    """Why the rejects refuse the load; None where they do not."""
    counted = sum(group.count for group in report.reject_groups if group.example.code not in report.accepted_codes)
    if counted <= report.max_rejects:
        return None
    return Problem(
        code="too-many-rejects",
        message=f"{counted} rows were rejected, and the limit is {report.max_rejects}; nothing was loaded",
        hint="mend the rows in the source or the mapping, or decide in the project file what may be left out:"
        " `limits: {max_rejects: …, accept: [<code>]}`",
    )


def notices(staging: Staging) -> tuple[Notice, ...]:
    """What a person should know although it refuses nothing: what the `warn` rules of the mappings found."""
    rows = staging.rows("select code, message from rej.notices")
    return tuple(Notice(code=str(code), message=str(message)) for code, message in rows)


def _reject(row: tuple[object, ...]) -> Reject:
    source, table, key, code, column, value, location = row
    return Reject(
        source=str(source),
        table=str(table),
        key="" if key is None else str(key),
        code=RejectCode(str(code)),
        column=None if column is None else str(column),
        value=None if value is None else str(value),
        location=_location(location),
    )


def _location(text: object) -> Location | None:
    if text is None:
        return None
    file, line, column = str(text).rsplit(":", 2)
    return Location(file=file, line=int(line), column=int(column))
