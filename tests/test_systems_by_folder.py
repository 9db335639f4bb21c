"""A system is a folder of mappings and a folder of fixtures: the package itself knows none by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import consolidate
from consolidate import demo, destination, fixtures, pipeline
from consolidate.bundled import folder
from consolidate.project import load
from consolidate.report import document
from tests.systems import sets

if TYPE_CHECKING:
    from pathlib import Path

SYSTEMS = fixtures.systems()


def _package() -> list[Path]:
    (home,) = (folder("mappings").parent / name for name in consolidate.__path__[0].split("/")[-1:])
    return sorted(file for file in home.rglob("*") if file.is_file() and file.suffix not in {".pyc", ".so"})


@pytest.mark.parametrize("system", SYSTEMS)
def test_no_file_of_the_package_names_a_system(system: str) -> None:
    files = _package()
    assert len(files) > 100
    spellings = {system, system.replace("_", " "), system.replace("_", "-"), system.replace("_", "")}
    found = [
        f"{file.name}:{number}: {line.strip()}"
        for file in files
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if any(spelling in line.lower() for spelling in spellings)
    ]
    assert found == []


def test_every_system_has_a_mapping_and_a_case_of_clean_rows_and_one_of_defects() -> None:
    mappings = {place.name for place in folder("mappings").iterdir() if (place / "system.yaml").is_file()}
    assert set(SYSTEMS) == mappings
    assert {(system, set_) for system in SYSTEMS for set_ in ("clean", "defects")} <= set(sets())


def test_all_systems_are_consolidated_into_one_database(temporary_folder: Path) -> None:
    place = temporary_folder / "all"
    with demo.prepared(place, every=True) as file, destination.sources_opened(load(file, {})) as project:
        assert sorted(source.name for source in project.sources) == sorted(SYSTEMS)
        report = pipeline.run(project, command="demo")
        assert (report.status, report.exit_code) == ("loaded", 0), report.problems
        assert [counts for counts in report.sources if counts.residue] == []
        assert {counts.source for counts in report.sources} == set(SYSTEMS)
        assert document.run(report)["status"] == "loaded"
        again = pipeline.run(project)
        assert sum(one.insert + one.update + one.conflict for one in again.targets) == 0
