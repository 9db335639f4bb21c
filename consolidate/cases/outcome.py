"""What came of cases, as values: each difference between what a case expects and what a run made of its store."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from consolidate.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    from consolidate.errors import Problem

PASSED: Final = "passed"
DIFFERS: Final = "differs"
UPDATED: Final = "updated"
BROKEN: Final = "broken"
FAILED: Final = "failed"

CELL: Final = "cell"
MISSING: Final = "missing"
UNEXPECTED: Final = "unexpected"

Row: TypeAlias = dict[str, str]
"""The cells of a row that are not null, as text: those of the target as PostgreSQL writes them, times in UTC."""

Tables: TypeAlias = dict[str, tuple[Row, ...]]
"""Rows by table: unified tables by their name ("trading.trades"), and `REJECTS` and `WARNINGS`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One cell, or one whole row, that is not as expected.

    `kind`: "cell" (`expected` and `got` are its texts, None for null), "missing" (an expected row that was not made) or
    "unexpected" (a row that no expectation has); of rows, `cells` are those that are not null. `key` names the row.
    `origin` are the source rows that the row comes from, `locations` the rules of the mapping that fill the cell or
    rejected the row.
    """

    table: str
    key: str
    kind: str
    column: str | None = None
    expected: str | None = None
    got: str | None = None
    cells: tuple[tuple[str, str], ...] = ()
    origin: str | None = None
    locations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseOutcome:
    """What came of one case.

    `status`: "passed"; "differs"; "updated" (it differed, and what it expects was rewritten: `written` are the files);
    "broken" (its folder or its mapping is wrong, as `problems` say) or "failed" (the run ended as `problems` say).
    `rows` were made in the target, `rejects` by the run.
    """

    name: str
    file: Path
    status: str
    differences: tuple[Difference, ...] = ()
    problems: tuple[Problem, ...] = ()
    rows: int = 0
    rejects: int = 0
    seconds: float = 0.0
    exit_code: ExitCode = ExitCode.DONE
    written: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseReport:
    """All cases of one `consolidate test`, in the order of their names."""

    outcomes: tuple[CaseOutcome, ...]
    seconds: float = field(default=0.0, compare=False)

    @property
    def exit_code(self) -> ExitCode:
        """0: all passed or were updated; 4: one differs; what stopped a case comes before that."""
        codes = {outcome.exit_code for outcome in self.outcomes} - {ExitCode.DONE, ExitCode.FINDINGS}
        if codes:
            return min(codes)
        differs = any(outcome.exit_code == ExitCode.FINDINGS for outcome in self.outcomes)
        return ExitCode.FINDINGS if differs else ExitCode.DONE
