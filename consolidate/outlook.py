"""What the money of the bots is in the target, and what a load would make of it: exactly what it is afterwards."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Final

from consolidate.bundled import statement
from consolidate.model import BotMoney
from consolidate.relations import work
from consolidate.target import readback
from consolidate.target.asked import answers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from consolidate.diff import DiffReport
    from consolidate.staging import Staging
    from consolidate.target.transaction import Connection

_BOTS: Final = "trading.bots"
_TRADES: Final = "trading.trades"
_POSITIONS: Final = "trading.positions"
_OLD: Final = 'work."overwritten money"'
_DIGITS: Final = 200
"""More than any sum needs: nothing is rounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sum:
    """A sum of decimals and how many there are: of none it is not recorded, whatever it was before."""

    known: int = 0
    total: Decimal = Decimal(0)

    def plus(self, other: _Sum, sign: int) -> _Sum:
        return _Sum(known=self.known + sign * other.known, total=self.total + sign * other.total)

    @property
    def text(self) -> str | None:
        return f"{self.total:f}" if self.known else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Purse:
    trades: int = 0
    open_positions: int = 0
    pnl: _Sum = _Sum()
    fees: _Sum = _Sum()
    equity: str | None = None

    def plus(self, other: _Purse, sign: int) -> _Purse:
        return replace(
            self,
            trades=self.trades + sign * other.trades,
            open_positions=self.open_positions + sign * other.open_positions,
            pnl=self.pnl.plus(other.pnl, sign),
            fees=self.fees.plus(other.fees, sign),
        )


def money(
    staging: Staging, connection: Connection | None, found: DiffReport, bots: Sequence[str]
) -> tuple[tuple[BotMoney, ...], tuple[BotMoney, ...]]:
    """The money of the bots before the load and after it, from what `diff.compare` found; a bot not there is left out.

    Afterwards it is what was there, less the rows that are overwritten, and what is written. None as connection says
    that the target has no schema yet. Reads the trades and open positions of these bots, and no others. Raises
    `psycopg.Error`.
    """
    compared = {one.table for one in found.tables}
    with localcontext() as exact:
        exact.prec = _DIGITS
        before = {} if connection is None else dict(_held(connection, bots))
        after = dict(before)
        if _BOTS in compared:
            for bot, equity in _rows(staging, "new_equity"):
                after[str(bot)] = replace(after.get(str(bot), _Purse()), equity=None if equity is None else str(equity))
        for bot, purse in _old(staging, connection, found):
            after[bot] = after[bot].plus(purse, -1)
        for bot, purse in _new(staging, compared):
            after[bot] = after.get(bot, _Purse()).plus(purse, 1)
        return _shown(before, bots), _shown(after, bots)


def _shown(purses: dict[str, _Purse], bots: Iterable[str]) -> tuple[BotMoney, ...]:
    return tuple(
        BotMoney(
            bot_id=bot,
            trades=purses[bot].trades,
            open_positions=purses[bot].open_positions,
            pnl_usd=purses[bot].pnl.text,
            fees=purses[bot].fees.text,
            equity=purses[bot].equity,
        )
        for bot in sorted(bots)
        if bot in purses
    )


def _held(connection: Connection, bots: Sequence[str]) -> Iterator[tuple[str, _Purse]]:
    for bot, trades, positions, pnl, fees, equity, pnls, with_fees in readback.money_rows(connection, bots):
        yield (
            str(bot),
            _Purse(
                trades=_integer(trades),
                open_positions=_integer(positions),
                pnl=_sum(pnls, pnl),
                fees=_sum(with_fees, fees),
                equity=None if equity is None else str(equity),
            ),
        )


def _new(staging: Staging, compared: set[str]) -> Iterator[tuple[str, _Purse]]:
    if _TRADES in compared:
        yield from _traded(_rows(staging, "new_trades"))
    if _POSITIONS in compared:
        for bot, positions in _rows(staging, "new_positions"):
            yield str(bot), _Purse(open_positions=_integer(positions))


def _old(staging: Staging, connection: Connection | None, found: DiffReport) -> Iterator[tuple[str, _Purse]]:
    """What the target has of the rows that the load overwrites."""
    updated = {one.table for one in found.tables if one.update}
    if connection is None:
        return
    if _TRADES in updated:
        columns = ("bot_id", "trades", "pnls", "pnl_usd", "with_fees", "fees")
        tallies = "count(*), count(t.pnl_usd), sum(t.pnl_usd)::text, count(t.fees), sum(t.fees)::text"
        answers(
            connection,
            staging,
            f"select target_key as key from {work('diff', _TRADES)} where action = 'update'",
            [("key", "text")],
            lambda q: (
                f"select t.bot_id, {tallies} from {q} join trading.trades t on t.trade_id = q.key group by t.bot_id"
            ),
            _OLD,
            [(name, "varchar") for name in columns],
        )
        yield from _traded(staging.rows(f"select {', '.join(columns)} from {_OLD}"))
    if _POSITIONS in updated:
        answers(
            connection,
            staging,
            f"select target_key as key from {work('diff', _POSITIONS)} where action = 'update'",
            [("key", "text")],
            lambda q: (
                f"select p.bot_id, count(*) from {q} join trading.positions p on p.position_id = q.key"
                " where p.status = 'open' group by p.bot_id"
            ),
            _OLD,
            [("bot_id", "varchar"), ("positions", "varchar")],
        )
        for bot, positions in staging.rows(f"select bot_id, positions from {_OLD}"):
            yield str(bot), _Purse(open_positions=_integer(positions))


def _traded(rows: Iterable[tuple[object, ...]]) -> Iterator[tuple[str, _Purse]]:
    for bot, trades, pnls, pnl, with_fees, fees in rows:
        yield str(bot), _Purse(trades=_integer(trades), pnl=_sum(pnls, pnl), fees=_sum(with_fees, fees))


def _rows(staging: Staging, name: str) -> list[tuple[object, ...]]:
    return staging.rows(statement(f"outlook/{name}").decode())


def _sum(known: object, total: object) -> _Sum:
    return _Sum(known=_integer(known), total=Decimal(0) if total is None else Decimal(str(total)))


def _integer(value: object) -> int:
    return int(str(value))
