"""The references of the unified schema: which columns name rows of other tables, declared as foreign keys or not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

from consolidate.bundled import folder
from consolidate.errors import UsageError
from consolidate.mapping.yaml import Problems, read, text_of
from consolidate.target.contract import expected

FILE: Final = "references.yaml"
BOTS: Final = "trading.bots"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The column `column` of `table` holds what `to_column` of a row of `to_table` holds; null points at nothing.

    `many`: it is a list, and each of its elements points. `declared`: the schema has a foreign key for it.
    """

    table: str
    column: str
    to_table: str
    to_column: str
    many: bool = False
    declared: bool = False

    @property
    def name(self) -> str:
        """What mappings and reports call it, such as trading.orders.trade_id."""
        return f"{self.table}.{self.column}"

    @property
    def to(self) -> str:
        """What it points at, such as trading.trades.trade_id."""
        return f"{self.to_table}.{self.to_column}"


@cache
def references() -> tuple[Reference, ...]:
    """Every reference of the unified schema, in the order of its tables and columns.

    The foreign keys are read from the contract, the others from `sql/unified/references.yaml`. Raises `UsageError`
    where that file does not fit the contract.
    """
    found = {one.name: one for one in (*_declared(), *_listed())}
    order = [f"{table.name}.{column.name}" for table in expected().tables for column in table.columns]
    return tuple(sorted(found.values(), key=lambda one: order.index(one.name)))


def _declared() -> list[Reference]:
    return [
        Reference(
            table=table.name,
            column=key.columns[0],
            to_table=key.table,
            to_column=key.referenced_columns[0],
            declared=True,
        )
        for table in expected().tables
        for key in table.foreign_keys
        if len(key.columns) == 1
    ]


def _listed() -> list[Reference]:
    problems = Problems()
    root = read(folder("sql") / "unified" / FILE, problems, shown=f"sql/unified/{FILE}")
    found = []
    for entry in root or ():
        table, _, column = entry.key.rpartition(".")
        to_table, _, to_column = str(text_of(entry.value, f"`{entry.key}`", problems)).rpartition(".")
        types = [_type(table, column), _type(to_table, to_column)]
        if None in types:
            problems.add("unknown-column", f"`{entry.key}` is no reference of the schema", entry.location)
            continue
        many = str(types[0]).endswith("[]")
        found.append(Reference(table=table, column=column, to_table=to_table, to_column=to_column, many=many))
    if problems:
        raise UsageError(*problems.found)
    return found


def _type(table: str, column: str) -> str | None:
    contract = expected().table(table)
    found = None if contract is None else contract.column(column)
    return None if found is None else found.type
