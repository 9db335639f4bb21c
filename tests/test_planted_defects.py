"""The fixture stores, consolidated: each planted defect is rejected with its code, and nothing else is."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from consolidate import fixtures
from tests.alpha import Consolidated, Planted, consolidated, database, planted
from tests.systems import built, sets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consolidate.embedded import Server


@pytest.fixture(scope="module", params=[system for system, set_ in sets() if set_ == fixtures.DEFECTS])
def defects(
    request: pytest.FixtureRequest, postgres_server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Consolidated]]:
    system = str(request.param)
    place = tmp_path_factory.mktemp(f"defects_{system}")
    with database(postgres_server) as store, database(postgres_server) as target:
        source = built(system, fixtures.DEFECTS, place / "stores", store)
        yield system, consolidated(place, target, {system: source}, max_rejects=1000)


def _planted(system: str) -> Counter[tuple[str, str, str]]:
    return Counter((one.table, one.key or "", one.code.value) for one in planted() if one.system == system)


def test_each_planted_defect_is_rejected_with_its_code_and_nothing_else_is(defects: tuple[str, Consolidated]) -> None:
    system, done = defects
    rejected = Counter((one.table, one.key, one.code.value) for one in done.report.rejects)
    wanted = _planted(system)
    assert {"not planted": rejected - wanted, "not rejected": wanted - rejected} == {
        "not planted": Counter(),
        "not rejected": Counter(),
    }


def test_each_reject_names_the_rule_that_refused_it(defects: tuple[str, Consolidated]) -> None:
    system, done = defects
    for one in done.report.rejects:
        assert one.location is not None, one
        assert one.location.file.endswith(f"{system}/{one.table}.yaml"), one


def test_every_row_is_accounted_for(defects: tuple[str, Consolidated]) -> None:
    system, done = defects
    for counts in done.report.sources:
        assert counts.residue == 0
        assert counts.rejected == sum(one.table == counts.table for one in done.report.rejects)
    assert sum(counts.rejected for counts in done.report.sources) == sum(_planted(system).values())


def test_what_is_rejected_makes_nothing_and_is_kept_in_the_quarantine(defects: tuple[str, Consolidated]) -> None:
    system, done = defects
    kept = Counter(
        (str(row["source_table"]), row["source_key"] or "", str(row["code"]))
        for row in done.target.rows("select source_table, source_key, code from audit.migration_rejects")
    )
    assert kept == _planted(system)
    keys = {(one.table, one.key) for one in planted() if one.system == system}
    made = {
        (str(row["source_table"]), str(row["source_key"]))
        for row in done.target.rows("select source_table, source_key from audit.migration_lineage")
    }
    assert made & keys == set()
    assert made


def test_the_file_of_rejects_holds_what_the_report_does(defects: tuple[str, Consolidated]) -> None:
    _, done = defects
    assert done.report.rejects_file is not None
    lines = [json.loads(line) for line in done.report.rejects_file.read_text(encoding="utf-8").splitlines()]
    assert [line | {"key": line["key"] or ""} for line in lines] == done.json["rejects"]


@pytest.mark.parametrize("one", planted(), ids=lambda one: f"{one.system}.{one.table}-{one.key}-{one.code.value}")
def test_each_line_of_the_table_of_defects_plants_one_row(one: Planted) -> None:
    same = [other for other in planted() if (other.system, other.table, other.key) == (one.system, one.table, one.key)]
    assert {other.code for other in same} == {one.code}
    assert len(same) == 1 or one.code.value == "duplicate_key"
