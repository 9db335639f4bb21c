"""The pytest plugin: each `case.yaml` below the folders that pytest collects is a test, run as `consolidate test` does.

It is there wherever consolidate and pytest are installed; `-p no:consolidate` leaves it out. What a case needs is
imported when the first one runs. The processes of pytest-xdist share one PostgreSQL.
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _pytest._code.code import ExceptionInfo, TerminalRepr

    from consolidate.cases.outcome import CaseOutcome
    from consolidate.cases.trial import Bench

_FILE: Final = "case.yaml"
_UPDATE: Final = "--consolidate-update"
_SHARED: Final = "consolidate_folder"
_stack: Final = pytest.StashKey[ExitStack]()
_bench: Final = pytest.StashKey["Bench"]()
_folder: Final = pytest.StashKey[Path]()


class CaseDiffers(Exception):  # noqa: N818 - it is what a failed assertion is to other tests
    """A case did not pass; it carries what came of it."""

    def __init__(self, outcome: CaseOutcome) -> None:
        """Carry the outcome."""
        super().__init__(f"{outcome.name}: {outcome.status}")
        self.outcome = outcome


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that rewrites what cases expect."""
    parser.getgroup("consolidate").addoption(
        _UPDATE,
        action="store_true",
        default=False,
        help="Make what the cases of consolidate give now what they expect; they still fail this once.",
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take every `case.yaml`."""
    return CaseFile.from_parent(parent, path=file_path) if file_path.name == _FILE else None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # noqa: ANN401 - xdist has no types, and need not be there
    """Tell a process of xdist which folder the PostgreSQL of all of them is in."""
    stash = node.config.stash
    if _folder not in stash:
        stash[_folder] = Path(tempfile.gettempdir(), f"consolidate-test-{uuid.uuid4().hex}")
    node.workerinput[_SHARED] = str(stash[_folder])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the PostgreSQL, if it is running, and take its folder away."""
    stack = config.stash.get(_stack, None)
    if stack is not None:
        stack.close()
    folder = config.stash.get(_folder, None)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


class CaseFile(pytest.File):
    """A `case.yaml`: one test."""

    def collect(self) -> Iterator[pytest.Item]:
        """The case itself, named after its mapping and its folder."""
        from consolidate.cases.case import called  # noqa: PLC0415 - only where there is a case

        yield CaseItem.from_parent(self, name=called(self.path))


class CaseItem(pytest.Item):
    """A case as a test."""

    def runtest(self) -> None:
        """Run the case; raises `CaseDiffers` unless it passes."""
        update = bool(self.config.getoption(_UPDATE))
        outcome = _opened(self.config).tried(self.path, update=update)
        if outcome.status != "passed":
            raise CaseDiffers(outcome)

    def repr_failure(self, excinfo: ExceptionInfo[BaseException], style: Any = None) -> str | TerminalRepr:  # noqa: ANN401 - as pytest has it
        """What is wrong, cell by cell, without a traceback."""
        if isinstance(excinfo.value, CaseDiffers):
            from consolidate.report.cases import lines  # noqa: PLC0415 - as above

            return "\n".join(lines(excinfo.value.outcome))
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the case is, and its name."""
        return self.path, 0, self.name


def _opened(config: pytest.Config) -> Bench:
    """The bench of this process, made for its first case."""
    if _bench not in config.stash:
        from consolidate.cases.trial import bench  # noqa: PLC0415 - as above

        shared = getattr(config, "workerinput", {}).get(_SHARED)
        stack = config.stash.setdefault(_stack, ExitStack())
        config.stash[_bench] = stack.enter_context(bench(None if shared is None else Path(shared)))
    return config.stash[_bench]
