"""Which type of the mapping language a column has, as far as its store declares it and its cells show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from consolidate.mapping.language import ColumnType
from consolidate.mapping.value import Kind
from consolidate.model import SourceKind

if TYPE_CHECKING:
    from consolidate.scaffold.facts import ColumnFacts

OPEN: Final = "?"
"""In place of a type that only a person can tell; `check` reports it."""

_CLOCK: Final = "utc_time or local_time? No cell says of which zone its time is"
_DAY: Final = "date (a day in UTC) or local_date? No cell says of which zone its day is"
_POSTGRES: Final = {
    "smallint": ColumnType.INTEGER,
    "integer": ColumnType.INTEGER,
    "bigint": ColumnType.INTEGER,
    "real": ColumnType.FLOAT,
    "double precision": ColumnType.FLOAT,
    "boolean": ColumnType.BOOLEAN,
    "timestamp with time zone": ColumnType.INSTANT,
    "json": ColumnType.JSON,
    "jsonb": ColumnType.JSON,
}
_TIME_WORDS: Final = ("time", "date", "ts", "at", "timestamp", "created", "updated", "opened", "closed", "expiry")


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A column with its type. `type` None: a question for a person. `note`: what is uncertain; None: nothing.

    `kind` is what its values are, also where the type is open.
    """

    column: ColumnFacts
    type: ColumnType | None
    kind: Kind
    note: str | None = None

    @property
    def written(self) -> str:
        """As the mapping says it."""
        return f'"{OPEN}"' if self.type is None else self.type.value


def typed(column: ColumnFacts, kind: SourceKind) -> Typed:  # noqa: PLR0911 - a case for each kind of cells
    """The type of a column; what is not sure is noted."""
    if kind is SourceKind.POSTGRES:
        return _declared(column)
    if not column.filled:
        return Typed(column=column, type=ColumnType.TEXT, kind=Kind.TEXT, note="no cell has a value yet")
    if len(column.classes) > 1 and not column.classes <= {"integer", "real"}:
        note = f"its cells are of several storage classes: {', '.join(sorted(column.classes))}"
        return Typed(column=column, type=None, kind=Kind.TEXT, note=note)
    if column.classes & {"integer", "real", "number"}:
        return _number(column, kind)
    if column.classes & {"object", "array"}:
        return Typed(column=column, type=ColumnType.JSON, kind=Kind.JSON)
    if column.classes == {"boolean"}:
        return Typed(column=column, type=ColumnType.BOOLEAN, kind=Kind.BOOL)
    return _text(column, is_csv=not column.classes)


def _declared(column: ColumnFacts) -> Typed:
    """Of PostgreSQL, which knows the types of its columns."""
    stored = column.stored_type
    if stored.startswith("numeric"):
        return Typed(column=column, type=ColumnType.DECIMAL, kind=Kind.NUMBER)
    if stored.startswith("timestamp") and "with time zone" not in stored:
        return Typed(column=column, type=None, kind=Kind.TIME, note=_CLOCK)
    if stored == "date":
        return Typed(column=column, type=None, kind=Kind.DATE, note=_DAY)
    if stored.startswith("timestamp"):
        stored = "timestamp with time zone"
    found = _POSTGRES.get(stored, ColumnType.TEXT)
    if found is ColumnType.INTEGER:
        return _whole(column)
    kinds = {
        ColumnType.FLOAT: Kind.NUMBER,
        ColumnType.BOOLEAN: Kind.BOOL,
        ColumnType.INSTANT: Kind.TIME,
        ColumnType.JSON: Kind.JSON,
    }
    return Typed(column=column, type=found, kind=kinds.get(found, Kind.TEXT))


def _number(column: ColumnFacts, kind: SourceKind) -> Typed:
    """Of SQLite and JSON: whole numbers, or binary fractions."""
    if "real" not in column.classes and column.all_are("integer"):
        declared = column.stored_type.startswith("bool")
        if kind is SourceKind.SQLITE and declared and column.all_are("flag"):
            return Typed(column=column, type=ColumnType.BOOLEAN, kind=Kind.BOOL)
        return _whole(column)
    if column.all_are("seconds") and _is_time(column.name):
        return Typed(column=column, type=ColumnType.EPOCH_S, kind=Kind.TIME, note="seconds since 1970, by its values")
    return Typed(column=column, type=ColumnType.FLOAT, kind=Kind.NUMBER)


def _whole(column: ColumnFacts) -> Typed:
    """A whole number, or a time that is written as one."""
    if _is_time(column.name):
        if column.all_are("milliseconds"):
            note = "milliseconds since 1970, by its values"
            return Typed(column=column, type=ColumnType.EPOCH_MS, kind=Kind.TIME, note=note)
        if column.all_are("seconds"):
            note = "seconds since 1970, by its values"
            return Typed(column=column, type=ColumnType.EPOCH_S, kind=Kind.TIME, note=note)
    return Typed(column=column, type=ColumnType.INTEGER, kind=Kind.NUMBER)


def _text(column: ColumnFacts, *, is_csv: bool) -> Typed:
    """Of text: by what all cells look like."""
    for shape, type_, kind, note in (
        ("instant", ColumnType.INSTANT, Kind.TIME, None),
        ("clock", None, Kind.TIME, _CLOCK),
        ("day", None, Kind.DATE, _DAY),
        ("boolean", ColumnType.BOOLEAN, Kind.BOOL, None),
        ("document", ColumnType.JSON, Kind.JSON, "JSON, by its values"),
    ):
        if column.all_are(shape):
            return Typed(column=column, type=type_, kind=kind, note=note)
    if is_csv and column.all_are("integer"):
        return _whole(column)
    if column.all_are("plain"):
        return Typed(column=column, type=ColumnType.DECIMAL, kind=Kind.NUMBER)
    if is_csv and column.all_are("number"):
        return Typed(column=column, type=ColumnType.FLOAT, kind=Kind.NUMBER)
    return Typed(column=column, type=ColumnType.TEXT, kind=Kind.TEXT)


def _is_time(name: str) -> bool:
    words = name.lower().replace("-", "_").split("_")
    return any(word in _TIME_WORDS or word.endswith(("time", "timestamp")) for word in words)
