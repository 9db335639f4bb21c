"""The functions of the mapping language. `mappings/README.md` describes each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from consolidate.mapping.compile import Rounded, united
from consolidate.mapping.expr import Call, Expr, Literal, Name
from consolidate.mapping.value import NULL, TRUE, Kind, Sql, Value, both, call, named, text, whole
from consolidate.mapping.windows import as_of, newest, spacing
from consolidate.model import RejectCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from consolidate.mapping.compile import Compiler

_MAX_DECIMALS: Final = 18


def _arguments(compiler: Compiler, expr: Call, least: int, most: int | None) -> tuple[Expr, ...] | None:
    count = len(expr.arguments)
    if count < least or (most is not None and count > most):
        wanted = str(least) if least == most else f"at least {least}" if most is None else f"{least} to {most}"
        compiler.wrong(expr.location, f"{expr.function} takes {wanted} arguments, not {count}")
        return None
    return expr.arguments


def _no_options(compiler: Compiler, expr: Call, *known: str) -> None:
    for name, value in expr.options:
        if name not in known:
            compiler.wrong(value.location, f"{expr.function} has no option {name!r}")


def _decimals(compiler: Compiler, expr: Expr | None, owner: Call) -> int:
    value = expr.value if isinstance(expr, Literal) else None
    text_of = str(value)
    if not text_of.isdigit() or int(text_of) > _MAX_DECIMALS:
        compiler.wrong(owner.location, f"{owner.function} needs a number of decimals from 0 to {_MAX_DECIMALS}")
        return 0
    return int(text_of)


def _texts(name: str) -> Callable[[Compiler, Call], Value | None]:
    def function(compiler: Compiler, expr: Call) -> Value | None:
        _no_options(compiler, expr)
        arguments = _arguments(compiler, expr, 1, 1)
        if arguments is None:
            return None
        value = compiler.compile(arguments[0])
        compiler.expect(value, (Kind.TEXT,), arguments[0])
        return Value(sql=call(name, value.sql), kind=Kind.TEXT, column=value.column)

    return function


def _new_id(compiler: Compiler, expr: Call) -> Value | None:
    _no_options(compiler, expr)
    arguments = _arguments(compiler, expr, 2, 2)
    if arguments is None:
        return None
    symbol, time = compiler.compile(arguments[0]), compiler.compile(arguments[1])
    compiler.expect(symbol, (Kind.TEXT,), arguments[0])
    compiler.expect(time, (Kind.TIME,), arguments[1])
    bot = compiler.compile(Name(parts=("bot_id",), location=expr.location))
    seconds = sa.cast(call("unix_seconds", time.sql), sa.String())
    parts = [bot.sql, symbol.sql, seconds, named("#short")]
    return Value(sql=_joined(parts, text("_")), kind=Kind.TEXT, column=symbol.column or time.column)


def _joined(parts: list[Sql], between: Sql | None = None) -> Sql:
    """Texts one after the other; null where one is null."""
    joined: Sql = parts[0]
    for part in parts[1:]:
        joined = joined.op("||")(between).op("||")(part) if between is not None else joined.op("||")(part)
    return joined


def _concat(compiler: Compiler, expr: Call) -> Value | None:
    _no_options(compiler, expr)
    arguments = _arguments(compiler, expr, 1, None)
    if arguments is None:
        return None
    values = [compiler.compile(argument) for argument in arguments]
    for value, argument in zip(values, arguments, strict=True):
        compiler.expect(value, (Kind.TEXT, Kind.NUMBER), argument)
    parts = [call("num_text", value.sql) if value.kind is Kind.NUMBER else value.sql for value in values]
    return Value(sql=_joined(parts), kind=Kind.TEXT, column=united(NULL, Kind.TEXT, values).column)


def _coalesce(compiler: Compiler, expr: Call) -> Value | None:
    _no_options(compiler, expr)
    arguments = _arguments(compiler, expr, 2, None)
    if arguments is None:
        return None
    values: list[Value] = []
    guard = TRUE
    for argument in arguments:
        with compiler.guard(guard):
            values.append(compiler.compile(argument))
        guard = both(guard, values[-1].sql.is_(None))
    kind = compiler.common(values, expr.location)
    return united(sa.func.coalesce(*(value.sql for value in values)), kind, values)


def _nullif(compiler: Compiler, expr: Call) -> Value | None:
    _no_options(compiler, expr)
    arguments = _arguments(compiler, expr, 2, 2)
    if arguments is None:
        return None
    values = [compiler.compile(argument) for argument in arguments]
    kind = compiler.common(values, expr.location)
    same: Sql = values[0].sql == values[1].sql
    if kind is Kind.NUMBER:
        same = call("num_compare", values[0].sql, values[1].sql) == whole(0)
    sql = sa.case((same, NULL), else_=values[0].sql)
    return united(sql, kind, values[:1])


def _round(compiler: Compiler, expr: Call) -> Value | None:
    _no_options(compiler, expr)
    arguments = _arguments(compiler, expr, 2, 2)
    if arguments is None:
        return None
    value = compiler.compile(arguments[0])
    compiler.expect(value, (Kind.NUMBER,), arguments[0])
    decimals = _decimals(compiler, arguments[1], expr)
    sql = compiler.layers.hoist(call("num_round", value.sql, whole(decimals)))
    change = compiler.layers.hoist(call("num_change", value.sql, sql))
    if not value.derived:
        compiler.rounded.append(Rounded(change=change, location=expr.location, column=value.column))
    return Value(sql=sql, kind=Kind.NUMBER, column=value.column, decimals=decimals)


def _ratio(compiler: Compiler, expr: Call) -> Value | None:
    _no_options(compiler, expr, "scale")
    arguments = _arguments(compiler, expr, 2, 2)
    if arguments is None:
        return None
    values = [compiler.compile(argument) for argument in arguments]
    for value, argument in zip(values, arguments, strict=True):
        compiler.expect(value, (Kind.NUMBER,), argument)
    scale = _decimals(compiler, dict(expr.options).get("scale"), expr)
    upper, lower = values
    sql = compiler.layers.hoist(call("num_ratio", upper.sql, lower.sql, whole(scale)))
    zero = call("num_compare", lower.sql, call("num", text("0"))) == whole(0)
    known = sa.and_(upper.sql.is_not(None), lower.sql.is_not(None), sa.not_(zero))
    column = upper.column or lower.column
    compiler.reject_where(RejectCode.OUT_OF_RANGE, column, sa.and_(known, sql.is_(None)), expr.location)
    return Value(sql=sql, kind=Kind.NUMBER, column=column, derived=True, decimals=scale)


def _abs(compiler: Compiler, expr: Call) -> Value | None:
    _no_options(compiler, expr)
    arguments = _arguments(compiler, expr, 1, 1)
    if arguments is None:
        return None
    value = compiler.compile(arguments[0])
    compiler.expect(value, (Kind.NUMBER,), arguments[0])
    return Value(
        sql=call("num_abs", value.sql),
        kind=Kind.NUMBER,
        column=value.column,
        derived=value.derived,
        decimals=value.decimals,
        floating=value.floating,
    )


def _seconds_between(compiler: Compiler, expr: Call) -> Value | None:
    _no_options(compiler, expr)
    arguments = _arguments(compiler, expr, 2, 2)
    if arguments is None:
        return None
    values = [compiler.compile(argument) for argument in arguments]
    for value, argument in zip(values, arguments, strict=True):
        compiler.expect(value, (Kind.TIME,), argument)
    sql = call("whole_seconds", values[0].sql, values[1].sql)
    return Value(sql=sql, kind=Kind.NUMBER, column=values[1].column or values[0].column, decimals=0)


def _of_times(name: str) -> Callable[[Compiler, Call], Value | None]:
    def function(compiler: Compiler, expr: Call) -> Value | None:
        _no_options(compiler, expr)
        arguments = _arguments(compiler, expr, 1, None)
        if arguments is None:
            return None
        values = [compiler.compile(argument) for argument in arguments]
        for value, argument in zip(values, arguments, strict=True):
            compiler.expect(value, (Kind.TIME,), argument)
        sql = call(name, *(value.sql for value in values))
        return Value(sql=sql, kind=Kind.TIME, column=united(NULL, Kind.TIME, values).column)

    return function


def _of_day(name: str) -> Callable[[Compiler, Call], Value | None]:
    def function(compiler: Compiler, expr: Call) -> Value | None:
        _no_options(compiler, expr)
        arguments = _arguments(compiler, expr, 1, 1)
        if arguments is None:
            return None
        value = compiler.compile(arguments[0])
        compiler.expect(value, (Kind.DATE, Kind.LOCAL_DATE), arguments[0])
        zone = text(compiler.zone if value.kind is Kind.LOCAL_DATE else "UTC")
        return Value(sql=call(name, value.sql, zone), kind=Kind.TIME, column=value.column)

    return function


def _date_of(compiler: Compiler, expr: Call) -> Value | None:
    _no_options(compiler, expr)
    arguments = _arguments(compiler, expr, 1, 1)
    if arguments is None:
        return None
    value = compiler.compile(arguments[0])
    compiler.expect(value, (Kind.TIME,), arguments[0])
    return Value(sql=sa.cast(value.sql, sa.Date()), kind=Kind.DATE, column=value.column)


def json_of(compiler: Compiler, value: Value) -> Sql:  # noqa: PLR0911 - a case for each kind
    """The JSON text of a value; null stays null. Numbers of the source keep all their digits."""
    match value.kind:
        case Kind.TEXT | Kind.DATE | Kind.LOCAL_DATE:
            return call("json_text", value.sql)
        case Kind.NUMBER:
            raw = compiler.raw_of(value)
            return call("num_text", value.sql) if raw is None else call("json_number", raw, value.sql)
        case Kind.BOOL:
            return sa.cast(value.sql, sa.String())
        case Kind.TIME:
            return call("time_json", value.sql)
        case Kind.JSON:
            return value.sql
        case Kind.LIST:
            return sa.cast(call("to_json", value.sql), sa.String())
        case Kind.NULL:
            return NULL


def _pack(compiler: Compiler, expr: Call) -> Value | None:
    items: list[tuple[str, Expr]] = []
    for argument in expr.arguments:
        if not isinstance(argument, Name):
            compiler.wrong(argument.location, "only a name can be packed without a name of its own", "`pack(name=…)`")
            return None
        items.append((argument.parts[-1], argument))
    items.extend(expr.options)
    if not items:
        compiler.wrong(expr.location, "pack takes at least one argument")
        return None
    names = [name for name, _ in items]
    for name in {one for one in names if names.count(one) > 1}:
        compiler.wrong(expr.location, f"pack has {name!r} twice")
    values = [(name, compiler.compile(item)) for name, item in items]
    written = [(name, compiler.layers.hoist(sa.cast(json_of(compiler, value), sa.String()))) for name, value in values]
    members = call("list_value", *(call("json_member", text(name), value) for name, value in written))
    texts = [text(f"{json.dumps(name, ensure_ascii=False)}: ").op("||")(value) for name, value in written]
    column = next((value.column for _, value in values if value.column), None)
    body = sa.func.nullif(call("concat_ws", text(", "), *texts), text(""))
    return Value(sql=_joined([text("{"), body, text("}")]), kind=Kind.JSON, column=column, members=members)


def _json_or(compiler: Compiler, expr: Call) -> Value | None:
    _no_options(compiler, expr)
    arguments = _arguments(compiler, expr, 2, 2)
    if arguments is None:
        return None
    value, name = compiler.compile(arguments[0]), compiler.compile(arguments[1])
    compiler.expect(value, (Kind.TEXT,), arguments[0])
    compiler.expect(name, (Kind.TEXT,), arguments[1])
    held = sa.or_(call("has_nul_escape", value.sql), call("json_repeats_name", value.sql))
    bad = sa.or_(sa.and_(call("is_json", value.sql), held), call("is_raw_json", value.sql))
    compiler.reject_where(RejectCode.BAD_JSON, value.column, bad, expr.location)
    return Value(sql=call("json_or", value.sql, name.sql), kind=Kind.JSON, column=value.column)


def _list(compiler: Compiler, expr: Call) -> Value | None:
    _no_options(compiler, expr)
    arguments = _arguments(compiler, expr, 1, None)
    if arguments is None:
        return None
    values = [compiler.compile(argument) for argument in arguments]
    for value, argument in zip(values, arguments, strict=True):
        compiler.expect(value, (Kind.TEXT,), argument)
    sql = call("known_texts", call("list_value", *(sa.cast(value.sql, sa.String()) for value in values)))
    return Value(sql=sql, kind=Kind.LIST)


def _text_at(compiler: Compiler, expr: Call) -> Value | None:
    _no_options(compiler, expr)
    arguments = _arguments(compiler, expr, 2, None)
    if arguments is None:
        return None
    value = compiler.compile(arguments[0])
    compiler.expect(value, (Kind.JSON,), arguments[0])
    path = "$"
    for name in arguments[1:]:
        written = _written(name)
        if written is None or '"' in written:
            compiler.wrong(name.location, "text_at needs the name of a member as it is written: 'symbol'")
            return None
        path += f'."{written}"'
    return Value(sql=call("json_text_at", value.sql, text(path)), kind=Kind.TEXT, column=value.column)


def _part(compiler: Compiler, expr: Call) -> Value | None:
    _no_options(compiler, expr)
    arguments = _arguments(compiler, expr, 3, 3)
    if arguments is None:
        return None
    value = compiler.compile(arguments[0])
    compiler.expect(value, (Kind.TEXT,), arguments[0])
    between = _written(arguments[1])
    number = _decimals(compiler, arguments[2], expr)
    if not between or number == 0:
        compiler.wrong(expr.location, "part needs what stands between the parts, and which part: part(name, '_', 2)")
        return None
    found = sa.func.nullif(call("split_part", value.sql, text(between), whole(number)), text(""))
    return Value(sql=found, kind=Kind.TEXT, column=value.column)


def _written(expr: Expr) -> str | None:
    """The text of a literal; None where it is something else."""
    return expr.value if isinstance(expr, Literal) and isinstance(expr.value, str) else None


FUNCTIONS: Final[dict[str, Callable[[Compiler, Call], Value | None]]] = {
    "abs": _abs,
    "as_of": as_of,
    "coalesce": _coalesce,
    "concat": _concat,
    "date_of": _date_of,
    "day_end": _of_day("day_ends"),
    "day_start": _of_day("day_begins"),
    "earliest": _of_times("least"),
    "json_or": _json_or,
    "latest": _of_times("greatest"),
    "list": _list,
    "lower": _texts("lower"),
    "new_id": _new_id,
    "newest": newest,
    "next_day_start": _of_day("next_day_begins"),
    "nullif": _nullif,
    "pack": _pack,
    "part": _part,
    "ratio": _ratio,
    "round": _round,
    "seconds_between": _seconds_between,
    "slug": _texts("slug"),
    "spacing": spacing,
    "text_at": _text_at,
    "trim": _texts("trim"),
    "unified_symbol": _texts("unified_symbol"),
    "upper": _texts("upper"),
}
