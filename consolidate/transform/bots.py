"""The bots themselves: their rows in trading.bots and config.bot_configurations, from mapping and project file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from consolidate.errors import Problem, UsageError
from consolidate.mapping.made_bots import BotConfiguration
from consolidate.mapping.target_types import target_type
from consolidate.staging import literal, quoted
from consolidate.target.contract import expected
from consolidate.transform.candidates import OWN, next_number

if TYPE_CHECKING:
    from consolidate.staging import Staging

_PLANS: Final = frozenset({"valid_until", "effective_until"})
"""Times that say what was intended, not what happened."""

PROJECT: Final = "project"
"""What lineage names as the source table of rows that come from the project file."""


__all__ = ["PROJECT", "BotConfiguration", "BotRow", "add_bots", "add_configurations", "bot_times", "made_bots"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BotRow:
    """A bot of a source. `attributes` are columns of trading.bots with their values as text (None: null)."""

    id: str
    source: str
    attributes: tuple[tuple[str, str | None], ...]
    configurations: tuple[BotConfiguration, ...]


def add_bots(staging: Staging, bots: tuple[BotRow, ...]) -> None:
    """Append the candidates of the bots. All other candidates are there already: a bot's equity and times are theirs.

    current_equity is the equity of the latest balance; created_at the first time among the bot's rows, last_heartbeat
    and updated_at the last, candles and plans for the future aside. A bot without rows has nulls.
    """
    times = bot_times()
    table = expected().table("trading.bots")
    if table is None:
        raise LookupError("trading.bots")
    types = {column.name: target_type(column.type).duckdb for column in table.columns}
    for bot in bots:
        filled = {
            "bot_id": f"{literal(bot.id)}",
            "current_equity": (
                'select arg_max(equity, (timestamp, "#n")) from cand."trading.account_balance"'
                f" where bot_id = {literal(bot.id)} and timestamp is not null"  # null would be the latest
            ),
            "created_at": f"select min(t) from ({times}) where bot_id = {literal(bot.id)}",
            "updated_at": f"select max(t) from ({times}) where bot_id = {literal(bot.id)}",
            "last_heartbeat": f"select max(t) from ({times}) where bot_id = {literal(bot.id)}",
        }
        values = {name: f"({expression})" for name, expression in filled.items()}
        for name, value in bot.attributes:
            values[name] = "null" if value is None else f"cast({literal(value)} as {types[name]})"
        columns = [name for name in types if name in values]
        number, name = next_number(staging, "trading.bots") + 1, literal(bot.id)
        own = f"{number}, {name}, {literal(bot.source)}, {name}, null"
        staging.run(
            f'insert into cand."trading.bots" ({", ".join(map(quoted, [*OWN, *columns]))})'
            f" select {own}, {', '.join(values[name] for name in columns)}"
        )
        _lineage(staging, bot, "trading.bots", bot.id, dict(bot.attributes))
        add_configurations(staging, bot)


def made_bots(staging: Staging) -> list[str]:
    """The ids of all bots among the candidates: those of rows, in the order of their rows, then those listed."""
    return [str(bot) for (bot,) in staging.rows('select bot_id from cand."trading.bots" order by "#n"')]


def add_configurations(staging: Staging, bot: BotRow) -> None:
    """Append what the project file lists under `configurations`. `UsageError` where a row of a store became one too."""
    target = quoted("config.bot_configurations")
    for configuration in bot.configurations:
        if staging.value(
            f"select count(*) from cand.{target} where bot_id = {literal(bot.id)}"
            f" and config_key = {literal(configuration.key)}"
        ):
            raise UsageError(
                Problem(
                    code="duplicate-configuration",
                    message=f"the bot {bot.id!r} has a configuration {configuration.key!r} from its store already",
                    hint="take it out of `configurations` in the project file, or give it another key there",
                )
            )
        _add_configuration(staging, bot, configuration)


def _add_configuration(staging: Staging, bot: BotRow, configuration: BotConfiguration) -> None:
    target = "config.bot_configurations"
    key = f"{bot.id}|{configuration.key}"
    columns = [*OWN, "bot_id", "config_key", "config_value", "config_type", "version", "is_active"]
    kind = "null" if configuration.type is None else literal(configuration.type)
    staging.run(
        f"insert into cand.{quoted(target)} ({', '.join(map(quoted, columns))})"
        f" select {next_number(staging, target) + 1}, {literal(bot.id)}, {literal(bot.source)}, {literal(key)}, null,"
        f" {literal(bot.id)}, {literal(configuration.key)}, {literal(configuration.value)}, {kind}, 1, true"
    )
    _lineage(staging, bot, target, key, {"value": configuration.value, "type": configuration.type})


def _lineage(staging: Staging, bot: BotRow, target: str, key: str, hashed: dict[str, str | None]) -> None:
    written = "|".join(f"{name}={value!r}" for name, value in sorted(hashed.items()))
    staging.run(
        "insert into cand.\"#lineage\" values ($1, $2, $3, $4, $5, 'mapped', cast(md5($6) as uuid), null)",
        [target, next_number(staging, target), bot.source, PROJECT, key, written],
    )


def bot_times() -> str:
    """A query for bot_id and t: every time among the candidates of every bot."""
    parts = []
    for table in expected().tables:
        if table.name in {"trading.bots", "config.bot_configurations"} or table.column("bot_id") is None:
            continue
        for column in table.columns:
            if column.type == "timestamp with time zone" and column.name not in _PLANS:
                name = quoted(column.name)
                parts.append(
                    f"select bot_id, unnest([min({name}), max({name})]) as t"
                    f" from cand.{quoted(table.name)} group by bot_id"
                )
    return " union all ".join(parts)
