"""The options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

DEFAULT_CONFIG: Final = Path("consolidate.yaml")

Config: TypeAlias = Annotated[
    Path,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="The project file, e.g. `-c bots/consolidate.yaml`; paths in it are relative to its folder.",
    ),
]
Json: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--json",
        metavar="PATH",
        help="Write the result as JSON, also when the exit code is not 0, e.g. `--json report.json`; `-` is standard "
        "output, and the text for people then goes to standard error.",
    ),
]
Html: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--html",
        metavar="FILE",
        help="Write the report as one page with tables and pictures that opens without a network, e.g. "
        "`--html report.html`.",
    ),
]
Markdown: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--markdown",
        metavar="FILE",
        help="Write the report as Markdown, short enough for a pull-request comment, e.g. `--markdown report.md`.",
    ),
]
Junit: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--junit",
        metavar="FILE",
        help="Write the report as JUnit XML, a test case a source table, reject code and control total, e.g. "
        "`--junit report.xml`.",
    ),
]
Quiet: TypeAlias = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Print nothing but errors, e.g. `--quiet` in a nightly job."),
]


class OnConflict(StrEnum):
    """What becomes of rows that changed in the source and in the target."""

    REFUSE = "refuse"
    SOURCE = "source"
    TARGET = "target"


OnConflictOption: TypeAlias = Annotated[
    OnConflict,
    typer.Option(
        "--on-conflict",
        help="Who is right about rows that changed in the source and in the target since they were loaded: "
        "`source` overwrites them and keeps what was there for `rollback`, `target` leaves them; e.g. "
        "`--on-conflict target`.",
    ),
]
