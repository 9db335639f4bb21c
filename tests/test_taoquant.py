"""TaoQuant: stores of two versions, fills that two tables tell, and why an event happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from consolidate import fixtures, pipeline, project
from consolidate.errors import ExitCode, UsageError
from consolidate.postgres import connect
from tests.alpha import Consolidated, consolidated, database, write_project
from tests.systems import built

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from consolidate.embedded import Server

SYSTEM: Final = "taoquant"
V2: Final = ("sessions", "strategies", "orders", "order_events", "position_changes", "daily_pnl", "error_logs")


@pytest.fixture(scope="module")
def clean(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consolidated]:
    place = tmp_path_factory.mktemp("taoquant")
    with database(postgres_server) as store, database(postgres_server) as target:
        yield consolidated(place, target, {SYSTEM: built(SYSTEM, fixtures.CLEAN, place / "stores", store)})


def test_the_same_fill_of_both_tables_is_one_trade_with_what_each_knows(clean: Consolidated) -> None:
    counts = {one.table: one for one in clean.report.sources}
    assert (counts["trade_fills"].mapped, counts["order_blotter"].merged, counts["order_blotter"].mapped) == (32, 32, 0)
    (row,) = clean.target.rows(
        "select count(*)::text as trades, count(fees)::text as fees,"
        " count(strategy_params ->> 'level')::text as levels,"
        " count(strategy_params ->> 'fee_currency')::text as currencies from trading.trades"
    )
    assert set(row.values()) == {"32"}


def test_restart_noise_can_be_told_from_the_fills_of_the_strategy(clean: Consolidated) -> None:
    found = {
        (row["event_type"], row["trigger"]): row["n"]
        for row in clean.target.rows(
            "select event_type, details ->> 'trigger' as trigger, count(*)::text as n from audit.system_events"
            " where event_type like 'order%' group by 1, 2"
        )
    }
    assert found["order_filled", "strategy"] == "32"
    assert found["order_cancelled", "restart"] == "4"
    assert found["order_created", "bootstrap"] == "4"
    (restarts,) = clean.target.rows(
        "select count(*)::text as n from audit.system_events where event_type = 'session_ended'"
        " and details ->> 'end_reason' = 'code_update'"
    )
    assert restarts["n"] == "2"


def test_an_event_belongs_to_the_bot_of_its_session_and_names_its_order_and_its_trade(clean: Consolidated) -> None:
    lost = clean.target.rows(
        "select e.order_id from audit.system_events e left join trading.orders o using (order_id)"
        " left join trading.trades t on t.trade_id = e.trade_id where e.event_type = 'order_filled'"
        " and (o.bot_id is distinct from e.bot_id or t.bot_id is distinct from e.bot_id)"
    )
    assert lost == []


def test_the_mode_of_a_bot_is_the_mode_of_its_rows(clean: Consolidated) -> None:
    rows = clean.target.rows("select bot_id, deployment_mode as mode from trading.bots order by 1")
    assert [(row["bot_id"], row["mode"]) for row in rows] == [
        ("taogrid_BTCUSDT_live", "live"),
        ("taogrid_ETHUSDT_dryrun", "demo"),
    ]


def test_the_position_of_the_exchange_is_the_one_that_the_changes_leave_open(clean: Consolidated) -> None:
    rows = clean.target.rows(
        "select bot_id, size::text, status, (last_updated > opened_at)::text as later,"
        " cardinality(entry_trade_ids)::text as entries from trading.positions where status = 'open' order by 1"
    )
    assert [(row["size"], row["entries"], row["later"]) for row in rows] == [
        ("0.00600000", "3", "true"),
        ("0.14000000", "3", "true"),
    ]
    counts = {one.table: one for one in clean.report.sources}
    assert (counts["exchange_positions_current"].merged, counts["exchange_positions_current"].filtered) == (2, 2)


def test_a_store_of_v1_alone_is_consolidated_and_told(tmp_path: Path, target_dsn: str, empty_dsn: str) -> None:
    done = consolidated(tmp_path, target_dsn, {SYSTEM: built(SYSTEM, "v1", tmp_path / "stores", empty_dsn)})
    (notice,) = [one for one in done.report.notices if one.code == "absent_table"]
    assert notice.message == (
        f"the store of taoquant has no tables {', '.join(V2)} (a table of v2): nothing was read of them"
    )
    assert not {one.table for one in done.report.sources} & set(V2)
    (row,) = done.target.rows("select count(*)::text as n from trading.positions where status = 'open'")
    assert row["n"] == "2"


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        ("alter table public.orders rename column filled_qty to qty_filled", "missing-column", "'filled_qty'"),
        ("alter table public.trade_fills add column liquidity text", "unmapped-column", "'liquidity'"),
        ("alter table public.trade_fills drop column fee", "missing-column", "'fee'"),
        ("create table public.funding (id integer)", "unmapped-table", "'funding'"),
    ],
)
def test_a_drifted_store_is_told_before_anything_is_loaded(
    tmp_path: Path, target_dsn: str, empty_dsn: str, change: str, code: str, told: str
) -> None:
    source = built(SYSTEM, fixtures.CLEAN, tmp_path / "stores", empty_dsn)
    with connect(empty_dsn, what="the store") as connection:
        connection.execute(change.encode())
    file = write_project(tmp_path, target_dsn, {SYSTEM: source})
    with pytest.raises(UsageError) as raised:
        pipeline.run(project.load(file, {}))
    assert raised.value.exit_code == ExitCode.USAGE
    assert any(one.code == code and told in one.message for one in raised.value.problems)


def test_a_table_that_v1_has_too_may_not_be_absent(tmp_path: Path, target_dsn: str, empty_dsn: str) -> None:
    source = built(SYSTEM, fixtures.CLEAN, tmp_path / "stores", empty_dsn)
    with connect(empty_dsn, what="the store") as connection:
        connection.execute("drop table public.trade_fills")
    file = write_project(tmp_path, target_dsn, {SYSTEM: source})
    with pytest.raises(Exception, match="trade_fills"):
        pipeline.run(project.load(file, {}))
