"""Candidates, lineage and rejects as transform leaves them in the run's DuckDB file, from plain Python values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import md5
from typing import TYPE_CHECKING
from uuid import UUID

from consolidate.canonical import columns
from consolidate.relations import candidates
from consolidate.staging import quoted
from consolidate.target.contract import expected
from consolidate.transform.measured import create_measured

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from consolidate.staging import Staging
    from consolidate.target.contract import TableContract

BOT = "alpha_001"
SOURCE = "alpha"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """A source row that a candidate comes from."""

    table: str
    key: str
    source: str = SOURCE
    outcome: str = "mapped"
    version: str = "1"
    residual: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A row for a unified table: values by column, those left out are null."""

    table: str
    values: Mapping[str, object]
    bot: str | None = BOT
    source: str = SOURCE
    rows: tuple[SourceRow, ...] = ()

    def but(self, **values: object) -> Candidate:
        """The same candidate of the same source rows with other values."""
        return replace(self, values={**self.values, **values})

    def of(self, *rows: SourceRow) -> Candidate:
        """The same candidate from other source rows."""
        return replace(self, rows=rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A reject."""

    key: str | None = "9"
    code: str = "bad_value"
    column: str | None = "price"
    value: str | None = "abc"
    location: str | None = "mappings/alpha/trades.yaml:3:1"
    row: str = '{"id": 9, "price": "abc"}'
    source: str = SOURCE
    table: str = "trades"


def duckdb_type(postgres_type: str) -> str:
    """The DuckDB type of a candidate's column."""
    base, _, size = postgres_type.partition("(")
    if base == "numeric":
        return f"decimal({size}"
    return {
        "integer": "integer",
        "bigint": "bigint",
        "boolean": "boolean",
        "date": "date",
        "timestamp with time zone": "timestamp",
        "text[]": "varchar[]",
    }.get(base, "varchar")


def create(staging: Staging, table: TableContract) -> None:
    """Create an empty table of candidates."""
    typed = ", ".join(f"{quoted(column.name)} {duckdb_type(column.type)}" for column in columns(table))
    staging.run(
        f'create or replace table {candidates(table.name)} ("#n" bigint, "#bot" varchar, "#source" varchar, {typed})'
    )


def fill(staging: Staging, rows: Iterable[Candidate], rejects: Iterable[Rejected] = ()) -> None:
    """Make `cand` and `rej` hold exactly these rows, numbered table by table in this order."""
    for table in expected().tables:
        create(staging, table)
    create_measured(staging)
    staging.run("""
        create or replace table cand."#lineage" (target_table varchar, "#n" bigint, source varchar,
            source_table varchar, source_key varchar, outcome varchar, source_hash uuid, residual varchar);
        create or replace table rej.rejects ("#n" bigint, source varchar, source_table varchar, source_key varchar,
            code varchar, column_name varchar, value varchar, location varchar, "row" varchar);
    """)
    numbers: dict[str, int] = {}
    for row in rows:
        n = numbers[row.table] = numbers.get(row.table, 0) + 1
        insert(staging, row, n)
        for source in row.rows:
            made = md5(f"{source.key}{source.version}".encode(), usedforsecurity=False)
            staging.run(
                'insert into cand."#lineage" values (?, ?, ?, ?, ?, ?, ?, ?)',
                [
                    row.table,
                    n,
                    source.source,
                    source.table,
                    source.key,
                    source.outcome,
                    str(UUID(made.hexdigest())),
                    source.residual,
                ],
            )
    for n, bad in enumerate(rejects, start=1):
        staging.run(
            "insert into rej.rejects values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [n, bad.source, bad.table, bad.key, bad.code, bad.column, bad.value, bad.location, bad.row],
        )


def insert(staging: Staging, row: Candidate, n: int) -> None:
    """Add one candidate, without lineage."""
    names = ", ".join(quoted(name) for name in row.values)
    marks = ", ".join("?" for _ in row.values)
    staging.run(
        f'insert into {candidates(row.table)} ("#n", "#bot", "#source", {names}) values (?, ?, ?, {marks})',
        [n, row.bot, row.source, *row.values.values()],
    )


def bot(bot_id: str = BOT, **values: object) -> Candidate:
    """A bot."""
    fixed = {
        "bot_id": bot_id,
        "bot_name": bot_id,
        "bot_type": "custom",
        "strategy_name": "s",
        "status": "active",
        "deployment_mode": "demo",
        "initial_capital": "10000",
        "created_at": "2024-01-01 00:00:00",
    }
    return Candidate(
        table="trading.bots", values={**fixed, **values}, bot=bot_id, rows=(SourceRow(table="project", key=bot_id),)
    )


def trade(key: str, bot_id: str = BOT, **values: object) -> Candidate:
    """A closed trade from row `key` of source table trades."""
    fixed = {
        "trade_id": f"{bot_id}_{key}",
        "bot_id": bot_id,
        "symbol": "BTCUSDT",
        "side": "buy",
        "quantity": "0.5",
        "entry_price": "40000.12345678",
        "position_size_usd": "20000.06172839",
        "status": "filled",
        "entry_time": "2024-01-02 03:04:05.678901",
        "exit_time": "2024-01-02 05:00:00",
        "pnl_usd": "-12.5",
        "strategy": "s",
        "strategy_params": f'{{"order_id": "x{key}", "ratio": 1.10}}',
    }
    return Candidate(
        table="trading.trades", values={**fixed, **values}, bot=bot_id, rows=(SourceRow(table="trades", key=key),)
    )


def position(key: str, bot_id: str = BOT, **values: object) -> Candidate:
    """An open position from row `key` of source table trades."""
    fixed = {
        "position_id": f"{bot_id}_p{key}",
        "bot_id": bot_id,
        "symbol": "BTCUSDT",
        "side": "long",
        "size": "0.5",
        "avg_entry_price": "40000",
        "status": "open",
        "opened_at": "2024-01-02 03:04:05",
        "entry_trade_ids": [f"{bot_id}_{key}", "a b", 'q"\\', ""],
        "strategy": "s",
    }
    return Candidate(
        table="trading.positions", values={**fixed, **values}, bot=bot_id, rows=(SourceRow(table="trades", key=key),)
    )


def balance(key: str, bot_id: str = BOT, **values: object) -> Candidate:
    """A balance: a row that only lineage knows again."""
    fixed = {
        "bot_id": bot_id,
        "total_balance": "100",
        "available_balance": "100",
        "equity": "100",
        "timestamp": "2024-01-02 00:00:00",
        "snapshot_type": "periodic",
    }
    return Candidate(
        table="trading.account_balance",
        values={**fixed, **values},
        bot=bot_id,
        rows=(SourceRow(table="balances", key=key),),
    )


def candle(timestamp: str, **values: object) -> Candidate:
    """A candle, shared by all bots."""
    fixed = {
        "symbol": "BTCUSDT",
        "interval": "1m",
        "timestamp": timestamp,
        "open_price": "1",
        "high_price": "3",
        "low_price": "0.5",
        "close_price": "2",
        "volume": "10",
        "exchange": "bybit",
    }
    return Candidate(
        table="trading.market_data",
        values={**fixed, **values},
        bot=None,
        rows=(SourceRow(table="candles", key=timestamp),),
    )


def day(date: str, bot_id: str = BOT, **values: object) -> Candidate:
    """A day's risk metrics."""
    fixed = {"bot_id": bot_id, "date": date, "starting_equity": "100", "ending_equity": "101", "daily_pnl": "1"}
    return Candidate(
        table="trading.risk_metrics", values={**fixed, **values}, bot=bot_id, rows=(SourceRow(table="days", key=date),)
    )
