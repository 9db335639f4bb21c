"""Functions that look at the other rows of the table: the newest of a group, the value as of a moment, the spacing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from consolidate.mapping.value import Kind, Sql, Value, call, named, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.sql.compiler import SQLCompiler

    from consolidate.mapping.compile import Compiler
    from consolidate.mapping.expr import Call, Expr

_AGREEING: Final = (Kind.TEXT, Kind.TIME, Kind.DATE, Kind.LOCAL_DATE, Kind.BOOL)
_ORDERED: Final = (Kind.TIME, Kind.DATE, Kind.LOCAL_DATE, Kind.TEXT)
_MICROSECONDS: Final = 1_000_000


def newest(compiler: Compiler, expr: Call) -> Value | None:
    """`newest(x, a, …)`: the largest x among the rows that agree in a, …; without them among all rows."""
    if not _takes(compiler, expr, 1):
        return None
    value = compiler.compile(expr.arguments[0])
    compiler.expect(value, _ORDERED, expr.arguments[0])
    over = sa.func.max(value.sql).over(partition_by=_agreeing(compiler, expr.arguments[1:]) or None)
    return Value(sql=over, kind=value.kind, column=value.column)


def as_of(compiler: Compiler, expr: Call) -> Value | None:
    """`as_of(x, time, moment, a, …)`: x of the row with the latest time before the moment, of those that agree in a."""
    if not _takes(compiler, expr, 3):
        return None
    value, *times = (compiler.compile(argument) for argument in expr.arguments[:3])
    for one, argument in zip(times, expr.arguments[1:3], strict=True):
        compiler.expect(one, (Kind.TIME,), argument)
    agreeing = _agreeing(compiler, expr.arguments[3:])
    if Kind.NULL in {value.kind, *(one.kind for one in times)}:
        return value
    sql = _AsOf(value.sql, times[0].sql, times[1].sql, named("#key"), *agreeing)
    return Value(
        sql=sql,
        kind=value.kind,
        column=value.column,
        derived=value.derived,
        decimals=value.decimals,
        floating=value.floating,
    )


def spacing(compiler: Compiler, expr: Call) -> Value | None:
    """`spacing(time, a, …)`: usual seconds from row to row, of those that agree in a; null for a row out of step."""
    if not _takes(compiler, expr, 1):
        return None
    value = compiler.compile(expr.arguments[0])
    compiler.expect(value, (Kind.TIME,), expr.arguments[0])
    agreeing = _agreeing(compiler, expr.arguments[1:])
    hoist = compiler.layers.hoist
    micros = hoist(call("epoch_us", value.sql))
    order = [micros.nulls_last(), call("key_order", named("#key"))]
    before = hoist(micros - sa.func.lag(micros).over(partition_by=agreeing or None, order_by=order))
    after = hoist(sa.func.lead(micros).over(partition_by=agreeing or None, order_by=order) - micros)
    often = hoist(sa.case((before > whole(0), sa.func.count().over(partition_by=[*agreeing, before])), else_=whole(0)))
    first = sa.func.first_value(before).over(
        partition_by=agreeing or None, order_by=[often.desc(), before.asc().nulls_last()]
    )
    usual = hoist(sa.func.nullif(first, whole(0)))
    in_step = sa.or_(before % usual == whole(0), after % usual == whole(0))
    seconds = sa.cast(usual.op("//")(whole(_MICROSECONDS)), sa.String())
    is_whole = usual % whole(_MICROSECONDS) == whole(0)
    sql = sa.case((sa.and_(in_step, is_whole), call("num", seconds)))
    return Value(sql=hoist(sql), kind=Kind.NUMBER, column=value.column, decimals=0)


def _takes(compiler: Compiler, expr: Call, least: int) -> bool:
    for name, value in expr.options:
        compiler.wrong(value.location, f"{expr.function} has no option {name!r}")
    if len(expr.arguments) < least:
        compiler.wrong(expr.location, f"{expr.function} takes at least {least} arguments, not {len(expr.arguments)}")
    return len(expr.arguments) >= least


def _agreeing(compiler: Compiler, arguments: Sequence[Expr]) -> list[Sql]:
    """What rows must agree in; a null agrees with a null."""
    found = []
    for argument in arguments:
        value = compiler.compile(argument)
        compiler.expect(value, _AGREEING, argument)
        found.append(value.sql)
    return found


class _AsOf(FunctionElement[Any]):
    """Of x, time, moment, key and what rows must agree in: see `as_of`. At one time the row with the largest key."""

    name = "as_of"
    inherit_cache = False


@compiles(_AsOf)
def _as_of(element: _AsOf, compiler: SQLCompiler, **keywords: Any) -> str:  # noqa: ANN401 - SQLAlchemy's protocol
    x, time, moment, key, *agreeing = (compiler.process(one, **keywords) for one in element.clauses)
    found = f"arg_max_null({x}, {{'t': {time}, 'k': key_order({key})}})"
    partition = f"partition by {', '.join(agreeing)} " if agreeing else ""
    window = f"{partition}order by epoch_us({time}) nulls last range between unbounded preceding and"
    gap = f"epoch_us({time}) - epoch_us({moment})"
    back = f"coalesce(greatest({gap} + 1, 0), 0) preceding"
    ahead = f"coalesce(greatest(-({gap}) - 1, 0), 0) following"
    return (
        f"case when {moment} <= {time} then {found} over ({window} {back})"
        f" when {moment} > {time} then {found} over ({window} {ahead}) end"
    )
