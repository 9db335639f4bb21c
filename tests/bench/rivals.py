"""Others on the same file: a script of the kind that people write, and the movers that are installed."""

from __future__ import annotations

import importlib.util
import shutil
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from consolidate.postgres import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.measuring import Cost, Meter

_PAGE: Final = 1_000
_COLUMNS: Final = (
    "trade_id, bot_id, symbol, side, quantity, entry_price, exit_price, position_size_usd, stop_loss, take_profit,"
    " status, entry_time, exit_time, holding_time_seconds, pnl_usd, pnl_pct, exit_reason, strategy, signal_strength"
)
_BOT: Final = (
    "insert into trading.bots (bot_id, bot_name, bot_type, strategy_name, deployment_mode, initial_capital)"
    " values (%s, 'Momentum', 'momentum', 'volatility_breakout', 'demo', 10000)"
)
_MOVE: Final = "import sys; from tests.bench.rivals import script; script(sys.argv[1], sys.argv[2])"
_DLT: Final = """
import sys, dlt
from dlt.sources.sql_database import sql_database
source = sql_database('sqlite:///' + sys.argv[1], table_names=['trades'])
dlt.pipeline('bench', destination=dlt.destinations.postgres(sys.argv[2]), dataset_name='copied').run(source)
"""


def script(file: str, dsn: str) -> None:
    """Move the trades of a Momentum store into `trading.trades` alone: row by row, a thousand in a statement."""
    with (
        closing(sqlite3.connect(file)) as store,
        connect(dsn, what="the target") as connection,
        connection.transaction(),
        connection.cursor() as cursor,
    ):
        cursor.execute(_BOT.encode(), ("momentum_demo",))
        cursor.execute(_BOT.encode(), ("momentum_live",))
        store.row_factory = sqlite3.Row
        page: list[tuple[object, ...]] = []
        for row in _moved(store):
            page.append(row)
            if len(page) == _PAGE:
                _insert(cursor, page)
                page = []
        if page:
            _insert(cursor, page)


def _insert(cursor: Any, page: list[tuple[object, ...]]) -> None:  # noqa: ANN401 - a cursor of any row type
    marks = f"({', '.join(['%s'] * len(page[0]))})"
    statement = f"insert into trading.trades ({_COLUMNS}) values {', '.join([marks] * len(page))}"
    cursor.execute(statement.encode(), [cell for row in page for cell in row])


def _moved(store: sqlite3.Connection) -> Iterator[tuple[object, ...]]:
    zone = ZoneInfo("Europe/London")

    def utc(text: str | None) -> datetime | None:
        return None if text is None else datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)

    for row in store.execute("select * from trades order by id"):
        bot = f"momentum_{row['mode']}"
        yield (
            f"{bot}_{row['symbol']}_{row['id']}",
            bot,
            row["symbol"],
            row["side"],
            row["quantity"],
            row["entry_price"],
            row["exit_price"],
            row["position_size_usd"],
            row["stop_loss"],
            row["take_profit"],
            "filled",
            utc(row["entry_time"]),
            utc(row["exit_time"]),
            row["holding_time_seconds"],
            row["pnl_usd"],
            row["pnl_pct"],
            row["exit_reason"],
            "volatility_breakout",
            row["signal_strength"],
        )


def measured_script(meter: Meter, file: Path, dsn: str) -> Cost:
    """The script, as a process of its own."""
    return meter.command([sys.executable, "-c", _MOVE, str(file), dsn], cwd=Path.cwd(), environment={})


def measured_pgloader(meter: Meter, file: Path, dsn: str) -> Cost | None:
    """pgloader's copy of the file as it is; None where pgloader is not installed."""
    program = shutil.which("pgloader")
    if program is None:
        return None
    return meter.command([program, f"sqlite://{file}", dsn], cwd=file.parent, environment={})


def measured_dlt(meter: Meter, file: Path, dsn: str) -> Cost | None:
    """dlt's copy of the trades as they are; None where dlt is not installed."""
    if importlib.util.find_spec("dlt") is None:
        return None
    return meter.command([sys.executable, "-c", _DLT, str(file), dsn], cwd=file.parent, environment={})
