"""What all extractors share: where a table is staged, what is refused, and its closing count and digest."""

from __future__ import annotations

import difflib
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from consolidate.errors import Problem, UnreachableError, UsageError
from consolidate.model import StagedColumn, StagedTable
from consolidate.staging import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from consolidate.model import ExtractRequest
    from consolidate.staging import Staging

ROW: Final = "#row"
CLASS: Final = "#class"
_NAMES_SHOWN: Final = 20


def relation_of(source: str, table: str) -> str:
    """The staged relation of a source table, as quoted SQL text."""
    return f"stg.{quoted(f'{source}.{table}')}"


def folded(name: str) -> str:
    """`name` as DuckDB and SQLite compare it: ASCII letters in lower case, all others as they are."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in name)


def missing_table(
    request: ExtractRequest, table: str, known: Iterable[str], *, place: str = "", elsewhere: Sequence[str] = ()
) -> UsageError:
    """The error for a table that the mapping reads and the store lacks: nearest names, and what the store has.

    `place` says where in the store it was looked for, `elsewhere` where else it is.
    """
    names = sorted(known)
    shown = ", ".join(names[:_NAMES_SHOWN]) + (f" and {len(names) - _NAMES_SHOWN} more" if names[_NAMES_SHOWN:] else "")
    hints = [f"did you mean {near}?" for near in difflib.get_close_matches(table, names, n=1)]
    hints += [f"it is in {other}: set that for the source" for other in elsewhere]
    hints.append(
        f"{place or 'the store'} has: {shown}"
        if names
        else f"{place or 'the store'} has no table at all; is it the right one?"
    )
    return UsageError(
        Problem(
            code="no-such-table",
            message=f"source {request.source} has no table {table}{f' in {place}' if place else ''}",
            hint="; ".join(hints),
        )
    )


def refuse_clashes(source: str, table: str, columns: Sequence[StagedColumn], reserved: Iterable[str]) -> None:
    """Raise `UnreachableError` where DuckDB cannot tell a column from another or from one of ours, or name it."""
    seen = {folded(name): name for name in reserved}
    for column in columns:
        if not column.name or "\0" in column.name:
            raise UnreachableError(
                Problem(
                    code="unusable-name",
                    message=f"{source}.{table} has a column whose name is {column.name!r}",
                    hint="give it a name in a copy of the store",
                )
            )
        other = seen.get(folded(column.name))
        if other is not None:
            raise UnreachableError(
                Problem(
                    code="column-clash",
                    message=f"{source}.{table} has a column {column.name!r} that cannot be told from {other!r}",
                    hint="names may not differ by case alone nor be one of consolidate's own (with a #);"
                    " rename the column in a copy of the store",
                )
            )
        seen[folded(column.name)] = column.name


def classed_names(columns: Iterable[StagedColumn]) -> list[str]:
    """The names that a classed staged table has besides its columns."""
    return [ROW, *(column.name + CLASS for column in columns)]


def staged_table(
    staging: Staging,
    request: ExtractRequest,
    table: str,
    columns: tuple[StagedColumn, ...],
    *,
    rows: int,
    classed: bool,
) -> StagedTable:
    """Compare the store's own count with what arrived and describe the staged table; a difference raises."""
    relation = relation_of(request.source, table)
    arrived = staging.value(f"select count(*) from {relation}")
    if arrived != rows:
        raise UnreachableError(
            Problem(
                code="row-count-differs",
                message=f"{request.source}.{table}: the store counts {rows} rows, {arrived} arrived",
                hint="check the store for damage (an index that disagrees with its table), then run again",
            )
        )
    return StagedTable(
        source=request.source,
        table=table,
        relation=relation,
        columns=columns,
        rows=rows,
        classed=classed,
        digest=digest_of(staging, relation, columns, classed=classed),
    )


def digest_of(staging: Staging, relation: str, columns: Sequence[StagedColumn], *, classed: bool) -> str:
    """SHA-256 of a staged table's contents that does not depend on the order of its rows.

    Each row is written as text that only this row can have (every cell with its class and its length in bytes, so no
    two rows read alike); the 128 bits of each row's MD5 are summed over all rows as two 64-bit halves, and the number
    of rows, the names of the columns and both sums go into the SHA-256. It notices any change that is not made on
    purpose to deceive it; `"#row"` is not part of it.
    """
    parts: list[str] = []
    for column in columns:
        name = quoted(column.name)
        if classed:
            parts.append(quoted(column.name + CLASS))
        parts.append(f"coalesce(strlen({name})::varchar, '-')")
        parts.append(name)
    text = f"concat_ws(':', {', '.join(parts)})" if parts else "''"
    ((count, lower, upper),) = staging.rows(
        f"select count(*), sum(md5_number_lower(line))::varchar, sum(md5_number_upper(line))::varchar"
        f" from (select {text} as line from {relation})"
    )
    names = "".join(f"{len(column.name)}:{column.name}" for column in columns)
    return sha256(f"{names}|{count}|{lower}|{upper}".encode()).hexdigest()
