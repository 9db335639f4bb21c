"""Whether lineage says of loaded rows what it must: proved by `verify`, from source rows read again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from consolidate.relations import LINEAGE, STORED_KEY, work
from consolidate.staging import literal
from consolidate.target.asked import answers
from consolidate.target.identity import CANDLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consolidate.staging import Staging
    from consolidate.target.transaction import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongLineage:
    """A lineage row that does not say what it must: in which columns, or (None) that it is missing."""

    table: str
    key: str
    source_row: str
    columns: str | None

    def __str__(self) -> str:
        what = "is missing" if self.columns is None else f"differs in {self.columns}"
        return f"{self.table} {self.key}: its lineage from {self.source_row} {what}"


def wrong_lineage(
    connection: Connection, staging: Staging, tables: Sequence[str], run_id: str
) -> tuple[WrongLineage, ...]:
    """Every lineage row of rows that equal their candidates, and that is not as it must be; those of later runs too.

    `row_hash` is checked where this run wrote the row: elsewhere it tells of an earlier or a later one. Of a candle
    that was there already it is null. Residuals are compared as text: as jsonb, 2.0 equals 2.00. Needs `work."diff …"`
    and `work."hash …"` of each of `tables`. Raises `psycopg.Error`.
    """
    found: list[WrongLineage] = []
    for table in tables:
        answers(
            connection,
            staging,
            f"select l.target_table, d.target_key, l.source, l.source_table, {STORED_KEY} as source_key, l.outcome,"
            " cast(l.source_hash as varchar) as source_hash, cast(h.row_hash as varchar) as row_hash, l.residual"
            f' from {LINEAGE} l join {work("diff", table)} d on d.n = l."#n"'
            f" join {work('hash', table)} h on h.n = d.n where l.target_table = {literal(table)} and d.why = 'equal'",
            _ASKED,
            lambda asked: _question(asked, run_id),
            _ANSWER,
            tuple((name, "varchar") for name in ("target_key", "source_row", "columns")),
        )
        found += [
            WrongLineage(table=table, key=str(key), source_row=str(row), columns=None if names is None else str(names))
            for key, row, names in staging.rows(f"select target_key, source_row, columns from {_ANSWER} order by 1, 2")
        ]
    return tuple(found)


_ANSWER: Final = 'work."wrong lineage"'
_ASKED: Final = (
    *((name, "text") for name in ("target_table", "target_key", "source", "source_table", "source_key", "outcome")),
    ("source_hash", "uuid"),
    ("row_hash", "uuid"),
    ("residual", "jsonb"),
)


def _question(asked: str, run_id: str) -> str:
    known = "exists (select from audit.migration_runs r where r.run_id"
    written = (
        f"l.run_id = {literal(run_id)} and (l.previous ? 'row' or (l.previous is null and l.first_run_id is null))"
    )
    candle = f"l.row_hash is null and l.target_table = {literal(CANDLES)}"
    wrong = (
        "concat_ws(', ', case when l.outcome <> q.outcome then 'outcome' end,"
        " case when l.source_hash is distinct from q.source_hash then 'source_hash' end,"
        " case when l.residual::text is distinct from q.residual::text then 'residual' end,"
        f" case when {written} and l.row_hash is distinct from q.row_hash and not ({candle}) then 'row_hash' end,"
        f" case when not {known} = l.run_id) then 'run_id' end,"
        f" case when l.first_run_id is not null and not {known} = l.first_run_id) then 'first_run_id' end)"
    )
    return (
        "select w.target_key, w.source_row, w.columns from (select q.target_key,"
        " q.source || '.' || q.source_table || ' ' || q.source_key as source_row,"
        f" case when l.target_key is not null then {wrong} end as columns from {asked}"
        " left join audit.migration_lineage l on l.target_table = q.target_table and l.target_key = q.target_key"
        " and l.source = q.source and l.source_table = q.source_table and l.source_key = q.source_key"
        ") w where w.columns is distinct from ''"
    )
