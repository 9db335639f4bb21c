"""Bots that rows of a table become: their ids, whose rows are whose through them, and what is known at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from consolidate.errors import Problem, UsageError
from consolidate.mapping.made_bots import BOTS
from consolidate.mapping.value import named
from consolidate.mapping.yaml import nearest
from consolidate.staging import literal, quoted
from consolidate.transform.bots import BotRow, add_configurations, bot_times
from consolidate.transform.names import Names, label, relation, rendered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consolidate.mapping.compiled import CompiledSystem
    from consolidate.mapping.table import CompiledTable
    from consolidate.staging import Staging
    from consolidate.transform.source import TransformSource

_LISTED: Final = 'work."#listed bots"'
_MANY: Final = 200


def open_ids(staging: Staging, ids: Sequence[str]) -> None:
    """Keep the ids of the bots that the project file lists: no row may become a bot of that id."""
    staging.run(f"create or replace table {_LISTED} (bot_id varchar)")
    for one in ids:
        staging.run(f"insert into {_LISTED} values ($1)", [one])


def also_listed(doubled: str, rows: str) -> str:
    """`doubled`, a query for `#row` of bots whose id is taken, with those of `rows` (`u0`: id) that are listed."""
    return f'{doubled} union all select "#row" from ({rows}) join {_LISTED} on bot_id = u0'


def name_bots(staging: Staging, names: Names, table: CompiledTable) -> None:
    """Give each typed row of the table the id of the bot that it becomes."""
    if table.bot_id is None:
        return
    columns = [named("#row"), label(table.bot_id, "#id")]
    source = table.layers.over(relation(f"{names.typed} named"), columns)
    statement, parameters = rendered(sa.select(*columns).select_from(source))
    staging.run(
        f'update {names.typed} set "#bot" = x."#id" from ({statement}) x where x."#row" = {names.typed}."#row"',
        parameters,
    )


def require_keys(staging: Staging, names: Names, compiled: CompiledSystem) -> None:
    """Raise `UsageError` where the project file speaks of a bot whose row is not there."""
    known = {str(key) for (key,) in staging.rows(f'select distinct "#key" from {names.typed}')}
    problems = [
        Problem(
            code="unknown-bot-key",
            message=f"`bots` of source {names.source} names {one.key!r}, and no row of {names.table} has that key",
            hint=nearest(one.key, sorted(known)[:_MANY]) or f"name bots by the key of their row in {names.table}",
        )
        for one in compiled.made.by_key
        if one.key not in known
    ]
    if problems:
        raise UsageError(*problems)


def finish_bots(staging: Staging, source: TransformSource) -> None:
    """Fill what the rows of a source's bots do not say and their histories tell; add their configurations.

    All other candidates are there already: current_equity is the equity of the latest balance, created_at the first
    time among the bot's rows, last_heartbeat and updated_at the last, candles and plans for the future aside.
    """
    table = source.compiled.system.bots_table
    if table is None:
        return
    bots = f"cand.{quoted(BOTS)}"
    ours = f'{bots}."#source" = {literal(source.name)}'
    staging.run(
        f"update {bots} set created_at = coalesce({bots}.created_at, x.first),"
        f" updated_at = coalesce({bots}.updated_at, x.last), last_heartbeat = coalesce({bots}.last_heartbeat, x.last)"
        f" from (select bot_id, min(t) as first, max(t) as last from ({bot_times()}) group by bot_id) x"
        f" where x.bot_id = {bots}.bot_id and {ours}"
    )
    staging.run(
        f"update {bots} set current_equity = coalesce({bots}.current_equity, x.equity) from"
        ' (select bot_id, arg_max(equity, (timestamp, "#n")) as equity from cand."trading.account_balance"'
        f" where timestamp is not null group by bot_id) x where x.bot_id = {bots}.bot_id and {ours}"
    )
    for one in source.compiled.made.by_key:
        made = staging.value(
            f'select any_value(bot_id) from {bots} where "#source" = $1 and "#key" = $2', [source.name, one.key]
        )
        if one.configurations and made is not None:
            bot = BotRow(id=str(made), source=source.name, attributes=(), configurations=one.configurations)
            add_configurations(staging, bot)
