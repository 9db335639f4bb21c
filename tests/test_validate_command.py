"""`consolidate validate` and the suites in `run`: who is asked, what refuses, what is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from consolidate import pipeline
from consolidate.errors import ConflictError, ExitCode, UnreachableError, UsageError
from consolidate.postgres import connect
from consolidate.project import load
from consolidate.report import text as shown
from consolidate.report.html import page
from consolidate.report.junit import junit
from consolidate.report.markdown import markdown
from tests import projects, small, suites
from tests.command import consolidate
from tests.test_validate_check import project

if TYPE_CHECKING:
    from pathlib import Path

_NOWHERE = "postgresql://nobody:c4nary@localhost:1/nothing"
_SMALL_QUANTITY = "expect_column_values_to_be_between: {column: quantity, max_value: 39}"
_LARGE_QUANTITY = "expect_column_values_to_be_between: {column: quantity, max_value: 1000}"


def test_candidates_are_judged_without_a_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = small.build(tmp_path)
    monkeypatch.setenv("TARGET", _NOWHERE)
    report = pipeline.validate(load(file))
    assert (report.status, report.exit_code, report.problems) == ("planned", ExitCode.DONE, ())
    assert {check.status for check in report.checks} == {"passed"}
    assert {"trading.trades", "audit.risk_events", "across"} <= {check.suite for check in report.checks}
    assert shown.conclusion(report).startswith("in order: the candidates: ")
    assert {one.name for one in report.run_dir.iterdir()} >= {"report.json", "rejects.jsonl"}
    assert not list(report.run_dir.glob("staging*"))
    assert not (tmp_path / ".consolidate" / "postgres").exists()


def test_an_own_suite_is_judged_and_refuses_run_plan_and_validate(
    tmp_path: Path, target_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = project(tmp_path, suites.trades(small_quantity=_SMALL_QUANTITY, large=_LARGE_QUANTITY))
    monkeypatch.setenv("TARGET", target_dsn)
    for report in (pipeline.validate(load(file)), pipeline.plan(load(file)), pipeline.run(load(file))):
        assert (report.status, report.exit_code) == ("refused", ExitCode.FINDINGS)
        own = {check.name: check for check in report.checks if check.suite == "small/own"}
        assert {name: check.status for name, check in own.items()} == {"small_quantity": "failed", "large": "passed"}
        assert own["small_quantity"].failing == 2
        assert "error[suite-failed]: 1 expectation of the suites refuses the load" in report.problems[0]
        assert (report.run_dir / "failing" / "small-own-small_quantity.csv").is_file()
    with connect(target_dsn, what="the target") as connection:
        assert connection.execute(b"select count(*) from trading.trades").fetchone() == (0,)


def test_a_warning_is_shown_and_refuses_nothing(
    tmp_path: Path, target_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = suites.trades(small_quantity=_SMALL_QUANTITY).replace("critical", "warning")
    monkeypatch.setenv("TARGET", target_dsn)
    report = pipeline.run(load(project(tmp_path, own)))
    assert report.status == "loaded"
    assert "failed (warning): small/own/small_quantity: 2 of 40 rows" in shown.plain(shown.body(report))


def test_an_expectation_that_raised_refuses_even_as_a_warning(
    tmp_path: Path, target_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising = suites.query("select id from {batch} where cast(symbol as integer) = 1")
    own = suites.trades(raising=raising).replace("critical", "warning")
    monkeypatch.setenv("TARGET", target_dsn)
    file = project(tmp_path, own)
    for report in (pipeline.validate(load(file)), pipeline.run(load(file))):
        assert (report.status, report.exit_code) == ("refused", ExitCode.FINDINGS)
        assert [check.name for check in report.checks if check.status == "errored"] == ["raising"]
        assert "could not be judged: small/own/raising" in shown.plain(shown.body(report))


def test_a_wrong_suite_is_exit_code_2_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = project(tmp_path, suites.trades(a="expect_column_values_to_be_between: {column: fees, min_valu: 0}"))
    monkeypatch.setenv("TARGET", _NOWHERE)
    for on_target in (False, True):
        with pytest.raises((UsageError, UnreachableError)) as error:
            pipeline.validate(load(file), on_target=on_target)
        assert on_target or error.value.problems[0].code == "unknown-argument"
        assert "c4nary" not in str(error.value)
    assert list((tmp_path / ".consolidate" / "runs").iterdir()) == []


# When rejects refuse


def test_where_rejects_refuse_the_suites_are_not_asked_and_every_report_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = small.build(tmp_path)
    with small.store(tmp_path) as store:
        store.execute("update trades set side = 'hold' where id = 3")
    monkeypatch.setenv("TARGET", _NOWHERE)
    report = pipeline.validate(load(file))
    assert (report.exit_code, report.checks) == (ExitCode.FINDINGS, ())
    assert report.suites_not_asked is not None
    said = shown.plain([*shown.body(report), *shown.ending(report)])
    assert "suites: NOT asked" in said
    assert "no expectation was asked" in said
    assert "NOT asked" in markdown(report)
    assert "NOT asked" in page(report)
    kept = json.loads((report.run_dir / "report.json").read_text(encoding="utf-8"))
    assert kept["suites_not_asked"] == report.suites_not_asked
    suite = ET.fromstring(junit(report).split("\n", 1)[1]).find("testsuite[@name='suites']")
    assert suite is not None
    assert suite.get("skipped") == "1"


# The live target


@pytest.mark.parametrize("systems", [("momentum", "lxalgo")])
def test_both_places_give_the_same_verdicts_on_what_was_loaded(
    systems: tuple[str, ...], tmp_path: Path, target_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = projects.build(tmp_path, *systems)
    monkeypatch.setenv("TARGET", target_dsn)
    loaded = pipeline.run(load(file))
    assert loaded.status == "loaded"
    live = pipeline.validate(load(file), on_target=True)
    there = {(check.suite, check.name): (check.status, check.failing) for check in live.checks}
    assert there == {(check.suite, check.name): (check.status, check.failing) for check in loaded.checks}
    assert len(there) > 50
    assert (live.status, live.exit_code, live.tables_without_rows) == ("loaded", 0, loaded.tables_without_rows)


def test_what_somebody_wrote_into_the_target_is_found_there(
    tmp_path: Path, target_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = project(tmp_path, suites.trades(small_quantity=_SMALL_QUANTITY))
    monkeypatch.setenv("TARGET", target_dsn)
    text = (tmp_path / "small" / "expectations" / "own.yaml").read_text(encoding="utf-8")
    suites.written(tmp_path / "small", text.replace("critical", "warning"))
    assert pipeline.run(load(file)).status == "loaded"
    with connect(target_dsn, what="the target") as connection:
        connection.execute(b"update trading.trades set position_size_usd = position_size_usd + 1 where quantity < 4")
    report = pipeline.validate(load(file), on_target=True)
    assert (report.status, report.exit_code) == ("failed", ExitCode.FINDINGS)
    failed = {check.name: check for check in report.checks if check.status == "failed"}
    assert set(failed) == {"position_size_is_quantity_times_price", "small_quantity"}
    assert failed["position_size_is_quantity_times_price"].failing == 3
    assert "fails on the rows of the target" in report.problems[0]
    assert "nothing was written" in shown.conclusion(report)


def test_a_target_without_the_schema_is_told(tmp_path: Path, empty_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = small.build(tmp_path)
    monkeypatch.setenv("TARGET", empty_dsn)
    with pytest.raises(ConflictError, match="no-schema"):
        pipeline.validate(load(file), on_target=True)


# The command


def test_the_command_ends_as_its_verdicts(tmp_path: Path, target_dsn: str) -> None:
    project(tmp_path, suites.trades(small_quantity=_SMALL_QUANTITY))
    environment = {"TARGET": target_dsn}
    refused = consolidate(
        "validate", "--json", "-", "--junit", "junit.xml", "--html", "page.html", cwd=tmp_path, environment=environment
    )
    assert refused.code == 4
    document = json.loads(refused.out)
    assert (document["command"], document["status"], document["exit_code"]) == ("validate", "refused", 4)
    assert "refused: the candidates: 1 of " in refused.err
    assert "Traceback" not in refused.err
    assert "small_quantity" in (tmp_path / "junit.xml").read_text(encoding="utf-8")
    assert "expectations passed" in (tmp_path / "page.html").read_text(encoding="utf-8")
    live = consolidate("validate", "--on", "target", "-q", cwd=tmp_path, environment=environment)
    assert (live.code, live.out, live.err) == (0, "", "")
    wrong = consolidate("validate", "--on", "sources", cwd=tmp_path, environment=environment)
    assert wrong.code == 2
