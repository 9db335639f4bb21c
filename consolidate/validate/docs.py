"""Data Docs: the verdicts as Great Expectations' own pages show them, one for each suite, and an index of them.

The pages of the library load styles and scripts from five hosts. Ours load nothing, and say so to the browser: what
is foreign is taken out, and a style of our own put in its place.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Final

from consolidate.report.cells import rows, safe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from consolidate.validate.judge import Judged, Verdict

FOLDER: Final = "data_docs"

_FOREIGN: Final = re.compile(
    r"<script\b.*?</script>|<link\b[^>]*>|<img\b[^>]*>|<button\b.*?</button>|<title>Data documentation[^<]*</title>",
    re.DOTALL | re.IGNORECASE,
)
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST: Final = 200
_HEAD: Final = """<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
td, th { border: 1px solid #8886; padding: .4rem .6rem; text-align: left; vertical-align: top; }
td, th { overflow-wrap: anywhere; }
.modal, .ge-walkthrough-modal, .ge-navigation-sidebar-container, .navbar, .cooltip .top, footer { display: none; }
.alert, pre { white-space: pre-wrap; overflow-wrap: anywhere; }
</style>
"""


def write(judged: Judged, folder: Path) -> Path:
    """Write the pages below `folder`; the index, which leads to all of them."""
    suites: dict[str, list[Verdict]] = {}
    for verdict in judged.verdicts:
        suites.setdefault(verdict.check.suite, []).append(verdict)
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, (name, verdicts) in enumerate(suites.items()):
        passed = sum(one.check.status == "passed" for one in verdicts)
        file = f"{number:02}-{_UNSAFE.sub('-', name)}.html"
        try:
            (folder / file).write_text(_page(name, verdicts), encoding="utf-8", errors="backslashreplace")
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - a page that the library cannot draw is told, and refuses nothing
            link = f"{_text(name)} (Great Expectations cannot draw it: {_text(str(error)[:_LONGEST])})"
        else:
            link = f'<a href="{file}">{_text(name)}</a>'
        lines.append(f"<tr><td>{link}</td><td>{passed} of {rows(len(verdicts), 'expectation')} passed</td></tr>\n")
    index = folder / "index.html"
    index.write_text(
        f'<!doctype html>\n<html lang="en">\n<head>\n{_HEAD}<title>Data Docs</title>\n</head>\n<body>\n'
        f"<h1>Data Docs of the suites</h1>\n<table>\n{''.join(lines)}</table>\n</body>\n</html>\n",
        encoding="utf-8",
        errors="backslashreplace",
    )
    return index


def _page(name: str, verdicts: Sequence[Verdict]) -> str:
    from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResult
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
    from great_expectations.render.view.view import DefaultJinjaPageView

    passed = sum(one.check.status == "passed" for one in verdicts)
    result = ExpectationSuiteValidationResult(
        success=not any(one.check.refuses for one in verdicts),
        results=[one.result for one in verdicts],
        suite_name=name,
        statistics={
            "evaluated_expectations": len(verdicts),
            "successful_expectations": passed,
            "unsuccessful_expectations": len(verdicts) - passed,
            "success_percent": 100 * passed / len(verdicts),
        },
        meta={"run_id": RunIdentifier(run_name=name), "batch_spec": {}, "active_batch_definition": {}},
    )
    drawn: str = DefaultJinjaPageView().render(ValidationResultsPageRenderer().render(result))  # type: ignore[no-untyped-call] # has no types
    return _FOREIGN.sub("", drawn).replace("<head>", f"<head>\n{_HEAD}", 1)


def _text(text: str) -> str:
    return escape(safe(text))
