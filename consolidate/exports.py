"""The quarantine as a file: Parquet, CSV or JSON lines; every text verbatim, also one that a spreadsheet would run."""

from __future__ import annotations

import dataclasses
import json
from itertools import islice
from typing import IO, TYPE_CHECKING, Final

from consolidate.errors import Problem, UnreachableError, UsageError
from consolidate.model import KeptReject

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FORMS: Final = (".parquet", ".csv", ".jsonl")
COLUMNS: Final = tuple(field.name for field in dataclasses.fields(KeptReject))
_ROWS_AT_ONCE: Final = 20_000


def form_of(file: Path) -> str:
    """The form that the suffix says. Raises `UsageError` for another suffix, or where the folder is not there."""
    form = file.suffix.lower()
    if form not in FORMS:
        raise UsageError(
            Problem(
                code="unknown-export",
                message=f"{str(file)!r} has none of the suffixes {', '.join(FORMS)}",
                hint="name the file rejects.parquet, rejects.csv or rejects.jsonl",
            )
        )
    if file.is_dir() or not file.parent.is_dir():
        raise UsageError(
            Problem(
                code="bad-export-path",
                message=f"{str(file)!r} cannot be written: it is a folder, or its folder does not exist",
                hint="make the folder first",
            )
        )
    return form


def write(file: Path, form: str, rejects: Iterable[KeptReject]) -> None:
    """Write all rejects; the file appears whole, or the one that was there stays.

    CSV as of RFC 4180 with a heading; a null is an empty cell, an empty text is `""`. JSON lines have the keys of
    `KeptReject`, with the source row as a JSON text in "row". Raises `UnreachableError` where it cannot be written.
    """
    partial = file.with_name(f".{file.name}.partial")
    try:
        with partial.open("wb") as out:
            _WRITERS[form](out, rejects)
        partial.replace(file)
    except OSError as error:
        raise UnreachableError(
            Problem(
                code="export-not-written",
                message=f"{file} cannot be written: {error.strerror or error}",
                hint="check that you may write there and that the disk is not full",
            )
        ) from None
    finally:
        partial.unlink(missing_ok=True)


def _cells(reject: KeptReject) -> dict[str, str | None]:
    return {name: getattr(reject, name) for name in COLUMNS}


def _csv(out: IO[bytes], rejects: Iterable[KeptReject]) -> None:
    out.write((",".join(COLUMNS) + "\r\n").encode())
    for reject in rejects:
        cells = ("" if cell is None else _csv_cell(cell) for cell in _cells(reject).values())
        out.write((",".join(cells) + "\r\n").encode())


def _csv_cell(text: str) -> str:
    if text == "" or any(special in text for special in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def _json_lines(out: IO[bytes], rejects: Iterable[KeptReject]) -> None:
    for reject in rejects:
        out.write((json.dumps(_cells(reject), ensure_ascii=False) + "\n").encode())


def _parquet(out: IO[bytes], rejects: Iterable[KeptReject]) -> None:
    import pyarrow as pa  # noqa: PLC0415 - only where it is asked for
    from pyarrow import parquet  # noqa: PLC0415 - as above

    shape = pa.schema([(name, pa.string()) for name in COLUMNS])
    rows = iter(rejects)
    with parquet.ParquetWriter(out, shape) as writer:
        while batch := [_cells(reject) for reject in islice(rows, _ROWS_AT_ONCE)]:
            writer.write_table(pa.Table.from_pylist(batch, schema=shape))


_WRITERS: Final = {".parquet": _parquet, ".csv": _csv, ".jsonl": _json_lines}
