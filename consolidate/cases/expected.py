"""What a case expects, as files: `expected/<table>.yaml`, a list of rows, a line for each cell that is not null."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from consolidate.canonical import columns
from consolidate.cases.compare import FROM, in_order
from consolidate.errors import Location
from consolidate.mapping import yaml
from consolidate.target.contract import expected as contract
from consolidate.target.identity import Known, identity

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from consolidate.cases.outcome import Row, Tables

FOLDER: Final = "expected"
REJECTS: Final = "rejects"
WARNINGS: Final = "warnings"
REJECT_CELLS: Final = ("table", "key", "code", "column", "value")
WARNING_CELLS: Final = ("message",)

_ROWS: Final = "rows"
_SUFFIX: Final = ".yaml"
_MOST_BYTES: Final = 20_000_000
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_WORD: Final = r"(?:[A-Za-z0-9_.+/|:-]*[A-Za-z0-9_.+/|-])"
_PLAIN: Final = re.compile(rf"(?=-?[A-Za-z0-9_.+/]){_WORD}(?: {_WORD})*")
_ESCAPED: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def identities() -> dict[str, tuple[str, ...]]:
    """The tables that a case can expect rows of, with the cells that name a row (none: its source rows do)."""
    found: dict[str, tuple[str, ...]] = {}
    for table in contract().tables:
        known = identity(table)
        found[table.name] = () if known.known is Known.BY_LINEAGE else known.key
    return found | {REJECTS: ("table", "key"), WARNINGS: WARNING_CELLS}


def cells_of(table: str) -> tuple[str, ...]:
    """The cells that a row of the table can have, in the order in which they are written."""
    if table == REJECTS:
        return REJECT_CELLS
    if table == WARNINGS:
        return WARNING_CELLS
    found = contract().table(table)
    if found is None:
        raise LookupError(table)
    return (FROM, *(column.name for column in columns(found)))


def read(folder: Path, shown: str, problems: yaml.Problems) -> Tables:
    """The expected rows of the case in `folder`; `shown` is how that folder is called. What is wrong is noted."""
    found: Tables = {}
    known = identities()
    place = folder / FOLDER
    for file in sorted(place.iterdir()) if place.is_dir() else ():
        name = f"{shown}/{FOLDER}/{file.name}"
        if file.name.startswith("."):
            continue
        if file.suffix != _SUFFIX or file.stem not in known:
            hint = yaml.nearest(file.stem, known) or f"known are: {', '.join(known)}"
            where = Location(file=name, line=1, column=1)
            problems.add("unknown-table", f"{file.name} is named after no table that rows can go to", where, hint)
            continue
        text = _text(file, name, problems)
        root = None if text is None else yaml.parse(text, name, problems)
        if root is not None:
            found[file.stem] = _rows(root, file.stem, problems)
    return found


def _text(file: Path, name: str, problems: yaml.Problems) -> str | None:
    try:
        raw = file.read_bytes()
        if len(raw) <= _MOST_BYTES:
            return raw.decode("utf-8-sig")
    except OSError as error:
        problems.add("unreadable-file", f"{name} cannot be read: {error.strerror or error}", None, "check the path")
        return None
    except UnicodeDecodeError:
        problems.add("not-utf8", f"{name} is not UTF-8", Location(file=name, line=1), "save it as UTF-8")
        return None
    problems.add("file-too-large", f"{name} has {len(raw)} bytes", None, "make the store of the case smaller")
    return None


def _rows(root: yaml.Mapping, table: str, problems: yaml.Problems) -> tuple[Row, ...]:
    yaml.known_keys(root, (_ROWS,), "a file of expected rows", problems)
    node = root.get(_ROWS)
    if not isinstance(node, yaml.Sequence):
        where = root.location if node is None else node.location
        problems.add("missing-key", "the file lists no `rows`", where, "write `rows:`, and below it `- column: value`")
        return ()
    return tuple(_row(item, table, problems) for item in node.items)


def _row(node: yaml.Node, table: str, problems: yaml.Problems) -> Row:
    if not isinstance(node, yaml.Mapping):
        problems.add("not-a-map", "a row must be a map of cells", node.location, "write `- column: value`")
        return {}
    yaml.known_keys(node, cells_of(table), f"a row of {table}", problems)
    row: Row = {}
    for entry in node:
        text = yaml.text_of(entry.value, f"the cell {entry.key!r}", problems)
        if text is not None:
            row[entry.key] = text
    return row


def write(folder: Path, got: Tables, tables: Iterable[str]) -> tuple[str, ...]:
    """Write the files of these tables anew, and take those away whose table has no rows; the names of the files."""
    known = identities()
    place = folder / FOLDER
    written = []
    for table in sorted(set(tables)):
        file = place / f"{table}{_SUFFIX}"
        rows = got.get(table, ())
        if rows:
            place.mkdir(exist_ok=True)
            file.write_bytes(text_of(table, in_order(rows, known[table])).encode())
        else:
            file.unlink(missing_ok=True)
        written.append(f"{FOLDER}/{file.name}")
    return tuple(written)


def text_of(table: str, rows: Iterable[Row]) -> str:
    """The file of a table with these rows in this order."""
    lines = [f"{_ROWS}:"]
    for row in rows:
        cells = [f"{name}: {scalar(row[name])}" for name in cells_of(table) if name in row] or ["{}"]
        lines += [f"{'  ' if place else '- '}{cell}" for place, cell in enumerate(cells)]
    return "\n".join(lines) + "\n"


def scalar(text: str) -> str:
    """A text as YAML that is read back as the same text; never one that is read as null."""
    if text not in _NULLS and _PLAIN.fullmatch(text):
        return text
    if text.isprintable():
        return f"'{text.replace(chr(39), chr(39) * 2)}'"
    return '"' + "".join(_ESCAPED.get(character) or _escape(character) for character in text) + '"'


def _escape(character: str) -> str:
    if character.isprintable():
        return character
    point = ord(character)
    if point < 0x100:  # noqa: PLR2004
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"  # noqa: PLR2004
