"""Control totals: the same measures of the same rows, taken by DuckDB of candidates and by PostgreSQL of its rows."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Final

from consolidate.canonical import Form, columns, duckdb_text_of, form
from consolidate.model import Control
from consolidate.relations import candidates, work
from consolidate.staging import quoted
from consolidate.target.readback import PROVABLE, aggregates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consolidate.diff import TableDiff
    from consolidate.staging import Staging
    from consolidate.target.contract import TableContract
    from consolidate.target.transaction import Connection

_DIGITS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measure:
    """What is measured: its name in reports, and the SQL for its text on either side, over the rows' alias."""

    name: str
    duckdb: str
    postgres: str
    is_time: bool = False


def controls(
    staging: Staging, connection: Connection, table: TableContract, diff: TableDiff, rows: str
) -> Iterator[Control]:
    """The control totals of one table, by bot: count, exact sums, first and last times, counts by status.

    `rows` is the SQL of `target.readback.name_proved`. Measures that are null on both sides are left out.
    """
    origin = f"from {candidates(table.name)} c"
    if not diff.fresh:
        origin += f' join {work("diff", table.name)} d on d.n = c."#n" where {PROVABLE}'
    by_bot = table.column("bot_id") is not None
    wanted = _measures(table)
    ours = staging.rows(f'select c."#bot", {", ".join(one.duckdb for one in wanted)} {origin} group by c."#bot"')
    theirs = aggregates(
        connection,
        ", ".join(["t.bot_id" if by_bot else "null", *(one.postgres for one in wanted)]),
        rows,
        "t.bot_id" if by_bot else "",
    )
    sources = {_text(bot): [_text(value) for value in values] for bot, *values in ours}
    targets = {_text(bot): [_text(value) for value in values] for bot, *values in theirs}
    nothing: list[str | None] = [None] * len(wanted)
    for bot in sorted(sources.keys() | targets.keys(), key=lambda name: name or "\U0010ffff"):
        pairs = zip(sources.get(bot, nothing), targets.get(bot, nothing), strict=True)
        for measure, (source, target) in zip(wanted, pairs, strict=True):
            if source is not None or target is not None:
                yield _control(table.name, bot, measure, source, target)
    if table.column("status") is not None:
        yield from _by_status(staging, connection, table, origin, rows)


def _by_status(
    staging: Staging, connection: Connection, table: TableContract, origin: str, rows: str
) -> Iterator[Control]:
    ours = staging.rows(f'select c."#bot", c.status, cast(count(*) as varchar) {origin} group by all')
    theirs = aggregates(connection, "t.bot_id, t.status, count(*)::text", rows, "t.bot_id, t.status")
    sources = {(_text(bot), _text(status)): _text(number) for bot, status, number in ours}
    targets = {(_text(bot), _text(status)): _text(number) for bot, status, number in theirs}
    for bot, status in sorted(sources.keys() | targets.keys(), key=lambda pair: (pair[0] or "", pair[1] or "")):
        name = "count(status is null)" if status is None else f"count(status = {status})"
        measure = _Measure(name=name, duckdb="", postgres="")
        yield _control(table.name, bot, measure, sources.get((bot, status), "0"), targets.get((bot, status), "0"))


def _measures(table: TableContract) -> tuple[_Measure, ...]:
    found = [_Measure(name="count", duckdb="cast(count(*) as varchar)", postgres="count(*)::text")]
    for column in columns(table):
        name = quoted(column.name)
        if column.type.startswith("numeric"):
            found.append(
                _Measure(
                    name=f"sum({column.name})",
                    duckdb=f"cast(sum(c.{name}) as varchar)",
                    postgres=f"sum(t.{name})::text",
                )
            )
        elif form(column) is Form.TIME or column.type == "date":
            found.extend(
                _Measure(
                    name=f"{extreme}({column.name})",
                    duckdb=duckdb_text_of(form(column), f"{extreme}(c.{name})"),
                    postgres=f"{extreme}(t.{name})::text",
                    is_time=True,
                )
                for extreme in ("min", "max")
            )
    return tuple(found)


def _control(table: str, bot: str | None, measure: _Measure, source: str | None, target: str | None) -> Control:
    return Control(
        table=table,
        bot_id=bot,
        measure=measure.name,
        source_value=_iso(source) if measure.is_time else source,
        rejected_value=None,
        target_value=_iso(target) if measure.is_time else target,
        difference=_difference(measure, source, target),
        status="equal" if source == target else "different",
    )


def _difference(measure: _Measure, source: str | None, target: str | None) -> str | None:
    """Target minus source; None where that is no number."""
    if source == target:
        return "0"
    if measure.is_time or source is None or target is None:
        return None
    with localcontext(prec=_DIGITS):
        difference = Decimal(target) - Decimal(source)
    return format(difference, "f") if difference.is_finite() else None


def _iso(text: str | None) -> str | None:
    """`2024-01-31 12:00:00.5+00` as `2024-01-31T12:00:00.5Z`; dates stay."""
    return None if text is None else text.replace(" ", "T", 1).replace("+00", "Z")


def _text(value: object) -> str | None:
    return None if value is None else str(value)
