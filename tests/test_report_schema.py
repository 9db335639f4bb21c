"""The published JSON Schema of `consolidate.report/1`, against what the command writes."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from consolidate.errors import ExitCode
from consolidate.model import RejectCode
from consolidate.report import document
from tests.command import called
from tests.pages import EVIL, PICTURED, evil
from tests.reports import DIFFERENT, LOADED, REFUSED

if TYPE_CHECKING:
    from pathlib import Path

    from consolidate.model import RunReport

SCHEMA: dict[str, Any] = json.loads(files("consolidate.report").joinpath("schema.json").read_text(encoding="utf-8"))


def wrong(found: document.Document) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(SCHEMA).iter_errors(found)]


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$defs"]["code"]["enum"] == [str(code) for code in RejectCode]


@pytest.mark.parametrize("report", [LOADED, REFUSED, DIFFERENT, PICTURED, *map(evil, EVIL)])
def test_every_report_is_as_the_schema_says(report: RunReport) -> None:
    assert wrong(json.loads(document.text_of(document.run(report)))) == []


def test_a_command_that_had_nothing_to_report_is_as_the_schema_says() -> None:
    assert wrong(document.failure("plan", ExitCode.UNREACHABLE, ["error[x]: no"])) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [("status", "fine"), ("exit_code", "0"), ("rejects", None), ("targets", [{"table": "t"}]), ("schema", "other/1")],
)
def test_the_schema_refuses_what_is_no_report(key: str, value: object) -> None:
    assert wrong({**document.run(LOADED), key: value})


def test_every_key_that_is_written_is_in_the_schema() -> None:
    assert set(document.run(LOADED)) <= set(SCHEMA["properties"])


def test_what_demo_a_refused_run_and_a_failed_run_write_is_as_the_schema_says(temporary_folder: Path) -> None:
    def told(name: str) -> document.Document:
        found: document.Document = json.loads((temporary_folder / name).read_text(encoding="utf-8"))
        assert wrong(found) == []
        return found

    assert called("demo", "--dir", "d", "--json", "demo.json", cwd=temporary_folder).code == 0
    assert told("demo.json")["status"] == "loaded"
    project = temporary_folder / "d" / "consolidate.yaml"
    project.write_text(
        project.read_text(encoding="utf-8").replace("accept: [unmatched_close]", "accept: []"), encoding="utf-8"
    )
    outlets = ("--html", "r.html", "--markdown", "r.md", "--junit", "r.xml")
    refused = called("run", "-c", project, "--json", "refused.json", *outlets, cwd=temporary_folder)
    assert refused.code == ExitCode.FINDINGS
    assert told("refused.json")["status"] == "refused"
    for name in ("r.html", "r.md", "r.xml"):
        assert "unmatched_close" in (temporary_folder / name).read_text(encoding="utf-8")
    failed = called("run", "-c", "none.yaml", "--json", "failed.json", *outlets, cwd=temporary_folder)
    assert failed.code == ExitCode.USAGE
    assert told("failed.json")["status"] == "failed"
    for name in ("r.html", "r.md", "r.xml"):
        text = (temporary_folder / name).read_text(encoding="utf-8")
        assert "unmatched_close: " not in text
        assert "none.yaml" in text


@pytest.mark.parametrize("option", ["--html", "--markdown", "--junit"])
def test_a_file_that_could_not_be_written_stops_the_command_before_it_begins(
    option: str, temporary_folder: Path
) -> None:
    ended = called("run", option, "nowhere/report", cwd=temporary_folder)
    assert ended.code == ExitCode.USAGE
    assert "cannot be written" in ended.err
