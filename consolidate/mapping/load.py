"""Read a system's folder of mapping files into frozen values; every mistake is noted with its place."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from consolidate.bundled import folder
from consolidate.errors import Location
from consolidate.mapping.language import BotAttribute, Reasoned, SystemMapping, TableMapping, ValueMap
from consolidate.mapping.literals import misfit
from consolidate.mapping.load_references import read_references
from consolidate.mapping.load_table import read_table, reasoned
from consolidate.mapping.yaml import (
    Mapping,
    Node,
    Problems,
    Scalar,
    known_keys,
    map_of,
    nearest,
    read,
    required_text,
    text_of,
    texts_of,
)
from consolidate.model import SnapshotTable, SourceKind
from consolidate.target.contract import expected

if TYPE_CHECKING:
    from pathlib import Path

_SYSTEM_KEYS: Final = (
    "system",
    "kind",
    "schema",
    "deployment_modes",
    "time_zone",
    "bot",
    "tables",
    "optional",
    "ignore",
    "values",
    "snapshots",
    "references",
)
BOT_ATTRIBUTES: Final = (
    "bot_name",
    "bot_type",
    "strategy_name",
    "description",
    "status",
    "max_positions",
    "leverage_limit",
    "max_daily_loss_pct",
    "max_weekly_loss_pct",
    "max_drawdown_pct",
    "exchange",
    "created_by",
)
DEPLOYMENT_MODES: Final = ("live", "demo", "backtest")
_SHARED_VALUES: Final = "values.yaml"


def system(place: Path, problems: Problems) -> SystemMapping | None:
    """The mapping in the folder `place`; None, with problems noted, where it cannot be read at all.

    With problems noted, what is returned is good for finding more problems, and for nothing else.
    """
    shown = f"mappings/{place.name}" if place.parent == folder("mappings") else str(place)
    root = read(place / "system.yaml", problems, shown=f"{shown}/system.yaml")
    if root is None:
        return None
    known_keys(root, _SYSTEM_KEYS, "system.yaml", problems)
    name = required_text(root, "system", "system.yaml", problems)
    kind = _kind(root, problems)
    shared = _shared_values(place, problems)
    values = value_maps(root.get("values"), problems)
    tables = []
    listed = root.get("tables")
    names = texts_of(listed, "`tables`", problems)
    if not names:
        where = root.location if listed is None else listed.location
        problems.add("missing-key", "system.yaml lists no tables", where, "add `tables: [trades, …]`")
    for table in names:
        read_one = _table(place, shown, table, (*values, *shared), problems)
        if read_one is not None:
            tables.append(read_one)
    _strays(place, shown, {str(table.text) for table in names}, problems)
    snapshots = _snapshots(root, kind, tables, problems)
    if name is None or kind is None:
        return None
    return SystemMapping(
        name=str(name.text),
        kind=kind,
        schema=text_of(root.get("schema"), "`schema`", problems),
        needs_time_zone=_needs_zone(root, problems),
        bot=_bot(root, problems),
        tables=tuple(tables),
        deployment_modes=_modes(root, problems),
        absentable=_absentable(root, names, problems),
        ignored=reasoned(root.get("ignore"), problems),
        snapshots=snapshots,
        references=read_references(root, problems),
        digest=_digest(place),
        location=root.location,
    )


def _kind(root: Mapping, problems: Problems) -> SourceKind | None:
    written = required_text(root, "kind", "system.yaml", problems)
    if written is None:
        return None
    kinds = [kind.value for kind in SourceKind]
    if written.text not in kinds:
        hint = nearest(str(written.text), kinds) or f"one of {', '.join(kinds)}"
        problems.add("unknown-kind", f"{written.text!r} is no kind of source", written.location, hint)
        return None
    return SourceKind(written.text)


def _needs_zone(root: Mapping, problems: Problems) -> bool:
    value = root.get("time_zone")
    text = text_of(value, "`time_zone`", problems)
    if value is not None and text != "required":
        hint = "write `time_zone: required`; the zone itself stands in the project file"
        problems.add("bad-value", f"`time_zone` is {text!r}", value.location, hint)
    return text == "required"


def _modes(root: Mapping, problems: Problems) -> tuple[str, ...]:
    """The deployment modes that bots of the system can have; none: any."""
    listed = texts_of(root.get("deployment_modes"), "`deployment_modes`", problems)
    for mode in listed:
        if mode.text not in DEPLOYMENT_MODES:
            hint = nearest(str(mode.text), DEPLOYMENT_MODES) or f"one of {', '.join(DEPLOYMENT_MODES)}"
            problems.add("bad-value", f"{mode.text!r} is no deployment mode", mode.location, hint)
    return tuple(str(mode.text) for mode in listed)


def _absentable(root: Mapping, tables: tuple[Scalar, ...], problems: Problems) -> tuple[Reasoned, ...]:
    """The tables that a store may lack, with the reason why: a map; a list gives none."""
    known = [str(table.text) for table in tables]
    node = root.get("optional")
    if isinstance(node, Mapping):
        found = reasoned(node, problems)
    else:
        listed = texts_of(node, "`optional`", problems)
        found = tuple(Reasoned(name=str(name.text), reason="", location=name.location) for name in listed)
    for one in found:
        if one.name not in known:
            hint = nearest(one.name, known)
            problems.add("unknown-table", f"{one.name!r} is not in `tables`", one.location, hint)
    return found


def _table(
    place: Path, shown: str, table: Scalar, values: tuple[ValueMap, ...], problems: Problems
) -> TableMapping | None:
    file = place / f"{table.text}.yaml"
    if not file.is_file():
        hint = f"write {shown}/{table.text}.yaml, or take the table out of `tables`"
        problems.add("missing-file", f"there is no file for table {table.text!r}", table.location, hint)
        return None
    root = read(file, problems, shown=f"{shown}/{table.text}.yaml")
    if root is None:
        return None
    own = value_maps(root.get("values"), problems)
    read_one = read_table(root, _united(own, values), problems)
    if read_one is not None and read_one.table != table.text:
        message = f"the file is about {read_one.table!r} and is called {table.text}.yaml"
        problems.add("wrong-file", message, root.location, "give both one name")
    return read_one


def _strays(place: Path, shown: str, known: set[str], problems: Problems) -> None:
    for file in sorted(place.glob("*.y*ml")):
        if file.name != "system.yaml" and file.stem not in known:
            where = Location(file=f"{shown}/{file.name}", line=1, column=1)
            problems.add("unused-file", f"{file.name} belongs to no table of system.yaml", where, "list it in `tables`")


def _united(first: tuple[ValueMap, ...], others: tuple[ValueMap, ...]) -> tuple[ValueMap, ...]:
    found: dict[str, ValueMap] = {}
    for value_map in (*first, *others):
        found.setdefault(value_map.name, value_map)
    return tuple(found.values())


def _shared_values(place: Path, problems: Problems) -> tuple[ValueMap, ...]:
    file = _values_file(place)
    root = read(file, problems, shown=f"mappings/{_SHARED_VALUES}")
    return () if root is None else value_maps(root, problems)


def _values_file(place: Path) -> Path:
    """The value maps that every mapping can use: beside the mapping's folder, else those that come with consolidate."""
    beside = place.parent / _SHARED_VALUES
    return beside if beside.is_file() else folder("mappings") / _SHARED_VALUES


def value_maps(node: Node | None, problems: Problems) -> tuple[ValueMap, ...]:
    """The value maps under `values`; keys that are the same when folded are a problem."""
    root = map_of(node, "`values`", problems)
    found = []
    for entry in root or ():
        entries: dict[str, str | None] = {}
        for item in map_of(entry.value, f"the value map {entry.key!r}", problems) or ():
            folded = item.key.strip().upper()
            if folded in entries:
                message = f"{item.key!r} is there twice: letter case and blanks around do not count"
                problems.add("duplicate-key", message, item.location)
            new = text_of(item.value, f"the new value of {item.key!r}", problems)
            if new is not None and not new.isprintable():
                message = f"the new value of {item.key!r} holds a control character"
                problems.add("bad-value", message, item.value.location, "take it out")
            entries[folded] = new
        found.append(ValueMap(name=entry.key, entries=tuple(entries.items()), location=entry.location))
    return tuple(found)


def _bot(root: Mapping, problems: Problems) -> tuple[BotAttribute, ...]:
    node = map_of(root.get("bot"), "`bot`", problems)
    if node is None:
        return ()
    known_keys(node, BOT_ATTRIBUTES, "`bot`", problems)
    found = []
    for entry in node:
        value = text_of(entry.value, f"`{entry.key}`", problems)
        found.append(BotAttribute(name=entry.key, value=value, location=entry.value.location))
        _check_attribute(found[-1], problems)
    return tuple(found)


def _check_attribute(attribute: BotAttribute, problems: Problems) -> None:
    """Note an attribute that its column of trading.bots cannot hold."""
    table = expected().table("trading.bots")
    column = None if table is None else table.column(attribute.name)
    if table is None or column is None or attribute.value is None:
        return
    why = misfit(attribute.value, table, column)
    if why is not None:
        message = f"`{attribute.name}` cannot be {attribute.value!r}"
        problems.add("bad-value", message, attribute.location, why)


def _snapshots(
    root: Mapping, kind: SourceKind | None, tables: list[TableMapping], problems: Problems
) -> tuple[SnapshotTable, ...]:
    node = map_of(root.get("snapshots"), "`snapshots`", problems)
    if kind is not SourceKind.SNAPSHOT:
        if node is not None:
            problems.add("unknown-key", "`snapshots` is for kind snapshot only", node.location)
        return ()
    found = []
    for entry in node or ():
        table = map_of(entry.value, f"the snapshot table {entry.key!r}", problems)
        if table is None:
            continue
        known_keys(table, ("files", "format", "rows", "carry"), f"the snapshot table {entry.key!r}", problems)
        files = required_text(table, "files", f"the snapshot table {entry.key!r}", problems)
        form = required_text(table, "format", f"the snapshot table {entry.key!r}", problems)
        if form is not None and form.text not in {"json", "csv"}:
            problems.add("unknown-format", f"{form.text!r} is no format", form.location, "json or csv")
        mapped = next((one for one in tables if one.table == entry.key), None)
        found.append(
            SnapshotTable(
                name=entry.key,
                files=str(files.text) if files else "",
                format=str(form.text) if form else "json",
                rows=text_of(table.get("rows"), "`rows`", problems),
                carry=tuple(str(name.text) for name in texts_of(table.get("carry"), "`carry`", problems)),
                columns=tuple(column.name for column in mapped.columns) if mapped else (),
            )
        )
    names = {snapshot.name for snapshot in found}
    for mapped in tables:
        if mapped.table not in names:
            message = f"`snapshots` does not say where the rows of {mapped.table!r} are"
            problems.add("missing-key", message, root.location, f"add `{mapped.table}: {{files: …, format: …}}`")
    return tuple(found)


def _digest(place: Path) -> str:
    """SHA-256 over the names and texts of all files that make the mapping."""
    digest = hashlib.sha256()
    for file in files(place):
        text = file.read_bytes()
        digest.update(f"{file.name}:{len(text)}:".encode())
        digest.update(text)
    return digest.hexdigest()


def files(place: Path) -> tuple[Path, ...]:
    """All files that make the mapping in a folder."""
    return tuple(file for file in [*sorted(place.glob("*.yaml")), _values_file(place)] if file.is_file())
