"""The fixture stores: small synthetic stores of the legacy systems, kept as text in `fixtures/` and built on demand.

`fixtures/<system>/<set>/` holds what differs between the sets; a system that has a database has its empty store beside
them, `store.postgres.sql` or `store.sqlite.sql`. A system without one is kept as the very files that its bot leaves.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from consolidate.bundled import folder as bundled_folder
from consolidate.bundled import statement
from consolidate.errors import Location, Problem, UsageError
from consolidate.model import SourceKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection
    from psycopg.rows import TupleRow

    from consolidate.errors import ConsolidateError

CLEAN: Final = "clean"
DEFECTS: Final = "defects"
NO_PART_OF_A_STORE: Final = frozenset({"case.yaml", "README.md"})
"""Files in the folder of a store's rows that are about it; see `consolidate.cases`."""

_ROWS: Final = "rows.sql"
DATABASE_FILE: Final = "trading.db"
_LEADING: Final = re.compile(r"(?:\s+|--[^\n]*)*")
_MARK: Final = ".fixture"  # hidden: a snapshot source does not read it
_NOT_THE_SCRIPTS: Final = ("08", "42P06", "53", "57")  # the server, or a schema that is not ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A built store: where a project file finds it. A PostgreSQL store has a `dsn`, every other a `path`."""

    system: str
    kind: SourceKind
    dsn: str | None = field(default=None, repr=False)
    path: Path | None = None


def systems() -> tuple[str, ...]:
    """The systems that have fixtures, in the order of their names."""
    return tuple(sorted(each.name for each in bundled_folder("fixtures").iterdir() if each.is_dir()))


def kind_of(system: str) -> SourceKind:
    """What kind of store the fixtures of `system` are; `UsageError` where it has none."""
    home = _home(system)
    for kind in (SourceKind.POSTGRES, SourceKind.SQLITE):
        if (home / f"store.{kind}.sql").is_file():
            return kind
    return SourceKind.SNAPSHOT


def build(system: str, set_: str, folder: Path, *, postgres_dsn: str | None = None) -> Store:
    """Build the store of `system` with the rows of `set_` ("clean" or "defects"); again in the same place is the same.

    Files go to `folder/<system>`, which is made; a PostgreSQL store goes to the database of `postgres_dsn`, which no
    other system needs. What an earlier build left there is replaced; anything else is left alone and raises
    (`UsageError` for a folder, `UnreachableError` for a database).
    """
    home = _home(system)
    rows = home / set_
    if not rows.is_dir():
        sets = ", ".join(sorted(each.name for each in home.iterdir() if each.is_dir()))
        raise _wrong("no-such-fixture", f"{system} has no fixtures {set_!r}", f"there are: {sets}")
    kind = kind_of(system)
    if kind is SourceKind.POSTGRES and postgres_dsn is None:
        raise _wrong("no-database", f"the store of {system} needs a PostgreSQL database", "give its DSN")
    return build_store(rows, kind, folder / system, system=system, postgres_dsn=postgres_dsn or "")


def build_store(rows: Path, kind: SourceKind, place: Path, *, system: str, postgres_dsn: str) -> Store:
    """Build the store whose rows are in the folder `rows`: its script of the empty store is there or one folder above.

    Files go to `place`, a PostgreSQL store to the database of `postgres_dsn`. As `build`, and raises `UsageError` with
    file, line and column for a script that the database does not take.
    """
    match kind:
        case SourceKind.POSTGRES:
            _build_postgres(postgres_dsn, system, _scripts(rows, kind))
            return Store(system=system, kind=kind, dsn=postgres_dsn)
        case SourceKind.SQLITE:
            scripts = _scripts(rows, kind)
            _cleared(place, (DATABASE_FILE,))
            _build_sqlite(place / DATABASE_FILE, scripts)
            return Store(system=system, kind=kind, path=place / DATABASE_FILE)
        case SourceKind.SNAPSHOT:
            files = sorted(each for each in rows.iterdir() if each.is_file() and each.name not in NO_PART_OF_A_STORE)
            if not files:
                raise _wrong("no-store", f"{shown(rows)} has no file of a store", "add the files that the bot leaves")
            _cleared(place, tuple(each.name for each in files))
            for each in files:
                shutil.copyfile(each, place / each.name)
            return Store(system=system, kind=kind, path=place)


def shown(path: Path) -> str:
    """How a file is called in messages: what ships by its place there, else relative to where we are if it is below."""
    for name in ("fixtures", "mappings"):
        top = bundled_folder(name)
        if path.is_relative_to(top):
            return f"{name}/{path.relative_to(top).as_posix()}"
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _scripts(rows: Path, kind: SourceKind) -> tuple[Path, ...]:
    """What to run, in its order: the empty store, and its rows."""
    name = f"store.{kind}.sql"
    empty = next((place / name for place in (rows, rows.parent) if (place / name).is_file()), None)
    found = tuple(each for each in (empty, rows / _ROWS) if each is not None and each.is_file())
    if empty is None:
        hint = f"write it, with the `create table` of the bot; {_ROWS} holds the rows"
        raise _wrong("no-store", f"there is no {name} in {shown(rows)} or the folder above", hint)
    return found


def _home(system: str) -> Path:
    if system not in systems():
        raise _wrong("no-such-fixture", f"there are no fixtures of {system!r}", f"there are: {', '.join(systems())}")
    return bundled_folder("fixtures") / system


def _build_postgres(dsn: str, system: str, scripts: tuple[Path, ...]) -> None:
    """Run the scripts in one transaction; the first refuses a database whose schema is not ours."""
    from consolidate.postgres import connect, failure  # noqa: PLC0415  # psycopg is needed by few commands

    what = f"the fixture store of {system}"
    with connect(dsn, what=what) as connection:
        failed: ConsolidateError
        script = scripts[0]
        connection.execute(statement("fixtures/session"))
        try:
            with connection.transaction():
                for script in scripts:
                    connection.execute(script.read_bytes())
        except connection.Error as error:
            failed = failure(error, what=what, dsn=dsn)
            if error.sqlstate is not None and not error.sqlstate.startswith(_NOT_THE_SCRIPTS):
                said = " ".join(filter(None, (error.diag.message_primary, error.diag.message_detail)))
                before = _before(connection, scripts, script, error.sqlstate, error.diag.statement_position)
                failed = _refused(script, before, f"{said} (SQLSTATE {error.sqlstate})")
        else:
            return
        raise failed


def _before(
    connection: Connection[TupleRow], scripts: tuple[Path, ...], script: Path, state: str, place: str | None
) -> str:
    """What stands before the mistake: the server counts characters, or else tells it of the statement when asked so."""
    text = script.read_text(encoding="utf-8")
    if place is not None:
        return text[: int(place) - 1]
    before = ""
    with connection.transaction(force_rollback=True):
        for earlier in scripts[: scripts.index(script)]:
            connection.execute(earlier.read_bytes())
        for one in _statements(text):
            try:
                with connection.transaction():
                    connection.execute(one.encode())
            except connection.Error as error:
                return before + _blank(one) if error.sqlstate == state else ""
            before += one
    return ""


def _build_sqlite(file: Path, scripts: tuple[Path, ...]) -> None:
    """Make the file in one transaction."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("begin")
        for script in scripts:
            before = ""
            for one in _statements(script.read_text(encoding="utf-8")):
                try:
                    connection.execute(one)
                except (sqlite3.Error, sqlite3.Warning) as error:
                    raise _refused(script, before + _blank(one), str(error)) from None
                before += one
        connection.execute("commit")


def _statements(text: str) -> Iterator[str]:
    """The statements of a SQLite script one by one, which together are the text."""
    start = end = 0
    while (end := text.find(";", end) + 1) > 0:
        if sqlite3.complete_statement(text[start:end]):
            yield text[start:end]
            start = end
    yield text[start:]


def _blank(statement: str) -> str:
    """The blanks and comments that the text of a statement begins with."""
    found = _LEADING.match(statement)
    return "" if found is None else found[0]


def _refused(script: Path, before: str, message: str) -> UsageError:
    where = Location(file=shown(script), line=before.count("\n") + 1, column=len(before) - before.rfind("\n"))
    hint = "the statement that begins or fails there; run the script in the database's own shell"
    return UsageError(Problem(code="bad-script", message=f"{script.name}: {message}", hint=hint, location=where))


def _cleared(place: Path, names: tuple[str, ...]) -> None:
    """Make `place` a folder with nothing in it but the mark, which names the files that are to be built there."""
    mark = place / _MARK
    place.mkdir(parents=True, exist_ok=True)
    built = tuple(mark.read_text(encoding="utf-8").splitlines()) if mark.is_file() else ()
    ours = [each for each in place.iterdir() if built and each.is_file() and each.name.startswith(built)]
    foreign = sorted(each.name for each in place.iterdir() if each not in ours and each != mark)
    if foreign:
        raise _wrong(
            "not-a-fixture",
            f"{place} holds {foreign[0]!r}, which is no part of a fixture store",
            "choose another folder, or move it away",
        )
    for each in ours:
        each.unlink()
    mark.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def _wrong(code: str, message: str, hint: str) -> UsageError:
    return UsageError(Problem(code=code, message=message, hint=hint))
