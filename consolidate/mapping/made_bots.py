"""Bots that the rows of a table become: what the project file says beside the rows, and which mappings make bots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from consolidate.mapping.yaml import Mapping, Problems, parse

if TYPE_CHECKING:
    from pathlib import Path

BOTS: Final = "trading.bots"
"""The target table whose rows are bots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BotConfiguration:
    """A row of config.bot_configurations: `value` is JSON text."""

    key: str
    value: str
    type: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeBot:
    """What the project file says of the bot that the row with this key becomes; it wins over the row.

    `id` None: the id is the row's. `attributes` are columns of trading.bots with their values as text (None: null).
    """

    key: str
    id: str | None
    attributes: tuple[tuple[str, str | None], ...]
    configurations: tuple[BotConfiguration, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeBots:
    """What the project file and system.yaml say of the bots that the rows of a source become.

    `defaults` are columns of trading.bots with the value for rows that have none; `by_key` wins over the rows.
    """

    defaults: tuple[tuple[str, str | None], ...] = ()
    by_key: tuple[MadeBot, ...] = ()


def makes_bots(place: Path) -> bool:
    """Whether a table of the mapping in this folder has a block `trading.bots`, so that its rows become the bots."""
    return any(_makes_bots(file) for file in sorted(place.glob("*.yaml")))


def _makes_bots(file: Path) -> bool:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return False  # told when the mapping itself is read
    if f"{BOTS}:" not in text:
        return False
    root = parse(text, str(file), Problems())
    into = None if root is None else root.get("into")
    return isinstance(into, Mapping) and into.get(BOTS) is not None
