"""Read suite files into frozen values; every mistake is noted with its place. Great Expectations is not asked here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consolidate.bundled import folder
from consolidate.mapping.yaml import (
    Entry,
    Mapping,
    Node,
    Problems,
    Scalar,
    known_keys,
    nearest,
    read,
    required_text,
    text_of,
)
from consolidate.target.contract import expected
from consolidate.validate.language import SEVERITIES, Expectation, Suite

if TYPE_CHECKING:
    from collections.abc import Container, Iterable
    from pathlib import Path

FOLDER: Final = "expectations"
_OURS: Final = ("table", "severity", "why")
_SHORT_WHY: Final = 10
_COLUMN_ARGUMENTS: Final = ("column", "column_A", "column_B", "column_list", "column_set")


def shipped(problems: Problems, tables: Container[str] | None = None) -> tuple[Suite, ...]:
    """The suites that come with the tool. With `tables`, of those that are about one table only these."""
    home = folder("mappings") / FOLDER
    known = {table.name for table in expected().tables}
    files = [file for file in _files(home) if tables is None or file.stem not in known or file.stem in tables]
    shown = f"mappings/{FOLDER}"
    return tuple(suite(file, file.stem, f"{shown}/{file.name}", problems, shipped=True) for file in files)


def own(mappings: Iterable[Path], problems: Problems) -> tuple[Suite, ...]:
    """The suites beside these mapping folders, in `expectations/`. A folder named twice is read once."""
    found: list[Suite] = []
    for place in dict.fromkeys(mappings):
        shown = f"mappings/{place.name}" if place.parent == folder("mappings") else str(place)
        found += [
            suite(file, f"{place.name}/{file.stem}", f"{shown}/{FOLDER}/{file.name}", problems)
            for file in _files(place / FOLDER)
        ]
    _refuse_doubles(found, problems)
    return tuple(found)


def _files(place: Path) -> list[Path]:
    return sorted(place.glob("*.y*ml"))


def _refuse_doubles(found: list[Suite], problems: Problems) -> None:
    """Two mapping folders of the same name may both have suites: their names would be the same."""
    first: dict[str, Suite] = {}
    for one in found:
        other = first.setdefault(one.name, one)
        if other is not one and one.expectations:
            message = f"the suite {one.name!r} is already there in {other.file}"
            problems.add("duplicate-suite", message, one.expectations[0].location, "rename one of the two files")


def suite(file: Path, name: str, shown: str, problems: Problems, *, shipped: bool = False) -> Suite:
    """The suite that a file holds; with problems noted, as much of it as can be read."""
    root = read(file, problems, shown=shown)
    expectations: list[Expectation] = []
    if root is not None:
        known_keys(root, ("table", "expectations"), "a suite file", problems)
        table = _table(root, None, problems)
        match root.get("expectations"):
            case Mapping() as listed if listed.entries:
                for entry in listed:
                    one = _expectation(entry, name, table, problems)
                    if one is not None:
                        expectations.append(one)
            case other:
                where = root.location if other is None else other.location
                hint = "write `expectations:` and below it `name: {expect_…: {column: …}, severity: …, why: …}`"
                problems.add("missing-key", f"{shown} lists no expectations", where, hint)
    return Suite(name=name, file=file, shipped=shipped, expectations=tuple(expectations))


def _table(node: Mapping, otherwise: str | None, problems: Problems) -> str | None:
    """The unified table under `table`; a problem for a name that is none."""
    value = node.get("table")
    text = text_of(value, "`table`", problems)
    if value is None or text is None:
        return otherwise
    known = [table.name for table in expected().tables]
    if text not in known:
        hint = nearest(text, known) or f"known are: {', '.join(known)}"
        problems.add("unknown-table", f"there is no unified table {text!r}", value.location, hint)
        return otherwise
    return text


def _expectation(entry: Entry, suite_name: str, table: str | None, problems: Problems) -> Expectation | None:
    what = f"the expectation {entry.key!r}"
    if not isinstance(entry.value, Mapping):
        hint = f"write `{entry.key}: {{expect_…: {{column: …}}, severity: critical, why: …}}`"
        problems.add("not-a-map", f"{what} must be a map of keys", entry.location, hint)
        return None
    node = entry.value
    kinds = [one for one in node if one.key not in _OURS]
    severity = _severity(node, what, problems)
    why = required_text(node, "why", what, problems)
    if why is not None and len((why.text or "").strip()) < _SHORT_WHY:
        problems.add("missing-reason", f"{what} needs a sentence under `why`", why.location, "say what is wrong then")
    judged = _table(node, table, problems)
    if judged is None:
        hint = "write `table: trading.trades` at the head of the file, or in the expectation"
        problems.add("missing-key", f"{what} has no `table`", entry.location, hint)
    if len(kinds) != 1:
        hint = "write one of Great Expectations' names with its arguments, e.g. `expect_column_values_to_not_be_null`"
        problems.add("missing-key", f"{what} needs exactly one expectation, not {len(kinds)}", entry.location, hint)
        return None
    arguments = _arguments(kinds[0], judged, problems)
    if judged is None or severity is None or why is None or arguments is None:
        return None
    return Expectation(
        suite=suite_name,
        name=entry.key,
        table=judged,
        kind=kinds[0].key,
        arguments=arguments,
        severity=severity,
        why=" ".join((why.text or "").split()),
        location=entry.location,
        kind_location=kinds[0].location,
    )


def _severity(node: Mapping, what: str, problems: Problems) -> str | None:
    written = required_text(node, "severity", what, problems)
    if written is None or written.text in SEVERITIES:
        return None if written is None else written.text
    hint = nearest(written.text or "", SEVERITIES) or "`critical` refuses the load, `warning` is shown"
    problems.add("unknown-severity", f"{written.text!r} is no severity", written.location, hint)
    return None


def _arguments(kind: Entry, table: str | None, problems: Problems) -> Mapping | None:
    match kind.value:
        case Mapping() as arguments:
            if table is not None:
                for entry in arguments:
                    if entry.key in _COLUMN_ARGUMENTS:
                        _require_columns(entry.value, table, problems)
            return arguments
        case Scalar(text=None, location=where):
            return Mapping(entries=(), location=where)
        case other:
            problems.add("not-a-map", f"{kind.key!r} takes named arguments", other.location, "write `{column: …}`")
            return None


def _require_columns(value: Node, table: str, problems: Problems) -> None:
    contract = expected().table(table)
    known = [] if contract is None else [column.name for column in contract.columns]
    for name in (value,) if isinstance(value, Scalar) else value.items if not isinstance(value, Mapping) else ():
        if isinstance(name, Scalar) and name.text is not None and name.text not in known:
            hint = nearest(name.text, known) or f"columns of it are: {', '.join(known)}"
            problems.add("unknown-column", f"{table} has no column {name.text!r}", name.location, hint)
