"""Where suites are judged: on the candidates in DuckDB, or on the live target. The same SQL runs in both."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final, Protocol

from consolidate.canonical import is_serial
from consolidate.relations import LINEAGE, candidates, unified
from consolidate.staging import literal, quoted
from consolidate.target.contract import SCHEMAS, expected
from consolidate.target.identity import identity
from consolidate.transform.candidates import filled_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import sqlalchemy as sa

    from consolidate.staging import Staging
    from consolidate.target.contract import TableContract
    from consolidate.target.transaction import Connection

SHOWN_KEYS: Final = 3
_ROWS_AT_ONCE: Final = 20_000
_NUMBER: Final = "id"
"""The serial column of a table; a candidate has its own number there, by which its source rows are found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """The rows that an expectation found: how many, and the keys of the first of them."""

    rows: int
    keys: tuple[str, ...]


class Ground(Protocol):
    """Rows in the shape of the unified schema, that SQL can be asked about."""

    engine: sa.Engine

    def rows(self, table: str) -> int:
        """How many rows the table has."""
        ...

    def export(self, query: str | sa.Select[Any], table: str, file: Path) -> Failing:
        """Write every row that the query finds to a CSV file, nulls as empty cells, as a stream."""
        ...


def key_columns(table: TableContract) -> tuple[str, ...]:
    """The columns that name a row in a report: its number, its key, and its bot."""
    known = identity(table)
    names = [_NUMBER, *known.key, "bot_id"] if known.serial or _has_number(table) else [*known.key]
    return tuple(dict.fromkeys(name for name in names if table.column(name) is not None))


def _has_number(table: TableContract) -> bool:
    return any(column.name == _NUMBER and is_serial(column) for column in table.columns)


def _key(table: TableContract, row: dict[str, str | None], origins: tuple[str, ...]) -> str:
    """How a report calls the row: by its own key, else by its source row, else by its number."""
    known = identity(table)
    names = [name for name in known.key if row.get(name) is not None] or [
        name for name in (*origins, known.target_key) if row.get(name) is not None
    ]
    return "|".join(str(row[name]) for name in names) or "|".join("" if cell is None else cell for cell in row.values())


class Candidates:
    """The candidates of a run, as views that are named and shaped like the tables of the target.

    Times are in UTC without a zone. A serial `id` is the number of the candidate. Failing rows get the source rows
    that made them.
    """

    def __init__(self, staging: Staging) -> None:
        """Make the views; they stay in the file, where they take no room."""
        self._staging = staging
        for schema in SCHEMAS:
            staging.run(f"create schema if not exists {quoted(schema)}")
        for table in expected().tables:
            filled = set(filled_columns(table))
            columns = ", ".join(
                quoted(column.name) if column.name in filled else f'"#n" as {quoted(column.name)}'
                for column in table.columns
            )
            staging.run(
                f"create or replace view {unified(table.name)} as select {columns} from {candidates(table.name)}"
            )
        self.engine: sa.Engine = staging.engine()

    def rows(self, table: str) -> int:
        """How many candidates the table has."""
        return int(str(self._staging.value(f"select count(*) from {candidates(table)}")))

    def export(self, query: str | sa.Select[Any], table: str, file: Path) -> Failing:
        """As the protocol says, with the source rows of each in front."""
        contract = expected().table(table)
        if contract is None:
            raise ValueError(table)
        text, values = (query, []) if isinstance(query, str) else self._compiled(query)
        with self._staging.arrow(f"select * from ({_bare(text)}) limit 0", values) as empty:
            names = [str(name) for name in empty.schema.names]
        cells = [f"q.{place}::varchar" for place, name in zip(_places(names), names, strict=True) if name != _NUMBER]
        heads = [name for name in names if name != _NUMBER]
        origins: tuple[str, ...] = ()
        source = ""
        if _NUMBER in names and _has_number(contract):
            origins = ("source", "source_table", "source_key")
            cells = [*(f"o.{name}" for name in origins), *cells]
            source = (
                f' left join (select "#n", min(source) as source, min(source_table) as source_table,'
                f" min(source_key) as source_key from {LINEAGE} where target_table = {literal(table)}"
                f' group by "#n") o on o."#n" = q.c{names.index(_NUMBER)}'
            )
        columns = [*origins, *heads]
        rows = f"({_bare(text)}) q({', '.join(_places(names))})"
        reader = self._staging.arrow(f"select {', '.join(cells)} from {rows}{source}", values)
        with file.open("w", encoding="utf-8", newline="") as out, reader:
            batches = (list(zip(*(column.to_pylist() for column in batch.columns), strict=True)) for batch in reader)
            return _written(out, columns, (row for batch in batches for row in batch), contract, origins)

    def _compiled(self, query: sa.Select[Any]) -> tuple[str, list[object]]:
        """SQL with a mark for each value, and the values."""
        kind: Any = type(self.engine.dialect)
        dialect = kind(paramstyle="qmark")
        made = query.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        return str(made), [made.params[name] for name in made.positiontup or ()]


class LiveTarget:
    """The unified tables of the target, as one moment saw them; nothing is written."""

    def __init__(self, connection: Connection) -> None:
        """Judge over this connection, in the transaction that it has begun."""
        from consolidate.postgres import engine  # noqa: PLC0415 - only suites need SQLAlchemy here

        self._connection = connection
        self.engine: sa.Engine = engine(connection)

    def rows(self, table: str) -> int:
        """How many rows the table has."""
        row = self._connection.execute(f"select count(*) from {unified(table)}".encode()).fetchone()
        return 0 if row is None else int(row[0])

    def export(self, query: str | sa.Select[Any], table: str, file: Path) -> Failing:
        """As the protocol says."""
        contract = expected().table(table)
        if contract is None:
            raise ValueError(table)
        text, values = (query, None) if isinstance(query, str) else self._compiled(query)
        found = f"({_bare(text)})"
        with self._connection.transaction():  # so that a failure leaves the rest of the moment to be judged
            empty = self._connection.execute(f"select * from {found} q limit 0".encode(), values)
        columns = [column.name for column in empty.description or ()]
        places = _places(columns)
        cells = ", ".join(f"q.{place}::text" for place in places)
        with self._connection.transaction(), self._connection.cursor(name="failing_rows") as cursor:
            cursor.itersize = _ROWS_AT_ONCE
            cursor.execute(f"select {cells} from {found} q({', '.join(places)})".encode(), values)
            with file.open("w", encoding="utf-8", newline="") as out:
                return _written(out, columns, iter(cursor), contract, ())

    def _compiled(self, query: sa.Select[Any]) -> tuple[str, dict[str, object]]:
        """SQL with a name for each value, and the values."""
        made = query.compile(dialect=self.engine.dialect, compile_kwargs={"render_postcompile": True})
        return str(made), dict(made.params)


def _bare(query: str) -> str:
    """The query as it can stand in brackets: a comment may end it, but no semicolon."""
    return query.strip().removesuffix(";") + "\n"


def _places(names: Sequence[str]) -> list[str]:
    """A name for each column by its place: a query may have two of the same name."""
    return [f"c{place}" for place in range(len(names))]


def _written(
    out: IO[str],
    columns: list[str],
    rows: Iterator[tuple[str | None, ...]],
    table: TableContract,
    origins: tuple[str, ...],
) -> Failing:
    writer = csv.writer(out)
    writer.writerow(columns)
    count = 0
    keys: list[str] = []
    for row in rows:
        writer.writerow(row)
        count += 1
        if len(keys) < SHOWN_KEYS:
            keys.append(_key(table, dict(zip(columns, row, strict=True)), origins))
    return Failing(rows=count, keys=tuple(keys))
