"""Connections to PostgreSQL, for the target and for sources: fixed sessions, and failures that never show a password.

libpq repeats parts of a malformed connection string in its messages, and a password with an unescaped `/` or `@` ends
up in its idea of the host or the database. So a string is shown only as the parts that were parsed out of it, and only
when they look like what they claim to be; texts of the server and of libpq are shown with every secret of it struck
out.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, quote_plus

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from consolidate.bundled import statement
from consolidate.errors import ConsolidateError, Problem, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import sqlalchemy as sa
    from psycopg.rows import TupleRow

OLDEST_TARGET: Final = 150000
NEWEST_TARGET: Final = 189999
OLDEST_SOURCE: Final = 100000

_FORM: Final = "postgresql://user:password@host:5432/database"
_SECRETS: Final = ("password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key")
_PORTS: Final = re.compile(r"\d*(,\d*)*")
_HOSTS: Final = re.compile(r"[^@=?#\s:]*|[0-9A-Fa-f:.,%\w]*|/[^@=?#]*")
_DATABASE: Final = re.compile(r"[^@=?#:/]*")
_USER: Final = re.compile(r"[^=?#:/]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    """A way of not getting a connection: what libpq or the server says then (in English), and what we say."""

    says: str
    code: str
    sentence: str
    hint: str


_FAILURES: Final = (
    _Failure(
        says="password authentication failed|no password supplied|SCRAM|authentication failed",
        code="authentication-failed",
        sentence="refuses the user name or the password",
        hint="check the user and the password in the variable that the connection string comes from",
    ),
    _Failure(
        says=r"no pg_hba\.conf entry",
        code="authentication-failed",
        sentence="does not admit this user from this machine",
        hint="add a line for them to the server's pg_hba.conf, or try `?sslmode=require`",
    ),
    _Failure(
        says='database ".*" does not exist',
        code="no-such-database",
        sentence="has no such database",
        hint="create it, or correct the name in the connection string",
    ),
    _Failure(
        says='role ".*" does not exist',
        code="authentication-failed",
        sentence="has no such user",
        hint="correct the user in the connection string",
    ),
    _Failure(
        says="translate host name|resolve host|Name or service not known|name resolution|nodename nor servname",
        code="unknown-host",
        sentence="cannot be found: its host name does not resolve",
        hint="correct the host in the connection string, or check the network",
    ),
    _Failure(
        says="Connection refused|No such file or directory",
        code="connection-refused",
        sentence="refuses the connection: nothing listens there",
        hint="start the server, or correct the host and port in the connection string",
    ),
    _Failure(
        says="timeout expired|timed out",
        code="connection-timeout",
        sentence="does not answer",
        hint="check the host, the port and any firewall between here and there",
    ),
    _Failure(
        says="too many clients|remaining connection slots|too many connections",
        code="too-many-connections",
        sentence="has no connection left",
        hint="close some sessions, or raise max_connections",
    ),
    _Failure(
        says="starting up|shutting down|in recovery mode",
        code="not-ready",
        sentence="is not ready for connections",
        hint="wait until it is up and try again",
    ),
    _Failure(
        says="SSL|certificate",
        code="tls-failed",
        sentence="does not agree with us on encryption",
        hint="check sslmode and sslrootcert in the connection string",
    ),
)


def _parts(dsn: str) -> dict[str, str] | None:
    """The parameters of a connection string, or None when it cannot be read or may have a secret in the wrong part."""
    try:
        parts = {name: str(value) for name, value in conninfo_to_dict(dsn).items() if value is not None}
    except (psycopg.Error, UnicodeError, ValueError):
        return None
    patterns = {"host": _HOSTS, "hostaddr": _HOSTS, "port": _PORTS, "dbname": _DATABASE, "user": _USER}
    plausible = all(pattern.fullmatch(parts.get(name, "")) for name, pattern in patterns.items())
    return parts if plausible else None


def masked(dsn: str) -> str:
    """Where a connection string points: user, host, port and database, and nothing else of it; never a secret.

    A string that cannot be read, or that may have a password in the wrong part, is not shown at all.
    """
    parts = _parts(dsn)
    if parts is None:
        return "a connection string that cannot be read"
    if "service" in parts and "host" not in parts:
        return f"service {parts['service']}"
    user = f"{parts['user']}@" if "user" in parts else ""
    host = parts.get("host", parts.get("hostaddr", ""))
    port = f":{parts['port']}" if "port" in parts else ""
    database = f"/{parts['dbname']}" if "dbname" in parts else ""
    return (
        f"postgresql://{user}[{host}]{port}{database}" if "/" in host else f"postgresql://{user}{host}{port}{database}"
    )


def _without_secrets(text: str, dsn: str) -> str:
    parts = _parts(dsn) or {}
    for name in _SECRETS:
        secret = parts.get(name, "")
        for spelling in {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), secret.replace("'", "''")}:
            if spelling:
                text = text.replace(spelling, "***")
    return text.replace(dsn, "***") if dsn else text


def _unreadable(what: str) -> Problem:
    return Problem(
        code="bad-connection-string",
        message=f"the connection string of {what} cannot be read; it is not shown, because it may hold a password",
        hint=f"write it as {_FORM}; in the password, write % as %25, @ as %40, : as %3A, / as %2F, ? as %3F, # as %23 "
        "and a blank as %20",
    )


def _unreachable(error: psycopg.Error, what: str, dsn: str) -> Problem:
    text = " ".join(str(error).split())
    for known in _FAILURES:
        if re.search(known.says, text, re.IGNORECASE):
            return Problem(code=known.code, message=f"{what} at {masked(dsn)} {known.sentence}", hint=known.hint)
    return Problem(
        code="unreachable",
        message=f"{what} at {masked(dsn)} cannot be reached: {_without_secrets(text, dsn)}",
        hint="check the connection string and that the server is up",
    )


def connect(dsn: str, *, what: str, read_only: bool = False, connect_timeout: int = 10) -> psycopg.Connection[TupleRow]:
    """An open connection with a fixed session: UTC, ISO dates, exact floats, UTF-8, search_path pg_catalog.

    It is in autocommit mode: open transactions with `with connection.transaction()`. With `read_only` the server
    refuses every write. Waiting for a lock fails after 30 s. Row-level policies make a query fail instead of hiding
    rows. `what` names the database in messages ("the target", "source mybot"); `connect_timeout` is in seconds and
    per host.

    Raises `UnreachableError` with one problem, for a string that cannot be read as for a server that does not answer.
    """
    parts = _parts(dsn)
    if parts is None:
        raise UnreachableError(_unreadable(what))
    problem: Problem
    try:
        connection = psycopg.connect(
            make_conninfo(dsn, client_encoding="UTF8", application_name="consolidate", connect_timeout=connect_timeout),
            autocommit=True,
        )
    except psycopg.Error as error:
        problem = _unreachable(error, what, dsn)
    except (UnicodeError, ValueError):
        problem = _unreadable(what)
    else:
        return _fixed(connection, what=what, dsn=dsn, read_only=read_only)
    # Raised outside the handler, so that the error of libpq is not even the context of ours.
    raise UnreachableError(problem)


def _fixed(
    connection: psycopg.Connection[TupleRow], *, what: str, dsn: str, read_only: bool
) -> psycopg.Connection[TupleRow]:
    failed: ConsolidateError
    try:
        connection.execute(statement("schema/session"), {"read_only": "on" if read_only else "off"})
    except psycopg.Error as error:
        failed = failure(error, what=what, dsn=dsn)
    else:
        return connection
    connection.close()
    raise failed


def engine(connection: psycopg.Connection[TupleRow]) -> sa.Engine:
    """A SQLAlchemy engine over this one connection and the transaction that it is in, which stays open.

    It runs single statements; one that fails is undone, and the transaction goes on. Results are fetched at once.
    """
    from sqlalchemy import create_engine, event  # noqa: PLC0415 - only suites need it
    from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy  # noqa: PLC0415 - as above
    from sqlalchemy.pool import StaticPool  # noqa: PLC0415 - as above

    connection.prepare_threshold = 0  # the server refuses to prepare more than one statement at once
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: connection, poolclass=StaticPool, skip_autocommit_rollback=True
    )

    @event.listens_for(engine, "before_cursor_execute")
    def _mark(*_: object) -> None:
        connection.execute(b"savepoint suites")

    @event.listens_for(engine, "handle_error")
    def _undo(_: object) -> None:
        connection.execute(b"rollback to savepoint suites")

    @event.listens_for(engine, "after_cursor_execute")
    def _buffer(_connection: object, cursor: Any, _sql: str, _values: object, context: Any, _many: bool) -> None:  # noqa: ANN401, FBT001 - SQLAlchemy's signature
        if cursor.description is not None:
            rows = cursor.fetchall()
            context.cursor_fetch_strategy = FullyBufferedCursorFetchStrategy(cursor, initial_buffer=rows)
        connection.execute(b"release savepoint suites")

    return engine


def failure(error: psycopg.Error, *, what: str, dsn: str) -> ConsolidateError:
    """The error to raise in place of one that PostgreSQL raised in the middle of work; its text holds no secret.

    Raise it `from None`. The message is the server's own, with its SQLSTATE.
    """
    place = f"{what} at {masked(dsn)}"
    state, message = error.sqlstate, error.diag.message_primary
    if state is None or message is None:
        text = _without_secrets(" ".join(str(error).split()), dsn)
        return UnreachableError(
            Problem(
                code="connection-lost",
                message=f"{place} was lost in the middle of work: {text}",
                hint="check that the server is up, and run the command again",
            ),
        )
    hint = _hint(state, error.diag.message_hint)
    text = _without_secrets(message, dsn)
    return UnreachableError(
        Problem(code="database-error", message=f"{place} says: {text} (SQLSTATE {state})", hint=hint)
    )


def _hint(state: str, servers: str | None) -> str:
    hints: Mapping[str, str] = {
        "42501": "grant the user what the message names; reading a source needs select, and no row-level policy",
        "55P03": "another session holds a lock on the table: end it, or try again later",
        "25006": "the server takes no writes: connect to the primary",
        "53100": "free some space on the server's disk",
        "53200": "the server is out of memory: try again with less going on",
        "57014": "a timeout of the server cancelled the statement: raise it for this user",
        "57P01": "the server was shut down: start it, and run the command again",
    }
    return hints.get(state) or servers or "see the server's log, and run the command again"


def check_server(connection: psycopg.Connection[TupleRow], what: str) -> None:
    """Raise `UnreachableError` unless a server can be a target: PostgreSQL 15 to 18, encoding UTF8, not a standby."""
    version = connection.info.server_version
    if not OLDEST_TARGET <= version <= NEWEST_TARGET:
        raise UnreachableError(
            Problem(
                code="unsupported-server",
                message=f"{what} is PostgreSQL {version // 10000}; 15 to 18 are supported",
                hint="use a server of a supported version, or leave the target out and use the embedded one",
            ),
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise UnreachableError(
            Problem(
                code="unsupported-encoding",
                message=f"{what} stores text as {encoding}, which cannot hold every text",
                hint="create the database with `encoding 'UTF8' template template0`",
            ),
        )
    if connection.info.parameter_status("in_hot_standby") == "on":
        raise UnreachableError(
            Problem(code="standby", message=f"{what} is a standby and takes no writes", hint="connect to the primary"),
        )


def create_database(connection: psycopg.Connection[TupleRow], name: str, *, template: str = "template0") -> None:
    """Create the database `name` (UTF8, the template's locale) unless it exists. Several sessions may do so at once."""
    # Where two sessions do it in the same moment, the later one fails on the index of the catalogue.
    with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
        connection.execute(
            sql.SQL("create database {name} encoding 'UTF8' template {template}").format(
                name=sql.Identifier(name), template=sql.Identifier(template)
            )
        )


def drop_database(connection: psycopg.Connection[TupleRow], name: str) -> None:
    """Drop the database `name` if it exists; sessions in it are ended."""
    connection.execute(sql.SQL("drop database if exists {name} with (force)").format(name=sql.Identifier(name)))
