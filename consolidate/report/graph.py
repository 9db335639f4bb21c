"""The graph of references as static SVG: tables are boxes, with a line for each reference and a curve to what it names.

It is laid out by counting, so that the same report gives the same bytes; colours are the page's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

from consolidate.report.cells import count, plain, rows
from consolidate.report.charts import Picture
from consolidate.report.references import edges, reasons, summary

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consolidate.model import RunReport
    from consolidate.report.references import Edge

MOST_SOURCES: Final = 6
_BOX: Final = 215
_GAP: Final = 60
_HEAD: Final = 26
_LINE: Final = 18
_BELOW: Final = 22
_MARGIN: Final = 8
_LONGEST: Final = 22
_MOST_LINES: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    name: str
    out: tuple[Edge, ...]
    left: int
    top: int

    @property
    def height(self) -> int:
        return _HEAD + _LINE * len(self.out) + (6 if self.out else 0)


def pictures(report: RunReport) -> tuple[Picture, ...]:
    """The graph of the unified schema, then those of the first stores that have one; none where nothing points."""
    found: dict[str | None, list[Edge]] = {}
    for edge in sorted(edges(report), key=lambda one: one.source is not None):
        found.setdefault(edge.source, []).append(edge)
    return tuple(
        Picture(
            title="References of the unified schema"
            if source is None
            else f"References in the store of {plain(source)}",
            words=_words(those),
            svg=_drawn(those),
        )
        for source, those in list(found.items())[: MOST_SOURCES + 1]
    )


def _words(found: list[Edge]) -> str:
    lost = [edge for edge in found if edge.lost]
    named = "; ".join(f"{edge.name}: {reasons(edge)}" for edge in lost[:3])
    return f"{summary(found)}{'. ' if named else ''}{named}"


def _table(end: str, *, column: bool) -> str:
    return end.rpartition(".")[0] if column else end


def _ends(edge: Edge) -> tuple[str, str]:
    """The tables of an edge. A store names what is pointed at by its table alone."""
    return _table(edge.origin, column=True), _table(edge.pointed, column=edge.source is None)


def _columns(found: Iterable[Edge]) -> dict[str, int]:
    """How far each table is from those that point at nothing: the longest way, a circle counted once."""
    every = [_ends(edge) for edge in found]
    depth = dict.fromkeys([name for ends in every for name in ends], 0)
    for _ in depth:
        for start, end in every:
            if start != end and depth[start] <= depth[end] < len(depth):
                depth[start] = depth[end] + 1
    return depth


def _nodes(found: list[Edge]) -> dict[str, _Node]:
    depth = _columns(found)
    places = sorted(set(depth.values()), reverse=True)
    below = dict.fromkeys(places, _MARGIN)
    nodes: dict[str, _Node] = {}
    linked = {end for edge in found if not edge.names_bot for end in _ends(edge)}
    for name in sorted(depth, key=lambda one: (-depth[one], one not in linked, one)):
        mine = tuple(edge for edge in found if _ends(edge)[0] == name)[:_MOST_LINES]
        column = places.index(depth[name])
        node = _Node(name=name, out=mine, left=_MARGIN + column * (_BOX + _GAP), top=below[depth[name]])
        nodes[name] = node
        below[depth[name]] += node.height + _BELOW
    return nodes


def _drawn(found: list[Edge]) -> str:
    nodes = _nodes(found)
    width = max(node.left for node in nodes.values()) + _BOX + _MARGIN
    height = max(node.top + node.height for node in nodes.values()) + _MARGIN
    curves = [
        _curve(node, i, nodes[_ends(edge)[1]], edge) for node in nodes.values() for i, edge in enumerate(node.out)
    ]
    boxes = [_box(node) for node in nodes.values()]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f' aria-hidden="true" font-family="Liberation Sans, Arial, Helvetica, sans-serif" font-size="12">'
        f"{''.join(curves)}{''.join(boxes)}</svg>"
    )


def _tone(edge: Edge) -> str:
    return "var(--bad)" if edge.lost else "var(--line-strong)" if edge.names_bot else "var(--after)"


def _curve(node: _Node, line: int, to: _Node, edge: Edge) -> str:
    x1, y1 = node.left + _BOX, node.top + _HEAD + _LINE * line + _LINE // 2
    x2, y2 = to.left, to.top + _HEAD // 2
    if to.left <= node.left:
        x2 = to.left + _BOX  # a circle: back to the same side
    bend = _GAP // 2 if x2 > x1 else _GAP
    out = x2 - bend if x2 > x1 else x2 + bend
    dashes = ' stroke-dasharray="5 3"' if edge.lost else ""
    return (
        f'<path d="M{x1} {y1} C{x1 + bend} {y1} {out} {y2} {x2} {y2}" fill="none" stroke="{_tone(edge)}"'
        f' stroke-width="{2 if edge.lost else 1}"{dashes}/><circle cx="{x2}" cy="{y2}" r="3" fill="{_tone(edge)}"/>'
    )


def _box(node: _Node) -> str:
    lines = [
        (
            f'<rect x="{node.left}" y="{node.top}" width="{_BOX}" height="{node.height}" rx="4" fill="var(--panel)"'
            f' stroke="var(--line-strong)"/><text x="{node.left + 10}" y="{node.top + 17}" font-weight="bold"'
            f' fill="var(--ink)">{_shown(node.name, 30)}</text>'
        )
    ]
    for i, edge in enumerate(node.out):
        y = node.top + _HEAD + _LINE * i + 13
        number = f"{count(edge.rows)}, {count(edge.lost)} lost" if edge.lost else count(edge.rows)
        tone = "var(--bad)" if edge.lost else "var(--quiet)"
        column = edge.origin.rpartition(".")[2]
        said = f"{plain(edge.origin)}: {rows(edge.rows)} at {rows(edge.targets)}"
        lines.append(
            f'<g><title>{escape(said)}</title><text x="{node.left + 10}" y="{y}" fill="{tone}">'
            f'{_shown(column, _LONGEST)}</text><text x="{node.left + _BOX - 8}" y="{y}" text-anchor="end"'
            f' fill="{tone}">{number}</text></g>'
        )
    return f"<g>{''.join(lines)}</g>"


def _shown(text: str, longest: int) -> str:
    return escape(plain(text, longest=longest))
