"""Pictures as static SVG: Vega-Lite draws them while the report is written, so that it needs no script and no network.

Colours are the page's own (`var(--after)`), which makes the same picture fit light, dark and paper. A picture is laid
out with a font that the renderer brings, so that the same report gives the same bytes on every machine.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from consolidate.report.cells import amount, count, plain, rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from consolidate.model import BotChart, ChartData, InsertChart, RunReport, SymbolMoney

_Spec: TypeAlias = "dict[str, Any]"
_Points: TypeAlias = "Sequence[tuple[str, str]]"

MOST_BOTS: Final = 12
MOST_SYMBOLS: Final = 16
MOST_TABLES: Final = 5
_WIDTH: Final = 420
_HEIGHT: Final = 180
_BAR: Final = 14
_FEW_POINTS: Final = 40
_FEW_TICKS: Final = 5
_LONGEST: Final = 24
_BEFORE_AFTER: Final = (("before", "var(--before)"), ("after", "var(--after)"))
_COUNTED: Final = (("counts against the limit", "var(--bad)"), ("accepted", "var(--before)"))
_OTHERS: Final = "other tables"
_CONFIG: Final[_Spec] = {
    "aria": False,  # the figure says in words what it shows
    "font": "Liberation Sans, Arial, Helvetica, sans-serif",
    "background": None,
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--quiet)",
        "titleColor": "var(--quiet)",
        "gridColor": "var(--line)",
        "domainColor": "var(--line-strong)",
        "tickColor": "var(--line-strong)",
        "titleFontWeight": "normal",
        "labelFontSize": 11,
        "titleFontSize": 11,
        "labelOverlap": True,
    },
    "axisX": {"grid": False},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A drawn picture, its name, and in words what it shows. `svg` is markup of ours, safe to put into a page.

    `legend` are labels with their colours.
    """

    title: str
    words: str
    svg: str
    legend: tuple[tuple[str, str], ...] = ()


def money(charts: ChartData) -> tuple[Picture, ...]:
    """Equity and pnl of the bots over time, at most of `MOST_BOTS`: first those that the load changes."""
    found = []
    for bot in drawn_bots(charts):
        name = plain(bot.bot_id)
        for title, before, after, step in (
            (f"{name}: equity, USD", bot.equity_before, bot.equity_after, "linear"),
            (f"{name}: cumulative PnL, USD", bot.pnl_before, bot.pnl_after, "step-after"),
        ):
            if before or after:
                found.append(Picture(title=title, words=_course(before, after), svg=_lines(before, after, step)))
    return tuple(found)


def drawn_bots(charts: ChartData) -> tuple[BotChart, ...]:
    """The bots that have a picture."""
    with_points = [
        bot for bot in charts.bots if bot.equity_after or bot.pnl_after or bot.equity_before or bot.pnl_before
    ]
    changed = sorted(with_points, key=lambda bot: not _changes(bot))
    return tuple(sorted(changed[:MOST_BOTS], key=lambda bot: bot.bot_id))


def symbols(charts: ChartData) -> Picture | None:
    """PnL by symbol, of all bots together: the symbols with the most money, won or lost."""
    before, after = _by_symbol(charts.symbols, after=False), _by_symbol(charts.symbols, after=True)
    if not after and not before:
        return None
    zero = Decimal(0)
    ranked = sorted(
        {*before, *after}, key=lambda one: (-max(abs(before.get(one, zero)), abs(after.get(one, zero))), one)
    )
    shown = ranked[:MOST_SYMBOLS]
    bars = [
        {"name": _label(symbol), "when": when, "value": _float(str(sums[symbol]))}
        for symbol in shown
        for when, sums in (("before", before), ("after", after))
        if symbol in sums
    ]
    words = "; ".join(
        f"{plain(one)} {amount(_plain(before.get(one)))} before, {amount(_plain(after.get(one)))} after"
        for one in shown[:3]
    )
    if len(ranked) > len(shown):
        words += f". The {len(shown)} with the most money of {count(len(ranked))} symbols are drawn"
    spec = _spec(bars, height=len(shown) * 2 * _BAR + 40)
    spec |= {
        "mark": {"type": "bar"},
        "encoding": {
            "y": {"field": "name", "type": "nominal", "sort": [_label(one) for one in shown], "title": None},
            "yOffset": {"field": "when", "sort": ["before", "after"]},
            "x": {"field": "value", "type": "quantitative", "title": None, "axis": {"grid": True, "tickCount": 5}},
            "color": _colours("when", _BEFORE_AFTER),
        },
    }
    return Picture(title="PnL by symbol, all bots, USD", words=words, svg=_svg(spec), legend=_BEFORE_AFTER)


def inserts(charts: ChartData) -> Picture | None:
    """Inserted rows by day of what they tell of, stacked by table."""
    dated = [chart for chart in charts.inserts if chart.days]
    if not dated:
        return None
    ranked = sorted(dated, key=lambda chart: (-_total(chart), chart.table))
    named = [chart.table for chart in ranked[:MOST_TABLES]]
    labels = [*named, *([_OTHERS] if len(ranked) > MOST_TABLES else [])]
    legend = tuple((plain(label), f"var(--c{number})") for number, label in enumerate(labels, start=1))
    summed: dict[tuple[str, str], int] = {}
    for chart in ranked:
        label = chart.table if chart.table in named else _OTHERS
        for day, number in chart.days:
            summed[day, label] = summed.get((day, label), 0) + number
    bars = [{"day": day, "table": plain(label), "rows": number} for (day, label), number in sorted(summed.items())]
    first, last = bars[0]["day"], bars[-1]["day"]
    undated = sum(chart.undated for chart in charts.inserts)
    words = f"{rows(sum(map(_total, dated)))} from {first} to {last}, by the time of what they tell of"
    words += f"; {rows(undated)} without such a time" if undated else ""
    by_day: dict[str, int] = {}
    for (day, _), number in summed.items():
        by_day[day] = by_day.get(day, 0) + number
    tallest = max(by_day.values())
    spec = _spec(bars, height=_HEIGHT)
    spec |= {
        "mark": {"type": "bar", "width": max(1, min(24, 300 // max(1, len({bar["day"] for bar in bars}))))},
        "encoding": {
            "x": {"field": "day", "type": "temporal", "scale": {"type": "utc", "padding": 12}, "title": None},
            "y": {"field": "rows", "type": "quantitative", "title": None, "axis": _whole(tallest)},
            "color": _colours("table", legend),
        },
    }
    return Picture(title="Inserted rows by day", words=words, svg=_svg(spec), legend=legend)


def rejects(report: RunReport) -> Picture | None:
    """Rejected rows by code; those that are accepted are told apart."""
    by_code: dict[str, int] = {}
    for group in report.reject_groups:
        code = str(group.example.code)
        by_code[code] = by_code.get(code, 0) + group.count
    if not by_code:
        return None
    codes = sorted(by_code, key=lambda code: (-by_code[code], code))
    accepted = {str(code) for code in report.accepted_codes}
    kinds = {code: "accepted" if code in accepted else "counts against the limit" for code in codes}
    bars = [{"name": code, "kind": kinds[code], "value": by_code[code]} for code in codes]
    spec = _spec(bars, height=len(codes) * 2 * _BAR + 40)
    y = {"field": "name", "type": "nominal", "sort": codes, "title": None, "axis": {"labelLimit": 160}}
    x = {"field": "value", "type": "quantitative", "title": None}
    spec |= {
        "layer": [
            {
                "mark": {"type": "bar", "height": _BAR},
                "encoding": {"color": _colours("kind", _COUNTED)},
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 4, "fontSize": 11, "fill": "var(--ink)"},
                "encoding": {"text": {"field": "value", "type": "quantitative", "format": ","}},
            },
        ],
        "encoding": {"y": y, "x": {**x, "axis": {**_whole(max(by_code.values())), "format": ",d"}}},
    }
    words = "; ".join(f"{code} {count(by_code[code])}, {kinds[code]}" for code in codes)
    legend = tuple(one for one in _COUNTED if one[0] in kinds.values())
    return Picture(title="Rejected rows by code", words=words, svg=_svg(spec), legend=legend)


def _whole(largest: int) -> _Spec:
    """Of few rows each number is a tick; no fractions of rows."""
    return {"values": list(range(largest + 1))} if largest <= _FEW_TICKS else {"tickCount": 4}


def _lines(before: _Points, after: _Points, interpolate: str) -> str:
    values = [
        {"time": moment, "value": number, "when": when}
        for when, points in (("before", before), ("after", after))
        for moment, value in points
        if (number := _float(value)) is not None
    ]
    with_points = len(values) <= _FEW_POINTS
    wide_point: _Spec = {"filled": True, "fill": "var(--before)", "size": 70, "opacity": 0.45}
    thin_point: _Spec = {"filled": True, "fill": "var(--after)", "size": 26}
    wide = {"type": "line", "interpolate": interpolate, "strokeWidth": 5, "opacity": 0.45, "stroke": "var(--before)"}
    thin = {"type": "line", "interpolate": interpolate, "strokeWidth": 1.6, "stroke": "var(--after)"}
    spec = _spec(values, height=_HEIGHT)
    spec |= {
        "encoding": {
            "x": {
                "field": "time",
                "type": "temporal",
                "scale": {"type": "utc"},
                "title": None,
                "axis": {"tickCount": 5},
            },
            "y": {
                "field": "value",
                "type": "quantitative",
                "title": None,
                "scale": {"zero": False, "nice": True},
                "axis": {"tickCount": 5},
            },
        },
        "layer": [
            {
                "transform": [{"filter": "datum.when == 'before'"}],
                "mark": {**wide, "point": wide_point if with_points else False},
            },
            {
                "transform": [{"filter": "datum.when == 'after'"}],
                "mark": {**thin, "point": thin_point if with_points else False},
            },
        ],
    }
    return _svg(spec)


def _spec(values: list[_Spec], *, height: int) -> _Spec:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": _WIDTH,
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "padding": {"left": 12, "right": 12, "top": 6, "bottom": 4},  # other fonts may be wider
        "config": _CONFIG,
        "data": {"values": values},
    }


def _colours(field: str, legend: tuple[tuple[str, str], ...]) -> _Spec:
    scale = {"domain": [label for label, _ in legend], "range": [colour for _, colour in legend]}
    return {"field": field, "type": "nominal", "scale": scale, "legend": None}


def _svg(spec: _Spec) -> str:
    import vl_convert  # noqa: PLC0415 - takes a second to come up, and only pages need it

    drawn: str = vl_convert.vegalite_to_svg(json.dumps(spec))
    start, rest = drawn.split("<svg ", 1)
    return f'{start}<svg aria-hidden="true" focusable="false" {rest}'


def _course(before: _Points, after: _Points) -> str:
    points = after or before
    was = amount(before[-1][1]) if before else "nothing"
    now = amount(after[-1][1]) if after else "nothing"
    change = "the same before the load" if before == after else f"{was} before the load"
    return f"{points[0][0][:10]} to {points[-1][0][:10]}: {now} at the end, {change}; {rows(len(after), 'point')}"


def _changes(bot: BotChart) -> bool:
    return bot.equity_before != bot.equity_after or bot.pnl_before != bot.pnl_after


def _by_symbol(found: Iterable[SymbolMoney], *, after: bool) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for one in found:
        pnl = one.pnl_after if after else one.pnl_before
        if pnl is not None and _float(pnl) is not None:
            sums[one.symbol] = sums.get(one.symbol, Decimal(0)) + Decimal(pnl)
    return sums


def _plain(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _label(symbol: str) -> str:
    return plain(symbol, longest=_LONGEST)


def _float(text: str) -> float | None:
    """For drawing only; None for what cannot be drawn, such as NaN."""
    number = float(text)
    return number if math.isfinite(number) else None


def _total(chart: InsertChart) -> int:
    return sum(number for _, number in chart.days)
