"""A SQLite database file: what can be told before it is opened, one read transaction, its failures in words."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import adbc_driver_manager
import adbc_driver_sqlite
import pyarrow as pa

from consolidate.errors import ConsolidateError, Problem, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from consolidate.model import ExtractRequest

_MAGIC: Final = b"SQLite format 3\x00"
_HEADER: Final = 100
_WAL_VERSION: Final = 2
_UTF8: Final = 1
_BUSY_MILLISECONDS: Final = 5000
_SMALL: Final = 1_000_000
_UNREADABLE: Final = (adbc_driver_manager.Error, pa.ArrowException, OSError)


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteFile:
    """The file before it is opened: `size` in bytes with its write-ahead log.

    `at_rest` = in WAL mode with no log beside it. Nothing has a database in WAL mode open as long as the log does not
    exist.
    """

    path: Path
    size: int
    changed: tuple[int, int]
    wal: bool
    at_rest: bool

    @property
    def uri(self) -> str:
        """The file as a URI that SQLite opens read only, whatever characters the path has.

        Where the database is at rest SQLite is told that it will not change: otherwise SQLite would leave files
        behind in the folder, or fail where it may not write there. `opened` checks afterwards that it did not.
        """
        return f"file:{quote(str(self.path.absolute()))}?mode=ro{'&immutable=1' if self.at_rest else ''}"


class Transaction:
    """One read transaction: everything read through it is of the moment of its first statement."""

    def __init__(self, connection: adbc_driver_manager.AdbcConnection) -> None:
        """Begin it on `connection`, which ends it when it is closed."""
        self._connection = connection
        self.rows(f"pragma busy_timeout = {_BUSY_MILLISECONDS}")
        connection.set_autocommit(False)

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        """All rows of a small result."""
        with self.batches(statement, batch_rows=_SMALL) as reader:
            table = reader.read_all()
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

    @contextmanager
    def batches(self, statement: str, *, batch_rows: int) -> Iterator[pa.RecordBatchReader]:
        """Stream a result; each output must be of one storage class, which the first `batch_rows` rows show."""
        with adbc_driver_manager.AdbcStatement(self._connection) as prepared:
            prepared.set_options(**{adbc_driver_sqlite.StatementOptions.BATCH_ROWS.value: str(batch_rows)})
            prepared.set_sql_query(statement)
            stream, _ = prepared.execute_query()
            with pa.RecordBatchReader._import_from_c(stream.address) as reader:  # noqa: SLF001
                yield reader


@contextmanager
def opened(request: ExtractRequest) -> Iterator[tuple[SqliteFile, Transaction]]:
    """Open the source's file and hold one read transaction on it; every failure is an `UnreachableError`."""
    if request.path is None:
        raise UnreachableError(_problem(request.source, "no-path", "no path is given", "add `path:` to the source"))
    file = _examined(request.source, request.path)
    try:
        with (
            adbc_driver_sqlite.connect(file.uri) as database,
            adbc_driver_manager.AdbcConnection(database) as connection,
        ):
            yield file, Transaction(connection)
    except _UNREADABLE as error:
        raise failure(request.source, file, error) from error
    if file.at_rest and _examined(request.source, request.path) != file:
        raise UnreachableError(
            _problem(
                request.source,
                "changed-while-read",
                f"{file.path} was opened for writing while it was read",
                "run again; nothing was loaded",
            )
        )


def failure(source: str, file: SqliteFile, error: Exception, *, table: str | None = None) -> ConsolidateError:
    """What SQLite or its driver reported, as an error that names the file and the next action."""
    text = str(error)
    said = text.lower()
    subject = f"table {table} of {file.path}" if table else str(file.path)
    if "malformed" in said:
        code, hint = "store-damaged", "run `pragma integrity_check` on it; restore it from a backup or `.recover` it"
    elif "not a database" in said:
        code, hint = (
            "not-a-database",
            "it is encrypted, cut off, or no SQLite file: give the path of the bot's database",
        )
    elif "locked" in said or "busy" in said:
        code, hint = "store-locked", "the bot is writing and did not let go in time: run again, or stop the bot"
    elif "readonly" in said:
        code, hint = (
            "store-unrecovered",
            "the bot was killed while it wrote: start it, or open a copy with sqlite3, once",
        )
    elif file.wal and ("unable to open" in said or "failed to open" in said):
        code, hint = (
            "store-unopened",
            "SQLite must write beside a database in WAL mode: copy the file and its -wal file to a writable folder",
        )
    else:
        code, hint = "store-unreadable", "check the file and the permissions on it and its folder"
    first = text.replace("[SQLite] ", "").split("\nquery", 1)[0]
    return UnreachableError(_problem(source, code, f"{subject} cannot be read: {first}", hint))


def _examined(source: str, path: Path) -> SqliteFile:
    """Look at the file without SQLite; never while a transaction on it is open."""
    log = path.with_name(path.name + "-wal")
    try:
        if path.is_dir():
            raise UnreachableError(
                _problem(source, "not-a-file", f"{path} is a folder", "give the path of the database file")
            )
        with path.open("rb") as opened_file:
            header = opened_file.read(_HEADER)
        status = path.stat()
        size = status.st_size + (log.stat().st_size if log.exists() else 0)
    except FileNotFoundError as error:
        raise UnreachableError(
            _problem(source, "no-such-file", f"{path} does not exist", "correct `path:` of the source")
        ) from error
    except OSError as error:
        raise UnreachableError(
            _problem(source, "store-unreadable", f"{path} cannot be read: {error.strerror}", "check its permissions")
        ) from error
    if header and not header.startswith(_MAGIC):
        raise UnreachableError(
            _problem(
                source,
                "not-a-database",
                f"{path} is not a SQLite database",
                "it is encrypted or another kind of file: give the path of the bot's database",
            )
        )
    if header[56:60] and int.from_bytes(header[56:60], "big") not in {0, _UTF8}:
        raise UnreachableError(
            _problem(
                source,
                "utf-16-database",
                f"{path} stores its text as UTF-16, which is not supported",
                "make a copy in UTF-8: `sqlite3 old.db .dump | sqlite3 new.db`",
            )
        )
    wal = header[18:20] == bytes((_WAL_VERSION, _WAL_VERSION))
    return SqliteFile(
        path=path, size=size, changed=(status.st_mtime_ns, status.st_size), wal=wal, at_rest=wal and not log.exists()
    )


def _problem(source: str, code: str, message: str, hint: str) -> Problem:
    return Problem(code=code, message=f"source {source}: {message}", hint=hint)
