"""Several sources are read side by side; the first failure, or a person, ends the reading of all."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from consolidate import project, reading
from consolidate.errors import ConsolidateError
from consolidate.extract import extract
from consolidate.preparation import prepared
from consolidate.reading import read_sources
from consolidate.staging import Staging
from tests import projects

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from consolidate.model import ExtractRequest, Progress, StagedSource
    from consolidate.preparation import PreparedSource

PATIENCE = 30


@pytest.fixture(autouse=True)
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


@pytest.fixture
def staging(tmp_path: Path) -> Iterator[Staging]:
    with Staging.open(tmp_path / "run" / "staging.duckdb") as opened:
        yield opened


@pytest.fixture
def sources(tmp_path: Path) -> tuple[PreparedSource, ...]:
    file = projects.build(tmp_path, "momentum", "lxalgo")
    return prepared(project.load(file, {"TARGET": "postgresql:///none"}))


def _reading() -> int:
    return sum(thread.name.startswith("reading ") for thread in threading.enumerate())


def test_sources_are_read_at_the_same_time_and_kept_in_their_order(
    tmp_path: Path, staging: Staging, sources: tuple[PreparedSource, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2)

    def read(request: ExtractRequest, *arguments: Any) -> StagedSource:  # noqa: ANN401 - those of `extract`
        both.wait(PATIENCE)
        return extract(request, *arguments)

    monkeypatch.setattr(reading, "extract", read)
    staged = read_sources(sources, staging, tmp_path, lambda _: None)
    assert [one.source for one in staged] == ["momentum", "lxalgo"]
    for one in staged:
        for table in one.tables:
            assert staging.value(f"select count(*) from {table.relation}") == table.rows


def test_a_failure_ends_the_reading_of_all(
    tmp_path: Path, staging: Staging, sources: tuple[PreparedSource, ...]
) -> None:
    (tmp_path / "momentum" / "trading.db").unlink()
    with pytest.raises(ConsolidateError, match="trading"):
        read_sources(sources, staging, tmp_path, lambda _: None)
    assert _reading() == 0


def test_who_interrupts_one_interrupts_all(
    tmp_path: Path, staging: Staging, sources: tuple[PreparedSource, ...]
) -> None:
    def observe(progress: Progress) -> None:
        if progress.subject.startswith("lxalgo"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_sources(sources, staging, tmp_path, observe)
    assert _reading() == 0
