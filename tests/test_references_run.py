"""References of whole runs: what the target holds answers them, and the reports tell of them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from consolidate import pipeline, project
from consolidate.errors import ExitCode
from consolidate.postgres import connect
from consolidate.report import text
from tests.command import called

if TYPE_CHECKING:
    from pathlib import Path

    from consolidate.project import Project

SYSTEM = """\
system: made
kind: sqlite
bot: {bot_name: Made, bot_type: made, strategy_name: s, status: active}
tables: [trades, orders, signals]
"""
TRADES = """\
from: trades
key: [id]
columns: {id: integer, price: integer, at: utc_time}
into:
  trading.trades:
    trade_id: concat(bot_id, '_', id)
    symbol: "'BTCUSDT'"
    side: "'buy'"
    quantity: 1
    entry_price: price
    position_size_usd: price
    entry_time: at
    strategy: "'s'"
"""
ORDERS = """\
from: orders
key: [id]
columns: {id: integer, trade: integer}
into:
  trading.orders:
    order_id: concat(bot_id, '_', id)
    symbol: "'BTCUSDT'"
    order_type: "'market'"
    side: "'buy'"
    quantity: 1
    trade_id: concat(bot_id, '_', trade)
"""
SIGNALS = """\
from: signals
key: [id]
columns: {id: integer, trade: integer, at: utc_time}
find:
  t: {in: trading.trades, from: trades, key: [trade], missing: null}
into:
  trading.signals:
    signal_id: concat(bot_id, '_', id)
    symbol: "'BTCUSDT'"
    signal_type: "'long'"
    price: 1
    timestamp: at
    strategy: "'s'"
    execution_trade_id: t.trade_id
"""
WHEN = "2024-01-01 00:00:00"


def made(folder: Path, target: str, references: str = "", limits: str = "{}") -> Project:
    """A project over a store of three trades and as many orders, of which two point at one trade each."""
    place = folder / "made"
    place.mkdir(exist_ok=True)
    for name, words in (("system", SYSTEM + references), ("trades", TRADES), ("orders", ORDERS), ("signals", SIGNALS)):
        (place / f"{name}.yaml").write_text(words, encoding="utf-8")
    file = folder / "consolidate.yaml"
    file.write_text(
        "version: 1\ntarget: ${TARGET}\nsources:\n  made:\n    mapping: ./made\n    path: store.db\n"
        f"    bot: {{id: made_001, deployment_mode: demo, initial_capital: 1}}\nlimits: {limits}\n",
        encoding="utf-8",
    )
    if not (folder / "store.db").exists():
        store(
            folder,
            "create table trades (id integer, price integer, at text);"
            "create table orders (id integer, trade integer);"
            "create table signals (id integer, trade integer, at text);"
            f"insert into trades values (1, 10, '{WHEN}'), (2, 20, '{WHEN}'), (3, 30, '{WHEN}');"
            "insert into orders values (1, 1), (2, 2), (3, null);"
            f"insert into signals values (1, 1, '{WHEN}'), (2, null, '{WHEN}')",
        )
    return project.load(file, {"TARGET": target})


def store(folder: Path, statements: str) -> None:
    with closing(sqlite3.connect(folder / "store.db")) as opened, opened:
        opened.executescript(statements)


def test_what_only_the_target_has_answers_a_reference_and_is_kept_as_evidence(tmp_path: Path, target_dsn: str) -> None:
    loaded = made(tmp_path, target_dsn)
    assert pipeline.run(loaded).exit_code == ExitCode.DONE
    store(tmp_path, "delete from trades where id = 1; insert into orders values (4, 1), (5, 2)")
    done = pipeline.run(loaded)
    assert (done.status, done.problems) == ("loaded", ())
    (edge,) = [one for one in done.references if one.origin == "trading.orders.trade_id"]
    assert (edge.rows, edge.targets, edge.lost, edge.held) == (4, 2, 0, 2)
    (kept,) = (done.run_dir / "evidence" / "held.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(kept) == {"table": "trading.trades", "id": "made_001_1", "bot_id": "made_001"}
    for from_sources in (False, True):
        assert pipeline.verify(loaded, from_sources=from_sources).exit_code == ExitCode.DONE
    assert "2 to rows that only the target has" in text.plain(text.run(done))


def test_a_plan_whose_reference_the_target_lost_is_stale(tmp_path: Path, target_dsn: str) -> None:
    loaded = made(tmp_path, target_dsn)
    pipeline.run(loaded)
    store(tmp_path, "delete from trades where id = 1; insert into orders values (4, 1)")
    plan = tmp_path / "plan"
    assert pipeline.plan(loaded, output=plan).exit_code == ExitCode.DONE
    with connect(target_dsn, what="the target") as connection:
        connection.execute("delete from trading.trades where trade_id = 'made_001_1'")
    done = pipeline.apply(loaded, plan)
    assert (done.status, done.exit_code) == ("refused", ExitCode.CONFLICT)
    assert "no trade_id 'made_001_1' any more" in done.problems[0]


def test_a_row_that_points_at_nothing_refuses_the_load_and_every_report_says_so(
    tmp_path: Path, target_dsn: str
) -> None:
    loaded = made(tmp_path, target_dsn)
    store(tmp_path, f"insert into orders values (4, 9); insert into signals values (3, 8, '{WHEN}')")
    planned = pipeline.plan(loaded)
    assert (planned.status, planned.exit_code) == ("refused", ExitCode.FINDINGS)
    lost = {(one.kind, one.origin): (one.missing, one.policy) for one in planned.references if one.lost}
    assert lost == {("source", "signals.trade"): (1, "null"), ("target", "trading.orders.trade_id"): (1, "reject")}
    shown = text.plain(text.run(planned))
    assert "trading.orders.trade_id" in shown
    assert "made: signals.trade" in shown
    assert len(shown.splitlines()) < 60


def test_a_nulled_reference_loads_again_for_free_and_its_cell_can_be_recovered(tmp_path: Path, target_dsn: str) -> None:
    loaded = made(tmp_path, target_dsn, "references: {trading.orders.trade_id: null}\n")
    store(tmp_path, "insert into orders values (4, 9)")
    assert pipeline.run(loaded).exit_code == ExitCode.DONE
    again = pipeline.run(loaded)
    assert sum(one.insert + one.update for one in again.targets) == 0
    passport = pipeline.explain(loaded, "trading.orders", "made_001_4")
    (origin,) = passport.origins
    assert origin.cells is not None
    assert {cell.column: cell.value for cell in origin.cells} == {"id": "4", "trade": "9"}
    assert next(cell.value for cell in passport.cells if cell.column == "trade_id") is None


STUB = """\
references:
  trading.orders.trade_id:
    stub: {symbol: symbol, side: side, quantity: quantity, entry_price: 1, position_size_usd: quantity,
           strategy: "'unknown'", entry_time: created_at}
"""


def test_a_stub_is_loaded_explained_and_rolled_back_like_any_row(tmp_path: Path, target_dsn: str) -> None:
    orders = ORDERS.replace("trade: integer", "trade: integer, at: utc_time") + "    created_at: at\n"
    loaded = made(tmp_path, target_dsn, STUB)
    (tmp_path / "made" / "orders.yaml").write_text(orders, encoding="utf-8")
    store(
        tmp_path,
        f"alter table orders add column at text; update orders set at = '{WHEN}';"
        f"insert into orders values (4, 9, '{WHEN}')",
    )
    done = pipeline.run(loaded)
    assert (done.status, done.problems) == ("loaded", ())
    with connect(target_dsn, what="the target") as connection:
        found = connection.execute(
            "select strategy, strategy_params::text from trading.trades where trade_id = 'made_001_9'"
        ).fetchall()
    assert found == [("unknown", '{"stub_for": "trading.orders.trade_id"}')]
    assert pipeline.verify(loaded).exit_code == ExitCode.DONE
    assert sum(one.insert + one.update for one in pipeline.run(loaded).targets) == 0
    (origin,) = pipeline.explain(loaded, "trading.trades", "made_001_9").origins
    assert (origin.table, origin.key, origin.outcome) == ("orders", "4", "mapped")
    pipeline.rollback(loaded, done.run_id)
    with connect(target_dsn, what="the target") as connection:
        assert connection.execute("select count(*) from trading.trades").fetchone() == (0,)


def test_the_row_itself_takes_the_place_of_its_stub(tmp_path: Path, target_dsn: str) -> None:
    orders = ORDERS.replace("trade: integer", "trade: integer, at: utc_time") + "    created_at: at\n"
    loaded = made(tmp_path, target_dsn, STUB)
    (tmp_path / "made" / "orders.yaml").write_text(orders, encoding="utf-8")
    store(tmp_path, f"alter table orders add column at text; insert into orders values (4, 9, '{WHEN}')")
    pipeline.run(loaded)
    store(tmp_path, f"insert into trades values (9, 90, '{WHEN}')")
    done = pipeline.run(loaded)
    assert (done.status, done.problems) == ("loaded", ())
    with connect(target_dsn, what="the target") as connection:
        found = connection.execute(
            "select strategy, entry_price::text, strategy_params from trading.trades where trade_id = 'made_001_9'"
        ).fetchall()
    assert found == [("s", "90.00000000", None)]
    assert pipeline.verify(loaded).exit_code == ExitCode.DONE


def test_the_page_and_the_ci_reports_show_the_graph(tmp_path: Path, target_dsn: str) -> None:
    made(tmp_path, target_dsn)
    store(tmp_path, f"insert into orders values (4, 9); insert into signals values (3, 8, '{WHEN}')")
    files = {kind: tmp_path / f"report.{kind}" for kind in ("html", "markdown", "junit", "json")}
    done = called(
        "plan",
        "-c",
        tmp_path / "consolidate.yaml",
        *(part for kind, file in files.items() for part in (f"--{kind}", file)),
        cwd=tmp_path,
        environment={"TARGET": target_dsn},
    )
    assert done.code == ExitCode.FINDINGS
    page = files["html"].read_text(encoding="utf-8")
    assert 'id="references"' in page
    assert "1 lost" in page
    assert "References in the store of made" in page
    assert "lead to no row of their own bot" in files["markdown"].read_text(encoding="utf-8")
    assert 'type="orphans"' in files["junit"].read_text(encoding="utf-8")
    edges = json.loads(files["json"].read_text(encoding="utf-8"))["references"]
    assert {(one["from"], one["missing"]) for one in edges if one["missing"]} == {
        ("signals.trade", 1),
        ("trading.orders.trade_id", 1),
    }
