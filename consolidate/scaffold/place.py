"""Where a store is, as a person says it on the command line: a path, or a connection string in a variable."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from consolidate.errors import Location, Problem, UsageError
from consolidate.mapping import yaml
from consolidate.model import ExtractRequest, SourceKind
from consolidate.project_values import Reading, passwords

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consolidate.model import SnapshotTable

_SQLITE: Final = b"SQLite format 3\0"
_SCHEMES: Final = ("postgresql://", "postgres://")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A store: a PostgreSQL database has a `dsn`, every other a `path`. `shown` is what the person wrote."""

    kind: SourceKind
    shown: str
    dsn: str | None = field(default=None, repr=False)
    path: Path | None = None
    schema: str | None = None

    def request(self, tables: tuple[str, ...] = (), snapshots: tuple[SnapshotTable, ...] = ()) -> ExtractRequest:
        """What to read of the store."""
        return ExtractRequest(
            source="draft",
            kind=self.kind,
            tables=tables,
            dsn=self.dsn,
            path=self.path,
            schema=self.schema,
            snapshots=snapshots,
        )


def place(text: str, schema: str | None, environment: Mapping[str, str]) -> Place:
    """The store that `text` says, with the variables `${NAME}` of the environment filled in.

    Raises `UsageError` for a variable that is not set, a path that is not there, and a password in the text itself:
    every user of the machine could see it in the list of processes.
    """
    problems = yaml.Problems()
    reading = Reading(environment, problems)
    found = reading.text(yaml.Scalar(text=text, location=Location(file="SOURCE", line=1)), "SOURCE")
    if found is None:
        raise UsageError(*problems.found)
    if found.value.startswith(_SCHEMES):
        if passwords(text):
            message = "the connection string has a password in it, which every user of this machine can see"
            raise _wrong("password-shown", message, "put it into a variable: `consolidate scaffold '${MYBOT_DSN}'`")
        return Place(kind=SourceKind.POSTGRES, shown=text, dsn=found.value, schema=schema)
    if schema is not None:
        raise _wrong("bad-value", f"{text} has no schema: it is no PostgreSQL database", "leave `--schema` out")
    path = Path(found.value).expanduser().absolute()
    if not path.exists() and not any(character in path.name for character in "*?["):
        raise _wrong("no-such-store", f"there is no {text}", "write a path, or '${NAME}' for a connection string")
    return Place(kind=_kind(path), shown=text, path=path)


def _kind(path: Path) -> SourceKind:
    if not path.is_file():
        return SourceKind.SNAPSHOT
    with path.open("rb") as file:
        return SourceKind.SQLITE if file.read(len(_SQLITE)) == _SQLITE else SourceKind.SNAPSHOT


def _wrong(code: str, message: str, hint: str) -> UsageError:
    return UsageError(Problem(code=code, message=message, hint=hint))
