"""A project with its mappings, compiled and checked against each other. Connects to nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from consolidate.errors import Problem, UsageError
from consolidate.mapping import load
from consolidate.mapping.compiled import CompiledSystem, compile_system
from consolidate.mapping.made_bots import BOTS, BotConfiguration, MadeBot, MadeBots
from consolidate.mapping.yaml import Problems
from consolidate.model import ExtractRequest, SourceKind
from consolidate.target.contract import expected
from consolidate.transform import BotRow, Routing, TransformSource

if TYPE_CHECKING:
    from pathlib import Path

    from consolidate.mapping.language import SystemMapping, TableMapping
    from consolidate.model import StagedSource
    from consolidate.project import Bot, Configuration, Project, ProjectSource

_REQUIRED: Final = ("bot_name", "bot_type", "strategy_name", "deployment_mode", "initial_capital")
_LONGEST_ID: Final = 100
_ID_TAIL: Final = len("_1234567890_0123456789")
_LONG_SYMBOL: Final = 20
_Compiled: TypeAlias = "dict[tuple[Path, str | None, MadeBots | None], CompiledSystem]"
"""What sources of one mapping, time zone and say about bots share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedSource:
    """A source of the project with its mapping compiled for its time zone."""

    source: ProjectSource
    compiled: CompiledSystem
    routing: Routing
    bots: tuple[BotRow, ...]

    @property
    def system(self) -> SystemMapping:
        """The mapping as the files say it."""
        return self.compiled.system

    def request(self, tables: tuple[str, ...], count_only: tuple[str, ...] = ()) -> ExtractRequest:
        """What to read of the store: `tables` whole; `count_only` are counted and not read."""
        return ExtractRequest(
            source=self.source.name,
            kind=self.system.kind,
            tables=tables,
            count_only=count_only,
            dsn=self.source.dsn,
            path=self.source.path,
            schema=self.source.schema or self.system.schema,
            snapshots=tuple(one for one in self.system.snapshots if one.name in tables),
        )

    def transforming(self, staged: StagedSource) -> TransformSource:
        """The staged source with what its transformation needs."""
        return TransformSource(name=self.source.name, compiled=self.compiled, staged=staged, routing=self.routing)


def prepared(project: Project) -> tuple[PreparedSource, ...]:
    """All sources of the project, ready to be read. Raises `UsageError` with everything that is wrong."""
    found, problems = examined(project)
    if problems:
        raise UsageError(*problems)
    return found


def examined(project: Project) -> tuple[tuple[PreparedSource, ...], tuple[Problem, ...]]:
    """As `prepared`, with the problems as a value; sources whose mapping cannot be read at all are left out."""
    problems = Problems()
    systems: dict[Path, SystemMapping | None] = {}
    compiled: _Compiled = {}
    found = []
    for source in project.sources:
        if source.mapping not in systems:
            systems[source.mapping] = load.system(source.mapping, problems)
        system = systems[source.mapping]
        if system is not None:
            found.append(_source(source, system, compiled, problems))
    return tuple(found), problems.found


def _source(source: ProjectSource, system: SystemMapping, compiled: _Compiled, problems: Problems) -> PreparedSource:
    _check_store(source, system, problems)
    _check_modes(source, system, problems)
    made = _made(source, system, problems)
    alike = (source.mapping, source.time_zone, made)
    if alike not in compiled:
        compiled[alike] = compile_system(system, zone=source.time_zone, problems=problems, made=made)
    return PreparedSource(
        source=source,
        compiled=compiled[alike],
        routing=_routing(source, system, problems),
        bots=tuple(_bot(source, system, bot, problems) for bot in source.bots),
    )


def _check_store(source: ProjectSource, system: SystemMapping, problems: Problems) -> None:
    if system.kind is SourceKind.POSTGRES and source.dsn is None:
        message = f"source {source.name!r} needs a `dsn`: {system.name} stores are PostgreSQL databases"
        problems.add("missing-key", message, source.location, "add `dsn: ${…_DSN}`")
    if system.kind is not SourceKind.POSTGRES and source.path is None:
        message = f"source {source.name!r} needs a `path`: {system.name} stores are files"
        problems.add("missing-key", message, source.location, "add `path: …`")
    if system.needs_time_zone and source.time_zone is None:
        problems.add(
            "missing-key",
            f"source {source.name!r} has no `time_zone`, and {system.name} writes local times without a zone",
            source.location,
            "add `time_zone: Europe/London`, the zone of the machine that the bot ran on",
        )


def _check_modes(source: ProjectSource, system: SystemMapping, problems: Problems) -> None:
    """Note each bot whose deployment mode the system's rows cannot have."""
    modes, rows = system.deployment_modes, source.row_bots
    said = [(bot.shown_id, bot.attributes, bot.location) for bot in source.bots]
    if rows is not None:
        said.append(("each_bot", rows.attributes, source.location))
        said += [(repr(one.key), one.attributes, source.location) for one in rows.by_key]
    for who, attributes, location in said:
        mode = {one.name: one.value for one in attributes}.get("deployment_mode")
        if modes and mode is not None and mode not in modes:
            message = f"the rows of {system.name} are {' or '.join(modes)}, and {who} would make them {mode}"
            problems.add("wrong-mode", message, location, f"write `deployment_mode: {modes[0]}`")


def _routing(source: ProjectSource, system: SystemMapping, problems: Problems) -> Routing:
    """Whose rows are whose. A value of the routing column is compared without blanks around and in any letter case."""
    routed = [table.table for table in system.tables if table.owner is not None and system.owning_table(table) is None]
    unrouted = [table.table for table in system.tables if _needs_default(table)]
    routes = tuple((bot.route.strip().upper(), bot.id) for bot in source.bots if bot.route is not None)
    if routed and not routes:
        problems.add(
            "missing-key",
            f"source {source.name!r} needs `bots`: the rows of {', '.join(routed)} say whose they are",
            source.location,
            "write `bots: {demo: {id: …}, live: {id: …}}`",
        )
    default = next((bot for bot in source.bots if bot.default), None)
    if default is None and len(source.bots) == 1:
        default = source.bots[0]
    rows = () if source.row_bots is None else source.row_bots.by_key
    default_key = next((row.key for row in rows if row.default), None)
    if default is None and default_key is None and unrouted and source.row_bots is not None:
        problems.add(
            "missing-key",
            f"source {source.name!r} needs a bot for the rows of {', '.join(unrouted)} that do not say whose they are",
            source.location,
            "give them a bot of their own, `bot: {id: …}`, or mark one under `bots` with `default: true`",
        )
    elif default is None and default_key is None and unrouted and source.bots:
        problems.add(
            "missing-key",
            f"source {source.name!r} has several bots, and the rows of {', '.join(unrouted)} do not say whose they are",
            source.location,
            "mark the bot that they belong to with `default: true`",
        )
    return Routing(default="" if default is None else default.id, routes=routes, default_key=default_key)


def _needs_default(table: TableMapping) -> bool:
    """Whether rows of the table belong to a bot, and all or some of them do not say to which."""
    if table.makes_bots or (table.owner is not None and not table.owner.default):
        return False
    contracts = (expected().table(block.target) for block in table.blocks)
    return any(one is not None and one.column("bot_id") is not None for one in contracts)


def _made(source: ProjectSource, system: SystemMapping, problems: Problems) -> MadeBots | None:
    """What is said of the bots that rows become; None where no rows do."""
    table, said = system.bots_table, source.row_bots
    if table is None or said is None:
        return None
    defaults = {attribute.name: attribute.value for attribute in system.bot}
    defaults.update({attribute.name: attribute.value for attribute in said.attributes})
    ruled = {cell.column for block in table.blocks if block.target == BOTS for cell in block.cells}
    singly = {attribute.name for one in said.by_key for attribute in one.attributes}
    for name in _REQUIRED:
        if defaults.get(name) is None and name not in ruled | singly:
            message = f"nothing says the {name!r} of the bots of source {source.name!r}"
            hint = f"add `each_bot: {{{name}: …}}` to the source, or say it of single ones under `bots`"
            problems.add("missing-key", message, source.location, hint)
    return MadeBots(
        defaults=tuple(defaults.items()),
        by_key=tuple(
            MadeBot(
                key=one.key,
                id=one.id,
                attributes=tuple((attribute.name, attribute.value) for attribute in one.attributes),
                configurations=_configurations(one.configurations),
            )
            for one in said.by_key
        ),
    )


def _configurations(listed: tuple[Configuration, ...]) -> tuple[BotConfiguration, ...]:
    return tuple(BotConfiguration(key=one.key, value=one.value_json, type=one.type) for one in listed)


def _bot(source: ProjectSource, system: SystemMapping, bot: Bot, problems: Problems) -> BotRow:
    attributes = {attribute.name: attribute.value for attribute in system.bot}
    attributes.update({attribute.name: attribute.value for attribute in bot.attributes})
    for name in _REQUIRED:
        if attributes.get(name) is None:
            message = f"the bot {bot.shown_id!r} has no {name!r}"
            problems.add("missing-key", message, bot.location, f"add `{name}: …` to the bot or to system.yaml")
    if len(bot.id) + 1 + _LONG_SYMBOL + _ID_TAIL > _LONGEST_ID:
        problems.add(
            "long-bot-id",
            f"with the bot id {bot.shown_id!r}, ids of rows with long symbols would exceed {_LONGEST_ID} characters",
            bot.location,
            f"choose an id of at most {_LONGEST_ID - 1 - _LONG_SYMBOL - _ID_TAIL} characters",
        )
    return BotRow(
        id=bot.id,
        source=source.name,
        attributes=tuple(attributes.items()),
        configurations=_configurations(bot.configurations),
    )
