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
    from collections.abc import Iterator, Sequence

    from consolidate.diff import TableDiff
    from consolidate.staging import Staging
    from consolidate.target.contract import TableContract
    from consolidate.target.transaction import Connection

_DIGITS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measure:
    """What is measured: its name in reports, and the SQL for its text on either side, over the rows' alias.

    `column` is what it is measured of; None: the rows themselves.
    """

    name: str
    duckdb: str
    postgres: str
    column: str | None = None
    extreme: str | None = None  # "min" | "max", of times


_COUNT: Final = _Measure(name="count", duckdb="cast(count(*) as varchar)", postgres="count(*)::text")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """What a measure is on each side for one bot. `reason`: why `rejected` is not known."""

    ours: str | None
    theirs: str | None
    rejected: str | None
    reason: str | None = None


def controls(
    staging: Staging, connection: Connection, table: TableContract, diff: TableDiff, rows: str
) -> Iterator[Control]:
    """The control totals of one table, by bot: count, exact sums, first and last times, counts by status.

    `rows` is the SQL of `target.readback.name_proved`. Measures that are null on all sides are left out.
    """
    origin = f"from {candidates(table.name)} c"
    if not diff.fresh:
        origin += f' join {work("diff", table.name)} d on d.n = c."#n" where {PROVABLE}'
    bot = "t.bot_id" if table.column("bot_id") is not None else ""
    wanted = _measures(table)
    theirs = aggregates(connection, ", ".join([bot or "null", *(one.postgres for one in wanted)]), rows, bot)
    yield from _compared(table, wanted, _ours(staging, wanted, origin), _by_bot(theirs), rejected(staging, table))
    if table.column("status") is not None:
        counted = aggregates(connection, "t.bot_id, t.status, count(*)::text", rows, "t.bot_id, t.status")
        yield from _by_status(staging, table, _statuses(staging, origin), counted)


def of_rejected(staging: Staging, table: TableContract) -> Iterator[Control]:
    """The control totals of a table that no candidate is of: of the rejected rows alone."""
    yield from _compared(table, _measures(table), {}, {}, rejected(staging, table))
    if table.column("status") is not None:
        yield from _by_status(staging, table, [], [])


def _ours(staging: Staging, wanted: tuple[_Measure, ...], origin: str) -> dict[str | None, list[str | None]]:
    select = ", ".join(one.duckdb for one in wanted)
    return _by_bot(staging.rows(f'select c."#bot", {select} {origin} group by c."#bot"'))


def _by_bot(rows: Sequence[tuple[object, ...]]) -> dict[str | None, list[str | None]]:
    return {_text(bot): [_text(value) for value in values] for bot, *values in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """What is known of the rejected rows of a table, by bot; see `consolidate.transform.measured`.

    `values` in the order of the measures; `lost`: rows in which the value of a measure is not known; `certain` rows
    would have become one row each, of the `uncertain` nobody knows.
    """

    values: dict[str | None, list[str | None]]
    lost: dict[str | None, list[int]]
    certain: dict[str | None, int]
    uncertain: dict[str | None, int]

    @property
    def bots(self) -> set[str | None]:
        """All bots that something was rejected of."""
        return {*self.values, *self.certain, *self.uncertain}

    def of(self, bot: str | None, place: int, measure: _Measure) -> tuple[str | None, str | None]:
        """The value of a measure, and why it is not known."""
        lost = self.lost[bot][place] if bot in self.lost else 0
        lost += self.uncertain.get(bot, 0) + (0 if measure is _COUNT else self.certain.get(bot, 0))
        if lost:
            return None, f"the values of {lost} rejected rows are not known"
        values = self.values.get(bot)
        value = None if values is None else values[place]
        if measure is _COUNT:
            return str(int(value or 0) + self.certain.get(bot, 0)), None
        return value, None


def rejected(staging: Staging, table: TableContract) -> Rejected:
    """Measure what was rejected of a table."""
    wanted, place = _measures(table), f"rej.{quoted(table.name)}"
    lost = [
        f'count(*) filter (where not c."#whole" and c.{quoted(one.column)} is null)' for one in wanted if one.column
    ]
    found = staging.rows(f'select c."#bot", 0, {", ".join([*lost, "0"])} from {place} c group by c."#bot"')
    unmeasured = staging.rows(
        "select bot, sum(rows) filter (where certain)::bigint, sum(rows) filter (where not certain)::bigint"
        ' from rej."#unmeasured" where target = ? group by bot',
        [table.name],
    )
    return Rejected(
        values=_ours(staging, wanted, f"from {place} c"),
        lost={_text(bot): [int(str(number)) for number in numbers] for bot, *numbers in found},
        certain={_text(bot): int(str(certain or 0)) for bot, certain, _ in unmeasured},
        uncertain={_text(bot): int(str(uncertain or 0)) for bot, _, uncertain in unmeasured},
    )


def _compared(
    table: TableContract,
    wanted: tuple[_Measure, ...],
    ours: dict[str | None, list[str | None]],
    theirs: dict[str | None, list[str | None]],
    out: Rejected,
) -> Iterator[Control]:
    nothing: list[str | None] = [None] * len(wanted)
    for bot in sorted(ours.keys() | theirs.keys() | out.bots, key=lambda name: name or "\U0010ffff"):
        for place, measure in enumerate(wanted):
            value, reason = out.of(bot, place, measure)
            none = "0" if measure is _COUNT else None
            side = _Side(
                ours=ours.get(bot, nothing)[place] or none,
                theirs=theirs.get(bot, nothing)[place] or none,
                rejected=value,
                reason=reason,
            )
            if side.ours is not None or side.theirs is not None or side.rejected is not None:
                yield _control(table.name, bot, measure, side)


def _statuses(staging: Staging, origin: str) -> list[tuple[object, ...]]:
    return staging.rows(f'select c."#bot", c.status, cast(count(*) as varchar) {origin} group by all')


def _by_status(
    staging: Staging,
    table: TableContract,
    counted: Sequence[tuple[object, ...]],
    theirs: Sequence[tuple[object, ...]],
) -> Iterator[Control]:
    place = f"rej.{quoted(table.name)}"
    sources, targets, out = (
        {(_text(bot), _text(status)): _text(number) for bot, status, number in rows}
        for rows in (counted, theirs, _statuses(staging, f"from {place} c"))
    )
    unknown = staging.rows(
        f'select c."#bot", count(*) from {place} c where c.status is null and not c."#whole" group by 1 union all'
        ' select bot, sum(rows)::bigint from rej."#unmeasured" where target = ? group by 1',
        [table.name],
    )
    lost: dict[str | None, int] = {}
    for bot, number in unknown:
        lost[_text(bot)] = lost.get(_text(bot), 0) + int(str(number))
    found = sources.keys() | targets.keys() | {(bot, status) for bot, status in out if status or not lost.get(bot)}
    for bot, status in sorted(found, key=lambda pair: (pair[0] or "", pair[1] or "")):
        name = "count(status is null)" if status is None else f"count(status = {status})"
        side = _Side(
            ours=sources.get((bot, status), "0"),
            theirs=targets.get((bot, status), "0"),
            rejected=None if lost.get(bot) else out.get((bot, status), "0"),
            reason=f"the status of {lost[bot]} rejected rows is not known" if lost.get(bot) else None,
        )
        yield _control(table.name, bot, _Measure(name=name, duckdb="", postgres=""), side)


def _measures(table: TableContract) -> tuple[_Measure, ...]:
    found = [_COUNT]
    for column in columns(table):
        name = quoted(column.name)
        if column.type.startswith("numeric"):
            found.append(
                _Measure(
                    name=f"sum({column.name})",
                    duckdb=f"cast(sum(c.{name}) as varchar)",
                    postgres=f"sum(t.{name})::text",
                    column=column.name,
                )
            )
        elif form(column) is Form.TIME or column.type == "date":
            found.extend(
                _Measure(
                    name=f"{extreme}({column.name})",
                    duckdb=duckdb_text_of(form(column), f"{extreme}(c.{name})"),
                    postgres=f"{extreme}(t.{name})::text",
                    column=column.name,
                    extreme=extreme,
                )
                for extreme in ("min", "max")
            )
    return tuple(found)


def _control(table: str, bot: str | None, measure: _Measure, side: _Side) -> Control:
    ours, theirs, out = side.ours, side.theirs, side.rejected
    if measure.extreme is None and side.reason is None and out is None:
        out = "0"
    values = [_iso(value) if measure.extreme else value for value in (_together(measure, ours, out), out, theirs)]
    return Control(
        table=table,
        bot_id=bot,
        measure=measure.name,
        source_value=values[0],
        rejected_value=values[1],
        target_value=values[2],
        difference=_difference(measure, ours, theirs),
        status="equal" if ours == theirs else "different",
        rejected_reason=side.reason,
    )


def _together(measure: _Measure, ours: str | None, out: str | None) -> str | None:
    """What the source says: of the candidates and of the rejected rows together."""
    if ours is None or out is None:
        return ours if out is None else out
    if measure.extreme is not None:
        # Texts of one form, with the year in four digits, are in the order of their times.
        return min(ours, out) if measure.extreme == "min" else max(ours, out)
    with localcontext(prec=_DIGITS):
        return format(Decimal(ours) + Decimal(out), "f")


def _difference(measure: _Measure, source: str | None, target: str | None) -> str | None:
    """Target minus source, what was rejected left out of both; None where that is no number."""
    if source == target:
        return "0"
    if measure.extreme is not None or source is None or target is None:
        return None
    with localcontext(prec=_DIGITS):
        difference = Decimal(target) - Decimal(source)
    return format(difference, "f") if difference.is_finite() else None


def _iso(text: str | None) -> str | None:
    """`2024-01-31 12:00:00.5+00` as `2024-01-31T12:00:00.5Z`; dates stay."""
    return None if text is None else text.replace(" ", "T", 1).replace("+00", "Z")


def _text(value: object) -> str | None:
    return None if value is None else str(value)
