"""The command as a person calls it: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

COMMAND = (sys.executable, "-m", "consolidate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a process left."""

    code: int
    out: str
    err: str


def consolidate(
    *arguments: str | Path, cwd: Path, environment: Mapping[str, str] | None = None, timeout: float = 240
) -> Ended:
    """Run `consolidate` in the folder. The environment has nothing of ours but what is given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CONSOLIDATE_", "PG"))}
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        env=kept | dict(environment or {}),
        capture_output=True,
        timeout=timeout,
        check=False,
    )
    return Ended(code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())
