"""What the transformation is given of one source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consolidate.mapping.compiled import CompiledSystem
    from consolidate.model import StagedSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Whose rows are whose: `routes` from a folded value of the routing column to a bot id, and the default bot.

    `default_key`: the default bot is the one that the row with this key becomes.
    """

    default: str
    routes: tuple[tuple[str, str], ...]
    default_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformSource:
    """A staged source with its compiled mapping."""

    name: str
    compiled: CompiledSystem
    staged: StagedSource
    routing: Routing
