r"""CSV files as text: the header, and a strict count of rows and cells that is independent of DuckDB's reader.

Quoted cells are replaced by one private character; what is left is cut into lines and commas. A quote that is not at
both ends of its cell is an error: DuckDB would drop characters around it. Empty lines are no rows (in a file of one
column they are a row with a null).
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from consolidate.errors import Location
from consolidate.extract.json_text import free_mark, wrapped
from consolidate.extract.snapshot_files import SnapshotFile, broken
from consolidate.extract.staged import folded

if TYPE_CHECKING:
    from consolidate.errors import UnreachableError

_QUOTED: Final = '"(?:[^"]|"")*"'


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvText:
    r"""A checked CSV text: its header, the number of its rows, and the text with `\n` as the end of each line."""

    header: tuple[str, ...]
    rows: int
    text: str


def checked(source: str, file: SnapshotFile, text: str) -> CsvText:
    """Check each row's number of cells and each quote's place; raise `UnreachableError` with file:line."""
    header = _header(source, file, text)
    mark = free_mark(text)
    if mark is None:
        raise broken(source, "invalid-csv", f"{file.path} holds too many private characters", "convert the file")
    text = _unix(text, mark) if "\r" in text else text
    bare = pl.Series([text]).str.replace_all(_QUOTED, mark)
    misplaced = bool(bare.str.contains(f'"|[^,\\n]{mark}|{mark}[^,\\n]')[0])
    lines = pl.DataFrame({"line": bare.str.split("\n").explode()}).with_columns(
        pl.col("line").str.count_matches(",", literal=True).alias("commas")
    )
    single = len(header) == 1
    if single and lines["line"][-1] == "":
        lines = lines.head(-1)  # the end of the last line begins no other
    rows = lines if single else lines.filter(pl.col("line") != "")
    if misplaced or bool((rows["commas"] != len(header) - 1).any()):
        raise _fault(source, file, text, len(header))
    return CsvText(header=header, rows=rows.height - 1, text=text)


def _header(source: str, file: SnapshotFile, text: str) -> tuple[str, ...]:
    try:
        header = tuple(next(csv.reader(io.StringIO(text, newline=""), strict=True), ()))
    except csv.Error as error:
        raise _invalid(source, file, 1, f"the header cannot be read: {error}") from error
    if not header:
        raise _invalid(
            source, file, 1, "there is no header" if text.strip() else "the file is empty: not even a header"
        )
    seen: dict[str, str] = {}
    for number, name in enumerate(header, 1):
        if not name or "\0" in name:
            raise _invalid(source, file, 1, f"column {number} of the header has no usable name ({name!r})")
        if folded(name) in seen:
            raise _invalid(source, file, 1, f"the header names {name!r} twice" if seen[folded(name)] == name else
                           f"the header names {seen[folded(name)]!r} and {name!r}, differing only by case")  # fmt: skip
        seen[folded(name)] = name
    return header


def _unix(text: str, mark: str) -> str:
    r"""Every end of a line outside of quotes as `\n`; inside of quotes nothing changes."""
    ends = wrapped(pl.Series([text]), _QUOTED, "\r\n?", mark)
    return str(ends.str.replace_all(f"{mark}\r\n?.", "\n")[0])


def _fault(source: str, file: SnapshotFile, text: str, cells: int) -> UnreachableError:
    """The first line that is wrong, found by reading again; only used once something is wrong."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for row in reader:
            if row and len(row) != cells:
                return _invalid(source, file, line, f"the header has {cells} columns, this row has {len(row)} cells")
            line = reader.line_num + 1
    except csv.Error as error:
        return _invalid(source, file, line, str(error))
    for number, each in enumerate(text.split("\n"), 1):
        if '"' in each:
            return _invalid(source, file, number, "a quote must be at both ends of its cell (this or a later line)")
    return _invalid(source, file, 1, "quotes are out of place")


def _invalid(source: str, file: SnapshotFile, line: int, what: str) -> UnreachableError:
    return broken(
        source,
        "invalid-csv",
        f"{file.path}:{line} is not valid CSV: {what}",
        "the file is cut off, or was edited by hand: take it from the bot again",
        location=Location(file=str(file.path), line=line),
    )
