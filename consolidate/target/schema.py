"""The target schema: whether a database has it, and making it where there is none. An existing one is never altered."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, TypeAlias, assert_never

import psycopg
from psycopg.pq import TransactionStatus

from consolidate.bundled import folder, statement
from consolidate.errors import ConflictError, ConsolidateError, Problem
from consolidate.postgres import failure
from consolidate.target.catalogue import read
from consolidate.target.contract import SCHEMAS, expected
from consolidate.target.differences import differences

if TYPE_CHECKING:
    from psycopg.rows import TupleRow

    from consolidate.target.catalogue import Catalogue

_SCHEMAS_FILE = "unified/010_schemas.sql"
_RECORD = "audit.migration_schema"


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """None of our relations is there, nor anybody else's in our schemas: the schema can be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """The schema is the expected one. `version` is what was recorded; None: nothing was, it was made from `text()`."""

    version: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """The schema is not the expected one; one sentence for each difference."""

    differences: tuple[str, ...]


SchemaState: TypeAlias = Absent | Present | Differing
"""Closed: match on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaFile:
    """A file of the schema. `name` is below `sql/`; `checksum` is the SHA-256 of its text with LF line ends, in hex."""

    name: str
    text: str
    checksum: str


def files() -> tuple[SchemaFile, ...]:
    """The files that make the schema, in the order in which they run."""
    found = []
    for topic in ("unified", "ledger"):
        for path in sorted((folder("sql") / topic).glob("*.sql")):
            text = path.read_text(encoding="utf-8")  # reads any line end as LF
            checksum = hashlib.sha256(text.encode()).hexdigest()
            found.append(SchemaFile(name=f"{topic}/{path.name}", text=text, checksum=checksum))
    return tuple(found)


def text() -> str:
    """The whole DDL as one script, one transaction; `psql -f` makes the same schema as `apply`."""
    parts = [f"-- sql/{file.name}\n{file.text.rstrip()}\n" for file in files()]
    return "\n".join(("begin;\n", *parts, "commit;\n"))


def state(connection: psycopg.Connection[TupleRow]) -> SchemaState:
    """Whether the database has the schema, of one moment. Reads only. Raises `UnreachableError` when it cannot."""
    failed: ConsolidateError
    try:
        if connection.info.transaction_status != TransactionStatus.IDLE:
            return _state(connection, read(connection))
        with connection.transaction():
            connection.execute(statement("schema/snapshot"))
            return _state(connection, read(connection))
    except psycopg.Error as error:
        failed = failure(error, what="the target", dsn=connection.info.dsn)
    raise failed


def apply(connection: psycopg.Connection[TupleRow]) -> None:
    """Make the schema where there is none, in one transaction; do nothing where it is the expected one.

    Safe to call at once from several sessions: one of them makes it, the others find it made.

    Raises `ConflictError` with every difference when the database has another schema, which is left as it is, and
    `UnreachableError` when the database refuses (missing rights, for one).
    """
    failed: ConsolidateError
    try:
        with connection.transaction():
            connection.execute(statement("schema/lock"))
            _apply(connection)
    except psycopg.Error as error:
        failed = failure(error, what="the target", dsn=connection.info.dsn)
    else:
        return
    raise failed


def _apply(connection: psycopg.Connection[TupleRow]) -> None:
    catalogue = read(connection)
    match _state(connection, catalogue):
        case Differing(differences=found):
            raise refused(found)
        case Present(version=None):
            _record(connection)
        case Present():
            pass
        case Absent():
            for file in files():
                # An administrator made the schemas: creating them again would ask for rights that we may not have.
                if file.name != _SCHEMAS_FILE or not catalogue.schemas.issuperset(SCHEMAS):
                    connection.execute(file.text.encode())
            _record(connection)
        case unknown:
            assert_never(unknown)


def refused(found: tuple[str, ...]) -> ConflictError:
    """The error for a target whose schema differs: all differences, and what to do."""
    lines = "\n".join(f"  - {difference}" for difference in found)
    return ConflictError(
        Problem(
            code="schema-differs",
            message=f"the target has not the schema of this version, and a schema is never altered:\n{lines}",
            hint="use a database of its own for the target (`create database …`), move foreign relations to another "
            "schema, or undo the changes; `consolidate schema` prints what is expected",
        )
    )


def _state(connection: psycopg.Connection[TupleRow], catalogue: Catalogue) -> SchemaState:
    if not catalogue.relations:
        return Absent()
    found = differences(catalogue, expected())
    if found:
        return Differing(differences=found)
    recorded = {
        str(file): (str(checksum), int(number), str(tool))
        for file, checksum, number, tool in connection.execute(statement("schema/recorded")).fetchall()
    }
    if not recorded:
        return Present(version=None)
    shipped = {file.name: file.checksum for file in files()}
    number = expected().version
    changed = tuple(
        f"sql/{name} is not the file that made this schema (version {made} by consolidate {tool}); "
        f"this is version {number} of consolidate {version('consolidate')}"
        for name, (checksum, made, tool) in sorted(recorded.items())
        if shipped.get(name) != checksum
    )
    missing = tuple(f"{_RECORD} does not name sql/{name}" for name in sorted(shipped.keys() - recorded.keys()))
    if changed or missing:
        return Differing(differences=changed + missing)
    return Present(version=max(made for _, made, _ in recorded.values()))


def _record(connection: psycopg.Connection[TupleRow]) -> None:
    for file in files():
        connection.execute(
            statement("schema/record"),
            {
                "file": file.name,
                "version": expected().version,
                "checksum": file.checksum,
                "tool_version": version("consolidate"),
            },
        )
