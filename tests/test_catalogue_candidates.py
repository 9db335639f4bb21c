"""Defects of rows, of candidates and of a live target: every shipped expectation catches some, and passes twins."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from consolidate import validate
from consolidate.bundled import folder
from consolidate.canonical import columns
from consolidate.mapping import yaml
from consolidate.postgres import connect
from consolidate.staging import Staging
from consolidate.target.contract import SCHEMAS, expected
from consolidate.validate import load
from tests import catalogue
from tests.candidates import Candidate, SourceRow, fill

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from consolidate.model import CheckResult

FILE: Final = "candidates.yaml"
ORDINARY: Final = "ordinary"
OF_THE_SCHEMA: Final = "across/columns_have_the_types_of_the_schema"

Cells = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """An entry: rows of unified tables, and the names of those that `caught_by` must find."""

    name: str
    rows: tuple[tuple[str, Cells], ...]
    defect: str | None
    twin: str | None
    caught_by: str
    severity: str
    at: tuple[str, ...]


def _plain(node: yaml.Node | None) -> object:
    match node:
        case yaml.Scalar(text=text):
            return text
        case yaml.Sequence(items=items):
            return [_plain(item) for item in items]
        case yaml.Mapping():
            return {one.key: _plain(one.value) for one in node}
        case None:
            return None


def _document() -> yaml.Mapping:
    problems = yaml.Problems()
    root = yaml.read(folder("fixtures") / FILE, problems, shown=FILE)
    assert root is not None, problems.found
    return root


def _ordinary() -> dict[str, Cells]:
    found = _plain(_document().get(ORDINARY))
    assert isinstance(found, dict)
    return found


def _defects() -> list[Defect]:
    listed = _document().get("defects")
    assert isinstance(listed, yaml.Mapping)
    found = []
    for one in listed:
        said = _plain(one.value)
        assert isinstance(said, dict)
        assert set(said) - {"at"} == {"wrong", "rows", "defect", "twin", "caught_by", "severity"}, one.location
        at = said.get("at", one.key)
        rows = tuple((table, cells) for row in said["rows"] for table, cells in row.items())
        named = tuple(at) if isinstance(at, list) else (at,)
        parts = {key: said[key] for key in ("defect", "twin", "caught_by", "severity")}
        found.append(Defect(name=one.key, rows=rows, at=named, **parts))
    return found


def _filled(ordinary: dict[str, Cells], table: str, name: str, cells: Cells, value: str | None = None) -> Candidate:
    values: Cells = {}
    for column, cell in {**ordinary[table], **cells}.items():
        values[column] = value if cell == ":value" else name if cell == ":name" else cell
    return Candidate(table=table, values=values, bot=None, rows=(SourceRow(table="rows", key=name),))


def _planted(which: str) -> list[Candidate]:
    ordinary = _ordinary()
    rows = [_filled(ordinary, table, ORDINARY, {}) for table in ordinary]
    for one in _defects():
        value = one.defect if which == "defect" else one.twin
        for number, (table, cells) in enumerate(one.rows, start=1):
            name = one.name if number == 1 else f"{one.name}.{number}"
            rows.append(_filled(ordinary, table, name, cells, value))
    return rows


def _judged(rows: Iterable[Candidate], place: Path, first: str = "select 1") -> tuple[CheckResult, ...]:
    with Staging.open(place / "staging.duckdb") as staging:
        staging.fit([0], is_kept=False)
        fill(staging, rows)
        staging.run(first)
        return validate.of_candidates(staging, (), place / "failing").checks


def _judged_in_postgres(rows: Sequence[Candidate], place: Path, dsn: str) -> tuple[CheckResult, ...]:
    """As `_judged`, in tables of a target that has lost its constraints. The `id` of a row is its place in `rows`."""
    with connect(dsn, what="the target") as connection, connection.transaction():
        for schema in SCHEMAS:
            connection.execute(f"create schema {schema}".encode())
        for table in expected().tables:
            typed = ", ".join(f'"{column.name}" {column.type}' for column in table.columns)
            connection.execute(f"create table {table.name} ({typed})".encode())
        for number, row in enumerate(rows):
            contract = expected().table(row.table)
            assert contract is not None
            own = {} if contract.column("id") is None else {"id": number}
            values = {**row.values, **own}
            names = ", ".join(f'"{name}"' for name in values)
            marks = ", ".join(["%s"] * len(values))
            statement = f"insert into {row.table} ({names}) values ({marks})"
            connection.execute(statement.encode(), list(values.values()))
        connection.execute(b"set local time zone 'UTC'")
        return validate.of_target(connection, (), place / "failing").checks


def _found(checks: Iterable[CheckResult], rows: Sequence[Candidate] = ()) -> set[tuple[str, str]]:
    """What failed, and the name of each row that it failed at. `rows`: where their `id` is the place in them."""
    errored = {f"{check.suite}/{check.name}": check.observed for check in checks if check.status == "errored"}
    assert not errored, "\n".join(f"{k}: {v}" for k, v in errored.items())
    found = set()
    for check in checks:
        if check.status == "failed":
            assert check.failing_file is not None, check
            with check.failing_file.open(encoding="utf-8", newline="") as stream:
                for row in csv.DictReader(stream):
                    name = rows[int(row["id"])].rows[0].key if rows and "id" in row else row.get("source_key")
                    found.add((f"{check.suite}/{check.name}", name or row["bot_id"]))
    return found


@pytest.mark.parametrize("place", ["candidates", "target"])
def test_each_defect_of_a_row_is_caught_by_its_expectation_and_nothing_else_is(
    tmp_path: Path, empty_dsn: str, place: str
) -> None:
    rows = _planted("defect")
    if place == "target":
        checks = _judged_in_postgres(rows, tmp_path, empty_dsn)
        found = _found(checks, rows)
    else:
        checks = _judged(rows, tmp_path)
        found = _found(checks)
    wanted = {(one.caught_by, row) for one in _defects() for row in one.at}
    assert {"missed": wanted - found, "false alarms": found - wanted} == {"missed": set(), "false alarms": set()}
    said = {f"{check.suite}/{check.name}": check.severity for check in checks}
    assert {one.name: said[one.caught_by] for one in _defects()} == {one.name: one.severity for one in _defects()}


def test_the_twin_of_each_defect_of_a_row_passes(tmp_path: Path, empty_dsn: str) -> None:
    rows = _planted("twin")
    assert _found(_judged(rows, tmp_path)) == set()
    assert _found(_judged_in_postgres(rows, tmp_path / "target", empty_dsn), rows) == set()


def test_a_null_where_the_target_requires_a_value_is_caught_in_every_column(tmp_path: Path) -> None:
    ordinary = _ordinary()
    rows = [_filled(ordinary, table, ORDINARY, {}) for table in ordinary]
    wanted = set()
    for table in expected().tables:
        for column in columns(table):
            if table.name in ordinary and column.not_null and column.default is None:
                rows.append(_filled(ordinary, table.name, column.name, {column.name: None}))
                wanted.add((f"{table.name}/required_values_are_there", column.name))
    found = {one for one in _found(_judged(rows, tmp_path)) if one[0].endswith("/required_values_are_there")}
    found = {(by, row or "bot_id") for by, row in found}  # a bot is named by its id, which this one has not
    assert found == wanted
    assert len(wanted) > 50


@pytest.mark.parametrize("more", [0, 1])
def test_a_text_longer_than_its_column_is_caught_in_every_column(tmp_path: Path, more: int) -> None:
    ordinary = _ordinary()
    rows = [_filled(ordinary, table, ORDINARY, {}) for table in ordinary]
    wanted = set()
    for table in expected().tables:
        for column in columns(table):
            base, _, size = column.type.partition("(")
            if table.name in ordinary and base == "character varying":
                text = f"{column.name}_".ljust(int(size.rstrip(")")) + more, "x")
                rows.append(_filled(ordinary, table.name, column.name, {column.name: text}))
                is_id = (table.name, column.name) == ("trading.bots", "bot_id")
                wanted.add((f"{table.name}/texts_fit", text if is_id else column.name))
    found = {one for one in _found(_judged(rows, tmp_path)) if one[0].endswith("/texts_fit")}
    assert found == (wanted if more else set())
    assert len(wanted) > 60


@pytest.mark.parametrize(
    ("column", "type_", "status"),
    [("fees", "double", "failed"), ("fees", "decimal(20, 6)", "failed"), ("fees", "decimal(20, 8)", "passed")],
)
def test_a_column_of_another_type_is_caught(tmp_path: Path, column: str, type_: str, status: str) -> None:
    ordinary = _ordinary()
    rows = [_filled(ordinary, table, ORDINARY, {}) for table in ordinary]
    checks = _judged(rows, tmp_path, f'alter table cand."trading.trades" alter column {column} type {type_}')
    failed = {f"{check.suite}/{check.name}" for check in checks if check.status == "failed"}
    assert failed == ({OF_THE_SCHEMA} if status == "failed" else set())


def test_every_shipped_expectation_catches_a_defect() -> None:
    shipped = {
        f"{suite.name}/{one.name}"
        for suite in load.shipped(yaml.Problems(), {table.name for table in expected().tables})
        for one in suite.expectations
    }
    caught = {one.caught_by for system in catalogue.systems() for one in catalogue.read(system).defects}
    caught |= {one.caught_by for one in _defects()}
    generated = {one for one in shipped if one.endswith(("/required_values_are_there", "/texts_fit"))}
    assert shipped - caught - generated - {OF_THE_SCHEMA} == set()
