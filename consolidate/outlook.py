"""What a load would come to, told from its candidates alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consolidate.bundled import statement
from consolidate.model import BotMoney

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consolidate.staging import Staging


def money(staging: Staging, bots: Sequence[str]) -> tuple[BotMoney, ...]:
    """The money of the bots' candidates, as `reconcile.money` gives it after the load where there are no other rows."""
    query = statement("outlook/money").decode()
    found = {str(row[0]): row for row in staging.rows(query)}
    return tuple(
        BotMoney(
            bot_id=bot,
            trades=int(str(found[bot][1])),
            open_positions=int(str(found[bot][2])),
            pnl_usd=_text(found[bot][3]),
            fees=_text(found[bot][4]),
            equity=_text(found[bot][5]),
        )
        for bot in sorted(bots)
        if bot in found
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
