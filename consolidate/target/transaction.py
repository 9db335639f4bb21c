"""The one transaction of a run: the lock, the snapshot, and what a failure in it means."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, TypeAlias

import psycopg

from consolidate.bundled import statement
from consolidate.errors import COMMIT_UNKNOWN, ConflictError, ConsolidateError, Problem, UnreachableError
from consolidate.postgres import failure, masked
from consolidate.target import ledger, schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg.rows import TupleRow

    from consolidate.target.ledger import RunRecord

Connection: TypeAlias = "psycopg.Connection[TupleRow]"
"""An open connection to the target, for those who pass it on."""

_NAME_LIMIT: Final = 63
_CHANGED_MEANWHILE: Final = ("40001", "40P01", "23505", "23503")
"""Serialization failure, deadlock, unique violation, foreign key violation: another session wrote the same rows."""

_CUT: Final = ("08", "57P")
"""Connection lost, server ended: at the commit the client cannot know whether it was done."""


@contextmanager
def transaction(connection: Connection, *, run_id: str, record: RunRecord | None = None) -> Iterator[None]:
    """Hold the target for one run: `compare`, `load`, `reconcile` and `finish` all run inside.

    First comes the lock, which no other run can have until this one has committed or rolled back (or its session has
    ended), then one repeatable-read transaction: all that the run sees is of one moment, and a row that a bot changes
    meanwhile fails the run instead of being overwritten. Leaving the block commits, any exception rolls back
    everything.

    With a `record` the ledger says "running" from the moment of the lock on, and "refused" or "failed" after an error;
    "running" stays where the process or the session ended without a word.

    Raises `ConflictError` when another run holds the target (naming it), when the schema is not the expected one, or
    when another session wrote the same rows meanwhile; `UnreachableError` for every other failure of the database.
    """
    failed: ConsolidateError
    leaving = False
    try:
        name = session_name(run_id)
        with _locked(connection, name), _entered(connection, record), _snapshot(connection):
            connection.execute(statement("load/session"), {"application_name": name})
            _require_schema(connection)
            yield
            leaving = True
    except psycopg.Error as error:
        failed = _failure(error, connection.info.dsn, at_commit=leaving)
    else:
        return
    raise failed


@contextmanager
def told(connection: Connection) -> Iterator[None]:
    """For reading outside a transaction of ours: a failure of the database is an `UnreachableError`."""
    failed: ConsolidateError
    try:
        yield
    except psycopg.Error as error:
        failed = failure(error, what="the target", dsn=connection.info.dsn)
    else:
        return
    raise failed


@contextmanager
def snapshot(connection: Connection) -> Iterator[None]:
    """What a dry run compares with: one moment of the target; takes no lock.

    The transaction is read only: PostgreSQL itself refuses every statement that would write. Raises `UnreachableError`
    for a failure of the database.
    """
    failed: ConsolidateError
    try:
        connection.read_only = True
        try:
            with _snapshot(connection):
                connection.execute(statement("load/session"), {"application_name": "consolidate plan"})
                yield
        finally:
            if not connection.closed:
                connection.read_only = None
    except psycopg.Error as error:
        failed = _failure(error, connection.info.dsn, at_commit=False)
    else:
        return
    raise failed


def session_name(run_id: str) -> str:
    """By what name other sessions know that of a run."""
    return f"consolidate {run_id}"[:_NAME_LIMIT]


@contextmanager
def _entered(connection: Connection, record: RunRecord | None) -> Iterator[None]:
    """Tell the ledger that the run began and, unless the block ends well, how it ended."""
    if record is None:
        yield
        return
    # Without the ledger there is no schema, which is told by the transaction.
    with suppress(psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
        ledger.start(connection, record)
    try:
        yield
    except (ConsolidateError, psycopg.Error) as error:
        changed = isinstance(error, psycopg.Error) and error.sqlstate in _CHANGED_MEANWHILE
        refused = changed or isinstance(error, ConflictError)
        # Where the session is gone, "running" without a session says it.
        with suppress(psycopg.Error):
            ledger.record_unloaded(connection, record, status="refused" if refused else "failed")
        raise


@contextmanager
def _locked(connection: Connection, name: str) -> Iterator[None]:
    connection.execute(statement("load/name"), {"application_name": name})
    taken = connection.execute(statement("load/lock")).fetchone()
    if taken is None or taken[0] is not True:
        raise _held(connection)
    try:
        yield
    finally:
        # When the session is gone the lock is too.
        with suppress(psycopg.Error):
            connection.execute(statement("load/unlock"))


@contextmanager
def _snapshot(connection: Connection) -> Iterator[None]:
    before = connection.isolation_level
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    try:
        with connection.transaction():
            yield
    finally:
        if not connection.closed:
            connection.isolation_level = before


def _held(connection: Connection) -> ConflictError:
    holder = connection.execute(statement("load/holder")).fetchone()
    place = masked(connection.info.dsn)
    if holder is None:
        return ConflictError(
            Problem(
                code="target-held",
                message=f"another run held the target at {place} just now",
                hint="run the command again",
            )
        )
    pid, application, user, since = holder
    return ConflictError(
        Problem(
            code="target-held",
            message=f"another run holds the target at {place}: pid {pid}, {application or 'unnamed'}, user {user}, "
            f"since {since} UTC",
            hint=f"wait until it ends, or end it with `select pg_terminate_backend({pid})`; what it did not commit is "
            "rolled back",
        )
    )


def _require_schema(connection: Connection) -> None:
    match schema.state(connection):
        case schema.Present():
            return
        case schema.Differing(differences=found):
            raise schema.refused(found)
        case schema.Absent():
            raise ConflictError(
                Problem(
                    code="schema-absent",
                    message=f"the target at {masked(connection.info.dsn)} has no unified schema",
                    hint="make it with `consolidate schema --apply`",
                )
            )


def _failure(error: psycopg.Error, dsn: str, *, at_commit: bool) -> ConsolidateError:
    general = failure(error, what="the target", dsn=dsn)
    if error.sqlstate in _CHANGED_MEANWHILE:
        where = error.diag.table_name
        return ConflictError(
            Problem(
                code="changed-meanwhile",
                message="another session wrote to the target at the same time"
                f"{f' {error.diag.schema_name}.{where}' if where else ''}: {general.problems[0].message}",
                hint="nothing was changed; run the command again",
            )
        )
    if at_commit and (error.sqlstate or "08").startswith(_CUT):
        return UnreachableError(
            Problem(
                code=COMMIT_UNKNOWN,
                message=f"{general.problems[0].message}; that was at the commit, so the run may be there or not",
                hint="run the command again: if the run is there it changes nothing, else it loads it",
            )
        )
    return general
