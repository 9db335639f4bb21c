"""The queries of suites, read by a database before there is a row: an unknown column is told at its place."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from consolidate.errors import ConsolidateError
from consolidate.staging import Staging
from consolidate.transform.candidates import create_candidates
from consolidate.validate.grounds import Candidates
from consolidate.validate.language import QUERY, ROWS_QUERY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consolidate.mapping.yaml import Problems
    from consolidate.validate.judge import Asked


def examine(asked: Iterable[Asked], problems: Problems) -> None:
    """Note what DuckDB says against the queries, over tables of the unified schema that are empty."""
    queries = [one for one in asked if one.said.kind == ROWS_QUERY]
    if not queries:
        return
    with (
        tempfile.TemporaryDirectory(prefix="consolidate-check-") as folder,
        Staging.open(Path(folder) / "empty.duckdb") as staging,
    ):
        create_candidates(staging)
        Candidates(staging).engine.dispose()
        staging.lock_down()
        for one in queries:
            wrong = _refused(staging, one.said.query)
            if wrong is not None:
                where = one.said.arguments.get(QUERY)
                problems.add(
                    "wrong-query",
                    f"the query of {one.said.name!r}: {wrong}",
                    one.said.location if where is None else where.location,
                    "it runs on the tables of `consolidate schema`, in DuckDB and in PostgreSQL",
                )


def _refused(staging: Staging, query: str) -> str | None:
    """Why the query cannot be asked; None where it can."""
    wrong = staging.unreadable(query)
    if wrong is not None:
        return wrong
    try:
        staging.rows(f"describe {query}")
    except ConsolidateError as error:
        return error.problems[0].message.partition(" failed: ")[2] or error.problems[0].message
    return None
