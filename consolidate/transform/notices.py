"""What the `warn` rules of a mapping have to say, once all candidates of a source are final."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from consolidate.mapping.value import TRUE, named
from consolidate.staging import literal, quoted
from consolidate.transform.fates import living
from consolidate.transform.joined import newest_columns
from consolidate.transform.names import Names, label, relation, rendered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consolidate.mapping.language import Reasoned
    from consolidate.mapping.table import CompiledTable, CompiledWarn
    from consolidate.staging import Staging
    from consolidate.target.contract import TableContract

CODE: Final = "mapping_warning"
ABSENT: Final = "absent_table"


def create_notices(staging: Staging) -> None:
    """Make the empty table of notices."""
    staging.run("create or replace table rej.notices (code varchar, message varchar)")


def write_absences(staging: Staging, source: str, absent: Sequence[Reasoned]) -> None:
    """Append a notice for the tables that the store lacks, one for each reason why it may."""
    for reason in dict.fromkeys(one.reason for one in absent):
        lacking = [one.name for one in absent if one.reason == reason]
        what = "table" if len(lacking) == 1 else "tables"
        why = f" ({reason})" if reason else ""
        message = f"the store of {source} has no {what} {', '.join(lacking)}{why}: nothing was read of them"
        staging.run("insert into rej.notices values ($1, $2)", [ABSENT, message])


def write_notices(staging: Staging, source: str, table: CompiledTable) -> None:
    """Append a notice for each `warn` rule of the table that something fits: how many, and the first by its key."""
    names = Names(source=source, table=table.mapping.table)
    for i, warn in enumerate(table.warns):
        rows: str = _of_rows(names, i)
        parameters: list[object] = []
        what = f"{source}.{table.mapping.table}"
        if warn.target is not None:
            rows, parameters = _of_candidates(names, i, warn, warn.target)
            what = f"{source}, {warn.target.name}"
        staging.run(
            f"insert into rej.notices select {literal(CODE)}, concat({literal(f'{what}: {warn.rule.message} (')},"
            " count(*), case when count(*) = 1 then ' row, key ' else ' rows, the first has the key ' end,"
            f" arg_min(key, key_order(key)), '; ', {literal(str(warn.rule.location))}, ')')"
            f" from ({rows}) having count(*) > 0",
            parameters,
        )


def _of_rows(names: Names, index: int) -> str:
    return f'select r."#key" as key from {names.wide} r where "#warn{index}" and {living(names)}'


def _of_candidates(names: Names, index: int, warn: CompiledWarn, target: TableContract) -> tuple[str, list[object]]:
    """The candidates for which `when` holds and into which no row for which `without` holds went."""
    columns = ["c.*", *newest_columns(names.source, warn.newest_columns)]
    source = relation(
        f"(select {', '.join(columns)} from cand.{quoted(target.name)} c"
        f' where c."#source" = {literal(names.source)}) candidates'
    )
    wanted = [label(named("#n"), "n"), label(named("#key"), "key"), label(warn.when, "fits")]
    select, parameters = rendered(sa.select(*wanted).select_from(warn.layers.over(source, wanted)))
    only = "" if warn.rows is TRUE else f' and w."#warn{index}"'
    went = (
        f'select l."#n" from cand."#lineage" l join {names.wide} w on w."#key" = l.source_key'
        f" where l.source = {literal(names.source)} and l.source_table = {literal(names.table)}"
        f" and l.target_table = {literal(target.name)}{only}"
    )
    return f"select key from ({select}) where fits and n not in ({went})", parameters
