"""The small system: a SQLite store of 40 trades and 20 risk events, and a project over it."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAPPING = Path(__file__).parent / "mappings" / "small"
STORE = "small.db"
_SCHEMA = """
create table trades (id integer primary key, symbol text, side text, quantity text, price text, pnl text,
    entry_time text, note text);
create table risk_events (id integer primary key, event_time text, risk_type text, current_value text,
    limit_value text);
"""


def build(folder: Path, *, trades: int = 40, rest: str = "") -> Path:
    """Build the store and the project file, whose target is that of the variable TARGET; the project file."""
    with store(folder) as connection:
        connection.executescript(_SCHEMA)
        connection.executemany(
            "insert into trades values (?, ?, ?, ?, ?, ?, ?, ?)", [trade(number) for number in range(1, trades + 1)]
        )
        connection.executemany(
            "insert into risk_events values (?, ?, 'daily_loss', ?, '100')",
            [(number, moment(number), f"{number}.25") for number in range(1, trades // 2 + 1)],
        )
    file = folder / "consolidate.yaml"
    file.write_text(
        f"version: 1\ntarget: ${{TARGET}}\nsources:\n  small:\n    mapping: {MAPPING}\n    path: {STORE}\n"
        f"    bot: {{id: small_001, deployment_mode: demo, initial_capital: 1000}}\n{rest}",
        encoding="utf-8",
    )
    return file


def trade(number: int) -> tuple[int, str, str, str, str, str, str, str]:
    """The trade with this id."""
    return (
        number,
        "BTCUSDT" if number % 2 else "ETHUSDT",
        "buy" if number % 3 else "sell",
        f"{number}.125",
        f"{100 + number}.5",
        f"{number - 10}.75",
        moment(number),
        f"note {number}",
    )


def moment(number: int) -> str:
    """A time of its own."""
    return f"2025-10-{1 + number % 28:02}T{number // 28 % 24:02}:30:{number % 60:02}+00:00"


@contextmanager
def store(folder: Path) -> Iterator[sqlite3.Connection]:
    """The store, open to be written; committed in the end."""
    with closing(sqlite3.connect(folder / STORE, timeout=30)) as connection, connection:
        yield connection
