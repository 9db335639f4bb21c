"""A system is a folder of mappings and a folder of fixtures: the package itself knows none by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import consolidate
from consolidate import fixtures
from consolidate.bundled import folder
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
