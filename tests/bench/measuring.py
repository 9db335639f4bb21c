"""What a command costs: time, processor time of its processes and of PostgreSQL, and their peak memory."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_EVERY_SECONDS: Final = 0.05
COMMAND: Final = (sys.executable, "-m", "consolidate")


@dataclass(slots=True, kw_only=True)
class Cost:
    """Seconds. `own` is processor time of our processes, `postgres` that of the server; `peak` bytes without it."""

    seconds: float = 0.0
    own: float = 0.0
    postgres: float = 0.0
    peak: int = 0
    stages: dict[str, float] = field(default_factory=dict)
    inserted: int = 0

    @property
    def processor(self) -> float:
        """Processor time of both sides: what does not depend on who else uses the machine."""
        return self.own + self.postgres

    def plus(self, other: Cost) -> Cost:
        """Both, one after the other."""
        return Cost(
            seconds=self.seconds + other.seconds,
            own=self.own + other.own,
            postgres=self.postgres + other.postgres,
            peak=max(self.peak, other.peak),
        )

    def as_json(self) -> dict[str, object]:
        """All of it as plain values."""
        return {
            "seconds": round(self.seconds, 3),
            "own_processor_seconds": round(self.own, 3),
            "postgres_processor_seconds": round(self.postgres, 3),
            "peak_bytes": self.peak,
            "stages": self.stages,
            "inserted": self.inserted,
        }


def median(costs: Iterable[Cost]) -> Cost:
    """The median of each figure."""
    found = list(costs)
    stages = {name: statistics.median(one.stages.get(name, 0.0) for one in found) for name in found[0].stages}
    return Cost(
        seconds=statistics.median(one.seconds for one in found),
        own=statistics.median(one.own for one in found),
        postgres=statistics.median(one.postgres for one in found),
        peak=max(one.peak for one in found),
        stages=stages,
        inserted=found[-1].inserted,
    )


class Meter:
    """Measures on one machine with one PostgreSQL server, whose postmaster is `postmaster`."""

    def __init__(self, postmaster: int) -> None:
        """Nothing is measured yet."""
        self._postmaster = psutil.Process(postmaster)

    @contextmanager
    def measured(self) -> Iterator[Cost]:
        """What this very process costs meanwhile, with its children."""
        cost = Cost()
        postgres, own = self._postgres(), _own()
        start = time.perf_counter()
        with _watched(os.getpid(), cost):
            yield cost
        cost.seconds = time.perf_counter() - start
        cost.own = _own() - own
        cost.postgres = self._postgres() - postgres

    def consolidate(self, *arguments: str, cwd: Path, environment: Mapping[str, str]) -> Cost:
        """Run our command and measure it. Raises `RuntimeError` with what it said where it fails."""
        with tempfile.TemporaryDirectory() as aside:
            file = Path(aside) / "report.json"
            cost = self.command([*COMMAND, *arguments, "--json", str(file)], cwd=cwd, environment=environment)
            report: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        cost.stages = {str(name): float(seconds) for name, seconds in report["seconds"].items()}
        cost.inserted = sum(int(table["insert"]) for table in report["targets"])
        return cost

    def command(self, command: Sequence[str], *, cwd: Path, environment: Mapping[str, str]) -> Cost:
        """Run any command and measure its processes. Raises `RuntimeError` with what it said where it fails."""
        cost = Cost()
        postgres, children = self._postgres(), _children()
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        with _watched(process.pid, cost):
            said, _ = process.communicate()
        cost.seconds = time.perf_counter() - start
        cost.own = _children() - children
        cost.postgres = self._postgres() - postgres
        if process.returncode:
            raise RuntimeError(said.decode(errors="replace")[-4000:])
        return cost

    def _postgres(self) -> float:
        """Processor seconds of the server so far: of its sessions that are there, and of those that ended."""
        times = self._postmaster.cpu_times()
        total = times.user + times.system + times.children_user + times.children_system
        for child in self._postmaster.children(recursive=True):
            with suppress(psutil.Error):
                each = child.cpu_times()
                total += each.user + each.system
        return total


def _own() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _children() -> float:
    times = os.times()
    return times.children_user + times.children_system


@contextmanager
def _watched(pid: int, cost: Cost) -> Iterator[None]:
    """Note the peak of the resident memory of a process with all its descendants; shared pages count once each."""
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(_EVERY_SECONDS):
            cost.peak = max(cost.peak, _resident(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()


def _resident(pid: int) -> int:
    total = 0
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                if not each.name().startswith("postgres"):
                    total += each.memory_info().rss
    return total
