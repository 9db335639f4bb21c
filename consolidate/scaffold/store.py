"""A whole store as facts: every table of a database, every group of files that look alike."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

from consolidate.errors import UnreachableError
from consolidate.extract import extract, survey
from consolidate.model import SnapshotTable, SourceKind
from consolidate.scaffold.facts import TableFacts, facts
from consolidate.staging import Staging

if TYPE_CHECKING:
    from collections.abc import Callable

    from consolidate.model import Progress, StagedTable
    from consolidate.scaffold.place import Place

_FORMATS: Final = {".csv": "csv", ".json": "json"}
_STARS: Final = re.compile(r"\*(?:[_.T:-]?\*)+")
_GLOB: Final = re.compile(r"([\[?*])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """The tables of a store, and the names of what is no table: files of other kinds, folders."""

    tables: tuple[TableFacts, ...]
    others: tuple[str, ...] = ()


def read(place: Place, observe: Callable[[Progress], None]) -> Store:
    """Read the store whole, and keep nothing of it. Raises `UnreachableError` where it cannot be read."""
    with tempfile.TemporaryDirectory(prefix="consolidate-") as name:
        folder = Path(name)
        if place.kind is SourceKind.SNAPSHOT:
            return _files(place, folder, observe)
        names = tuple(one.table for one in survey(place.request()) if one.kind == "table")
        with Staging.open(folder / "draft.duckdb") as staging:
            staged = extract(place.request(names), staging, folder, observe)
            return Store(tables=tuple(facts(staging, table) for table in staged.tables))


def _files(place: Place, folder: Path, observe: Callable[[Progress], None]) -> Store:
    groups: dict[str, SnapshotTable] = {}
    others: list[str] = []
    for one in survey(place.request()):
        path = PurePath(one.table)
        format_ = _FORMATS.get(path.suffix.lower()) if one.kind == "file" else None
        if format_ is None:
            others.append(one.table)
            continue
        pattern = _STARS.sub("*", re.sub(r"[0-9]+", "*", _GLOB.sub(r"[\1]", path.name)))
        groups.setdefault(pattern, SnapshotTable(name=_named(pattern, groups), files=pattern, format=format_))
    tables: list[TableFacts] = []
    for number, (pattern, table) in enumerate(groups.items()):
        own = folder / str(number)
        own.mkdir()
        try:
            tables += _group(place, table, own, observe)
        except UnreachableError as error:
            if any(problem.code.startswith("staging-") for problem in error.problems):
                raise
            others.append(pattern)
    return Store(tables=tuple(tables), others=tuple(others))


def _named(pattern: str, groups: dict[str, SnapshotTable]) -> str:
    """A name for the table of these files, which no other has."""
    name = re.sub(r"\W+", "_", PurePath(pattern).stem.replace("*", "_")).strip("_").lower() or "rows"
    taken = {table.name for table in groups.values()}
    return next(one for one in (name, *(f"{name}_{number}" for number in range(2, 10_000))) if one not in taken)


def _group(place: Place, table: SnapshotTable, folder: Path, observe: Callable[[Progress], None]) -> list[TableFacts]:
    """The table of a group of files, and a table for each list of objects in them."""
    with Staging.open(folder / "draft.duckdb") as staging:
        (whole,) = _staged(place, (table,), staging, folder, observe)
        found = facts(staging, whole, table)
    members = [one.name for one in found.columns if one.all_are("objects") and one.classes == {"array"}]
    lists = [replace(table, name=_list_name(table, member), rows=member) for member in members]
    tables = []
    for number, one in enumerate(lists):
        with Staging.open(folder / f"{number}.duckdb") as staging:
            (rows,) = _staged(place, (one,), staging, folder, observe)
            tables.append(facts(staging, rows, one))
    found = replace(found, lists=tuple((one.rows or "", one.name) for one in lists))
    return tables if len(members) == len(found.columns) else [found, *tables]


def _list_name(table: SnapshotTable, member: str) -> str:
    plain = re.sub(r"\W+", "_", member).strip("_").lower()
    return f"{table.name}_{plain}" if plain in {"", table.name} else plain


def _staged(
    place: Place,
    tables: tuple[SnapshotTable, ...],
    staging: Staging,
    folder: Path,
    observe: Callable[[Progress], None],
) -> tuple[StagedTable, ...]:
    names = tuple(table.name for table in tables)
    return extract(place.request(names, tables), staging, folder, observe).tables
