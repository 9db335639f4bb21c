"""The picture of the graph of references: every edge is in it, whatever the store calls its tables."""

from __future__ import annotations

import dataclasses
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from consolidate.mapping.references import references
from consolidate.model import ReferenceCounts, RunReport
from consolidate.report.graph import pictures
from consolidate.report.html import page
from tests.reports import REFUSED

_SVG = "{http://www.w3.org/2000/svg}"


def report(*edges: tuple[str, str, int], kind: str = "source") -> RunReport:
    counts = tuple(
        ReferenceCounts(
            kind=kind, source="s", bot_id="b", origin=a, pointed=b, policy="reject", rows=7, targets=5, missing=lost
        )
        for a, b, lost in edges
    )
    return dataclasses.replace(REFUSED, references=counts)


def boxes(svg: str) -> list[tuple[int, int, int, int]]:
    found = ET.fromstring(svg).iter(f"{_SVG}rect")
    return [tuple(int(one.attrib[name]) for name in ("x", "y", "width", "height")) for one in found]  # type: ignore[misc]


def overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    return all(one[i] < other[i] + other[i + 2] and other[i] < one[i] + one[i + 2] for i in (0, 1))


def test_every_reference_of_the_schema_is_a_line_and_a_curve() -> None:
    (drawn,) = pictures(report(*((one.name, one.to, 0) for one in references()), kind="target"))
    root = ET.fromstring(drawn.svg)
    assert len(list(root.iter(f"{_SVG}path"))) == len(references())
    assert len(boxes(drawn.svg)) == len({end for one in references() for end in (one.table, one.to_table)})
    left = {str(one.text): int(one.attrib["x"]) for one in root.iter(f"{_SVG}text") if "font-weight" in one.attrib}
    assert left["trading.signals"] < left["trading.orders"] < left["trading.positions"] < left["trading.trades"]
    assert left["trading.trades"] < left["trading.bots"]


def test_what_leads_nowhere_is_marked_and_said_in_words() -> None:
    (drawn,) = pictures(report(("signals.trade", "trades", 2), ("orders.trade", "trades", 0)))
    assert "7, 2 lost" in drawn.svg
    assert drawn.svg.count("stroke-dasharray") == 1
    assert "s: signals.trade: 2 at nothing" in drawn.words


_NAMES = st.text(min_size=1, max_size=30).filter(lambda text: "." not in text)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcde"), _NAMES, st.sampled_from("abcde")), min_size=1, max_size=8))
def test_no_box_covers_another_and_no_name_is_markup(edges: list[tuple[str, str, str]]) -> None:
    (drawn,) = pictures(report(*((f"{a}.{name}<b>&", b, 0) for a, name, b in edges)))
    found = boxes(drawn.svg)
    assert not any(overlap(one, other) for i, one in enumerate(found) for other in found[:i])
    assert "<b>" not in drawn.svg


def test_the_page_draws_the_graph_and_has_it_as_a_table() -> None:
    shown = page(REFUSED)
    assert "References of the unified schema" in shown
    assert '<table id="edges">' in shown
    assert page(REFUSED) == shown
