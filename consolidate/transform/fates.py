"""Fates: the rows of a source table that make nothing of their own, and why. A row has at most one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consolidate.staging import literal, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consolidate.errors import Location
    from consolidate.model import RejectCode
    from consolidate.staging import Staging
    from consolidate.transform.names import Names
    from consolidate.transform.shape import Failure


def open_fates(staging: Staging, names: Names) -> None:
    """Make the empty fate table."""
    staging.run(
        f"create or replace table {names.fate} ("
        '"#row" bigint, outcome varchar, code varchar, column_name varchar, place varchar, shown varchar,'
        " into_row bigint)"
    )


def living(names: Names) -> str:
    """The condition that the row `r` of a statement has no fate."""
    return f'not exists (select 1 from {names.fate} f where f."#row" = r."#row")'


def reject(
    staging: Staging,
    names: Names,
    rows: str,
    code: RejectCode,
    *,
    column: str | None,
    location: Location | None,
    parameters: Sequence[object] = (),
    shown: str = "null",
) -> None:
    """Reject the rows that the query `rows` gives (`"#row"`, and what `shown` names) and that have no fate yet."""
    start = len(parameters)
    staging.run(
        f"insert into {names.fate}"
        f" select r.\"#row\", 'rejected', ${start + 1}, ${start + 2}, ${start + 3}, any_value({shown})::varchar, null"
        f' from ({rows}) r where {living(names)} group by r."#row"',
        [*parameters, code.value, column, None if location is None else str(location)],
    )


def reject_failures(staging: Staging, names: Names, relation: str, failures: Sequence[Failure]) -> None:
    """Reject the rows of `relation` whose `#fail` is set, each for what its number means."""
    numbers = staging.rows(f'select distinct "#fail" from {relation} where "#fail" is not null order by 1')
    for (number,) in numbers:
        if not isinstance(number, int):
            raise TypeError(number)
        failure = failures[number]
        rows = f'select "#row" from {relation} where "#fail" = {number}'
        reject(staging, names, rows, failure.code, column=failure.column, location=failure.location)


def reject_orphans(staging: Staging, names: Names, orphans: str) -> None:
    """Reject the rows that an earlier look at the candidates named in the table `orphans`; see `orphans.settle`."""
    staging.run(
        f"insert into {names.fate} select r.\"#row\", 'rejected', o.code, o.column_name, o.place, o.shown, null"
        f' from {orphans} o join {names.typed} r on r."#key" = o.source_key'
        f" where o.source = $1 and o.source_table = $2 and {living(names)}",
        [names.source, names.table],
    )


def merge(staging: Staging, names: Names, rows: str) -> None:
    """Merge rows (`"#row"`) into others (`into_row`), as the query `rows` says."""
    staging.run(
        f"insert into {names.fate} select r.\"#row\", 'merged', null, null, null, null, r.into_row"
        f" from ({rows}) r where {living(names)}"
    )


def leave_out(staging: Staging, names: Names, rows: str) -> None:
    """Count the rows (`"#row"`) as filtered."""
    staging.run(
        f"insert into {names.fate} select r.\"#row\", 'filtered', null, null, null, null, null"
        f" from ({rows}) r where {living(names)}"
    )


def follow(staging: Staging, names: Names) -> None:
    """What was merged into a row that is rejected or filtered has its fate; repeated until nothing changes."""
    stale = (
        f'select m."#row", t.outcome, t.code, t.column_name, t.place, t.shown from {names.fate} m'
        f' join {names.fate} t on t."#row" = m.into_row'
        " where m.outcome = 'merged' and t.outcome in ('rejected', 'filtered')"
    )
    while staging.value(f"select count(*) from ({stale})"):
        staging.run(
            f"update {names.fate} set outcome = s.outcome, code = s.code, column_name = s.column_name,"
            f' place = s.place, shown = s.shown from ({stale}) s where {names.fate}."#row" = s."#row"'
        )


def write_rejects(staging: Staging, names: Names, columns: Sequence[str]) -> None:
    """Append the rejected rows to `rej.rejects`: the cell to blame as stored, and the row verbatim."""
    value = "f.shown"
    if columns:
        cases = " ".join(f"when {literal(column)} then s.{quoted(column)}" for column in columns)
        value = f"coalesce(f.shown, case f.column_name {cases} end)"
    fields = ", ".join(f"{quoted(column)} := s.{quoted(column)}" for column in columns)
    staging.run(
        "insert into rej.rejects"
        ' select (select coalesce(max("#n"), 0) from rej.rejects) + row_number() over (order by f."#row"),'
        f' $1, $2, t."#key", f.code, f.column_name, {value}, f.place, to_json(struct_pack({fields}))::varchar'
        f' from {names.fate} f join {names.staged} s using ("#row") join {names.typed} t using ("#row")'
        " where f.outcome = 'rejected' order by f.\"#row\"",
        [names.source, names.table],
    )
