"""A run or a plan as one HTML file: opens from disk, needs no network, and stays below `MOST_BYTES` at any size of run.

Everything that comes from a store is made printable by `cells` and escaped by the template. The page's policy admits
no script but its own, by digest, and no connection at all: what slipped through would not run.
"""

from __future__ import annotations

import base64
import hashlib
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from consolidate.report import charts, graph, suites, tables
from consolidate.report.cells import NOT_RECORDED, amount, count, rows, safe
from consolidate.report.text import conclusion, counted_rejects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from jinja2 import Environment

    from consolidate.model import RunReport
    from consolidate.report.charts import Picture

MOST_BYTES: Final = 4_500_000
"""A page is written with less of its tables until it is smaller than this."""

_MOST_ROWS: Final = 600
_LEAST_ROWS: Final = 5
_MOST_PROBLEMS: Final = 50
_LONGEST_PROBLEM: Final = 4_000
_STATUS_TONES: Final = {"loaded": "good", "planned": "good"}


def page(report: RunReport) -> str:
    """The page. The same report gives the same text."""
    pictures = _pictures(report)
    most = _MOST_ROWS
    while True:
        found = _rendered(report, pictures, most)
        size = len(found.encode())
        if size <= MOST_BYTES or most <= _LEAST_ROWS:
            return found
        most = max(_LEAST_ROWS, most * MOST_BYTES // size * 3 // 4)


def _pictures(report: RunReport) -> dict[str, tuple[Picture, ...]]:
    data = report.charts
    single = {"rejects": charts.rejects(report)}
    if data is not None:
        single |= {"symbols": charts.symbols(data), "inserts": charts.inserts(data)}
    drawn = {name: () if picture is None else (picture,) for name, picture in single.items()}
    return {
        "references": graph.pictures(report),
        "symbols": (),
        "inserts": (),
        "money": () if data is None else charts.money(data),
        **drawn,
    }


def _rendered(report: RunReport, pictures: dict[str, tuple[Picture, ...]], most: int) -> str:
    made = {
        "sources": tables.sources(report, most),
        "since": tables.since(report, most // 4),
        "targets": tables.targets(report, most),
        "money": tables.money(report, most),
        "symbols": tables.symbols(report, most // 2),
        "reject_groups": tables.reject_groups(report, most // 2),
        "rejects": tables.rejects(report, most // 2),
        "references": tables.references(report, most // 2),
        "changed": tables.changed(report, most // 4),
        "roundings": tables.roundings(report, most // 2),
        "controls": tables.controls(report, most),
        "checks": tables.checks(report, most),
    }
    style, script = _part("page.css"), _part("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    text = (
        _environment()
        .get_template("page.html")
        .render(
            title=safe(f"consolidate {report.command} {report.run_id}: {report.status}"),
            heading=safe(f"consolidate {report.command}"),
            conclusion=safe(conclusion(report)),
            tone=_STATUS_TONES.get(report.status, "bad"),
            status=report.status,
            facts=_facts(report),
            tiles=_tiles(report),
            problems=tables.first(report.problems, _shortened, _MOST_PROBLEMS),
            notices=tables.first(report.notices, lambda one: _shortened(f"{one.code}: {one.message}"), _MOST_PROBLEMS),
            tables=made,
            since="" if report.since is None else safe(report.since.run_id),
            suites="" if (told := suites.summary(report)) is None else safe(told),
            data_docs=None if report.data_docs is None else report.data_docs.as_uri(),
            lineages=tables.lineages(report, most // 4),
            pictures=pictures,
            left_out=tuple(_left_out(report, made.values(), most // 4)),
            style=style,
            script=script,
            policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'; "
            "form-action 'none'",
        )
    )
    return text.encode(errors="backslashreplace").decode()


def _facts(report: RunReport) -> tuple[tuple[str, str], ...]:
    took = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in report.seconds)
    found = [
        ("run", report.run_id),
        ("target", report.target),
        ("exit code", str(int(report.exit_code))),
        ("files", str(report.run_dir) if report.run_id else ""),
        ("seconds", took),
    ]
    return tuple((title, safe(text)) for title, text in found if text)


def _tiles(report: RunReport) -> tuple[tuple[str, str, str], ...]:
    """The numbers of the headline: title, number, tone."""
    read = sum(one.read for one in report.sources)
    residue = sum(abs(one.residue) for one in report.sources)
    counted = counted_rejects(report)
    conflicts = sum(one.conflict for one in report.targets)
    different = sum(one.status != "equal" for one in report.controls)
    found = _suite_tiles(report)
    if not report.sources:
        return tuple(found)
    found += [
        ("source rows read", count(read), ""),
        ("unaccounted for", count(residue), "bad" if residue else "good"),
        ("+ insert", count(sum(one.insert for one in report.targets)), ""),
        ("~ update", count(sum(one.update for one in report.targets)), ""),
        ("= unchanged", count(sum(one.unchanged for one in report.targets)), ""),
        ("! conflict", count(conflicts), "bad" if conflicts else ""),
        (f"rejects, limit {count(report.max_rejects)}", count(counted), "bad" if counted > report.max_rejects else ""),
        ("rejects accepted", count(sum(group.count for group in report.reject_groups) - counted), ""),
    ]
    if report.controls:
        equal = len(report.controls) - different
        found.append(
            ("control totals equal", f"{count(equal)} of {count(len(report.controls))}", "bad" if different else "good")
        )
    if report.money:
        found.append(("PnL of all bots, USD", _sum(one.pnl_usd for one in report.money), ""))
        found.append(("equity of all bots, USD", _sum(one.equity for one in report.money), ""))
    return tuple(found)


def _suite_tiles(report: RunReport) -> list[tuple[str, str, str]]:
    """What the suites said: first of a command that only judges."""
    if not report.checks:
        return []
    passed = sum(one.status == "passed" for one in report.checks)
    refusing = sum(one.refuses for one in report.checks)
    tone = "bad" if refusing else "good" if passed == len(report.checks) else ""
    return [("expectations passed", f"{count(passed)} of {count(len(report.checks))}", tone)]


def _sum(decimals: Iterable[str | None]) -> str:
    known = [Decimal(one) for one in decimals if one is not None]
    return amount(str(sum(known)), decimals=2) if known else NOT_RECORDED


def _left_out(report: RunReport, made: Iterable[tables.Table], most_changed: int) -> Iterable[str]:
    for table in made:
        if table.left_out is not None:
            yield table.left_out
    changed = tables.changed_left_out(report, most_changed)
    if changed is not None:
        yield changed
    if report.charts is not None:
        bots = len(report.charts.bots)
        drawn = len(charts.drawn_bots(report.charts))
        if bots > drawn:
            yield f"Pictures: the money of {rows(drawn, 'bot')} of {count(bots)} is drawn, first of those that change"
    else:
        yield "Pictures of the money: nobody asked for them, or there was nothing to draw"


def _shortened(problem: str) -> str:
    shown = safe(problem[:_LONGEST_PROBLEM])
    return shown if len(problem) <= _LONGEST_PROBLEM else f"{shown}…"


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined  # noqa: PLC0415 - only pages need it

    load: Callable[[str], str] = _part
    return Environment(
        loader=FunctionLoader(load), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def _part(name: str) -> str:
    return files("consolidate.report").joinpath("page", name).read_text(encoding="utf-8")
