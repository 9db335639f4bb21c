"""The bots of a source in the project file: who they are, what trading.bots holds of them, their configurations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from consolidate.mapping import yaml
from consolidate.mapping.made_bots import makes_bots
from consolidate.project_values import Reading, Text, boolean, decimal, document, shortened, whole

if TYPE_CHECKING:
    from pathlib import Path

    from consolidate.errors import Location

LONGEST_BOT_ID: Final = 50

_STATUSES: Final = ("active", "paused", "stopped", "archived")
_MODES: Final = ("live", "demo", "backtest")
_LARGEST_INTEGER: Final = 2_147_483_647
_LONGEST: Final[dict[str, int | None]] = {
    "bot_name": 100,
    "bot_type": 50,
    "strategy_name": 100,
    "description": None,
    "status": 20,
    "deployment_mode": 20,
    "created_by": 50,
    "api_key_hash": 255,
    "exchange": 50,
}
_CHOICES: Final = {"status": _STATUSES, "deployment_mode": _MODES}
_DECIMALS: Final = {
    "initial_capital": (20, 8),
    "max_daily_loss_pct": (5, 4),
    "max_weekly_loss_pct": (5, 4),
    "max_drawdown_pct": (5, 4),
}
_WHOLES: Final = ("max_positions", "leverage_limit")
_ATTRIBUTES: Final = (*_LONGEST, *_DECIMALS, *_WHOLES)
_NOT_NULL: Final = ("bot_name", "bot_type", "strategy_name", "deployment_mode", "initial_capital")
_REQUIRED: Final = ("deployment_mode", "initial_capital")
_LONGEST_KEY: Final = 100
_LONGEST_TYPE: Final = 50
_FORM: Final = "{id: …, deployment_mode: demo, initial_capital: …}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """A column of trading.bots that the project file sets. `value` fits the column as it is; None: null, on purpose."""

    name: str
    value: str | None = field(repr=False)
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A row of config.bot_configurations. `value_json` is JSON text, each number in it with the digits of the file."""

    key: str
    value_json: str = field(repr=False)
    type: str | None
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Bot:
    """A bot of a source. `route` is its key under `bots:` (None: the source's only bot, under `bot:`).

    `default`: the rows of tables that do not say whose they are belong to this bot. `shown_id` is the id as it is in
    the file, with the variables that it may have.
    """

    id: str
    route: str | None
    default: bool
    attributes: tuple[Attribute, ...]
    configurations: tuple[Configuration, ...]
    location: Location
    shown_id: str = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowBot:
    """What the project file says of the bot that the row with this key becomes.

    `id` None: the row says it. `default`: rows that do not say whose they are belong to this bot.
    """

    key: str
    id: str | None
    default: bool
    attributes: tuple[Attribute, ...]
    configurations: tuple[Configuration, ...]
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class RowBots:
    """What the project file says of the bots that rows become: `attributes` where a row has none; of single ones."""

    attributes: tuple[Attribute, ...] = ()
    by_key: tuple[RowBot, ...] = ()


def bots_of(
    mapping: Path | None, node: yaml.Mapping, what: str, reading: Reading
) -> tuple[tuple[Bot, ...], RowBots | None]:
    """The bots that the file lists for a source, and what it says of those that rows become (None: none do)."""
    if mapping is not None and makes_bots(mapping):
        return read_row_bots(node, what, reading)
    each = node.get("each_bot")
    if each is not None:
        hint = "write it with each bot, under `bot` or `bots`"
        reading.wrong("unknown-key", f"{what} has `each_bot`, and its mapping makes no bots", each.location, hint)
    return read_bots(node, what, reading), None


def read_row_bots(source: yaml.Mapping, what: str, reading: Reading) -> tuple[tuple[Bot, ...], RowBots]:
    """The bots of a source whose mapping makes them of rows: a bot of its own, under `bot`, and what is said of rows.

    All of it may be missing: the rows may say everything.
    """
    bots: tuple[Bot, ...] = ()
    one, each = source.get("bot"), source.get("each_bot")
    if one is not None:
        fields = reading.fields(one, f"bot of {what}", f"write `{_FORM}`, or leave `bot` out")
        bot = None if fields is None else _bot(fields, None, f"bot of {what}", reading)
        bots = () if bot is None else (bot,)
    shared: tuple[Attribute, ...] = ()
    if each is not None:
        fields = reading.fields(each, f"each_bot of {what}", "write `{deployment_mode: demo, initial_capital: …}`")
        if fields is not None:
            yaml.known_keys(fields, _ATTRIBUTES, f"each_bot of {what}", reading.problems)
            shared = _attributes(fields, f"each_bot of {what}", reading)
    by_key = _row_bots(source.get("bots"), what, reading)
    defaults = [f"`bot` in line {bot.location.line}" for bot in bots]
    for row in by_key:
        if row.default and defaults:
            hint = "rows that do not say whose they are belong to one bot: leave it at one of them"
            reading.wrong("second-default", f"{what} has a default bot already: {defaults[0]}", row.location, hint)
        if row.default:
            defaults.append(f"the one in line {row.location.line}")
    return bots, RowBots(attributes=shared, by_key=by_key)


def _row_bots(node: yaml.Node | None, what: str, reading: Reading) -> tuple[RowBot, ...]:
    hint = "write `key of a row: {deployment_mode: live}`"
    rows = None if node is None else reading.fields(node, f"bots of {what}", hint)
    found = []
    for entry in rows or ():
        name = f"bot {shortened(entry.key)} of {what}"
        fields = reading.fields(entry.value, name, "write `{deployment_mode: live}`")
        if fields is None:
            continue
        yaml.known_keys(fields, ("id", "default", *_ATTRIBUTES, "configurations"), name, reading.problems)
        identity = None if fields.get("id") is None else reading.required(fields, "id", name)
        usable = identity is not None and _usable(identity, name, reading)
        default = boolean(reading.text(fields.get("default"), f"default of {name}"), f"default of {name}", reading)
        found.append(
            RowBot(
                key=entry.key,
                id=identity.value if identity is not None and usable else None,
                default=bool(default),
                attributes=_attributes(fields, name, reading),
                configurations=_configurations(fields.get("configurations"), name, reading),
                location=entry.location,
            )
        )
    return tuple(found)


def read_bots(source: yaml.Mapping, what: str, reading: Reading) -> tuple[Bot, ...]:
    """The bots of a source, under `bot` or `bots`; those that can be had, with problems for the rest."""
    one, many = source.get("bot"), source.get("bots")
    if one is not None and many is not None:
        hint = "`bot` is for a source of one bot, `bots` for one whose rows a column routes"
        reading.wrong("bot-and-bots", f"{what} has both `bot` and `bots`", many.location, hint)
        return ()
    if many is not None:
        return _routed(many, what, reading)
    if one is None:
        reading.wrong(
            "missing-key", f"{what} says no bot", source.location, f"add `bot: {_FORM}`, or `bots:` with routes"
        )
        return ()
    fields = reading.fields(one, f"bot of {what}", f"write `{_FORM}`")
    bot = None if fields is None else _bot(fields, None, f"bot of {what}", reading)
    return () if bot is None else (bot,)


def _routed(node: yaml.Node, what: str, reading: Reading) -> tuple[Bot, ...]:
    routes = reading.fields(node, f"bots of {what}", f"write `route: {_FORM}` for each route")
    seen: dict[str, yaml.Entry] = {}
    bots: list[Bot] = []
    for entry in routes or ():
        route = entry.key.strip()
        first = seen.setdefault(route.casefold(), entry)
        if not route:
            reading.wrong("bad-route", f"a route of {what} has no name", entry.location, "name the value of the column")
        elif first is not entry:
            message = f"the route {shortened(route)} of {what} is already there in line {first.location.line}"
            reading.wrong("duplicate-route", message, entry.location, "letter case and blanks make no difference")
        fields = reading.fields(entry.value, f"bot {shortened(route)} of {what}", f"write `{_FORM}`")
        bot = None if fields is None else _bot(fields, route, f"bot {shortened(route)} of {what}", reading)
        bots += [] if bot is None else [bot]
    defaults = [bot for bot in bots if bot.default]
    for second in defaults[1:]:
        message = f"{what} has a second bot with `default: true`; the first is in line {defaults[0].location.line}"
        reading.wrong("second-default", message, second.location, "leave it at one of them")
    return tuple(bots)


def _bot(node: yaml.Mapping, route: str | None, what: str, reading: Reading) -> Bot | None:
    """The bot, with placeholders for what is wrong with it; None where it has no usable id."""
    known = ("id", "default", *_ATTRIBUTES, "configurations")
    yaml.known_keys(node, known, what, reading.problems)
    identity = reading.required(node, "id", what)
    default = boolean(reading.text(node.get("default"), f"default of {what}"), f"default of {what}", reading)
    for name in _REQUIRED:
        if node.get(name) is None:
            reading.wrong("missing-key", f"{what} needs {name!r}", node.location, f"add `{name}: …`")
    attributes = list(_attributes(node, what, reading))
    had = {attribute.name for attribute in attributes}
    attributes += [
        Attribute(name=name, value="", location=node.location)  # its problem is told; it is not missing besides
        for name in _NOT_NULL
        if name not in had and (name in _REQUIRED or node.get(name) is not None)
    ]
    configurations = _configurations(node.get("configurations"), what, reading)
    if identity is None or not _usable(identity, what, reading):
        return None
    return Bot(
        id=identity.value,
        route=route,
        default=default or route is None,
        attributes=tuple(attributes),
        configurations=configurations,
        location=identity.location,
        shown_id=identity.shown,
    )


def _attributes(node: yaml.Mapping, what: str, reading: Reading) -> tuple[Attribute, ...]:
    """The columns of trading.bots that the map sets, those that are wrong left out with their problems told."""
    read = (_attribute(entry, what, reading) for entry in node if entry.key in _ATTRIBUTES)
    return tuple(attribute for attribute in read if attribute is not None)


def _usable(identity: Text, what: str, reading: Reading) -> bool:
    value = identity.value
    if len(value) > LONGEST_BOT_ID:
        message = f"the id {identity.shown} of {what} has {len(value)} characters"
        reading.wrong("bad-bot-id", message, identity.location, f"use at most {LONGEST_BOT_ID}")
        return False
    if value != value.strip() or not value.isprintable():
        message = f"the id {identity.shown} of {what} has blanks around it, or characters that cannot be printed"
        reading.wrong("bad-bot-id", message, identity.location, "use letters, digits, `_`, `-` and `.`")
        return False
    return True


def _attribute(entry: yaml.Entry, what: str, reading: Reading) -> Attribute | None:
    name = entry.key
    before = len(reading.problems)
    text = reading.text(entry.value, f"{name} of {what}")
    if len(reading.problems) > before:
        return None
    if text is None:
        if name in _NOT_NULL:
            reading.wrong("missing-value", f"{name} of {what} must not be null", entry.location, f"write `{name}: …`")
            return None
        return Attribute(name=name, value=None, location=entry.value.location)
    value = _checked(name, text, f"{name} of {what}", reading)
    return None if value is None else Attribute(name=name, value=value, location=text.location)


def _checked(name: str, text: Text, what: str, reading: Reading) -> str | None:
    """The value as its column takes it."""
    if name in _WHOLES:
        number = whole(text, what, reading, highest=_LARGEST_INTEGER)
        return None if number is None else str(number)
    if name in _DECIMALS:
        digits, scale = _DECIMALS[name]
        return decimal(text, what, reading, digits=digits, scale=scale)
    choices = _CHOICES.get(name)
    if choices is not None and text.value not in choices:
        reading.wrong("bad-value", f"{text.shown} is no {name}", text.location, text.nearest(choices))
        return None
    longest = _LONGEST[name]
    if longest is not None and len(text.value) > longest:
        message = f"{what} has {len(text.value)} characters"
        reading.wrong("bad-value", message, text.location, f"use at most {longest}")
        return None
    if name in _NOT_NULL and not text.value.strip():
        reading.wrong("missing-value", f"{what} must not be empty", text.location, f"write `{name}: …`")
        return None
    return text.value


def _configurations(node: yaml.Node | None, what: str, reading: Reading) -> tuple[Configuration, ...]:
    match node:
        case None | yaml.Scalar(text=None):
            return ()
        case yaml.Sequence(items=items):
            pass
        case _:
            hint = "write `[{key: …, value: …, type: strategy_params}]`"
            reading.wrong("not-a-list", f"configurations of {what} must be a list", node.location, hint)
            return ()
    first: dict[str, Location] = {}
    found: list[Configuration] = []
    for item in items:
        fields = reading.fields(item, f"a configuration of {what}", "write `{key: …, value: …}`")
        configuration = None if fields is None else _configuration(fields, f"a configuration of {what}", reading)
        if configuration is None:
            continue
        earlier = first.setdefault(configuration.key, configuration.location)
        if earlier != configuration.location:
            message = f"{what} has a second configuration of this key; the first is in line {earlier.line}"
            reading.wrong("duplicate-configuration", message, configuration.location, "keep one of them")
        found.append(configuration)
    return tuple(found)


def _configuration(node: yaml.Mapping, what: str, reading: Reading) -> Configuration | None:
    yaml.known_keys(node, ("key", "value", "type"), what, reading.problems)
    key = reading.required(node, "key", what)
    kind = reading.text(node.get("type"), f"type of {what}")
    value = node.get("value")
    if value is None:
        hint = "add `value: …`; `value: null` is JSON's null"
        reading.wrong("missing-key", f"{what} needs a 'value'", node.location, hint)
    content = None if value is None else document(value, f"value of {what}", reading)
    for text, longest in ((key, _LONGEST_KEY), (kind, _LONGEST_TYPE)):
        if text is not None and len(text.value) > longest:
            message = f"{text.shown} has {len(text.value)} characters"
            reading.wrong("bad-value", message, text.location, f"use at most {longest}")
            return None
    if key is None or content is None:
        return None
    return Configuration(
        key=key.value, value_json=content, type=None if kind is None else kind.value, location=key.location
    )
