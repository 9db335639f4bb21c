"""`rollback`, `runs` and `rejects` as a person calls them, over the fixture stores."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import pytest
from pyarrow import parquet

from consolidate import exports
from consolidate.model import KeptReject
from consolidate.postgres import connect
from consolidate.target.contract import expected
from tests import projects
from tests.command import Ended, called

if TYPE_CHECKING:
    from pathlib import Path

KEYS = [*exports.COLUMNS]


class Place:
    def __init__(
        self,
        folder: Path,
        dsn: str,
        *systems: str,
        limits: str = "{accept: [unmatched_close]}",
        set_: str = "clean",
    ) -> None:
        self.folder, self.dsn = folder, dsn
        projects.build(folder, *systems, set_=set_)
        projects.write(folder, *systems, limits=limits)

    def call(self, *arguments: str) -> Ended:
        return called(*arguments, cwd=self.folder, environment={"TARGET": self.dsn})

    def document(self, *arguments: str) -> dict[str, Any]:
        ended = self.call(*arguments, "--json", "-", "--quiet")
        document: dict[str, Any] = json.loads(ended.out)
        assert document["exit_code"] == ended.code
        return document

    def unified(self) -> dict[str, list[tuple[Any, ...]]]:
        names = [*(table.name for table in expected().tables), "audit.migration_lineage"]
        with connect(self.dsn, what="the target") as connection:
            return {
                name: connection.execute(f"select t::text from {name} t order by 1".encode()).fetchall()
                for name in names
            }


@pytest.fixture
def place(tmp_path: Path, target_dsn: str) -> Place:
    return Place(tmp_path, target_dsn, "momentum")


def test_a_run_is_listed_rolled_back_and_loaded_again(place: Place) -> None:
    assert place.document("runs")["runs"] == []
    empty = place.unified()
    run = place.document("run")
    assert run["exit_code"] == 0, run
    loaded = place.unified()
    (listed,) = place.document("runs")["runs"]
    assert (listed["run_id"], listed["status"], listed["command"]) == (run["run_id"], "loaded", "run")
    assert listed["inserted"] == sum(counts["insert"] for counts in run["targets"])
    assert listed["bots"] == sorted({counts["bot_id"] for counts in run["targets"]} - {None})

    undone = place.document("rollback", "latest")
    assert (undone["run_id"], undone["status"]) == (run["run_id"], "rolled_back")
    assert sum(table["removed"] for table in undone["tables"]) == listed["inserted"]
    assert place.unified() == empty
    own, rolled = place.document("runs")["runs"]
    assert (own["run_id"], own["command"], own["status"]) == (undone["rollback_id"], "rollback", "done")
    assert (own["deleted"], own["undone_run_id"], rolled["status"]) == (
        listed["inserted"],
        run["run_id"],
        "rolled_back",
    )

    again = place.call("rollback", run["run_id"])
    assert again.code == 2
    assert "has been rolled back already" in again.err
    assert place.call("run").code == 0
    assert {name: len(rows) for name, rows in place.unified().items()} == {
        name: len(rows) for name, rows in loaded.items()
    }
    assert "rolled_back" in place.call("runs").out


def test_one_bot_is_rolled_back_by_name(tmp_path: Path, target_dsn: str) -> None:
    place = Place(tmp_path, target_dsn, "momentum", "lxalgo")
    run = place.document("run")
    wrong = place.call("rollback", "latest", "--bot", "lxalgo_01")
    assert wrong.code == 2
    assert "did you mean 'lxalgo_001'?" in wrong.err
    undone = place.document("rollback", "latest", "--bot", "lxalgo_001")
    assert undone["status"] == "partly_rolled_back"
    assert not any("lxalgo_001" in row[0].split(",") for row in place.unified()["trading.trades"])
    twice = place.call("rollback", run["run_id"], "--bot", "lxalgo_001")
    assert twice.code == 2
    assert "they were rolled back" in twice.err
    assert place.document("run")["exit_code"] == 0
    assert place.document("rollback", "latest")["status"] == "rolled_back"
    assert place.document("rollback", run["run_id"])["status"] == "rolled_back"
    assert all(not rows for rows in place.unified().values())


def test_an_unknown_run_is_exit_2_with_the_nearest(place: Place) -> None:
    assert place.call("rollback", "latest").code == 2
    run_id = place.document("run")["run_id"]
    for command in ("rollback", "rejects"):
        ended = place.call(command, run_id[:-1] + "x")
        assert ended.code == 2
        assert f"did you mean '{run_id}'?" in ended.err


def test_a_row_that_a_bot_changed_refuses_with_exit_6(place: Place) -> None:
    place.document("run")
    with connect(place.dsn, what="the target") as connection:
        (key,) = connection.execute(
            b"update trading.trades set fees = 12345 where id = (select min(id) from trading.trades) returning trade_id"
        ).fetchone() or ("",)
    before = place.unified()
    ended = place.call("rollback", "latest")
    assert ended.code == 6
    assert f"trading.trades {key} was changed in the target since" in ended.err
    assert place.unified() == before
    assert place.document("runs")["runs"][0]["status"] == "refused"


def test_rejects_are_listed_filtered_and_exported_verbatim(tmp_path: Path, target_dsn: str) -> None:
    place = Place(tmp_path, target_dsn, "momentum", "lxalgo", limits="{max_rejects: 1000}", set_="defects")
    run = place.document("run")
    assert run["exit_code"] == 0, run["problems"]
    found = place.document("rejects", "latest", "--limit", "1000")
    assert found["count"] == len(found["rejects"]) == sum(group["count"] for group in found["groups"]) > 5
    assert {(one["table"], one["key"] or "", one["code"]) for one in found["rejects"]} == {
        (one["table"], one["key"], one["code"]) for one in run["rejects"]
    }
    (first, *_) = found["groups"]
    some = place.document("rejects", run["run_id"], "--code", first["code"], "--table", first["table"], "--limit", "1")
    assert (some["count"], len(some["rejects"])) == (first["count"], 1)

    for suffix in ("parquet", "csv", "jsonl"):
        assert place.call("rejects", "latest", "--export", f"rejects.{suffix}").code == 0
    lines = (tmp_path / "rejects.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == found["rejects"]
    assert parquet.read_table(tmp_path / "rejects.parquet").to_pylist() == found["rejects"]
    with (tmp_path / "rejects.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows == [{name: cell or "" for name, cell in one.items()} for one in found["rejects"]]
    for wrong in ("rejects.xlsx", "nowhere/rejects.csv"):
        assert place.call("rejects", "latest", "--export", wrong).code == 2
    assert place.call("rollback", "latest").code == 0
    assert place.document("rejects", run["run_id"])["count"] == found["count"], "history stays"


def test_csv_tells_null_from_empty_and_leaves_formulas(tmp_path: Path) -> None:
    texts = ["=1+1", "", None, 'a "b", c', "x\r\ny", "🚀\t", "@sum", " -1"]
    kept = KeptReject(**dict(zip(KEYS, texts, strict=True)))  # type: ignore[arg-type]  # any text anywhere
    for suffix in exports.FORMS:
        file = tmp_path / f"r{suffix}"
        exports.write(file, exports.form_of(file), [kept])
    line = (tmp_path / "r.csv").read_bytes().split(b"\r\n", 1)[1].decode()
    assert line == '=1+1,"",,"a ""b"", c","x\r\ny",🚀\t,@sum, -1\r\n'
    assert parquet.read_table(tmp_path / "r.parquet").to_pylist() == [dict(zip(KEYS, texts, strict=True))]
    assert json.loads((tmp_path / "r.jsonl").read_text(encoding="utf-8")) == dict(zip(KEYS, texts, strict=True))


def test_on_conflict_is_taken_from_the_command_line(place: Place) -> None:
    place.document("run")
    with connect(place.dsn, what="the target") as connection:
        connection.execute(b"update trading.trades set fees = 12345 where id = (select min(id) from trading.trades)")
        connection.execute(b"update audit.migration_lineage set row_hash = md5('x')::uuid, sent_hash = null")
    assert place.call("run").code == 6
    target = place.document("run", "--on-conflict", "target")
    assert target["exit_code"] == 0
    assert "conflict_target" in [notice["code"] for notice in target["notices"]]
    source = place.document("run", "--on-conflict", "source")
    assert source["exit_code"] == 0
    assert sum(counts["update"] for counts in source["targets"]) == 1
    assert place.call("run", "--on-conflict", "both").code == 2
