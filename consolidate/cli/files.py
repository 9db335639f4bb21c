"""The report of a run as files that a person or a CI job asked for: a page, Markdown, JUnit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from consolidate.errors import Problem, UnreachableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from consolidate.cases.outcome import CaseReport
    from consolidate.model import RunReport


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFiles:
    """Which files were asked for; None: not this one."""

    html: Path | None = None
    markdown: Path | None = None
    junit: Path | None = None

    def require_writable(self) -> None:
        """Raise `UsageError` where a file could not be written in the end."""
        for option, file in self._asked():
            if file.is_dir() or not file.parent.is_dir():
                raise UsageError(
                    Problem(
                        code=f"bad-{option}-path",
                        message=f"{str(file)!r} cannot be written: it is a folder, or its folder does not exist",
                        hint=f"make the folder first, or name a file: `--{option} report.{_ENDINGS[option]}`",
                    )
                )

    def write(self, report: RunReport | CaseReport) -> None:
        """Write them. Raises `UnreachableError` for the first that cannot be written."""
        for option, file in self._asked():
            try:
                file.write_bytes(_rendered(option, report).encode())
            except OSError as error:
                raise UnreachableError(
                    Problem(
                        code=f"{option}-not-written",
                        message=f"{str(file)!r} cannot be written: {error.strerror or error}",
                        hint="the command itself has ended as its report says",
                    )
                ) from None

    def _asked(self) -> Iterator[tuple[str, Path]]:
        for option, file in (("junit", self.junit), ("markdown", self.markdown), ("html", self.html)):
            if file is not None:
                yield option, file


_ENDINGS: Final = {"html": "html", "markdown": "md", "junit": "xml"}


def _rendered(option: str, report: RunReport | CaseReport) -> str:
    from consolidate.cases.outcome import CaseReport
    from consolidate.report import junit
    from consolidate.report.html import page
    from consolidate.report.markdown import markdown

    if isinstance(report, CaseReport):
        return junit.cases(report)
    return {"html": page, "markdown": markdown, "junit": junit.junit}[option](report)
