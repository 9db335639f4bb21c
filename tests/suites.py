"""Suites of the tests' own, judged on candidates in DuckDB and on rows of a live target."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from consolidate import validate
from consolidate.mapping.yaml import Problems
from consolidate.postgres import connect
from consolidate.staging import Staging
from consolidate.target.contract import expected
from consolidate.target.transaction import snapshot
from consolidate.validate.grounds import Candidates, LiveTarget
from consolidate.validate.judge import judge
from tests import candidates

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from consolidate.model import CheckResult
    from consolidate.validate.grounds import Ground
    from consolidate.validate.language import Suite
    from tests.candidates import Candidate

WHY = "why: A sentence that says why."


def written(folder: Path, text: str, name: str = "own") -> Path:
    """A mapping folder with a suite file of this text; the folder."""
    (folder / "expectations").mkdir(parents=True, exist_ok=True)
    (folder / "expectations" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def trades(**expectations: str) -> str:
    """A suite on trading.trades: what each expectation asks, all critical."""
    lines = (f"  {name}: {{{asked}, severity: critical, {WHY}}}\n" for name, asked in expectations.items())
    return f"table: trading.trades\nexpectations:\n{''.join(lines)}"


def query(sql: str) -> str:
    """An expectation that the query finds no row."""
    return f'unexpected_rows_expectation: {{unexpected_rows_query: "{sql}"}}'


@contextmanager
def staged(folder: Path, rows: Iterable[Candidate]) -> Iterator[Staging]:
    """A DuckDB file with these candidates."""
    folder.mkdir(parents=True, exist_ok=True)
    with Staging.open(folder / "staging.duckdb") as staging:
        staging.fit([0], is_kept=False)
        candidates.fill(staging, rows)
        yield staging


@contextmanager
def on_candidates(folder: Path, rows: Iterable[Candidate]) -> Iterator[Ground]:
    """These candidates as a place to judge."""
    with staged(folder, rows) as staging:
        ground = Candidates(staging)
        yield ground
        ground.engine.dispose()


@contextmanager
def on_target(dsn: str) -> Iterator[Ground]:
    """The live target as a place to judge."""
    with connect(dsn, what="the target", read_only=True) as connection, snapshot(connection):
        yield LiveTarget(connection)


def judged(ground: Ground, own: Iterable[Suite], folder: Path) -> dict[str, CheckResult]:
    """What becomes of the expectations of these suites alone, by their names."""
    problems = Problems()
    asked = validate.asked(tuple(own), problems)
    assert not problems.found
    rows = {table.name: ground.rows(table.name) for table in expected().tables}
    return {check.name: check for check in judge(ground, asked, rows, folder / "failing").checks}


def verdicts(ground: Ground, folder: Path, text: str) -> dict[str, CheckResult]:
    """What becomes of the expectations of this text."""
    return judged(ground, validate.own([written(folder, text)]), folder)


def insert(dsn: str, rows: Iterable[Candidate]) -> None:
    """Insert the rows into the target as they are."""
    with connect(dsn, what="the target") as connection:
        for row in rows:
            names = ", ".join(f'"{name}"' for name in row.values)
            marks = ", ".join(["%s"] * len(row.values))
            connection.execute(f"insert into {row.table} ({names}) values ({marks})".encode(), [*row.values.values()])
