"""The floor: what PostgreSQL needs to take rows that are ready. COPY into bare tables, then their keys and indexes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consolidate.bundled import statement
from consolidate.postgres import connect
from consolidate.target.contract import SCHEMAS, expected

if TYPE_CHECKING:
    from pathlib import Path

_WHAT: Final = "the floor"
_BLOCK: Final = 1 << 20


def keep_rows(dsn: str, place: Path) -> int:
    """Write the rows of all unified tables of a loaded database as COPY files; how many there are."""
    place.mkdir(parents=True, exist_ok=True)
    rows = 0
    with connect(dsn, what=_WHAT) as connection:
        for table in expected().tables:
            file = place / f"{table.name}.copy"
            with file.open("wb") as out, connection.cursor() as cursor:
                with cursor.copy(f"copy {table.name} to stdout".encode()) as copy:
                    for block in copy:
                        out.write(block)
                rows += cursor.rowcount
            if not file.stat().st_size:
                file.unlink()
    return rows


def bare(dsn: str, place: Path) -> tuple[str, ...]:
    """Take keys and indexes from the tables that have rows in `place`; the statements that make them again."""
    wanted = {file.name.removesuffix(".copy") for file in place.glob("*.copy")}
    schemas = {"schemas": list(SCHEMAS)}
    again: list[str] = []
    with connect(dsn, what=_WHAT) as connection, connection.transaction():
        listed = connection.execute(statement("schema/constraints"), schemas).fetchall()
        indexes = connection.execute(statement("schema/indexes"), schemas).fetchall()
        keys = [one for one in listed if one[2] in ("p", "u") and one[0] in wanted]
        foreign = [one for one in listed if one[2] == "f" and (one[0] in wanted or one[6] in wanted)]
        for relation, name, *_ in (*foreign, *keys):
            connection.execute(f"alter table {relation} drop constraint {name}".encode())
        for relation, name, definition in indexes:
            if relation in wanted:
                connection.execute(f"drop index {relation.partition('.')[0]}.{name}".encode())
                again.append(definition)
    return (
        *(_added(one[0], one[1], one[3]) for one in keys),
        *again,
        *(_added(one[0], one[1], one[3]) for one in foreign),
    )


def _added(relation: str, name: str, definition: str) -> str:
    return f"alter table {relation} add constraint {name} {definition}"


def load(dsn: str, place: Path, again: tuple[str, ...]) -> None:
    """Take the rows, make keys and indexes, commit."""
    with connect(dsn, what=_WHAT) as connection, connection.transaction():
        for table in expected().tables:
            file = place / f"{table.name}.copy"
            if not file.exists():
                continue
            with (
                file.open("rb") as lines,
                connection.cursor() as cursor,
                cursor.copy(f"copy {table.name} from stdin".encode()) as copy,
            ):
                while block := lines.read(_BLOCK):
                    copy.write(block)
        for making in again:
            connection.execute(making.encode())
