"""The command line: help, exit codes, streams, JSON; and that no secret is on any of them."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest
import typer
from rich.console import Console

from consolidate.cli import progress
from consolidate.cli.app import app, guarded
from consolidate.cli.terminal import Terminal
from consolidate.errors import ConflictError, ExitCode, Problem, UnreachableError, UsageError
from consolidate.model import Progress
from consolidate.postgres import connect
from consolidate.project import load
from consolidate.report import document, text
from consolidate.target import schema
from tests.command import COMMAND, consolidate
from tests.reports import REFUSED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CANARY = "c4nary-p4ss"
PROJECT = """\
version: 1
target: ${TARGET}
sources:
  momentum:
    mapping: momentum
    path: trading.db
    time_zone: UTC
    bots:
      demo: {id: m, deployment_mode: demo, initial_capital: 10000, default: true}
"""
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
REACHING = ("inspect momentum", "run", "schema --apply")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "consolidate.yaml").write_text(PROJECT, encoding="utf-8")
    return tmp_path


def options() -> list[tuple[str, str | None]]:
    return [
        (f"{name} {parameter.name}", getattr(parameter, "help", None))
        for name, command in {"": typer.main.get_command(app), **COMMANDS}.items()
        for parameter in command.params
    ]


# Help


def test_every_command_has_help_with_an_example() -> None:
    setting_up = {"demo", "init", "check", "inspect", "schema", "scaffold"}
    assert set(COMMANDS) == setting_up | {
        "plan",
        "apply",
        "run",
        "verify",
        "explain",
        "runs",
        "rejects",
        "rollback",
        "test",
        "validate",
    }
    for name, command in COMMANDS.items():
        assert f"Example:\n  consolidate {name}" in command.help, name
        assert command.short_help, name


@pytest.mark.parametrize(("name", "text"), options(), ids=[name for name, _ in options()])
def test_every_option_has_help_with_an_example(name: str, text: str | None) -> None:
    assert "e.g. `" in (text or ""), name


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_printed_and_examples_are_not_folded(name: str, tmp_path: Path) -> None:
    ended = consolidate(name, "--help", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert f"    consolidate {name}" in ended.out


def test_help_loads_no_database_and_no_table_code() -> None:
    heavy = {"duckdb", "psycopg", "polars", "pyarrow", "sqlalchemy", "yaml", "rich", "great_expectations"}
    script = (
        "import sys; from consolidate.cli.app import main; main(['--help']);"
        f"print(sorted(set(sys.modules) & {heavy!r}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_the_version_is_that_of_the_package(tmp_path: Path) -> None:
    assert consolidate("--version", cwd=tmp_path).out == f"consolidate {version('consolidate')}\n"


# Usage: exit code 2


@pytest.mark.parametrize(
    "arguments", [("--colour",), ("runn",), ("run", "--colour"), ("inspect",), ("run", "extra"), ("run", "--json")]
)
def test_what_the_command_line_does_not_know_is_exit_code_2(arguments: tuple[str, ...], tmp_path: Path) -> None:
    ended = consolidate(*arguments, cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error[usage]: ")
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("command", ["run", "check", "inspect momentum", "schema --apply"])
def test_a_missing_project_file_names_init(command: str, tmp_path: Path) -> None:
    ended = consolidate(*command.split(), cwd=tmp_path)
    assert ended.code == 2
    assert "error[no-project-file]" in ended.err
    assert "`consolidate init`" in ended.err


@pytest.mark.parametrize("command", ["run", "check", *REACHING])
def test_an_unset_variable_is_exit_code_2_and_starts_no_embedded_server(command: str, folder: Path) -> None:
    ended = consolidate(*command.split(), cwd=folder)
    assert ended.code == 2
    assert (
        "error[unset-variable]: the environment variable TARGET is not set\n  --> consolidate.yaml:2:9\n" in ended.err
    )
    assert sorted(path.name for path in folder.iterdir()) == ["consolidate.yaml"]


def test_an_unknown_source_is_exit_code_2_with_the_nearest_name(folder: Path) -> None:
    ended = consolidate("inspect", "momentun", cwd=folder, environment={"TARGET": "embedded"})
    assert ended.code == 2
    assert "did you mean `momentum`?" in ended.err


def test_all_mistakes_of_the_project_are_told_at_once(folder: Path) -> None:
    ended = consolidate("check", cwd=folder)
    (folder / "consolidate.yaml").write_text(PROJECT.replace("UTC", "Nowhere").replace("10000", "x"), encoding="utf-8")
    ended = consolidate("check", cwd=folder)
    assert ended.code == 2
    assert ended.err.count("error[") == 3
    assert ended.err.count("\nhint: ") == 3


@pytest.mark.parametrize("path", ["missing/report.json", "."])
def test_json_that_could_not_be_written_is_refused_before_anything_is_done(path: str, folder: Path) -> None:
    ended = consolidate("run", "--json", path, cwd=folder)
    assert ended.code == 2
    assert "error[bad-json-path]" in ended.err


# JSON


@pytest.mark.parametrize("command", ["run", "check", "inspect momentum", "schema --apply"])
def test_json_is_written_also_where_the_exit_code_is_not_0(command: str, folder: Path) -> None:
    ended = consolidate(*command.split(), "--json", "report.json", cwd=folder)
    found = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert found["exit_code"] == ended.code == 2
    assert found["command"] == command.split(maxsplit=1)[0]
    assert len(found["problems"]) == 1


def test_json_on_standard_output_has_nothing_beside_it(folder: Path) -> None:
    ended = consolidate("check", "--json", "-", cwd=folder)
    found = json.loads(ended.out)
    assert found["problems"] == [
        {
            "code": "unset-variable",
            "message": "the environment variable TARGET is not set",
            "hint": "set it before you run consolidate: `export TARGET=…`",
            "file": "consolidate.yaml",
            "line": 2,
            "column": 9,
        }
    ]
    assert "error[unset-variable]" in ended.err


def test_json_of_a_run_that_never_began_has_the_shape_of_a_report(folder: Path) -> None:
    found = json.loads(consolidate("run", "--json", "-", cwd=folder).out)
    assert found["schema"] == "consolidate.report/1"
    assert (found["status"], found["run_id"], found["sources"]) == ("failed", None, [])
    assert found["problems"][0].startswith("error[unset-variable]: ")


# init


def test_init_writes_a_file_that_loads(tmp_path: Path) -> None:
    ended = consolidate("init", "my bots", cwd=tmp_path)
    assert ended.code == 0
    project = load(tmp_path / "my bots" / "consolidate.yaml", {"SHORTSELLER_DSN": "postgresql://x"})
    assert [source.name for source in project.sources] == ["shortseller", "momentum", "lxalgo"]


def test_init_overwrites_only_when_forced(folder: Path) -> None:
    refused = consolidate("init", cwd=folder)
    assert (refused.code, (folder / "consolidate.yaml").read_text(encoding="utf-8")) == (2, PROJECT)
    assert "--force" in refused.err
    forced = consolidate("init", "--force", "--json", "-", cwd=folder)
    assert json.loads(forced.out)["file"] == "consolidate.yaml"
    assert (folder / "consolidate.yaml").read_text(encoding="utf-8") != PROJECT


def test_init_into_a_file_is_exit_code_2(folder: Path) -> None:
    assert consolidate("init", "consolidate.yaml", cwd=folder).code == 2


# schema


def test_the_printed_schema_makes_the_schema(empty_dsn: str, tmp_path: Path) -> None:
    ended = consolidate("schema", cwd=tmp_path)
    assert ended.code == 0
    with connect(empty_dsn, what="the target") as connection:
        connection.execute(ended.out.encode())
        assert schema.state(connection) == schema.Present(version=None)


def test_the_schema_is_made_once_and_found_again(empty_dsn: str, folder: Path) -> None:
    said = [consolidate("schema", "--apply", cwd=folder, environment={"TARGET": empty_dsn}) for _ in range(2)]
    assert [ended.code for ended in said] == [0, 0]
    assert said[0].out.startswith("made the schema in postgresql://")
    assert said[1].out.endswith(" already\n")


def test_a_schema_that_differs_is_exit_code_6_with_its_differences(target_dsn: str, folder: Path) -> None:
    with connect(target_dsn, what="the target") as connection:
        connection.execute("alter table trading.trades drop column notes")
    ended = consolidate("schema", "--apply", "--json", "-", cwd=folder, environment={"TARGET": target_dsn})
    assert ended.code == 6
    assert "trading.trades" in ended.err
    assert json.loads(ended.out)["exit_code"] == 6


def test_quiet_says_nothing_unless_something_is_wrong(target_dsn: str, folder: Path) -> None:
    ended = consolidate("schema", "--apply", "--quiet", cwd=folder, environment={"TARGET": target_dsn})
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert consolidate("check", "--quiet", cwd=folder).err != ""


# Secrets


@pytest.mark.parametrize("command", ["schema --apply", "run"])
@pytest.mark.parametrize(
    "target",
    [
        f"postgresql://me:{CANARY}@127.0.0.1:1/x",
        f"postgresql://me:{CANARY}/@127.0.0.1:1/x",
        f"postgresql://me:{CANARY}@nowhere.invalid/x",
        f"postgresql://me:{CANARY}%zz@127.0.0.1/x",
        f"host=127.0.0.1 port=1 password='{CANARY}'",
        f"host=127.0.0.1 {CANARY}",
        CANARY,
    ],
)
def test_the_password_is_never_shown(command: str, target: str, folder: Path) -> None:
    ended = consolidate("--traceback", *command.split(), "--json", "-", cwd=folder, environment={"TARGET": target})
    assert ended.code in {2, 7}
    assert CANARY not in ended.out + ended.err
    assert json.loads(ended.out)["exit_code"] == ended.code


def raising(error: BaseException) -> Callable[[], object]:
    def call() -> object:
        raise error

    return call


def test_a_bug_is_one_line_and_its_traceback_has_no_secret(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "consolidate.yaml").write_text(PROJECT.replace("id: m,", "id: '${BOT}',"), encoding="utf-8")
    dsn = f"postgresql://me:{CANARY}@db/x"
    os.environ.update({"TARGET": dsn, "BOT": "secret_bot"})
    try:
        terminal = Terminal()
        terminal.load(folder / "consolidate.yaml")
    finally:
        del os.environ["TARGET"], os.environ["BOT"]
    error = ValueError(f"cannot use {dsn}\nand {CANARY} of secret_bot")
    assert guarded(terminal, raising(error)) == 1
    told = capsys.readouterr().err
    assert told.startswith("error[bug]: this is a bug in consolidate: ValueError: cannot use ***")
    assert "Traceback" not in told
    terminal.show_traceback = True
    assert guarded(terminal, raising(error)) == 1
    told += capsys.readouterr().err
    assert "Traceback" in told
    assert CANARY not in told
    assert "secret_bot" not in told


# Exit codes


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError(Problem(code="x", message="y")), 2),
        (ConflictError(Problem(code="x", message="y")), 6),
        (UnreachableError(Problem(code="x", message="y")), 7),
        (PermissionError(13, "Permission denied", "/x"), 7),
        (OSError(28, "No space left on device"), 7),
        (KeyError("x"), 1),
        (KeyboardInterrupt(), 130),
        (typer.BadParameter("x"), 2),
    ],
)
def test_each_kind_of_error_has_its_exit_code(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded(Terminal(), raising(error)) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert "Traceback" not in told.err


def test_an_interrupted_command_says_that_nothing_was_loaded(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = f"postgresql://me@127.0.0.1:{silent.getsockname()[1]}/x"
        process = subprocess.Popen(
            [*COMMAND, "schema", "--apply", "--json", "report.json"],
            cwd=folder,
            env=os.environ | {"TARGET": target},
            stderr=subprocess.PIPE,
            text=True,
        )
        connection, _ = silent.accept()
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
        connection.close()
    assert (process.returncode, told) == (130, "interrupted; nothing was loaded\n")
    assert json.loads((folder / "report.json").read_text(encoding="utf-8"))["exit_code"] == 130


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    process = subprocess.Popen([*COMMAND, "schema"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(30) == 0


def test_a_json_that_fails_to_be_written_is_told_after_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal()
    terminal.begin("init", document.INIT, str(tmp_path / "report.json"), quiet=False)
    (tmp_path / "report.json").mkdir()
    code = guarded(terminal, lambda: terminal.finish(document.initialised(tmp_path), ["done"]))
    told = capsys.readouterr()
    assert (code, told.out) == (ExitCode.UNREACHABLE, "done\n")
    assert "error[json-not-written]" in told.err


def test_how_a_failure_ended_is_an_error_also_where_it_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    terminal.begin("run", document.REPORT, None, quiet=True)
    terminal.finish(document.run(REFUSED), text.body(REFUSED), text.ending(REFUSED), failed=True)
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("\nerror[too-many-rejects]: ")
    assert told.err.endswith("refused: 3 rejects, limit 0; nothing was loaded\n")


def test_texts_that_the_terminal_cannot_show_are_escaped(folder: Path) -> None:
    (folder / "consolidate.yaml").write_text(PROJECT.replace("demo:", "dömo\u200b:"), encoding="utf-8")
    ended = consolidate("check", cwd=folder, environment={"PYTHONIOENCODING": "ascii", "TARGET": "x"})
    assert ended.code == 2
    assert ended.err.isascii()


# Progress


def test_progress_is_taken_from_any_thread_and_leaves_nothing_behind() -> None:
    stream = io.StringIO()
    with progress.shown(Console(file=stream, force_terminal=True, width=80)) as observe:

        def tell(stage: str) -> None:
            for done in range(2000):
                observe(Progress(stage=stage, subject=f"a.{done // 500}", done=done % 500, total=500))

        threads = [threading.Thread(target=tell, args=(stage,)) for stage in ("extract", "load")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert "extract" in stream.getvalue()
    assert stream.getvalue().endswith("\x1b[2K")


def test_a_line_of_progress_has_rows_rate_and_percent() -> None:
    told = Progress(stage="extract", subject="momentum.trades", done=500, total=2000)
    assert progress.line(told, 1000, 0.5) == "extract    momentum.trades: 500 of 2,000 rows (25 %), 3,000/s"
    told = Progress(stage="load", subject="a\x1b[0m", done=5, total=None, unit="bytes")
    assert progress.line(told, 0, 0.0) == "load       a\\x1b[0m: 5 bytes"


def test_a_stage_that_is_over_says_what_it_took() -> None:
    assert progress.summary("extract", 1500, "rows", 0.5) == "extract    1,500 rows in 0.5 s, 3,000/s"
    assert progress.summary("commit", 0, "rows", 0.0) == "commit     0 rows in 0.0 s"
