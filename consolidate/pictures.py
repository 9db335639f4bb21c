"""What the pictures of a report are drawn from: the money of the bots before a load and after it, and what it inserts.

Both databases sum up; what comes out has at most some hundred points a bot. "After" is the target's rows that the load
leaves as they are, and the candidates that it writes.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from itertools import accumulate
from operator import itemgetter
from typing import TYPE_CHECKING, Final, TypeAlias

from consolidate.bundled import statement
from consolidate.model import BotChart, ChartData, InsertChart, SymbolMoney
from consolidate.relations import candidates, work
from consolidate.staging import quoted
from consolidate.target import pictures as target

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from consolidate.diff import DiffReport
    from consolidate.staging import Staging
    from consolidate.target.transaction import Connection

MOST_POINTS: Final = 500

Moments: TypeAlias = "dict[str, list[tuple[int, Decimal]]]"
"""By bot: (microseconds since 1970, value), ascending."""

_BALANCES: Final = "trading.account_balance"
_TRADES: Final = "trading.trades"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_1: Final = 62_135_596_800_000_000
_DIGITS: Final = 200
"""More than any sum needs: nothing is rounded."""

_FIRST, _LAST = -62_135_510_400_000_000, 253_402_214_399_999_999
"""The years that Python's calendar has, 1 to 9999; other times are not drawn."""

_TIMES: Final = {
    "trading.trades": "entry_time",
    "trading.positions": "opened_at",
    "trading.orders": "submitted_at",
    "trading.market_data": "timestamp",
    "trading.signals": "timestamp",
    "trading.account_balance": "timestamp",
    "trading.risk_metrics": "calculated_at",
    "analytics.portfolio_snapshots": "timestamp",
    "audit.system_events": "event_time",
    "audit.risk_events": "event_time",
    "config.bot_configurations": "effective_from",
}
"""When what a row tells of happened; tables that are not here have no such time."""


def pictures(staging: Staging, connection: Connection | None, found: DiffReport) -> ChartData:
    """The pictures of what `diff.compare` found; to be asked for after it and before the load, in the same transaction.

    None as connection says, as there, that the target has no schema yet. All trades and balances of the bots of the
    run are read once where they lie, so a report without pictures is cheaper. Raises `psycopg.Error`.
    """
    bots = tuple(sorted({counts.bot_id for counts in found.counts if counts.bot_id is not None}))
    compared = {table.table for table in found.tables}
    overwritten = {
        table.table: _overwritten(staging, table.table)
        for table in found.tables
        if table.update and table.table in {_BALANCES, _TRADES}
    }
    spans = _rows(staging, "new_spans")
    if connection is not None:
        spans += target.spans(connection, bots)
    with localcontext() as exact:
        exact.prec = _DIGITS
        return ChartData(
            bots=_bots(staging, connection, _widths(bots, spans), compared, overwritten) if bots else (),
            symbols=_symbols(staging, connection, bots, compared, overwritten.get(_TRADES, ())) if bots else (),
            inserts=tuple(_inserts(staging, table.table) for table in found.tables if table.insert),
        )


def _overwritten(staging: Staging, table: str) -> list[str]:
    rows = staging.rows(f"select target_key from {work('diff', table)} where action = 'update' order by n")
    return [str(key) for (key,) in rows]


def _widths(bots: Sequence[str], spans: Iterable[tuple[object, ...]]) -> dict[str, tuple[int, int]]:
    """The length of the intervals of each bot's equity and of its pnl, in microseconds."""
    both: tuple[dict[str, list[int]], dict[str, list[int]]] = ({}, {})
    for bot, *moments in spans:
        for place, kind in enumerate(both):
            ends = moments[2 * place : 2 * place + 2]
            kind.setdefault(str(bot), []).extend(end for end in ends if isinstance(end, int))
    equity, pnl = both
    return {bot: (_width(equity.get(bot, ())), _width(pnl.get(bot, ()))) for bot in bots}


def _width(moments: Sequence[int]) -> int:
    return (max(moments) - min(moments)) // (MOST_POINTS - 1) + 1 if moments else 1


def _bots(
    staging: Staging,
    connection: Connection | None,
    widths: Mapping[str, tuple[int, int]],
    compared: set[str],
    overwritten: Mapping[str, Sequence[str]],
) -> tuple[BotChart, ...]:
    by_equity = {bot: both[0] for bot, both in widths.items()}
    by_pnl = {bot: both[1] for bot, both in widths.items()}
    equity_before: Moments = {}
    pnl_before: Moments = {}
    equity_kept, pnl_kept = equity_before, pnl_before
    if connection is not None:
        equity_before = equity_kept = _moments(target.equity(connection, by_equity))
        pnl_before = pnl_kept = _moments(target.pnl(connection, by_pnl))
        if _BALANCES in overwritten:
            equity_kept = _moments(target.equity(connection, by_equity, overwritten[_BALANCES]))
        if _TRADES in overwritten:
            pnl_kept = _moments(target.pnl(connection, by_pnl, overwritten[_TRADES]))
    equity_new = _moments(_new(staging, "new_equity", by_equity) if _BALANCES in compared else ())
    pnl_new = _moments(_new(staging, "new_pnl", by_pnl) if _TRADES in compared else ())
    return tuple(
        BotChart(
            bot_id=bot,
            equity_before=_points(equity_before.get(bot, [])),
            equity_after=_points(_last(equity_kept.get(bot, []), equity_new.get(bot, []), by_equity[bot])),
            pnl_before=_points(_running(pnl_before.get(bot, []))),
            pnl_after=_points(_running(_added(pnl_kept.get(bot, []), pnl_new.get(bot, []), by_pnl[bot]))),
        )
        for bot in widths
    )


def _rows(staging: Staging, name: str, parameters: Sequence[object] = ()) -> list[tuple[object, ...]]:
    return staging.rows(statement(f"pictures/{name}").decode(), parameters)


def _new(staging: Staging, name: str, widths: Mapping[str, int]) -> list[tuple[object, ...]]:
    return _rows(staging, name, [list(widths), list(widths.values())])


def _moments(rows: Iterable[tuple[object, ...]]) -> Moments:
    found: Moments = {}
    for bot, moment, value in rows:
        found.setdefault(str(bot), []).append((int(str(moment)), Decimal(str(value))))
    return found


def _last(
    kept: Sequence[tuple[int, Decimal]], new: Sequence[tuple[int, Decimal]], width: int
) -> list[tuple[int, Decimal]]:
    """The later of both in each interval; at the same moment, the one that the load writes."""
    chosen: dict[int, tuple[int, Decimal]] = {}
    for moment, value in (*kept, *new):
        interval = (moment + _YEAR_1) // width
        if interval not in chosen or moment >= chosen[interval][0]:
            chosen[interval] = (moment, value)
    return sorted(chosen.values(), key=itemgetter(0))


def _added(
    kept: Sequence[tuple[int, Decimal]], new: Sequence[tuple[int, Decimal]], width: int
) -> list[tuple[int, Decimal]]:
    """The sum of both in each interval, at the later moment."""
    summed: dict[int, tuple[int, Decimal]] = {}
    for moment, value in (*kept, *new):
        interval = (moment + _YEAR_1) // width
        last, total = summed.get(interval, (moment, Decimal(0)))
        summed[interval] = (max(last, moment), total + value)
    return sorted(summed.values(), key=itemgetter(0))


def _running(moments: Sequence[tuple[int, Decimal]]) -> list[tuple[int, Decimal]]:
    totals = accumulate(value for _, value in moments)
    return [(moment, total) for (moment, _), total in zip(moments, totals, strict=True)]


def _points(moments: Sequence[tuple[int, Decimal]]) -> tuple[tuple[str, str], ...]:
    """The moments as texts, thinned out from the end where there are too many: the last one always stays."""
    step = -(-len(moments) // MOST_POINTS) or 1
    return tuple((_iso(moment), str(value)) for moment, value in moments[::-1][::step][::-1])


def _iso(moment: int) -> str:
    return (_EPOCH + timedelta(microseconds=moment)).isoformat().removesuffix("+00:00") + "Z"


def _symbols(
    staging: Staging,
    connection: Connection | None,
    bots: Sequence[str],
    compared: set[str],
    overwritten: Sequence[str],
) -> tuple[SymbolMoney, ...]:
    before: _Sums = {}
    new: _Sums = {}
    kept = before
    if connection is not None:
        before = kept = _sums(target.symbols(connection, bots))
        if overwritten:
            kept = _sums(target.symbols(connection, bots, overwritten))
    if _TRADES in compared:
        new = _sums(_rows(staging, "new_symbols"))
    found = []
    for bot, symbol in sorted({*before, *new}):
        trades_before, pnl_before = before.get((bot, symbol), _NO_TRADES)
        trades_kept, pnl_kept = kept.get((bot, symbol), _NO_TRADES)
        trades_new, pnl_new = new.get((bot, symbol), _NO_TRADES)
        known = [pnl for pnl in (pnl_kept, pnl_new) if pnl is not None]
        found.append(
            SymbolMoney(
                bot_id=bot,
                symbol=symbol,
                trades_before=trades_before,
                trades_after=trades_kept + trades_new,
                pnl_before=None if pnl_before is None else str(pnl_before),
                pnl_after=str(sum(known)) if known else None,
            )
        )
    return tuple(found)


_Sums: TypeAlias = "dict[tuple[str, str], tuple[int, Decimal | None]]"
_NO_TRADES: Final = (0, None)


def _sums(rows: Iterable[tuple[object, ...]]) -> _Sums:
    return {
        (str(bot), str(symbol)): (int(str(trades)), None if pnl is None else Decimal(str(pnl)))
        for bot, symbol, trades, pnl in rows
    }


def _inserts(staging: Staging, table: str) -> InsertChart:
    """The inserts of a table by day; where there are too many days, several days stand together."""
    time = _TIMES.get(table)
    moment = "cast(null as bigint)" if time is None else f"epoch_us(c.{quoted(time)})"
    its_day = f"case when {moment} between {_FIRST} and {_LAST} then floor({moment} / 86400000000.0) end"
    rows = staging.rows(
        f"select cast({its_day} as bigint) as its_day, count(*)"
        f' from {work("diff", table)} d join {candidates(table)} c on c."#n" = d.n'
        " where d.action = 'insert' group by all order by all nulls first"
    )
    undated = sum(int(str(count)) for day, count in rows if day is None)
    days = [(int(str(day)), int(str(count))) for day, count in rows if day is not None]
    step = (days[-1][0] - days[0][0]) // MOST_POINTS + 1 if days else 1
    together: dict[int, int] = {}
    for day, count in days:
        first = days[0][0] + (day - days[0][0]) // step * step
        together[first] = together.get(first, 0) + count
    return InsertChart(
        table=table,
        days=tuple((_iso(day * 86_400_000_000)[:10], count) for day, count in together.items()),
        undated=undated,
    )
