"""Control totals: what the source says, what of it was rejected and what is in the target, side by side."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from consolidate import fixtures, pipeline, project
from tests import projects, small

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from consolidate.model import Control, RunReport

ACCEPT = "limits: {max_rejects: 1000}\n"


def loaded(folder: Path, dsn: str, *statements: str) -> Mapping[tuple[str, str], Control]:
    file = small.build(folder, rest=ACCEPT)
    with small.store(folder) as store:
        for statement in statements:
            store.execute(statement)
    report = pipeline.run(project.load(file, {"TARGET": dsn}))
    assert report.status == "loaded", report.problems
    return by_measure(report)


def by_measure(report: RunReport) -> Mapping[tuple[str, str], Control]:
    return {(one.table, one.measure): one for one in report.controls}


def sides(control: Control) -> tuple[str | None, str | None, str | None]:
    assert (control.status, control.difference) == ("equal", "0")
    return control.source_value, control.rejected_value, control.target_value


def of(ids: range, place: int) -> Decimal:
    return sum((Decimal(small.trade(number)[place]) for number in ids), Decimal(0))


def test_without_rejects_nothing_was_rejected(tmp_path: Path, target_dsn: str) -> None:
    found = loaded(tmp_path, target_dsn)
    assert sides(found["trading.trades", "count"]) == ("40", "0", "40")
    whole = f"{of(range(1, 41), 5)}000000"
    assert sides(found["trading.trades", "sum(pnl_usd)"]) == (whole, "0", whole)
    assert all(control.rejected_reason is None for control in found.values())


def test_the_values_of_rejected_rows_are_summed_where_they_are_known(tmp_path: Path, target_dsn: str) -> None:
    found = loaded(
        tmp_path,
        target_dsn,
        "update trades set side = 'hold' where id in (3, 4)",
        "update trades set entry_time = '2001-01-01T00:00:00+00:00' where id = 3",
    )
    assert sides(found["trading.trades", "count"]) == ("40", "2", "38")
    rejected, whole = of(range(3, 5), 5), of(range(1, 41), 5)
    source, out, target = sides(found["trading.trades", "sum(pnl_usd)"])
    assert (Decimal(source or ""), Decimal(out or ""), Decimal(target or "")) == (whole, rejected, whole - rejected)
    source, out, target = sides(found["trading.trades", "min(entry_time)"])
    assert source == out == "2001-01-01T00:00:00Z"
    assert target is not None
    assert target > "2025"
    assert sides(found["trading.trades", "count(status = filled)"]) == ("40", "2", "38")
    assert sides(found["audit.risk_events", "count"]) == ("20", "0", "20")


def test_what_cannot_be_measured_is_null_and_says_why(tmp_path: Path, target_dsn: str) -> None:
    found = loaded(
        tmp_path,
        target_dsn,
        "update trades set quantity = 'much' where id = 3",
        "update trades set quantity = '1.123456789' where id = 4",
    )
    assert sides(found["trading.trades", "count"]) == ("40", "2", "38"), "a row each, whatever is in it"
    quantity = found["trading.trades", "sum(quantity)"]
    assert quantity.rejected_value is None
    assert quantity.rejected_reason == "the values of 2 rejected rows are not known"
    assert quantity.source_value == quantity.target_value
    price = found["trading.trades", "sum(entry_price)"]
    assert price.rejected_reason == "the values of 1 rejected rows are not known"


def test_a_table_of_which_all_rows_are_rejected_has_its_totals(tmp_path: Path, target_dsn: str) -> None:
    found = loaded(tmp_path, target_dsn, "update trades set side = 'hold'")
    count = found["trading.trades", "count"]
    assert (count.source_value, count.rejected_value, count.target_value) == ("40", "40", "0")
    total = found["trading.trades", "sum(pnl_usd)"]
    assert Decimal(total.source_value or "") == Decimal(total.rejected_value or "") == of(range(1, 41), 5)


@pytest.mark.parametrize("system", ["momentum", "lxalgo"])
def test_source_is_rejected_and_target_together_for_every_measure(tmp_path: Path, target_dsn: str, system: str) -> None:
    fixtures.build(system, fixtures.DEFECTS, tmp_path)
    file = projects.write(tmp_path, system, limits="{max_rejects: 1000}")
    report = pipeline.run(project.load(file, {"TARGET": target_dsn}))
    assert report.status == "loaded", report.problems
    assert any(control.rejected_value not in (None, "0") for control in report.controls)
    for control in report.controls:
        assert control.status == "equal"
        if control.measure.startswith(("count", "sum")) and control.rejected_value is not None:
            rest = Decimal(control.source_value or 0) - Decimal(control.rejected_value)
            assert rest == Decimal(control.target_value or 0), control
        assert (control.rejected_value is None) >= (control.rejected_reason is not None)
