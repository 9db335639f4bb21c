"""What an expression is once compiled: SQL with a kind, and the checks that decide whether a row may pass."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import quoted_name

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler

    from consolidate.errors import Location
    from consolidate.model import RejectCode

Sql = sa.ColumnElement[Any]
"""A SQL expression; its kind is kept beside it, not in SQLAlchemy's types."""


class Kind(StrEnum):
    """What an expression gives; as a person calls it in messages."""

    TEXT = "a text"
    NUMBER = "a number"
    BOOL = "a condition"
    TIME = "a time"
    DATE = "a date"
    LOCAL_DATE = "a local date"
    JSON = "a JSON document"
    LIST = "a list of texts"
    NULL = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A compiled expression.

    `column` is the source column that is to blame for a wrong value. `raw` is its text as stored, where the expression
    is that column and nothing else. `derived` numbers are rounded to the scale of their target. `decimals`: there are
    at most so many. `floating`: a plain float column, which a numeric cell takes only rounded. `members`: those of a
    `pack`.
    """

    sql: Sql
    kind: Kind
    column: str | None = None
    raw: Sql | None = None
    derived: bool = False
    decimals: int | None = None
    floating: bool = False
    members: Sql | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A row for which `condition` is true is rejected with `code`; `column` is the one to blame."""

    code: RejectCode
    column: str | None
    condition: Sql
    location: Location


def both(first: Sql, second: Sql) -> Sql:
    """Whether both conditions hold; none of them may be null. `TRUE` adds nothing."""
    if first is TRUE:
        return second
    return first if second is TRUE else sa.and_(first, second)


def named(name: str) -> Sql:
    """A column by its name, always quoted."""
    return sa.column(quoted_name(name, quote=True))


def call(function: str, *arguments: object) -> Sql:
    """A DuckDB function or one of our macros."""
    found: Sql = getattr(sa.func, function)(*arguments)
    return found


def text(value: str) -> Sql:
    """A text as a bind parameter of a known type."""
    return sa.cast(sa.literal(value, sa.String()), sa.String())


def whole(value: int) -> Sql:
    """A small whole number, written out: it is ours, never a user's text."""
    return sa.literal_column(str(int(value)), sa.Integer())


def holds(condition: Sql) -> Sql:
    """A condition with null taken as false."""
    if condition is TRUE:
        return TRUE
    return sa.func.coalesce(condition, sa.literal_column("false", sa.Boolean()))


TRUE: Sql = sa.literal_column("true", sa.Boolean())
NULL: Sql = sa.literal_column("null")


@compiles(sa.TryCast)
def _try_cast(element: sa.TryCast[Any], compiler: SQLCompiler, **keywords: Any) -> str:  # noqa: ANN401 - SQLAlchemy's protocol
    """`try_cast`, which SQLAlchemy writes for SQL Server only."""
    value = compiler.process(element.clause, **keywords)
    return f"try_cast({value} as {compiler.process(element.typeclause, **keywords)})"
