"""The run's DuckDB file: open it, lock it down, take rows in, run SQL. The only importer of duckdb."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import duckdb

from consolidate.bundled import folder
from consolidate.errors import ConsolidateError, Problem, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType

    import pyarrow as pa
    import sqlalchemy as sa

SCHEMAS: Final = ("stg", "work", "cand", "rej")
ARRIVED: Final = "arrived"
"""The name by which `ingest` makes the reader's rows known to its `select`."""

BATCH_ROWS: Final = 65_536
_SHARE_OF_MEMORY: Final = 0.6
_ENOUGH_MEMORY: Final = 336 * 2**20
"""What sorts and joins of millions of rows need to be fast; what is beyond it is spilled, whatever there is of it."""
_ROOM_FOR_PLAIN: Final = 32
"""Uncompressed, all tables of a run together are up to so many times as large as what was read."""
_LITTLE: Final = 4 * 2**20
"""Up to so many bytes read, statements take longer to be planned than to be run."""
_CGROUP_LIMITS: Final = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_EXHAUSTED: Final = (duckdb.IOException, duckdb.OutOfMemoryException)
_FULL: Final = ("Could not write", "No space left", "File too large")
"""What a commit says that does not get onto the disk; DuckDB has no exception of its own for it."""


def quoted(name: str) -> str:
    """`name` as a quoted SQL identifier, for DuckDB, SQLite and PostgreSQL alike; any text is safe."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """`text` as a quoted SQL string, for places that take no bind parameter (options of readers, `set`)."""
    return "'" + text.replace("'", "''") + "'"


class Staging:
    """One connection to the run's DuckDB file. Its errors are `ConsolidateError`; `duckdb.Error` never leaks.

    The insertion order is preserved in every table and every streamed result: extractors number rows as they arrive,
    and a table read back whole is in the order of its `"#row"`. SQL that does not need it may sort or aggregate as it
    likes.

    Times with a zone must not be fetched into Python (DuckDB needs pytz for it, which is not installed): cast them to
    VARCHAR or, as UTC, to TIMESTAMP in the statement.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        """Wrap an open connection; use `Staging.open` or `cursor` instead."""
        self._connection = connection
        self.path: Final = path

    @classmethod
    def open(cls, path: Path, *, memory_limit_bytes: int | None = None) -> Self:
        """Open or create the file, with UTC as time zone, its schemas and the macros of `sql/staging/`.

        Memory is limited to 336 MB, to 60 % of what this machine (or its container) has, and to `memory_limit_bytes`,
        whichever is least; beyond it DuckDB spills into a folder next to the file. No extension is ever downloaded or
        loaded by itself. Raises `UnreachableError` where the file cannot be opened, is no DuckDB file, or is held by
        another process.
        """
        settings: dict[str, str | bool | int | float | list[str]] = {
            "temp_directory": str(path.parent / "spill"),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "preserve_insertion_order": True,
        }
        settings["memory_limit"] = f"{memory_limit(memory_limit_bytes)}B"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = duckdb.connect(path, config=settings)
        except (duckdb.Error, OSError) as error:
            raise _unopened(path, error) from error
        staging = cls(connection, path)
        try:
            staging._prepare()
        except BaseException:
            staging.close()
            raise
        return staging

    def run(self, sql: str, parameters: Sequence[object] = ()) -> None:
        """Run one statement (several, if there are no parameters) for its effect."""
        with self._translated():
            self._connection.execute(sql, parameters or None)

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """All rows of a query; only for results that are small by nature."""
        with self._translated():
            return self._connection.execute(sql, parameters or None).fetchall()

    def value(self, sql: str, parameters: Sequence[object] = ()) -> object:
        """The first column of the first row of a query; None where that is null or there is no row."""
        with self._translated():
            row = self._connection.execute(sql, parameters or None).fetchone()
        return None if row is None else row[0]

    def arrow(
        self, sql: str, parameters: Sequence[object] = (), *, batch_rows: int = BATCH_ROWS
    ) -> pa.RecordBatchReader:
        """Stream a query as Arrow batches of at most `batch_rows` rows.

        It runs on a connection of its own, so other statements may run while it is read; it therefore sees committed
        tables only, and no temporary ones.
        """
        with self._translated():
            streaming = self._connection.cursor()
            reader: pa.RecordBatchReader = streaming.execute(sql, parameters or None).to_arrow_reader(batch_rows)
            return reader

    def ingest(self, relation: str, reader: pa.RecordBatchReader, select: str) -> int:
        """Create table `relation` (SQL text, quoted by the caller) from what `reader` delivers; return the rows it has.

        `select` is the select list; it sees the reader's columns by their names. The table appears whole or not at all.
        """
        with self._translated():
            self._connection.register(ARRIVED, reader)
            try:
                self._connection.execute(f"create table {relation} as select {select} from {ARRIVED}")
            finally:
                self._connection.unregister(ARRIVED)
        count = self.value(f"select count(*) from {relation}")
        if not isinstance(count, int):
            raise TypeError(count)
        return count

    def cursor(self) -> Staging:
        """A further connection to the same database, for another thread. Close it; closing its parent closes it too."""
        with self._translated():
            return Staging(self._connection.cursor(), self.path)

    def fit(self, bytes_read: Sequence[int], *, is_kept: bool) -> None:
        """Prepare for what is to come of so much input, source by source.

        Unless the file `is_kept`, tables are not compressed where disk is plenty, and what is not in the file at its
        end stays in the log beside it. Where each source is little, one thread
        makes more than many, which then mostly wait for each other, and looking for ways to save work is work.
        """
        if not is_kept and shutil.disk_usage(self.path.parent).free > sum(bytes_read) * _ROOM_FOR_PLAIN:
            self.run("set force_compression = 'uncompressed'")
        if not is_kept:
            self.run("pragma disable_checkpoint_on_shutdown")
        if max(bytes_read, default=0) < _LITTLE:
            self.run("set threads = 1")
            self.run("set disabled_optimizers = 'common_subexpressions'")

    def engine(self) -> sa.Engine:
        """A SQLAlchemy engine on this database, with one connection of its own; dispose of it when done.

        Results are fetched before their connection is given back, so that they outlive it. It runs single statements
        that read (`unreadable` tells); it sees committed tables only.
        """
        from duckdb_sqlalchemy import ConnectionWrapper  # noqa: PLC0415 - only suites need SQLAlchemy's dialect
        from sqlalchemy import create_engine, event  # noqa: PLC0415 - as above
        from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy  # noqa: PLC0415 - as above
        from sqlalchemy.pool import StaticPool  # noqa: PLC0415 - as above

        engine = create_engine(
            "duckdb://", creator=lambda: ConnectionWrapper(self._connection.cursor()), poolclass=StaticPool
        )

        @event.listens_for(engine, "before_cursor_execute")
        def _only_reads(_connection: object, _cursor: object, sql: str, *_: object) -> None:
            wrong = self.unreadable(sql)
            if wrong is not None:
                raise ValueError(wrong)

        @event.listens_for(engine, "after_cursor_execute")
        def _buffer(_connection: object, cursor: Any, _sql: str, _values: object, context: Any, _many: bool) -> None:  # noqa: ANN401, FBT001 - SQLAlchemy's signature
            if cursor.description is not None:
                rows = cursor.fetchall()
                context.cursor_fetch_strategy = FullyBufferedCursorFetchStrategy(cursor, initial_buffer=rows)

        return engine

    def unreadable(self, sql: str) -> str | None:
        """Why the text is not one statement that only reads, as the parser says; None where it is one."""
        try:
            statements = self._connection.extract_statements(sql)
        except duckdb.Error as error:
            return _first_lines(error)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            return "only a single `select` is allowed here"
        return None

    def lock_down(self) -> None:
        """From now on no statement can reach a file, the network, or another setting.

        The database and its spill stay usable. Rows still enter through `ingest`. It cannot be undone but by closing
        the file.
        """
        self.run("set enable_external_access = false")
        self.run("set lock_configuration = true")

    def flush(self) -> None:
        """Write everything to the file, or raise `UnreachableError`: closing it on a full disk says nothing."""
        self.run("force checkpoint")

    def close(self) -> None:
        """Close the file. What is in it then is sure only after `flush`. May be called twice."""
        with self._translated():
            self._connection.close()

    def __enter__(self) -> Self:
        """Return the open staging itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file, whatever happened."""
        self.close()

    def _prepare(self) -> None:
        # Time zone is not known before the ICU extension is up, so it cannot be given to connect(); global, so that
        # cursors have it too.
        self.run("set global TimeZone = 'UTC'")
        self.run("set enable_progress_bar = false")
        for schema in SCHEMAS:
            self.run(f"create schema if not exists {schema}")
        for file in sorted((folder("sql") / "staging").glob("*.sql")):
            self.run(file.read_text(encoding="utf-8"))

    def _translated(self) -> AbstractContextManager[None]:
        return _translated(self.path)


def memory_limit(wanted: int | None = None) -> int:
    """Bytes that DuckDB may use: 336 MB, 60 % of this machine's or container's, or `wanted`, whichever is least."""
    known = [size for size in (_physical_memory(), *map(_cgroup_memory, _CGROUP_LIMITS)) if size is not None]
    limits = [_ENOUGH_MEMORY, *(int(size * _SHARE_OF_MEMORY) for size in known)]
    return min(limits if wanted is None else [*limits, wanted])


def _physical_memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # no sysconf on this platform: DuckDB's own default holds
        return None


def _cgroup_memory(file: Path) -> int | None:
    try:
        text = file.read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None  # "max" = no limit


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except duckdb.InterruptException as error:
        raise KeyboardInterrupt from error
    except duckdb.Error as error:
        if isinstance(error, _EXHAUSTED) or any(sign in str(error) for sign in _FULL):
            raise UnreachableError(
                Problem(
                    code="staging-exhausted",
                    message=f"the working folder {path.parent} or the memory does not suffice: {_first_lines(error)}",
                    hint="free space in that folder or memory on this machine, then run again; nothing was loaded",
                )
            ) from error
        raise ConsolidateError(
            Problem(
                code="staging-failed",
                message=f"a statement on {path} failed: {_first_lines(error)}",
                hint="this is a defect of consolidate, not of your data; please report it with this message",
            )
        ) from error


def _unopened(path: Path, error: Exception) -> UnreachableError:
    held = "lock" in str(error).lower()
    return UnreachableError(
        Problem(
            code="staging-held" if held else "staging-unopened",
            message=f"{path} cannot be opened: {_first_lines(error)}",
            hint="another run is using it: wait until it ends"
            if held
            else "check that its folder exists and is writable",
        )
    )


def _first_lines(error: Exception) -> str:
    """What DuckDB says, without the statement it quotes below."""
    return str(error).split("\n\n", 1)[0].strip()
