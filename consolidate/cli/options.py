"""The options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

if TYPE_CHECKING:
    from consolidate.model import RowsWanted

DEFAULT_CONFIG: Final = Path("consolidate.yaml")
_ROWS: Final = 20

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
Table: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--table",
        metavar="TABLE",
        help="Show the rows that change in one target table, of all bots, e.g. `--table trading.trades`.",
    ),
]
Bot: TypeAlias = Annotated[
    str | None,
    typer.Option("--bot", metavar="BOT", help="Show the rows of one bot that change, e.g. `--bot mybot_001`."),
]
Rows: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--rows",
        metavar="N",
        min=1,
        max=10_000,
        help="Show the first N rows that change, with their cells old and new, e.g. `--rows 50`; 20 with `--table` or "
        "`--bot`.",
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


def wanted(table: str | None, bot: str | None, rows: int | None) -> RowsWanted | None:
    """Which single rows were asked for; None: none."""
    from consolidate.model import RowsWanted

    if table is None and bot is None and rows is None:
        return None
    return RowsWanted(most=rows or _ROWS, table=table, bot=bot)
