"""The demonstration: fixture stores of some systems, or of every one, with a project file that consolidates them."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from consolidate import fixtures
from consolidate.bundled import folder as bundled_folder
from consolidate.destination import EMBEDDED_FOLDER, EMBEDDED_PREFIX
from consolidate.errors import Problem, UsageError
from consolidate.mapping import yaml
from consolidate.model import SourceKind
from consolidate.project import DEFAULT_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MARK: Final = "# Written by `consolidate demo`, which overwrites it."
_STORES: Final = "stores"
_SHORT: Final = "demo.yaml"
_CASE: Final = "case.yaml"
_NOT_OF_A_SOURCE: Final = ("about", "mapping", "source")
_CODE: Final = re.compile(r"^\s+(?:- )?code: (\w+)$", re.MULTILINE)


@contextmanager
def prepared(folder: Path, *, every: bool = False) -> Iterator[Path]:
    """Build the stores and the project file in the folder; the file's path. The embedded server runs until the end.

    `every`: of every system that has fixtures, each PostgreSQL store in a database of its own; else of a few.
    Again in the same folder gives the same. Raises `UsageError` where something that is no demo would be overwritten.
    """
    from consolidate import embedded  # noqa: PLC0415 - as late as it is needed

    file = folder / DEFAULT_FILE
    if file.exists() and not (file.is_file() and file.read_bytes().startswith(_MARK.encode())):
        raise UsageError(
            Problem(
                code="not-a-demo",
                message=f"{file} is there already, and no demo wrote it",
                hint="choose another folder: `consolidate demo --dir DIR`",
            )
        )
    folder.mkdir(parents=True, exist_ok=True)
    with embedded.server(folder / ".consolidate" / EMBEDDED_FOLDER) as server:
        systems = _all() if every else _short()
        for system in systems:
            dsn = None
            if fixtures.kind_of(system) is SourceKind.POSTGRES:
                server.create(system)
                dsn = server.dsn(system)
            fixtures.build(system, fixtures.CLEAN, folder / _STORES, postgres_dsn=dsn)
        file.write_text(_text_of(systems), encoding="utf-8", newline="\n")
        yield file


def _short() -> tuple[str, ...]:
    """The systems of the short demonstration, in their order, as `fixtures/demo.yaml` lists them."""
    problems = yaml.Problems()
    root = yaml.read(bundled_folder("fixtures") / _SHORT, problems, shown=f"fixtures/{_SHORT}")
    listed = () if root is None else yaml.texts_of(root.get("systems"), "`systems`", problems)
    if problems:
        raise UsageError(*problems.found)
    return tuple(str(one.text) for one in listed)


def _all() -> tuple[str, ...]:
    """Every system with fixtures, those of the short demonstration first."""
    short = _short()
    return (*short, *(system for system in fixtures.systems() if system not in short))


def _text_of(systems: tuple[str, ...]) -> str:
    """A project file of these systems: what their clean cases say of each source, and the codes these reject."""
    homes = [bundled_folder("fixtures") / system / fixtures.CLEAN for system in systems]
    codes: dict[str, None] = {}
    for home in homes:
        rejects = home / "expected" / "rejects.yaml"
        if rejects.is_file():
            codes |= dict.fromkeys(_CODE.findall(rejects.read_text(encoding="utf-8")))
    sources = "".join(_source(system, home / _CASE) for system, home in zip(systems, homes, strict=True))
    return (
        f"{_MARK} Try something: change a value, then `consolidate run -c` this file.\nversion: 1\n"
        "# No target: rows go to the embedded PostgreSQL in .consolidate/postgres.\n"
        f"sources:\n{sources}limits:\n  accept: [{', '.join(codes)}]     # a first look shows what rejects are like\n"
    )


def _source(system: str, case: Path) -> str:
    """The entry of a source: its mapping, its store, and what the case says besides."""
    match fixtures.kind_of(system):
        case SourceKind.POSTGRES:
            place = f"dsn: {EMBEDDED_PREFIX}{system}     # a database of the same server; yours is a connection string"
        case SourceKind.SQLITE:
            place = f"path: {_STORES}/{system}/{fixtures.DATABASE_FILE}"
        case SourceKind.SNAPSHOT:
            place = f"path: {_STORES}/{system}"
    lines, said = [f"mapping: {system}", place], True
    for line in case.read_text(encoding="utf-8").splitlines():
        if not line.startswith((" ", "#")):
            said = line.partition(":")[0] not in _NOT_OF_A_SOURCE
        lines += [line] if said else []
    return f"  {system}:\n" + "".join(f"    {line}\n" for line in lines if line.strip())
