"""The passport of a target row: its source rows as they were stored, the rule of each cell, the runs that wrote it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from consolidate import recovery
from consolidate.bundled import statement
from consolidate.destination import opened
from consolidate.errors import Problem, UsageError
from consolidate.mapping.language import ARCHIVE
from consolidate.mapping.yaml import nearest
from consolidate.model import ExplainedCell, Origin, Passport, StoredCell
from consolidate.postgres import connect
from consolidate.preparation import PreparedSource, prepared
from consolidate.relations import unified
from consolidate.staging import Staging, quoted
from consolidate.target.contract import TableContract, expected
from consolidate.target.identity import identity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consolidate.errors import Location
    from consolidate.mapping.table import CompiledTable
    from consolidate.project import Project
    from consolidate.target.transaction import Connection

_WHAT: Final = "the target"


def explain(project: Project, table: str, key: str) -> Passport:
    """The passport of the row of a unified table with this key: its text id, or its `id` where the table has none.

    `table` may lack its schema where that is clear. Raises `UsageError` for an unknown table or row, or a row that
    consolidate did not write, and `UnreachableError` where the target cannot be read.
    """
    contract = _table(table)
    sources = {source.source.name: source for source in prepared(project)}
    with opened(project) as destination, connect(destination.dsn, what=_WHAT, read_only=True) as connection:
        values = _row(connection, contract, key)
        lineage = connection.execute(
            statement("explain/lineage"), {"target_table": contract.name, "target_key": key}
        ).fetchall()
        if not lineage:
            raise UsageError(
                Problem(
                    code="no-lineage",
                    message=f"{contract.name} {key} was not written by consolidate",
                    hint="a bot or a person wrote it; only loaded rows have a passport",
                )
            )
        origins = _origins(connection, sources, lineage)
    return Passport(
        table=contract.name,
        key=key,
        cells=tuple(
            ExplainedCell(column=column, value=value, rules=_rules(sources, origins, contract.name, column))
            for column, value in values
        ),
        origins=origins,
    )


def _table(name: str) -> TableContract:
    tables = {table.name: table for table in expected().tables}
    full = [known for known in tables if name in (known, known.split(".", 1)[1])]
    if len(full) == 1:
        return tables[full[0]]
    hint = nearest(name, tables) or f"known are: {', '.join(tables)}"
    raise UsageError(Problem(code="unknown-table", message=f"there is no unified table {name!r}", hint=hint))


def _row(connection: Connection, contract: TableContract, key: str) -> list[tuple[str, str | None]]:
    names = [column.name for column in contract.columns]
    cells = ", ".join(f"t.{quoted(name)}::text" for name in names)
    identifier = quoted(identity(contract).target_key)
    query = f"select {cells} from {unified(contract.name)} t where t.{identifier}::text = %(key)s"
    row = connection.execute(query.encode(), {"key": key}).fetchone()
    if row is None:
        raise UsageError(
            Problem(
                code="no-such-row",
                message=f"{contract.name} has no row {key!r}",
                hint=f"the key is its {identity(contract).target_key}",
            )
        )
    return [(name, None if value is None else str(value)) for name, value in zip(names, row, strict=True)]


def _origins(
    connection: Connection, sources: dict[str, PreparedSource], lineage: Sequence[Sequence[object]]
) -> tuple[Origin, ...]:
    found = []
    with (
        tempfile.TemporaryDirectory(prefix="consolidate") as folder,
        Staging.open(Path(folder) / "explain.duckdb") as staging,
    ):
        for source, table, key, outcome, run_id, first_run_id, started_at in lineage:
            compiled = _compiled(sources, str(source), str(table))
            cells = None
            if compiled is not None:
                recovery.recover(staging, connection, str(source), compiled, key=str(key))
                cells = _cells(staging, compiled)
            found.append(
                Origin(
                    source=str(source),
                    table=str(table),
                    key=str(key),
                    outcome=str(outcome),
                    run_id=str(run_id),
                    first_run_id=str(first_run_id),
                    started_at=None if started_at is None else str(started_at),
                    cells=cells,
                )
            )
    return tuple(found)


def _compiled(sources: dict[str, PreparedSource], source: str, table: str) -> CompiledTable | None:
    prepared_source = sources.get(source)
    if prepared_source is None:
        return None
    return next((one for one in prepared_source.compiled.tables if one.mapping.table == table), None)


def _cells(staging: Staging, table: CompiledTable) -> tuple[StoredCell, ...]:
    names = [column.name for column in table.mapping.columns]
    classes = [f"{name}#class" for name in names] if table.store.classed else []
    rows = staging.rows(f"select {', '.join(quoted(name) for name in (*names, *classes))} from {recovery.RECOVERED}")
    if not rows:
        return ()
    values = [None if value is None else str(value) for value in rows[0]]
    kinds = values[len(names) :] or [None] * len(names)
    return tuple(
        StoredCell(column=name, value=value, storage_class=kind)
        for name, value, kind in zip(names, values, kinds, strict=False)
    )


def _rules(
    sources: dict[str, PreparedSource], origins: tuple[Origin, ...], target: str, column: str
) -> tuple[tuple[str, Location], ...]:
    """The lines of the mappings that can fill the column from one of the row's source rows."""
    found: dict[Location, str] = {}
    for origin in origins:
        compiled = _compiled(sources, origin.source, origin.table)
        if compiled is None:
            continue
        file = sources[origin.source].source.mapping / f"{origin.table}.yaml"
        lines = file.read_text(encoding="utf-8-sig").splitlines()
        for block in compiled.mapping.blocks:
            for cell in block.cells:
                if block.target == target and cell.column == column:
                    found[cell.location] = lines[cell.location.line - 1].split(" #", 1)[0].strip()
        if target == ARCHIVE and column == "stored" and compiled.mapping.archive is not None:
            found[compiled.mapping.archive.location] = f"archive: {compiled.mapping.archive.reason}"
    return tuple((rule, location) for location, rule in found.items())
