"""Whether a text of a mapping fits a column of the target."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from consolidate.mapping.enumerations import choices
from consolidate.mapping.target_types import target_type

if TYPE_CHECKING:
    from consolidate.target.contract import ColumnContract, TableContract

_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,19}")
_DECIMAL: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")
_LONGEST_NUMBER: Final = 100
_LARGEST: Final = {"integer": 2**31 - 1, "bigint": 2**63 - 1}


def misfit(text: str, table: TableContract, column: ColumnContract) -> str | None:
    """Why the column cannot hold what the text says; None where it can, exactly."""
    to = target_type(column.type)
    listed = choices(table, column.name)
    if not text.isprintable():
        return "it has characters that cannot be printed"
    if listed and text not in listed:
        return f"it must be one of {', '.join(listed)}"
    if to.length is not None and len(text) > to.length:
        return f"it has {len(text)} characters, and {to.length} fit"
    if column.type in _LARGEST:
        fits = _WHOLE.fullmatch(text) is not None and abs(int(text)) <= _LARGEST[column.type]
        return None if fits else f"it must be a whole number up to {_LARGEST[column.type]}"
    if to.precision is not None and to.scale is not None:
        return _misfit_of_decimal(text, to.precision, to.scale)
    return None


def _misfit_of_decimal(text: str, precision: int, scale: int) -> str | None:
    if len(text) > _LONGEST_NUMBER or not _DECIMAL.fullmatch(text):
        return "it must be a decimal number such as 0.05"
    unscaled = Decimal(text).scaleb(scale)
    if unscaled != unscaled.to_integral_value() or abs(unscaled) >= Decimal(10) ** precision:
        return f"it must have at most {precision - scale} digits before the point and {scale} after it"
    return None
