"""From the value of an expression to the type of its target column, and what can go wrong on the way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from consolidate.mapping.value import Kind, Sql, call, whole
from consolidate.model import RejectCode

_VARCHAR: Final = re.compile(r"character varying\(([0-9]+)\)")
_NUMERIC: Final = re.compile(r"numeric\(([0-9]+),([0-9]+)\)")
_KINDS: Final = {
    "text": (Kind.TEXT,),
    "boolean": (Kind.BOOL,),
    "timestamp with time zone": (Kind.TIME,),
    "date": (Kind.DATE, Kind.LOCAL_DATE),
    "jsonb": (Kind.JSON,),
    "text[]": (Kind.LIST,),
    "integer": (Kind.NUMBER,),
    "bigint": (Kind.NUMBER,),
}
_DUCKDB: Final = {
    "text": "VARCHAR",
    "boolean": "BOOLEAN",
    "timestamp with time zone": "TIMESTAMP",
    "date": "DATE",
    "jsonb": "VARCHAR",
    "text[]": "VARCHAR[]",
    "integer": "INTEGER",
    "bigint": "BIGINT",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetType:
    """A column type of the target: what it takes, its DuckDB twin, and its limits where it has any."""

    kinds: tuple[Kind, ...]
    duckdb: str
    length: int | None = None
    precision: int | None = None
    scale: int | None = None


def target_type(written: str) -> TargetType:
    """The type that PostgreSQL writes like this. Raises `ValueError` for one that the unified schema does not have."""
    length = _VARCHAR.fullmatch(written)
    if length:
        return TargetType(kinds=(Kind.TEXT,), duckdb="VARCHAR", length=int(length[1]))
    numeric = _NUMERIC.fullmatch(written)
    if numeric:
        precision, scale = int(numeric[1]), int(numeric[2])
        return TargetType(
            kinds=(Kind.NUMBER,), duckdb=f"DECIMAL({precision},{scale})", precision=precision, scale=scale
        )
    if written not in _KINDS:
        raise ValueError(written)
    return TargetType(
        kinds=_KINDS[written], duckdb=_DUCKDB[written], scale=0 if written in {"integer", "bigint"} else None
    )


def converted(value: Sql, kind: Kind, to: TargetType) -> Sql:
    """The value in its target's type; null where it does not fit (`faults` tells why)."""
    if kind is Kind.NULL:
        return sa.literal_column(f"null::{to.duckdb}")
    if to.scale is None:
        return value
    unscaled = call("num_unscaled", value, whole(to.scale))
    if to.precision is None:
        return sa.try_cast(unscaled, sa.Integer() if to.duckdb == "INTEGER" else sa.BigInteger())
    return sa.try_cast(
        sa.try_cast(unscaled, sa.Numeric(38, 0)) * sa.literal_column(f"({unit(to)})"),
        sa.Numeric(to.precision, to.scale),
    )


def unit(to: TargetType) -> str:
    """DuckDB SQL for the smallest step of a numeric type; an unscaled integer times it is the value."""
    scale = to.scale or 0
    written = "1" if scale == 0 else "0." + "0" * (scale - 1) + "1"
    return f"'{written}'::DECIMAL({scale + 1},{scale})"


def faults(
    value: Sql, result: Sql, kind: Kind, to: TargetType, *, decimals: int | None
) -> list[tuple[RejectCode, Sql]]:
    """Why a value may not pass into its target's column, each with its condition.

    `decimals`: it has at most so many, where that is known.
    """
    if kind is Kind.NULL:
        return []
    found: list[tuple[RejectCode, Sql]] = []
    if to.length is not None:
        found.append((RejectCode.TOO_LONG, sa.func.length(value) > whole(to.length)))
    if to.scale is not None:
        if decimals is None or decimals > to.scale:
            found.append((RejectCode.INEXACT, sa.not_(call("num_fits", value, whole(to.scale)))))
        found.append((RejectCode.OUT_OF_RANGE, sa.and_(value.is_not(None), result.is_(None))))
    if kind is Kind.TIME:
        found.append((RejectCode.OUT_OF_RANGE, sa.not_(call("time_in_range", value))))
    return found
