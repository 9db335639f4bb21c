"""Reports: what a person sees and what a machine reads, byte for byte.

`CONSOLIDATE_GOLDEN=write uv run pytest tests/test_report.py` writes the golden files again; look before you commit.
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from consolidate.errors import ExitCode
from consolidate.model import RejectCode, RejectGroup
from consolidate.report import document, text
from consolidate.report.advice import ADVICE
from consolidate.report.cells import amount, plain, quoted, safe
from consolidate.report.inspection import inspection
from tests.reports import DIFFERENT, INSPECTION, JUDGED, LOADED, REFUSED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

    from consolidate.model import RunReport

GOLDEN = Path(__file__).parent / "golden"
REPORTS = {"loaded": LOADED, "refused": REFUSED, "judged": JUDGED, "different": DIFFERENT}


def rendered(parts: Iterable[RenderableType], width: int | None = None) -> str:
    if width is None:
        return text.plain(parts)
    console = Console(file=io.StringIO(), width=width, force_terminal=False, color_system=None)
    for part in parts:
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def assert_golden(name: str, found: str) -> None:
    file = GOLDEN / name
    if os.environ.get("CONSOLIDATE_GOLDEN") == "write":
        file.write_bytes(found.encode())
    assert found.encode() == file.read_bytes()


@pytest.mark.parametrize("name", REPORTS)
def test_the_report_of_a_run_is_as_published(name: str) -> None:
    assert_golden(f"{name}.txt", rendered(text.run(REPORTS[name])))


@pytest.mark.parametrize("name", REPORTS)
def test_the_json_of_a_run_is_as_published(name: str) -> None:
    assert_golden(f"{name}.json", document.text_of(document.run(REPORTS[name])))


def test_the_text_of_an_inspection_is_as_published() -> None:
    assert_golden("inspection.txt", rendered(inspection(INSPECTION)))


def test_the_json_of_an_inspection_is_as_published() -> None:
    assert_golden("inspection.json", document.text_of(document.inspection(INSPECTION, ExitCode.DONE)))


def test_the_json_has_the_keys_of_the_design_in_their_order() -> None:
    published = [
        "schema",
        "command",
        "run_id",
        "status",
        "exit_code",
        "sources",
        "targets",
        "rejects",
        "rejects_file",
        "checks",
        "controls",
        "seconds",
    ]
    assert list(document.run(LOADED))[: len(published)] == published
    assert list(document.failure("run", ExitCode.UNREACHABLE, ["x"]))[: len(published)] == published


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_a_report_loses_nothing_on_the_narrowest_terminal_it_is_drawn_for(report: RunReport) -> None:
    parts = tuple(text.run(report))
    width = text.least_width(parts)
    assert width <= 80
    narrow = rendered(parts, width)
    assert max(len(line) for line in narrow.splitlines()) <= width
    assert not Counter(rendered(parts)) - Counter(narrow) - Counter({" ": 9999, "─": 9999, "\n": 9999})


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_no_value_of_a_source_commands_the_terminal(report: RunReport) -> None:
    shown = rendered(text.run(report))
    assert not {character for character in shown if not character.isprintable()} - {"\n"}


def test_markup_in_a_value_stays_text() -> None:
    assert "[bold]Hold" in rendered(text.run(REFUSED))
    assert "[new]" in rendered(inspection(INSPECTION))


def test_every_reject_code_has_an_advice() -> None:
    assert set(ADVICE) == set(RejectCode)
    assert all(sentence.endswith(".") for sentence in ADVICE.values())


def test_accepted_codes_do_not_count_against_the_limit() -> None:
    assert text.counted_rejects(REFUSED) == 3
    assert text.conclusion(REFUSED) == "refused: 3 rejects, limit 0; nothing was loaded"


def test_a_refusal_that_is_not_about_rejects_says_why() -> None:
    report = dataclasses.replace(
        REFUSED, max_rejects=3, problems=("error[held]: another run holds the target\nhint: wait",)
    )
    assert text.conclusion(report) == "refused: another run holds the target; nothing was loaded"


def test_a_conflict_is_named_in_the_last_line() -> None:
    targets = tuple(dataclasses.replace(one, conflict=1) for one in LOADED.targets)
    report = dataclasses.replace(LOADED, status="refused", exit_code=6, targets=targets, reject_groups=())
    assert text.conclusion(report) == "refused: 2 conflicts; nothing was loaded"


def test_a_load_of_nothing_says_so() -> None:
    targets = tuple(dataclasses.replace(one, insert=0, update=0) for one in LOADED.targets)
    report = dataclasses.replace(LOADED, targets=targets)
    assert text.conclusion(report).startswith("nothing new: 7 rows unchanged; all that 2 sources hold is in ")


def test_many_kinds_of_rejects_are_summed_up_after_the_third() -> None:
    groups = tuple(
        RejectGroup(count=2, example=dataclasses.replace(REFUSED.rejects[1], column=f"column{number}"))
        for number in range(8)
    )
    shown = rendered(text.run(dataclasses.replace(REFUSED, reject_groups=groups)))
    assert "column2" in shown
    assert "column3" not in shown
    assert "10 more are in other tables and columns" in shown


@pytest.mark.parametrize(
    ("decimal", "shown"),
    [
        (None, "–"),  # noqa: RUF001 - the dash is what is shown
        ("0", "0"),
        ("-1234567.50000000", "-1,234,567.5"),
        ("0.00000001", "0.00000001"),
        ("99999999999999999999.12", "99,999,999,999,999,999,999.12"),
        ("NaN", "NaN"),
        ("1E+5", "1E+5"),
    ],
)
def test_an_amount_keeps_all_its_digits(decimal: str | None, shown: str) -> None:
    assert amount(decimal) == shown


def test_a_long_value_is_shortened_and_says_how_long_it_is() -> None:
    assert quoted("x" * 61) == f"'{'x' * 59}…' (61 characters)"
    assert quoted("x" * 60) == f"'{'x' * 60}'"
    assert quoted(None) == "null"
    assert quoted("null") == "'null'"


@given(st.text())
def test_what_is_shown_of_a_value_is_one_printable_line(value: str) -> None:
    for shown in (plain(value), quoted(value)):
        assert not [character for character in shown if not character.isprintable()]


@given(st.text())
def test_a_text_of_ours_keeps_its_lines_and_commands_nothing(value: str) -> None:
    assert safe(value).count("\n") == value.count("\n")
    assert "\x1b" not in safe(value)


@given(value=st.text(st.characters()))
def test_any_value_makes_json_that_reads_back(value: str) -> None:
    example = dataclasses.replace(REFUSED.rejects[0], value=value)
    encoded = document.text_of(document.run(dataclasses.replace(REFUSED, rejects=(example,)))).encode()
    assert json.loads(encoded)["rejects"][0]["value"] == value
