"""The page, the Markdown and the JUnit XML of a run: byte for byte, below their sizes, and deaf to what sources say.

`CONSOLIDATE_GOLDEN=write uv run pytest tests/test_pages.py` writes the golden files again; look before you commit.
"""

from __future__ import annotations

import dataclasses
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st

from consolidate.model import RejectCode, RunReport
from consolidate.report import charts, tables
from consolidate.report.html import MOST_BYTES, page
from consolidate.report.junit import junit
from consolidate.report.markdown import MOST_LINES, markdown
from tests.pages import EVIL, PICTURED, SMALL, evil, huge, moment
from tests.reports import DIFFERENT, JUDGED, LOADED, REFUSED
from tests.test_report import assert_golden

if TYPE_CHECKING:
    from collections.abc import Callable

REPORTS = {"loaded": LOADED, "refused": REFUSED, "judged": JUDGED, "different": DIFFERENT}
FAILED = RunReport(
    command="plan", run_id="", status="failed", exit_code=7, run_dir=Path(), target="", problems=("error[x]: no",)
)
SCHEMA = Path(__file__).parent / "junit.xsd"


class Seen(HTMLParser):
    """Every tag with its attributes, and all text outside of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] not in {"script", "style"}:
            self.texts.append(data)

    def cells(self) -> list[str]:
        return [text.strip() for text in self.texts if text.strip()]


def test_the_page_of_a_run_is_as_published() -> None:
    assert_golden("page.html", page(SMALL))


@pytest.mark.parametrize("name", REPORTS)
def test_the_markdown_of_a_run_is_as_published(name: str) -> None:
    assert_golden(f"{name}.md", markdown(REPORTS[name]))


@pytest.mark.parametrize("name", REPORTS)
def test_the_junit_of_a_run_is_as_published(name: str) -> None:
    assert_golden(f"{name}.xml", junit(REPORTS[name]))


@pytest.mark.parametrize("render", [page, markdown, junit])
def test_the_same_report_gives_the_same_bytes(render: Callable[[RunReport], str]) -> None:
    assert render(PICTURED) == render(PICTURED)


@pytest.mark.parametrize("render", [page, markdown, junit])
def test_a_command_that_ended_before_a_run_has_a_report(render: Callable[[RunReport], str]) -> None:
    assert "no" in render(FAILED)


@pytest.mark.parametrize("text", EVIL)
def test_no_text_of_a_source_is_markup_of_the_page(text: str) -> None:
    harmless = Seen(page(evil("harmless")))
    seen = Seen(page(evil(text)))
    assert [tag for tag, _ in seen.tags] == [tag for tag, _ in harmless.tags]
    for tag, attributes in seen.tags:
        assert not [name for name in attributes if name.startswith("on")]
        assert tag not in {"img", "iframe", "form", "link", "object", "embed", "base"}
        for name in ("href", "src"):
            assert (attributes.get(name) or "#").startswith("#")


@pytest.mark.parametrize("text", EVIL)
def test_no_cell_of_the_page_is_a_formula(text: str) -> None:
    made = tables.changed(evil(text), 10), tables.rejects(evil(text), 10), tables.money(evil(text), 10)
    for table in made:
        for row in table.rows:
            for cell, column in zip(row, table.columns, strict=True):
                assert column.number or not cell.text.startswith(("=", "+", "@", "-"))


def test_a_number_below_zero_is_no_formula() -> None:
    assert [tables.name(one) for one in ("-1.5", "+7", "-", "-x", "=1", "a=b", "@a")] == [
        "-1.5",
        "+7",
        "-",
        "'-x'",
        "'=1'",
        "a=b",
        "'@a'",
    ]


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(), max_size=60))
def test_any_text_gives_the_tags_that_an_ordinary_one_gives(text: str) -> None:
    without = dataclasses.replace(evil(text), charts=None)
    ordinary = dataclasses.replace(evil("x"), charts=None)
    assert [tag for tag, _ in Seen(page(without)).tags] == [tag for tag, _ in Seen(page(ordinary)).tags]


def test_the_page_reaches_nothing_outside_of_itself() -> None:
    text = page(PICTURED)
    policy = next(attributes for tag, attributes in Seen(text).tags if "content" in attributes and tag == "meta")
    assert "default-src 'none'" in (policy["content"] or "")
    assert text.count("<script>") == 1
    addresses = {part.split('"')[0] for part in text.split("http")[1:]}
    assert {address for address in addresses if "w3.org" not in address and "-equiv" not in address} == set()


def test_every_table_has_a_caption_and_headings_with_a_scope() -> None:
    tags = Seen(page(PICTURED)).tags
    names = [tag for tag, _ in tags]
    assert names.count("table") == names.count("caption") == 10
    assert all(attributes.get("scope") == "col" for tag, attributes in tags if tag == "th")
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(attributes["href"][1:] in ids for tag, attributes in tags if tag == "a" and attributes["href"])


@pytest.mark.parametrize("number", [1_000, 100_000])
def test_a_page_stays_small_and_says_what_it_left_out(number: int) -> None:
    text = page(huge(number))
    assert len(text.encode()) < MOST_BYTES
    assert "Rejected rows: the first " in text
    assert f"of {number:,} are shown" in text
    assert "Pictures: the money of 12 bots of 200 is drawn" in text


def test_a_page_that_shows_all_says_so() -> None:
    everything = dataclasses.replace(
        SMALL, rejects=(), reject_groups=(), targets=(dataclasses.replace(LOADED.targets[0], update=1),)
    )
    assert "Nothing: this page has all that the report knows." in page(everything)


@pytest.mark.parametrize("report", [PICTURED, huge(100_000), FAILED])
def test_a_comment_stays_short(report: RunReport) -> None:
    text = markdown(report)
    assert len(text.splitlines()) < MOST_LINES
    assert len(text.encode()) < 60_000


@pytest.mark.parametrize("text", EVIL)
def test_no_text_of_a_source_leaves_its_code_span(text: str) -> None:
    ordinary, found = (
        markdown(dataclasses.replace(evil(one), problems=(one.replace("\n", " "),))).splitlines() for one in ("x", text)
    )
    assert len(found) == len(ordinary)
    for line, other in zip(found, ordinary, strict=True):
        assert _spanless(line).count("|") == _spanless(other).count("|")
        assert not {"<script", "@someone", "](http", "**bold", "# heading"} & {
            part for part in ("<script", "@someone", "](http", "**bold", "# heading") if part in _spanless(line)
        }


def _spanless(line: str) -> str:
    """What is left of a line without its code spans, as GitHub finds them: a pipe divides unless escaped."""
    kept, rest = "", line.replace("\\|", "¦")
    while "`" in rest:
        before, _, after = rest.partition("`")
        fence = "`" * (1 + len(after) - len(after.lstrip("`")))
        inside = after.lstrip("`")
        end = _closing(inside, fence)
        assert end is not None, line
        kept, rest = kept + before, inside[end:]
    return kept + rest


def _closing(text: str, fence: str) -> int | None:
    place = 0
    while place < len(text):
        if text[place] != "`":
            place += 1
            continue
        run = len(text[place:]) - len(text[place:].lstrip("`"))
        if run == len(fence):
            return place + run
        place += run
    return None


@pytest.mark.parametrize("report", [LOADED, REFUSED, DIFFERENT, PICTURED, FAILED, *map(evil, EVIL)])
def test_junit_is_valid(report: RunReport) -> None:
    text = junit(report)
    xmlschema.XMLSchema(str(SCHEMA)).validate(ET.fromstring(text))
    assert not {one for one in text if not one.isprintable()} - {"\n"}


def cases(report: RunReport, suite: str) -> dict[str, str]:
    """The cases of a suite and how each ended."""
    root = ET.fromstring(junit(report))
    found = {}
    for case in root.iterfind(f"testsuite[@name='{suite}']/testcase"):
        bad = [child.tag for child in case if child.tag in {"failure", "error"}]
        found[case.attrib["name"]] = bad[0] if bad else "passed"
    return found


def test_there_is_a_case_a_reject_code_and_those_that_refuse_the_load_fail() -> None:
    found = cases(REFUSED, "rejects")
    assert list(found) == [str(code) for code in RejectCode]
    assert {code for code, ended in found.items() if ended != "passed"} == {"unmapped_value", "missing_value"}
    assert cases(REFUSED, "run") == {"consolidate run": "failure"}


def test_rejects_within_the_limit_fail_nothing() -> None:
    report = dataclasses.replace(REFUSED, status="loaded", exit_code=0, max_rejects=3, problems=())
    assert set(cases(report, "rejects").values()) == {"passed"}


def test_there_is_a_case_a_control_total_and_one_that_differs_fails() -> None:
    assert cases(DIFFERENT, "controls") == {"trading.trades all count(*)": "failure"}
    assert cases(DIFFERENT, "run") == {"consolidate run": "error"}
    assert set(cases(LOADED, "controls").values()) == {"passed"}


def test_a_row_that_nothing_accounts_for_fails_its_table() -> None:
    sources = (dataclasses.replace(LOADED.sources[0], mapped=1), *LOADED.sources[1:])
    found = cases(dataclasses.replace(LOADED, sources=sources), "conservation")
    assert [ended for ended in found.values() if ended != "passed"] == ["failure"]
    assert found["momentum.trades"] == "failure"


def test_a_conflict_fails_its_table_and_bot() -> None:
    targets = (dataclasses.replace(LOADED.targets[0], conflict=1), LOADED.targets[1])
    found = cases(dataclasses.replace(LOADED, targets=targets), "targets")
    assert found == {"trading.trades momentum_001": "failure", "trading.market_data shared": "passed"}


def test_bots_that_the_load_changes_are_drawn_first() -> None:
    data = PICTURED.charts
    assert data is not None
    points = ((moment(0), "1"), (moment(1), "2"))
    same = tuple(
        dataclasses.replace(
            data.bots[0], bot_id=f"a{place:02}", equity_before=points, equity_after=points, pnl_after=()
        )
        for place in range(20)
    )
    drawn = charts.drawn_bots(dataclasses.replace(data, bots=(*same, *data.bots)))
    assert len(drawn) == charts.MOST_BOTS
    assert {"lxalgo_001", "momentum_001"} <= {bot.bot_id for bot in drawn}


def test_a_value_that_cannot_be_drawn_is_left_out_of_the_picture() -> None:
    data = PICTURED.charts
    assert data is not None
    bot = dataclasses.replace(data.bots[0], equity_after=((moment(0), "1"), (moment(1), "NaN"), (moment(2), "2")))
    (equity, _) = charts.money(dataclasses.replace(data, bots=(bot,)))
    assert "NaN" not in equity.svg
