"""How far the work is, on a terminal: one line a stage with what is at hand, rows, rate and percent."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console
    from rich.progress import Progress as Display
    from rich.progress import TaskID

    from consolidate.model import Progress

_SECONDS_BETWEEN: Final = 0.1


@contextmanager
def shown(console: Console | None) -> Iterator[Callable[[Progress], None]]:
    """What stages tell their progress to; it is on the console until the block ends, or nowhere (None)."""
    if console is None:
        yield _ignored
        return
    from rich.progress import Progress as Display
    from rich.progress import SpinnerColumn, TextColumn

    columns = (SpinnerColumn(finished_text="[green]✓[/]"), TextColumn("{task.description}", markup=False))
    with Display(*columns, console=console, transient=True, refresh_per_second=10) as display:
        yield _Board(display=display).observe


def _ignored(_progress: Progress) -> None:
    """Where there is no terminal."""


@dataclass(slots=True, kw_only=True)
class _Stage:
    """What one stage has told so far. `before` is of the subjects that are behind it."""

    task: TaskID
    began: float
    told: float = 0.0
    unit: str = "rows"
    subject: str = ""
    before: int = 0
    done: int = 0
    drawn: float = 0.0


@dataclass(slots=True, kw_only=True)
class _Board:
    display: Display
    stages: dict[str, _Stage] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def observe(self, progress: Progress) -> None:
        """Take what a stage tells, from any thread; draw it unless the last drawing was just now."""
        now = time.monotonic()
        with self.lock:
            stage = self.stages.get(progress.stage)
            if stage is None:
                self._end_others()
                stage = _Stage(task=self.display.add_task(progress.stage, total=None), began=now)
                self.stages[progress.stage] = stage
            stage.told, stage.unit = now, progress.unit
            changed = stage.subject != progress.subject
            if changed:
                stage.subject, stage.before = progress.subject, stage.before + stage.done
            stage.done = progress.done
            finished = progress.total is not None and progress.done >= progress.total
            if changed or finished or now - stage.drawn >= _SECONDS_BETWEEN:
                stage.drawn = now
                self.display.update(stage.task, description=line(progress, stage.before, now - stage.began))

    def _end_others(self) -> None:
        """A stage begins, so those before it are over."""
        for name, stage in self.stages.items():
            said = summary(name, stage.before + stage.done, stage.unit, stage.told - stage.began)
            self.display.update(stage.task, description=said, total=1, completed=1)


def line(progress: Progress, before: int, seconds: float) -> str:
    """What a stage shows: `before` rows of other subjects are done already, in `seconds` since it began."""
    from consolidate.report.cells import count, plain

    done = count(progress.done)
    if progress.total:
        done = f"{done} of {count(progress.total)}"
    percent = f" ({min(100 * progress.done // progress.total, 100)} %)" if progress.total else ""
    rate = f", {count(round((before + progress.done) / seconds))}/s" if seconds > 0 else ""
    return f"{progress.stage:<10} {plain(progress.subject)}: {done} {progress.unit}{percent}{rate}"


def summary(name: str, everything: int, unit: str, seconds: float) -> str:
    """What stays of a stage that is over."""
    from consolidate.report.cells import count

    rate = f", {count(round(everything / seconds))}/s" if seconds > 0 else ""
    return f"{name:<10} {count(everything)} {unit} in {seconds:.1f} s{rate}"
