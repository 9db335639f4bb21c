"""Stage a PostgreSQL store in one repeatable-read, read-only transaction; each value as the server's text."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import psycopg
from psycopg import sql

from consolidate import postgres
from consolidate.bundled import statement
from consolidate.errors import Problem, UnreachableError
from consolidate.extract.copy_text import LONGEST_LINE, ingest_copy_text
from consolidate.extract.staged import ROW, missing_table, refuse_clashes, relation_of, staged_table
from consolidate.model import Progress, SourceKind, StagedColumn, StagedSource, StagedTable, UnreadTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from consolidate.model import ExtractRequest
    from consolidate.staging import Staging

DEFAULT_SCHEMA: Final = "public"
_WRITE_BYTES: Final = 2**20
_TELL_BYTES: Final = 8 * 2**20
_DENIED: Final = "42501"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    name: str
    kind: str
    columns: tuple[StagedColumn, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Copied:
    rows: int
    size: int
    longest_line: int


class _Store:
    """The open transaction of one source."""

    def __init__(self, request: ExtractRequest, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        self.request = request
        self.schema = request.schema or DEFAULT_SCHEMA
        self.connection = connection

    @property
    def origin(self) -> str:
        """Where the store is, without secrets."""
        return postgres.masked(self.request.dsn or "")

    def listed(self) -> dict[str, _Listed]:
        """All tables and views of the schema by name."""
        found: dict[str, _Listed] = {}
        listing = self.connection.execute(statement("extract/postgres_tables"), {"schema": self.schema})
        for table, kind, column, stored_type in listing:
            entry = found.get(str(table), _Listed(name=str(table), kind=str(kind), columns=()))
            added = () if column is None else (StagedColumn(name=str(column), stored_type=str(stored_type)),)
            found[entry.name] = _Listed(name=entry.name, kind=entry.kind, columns=entry.columns + added)
        return found

    def find(self, listed: dict[str, _Listed], table: str) -> _Listed:
        entry = listed.get(table)
        if entry is not None and entry.kind == "table":
            return entry
        elsewhere = self.connection.execute(statement("extract/postgres_elsewhere"), {"table": table}).fetchall()
        raise missing_table(
            self.request,
            table,
            (each.name for each in listed.values() if each.kind == "table"),
            place=f"schema {self.schema}",
            elsewhere=[f"schema {name}" for (name,) in elsewhere if name != self.schema],
        )

    def count(self, table: str) -> int:
        with self.reading(table):
            counting = self.connection.execute(sql.SQL("select count(*) from {}").format(self._identifier(table)))
            row = counting.fetchone()
        if row is None or not isinstance(row[0], int):
            raise TypeError(row)
        return row[0]

    def counted(self, entry: _Listed) -> UnreadTable:
        return UnreadTable(
            source=self.request.source,
            table=entry.name,
            rows=self.count(entry.name) if entry.kind == "table" else 0,
            kind=entry.kind,
            columns=entry.columns,
        )

    def copy(self, entry: _Listed, rows: int, file: Path, observe: Callable[[Progress], None]) -> _Copied:
        """Write the table to `file` in COPY's text format, each line led by its row's number."""
        cells = [sql.SQL("row_number() over ()")]
        columns = [sql.SQL("{}::text").format(sql.Identifier(column.name)) for column in entry.columns]
        query = sql.SQL("copy (select {cells} from {table}) to stdout (format text, encoding 'utf8')").format(
            cells=sql.SQL(", ").join([*cells, *columns]), table=self._identifier(entry.name)
        )
        done, size, longest, told = 0, 0, 0, 0
        subject = f"{self.request.source}.{entry.name}"
        with (
            self.reading(entry.name),
            file.open("wb", buffering=_WRITE_BYTES) as out,
            self.connection.cursor() as cursor,
            cursor.copy(query) as copy,
        ):
            for line in copy:  # the driver gives exactly one row at a time
                out.write(line)
                done += 1
                length = len(line)
                size += length
                longest = max(longest, length)
                if size - told > _TELL_BYTES:
                    told = size
                    observe(Progress(stage="extract", subject=subject, done=done, total=rows))
        observe(Progress(stage="extract", subject=subject, done=done, total=rows))
        return _Copied(rows=done, size=size, longest_line=longest)

    @contextmanager
    def reading(self, table: str) -> Iterator[None]:
        """Turn a missing privilege and a full disk into errors that name the table."""
        name = f"{self.schema}.{table}"
        try:
            yield
        except psycopg.Error as error:
            if error.sqlstate != _DENIED:
                raise
            said = error.diag.message_primary or "permission denied"
        except OSError as error:
            raise UnreachableError(
                Problem(
                    code="staging-exhausted",
                    message=f"source {self.request.source}: {name} cannot be written to the working folder: {error}",
                    hint="free space in that folder, then run again; nothing was loaded",
                )
            ) from error
        else:
            return
        user = self.connection.info.user
        policy = "row-level security" in said
        grant = f"grant usage on schema {self.schema} to {user}; grant select on {name} to {user}"
        raise UnreachableError(
            Problem(
                code="row-level-security" if policy else "permission-denied",
                message=f"source {self.request.source}: {name} cannot be read by user {user}: {said}",
                hint="a policy hides rows of the table: connect as a user with bypassrls, or as its owner"
                if policy
                else grant,
            )
        )

    def _identifier(self, table: str) -> sql.Identifier:
        return sql.Identifier(self.schema, table)


def extract(
    request: ExtractRequest, staging: Staging, workdir: Path, observe: Callable[[Progress], None]
) -> StagedSource:
    """Stage the tables of `request`; see `consolidate.extract.extract`."""
    with _opened(request) as store:
        listed = store.listed()
        wanted = [store.find(listed, table) for table in request.tables]
        staged = [_stage(store, staging, workdir, entry, observe) for entry in wanted]
        unread = tuple(store.counted(entry) for entry in listed.values() if entry not in wanted)
        return StagedSource(
            source=request.source,
            kind=SourceKind.POSTGRES,
            origin=store.origin,
            tables=tuple(table for table, _ in staged),
            unread=unread,
            bytes_read=sum(size for _, size in staged),
        )


def survey(request: ExtractRequest) -> tuple[UnreadTable, ...]:
    """List and count everything in the store; see `consolidate.extract.survey`."""
    with _opened(request) as store:
        return tuple(store.counted(entry) for entry in store.listed().values())


@contextmanager
def _opened(request: ExtractRequest) -> Iterator[_Store]:
    what = f"source {request.source}"
    if request.dsn is None:
        raise UnreachableError(
            Problem(code="no-dsn", message=f"{what}: no connection string is given", hint="add `dsn:` to the source")
        )
    try:
        with postgres.connect(request.dsn, what=what, read_only=True) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            with connection.transaction():
                connection.execute(statement("extract/postgres_session"))
                yield _Store(request, connection)
    except psycopg.Error as error:
        raised = postgres.failure(error, what=what, dsn=request.dsn)
    else:
        return
    raise raised


def _stage(
    store: _Store, staging: Staging, workdir: Path, entry: _Listed, observe: Callable[[Progress], None]
) -> tuple[StagedTable, int]:
    source = store.request.source
    refuse_clashes(source, entry.name, entry.columns, (ROW,))
    rows = store.count(entry.name)
    file = workdir / f"{source}.copy"
    try:
        copied = store.copy(entry, rows, file, observe)
        if copied.longest_line > LONGEST_LINE:
            raise UnreachableError(
                Problem(
                    code="row-too-large",
                    message=f"{source}.{entry.name} has a row of {copied.longest_line} bytes, over {LONGEST_LINE}",
                    hint="shorten the row in the store, or leave the table out of the mapping",
                )
            )
        names = [column.name for column in entry.columns]
        ingest_copy_text(staging, relation_of(source, entry.name), file, names, longest_line=copied.longest_line)
    finally:
        file.unlink(missing_ok=True)
    return staged_table(staging, store.request, entry.name, entry.columns, rows=rows, classed=False), copied.size
