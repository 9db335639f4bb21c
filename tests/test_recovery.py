"""Every cell of every source can be recovered from the target alone, save what the mapping rounds or ignores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consolidate import fixtures, pipeline, project, recovery
from consolidate.extract import extract
from consolidate.mapping.homes import homes
from consolidate.model import RejectCode
from consolidate.postgres import connect
from consolidate.preparation import prepared
from consolidate.staging import Staging, quoted

if TYPE_CHECKING:
    from pathlib import Path

    from consolidate.mapping.table import CompiledTable
    from consolidate.model import RunReport
    from consolidate.preparation import PreparedSource

_BOTS = {
    "ai_agents": "    each_bot: {deployment_mode: demo}\n"
    "    bot: {id: ai_agents_001, deployment_mode: demo, initial_capital: 1}\n",
    "quant_timescale": "    each_bot: {deployment_mode: demo, initial_capital: 1}\n"
    "    bot: {id: quant_001, deployment_mode: demo, initial_capital: 1}\n",
    "momentum": "    time_zone: Europe/London\n    bots:\n"
    "      demo: {id: momentum_demo_001, deployment_mode: demo, initial_capital: 1}\n"
    "      live: {id: momentum_001, deployment_mode: live, initial_capital: 1, default: true}\n",
}
_CODES = [code.value for code in RejectCode]


def _consolidated(
    system: str, set_: str, folder: Path, target: str, store_dsn: str
) -> tuple[PreparedSource, RunReport]:
    store = fixtures.build(system, set_, folder, postgres_dsn=store_dsn)
    where = f"dsn: {store.dsn}" if store.dsn else f"path: {store.path}"
    bot = f"    bot: {{id: {system}_001, deployment_mode: demo, initial_capital: 1}}\n"
    text = (
        f"version: 1\ntarget: {target}\nsources:\n  {system}:\n    mapping: {system}\n    {where}\n"
        f"{_BOTS.get(system, bot)}limits: {{accept: [{', '.join(_CODES)}]}}\n"
    )
    file = folder / "consolidate.yaml"
    file.write_text(text, encoding="utf-8")
    loaded = project.load(file)
    report = pipeline.run(loaded)
    assert report.status == "loaded", report.problems
    return prepared(loaded)[0], report


@pytest.mark.parametrize("set_", [fixtures.CLEAN, fixtures.DEFECTS])
@pytest.mark.parametrize("system", ["shortseller", "momentum", "lxalgo", "ai_agents", "quant_timescale"])
def test_every_legacy_table_is_rebuilt_cell_by_cell(
    system: str, set_: str, tmp_path: Path, target_dsn: str, empty_dsn: str
) -> None:
    source, report = _consolidated(system, set_, tmp_path, target_dsn, empty_dsn)
    filtered = {one.table: one.filtered for one in report.sources}
    with Staging.open(tmp_path / "again.duckdb") as staging, connect(target_dsn, what="the target") as connection:
        tables = tuple(table.mapping.table for table in source.compiled.tables)
        ignored = tuple(one.name for one in source.system.ignored)
        extract(source.request(tables, ignored), staging, tmp_path, lambda _: None)
        rebuilt = 0
        for table in source.compiled.tables:
            rebuilt += recovery.recover(staging, connection, system, table)
            _assert_same(staging, source, table, connection, filtered[table.mapping.table])
        assert rebuilt > 0


def _assert_same(
    staging: Staging, source: PreparedSource, table: CompiledTable, connection: object, filtered: int
) -> None:
    """Rows of the store that were neither rejected nor filtered, and rows recovered, are the same, and as often."""
    name, mapping = source.source.name, table.mapping
    staged = f"stg.{quoted(f'{name}.{mapping.table}')}"
    rejected = {
        key
        for (key,) in connection.execute(  # type: ignore[attr-defined]
            "select source_key from audit.migration_rejects where source_table = %s", [mapping.table]
        ).fetchall()
    }
    key = " || '|' || ".join(quoted(part) for part in mapping.key)
    columns = [quoted(column.name) for column in mapping.columns]
    if table.store.classed:
        columns += [quoted(f"{column.name}#class") for column in mapping.columns]
    listed = ", ".join(columns)
    rounded = {c for c, home in homes(mapping).rows.items() if home.rounded}
    key_of = f"select {key} from {staged} where ({key}) is not null"
    left_out = {
        str(one) for (one,) in staging.rows(f'{key_of} except select "#key" from {recovery.RECOVERED}')
    } - rejected
    assert len(left_out) == filtered
    rejected |= left_out
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
