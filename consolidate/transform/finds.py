"""Look-ups among the candidates of the same source and bot: by source key, by time, by a list of ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import sqlalchemy as sa

from consolidate.mapping.compile_finds import TEXT_IDS
from consolidate.mapping.expr import names as names_in
from consolidate.mapping.language import FindByKey, FindByTime, FindListed, Missing
from consolidate.mapping.value import named
from consolidate.model import RejectCode
from consolidate.staging import quoted
from consolidate.target.contract import expected
from consolidate.transform.fates import reject
from consolidate.transform.names import Names, label, living_rows, rendered

if TYPE_CHECKING:
    from consolidate.mapping.table import CompiledTable
    from consolidate.staging import Staging


def find_candidates(staging: Staging, names: Names, table: CompiledTable) -> None:
    """Make the table of each find of the mapping; reject rows whose references lead nowhere."""
    for find in table.mapping.finds:
        match find:
            case FindByKey():
                _by_key(staging, names, table, find)
            case FindByTime():
                _by_time(staging, names, table, find)
            case FindListed():
                _listed(staging, names, table, find)
            case _:
                assert_never(find)


def _asked(names: Names, table: CompiledTable, find: FindByKey | FindByTime) -> tuple[str, list[object]]:
    """A query for `#row`, `#bot` and the find's arguments `a0`, `a1`, … of the rows that live."""
    columns = [named("#row"), named("#bot")]
    columns += [label(one, f"a{i}") for i, one in enumerate(table.find_arguments[find.name])]
    return rendered(sa.select(*columns).select_from(table.layers.over(living_rows(names), columns)))


def _by_key(staging: Staging, names: Names, table: CompiledTable, find: FindByKey) -> None:
    asked, parameters = _asked(names, table, find)
    key = " || '|' || ".join(f"a{i}" for i in range(len(find.key)))
    n = len(parameters)
    made = (
        f'select l.source_key, l."#n" as n, c."#bot" as bot from cand."#lineage" l join cand.{quoted(find.table)} c'
        f' on c."#n" = l."#n" where l.source = ${n + 1} and l.source_table = ${n + 2} and l.target_table = ${n + 3}'
    )
    mine = 'l.bot is null or l.bot = a."#bot"'
    staging.run(
        f"create or replace table {names.found(find.name)} as"
        f' select a."#row", min(l.n) filter ({mine}) as n, any_value(a.key) as key,'
        f" any_value(l.bot) filter (not ({mine})) as other"
        f' from (select "#row", "#bot", {key} as key from ({asked})) a left join ({made}) l on l.source_key = a.key'
        ' where a.key is not null group by a."#row"',
        [*parameters, names.source, find.source_table, find.table],
    )
    if find.missing is Missing.REJECT:
        _reject_lost(staging, names, find)


def _reject_lost(staging: Staging, names: Names, find: FindByKey) -> None:
    """Reject the rows whose key leads to no row, to a rejected one or to another bot's."""
    other = Names(source=names.source, table=find.source_table)
    column = next((name[0] for expr in find.key for name in names_in(expr)), None)
    lost = f"select x.\"#row\", concat(x.key, ' (of ' || x.other || ')') as shown from {names.found(find.name)} x"
    lost += " where x.n is null"
    refused = (
        f'{lost} and exists (select 1 from {other.typed} t join {other.fate} f using ("#row")'
        " where t.\"#key\" = x.key and f.outcome = 'rejected')"
    )
    reject(staging, names, refused, RejectCode.REJECTED_REFERENCE, column=column, location=find.location)
    anothers = f"{lost} and x.other is not null"
    reject(
        staging,
        names,
        anothers,
        RejectCode.MISSING_REFERENCE,
        column=column,
        location=find.location,
        shown="r.shown",
    )
    if find.optional:
        lost += f' and not exists (select 1 from {other.typed} t where t."#key" = x.key)'
    reject(staging, names, lost, RejectCode.MISSING_REFERENCE, column=column, location=find.location)


def _candidates(find: FindByTime) -> tuple[str, list[str]]:
    """A query for the candidates: `n`, `key`, `bot`, `b0`, … (what must agree) and `t` (the time); its columns."""
    contract = expected().table(find.table)
    has_bot = contract is not None and contract.column("bot_id") is not None
    agree = [quoted(column) for column, _ in find.by] + (['"#mark"'] if find.mark is not None else [])
    columns = ['"#n" as n', '"#key" as key', f"{'bot_id' if has_bot else 'null'} as bot"]
    columns += [f"{column} as b{i}" for i, column in enumerate(agree)]
    if find.column is not None and find.order is not None:
        columns.append(f"{quoted(find.column)} as t")
    return f'select {", ".join(columns)} from cand.{quoted(find.table)} where "#source" = $source', [
        *(["bot"] if has_bot else []),
        *(f"b{i}" for i in range(len(agree))),
    ]


def _by_time(staging: Staging, names: Names, table: CompiledTable, find: FindByTime) -> None:
    asked, parameters = _asked(names, table, find)
    candidates, agree = _candidates(find)
    candidates = candidates.replace("$source", f"${len(parameters) + 1}")
    on = " and ".join(f'a."#bot" = c.{name}' if name == "bot" else f"a.a{name[1:]} = c.{name}" for name in agree)
    count = len(find.by) + (find.mark is not None)
    limit = "" if find.within is None else f" where gap <= {find.within * 1_000_000}"
    gap = f"abs(epoch_us(a.a{count}) - epoch_us(c.t))"
    select = 'a."#row", c.n, c.key'
    # Of candidates at the same moment, the one with the lowest key; an as-of join takes one per moment.
    single = (
        f"select arg_min(n, key_order(key)) as n, arg_min(key, key_order(key)) as key, {', '.join([*agree, 't'])}"
        f" from candidates where t is not null group by {', '.join([*agree, 't'])}"
    )
    joined = f"asked a asof join single c on {on or 'true'} and a.a{count}"
    match find.order:
        case None:
            body = f"select {select}, 0 as gap from asked a join candidates c on {on or 'true'}"
        case "last":
            body = f"select {select}, {gap} as gap from {joined} > c.t"
        case "first":
            body = f"select {select}, {gap} as gap from {joined} <= c.t"
        case _:
            either = [f"select {select}, {gap} as gap from {joined} {side} c.t" for side in (">=", "<")]
            body = " union all ".join(either)
    singles = "" if find.order is None else f", single as ({single})"
    staging.run(
        f"create or replace table {names.found(find.name)} as with asked as ({asked}), candidates as ({candidates})"
        f'{singles}, near as ({body}) select "#row", arg_min(n, (gap, key_order(key))) as n from near{limit}'
        ' group by "#row"',
        [*parameters, names.source],
    )


def _listed(staging: Staging, names: Names, table: CompiledTable, find: FindListed) -> None:
    other = next(one for one in table.mapping.finds if one.name == find.found)
    identifier = TEXT_IDS[find.table]
    staging.run(
        f'create or replace table {names.found(find.name)} as select l."#row", c."#n" as n from'
        f' (select x."#row", unnest(o.{quoted(find.column)}) as one from {names.found(find.found)} x'
        f' join cand.{quoted(other.table)} o on o."#n" = x.n) l'
        f' join cand.{quoted(find.table)} c on c.{quoted(identifier)} = l.one and c."#source" = $1',
        [names.source],
    )
