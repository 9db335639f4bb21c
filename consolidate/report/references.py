"""The graph of references in words: edges over all bots, and what is to be said of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from consolidate.report.cells import plain, rows
from consolidate.report.summary import BAD, GOOD, QUIET, Part, number, table, titled

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType

    from consolidate.model import RunReport

_BOTS = "trading.bots.bot_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """An edge over all bots: of a store (`source` its name), or of the unified schema (`source` None)."""

    source: str | None
    origin: str
    pointed: str
    policies: tuple[str, ...]
    rows: int
    targets: int
    missing: int
    rejected: int
    other_bot: int
    held: int

    @property
    def lost(self) -> int:
        """References that lead to no row of the bot."""
        return self.missing + self.rejected + self.other_bot

    @property
    def name(self) -> str:
        """Where it begins, as a person reads it."""
        return plain(self.origin if self.source is None else f"{self.source}: {self.origin}")

    @property
    def names_bot(self) -> bool:
        """Whether it is the bot of a row."""
        return self.source is None and self.pointed == _BOTS


def edges(report: RunReport) -> tuple[Edge, ...]:
    """The edges along which rows point, in the order of the report."""
    found: dict[tuple[str | None, str, str], list[int]] = {}
    policies: dict[tuple[str | None, str, str], dict[str, None]] = {}
    for one in report.references:
        key = (one.source if one.kind == "source" else None, one.origin, one.pointed)
        counts = (one.rows, one.targets, one.missing, one.rejected, one.other_bot, one.held)
        found[key] = [a + b for a, b in zip(found.get(key, [0] * len(counts)), counts, strict=True)]
        policies.setdefault(key, {})[one.policy] = None
    return tuple(
        Edge(
            source=source,
            origin=origin,
            pointed=pointed,
            policies=tuple(policies[source, origin, pointed]),
            rows=counts[0],
            targets=counts[1],
            missing=counts[2],
            rejected=counts[3],
            other_bot=counts[4],
            held=counts[5],
        )
        for (source, origin, pointed), counts in found.items()
    )


def summary(found: Iterable[Edge]) -> str:
    """All edges in one sentence, without a full stop."""
    every = [edge for edge in found if not edge.names_bot]
    pointing = f"{rows(sum(edge.rows for edge in every), 'reference')} along {rows(len(every), 'edge')}"
    lost = sum(edge.lost for edge in every)
    held = sum(edge.held for edge in every)
    there = f"; {held:,} to rows that only the target has" if held else ""
    if not lost:
        return f"{pointing}: all lead to rows of their own bot{there}"
    return f"{pointing}: {lost:,} lead to no row of their own bot{there}"


def outcome(edge: Edge) -> str:
    """What becomes of those that lead nowhere."""
    said = {"reject": "rejected", "null": "made null", "stub": "given a stub"}
    return ", ".join(said.get(policy, policy) for policy in edge.policies)


def reasons(edge: Edge) -> str:
    """How many point where they should not."""
    found = (
        (edge.missing, "at nothing"),
        (edge.rejected, "at rejected rows"),
        (edge.other_bot, "at rows of another bot"),
    )
    return ", ".join(f"{number:,} {where}" for number, where in found if number)


def part(report: RunReport) -> Part:
    """Of a terminal report: the edges with something to say, and one line for all."""
    found = edges(report)
    if not found:
        return Part(lengths=((),))
    telling = sorted((edge for edge in found if edge.lost or edge.held), key=lambda edge: -edge.lost)
    most = [min(len(telling), 12), *(number_of for number_of in (6, 3, 1, 0) if number_of < len(telling))]
    return Part(lengths=tuple(_told(found, telling[:number_of], len(telling)) for number_of in most))


def _told(found: Sequence[Edge], shown: Sequence[Edge], telling: int) -> tuple[RenderableType, ...]:
    tone = BAD if any(edge.lost for edge in found) else GOOD
    left = telling - len(shown)
    line = Text(summary(found), style=tone)
    if left:
        line.append(f"; {rows(left, 'edge')} folded, `--json` has all", style=QUIET)
    if not shown:
        return line, Text("")
    lines = table("reference", "rows", "nothing", "rejected", "other bot", "held", "are")
    for edge in shown:
        lines.add_row(
            Text(edge.name),
            number(edge.rows),
            number(edge.missing, BAD),
            number(edge.rejected, BAD),
            number(edge.other_bot, BAD),
            number(edge.held),
            Text(outcome(edge) if edge.lost else ""),
        )
    return *titled("references", lines)[:-1], line, Text("")
