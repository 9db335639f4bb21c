"""What the columns of a staged table hold, counted and compared in DuckDB: two passes of aggregates a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from consolidate.extract.staged import CLASS
from consolidate.staging import quoted

if TYPE_CHECKING:
    from consolidate.model import StagedTable
    from consolidate.staging import Staging

MOST_DISTINCT: Final = 20
LONGEST: Final = 1_000
"""Columns with a longer text than this are counted, and not quoted from."""

_LIKELY_FEW: Final = 4 * MOST_DISTINCT
_NUMBER: Final = "try_cast({0} as double)"
_TIME: Final = "try_cast({0} as timestamptz)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """What one column holds. Texts are as stored.

    `classes` counts the storage classes, where the store tells them, the most frequent first. `distinct` are all values
    with their counts (None: null), the most frequent first; empty where there are more than 20 beside null.
    `minimum` and `maximum` are in the `order` of numbers or of times where more than half of the cells are such
    ("number", "time"), and leave out the `strays` that are none; else in that of texts ("text").
    """

    name: str
    nulls: int
    classes: tuple[tuple[str, int], ...] = ()
    distinct: tuple[tuple[str | None, int], ...] = ()
    order: str = "text"
    strays: int = 0
    minimum: str | None = None
    maximum: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """What the first pass tells of a column. `number`: its cells that are numbers."""

    name: str
    filled: int
    number: int
    few: bool
    short: bool
    may_be_time: bool
    minimum: str | None
    maximum: str | None
    classes: tuple[tuple[str, int], ...]

    @property
    def numeric(self) -> bool:
        return self.number * 2 > self.filled


def profile(staging: Staging, table: StagedTable) -> tuple[ColumnProfile, ...]:
    """The columns of a staged table in their order. Its memory does not grow with the rows."""
    counted = _counted(staging, table)
    answers = _compared(staging, table, counted)
    return tuple(_column(table.rows, one, answers) for one in counted)


def _counted(staging: Staging, table: StagedTable) -> list[_Counted]:
    asked = []
    for column in table.columns:
        name = quoted(column.name)
        asked += [
            f"count({name})",
            f"count({_NUMBER.format(_readable(table, column.name))})",
            f"approx_count_distinct({name}) <= {_LIKELY_FEW}",
            f"max(strlen({name})) <= {LONGEST}",
            f"{_TIME.format(f'min({name})')} is not null or {_TIME.format(f'max({name})')} is not null",
            f"case when max(strlen({name})) <= {LONGEST} then min({name}) end",
            f"case when max(strlen({name})) <= {LONGEST} then max({name}) end",
            f"histogram({quoted(column.name + CLASS)})" if table.classed else "null",
        ]
    if not asked:
        return []
    (row,) = staging.rows(f"select {', '.join(asked)} from {table.relation}")
    width = len(asked) // len(table.columns)
    return [
        _one(column.name, row[start : start + width])
        for column, start in zip(table.columns, range(0, len(row), width), strict=True)
    ]


def _readable(table: StagedTable, column: str) -> str:
    """The cell as SQL, but for the hexadecimal digits of a blob, which are no number."""
    if not table.classed:
        return quoted(column)
    return f"case when {quoted(column + CLASS)} <> 'blob' then {quoted(column)} end"


def _one(name: str, cells: tuple[object, ...]) -> _Counted:
    filled, number, few, short, may_be_time, minimum, maximum, classes = cells
    return _Counted(
        name=name,
        filled=_whole(filled),
        number=_whole(number),
        few=bool(few),
        short=bool(short),
        may_be_time=bool(may_be_time),
        minimum=_text(minimum),
        maximum=_text(maximum),
        classes=tuple((str(value), count) for value, count in _counts(classes)),
    )


def _compared(staging: Staging, table: StagedTable, counted: list[_Counted]) -> dict[tuple[str, str], object]:
    """The second pass: of each column and question ("least", "greatest", "times", "values") the answer."""
    asked: dict[tuple[str, str], str] = {}
    for one in counted:
        name = quoted(one.name)
        if one.few and one.short:
            asked[one.name, "values"] = f"histogram({name})"
        order = None
        if one.numeric and one.short:
            order = _NUMBER.format(_readable(table, one.name))
        elif one.may_be_time and one.short:
            order = _TIME.format(name)
            asked[one.name, "times"] = f"count({order})"
        if order is not None:
            asked[one.name, "least"] = f"arg_min({name}, {order})"
            asked[one.name, "greatest"] = f"arg_max({name}, {order})"
    if not asked:
        return {}
    (row,) = staging.rows(f"select {', '.join(asked.values())} from {table.relation}")
    return dict(zip(asked, row, strict=True))


def _column(rows: int, one: _Counted, answers: dict[tuple[str, str], object]) -> ColumnProfile:
    order, fitting, minimum, maximum = "text", one.filled, one.minimum, one.maximum
    times = answers.get((one.name, "times"))
    timed = times is not None and _whole(times) * 2 > one.filled
    if (one.name, "least") in answers and (timed or times is None):
        order, fitting = ("time", _whole(times)) if timed else ("number", one.number)
        minimum, maximum = _text(answers[one.name, "least"]), _text(answers[one.name, "greatest"])
    nulls = rows - one.filled
    return ColumnProfile(
        name=one.name,
        nulls=nulls,
        classes=one.classes,
        distinct=_distinct(answers[one.name, "values"], nulls) if (one.name, "values") in answers else (),
        order=order,
        strays=one.filled - fitting,
        minimum=minimum,
        maximum=maximum,
    )


def _distinct(histogram: object, nulls: int) -> tuple[tuple[str | None, int], ...]:
    values: list[tuple[str | None, int]] = list(_counts(histogram))
    if len(values) > MOST_DISTINCT:
        return ()
    if nulls:
        values.append((None, nulls))
    return tuple(values)


def _counts(histogram: object) -> list[tuple[str, int]]:
    """Of DuckDB's `histogram`: the most frequent value first, those with one count in the order of texts."""
    if not isinstance(histogram, dict):
        return []
    found = [(str(value), _whole(count)) for value, count in histogram.items()]
    return sorted(found, key=lambda one: (-one[1], one[0]))


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(value)
    return value


def _text(value: object) -> str | None:
    return None if value is None else str(value)
