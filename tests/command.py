"""The command as a person calls it, in a process of its own or, which is much faster, in this one."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING

from consolidate.cli.app import main

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
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        env=_environment(environment),
        capture_output=True,
        timeout=timeout,
        check=False,
    )
    return Ended(code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())


def called(*arguments: str | Path, cwd: Path, environment: Mapping[str, str] | None = None) -> Ended:
    """What `consolidate` does in the folder with that environment, without a process of its own.

    For tests of what it says and leaves; signals, start and end of a process are tested by `consolidate`.
    """
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    before, handler = dict(os.environ), signal.getsignal(signal.SIGTERM)
    wanted = _environment(environment)
    os.environ.clear()
    os.environ.update(wanted)
    try:
        with chdir(cwd), redirect_stdout(out), redirect_stderr(err):
            code = main([*map(str, arguments)])
    finally:
        os.environ.clear()
        os.environ.update(before)
        signal.signal(signal.SIGTERM, handler)
    shown = [stream.buffer.getvalue().decode() for stream in (out, err) if isinstance(stream.buffer, io.BytesIO)]
    return Ended(code=code, out=shown[0], err=shown[1])


def _environment(ours: Mapping[str, str] | None) -> dict[str, str]:
    """That of this process, with nothing of ours but what is given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CONSOLIDATE_", "PG"))}
    return kept | dict(ours or {})
