"""What one invocation prints: a report to people, a document to machines, errors; and no secret in any of them."""

from __future__ import annotations

import dataclasses
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from consolidate.cli.files import ReportFiles
from consolidate.errors import ExitCode, Problem, UnreachableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from rich.console import Console, RenderableType

    from consolidate.cases.outcome import CaseReport
    from consolidate.model import Progress, RowsWanted, RunReport
    from consolidate.project import Examined, Project
    from consolidate.report.document import Document

STANDARD_OUTPUT: Final = "-"
_SHORTEST_SECRET: Final = 3


class Terminal:
    """The outlets of one invocation. A command begins, loads its project, and ends with `finish`."""

    def __init__(self) -> None:
        """Begin with nothing asked for."""
        self.show_traceback = False
        self.reported = False
        self._command = ""
        self._schema = ""
        self._json: str | None = None
        self._quiet = False
        self._project: Project | None = None
        self._committing = False
        self._committed = False
        self._files = ReportFiles()

    def begin(self, command: str, schema: str, json: str | None, *, quiet: bool) -> None:
        """Take what the person asked for. Raises `UsageError` where the JSON could not be written in the end."""
        self._command, self._schema, self._quiet = command, schema, quiet
        if json is not None and json != STANDARD_OUTPUT and (Path(json).is_dir() or not Path(json).parent.is_dir()):
            raise UsageError(
                Problem(
                    code="bad-json-path",
                    message=f"{json!r} cannot be written: it is a folder, or its folder does not exist",
                    hint="make the folder first, or write `--json -` for standard output",
                )
            )
        self._json = json

    def also(self, *, html: Path | None = None, markdown: Path | None = None, junit: Path | None = None) -> None:
        """Take which files of a run's report the person asked for. Raises `UsageError` as `begin`."""
        asked = ReportFiles(html=html, markdown=markdown, junit=junit)
        asked.require_writable()
        self._files = asked

    def load(self, file: Path) -> Project:
        """The project of the file; raises `UsageError` with all that is wrong with it."""
        from consolidate import project

        self._project = project.load(file)
        return self._project

    def examine(self, file: Path) -> Examined:
        """The project of the file as far as it goes, and what is wrong with it."""
        from consolidate import project

        examined = project.examine(file)
        self._project = examined.project
        return examined

    @contextmanager
    def progress(self) -> Iterator[Callable[[Progress], None]]:
        """What stages tell their progress to: standard error, if that is a terminal."""
        from consolidate.cli import progress
        from consolidate.model import COMMITTED, COMMITTING

        watched = not self._quiet and sys.stderr.isatty()
        with progress.shown(_console(sys.stderr) if watched else None) as show:

            def observe(told: Progress) -> None:
                self._committing = self._committing or told.stage == COMMITTING
                self._committed = self._committed or told.stage == COMMITTED
                if told.stage != COMMITTING:
                    show(told)

            yield observe

    @property
    def interactive(self) -> bool:
        """Whether a person sits before it who can be asked."""
        return sys.stdin.isatty() and sys.stdout.isatty() and not self._quiet and self._json != STANDARD_OUTPUT

    def confirmed(self, report: RunReport, wanted: RowsWanted | None = None) -> bool:
        """Show what a load would do, and ask whether to do it; where nothing would change there is nothing to ask."""
        import typer

        from consolidate.report import text

        if not any(one.insert or one.update for one in report.targets):
            return True
        _show(sys.stdout, text.body(report, wanted))
        return typer.confirm("Load this?", default=False)

    def finish(
        self,
        document: Document,
        body: Iterable[RenderableType],
        ending: Iterable[RenderableType] = (),
        *,
        failed: bool = False,
        report: RunReport | CaseReport | None = None,
    ) -> None:
        """Show what was done, and write the document where it was asked for; `ending` of a failure is an error.

        `report` is what other files that were asked for are made of.
        """
        self.reported = True
        aside = sys.stderr if self._json == STANDARD_OUTPUT else sys.stdout
        if not self._quiet:
            _show(aside, body)
        if failed or not self._quiet:
            _show(sys.stderr if failed else aside, ending)
        self._write(document)
        if report is not None:
            self._files.write(report)

    def fail(self, problems: Sequence[Problem], exit_code: ExitCode) -> int:
        """Show what stopped the command, write it as JSON where that was asked for; return the exit code."""
        from consolidate.report import document

        found = [self._masked_problem(problem) for problem in problems]
        printed = [str(problem) for problem in found]
        self.complain("\n\n".join(printed))
        if not self.reported:
            run = self._schema == document.REPORT
            self._write(
                document.failure(self._command, exit_code, printed)
                if run
                else document.refusal(self._schema, self._command, exit_code, found)
            )
            self._write_failure(exit_code, printed)
        return int(exit_code)

    @property
    def aftermath(self) -> str:
        """What an error that nobody foresaw means for the target, as the end of a hint; "" before the commit."""
        if self._committed:
            return "; the load had ended before: its rows are in the target, proven and in the ledger"
        return "; that was at the commit, so the run may be there or not" if self._committing else ""

    def interrupted(self) -> None:
        """Say that a person ended the command, and what that means for the target."""
        if self.reported:
            self.complain("interrupted")
            return
        text = "interrupted; nothing was loaded"
        if self._committing:
            text = "interrupted at the commit, so the run may be there or not; the same command again tells"
        if self._committed:
            text = "interrupted after the load, which is in the target; the same command again tells what is there"
        self.complain(text)
        from consolidate.report import document

        self._write(document.failure(self._command, ExitCode.INTERRUPTED, [text]))
        if not self._committing:
            self._write_failure(ExitCode.INTERRUPTED, [text])

    def complain(self, text: str, *, dim: bool = False) -> None:
        """Print a text of ours on standard error."""
        from consolidate.report.cells import safe

        console = _console(sys.stderr)
        if not console.is_terminal:
            _put(sys.stderr, f"{safe(text)}\n")
            return
        from rich.text import Text

        from consolidate.report.text import marked

        shown = Text(safe(text), style="dim") if dim else marked(safe(text))
        _put(sys.stderr, _rendered(console, shown))

    def masked(self, text: str, *, every: bool = False) -> str:
        """The text without connection strings; `every`: and without anything that came from a variable."""
        if self._project is None:
            return text
        secrets = self._project.connection_strings + (self._project.filled_in if every else ())
        for secret in secrets:
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, "***")
        return text

    def _masked_problem(self, problem: Problem) -> Problem:
        hint = None if problem.hint is None else self.masked(problem.hint)
        return dataclasses.replace(problem, message=self.masked(problem.message), hint=hint)

    def _write_failure(self, exit_code: ExitCode, printed: Sequence[str]) -> None:
        """So that no file of an earlier run is taken for one of this."""
        from consolidate.model import RunReport

        asked, self._files = self._files, ReportFiles()
        asked.write(
            RunReport(
                command=self._command,
                run_id="",
                status="failed",
                exit_code=exit_code,
                run_dir=Path(),
                target="",
                problems=tuple(printed),
            )
        )

    def _write(self, document: Document) -> None:
        from consolidate.report.document import text_of

        json, self._json = self._json, None
        if json is None:
            return
        content = text_of(document)
        if json == STANDARD_OUTPUT:
            _put(sys.stdout, content)
            return
        try:
            Path(json).write_bytes(content.encode())
        except OSError as error:
            message = f"the JSON cannot be written to {json!r}: {error.strerror or error}"
            hint = "the command itself has ended as its report says; `--json -` writes to standard output"
            raise UnreachableError(Problem(code="json-not-written", message=message, hint=hint)) from None


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    return Console(file=stream, highlight=False, markup=False, emoji=False)


def _show(stream: TextIO, parts: Iterable[RenderableType]) -> None:
    from consolidate.report import text

    shown = tuple(parts)
    console = _console(stream)
    tables = console.is_terminal and text.least_width(shown) <= console.width
    _put(stream, _rendered(console, *shown) if tables else text.plain(shown))


def _rendered(console: Console, *parts: RenderableType) -> str:
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    return capture.get()


def _put(stream: TextIO, text: str) -> None:
    """Write at once. Where nobody reads on (`| head`), the rest goes nowhere, and the exit code stays what it is."""
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
