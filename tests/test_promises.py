"""What the README promises, of the fixture stores of every system: none of it is about one bot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consolidate import fixtures, pipeline, project
from consolidate.errors import ExitCode
from consolidate.model import RejectCode
from consolidate.postgres import connect
from consolidate.target.contract import expected
from consolidate.transform import residual
from tests.alpha import consolidated
from tests.rebuilt import assert_rebuilt
from tests.systems import built, sets

if TYPE_CHECKING:
    from pathlib import Path


STORES = [one for one in sets() if one[1] != fixtures.CLEAN]
"""Those with defects have sound rows of the same tables too."""


def _held(dsn: str) -> dict[str, int]:
    with connect(dsn, what="the target") as connection:
        return {
            table.name: int(str(connection.execute(f"select count(*) from {table.name}".encode()).fetchall()[0][0]))
            for table in expected().tables
        }


@pytest.mark.parametrize(("system", "set_"), STORES)
def test_rows_are_accounted_for_recoverable_cell_by_cell_loaded_once_proved_again_and_taken_out_again(
    system: str, set_: str, tmp_path: Path, target_dsn: str, empty_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(residual, "_ROWS_AT_ONCE", 60)  # so that residuals are made in several parts
    source = built(system, set_, tmp_path / "stores", empty_dsn)
    done = consolidated(tmp_path, target_dsn, {system: source}, accept=[code.value for code in RejectCode])
    assert sum(counts.read for counts in done.report.sources) > 0
    assert [counts for counts in done.report.sources if counts.residue] == []
    assert [control for control in done.report.controls if control.status != "equal"] == []
    before = _held(target_dsn)
    assert before["archive.rows"] == sum(counts.archived for counts in done.report.sources)
    assert_rebuilt(done.file, done.report.sources, target_dsn, tmp_path)
    loaded = project.load(done.file, {})
    again = pipeline.run(loaded)
    assert (again.status, sum(one.insert + one.update + one.conflict for one in again.targets)) == ("loaded", 0)
    for from_sources in (False, True):
        assert pipeline.verify(loaded, done.report.run_id, from_sources=from_sources).exit_code == ExitCode.DONE
    assert _held(target_dsn) == before
    pipeline.rollback(loaded, done.report.run_id)
    assert set(_held(target_dsn).values()) == {0}
