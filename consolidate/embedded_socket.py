"""Where the socket of the embedded PostgreSQL is: in a private folder with a path short enough for one."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from consolidate.embedded_owner import Owner

PORT: Final = 5432
"""Names the socket's file only; no TCP port is opened."""

_PREFIX: Final = "consolidate-"
_FILES: Final = (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock")
_PATH_LIMIT: Final = 103  # of macOS; 107 on Linux


def folder_for(server: Path, owner: Owner | None) -> Path | None:
    """Make the folder for the socket of the server kept in `server`: mode 0700, of `owner` (None: of ourselves), empty.

    The same path each time, unless somebody else took the name. None where no path is short enough.
    """
    uid = os.geteuid() if owner is None else owner.uid
    name = f"{_PREFIX}{uid}-{hashlib.sha256(os.fsencode(server)).hexdigest()[:12]}"
    for parent in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108
        folder = parent / name
        short = len(os.fsencode(folder / _FILES[0])) <= _PATH_LIMIT and '"' not in str(folder)
        above = (parent, *parent.parents)
        if short and (owner is None or all(one.stat().st_mode & stat.S_IXOTH for one in above)):
            return _private(folder, uid=uid, owner=owner)
    return None


def _private(folder: Path, *, uid: int, owner: Owner | None) -> Path:
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        if owner is not None:
            os.chown(folder, owner.uid, owner.gid)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or stat.S_IMODE(found.st_mode) & 0o077:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=folder.parent))
        if owner is not None:
            os.chown(folder, owner.uid, owner.gid)
    for name in _FILES:  # of a server that was killed, or whose cluster somebody deleted while it ran
        (folder / name).unlink(missing_ok=True)
    return folder


def clear(folder: Path) -> None:
    """Remove the socket of a server that has ended, and its folder."""
    if folder.name.startswith(_PREFIX):
        for name in _FILES:
            with suppress(OSError):
                (folder / name).unlink()
        with suppress(OSError):
            folder.rmdir()
