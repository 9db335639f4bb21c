"""Stage a SQLite store, read only and in one read transaction, each cell with its storage class.

The database file must not be opened by anything else of this process while the transaction lasts (not even to look at
its header): POSIX drops all locks of a process on a file as soon as the process closes any descriptor of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from consolidate.bundled import statement
from consolidate.errors import ConsolidateError, Problem, UnreachableError
from consolidate.extract.sqlite_cells import cell_of
from consolidate.extract.sqlite_file import SqliteFile, failure, opened
from consolidate.extract.staged import (
    ROW,
    classed_names,
    folded,
    missing_table,
    refuse_clashes,
    relation_of,
    staged_table,
)
from consolidate.model import Progress, SourceKind, StagedColumn, StagedSource, StagedTable, UnreadTable
from consolidate.staging import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consolidate.extract.sqlite_file import Transaction
    from consolidate.model import ExtractRequest
    from consolidate.staging import Staging

BATCH_ROWS: Final = 16_384
_BATCH_BYTES: Final = 128 * 2**20
_LARGE_FILE: Final = 256 * 2**20
_SORTED: Final = ("blob", "integer", "null", "real", "text")


class _NotUtf8Error(Exception):
    """A text of the table is no UTF-8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    name: str
    kind: str
    columns: tuple[StagedColumn, ...]


def extract(request: ExtractRequest, staging: Staging, observe: Callable[[Progress], None]) -> StagedSource:
    """Stage the tables of `request`; see `consolidate.extract.extract`."""
    with opened(request) as (file, transaction):
        listed = _listed(transaction)
        wanted = [_find(request, listed, table) for table in request.tables]
        tables = tuple(
            _stage(staging, transaction, _examined(request, transaction, file, name, entry, observe))
            for name, entry in zip(request.tables, wanted, strict=True)
        )
        unread = tuple(_counted(request, transaction, entry) for entry in listed.values() if entry not in wanted)
    return StagedSource(
        source=request.source,
        kind=SourceKind.SQLITE,
        origin=str(file.path),
        tables=tables,
        unread=unread,
        bytes_read=file.size,
    )


def survey(request: ExtractRequest) -> tuple[UnreadTable, ...]:
    """List and count everything in the store; see `consolidate.extract.survey`."""
    with opened(request) as (_, transaction):
        return tuple(_counted(request, transaction, entry) for entry in _listed(transaction).values())


def _listed(transaction: Transaction) -> dict[str, _Listed]:
    """All tables and views by folded name, in the order of their declared names."""
    found: dict[str, _Listed] = {}
    listing = transaction.rows(statement("extract/sqlite_tables").decode())
    for table, kind, column, stored_type in sorted(listing, key=lambda row: str(row[0])):
        entry = found.get(folded(str(table)), _Listed(name=str(table), kind=str(kind), columns=()))
        added = () if column is None else (StagedColumn(name=str(column), stored_type=str(stored_type or "")),)
        found[folded(str(table))] = _Listed(name=entry.name, kind=entry.kind, columns=entry.columns + added)
    return found


def _find(request: ExtractRequest, listed: dict[str, _Listed], table: str) -> _Listed:
    entry = listed.get(folded(table))
    if entry is None or entry.kind != "table":
        raise missing_table(request, table, (each.name for each in listed.values() if each.kind == "table"))
    return entry


def _counted(request: ExtractRequest, transaction: Transaction, entry: _Listed) -> UnreadTable:
    rows = 0
    if entry.kind == "table":
        rows = _integer(transaction.rows(f"select count(*) from {quoted(entry.name)}")[0][0])
    return UnreadTable(source=request.source, table=entry.name, rows=rows, kind=entry.kind, columns=entry.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """Everything that reading one table needs."""

    request: ExtractRequest
    table: str
    entry: _Listed
    file: SqliteFile
    rows: int
    classes: tuple[frozenset[str], ...]
    observe: Callable[[Progress], None]


def _examined(
    request: ExtractRequest,
    transaction: Transaction,
    file: SqliteFile,
    table: str,
    entry: _Listed,
    observe: Callable[[Progress], None],
) -> _Reading:
    rows, classes = _classes(transaction, entry)
    return _Reading(request=request, table=table, entry=entry, file=file, rows=rows, classes=classes, observe=observe)


def _stage(staging: Staging, transaction: Transaction, reading: _Reading) -> StagedTable:
    columns = reading.entry.columns
    refuse_clashes(reading.request.source, reading.table, columns, classed_names(columns))
    try:
        _read(staging, transaction, reading, text_as_bytes=False)
    except _NotUtf8Error:
        _read(staging, transaction, reading, text_as_bytes=True)
    return staged_table(staging, reading.request, reading.table, columns, rows=reading.rows, classed=True)


def _read(staging: Staging, transaction: Transaction, reading: _Reading, *, text_as_bytes: bool) -> None:
    cells = [
        cell_of(number, column.name, classes, text_as_bytes=text_as_bytes)
        for number, (column, classes) in enumerate(zip(reading.entry.columns, reading.classes, strict=True))
    ]
    outputs = ", ".join(["0 as n", *(output for cell in cells for output in cell.outputs)])
    stored = ", ".join([f"n as {quoted(ROW)}", *(item for cell in cells for item in cell.store)])
    viewed = ", ".join([quoted(ROW), *(item for cell in cells for item in cell.view)])
    source = reading.request.source
    base = relation_of(source, reading.table + "#cells")
    failed: list[Exception] = []
    with transaction.batches(
        f"select {outputs} from {quoted(reading.entry.name)} not indexed", batch_rows=_batch_rows(transaction, reading)
    ) as batches:
        reader = pa.RecordBatchReader.from_batches(batches.schema, _observed(batches, failed, reading))
        try:
            staging.ingest(base, reader, stored)
        except ConsolidateError as error:
            if not failed:
                raise
            if isinstance(failed[0], _NotUtf8Error):
                raise failed[0] from None
            # DuckDB only passes on what went wrong while SQLite was read.
            raise failure(source, reading.file, failed[0], table=reading.table) from error
    staging.run(f"create view {relation_of(source, reading.table)} as select {viewed} from {base}")


def _classes(transaction: Transaction, entry: _Listed) -> tuple[int, tuple[frozenset[str], ...]]:
    """The number of rows, and exactly which storage classes each column holds.

    The least and the greatest name of a class are fast to get and mostly tell all; where others sort between them
    (blob, integer, null, real, text), the column is asked again.
    """
    bounds = [f"min(typeof({quoted(column.name)})), max(typeof({quoted(column.name)}))" for column in entry.columns]
    rows, *found = transaction.rows(f"select {', '.join(['count(*)', *bounds])} from {quoted(entry.name)}")[0]
    ends = list(zip(map(str, found[::2]), map(str, found[1::2]), strict=True))
    if not rows:
        return 0, tuple(frozenset() for _ in entry.columns)
    unclear = [
        number
        for number, (low, high) in enumerate(ends)
        if low != high and _SORTED.index(high) - _SORTED.index(low) > 1
    ]
    classes = [frozenset(each) for each in ends]
    if unclear:
        lists = ", ".join(f"group_concat(distinct typeof({quoted(entry.columns[number].name)}))" for number in unclear)
        (answer,) = transaction.rows(f"select {lists} from {quoted(entry.name)}")
        for number, listed in zip(unclear, answer, strict=True):
            classes[number] = frozenset(str(listed).split(","))
    return _integer(rows), tuple(classes)


def _batch_rows(transaction: Transaction, reading: _Reading) -> int:
    """Few enough rows that a batch stays small; in a small file no batch can be large."""
    entry = reading.entry
    if reading.file.size < _LARGE_FILE or reading.rows == 0:
        return BATCH_ROWS
    widths = " + ".join(f"ifnull(length(cast({quoted(column.name)} as blob)), 0)" for column in entry.columns)
    widest = _integer(transaction.rows(f"select max({widths}) from {quoted(entry.name)}")[0][0])
    return max(1, min(BATCH_ROWS, _BATCH_BYTES // max(widest, 1)))


def _observed(batches: pa.RecordBatchReader, failed: list[Exception], reading: _Reading) -> Iterator[pa.RecordBatch]:
    """Pass the batches on with their rows numbered in `n`, tell the progress, and note what went wrong."""
    subject, done = f"{reading.request.source}.{reading.table}", 0
    try:
        for batch in batches:
            _refuse_invalid(batch)
            numbers = pa.array(range(done + 1, done + 1 + batch.num_rows), pa.int64())
            yield batch.set_column(0, "n", numbers)
            done += batch.num_rows
            reading.observe(Progress(stage="extract", subject=subject, done=done, total=reading.rows))
    except Exception as error:
        failed.append(error)
        raise


def _refuse_invalid(batch: pa.RecordBatch) -> None:
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid as error:
        raise _NotUtf8Error from error


def _integer(value: object) -> int:
    if not isinstance(value, int):
        raise UnreachableError(
            Problem(
                code="store-damaged", message=f"SQLite counts {value!r}", hint="check it with `pragma integrity_check`"
            )
        )
    return value
