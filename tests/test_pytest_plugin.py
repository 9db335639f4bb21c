"""The pytest plugin: the cases of an operator's own repository are tests there, and nobody else notices it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from tests import small_bot

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

pytest_plugins = ["pytester"]

HEAVY = (
    "duckdb",
    "psycopg",
    "polars",
    "pyarrow",
    "sqlalchemy",
    "great_expectations",
    "rich",
    "typer",
    "psutil",
    "yaml",
)


def written(pytester: pytest.Pytester) -> Path:
    """The small bot in a repository of its own, with a second case that does not pass; the folder of the cases."""
    first = small_bot.write(pytester.path)
    changed = first.parent / "changed"
    shutil.copytree(first, changed)
    table = changed / "expected" / "trading.trades.yaml"
    text = table.read_text(encoding="utf-8")
    table.write_text(text.replace("side: sell", "side: buy"), encoding="utf-8")
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\nfilterwarnings = ['error']\n")
    return first.parent


def test_cases_are_tests_with_failures_that_name_the_cell(pytester: pytest.Pytester) -> None:
    place = written(pytester)
    shutil.copytree(place / "first", place / "broken")
    (place / "broken" / "case.yaml").write_text("abuot: x\n", encoding="utf-8")
    pytester.makepyfile("def test_of_the_operator():\n    pass\n")
    ended = pytester.runpytest_subprocess("-v", "-p", "no:cacheprovider", "-p", "no:xdist", timeout=240)
    ended.assert_outcomes(passed=2, failed=2)
    told = str(ended.stdout)
    assert "small/cases/first/case.yaml::small/first PASSED" in told
    assert "small/changed differs: 1 difference" in told
    assert "    side: expected 'buy' → got 'sell'" in told
    assert "small/trades.yaml:17:5]" in told
    assert "error[unknown-key]: 'abuot' is no key of case.yaml" in told
    assert "Traceback" not in told
    assert "warnings summary" not in told


def test_processes_of_xdist_share_a_server_and_can_update(pytester: pytest.Pytester) -> None:
    place = written(pytester)
    ended = pytester.runpytest_subprocess("-n2", "--consolidate-update", timeout=240)
    ended.assert_outcomes(passed=1, failed=1)
    assert "small/changed updated: 1 difference; rewritten: expected/trading.trades.yaml" in str(ended.stdout)
    assert "side: sell" in (place / "changed" / "expected" / "trading.trades.yaml").read_text(encoding="utf-8")


def test_who_has_no_cases_does_not_notice_the_plugin(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import sys\n\n"
        "def test_start():\n"
        "    assert 'consolidate.pytest_plugin' in sys.modules\n"
        f"    assert [name for name in {HEAVY} if name in sys.modules] == []\n"
    )
    ended = pytester.runpytest_subprocess("-p", "no:xdist", "-W", "error")
    ended.assert_outcomes(passed=1)
    written(pytester)
    left_out = pytester.runpytest_subprocess("-p", "no:consolidate", "-p", "no:xdist", "--collect-only", "-q")
    assert "case.yaml" not in str(left_out.stdout)
