"""`consolidate demo`: needs nothing, works again and again, and overwrites nothing that is not its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from consolidate import demo, destination, fixtures
from consolidate.errors import UsageError
from consolidate.postgres import connect
from consolidate.project import load
from tests.command import called, consolidate

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(temporary_folder: Path) -> Path:
    return temporary_folder / "my demo"


def test_the_stores_are_where_the_project_file_says(folder: Path) -> None:
    with demo.prepared(folder) as file, destination.sources_opened(load(file, {})) as project:
        shortseller, momentum, lxalgo = project.sources
        assert shortseller.dsn is not None
        with connect(shortseller.dsn, what="the store") as connection:
            (found,) = connection.execute("select count(*) > 0 from trading.trades").fetchone() or (False,)
        assert found
        assert momentum.path is not None
        assert momentum.path.is_file()
        assert lxalgo.path is not None
        assert any(lxalgo.path.iterdir())
        assert project.digest == load(file, {}).digest


def test_a_project_file_that_no_demo_wrote_is_left_alone(folder: Path) -> None:
    folder.mkdir()
    (folder / "consolidate.yaml").write_text("version: 1\n", encoding="utf-8")
    with pytest.raises(UsageError, match="no demo wrote it"), demo.prepared(folder):
        pass
    assert [path.name for path in folder.iterdir()] == ["consolidate.yaml"]
    assert (folder / "consolidate.yaml").read_text(encoding="utf-8") == "version: 1\n"


def test_the_demo_works_twice_in_a_row_from_a_path_with_a_blank_and_so_do_the_commands_that_it_names(
    folder: Path,
) -> None:
    folder.mkdir()
    first = consolidate("demo", "--json", "first.json", cwd=folder)
    assert (first.code, first.err) == (0, "")
    assert "loaded " in first.out
    assert "for a browser: consolidate-demo/report.html\n" in first.out
    assert "<svg " in (folder / "consolidate-demo" / "report.html").read_text(encoding="utf-8")
    assert "unmatched_close: 2 rows, accepted" in first.out
    report = json.loads((folder / "first.json").read_text(encoding="utf-8"))
    assert (report["command"], report["status"]) == ("demo", "loaded")
    for counts in report["sources"]:
        parts = ("mapped", "merged", "rejected", "filtered", "archived")
        assert counts["read"] == sum(counts[part] for part in parts)
    second = consolidate("demo", cwd=folder)
    assert (second.code, second.err) == (0, "")
    assert "\nnothing new: 777 rows unchanged; " in second.out
    assert "consolidate run -c consolidate-demo/consolidate.yaml" in second.out
    for command in ("run", "check", "inspect momentum", "inspect shortseller", "schema --apply"):
        ended = called(*command.split(), "-c", "consolidate-demo/consolidate.yaml", cwd=folder)
        assert (ended.code, ended.err) == (0, ""), command


def test_the_demo_of_every_system_is_one_database_and_one_report(folder: Path) -> None:
    folder.mkdir()
    done = consolidate("demo", "--all", "--json", "all.json", cwd=folder)
    assert (done.code, done.err) == (0, "")
    report = json.loads((folder / "all.json").read_text(encoding="utf-8"))
    assert {counts["source"] for counts in report["sources"]} == set(fixtures.systems())
    assert {control["status"] for control in report["controls"]} == {"equal"}
    assert [(one["source"], one["table"], one["code"]) for one in report["rejects"]] == [
        ("lxalgo", "trade_events", "unmatched_close")
    ] * 2
    for counts in report["sources"]:
        parts = ("mapped", "merged", "rejected", "filtered", "archived")
        assert counts["read"] == sum(counts[part] for part in parts)
