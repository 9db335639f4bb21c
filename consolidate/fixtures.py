"""The fixture stores: small synthetic stores of the legacy systems, kept as text in `fixtures/` and built on demand.

`fixtures/<system>/<set>/` holds what differs between the sets; a system that has a database has its empty store beside
them, `store.postgres.sql` or `store.sqlite.sql`. A system without one is kept as the very files that its bot leaves.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from consolidate.bundled import folder as bundled_folder
from consolidate.errors import Problem, UsageError
from consolidate.model import SourceKind

if TYPE_CHECKING:
    from pathlib import Path

CLEAN: Final = "clean"
DEFECTS: Final = "defects"

_ROWS: Final = "rows.sql"
_DATABASE_FILE: Final = "trading.db"
_MARK: Final = ".fixture"  # hidden: a snapshot source does not read it


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
    place = folder / system
    match kind:
        case SourceKind.POSTGRES:
            if postgres_dsn is None:
                raise _wrong("no-database", f"the store of {system} needs a PostgreSQL database", "give its DSN")
            _build_postgres(postgres_dsn, system, (home / f"store.{kind}.sql", rows / _ROWS))
            return Store(system=system, kind=kind, dsn=postgres_dsn)
        case SourceKind.SQLITE:
            _cleared(place, (_DATABASE_FILE,))
            _build_sqlite(place / _DATABASE_FILE, (home / f"store.{kind}.sql", rows / _ROWS))
            return Store(system=system, kind=kind, path=place / _DATABASE_FILE)
        case SourceKind.SNAPSHOT:
            files = sorted(each for each in rows.iterdir() if each.is_file())
            _cleared(place, tuple(each.name for each in files))
            for each in files:
                shutil.copyfile(each, place / each.name)
            return Store(system=system, kind=kind, path=place)


def _home(system: str) -> Path:
    if system not in systems():
        raise _wrong("no-such-fixture", f"there are no fixtures of {system!r}", f"there are: {', '.join(systems())}")
    return bundled_folder("fixtures") / system


def _build_postgres(dsn: str, system: str, scripts: tuple[Path, ...]) -> None:
    """Run the scripts in one transaction; the first refuses a database whose schema is not ours."""
    from consolidate.postgres import connect, failure  # noqa: PLC0415  # psycopg is needed by few commands

    what = f"the fixture store of {system}"
    with connect(dsn, what=what) as connection:
        try:
            with connection.transaction():
                for script in scripts:
                    connection.execute(script.read_bytes())
        except connection.Error as error:
            raise failure(error, what=what, dsn=dsn) from None


def _build_sqlite(file: Path, scripts: tuple[Path, ...]) -> None:
    """Make the file in one transaction."""
    text = "\n".join(script.read_text(encoding="utf-8") for script in scripts)
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.executescript(f"begin;\n{text}\ncommit;")


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
