"""Every cell of every source can be recovered from the target alone, save what the mapping rounds or ignores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consolidate import project, recovery
from consolidate.extract import extract
from consolidate.mapping.homes import homes
from consolidate.model import RejectCode
from consolidate.postgres import connect
from consolidate.preparation import prepared
from consolidate.staging import Staging, quoted
from tests.alpha import consolidated
from tests.systems import built, sets

if TYPE_CHECKING:
    from pathlib import Path

    from consolidate.mapping.table import CompiledTable
    from consolidate.preparation import PreparedSource

_CODES = [code.value for code in RejectCode]


@pytest.mark.parametrize(("system", "set_"), sets())
def test_every_legacy_table_is_rebuilt_cell_by_cell(
    system: str, set_: str, tmp_path: Path, target_dsn: str, empty_dsn: str
) -> None:
    entry = built(system, set_, tmp_path / "stores", empty_dsn)
    done = consolidated(tmp_path, target_dsn, {system: entry}, accept=_CODES)
    filtered = {counts.table: counts.filtered for counts in done.report.sources}
    (source,) = prepared(project.load(done.file, {}))
    with Staging.open(tmp_path / "again.duckdb") as staging, connect(target_dsn, what="the target") as connection:
        there = tuple(table for table in source.compiled.tables if table.mapping.table in filtered)
        ignored = tuple(one.name for one in source.system.ignored)
        extract(
            source.request(tuple(table.mapping.table for table in there), ignored), staging, tmp_path, lambda _: None
        )
        rebuilt = 0
        for table in there:
            rebuilt += recovery.recover(staging, connection, system, table)
            _assert_same(staging, source, table, connection, filtered[table.mapping.table])
        assert rebuilt > 0


def _assert_same(
    staging: Staging, source: PreparedSource, table: CompiledTable, connection: object, filtered: int
) -> None:
    """Rows of the store that were not rejected or filtered, and rows recovered, are the same, both ways and as often.

    A filtered row is one that is in neither; there must be as many of them as the run counted.
    """
    name, mapping = source.source.name, table.mapping
    staged = f"stg.{quoted(f'{name}.{mapping.table}')}"
    rejected = {
        key
        for (key,) in connection.execute(  # type: ignore[attr-defined]
            "select source_key from audit.migration_rejects where source_table = %s", [mapping.table]
        ).fetchall()
    }
    key = " || '|' || ".join(quoted(part) for part in mapping.key)
    lost = staging.rows(
        f"select {key} from {staged} where ({key}) is not null and ({key}) not in"
        f' (select "#key" from {recovery.RECOVERED})'
    )
    left_out = {str(one) for (one,) in lost} - rejected
    assert len(left_out) == filtered, mapping.table
    rejected |= left_out
    columns = [quoted(column.name) for column in mapping.columns]
    if table.store.classed:
        columns += [quoted(f"{column.name}#class") for column in mapping.columns]
    listed = ", ".join(columns)
    rounded = {c for c, home in homes(mapping).rows.items() if home.rounded}
    keys = ", ".join("'" + str(one).replace("'", "''") + "'" for one in rejected if one is not None) or "''"
    alive = f'select {key} as "#key", {listed} from {staged} where ({key}) is not null and ({key}) not in ({keys})'
    back = f'select "#key", {listed} from {recovery.RECOVERED}, range("#copies") where "#key" not in ({keys})'
    exact = [c for c in columns if c.strip('"').removesuffix("#class") not in rounded]
    names = ", ".join(['"#key"', *exact])
    for one, other in ((alive, back), (back, alive)):
        extra = staging.rows(f"select {names} from ({one}) except all select {names} from ({other}) limit 3")
        assert extra == [], f"{mapping.table}: {exact}"
    for column in rounded:
        differing = staging.rows(
            f'select a.{quoted(column)}, b.{quoted(column)} from ({alive}) a join ({back}) b using ("#key")'
            f" where a.{quoted(column)} is distinct from b.{quoted(column)}"
            f" and not (abs(a.{quoted(column)}::double - b.{quoted(column)}::double) < 0.00005) limit 3"
        )
        assert differing == [], column
