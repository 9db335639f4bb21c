"""Stores of many bots, end to end: what the project file says beside the rows, and every promise of a run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from pyarrow import parquet

from consolidate import fixtures, pipeline
from consolidate.bundled import folder
from consolidate.errors import UsageError
from consolidate.postgres import connect
from consolidate.preparation import prepared
from consolidate.project import load
from tests.alpha import DEMO, consolidated, write_project

if TYPE_CHECKING:
    from pathlib import Path

AGENTS = "ai_agents"
QUANT = "quant_timescale"
TREND = "ai_trend_follower"


def _agents(place: Path, store_dsn: str, **said: object) -> dict[str, dict[str, object]]:
    fixtures.build(AGENTS, fixtures.CLEAN, place / "stores", postgres_dsn=store_dsn)
    bot = {"bot": {"id": "ai_agents_001", **DEMO}}
    return {"agents": {"mapping": AGENTS, "dsn": store_dsn, "each_bot": {"deployment_mode": "demo"}, **bot, **said}}


def _key(store_dsn: str) -> str:
    with connect(store_dsn, what="the store") as connection:
        row = connection.execute("select id::text from public.trading_agents where name = 'Trend Follower'").fetchone()
    assert row is not None
    return str(row[0])


def test_a_run_of_row_made_bots_is_free_again_verified_and_undone(
    tmp_path: Path, target_dsn: str, empty_dsn: str
) -> None:
    done = consolidated(tmp_path, target_dsn, _agents(tmp_path, empty_dsn))
    assert all(counts.residue == 0 for counts in done.report.sources)
    assert {one.bot_id for one in done.report.money} == {
        "ai_agents_001",
        "ai_mean_reverter",
        "ai_momentum_scout_2",
        TREND,
    }
    again = done.again()
    assert sum(one.insert + one.update for one in again.report.targets) == 0
    project = load(done.file, {})
    assert pipeline.verify(project, done.report.run_id).exit_code == 0
    assert pipeline.verify(project, done.report.run_id, from_sources=True).exit_code == 0
    one_bot = pipeline.rollback(project, done.report.run_id, TREND)
    assert one_bot.status == "partly_rolled_back"
    left = {str(row["bot_id"]) for row in done.target.rows("select distinct bot_id from trading.trades")}
    assert left == {"ai_mean_reverter", "ai_momentum_scout_2"}
    restored = done.again()
    assert restored.report.status == "loaded"
    assert {str(row["bot_id"]) for row in done.target.rows("select distinct bot_id from trading.trades")} == {
        "ai_mean_reverter",
        "ai_momentum_scout_2",
        TREND,
    }


def test_the_project_file_overrules_a_row_by_its_key(tmp_path: Path, target_dsn: str, empty_dsn: str) -> None:
    sources = _agents(tmp_path, empty_dsn)
    said = {"id": "trend", "deployment_mode": "live", "initial_capital": 1, "default": "true"}
    source = {**sources["agents"], "bots": {_key(empty_dsn): said}}
    del source["bot"]
    done = consolidated(tmp_path, target_dsn, {"agents": source})
    columns = "bot_id, deployment_mode, initial_capital::text"
    assert [tuple(row.values()) for row in done.target.rows(f"select {columns} from trading.bots order by 1")] == [
        ("ai_mean_reverter", "demo", "5000.00000000"),
        ("ai_momentum_scout_2", "demo", "2500.00000000"),
        ("trend", "live", "1.00000000"),
    ]
    (state,) = done.target.rows("select bot_id from config.bot_configurations where config_type = 'state'")
    assert state["bot_id"] == "trend"


def test_a_key_that_is_no_row_stops_the_run(tmp_path: Path, target_dsn: str, empty_dsn: str) -> None:
    sources = _agents(tmp_path, empty_dsn, bots={"nobody": {"deployment_mode": "live"}})
    with pytest.raises(UsageError, match="no row of trading_agents has that key"):
        consolidated(tmp_path, target_dsn, sources)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"each_bot": {"initial_capital": 1}, "bot": {"id": "b", **DEMO}}, "nothing says the 'deployment_mode'"),
        ({"each_bot": {"deployment_mode": "demo"}}, "needs a bot for the rows of bot_state"),
        ({"each_bot": {"deployment_mode": "paper"}, "bot": {"id": "b", **DEMO}}, "no deployment_mode"),
        ({"each_bot": {"id": "x"}, "bot": {"id": "b", **DEMO}}, "id"),
        ({"bot": {"id": "b", **DEMO}, "bots": {"k": {"default": "true"}}}, "has a default bot already"),
    ],
)
def test_what_is_wrong_with_the_bots_of_a_source_is_told_with_its_place(
    said: dict[str, object], message: str, tmp_path: Path
) -> None:
    source = {"mapping": AGENTS, "dsn": "postgresql://localhost/none", **said}
    file = write_project(tmp_path, "postgresql://localhost/none", {"agents": source})
    with pytest.raises(UsageError) as caught:
        prepared(load(file, {}))
    found = [problem for problem in caught.value.problems if message in problem.message]
    assert found
    assert found[0].location is not None


def test_each_bot_is_refused_where_no_rows_become_bots(tmp_path: Path) -> None:
    source = {"mapping": "lxalgo", "path": "x", "each_bot": DEMO, "bot": {"id": "b", **DEMO}}
    file = write_project(tmp_path, "postgresql://localhost/none", {"one": source})
    with pytest.raises(UsageError, match="its mapping makes no bots"):
        load(file, {})


def test_password_hashes_never_leave_the_store(tmp_path: Path, target_dsn: str, empty_dsn: str) -> None:
    secret = "thishashmustneverleavethestore"  # noqa: S105 - planted by the fixture
    fixtures.build(QUANT, fixtures.CLEAN, tmp_path / "stores", postgres_dsn=empty_dsn)
    source = {"mapping": QUANT, "dsn": empty_dsn, "each_bot": DEMO, "bot": {"id": "quant_001", **DEMO}}
    done = consolidated(tmp_path, target_dsn, {"quant": source})
    assert secret in (folder("fixtures") / QUANT / "store.postgres.sql").read_text(encoding="utf-8")
    files = [file for file in done.report.run_dir.rglob("*") if file.is_file()]
    assert files
    assert not [file for file in files if secret.encode() in file.read_bytes()]
    assert not [file for file in done.report.run_dir.rglob("*.parquet") if _holds(file, secret)]
    (ignored,) = (one for one in done.report.sources if one.table == "users")
    assert (ignored.read, ignored.filtered) == (1, 1)


def _holds(file: Path, text: str) -> bool:
    return text in str(parquet.read_table(file).to_pylist())


def test_no_python_knows_the_name_of_a_system_that_is_mapped_alone() -> None:
    """The demonstration and the examples of messages name the first three, which the tool was made for."""
    first = {"lxalgo", "momentum", "shortseller"}
    systems = {place.name for place in folder("mappings").iterdir() if (place / "system.yaml").is_file()} - first
    assert {AGENTS, QUANT} <= systems
    package = folder("mappings").parent / "consolidate"
    named = [
        f"{file.name}: {system}"
        for file in sorted(package.rglob("*.py"))
        for system in systems
        if re.search(system.replace("_", "[-_ ]?"), file.read_text(encoding="utf-8"), re.IGNORECASE)
    ]
    assert named == []
