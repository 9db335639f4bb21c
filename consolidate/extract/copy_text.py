r"""Files in PostgreSQL's COPY text format, taken into staging.

COPY writes one row a line, with a tab between cells, `\N` for null, and \b \f \n \r \t \v \\ for what would be
mistaken. So the text `\N` is written `\\N`, and neither a tab nor a line break is ever part of a cell: the file can
be cut up first and each cell be unescaped after that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consolidate.extract.staged import ROW
from consolidate.staging import literal, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from consolidate.staging import Staging

LONGEST_LINE: Final = 512 * 2**20
_LEAST_BUFFER: Final = 32 * 2**20
_ESCAPES: Final = (("b", 8), ("t", 9), ("n", 10), ("v", 11), ("f", 12), ("r", 13))


def ingest_copy_text(staging: Staging, relation: str, file: Path, names: Sequence[str], *, longest_line: int) -> None:
    """Create `relation` from `file`, whose lines hold the row's number and then the cells of the columns `names`."""
    cells = [f"c{number}" for number in range(len(names))]
    types = ", ".join(["n: 'bigint'", *(f"{cell}: 'varchar'" for cell in cells)])
    select = ", ".join(
        [
            f"n as {quoted(ROW)}",
            *(f"{_unescaped(cell)} as {quoted(name)}" for cell, name in zip(cells, names, strict=True)),
        ]
    )
    staging.run(
        f"create table {relation} as select {select} from read_csv({literal(str(file))}, columns = {{{types}}},"
        r" delim = '\t', quote = '', escape = '', comment = '', nullstr = '\N', header = false, auto_detect = false,"
        r" new_line = '\n', encoding = 'utf-8', compression = 'none', strict_mode = true,"
        f" max_line_size = {longest_line + 1}, buffer_size = {max(_LEAST_BUFFER, 2 * longest_line + 2)})"
    )


def _unescaped(cell: str) -> str:
    r"""Undo the escapes: cut at each `\\` from left to right, then each backslash that is left begins an escape."""
    piece = "piece"
    for letter, code in _ESCAPES:
        piece = rf"replace({piece}, '\{letter}', chr({code}))"
    cut = rf"string_split({cell}, '\\')"
    joined = rf"array_to_string(list_transform({cut}, lambda piece: {piece}), '\')"
    return rf"case when contains({cell}, '\') then {joined} else {cell} end"
