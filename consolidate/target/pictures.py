"""What the pictures of a report need of the target: the history of some bots, summed up by PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consolidate.bundled import statement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consolidate.target.transaction import Connection

Rows = list[tuple[object, ...]]


def spans(connection: Connection, bots: Sequence[str]) -> Rows:
    """bot_id, first and last balance, first and last entry of a trade, in microseconds since 1970."""
    return connection.execute(statement("pictures/spans"), {"bots": list(bots)}).fetchall()


def equity(connection: Connection, widths: Mapping[str, int], without: Sequence[str] = ()) -> Rows:
    """bot_id, moment and equity: the last of each interval; rows with the ids `without` are left out."""
    values = {"bots": list(widths), "widths": list(widths.values()), "without": [int(key) for key in without]}
    return connection.execute(statement("pictures/equity"), values).fetchall()


def pnl(connection: Connection, widths: Mapping[str, int], without: Sequence[str] = ()) -> Rows:
    """bot_id, moment and pnl of each interval; trades with the trade_ids `without` are left out."""
    values = {"bots": list(widths), "widths": list(widths.values()), "without": list(without)}
    return connection.execute(statement("pictures/pnl"), values).fetchall()


def symbols(connection: Connection, bots: Sequence[str], without: Sequence[str] = ()) -> Rows:
    """bot_id, symbol, trades and pnl; trades with the trade_ids `without` are left out."""
    values = {"bots": list(bots), "without": list(without)}
    return connection.execute(statement("pictures/symbols"), values).fetchall()
