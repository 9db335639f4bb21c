"""A plan reads the rows of the target that it compares, and no others: counted by PostgreSQL itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consolidate import pipeline, project
from consolidate.postgres import connect
from tests import projects

if TYPE_CHECKING:
    from pathlib import Path

UNTOUCHED = 20_000


def read_so_far(dsn: str) -> dict[str, int]:
    """How many rows of each table have been read, by sequential and index scans."""
    with connect(dsn, what="the target") as connection:
        return {
            str(name): int(rows)
            for name, rows in connection.execute(
                "select relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) from pg_stat_user_tables"
                " where schemaname = 'trading'"
            ).fetchall()
        }


def add_untouched(dsn: str) -> None:
    """Rows of a bot that is in no source, in the tables that a run compares."""
    with connect(dsn, what="the target") as connection:
        for table in ("bots", "trades", "positions", "market_data", "account_balance"):
            (names,) = connection.execute(
                "select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute"
                " where attrelid = %s::regclass and attnum > 0 and not attisdropped and attname not in"
                " ('id', 'bot_id', 'trade_id', 'position_id', 'symbol', 'timestamp')",
                (f"trading.{table}",),
            ).fetchone() or ("",)
            keys = {
                "bots": ("bot_id", "'other'", 1),
                "trades": ("bot_id, symbol, trade_id", "'other', t.symbol, 'other_' || g", UNTOUCHED),
                "positions": ("bot_id, symbol, position_id", "'other', t.symbol, 'other_' || g", UNTOUCHED),
                "market_data": ("symbol, timestamp", "'O' || g % 9, t.timestamp + g * interval '1 minute'", UNTOUCHED),
                "account_balance": ("bot_id, timestamp", "'other', t.timestamp + g * interval '1 minute'", UNTOUCHED),
            }[table]
            connection.execute(
                f"insert into trading.{table} ({keys[0]}, {names}) select {keys[1]}, {names}"
                f" from (select * from trading.{table} limit 1) t, generate_series(1, {keys[2]}) g".encode()
            )
            connection.execute(f"analyze trading.{table}".encode())


def test_rows_that_the_run_does_not_touch_are_not_read(tmp_path: Path, target_dsn: str, empty_dsn: str) -> None:
    file = projects.build(tmp_path, "shortseller", "momentum", postgres_dsn=empty_dsn)
    loaded = project.load(file, {"TARGET": target_dsn, "SHORTSELLER_DSN": empty_dsn})
    done = pipeline.run(loaded)
    add_untouched(target_dsn)
    before = read_so_far(target_dsn)
    planned = pipeline.plan(loaded)
    assert not any(one.insert or one.update for one in planned.targets)
    after = read_so_far(target_dsn)
    for table in ("trades", "positions", "market_data", "account_balance"):
        touched = sum(one.candidate for one in done.targets if one.table == f"trading.{table}")
        assert touched
        assert 0 < after[table] - before[table] <= 4 * touched + 10, table
