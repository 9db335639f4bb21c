"""The texts that a column of the target takes, where a check lists them, and those of a mapping that are not listed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from consolidate.mapping.expr import Choice, Expr, Literal, Lookup

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consolidate.errors import Location
    from consolidate.mapping.language import ValueMap
    from consolidate.target.contract import TableContract

_LISTED: Final = re.compile(r"\(?\(?(?P<column>\w+)\)?::text = ANY \(\(?ARRAY\[(?P<values>[^\]]*)\]")
_VALUE: Final = re.compile(r"'((?:[^']|'')*)'::")


def choices(table: TableContract, column: str) -> tuple[str, ...]:
    """The texts that a check of the table lists for the column; none where no check does."""
    for check in table.checks:
        listed = _LISTED.search(check.expression)
        if listed is not None and listed["column"] == column:
            return tuple(value.replace("''", "'") for value in _VALUE.findall(listed["values"]))
    return ()


def unlisted(
    expr: Expr, table: TableContract, column: str, values: tuple[ValueMap, ...]
) -> Iterator[tuple[str, Location]]:
    """The texts that the expression can give and the column does not take, each with its place."""
    known = choices(table, column)
    if known:
        for text, location in _texts(expr, values):
            if text not in known:
                yield text, location


def _texts(expr: Expr, values: tuple[ValueMap, ...]) -> Iterator[tuple[str, Location]]:
    """The texts that stand in an expression as what it gives, or in the value map that it goes through."""
    match expr:
        case Literal(value=str(text)):
            yield text, expr.location
        case Choice(yes=yes, no=no):
            yield from _texts(yes, values)
            yield from _texts(no, values)
        case Lookup(value_map=name):
            found = next((one for one in values if one.name == name), None)
            for _, new in found.entries if found is not None else ():
                if new is not None:
                    yield new, expr.location
        case _:
            return
