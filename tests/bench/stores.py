"""Legacy stores of any size, as the bots would have written them; the same number of rows is always the same store."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from consolidate.bundled import folder
from consolidate.postgres import connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SYMBOLS: Final = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "BNBUSDT", "ADAUSDT")
_EXITS: Final = ("MA Exit", "Trailing Stop", "Take Profit", "Stop Loss")
_START: Final = datetime(2015, 1, 5)  # noqa: DTZ001 - the bot writes local times; these stay clear of clock changes
_DAY_SECONDS: Final = 14 * 3600
_BATCH: Final = 50_000

_TRADE: Final = f"insert into trades values ({', '.join('?' * 19)})"
_CANDLE: Final = (
    "copy trading.market_data (id, symbol, timestamp, open_price, high_price, low_price, close_price, volume,"
    " interval, created_at) from stdin"
)


def momentum(file: Path, rows: int, *, first: int = 1, per_day: int = 700) -> None:
    """Write trades `first` to `first + rows - 1` into a Momentum store, made where there is none."""
    is_new = not file.exists()
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("pragma synchronous = off")
        if is_new:
            script = folder("fixtures") / "momentum" / "store.sqlite.sql"
            connection.executescript(script.read_text(encoding="utf-8"))
        connection.executemany(_TRADE, _trades(rows, first, per_day))
        connection.commit()


def _trades(rows: int, first: int, per_day: int) -> Iterator[tuple[object, ...]]:
    for i in range(first, first + rows):
        dice = random.Random(i)
        day, place = divmod(i, per_day)
        entry = _START + timedelta(days=day, hours=6, seconds=place * _DAY_SECONDS // per_day, microseconds=i % 999_983)
        held = 60 + int(dice.random() * 14_000)
        is_open = i % 50 == 0
        price = 100 + dice.random() * 60_000
        quantity = 0.001 + dice.random()
        gain = (dice.random() - 0.48) * 0.02
        mode = "demo" if i % 3 else "live"
        left = entry + timedelta(seconds=held)
        yield (
            i,
            f"{mode}_{i}" if i % 7 else None,
            mode,
            _SYMBOLS[i % len(_SYMBOLS)],
            "long" if i % 4 else "short",
            entry.isoformat(sep=" ", timespec="microseconds"),
            price,
            None if is_open else left.isoformat(sep=" ", timespec="microseconds"),
            None if is_open else price * (1 + gain if i % 4 else 1 - gain),
            quantity,
            price * quantity,
            price * 0.985,
            price * 1.03,
            None if is_open else price * quantity * gain,
            None if is_open else gain,
            None if is_open else _EXITS[i % len(_EXITS)],
            None if is_open else held,
            dice.random(),
            entry.isoformat(sep=" ", timespec="seconds"),
        )


def shortseller(dsn: str, candles: int) -> None:
    """Fill an empty database with a Shortseller store of that many candles of one minute."""
    with connect(dsn, what="the store") as connection, connection.transaction():
        connection.execute((folder("fixtures") / "shortseller" / "store.postgres.sql").read_bytes())
        with connection.cursor() as cursor, cursor.copy(_CANDLE.encode()) as copy:
            for start in range(0, candles, _BATCH):
                copy.write("".join(_candles(start, min(start + _BATCH, candles))).encode())


def _candles(start: int, end: int) -> Iterator[str]:
    dice = random.Random(start)
    for i in range(start, end):
        minute, symbol = divmod(i, len(_SYMBOLS))
        at = _START + timedelta(minutes=minute)
        low = 100 + dice.random() * 1000
        opened, closed, high = low + dice.random(), low + dice.random(), low + 1 + dice.random()
        cells = (i + 1, _SYMBOLS[symbol], f"{at}+00", f"{opened:.8f}", f"{high:.8f}", f"{low:.8f}", f"{closed:.8f}")
        yield "\t".join(map(str, (*cells, f"{dice.random() * 1000:.8f}", "1m", f"{at}+00"))) + "\n"


def lxalgo(place: Path, signals: int) -> None:
    """Write a folder of snapshots: the clean fixtures, with that many signals in one more CSV file."""
    place.mkdir(parents=True, exist_ok=True)
    for each in sorted((folder("fixtures") / "lxalgo" / "clean").iterdir()):
        (place / each.name).write_bytes(each.read_bytes())
    with (place / "signals_202401.csv").open("w", encoding="utf-8", newline="") as file:
        file.write("timestamp,datetime,symbol,price,rule,rsi,volatility,spread,volume_score,pump_pct\n")
        for i in range(signals):
            dice = random.Random(i)
            at = 1_704_067_200_000 + i * 1_009
            shown = datetime(1970, 1, 1) + timedelta(milliseconds=at)  # noqa: DTZ001 - as the bot shows it
            cells = (at, shown.isoformat(sep=" ", timespec="milliseconds"), _SYMBOLS[i % 3], f"{dice.random():.4f}")
            file.write(",".join(map(str, (*cells, "Rule 4", dice.random() * 100, dice.random(), "", "", ""))) + "\n")


def project(place: Path, sources: str) -> Path:
    """Write a project file over `sources` (YAML); the target is that of the variable TARGET."""
    file = place / "consolidate.yaml"
    file.write_text(f"version: 1\ntarget: ${{TARGET}}\nsources:\n{sources}", encoding="utf-8")
    return file


def momentum_source(name: str, path: str, bot: str) -> str:
    """The entry of a Momentum store in a project file."""
    values = "deployment_mode: demo, initial_capital: 10000"
    return (
        f"  {name}:\n    mapping: momentum\n    path: {path}\n    time_zone: Europe/London\n    bots:\n"
        f"      demo: {{id: {bot}_demo, {values}}}\n      live: {{id: {bot}_live, {values}, default: true}}\n"
    )


def lxalgo_source(name: str, path: str) -> str:
    """The entry of an LXAlgo folder in a project file."""
    return (
        f"  {name}:\n    mapping: lxalgo\n    path: {path}\n"
        f"    bot: {{id: {name}, deployment_mode: demo, initial_capital: 10000}}\n"
    )


def shortseller_source(name: str) -> str:
    """The entry of a Shortseller store in a project file; its database is that of the variable SOURCE."""
    return (
        f"  {name}:\n    mapping: shortseller\n    dsn: ${{SOURCE}}\n"
        f"    bot: {{id: {name}, deployment_mode: demo, initial_capital: 10000}}\n"
    )
