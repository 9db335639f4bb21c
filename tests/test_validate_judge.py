"""Suites judged: exactly, on candidates as on a live target; every failing row told; what did not run never passes."""

from __future__ import annotations

import csv
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consolidate import validate
from consolidate.mapping.yaml import Problems
from consolidate.target.contract import expected
from consolidate.validate import engine
from consolidate.validate.definitions import built
from consolidate.validate.judge import judge
from tests import candidates, suites

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from great_expectations.validator.validator import ValidationDependencies

    from consolidate.validate.grounds import Ground

_WHOLE = "123456789012"
_THREE = tuple(
    candidates.trade(str(number), quantity=f"{_WHOLE}.0000000{number}", entry_price="1", position_size_usd="1")
    for number in range(3)
)
_BETWEEN = "expect_column_values_to_be_between: {column: quantity, "
_PAIR = "expect_column_pair_values_to_be_in_set: {column_A: quantity, column_B: entry_price, "
_BOTH = "expect_multicolumn_sum_to_equal: {column_list: [quantity, entry_price], "
_OF_TWO = "{type: comparison, column: {name: trade_id}, operator: ==, parameter: alpha_001_2}"
_NEARBY = {
    "at_least": (f"{_BETWEEN}min_value: {_WHOLE}.00000001}}", 1),
    "above": (f"{_BETWEEN}min_value: {_WHOLE}.00000001, strict_min: true}}", 2),
    "at_most_whole": (f"{_BETWEEN}max_value: {_WHOLE}}}", 2),
    "in_set": (
        f"expect_column_values_to_be_in_set: {{column: quantity, value_set: [{_WHOLE}.00000001, {_WHOLE}]}}",
        1,
    ),
    "not_in_set": (
        f"expect_column_values_to_not_be_in_set: {{column: quantity, value_set: [{_WHOLE}.00000001, {_WHOLE}]}}",
        2,
    ),
    "pair": (
        f"{_PAIR}value_pairs_set: [[{_WHOLE}.00000002, 1]]}}",
        2,
    ),
    "sum_of_two": (
        f"{_BOTH}sum_total: {_WHOLE[:-1]}3.00000001}}",
        2,
    ),
    "unique": ("expect_column_values_to_be_unique: {column: quantity}", 0),
    "by_query": (suites.query(f"select id, trade_id from {{batch}} where quantity > {_WHOLE}.00000001"), 1),
}
_AGGREGATES = {
    "max": ("expect_column_max_to_be_between", f"{_WHOLE}.00000002"),
    "min": ("expect_column_min_to_be_between", f"{_WHOLE}.00000000"),
    "sum": ("expect_column_sum_to_be_between", "370370367036.00000003"),
}


@pytest.fixture(params=["candidates", "target"])
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground]:
    """Three trades whose quantities differ in the 8th decimal at 12 digits before the point."""
    with ExitStack() as stack:
        if request.param == "candidates":
            yield stack.enter_context(suites.on_candidates(tmp_path, (candidates.bot(), *_THREE)))
        else:
            dsn = request.getfixturevalue("target_dsn")
            suites.insert(dsn, (candidates.bot(), *_THREE))
            yield stack.enter_context(suites.on_target(dsn))


# Exactly


def test_the_eighth_decimal_at_twelve_digits_decides(ground: Ground, tmp_path: Path) -> None:
    found = suites.verdicts(ground, tmp_path, suites.trades(**{name: asked for name, (asked, _) in _NEARBY.items()}))
    assert {name: check.failing for name, check in found.items()} == {name: n for name, (_, n) in _NEARBY.items()}
    assert found["at_least"].failing_keys == ("alpha_001_0",)


def test_what_is_computed_of_decimals_is_compared_exactly(ground: Ground, tmp_path: Path) -> None:
    asked = {}
    for name, (kind, value) in _AGGREGATES.items():
        off = Decimal(value) + Decimal("0.00000001")
        asked[name] = f"{kind}: {{column: quantity, min_value: {value}, max_value: {value}}}"
        asked[f"{name}_off"] = f"{kind}: {{column: quantity, min_value: {off}, max_value: {off}}}"
    found = suites.verdicts(ground, tmp_path, suites.trades(**asked))
    assert {name: check.status for name, check in found.items()} == {
        name: "failed" if name.endswith("_off") else "passed" for name in asked
    }
    assert found["sum"].observed == "370370367036.00000003"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(number=st.decimals(min_value=-(10**12), max_value=10**12, places=8, allow_nan=False))
def test_every_number_of_a_suite_is_compared_as_it_was_written(number: Decimal, tmp_path: Path) -> None:
    engine.require()
    text = suites.trades(one=f"{_BETWEEN}min_value: {number:f}}}")
    (suite,) = validate.own([suites.written(tmp_path, text)])
    (said,) = suite.expectations
    made = built(said, Problems())
    assert made is not None
    again = made.configuration.to_domain_obj()
    assert made.configuration.kwargs["min_value"] == again.configuration.kwargs["min_value"] == number


# Every failing row


def test_every_failing_row_is_exported_with_its_source_row(tmp_path: Path) -> None:
    rows = [candidates.trade(f"{number:04}", fees="-1" if number % 3 else "1") for number in range(1_500)]
    with suites.on_candidates(tmp_path, (candidates.bot(), *rows)) as ground:
        found = suites.verdicts(
            ground,
            tmp_path,
            suites.trades(
                fees="expect_column_values_to_be_between: {column: fees, min_value: 0}",
                by_query=suites.query("select t.id, t.trade_id, t.fees from {batch} t where fees < 0; "),
            ),
        )
    for check in found.values():
        assert (check.status, check.failing) == ("failed", 1_000)
        assert check.failing_file is not None
        with check.failing_file.open(encoding="utf-8", newline="") as file:
            exported = list(csv.DictReader(file))
        assert [row["source_key"] for row in exported] == [f"{n:04}" for n in range(1_500) if n % 3]
        assert {(row["source"], row["source_table"], row["fees"]) for row in exported} == {
            ("alpha", "trades", "-1.00000000")
        }
        assert exported[0]["trade_id"] == "alpha_001_0001"


def test_every_failing_row_of_the_target_is_exported(target_dsn: str, tmp_path: Path) -> None:
    rows = (candidates.trade(f"{number:04}", fees="-0.00000001") for number in range(300))
    suites.insert(target_dsn, [candidates.bot(), *rows])
    with suites.on_target(target_dsn) as ground:
        found = suites.verdicts(
            ground,
            tmp_path,
            suites.trades(fees="expect_column_values_to_be_between: {column: fees, min_value: 0}"),
        )
    file = found["fees"].failing_file
    assert file is not None
    exported = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    assert {row["trade_id"] for row in exported} == {f"alpha_001_{n:04}" for n in range(300)}
    assert {row["fees"] for row in exported} == {"-0.00000001"}


def test_failing_rows_are_those_of_the_condition_and_of_what_is_unique_together(ground: Ground, tmp_path: Path) -> None:
    found = suites.verdicts(
        ground,
        tmp_path,
        suites.trades(
            together="expect_compound_columns_to_be_unique: {column_list: [side, symbol]}",
            unique="expect_column_values_to_be_unique: {column: symbol}",
            alone=f"expect_column_values_to_be_unique: {{column: symbol, row_condition: {_OF_TWO}}}",
            conditional=f"{_BETWEEN}max_value: 1, row_condition: {_OF_TWO}}}",
            twice=suites.query("select id, trade_id, id, trade_id from {batch} where trade_id like '%_1'"),
        ),
    )
    assert found["together"].failing == 3
    assert found["unique"].failing == 3
    assert found["alone"].status == "passed"
    assert found["conditional"].failing_keys == ("alpha_001_2",)
    assert found["twice"].failing_keys == ("alpha_001_1",)


def test_what_mostly_allows_passes_and_is_counted(ground: Ground, tmp_path: Path) -> None:
    asked = suites.trades(mostly=f"{_BETWEEN}min_value: {_WHOLE}.00000001, mostly: 0.6}}")
    check = suites.verdicts(ground, tmp_path, asked)["mostly"]
    assert (check.status, check.failing) == ("passed", 1)
    assert check.observed == "1 of 3 rows, which `mostly` allows"


def test_names_that_make_the_same_file_name_keep_their_rows_apart(ground: Ground, tmp_path: Path) -> None:
    text = suites.trades(**{"a b": f"{_BETWEEN}max_value: 1}}", "a-b": f"{_BETWEEN}max_value: {_WHOLE}}}"})
    found = suites.verdicts(ground, tmp_path, text)
    files = {name: check.failing_file for name, check in found.items()}
    assert {name: file and len(file.read_text().splitlines()) for name, file in files.items()} == {"a b": 4, "a-b": 3}


# What did not run never passes


def test_a_query_that_raises_is_errored_and_stops_no_other(ground: Ground, tmp_path: Path) -> None:
    found = suites.verdicts(
        ground,
        tmp_path,
        suites.trades(
            before=suites.query("select id from {batch} where quantity < 0"),
            raises=suites.query("select id from {batch} where cast(symbol as integer) = 1"),
            no_column=suites.query("select id, no_such from {batch}"),
            writes=suites.query("update trading.trades set fees = 0 where '{batch}' = ''"),
            after=f"{_BETWEEN}min_value: 0}}",
        ),
    )
    assert {name: check.status for name, check in found.items()} == {
        "before": "passed",
        "raises": "errored",
        "no_column": "errored",
        "writes": "errored",
        "after": "passed",
    }
    assert found["no_column"].refuses
    assert "no_such" in found["no_column"].observed
    assert "Traceback" not in "".join(check.observed for check in found.values())


def test_an_expectation_that_the_library_cannot_begin_with_is_errored_alone(ground: Ground, tmp_path: Path) -> None:
    engine.require()
    from great_expectations.expectations.core.expect_column_max_to_be_between import ExpectColumnMaxToBeBetween

    class ExpectTheImpossible(ExpectColumnMaxToBeBetween):
        def get_validation_dependencies(self, *_: object, **__: object) -> ValidationDependencies:
            raise KeyError("of the library")

    text = suites.trades(impossible=f"{_BETWEEN}min_value: 0}}", fine=f"{_BETWEEN}min_value: 1}}")
    impossible, fine = validate.asked(validate.own([suites.written(tmp_path, text)]), Problems())
    kind = ExpectTheImpossible(column="quantity", max_value=1)
    rows = {table.name: ground.rows(table.name) for table in expected().tables}
    one, other = judge(ground, [replace(impossible, built=kind), fine], rows, tmp_path / "failing").checks
    assert (one.status, one.refuses) == ("errored", True)
    assert other.status == "passed"


def test_a_colon_and_a_percent_sign_in_a_query_are_text(ground: Ground, tmp_path: Path) -> None:
    sql = "select id, trade_id from {batch} where ':side' = ':side' and symbol like 'BTC%' and 7 % 4 = 3"
    check = suites.verdicts(ground, tmp_path, suites.trades(text=suites.query(sql)))["text"]
    assert (check.status, check.failing) == ("failed", 3)


# Empty, and one row


def test_of_an_empty_table_only_the_table_is_judged(tmp_path: Path) -> None:
    with suites.on_candidates(tmp_path, [candidates.bot()]) as ground:
        found = suites.verdicts(
            ground,
            tmp_path,
            suites.trades(
                rows="expect_table_row_count_to_be_between: {min_value: 1}",
                column="expect_column_to_exist: {column: quantity}",
                cells="expect_column_values_to_not_be_null: {column: quantity}",
                largest="expect_column_max_to_be_between: {column: quantity, max_value: 5}",
            ),
        )
    assert {name: check.status for name, check in found.items() if check.name != "largest"} == {
        "rows": "failed",
        "column": "passed",
    }
    assert found["largest"].status in {"passed", "failed"}


def test_a_table_of_one_row_is_judged_by_all_suites(tmp_path: Path) -> None:
    with suites.staged(tmp_path, [candidates.bot()]) as staging:
        judged = validate.of_candidates(staging, (), tmp_path / "failing")
    assert [check for check in judged.checks if check.status != "passed"] == []
    assert {check.table for check in judged.checks} == {"trading.bots"}
    assert "trading.trades" in judged.without_rows


def test_one_trade_passes_and_one_bad_trade_fails(tmp_path: Path) -> None:
    good = candidates.trade("1", pnl_usd="-1", exit_price="39999")
    with suites.staged(tmp_path / "good", [candidates.bot(), good]) as staging:
        passed = validate.of_candidates(staging, (), tmp_path / "failing")
    with suites.staged(tmp_path / "bad", [candidates.bot(), good.but(fees="-1")]) as staging:
        failed = validate.of_candidates(staging, (), tmp_path / "failing")
    assert {check.status for check in passed.checks} == {"passed"}
    assert [check.name for check in failed.checks if check.status != "passed"] == ["fees_are_not_negative"]
