"""What is in our five schemas of a database, as PostgreSQL's catalogue tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from consolidate.bundled import statement
from consolidate.target.contract import (
    SCHEMAS,
    ColumnDocument,
    ConstraintDocument,
    IndexDocument,
    RelationDocument,
    TableContract,
    relation,
)

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import TupleRow


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRelation:
    """A relation that exists.

    `kind` as in pg_class.relkind: r table, p partitioned table, v view, m materialised view, f foreign table, S
    sequence that belongs to no column, c composite type. `document` is None unless it is r, p or m.
    """

    name: str
    kind: str
    persistent: bool
    row_security: bool
    document: RelationDocument | None

    @property
    def shape(self) -> TableContract | None:
        """Its columns, constraints and indexes."""
        return None if self.document is None else relation(self.document)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A trigger or a rule on a table of ours."""

    relation: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All that our five schemas hold; `relations` in order of their creation."""

    schemas: frozenset[str]
    relations: tuple[FoundRelation, ...]
    attachments: tuple[Attachment, ...]


def _rows(connection: psycopg.Connection[TupleRow], name: str) -> list[tuple[Any, ...]]:
    return connection.execute(statement(f"schema/{name}"), {"schemas": list(SCHEMAS)}).fetchall()


def read(connection: psycopg.Connection[TupleRow]) -> Catalogue:
    """Read the catalogue; consistent when the connection is in a repeatable-read transaction."""
    documents: dict[str, RelationDocument] = {}
    found = _rows(connection, "relations")
    for name, kind, *_ in found:
        if kind in ("r", "p", "m"):
            documents[name] = RelationDocument(name=name, columns=[], constraints=[], indexes=[])
    for owner, name, type_, not_null, default in _rows(connection, "columns"):
        documents[owner]["columns"].append(ColumnDocument(name=name, type=type_, not_null=not_null, default=default))
    for owner, name, kind, definition, columns, expression, referenced, referenced_columns in _rows(
        connection, "constraints"
    ):
        if owner in documents:
            documents[owner]["constraints"].append(
                ConstraintDocument(
                    name=name,
                    type=kind,
                    definition=definition,
                    columns=columns,
                    expression=expression,
                    referenced=referenced,
                    referenced_columns=referenced_columns,
                )
            )
    for owner, name, definition in _rows(connection, "indexes"):
        documents[owner]["indexes"].append(IndexDocument(name=name, definition=definition))
    return Catalogue(
        schemas=frozenset(name for (name,) in _rows(connection, "schemas")),
        relations=tuple(
            FoundRelation(
                name=name,
                kind=kind,
                persistent=persistence == "p",
                row_security=row_security,
                document=documents.get(name),
            )
            for name, kind, persistence, row_security in found
        ),
        attachments=tuple(
            Attachment(relation=owner, name=name, kind=kind) for owner, name, kind in _rows(connection, "triggers")
        ),
    )
