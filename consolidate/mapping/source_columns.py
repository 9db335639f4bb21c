"""From the text of a staged cell to its typed value, with everything that can be wrong about it told apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from consolidate.mapping.language import Column, ColumnType
from consolidate.mapping.value import Check, Kind, Sql, call, named, text
from consolidate.model import RejectCode, SourceKind

if TYPE_CHECKING:
    from consolidate.mapping.layers import Layers

CLASS: Final = "#class"
_NUMBERS: Final = frozenset({ColumnType.INTEGER, ColumnType.DECIMAL, ColumnType.FLOAT})
_MICROSECOND_LENGTH: Final = len("2024-01-02 03:04:05.678901")
_EPOCHS: Final = {ColumnType.EPOCH_S: 6, ColumnType.EPOCH_MS: 3}
_SQLITE_CLASSES: Final = {
    ColumnType.TEXT: ("text",),
    ColumnType.INTEGER: ("integer",),
    ColumnType.DECIMAL: ("text", "integer"),
    ColumnType.FLOAT: ("real", "integer"),
    ColumnType.BOOLEAN: ("integer", "text"),
    ColumnType.EPOCH_S: ("integer", "real"),
    ColumnType.EPOCH_MS: ("integer", "real"),
}
_JSON_CLASSES: Final = {
    ColumnType.INTEGER: ("number",),
    ColumnType.DECIMAL: ("number", "string"),
    ColumnType.FLOAT: ("number",),
    ColumnType.BOOLEAN: ("boolean",),
    ColumnType.EPOCH_S: ("number", "string"),
    ColumnType.EPOCH_MS: ("number", "string"),
    ColumnType.JSON: ("string", "number", "boolean", "object", "array"),
}
KINDS: Final = {
    ColumnType.TEXT: Kind.TEXT,
    ColumnType.INTEGER: Kind.NUMBER,
    ColumnType.DECIMAL: Kind.NUMBER,
    ColumnType.FLOAT: Kind.NUMBER,
    ColumnType.BOOLEAN: Kind.BOOL,
    ColumnType.INSTANT: Kind.TIME,
    ColumnType.UTC_TIME: Kind.TIME,
    ColumnType.LOCAL_TIME: Kind.TIME,
    ColumnType.EPOCH_S: Kind.TIME,
    ColumnType.EPOCH_MS: Kind.TIME,
    ColumnType.DATE: Kind.DATE,
    ColumnType.LOCAL_DATE: Kind.LOCAL_DATE,
    ColumnType.JSON: Kind.JSON,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """What decides how cells are read: the kind of store, whether cells carry a class, and the zone of local times."""

    kind: SourceKind
    classed: bool
    zone: str | None


def typed(column: Column, store: Store, layers: Layers) -> tuple[Sql, tuple[Check, ...]]:
    """The typed value of a staged column, and the checks a row must pass for it to mean anything."""
    raw = named(column.name)
    parsed = layers.hoist(_parsed(column, raw, store))
    checks = [*_class_checks(column, store), *_typed_checks(column, raw, parsed, store, layers)]
    return _value(column, parsed, store, layers), tuple(checks)


def _parsed(column: Column, raw: Sql, store: Store) -> Sql:  # noqa: C901, PLR0911 - a case for each type
    """What the text says by itself: a number, a time without its zone's offset, …; null where it says nothing."""
    match column.type:
        case ColumnType.TEXT:
            return raw
        case ColumnType.FLOAT if store.kind is SourceKind.SNAPSHOT:
            return call("num", call("shortest", raw))  # a database writes its doubles so by itself
        case ColumnType.INTEGER | ColumnType.DECIMAL | ColumnType.FLOAT:
            return call("num", raw)
        case ColumnType.BOOLEAN:
            folded = call("folded", raw)
            yes, no = (
                folded.in_([text(word) for word in ("TRUE", "T", "1")]),
                folded.in_([text(word) for word in ("FALSE", "F", "0")]),
            )
            return sa.case((yes, sa.literal_column("true")), (no, sa.literal_column("false")))
        case ColumnType.INSTANT:
            return call("time_instant", raw)
        case ColumnType.UTC_TIME:
            return call("time_plain", raw)
        case ColumnType.LOCAL_TIME:
            return call("time_plain", raw)
        case ColumnType.EPOCH_S | ColumnType.EPOCH_MS:
            return call("num", raw)
        case ColumnType.DATE | ColumnType.LOCAL_DATE:
            return call("date_plain", raw)
        case ColumnType.JSON:
            if store.kind is SourceKind.SNAPSHOT and store.classed:
                is_text = named(column.name + CLASS) == text("string")
                return sa.case((is_text, call("json_text", raw)), else_=raw)
            return raw


def _value(column: Column, parsed: Sql, store: Store, layers: Layers) -> Sql:
    match column.type:
        case ColumnType.LOCAL_TIME:
            return call("local_utc", parsed, *_around(parsed, store, layers), text(store.zone or "UTC"))
        case ColumnType.EPOCH_S | ColumnType.EPOCH_MS:
            return _moment(_micros(column, parsed, layers), layers)
        case _:
            return parsed


def _around(parsed: Sql, store: Store, layers: Layers) -> tuple[Sql, Sql]:
    """A local time as UTC by the offset of the day before, and by that of the day after."""
    zone = text(store.zone or "UTC")
    return layers.hoist(call("local_before", parsed, zone)), layers.hoist(call("local_after", parsed, zone))


def _micros(column: Column, parsed: Sql, layers: Layers) -> Sql:
    exponent = _EPOCHS[column.type]
    unit: Sql = sa.literal_column(f"{{'m': {10**exponent}::hugeint, 's': 0::integer}}")
    return layers.hoist(call("num_mul", parsed, unit))


def _moment(micros: Sql, layers: Layers) -> Sql:
    return layers.hoist(call("time_epoch", call("num_unscaled", micros, sa.literal_column("0"))))


def _class_checks(column: Column, store: Store) -> list[Check]:
    if not store.classed:
        return []
    if store.kind is SourceKind.SQLITE:
        allowed = (*_SQLITE_CLASSES.get(column.type, ("text",)), "null")
    else:
        allowed = (*_JSON_CLASSES.get(column.type, ("string",)), "null", "absent")
    condition = named(column.name + CLASS).not_in([text(one) for one in allowed])
    return [_check(RejectCode.STORAGE_CLASS, column, condition)]


def _typed_checks(  # noqa: PLR0911 - a case for each type
    column: Column, raw: Sql, parsed: Sql, store: Store, layers: Layers
) -> list[Check]:
    match column.type:
        case ColumnType.TEXT:
            return [_nul(column, raw)]
        case ColumnType.JSON:
            return _json_checks(column, raw, store)
        case ColumnType.BOOLEAN:
            words = [text(word) for word in ("TRUE", "T", "1", "FALSE", "F", "0")]
            return [_check(RejectCode.BAD_VALUE, column, call("folded", raw).not_in(words))]
        case ColumnType.DATE | ColumnType.LOCAL_DATE:
            return [
                _check(RejectCode.OUT_OF_RANGE, column, call("time_unbounded", raw)),
                _check(RejectCode.BAD_VALUE, column, sa.and_(raw.is_not(None), parsed.is_(None))),
                _check(RejectCode.OUT_OF_RANGE, column, sa.not_(call("time_in_range", parsed))),
            ]
        case ColumnType.INTEGER | ColumnType.DECIMAL | ColumnType.FLOAT:
            return _number_checks(column, raw, parsed)
        case ColumnType.EPOCH_S | ColumnType.EPOCH_MS:
            micros = _micros(column, parsed, layers)
            value = _moment(micros, layers)
            return [
                *_number_checks(column, raw, parsed),
                _check(RejectCode.INEXACT, column, sa.not_(call("num_fits", micros, sa.literal_column("0")))),
                _check(RejectCode.OUT_OF_RANGE, column, sa.and_(raw.is_not(None), value.is_(None))),
                _check(RejectCode.OUT_OF_RANGE, column, sa.not_(call("time_in_range", value))),
            ]
        case ColumnType.INSTANT | ColumnType.UTC_TIME | ColumnType.LOCAL_TIME:
            return _time_checks(column, raw, parsed, store, layers)


def _number_checks(column: Column, raw: Sql, parsed: Sql) -> list[Check]:
    unread = sa.and_(raw.is_not(None), parsed.is_(None))
    checks = [
        _check(RejectCode.NOT_FINITE, column, _where(unread, call("is_not_finite", raw))),
        _check(RejectCode.BAD_VALUE, column, _where(unread, sa.not_(call("is_number", raw)))),
        _check(RejectCode.OUT_OF_RANGE, column, unread),
    ]
    if column.type is ColumnType.INTEGER:
        whole = call("num_fits", parsed, sa.literal_column("0"))
        checks.append(_check(RejectCode.INEXACT, column, sa.not_(whole)))
    return checks


def _time_checks(column: Column, raw: Sql, parsed: Sql, store: Store, layers: Layers) -> list[Check]:
    unread = sa.and_(raw.is_not(None), parsed.is_(None))
    fine = sa.func.strlen(raw) > sa.literal_column(str(_MICROSECOND_LENGTH))
    checks = [
        _check(RejectCode.OUT_OF_RANGE, column, _where(unread, call("time_unbounded", raw))),
        _check(RejectCode.BAD_VALUE, column, unread),
        _check(RejectCode.INEXACT, column, _where(fine, call("time_inexact", raw))),
        _check(RejectCode.OUT_OF_RANGE, column, sa.not_(call("time_in_range", parsed))),
    ]
    if column.type is ColumnType.LOCAL_TIME:
        zone = text(store.zone or "UTC")
        fault = layers.hoist(call("local_fault", parsed, *_around(parsed, store, layers), zone))
        codes = (RejectCode.AMBIGUOUS_TIME, RejectCode.SKIPPED_TIME)
        checks += [_check(code, column, fault == text(code.value)) for code in codes]
    return checks


def _where(first: Sql, second: Sql) -> Sql:
    """Whether both hold; unlike those of an `and`, the second is computed only where the first holds."""
    return sa.case((first, second))


def _json_checks(column: Column, raw: Sql, store: Store) -> list[Check]:
    checks = [_nul(column, raw)]
    if not (store.kind is SourceKind.SNAPSHOT and store.classed):  # JSON snapshots were read as JSON already
        checks.append(_check(RejectCode.BAD_JSON, column, sa.not_(call("is_json", raw))))
        checks.append(_check(RejectCode.BAD_JSON, column, call("json_repeats_name", raw)))
    checks.append(_check(RejectCode.BAD_JSON, column, call("has_nul_escape", raw)))
    return checks


def _nul(column: Column, raw: Sql) -> Check:
    return _check(RejectCode.NUL_BYTE, column, call("contains", raw, sa.literal_column("chr(0)")))


def _check(code: RejectCode, column: Column, condition: Sql) -> Check:
    return Check(code=code, column=column.name, condition=condition, location=column.location)
