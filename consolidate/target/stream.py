"""Rows from DuckDB to PostgreSQL and back, as lines of COPY's text format; a row is never taken apart in Python."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

import pyarrow as pa
from pyarrow import csv

from consolidate.staging import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from consolidate.staging import Staging
    from consolidate.target.transaction import Connection

LINES_PER_BATCH: Final = 8_192
"""Few enough that lines of a quarter of a megabyte each still fit into one Arrow array."""

_READ_LINES: Final = 16_384
_BLOCK_BYTES: Final = 2**30
_FORMAT: Final = csv.ParseOptions(
    delimiter="\t", quote_char=False, double_quote=False, escape_char=False, ignore_empty_lines=False
)
"""COPY escapes tabs and line ends inside cells, so the lines can be cut without looking into them."""

_ESCAPES: Final = (("b", 8), ("t", 9), ("n", 10), ("v", 11), ("f", 12), ("r", 13))


def copy_in(
    connection: Connection,
    into: str,
    staging: Staging,
    lines: str,
    *,
    told: Callable[[int], None] = lambda _: None,
) -> int:
    """Send what the DuckDB query `lines` gives, one column of whole lines, to `copy {into} from stdin`.

    `into` is a quoted relation with its columns in parentheses. Returns the rows sent; `told` hears of them while it
    goes. Whether they arrived as sent is for `consolidate.reconcile` to find. Raises `psycopg.Error`.
    """
    sent = 0
    statement = f"copy {into} from stdin (format text, encoding 'UTF8')".encode()
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for batch in staging.arrow(lines, batch_rows=LINES_PER_BATCH):
            if batch.num_rows:
                copy.write(_text_of(batch.column(0)))
                sent += batch.num_rows
                told(sent)
    return sent


def _text_of(lines: pa.Array) -> memoryview:
    """The lines one after the other, as they lie in Arrow's buffer; nothing is copied."""
    _, offsets, text = lines.buffers()
    width = 8 if pa.types.is_large_string(lines.type) else 4
    positions = memoryview(offsets).cast("q" if width == 8 else "i")  # noqa: PLR2004  # bytes of an int64
    first, last = positions[lines.offset], positions[lines.offset + len(lines)]
    return memoryview(text)[first:last]


def copy_out(
    connection: Connection,
    query: str,
    staging: Staging,
    relation: str,
    columns: Sequence[tuple[str, str]],
) -> int:
    """Create the DuckDB table `relation` from the rows of the PostgreSQL query; return how many there are.

    A table of that name is replaced.
    `columns` are names and DuckDB types, in the query's order. Raises `psycopg.Error`.
    """
    staging.run(f"drop table if exists {relation}")
    cells = ", ".join(_cell(name, type_) for name, type_ in columns)
    with connection.cursor() as cursor, cursor.copy(f"copy ({query}) to stdout (format text)".encode()) as copy:
        feed = _Feed(copy, [name for name, _ in columns])
        reader = pa.RecordBatchReader.from_batches(feed.schema, feed.batches())
        try:
            rows = staging.ingest(relation, reader, cells)
        except Exception:
            # What the reader raised comes back as an error of DuckDB's; the cause is the truth.
            if feed.failed is not None:
                raise feed.failed from None
            raise
    return rows


class _Feed:
    """Lines of a COPY as Arrow batches of texts, still escaped; keeps the error that ended it early."""

    def __init__(self, copy: Iterable[bytes | bytearray | memoryview], names: Sequence[str]) -> None:
        self._copy = copy
        self._convert = csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), null_values=["\\N"], strings_can_be_null=True
        )
        self._read = csv.ReadOptions(column_names=list(names), use_threads=False, block_size=_BLOCK_BYTES)
        self.schema = pa.schema(dict.fromkeys(names, pa.string()))
        self.failed: BaseException | None = None

    def batches(self) -> Iterator[pa.RecordBatch]:
        try:
            # psycopg gives a memoryview a line, which the garbage collector would look at again and again.
            lines = map(bytes, self._copy)
            while block := b"".join(islice(lines, _READ_LINES)):
                options = {"read_options": self._read, "parse_options": _FORMAT, "convert_options": self._convert}
                yield from csv.read_csv(pa.BufferReader(block), **options).to_batches()
        except BaseException as error:
            self.failed = error
            raise


def _cell(name: str, type_: str) -> str:
    cell = quoted(name)
    return f"{_unescaped(cell) if type_ == 'varchar' else f'cast({cell} as {type_})'} as {cell}"


def _unescaped(cell: str) -> str:
    r"""Undo COPY's escapes: cut at each `\\` from left to right, then each backslash left begins an escape."""
    piece = "piece"
    for letter, code in _ESCAPES:
        piece = rf"replace({piece}, '\{letter}', chr({code}))"
    joined = rf"array_to_string(list_transform(string_split({cell}, '\\'), lambda piece: {piece}), '\')"
    return rf"case when contains({cell}, '\') then {joined} else {cell} end"
