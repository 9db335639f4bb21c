"""The demonstration: fixture stores of the three Alpha bots in a folder, with a project file that consolidates them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from consolidate import fixtures
from consolidate.destination import EMBEDDED_FOLDER, EMBEDDED_PREFIX
from consolidate.errors import Problem, UsageError
from consolidate.project import DEFAULT_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MARK: Final = "# Written by `consolidate demo`, which overwrites it."
_STORES: Final = "stores"
_DATABASE: Final = "shortseller"
_TEXT: Final = f"""\
{_MARK} Try something: change a value, then `consolidate run -c` this file.
version: 1
# No target: rows go to the embedded PostgreSQL in .consolidate/postgres.
sources:
  shortseller:
    mapping: shortseller
    dsn: {EMBEDDED_PREFIX}{_DATABASE}     # another database of the same server; yours is a connection string
    bot: {{id: shortseller_001, deployment_mode: demo, initial_capital: 10000}}
  momentum:
    mapping: momentum
    path: {_STORES}/momentum/trading.db
    time_zone: Europe/London
    bots:
      demo: {{id: momentum_demo_001, deployment_mode: demo, initial_capital: 10000}}
      live: {{id: momentum_001, deployment_mode: live, initial_capital: 10000, default: true}}
  lxalgo:
    mapping: lxalgo
    path: {_STORES}/lxalgo
    bot: {{id: lxalgo_001, deployment_mode: demo, initial_capital: 10000}}
limits:
  accept: [unmatched_close]     # the log begins in the middle of two trades
"""


@contextmanager
def prepared(folder: Path) -> Iterator[Path]:
    """Build the stores and the project file in the folder; the file's path. The embedded server runs until the end.

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
        server.create(_DATABASE)
        for system in ("shortseller", "momentum", "lxalgo"):
            fixtures.build(system, fixtures.CLEAN, folder / _STORES, postgres_dsn=server.dsn(_DATABASE))
        file.write_text(_TEXT, encoding="utf-8", newline="\n")
        yield file
