"""Questions to PostgreSQL about rows of DuckDB. The rows travel inside the question, as arrays, and not in a table.

So a question can be asked in a read-only transaction, by a role that may not even make temporary tables, and on a
standby. A question holds a few megabytes; of more rows, several are asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consolidate.staging import literal, quoted
from consolidate.target.stream import copy_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from consolidate.staging import Staging
    from consolidate.target.transaction import Connection

_MOST_BYTES: Final = 16_000_000
_CUT: Final = 'work."asked"'
_PART: Final = 'work."answered"'


def answers(
    connection: Connection,
    staging: Staging,
    rows: str,
    columns: Sequence[tuple[str, str]],
    question: Callable[[str], str],
    relation: str,
    answer: Sequence[tuple[str, str]],
) -> int:
    """Create the DuckDB table `relation` with what PostgreSQL answers about the rows of a DuckDB query.

    `rows` gives `columns` (names, and PostgreSQL types that the texts are read as), as texts. `question` gets the SQL
    of a relation `q` with these columns, for `from`, and gives the PostgreSQL query; `answer` are its columns (names
    and DuckDB types). Returns how many rows were asked about. Raises `psycopg.Error`.
    """
    asked = 0
    for number, (count, origin) in enumerate(_cut(staging, rows, columns)):
        copy_out(connection, question(origin), staging, relation if number == 0 else _PART, answer)
        if number:
            names = ", ".join(quoted(name) for name, _ in answer)
            staging.run(f"insert into {relation} ({names}) select {names} from {_PART}")
            staging.run(f"drop table {_PART}")
        asked += count
    return asked


def _cut(staging: Staging, rows: str, columns: Sequence[tuple[str, str]]) -> Iterator[tuple[int, str]]:
    """How many rows a question is about, and the SQL of the relation that holds them; at least one."""
    size = " + ".join(f"coalesce(strlen({quoted(name)}), 4) + 3" for name, _ in columns)
    staging.run(
        f'create or replace table {_CUT} as select cast(floor(sum({size}) over (order by "#place") / {_MOST_BYTES})'
        f' as bigint) as "#part", r.* from (select row_number() over () as "#place", a.* from ({rows}) a) r'
    )
    parts = staging.rows(f'select "#part", count(*) from {_CUT} group by "#part" order by "#part"')
    for part, count in parts or [(0, 0)]:
        arrays = ", ".join(_array(quoted(name)) for name, _ in columns)
        (texts,) = staging.rows(f'select {arrays} from {_CUT} where "#part" = ?', [part])
        values = ", ".join(
            f"{literal('{' + str(text or '') + '}')}::{type_}[]"
            for text, (_, type_) in zip(texts, columns, strict=True)
        )
        yield int(str(count)), f"unnest({values}) as q ({', '.join(quoted(name) for name, _ in columns)})"
    staging.run(f"drop table {_CUT}")


def _array(cell: str) -> str:
    """DuckDB SQL for the elements of a PostgreSQL array of texts."""
    escaped = rf"""replace(replace({cell}, '\', '\\'), '"', '\"')"""
    return f"""string_agg(coalesce('"' || {escaped} || '"', 'NULL'), ',' order by "#place")"""
