"""What makes a row of a unified table the same row again, and by which text lineage names it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from consolidate.canonical import is_serial

if TYPE_CHECKING:
    from consolidate.target.contract import TableContract

CANDLES: Final = "trading.market_data"
SHARED_VALUES: Final = ("open_price", "high_price", "low_price", "close_price", "volume")
"""A candle is the same for all bots when these are equal."""
LIVE_VALUES: Final = ("status", "current_equity", "last_heartbeat", "updated_at")
"""What a running bot writes to its own row of trading.bots."""


class Known(Enum):
    """How a candidate finds its row in the target."""

    BY_TEXT_ID = "text_id"  # trade_id, bot_id, …
    BY_NATURAL_KEY = "natural_key"  # symbol, interval, timestamp
    BY_LINEAGE = "lineage"  # only through the source row that made it


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The identity of a table's rows.

    `key` are the columns that candidates bring (none for BY_LINEAGE). `target_key` is the column whose text is
    lineage's target_key. `serial` is the SQL that gives the next id, where target_key is that id; else None.
    """

    known: Known
    key: tuple[str, ...]
    target_key: str
    serial: str | None


def identity(table: TableContract) -> Identity:
    """The identity of a unified table, as its keys in the contract say."""
    serial = next((column for column in table.columns if is_serial(column)), None)
    if serial is None:
        return Identity(known=Known.BY_TEXT_ID, key=table.primary_key, target_key=table.primary_key[0], serial=None)
    single = next((key for key in table.unique if len(key) == 1), None)
    if single is not None:
        return Identity(known=Known.BY_TEXT_ID, key=single, target_key=single[0], serial=None)
    natural = next(iter(table.unique), ())
    known = Known.BY_NATURAL_KEY if natural else Known.BY_LINEAGE
    return Identity(known=known, key=natural, target_key=serial.name, serial=serial.default)
