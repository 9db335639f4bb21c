"""Mappings made for one test: written to a folder, compiled, and run over rows given as texts."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from consolidate.mapping import load
from consolidate.mapping.compiled import compile_system
from consolidate.mapping.yaml import Problems
from consolidate.model import SourceKind, StagedColumn, StagedSource, StagedTable
from consolidate.quarantine import notices
from consolidate.staging import Staging, quoted
from consolidate.transform import Routing, TransformSource, transform

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from consolidate.errors import Problem
    from consolidate.mapping.compiled import CompiledSystem
    from consolidate.mapping.made_bots import MadeBots
    from consolidate.model import SourceCounts
    from consolidate.transform import BotRow, Transformed

Row = tuple[str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A source table of a test: the text of its mapping file, the names of its columns, and its rows as stored."""

    mapping: str
    columns: tuple[str, ...]
    rows: Sequence[Row] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the rows; everything else is in `staging`."""

    staging: Staging
    transformed: Transformed

    def counts(self, table: str) -> SourceCounts:
        """The balance sheet of a source table."""
        return next(one for one in self.transformed.counts if one.table == table)

    def candidates(self, target: str, *columns: str) -> list[tuple[object, ...]]:
        """The candidates of a target table in the order in which they were made."""
        selected = ", ".join(f"{quoted(column)}::varchar" for column in columns)
        return self.staging.rows(f'select {selected} from cand.{quoted(target)} order by "#n"')

    def rejects(self) -> list[tuple[object, ...]]:
        """Key, code and blamed column of each reject, in their order."""
        return self.staging.rows('select source_key, code, column_name from rej.rejects order by "#n"')

    def codes(self) -> dict[object, object]:
        """The code of each rejected row, by key."""
        return {key: code for key, code, _ in self.rejects()}

    def notices(self) -> list[str]:
        """What the `warn` rules said."""
        return [notice.message for notice in notices(self.staging)]


def write(folder: Path, tables: Mapping[str, Table], extra: str = "", *, kind: str = "postgres") -> Path:
    """Write a mapping folder; `extra` are further lines of system.yaml."""
    place = folder / "made"
    place.mkdir(parents=True, exist_ok=True)
    text = f"system: made\nkind: {kind}\ntables: [{', '.join(tables)}]\n{extra}"
    (place / "system.yaml").write_text(text, encoding="utf-8")
    for name, table in tables.items():
        (place / f"{name}.yaml").write_text(table.mapping, encoding="utf-8")
    return place


def compiled(
    place: Path, *, zone: str | None = None, made: MadeBots | None = None
) -> tuple[CompiledSystem | None, tuple[Problem, ...]]:
    """The compiled mapping of a folder, and everything that is wrong with it."""
    problems = Problems()
    system = load.system(place, problems)
    done = None if system is None else compile_system(system, zone=zone, problems=problems, made=made)
    return done, problems.found


def problems_of(folder: Path, table: str, extra: str = "") -> list[Problem]:
    """What is wrong with a mapping of the one table `t`."""
    return list(compiled(write(folder, {"t": Table(mapping=table, columns=())}, extra))[1])


@contextmanager
def run(
    folder: Path,
    tables: Mapping[str, Table],
    extra: str = "",
    *,
    zone: str | None = None,
    routing: Routing | None = None,
    made: MadeBots | None = None,
    bots: Sequence[BotRow] = (),
) -> Iterator[Outcome]:
    """Transform the rows of `tables`; those without rows that are `optional` are as if the store lacked them."""
    ready, problems = compiled(write(folder, tables, extra), zone=zone, made=made)
    assert problems == ()
    assert ready is not None
    with Staging.open(folder / "staging.duckdb") as staging:
        staging.fit([0], is_kept=False)
        staged = [stage(staging, name, table) for name, table in tables.items() if table.columns]
        source = StagedSource(
            source="s", kind=SourceKind.POSTGRES, origin="a test", tables=tuple(staged), unread=(), bytes_read=0
        )
        route = routing or Routing(default="bot", routes=())
        done = transform(staging, [TransformSource(name="s", compiled=ready, staged=source, routing=route)], bots)
        yield Outcome(staging=staging, transformed=done)


def stage(staging: Staging, name: str, table: Table) -> StagedTable:
    """Stage rows as the PostgreSQL extractor does."""
    relation = f"stg.{quoted(f's.{name}')}"
    columns = ", ".join(f"{quoted(column)} varchar" for column in table.columns)
    staging.run(f'create or replace table {relation} ("#row" bigint, {columns})')
    rows = [[i, *row] for i, row in enumerate(table.rows, 1)]
    if rows:
        read = ", ".join(f"(x->>{i})::varchar" for i in range(1, len(table.columns) + 1))
        staging.run(
            f"insert into {relation} select (x->>0)::bigint, {read} from (select unnest($1::json[]) as x)",
            [[json.dumps(row) for row in rows]],
        )
    return StagedTable(
        source="s",
        table=name,
        relation=relation,
        columns=tuple(StagedColumn(name=column, stored_type="text") for column in table.columns),
        rows=len(rows),
        classed=False,
        digest="",
    )
