"""The target schema as values: what `sql/unified` and `sql/ledger` make, as PostgreSQL describes it. Needs no database.

`sql/unified/contract.json` is written from a fresh database by `python -m tests.contract`; a test checks it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Final, TypedDict, cast

from consolidate.bundled import folder

SCHEMAS: Final = ("trading", "analytics", "config", "audit", "archive")


class ColumnDocument(TypedDict):
    """A column in contract.json."""

    name: str
    type: str
    not_null: bool
    default: str | None


class ConstraintDocument(TypedDict):
    """A constraint in contract.json. `type`: c check, p primary key, u unique, f foreign key, x exclusion."""

    name: str
    type: str
    definition: str
    columns: list[str]
    expression: str | None
    referenced: str | None
    referenced_columns: list[str]


class IndexDocument(TypedDict):
    """An index in contract.json that no constraint made."""

    name: str
    definition: str


class RelationDocument(TypedDict):
    """A table or a materialised view (which has no constraints) in contract.json."""

    name: str
    columns: list[ColumnDocument]
    constraints: list[ConstraintDocument]
    indexes: list[IndexDocument]


class Document(TypedDict):
    """The whole of contract.json."""

    version: int
    tables: list[RelationDocument]
    ledger: list[RelationDocument]
    views: list[RelationDocument]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnContract:
    """A column. `type` as PostgreSQL writes it ("numeric(20,8)", "timestamp with time zone")."""

    name: str
    type: str
    not_null: bool
    default: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckContract:
    """A check: `expression` is what stands inside `CHECK (…)`, over the columns of its table; null passes."""

    name: str
    expression: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKeyContract:
    """A foreign key: `columns` refer to `referenced_columns` of `table`, in this order."""

    name: str
    columns: tuple[str, ...]
    table: str
    referenced_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedContract:
    """A constraint or an index by its name, and its definition as PostgreSQL writes it."""

    name: str
    definition: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableContract:
    """A table or a materialised view. `name` has its schema ("trading.trades"); `unique` leaves out the primary key."""

    name: str
    columns: tuple[ColumnContract, ...]
    primary_key: tuple[str, ...]
    unique: tuple[tuple[str, ...], ...]
    checks: tuple[CheckContract, ...]
    foreign_keys: tuple[ForeignKeyContract, ...]
    constraints: tuple[NamedContract, ...]
    indexes: tuple[NamedContract, ...]

    def column(self, name: str) -> ColumnContract | None:
        """The column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """The schema: the unified `tables` and the archive, each after those it refers to; our `ledger`; `views`."""

    version: int
    tables: tuple[TableContract, ...]
    ledger: tuple[TableContract, ...]
    views: tuple[TableContract, ...]

    @property
    def relations(self) -> tuple[TableContract, ...]:
        """Tables, ledger and views."""
        return (*self.tables, *self.ledger, *self.views)

    def table(self, name: str) -> TableContract | None:
        """The unified table of that name ("trading.trades"), or None."""
        return next((table for table in self.tables if table.name == name), None)


@cache
def expected() -> Contract:
    """The schema that this version of the tool makes and works with."""
    text = (folder("sql") / "unified" / "contract.json").read_text(encoding="utf-8")
    return parsed(cast("Document", json.loads(text)))


def parsed(document: Document) -> Contract:
    """The contract that a document of the form of contract.json describes."""
    return Contract(
        version=document["version"],
        tables=tuple(relation(table) for table in document["tables"]),
        ledger=tuple(relation(table) for table in document["ledger"]),
        views=tuple(relation(view) for view in document["views"]),
    )


def relation(document: RelationDocument) -> TableContract:
    """One relation of such a document."""
    constraints = document["constraints"]
    return TableContract(
        name=document["name"],
        columns=tuple(ColumnContract(**column) for column in document["columns"]),
        primary_key=next((tuple(key["columns"]) for key in constraints if key["type"] == "p"), ()),
        unique=tuple(tuple(key["columns"]) for key in constraints if key["type"] == "u"),
        checks=tuple(
            CheckContract(name=check["name"], expression=check["expression"] or "true")
            for check in constraints
            if check["type"] == "c"
        ),
        foreign_keys=tuple(
            ForeignKeyContract(
                name=key["name"],
                columns=tuple(key["columns"]),
                table=key["referenced"] or "",
                referenced_columns=tuple(key["referenced_columns"]),
            )
            for key in constraints
            if key["type"] == "f"
        ),
        constraints=tuple(NamedContract(name=key["name"], definition=key["definition"]) for key in constraints),
        indexes=tuple(
            NamedContract(name=index["name"], definition=index["definition"]) for index in document["indexes"]
        ),
    )
