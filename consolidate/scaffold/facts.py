"""What a draft rests on: the tables of a store, and of each column what every one of its cells looks like."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from consolidate.profile import profile
from consolidate.staging import literal, quoted

if TYPE_CHECKING:
    from consolidate.model import SnapshotTable, StagedTable
    from consolidate.staging import Staging

_DAY: Final = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK: Final = "[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?"
_SHAPES: Final = {
    "integer": "-?[0-9]+",
    "number": r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?",
    "plain": r"-?[0-9]+(\.[0-9]{1,8})?",
    "seconds": r"[12][0-9]{9}(\.[0-9]+)?",
    "milliseconds": r"[12][0-9]{12}",
    "instant": f"{_DAY}{_CLOCK}(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)",
    "clock": f"{_DAY}{_CLOCK}",
    "day": _DAY,
    "boolean": "true|false",
    "flag": "0|1",
    "document": r"(?s)\s*[\[{].*",
    "objects": r"(?s)\s*\[\s*(\{.*)?\]\s*",
}
_MOST_KEY_PARTS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFacts:
    """A column: what its store declares, and how many of its `filled` cells have each shape.

    `classes` are the storage classes that occur, null and absent aside. `distinct` are its values where they are few.
    `unique`: no null, and no value twice.
    """

    name: str
    stored_type: str
    classes: frozenset[str]
    filled: int
    shapes: dict[str, int] = field(default_factory=dict)
    distinct: tuple[str, ...] = ()
    minimum: str | None = None
    maximum: str | None = None
    unique: bool = False

    def all_are(self, shape: str) -> bool:
        """Whether there are cells, and all of them have the shape."""
        return 0 < self.filled == self.shapes[shape]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFacts:
    """A table. `key` are columns that identify its rows as far as they show it (none: none found).

    `snapshot` says how a table of files is read; `lists` are its columns that are tables of their own, with their
    names.
    """

    name: str
    rows: int
    columns: tuple[ColumnFacts, ...]
    key: tuple[str, ...] = ()
    snapshot: SnapshotTable | None = None
    lists: tuple[tuple[str, str], ...] = ()


def facts(staging: Staging, table: StagedTable, snapshot: SnapshotTable | None = None) -> TableFacts:
    """What there is to know of a staged table."""
    columns = _columns(staging, table)
    return TableFacts(
        name=table.table, rows=table.rows, columns=columns, key=_key(staging, table, columns), snapshot=snapshot
    )


def _columns(staging: Staging, table: StagedTable) -> tuple[ColumnFacts, ...]:
    stored = {column.name: column.stored_type for column in table.columns}
    asked = []
    for name in stored:
        cell = quoted(name)
        asked += [f"count({cell})", f"count(distinct {cell})"]
        asked += [f"count_if(regexp_full_match({cell}, {literal(shape)}))" for shape in _SHAPES.values()]
    if not asked:
        return ()
    (counts,) = staging.rows(f"select {', '.join(asked)} from {table.relation}")
    width = len(asked) // len(stored)
    found = []
    for place, one in enumerate(profile(staging, table)):
        filled, different, *shapes = (int(str(count or 0)) for count in counts[place * width : (place + 1) * width])
        found.append(
            ColumnFacts(
                name=one.name,
                stored_type=stored[one.name].lower(),
                classes=frozenset(name for name, _ in one.classes) - {"null", "absent"},
                filled=filled,
                shapes=dict(zip(_SHAPES, shapes, strict=True)),
                distinct=tuple(value for value, _ in one.distinct if value is not None),
                minimum=one.minimum,
                maximum=one.maximum,
                unique=0 < filled == different == table.rows,
            )
        )
    return tuple(found)


def _key(staging: Staging, table: StagedTable, columns: tuple[ColumnFacts, ...]) -> tuple[str, ...]:
    """The first unique column, those first that are called like an id; else the fewest columns that are so together."""
    usable = [one for one in columns if not (one.classes & {"real", "object", "array", "blob"}) and _is_key(one)]
    usable.sort(key=lambda one: not _is_id(one.name))
    single = next((one.name for one in usable if one.unique), None)
    if single is not None:
        return (single,)
    whole = [one.name for one in usable if one.filled == table.rows][:_MOST_KEY_PARTS]
    for size in (2, 3):
        for parts in itertools.combinations(whole, size):
            names = ", ".join(map(quoted, parts))
            ((count,),) = staging.rows(f"select count(*) from (select distinct {names} from {table.relation})")
            if table.rows and int(str(count)) == table.rows:
                return parts
    return ()


def _is_key(one: ColumnFacts) -> bool:
    """A number with decimals is measured, and identifies nothing."""
    measured = one.shapes["number"] > one.shapes["integer"]
    return not measured and one.shapes["document"] == 0 and "double" not in one.stored_type


def _is_id(name: str) -> bool:
    lower = name.lower()
    return lower in {"id", "uuid", "key"} or lower.endswith(("_id", "uuid"))
