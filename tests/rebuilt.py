"""Every cell of every source can be recovered from the target alone, save what the mapping rounds or ignores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consolidate import project, recovery
from consolidate.extract import extract
from consolidate.mapping.homes import homes
from consolidate.postgres import connect
from consolidate.preparation import prepared
from consolidate.staging import Staging, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from consolidate.mapping.table import CompiledTable
    from consolidate.model import SourceCounts
    from consolidate.preparation import PreparedSource


def assert_rebuilt(file: Path, counts: Sequence[SourceCounts], dsn: str, scratch: Path) -> None:
    """Every legacy table of the only source of the project, rebuilt from the target, is what the store holds."""
    filtered = {one.table: one.filtered for one in counts}
    (source,) = prepared(project.load(file, {}))
    with Staging.open(scratch / "again.duckdb") as staging, connect(dsn, what="the target") as connection:
        there = tuple(table for table in source.compiled.tables if table.mapping.table in filtered)
        ignored = tuple(one.name for one in source.system.ignored)
        extract(
            source.request(tuple(table.mapping.table for table in there), ignored), staging, scratch, lambda _: None
        )
        rebuilt = 0
        for table in there:
            rebuilt += recovery.recover(staging, connection, source.source.name, table)
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
