"""Pairing of opening and closing events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from consolidate.mapping.expr import Name
from consolidate.mapping.value import call, named, text
from consolidate.model import RejectCode
from consolidate.transform.fates import reject
from consolidate.transform.names import label, relation, rendered

if TYPE_CHECKING:
    from consolidate.mapping.table import CompiledTable
    from consolidate.staging import Staging
    from consolidate.transform.names import Names


def pair_events(staging: Staging, names: Names, table: CompiledTable) -> None:
    """Make `names.pairs`; reject events of unknown kind and closing events without an opening one.

    An event whose time or kind cannot be read makes all events of its pair unreadable: which entries it belongs to
    would be a guess.
    """
    pair = table.mapping.pair
    if pair is None or table.pair is None:
        return
    by, at, event = table.pair
    folded = call("folded", event)
    role = sa.case(
        (folded == text(pair.open.strip().upper()), text("open")),
        (folded == text(pair.close.strip().upper()), text("close")),
    )
    columns = [named("#row"), named("#bot"), label(at, "moment"), label(event, "event"), label(role, "role")]
    columns += [label(one, f"by{i}") for i, one in enumerate(by)]
    events = relation(
        f"(select * from {names.typed} r where not exists"
        f' (select 1 from {names.fate} f where f."#row" = r."#row" and f.outcome <> \'rejected\')) events'
    )
    select = sa.select(*columns).select_from(table.layers.over(events, columns))
    statement, parameters = rendered(select)
    keys = ", ".join(['"#bot"', *(f"by{i}" for i in range(len(by)))])
    known = " and ".join(f"by{i} is not null" for i in range(len(by)))
    staging.run(
        f"create or replace table {names.pairs} as with events as ({statement}), placed as ("
        ' select *, row_number() over pair as "#ord",'
        " coalesce(sum(case when role = 'close' then 1 else 0 end)"
        "  over (pair rows between unbounded preceding and 1 preceding), 0) as run,"
        f" bool_or(moment is null or role is null) over (partition by {keys}) and {known} as unreadable"
        f' from events window pair as (partition by {keys} order by moment, "#row"))'
        ' select "#row", role as "#role", event, moment, unreadable, "#ord",'
        f' min(case when role = \'open\' then "#row" end) over (partition by {keys}, run) as "#group",'
        f' min(case when role = \'close\' then "#row" end) over (partition by {keys}, run) as "#closing"'
        " from placed",
        parameters,
    )
    column = pair.event.parts[0] if isinstance(pair.event, Name) else None
    unknown = f'select "#row" from {names.pairs} where "#role" is null and event is not null'
    reject(staging, names, unknown, RejectCode.UNMAPPED_VALUE, column=column, location=pair.location)
    unreadable = f'select "#row" from {names.pairs} where event is null or moment is null'
    reject(staging, names, unreadable, RejectCode.MISSING_VALUE, column=column, location=pair.location)
    poisoned = f'select "#row" from {names.pairs} where unreadable'
    reject(staging, names, poisoned, RejectCode.REJECTED_REFERENCE, column=column, location=pair.location)
    unmatched = f'select "#row" from {names.pairs} where "#role" = \'close\' and "#group" is null'
    reject(staging, names, unmatched, RejectCode.UNMATCHED_CLOSE, column=column, location=pair.location)


def reject_broken_groups(staging: Staging, names: Names, table: CompiledTable) -> None:
    """Reject every event of a group of which one is rejected."""
    pair = table.mapping.pair
    if pair is None:
        return
    broken = (
        f'select g."#row" from {names.pairs} g join {names.pairs} b on b."#group" = g."#group"'
        f' join {names.fate} f on f."#row" = b."#row" where f.outcome = \'rejected\''
    )
    reject(staging, names, broken, RejectCode.REJECTED_REFERENCE, column=None, location=pair.location)
