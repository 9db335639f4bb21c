"""The root of the command line, and the one place where errors end: problems on standard error, and the exit code."""

from __future__ import annotations

import io
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Annotated, Final

import typer

from consolidate.cli import (
    apply,
    check,
    demo,
    explain,
    init,
    inspect,
    plan,
    rejects,
    rollback,
    run,
    runs,
    scaffold,
    schema,
    test,
    validate,
    verify,
)
from consolidate.cli.terminal import Terminal
from consolidate.errors import ConsolidateError, ExitCode, Problem

_LONGEST_BUG: Final = 500

app = typer.Typer(
    name="consolidate",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
for _verb, _short in (
    (demo.demo, "Consolidate small stores of three bots, to see it work."),
    (init.init, "Write a consolidate.yaml with comments."),
    (check.check, "Tell all mistakes in the project file and the mappings."),
    (inspect.inspect, "Show what a source holds, and what is not mapped."),
    (schema.schema, "Print the target schema, or make it in the target."),
    (plan.plan, "Tell what `run` would do, and write nothing."),
    (apply.apply, "Load a saved plan, or refuse and say what changed."),
    (run.run, "Load every source into the target: all of it, or nothing."),
    (runs.runs, "List what ran against the target, and how it ended."),
    (rejects.rejects, "List and export what a run rejected."),
    (rollback.rollback, "Put the target back to what it held before a run."),
    (validate.validate, "Judge whole tables by the suites: what a run would load, or the target."),
    (verify.verify, "Prove a loaded run again."),
    (scaffold.scaffold, "Draft a mapping from a store, with every guess and question marked."),
    (test.test, "Run the cases of a mapping: fixture stores in, expected rows out."),
    (explain.explain, "Show where a loaded row comes from."),
):
    app.command(short_help=_short)(_verb)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"consolidate {version('consolidate')}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Say the version, e.g. `consolidate --version`."
        ),
    ] = False,
    show_traceback: Annotated[
        bool,
        typer.Option("--traceback", help="Show where a bug of consolidate is, e.g. `consolidate --traceback run`."),
    ] = False,
) -> None:
    """Move the histories of many trading bots into one PostgreSQL database, and prove that nothing was lost or changed.

    \b
    Example:
      consolidate demo
      consolidate init && consolidate check && consolidate run
    """
    del version
    context.ensure_object(Terminal).show_traceback = show_traceback


def main(arguments: list[str] | None = None) -> int:
    """Run the command line (None: that of the process) and return its exit code; nothing is raised."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    terminal = Terminal()
    command = typer.main.get_command(app)
    return guarded(
        terminal,
        lambda: command.main(args=arguments, prog_name="consolidate", standalone_mode=False, obj=terminal),
    )


def guarded(terminal: Terminal, call: Callable[[], object]) -> int:
    """Make the call, show what it raises, and return the exit code: what it returned, or that of the error."""
    try:
        code = _called(terminal, call)
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    if code == ExitCode.INTERRUPTED:
        terminal.interrupted()
    return int(code)


def _called(terminal: Terminal, call: Callable[[], object]) -> int:
    try:
        code = call()
    except ConsolidateError as error:
        return _failed(terminal, error)
    except typer.TyperException as error:
        hint = "`consolidate --help` lists the commands, `consolidate COMMAND --help` what one takes"
        problem = Problem(code="usage", message=error.format_message(), hint=hint)
        return terminal.fail([problem], ExitCode.USAGE)
    except OSError as error:
        place = "" if error.filename is None else f" {error.filename}"
        problem = Problem(
            code="system-error",
            message=f"the system refuses{place}: {error.strerror or error}",
            hint="check that the path exists, that you may write there, and that the disk is not full"
            f"{terminal.aftermath}",
        )
        return terminal.fail([problem], ExitCode.UNREACHABLE)
    except Exception as error:  # noqa: BLE001 - the boundary: whatever comes here is a bug, and is told as one
        return _bug(terminal, error)
    return code if isinstance(code, int) else ExitCode.DONE


def _failed(terminal: Terminal, error: ConsolidateError) -> int:
    code = terminal.fail(error.problems, error.exit_code)
    if terminal.show_traceback:
        _trace(terminal, error)
    return code


def _bug(terminal: Terminal, error: Exception) -> int:
    said = " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST_BUG]
    problem = Problem(
        code="bug",
        message=f"this is a bug in consolidate: {terminal.masked(said, every=True)}",
        hint=f"`consolidate --traceback …` shows where; please report it{terminal.aftermath}",
    )
    code = terminal.fail([problem], ExitCode.BUG)
    if terminal.show_traceback:
        _trace(terminal, error)
    return code


def _trace(terminal: Terminal, error: Exception) -> None:
    lines = "".join(traceback.format_exception(error))
    terminal.complain(terminal.masked(lines, every=True), dim=True)
