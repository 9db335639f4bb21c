"""A run as a whole: again is free, sources do not disturb each other, and what is refused leaves no trace."""

from __future__ import annotations

import json
import re
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from consolidate import fixtures, quarantine
from consolidate.model import Reject, RejectCode, RejectGroup, RunReport
from consolidate.postgres import connect
from consolidate.target.contract import expected
from tests.alpha import (
    DEMO,
    Cells,
    Consolidated,
    Row,
    Target,
    consolidated,
    database,
    lxalgo_store,
    momentum_store,
    opened,
    shortseller_store,
    write_project,
)
from tests.command import called

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from consolidate.embedded import Server

SHORT: Final[dict[str, object]] = {"bot": {"id": "shortseller_001", **DEMO}}
LX: Final[dict[str, object]] = {"mapping": "lxalgo", "bot": {"id": "lxalgo_001", **DEMO}}
ACCEPT: Final = ["unmatched_close"]
OURS: Final = {"audit.migration_runs", "audit.migration_lineage", "audit.migration_rejects"}


def _momentum(path: Path, number: int = 1, zone: str = "Europe/London") -> dict[str, object]:
    demo = {"id": f"momentum_demo_00{number}", **DEMO}
    live = {"id": f"momentum_00{number}", **DEMO, "deployment_mode": "live", "default": "true"}
    return {"mapping": "momentum", "path": str(path), "time_zone": zone, "bots": {"demo": demo, "live": live}}


def _trade(**cells: object) -> Cells:
    plain: Cells = {"mode": "live", "symbol": "BTCUSDT", "side": "long", "entry_time": "2025-10-07 10:00:00"}
    numbers: Cells = {"entry_price": 61000.5, "quantity": 0.01, "position_size_usd": 610.005}
    return plain | numbers | {"created_at": "2025-10-07 09:00:00"} | cells


def _content(target: Target, *, bot: str | None = None) -> dict[str, list[Row]]:
    """All rows of the unified tables, or those of one bot, without the numbers that the target gave them."""
    found: dict[str, list[Row]] = {}
    for table in expected().tables:
        where = "true"
        if bot is not None:
            if table.column("bot_id") is None:
                continue
            where = f"t.bot_id = '{bot}'"
        rows = [{name: value for name, value in row.items() if name != "id"} for row in target.of(table.name, where)]
        found[table.name] = sorted(rows, key=json.dumps)
    return found


def _written(done: Consolidated) -> dict[tuple[str, str | None], tuple[int, int]]:
    """Inserts and updates of a run, where there are any."""
    found = {(one.table, one.bot_id): (one.insert, one.update) for one in done.report.targets}
    return {name: both for name, both in found.items() if both != (0, 0)}


@pytest.fixture(scope="module")
def demo(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consolidated]:
    """The clean fixture stores of all three bots, consolidated."""
    place = tmp_path_factory.mktemp("demo")
    with database(postgres_server) as store, database(postgres_server) as target:
        stores = [
            fixtures.build(each, "clean", place / "stores", postgres_dsn=store)
            for each in ("shortseller", "momentum", "lxalgo")
        ]
        assert stores[1].path is not None
        sources = {
            "shortseller": {"mapping": "shortseller", "dsn": store, **SHORT},
            "momentum": _momentum(stores[1].path),
            "lxalgo": {"path": str(stores[2].path), **LX},
        }
        yield consolidated(place, target, sources, accept=ACCEPT)


def test_a_second_run_writes_nothing(demo: Consolidated) -> None:
    before, content = demo.target.counts(), _content(demo.target)
    again = demo.again()
    assert (again.report.status, again.report.exit_code) == ("loaded", 0)
    assert _written(again) == {}
    assert {one.conflict for one in again.report.targets} == {0}
    assert sum(one.unchanged for one in again.report.targets) == sum(one.candidate for one in demo.report.targets) > 0
    after = demo.target.counts()
    assert {name: number for name, number in after.items() if name not in OURS} == {
        name: number for name, number in before.items() if name not in OURS
    }
    assert after["audit.migration_lineage"] == before["audit.migration_lineage"]
    assert _content(demo.target) == content


def test_every_bot_has_its_rows_and_no_other(demo: Consolidated) -> None:
    bots = {str(row["bot_id"]) for row in demo.target.of("trading.bots")}
    assert bots == {"shortseller_001", "momentum_demo_001", "momentum_001", "lxalgo_001"}
    assert {str(row["bot_id"]) for row in demo.target.of("trading.trades")} == bots


def _ids_of_another_host(demo: Consolidated, server: Server, place: Path, zone: str) -> dict[str, dict[str, list[Row]]]:
    """What a run of one of the sources alone makes, in a process on a host with another clock."""
    project = json.loads(demo.file.read_text(encoding="utf-8"))
    with database(server) as target:
        alone = {"momentum": project["sources"]["momentum"]}
        file = write_project(place, target, alone)
        ended = called("run", "-c", file, "--quiet", cwd=place, environment={"TZ": zone, "PGTZ": zone})
        assert (ended.code, ended.err) == (0, "")
        return {bot: _content(Target(dsn=target), bot=bot) for bot in ("momentum_001", "momentum_demo_001")}


def test_rows_and_ids_depend_neither_on_other_sources_nor_on_the_clock_of_the_host(
    demo: Consolidated, postgres_server: Server, tmp_path: Path
) -> None:
    alone = _ids_of_another_host(demo, postgres_server, tmp_path, "Asia/Kolkata")
    for bot, content in alone.items():
        assert content["trading.trades"]
        assert content == _content(demo.target, bot=bot)


def test_two_databases_of_one_kind_are_two_sources(postgres_server: Server, tmp_path: Path) -> None:
    for name in ("a.db", "b.db"):
        momentum_store(tmp_path / name, {"trades": [_trade(), _trade(mode="demo", side="short")]})
    sources = {"a": _momentum(tmp_path / "a.db", 1), "b": _momentum(tmp_path / "b.db", 2, "Asia/Tokyo")}
    with database(postgres_server) as target:
        done = consolidated(tmp_path, target, sources)
        rows = [done.one(source, "trades", key, "trading.trades") for source in ("a", "b") for key in ("1", "2")]
        assert len(done.target.of("trading.trades")) == 4
    assert [row["bot_id"] for row in rows] == ["momentum_001", "momentum_demo_001", "momentum_002", "momentum_demo_002"]
    assert [row["entry_time"] for row in rows] == [*["2025-10-07 09:00:00+00"] * 2, *["2025-10-07 01:00:00+00"] * 2]
    assert len({row["trade_id"] for row in rows}) == 4


def test_two_stores_of_the_same_bot_id_are_refused(postgres_server: Server, tmp_path: Path) -> None:
    momentum_store(tmp_path / "a.db", {})
    with database(postgres_server) as target:
        file = write_project(tmp_path, target, {"a": _momentum(tmp_path / "a.db"), "b": _momentum(tmp_path / "a.db")})
        ended = called("run", "-c", file, cwd=tmp_path)
    assert ended.code == 2
    assert "momentum_001" in ended.err


def test_rejects_above_the_limit_load_nothing_of_any_source(target_dsn: str, tmp_path: Path) -> None:
    bad = [_trade(side="up"), _trade(side="down"), _trade(entry_time="soon")]
    momentum_store(tmp_path / "good.db", {"trades": [_trade()]})
    momentum_store(tmp_path / "bad.db", {"trades": [_trade(), *bad]})
    target = Target(dsn=target_dsn)
    before = target.counts()
    sources = {"good": _momentum(tmp_path / "good.db", 1), "bad": _momentum(tmp_path / "bad.db", 2)}
    done = consolidated(tmp_path, target_dsn, sources, max_rejects=1, accept=["bad_value"], status="refused")
    assert done.report.exit_code == 4
    assert "too-many-rejects" in done.report.problems[0]
    assert done.codes("bad", "trades") == {"2": "unmapped_value", "3": "unmapped_value", "4": "bad_value"}
    assert target.counts() == before
    assert {number for name, number in before.items()} == {0}


def test_rejects_within_the_limit_are_left_out_and_the_rest_is_loaded(target_dsn: str, tmp_path: Path) -> None:
    bad = [_trade(side="up"), _trade(side="down"), _trade(entry_time="soon")]
    momentum_store(tmp_path / "bad.db", {"trades": [_trade(), *bad]})
    done = consolidated(
        tmp_path, target_dsn, {"bad": _momentum(tmp_path / "bad.db")}, max_rejects=2, accept=["bad_value"]
    )
    assert done.report.exit_code == 0
    assert [len(done.target.of(name)) for name in ("trading.trades", "trading.positions")] == [1, 1]


@pytest.mark.parametrize(
    ("limit", "accept", "refuses"),
    [
        (3, (), False),
        (2, (), True),
        (1, ("unmapped_value",), False),
        (0, ("unmapped_value",), True),
        (1, ("bad_value",), True),
        (0, ("unmapped_value", "bad_value"), False),
        (2, ("unknown_bot",), True),
    ],
)
def test_an_accepted_code_does_not_count_against_the_limit(
    limit: int, accept: tuple[str, ...], *, refuses: bool
) -> None:
    codes = {RejectCode.UNMAPPED_VALUE: 2, RejectCode.BAD_VALUE: 1}
    groups = []
    for code, count in codes.items():
        example = Reject(source="a", table="trades", key="1", code=code, column=None, value=None, location=None)
        groups.append(RejectGroup(count=count, example=example))
    report = RunReport(
        command="run", run_id="r", status="planned", exit_code=0, run_dir=Path(), target="t",
        reject_groups=tuple(groups), max_rejects=limit, accepted_codes=accept,
    )  # fmt: skip
    assert (quarantine.refusal(report) is not None) == refuses


def test_a_source_that_cannot_be_read_leaves_the_target_as_it_is(target_dsn: str, tmp_path: Path) -> None:
    momentum_store(tmp_path / "good.db", {"trades": [_trade()]})
    (tmp_path / "bad.db").write_bytes(b"SQLite format 3\0 and no more than that")
    file = write_project(
        tmp_path, target_dsn, {"good": _momentum(tmp_path / "good.db", 1), "bad": _momentum(tmp_path / "bad.db", 2)}
    )
    ended = called("run", "-c", file, "--json", "-", cwd=tmp_path)
    assert (ended.code, json.loads(ended.out)["status"]) == (7, "failed")
    assert set(Target(dsn=target_dsn).counts().values()) == {0}


def test_a_source_that_grew_adds_its_new_rows_alone(target_dsn: str, tmp_path: Path) -> None:
    momentum_store(tmp_path / "a.db", {"trades": [_trade(), _trade(mode="demo")]})
    momentum_store(tmp_path / "b.db", {"trades": [_trade()]})
    sources = {"a": _momentum(tmp_path / "a.db", 1), "b": _momentum(tmp_path / "b.db", 2)}
    first = consolidated(tmp_path, target_dsn, sources)
    content = _content(first.target)
    numbers = [row["id"] for row in first.target.of("trading.trades")]
    day: Cells = {"date": "2025-10-08", "mode": "live", "starting_equity": 1.0, "ending_equity": 2.0}
    day |= {"daily_pnl": 1.0, "daily_pnl_pct": 1.0, "created_at": "2025-10-08 22:59:00"}
    momentum_store(tmp_path / "a.db", {"trades": [_trade(entry_time="2025-10-08 10:00:00")], "daily_snapshots": [day]})
    second = first.again()
    assert _written(second) == {
        ("trading.trades", "momentum_001"): (1, 0),
        ("trading.positions", "momentum_001"): (1, 0),
        ("trading.risk_metrics", "momentum_001"): (1, 0),
        ("trading.account_balance", "momentum_001"): (1, 0),
        ("trading.bots", "momentum_001"): (0, 1),  # it lived longer, and its equity is known now
    }
    after = _content(second.target)
    for table, rows in content.items():
        if table != "trading.bots":
            assert [row for row in after[table] if row in rows] == rows
    assert [row["id"] for row in second.target.of("trading.trades")][: len(numbers)] == numbers


def test_a_trade_that_was_closed_since_is_updated_in_its_place(target_dsn: str, tmp_path: Path) -> None:
    momentum_store(tmp_path / "a.db", {"trades": [_trade(), _trade(mode="demo")]})
    first = consolidated(tmp_path, target_dsn, {"a": _momentum(tmp_path / "a.db")})
    before = first.one("a", "trades", "1", "trading.trades")
    momentum_store(
        tmp_path / "c.db",
        {"trades": [_trade(exit_time="2025-10-07 11:00:00", exit_price=61001.5, pnl_usd=0.01), _trade(mode="demo")]},
    )
    (tmp_path / "c.db").replace(tmp_path / "a.db")
    second = first.again()
    written = _written(second)
    assert written["trading.trades", "momentum_001"] == (0, 1)
    assert written["trading.positions", "momentum_001"] == (0, 1)
    assert {bot for _, bot in written} == {"momentum_001"}
    after = second.one("a", "trades", "1", "trading.trades")
    assert (after["id"], after["trade_id"]) == (before["id"], before["trade_id"])
    assert (before["exit_time"], after["exit_time"], after["pnl_usd"]) == (None, "2025-10-07 10:00:00+00", "0.01000000")
    assert second.one("a", "trades", "1", "trading.positions")["status"] == "closed"


def test_a_row_that_source_and_target_both_changed_is_a_conflict_and_nothing_is_written(
    target_dsn: str, tmp_path: Path
) -> None:
    momentum_store(tmp_path / "a.db", {"trades": [_trade()]})
    first = consolidated(tmp_path, target_dsn, {"a": _momentum(tmp_path / "a.db")})
    with connect(target_dsn, what="the target") as connection:
        connection.execute("update trading.trades set notes = 'mine'")
    assert first.again().report.exit_code == 0  # what only the target changed is left alone
    assert [row["notes"] for row in first.target.of("trading.trades")] == ["mine"]
    momentum_store(tmp_path / "b.db", {"trades": [_trade(exit_price=5.0), _trade()]})
    (tmp_path / "b.db").replace(tmp_path / "a.db")
    counts = {name: number for name, number in first.target.counts().items() if name not in OURS}
    third = first.again()
    assert (third.report.status, third.report.exit_code) == ("refused", 6)
    assert {name: number for name, number in first.target.counts().items() if name not in OURS} == counts
    (row,) = first.target.of("trading.trades")
    assert (row["notes"], row["exit_price"]) == ("mine", None)


def test_a_closed_position_of_the_log_is_updated_when_the_log_grows(target_dsn: str, tmp_path: Path) -> None:
    first_event = opened("2025-10-07T09:00:00+00:00", "BTCUSDT", "Rule 1", 61000.5, 0.01)
    lxalgo_store(tmp_path / "lx", events=[first_event])
    first = consolidated(tmp_path, target_dsn, {"lx": {"path": "lx", **LX}})
    key = "2025-10-07T09:00:00+00:00|opened|BTCUSDT|Rule 1"
    before = first.one("lx", "trade_events", key, "trading.positions")
    second_event = opened("2025-10-07T10:00:00+00:00", "BTCUSDT", "Rule 1", 61100.5, 0.01)
    lxalgo_store(tmp_path / "lx", events=[first_event, second_event])
    second = first.again()
    after = second.one("lx", "trade_events", key, "trading.positions")
    assert _written(second) == {
        ("trading.trades", "lxalgo_001"): (1, 0),
        ("trading.positions", "lxalgo_001"): (0, 1),
        ("trading.bots", "lxalgo_001"): (0, 1),
    }
    assert (before["position_id"], before["size"]) == (after["position_id"], "0.01000000")
    assert (after["size"], after["avg_entry_price"]) == ("0.02000000", "61050.50000000")


_ROWS: Final = ("read", "mapped", "merged", "rejected", "filtered", "archived")
_CHANGES: Final = ("candidate", "insert", "update", "unchanged", "conflict")
_SIDES: Final = ("source_value", "rejected_value", "target_value", "difference")
SHAPE: Final[dict[str, Any]] = {
    "schema": str,
    "command": str,
    "run_id": str,
    "status": str,
    "exit_code": int,
    "sources": {"source": str, "table": str} | dict.fromkeys(_ROWS, int),
    "targets": {"table": str, "bot_id": str | None} | dict.fromkeys(_CHANGES, int),
    "rejects": dict.fromkeys(("source", "table", "key", "code"), str)
    | dict.fromkeys(("column", "value", "location"), str | None),
    "rejects_file": str,
    "checks": dict.fromkeys(("suite", "expectation", "severity", "status", "observed"), str),
    "controls": {"table": str, "bot_id": str | None, "measure": str, "status": str} | dict.fromkeys(_SIDES, str | None),
    "seconds": dict,
}


def _check_shape(document: Mapping[str, Any]) -> None:
    for name, shape in SHAPE.items():
        if not isinstance(shape, dict):
            assert isinstance(document[name], shape), name
            continue
        for item in document[name]:
            assert {*shape} <= {*item}, name
            for member, kind in shape.items():
                assert isinstance(item[member], kind), (name, member, item)


def test_the_json_of_a_run_has_the_published_shape(demo: Consolidated) -> None:
    document: Mapping[str, Any] = demo.json
    assert list(document)[: len(SHAPE)] == list(SHAPE)
    _check_shape(document)
    assert (document["schema"], document["command"]) == ("consolidate.report/1", "run")
    assert (document["status"], document["exit_code"]) == ("loaded", 0)
    for counts in document["sources"]:
        parts = ("mapped", "merged", "rejected", "filtered", "archived")
        assert counts["read"] == sum(counts[part] for part in parts)
    for counts in document["targets"]:
        assert counts["candidate"] == counts["insert"] + counts["update"] + counts["unchanged"] + counts["conflict"]
    for one in document["rejects"]:
        assert re.fullmatch(r".*mappings/lxalgo/trade_events\.yaml:\d+:\d+", one["location"])
    stages = ["extract", "transform", "validate", "diff", "load", "reconcile"]
    assert set(document["seconds"]) - {"validate"} == set(stages) - {"validate"}
    assert all(isinstance(value, float) for value in document["seconds"].values())


def test_the_controls_of_a_run_are_equal_and_say_what_they_measure(demo: Consolidated) -> None:
    document: Mapping[str, Any] = demo.json
    controls = {(one["table"], one["bot_id"], one["measure"]): one for one in document["controls"]}
    assert {one["status"] for one in controls.values()} == {"equal"}
    quantity = controls["trading.trades", "momentum_001", "sum(quantity)"]
    rows = demo.target.of("trading.trades", "t.bot_id = 'momentum_001'")
    assert Decimal(quantity["target_value"]) == sum((Decimal(str(row["quantity"])) for row in rows), Decimal(0))
    assert quantity["source_value"] == quantity["target_value"]
    assert Decimal(quantity["difference"]) == 0


def test_the_json_is_written_also_where_the_run_is_refused(target_dsn: str, tmp_path: Path) -> None:
    momentum_store(tmp_path / "a.db", {"trades": [_trade(side="Hold")]})
    file = write_project(tmp_path, target_dsn, {"momentum": _momentum(tmp_path / "a.db")})
    ended = called("run", "-c", file, "--json", "-", cwd=tmp_path)
    document = json.loads(ended.out)
    _check_shape(document)
    assert (ended.code, document["exit_code"], document["status"]) == (4, 4, "refused")
    (reject,) = document["rejects"]
    assert (reject["source"], reject["table"], reject["key"], reject["code"]) == (
        "momentum",
        "trades",
        "1",
        "unmapped_value",
    )
    assert (reject["column"], reject["value"]) == ("side", "Hold")
    assert set(Target(dsn=target_dsn).counts().values()) == {0}


def test_the_run_is_in_the_ledger_with_its_report(demo: Consolidated) -> None:
    rows = demo.target.rows(
        "select run_id, status, command, started_at::text, finished_at::text, report ->> 'run_id' as told"
        " from audit.migration_runs where run_id = %s",
        demo.report.run_id,
    )
    (row,) = rows
    assert (row["status"], row["command"], row["told"]) == ("loaded", "run", demo.report.run_id)
    assert datetime.fromisoformat(str(row["started_at"])) <= datetime.fromisoformat(str(row["finished_at"]))


def test_the_same_candle_of_two_sources_is_merged_in_a_later_run_too(
    target_dsn: str, empty_dsn: str, other_empty_dsn: str, tmp_path: Path
) -> None:
    candle: Cells = {"symbol": "BTCUSDT", "timestamp": "2025-10-07 08:00:00+00", "interval": "1h", "volume": 1}
    candle |= {"open_price": 2, "high_price": 3, "low_price": 1, "close_price": 2}
    shortseller_store(empty_dsn, {"market_data": [candle]})
    shortseller_store(other_empty_dsn, {"market_data": [candle | {"symbol": "BTC/USDT", "interval": "60"}]})
    one = {"mapping": "shortseller", "dsn": empty_dsn, **SHORT}
    other = {"mapping": "shortseller", "dsn": other_empty_dsn, "bot": {"id": "shortseller_002", **DEMO}}
    consolidated(tmp_path / "one", target_dsn, {"one": one})
    later = consolidated(tmp_path / "other", target_dsn, {"other": other})
    assert ("trading.market_data", None) not in _written(later)
    assert later.made("one", "market_data", "1", "trading.market_data") == later.made(
        "other", "market_data", "1", "trading.market_data"
    )
    assert len(later.target.of("trading.market_data")) == 1
