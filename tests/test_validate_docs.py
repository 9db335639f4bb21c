"""Data Docs of Great Expectations in the folder of a run; and that the library talks to nobody."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from consolidate import pipeline
from consolidate.project import load
from consolidate.report import text as shown
from consolidate.report.html import page
from tests import small, suites
from tests.test_validate_check import project

if TYPE_CHECKING:
    from pathlib import Path

_FOREIGN = re.compile(r"<(?:script|link|img|iframe)\b", re.IGNORECASE)

pytestmark = pytest.mark.data_docs


def test_a_run_has_data_docs_that_every_report_leads_to(
    tmp_path: Path, target_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = suites.trades(
        small_quantity="expect_column_values_to_be_between: {column: quantity, max_value: 38.12500000}",
        largest="expect_column_max_to_be_between: {column: quantity, max_value: 40.12500000}",
    ).replace("critical", "warning")
    file = project(tmp_path, own)
    monkeypatch.setenv("TARGET", target_dsn)
    loaded = pipeline.run(load(file))
    for report in (loaded, pipeline.validate(load(file), on_target=True)):
        index = report.data_docs
        assert index == report.run_dir / "data_docs" / "index.html"
        text = index.read_text(encoding="utf-8")
        pages = re.findall(r'href="([^"]+)"', text)
        assert len(pages) == len({check.suite for check in report.checks})
        assert "cannot draw" not in text
        assert "1 of 2 expectations passed" in text
        (mine,) = [one for one in pages if "small-own" in one]
        drawn = (index.parent / mine).read_text(encoding="utf-8")
        assert "40.125" in drawn
        assert "2 unexpected values found" in drawn or "2 unexpected" in drawn
        assert str(index) in shown.plain(shown.body(report)).replace("\n", "")
        assert index.as_uri() in page(report)


def test_data_docs_load_nothing_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = small.build(tmp_path)
    monkeypatch.setenv("TARGET", "postgresql://localhost:1/nothing")
    report = pipeline.validate(load(file))
    assert report.data_docs is not None
    pages = sorted(report.data_docs.parent.iterdir())
    assert len(pages) > 3
    for one in pages:
        text = one.read_text(encoding="utf-8")
        assert _FOREIGN.search(text) is None, one
        assert "default-src 'none'" in text


def test_judging_opens_no_connection_to_anybody(tmp_path: Path) -> None:
    file = small.build(tmp_path)
    script = (
        "import os, sys; os.environ['TARGET'] = 'postgresql://localhost:1/nothing';"
        "refuse = {'socket.connect', 'socket.getaddrinfo', 'socket.gethostbyname', 'socket.sendto'};"
        "sys.addaudithook(lambda name, _: name in refuse and os._exit(99));"
        f"from consolidate.cli.app import main; code = main(['validate', '-q', '-c', {str(file)!r}]);"
        "print(*sorted(set(sys.modules) & {'great_expectations', 'posthog'}), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.split()) == (0, ["great_expectations"])


@pytest.mark.parametrize("module", ["consolidate.pipeline", "consolidate.validate", "consolidate.execution"])
def test_nothing_but_judging_imports_great_expectations(module: str) -> None:
    script = f"import sys, {module}; print('great_expectations' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
