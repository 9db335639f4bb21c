"""Whose each row is: by a route of the project file, or through a row of another table of the source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from consolidate.mapping.value import NULL, Check, Sql, call, named, text
from consolidate.model import RejectCode
from consolidate.staging import literal, quoted
from consolidate.transform.names import Names, relation

if TYPE_CHECKING:
    from consolidate.errors import Location
    from consolidate.mapping.table import CompiledTable
    from consolidate.transform.source import Routing


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """The staged rows with what tells whose they are beside them, the id of that bot, and what can be wrong with it."""

    rows: sa.FromClause
    bot: Sql
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """The id of a bot, the joins that give it, and when the row that it comes from was rejected."""

    bot: Sql
    joins: tuple[str, ...] = ()
    refused: Sql | None = None


def owned(names: Names, table: CompiledTable, routing: Routing) -> Owned:
    """Whose the rows of a staged table are; the tables that they refer to are transformed already."""
    owner = table.mapping.owner
    if table.bot_id is not None:  # its rows are bots themselves
        return Owned(rows=_staged(names, ()), bot=sa.cast(NULL, sa.String()), checks=())
    default = _default(names, table, routing)
    if owner is None:
        checks = [] if default.refused is None else [_refused(None, default.refused, table.mapping.location)]
        return Owned(rows=_staged(names, default.joins), bot=default.bot, checks=tuple(checks))
    where, blamed = owner.location, owner.by[0]
    absent = sa.or_(*(named(column).is_(None) for column in owner.by))
    checks = []
    if not owner.default:
        default = _Found(bot=NULL)
        checks.append(Check(code=RejectCode.UNKNOWN_BOT, column=blamed, condition=absent, location=where))
    elif default.refused is not None:
        checks.append(_refused(blamed, sa.and_(absent, default.refused), where))
    found = _of_row(names, table) if table.owner is not None else _of_route(table, routing)
    if found.refused is not None:
        checks.append(_refused(blamed, found.refused, where))
    of_bots = table.owner is None or table.owner.makes_bots
    missing = RejectCode.UNKNOWN_BOT if of_bots else RejectCode.MISSING_REFERENCE
    nobody = sa.and_(sa.not_(absent), found.bot.is_(None))
    checks.append(Check(code=missing, column=blamed, condition=nobody, location=where))
    bot = sa.cast(sa.case((absent, default.bot), else_=found.bot), sa.String())
    return Owned(rows=_staged(names, (*default.joins, *found.joins)), bot=bot, checks=tuple(checks))


def _refused(column: str | None, condition: Sql, location: Location) -> Check:
    return Check(code=RejectCode.REJECTED_REFERENCE, column=column, condition=condition, location=location)


def _of_route(table: CompiledTable, routing: Routing) -> _Found:
    """By a value that the project file lists under `bots`."""
    column = "" if table.mapping.owner is None else table.mapping.owner.by[0]
    folded = table.column_layers.hoist(call("folded", named(column)))
    whens = [(folded == text(route), text(bot)) for route, bot in routing.routes]
    return _Found(bot=sa.cast(sa.case(*whens) if whens else NULL, sa.String()))


def _of_row(names: Names, table: CompiledTable) -> _Found:
    """By the key of a row of another table."""
    if table.owner is None or table.mapping.owner is None:
        raise LookupError(table.mapping.table)
    key = " || '|' || ".join(f"s.{quoted(column)}" for column in table.mapping.owner.by)
    join = _join(names, table.owner.table, "o", key, makes_bots=table.owner.makes_bots)
    return _Found(bot=named("#owner o"), joins=(join,), refused=named("#refused o"))


def _default(names: Names, table: CompiledTable, routing: Routing) -> _Found:
    """The bot of rows that do not say whose they are."""
    if routing.default_key is None or table.bots_table is None:
        return _Found(bot=sa.cast(text(routing.default), sa.String()))
    join = _join(names, table.bots_table, "d", literal(routing.default_key), makes_bots=True)
    return _Found(bot=named("#owner d"), joins=(join,), refused=named("#refused d"))


def _join(names: Names, table: str, alias: str, key: str, *, makes_bots: bool) -> str:
    """A join of the rows of another table by their key: `#owner <alias>`, `#refused <alias>`."""
    other = Names(source=names.source, table=table)
    made = "case when f.outcome is distinct from 'filtered' then t.\"#bot\" end" if makes_bots else 't."#bot"'
    return (
        f'left join (select t."#key" as "#of {alias}", any_value({made}) as "#owner {alias}",'
        f" coalesce(bool_or(f.outcome = 'rejected'), false) as \"#refused {alias}\" from {other.typed} t"
        f' left join {other.fate} f on f."#row" = t."#row" group by t."#key") {alias}'
        f' on {alias}."#of {alias}" = {key}'
    )


def _staged(names: Names, joins: tuple[str, ...]) -> sa.FromClause:
    every = "*" if joins else "s.*"
    return relation(f"(select {every} from {names.staged} s {' '.join(joins)}) staged")
