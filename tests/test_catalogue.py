"""The catalogue: each defect is caught by the one net that is made for it, its twin passes, nothing else is found."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from consolidate import fixtures
from consolidate.model import RejectCode
from tests import catalogue

if TYPE_CHECKING:
    from pathlib import Path

    from consolidate.embedded import Server
    from tests.catalogue import Found


def _lines(found: frozenset[Found]) -> list[str]:
    return sorted(f"{one.by} at {one.row}" for one in found)


@pytest.mark.parametrize("system", catalogue.systems())
def test_each_defect_is_caught_at_its_row_and_nothing_else_is(
    system: str, postgres_server: Server, tmp_path: Path
) -> None:
    listed = catalogue.read(system)
    for batch in listed.batches:
        found, report = catalogue.findings(postgres_server, tmp_path / str(batch), system, listed.planted(batch))
        defects = listed.of(batch)
        wanted = listed.clean.union(*(one.found for one in defects))
        missed = [one.name for one in defects if not one.found <= found]
        assert {"missed": missed, "false alarms": _lines(found - wanted), "not there": _lines(wanted - found)} == {
            "missed": [],
            "false alarms": [],
            "not there": [],
        }
        said = {f"{check.suite}/{check.name}": check.severity for check in report.checks}
        assert {one.name: said.get(one.caught_by) for one in defects} == {one.name: one.severity for one in defects}
        assert report.exit_code == (4 if "critical" in {one.severity for one in defects} else 0)


@pytest.mark.parametrize("system", catalogue.systems())
def test_the_twin_of_each_defect_passes(system: str, postgres_server: Server, tmp_path: Path) -> None:
    listed = catalogue.read(system)
    for batch in listed.batches:
        found, report = catalogue.findings(postgres_server, tmp_path / str(batch), system, listed.twins(batch))
        assert {"false alarms": _lines(found - listed.clean), "not there": _lines(listed.clean - found)} == {
            "false alarms": [],
            "not there": [],
        }
        assert report.exit_code == 0


def test_every_system_has_a_catalogue_and_together_they_name_more_than_sixty_defects() -> None:
    assert catalogue.systems() == list(fixtures.systems())
    names = Counter(f"{system} {one.name}" for system in catalogue.systems() for one in catalogue.read(system).defects)
    assert len(names) >= 60
    for system in catalogue.systems():
        for one in catalogue.read(system).defects:
            assert one.wrong, one
            assert one.defect != one.twin, one


def test_every_reject_code_catches_a_defect() -> None:
    caught = {one.caught_by for system in catalogue.systems() for one in catalogue.read(system).defects}
    assert set(RejectCode) - caught == set()
