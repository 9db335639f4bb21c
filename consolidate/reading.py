"""Reading prepared sources into staging: which tables, by their mappings; several sources side by side."""

from __future__ import annotations

import os
import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

from consolidate.extract import extract, survey

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from consolidate.model import Progress, StagedSource
    from consolidate.preparation import PreparedSource
    from consolidate.staging import Staging

_PATIENCE_SECONDS: Final = 5.0
"""How long, after a failure, others are given to end at their next row; who waits for a server is left to it."""


class _StoppedError(Exception):
    """Another source failed, or the person interrupted."""


def read_sources(
    sources: Sequence[PreparedSource], staging: Staging, folder: Path, observe: Callable[[Progress], None]
) -> list[StagedSource]:
    """Stage every mapped table of all sources, as many sources at a time as there are processors; in their order.

    Each store is read of one moment of its own. `observe` is called by one thread at a time. Raises as
    `consolidate.extract.extract`: the first failure ends the reading of all.
    """
    at_once = min(len(sources), os.cpu_count() or 1)
    if at_once <= 1:
        return [_read(source, staging, folder, observe) for source in sources]
    return _SideBySide(sources, staging, folder, observe).read(at_once)


def _read(source: PreparedSource, staging: Staging, folder: Path, observe: Callable[[Progress], None]) -> StagedSource:
    """`optional` tables may be missing, ignored ones are counted."""
    tables = tuple(table.mapping.table for table in source.compiled.tables)
    if source.system.optional:
        there = {one.table for one in survey(source.request(()))}
        tables = tuple(name for name in tables if name in there or name not in source.system.optional)
    ignored = tuple(one.name for one in source.system.ignored)
    return extract(source.request(tables, ignored), staging, folder, observe)


class _SideBySide:
    """Sources read by threads that an interrupted person need not wait for: they end with the process."""

    def __init__(
        self,
        sources: Sequence[PreparedSource],
        staging: Staging,
        folder: Path,
        observe: Callable[[Progress], None],
    ) -> None:
        self._sources = sources
        self._staging = staging
        self._folder = folder
        self._observe = observe
        self._left = iter(range(len(sources)))
        self._turn = threading.Lock()
        self._stopped = threading.Event()
        self._ended: SimpleQueue[None] = SimpleQueue()
        self._staged: dict[int, StagedSource] = {}
        self._failed: BaseException | None = None

    def read(self, at_once: int) -> list[StagedSource]:
        threads = [threading.Thread(target=self._work, name=f"reading {n}", daemon=True) for n in range(at_once)]
        for thread in threads:
            thread.start()
        try:
            for _ in threads:
                self._ended.get()
        finally:
            self._stopped.set()
            latest = time.monotonic() + _PATIENCE_SECONDS
            for thread in threads:
                thread.join(max(0.0, latest - time.monotonic()))
        if self._failed is not None:
            raise self._failed
        return [self._staged[place] for place in range(len(self._sources))]

    def _work(self) -> None:
        try:
            with self._staging.cursor() as staging:
                while (place := self._next()) is not None:
                    self._read(place, staging)
        finally:
            self._ended.put(None)

    def _next(self) -> int | None:
        with self._turn:
            return None if self._stopped.is_set() else next(self._left, None)

    def _read(self, place: int, staging: Staging) -> None:
        try:
            self._staged[place] = _read(self._sources[place], staging, self._folder, self._told)
        except BaseException as error:  # noqa: BLE001 - of whatever kind, it is raised where all are awaited
            with self._turn:
                self._failed = self._failed or error
                self._stopped.set()

    def _told(self, progress: Progress) -> None:
        if self._stopped.is_set():
            raise _StoppedError
        with self._turn:
            self._observe(progress)
