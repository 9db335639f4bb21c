"""CSV files of a snapshot source into a staged table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consolidate.errors import Problem, UnreachableError
from consolidate.extract.csv_text import CsvText, checked
from consolidate.extract.snapshot_files import matching, text_of
from consolidate.extract.staged import ROW, refuse_clashes, relation_of, staged_table
from consolidate.model import Progress, StagedColumn
from consolidate.staging import literal, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from consolidate.extract.snapshot_files import SnapshotFile
    from consolidate.model import ExtractRequest, SnapshotTable, StagedTable
    from consolidate.staging import Staging

FILE: Final = "#file"
_LONGEST_ROW: Final = 64 * 2**20


def stage_csv(
    request: ExtractRequest,
    staging: Staging,
    workdir: Path,
    files: Sequence[SnapshotFile],
    table: SnapshotTable,
    observe: Callable[[Progress], None],
) -> StagedTable:
    """Stage one table from those of `files` that it matches.

    A column that only some of the files have is null in the rows of the others. An empty cell is null, a quoted empty
    cell is the empty text.
    """
    relation = relation_of(request.source, table.name)
    staging.run(f"create table {relation} ({quoted(ROW)} bigint, {quoted(FILE)} varchar)")
    names: list[str] = []
    rows = 0
    for file in matching(files, table):
        content = checked(request.source, file, text_of(request.source, file))
        _add_columns(request, staging, relation, table, names, content.header)
        _append(staging, relation, workdir / f"{request.source}.csv", file, content, rows)
        rows += content.rows
        observe(Progress(stage="extract", subject=f"{request.source}.{table.name}", done=rows, total=None))
    _add_columns(request, staging, relation, table, names, table.columns)
    columns = tuple(StagedColumn(name=name, stored_type="") for name in names)
    return staged_table(staging, request, table.name, columns, rows=rows, classed=False)


def _add_columns(
    request: ExtractRequest,
    staging: Staging,
    relation: str,
    table: SnapshotTable,
    names: list[str],
    header: Sequence[str],
) -> None:
    new = [name for name in header if name not in names]
    names.extend(new)
    columns = [StagedColumn(name=name, stored_type="") for name in names]
    refuse_clashes(request.source, table.name, columns, (ROW, FILE))
    for name in new:
        staging.run(f"alter table {relation} add column {quoted(name)} varchar")


def _append(
    staging: Staging, relation: str, copy: Path, file: SnapshotFile, content: CsvText, rows_before: int
) -> None:
    """Insert the rows of one text, from a copy that the bot cannot change."""
    cells = [f"c{number}" for number in range(len(content.header))]
    types = ", ".join(f"{cell}: 'varchar'" for cell in cells)
    longest = min(len(content.text.encode()) + 1, _LONGEST_ROW)
    targets = ", ".join(quoted(name) for name in (ROW, FILE, *content.header))
    try:
        copy.write_text(content.text, encoding="utf-8", newline="")
        staging.run(
            f"insert into {relation} ({targets})"
            f" select {rows_before} + row_number() over (), {literal(file.name)}, {', '.join(cells)}"
            f" from read_csv({literal(str(copy))}, columns = {{{types}}}, delim = ',', quote = '\"', escape = '\"',"
            " comment = '', nullstr = '', allow_quoted_nulls = false, header = true, auto_detect = false,"
            " new_line = '\\n',"
            " encoding = 'utf-8', compression = 'none', strict_mode = true, null_padding = false, parallel = false,"
            f" max_line_size = {longest}, buffer_size = {2 * longest + 2})"
        )
    except OSError as error:
        raise UnreachableError(
            Problem(
                code="staging-exhausted",
                message=f"the working folder {copy.parent} cannot be written: {error.strerror}",
                hint="free space in that folder, then run again; nothing was loaded",
            )
        ) from error
    finally:
        copy.unlink(missing_ok=True)
