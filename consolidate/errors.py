"""One hierarchy of errors: a message that shows the value, a hint that is the next action, a location, an exit code.

Findings (rejected rows, failed expectations, differences) are values and never exceptions; see `consolidate.model`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

COMMIT_UNKNOWN = "commit-unknown"
"""The code of the one problem after which nobody knows whether a run is in the target."""


class ExitCode(IntEnum):
    """The published contract of the process's exit status; README § Exit codes."""

    DONE = 0
    BUG = 1
    USAGE = 2
    CHANGES = 3
    FINDINGS = 4
    RECONCILIATION = 5
    CONFLICT = 6
    UNREACHABLE = 7
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place in a file that a person wrote. `line` and `column` count from 1; `column` may be unknown (None)."""

    file: str
    line: int
    column: int | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.column is None else f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with what a person wrote or configured.

    `code` is stable and machine-readable (kebab-case), `message` shows the offending value, `hint` is what to do next.
    """

    code: str
    message: str
    hint: str | None = None
    location: Location | None = None

    def __str__(self) -> str:
        lines = [f"error[{self.code}]: {self.message}"]
        if self.location is not None:
            lines.append(f"  --> {self.location}")
        if self.hint is not None:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)


class ConsolidateError(Exception):
    """Whatever stops a command. It carries at least one `Problem`; the text never holds a secret.

    The command-line boundary prints the problems and exits with `exit_code`; a library caller catches this one class.
    """

    exit_code: ExitCode = ExitCode.BUG

    def __init__(self, *problems: Problem) -> None:
        """Carry these problems; their text, one after the other, is the message."""
        super().__init__("\n\n".join(str(problem) for problem in problems))
        self.problems = problems


class UsageError(ConsolidateError):
    """The command line, the project file or a mapping is wrong; nothing was read or written."""

    exit_code = ExitCode.USAGE


class FindingsError(ConsolidateError):
    """What was found in the sources refuses the load; the target is untouched."""

    exit_code = ExitCode.FINDINGS


class ReconciliationError(ConsolidateError):
    """What PostgreSQL holds differs from what was to be loaded; everything was rolled back."""

    exit_code = ExitCode.RECONCILIATION


class ConflictError(ConsolidateError):
    """The target is not as this run needs it: changed since, conflicting, or held by another run."""

    exit_code = ExitCode.CONFLICT


class UnreachableError(ConsolidateError):
    """A source or the target cannot be reached, read or written."""

    exit_code = ExitCode.UNREACHABLE
