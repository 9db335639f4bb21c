"""One large and one unpleasant report, for pages, Markdown and JUnit."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from consolidate.errors import Location
from consolidate.model import (
    BotChart,
    BotMoney,
    ChangedRow,
    ChartData,
    Control,
    InsertChart,
    Notice,
    Reject,
    RejectCode,
    RejectGroup,
    RejectsSince,
    SinceLastRun,
    SourceCounts,
    SymbolMoney,
    TableSince,
    TargetCounts,
)
from consolidate.target.contract import expected
from tests.reports import LOADED

if TYPE_CHECKING:
    from consolidate.model import RunReport

_START: Final = datetime(2025, 1, 1, tzinfo=UTC)
EVIL: Final = (
    "<script>document.title = 'broken'</script>",
    "</td></table><img src=x onerror=\"document.title = 'broken'\">",
    '=HYPERLINK("http://example.invalid","a")',
    "+1+cmd|' /C calc'!A0",
    "@someone `code` **bold** | pipe [link](http://example.invalid) <!-- ",
    "${1+1}{{ 7*7 }}{% raw %}",
    "\x00\x1b[31m\u202e\ud800\r\n",
    "```\n# heading\n",
    "]]>&amp;&lt;",
)


def moment(hours: int) -> str:
    return (_START + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


def course(start: str, step: str, number: int, hours: int) -> tuple[tuple[str, str], ...]:
    """A line that goes up and down, the same each time."""
    value, found = Decimal(start), []
    for place in range(number):
        value += Decimal(step) * ((place * 7919) % 13 - 5)
        found.append((moment(place * hours), str(value)))
    return tuple(found)


CHARTS: Final = ChartData(
    bots=(
        BotChart(
            bot_id="lxalgo_001",
            equity_after=course("10000.00000000", "1.25000000", 12, 24),
            pnl_after=course("0.00000000", "0.75000000", 9, 30),
        ),
        BotChart(
            bot_id="momentum_001",
            equity_before=course("250000.00000000", "12.50000000", 200, 20),
            equity_after=course("250000.00000000", "12.50000000", 400, 20),
            pnl_before=course("0.00000000", "3.10000000", 150, 24),
            pnl_after=course("0.00000000", "3.10000000", 300, 24),
        ),
    ),
    symbols=tuple(
        SymbolMoney(
            bot_id=bot,
            symbol=symbol,
            trades_before=before,
            trades_after=before + 5,
            pnl_before=None if not before else f"{before * 3 - 40}.50000000",
            pnl_after=f"{before * 4 - 30}.12500000",
        )
        for bot in ("lxalgo_001", "momentum_001")
        for symbol, before in (("BTCUSDT", 40), ("ETHUSDT", 12), ("SOLUSDT", 0), ("XRPUSDT", 3))
    ),
    inserts=(
        InsertChart(table="trading.trades", days=tuple((moment(24 * day)[:10], 3 + day % 7) for day in range(40))),
        InsertChart(table="trading.account_balance", days=tuple((moment(24 * day)[:10], 24) for day in range(38))),
        InsertChart(table="trading.signals", days=((moment(240)[:10], 11),), undated=2),
    ),
)

_BY_CODE: Final = (
    (RejectCode.UNMAPPED_VALUE, "side", "Hold", 41),
    (RejectCode.INEXACT, "price", "0.1234567891", 17),
    (RejectCode.UNMATCHED_CLOSE, None, None, 13),
)


def reject(code: RejectCode, column: str | None, value: str | None, key: str = "12") -> Reject:
    return Reject(
        source="momentum",
        table="trades",
        key=key,
        code=code,
        column=column,
        value=value,
        location=Location(file="mappings/momentum/trades.yaml", line=14, column=11),
    )


PICTURED: Final = dataclasses.replace(
    LOADED,
    sources=(
        *LOADED.sources,
        *(
            SourceCounts(source="shortseller", table=table, read=number, mapped=number)
            for table, number in (("trades", 1200), ("orders", 75), ("positions", 9), ("signals", 40_000))
        ),
    ),
    targets=(
        *LOADED.targets,
        *(
            TargetCounts(
                table=table, bot_id="lxalgo_001", candidate=number + 7, insert=number, update=2, unchanged=5, conflict=0
            )
            for table, number in (("trading.trades", 58), ("trading.positions", 4), ("trading.signals", 1024))
        ),
    ),
    reject_groups=tuple(
        RejectGroup(count=number, example=reject(code, column, value)) for code, column, value, number in _BY_CODE
    ),
    rejects=tuple(
        reject(code, column, value, key=str(100 + place))
        for place in range(8)
        for code, column, value, _ in _BY_CODE[place % 3 : place % 3 + 1]
    ),
    max_rejects=100,
    money=(
        *LOADED.money,
        BotMoney(
            bot_id="lxalgo_001", trades=58, open_positions=1, pnl_usd="20.25", fees="1.10000000", equity="10023.75"
        ),
    ),
    controls=(
        *LOADED.controls,
        *(
            Control(
                table="trading.trades",
                bot_id="lxalgo_001",
                measure=measure,
                source_value=value,
                rejected_value=None,
                target_value=value,
                difference="0",
                status="equal",
            )
            for measure, value in (("count(*)", "58"), ("sum(pnl_usd)", "20.25000000"), ("max(exit_time)", None))
        ),
    ),
    changed=(
        ChangedRow(
            table="trading.trades",
            bot_id="momentum_001",
            key="momentum_001_BTCUSDT_20250101T000000_ab12cd",
            cells=(("exit_price", None, "43000.50000000"), ("status", "pending", "filled")),
            origins=(("momentum", "trades", "12"),),
        ),
        ChangedRow(
            table="trading.positions",
            bot_id="lxalgo_001",
            key="lxalgo_001_ETHUSDT_open",
            cells=(("current_price", "2200.00000000", "2210.10000000"), ("notes", "=1+1", "")),
            origins=(("lxalgo", "positions", "ETHUSDT|Rule 6"), ("lxalgo", "trade_events", "7")),
        ),
    ),
    charts=CHARTS,
)
"""A run as a person sees it every day, with everything that a page can have."""


def evil(text: str) -> RunReport:
    """A report in which every text of a source is this one."""
    one = dataclasses.replace(
        reject(RejectCode.BAD_VALUE, text, text, key=text),
        source=text,
        table=text,
        location=Location(file=text, line=1),
    )
    points = ((moment(0), "1"), (moment(1), "2"))
    return dataclasses.replace(
        LOADED,
        sources=(SourceCounts(source=text, table=text, read=1, rejected=1),),
        targets=(
            TargetCounts(table="trading.trades", bot_id=text, candidate=1, insert=0, update=0, unchanged=0, conflict=1),
        ),
        rejects=(one,),
        reject_groups=(RejectGroup(count=1, example=one),),
        controls=(dataclasses.replace(LOADED.controls[0], bot_id=text, target_value=text, status="different"),),
        roundings=(dataclasses.replace(LOADED.roundings[0], source=text, table=text),),
        money=(dataclasses.replace(LOADED.money[0], bot_id=text),),
        notices=(Notice(code="note", message=text),),
        problems=(text,),
        changed=(
            ChangedRow(
                table="trading.trades",
                bot_id=text,
                key=text,
                cells=((text, text, text),),
                origins=((text, text, text),),
            ),
        ),
        charts=ChartData(
            bots=(BotChart(bot_id=text, equity_after=points, pnl_after=points),),
            symbols=(
                SymbolMoney(
                    bot_id=text, symbol=text, trades_before=0, trades_after=1, pnl_before=None, pnl_after="1.5"
                ),
            ),
            inserts=(InsertChart(table=text, days=((moment(0)[:10], 1),)),),
        ),
    )


def huge(number: int) -> RunReport:
    """A report with this many of everything, all of it long and hard to escape."""
    long = "<&\"'é\U0001f600" * 200
    one = reject(RejectCode.BAD_VALUE, long, long, key=long)
    return dataclasses.replace(
        evil(long),
        sources=tuple(SourceCounts(source=long, table=str(place), read=1, mapped=1) for place in range(number)),
        targets=tuple(
            TargetCounts(table="trading.trades", bot_id=long, candidate=1, insert=1, update=0, unchanged=0, conflict=0)
            for _ in range(number)
        ),
        rejects=(one,) * number,
        reject_groups=(RejectGroup(count=number, example=one),) * number,
        controls=(dataclasses.replace(LOADED.controls[0], bot_id=long, measure=long),) * number,
        roundings=(dataclasses.replace(LOADED.roundings[0], source=long),) * number,
        money=(dataclasses.replace(LOADED.money[0], bot_id=long),) * number,
        notices=(Notice(code="note", message=long),) * number,
        problems=(long * 10,) * number,
        changed=(ChangedRow(table="trading.trades", bot_id=long, key=long, cells=((long, long, long),) * 40),) * number,
        charts=ChartData(
            bots=tuple(
                BotChart(
                    bot_id=f"{place} {long}",
                    equity_before=course("1", "1", 500, 1),
                    equity_after=course("1", "1", 500, 1),
                    pnl_after=course("1", "1", 500, 1),
                )
                for place in range(min(number, 200))
            ),
            symbols=tuple(
                SymbolMoney(
                    bot_id=long,
                    symbol=f"{place} {long}",
                    trades_before=1,
                    trades_after=1,
                    pnl_before="1",
                    pnl_after=str(place),
                )
                for place in range(number)
            ),
            inserts=CHARTS.inserts,
        ),
    )


SMALL: Final = dataclasses.replace(
    LOADED,
    changed=PICTURED.changed[:1],
    charts=ChartData(
        bots=(dataclasses.replace(CHARTS.bots[0], equity_before=course("10000", "1.25", 4, 24)),),
        symbols=CHARTS.symbols[:2],
        inserts=CHARTS.inserts[2:],
    ),
)
"""A run with a little of everything, for the golden page."""


def many(sources: int = 100, bots: int = 40) -> RunReport:
    """A large day: many sources, bots in every table, each reject code, and a last run to compare with."""
    names = [f"bot_{place:03}" for place in range(bots)]
    purses = tuple(
        BotMoney(
            bot_id=name,
            trades=1200 + place,
            open_positions=place % 4,
            pnl_usd=f"{place * 317 - 4000}.12345678",
            fees=None if place % 3 else f"{place}.50000000",
            equity=f"{10_000 + place * 317}.00000000",
        )
        for place, name in enumerate(names)
    )
    groups = tuple(
        RejectGroup(count=place * 7 + 1, example=reject(code, f"column_{place}", "x" * place * 9, key=str(place)))
        for place, code in enumerate(RejectCode, start=1)
        for _ in range(3)
    )
    return dataclasses.replace(
        PICTURED,
        sources=tuple(
            SourceCounts(source=f"source_{place:03}", table=table, read=1000 + place, mapped=1000 + place)
            for place in range(sources)
            for table in ("trades", "positions", "signals", "balances")
        ),
        targets=tuple(
            TargetCounts(
                table=table,
                bot_id=name,
                candidate=500 + place,
                insert=place,
                update=place % 2,
                unchanged=500 - place % 2 - place % 5 // 4,
                conflict=place % 5 // 4,
            )
            for table in (one.name for one in expected().tables)
            for place, name in enumerate(names)
        ),
        reject_groups=groups,
        roundings=tuple(
            dataclasses.replace(LOADED.roundings[0], source=f"source_{place:03}", column=column)
            for place in range(sources)
            for column in ("price", "quantity")
        ),
        money=purses,
        money_before=tuple(dataclasses.replace(one, trades=one.trades - 3) for one in purses[5:]),
        since=SinceLastRun(
            run_id="20250101T030405Z-ab12cd34",
            finished_at="2025-01-01T03:05:00Z",
            new_sources=("source_007", "source_008"),
            gone_sources=("source_old",),
            tables=tuple(
                TableSince(source=f"source_{place:03}", table="trades", before=1000, now=1000 + place)
                for place in range(1, sources)
            ),
            rejects=tuple(RejectsSince(code=str(code), new=3, gone=1) for code in RejectCode),
        ),
        notices=tuple(Notice(code="target_changed", message=f"{place} rows were left") for place in range(30)),
        problems=("error[conflict]: 40 rows\n" + "  - trading.trades x\n      cell\n" * 40 + "hint: say who is right",),
        status="refused",
        exit_code=6,
    )
