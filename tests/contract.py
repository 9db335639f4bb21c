"""Write `sql/unified/contract.json` from what a fresh database says: `python -m tests.contract`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from consolidate import embedded
from consolidate.bundled import folder
from consolidate.postgres import connect
from consolidate.target import catalogue, schema
from consolidate.target.contract import Document

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import TupleRow

VERSION: Final = 2
"""Of the schema as a whole; raise it with every change of `sql/unified` or `sql/ledger` that was ever released."""


def make(connection: psycopg.Connection[TupleRow]) -> None:
    """Run the files of the schema, without looking at the contract."""
    with connection.transaction():
        for file in schema.files():
            connection.execute(file.text.encode())


def described(connection: psycopg.Connection[TupleRow]) -> str:
    """The contract that a database holds, as the text of contract.json."""
    found = catalogue.read(connection).relations
    shapes = [(relation.kind, relation.document) for relation in found if relation.document is not None]
    ours = [document for kind, document in shapes if kind == "r"]
    ledger = [document for document in ours if document["name"].startswith("audit.migration_")]
    document = Document(
        version=VERSION,
        tables=[document for document in ours if document not in ledger],
        ledger=ledger,
        views=[document for kind, document in shapes if kind == "m"],
    )
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the file."""
    with (
        tempfile.TemporaryDirectory() as temporary,
        embedded.server(Path(temporary) / "postgres", durable=False) as server,
    ):
        server.create("contract")
        with connect(server.dsn("contract"), what="the throw-away server") as connection:
            make(connection)
            (folder("sql") / "unified" / "contract.json").write_text(
                described(connection), encoding="utf-8", newline="\n"
            )


if __name__ == "__main__":
    main()
