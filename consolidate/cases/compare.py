"""Expected rows against the rows that a run made, cell by cell. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from consolidate.cases.outcome import CELL, MISSING, UNEXPECTED, Difference

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

    from consolidate.cases.outcome import Row, Tables

FROM: Final = "from"
"""The cell that is no column: the source rows that a row comes from."""

_DIGITS: Final = re.compile(r"([0-9]+)")
_BETWEEN: Final = " | "


def differences(expected: Tables, got: Tables, identities: Mapping[str, tuple[str, ...]]) -> tuple[Difference, ...]:
    """Every difference, by table in the order of `identities`, then by row.

    Rows belong together that are equal; of the rest, those that agree in the identity of their table, then those that
    come from the same source rows. What is left is missing or unexpected.
    """
    found: list[Difference] = []
    for table, identity in identities.items():
        found += _of_table(table, identity, expected.get(table, ()), got.get(table, ()))
    return tuple(found)


def in_order(rows: Iterable[Row], identity: tuple[str, ...]) -> list[Row]:
    """The rows in the order in which they are written and shown: of their source rows, numbers by their value."""
    return sorted(rows, key=lambda row: (_natural(row.get(FROM, "")), _natural(named(row, identity))))


def named(row: Row, identity: tuple[str, ...]) -> str:
    """How a row is called: by its identity, else by the source rows that it comes from."""
    cells = [row[column] for column in identity if column in row]
    return _BETWEEN.join(cells) if cells else row.get(FROM, "without a key")


def _of_table(table: str, identity: tuple[str, ...], expected: Sequence[Row], got: Sequence[Row]) -> list[Difference]:
    missing, unexpected = in_order(expected, identity), in_order(got, identity)
    pairs: list[tuple[Row, Row]] = []
    rules: list[Callable[[Row], Hashable]] = [lambda row: tuple(sorted(row.items()))]
    if identity:
        rules.append(lambda row: tuple(row.get(column) for column in identity))
    rules.append(lambda row: row.get(FROM))
    for rule in rules:
        found, missing, unexpected = _paired(missing, unexpected, rule)
        pairs += found
    by_row = {id(row): named(row, identity) for row in (*expected, *got)}
    cells = [one for wanted, made in pairs for one in _cells(table, by_row[id(wanted)], wanted, made)]
    whole = [
        Difference(table=table, key=by_row[id(row)], kind=kind, cells=tuple(row.items()), origin=row.get(FROM))
        for kind, rows in ((MISSING, missing), (UNEXPECTED, unexpected))
        for row in rows
    ]
    return [*cells, *whole]


def _paired(
    expected: list[Row], got: list[Row], rule: Callable[[Row], Hashable]
) -> tuple[list[tuple[Row, Row]], list[Row], list[Row]]:
    """Those that agree by the rule, one with one in their order; then what is left on each side."""
    waiting: dict[Hashable, list[Row]] = {}
    for row in reversed(got):
        waiting.setdefault(rule(row), []).append(row)
    pairs: list[tuple[Row, Row]] = []
    left: list[Row] = []
    for row in expected:
        same = waiting.get(rule(row))
        if same:
            pairs.append((row, same.pop()))
        else:
            left.append(row)
    taken = {id(made) for _, made in pairs}
    return pairs, left, [row for row in got if id(row) not in taken]


def _cells(table: str, key: str, expected: Row, got: Row) -> list[Difference]:
    return [
        Difference(
            table=table,
            key=key,
            kind=CELL,
            column=column,
            expected=expected.get(column),
            got=got.get(column),
            origin=got.get(FROM),
        )
        for column in dict.fromkeys((*expected, *got))
        if expected.get(column) != got.get(column)
    ]


def _natural(text: str) -> tuple[tuple[int, str], ...]:
    """A key to sort by: runs of digits by their value."""
    parts = _DIGITS.split(text)
    return tuple((int(part) if place % 2 and len(part) < 19 else 0, part) for place, part in enumerate(parts))  # noqa: PLR2004 - longer ones as text
